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
            `volatility`, at the reference volatility.
        notional: quote amount of the first quote of each side.
        centre: what the quotes stand around: the mid, or the mid weighted with the best quantities.
        skew: fraction: how far full inventory moves all quotes, down if long: what we pay a lot to be rid of it.
        size_skew: part of its quantity that the side which adds to the position loses at full inventory; 1: all.
        inventory: quote amount: the position, against what is neutral, at which skews are at their full.
        levels: quotes a side.
        level_step: fraction from one quote of a side to the next.
        level_growth: size of a quote as a multiple of the one before it.
        volatility: fraction per square-root second: the reference, and what is taken until it is known.
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
