"""What a day has brought from fill to fill, of all its symbols together, and how far it fell below its highest."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from reports.exact_sum import VALUE, units_of

Line = tuple[int | Fraction, int]  # worth at a mark: the first, in units of 10^-120, + the second x it, both of 10^-60
LATE_MAX: Final = 4_096  # fills, at least, whose mid may become known late without all being made anew

_Step = tuple[str, Line | None, int | None]  # of a fill: its symbol, whose line it has changed to this, and its mid


class Curve:
    """What the day has brought, marked at every fill with a mid; the first peak is the start, where it is nothing.

    Args:
        lines: what each symbol's worth is before the first fill; None where it is not known, which then has no part.
    """

    def __init__(self, lines: Mapping[str, Line | None]) -> None:
        self._course = _Course({symbol: line for symbol, line in lines.items() if line is not None})
        self._before = self._course.copied()  # the first of the steps
        self._middle = self._before  # before the step of number `LATE_MAX`, once there are as many
        self._steps: list[_Step] = []
        self._left_count = 0  # steps of before those

    @property
    def count(self) -> int:
        """How many fills with a mid there were."""
        return self._course.count

    def take(self, symbol: str, line: Line | None, mid: int | None) -> None:
        """Take the next fill: what its symbol's worth is after it, and its mid in units of 10^-60."""
        step = symbol, line, mid
        self._course.take(step)
        self._steps.append(step)
        if len(self._steps) == LATE_MAX:
            self._middle = self._course.copied()
        elif len(self._steps) >= 2 * LATE_MAX:
            del self._steps[:LATE_MAX]
            self._left_count += LATE_MAX
            self._before, self._middle = self._middle, self._course.copied()

    def mark_late(self, mids: Mapping[int, Decimal]) -> bool:
        """Take the mids of fills, by their number from 0 on, that were taken without; say whether that can be done.

        Of one that is too long ago it cannot, and nothing is changed.
        """
        if min(mids) < self._left_count:
            return False
        for number, mid in mids.items():
            symbol, line, _ = self._steps[number - self._left_count]
            self._steps[number - self._left_count] = symbol, line, units_of(mid)
        self._course = self._before.copied()
        for count, step in enumerate(self._steps, 1):
            self._course.take(step)
            if count == LATE_MAX:
                self._middle = self._course.copied()
        return True

    def drawdown(self, marks: Mapping[str, Decimal]) -> Fraction:
        """Return the largest fall below a peak of before, the last sight included."""
        units = self._course.drawdown({symbol: units_of(mark) for symbol, mark in marks.items()})
        return Fraction(units.numerator, units.denominator * VALUE)


class _Course:
    """How it went until a fill; all but the marks in units of 10^-120."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = dict(lines)
        self._marks: dict[str, int] = {}
        self._peak: int | Fraction = 0
        self._fall: int | Fraction = 0
        self.count = 0

    def copied(self) -> "_Course":
        """Return another one that is there."""
        other = _Course(self._lines)
        other._marks = dict(self._marks)
        other._peak, other._fall, other.count = self._peak, self._fall, self.count
        return other

    def take(self, step: _Step) -> None:
        """Take the next fill."""
        symbol, line, mark = step
        if line is not None:
            self._lines[symbol] = line
        if mark is None:
            return
        self._marks[symbol] = mark
        self.count += 1
        worth = self._worth(self._marks)
        if worth > self._peak:
            self._peak = worth
        elif self._peak - worth > self._fall:
            self._fall = self._peak - worth

    def drawdown(self, marks: dict[str, int]) -> int | Fraction:
        """Return the largest fall, that to the worth at these last marks included."""
        return max(self._fall, self._peak - self._worth(self._marks | marks))

    def _worth(self, marks: dict[str, int]) -> int | Fraction:
        worth: int | Fraction = 0
        for symbol, (cash, position) in self._lines.items():
            if symbol in marks:
                worth += cash + position * marks[symbol]
        return worth
