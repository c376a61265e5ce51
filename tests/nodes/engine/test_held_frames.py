"""What an engine holds back until the disk has the journal's record, nodes/engine/turns.py."""

from types import SimpleNamespace
from typing import Any

from market.clock import Now
from nodes.engine.turns import EngineTurns


class Wire:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, frames: Any) -> bool:
        self.sent.append(frames)
        return True


def test_what_is_held_is_overtaken_by_nothing_and_goes_out_when_its_record_is_synced() -> None:
    """A sync may come from the journal itself, as it begins a file: all is synced then, and frames wait still."""
    wire: Any = Wire()
    journal: Any = SimpleNamespace(sequence=1, acknowledged_sequence=0, sync_due=lambda _: False)
    core: Any = None
    turns = EngineTurns(core, journal, wire, wire, wire, lambda: Now(0, 0), print)
    turns.publish([[b"first"]])
    journal.sequence = 2
    turns.publish([[b"second"]])
    assert wire.sent == []
    journal.acknowledged_sequence = 1
    turns.sync()
    assert wire.sent == [[b"first"]]
    journal.acknowledged_sequence = 2
    turns.publish([[b"third"]])
    turns.sync()
    assert wire.sent == [[b"first"], [b"second"], [b"third"]]
    turns.publish([[b"fourth"]])
    assert wire.sent[-1] == [b"fourth"]
