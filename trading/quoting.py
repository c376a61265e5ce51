"""Quoting models: from a mid to the quotes that a market maker wants in the book."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from market.codes import Side
from market.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Quote:
    """A limit order that the maker wants in the book."""

    side: Side
    price_ticks: int
    qty_lots: int


def symmetric_quotes(
    instrument: Instrument, mid_ticks_x2: int, half_spread: Decimal, notional: Decimal
) -> tuple[Quote, Quote] | None:
    """Return a bid and an ask at mid x (1 - half_spread) and mid x (1 + half_spread).

    Prices are rounded away from the mid, to whole ticks. The quantity of each side is `notional` / mid, rounded down to
    whole lots. At mid 91,385.00, half-spread 0.002 and notional 1,000: 0.01094 at 91,202.23 and at 91,567.77.

    Args:
        instrument: what is quoted.
        mid_ticks_x2: twice the mid, in ticks.
        half_spread: fraction of the mid.
        notional: quote amount of each side.

    Returns:
        None if the notional is less than one lot, or the bid would not be positive.
    """
    bid_ticks, ask_ticks = bid_and_ask(mid_ticks_x2, half_spread)
    qty_lots = lots_for(instrument, mid_ticks_x2, notional)
    if bid_ticks <= 0 or qty_lots <= 0:
        return None
    return Quote(Side.BUY, bid_ticks, qty_lots), Quote(Side.SELL, ask_ticks, qty_lots)


def bid_and_ask(mid_ticks_x2: int, half_spread: Decimal) -> tuple[int, int]:
    """Return the prices of both quotes, rounded away from the mid; the bid may be 0."""
    mid_ticks = Decimal(mid_ticks_x2) / 2
    bid_ticks = (mid_ticks * (1 - half_spread)).to_integral_value(ROUND_FLOOR)
    ask_ticks = (mid_ticks * (1 + half_spread)).to_integral_value(ROUND_CEILING)
    return int(bid_ticks), int(ask_ticks)


def lots_for(instrument: Instrument, mid_ticks_x2: int, notional: Decimal) -> int:
    """Return how many whole lots `notional` buys at the mid."""
    return int(notional / (Decimal(mid_ticks_x2) * instrument.tick_size / 2) / instrument.lot_size)
