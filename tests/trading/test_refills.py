"""A side that was filled waits before it is quoted again, longer when it is run over."""

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.refills import Refilling, Refills

PAUSE_NS, RUN_NS = 2 * NS_PER_SECOND, 30 * NS_PER_SECOND


def _codes(refills: Refills, now_ns: int) -> dict[Side, str]:
    return {side: why.rule for side, why in refills.reasons(now_ns).items()}


def test_only_the_side_that_was_filled_waits() -> None:
    """For as long as is said, to the ns; its end is when to look again."""
    refills = Refills(Refilling(PAUSE_NS))
    refills.fill(Side.BUY, "tb-1", 1_000)
    assert _codes(refills, 1_000 + PAUSE_NS - 1) == {Side.BUY: "JUST_FILLED"}
    assert refills.ends_ns(1_000) == [1_000 + PAUSE_NS]
    assert _codes(refills, 1_000 + PAUSE_NS) == {}
    assert refills.ends_ns(1_000 + PAUSE_NS) == []
    assert refills.reasons(2_000)[Side.BUY].numbers == {"wait_s": 2}


def test_no_side_waits_by_default() -> None:
    """What was filled is quoted again at once."""
    refills = Refills(Refilling(run_over_ns=RUN_NS))
    for number in range(9):
        refills.fill(Side.BUY, f"tb-{number}", number)
    assert _codes(refills, 9) == {}


@pytest.mark.parametrize(
    ("fills", "is_run_over"),
    [
        ([("1", Side.BUY, 0), ("2", Side.BUY, 1), ("3", Side.BUY, 2)], True),
        ([("1", Side.BUY, 0), ("2", Side.BUY, 1)], False),
        ([("1", Side.BUY, 0), ("1", Side.BUY, 1), ("2", Side.BUY, 2)], False),  # an order in two parts is one
        ([("1", Side.BUY, 0), ("2", Side.BUY, 1), ("9", Side.SELL, 1), ("3", Side.BUY, 2)], False),
        ([("8", Side.SELL, 0), ("1", Side.BUY, 0), ("2", Side.BUY, 1), ("9", Side.SELL, 1), ("3", Side.BUY, 2)], False),
        ([("1", Side.BUY, 0), ("2", Side.BUY, 29), ("3", Side.BUY, 58)], True),
        ([("1", Side.BUY, 0), ("2", Side.BUY, 30), ("3", Side.BUY, 31)], False),  # the first one is another story
        ([(str(number), Side.BUY, number) for number in range(9)], True),
    ],
)
def test_side_is_run_over_when_orders_of_it_alone_are_filled_in_a_row(
    fills: list[tuple[str, Side, int]], is_run_over: bool
) -> None:
    """Guards a side that is refilled into a trend."""
    refills = Refills(Refilling(PAUSE_NS, 3, RUN_NS))
    for name, side, at_s in fills:
        refills.fill(side, name, at_s * NS_PER_SECOND)
    last_ns = fills[-1][2] * NS_PER_SECOND
    assert _codes(refills, last_ns + RUN_NS - 1) == ({Side.BUY: "RUN_OVER"} if is_run_over else {})
    assert _codes(refills, last_ns + RUN_NS) == {}
