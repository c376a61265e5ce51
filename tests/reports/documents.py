"""Daily documents and files to test with, made of snapshots."""

from collections.abc import Sequence

from market.clock import now
from market.exact_json import JsonObject
from reports.bookkeeping import Recorded, Recorder
from reports.folder import ReportsFolder
from reports.performance import AccountSnapshot, book_of, document_head, take, with_history


def performance_document(
    snapshot: AccountSnapshot, previous: JsonObject | None, resets: Sequence[JsonObject] = ()
) -> JsonObject:
    """Return the daily document of the snapshot's day, its trades merged with those of `previous`.

    Args:
        previous: the document of the same day as it was last written, None for the first of the day, and of the first
            sight after a reset: what went before is of another account.
        resets: the day's resets, as `reports/bookkeeping.py` has noticed them.

    Raises:
        ValueError: for a trade in an unknown symbol, or a `previous` that is not a daily document.
    """
    day = snapshot.day
    assert previous is None or previous["date"] == day.isoformat(), (previous["date"], day)
    book = book_of(day, previous, snapshot.instruments)
    take(book, snapshot)
    return with_history(document_head(book, snapshot, resets, snapshot.market), book)


def record(folder: ReportsFolder, snapshot: AccountSnapshot) -> Recorded:
    """Write the snapshot into its day's file, as a recorder does that has just begun."""
    recorder = Recorder(folder, now)
    recorder.look(snapshot.day)
    recorded = recorder.record(snapshot, is_final=True)
    assert recorded is not None
    return recorded


def was_reset(recorded: Recorded) -> bool:
    """Say whether this snapshot was the first of a new account."""
    return any(note.startswith("the venue has a new account") for note in recorded.notes)
