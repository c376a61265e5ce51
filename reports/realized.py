"""What each fill of a day has realized: rounded, as the file tells it, and beside that exactly where it differs."""

from decimal import Decimal
from typing import Final

from reports.exact import FIGURE_PLACES, figure_of_units
from reports.exact_sum import VALUE, ExactSum

_FIGURE: Final = VALUE // 10**FIGURE_PLACES  # one unit of a rounded figure


class Realized:
    """The results of fills, in their order.

    Attributes:
        units: of each, in units of 10^-12.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.units: list[int] = []
        self._unrounded: dict[int, ExactSum] = {}  # those that are not just so many units

    def take(self, realized: ExactSum | None) -> None:
        """Take that of the next fill; None of one that has realized nothing."""
        units, is_exact = (0, True) if realized is None else realized.nearest(FIGURE_PLACES)
        if realized is not None and not is_exact:
            self._unrounded[len(self.units)] = realized
        self.units.append(units)

    def figure(self, index: int) -> Decimal:
        """Return that of a fill, as the file tells it."""
        return figure_of_units(self.units[index])

    def add_to(self, total: ExactSum, index: int) -> None:
        """Add that of a fill to a sum, as it was before it was rounded."""
        if (exact := self._unrounded.get(index)) is None:
            total.whole += self.units[index] * _FIGURE
        else:
            total.add_sum(exact)
