"""The filters of a symbol: one table of what each demands of an order and how exchangeInfo prints it.

Rules and names as in Binance Spot, "Filters"; an order that a filter refuses fails with -1013 "Filter failure: NAME".
Prices and quantities between ticks and lots are refused before there is an order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from market.codes import Side, Trigger
from market.limits import ICEBERG_PARTS_MAX, PRICE_TICKS_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.money.orders import Order, OrderKind
from paper.units import UNITS_MAX, UNITS_PER_ONE, Symbol, format_units

AVERAGE_MINUTES: Final = 5  # what the reference price is averaged over
OPEN_LISTS_MAX: Final = 20  # of a symbol
AMENDS_MAX: Final = 10  # of an order
FILTERS_OF_QUANTITIES: Final = frozenset({"LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "MIN_NOTIONAL"})

_QTY_LOTS_MAX: Final = 900_000_000
_MARKET_QTY_LOTS_MAX: Final = 10_000_000
_NOTIONAL_UNITS_MAX: Final = 9_000_000 * UNITS_PER_ONE
_PRICE_UP: Final = 5  # a price is at most five times, and at least a fifth, of the reference
_OPEN_ORDERS_MAX: Final = 200
_TRAILING_DELTAS: Final = range(10, 2_001)
_WAITING_ORDERS_MAX: Final = 5


class Draft(NamedTuple):
    """An order that is asked for, and what its filters need to know besides.

    Attributes:
        order: what is asked for, its quantity known also if the client has given its size in quote units.
        reference_ticks: the reference price, else the average of the last minutes, or None while nothing has traded or
            is quoted.
        open_count: how many orders the account has open in the symbol.
        waiting_count: how many of them wait for a trigger.
        position_units: what the account owns of the base asset and has open to buy, base units.
    """

    order: Order
    reference_ticks: int | None
    open_count: int = 0
    waiting_count: int = 0
    position_units: int = 0


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    accepts: Callable[[Draft], bool]
    document: Callable[[Symbol], dict[str, Any]]
    is_of: Callable[[Symbol], bool] = lambda _: True  # whether a symbol has it


def price_to_ticks(symbol: Symbol, units: int) -> int:
    """Return a price in ticks; PRICE_FILTER refuses one between them."""
    return _whole("PRICE_FILTER", units, symbol.tick_units)


def qty_to_lots(symbol: Symbol, units: int) -> int:
    """Return a quantity in lots; LOT_SIZE refuses one between them."""
    return _whole("LOT_SIZE", units, symbol.lot_units)


def check_filters(draft: Draft, names: Collection[str] | None = None) -> None:
    """Check an order against every filter, or some of them, in the order in which exchangeInfo lists them.

    Raises:
        ExchangeError: FILTER_FAILURE, naming the first filter that refuses.
    """
    for each in _FILTERS:
        is_asked = names is None or each.name in names
        if is_asked and each.is_of(draft.order.symbol) and not each.accepts(draft):
            raise ExchangeError(ErrorKind.FILTER_FAILURE, name=each.name)


def filter_documents(symbol: Symbol) -> list[dict[str, Any]]:
    """Return the filters of a symbol as exchangeInfo prints them."""
    return [{"filterType": each.name, **each.document(symbol)} for each in _FILTERS if each.is_of(symbol)]


def _whole(name: str, units: int, step_units: int) -> int:
    count, rest = divmod(units, step_units)
    if rest:
        raise ExchangeError(ErrorKind.FILTER_FAILURE, name=name)
    return count


def _are_prices_in_range(draft: Draft) -> bool:
    order = draft.order
    prices = [order.price_ticks] * (not order.kind.is_market)
    prices += [order.stop_ticks] * (order.has_trigger and not (order.trailing_bps and not order.stop_ticks))
    return all(1 <= price <= PRICE_TICKS_MAX for price in prices)


def _is_notional_fair(draft: Draft) -> bool:
    order, symbol = draft.order, draft.order.symbol
    price_ticks = draft.reference_ticks if order.kind.is_market else order.price_ticks
    if price_ticks is None:
        return True
    is_bounded = symbol.instrument.is_notional_bounded and not order.kind.is_market
    most = _NOTIONAL_UNITS_MAX if is_bounded else UNITS_MAX
    return symbol.notional_min_units <= symbol.notional(price_ticks, order.qty_lots) <= most


def _is_position_small(draft: Draft) -> bool:
    order, most = draft.order, draft.order.symbol.position_max_units
    added_units = order.qty_lots * order.symbol.lot_units
    return order.side is Side.SELL or most is None or draft.position_units + added_units <= most


def _is_price_near(draft: Draft) -> bool:
    price, reference = draft.order.price_ticks, draft.reference_ticks
    if draft.order.kind.is_market or reference is None:
        return True
    return reference <= price * _PRICE_UP and price <= reference * _PRICE_UP


_FILTERS: Final = (
    _Filter(
        "PRICE_FILTER",
        _are_prices_in_range,
        lambda symbol: {
            "minPrice": symbol.price_text(1),
            "maxPrice": symbol.price_text(PRICE_TICKS_MAX),
            "tickSize": symbol.price_text(1),
        },
    ),
    _Filter(
        "LOT_SIZE",
        lambda draft: 1 <= draft.order.qty_lots <= _QTY_LOTS_MAX,
        lambda symbol: {
            "minQty": symbol.qty_text(1),
            "maxQty": symbol.qty_text(_QTY_LOTS_MAX),
            "stepSize": symbol.qty_text(1),
        },
    ),
    _Filter(
        "MARKET_LOT_SIZE",
        lambda draft: not draft.order.kind.is_market or draft.order.qty_lots <= _MARKET_QTY_LOTS_MAX,
        lambda symbol: {
            "minQty": symbol.qty_text(0),
            "maxQty": symbol.qty_text(_MARKET_QTY_LOTS_MAX),
            "stepSize": symbol.qty_text(0),
        },
    ),
    _Filter(
        "PERCENT_PRICE_BY_SIDE",
        _is_price_near,
        lambda _: {
            "bidMultiplierUp": str(_PRICE_UP),
            "bidMultiplierDown": f"{1 / _PRICE_UP:g}",
            "askMultiplierUp": str(_PRICE_UP),
            "askMultiplierDown": f"{1 / _PRICE_UP:g}",
            "avgPriceMins": AVERAGE_MINUTES,
        },
    ),
    _Filter(
        "NOTIONAL",
        _is_notional_fair,
        lambda symbol: {
            "minNotional": format_units(symbol.notional_min_units),
            "applyMinToMarket": True,
            "maxNotional": format_units(_NOTIONAL_UNITS_MAX),
            "applyMaxToMarket": False,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        lambda symbol: symbol.instrument.is_notional_bounded,
    ),
    _Filter(
        "MIN_NOTIONAL",
        _is_notional_fair,
        lambda symbol: {
            "minNotional": format_units(symbol.notional_min_units),
            "applyToMarket": True,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        lambda symbol: not symbol.instrument.is_notional_bounded,
    ),
    _Filter(
        "TRAILING_DELTA",
        lambda draft: not draft.order.trailing_bps or draft.order.trailing_bps in _TRAILING_DELTAS,
        lambda _: {
            "minTrailingAboveDelta": _TRAILING_DELTAS[0],
            "maxTrailingAboveDelta": _TRAILING_DELTAS[-1],
            "minTrailingBelowDelta": _TRAILING_DELTAS[0],
            "maxTrailingBelowDelta": _TRAILING_DELTAS[-1],
        },
    ),
    _Filter(
        "MAX_POSITION",
        _is_position_small,
        lambda symbol: {"maxPosition": format_units(symbol.position_max_units or 0)},
        lambda symbol: symbol.position_max_units is not None,
    ),
    _Filter(
        "ICEBERG_PARTS",
        lambda draft: (
            not draft.order.display_lots or draft.order.qty_lots <= draft.order.display_lots * ICEBERG_PARTS_MAX
        ),
        lambda _: {"limit": ICEBERG_PARTS_MAX},
    ),
    _Filter(
        "MAX_NUM_ORDERS",
        lambda draft: draft.order.kind is OrderKind.MARKET or draft.open_count < _OPEN_ORDERS_MAX,
        lambda _: {"maxNumOrders": _OPEN_ORDERS_MAX},
    ),
    _Filter(
        "MAX_NUM_ALGO_ORDERS",
        lambda draft: draft.order.kind.trigger is Trigger.NONE or draft.waiting_count < _WAITING_ORDERS_MAX,
        lambda _: {"maxNumAlgoOrders": _WAITING_ORDERS_MAX},
    ),
    _Filter(
        "MAX_NUM_ORDER_LISTS",
        lambda _: True,  # it is of lists, and the exchange checks it when one is placed
        lambda _: {"maxNumOrderLists": OPEN_LISTS_MAX},
    ),
    _Filter(
        "MAX_NUM_ORDER_AMENDS",
        lambda _: True,  # it is of amends, and looked at when one is asked for
        lambda _: {"maxNumOrderAmends": AMENDS_MAX},
    ),
)
