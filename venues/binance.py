"""Binance Spot, its testnet, or anything that speaks like it (our paper exchange), through ccxt."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.order_rules import OrderRules
from venues.binance_documents import (
    KEY_CODES,
    THROTTLED_CODE,
    UNKNOWN_EXECUTION_CODES,
    UNKNOWN_ORDER_CODES,
    UNREADABLE,
    account_of,
    depth_of,
    mid_of,
    minute_prices_of,
    order_of,
    orders_of,
    retry_after_s,
    rules_of,
    trades_of,
)
from venues.ccxt_binance import ccxt
from venues.venue import (
    RECV_WINDOW_MS,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

Result = TypeVar("Result")


class BinanceVenue:
    """One account at Binance Spot's testnet, or at `url`.

    Args:
        name: what to call it.
        url: scheme, host and port of a look-alike; None is the testnet itself.
        api_key: the account's key.
        secret: its secret; neither ever appears in an error's text.
        timeout_ms: for each HTTP request.
    """

    def __init__(self, name: str, url: str | None, api_key: str, secret: str, timeout_ms: int) -> None:
        self._name = name
        self._at = f" at {url}" if url else ""
        self._secrets = (api_key, secret)
        config: dict[str, Any] = {
            "apiKey": api_key,
            "secret": secret,
            "timeout": timeout_ms,
            "sandbox": True,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "recvWindow": RECV_WINDOW_MS,
                "warnOnFetchOpenOrdersWithoutSymbol": False,
            },
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

    @property
    def name(self) -> str:
        """What to call the venue in logs and reports."""
        return self._name

    def load(self, instrument: Instrument) -> OrderRules:
        """Fetch the venue's markets, check that it trades `instrument` in our ticks and lots, and return its rules.

        Raises:
            VenueError: if it cannot be reached, or does not.
        """
        markets = self._call(self._exchange.load_markets, read=_document)
        market = markets.get(_pair(instrument))
        if market is None:
            raise VenueRefusedError(f"{self._name} does not trade {instrument.symbol}")
        theirs = tuple(Decimal(str(market["precision"][kind])) for kind in ("price", "amount"))
        if theirs != (instrument.tick_size, instrument.lot_size):
            ours = f"{instrument.tick_size} and {instrument.lot_size}"
            raise VenueRefusedError(
                f"{self._name} trades {instrument.symbol} in ticks and lots of {theirs[0]} and {theirs[1]}, not {ours}"
            )
        return self._call(lambda: market["info"], read=rules_of)

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""
        request = {"symbol": instrument.symbol, "limit": level_count}

        return self._call(self._exchange.public_get_depth, request, read=partial(depth_of, instrument=instrument))

    def mid(self, symbol: str) -> Decimal | None:
        """Return the middle of the best prices of any pair of the venue; None while a side of its book is empty."""
        return self._call(self._exchange.public_get_ticker_bookticker, {"symbol": symbol}, read=mid_of)

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return our open orders, oldest first."""

        return self._call(self._exchange.private_get_openorders, {"symbol": instrument.symbol}, read=orders_of)

    def place(
        self, instrument: Instrument, side: Side, price_ticks: int, qty_lots: int, client_order_id: str
    ) -> VenueOrder:
        """Enter a post-only limit order."""
        request = {
            "symbol": instrument.symbol,
            "side": side.name,
            "type": "LIMIT_MAKER",
            "quantity": f"{instrument.lots_to_qty(qty_lots):f}",
            "price": f"{instrument.ticks_to_price(price_ticks):f}",
            "newClientOrderId": client_order_id,
            "newOrderRespType": "RESULT",
        }
        return self._call(self._exchange.private_post_order, request, read=order_of, is_order=True)

    def cancel(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone, which is not an error."""
        request = {"symbol": instrument.symbol, "orderId": order_id}
        try:
            return self._call(self._exchange.private_delete_order, request, read=order_of)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""
        request = {"symbol": instrument.symbol, "origClientOrderId": client_order_id}
        try:
            return self._call(self._exchange.private_get_order, request, read=order_of)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""

        return self._call(self._exchange.private_get_account, read=account_of)

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""
        return self.account().balances

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return our trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""
        request = {"symbol": instrument.symbol, "limit": limit, "fromId": from_id, "startTime": since_ms}

        read = partial(trades_of, symbol=instrument.symbol)
        return self._call(self._exchange.private_get_mytrades, _given(request), read=read)

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Return what `symbol` cost in each of up to 1,000 minutes from `since_ms` on, by the minute's first ms.

        That is the middle of the minute's first and last price; a minute without a trade may be missing.
        """
        request = {"symbol": symbol, "interval": "1m", "startTime": since_ms, "limit": 1_000}
        return self._call(self._exchange.public_get_klines, request, read=minute_prices_of)

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return our orders, open or ended, oldest first: the latest, or the first from an order id or a time on."""
        request = {"symbol": instrument.symbol, "limit": limit, "orderId": from_id, "startTime": since_ms}

        return self._call(self._exchange.private_get_allorders, _given(request), read=orders_of)

    def _call(
        self, method: Callable[..., Any], *args: Any, read: Callable[[Any], Result], is_order: bool = False
    ) -> Result:
        """Call ccxt, read the answer, and turn what either raises into a VenueError without secrets.

        A lost or senseless reply to an order is VenueUnknownError; to anything else it is VenueUnavailableError, for
        asking again does no harm.
        """
        try:
            return read(self._asked(method, args))
        except ccxt.BaseError as error:
            raise self._translated(error, is_order=is_order) from None
        except UNREADABLE as error:  # a proxy's page with status 200, and whatever else is no answer of a Binance
            kind = VenueUnknownError if is_order else VenueUnavailableError
            raise kind(f"{self._name} answered with something else ({type(error).__name__})") from None

    def _asked(self, method: Callable[..., Any], args: Sequence[Any]) -> Any:
        self._status = 0
        try:
            return method(*args)
        except ccxt.InvalidNonce:  # refused for its time, so it was not done
            self._exchange.options["adjustForTimeDifference"] = True
            try:
                self._exchange.load_time_difference()
            except ccxt.NetworkError as error:
                raise self._translated(error, is_order=False) from None
            except (ccxt.BaseError, *UNREADABLE):
                raise VenueUnavailableError(f"{self._name} does not tell its time") from None
            return method(*args)

    def _translated(self, error: ccxt.BaseError, *, is_order: bool) -> VenueError:
        text = str(error)
        code = int(match[1]) if (match := re.search(r'"code":\s*(-\d+)', text)) else 0
        said = match[1] if (match := re.search(r'"msg":\s*"([^"]*)"', text)) else ""
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) and code not in KEY_CODES:
            return VenueBusyError.of(self._name, self._retry_after_s(), is_ban="banned" in said or " 418 " in text)
        is_5xx = self._status >= HTTPStatus.INTERNAL_SERVER_ERROR and code != THROTTLED_CODE
        if code and is_order and (is_5xx or code in UNKNOWN_EXECUTION_CODES):
            return VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if code in KEY_CODES or isinstance(error, ccxt.AuthenticationError):
            return VenueKeysError(f"{self._name} does not accept the API key: {self._redacted(said) or code}", code)
        if code:
            return VenueRefusedError(f"{self._name}: {self._redacted(said)} ({code})", code)
        if is_order and isinstance(error, ccxt.NetworkError) and not _never_left(error):
            return VenueUnknownError(f"{self._name}: the reply to an order was lost ({type(error).__name__})")
        if isinstance(error, ccxt.NetworkError):
            hint = "; is the desk up?" if self._name == "paper" else ""
            why = "no answer in time" if isinstance(error, ccxt.RequestTimeout) else "no connection"
            return VenueUnavailableError(f"{self._name} is out of reach{self._at} ({why}){hint}")
        # For some refusals ccxt gives the venue's words alone; a text with a URL may hold a signature or a key.
        words = text.removeprefix("binance ")
        said = type(error).__name__ if "://" in words else self._redacted(words)
        return VenueRefusedError(f"{self._name}: {said}")

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "...")
        return text[:200]

    def _retry_after_s(self) -> float:
        headers = self._exchange.last_response_headers or {}
        return retry_after_s(str(headers.get("Retry-After", "")))


def _never_left(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing can have been done."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _pair(instrument: Instrument) -> str:
    return f"{instrument.base}/{instrument.quote}"


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value is not None}


def _document(value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value
