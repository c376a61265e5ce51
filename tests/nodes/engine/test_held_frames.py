"""What an engine holds back until the disk has the journal's record, nodes/engine/node.py."""

from collections import deque
from types import SimpleNamespace
from typing import Any

from nodes.engine.node import EngineNode


class Wire:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, frames: Any) -> bool:
        self.sent.append(frames)
        return True


def test_what_is_held_is_overtaken_by_nothing_and_goes_out_when_its_record_is_synced() -> None:
    """A sync may come from the journal itself, as it begins a file: all is synced then, and frames wait still."""
    engine: Any = object.__new__(EngineNode)
    engine._held, wire = deque(), Wire()
    engine._journal = SimpleNamespace(sequence=1, acknowledged_sequence=0, sync_due=lambda _: False)
    engine._send(wire, ["first"])
    engine._journal.sequence = 2
    engine._send(wire, ["second"])
    assert wire.sent == []
    engine._journal.acknowledged_sequence = 1
    engine._on_sync_time()
    assert wire.sent == [["first"]]
    engine._journal.acknowledged_sequence = 2
    engine._send(wire, ["third"])
    engine._on_sync_time()
    assert wire.sent == [["first"], ["second"], ["third"]]
    engine._send(wire, ["fourth"])
    assert wire.sent[-1] == ["fourth"]
