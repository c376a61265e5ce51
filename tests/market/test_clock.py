"""The clock: nanoseconds to dates, without floats."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import clock
from market.clock import NS_PER_MS, NS_PER_SECOND, day_bounds_ns, iso_time, moment_text, utc_date, utc_datetime

LAST_NS = 2**63 - 1
MOMENTS = st.integers(0, LAST_NS)


@given(MOMENTS)
def test_dates_a_moment_exactly(at_ns: int) -> None:
    """A float of seconds has 53 bits, too few for today's nanoseconds: no microsecond may be off."""
    when = utc_datetime(at_ns)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (when - epoch).days * 86_400_000_000 + (when - epoch).seconds * 1_000_000 + when.microsecond
    assert microseconds == at_ns // 1_000


@given(MOMENTS)
def test_puts_every_moment_into_one_day(at_ns: int) -> None:
    """Days meet: the first nanosecond is in, the first of the next day is out."""
    first_ns, next_ns = day_bounds_ns(utc_date(at_ns))
    assert first_ns <= at_ns < next_ns
    assert next_ns - first_ns == 86_400 * NS_PER_SECOND


def test_changes_the_day_at_midnight() -> None:
    """The last nanosecond of a day is still that day."""
    first_ns, next_ns = day_bounds_ns(date(2024, 2, 29))
    assert utc_date(first_ns - 1) == date(2024, 2, 28)
    assert utc_date(first_ns) == utc_date(next_ns - 1) == date(2024, 2, 29)
    assert utc_date(next_ns) == date(2024, 3, 1)


@given(st.integers(0, LAST_NS // NS_PER_MS))
def test_writes_a_time_that_reads_back(time_ms: int) -> None:
    """Milliseconds survive the way through text."""
    text = iso_time(time_ms)
    when = datetime.fromisoformat(text)
    assert when == utc_datetime(time_ms * NS_PER_MS)
    assert len(text) == len("2025-11-30T12:45:29.123Z")


def test_writes_milliseconds_with_leading_zeros() -> None:
    """.007 is not .7."""
    assert iso_time(1_764_506_729_007) == "2025-11-30T12:45:29.007Z"


def test_reads_both_clocks() -> None:
    """The one never steps back, the other says the year."""
    before = clock.monotonic_ns()
    assert clock.monotonic_ns() >= before
    assert utc_date(clock.time_ns()).year >= 2024


@pytest.mark.parametrize(("days", "text"), [(0, "12:45:29"), (1, "2025-11-30 12:45:29"), (-1, "2025-11-30 12:45:29")])
def test_moment_of_another_day_has_its_date(days: int, text: str) -> None:
    """A screen that was left overnight said of yesterday's time that it was that of today."""
    told_ms = 1_764_506_729_007
    assert moment_text(told_ms, told_ms + days * 86_400_000) == text
