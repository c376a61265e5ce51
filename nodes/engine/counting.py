"""How many events of each kind an engine has told since it began to, and why it has refused what it has refused."""

from typing import Final

from engine.wire.feed import REASONS_AT
from market.codes import RejectReason, Tag
from market.kernels.row_codes import REJECTED
from market.kernels.rows import Int64Array

_EVENTS: Final = (Tag.ACCEPTED, Tag.EXECUTED, Tag.CANCELED, Tag.AMENDED, Tag.TRIGGERED, Tag.REJECTED)


class EventCounts:
    """The counts of one engine.

    Args:
        counts: `[COUNTS_SIZE]`, which the kernel of the feed counts up with each event; see engine/wire/feed.py.
    """

    def __init__(self, counts: Int64Array) -> None:
        self._counts = counts

    def begin(self) -> None:
        """Begin at 0: what was replayed was told in another life."""
        self._counts[:] = 0

    def refuse(self, rows: Int64Array) -> None:
        """Count rows of what was refused before it came to the books, `[count, ROW_WIDTH]`."""
        self._counts[int(Tag.REJECTED)] += len(rows)
        for reason in rows[:, REJECTED.reason].tolist():
            self._counts[REASONS_AT + reason] += 1

    def figures(self) -> dict[str, dict[str, int]]:
        """Return what `status` shows: `events` by kind, and `rejects` by reason, of those that there were."""
        counts: list[int] = self._counts.tolist()
        return {
            "events": {tag.name: counts[tag] for tag in _EVENTS},
            "rejects": {
                reason.name: counts[REASONS_AT + reason] for reason in RejectReason if counts[REASONS_AT + reason]
            },
        }
