"""A disk that does not answer for a while: what is promised waits for it, nothing else does, and nothing is lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.codes import RejectReason, Side
from market.commands import NewOrder
from market.events import Accepted, Rejected
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.reliability import FaultRow
from venues.gateway import GatewaySession

STALL_S = 2.0
ORDERS = 20
PATCH = """
import os, pathlib, time
folder = pathlib.Path(__file__).parent
def slow(call):
    def wait(descriptor):
        if (folder / "stalled").exists():
            (folder / "waits").touch()
            while (folder / "stalled").exists():
                time.sleep(0.01)
        return call(descriptor)
    return wait
os.fsync, os.fdatasync = slow(os.fsync), slow(os.fdatasync)
"""


class SlowDisk:
    """What an engine's process has in its path: its syncs wait while `stalled` is there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(PATCH)
        self.path = str(folder)
        self._stalled, self._waits = folder / "stalled", folder / "waits"

    def stall(self) -> None:
        """Let the next sync wait."""
        self._stalled.touch()

    def until_met(self) -> None:
        """Wait until a sync waits."""
        until("a sync waits for the disk", self._waits.exists)

    def go_on(self) -> None:
        """Let syncs end."""
        self._stalled.unlink()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one, for Unix sockets."""
    with short_directory() as path:
        yield path


def _orders(session: GatewaySession) -> list[NewOrder]:
    first = session.state.last_order_id + 1
    return [NewOrder(number, 0, Side.BUY, 9_000_000, 1) for number in range(first, first + ORDERS)]


def _told(session: GatewaySession, wait_s: float = 0.05) -> list[tuple[int, bool]]:
    """Return of which orders the first report has come, and whether it says that they are in."""
    events = [event for event in session.receive(wait_s) if isinstance(event, Accepted | Rejected)]
    refusals = {event.reason for event in events if isinstance(event, Rejected)}
    assert refusals <= {RejectReason.ENGINE_UNAVAILABLE}, refusals
    return [(event.order_id, isinstance(event, Accepted)) for event in events]


def _all_told(session: GatewaySession) -> list[tuple[int, bool]]:
    told: list[tuple[int, bool]] = []

    def is_done() -> bool:
        told.extend(_told(session))
        return not session.state.unanswered_count

    until("every order is answered", is_done)
    return sorted(told + _told(session, 0.2))  # a second answer would be here by now


@pytest.mark.parametrize("mode", ["sync", "group"])
def test_nothing_is_acknowledged_before_the_disk_has_it(folder: Path, mode: str, fault_row: FaultRow) -> None:
    """Orders wait as long as the disk does, or are refused as the engine is away; each is answered once."""
    disk = SlowDisk(folder / "disk")
    with Pair(folder, TICKBUS_ENGINE__JOURNAL=mode, PYTHONPATH=disk.path).working() as pair:
        session = GatewaySession("slow", port=pair.port)
        session.send(_orders(session))
        assert all(is_in for _, is_in in _all_told(session))
        disk.stall()
        session.send(_orders(session))
        disk.until_met()
        early: list[tuple[int, bool]] = []
        end_s = time.monotonic() + STALL_S
        while time.monotonic() < end_s:
            early += [each for each in _told(session) if each[1]]
        assert not early, "acknowledged though the disk has not answered"
        session.send(_orders(session))  # into the stall
        disk.go_on()
        told = _all_told(session)
        session.close()
    assert [order_id for order_id, _ in told] == [*range(ORDERS + 1, 3 * ORDERS + 1)], "each is answered once"
    assert all(is_in for _, is_in in told[:ORDERS]), "what was on its way is lost"
    fault_row("disk stalls", f"a sync of the journal that takes {STALL_S:.0f} s; modes `group` and `sync`", 1)


def test_a_checkpoint_that_waits_for_the_disk_holds_nobody_up(folder: Path, fault_row: FaultRow) -> None:
    """In mode write nobody waits for a sync: orders are answered while a checkpoint's hangs, as ever."""
    disk = SlowDisk(folder / "disk")
    with Pair(folder, TICKBUS_ENGINE__CHECKPOINT_S="0.1", PYTHONPATH=disk.path).working() as pair:
        session = GatewaySession("quick", port=pair.port)
        disk.stall()
        session.send(_orders(session))
        assert all(is_in for _, is_in in _all_told(session))
        disk.until_met()
        session.send(_orders(session))
        assert all(is_in for _, is_in in _all_told(session)), "answered although the disk still hangs"
        disk.go_on()
        session.close()
    fault_row("disk stalls", "a sync of a checkpoint that does not end: orders are answered all the same", 1)
