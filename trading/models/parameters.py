"""What a person sets of the quoting models: each in its unit, with what it does in money.

Bounds and defaults are those of the settings of the same names in `[maker]`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Centre = Literal["mid", "micro"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Fractions are of the mid: 0.0001 is 1 bp. Full inventory is a position of `inventory`, long or short.

    Attributes:
        half_spread: fraction: what a fill earns before the market moves. Of the model
            `volatility`, at the reference volatility; of those with arrivals, 1 / k until k is known.
        notional: quote amount of the first quote of each side.
        centre: what the quotes stand around: the mid, or the mid weighted with the best quantities.
        skew: fraction: how far full inventory moves all quotes, down if long: what we pay to be rid of it. Of
            the models with a risk aversion, at the reference volatility: the aversion is made of it.
        size_skew: part of its quantity that the side which adds to the position loses at full inventory; 1: all.
        inventory: quote amount: the position, against what is neutral, at which skews are at their full.
        levels: quotes a side.
        level_step: fraction from one quote of a side to the next.
        level_growth: size of a quote as a multiple of the one before it.
        volatility: fraction per square-root second: the reference, and what is taken until it is known.
        horizon_s: how long a position is held against, rolling: the T - t of Avellaneda and Stoikov, always as long.
            With the lean given by `skew`, a longer one means less risk aversion, and a spread nearer to 1 / k.
        arrival_rate: A, takers per second and side that reach a quote at the centre, until that is known.
        fee: fraction: what the venue takes of a fill. Models with arrivals quote farther by it; `half_spread` of
            the others is a person's own, who knows it.
    """

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
