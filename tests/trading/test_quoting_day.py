"""Presence and fills of a day, by hand: minutes, midnight, an earlier run, and what picked-off fills come to."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.clock import NS_PER_SECOND, day_bounds_ns, utc_date
from market.codes import Side
from trading.quoting_day import ENDED_MAX, MARKOUT_NS, MINUTE_NS, QuotingDay, QuotingRecord

DAY = utc_date(1_795_910_400 * NS_PER_SECOND)
START_NS, END_NS = day_bounds_ns(DAY)
WITHIN = Decimal("0.005")
MID, BID, ASK = Decimal(10_000), Decimal(9_950), Decimal(10_050)  # as far away as may be


def test_a_minute_has_the_part_of_it_that_both_sides_stood() -> None:
    """By hand: from 0:15 to 1:30 of two minutes and a half."""
    record = QuotingRecord(WITHIN, START_NS)
    for at_s, ask in ((0, None), (15, ASK), (90, None), (150, None)):
        record.look(START_NS + at_s * NS_PER_SECOND, MID, BID, ask)
    assert list(record.day.minutes()) == [(0, Decimal("0.75")), (1, Decimal("0.5"))]
    assert record.day.presence == Decimal("0.5")
    told = record.day.document(Decimal("0.75"), WITHIN)
    assert (told["minutes"], told["minutes_on_target"]) == (2, 1)


def test_a_quote_that_is_too_far_away_is_none() -> None:
    """One tick more than may be, on either side; and none is near while there is no mid."""
    tick = Decimal("0.01")
    for mid, bid, ask in ((MID, BID - tick, ASK), (MID, BID, ASK + tick), (None, BID, ASK), (MID, None, ASK)):
        record = QuotingRecord(WITHIN, START_NS)
        record.look(START_NS, mid, bid, ask)
        record.look(START_NS + MINUTE_NS, MID, BID, ASK)
        assert record.day.presence == 0
    record = QuotingRecord(WITHIN, START_NS)
    record.look(START_NS, MID, BID, ASK)
    record.look(START_NS + MINUTE_NS, MID, None, None)
    assert record.day.presence == 1


def test_a_minute_that_was_not_seen_from_its_start_is_none() -> None:
    """A maker that starts within a minute is not told to have missed it."""
    record = QuotingRecord(WITHIN, START_NS + 20 * NS_PER_SECOND)
    record.look(START_NS + 20 * NS_PER_SECOND, MID, BID, ASK)
    record.look(START_NS + 130 * NS_PER_SECOND, MID, BID, ASK)
    assert list(record.day.minutes()) == [(1, Decimal(1))]
    assert record.day.presence == 1


def test_the_next_day_begins_anew() -> None:
    """With the quotes that stand, which do until we know otherwise: over a whole day without a look, too."""
    record = QuotingRecord(WITHIN, END_NS - 30 * NS_PER_SECOND)
    record.look(END_NS - 30 * NS_PER_SECOND, MID, BID, ASK)
    record.fill(END_NS - 30 * NS_PER_SECOND, "a", Side.BUY, BID, Decimal(1), is_picked_off=False)
    record.look(END_NS + 2 * MINUTE_NS, MID, BID, ASK)
    assert record.day.day == utc_date(END_NS)
    assert record.day.present_ns == {0: MINUTE_NS, 1: MINUTE_NS}
    assert record.day.fills.count == 0
    assert record.day.fills.markout == 50, "it is known today"
    record.look(END_NS + 2 * (END_NS - START_NS), MID, None, None)
    assert record.day.day == utc_date(END_NS + 2 * (END_NS - START_NS) - 1)
    assert record.day.presence == 1
    assert len(record.day.present_ns) == 24 * 60


def test_time_without_a_maker_is_time_without_quotes() -> None:
    """What an earlier run has kept goes on, and what lay between counts."""
    kept = QuotingDay(DAY, START_NS, START_NS + MINUTE_NS, {0: MINUTE_NS})
    record = QuotingRecord(WITHIN, START_NS + 3 * MINUTE_NS, kept)
    record.look(START_NS + 3 * MINUTE_NS, MID, BID, ASK)
    record.look(START_NS + 4 * MINUTE_NS, MID, BID, ASK)
    assert [part for _, part in record.day.minutes()] == [1, 0, 0, 1]
    assert record.day.presence == Decimal("0.5")
    assert QuotingRecord(WITHIN, END_NS, kept).day.day != DAY, "not on the next day"


@pytest.mark.parametrize(("away_s", "present_s"), [(0, 60), (12, 48), (-30, 60)], ids=["at once", "away", "set back"])
def test_a_minute_with_a_restart_in_its_midst_is_counted_once(away_s: int, present_s: int) -> None:
    """Stopped after 40 s, with the clock of its successor before or behind that: 30 s of a minute counted twice."""
    second = NS_PER_SECOND
    first = QuotingRecord(WITHIN, START_NS)
    first.look(START_NS, MID, BID, ASK)
    first.look(START_NS + 40 * second, MID, None, None)
    back_ns = START_NS + (40 + away_s) * second
    record = QuotingRecord(WITHIN, back_ns, first.day)
    record.look(back_ns, MID, BID, ASK)
    record.look(back_ns + second, MID, BID, ASK)
    assert record.day.until_ns == max(START_NS + 40 * second, back_ns + second)
    record.look(START_NS + MINUTE_NS, MID, BID, ASK)
    assert record.day.present_ns == {0: present_s * second}
    assert record.day.presence == Decimal(present_s) / 60


def test_picked_off_fills_are_priced_apart() -> None:
    """By hand: bought at 9,990 and 9,980, sold at 10,010; ten seconds later the mid is at 9,970."""
    record = QuotingRecord(WITHIN, START_NS)
    record.look(START_NS, MID, BID, ASK)
    for side, price, qty, is_picked_off in (
        (Side.BUY, 9_990, 1, False), (Side.BUY, 9_980, 2, True), (Side.SELL, 10_010, 3, False)
    ):  # fmt: skip
        record.fill(START_NS, "a", side, Decimal(price), Decimal(qty), is_picked_off=is_picked_off)
    record.look(START_NS + MARKOUT_NS - 1, Decimal(1), BID, ASK)
    assert record.day.fills.document()["markout_bps"] is None, "not before its time"
    record.look(START_NS + MARKOUT_NS, None, BID, ASK)
    record.look(START_NS + MARKOUT_NS + 1, Decimal(9_970), BID, ASK)
    assert record.day.picked_off.document() == {
        "count": 1, "notional": 19_960, "markout": -20, "markout_bps": Decimal("-10.0200")
    }  # fmt: skip
    assert (record.day.fills.count, record.day.fills.markout) == (3, Decimal(-20 - 20 + 120))


def _filled(record: QuotingRecord, now_ns: int, name: str) -> tuple[int, int]:
    record.fill(now_ns, name, Side.BUY, BID, Decimal(1), is_picked_off=False)
    return record.day.orders, record.day.orders_filled


def test_of_the_orders_of_a_day_each_is_filled_once() -> None:
    """In two parts, after its end, and never of an order of the day before: no more are filled than were placed."""
    record = QuotingRecord(WITHIN, END_NS - 10)
    for name in ("old", "a"):
        record.placed(END_NS - 10, name)
    assert _filled(record, END_NS - 9, "a") == (2, 1)
    assert _filled(record, END_NS - 8, "a") == (2, 1)
    assert _filled(record, END_NS + 1, "old") == (0, 0)
    record.placed(END_NS + 2, "b")
    record.ended("b")
    record.ended("nobody's")
    assert _filled(record, END_NS + 3, "b") == (1, 1)
    assert _filled(record, END_NS + 4, "b") == (1, 1)
    for number in range(ENDED_MAX + 1):
        record.placed(END_NS + 5, f"c{number}")
        record.ended(f"c{number}")
    assert _filled(record, END_NS + 6, "c1") == (ENDED_MAX + 2, 2)
    assert _filled(record, END_NS + 6, "c0") == (ENDED_MAX + 2, 2), "of so many that have ended it is forgotten"
    told = record.day.document(Decimal(1), WITHIN)
    assert (told["orders"], told["orders_filled"]) == (ENDED_MAX + 2, 2)


@given(
    st.lists(st.tuples(st.integers(0, 10**13), st.booleans()), min_size=1, max_size=30),
    st.integers(START_NS, START_NS + 10**15),
)
def test_no_time_is_counted_twice(looks: list[tuple[int, bool]], began_ns: int) -> None:
    """Whenever one looks: at most the time that has passed, and of a minute at most a minute."""
    record, now_ns, present_ns = QuotingRecord(WITHIN, began_ns), began_ns, 0
    by_day: dict[date, QuotingDay] = {}
    is_present = False
    for wait_ns, is_next in looks:
        now_ns += wait_ns
        present_ns += wait_ns if is_present else 0
        before = record.day
        record.look(now_ns, MID, BID if is_next else None, ASK)
        is_present = is_next
        by_day |= {each.day: each for each in (before, record.day)}
    assert record.day.until_ns == now_ns or not sum(wait_ns for wait_ns, _ in looks)
    if len(by_day) == 1:
        assert sum(record.day.present_ns.values()) == present_ns
    assert all(0 < count <= MINUTE_NS for day in by_day.values() for count in day.present_ns.values())
