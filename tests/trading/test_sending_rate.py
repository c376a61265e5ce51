"""Orders that were sent and have not traded, against the exchange's own count."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.clock import NS_PER_SECOND
from trading.sending_rate import ANY_NUMBER, DAY_NS, SHORT_NS, SendingLimits, SendingRate

S = NS_PER_SECOND


def test_room_comes_back_when_ten_seconds_are_over_or_an_order_trades() -> None:
    """And at midnight, of the day's."""
    rate = SendingRate(SendingLimits(2, 3))
    rate.sent("a", 0)
    rate.sent("b", S)
    assert (rate.room(2 * S), rate.room_ns(2 * S)) == (0, SHORT_NS)
    rate.give_back("a", 2 * S)
    assert rate.room(2 * S) == 1
    rate.sent("c", 2 * S)
    rate.sent("d", 11 * S)
    assert (rate.room(12 * S), rate.room_ns(12 * S)) == (0, DAY_NS)
    assert rate.room(30 * S) == 0
    assert rate.room(DAY_NS) == 2


def test_a_successor_counts_what_was_sent_before_it() -> None:
    """A maker that was killed every few seconds sent as many in each life, and came to the venue's limit."""
    rate, successor = SendingRate(SendingLimits(2, 3)), SendingRate(SendingLimits(2, 3))
    for at, name in enumerate("abc"):
        rate.sent(name, at * SHORT_NS)
    rate.sent("d", 2 * SHORT_NS + S)
    rate.give_back("a", 2 * SHORT_NS + S)
    successor.take_over(rate.to_leave(), 2 * SHORT_NS + S)
    assert (successor.room(2 * SHORT_NS + S), successor.day_count) == (0, 3)
    successor.give_back("c", 2 * SHORT_NS + S)
    assert successor.room(2 * SHORT_NS + S) == 1
    assert successor.room(DAY_NS) == 2


@pytest.mark.parametrize("ahead_ns", [3_600 * S, 400 * DAY_NS])
def test_clock_that_was_set_back_before_a_restart_locks_nobody_out(ahead_ns: int) -> None:
    """What an earlier run has sent in the future counts as sent now: it filled the count until that came."""
    rate, successor = SendingRate(SendingLimits(2, 3)), SendingRate(SendingLimits(2, 3))
    rate.sent("a", ahead_ns)
    rate.sent("b", ahead_ns + S)
    successor.take_over(rate.to_leave(), S)
    assert (successor.room(S), successor.room_ns(S)) == (0, S + SHORT_NS)
    assert successor.room(S + SHORT_NS) == 1, "they count today"
    successor.sent("c", S + SHORT_NS)
    assert successor.room(DAY_NS) == 2


def test_order_of_yesterday_or_of_an_earlier_run_gives_nothing_back() -> None:
    """The venue gives it back in the day in which it was counted: more left than there may be today."""
    rate = SendingRate(SendingLimits(None, 2))
    rate.sent("of yesterday", DAY_NS - 1)
    rate.sent("a", DAY_NS)
    rate.sent("b", DAY_NS)
    for name in ("of yesterday", "of another run"):
        rate.give_back(name, DAY_NS + 1)
        assert rate.room(DAY_NS + 1) == 0
    rate.give_back("b", DAY_NS + 1)
    assert rate.room(DAY_NS + 1) == 1


def test_no_limit_is_any_number() -> None:
    """Where nobody counts."""
    assert SendingRate(ANY_NUMBER).room(0) is None


@pytest.mark.parametrize("short", [3])
@given(
    steps=st.lists(st.tuples(st.integers(0, 4 * S), st.sampled_from(["send", "send", "trade", "trade"])), max_size=60)
)
def test_never_lets_the_exchange_count_more_in_any_window(short: int, steps: list[tuple[int, str]]) -> None:
    """Windows of 10 s that begin with the clock; the order is counted in the one in which it arrives, at once here."""
    rate, now_ns, names, seen = SendingRate(SendingLimits(short, 1_000)), 7 * S, list[str](), Counter[int]()
    windows: dict[str, int] = {}
    for n, (after_ns, what) in enumerate(steps):
        now_ns += after_ns
        if what == "send" and rate.room(now_ns):
            rate.sent(str(n), now_ns)
            names.append(str(n))
            windows[str(n)] = now_ns // SHORT_NS
            seen[now_ns // SHORT_NS] += 1
        elif what != "send" and names:
            name = names.pop()
            rate.give_back(name, now_ns)
            seen[windows[name]] -= 1
        assert max(seen.values(), default=0) <= short
