"""Binance Spot, its testnet, or anything that speaks like it (our paper exchange), through ccxt."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from venues import venue
from venues.binance_account import PUBLIC_PATHS, BinanceAccount
from venues.ccxt_binance import ccxt, settings_of
from venues.retry_after import retry_after_of


class BinanceVenue(BinanceAccount):
    """One account at Binance Spot's testnet, or at `url`.

    Args:
        name, api_key, secret: as BinanceAccount has them.
        url: scheme, host and port of a look-alike; None is the testnet itself.
        timeout_ms: for each HTTP request.
    """

    def __init__(self, name: str, url: str | None, api_key: str, secret: str, timeout_ms: int) -> None:
        super().__init__(name, url, api_key, secret)
        self._exchange: Any = ccxt.binance(settings_of(url, api_key, secret, timeout_ms))
        self._exchange.handle_errors = self._check
        session = self._exchange.session  # which would follow a redirect to whatever host it names, with our key
        session.request = partial(session.request, allow_redirects=False)

    def _check(self, status: int, *answer: Any) -> None:
        """Judge an answer in ccxt's place: its many kinds of error do not tell the status."""
        _reason, _url, method, headers, body, *_ = answer
        if status != HTTPStatus.OK:
            raise self.errors.refusal(method, status, retry_after_of(headers), body) from None

    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        kind = "public" if path in PUBLIC_PATHS else "private"
        self._exchange.options["timeDifference"] = -self.ahead_ms
        try:
            return self._exchange.request(path, [kind], method, given)
        except ccxt.NetworkError as error:
            why = "no answer in time" if isinstance(error, ccxt.RequestTimeout) else "no connection"
            never_left = "Connection refused" in str(error.__cause__)
            raise (self.errors.out_of_reach(why) if never_left else self.errors.unanswered(method, why)) from None
        except ccxt.AuthenticationError as error:  # its text may have the URL, with the signature
            raise venue.VenueKeysError(f"{self._name}: {type(error).__name__}") from None
        except ccxt.BaseError as error:  # of an answer that it cannot read, too: an order may have been taken
            raise self.errors.senseless(method, type(error).__name__) from None
