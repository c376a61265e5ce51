"""Every quoting model of the house: levels on both sides of a centre, as far from it as a spread says."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import ceil, floor
from typing import Final, NamedTuple

from market.codes import Side
from market.instrument import Instrument, format_decimal
from market.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from trading.models.obstacles import obstacle
from trading.models.parameters import Parameters
from trading.models.spreads import Spread
from trading.quoting import Market, Quote
from trading.reasons import WANTED, Reason, Rule


class Ladder:
    """Quotes at centre x (1 - distance) and centre x (1 + distance), the levels behind them a step apart each.

    Prices are rounded away from the centre, to whole ticks, and reach no price at which others stand on the other
    side, nor one at which we do: there the side that adds to the position makes way. What holds a first quote back
    moves those behind it along; they are a tick apart at least. The quantity of a first quote is `notional` / mid,
    rounded down to whole lots. With the default parameters, a mid of 91,385.00, half-spread 0.002 and notional 1,000:
    0.01094 at 91,202.23 and at 91,567.77.

    Args:
        name: that the quotes have as their model's.
    """

    def __init__(self, parameters: Parameters, spread: Spread, name: str = "") -> None:
        self._parameters = parameters
        self._spread = spread
        self._name = name

    def quotes(self, market: Market) -> Sequence[Quote]:
        """Return the quotes that the venue may take, best first of each side, bids first; none without a mid."""
        if market.mid is None:
            return ()
        return [quote for quote in self._ladder(market, market.mid) if _is_takeable(quote, market)]

    def obstacle(self, market: Market) -> str | None:
        """Return what `obstacles.obstacle` says."""
        return obstacle(self._parameters, market)

    def _ladder(self, market: Market, mid: Decimal) -> Iterator[Quote]:
        """Yield all that would be quoted if there were no bounds; prices and quantities may be 0 or below."""
        own, bids, asks = self._parameters, market.depth.bids, market.depth.asks
        instrument = market.instrument
        centre_ticks = Decimal(bids[0].price_ticks + asks[0].price_ticks) / 2
        if own.centre == "micro":
            bid_lots, ask_lots = bids[0].qty_lots, asks[0].qty_lots
            weighed = bids[0].price_ticks * ask_lots + asks[0].price_ticks * bid_lots
            centre_ticks = Decimal(weighed) / (bid_lots + ask_lots)
        # A position that is not known counts as none: an account that has never held the base asset has none.
        held = (market.position or Decimal(0)) * mid / own.inventory
        inventory = min(max(held, Decimal(-1)), Decimal(1))
        distances = self._spread.distances(inventory, market.seen)
        bid_ticks, ask_ticks = centre_ticks * (1 - distances.bid), centre_ticks * (1 + distances.ask)
        bid = _held(Side.BUY, bid_ticks, asks[0].price_ticks - 1, _TAKING, instrument)
        ask = _held(Side.SELL, ask_ticks, bids[0].price_ticks + 1, _TAKING, instrument)
        if bid.price_ticks >= ask.price_ticks:  # with other takers on either side: what adds to the position makes way
            if inventory > 0:
                bid = _held(Side.BUY, bid_ticks, ask.price_ticks - 1, _CROSSING, instrument)
            else:
                ask = _held(Side.SELL, ask_ticks, bid.price_ticks + 1, _CROSSING, instrument)
        first_lots = own.notional / mid / instrument.lot_size
        bid_part, ask_part = (1 - own.size_skew * max(adding, Decimal(0)) for adding in (inventory, -inventory))
        step_ticks = centre_ticks * own.level_step
        yield from self._levels(Side.BUY, bid, step_ticks, first_lots * bid_part)
        yield from self._levels(Side.SELL, ask, step_ticks, first_lots * ask_part)

    def _levels(self, side: Side, first: "_First", step_ticks: Decimal, first_lots: Decimal) -> Iterator[Quote]:
        """Yield a side, from where its first quote may stand: what holds that back moves those behind it along."""
        sign, price_ticks = (-1 if side == Side.BUY else 1), 0
        for steps in range(self._parameters.levels):
            before_ticks, price_ticks = price_ticks, _outwards(side, first.ticks + sign * steps * step_ticks)
            if steps:  # a step may be less than a tick, and one price is one level
                price_ticks = sign * max(sign * price_ticks, sign * before_ticks + 1)
            qty_lots = int(first_lots * self._parameters.level_growth**steps)
            yield Quote(side, price_ticks, qty_lots, first.why, steps + 1, self._name)


class _First(NamedTuple):
    """Where the first quote of a side may stand, in ticks, exactly and as a price; and why there."""

    ticks: Decimal
    price_ticks: int
    why: Reason


_TAKING: Final = (Rule.WOULD_TAKE, "just behind the other side's best price", "trade at once")
_CROSSING: Final = (Rule.CROSSING, "just behind our own other side", "trade with that")


def _held(side: Side, ticks: Decimal, most_ticks: int, so_by: tuple[Rule, str, str], instrument: Instrument) -> _First:
    """Return a first quote that is wanted at `ticks`, and may come as near to the other side as `most_ticks`."""
    nearest = min if side == Side.BUY else max
    wanted_ticks, at_ticks = _outwards(side, ticks), nearest(ticks, Decimal(most_ticks))
    if (price_ticks := _outwards(side, at_ticks)) == wanted_ticks:
        return _First(at_ticks, price_ticks, WANTED)
    rule, where, what = so_by
    wanted_price, price = map(instrument.ticks_to_price, (wanted_ticks, price_ticks))
    text = f"{where}: the model's first, at {format_decimal(wanted_price)}, would {what}"
    return _First(at_ticks, price_ticks, Reason(rule, text, {"wanted_price": wanted_price, "price": price}))


def _outwards(side: Side, ticks: Decimal) -> int:
    """Return a price that is no nearer to the other side."""
    return floor(ticks) if side == Side.BUY else ceil(ticks)


def _is_takeable(quote: Quote, market: Market) -> bool:
    """Whether the bounds of the venue leave room for the quote."""
    rules, instrument = market.rules, market.instrument
    price, qty = quote.price_ticks * instrument.tick_size, quote.qty_lots * instrument.lot_size
    bounds = [
        (price, rules.price_min, rules.price_max),
        (qty, rules.qty_min, rules.qty_max),
        (price * qty, rules.notional_min, rules.notional_max),
    ]
    reach = rules.bid_reach if quote.side == Side.BUY else rules.ask_reach
    if reach is not None and market.mid is not None:
        bounds.append((price, market.mid * reach[0], market.mid * reach[1]))
    is_within = all(least <= value and (most is None or value <= most) for value, least, most in bounds)
    return is_within and 0 < quote.price_ticks <= PRICE_TICKS_MAX and 0 < quote.qty_lots <= QTY_LOTS_MAX
