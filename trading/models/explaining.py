"""What a model would quote at other positions, and what each of its parameters changes, for a person who sets them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from market.limits import QTY_LOTS_MAX
from trading.models.parameters import Parameters
from trading.order_rules import OrderRules
from trading.quoting import Estimates, Market, Quote, QuotingModel

PARTS: Final = tuple(map(Decimal, ("-1", "-0.5", "0", "0.5", "1")))  # of full inventory
_BPS: Final = 10_000

Change = tuple[Decimal | None, Decimal | None]  # of a figure: before and after; None where it is not quoted


class Stand(NamedTuple):
    """What is quoted at one position: of each side the first quote.

    Attributes:
        position: base asset.
        bid, ask: prices, quote per base; None where that side is not quoted, as what follows where one is missing.
        bid_qty, ask_qty: base asset.
        spread: from bid to ask.
        skew: by how much the middle of both lies above the mid; below 0: it leans to sell.
        earned: quote asset: what both earn after fees if the smaller quantity is filled on each side.
        skew_cost: quote asset: what the skew gives away of the smaller quantity, to who takes it at the side leant to.
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


def market_around(mid: Decimal, instrument: Instrument, seen: Estimates) -> Market:
    """Return a market without bounds whose book is a tick or two wide around a mid, as deep as can be."""
    mid_ticks_x2 = int(2 * mid / instrument.tick_size)
    bid_ticks = (mid_ticks_x2 - 1) // 2
    bid, ask = Level(bid_ticks, QTY_LOTS_MAX), Level(mid_ticks_x2 - bid_ticks, QTY_LOTS_MAX)
    return Market(instrument, OrderRules(), Depth((bid,), (ask,)), None, seen)


def stand_at(model: QuotingModel, market: Market, position: Decimal, fee: Decimal) -> Stand:
    """Return what the model quotes at a position; `fee` is the fraction that is paid of each fill."""
    quotes = model.quotes(market._replace(position=position))
    bid, bid_qty = _first(quotes, Side.BUY, market.instrument)
    ask, ask_qty = _first(quotes, Side.SELL, market.instrument)
    if bid is None or ask is None or market.mid is None:
        return Stand(position, bid, ask, bid_qty, ask_qty)
    qty, spread, skew = min(bid_qty, ask_qty), ask - bid, (ask + bid) / 2 - market.mid
    earned = qty * (spread - fee * (ask + bid))
    return Stand(position, bid, ask, bid_qty, ask_qty, spread, skew, earned, qty * abs(skew))


def stands(model: QuotingModel, market: Market, inventory: Decimal, fee: Decimal) -> list[Stand]:
    """Return what is quoted at five positions, from fully short to fully long, `inventory` in the quote asset."""
    assert market.mid is not None, "a market that is explained has a mid"
    return [stand_at(model, market, part * inventory / market.mid, fee) for part in PARTS]


def effect(
    name: str, make_model: Callable[[Parameters], QuotingModel], parameters: Parameters, market: Market
) -> Mapping[str, Change]:
    """Return the figures that another value would change if it were twice what it is, each before and after."""
    doubled = replace(parameters, **{name: 2 * getattr(parameters, name)})
    # At the same positions: what was full inventory is half of twice as much.
    before, after = (
        _figures(make_model(each), market, stands(make_model(each), market, parameters.inventory, each.fee))
        for each in (parameters, doubled)
    )
    return {figure: (before[figure], after[figure]) for figure in before if before[figure] != after[figure]}


def _figures(model: QuotingModel, market: Market, stood: Sequence[Stand]) -> dict[str, Decimal | None]:
    """Return what a person compares, by name and unit, as exact as it is shown."""
    _, _, flat, half, full = stood
    quotes, instrument = model.quotes(market), market.instrument
    quoted = sum((each.price_ticks * each.qty_lots for each in quotes), start=0)
    return {
        "spread, bps": _bps(flat.spread, market),
        f"earned by both, {instrument.quote}": _cents(flat.earned),
        "skew at half, bps": _bps(half.skew, market),
        "skew at full, bps": _bps(full.skew, market),
        f"first bid, {instrument.base}": flat.bid_qty,
        f"first bid at full, {instrument.base}": full.bid_qty,
        "quotes": Decimal(len(quotes)),
        f"quoted in all, {instrument.quote}": _cents(quoted * instrument.tick_size * instrument.lot_size),
    }


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
