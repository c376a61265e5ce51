"""What a step of a trader brings."""

from collections.abc import Sequence
from typing import NamedTuple

from trading import notes
from trading.actions import Action


class Outbox(NamedTuple):
    """What is to be done, when to step again, and what to tell.

    Attributes:
        actions: to be carried out in this order, one after the other.
        wake_ns: step again then at the latest; None: when there is news.
        notes: for a person.
        market_ns: before then books and trades bring no action: until then, or until there is other news, they may
            wait; None: until there is other news.
    """

    actions: Sequence[Action]
    wake_ns: int | None
    notes: Sequence[notes.Note]
    market_ns: int | None = None
