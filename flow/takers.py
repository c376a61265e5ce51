"""Who takes: traders without information, who work through parent orders, and traders who know the hidden value."""

import random
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from math import ceil, exp, log
from typing import Final, NamedTuple

from flow.hawkes import HawkesArrivals
from flow.market_settings import Quantiles, SyntheticSettings
from market.codes import Side

_CHILDREN_MAX: Final = 10_000
_CONVICTION_MAX: Final = 10.0


class Taker(NamedTuple):
    """One arrival: how much of the quote asset is taken, and by how much the sign of its side was unexpected.

    `kind` is `informed` or `noise`.
    """

    kind: str
    side: Side
    amount: float
    surprise: float


class NoiseTrader:
    """Buys or sells for reasons of its own, a parent order in many children.

    The number of children has a power-law tail: so the signs of takers stay correlated for long (Lillo, Mike and
    Farmer, "Theory for long memory in supply and demand", Physical Review E 71, 2005).
    """

    def __init__(self, rng: random.Random, parent_tail: float) -> None:
        self._rng = rng
        self._parent_tail = parent_tail
        self._side = Side.BUY
        self._children = 0

    def next_side(self) -> Side:
        """Return the side of its next child."""
        if self._children == 0:
            self._side = Side(self._rng.randrange(2))
            self._children = min(_CHILDREN_MAX, ceil(self._rng.paretovariate(self._parent_tail)))
        self._children -= 1
        return self._side


class InformedTrader(NamedTuple):
    """Knows the hidden value, and takes towards it whenever the makers' price is off by more than its threshold.

    How much, is in proportion to the mispricing, as an insider's best demand is (Kyle, Econometrica 53, 1985).
    """

    edge_bps: float
    conviction_bps: float

    def factor(self, mispricing_bps: float) -> float:
        """Return how many times as much it takes as another would."""
        return min(_CONVICTION_MAX, abs(mispricing_bps) / self.conviction_bps)

    def side(self, mispricing_bps: float) -> Side | None:
        """Return the side that gains, or None if there is too little to gain."""
        if abs(mispricing_bps) <= self.edge_bps:
            return None
        return Side.BUY if mispricing_bps > 0 else Side.SELL


class Takers:
    """All takers; one arrives at a time.

    They come in clusters: an arrival is either somebody's own decision, or the child of one before it, on the same side
    with probability `herding`.

    Attributes:
        counts: how many of each kind have come.
    """

    def __init__(self, settings: SyntheticSettings, rng: random.Random, noise_rng: random.Random) -> None:
        """Take dice for times, kinds and amounts, and others for the noise traders' sides."""
        self._settings = settings
        self._rng = rng
        self._arrivals: HawkesArrivals[tuple[bool, Side]] = HawkesArrivals(
            rng, settings.takers_per_s, settings.taker_branching, settings.taker_decay_per_s
        )
        self._noise = [NoiseTrader(noise_rng, settings.parent_tail) for _ in range(settings.noise_traders)]
        self._activity = list(accumulate(1.0 / rank for rank in range(1, settings.noise_traders + 1)))  # Zipf's law
        self._informed = [
            InformedTrader(settings.edge_bps * (number + 0.5) / settings.informed_traders, settings.conviction_bps)
            for number in range(settings.informed_traders)
        ]
        self.counts: Counter[str] = Counter()

    def wait_s(self) -> float:
        """Return the time until the next one arrives."""
        return self._arrivals.wait_s()

    def arrive(self, mispricing_bps: float) -> Taker:
        """Return who arrives now; `mispricing_bps` is by how much the makers' price is too low."""
        settings, rng = self._settings, self._rng
        # The same dice are thrown whoever comes, so that times and amounts are the same for any toxicity.
        parent = self._arrivals.parent()
        is_informed = rng.random() < settings.toxicity
        is_herding = rng.random() < settings.herding
        informed, noise = rng.choice(self._informed), rng.choices(self._noise, cum_weights=self._activity)[0]
        amount = draw(settings.taker_amounts, rng.random())
        if parent is not None and is_herding:
            is_informed = parent[0]
        side = informed.side(mispricing_bps) if is_informed else None
        is_informed = side is not None
        if side is not None:
            amount = min(amount * informed.factor(mispricing_bps), settings.taker_amounts[-1][1])
        else:
            side = parent[1] if parent is not None and is_herding else noise.next_side()
        surprise = (1.0 if side == Side.BUY else -1.0) - self._expected_sign()
        self._arrivals.excite((is_informed, side))
        kind = "informed" if is_informed else "noise"
        self.counts[kind] += 1
        return Taker(kind, side, amount, surprise)

    def _expected_sign(self) -> float:
        """Return the mean sign of an arrival at this time, as the clusters that are under way let one expect it."""
        share = self._arrivals.share
        buys = sum(share((is_informed, Side.BUY)) for is_informed in (False, True))
        sells = sum(share((is_informed, Side.SELL)) for is_informed in (False, True))
        return self._settings.herding * (buys - sells)


def draw(quantiles: Quantiles, chance: float) -> float:
    """Return the value at a probability: between two quantiles linear in its logarithm."""
    upper = max(1, bisect_left(quantiles, (chance,)))
    (low, low_value), (high, high_value) = quantiles[upper - 1 : upper + 1]
    return low_value * exp((chance - low) / (high - low) * log(high_value / low_value))
