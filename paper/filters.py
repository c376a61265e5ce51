"""The filters of a symbol: one table of what each demands of an order and how exchangeInfo prints it.

Rules and names as in Binance Spot, "Filters"; an order that a filter refuses fails with -1013 "Filter failure: NAME".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from market.codes import Side
from market.limits import PRICE_TICKS_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.orders import OrderKind
from paper.units import UNITS_PER_ONE, Symbol, format_units

AVERAGE_MINUTES: Final = 5  # what the reference price is averaged over

_QTY_LOTS_MAX: Final = 900_000_000
_MARKET_QTY_LOTS_MAX: Final = 10_000_000
_NOTIONAL_UNITS_MAX: Final = 9_000_000 * UNITS_PER_ONE
_PRICE_UP: Final = 5  # a price is at most five times, and at least a fifth, of the reference
_OPEN_ORDERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """An order before it is accepted, and what its filters need to know besides.

    Attributes:
        price_units: the limit, quote units per base; 0 for a market order.
        qty_units: base units.
        reference_ticks: the average price of the last minutes, or None while nothing has traded or is quoted.
        open_count: how many orders the account has open in the symbol.
    """

    symbol: Symbol
    side: Side
    kind: OrderKind
    price_units: int
    qty_units: int
    reference_ticks: int | None
    open_count: int

    @property
    def has_limit(self) -> bool:
        """Say whether the client gave a price."""
        return self.kind is not OrderKind.MARKET


@dataclass(frozen=True, slots=True)
class _Filter:
    name: str
    accepts: Callable[[Draft], bool]
    document: Callable[[Symbol], dict[str, Any]]


def check_filters(draft: Draft) -> None:
    """Check an order against every filter, in the order in which exchangeInfo lists them.

    Raises:
        ExchangeError: FILTER_FAILURE, naming the first filter that refuses.
    """
    for each in _FILTERS:
        if not each.accepts(draft):
            raise ExchangeError(ErrorKind.FILTER_FAILURE, name=each.name)


def filter_documents(symbol: Symbol) -> list[dict[str, Any]]:
    """Return the filters of a symbol as exchangeInfo prints them."""
    return [{"filterType": each.name, **each.document(symbol)} for each in _FILTERS]


def _is_price_on_tick(draft: Draft) -> bool:
    tick = draft.symbol.tick_units
    return not draft.has_limit or (
        tick <= draft.price_units <= PRICE_TICKS_MAX * tick and draft.price_units % tick == 0
    )


def _is_qty_on_lot(draft: Draft) -> bool:
    lot = draft.symbol.lot_units
    return lot <= draft.qty_units <= _QTY_LOTS_MAX * lot and draft.qty_units % lot == 0


def _is_market_qty_small(draft: Draft) -> bool:
    return draft.has_limit or draft.qty_units <= _MARKET_QTY_LOTS_MAX * draft.symbol.lot_units


def _is_notional_fair(draft: Draft) -> bool:
    symbol = draft.symbol
    if draft.has_limit:
        notional = draft.price_units * draft.qty_units // UNITS_PER_ONE
        return symbol.notional_min_units <= notional <= _NOTIONAL_UNITS_MAX
    if draft.reference_ticks is None:
        return True
    return symbol.notional(draft.reference_ticks, draft.qty_units // symbol.lot_units) >= symbol.notional_min_units


def _is_price_near(draft: Draft) -> bool:
    if not draft.has_limit or draft.reference_ticks is None:
        return True
    reference = draft.reference_ticks * draft.symbol.tick_units
    return reference <= draft.price_units * _PRICE_UP and draft.price_units <= reference * _PRICE_UP


def _has_room(draft: Draft) -> bool:
    return not draft.has_limit or draft.open_count < _OPEN_ORDERS_MAX


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
    ),
    _Filter("MAX_NUM_ORDERS", _has_room, lambda _: {"maxNumOrders": _OPEN_ORDERS_MAX}),
)
