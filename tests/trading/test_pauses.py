"""Pauses after pauses, and the breakers behind them."""

from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.pauses import (
    BROKEN_NS,
    BROKEN_NS_MAX,
    REASONS_MAX,
    REFUSED_PAUSE_NS,
    REFUSED_PAUSE_NS_MAX,
    WINDOW_NS,
    Pauses,
)
from trading.reasons import Rule

S = NS_PER_SECOND
DAY_NS = 86_400 * S
POOR = "insufficient balance"


def test_fifth_refusal_of_a_reason_in_a_minute_opens_its_breaker_and_success_does_not_close_it() -> None:
    """Each other refused order was followed by one that was taken: 40,000 pauses a day."""
    pauses = Pauses()
    for n in range(4):
        assert pauses.refuse(Side.BUY, n * 10 * S, POOR) == (REFUSED_PAUSE_NS, 0)
        pauses.take(Side.BUY)
    assert pauses.refuse(Side.BUY, 40 * S, POOR) == (BROKEN_NS, 1)
    pauses.take(Side.BUY)
    assert set(pauses.reasons(40 * S + BROKEN_NS - 1)) == {Side.BUY}
    why = pauses.reasons(41 * S)[Side.BUY]
    assert (why.rule, pauses.ends_ns(41 * S)) == (Rule.BREAKER, [40 * S + BROKEN_NS])
    assert POOR in why.text
    assert not pauses.reasons(40 * S + BROKEN_NS)


def test_breaker_opens_for_longer_up_to_a_bound_and_is_new_after_a_minute_without() -> None:
    """15 s, 30 s, ... 15 minutes."""
    pauses, now_ns = Pauses(), 0
    for _ in range(4):
        pauses.refuse(Side.SELL, now_ns, POOR)
    waits = []
    for times in range(1, 10):
        wait_ns, told = pauses.refuse(Side.SELL, now_ns, POOR)
        assert told == times
        waits.append(wait_ns // S)
        now_ns += wait_ns + WINDOW_NS - 1
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    now_ns += 1
    assert pauses.refuse(Side.SELL, now_ns, POOR)[1] == 0


def test_reasons_and_sides_have_breakers_of_their_own() -> None:
    """Four of each are no five of one."""
    pauses = Pauses()
    for n in range(4):
        for side in Side:
            for why in (POOR, "would trade at once"):
                assert pauses.refuse(side, n * S, why)[1] == 0


def test_refused_all_day_is_some_hundred_times_a_day() -> None:
    """A bot was refused 100,000 times a day, and then banned."""
    pauses, now_ns, count = Pauses(), 0, 0
    while now_ns < DAY_NS:
        wait_ns, _ = pauses.refuse(Side.BUY, now_ns, POOR)
        count += 1
        now_ns += wait_ns
    assert count < 120
    assert wait_ns == BROKEN_NS_MAX


def test_refused_for_another_reason_each_time_is_bounded_in_time_and_memory() -> None:
    """A text with a number in it."""
    pauses, now_ns = Pauses(), 0
    for n in range(1_000):
        wait_ns, _ = pauses.refuse(Side.BUY, now_ns, f"{POOR}: {n}")
        now_ns += wait_ns
    assert wait_ns == REFUSED_PAUSE_NS_MAX
    assert len(pauses._at_ns) <= REASONS_MAX
