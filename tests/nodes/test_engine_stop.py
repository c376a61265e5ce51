"""What a clean stop of the engine's node leaves behind."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.order_link import Connected
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


def lived(folder: Path, *commands: Command, end: signal.Signals = signal.SIGTERM) -> int:
    """Let an engine handle the commands, end it with a signal, and return its epoch."""
    engine = Running(folder, sys.executable, "-u", str(ROOT / "cli.py"), "node", "engine")
    source = OrderSource(Source.GATEWAY, folder / "run")

    epochs = set[int]()

    def turn() -> None:
        source.tick(monotonic_ns())
        epochs.update(news.epoch for news in source.receive() if isinstance(news, Connected))

    try:
        until("the engine answers", lambda: source.is_connected, turn)
        source.send(commands)
        until("it has handled all", lambda: not source.in_flight, turn)
        engine.process.send_signal(end)
        assert engine.process.wait(WAIT_S) == (0 if end == signal.SIGTERM else -end), engine.lines()
    finally:
        source.close()
        engine.stop()
    (epoch,) = epochs
    return epoch


def test_journal_of_an_empty_book_is_put_aside_and_that_of_open_orders_stays(folder: Path) -> None:
    """A journal grows with every command; a start must not read a day's to find that nothing is open."""
    order = NewOrder(ORDER_ID, 0, 0, 9_000_000, 5, owner=OWNER)
    lived(folder, order, CancelOrder(ORDER_ID, 0, OWNER))
    assert not (folder / "run" / "journal").exists()
    assert list((folder / "run" / "journal.before").glob("*.journal"))
    lived(folder, order)
    assert list((folder / "run" / "journal").glob("*.journal"))


def test_epoch_of_a_killed_engine_goes_on_though_its_book_is_empty(folder: Path) -> None:
    """A new epoch would end what was on its way to the one that was killed; a gateway told its client so."""
    order, cancel = NewOrder(ORDER_ID, 0, 0, 9_000_000, 5, owner=OWNER), CancelOrder(ORDER_ID, 0, OWNER)
    epoch = lived(folder, order, cancel, end=signal.SIGKILL)
    assert lived(folder, order, cancel) == epoch
    assert lived(folder) > epoch, "it was stopped, and nothing was open"
