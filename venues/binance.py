"""Binance Spot, its testnet, or anything that speaks like it (our paper exchange), through ccxt."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import ccxt

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from trading.order_rules import OrderRules
from venues.venue import (
    RECV_WINDOW_MS,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

UNKNOWN_ORDER_CODES = frozenset({-2011, -2013})
UNKNOWN_EXECUTION_CODES = frozenset({-1000, -1001, -1006, -1007})  # those that Binance sends with a 5xx
KEY_CODES = frozenset({-2014, -2015, -1022})
RETRY_AFTER_DEFAULT_S = 10.0
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
_SECONDS = re.compile(r"[0-9]{1,7}", re.ASCII)

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
        return self._call(lambda: market["info"], read=_rules)

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""
        request = {"symbol": instrument.symbol, "limit": level_count}

        def read(document: Any) -> Depth:
            bids, asks = (
                tuple(
                    Level(instrument.price_to_ticks(Decimal(price)), instrument.qty_to_lots(Decimal(qty)))
                    for price, qty, *_ in _list(document[side])
                )
                for side in ("bids", "asks")
            )
            return Depth(bids, asks)

        return self._call(self._exchange.public_get_depth, request, read=read)

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return our open orders, oldest first."""

        def read(documents: Any) -> Sequence[VenueOrder]:
            return sorted(map(_order, _list(documents)), key=lambda order: order.time_ms)

        return self._call(self._exchange.private_get_openorders, {"symbol": instrument.symbol}, read=read)

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
        return self._call(self._exchange.private_post_order, request, read=_order, is_order=True)

    def cancel(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone, which is not an error."""
        request = {"symbol": instrument.symbol, "orderId": order_id}
        try:
            return self._call(self._exchange.private_delete_order, request, read=_order)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""
        request = {"symbol": instrument.symbol, "origClientOrderId": client_order_id}
        try:
            return self._call(self._exchange.private_get_order, request, read=_order)
        except VenueRefusedError as error:
            if error.code not in UNKNOWN_ORDER_CODES:
                raise
            return None

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""

        def read(document: Any) -> VenueAccount:
            balances = {
                balance["asset"]: Balance(Decimal(balance["free"]), Decimal(balance["locked"]))
                for balance in _list(document["balances"])
            }
            return VenueAccount(str(document.get("uid", "")), balances)

        return self._call(self._exchange.private_get_account, read=read)

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""
        return self.account().balances

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return our trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""
        request = {"symbol": instrument.symbol, "limit": limit, "fromId": from_id, "startTime": since_ms}

        def read(trades: Any) -> Sequence[VenueTrade]:
            found = [_trade(trade, instrument.symbol) for trade in _list(trades)]
            return sorted(found, key=lambda trade: trade.trade_id)

        return self._call(self._exchange.private_get_mytrades, _given(request), read=read)

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return our orders, open or ended, oldest first: the latest, or the first from an order id or a time on."""
        request = {"symbol": instrument.symbol, "limit": limit, "orderId": from_id, "startTime": since_ms}

        def read(orders: Any) -> Sequence[VenueOrder]:
            return sorted(map(_order, _list(orders)), key=lambda order: int(order.order_id))

        return self._call(self._exchange.private_get_allorders, _given(request), read=read)

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
        try:
            return method(*args)
        except ccxt.InvalidNonce:  # refused for its time, so it was not done
            self._exchange.options["adjustForTimeDifference"] = True
            try:
                self._exchange.load_time_difference()
            except ccxt.BaseError as error:
                raise self._translated(error, is_order=False) from None
            except UNREADABLE:
                raise VenueUnavailableError(f"{self._name} does not tell its time") from None
            return method(*args)

    def _translated(self, error: ccxt.BaseError, *, is_order: bool) -> VenueError:
        text = str(error)
        code = int(match[1]) if (match := re.search(r'"code":\s*(-\d+)', text)) else 0
        said = match[1] if (match := re.search(r'"msg":\s*"([^"]*)"', text)) else ""
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection) and code not in KEY_CODES:
            return VenueBusyError(f"{self._name} asks us to slow down", self._retry_after_s())
        if code in UNKNOWN_EXECUTION_CODES and is_order:
            return VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
        if code in KEY_CODES or isinstance(error, ccxt.AuthenticationError):
            return VenueKeysError(f"{self._name} does not accept the API key: {self._redacted(said) or code}", code)
        if code:
            return VenueRefusedError(f"{self._name}: {self._redacted(said)} ({code})", code)
        if is_order and isinstance(error, ccxt.NetworkError) and not _never_left(error):
            return VenueUnknownError(f"{self._name}: the reply to an order was lost ({type(error).__name__})")
        if isinstance(error, ccxt.NetworkError):
            hint = "; is the desk up?" if self._name == "paper" else ""
            return VenueUnavailableError(f"{self._name} is out of reach ({type(error).__name__}){hint}")
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
        value = str(headers.get("Retry-After", ""))
        return float(value) if _SECONDS.fullmatch(value) else RETRY_AFTER_DEFAULT_S


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


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise TypeError(type(value).__name__)
    return value


def _rules(info: Any) -> OrderRules:
    """Return the bounds that the filters of exchangeInfo set, Binance Spot API docs, "Filters"; 0 means none there."""
    found = {each["filterType"]: each for each in _list(info["filters"])}

    def bound(name: str, *filters: str) -> Decimal | None:
        value = next((Decimal(str(found[each][name])) for each in filters if name in found.get(each, ())), Decimal(0))
        return value or None

    def reach(side: str) -> tuple[Decimal, Decimal] | None:
        by_side, both = found.get("PERCENT_PRICE_BY_SIDE"), found.get("PERCENT_PRICE")
        if by_side is not None:
            return Decimal(by_side[f"{side}MultiplierDown"]), Decimal(by_side[f"{side}MultiplierUp"])
        return None if both is None else (Decimal(both["multiplierDown"]), Decimal(both["multiplierUp"]))

    return OrderRules(
        price_min=bound("minPrice", "PRICE_FILTER") or Decimal(0),
        price_max=bound("maxPrice", "PRICE_FILTER"),
        qty_min=bound("minQty", "LOT_SIZE") or Decimal(0),
        qty_max=bound("maxQty", "LOT_SIZE"),
        notional_min=bound("minNotional", "NOTIONAL", "MIN_NOTIONAL") or Decimal(0),
        notional_max=bound("maxNotional", "NOTIONAL"),
        bid_reach=reach("bid"),
        ask_reach=reach("ask"),
        position_max=bound("maxPosition", "MAX_POSITION"),
    )


def _order(info: Any) -> VenueOrder:
    return VenueOrder(
        order_id=str(info["orderId"]),
        # A cancel has an id of its own; the order's is the original one.
        client_order_id=str(info.get("origClientOrderId") or info["clientOrderId"]),
        symbol=str(info["symbol"]),
        side=Side[info["side"]],
        price=Decimal(info["price"]),
        qty=Decimal(info["origQty"]),
        filled_qty=Decimal(info["executedQty"]),
        status=str(info["status"]),
        time_ms=int(info.get("time") or info["transactTime"]),
    )


def _trade(info: Mapping[str, Any], symbol: str) -> VenueTrade:
    return VenueTrade(
        trade_id=int(info["id"]),
        order_id=str(info["orderId"]),
        symbol=symbol,
        side=Side.BUY if info["isBuyer"] else Side.SELL,
        price=Decimal(info["price"]),
        qty=Decimal(info["qty"]),
        quote_qty=Decimal(info["quoteQty"]),
        fee=Decimal(info["commission"]),
        fee_asset=info["commissionAsset"],
        time_ms=int(info["time"]),
        is_maker=bool(info["isMaker"]),
    )
