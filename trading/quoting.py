"""What a quoting model is: from the market and what we hold to the quotes that are wanted.

To add one: see trading/models/.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.order_rules import OrderRules
from trading.reasons import WANTED, Reason


@dataclass(frozen=True, slots=True)
class Quote:
    """A limit order that the maker wants in the book, or what is left of one that is there.

    Attributes:
        why: the reason for it: a strategy may give its own.
        level: which quote of its side it is, 1 nearest to the mid; None where nobody counts them.
        model: the name of the quoting model that wants it; empty where none does.

    Two quotes are the same whatever these three are.
    """

    side: Side
    price_ticks: int
    qty_lots: int
    why: Reason = field(default=WANTED, compare=False)
    level: int | None = field(default=None, compare=False)
    model: str = field(default="", compare=False)


class Arrivals(NamedTuple):
    """How many takers of one side a second reach a quote at a distance from the mid: rate x exp(-decay x distance).

    Attributes:
        rate: A, per second.
        decay: k, per fraction of the mid: at a distance of 1 / k there are 1 / e as many.
        takers: how many were seen, each with its weight: n.
        r2: of the regression, from 0 to 1.
    """

    rate: float
    decay: float
    takers: float
    r2: float


class Estimates(NamedTuple):
    """What the market seen so far says of itself; None while too little was seen.

    Attributes:
        volatility: standard deviation of the mid's returns, as a fraction, per square-root second.
        bid, ask: the takers that trade with bids, and those that trade with asks.
    """

    volatility: float | None = None
    bid: Arrivals | None = None
    ask: Arrivals | None = None


class Market(NamedTuple):
    """What a model sees.

    Attributes:
        rules: of the venue.
        depth: the venue's book, without our own orders.
        position: as `trading.strategy.Inbox` has it.
        seen: what is known of the market's ways.
    """

    instrument: Instrument
    rules: OrderRules
    depth: Depth
    position: Decimal | None = None
    seen: Estimates = Estimates()

    @property
    def mid(self) -> Decimal | None:
        """The middle of the best prices, quote per base; None while a side of the book is empty."""
        mid_ticks_x2 = self.depth.mid_ticks_x2
        return None if mid_ticks_x2 is None else mid_ticks_x2 * self.instrument.tick_size / 2


class QuotingModel(Protocol):
    """A model with its settings: pure, without clock, venue or memory."""

    def quotes(self, market: Market) -> Sequence[Quote]:
        """Return the quotes wanted, any number a side; none where nothing can be quoted."""

    def obstacle(self, market: Market) -> str | None:
        """Return why the venue would refuse these quotes until a person changes a setting; None without a mid, too.

        The text names the setting, and the value of it that comes closest to what is there and works.
        """
