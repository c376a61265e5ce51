"""A sum of money that is never rounded: whole units of 10^-120, and beside them the shares that have no decimal.

A fee shared pro rata is a fraction of which the denominator is the quantity of a fill. Those of one denominator are
kept together, and leave no trace when they add up to whole units; so a sum costs an addition of integers, where that of
a `Fraction` looks for common divisors each time.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

UNIT: Final = 10**60  # of quantities, prices and money: JSON has no number with more decimals
VALUE: Final = UNIT**2  # of a quantity x a price
VALUE_PLACES: Final = 120
_PARTS_MAX: Final = 16
_FACTORS: Final[dict[int, int]] = {}  # of UNIT by those of its divisors that were met, 61 x 61 at most
_SIZES: Final = tuple(10 ** (VALUE_PLACES - places) for places in range(VALUE_PLACES + 1))  # of units of 10^-places


class ExactSum:
    """A sum in units of 10^-120.

    Attributes:
        whole: the whole units.
        parts: by denominator the numerators of what is left, each less than its denominator.
    """

    __slots__ = ("_settled", "parts", "whole")

    def __init__(self, whole: int = 0) -> None:
        self.whole = whole
        self.parts: dict[int, int] | None = None
        self._settled: Fraction | None = None

    def add(self, whole: int, part: int = 0, denominator: int = 1) -> None:
        """Add `whole` + `part` / `denominator` units."""
        self.whole += whole
        if not part:
            return
        if self.parts is None:
            self.parts = {}
        more, rest = divmod(self.parts.pop(denominator, 0) + part, denominator)
        self.whole += more
        if rest:
            self.parts[denominator] = rest

    def add_sum(self, other: "ExactSum", times: int = 1) -> None:
        """Add `times` another sum."""
        self.whole += times * other.whole
        self.add_shares(other, times)

    def add_shares(self, other: "ExactSum", times: int = 1) -> None:
        """Add `times` what another sum has beside its whole units."""
        if other._settled is not None:
            self._settled = (self._settled or Fraction(0)) + times * other._settled
        if other.parts:
            for denominator, part in other.parts.items():
                self.add(0, times * part, denominator)

    @property
    def is_whole(self) -> bool:
        """Whether it has nothing beside its whole units."""
        return not self.parts and self._settled is None

    @property
    def units(self) -> int | Fraction:
        """The sum in units of 10^-120."""
        if not self.parts and self._settled is None:
            return self.whole
        if self.parts and len(self.parts) > _PARTS_MAX:
            self._settled = (self._settled or Fraction(0)) + _added(0, self.parts)
            self.parts = None
        return _added(self.whole, self.parts or {}) + (self._settled or 0)

    @property
    def is_positive(self) -> bool:
        """Whether it is more than nothing."""
        if self._settled is None:
            shares = len(self.parts or ())  # each is more than 0 and less than 1
            if self.whole > 0 or (self.whole == 0 and shares):
                return True
            if self.whole <= -shares:
                return False
        return self.units > 0

    def nearest(self, places: int) -> tuple[int, bool]:
        """Return the sum in units of 10^-places, rounded half to even, and whether it is surely just that."""
        size = _SIZES[places]
        if not self.parts and self._settled is None:
            units, rest = divmod(self.whole, size)
            return units + (2 * rest > size or (2 * rest == size and units % 2)), not rest
        if self._settled is None:
            units, rest = divmod(self.whole, size)
            shares = len(self.parts or ())
            if 2 * (rest + shares) <= size:  # as nearly all are
                return units, False
            if 2 * rest >= size and rest + shares <= size:
                return units + 1, False
        return round(Fraction(self.units) / size), False

    @property
    def value(self) -> Fraction:
        """The sum."""
        units = self.units
        return Fraction(units.numerator, units.denominator * VALUE)


def _added(whole: int, parts: dict[int, int]) -> Fraction:
    """Return whole units and shares together; two by two, so that few of the sums have a long denominator."""
    sums = [Fraction(part, one) for one, part in parts.items()]
    while len(sums) > 1:
        odd = sums.pop() if len(sums) % 2 else None
        sums = [one + other for one, other in zip(sums[::2], sums[1::2], strict=True)]
        sums += [] if odd is None else [odd]
    return sum(sums, Fraction(whole))


def divided(numerator: int, denominator: int) -> tuple[int, int, int]:
    """Return how often `denominator` goes into `numerator`, what is left, and the denominator."""
    if denominator == 1:
        return numerator, 0, 1
    whole, part = divmod(numerator, denominator)
    return whole, part, denominator


def units_of(value: Decimal) -> int:
    """Return a quantity, a price or an amount of money in units of 10^-60.

    Raises:
        ValueError: if it has more decimals.
    """
    numerator, denominator = value.as_integer_ratio()
    factor = _FACTORS.get(denominator)
    if factor is None:
        factor, rest = divmod(UNIT, denominator)
        if rest:
            raise ValueError(f"expected at most 60 decimals, was {value}")
        _FACTORS[denominator] = factor
    return numerator * factor
