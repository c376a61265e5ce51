"""What a simulated connection does to what it carries, and what it never does."""

from functools import partial
from random import Random

import pytest

from bus.topology import FEED, ORDERS
from simulation.faults.life import Life
from simulation.faults.network import CONNECT_NS, Bound, Connecting, Network, Trouble
from simulation.heap import EventHeap

CALM = Trouble()
COUNT = 300
START_NS = 10**18


class Pair:
    """A process that binds and one that connects."""

    def __init__(self, trouble: Trouble, seed: int = 5) -> None:
        self.heap = EventHeap(START_NS)
        self.network = Network(self.heap, Random(seed), trouble)
        self.lives = [Life(self.heap, name, lambda *_: False, self.network.forget) for name in ("binds", "connects")]
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.bound = self.bind()
        self.connecting: Connecting = self.network.connect(ORDERS, "engine", self.lives[1], self._on_down)
        self.wait()

    def bind(self) -> Bound:
        """Be there."""
        self.bound = self.network.bind(ORDERS, "engine", self.lives[0], self._on_up)
        return self.bound

    def wait(self) -> None:
        """Let all arrive that will, and whoever is alone connect."""
        until_ns = self.heap.now_ns + CONNECT_NS[1]
        while (next_ns := self.heap.next_ns) is not None and next_ns <= until_ns:
            self.heap.now_ns = next_ns
            self.heap.run_due()
        self.heap.now_ns = until_ns

    def send(self, count: int = COUNT) -> None:
        """Send numbered frames both ways."""
        (identity,) = self.bound.peers
        for number in range(count):
            self.lives[1].run(partial(self.connecting.send, [b"%d" % number]))
            self.lives[0].run(partial(self.bound.send, [identity, b"%d" % number]))

    def _on_up(self) -> None:
        while (frames := self.bound.receive()) is not None:
            self.up.append(frames[1])

    def _on_down(self) -> None:
        while (frames := self.connecting.receive()) is not None:
            self.down.append(frames[0])


ALL = [b"%d" % number for number in range(COUNT)]


def test_a_connection_that_holds_keeps_everything_and_its_order() -> None:
    """As ZeroMQ's do; only how long it takes is drawn."""
    pair = Pair(CALM)
    pair.send()
    pair.wait()
    assert pair.up == pair.down == ALL


@pytest.mark.parametrize(
    ("trouble", "is_complete", "is_once", "is_in_order"),
    [
        (Trouble(lost=0.1), False, True, True),
        (Trouble(repeated=0.1), True, False, False),
        (Trouble(overtaken=0.1), True, True, False),
    ],
)
def test_trouble_is_what_it_is_called(trouble: Trouble, is_complete: bool, is_once: bool, is_in_order: bool) -> None:
    """Else what is said to be borne was never there."""
    pair = Pair(trouble)
    pair.send()
    pair.wait()
    for heard in (pair.up, pair.down):
        assert (set(heard) == set(ALL)) is is_complete
        assert (len(heard) == len(set(heard))) is is_once
        assert ([int(each) for each in heard] == sorted(int(each) for each in heard)) is is_in_order


def test_a_cut_connection_heals_and_brings_nothing_down_that_was_on_its_way() -> None:
    """What was on its way up may be read late, or be sent again: never twice."""
    pair = Pair(CALM)
    pair.send()
    pair.network.cut()
    pair.wait()
    assert len(pair.up) == len(set(pair.up))
    assert pair.down == []
    assert pair.connecting.connection is not None
    pair.send(1)
    pair.wait()
    assert pair.down == [b"0"]


def test_whoever_died_hears_nothing_any_more_and_another_may_take_its_place() -> None:
    """A socket of a dead process takes nothing; the one that lives finds its successor."""
    pair = Pair(CALM)
    pair.send()
    pair.lives[0].die()
    before = list(pair.up)
    pair.wait()
    assert pair.up == before
    assert pair.connecting.connection is None
    pair.lives[0] = Life(pair.heap, "binds", lambda *_: False, pair.network.forget)
    pair.bind()
    pair.wait()
    pair.up.clear()
    pair.send(3)
    pair.wait()
    assert pair.up == [b"0", b"1", b"2"]


def test_a_feed_reaches_those_who_asked_for_its_topic() -> None:
    """By the beginning of the topic, as ZeroMQ's subscriptions do."""
    pair = Pair(CALM)
    heard: list[bytes] = []
    feed = pair.network.bind(FEED, "engine", pair.lives[0], lambda: None)
    reader = pair.network.connect(FEED, "engine", pair.lives[1], lambda: heard.extend(reader.receive() or []))
    reader.subscribe(b"book")
    pair.wait()
    for topic in (b"book.A", b"trades.A", b"book.B"):
        pair.lives[0].run(partial(feed.send, [topic]))
    pair.wait()
    assert heard == [b"book.A", b"book.B"]
    assert feed.receive() == [b"\x01book"]
