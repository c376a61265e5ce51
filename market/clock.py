"""The two clocks: dates come from `time_ns`, durations from `monotonic_ns`.

Everything that needs the time takes it as a value or reads it here, so that a simulated clock can take its place.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SECOND


def time_ns() -> int:
    """Return the time of day, ns since 1970-01-01 UTC."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Return a clock that never steps back, ns since an arbitrary moment; for durations only."""
    return time.monotonic_ns()


def steady_clock() -> Callable[[], int]:
    """Return a clock, ns since 1970-01-01 UTC, that begins with the time of day and from then on never steps."""
    ahead_ns = time_ns() - monotonic_ns()
    return lambda: monotonic_ns() + ahead_ns


class Now(NamedTuple):
    """A moment on both clocks, for code that is told the time."""

    time_ns: int
    monotonic_ns: int


Clock: TypeAlias = Callable[[], Now]  # for code that waits for others, and so must look again


def now() -> Now:
    """Return this moment."""
    return Now(time_ns(), monotonic_ns())


def utc_datetime(at_ns: int) -> datetime:
    """Return the UTC date and time of `at_ns`, to the microsecond (rounded down)."""
    seconds, rest_ns = divmod(at_ns, NS_PER_SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1_000)


def utc_date(at_ns: int) -> date:
    """Return the UTC day that `at_ns` falls on."""
    return _date_of(at_ns // NS_PER_DAY)


def iso_time(time_ms: int) -> str:
    """Return the UTC time of `time_ms` as `2025-11-30T12:45:29.123Z`."""
    minute, rest_ms = divmod(time_ms, 60_000)
    return f"{_minute_text(minute)}{rest_ms // 1_000:02}.{rest_ms % 1_000:03}Z"


def moment_text(time_ms: int, now_ms: int) -> str:
    """Return the UTC time of `time_ms` as `14:03:07`, with its date before it if that is not the one of `now_ms`."""
    told, today = iso_time(time_ms)[:19].replace("T", " "), iso_time(now_ms)[:10]
    return told.removeprefix(f"{today} ")


def day_bounds_ns(day: date) -> tuple[int, int]:
    """Return the first ns of the UTC `day` and the first ns of the next."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_SECOND
    return start, start + NS_PER_DAY


@lru_cache(maxsize=16)  # a long day asks a hundred thousand times for the same
def _date_of(day: int) -> date:
    """Return the UTC day that is so many after 1970 began."""
    return utc_datetime(day * NS_PER_DAY).date()


@lru_cache(maxsize=16)
def _minute_text(minute: int) -> str:
    """Return the beginning of the UTC times of the minute that is so many after 1970 began."""
    return f"{utc_datetime(minute * 60 * NS_PER_SECOND):%Y-%m-%dT%H:%M:}"
