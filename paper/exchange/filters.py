"""The filters of a symbol: one table of what each demands of an order and how exchangeInfo prints it.

Rules and names as in Binance Spot, "Filters"; an order that a filter refuses fails with -1013 "Filter failure: NAME".
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from market.codes import Side, Trigger
from market.limits import ICEBERG_PARTS_MAX, PRICE_TICKS_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.money.orders import OrderKind, OrderRequest
from paper.units import UNITS_MAX, UNITS_PER_ONE, Symbol, format_units

AVERAGE_MINUTES: Final = 5  # what the reference price is averaged over
FILTERS_OF_QUANTITIES: Final = frozenset({"LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "MIN_NOTIONAL"})

_QTY_LOTS_MAX: Final = 900_000_000
_MARKET_QTY_LOTS_MAX: Final = 10_000_000
_NOTIONAL_UNITS_MAX: Final = 9_000_000 * UNITS_PER_ONE
_PRICE_UP: Final = 5  # a price is at most five times, and at least a fifth, of the reference
_OPEN_ORDERS_MAX: Final = 200
_TRAILING_DELTA_MIN, _TRAILING_DELTA_MAX = 10, 2_000
_WAITING_ORDERS_MAX: Final = 5


class Draft(NamedTuple):
    """An order that is asked for, and what its filters need to know besides.

    Attributes:
        order: what is asked for, its quantity known also if the client has given its size in quote units.
        reference_ticks: the average price of the last minutes, or None while nothing has traded or is quoted.
        open_count: how many orders the account has open in the symbol.
        waiting_count: how many of them wait for a trigger.
        position_units: what the account owns of the base asset and has open to buy, base units.
    """

    order: OrderRequest
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


def _is_price_on_tick(draft: Draft) -> bool:
    order, tick = draft.order, draft.order.symbol.tick_units
    has_stop = order.kind.trigger is not Trigger.NONE and (order.stop_units > 0 or not order.trailing_delta)
    prices = [order.price_units] * (not order.kind.is_market) + [order.stop_units] * has_stop
    return all(tick <= price <= PRICE_TICKS_MAX * tick and price % tick == 0 for price in prices)


def _is_qty_on_lot(draft: Draft) -> bool:
    order, lot = draft.order, draft.order.symbol.lot_units
    quantities = [order.qty_units] + [order.iceberg_units] * (order.iceberg_units > 0)
    return all(lot <= qty <= _QTY_LOTS_MAX * lot and qty % lot == 0 for qty in quantities)


def _is_market_qty_small(draft: Draft) -> bool:
    order = draft.order
    return not order.kind.is_market or order.qty_units <= _MARKET_QTY_LOTS_MAX * order.symbol.lot_units


def _is_notional_fair(draft: Draft) -> bool:
    order, symbol = draft.order, draft.order.symbol
    if not order.kind.is_market:
        notional = order.price_units * order.qty_units // UNITS_PER_ONE
        most = _NOTIONAL_UNITS_MAX if symbol.instrument.is_notional_bounded else UNITS_MAX
        return symbol.notional_min_units <= notional <= most
    if draft.reference_ticks is None:
        return True
    return symbol.notional(draft.reference_ticks, order.qty_units // symbol.lot_units) >= symbol.notional_min_units


def _is_trailing_right(draft: Draft) -> bool:
    delta = draft.order.trailing_delta
    return not delta or _TRAILING_DELTA_MIN <= delta <= _TRAILING_DELTA_MAX


def _is_position_small(draft: Draft) -> bool:
    order, most = draft.order, draft.order.symbol.position_max_units
    return order.side is Side.SELL or most is None or draft.position_units + order.qty_units <= most


def _is_price_near(draft: Draft) -> bool:
    order = draft.order
    if order.kind.is_market or draft.reference_ticks is None:
        return True
    reference = draft.reference_ticks * order.symbol.tick_units
    return reference <= order.price_units * _PRICE_UP and order.price_units <= reference * _PRICE_UP


def _has_few_parts(draft: Draft) -> bool:
    order = draft.order
    return not order.iceberg_units or order.qty_units <= order.iceberg_units * ICEBERG_PARTS_MAX


def _has_room(draft: Draft) -> bool:
    return draft.order.kind is OrderKind.MARKET or draft.open_count < _OPEN_ORDERS_MAX


def _has_room_to_wait(draft: Draft) -> bool:
    return draft.order.kind.trigger is Trigger.NONE or draft.waiting_count < _WAITING_ORDERS_MAX


_FILTERS: Final = (
    _Filter(
        "PRICE_FILTER",
        _is_price_on_tick,
        lambda symbol: {
            "minPrice": symbol.price_text(1),
            "maxPrice": symbol.price_text(PRICE_TICKS_MAX),
            "tickSize": symbol.price_text(1),
        },
    ),
    _Filter(
        "LOT_SIZE",
        _is_qty_on_lot,
        lambda symbol: {
            "minQty": symbol.qty_text(1),
            "maxQty": symbol.qty_text(_QTY_LOTS_MAX),
            "stepSize": symbol.qty_text(1),
        },
    ),
    _Filter(
        "MARKET_LOT_SIZE",
        _is_market_qty_small,
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
        _is_trailing_right,
        lambda _: {
            "minTrailingAboveDelta": _TRAILING_DELTA_MIN,
            "maxTrailingAboveDelta": _TRAILING_DELTA_MAX,
            "minTrailingBelowDelta": _TRAILING_DELTA_MIN,
            "maxTrailingBelowDelta": _TRAILING_DELTA_MAX,
        },
    ),
    _Filter(
        "MAX_POSITION",
        _is_position_small,
        lambda symbol: {"maxPosition": format_units(symbol.position_max_units or 0)},
        lambda symbol: symbol.position_max_units is not None,
    ),
    _Filter("ICEBERG_PARTS", _has_few_parts, lambda _: {"limit": ICEBERG_PARTS_MAX}),
    _Filter("MAX_NUM_ORDERS", _has_room, lambda _: {"maxNumOrders": _OPEN_ORDERS_MAX}),
    _Filter("MAX_NUM_ALGO_ORDERS", _has_room_to_wait, lambda _: {"maxNumAlgoOrders": _WAITING_ORDERS_MAX}),
)
