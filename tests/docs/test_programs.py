"""The programs that a reader is shown run as they are, against a real engine and a real gateway."""

import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.order_link import Connected, Reports
from bus.topology import FEED, ORDERS, SNAPSHOTS, first_order_id, first_owner
from desk.run_dir import holder_pid
from market.clock import monotonic_ns
from market.codes import Side
from market.commands import CancelOrder, Command, NewOrder
from market.events import Accepted, Canceled, Event
from tests.bus.plain_publisher import FeedPublisher
from tests.docs.programs import ROOT, WAIT_S, Running, program_of_readme, until
from tests.one_engine import GATEWAY
from tests.pairs import default_instruments

SEED = 20
FIRST_ID = first_order_id(GATEWAY)
OWNER = first_owner(GATEWAY)
BID_TICKS, ASK_TICKS = 9_138_450, 9_138_550


@pytest.fixture
def folder() -> Iterator[Path]:
    """A working directory with an empty run directory `run`, its path short enough for a Unix socket."""
    with TemporaryDirectory(prefix="tb-") as name:
        (Path(name) / "run").mkdir(mode=0o700)
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Running]]:
    """Starts processes that end with the test."""
    running: list[Running] = []

    def start_one(*command: str) -> Running:
        running.append(Running(folder, sys.executable, "-u", *command))
        return running[-1]

    yield start_one
    for one in reversed(running):
        one.stop()


class Trader:
    """A source of orders, as the gateway is one."""

    def __init__(self, run_dir: Path) -> None:
        self._source = LinkEnd(GATEWAY, "engine", ChannelSocket(ORDERS, run_dir, "engine"))
        self.events: list[Event] = []
        self._epochs: set[int] = set()

    def meet(self) -> None:
        """Wait until an engine of a new epoch answers."""
        known = len(self._epochs)
        until("the engine answers", lambda: len(self._epochs) > known, self._turn)

    def give(self, *commands: Command) -> None:
        """Send commands and wait until the engine has handled them."""
        count = len(self.events) + len(commands)  # each of ours causes one event
        self._source.send(commands)
        until("the engine has handled the commands", lambda: len(self.events) >= count, self._turn)

    def _turn(self) -> None:
        self._source.tick(monotonic_ns())
        for news in self._source.receive():
            if isinstance(news, Connected):
                self._epochs.add(news.epoch)
            else:
                assert isinstance(news, Reports)
                self.events.extend(news.events)

    def close(self) -> None:
        """Close the socket."""
        self._source.close()


@pytest.fixture
def engine(folder: Path, start: Callable[..., Running]) -> Running:
    """An engine's node, as `cli.py node engine` runs it."""
    return start(str(ROOT / "cli.py"), "node", "engine")


@pytest.fixture
def trader(folder: Path, engine: Running) -> Iterator[Trader]:
    """A source that the engine has answered."""
    found = Trader(folder / "run")
    try:
        found.meet()
        yield found
    finally:
        found.close()


def order(number: int, side: Side, price_ticks: int, qty_lots: int = 1_094) -> NewOrder:
    """Return a limit order of ours."""
    return NewOrder(FIRST_ID + number, 0, side, price_ticks, qty_lots, owner=OWNER)


def test_readme_subscriber_has_ten_lines() -> None:
    """The README promises at most ten, of plain pyzmq and msgpack."""
    lines = program_of_readme().splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 120
    imported = re.findall(r"^(?:import|from) ([^;\n]*)", program_of_readme(), re.MULTILINE)
    assert imported == ["io, msgpack, signal, zmq"]


def test_readme_subscriber_follows_an_engine_and_its_successor(
    folder: Path, start: Callable[..., Running], engine: Running, trader: Trader
) -> None:
    """It joins late, sees changes, and takes the feed of the engine that its journal brings back after a kill -9."""
    trader.give(order(1, Side.BUY, BID_TICKS), order(2, Side.SELL, ASK_TICKS))
    subscriber = start("-c", program_of_readme())
    shown = f"({BID_TICKS}, {FIRST_ID + 1}) ({ASK_TICKS}, {FIRST_ID + 2})"
    until(f"it shows {shown}", lambda: subscriber.last().endswith(shown))
    trader.give(order(3, Side.BUY, BID_TICKS + 1), CancelOrder(FIRST_ID + 2, 0, OWNER))
    until(
        "it shows the better bid and no ask", lambda: subscriber.last().endswith(f"({BID_TICKS + 1}, {FIRST_ID + 3}) 0")
    )
    assert {type(event) for event in trader.events} == {Accepted, Canceled}

    engine.process.send_signal(signal.SIGKILL)
    engine.process.wait()
    successor = start(str(ROOT / "cli.py"), "node", "engine")
    trader.give(order(9, Side.SELL, ASK_TICKS + 7))
    shown = f"({BID_TICKS + 1}, {FIRST_ID + 3}) ({ASK_TICKS + 7}, {FIRST_ID + 9})"
    until("it shows the old bid and the new ask", lambda: subscriber.last().endswith(shown))
    assert holder_pid(folder / "run" / "engine.lock") == successor.process.pid


class LossyFeed:
    """A publisher whose feed messages are sometimes not sent, and what each book looked like."""

    def __init__(self, run_dir: Path, epoch: int, dice: random.Random) -> None:
        self._dice = dice
        self._publisher = FeedPublisher(default_instruments(), epoch)
        self._feed = ChannelSocket(FEED, run_dir, "engine", is_binder=True)
        self._snapshots = ChannelSocket(SNAPSHOTS, run_dir, "engine", is_binder=True)
        self._resting: dict[int, Accepted] = {}
        self._sequence = 0
        self._epoch = epoch
        self.truth: dict[str, str] = {}  # what a subscriber must show, by what it waits for next
        self.lost_count = 0

    def change(self) -> None:
        """Add or cancel an order at random; send what says so, or lose it."""
        self._sequence += 1
        if len(self._resting) < 5 or (len(self._resting) < 40 and self._dice.random() < 0.5):
            side = self._dice.choice((Side.BUY, Side.SELL))
            distance = self._dice.randrange(20)
            price = ASK_TICKS + distance if side else BID_TICKS - distance
            new = Accepted(self._sequence, 0, 0, FIRST_ID + self._sequence, OWNER, side, price, 5, 0, 0, 5)
            self._resting[new.order_id] = new
            event: Event = new
        else:
            gone = self._resting.pop(self._dice.choice(list(self._resting)))
            event = Canceled(self._sequence, 0, 0, gone.order_id, OWNER, gone.side, gone.price_ticks, 5, 0, 1)
        self.truth[f"[{self._epoch}, {self._sequence + 1}]"] = self._best()
        frames = self._publisher.take([event], 0)
        if self._dice.random() < 0.2:
            self.lost_count += 1
            return
        for message in frames:
            self._feed.send(message)

    def serve(self) -> None:
        """Answer requests for snapshots, and send heartbeats."""
        while self._feed.receive() is not None:
            pass
        while (frames := self._snapshots.receive()) is not None:
            *envelope, topic = frames
            snapshot = self._publisher.snapshot(topic, 0)
            assert snapshot is not None
            self._snapshots.send([*envelope, *snapshot])
        for message in self._publisher.heartbeat(0):
            self._feed.send(message)

    def close(self) -> None:
        """Close both sockets, as a process that ends does."""
        self._feed.close()
        self._snapshots.close()

    def _best(self) -> str:
        bids = [(event.price_ticks, order_id) for order_id, event in self._resting.items() if event.side == Side.BUY]
        asks = [(event.price_ticks, order_id) for order_id, event in self._resting.items() if event.side == Side.SELL]
        return f"{max(bids, default=0)} {min(asks, default=0)}"


def test_readme_subscriber_is_right_after_every_loss(folder: Path, start: Callable[..., Running]) -> None:
    """Whatever is lost on the way, each line that it prints is the book as of the sequence in it."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    subscriber = start("-c", program_of_readme())
    checked_count = 0
    for epoch in (1_000, 2_000):
        feed = LossyFeed(folder / "run", epoch, dice)
        printed_count = len(subscriber.lines())
        until("it has found the feed", partial(_has_more_lines, subscriber, printed_count), feed.serve)
        for _ in range(400):
            feed.change()
            feed.serve()
        until("it has seen the end", partial(_shows, subscriber, list(feed.truth)[-1]), feed.serve)
        feed.close()
        assert feed.lost_count > 40
        for line in subscriber.lines()[printed_count:]:
            due, _, best = line.strip().partition("] ")
            if f"{due}]" in feed.truth:  # else it is of the empty book, or was on its way when the feed was closed
                assert best == feed.truth[f"{due}]"], line
                checked_count += 1
    assert checked_count > 200


def _has_more_lines(program: Running, count: int) -> bool:
    return len(program.lines()) > count


def _shows(program: Running, beginning: str) -> bool:
    return program.last().startswith(beginning)


def test_example_order_client_enters_and_cancels(folder: Path, engine: Running, start: Callable[..., Running]) -> None:
    """It needs nothing but a socket and msgpack, and prints the messages that the README shows."""
    gateway = start(str(ROOT / "cli.py"), "node", "gateway")
    address = until("the gateway is ready", lambda: re.search(r"tcp='([^:]+):(\d+)'", "".join(gateway.lines())))
    client = start(str(ROOT / "examples" / "order_client.py"), *address.groups())
    assert client.process.wait(WAIT_S) == 0, client.lines()
    tags = [int(line.split()[0]) for line in client.lines()]
    assert tags == [35, 35, 35, 16, 19]
    assert engine.process.poll() is None


def test_readme_ccxt_program_trades_on_the_paper_exchange(engine: Running, start: Callable[..., Running]) -> None:
    """It is ccxt as it comes, with the paper exchange's URL and keys."""
    paper = start(str(ROOT / "cli.py"), "node", "paper")
    address = until("the paper exchange is ready", lambda: re.search(r"http='([^']+)'", "".join(paper.lines())))
    program = program_of_readme("import ccxt").replace("http://127.0.0.1:8084", address[1])
    client = start("-c", program)
    assert client.process.wait(WAIT_S) == 0, client.lines()
    assert [line.strip() for line in client.lines()] == [
        "canceled",
        "{'free': 10000.0, 'used': 0.0, 'total': 10000.0}",  # on a desk the maker's bid holds some of it
    ]
    assert engine.process.poll() is None
