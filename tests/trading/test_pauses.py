"""Pauses after pauses, and the breakers behind them."""

from decimal import Decimal

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


def refused_until_open(pauses: Pauses) -> int:
    """Let a side be refused until its breaker opens; return when."""
    for second in range(5):
        pauses.refuse(Side.BUY, second * S, POOR)
    return 4 * S


def test_refused_all_day_is_some_hundred_times_though_the_account_trades_all_the_time() -> None:
    """Every other look found another amount than the one before, and the side was refused each time: 8,000 times."""
    pauses, count, now_ns = Pauses(), 0, 0
    for look in range(DAY_NS // (5 * S)):
        now_ns = look * 5 * S
        pauses.have(Side.BUY, Decimal(50 + look % 2 * 50), now_ns, now_ns)
        if Side.BUY not in pauses.reasons(now_ns):
            pauses.refuse(Side.BUY, now_ns + S // 10, POOR)
            count += 1
    assert count < 120


def test_more_to_pay_with_than_was_refused_is_tried_at_once_on_its_side() -> None:
    """An account that was emptied is filled again: what it had before the refusals is more than it had at them."""
    pauses = Pauses()
    pauses.have(Side.BUY, Decimal(100), 0, 0)
    now_ns = refused_until_open(pauses) + 3 * S
    pauses.have(Side.BUY, Decimal(0), now_ns, now_ns)
    pauses.have(Side.SELL, Decimal(200), now_ns, now_ns)
    assert set(pauses.reasons(now_ns)) == {Side.BUY}
    pauses.have(Side.BUY, Decimal(100), now_ns + S, now_ns + S)
    assert {why.rule for why in pauses.reasons(now_ns + S).values()} == {Rule.REFUSED}, "the short pause is left"
    pauses.refuse(Side.BUY, now_ns + 2 * S, POOR)
    pauses.have(Side.BUY, Decimal(100), now_ns + 3 * S, now_ns + 3 * S)
    assert pauses.reasons(now_ns + 3 * S)[Side.BUY].rule == Rule.BREAKER, "that was not enough"


def test_amount_that_was_asked_for_before_a_refusal_is_what_was_refused() -> None:
    """In one round: a quote, and after a fill the balances. They are others than before, and there was no more."""
    pauses = Pauses()
    pauses.have(Side.BUY, Decimal(50), 0, 0)
    now_ns = refused_until_open(pauses)
    pauses.have(Side.BUY, Decimal(100), now_ns, now_ns + 1)
    pauses.have(Side.BUY, Decimal(100), now_ns + S, now_ns + S)
    assert pauses.reasons(now_ns + S)[Side.BUY].rule == Rule.BREAKER


def test_fill_ends_the_short_pause_of_the_other_side_alone() -> None:
    """A bid that is filled has given something to sell, and nothing to buy with."""
    pauses = Pauses()
    for side in Side:
        pauses.refuse(side, 0, POOR)
    pauses.fill(Side.BUY)
    assert set(pauses.reasons(1)) == {Side.BUY}
