"""The intervals of bars: one table of their names, and where the bars of each begin and end."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

US_PER_MS: Final = 1_000
MICROSECONDS_FROM: Final = 10**14  # a time from here on counts µs: in ms it would be the year 5138
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 86_400_000

_FIRST_MONDAY_MS: Final = 4 * DAY_MS  # 1970 began on a Thursday; weeks begin on Mondays
_LONGEST_MONTH_MS: Final = 31 * DAY_MS

# What the bars of intervals are added up from: how long a piece is, and how far back pieces are kept, ms.
PIECES_KEPT_MS: Final = {
    SECOND_MS: HOUR_MS,
    MINUTE_MS: 7 * DAY_MS + MINUTE_MS,
    HOUR_MS: 400 * DAY_MS,
    DAY_MS: 3_660 * DAY_MS,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """One row: bars begin at `offset_ms` and every `length_ms` from there, since 1970 where the zone is.

    Attributes:
        length_ms: how long a bar is at most.
        is_month: whether bars begin with the months of the calendar instead.
        zone_ms: how far the clocks that bars go by are ahead of UTC.
    """

    name: str
    length_ms: int
    offset_ms: int = 0
    is_month: bool = False
    zone_ms: int = 0

    def in_zone(self, zone_ms: int) -> "Interval":
        """Return the interval whose bars go by clocks that are so far ahead of UTC."""
        return replace(self, zone_ms=zone_ms)

    @property
    def piece_ms(self) -> int:
        """How long the longest piece is that its bars are whole multiples of."""
        return max(
            piece_ms for piece_ms in PIECES_KEPT_MS if piece_ms <= self.length_ms and self.zone_ms % piece_ms == 0
        )

    def open_of(self, at_ms: int) -> int:
        """Return when the bar that holds a moment begins."""
        local_ms = at_ms + self.zone_ms
        if self.is_month:
            first = datetime.fromtimestamp(local_ms // SECOND_MS, UTC).replace(day=1, hour=0, minute=0, second=0)
            return int(first.timestamp()) * SECOND_MS - self.zone_ms
        past_ms = (local_ms - self.offset_ms) % self.length_ms
        return at_ms - past_ms

    def end_of(self, open_ms: int) -> int:
        """Return when the bar that begins at `open_ms` ends, which is when the next one begins."""
        return self.open_of(open_ms + self.length_ms) if self.is_month else open_ms + self.length_ms


INTERVALS: Final = {
    interval.name: interval
    for interval in (
        Interval("1s", SECOND_MS),
        *(Interval(f"{count}m", count * MINUTE_MS) for count in (1, 3, 5, 15, 30)),
        *(Interval(f"{count}h", count * HOUR_MS) for count in (1, 2, 4, 6, 8, 12)),
        Interval("1d", DAY_MS),
        Interval("3d", 3 * DAY_MS),
        Interval("1w", 7 * DAY_MS, _FIRST_MONDAY_MS),
        Interval("1M", _LONGEST_MONTH_MS, is_month=True),
    )
}

# The windows that tickers add up, by their name: how long each is, ms.
WINDOWS_MS: Final = {
    f"{count}{unit}": count * unit_ms
    for unit, unit_ms, most in (("m", MINUTE_MS, 59), ("h", HOUR_MS, 23), ("d", DAY_MS, 7))
    for count in range(1, most + 1)
}
STREAMED_WINDOWS: Final = ("1h", "4h", "1d")
