"""Average cost: the last digit of a share that is just between two."""

import pytest

from reports.average_cost import AverageCost
from reports.exact import FIGURE_PLACES
from reports.exact_sum import UNIT

_STEP = UNIT // 10**FIGURE_PLACES


@pytest.mark.parametrize(("cost", "half"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_a_tie_goes_to_the_even_digit_and_the_rest_stays(cost: int, half: int) -> None:
    """Guards docs/reports.md: half of so many units of the 12th decimal leaves, and nothing is lost."""
    book = AverageCost()
    book.add(2 * UNIT, cost * _STEP, cost * _STEP)
    book.add(-UNIT, 0, 0)
    assert book.realized_net == -2 * half * _STEP
    book.add(-UNIT, 0, 0)
    assert (book.position, book.realized_net) == (0, -2 * cost * _STEP)
