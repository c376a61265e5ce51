"""How many events of each kind an engine has told, and why it has refused what it has refused; since it started."""

from typing import Final

import numpy as np

from market.codes import RejectReason, Tag
from market.kernels.row_codes import REJECTED
from market.kernels.rows import TAG, Int64Array

_EVENTS: Final = (Tag.ACCEPTED, Tag.EXECUTED, Tag.CANCELED, Tag.AMENDED, Tag.TRIGGERED, Tag.REJECTED)
_TAGS: Final = max(Tag) + 1
_REASONS: Final = max(RejectReason) + 1


class EventCounts:
    """The counts of one engine."""

    def __init__(self) -> None:
        self._by_tag: Int64Array = np.zeros(_TAGS, np.int64)
        self._by_reason: Int64Array = np.zeros(_REASONS, np.int64)

    def take(self, rows: Int64Array) -> None:
        """Count rows of events, `[count, ROW_WIDTH]`."""
        tags = rows[:, TAG]
        counts = np.bincount(tags, minlength=_TAGS)
        self._by_tag += counts
        if counts[int(Tag.REJECTED)]:
            self._by_reason += np.bincount(rows[tags == int(Tag.REJECTED), REJECTED.reason], minlength=_REASONS)

    def figures(self) -> dict[str, dict[str, int]]:
        """Return what `status` shows: `events` by kind, and `rejects` by reason, of those that there were."""
        return {
            "events": {tag.name: int(self._by_tag[tag]) for tag in _EVENTS},
            "rejects": {reason.name: count for reason in RejectReason if (count := int(self._by_reason[reason]))},
        }
