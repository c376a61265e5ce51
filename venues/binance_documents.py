"""Binance Spot's JSON documents, read into what the desk keeps of an account. Numbers are decimal text, and exact.

Whatever reads a document raises one of UNREADABLE if it is none of its kind.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from trading.news import MarketTrade
from trading.order_rules import MarketRules, OrderRules

# No cancel of an order that stands is answered so; other texts of -2011 say that it stays, or nothing of it.
CANCEL_REFUSED_CODE: Final = -2011
UNKNOWN_ORDER_TEXT: Final = "Unknown order sent."
NO_SUCH_ORDER_CODE: Final = -2013  # with one text only
UNKNOWN_EXECUTION_CODES: Final = frozenset({-1000, -1001, -1006, -1007})  # those that Binance sends with a 5xx
INVALID_SYMBOL_CODE: Final = -1121
ILLEGAL_CHARACTERS_CODE: Final = -1100  # of any parameter, which its text names
OF_SYMBOL_TEXT: Final = "in parameter 'symbol'"
HALF_MOVED_CODE: Final = -2021  # of a move one half was done, as what comes with it says
THROTTLED_CODE: Final = -1008  # with a 503, and yet what was asked was surely not done
BAD_TIME_CODE: Final = -1021  # our clock is wrong, and nothing was done
REFUSED_ORDER_CODE: Final = -2010  # for many reasons, told apart by their text alone: "Errors", messages for -1010
WOULD_TAKE_TEXT: Final = "Order would immediately match and take."
DUPLICATE_TEXT: Final = "Duplicate order sent."  # an order of this client order id is open
RULES_CODES: Final = frozenset({-1013, -1111})  # a filter, or more digits than a pair's steps have
KEY_CODES: Final = frozenset({-2014, -2015, -1022})
RETRY_AFTER_DEFAULT_S: Final = 10.0
RETRY_AFTER_MAX_S: Final = 3 * 86_400.0  # Binance Spot API docs, "IP Limits": bans last up to 3 days
SHUTDOWN_EVENT: Final = "serverShutdown"
# What reading a document may raise that is none of Binance's: a proxy's page, another service behind the port.
UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)

_SECONDS: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)
_DIGITS_MAX: Final = 40  # before or behind the point; to add up or spell out a number of more takes as long as it likes


def retry_after_s(header: str, default_s: float = RETRY_AFTER_DEFAULT_S) -> float:
    """Return how long a header `Retry-After` asks to wait, `default_s` if it is none in seconds.

    That is as long as Binance's longest ban at most: who takes any number for it never comes back.
    """
    return min(float(header), RETRY_AFTER_MAX_S) if _SECONDS.fullmatch(header) else default_s


def is_odd_pause(header: str) -> bool:
    """Say whether a header `Retry-After` is there, and `retry_after_s` is not what it asks for."""
    return bool(header) and (not _SECONDS.fullmatch(header) or float(header) > RETRY_AFTER_MAX_S)


def number_of(value: Any) -> Decimal:
    """Return a number of a document.

    Raises:
        UNREADABLE: if it is none, as NaN, or has more digits than any price or quantity.
    """
    number = Decimal(value)
    if not number.is_finite() or (number and abs(number.adjusted()) > _DIGITS_MAX):
        raise ValueError(f"expected a number, was {str(value)[:40]!r}")
    return number


def is_unknown_order(code: int, text: str) -> bool:
    """Say whether a refusal tells that there is no such open order, or none at all where its status was asked for."""
    return code == NO_SUCH_ORDER_CODE or (code == CANCEL_REFUSED_CODE and text == UNKNOWN_ORDER_TEXT)


def is_unknown_symbol(code: int, text: str) -> bool:
    """Say whether a refusal tells that there is no such pair, or that none can be called so."""
    return code == INVALID_SYMBOL_CODE or (code == ILLEGAL_CHARACTERS_CODE and OF_SYMBOL_TEXT in text)


def is_shutdown(message: Any) -> bool:
    """Say whether a message of a socket announces that the server is about to go."""
    event = message.get("event", message) if isinstance(message, dict) else None
    return isinstance(event, dict) and event.get("e") == SHUTDOWN_EVENT


def halves_of(body: str | bytes) -> Mapping[str, Any] | None:
    """Return what a refusal of `order/cancelReplace` tells of both halves; None of any other answer."""
    try:
        halves: Mapping[str, Any] = json.loads(body)["data"]
        is_of_move = "cancelResult" in halves
    except UNREADABLE:
        return None
    return halves if is_of_move else None


def order_of(document: Mapping[str, Any]) -> VenueOrder:
    """Return the order of an answer to `order`, `openOrders` or `allOrders`, or of a cancelled order."""
    return VenueOrder(
        order_id=str(document["orderId"]),
        # A cancel has an id of its own; the order's is the original one.
        client_order_id=str(document.get("origClientOrderId") or document["clientOrderId"]),
        symbol=str(document["symbol"]),
        side=Side[document["side"]],
        price=number_of(document["price"]),
        qty=number_of(document["origQty"]),
        filled_qty=number_of(document["executedQty"]),
        status=str(document["status"]),
        time_ms=int(document.get("time") or document["transactTime"]),
        filled_quote=number_of(document.get("cummulativeQuoteQty", 0)),
    )


def amended_of(document: Mapping[str, Any]) -> VenueOrder:
    """Return the order of an answer to an amend, whose quantities are spelt in its own way."""
    order = document["amendedOrder"]
    quantities = {"origQty": order["qty"], "cummulativeQuoteQty": order["cumulativeQuoteQty"]}
    return order_of({**order, **quantities, "transactTime": document["transactTime"]})


def order_of_report(document: Mapping[str, Any]) -> VenueOrder:
    """Return the order of an `executionReport` of the account's stream, as it is after it."""
    return VenueOrder(
        order_id=str(document["i"]),
        client_order_id=str(document["C"] or document["c"]),  # of a cancel, C is the order's own id
        symbol=str(document["s"]),
        side=Side[document["S"]],
        price=number_of(document["p"]),
        qty=number_of(document["q"]),
        filled_qty=number_of(document["z"]),
        status=str(document["X"]),
        time_ms=int(document["O"]),
        filled_quote=number_of(document["Z"]),
    )


def market_trade_of(document: Mapping[str, Any], instrument: Instrument) -> MarketTrade:
    """Return the trade of a `trade` of the market's stream."""
    return MarketTrade(
        trade_id=int(document["t"]),
        price_ticks=instrument.price_to_ticks(number_of(document["p"])),
        qty_lots=instrument.qty_to_lots(number_of(document["q"])),
        taker_side=Side.SELL if document["m"] else Side.BUY,  # m: whether the buyer was there first
        time_ns=int(document["T"]) * NS_PER_MS,
    )


def orders_of(documents: Any) -> list[VenueOrder]:
    """Return the orders of an answer to `openOrders` or `allOrders`, oldest first."""
    return sorted(map(order_of, _list(documents)), key=lambda order: int(order.order_id))


def trades_of(documents: Any, symbol: str) -> list[VenueTrade]:
    """Return the trades of an answer to `myTrades` of a symbol, oldest first."""
    return sorted((trade_of(each, symbol) for each in _list(documents)), key=lambda trade: trade.trade_id)


def minute_prices_of(documents: Any) -> dict[int, Decimal]:
    """Return, of an answer to `klines` of a minute, the middle of each bar's first and last price by its first ms."""
    return {int(bar[0]): (number_of(bar[1]) + number_of(bar[4])) / 2 for bar in _list(documents)}


def trade_of(document: Mapping[str, Any], symbol: str) -> VenueTrade:
    """Return the trade of an answer to `myTrades` of a symbol."""
    return VenueTrade(
        trade_id=int(document["id"]),
        order_id=str(document["orderId"]),
        symbol=symbol,
        side=Side.BUY if document["isBuyer"] else Side.SELL,
        price=number_of(document["price"]),
        qty=number_of(document["qty"]),
        quote_qty=number_of(document["quoteQty"]),
        fee=number_of(document["commission"]),
        fee_asset=document["commissionAsset"],
        time_ms=int(document["time"]),
        is_maker=bool(document["isMaker"]),
    )


def account_of(document: Mapping[str, Any]) -> VenueAccount:
    """Return the account of an answer to `account`."""
    balances = {
        balance["asset"]: Balance(number_of(balance["free"]), number_of(balance["locked"]))
        for balance in _list(document["balances"])
    }
    return VenueAccount(str(document.get("uid", "")), balances)


def depth_of(document: Mapping[str, Any], instrument: Instrument) -> Depth:
    """Return the book of an answer to `depth`. A price between ticks is unreadable, too."""
    bids, asks = (
        tuple(
            Level(instrument.price_to_ticks(Decimal(price)), instrument.qty_to_lots(Decimal(qty)))
            for price, qty, *_ in _list(document[side])
        )
        for side in ("bids", "asks")
    )
    return Depth(bids, asks)


def mid_of(document: Mapping[str, Any]) -> Decimal | None:
    """Return the middle of the best prices of an answer to `ticker/bookTicker`; None where a side has none."""
    bid, ask = number_of(document["bidPrice"]), number_of(document["askPrice"])
    return (bid + ask) / 2 if bid > 0 and ask > 0 else None


def market_of(document: Mapping[str, Any]) -> MarketRules:
    """Return the tick, the lot and the rules of an answer to `exchangeInfo` of one symbol.

    The rules are the bounds that its filters set, Binance Spot API docs, "Filters"; 0 means none there.
    """
    (info,) = _list(document["symbols"])
    found = {each["filterType"]: each for each in _list(info["filters"])}

    def bound(name: str, *filters: str) -> Decimal | None:
        value = next((number_of(str(found[each][name])) for each in filters if name in found.get(each, ())), Decimal(0))
        return value or None

    def reach(side: str) -> tuple[Decimal, Decimal] | None:
        by_side, both = found.get("PERCENT_PRICE_BY_SIDE"), found.get("PERCENT_PRICE")
        if by_side is not None:
            return number_of(by_side[f"{side}MultiplierDown"]), number_of(by_side[f"{side}MultiplierUp"])
        return None if both is None else (number_of(both["multiplierDown"]), number_of(both["multiplierUp"]))

    rules = OrderRules(
        price_min=bound("minPrice", "PRICE_FILTER") or Decimal(0),
        price_max=bound("maxPrice", "PRICE_FILTER"),
        qty_min=bound("minQty", "LOT_SIZE") or Decimal(0),
        qty_max=bound("maxQty", "LOT_SIZE"),
        notional_min=bound("minNotional", "NOTIONAL", "MIN_NOTIONAL") or Decimal(0),
        notional_max=bound("maxNotional", "NOTIONAL"),
        bid_reach=reach("bid"),
        ask_reach=reach("ask"),
        position_max=bound("maxPosition", "MAX_POSITION"),
        orders_max=int(found.get("MAX_NUM_ORDERS", {}).get("maxNumOrders", 0)) or None,
    )
    return MarketRules(number_of(found["PRICE_FILTER"]["tickSize"]), number_of(found["LOT_SIZE"]["stepSize"]), rules)


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise TypeError(type(value).__name__)
    return value
