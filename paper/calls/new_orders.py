"""New orders as calls ask for them: what each type of order needs, and how a leg of a list spells its parameters."""

from collections.abc import Mapping
from typing import Final

from market.codes import SelfTradePrevention, TimeInForce
from paper.calls import parameters as p
from paper.calls.call import Call
from paper.calls.parameters import Parameter
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import price_to_ticks, qty_to_lots
from paper.money.orders import Order, OrderKind

# What each type of order needs besides side and symbol; what it neither needs nor allows is refused.
_NEEDED: Final = {
    OrderKind.LIMIT: ("timeInForce", "quantity", "price"),
    OrderKind.MARKET: (),
    OrderKind.LIMIT_MAKER: ("quantity", "price"),
    OrderKind.STOP_LOSS: ("quantity", "stopPrice"),
    OrderKind.STOP_LOSS_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
    OrderKind.TAKE_PROFIT: ("quantity", "stopPrice"),
    OrderKind.TAKE_PROFIT_LIMIT: ("timeInForce", "quantity", "price", "stopPrice"),
}
_FORBIDDEN: Final = {
    OrderKind.LIMIT: ("quoteOrderQty", "stopPrice", "trailingDelta"),
    OrderKind.MARKET: ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
    OrderKind.LIMIT_MAKER: ("timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta"),
    OrderKind.STOP_LOSS: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    OrderKind.STOP_LOSS_LIMIT: ("quoteOrderQty",),
    OrderKind.TAKE_PROFIT: ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    OrderKind.TAKE_PROFIT_LIMIT: ("quoteOrderQty",),
}
# What a single order has of its own, and each leg of a list under a name that begins with what the leg is.
ORDER_PARAMETERS: Final = (
    p.SIDE,
    p.ORDER_TYPE,
    p.TIME_IN_FORCE,
    p.QUANTITY,
    p.PRICE,
    p.STOP_PRICE,
    p.TRAILING_DELTA,
    p.ICEBERG_QTY,
    p.NEW_CLIENT_ORDER_ID,
    p.STRATEGY_ID,
    p.STRATEGY_TYPE,
    p.PEG_PRICE_TYPE,
    p.PEG_OFFSET_TYPE,
    p.PEG_OFFSET_VALUE,
)


Spelling = Mapping[str, str]  # of a leg: how it spells the parameters that it has, by their names of single orders

_AS_THEY_ARE: Final[Spelling] = {}


def spelling(prefix: str, **shared: str) -> Spelling:
    """Return the spelling of a leg whose parameters begin with a word, `pendingAbove`, but for those it shares."""
    words = {each.name: each.name.removeprefix("new") for each in ORDER_PARAMETERS}
    return {name: prefix + word[0].upper() + word[1:] for name, word in words.items()} | shared


def leg_parameters(*legs: Spelling) -> tuple[Parameter, ...]:
    """Return the parameters of legs, each once; a leg must have its side, its type and its quantity."""
    spelt = {
        leg[each.name]: Parameter(leg[each.name], each.kind, each.name in {"side", "type", "quantity"})
        for leg in legs
        for each in ORDER_PARAMETERS
        if each.name in leg
    }
    return tuple(spelt.values())


def read_order(call: Call, leg: Spelling = _AS_THEY_ARE, kind: OrderKind | None = None) -> Order:
    """Return the new order that a call asks for, or one leg of a list, of a kind if the leg does not name its own.

    Raises:
        ExchangeError: for a parameter that its type of order needs, or does not know, for a price or a quantity
            between ticks or lots, or for a pegged order.
    """
    given = {name: call.values[spelt] for name, spelt in leg.items() if spelt in call.values} if leg else call.values
    kind = kind or given["type"]
    _check_names(given, kind, leg)
    quantity, quote_quantity = given.get("quantity", 0), given.get("quoteOrderQty", 0)
    if quantity and quote_quantity:
        raise ExchangeError(ErrorKind.BAD_COMBINATION)
    if not quantity and not quote_quantity:
        raise ExchangeError(ErrorKind.EITHER_PARAMETER, first="quantity", second="quoteOrderQty")
    iceberg_quantity = given.get("icebergQty", 0)
    if iceberg_quantity > quantity:
        raise ExchangeError(ErrorKind.ICEBERG_TOO_LARGE)
    symbol = call.symbol
    order = Order(
        call.account,
        symbol,
        given["side"],
        kind,
        given.get("timeInForce", TimeInForce.GTC),
        call.get("selfTradePreventionMode", SelfTradePrevention.EXPIRE_MAKER),
        price_ticks=price_to_ticks(symbol, given.get("price", 0)),
        stop_ticks=price_to_ticks(symbol, given.get("stopPrice", 0)),
        qty_lots=qty_to_lots(symbol, quantity),
        display_lots=qty_to_lots(symbol, iceberg_quantity),
        quote_order_units=quote_quantity,
        client_order_id=given.get("newClientOrderId", ""),
        trailing_bps=given.get("trailingDelta", 0),
    )
    if "pegPriceType" in given:
        raise ExchangeError(ErrorKind.NO_PEGGED_ORDERS)
    return order


def _check_names(given: Mapping[str, object], kind: OrderKind, leg: Spelling) -> None:
    for name in _NEEDED[kind]:
        if name not in given and not (name == "stopPrice" and "trailingDelta" in given):
            raise ExchangeError(ErrorKind.MANDATORY_PARAMETER, name=leg.get(name, name))
    for name in _FORBIDDEN[kind]:
        if name in given:
            raise ExchangeError(ErrorKind.NOT_REQUIRED, name=leg.get(name, name))
    if "icebergQty" in given and given.get("timeInForce", TimeInForce.GTC) is not TimeInForce.GTC:
        if not leg:
            raise ExchangeError(ErrorKind.NOT_REQUIRED, name="icebergQty")
        raise ExchangeError(ErrorKind.ICEBERG_NOT_GTC, name=leg["icebergQty"], time_in_force=leg["timeInForce"])
