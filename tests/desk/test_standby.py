"""A standby beside its primary as real processes: over a socket of this machine, and over tcp with keys.

`KILLS=all` kills a primary 200 times; without it four times.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bus.channel import ChannelSocket
from bus.curve import load_or_make_keys
from bus.engine_client import LinkEnd
from bus.order_link import Connected
from bus.topology import ORDERS, first_order_id, first_owner
from desk.role_file import RoleFile
from desk.settings import load_settings
from desk.wiring import desk_wiring
from journal.format import JournalMode
from market.clock import monotonic_ns
from market.commands import NewOrder
from market.events import Accepted, Event
from nodes.engine.making import make_core
from tests.bus.test_tcp import free_ports
from tests.desk.copies import NodeProcess, begin
from tests.desk.desk_process import BTCUSDT, LEAN, PATIENCE_S, Desk, environment, run_here, short_directory, until
from tests.desk.test_faults import FAST_FILLS
from tests.one_engine import GATEWAY
from tests.reliability import FaultRow
from venues.venue import VenueError

OWNER = first_owner(GATEWAY)
TRADERS: list["Trader"] = []  # whose sockets are open


class Engine:
    """An engine as a process of ours, in a run directory of its own."""

    def __init__(self, run_dir: Path, **settings: str) -> None:
        self.run_dir = run_dir
        self.settings = {f"TICKBUS_{name}": value for name, value in settings.items()}
        self.log_path = run_dir.parent / f"{run_dir.name}.log"
        self.process: NodeProcess | None = None
        run_dir.mkdir(mode=0o700, exist_ok=True)

    def start(self) -> "Engine":
        """Start it; it may not be ready yet."""
        self.process = begin("engine", {"TICKBUS_RUN_DIR": str(self.run_dir), **self.settings}, self.log_path)
        return self

    @property
    def log(self) -> str:
        """All that it has said, in all its lives."""
        return self.log_path.read_text()

    def end(self, number: int = signal.SIGKILL) -> int:
        """End it with a signal; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def ended(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE_S)

    def promote(self) -> Any:
        """Run the command."""
        words = ["promote", "--run-dir", str(self.run_dir)]
        return run_here(words, self.run_dir.parent, environment(**self.settings))


class Trader:
    """A source that enters orders, and knows which were acknowledged."""

    def __init__(self, run_dir: Path, **settings: str) -> None:
        overrides = {"run_dir": run_dir, **{name.lower().replace("__", "."): value for name, value in settings.items()}}
        wiring = desk_wiring(load_settings(overrides).settings)
        self.link = LinkEnd(GATEWAY, "engine", ChannelSocket(ORDERS, wiring, "engine"))
        self.sent: list[int] = []
        self.heard: list[Event] = []
        self.epochs: set[int] = set()
        TRADERS.append(self)

    @property
    def accepted(self) -> list[int]:
        """The orders that were acknowledged, in their order."""
        return [event.order_id for event in self.heard if isinstance(event, Accepted)]

    def turn(self) -> None:
        """Take what has come."""
        for news in self.link.receive():
            self.epochs.add(news.epoch)
            if not isinstance(news, Connected):
                self.heard += news.events
        self.link.tick(monotonic_ns())

    def enter(self, count: int = 1) -> None:
        """Enter orders far from each other, if the engine is there."""
        if not self.link.is_connected:
            return
        ids = [first_order_id(GATEWAY) + len(self.sent) + number for number in range(1, count + 1)]
        self.link.send([NewOrder(each, 0, 0, 1_000 + each % 1_000, 5, owner=OWNER) for each in ids])
        self.sent += ids

    def wait(self, what: str, condition: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
        """Take what comes until a condition holds."""

        def is_so() -> Any:
            self.turn()
            return condition()

        until(what, is_so, timeout_s)

    def trade(self, seconds: float) -> None:
        """Enter orders for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.enter(3)
            self.turn()
            self.link.socket.wait(1)

    def close(self) -> None:
        """Close the socket."""
        TRADERS.remove(self)
        self.link.close()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test has left that has failed: else the next one would be told of it."""
    yield
    for trader in TRADERS[:]:
        trader.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """Those of a test, which are ended with it."""
    started: list[Engine] = []
    yield started
    for engine in started:
        engine.end()


def resting(run_dir: Path) -> list[int]:
    """Return the orders that an engine has open, as its journal says: none of them ever trades."""
    copy = run_dir.parent / "copy"
    until("the journal is copied", partial(_is_copied, run_dir / "journal", copy))
    core, journal = make_core(load_settings({"run_dir": run_dir}).settings, "engine", copy, JournalMode.WRITE)
    core.recover(lambda _: None)
    journal.close()
    return sorted(core.engine.orders(0)[:, 0].tolist())


def _is_copied(journal: Path, copy: Path) -> bool:
    """Copy the journal of an engine that may live: a checkpoint may take another's place meanwhile."""
    shutil.rmtree(copy, ignore_errors=True)
    try:
        shutil.copytree(journal, copy, ignore=shutil.ignore_patterns("*.tmp"))
    except shutil.Error:
        return False
    return True


def took_s(told: str) -> float:
    """Return how long a promotion took, as the command says."""
    return float(told.split()[-2])


def follows(standby: Engine) -> bool:
    """Return whether all that its primary acknowledges is here."""
    return RoleFile(standby.run_dir, "engine").read().is_whole


def a_pair(
    folder: Path, engines: list[Engine], *, then: str = "none", **settings: str
) -> tuple[Engine, Engine, Trader]:
    """Start a primary that waits for its standby, that one, and a source that knows where both are.

    Args:
        folder: of both run directories.
        engines: to which they are added.
        then: engine.standby of the standby, for when it is primary.
        settings: of both.
    """
    primary = Engine(folder / "a", ENGINE__STANDBY="must", **settings).start()
    standby = Engine(folder / "b", ENGINE__FOLLOWS=str(folder / "a"), ENGINE__STANDBY=then, **settings)
    engines += [primary, standby]
    trader = Trader(folder / "a", ENGINE__STANDBY_AT=str(folder / "b"))
    standby.start()
    trader.wait("the primary answers", lambda: trader.link.is_connected)
    trader.enter(3)
    trader.wait("the first orders are acknowledged", lambda: len(trader.accepted) == 3)
    return primary, standby, trader


def check_takeover(standby: Engine, trader: Trader) -> None:
    """Nothing acknowledged is lost, nothing is doubled, and all that was sent is there in the end."""
    trader.wait("all is acknowledged", lambda: trader.accepted == trader.sent and not trader.link.in_flight)
    assert len(trader.epochs) == 1, "the streams go on"
    trader.link.tick(monotonic_ns())
    assert resting(standby.run_dir) == trader.sent


def test_a_standby_takes_the_place_of_a_primary_that_was_killed(
    folder: Path, engines: list[Engine], fault_row: FaultRow
) -> None:
    """It is refused while it is none; it serves within 2 s; a primary that comes back is told, and ends."""
    primary, standby, trader = a_pair(folder, engines)
    refused = primary.promote()
    assert (refused.returncode, refused.stderr) == (1, "error: engine is no standby\n")
    trader.trade(0.5)
    primary.end()
    had = set(trader.accepted)
    promoted = standby.promote()
    assert promoted.returncode == 0, promoted.stderr
    assert promoted.stdout.startswith("engine is primary now, of term 1, and serves after")
    assert took_s(promoted.stdout) < 2
    assert had <= set(resting(standby.run_dir))
    trader.wait("the source has found it", lambda: trader.link.is_connected)
    trader.trade(0.3)
    check_takeover(standby, trader)
    primary.start()
    assert primary.ended() == 3, primary.log
    assert "another engine has taken our place, with term 1" in primary.log
    primary.start()
    assert primary.ended() == 3
    assert "another engine has this one's place, of term 1: set engine.follows" in primary.log
    fault_row("primary comes back after its standby was promoted", "started again, twice: it ends, exit code 3", 2)
    trader.close()


def test_either_may_come_back_and_the_fallen_one_follows(
    folder: Path, engines: list[Engine], fault_row: FaultRow
) -> None:
    """A standby that is away is waited for; a primary goes on; who was primary follows the one that is."""
    primary, standby, trader = a_pair(folder, engines)
    standby.end()
    trader.enter(3)
    time.sleep(0.5)
    trader.turn()
    assert len(trader.accepted) == 3, "nothing is acknowledged meanwhile"
    standby.start()
    trader.wait("it is back", lambda: len(trader.accepted) == 6)
    primary.end()
    primary.start()
    trader.wait("the primary is back", lambda: trader.link.is_connected)
    trader.trade(0.3)
    trader.wait("all is acknowledged", lambda: trader.accepted == trader.sent)
    primary.end()
    standby.settings["TICKBUS_ENGINE__STANDBY"] = "must"
    standby.end(signal.SIGTERM)
    standby.start()
    until("it stands by", lambda: "ready" in standby.log.splitlines()[-1])
    assert standby.promote().returncode == 0
    primary.settings |= {"TICKBUS_ENGINE__FOLLOWS": str(standby.run_dir)}
    primary.start()
    trader.wait("it is followed", lambda: trader.link.is_connected)
    trader.trade(0.3)
    check_takeover(standby, trader)
    trader.wait("the fallen one has all", partial(follows, primary))
    assert resting(primary.run_dir) == trader.sent
    fault_row("standby dies, with `must`", "SIGKILL: nothing is acknowledged until it is back", 1)
    trader.close()


def test_a_standby_over_tcp_is_let_in_with_its_key_alone(folder: Path, engines: list[Engine]) -> None:
    """It waits until it is allowed; then it has all, and takes the place under load."""
    first, second = free_ports(), free_ports()
    keys = {name: load_or_make_keys(folder / name / "bus" / "curve.keys").public.decode() for name in ("a", "b")}
    listen = {"BUS__LISTEN": "true", "ENGINE__CHECKPOINT_S": "0.2"}
    primary = Engine(folder / "a", ENGINE__STANDBY="must", BUS__PORT=str(first), **listen).start()
    follows_at = f"127.0.0.1:{first} {keys['a']}"
    standby = Engine(folder / "b", ENGINE__FOLLOWS=follows_at, BUS__PORT=str(second), **listen).start()
    engines += [primary, standby]
    until("it is refused", lambda: keys["b"] in primary.log)
    for name, other in (("a", keys["b"]), ("b", keys["a"])):
        (folder / name / "bus" / "allowed_keys").write_text(f"{other} the other\n")
    until("it follows", lambda: follows(standby))
    place = f"127.0.0.1:{second} {keys['b']}"
    trader = Trader(folder / "a", ENGINE__STANDBY_AT=place)
    trader.wait("the primary answers", lambda: trader.link.is_connected)
    trader.trade(1)
    primary.end()
    assert standby.promote().returncode == 0, standby.log
    trader.wait("the source has found it", lambda: trader.link.is_connected)
    trader.trade(0.3)
    check_takeover(standby, trader)
    trader.close()


PARTS, MOMENTS = (20, 10) if os.environ.get("KILLS") == "all" else (1, 4)


@pytest.mark.parametrize("part", range(PARTS))
def test_whenever_the_primary_is_killed_nothing_acknowledged_is_lost(
    folder: Path, engines: list[Engine], part: int, fault_row: FaultRow
) -> None:
    """The roles change at each: who was killed comes back as the standby of the other, which waits for it."""
    random, seconds = Random(part), list[float]()
    often = {"ENGINE__CHECKPOINT_S": "1", "ENGINE__CHECKPOINT_RECORDS": "1000"}
    primary, standby, trader = a_pair(folder, engines, then="must", **often)
    for _ in range(MOMENTS):
        trader.trade(random.uniform(0.02, 0.6))
        primary.end()
        had = trader.accepted
        promoted = standby.promote()
        assert promoted.returncode == 0, f"{promoted.stderr}\n{standby.log}"
        seconds.append(took_s(promoted.stdout))
        primary, standby = standby, primary
        standby.settings["TICKBUS_ENGINE__FOLLOWS"] = str(primary.run_dir)
        standby.start()
        if RoleFile(standby.run_dir, "engine").read().role == "primary":
            assert standby.ended() == 3, "it is told that it is none any more"
            standby.start()
        trader.wait("it follows", partial(follows, standby))
        trader.wait("all is acknowledged", lambda: trader.accepted == trader.sent)
        assert trader.accepted[: len(had)] == had
    check_takeover(primary, trader)
    assert sorted(seconds)[len(seconds) // 2] < 2, seconds
    cause = "SIGKILL under load, at random; the standby, which it waits for, is promoted, and the roles change"
    fault_row("primary dies for good", cause, MOMENTS, seconds)
    trader.close()


def test_a_whole_desk_goes_on_at_the_standby(folder: Path, engines: list[Engine], fault_row: FaultRow) -> None:
    """Its engine is killed, and comes back as none; exchange, flow and maker go on, and the books agree."""
    own = {"TICKBUS_ENGINE__STANDBY": "must", "TICKBUS_ENGINE__STANDBY_AT": str(folder / "b"), **FAST_FILLS}
    desk = Desk(folder / "run", *LEAN, **own)
    standby = Engine(folder / "b", ENGINE__FOLLOWS=str(folder / "run")).start()
    engines.append(standby)
    try:
        desk.start()
        venue = desk.venue()
        until("the maker has traded", lambda: venue.trades(BTCUSDT))
        lag = until("the standby is shown", lambda: desk.node("engine")["figures"].get("standby_follows"))
        assert lag is True
        assert "a standby follows" in desk.cli("status").stdout
        os.kill(desk.node("engine")["pid"], signal.SIGKILL)
        had = [trade.trade_id for trade in venue.trades(BTCUSDT)]
        assert standby.promote().returncode == 0, standby.log
        until("the former one is none", lambda: desk.node("engine")["state"] == "failed")
        assert "another engine has taken our place" in desk.node("engine")["why"]

        def has_more() -> bool:
            try:
                return len(venue.trades(BTCUSDT)) > len(had)
            except VenueError:
                return False

        until("the maker trades again", has_more)
        assert [trade.trade_id for trade in venue.trades(BTCUSDT)][: len(had)] == had
        report = desk.cli("report")
        assert report.returncode == 0, report.stdout + report.stderr
        replayed = desk.cli("replay", "--verify")
        assert replayed.returncode == 0, replayed.stderr
        assert f"in {folder / 'b'}; the live engine says the same" in replayed.stdout
        assert "was promoted instead of this one" not in (found := desk.cli("doctor").stdout)
        assert "another engine has the place of engine, of term 1" in found
        assert "do: set engine.follows to where that one is" in found
        fault_row("engine of a whole desk dies for good", "SIGKILL; its standby is promoted, and the desk goes on", 1)
        desk.stop()
    finally:
        desk.end()
