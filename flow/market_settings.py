"""What the synthetic market is like: constants calibrated on recordings, and the presets made from them.

The constants were fitted, symbol by symbol, to recordings of Binance Spot of 2024-08-08 (BTCUSDT and ETHUSDT, 5.8
minutes each); docs/market.md prints ours beside theirs, `python -m benchmarks.market` measures both. Distances are
basis points of the mid and amounts are in the quote asset, so that they hold at any price.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

DepthProfile = tuple[tuple[float, float], ...]
Quantiles = tuple[tuple[float, float], ...]
PROBABILITIES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
DISTANCES_BPS: Final = (0.1, 1.0, 2.0, 5.0, 10.0, 20.0, 42.0, 130.0)
FAR_BANDS_MIN: Final = 50  # no sweep reaches them, so each side always has as many levels


def _taker_amounts(*amounts: float) -> Quantiles:
    return tuple(zip(PROBABILITIES, amounts, strict=True))


def _depth(*amounts: float) -> DepthProfile:
    return tuple(zip(DISTANCES_BPS, amounts, strict=True))


BTCUSDT_TAKER_AMOUNTS: Final = _taker_amounts(5.0, 6.8, 24.7, 259.0, 1_240.0, 7_400.0, 18_300.0, 80_700.0, 420_000.0)
BTCUSDT_DEPTH: Final = _depth(
    5_000.0, 95_000.0, 190_000.0, 1_250_000.0, 2_520_000.0, 5_200_000.0, 7_600_000.0, 10_000_000.0
)


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """The parameters of the market; docs/market.md gives the formulas.

    Attributes:
        opening_s: for so long both best prices stand still, a tick each side of `mid`, and nobody takes more than a
            part of the touch.
        takers_per_s, taker_branching, taker_decay_per_s: the Hawkes process of the takers' arrivals.
        herding: the part of an arrival's children that take its side; the others make up their own mind.
        taker_amounts: quantiles of what one takes: (probability, amount), from 0 to 1.
        noise_traders: how many traders without information there are; each works on one parent order at a time.
        parent_tail: exponent of the power law of a parent order's number of children.
        informed_traders: how many traders know the hidden value.
        toxicity: the part of the takers that is informed.
        conviction_bps: at this mispricing an informed trader takes as much as another would, otherwise in proportion.
        edge_bps: an informed trader acts on a mispricing beyond a threshold of its own, at most this.
        impact_bps, impact_exponent: a taker of 1,000 moves the makers' price by `impact_bps`, one of another amount by
            a power of it.
        value_bps: standard deviation of the hidden value's change over a minute.
        news_per_min, news_bps: jumps of the hidden value, and their standard deviation.
        leak_per_s, leak_lag_s: the hidden value of `leak_lag_s` ago becomes public at this rate.
        touch_amount, touch_shape: mean of the best level's quantity, and the shape of its gamma distribution.
        depth: (distance, amount within it) of one side, rising; the last distance is the book's reach.
        depth_factor: of all amounts behind the touch.
        near_bands, near_reach_bps: price bands from the touch outward, widening; each always gets at least one level.
        far_bands: equal bands behind, up to the last distance of `depth`; no sweep reaches them.
        refill_orders_max: orders added to a side in one beat of 50 ms, from the touch outward.
        requote_bps: the makers follow their price in steps of this.
        nervousness: how much the spread widens, in bps per bp that the price has moved in the last moments.
        calm_bps: what the price may move in the last moments before the makers get nervous.
        limits_per_s, limit_amount, limit_life_s, limit_reach_bps: the noise traders' limit orders: arrivals of both
            sides together, median amount, mean life, mean distance behind the touch of those that do not join it.
        sweep_depth_bps: a practice sweep trades through everything up to a depth drawn between these.
        sweep_interval_s: the time between two of them is drawn between these; None for none. Of two in a row one buys
            and one sells.
        sweep_impact: of a sweep's depth, the part by which the value has changed, drawn between these: whoever sweeps
            so deep knows something, more or less, and the makers quote around the new value at once.
        crash_interval_s: the time between two crashes is drawn between these; None for none.
        crash_bps: how far the hidden value falls in a crash, within `crash_s`; half of it comes back thrice as slowly.
    """

    seed: int = 1
    mid: Decimal = Decimal("91385.00")
    opening_s: float = 8.0
    takers_per_s: float = 8.4
    taker_branching: float = 0.76
    taker_decay_per_s: float = 10.0
    herding: float = 0.65
    taker_amounts: Quantiles = BTCUSDT_TAKER_AMOUNTS
    noise_traders: int = 12
    parent_tail: float = 1.5
    informed_traders: int = 4
    toxicity: float = 0.3
    conviction_bps: float = 2.0
    edge_bps: float = 0.5
    impact_bps: float = 0.21
    impact_exponent: float = 0.5
    value_bps: float = 8.0
    news_per_min: float = 1.0
    news_bps: float = 4.0
    leak_per_s: float = 0.0
    leak_lag_s: float = 2.0
    touch_amount: float = 140_000.0
    touch_shape: float = 0.6
    depth: DepthProfile = BTCUSDT_DEPTH
    depth_factor: float = 1.0
    near_bands: int = 60
    near_reach_bps: float = 42.0
    far_bands: int = 64
    refill_orders_max: int = 12
    requote_bps: float = 0.06
    nervousness: float = 0.3
    calm_bps: float = 12.0
    limits_per_s: float = 24.0
    limit_amount: float = 800.0
    limit_life_s: float = 2.0
    limit_reach_bps: float = 2.0
    sweep_depth_bps: tuple[float, float] = (20.0, 40.0)
    sweep_interval_s: tuple[float, float] | None = None
    sweep_impact: tuple[float, float] = (0.0, 1.4)
    crash_interval_s: tuple[float, float] | None = None
    crash_bps: tuple[float, float] = (80.0, 200.0)
    crash_s: float = 20.0

    def __post_init__(self) -> None:
        """Refuse what makes no market."""
        if self.near_bands < 1 or self.far_bands < FAR_BANDS_MIN:
            raise ValueError(
                f"expected a near band and {FAR_BANDS_MIN} far ones, were {self.near_bands} and {self.far_bands}"
            )
        low, high = self.sweep_depth_bps
        if not 0 < low <= high < self.near_reach_bps < self.depth[-1][0]:
            raise ValueError(f"expected 0 < sweep depth {low}-{high} < near reach < the last depth, in bps")
        if not 0 <= self.sweep_impact[0] <= self.sweep_impact[1] <= 2:
            raise ValueError(f"expected rising bounds of sweep_impact from 0 to 2, were {self.sweep_impact}")
        for name in ("sweep_interval_s", "crash_interval_s"):
            bounds = getattr(self, name)
            if bounds is not None and not 0 < bounds[0] <= bounds[1]:
                raise ValueError(f"expected positive, rising bounds of {name}, were {bounds}")
        if not 0 <= self.toxicity <= 1:
            raise ValueError(f"expected a toxicity from 0 to 1, was {self.toxicity}")
        if self.noise_traders < 1 or self.informed_traders < 1:
            raise ValueError(f"expected traders, were {self.noise_traders} noise and {self.informed_traders} informed")


# Where a recording of another symbol gave other numbers than the defaults above, which are BTCUSDT's.
CALIBRATED: Final[Mapping[str, Mapping[str, Any]]] = {
    "BTCUSDT": {},
    "ETHUSDT": {
        "takers_per_s": 4.9,
        "taker_branching": 0.7,
        "taker_amounts": _taker_amounts(5.0, 5.4, 21.5, 144.0, 1_370.0, 6_540.0, 12_200.0, 48_700.0, 300_000.0),
        "impact_bps": 0.25,
        "herding": 0.75,
        "touch_amount": 34_000.0,
        "depth": _depth(1_000.0, 12_000.0, 70_000.0, 620_000.0, 1_300_000.0, 3_600_000.0, 7_000_000.0, 10_000_000.0),
    },
}

# What a preset multiplies of a symbol's figures, and the figures that it sets.
_PRESETS: Final[Mapping[str, tuple[Mapping[str, float], Mapping[str, Any]]]] = {
    "practice": ({}, {"sweep_interval_s": (7.0, 15.0), "depth_factor": 0.1, "toxicity": 0.25}),
    "calm": (
        {"takers_per_s": 0.4, "limits_per_s": 0.6, "impact_bps": 0.6, "value_bps": 0.4},
        {"news_per_min": 0.2, "toxicity": 0.15},
    ),
    "normal": ({}, {}),
    "toxic": ({}, {"toxicity": 0.34}),  # of those who would act on what they know some have nothing to gain: 30 % do
    "busy": (
        {"takers_per_s": 2.5, "limits_per_s": 2.0, "value_bps": 1.8, "news_bps": 1.5},
        {"news_per_min": 3.0, "toxicity": 0.4},
    ),
    "crash": (
        {"takers_per_s": 2.0, "value_bps": 1.5},
        {"toxicity": 0.5, "depth_factor": 0.3, "leak_per_s": 0.3, "leak_lag_s": 1.0, "crash_interval_s": (45.0, 120.0)},
    ),
}
PRESETS: Final = tuple(_PRESETS)
DEFAULT_PRESET: Final = "practice"


def settings_of(preset: str, symbol: str, **changes: Any) -> SyntheticSettings:
    """Return the settings of a preset for a symbol (BTCUSDT's if it was not calibrated), with `changes`.

    Raises:
        ValueError: for an unknown preset, or changes that make no market.
    """
    if preset not in _PRESETS:
        raise ValueError(f"there is no preset {preset!r}: expected {', '.join(PRESETS)}")
    normal = SyntheticSettings(**CALIBRATED.get(symbol, {}))
    factors, figures = _PRESETS[preset]
    scaled = {name: getattr(normal, name) * factor for name, factor in factors.items()}
    return replace(normal, **{**scaled, **figures, **changes})
