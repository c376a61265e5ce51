"""What a model would quote at other positions, and what each of its parameters changes, for a person who sets them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from market.limits import QTY_LOTS_MAX
from trading.limits import LimitCheck, Limits
from trading.models.parameters import Parameters
from trading.order_rules import OrderRules
from trading.position import Held
from trading.quoting import Estimates, Market, Quote, QuotingModel
from trading.reasons import WANTED, Reason

PARTS: Final = tuple(map(Decimal, ("-1", "-0.5", "0", "0.5", "1")))  # of full inventory
NO_LIMITS: Final = Limits()
NOISE: Final = Decimal("0.002")  # of a figure: what rounding to ticks and lots may change of it
UNEVEN_BOOK: Final = "in a book 2 bps wide whose bid is three times its ask"
_UNEVEN_REACH: Final = Decimal("0.0001")  # of it, from the mid
_BPS: Final = 10_000

Change = tuple[Decimal | None, Decimal | None]  # of a figure: before and after; None where it is not quoted


class Rung(NamedTuple):
    """A level: prices, quote per base, None where it is not quoted, and quantities, base asset."""

    level: int
    bid: Decimal | None
    bid_qty: Decimal
    ask: Decimal | None
    ask_qty: Decimal


class Stand(NamedTuple):
    """What is quoted at one position: of each side the first quote, and then all.

    Attributes:
        position: base asset.
        bid, ask: prices, quote per base; None where that side is not quoted, as what follows where one is missing.
        bid_qty, ask_qty: base asset.
        spread: from bid to ask.
        skew: by how much the middle of both lies above the mid; below 0: it leans to sell.
        earned: quote asset: what both earn after fees if the smaller quantity is filled on each side.
        skew_cost: quote asset: what the skew gives away of the smaller quantity, to who takes it at the side leant to.
        levels: the nearest first.
        kept: with their sides, what keeps quotes from where the model has them, and what limits would take of them.
    """

    position: Decimal
    bid: Decimal | None
    ask: Decimal | None
    bid_qty: Decimal
    ask_qty: Decimal
    spread: Decimal | None = None
    skew: Decimal | None = None
    earned: Decimal | None = None
    skew_cost: Decimal | None = None
    levels: Sequence[Rung] = ()
    kept: Sequence[tuple[Side, Reason]] = ()


def market_around(mid: Decimal, instrument: Instrument, seen: Estimates) -> Market:
    """Return a market without bounds whose book is a tick or two wide around a mid, as deep as can be."""
    mid_ticks_x2 = int(2 * mid / instrument.tick_size)
    bid_ticks = (mid_ticks_x2 - 1) // 2
    bid, ask = Level(bid_ticks, QTY_LOTS_MAX), Level(mid_ticks_x2 - bid_ticks, QTY_LOTS_MAX)
    return Market(instrument, OrderRules(), Depth((bid,), (ask,)), None, seen)


def uneven_market(mid: Decimal, instrument: Instrument, seen: Estimates) -> Market:
    """Return one whose book is `UNEVEN_BOOK` instead: there the weighted mid is another one than the mid."""
    mid_ticks_x2 = int(2 * mid / instrument.tick_size)
    bid_ticks = max(1, int(mid_ticks_x2 * (1 - _UNEVEN_REACH)) // 2)
    lots = QTY_LOTS_MAX // 3
    bid, ask = Level(bid_ticks, 3 * lots), Level(mid_ticks_x2 - bid_ticks, lots)
    return Market(instrument, OrderRules(), Depth((bid,), (ask,)), None, seen)


def stand_at(model: QuotingModel, market: Market, position: Decimal, fee: Decimal, limits: Limits = NO_LIMITS) -> Stand:
    """Return what the model quotes at a position, before any limits.

    Args:
        fee: the fraction that is paid of each fill.
        limits: that are held against it, as if no order were open.
    """
    quotes = model.quotes(market._replace(position=position))
    bid, bid_qty = _first(quotes, Side.BUY, market.instrument)
    ask, ask_qty = _first(quotes, Side.SELL, market.instrument)
    stand = Stand(
        position,
        bid,
        ask,
        bid_qty,
        ask_qty,
        levels=_levels(quotes, market.instrument),
        kept=_kept(quotes, market, position, limits),
    )
    if bid is None or ask is None or market.mid is None:
        return stand
    qty, spread, skew = min(bid_qty, ask_qty), ask - bid, (ask + bid) / 2 - market.mid
    earned = qty * (spread - fee * (ask + bid))
    return stand._replace(spread=spread, skew=skew, earned=earned, skew_cost=qty * abs(skew))


def stands(
    model: QuotingModel, market: Market, inventory: Decimal, fee: Decimal, limits: Limits = NO_LIMITS
) -> list[Stand]:
    """Return what is quoted at five positions, from fully short to fully long, `inventory` in the quote asset."""
    assert market.mid is not None, "a market that is explained has a mid"
    return [stand_at(model, market, part * inventory / market.mid, fee, limits) for part in PARTS]


def effect(
    name: str,
    make_model: Callable[[Parameters], QuotingModel],
    parameters: Parameters,
    market: Market,
    value: Decimal | str | None = None,
) -> Mapping[str, Change]:
    """Return the figures that another value of a parameter would change, by default twice what it is: before, after."""
    to: Any = 2 * getattr(parameters, name) if value is None else value
    other = replace(parameters, **{name: to})
    # At the same positions: what was full inventory is half of twice as much.
    before, after = (
        _figures(make_model(each), market, stands(make_model(each), market, parameters.inventory, each.fee))
        for each in (parameters, other)
    )
    return {figure: (before[figure], after[figure]) for figure in before if _is_another(before[figure], after[figure])}


def _figures(model: QuotingModel, market: Market, stood: Sequence[Stand]) -> dict[str, Decimal | None]:
    """Return what a person compares, by name and unit, as exact as it is shown."""
    _, _, flat, half, full = stood
    quotes, instrument = model.quotes(market), market.instrument
    quoted = sum((each.price_ticks * each.qty_lots for each in quotes), start=0)
    return {
        "spread, bps": _bps(flat.spread, market),
        f"earned by both, {instrument.quote}": _cents(flat.earned),
        "skew when flat, bps": _bps(flat.skew, market),
        "skew at half, bps": _bps(half.skew, market),
        "skew at full, bps": _bps(full.skew, market),
        f"skew costs at full, {instrument.quote}": _cents(full.skew_cost),
        f"first bid, {instrument.base}": flat.bid_qty,
        f"first bid at full, {instrument.base}": full.bid_qty,
        "quotes": Decimal(len(quotes)),
        "first to last bid, bps": _deep(quotes, Side.BUY, market),
        "first to last ask, bps": _deep(quotes, Side.SELL, market),
        f"quoted in all, {instrument.quote}": _cents(quoted * instrument.tick_size * instrument.lot_size),
    }


def _deep(quotes: Sequence[Quote], side: Side, market: Market) -> Decimal | None:
    """Return how far it is from the first quote of a side to its last, bps."""
    prices = [quote.price_ticks * market.instrument.tick_size for quote in quotes if quote.side == side]
    return _bps(abs(prices[-1] - prices[0]), market) if prices else None


def _is_another(before: Decimal | None, after: Decimal | None) -> bool:
    """Whether a figure changes by more than prices and quantities are rounded."""
    if before is None or after is None:
        return before != after
    return abs(after - before) > NOISE * max(abs(before), abs(after))


def _bps(difference: Decimal | None, market: Market) -> Decimal | None:
    return None if difference is None or market.mid is None else _cents(_BPS * difference / market.mid)


def _cents(value: Decimal | None) -> Decimal | None:
    return None if value is None else round(value, 2)


def _first(quotes: Sequence[Quote], side: Side, instrument: Instrument) -> tuple[Decimal | None, Decimal]:
    """Return price and quantity of the best quote of a side."""
    for quote in quotes:
        if quote.side == side:
            return quote.price_ticks * instrument.tick_size, quote.qty_lots * instrument.lot_size
    return None, Decimal(0)


def _levels(quotes: Sequence[Quote], instrument: Instrument) -> list[Rung]:
    count = max((quote.level or 0 for quote in quotes), default=0)
    levels = [[quote for quote in quotes if quote.level == level] for level in range(1, count + 1)]
    return [
        Rung(level, *_first(of, Side.BUY, instrument), *_first(of, Side.SELL, instrument))
        for level, of in enumerate(levels, 1)
    ]


def _kept(quotes: Sequence[Quote], market: Market, position: Decimal, limits: Limits) -> list[tuple[Side, Reason]]:
    """Return what a quote says of its place if the model wants it elsewhere, once a side; then which limits bind."""
    mid_ticks_x2 = market.depth.mid_ticks_x2
    assert mid_ticks_x2 is not None, "a market that is explained has a mid"
    none_open = dict.fromkeys(Side, Decimal(0))
    held = Held(position, position)
    check = LimitCheck(limits, market.instrument, market.rules, mid_ticks_x2, held, none_open)
    bounds = check.cut(quotes).bounds
    kept: list[tuple[Side, Reason]] = []
    for side in Side:
        first = next((quote.why for quote in quotes if quote.side == side), WANTED)
        kept += [(side, why) for why in (*([first] if first is not WANTED else []), *bounds.get(side, ()))]
    return kept
