"""What a person sets of the quoting models: each in its unit, with what it does in money.

Bounds and defaults are those of the settings of the same names in `[maker]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

Centre = Literal["mid", "micro"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Full inventory is a position of `inventory`, long or short; the units and what each does: `MEANINGS`."""

    half_spread: Decimal
    notional: Decimal
    centre: Centre = "mid"
    skew: Decimal = Decimal(0)
    size_skew: Decimal = Decimal(0)
    inventory: Decimal = Decimal(10_000)
    levels: int = 1
    level_step: Decimal = Decimal("0.0005")
    level_growth: Decimal = Decimal(1)
    volatility: Decimal = Decimal("0.0001")
    horizon_s: Decimal = Decimal(60)
    arrival_rate: Decimal = Decimal("0.1")
    fee: Decimal = Decimal(0)


class Meaning(NamedTuple):
    """What a parameter is counted in, and what it does."""

    unit: str
    text: str


_FRACTION: Final = "fraction of the mid"  # 0.0001 is 1 bp
MEANINGS: Final[Mapping[str, Meaning]] = {
    "half_spread": Meaning(
        _FRACTION,
        "how far a quote is from the centre: what a fill earns before the market moves. The model volatility takes it"
        " for the reference volatility, and scales it. avellaneda-stoikov and glft add the fee, and go by it as 1 / k"
        " only until k is known",
    ),
    "notional": Meaning("quote asset", "size of the first quote of each side"),
    "centre": Meaning("mid or micro", "what the quotes stand around: the mid, or the mid weighted with the best sizes"),
    "skew": Meaning(
        _FRACTION,
        "how far full inventory moves all quotes, down if long: what is paid to be rid of it; of avellaneda-stoikov"
        " and glft at the reference volatility: the risk aversion is made of it",
    ),
    "size_skew": Meaning(
        "part, 0 to 1", "of its size that the side which adds to the position loses at full inventory"
    ),
    "inventory": Meaning("quote asset", "the position, against what is neutral, at which the skews are at their full"),
    "levels": Meaning("count", "quotes a side"),
    "level_step": Meaning(_FRACTION, "from one quote of a side to the next"),
    "level_growth": Meaning("multiple", "size of a quote over that of the one before it"),
    "volatility": Meaning(
        "fraction per square-root second", "the reference of half_spread and skew, and what is taken until it is known"
    ),
    "horizon_s": Meaning(
        "seconds",
        "of avellaneda-stoikov: how long a position is held against, rolling, the T - t of the paper; with the lean"
        " given by skew a longer one means less risk aversion, and a spread nearer to 1 / k",
    ),
    "arrival_rate": Meaning(
        "takers per second and side", "of glft: who would reach a quote at the centre, until known"
    ),
    "fee": Meaning("fraction of a fill", "what the venue takes: avellaneda-stoikov and glft quote farther by it"),
}
STEPS: Final[Mapping[str, Decimal]] = {  # what a first step from nothing is, of which twice is nothing
    "skew": Decimal("0.0005"),
    "size_skew": Decimal("0.5"),
    "fee": Decimal("0.0001"),
}
