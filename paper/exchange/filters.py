"""The filters of a symbol: one table of what each demands of an order and how exchangeInfo prints it.

Rules and names as in Binance Spot, "Filters"; an order that a filter refuses fails with -1013 "Filter failure: NAME".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from market.codes import Side, Trigger
from market.limits import ICEBERG_PARTS_MAX, PRICE_TICKS_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.money.orders import OrderKind
from paper.units import UNITS_MAX, UNITS_PER_ONE, Symbol, format_units

AVERAGE_MINUTES: Final = 5  # what the reference price is averaged over

_QTY_LOTS_MAX: Final = 900_000_000
_MARKET_QTY_LOTS_MAX: Final = 10_000_000
_NOTIONAL_UNITS_MAX: Final = 9_000_000 * UNITS_PER_ONE
_PRICE_UP: Final = 5  # a price is at most five times, and at least a fifth, of the reference
_OPEN_ORDERS_MAX: Final = 200
_TRAILING_DELTA_MIN, _TRAILING_DELTA_MAX = 10, 2_000
_WAITING_ORDERS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """An order before it is accepted, and what its filters need to know besides.

    Attributes:
        price_units: the limit, quote units per base; 0 for a market order.
        qty_units: base units.
        reference_ticks: the average price of the last minutes, or None while nothing has traded or is quoted.
        open_count: how many orders the account has open in the symbol.
        stop_units: the price that wakes it, quote units per base; 0 for an order that acts at once.
        iceberg_units: how much of it the book shows, base units; 0 for all.
        waiting_count: how many of the account's orders in the symbol wait for a trigger.
        position_units: what the account owns of the base asset and has open to buy, base units.
        trailing_delta: how far a trailing stop follows, basis points; 0 for none.
    """

    symbol: Symbol
    side: Side
    kind: OrderKind
    price_units: int
    qty_units: int
    reference_ticks: int | None
    open_count: int
    stop_units: int = 0
    iceberg_units: int = 0
    waiting_count: int = 0
    position_units: int = 0
    trailing_delta: int = 0

    @property
    def has_limit(self) -> bool:
        """Say whether the client gave a price."""
        return not self.kind.is_market


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    accepts: Callable[[Draft], bool]
    document: Callable[[Symbol], dict[str, Any]]
    is_of: Callable[[Symbol], bool] = lambda _: True  # whether a symbol has it


def check_filters(draft: Draft) -> None:
    """Check an order against every filter, in the order in which exchangeInfo lists them.

    Raises:
        ExchangeError: FILTER_FAILURE, naming the first filter that refuses.
    """
    for each in _FILTERS:
        if each.is_of(draft.symbol) and not each.accepts(draft):
            raise ExchangeError(ErrorKind.FILTER_FAILURE, name=each.name)


def check_amended(draft: Draft) -> None:
    """Check an order whose quantity gets smaller against the filters of quantities.

    Raises:
        ExchangeError: FILTER_FAILURE, naming the first filter that refuses.
    """
    for each in _FILTERS:
        if each.name in _FILTERS_OF_QUANTITIES and each.is_of(draft.symbol) and not each.accepts(draft):
            raise ExchangeError(ErrorKind.FILTER_FAILURE, name=each.name)


def filter_documents(symbol: Symbol) -> list[dict[str, Any]]:
    """Return the filters of a symbol as exchangeInfo prints them."""
    return [{"filterType": each.name, **each.document(symbol)} for each in _FILTERS if each.is_of(symbol)]


def _is_price_on_tick(draft: Draft) -> bool:
    tick = draft.symbol.tick_units
    has_stop = draft.kind.trigger is not Trigger.NONE and (draft.stop_units > 0 or not draft.trailing_delta)
    prices = [draft.price_units] * draft.has_limit + [draft.stop_units] * has_stop
    return all(tick <= price <= PRICE_TICKS_MAX * tick and price % tick == 0 for price in prices)


def _is_qty_on_lot(draft: Draft) -> bool:
    lot = draft.symbol.lot_units
    quantities = [draft.qty_units] + [draft.iceberg_units] * (draft.iceberg_units > 0)
    return all(lot <= qty <= _QTY_LOTS_MAX * lot and qty % lot == 0 for qty in quantities)


def _is_market_qty_small(draft: Draft) -> bool:
    return draft.has_limit or draft.qty_units <= _MARKET_QTY_LOTS_MAX * draft.symbol.lot_units


def _is_notional_fair(draft: Draft) -> bool:
    symbol = draft.symbol
    if draft.has_limit:
        notional = draft.price_units * draft.qty_units // UNITS_PER_ONE
        most = _NOTIONAL_UNITS_MAX if symbol.instrument.is_notional_bounded else UNITS_MAX
        return symbol.notional_min_units <= notional <= most
    if draft.reference_ticks is None:
        return True
    return symbol.notional(draft.reference_ticks, draft.qty_units // symbol.lot_units) >= symbol.notional_min_units


def _is_trailing_right(draft: Draft) -> bool:
    return not draft.trailing_delta or _TRAILING_DELTA_MIN <= draft.trailing_delta <= _TRAILING_DELTA_MAX


def _is_position_small(draft: Draft) -> bool:
    most = draft.symbol.position_max_units
    return draft.side is Side.SELL or most is None or draft.position_units + draft.qty_units <= most


def _is_price_near(draft: Draft) -> bool:
    if not draft.has_limit or draft.reference_ticks is None:
        return True
    reference = draft.reference_ticks * draft.symbol.tick_units
    return reference <= draft.price_units * _PRICE_UP and draft.price_units <= reference * _PRICE_UP


def _has_few_parts(draft: Draft) -> bool:
    return not draft.iceberg_units or draft.qty_units <= draft.iceberg_units * ICEBERG_PARTS_MAX


def _has_room(draft: Draft) -> bool:
    return draft.kind is OrderKind.MARKET or draft.open_count < _OPEN_ORDERS_MAX


def _has_room_to_wait(draft: Draft) -> bool:
    return draft.kind.trigger is Trigger.NONE or draft.waiting_count < _WAITING_ORDERS_MAX


_FILTERS_OF_QUANTITIES: Final = frozenset({"LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "MIN_NOTIONAL"})
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
