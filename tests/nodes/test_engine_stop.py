"""What a clean stop of the engine's node leaves behind."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.order_source import OrderSource
from bus.topology import Source
from market.clock import monotonic_ns
from market.commands import CancelOrder, Command, NewOrder
from tests.docs.programs import ROOT, WAIT_S, Running, until

OWNER, ORDER_ID = Source.GATEWAY.first_owner, Source.GATEWAY.first_order_id + 1


@pytest.fixture
def folder() -> Iterator[Path]:
    """A working directory with a run directory."""
    with TemporaryDirectory(prefix="tb-") as name:
        (Path(name) / "run").mkdir(mode=0o700)
        yield Path(name)


def lived(folder: Path, *commands: Command) -> None:
    """Let an engine handle the commands, and stop it with SIGTERM."""
    engine = Running(folder, sys.executable, "-u", str(ROOT / "cli.py"), "node", "engine")
    source = OrderSource(Source.GATEWAY, folder / "run")

    def turn() -> None:
        source.tick(monotonic_ns())
        for _ in source.receive():
            pass

    try:
        until("the engine answers", lambda: source.is_connected, turn)
        source.send(commands)
        until("it has handled all", lambda: not source.in_flight, turn)
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(WAIT_S) == 0, engine.lines()
    finally:
        source.close()
        engine.stop()


def test_journal_of_an_empty_book_is_put_aside_and_that_of_open_orders_stays(folder: Path) -> None:
    """A journal grows with every command; a start must not read a day's to find that nothing is open."""
    order = NewOrder(ORDER_ID, 0, 0, 9_000_000, 5, owner=OWNER)
    lived(folder, order, CancelOrder(ORDER_ID, 0, OWNER))
    assert not (folder / "run" / "journal").exists()
    assert list((folder / "run" / "journal.before").glob("*.journal"))
    lived(folder, order)
    assert list((folder / "run" / "journal").glob("*.journal"))
