"""One account at a look-alike of Binance Spot, over plain HTTP: what commands ask and do, one call at a time.

The maker and the tracker go through ccxt. To import that takes four times as long as such a command may take in all.
Signing and errors are those of Binance Spot API docs, "Request Security" and "Errors".
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from market.clock import NS_PER_MS, time_ns
from venues import venue
from venues.binance_account import PUBLIC_PATHS, BinanceAccount, Result
from venues.binance_documents import KEY_CODES, UNKNOWN_EXECUTION_CODES, UNREADABLE, retry_after_s

BODY_BYTES_MAX: Final = 16 << 20

_BAD_TIME: Final = -1021


class BinanceRest(BinanceAccount):
    """One account at `url`.

    Args:
        name, api_key, secret: as BinanceAccount has them.
        url: scheme, host and port.
        timeout_ms: for each request.
    """

    def __init__(self, name: str, url: str, api_key: str, secret: str, timeout_ms: int) -> None:
        super().__init__(name, api_key, secret)
        self._url = url
        parts = urlsplit(url)
        self._is_encrypted, self._host, self._port = parts.scheme == "https", parts.hostname or "", parts.port
        self._timeout_s = timeout_ms / 1_000
        self._ahead_ms = 0  # the venue's clock, of ours

    def _ask(self, method: str, path: str, asked: Mapping[str, object], read: Callable[[Any], Result]) -> Result:
        try:
            document = self._answer(method, path, asked)
        except venue.VenueRefusedError as error:
            if error.code != _BAD_TIME:
                raise
            now_ms = time_ns() // NS_PER_MS  # only our clock was wrong
            self._ahead_ms = self._ask("GET", "time", {}, lambda told: int(told["serverTime"])) - now_ms
            document = self._answer(method, path, asked)
        try:
            return read(document)
        except UNREADABLE as error:
            raise self._senseless(type(error).__name__, is_order=method == "POST") from None

    def _answer(self, method: str, path: str, asked: Mapping[str, object]) -> Any:
        is_signed, is_order = path not in PUBLIC_PATHS, method == "POST"
        values = {name: value for name, value in asked.items() if value is not None}
        if is_signed:
            values |= {"recvWindow": venue.RECV_WINDOW_MS, "timestamp": time_ns() // NS_PER_MS + self._ahead_ms}
        query = urlencode(values)
        if is_signed:
            query += f"&signature={hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"
        kind = http.client.HTTPSConnection if self._is_encrypted else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:  # nothing has left
                raise self._out_of_reach(error) from None
            connection.request(method, f"/api/v3/{path}?{query}", headers={"X-MBX-APIKEY": self._api_key})
            answer = connection.getresponse()
            body = answer.read(BODY_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            if is_order:
                raise venue.VenueUnknownError(
                    f"{self._name}: the reply to an order was lost ({_words(error)})"
                ) from None
            raise self._out_of_reach(error) from None
        finally:
            connection.close()
        if answer.status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.IM_A_TEAPOT):
            wait_s = retry_after_s(answer.headers.get("Retry-After", ""))
            is_ban = answer.status == http.HTTPStatus.IM_A_TEAPOT
            raise venue.VenueBusyError.of(self._name, wait_s, is_ban=is_ban)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise self._senseless(f"status {answer.status}", is_order=is_order) from None
        if answer.status != http.HTTPStatus.OK:
            raise self._refusal(answer, document, is_order=is_order)
        return document

    def _refusal(self, answer: http.client.HTTPResponse, document: Any, *, is_order: bool) -> venue.VenueError:
        try:
            code, said = int(document["code"]), self._redacted(str(document["msg"]))
        except UNREADABLE:
            return self._senseless(f"status {answer.status}", is_order=is_order)
        is_unknown = code in UNKNOWN_EXECUTION_CODES or answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        if is_unknown and is_order:
            return venue.VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if is_unknown:
            return venue.VenueUnavailableError(f"{self._name} cannot answer: {said} ({code})")
        if code in KEY_CODES:
            return venue.VenueKeysError(f"{self._name} does not accept the API key: {said}", code)
        return venue.VenueRefusedError(f"{self._name}: {said} ({code})", code)

    def _out_of_reach(self, error: Exception) -> venue.VenueUnavailableError:
        return venue.VenueUnavailableError(f"{self._name} is out of reach at {self._url} ({_words(error)})")

    def _senseless(self, what: str, *, is_order: bool) -> venue.VenueError:
        kind = venue.VenueUnknownError if is_order else venue.VenueUnavailableError
        return kind(f"{self._name} at {self._url} answered with something else ({what})")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
