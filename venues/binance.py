"""Binance Spot, its testnet, or anything that speaks like it (our paper exchange), through ccxt."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from venues import binance_documents as documents
from venues import venue
from venues.binance_account import PUBLIC_PATHS, BinanceAccount, Result
from venues.ccxt_binance import ccxt


class BinanceVenue(BinanceAccount):
    """One account at Binance Spot's testnet, or at `url`.

    Args:
        name, api_key, secret: as BinanceAccount has them.
        url: scheme, host and port of a look-alike; None is the testnet itself.
        timeout_ms: for each HTTP request.
    """

    def __init__(self, name: str, url: str | None, api_key: str, secret: str, timeout_ms: int) -> None:
        super().__init__(name, api_key, secret)
        self._at = f" at {url}" if url else ""
        config: dict[str, Any] = {
            "apiKey": api_key,
            "secret": secret,
            "timeout": timeout_ms,
            "sandbox": True,
            "options": {"defaultType": "spot", "recvWindow": venue.RECV_WINDOW_MS},
        }
        if url is not None:
            # Overriding urls['api'] alone would still sign a request to the real host.
            rest, stream = f"{url}/api", url.replace("http", "ws", 1)
            config["urls"] = {
                "test": {
                    "public": f"{rest}/v3",
                    "private": f"{rest}/v3",
                    "v1": f"{rest}/v1",
                    "ws": {"spot": f"{stream}/ws", "ws-api": {"spot": f"{stream}/ws-api/v3"}},
                }
            }
        self._exchange: Any = ccxt.binance(config)
        self._status = 0  # of the last answer; ccxt's errors do not tell it
        handle_errors = self._exchange.handle_errors

        def note_status(status: int, *rest: Any) -> Any:
            self._status = status
            return handle_errors(status, *rest)

        self._exchange.handle_errors = note_status

    def _ask(self, method: str, path: str, asked: Mapping[str, object], read: Callable[[Any], Result]) -> Result:
        name = f"{'public' if path in PUBLIC_PATHS else 'private'}_{method}_{path.replace('/', '_')}".lower()
        given = {key: value for key, value in asked.items() if value is not None}
        is_order = method == "POST"
        try:
            return read(self._asked(getattr(self._exchange, name), given))
        except ccxt.BaseError as error:
            raise self._translated(error, is_order=is_order) from None
        except documents.UNREADABLE as error:  # a proxy's page with status 200, or another service behind the port
            kind = venue.VenueUnknownError if is_order else venue.VenueUnavailableError
            raise kind(f"{self._name} answered with something else ({type(error).__name__})") from None

    def _asked(self, method: Callable[[Mapping[str, object]], Any], given: Mapping[str, object]) -> Any:
        self._status = 0
        try:
            return method(given)
        except ccxt.InvalidNonce:  # refused for its time, so it was not done
            self._exchange.options["adjustForTimeDifference"] = True
            try:
                self._exchange.load_time_difference()
            except ccxt.NetworkError as error:
                raise self._translated(error, is_order=False) from None
            except (ccxt.BaseError, *documents.UNREADABLE):
                raise venue.VenueUnavailableError(f"{self._name} does not tell its time") from None
            return method(given)

    def _translated(self, error: ccxt.BaseError, *, is_order: bool) -> venue.VenueError:
        text = str(error)
        code = int(match[1]) if (match := re.search(r'"code":\s*(-\d+)', text)) else 0
        said = match[1] if (match := re.search(r'"msg":\s*"([^"]*)"', text)) else ""
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) and code not in documents.KEY_CODES:
            return venue.VenueBusyError.of(
                self._name, self._retry_after_s(), is_ban="banned" in said or " 418 " in text
            )
        is_5xx = self._status >= HTTPStatus.INTERNAL_SERVER_ERROR and code != documents.THROTTLED_CODE
        if code and is_order and (is_5xx or code in documents.UNKNOWN_EXECUTION_CODES):
            return venue.VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if code in documents.KEY_CODES or isinstance(error, ccxt.AuthenticationError):
            return venue.VenueKeysError(
                f"{self._name} does not accept the API key: {self._redacted(said) or code}", code
            )
        if code:
            return venue.VenueRefusedError(f"{self._name}: {self._redacted(said)} ({code})", code)
        if is_order and isinstance(error, ccxt.NetworkError) and not _never_left(error):
            return venue.VenueUnknownError(f"{self._name}: the reply to an order was lost ({type(error).__name__})")
        if isinstance(error, ccxt.NetworkError):
            hint = "; is the desk up?" if self._name == "paper" else ""
            why = "no answer in time" if isinstance(error, ccxt.RequestTimeout) else "no connection"
            return venue.VenueUnavailableError(f"{self._name} is out of reach{self._at} ({why}){hint}")
        # For some refusals ccxt gives the venue's words alone; a text with a URL may hold a signature or a key.
        words = text.removeprefix("binance ")
        said = type(error).__name__ if "://" in words else self._redacted(words)
        return venue.VenueRefusedError(f"{self._name}: {said}")

    def _retry_after_s(self) -> float:
        headers = self._exchange.last_response_headers or {}
        return documents.retry_after_s(str(headers.get("Retry-After", "")))


def _never_left(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing can have been done."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
