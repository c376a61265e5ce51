"""When there will be enough to say something: what lacks, how much of it there is, and how long it lasts at this rate.

Two kinds of things lack. Fills come at a rate: that of the time for which the maker was watched until the last of them
or, once the next one is late, as if it came just now; so at a constant rate the time that is left only falls. Blocks
are those of the clock: of twelve with fills the last one cannot begin before its time, however many fills there are.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final, NamedTuple

from market.exact_json import JsonObject
from market.words import counted

BLOCK_S: Final = 600
_HOUR_S: Final = 3_600.0
_ENDS_MINUTES: Final = 2  # of an unbroken day, the first and the last, are in no count of whole minutes


class Kind(NamedTuple):
    """What is counted: as JSON names it, of one, of several."""

    name: str
    one: str
    several: str


FILLS: Final = Kind("fills", "fill", "fills")
MARKED: Final = Kind("fills", "fill with a known mid", "fills with a known mid")
HELD: Final = Kind("fills_held", "fill while much was held", "fills while much was held")
BLOCKS: Final = Kind(
    "blocks", f"time of {BLOCK_S // 60} minutes with fills", f"times of {BLOCK_S // 60} minutes with fills"
)


class Watched(NamedTuple):
    """For how long the maker was watched, and until when, seconds since 1970 UTC; None where no document says."""

    hours: float
    until_s: float | None

    def hours_at(self, time_s: float | None) -> float:
        """Return for how long it was watched until then; the whole time where that is not known."""
        if time_s is None or self.until_s is None:
            return self.hours
        return self.hours - min(self.hours, max(0.0, self.until_s - time_s) / _HOUR_S)


def watched(documents: Iterable[JsonObject]) -> Watched:
    """Return for how long the maker was watched on some days, oldest first."""
    hours, until_s = 0.0, None
    for document in documents:
        hours += _hours_of(document)
        until_s = _seen_s(document)
    return Watched(hours, until_s)


def blocks_of(times_s: Iterable[float]) -> list[int]:
    """Return in which block of the clock each time is."""
    return [int(time_s // BLOCK_S) for time_s in times_s]


def fills_lacking(kind: Kind, count: int, needed: int, watched: Watched, last_s: float | None = None) -> JsonObject:
    """Return the row that says that there are fewer fills than are needed; `last_s` is when the last of them was."""
    if not count:
        return _row(kind, count, needed, None)
    a_fill = max(watched.hours_at(last_s) / count, watched.hours / (count + 1))
    return _row(kind, count, needed, needed * a_fill - watched.hours)


def blocks_lacking(times_s: Sequence[float], needed: int, watched: Watched) -> JsonObject:
    """Return the row that says that fills, of these times, are in fewer blocks of the clock than are needed."""
    blocks = set(blocks_of(times_s))
    now_s = max(times_s) if watched.until_s is None else max(*times_s, watched.until_s)
    now_block = int(now_s // BLOCK_S)
    begun = now_block in blocks  # else it may yet be one of those that are to come
    since_first = now_block - min(blocks) + begun
    passed = min(since_first, ceil(watched.hours * _HOUR_S / BLOCK_S) + 1)
    steps = ceil((needed - len(blocks)) * max(1.0, passed / len(blocks)))
    last_begins_s = (now_block + begun + steps - 1) * BLOCK_S
    return _row(BLOCKS, len(blocks), needed, max(0.0, last_begins_s - now_s) / _HOUR_S)


def later(rows: Sequence[JsonObject]) -> JsonObject:
    """Return the row of what lasts longest; the first of those of which nobody can say."""
    return max(rows, key=lambda row: float("inf") if row["hours"] is None else float(row["hours"]))


def _row(kind: Kind, count: int, needed: int, more: float | None) -> JsonObject:
    when = "nobody can say when" if more is None else f"at this rate that takes {_duration(more)} more"
    had = counted(count, kind.one, kind.several)
    advice = f"Too little is known to recommend anything: {had} of the {needed:,} that it takes; {when}."
    hours = None if more is None else Decimal(f"{more:.4g}")
    days = None if more is None else max(1, ceil(more / 24))
    told = {"lacks": kind.name, "n": count, "needed": needed, "days": days, "hours": hours}
    return {"rule": "too_few", **told, "advice": advice}


def _duration(hours: float) -> str:
    """Return a time to come, in the largest unit of which it has more than one, rounded up."""
    for unit, size in (("day", 24.0), ("hour", 1.0)):
        if hours > size:
            return f"some {counted(ceil(hours / size), unit)}"
    return f"some {counted(max(1, ceil(hours * 60)), 'minute')}"


def _hours_of(document: JsonObject) -> float:
    """Return for how long the maker was watched on a day: the whole of it where the document does not say.

    Its count of minutes is of whole ones. A day on which it was never away is as long as it is between the sights.
    """
    minutes = (document.get("quoting") or {}).get("minutes")
    opening, seen_s = document.get("opening"), _seen_s(document)
    between_s = None if opening is None or seen_s is None else max(0.0, seen_s - int(opening["time_ms"]) / 1_000)
    if minutes is None:
        return 24.0 if between_s is None else max(60.0, between_s) / _HOUR_S
    whole_s = 60.0 * max(1, int(minutes))
    is_unbroken = between_s is not None and whole_s < between_s < 60.0 * (int(minutes) + _ENDS_MINUTES)
    return (between_s if is_unbroken and between_s is not None else whole_s) / _HOUR_S


def _seen_s(document: JsonObject) -> float | None:
    """Return when the account was seen last, None where the document does not say."""
    if document.get("time") is None:
        return None
    return datetime.fromisoformat(f"{document['date']}T{document['time']}Z").timestamp()
