"""Subscribers in three languages keep the engine's book, compared at every sequence they print.

They are the examples in Python and JavaScript, and one in Perl that was written from docs/protocol.md alone. One run
for all: an engine, its book feed through a relay that loses messages, a neighbour that is stopped until its
queue overflows, and a kill -9 of the engine in the middle.
"""

import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.topology import ORDERS, first_order_id, first_owner
from market.clock import monotonic_ns
from market.commands import AmendOrder, CancelOrder, Command, NewOrder
from tests.bus.lossy_relay import SHORT_QUEUE, LossyRelay
from tests.docs.programs import ROOT, WAIT_S, Running
from tests.environments.made import node_program
from tests.one_engine import GATEWAY

SEED = 41
TOPIC = b"book.BTCUSDT"
EXAMPLES = ROOT / "examples"
PERL = ROOT / "tests" / "independent" / "book_subscriber.pl"
BATCHES = 500  # before the engine dies, and again after
MID_TICKS, WIDTH_TICKS = 9_138_500, 12
OWNER = first_owner(GATEWAY)


class Crowd:
    """Random orders, amends and cancels through an order link of its own, one batch at a time."""

    def __init__(self, run_dir: Path, dice: random.Random) -> None:
        self._dice = dice
        self._source = LinkEnd(GATEWAY, "engine", ChannelSocket(ORDERS, run_dir, "engine"))
        self._last_id = first_order_id(GATEWAY)

    def turn(self) -> None:
        """Keep the link going."""
        self._source.tick(monotonic_ns())
        for _ in self._source.receive():
            pass

    @property
    def is_ready(self) -> bool:
        """Whether the engine has handled all that was sent, and takes more."""
        return self._source.is_connected and not self._source.in_flight

    def send(self) -> None:
        """Send the next batch."""
        self._source.send([self._next() for _ in range(self._dice.choice((1, 1, 2, 5, 20)))])

    def close(self) -> None:
        """Close the socket."""
        self._source.close()

    def _next(self) -> Command:
        draw, price = self._dice.random(), MID_TICKS + self._dice.randint(-WIDTH_TICKS, WIDTH_TICKS)
        known_id = max(first_order_id(GATEWAY) + 1, self._last_id - self._dice.randrange(60))
        if draw < 0.25:
            return CancelOrder(known_id, 0, OWNER)
        if draw < 0.4:
            return AmendOrder(known_id, 0, price, self._dice.randint(1, 20), OWNER)
        self._last_id += 1
        qty = self._dice.choice((1, 2, 5, 13, 40))
        display = self._dice.choice((0, 0, 0, max(1, qty // 3)))
        side = self._dice.randrange(2)
        return NewOrder(self._last_id, 0, side, price, qty, display_lots=display, owner=OWNER)


@dataclass
class Run:
    """What was shown, what should have been, and what went wrong on the way."""

    truth: dict[tuple[int, int], str]
    lost_count: int
    shown: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass
class Stage:
    """All the processes of the run, and what keeps the test's own ends of the sockets moving."""

    folder: Path
    running: list[Running] = field(default_factory=list)
    turns: list[Callable[[], None]] = field(default_factory=list)
    wait: Callable[[], object] = lambda: None  # a little, for news

    def start(self, *command: str) -> Running:
        """Start a process that ends with the stage."""
        self.running.append(Running(self.folder, *command))
        return self.running[-1]

    def start_engine(self) -> Running:
        """Start an engine's node."""
        return self.start(sys.executable, "-u", str(ROOT / "cli.py"), "node", "engine")

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Keep everything moving until `condition` holds."""
        deadline = time.monotonic() + WAIT_S
        self.turn()
        while not condition():
            assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
            self.wait()
            self.turn()

    def turn(self) -> None:
        """Move everything once."""
        for turn in self.turns:
            turn()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """The one run."""
    print(f"seed {SEED}")
    with TemporaryDirectory(prefix="tb-") as name:
        stage = Stage(Path(name))
        for folder in ("run", "relay", "node"):
            (stage.folder / folder).mkdir(mode=0o700)
        dice = random.Random(SEED)
        relay = LossyRelay(stage.folder / "run", stage.folder / "relay", TOPIC, dice)
        crowd = Crowd(stage.folder / "run", dice)
        stage.turns, stage.wait = [relay.turn, crowd.turn], relay.wait
        try:
            yield _play(stage, relay, crowd)
        finally:
            for process in stage.running:
                process.stop()
            relay.close()
            crowd.close()


def _play(stage: Stage, relay: LossyRelay, crowd: Crowd) -> Run:
    engine = stage.start_engine()
    skipped: dict[str, str] = {}
    python = [sys.executable, "-u", str(EXAMPLES / "subscriber.py"), "relay"]
    watched = {"python": stage.start(*python), "neighbour": stage.start(*python)}
    try:
        command = node_program(EXAMPLES / "subscriber.mjs", EXAMPLES, stage.folder / "node")
        watched["javascript"] = stage.start(*command, "relay")
    except pytest.skip.Exception as reason:
        skipped["javascript"] = str(reason)
    if (perl := shutil.which("perl")) is None:
        skipped["perl"] = "there is no Perl on this machine"
    else:
        watched["perl"] = stage.start(perl, str(PERL), "--gaps-max", "0", "relay")
    stage.until("all show the book", lambda: all(process.lines() for process in watched.values()))

    neighbour = watched["neighbour"].process
    neighbour.send_signal(signal.SIGSTOP)
    _give(stage, crowd)
    neighbour.send_signal(signal.SIGCONT)
    stage.until("the neighbour is in step again", lambda: _have_arrived(relay, [watched["neighbour"]]))
    engine.process.send_signal(signal.SIGKILL)
    engine.process.wait()
    stage.running.remove(engine)
    stage.start_engine()
    _give(stage, crowd)
    relay.is_lossy = False
    stage.until("all have arrived at the end", lambda: _have_arrived(relay, list(watched.values())))
    shown = {name: [line.strip() for line in process.lines()] for name, process in watched.items()}
    wanted = {_position(line) for lines in shown.values() for line in lines}
    return Run(relay.truth(wanted), relay.lost_count, shown, skipped)


def _give(stage: Stage, crowd: Crowd) -> None:
    for _ in range(BATCHES):
        stage.until("the engine has handled all so far", lambda: crowd.is_ready)
        crowd.send()
    stage.until("the engine has handled all", lambda: crowd.is_ready)


def _have_arrived(relay: LossyRelay, watched: list[Running]) -> bool:
    """Whether the last line of each is of the last message that was sent."""
    last = relay.frames[-1]
    return all(_position(process.last()) == (last.epoch, last.next_sequence - 1) for process in watched)


def _position(line: str) -> tuple[int, int]:
    """Return epoch and sequence of a line, zeros if it says that the desk is silent."""
    epoch, sequence, *_ = line.split()
    return (int(epoch), int(sequence)) if epoch.isdigit() else (0, 0)


@pytest.mark.parametrize("language", ["python", "javascript", "perl"])
def test_book_is_right_at_every_sequence(run: Run, language: str) -> None:
    """Through lost messages, a stopped neighbour and a killed engine, no line that is printed shows another book."""
    if language in run.skipped:
        pytest.skip(run.skipped[language])
    _check(run, run.shown[language])
    shown = [position for position in map(_position, run.shown[language]) if position != (0, 0)]
    assert len({epoch for epoch, _ in shown}) == 2, "it has met both engines"
    assert shown == sorted(shown), "it never goes back"
    assert len(shown) > 300, f"only {len(shown)} books were compared; {run.lost_count} messages were lost"
    assert run.lost_count > 20


def test_stopped_neighbour_is_right_when_it_comes_back(run: Run) -> None:
    """What ZeroMQ drops for it alone it notices by itself: it shows the book of the end, and no wrong one before."""
    _check(run, run.shown["neighbour"])
    assert len(run.shown["neighbour"]) + SHORT_QUEUE / 2 < len(run.shown["python"]), "its queue overflowed"


def _check(run: Run, lines: list[str]) -> None:
    for line in lines:
        if (position := _position(line)) != (0, 0):
            assert line == run.truth[position]
