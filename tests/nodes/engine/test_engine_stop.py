"""What a clean stop of the engine's node leaves behind."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.order_link import Connected
from bus.topology import ORDERS, Source, first_order_id, first_owner
from desk.halted_file import HaltedFile
from market.clock import monotonic_ns
from market.commands import CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Event, Executed, Halted, Rejected
from nodes.engine.command_record import COMMANDS
from tests.desk.copies import begin
from tests.desk.desk_process import until
from tests.one_engine import GATEWAY
from tests.reliability import FaultRow

OWNER, ORDER_ID = first_owner(GATEWAY), first_order_id(GATEWAY) + 1


@pytest.fixture
def folder() -> Iterator[Path]:
    """A working directory with a run directory."""
    with TemporaryDirectory(prefix="tb-") as name:
        (Path(name) / "run").mkdir(mode=0o700)
        yield Path(name)


class Life:
    """An engine as a process of ours, and the sources that talk to it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._place = folder / "run"
        self._log = folder / "engine.log"
        self._engine = begin("engine", {"TICKBUS_RUN_DIR": str(self._place), **settings}, self._log)
        self._sources: list[LinkEnd] = []
        self.epoch = 0

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, *_: object) -> None:
        for source in self._sources:
            source.close()
        self._engine.kill()
        self._engine.wait()

    def source(self, source: int, resume: tuple[int, int] = (0, 0)) -> tuple[LinkEnd, list[Event]]:
        """Let a source come, and return it with what it hears of its orders."""
        one, heard = (
            LinkEnd(source, "engine", ChannelSocket(ORDERS, self._place, "engine"), resume=resume),
            list[Event](),
        )
        self._sources.append(one)
        self._wait("the engine answers", one, heard, lambda: one.is_connected)
        return one, heard

    def give(self, source: LinkEnd, heard: list[Event], *commands: Command, is_acknowledged: bool = True) -> None:
        """Send commands, and wait until all are reported; acknowledge the reports or not."""
        source.send(commands)
        self._wait("it has handled all", source, heard, lambda: not source.in_flight)
        if is_acknowledged:
            source.tick(monotonic_ns())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the engine with a signal, and return its epoch."""
        for source in self._sources:
            source.close()
        self._engine.send_signal(number)
        assert self._engine.wait() == (0 if number == signal.SIGTERM else -number), self._log.read_text()
        return self.epoch

    def come(self, source: int, resume: tuple[int, int]) -> LinkEnd:
        """Let a source come; whether it is answered is not waited for."""
        one = LinkEnd(source, "engine", ChannelSocket(ORDERS, self._place, "engine"), resume=resume)
        self._sources.append(one)
        return one

    def ended(self, source: int, resume: tuple[int, int]) -> tuple[int, str]:
        """Let a source come until the engine has ended by itself; return its exit code and what it has said."""
        one = self.come(source, resume)

        def is_so() -> bool:
            one.tick(monotonic_ns())
            return self._engine.poll() is not None

        until("it has ended", is_so)
        return self._engine.wait(), self._log.read_text()

    def _wait(self, what: str, source: LinkEnd, heard: list[Event], condition: Callable[[], bool]) -> None:
        def is_so() -> bool:
            self._turn(source, heard)
            return condition()

        until(what, is_so)

    def _turn(self, source: LinkEnd, heard: list[Event]) -> None:
        for news in source.receive():
            self.epoch = news.epoch
            heard.extend(() if isinstance(news, Connected) else news.events)
        if not source.is_connected:
            source.tick(monotonic_ns())


def lived(folder: Path, *commands: Command, end: signal.Signals = signal.SIGTERM) -> int:
    """Let an engine handle the commands, end it with a signal, and return its epoch."""
    with Life(folder) as life:
        life.give(*life.source(GATEWAY), *commands)
        return life.end(end)


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


def test_a_fill_that_an_exchange_was_not_there_to_hear_of_outlives_a_stop(folder: Path) -> None:
    """Nothing is open, but what filled the last order is still owed: without it the order would be entered again."""
    mine, other = (NewOrder(first_order_id(source) + 1, 0, side, 9_000_000, 5, owner=first_owner(source))
                   for source, side in ((Source.PAPER, 0), (Source.FLOW, 1)))  # fmt: skip
    with Life(folder) as life:
        life.give(*life.source(Source.PAPER), mine)
        life.give(*life.source(Source.FLOW), other, is_acknowledged=False)  # a flow keeps nothing: it is owed nothing
        epoch = life.end()
    assert list((folder / "run" / "journal").glob("*.journal"))
    with Life(folder) as life:
        paper, heard = life.source(Source.PAPER, (epoch, 1))  # it has had Accepted
        life.give(paper, heard, MassCancel(owner=mine.owner))
        assert [type(event) for event in heard] == [Executed]
        assert life.end() == epoch
    assert not (folder / "run" / "journal").exists()


def test_reports_that_nobody_has_acknowledged_are_there_after_a_stop(folder: Path) -> None:
    """The source was killed before it kept them: its successor gets them from the journal, however empty the book."""
    order, cancel = NewOrder(ORDER_ID, 0, 0, 9_000_000, 5, owner=OWNER), CancelOrder(ORDER_ID, 0, OWNER)
    with Life(folder) as life:
        source, heard = life.source(GATEWAY)
        life.give(source, heard, order, cancel, is_acknowledged=False)
        epoch = life.end()
    with Life(folder) as life:
        again, heard_again = life.source(GATEWAY, (epoch, 0))
        life.give(again, heard_again, cancel)
        assert heard_again[: len(heard)] == heard
        assert life.end() == epoch
    assert not (folder / "run" / "journal").exists()


def test_a_symbol_stays_halted_for_as_long_as_the_file_says_so(folder: Path) -> None:
    """A resume that crosses a halt on its way, or could not take it out of the file, does not end it."""
    order = NewOrder(ORDER_ID, 0, 0, 9_000_000, 5, owner=OWNER)
    kept = HaltedFile(folder / "run", ["BTCUSDT"])
    kept.change(["BTCUSDT"], is_halted=True)
    with Life(folder) as life:
        gateway, heard = life.source(GATEWAY)
        operator, told = life.source(Source.OPERATOR)
        life.give(gateway, heard, order)
        assert isinstance(heard[-1], Rejected)
        life.give(operator, told, HaltSymbol(0, 0))
        assert told == [Halted(0, 0, 0, 0)]

        def is_refused() -> bool:
            life.give(gateway, heard, order._replace(order_id=ORDER_ID + len(heard)))
            return isinstance(heard[-1], Rejected)

        until("it is halted again", is_refused)
        kept.change(["BTCUSDT"], is_halted=False)
        life.give(operator, told, HaltSymbol(0, 0))
        until("it is resumed", lambda: not is_refused())
        life.end()


@pytest.mark.parametrize("has_standby", [False, True])
def test_an_engine_whose_disk_has_lost_what_it_has_told_does_not_go_on(
    folder: Path, fault_row: FaultRow, *, has_standby: bool
) -> None:
    """The source would take its next reports for those that it has had; nothing is changed, and the way is told."""
    orders = [NewOrder(ORDER_ID + number, 0, 0, 9_000_000, 5, owner=OWNER) for number in range(2)]
    with Life(folder) as life:
        source, heard = life.source(GATEWAY)
        for order in orders:
            life.give(source, heard, order)
        epoch = life.end(signal.SIGKILL)
    journal = folder / "run" / "journal"
    last = COMMANDS.files(journal)[-1]
    os.truncate(last, last.stat().st_size - 3)
    with Life(folder, **({"TICKBUS_ENGINE__STANDBY": "must"} if has_standby else {})) as life:
        code, said = life.ended(GATEWAY, (epoch, 2))
    assert code == 3, said
    assert "has had 2 reports and, by its journal, this engine has told it 1: the disk has lost" in said
    assert ("the standby has it: promote that one" in said.lower()) == has_standby
    assert f"move {journal} away" in said
    fault_row("disk loses the journal's end", "the last record cut off, which was told: it stays down, and says so", 1)
