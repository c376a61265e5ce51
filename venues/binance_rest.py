"""One account at a look-alike of Binance Spot, over plain HTTP: what commands ask and do, one call at a time.

The maker and the tracker go through ccxt. To import that takes four times as long as such a command may take in all.
Signing is that of Binance Spot API docs, "Request Security".
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from market.clock import NS_PER_MS, time_ns
from venues.binance_account import PUBLIC_PATHS, BinanceAccount
from venues.bounded_answer import BoundedAnswer
from venues.retry_after import retry_after_of
from venues.venue import RECV_WINDOW_MS

PIECE_BYTES: Final = 64 << 10
ANSWERS_MAX: Final = 3  # the timeouts that an answer may take


class BinanceRest(BinanceAccount):
    """One account at `url`.

    Args:
        name, api_key, secret: as BinanceAccount has them.
        url: scheme, host and port.
        timeout_ms: for each request.
    """

    def __init__(self, name: str, url: str, api_key: str, secret: str, timeout_ms: int) -> None:
        super().__init__(name, url, api_key, secret)
        parts = urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._address = parts.hostname or "", parts.port
        self._timeout_s = timeout_ms / 1_000

    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        query = urlencode(given)
        if path not in PUBLIC_PATHS:
            time_ms = time_ns() // NS_PER_MS + self.ahead_ms
            query = urlencode({**given, "recvWindow": RECV_WINDOW_MS, "timestamp": time_ms})
            query += f"&signature={hmac.new(self._secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"
        opened: Any = self._kind(*self._address, timeout=self._timeout_s)
        with closing(opened) as connection:
            connection.response_class = partial(BoundedAnswer, within_s=ANSWERS_MAX * self._timeout_s)
            try:
                connection.connect()
            except OSError as error:  # nothing has left
                raise self.errors.out_of_reach(_words(error)) from None
            try:
                connection.request(method, f"/api/v3/{path}?{query}", headers={"X-MBX-APIKEY": self._api_key})
                with connection.getresponse() as answer:
                    body = b"".join(iter(partial(answer.read1, PIECE_BYTES), b""))  # `read` makes room for all at once
            except (OSError, http.client.HTTPException) as error:
                raise self.errors.unanswered(method, _words(error)) from None
        if answer.status != http.HTTPStatus.OK:
            raise self.errors.refusal(method, answer.status, retry_after_of(dict(answer.headers.items())), body)
        return json.loads(body)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
