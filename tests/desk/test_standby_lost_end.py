"""A standby has what its primary's disk has lost, or what its primary was stopped with: as real processes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.topology import ORDERS, Source, first_order_id, first_owner
from desk.halted_file import HaltedFile
from market.clock import monotonic_ns
from market.commands import CancelOrder, NewOrder
from nodes.engine.command_record import COMMANDS
from nodes.engine.inspection import verify
from tests.desk.desk_process import short_directory, until
from tests.desk.test_standby import Engine, follows
from tests.reliability import FaultRow

SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
ORDER = NewOrder(first_order_id(Source.FLOW) + 1, 0, 0, 1_000, 5, owner=first_owner(Source.FLOW))


class Pair:
    """A primary that waits for its standby, that one, and a flow, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.primary = Engine(folder / "a", ENGINE__STANDBY="must").start()
        self.standby = Engine(folder / "b", ENGINE__FOLLOWS=str(folder / "a")).start()
        self.flow = LinkEnd(Source.FLOW, "engine", ChannelSocket(ORDERS, folder / "a", "engine"))
        until("the primary answers", lambda: self.turn() and self.flow.is_connected)

    def turn(self) -> bool:
        """Take what has come for the flow."""
        for _ in self.flow.receive():
            pass
        self.flow.tick(monotonic_ns())
        return True

    def close(self) -> None:
        """End all of it."""
        self.flow.close()
        self.primary.end()
        self.standby.end()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both, and one order of the flow, which both have."""
    with short_directory() as folder:
        pair = Pair(folder)
        try:
            pair.flow.send([ORDER])
            until("the standby has the order", lambda: pair.turn() and not pair.flow.in_flight)
            until("and is level", lambda: follows(pair.standby))
            yield pair
        finally:
            pair.close()


def _records(engine: Engine) -> int:
    return int(verify(engine.run_dir / "journal")["records"])


def test_a_primary_that_was_without_its_standby_leaves_no_checkpoint(pair: Pair, fault_row: FaultRow) -> None:
    """It may have written other records in the place of what its disk has lost, and the standby alone has."""
    primary, standby = pair.primary, pair.standby
    standby.end()
    primary.end()
    last = COMMANDS.files(primary.run_dir / "journal")[-1]
    os.truncate(last, last.stat().st_size - 3)
    had = _records(standby)
    primary.start()
    for number, symbol in enumerate(SYMBOLS):
        HaltedFile(primary.run_dir, SYMBOLS).change([symbol], is_halted=True)
        until("it is halted", lambda number=number: _records(primary) >= had + number)  # type: ignore[misc]
    assert primary.end(signal.SIGTERM) == 0
    assert _records(primary) > had
    assert not list((primary.run_dir / "journal").glob("checkpoint-*"))
    primary.start()
    standby.start()
    assert standby.ended() == 3, standby.log
    assert "the primary has not what it has told us before" in standby.log
    assert _records(standby) == had
    cause = "the last record cut off, others in its place: the standby keeps what it has, exit code 3"
    fault_row("disk of a primary loses its journal's end", cause, 1)


def test_a_primary_that_is_stopped_before_its_standby_has_all_keeps_its_journal(pair: Pair) -> None:
    """Its book is empty, and the standby's is not: that one stayed down, and a person had to move its journal away."""
    primary, standby = pair.primary, pair.standby
    records = _records(primary)
    standby.end()
    pair.flow.send([CancelOrder(ORDER.order_id, 0, ORDER.owner)])
    until("it is cancelled", lambda: pair.turn() and _records(primary) > records)
    assert primary.end(signal.SIGTERM) == 0
    assert list((primary.run_dir / "journal").glob("*.journal")), "the standby lacks some of it"
    primary.start()
    standby.start()
    until("it has all", lambda: _records(standby) == _records(primary) > records)
    assert "begun with an empty book" not in standby.log


def test_a_standby_that_is_stopped_leaves_a_checkpoint(pair: Pair) -> None:
    """Behind its last record, as a primary does: another release goes on from there alone."""
    records = _records(pair.standby)
    assert pair.standby.end(signal.SIGTERM) == 0
    found = verify(pair.standby.run_dir / "journal")
    assert (found["begins_after"], found["records"]) == (records, records)
