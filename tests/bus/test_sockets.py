"""Subscribers and sources on real sockets: late, cut off, and beside an engine that dies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from bus import order_link
from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.feed import FeedFrame, Topic, unpack_frame
from bus.order_link import Connected, Reports
from bus.subscriber import SILENCE_NS_MAX, SNAPSHOT_RETRY_NS, FeedSubscriber
from bus.topology import FEED, ORDERS, SNAPSHOTS, Source, endpoint
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.codec import decode_commands
from market.commands import NewOrder
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.feed_model import FeedEngine, shown
from tests.bus.messages import accepted, order
from tests.one_engine import one_engine

BOOK, TRADES, BEST = (topic.of("BTCUSDT") for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST))
DEADLINE_NS = 10 * NS_PER_SECOND


def until(is_done: Callable[[], bool], step: Callable[[], object], *sockets: ChannelSocket) -> None:
    """Take steps until it is done, waiting for a message on any of the sockets in between."""
    poller, deadline_ns = zmq.Poller(), monotonic_ns() + DEADLINE_NS
    for each in sockets:
        poller.register(each.raw, zmq.POLLIN)
    while not is_done():
        assert monotonic_ns() < deadline_ns, "it took too long"
        poller.poll(10)
        step()


class FeedServer:
    """The engine's feed and snapshots on real sockets."""

    def __init__(self, run_dir: Path, epoch: int = 1) -> None:
        self.engine = FeedEngine(epoch)
        self.feed = ChannelSocket(FEED, run_dir, "engine", is_binder=True)
        self.snapshots = ChannelSocket(SNAPSHOTS, run_dir, "engine", is_binder=True)
        self.subscribed: set[bytes] = set()
        self.snapshot_count = 0

    def trade(self, first_id: int, count: int) -> None:
        """Publish what a few orders do to the book."""
        for order_id in range(first_id, first_id + count):
            price_ticks = 100 + order_id * 7 % 11
            for frames in self.engine.handle(NewOrder(order_id, 0, order_id % 2, price_ticks, 1 + order_id % 5)):
                self.feed.send(frames)

    def serve(self) -> None:
        """Answer those who ask for a snapshot; take note of who has subscribed."""
        while (frames := self.feed.receive()) is not None:
            self.subscribed.add(frames[0][1:])
        while (frames := self.snapshots.receive()) is not None:
            *envelope, topic = frames
            snapshot = self.engine.publisher.snapshot(topic, self.engine.time_ns)
            assert snapshot is not None
            self.snapshots.send([*envelope, *snapshot])
            self.snapshot_count += 1

    def close(self) -> None:
        self.feed.close()
        self.snapshots.close()


class Follower:
    """A subscriber beside its server, in one thread, on a clock of its own."""

    def __init__(self, run_dir: Path, *topics: bytes) -> None:
        self.subscriber = FeedSubscriber(one_engine(run_dir), topics or (BOOK, TRADES, BEST))
        self.now_ns = NS_PER_SECOND
        self.step_ns = SNAPSHOT_RETRY_NS // 4

    def step(self, server: FeedServer) -> None:
        """Let some time pass, with a heartbeat."""
        self.now_ns += self.step_ns
        server.serve()
        for frames in server.engine.publisher.heartbeat(server.engine.time_ns):
            server.feed.send(frames)
        self.subscriber.receive(self.now_ns)
        self.subscriber.tick(self.now_ns)

    def follow(self, server: FeedServer) -> None:
        """Step until every replica is at the server's last message."""
        self.until(self._is_up_to(server), server)
        assert shown(self.subscriber.replicas[BOOK].book) == server.engine.book(0)

    def until(self, is_done: Callable[[], bool], server: FeedServer) -> None:
        """Step until it is done."""
        until(is_done, lambda: self.step(server), *self.subscriber.sockets, server.feed, server.snapshots)

    def _is_up_to(self, server: FeedServer) -> Callable[[], bool]:
        places = {topic: server.engine.snapshot(topic) for topic in self.subscriber.replicas}
        return lambda: all(
            replica.is_synchronised and (replica.epoch, replica.sequence) == (place.epoch, place.sequence)
            for replica, place in zip(self.subscriber.replicas.values(), places.values(), strict=True)
        )


@pytest.fixture
def server(short_dir: Path) -> Iterator[FeedServer]:
    server = FeedServer(short_dir)
    yield server
    server.close()


@pytest.fixture
def follower(short_dir: Path, server: FeedServer) -> Iterator[Follower]:
    follower = Follower(short_dir)
    yield follower
    follower.subscriber.close()


def test_comes_late_and_has_the_whole_book(server: FeedServer, follower: Follower) -> None:
    """What was published before it subscribed comes by snapshot, what follows by the feed."""
    server.trade(1, 50)
    follower.follow(server)
    asked = server.snapshot_count
    server.trade(51, 50)
    follower.follow(server)
    assert server.snapshot_count == asked, "a subscriber in step needs no snapshot"
    replicas = follower.subscriber.replicas
    assert list(replicas[TRADES].trades) == server.engine.trades[0]
    assert replicas[BEST].best == server.engine.matching.best(0)
    assert sum(replica.gap_count for replica in replicas.values()) == 0


def test_recovers_from_a_gap_and_from_a_bad_frame(server: FeedServer, follower: Follower) -> None:
    """A gap costs a snapshot of its topic; so does a bad frame, and of no other topic."""
    server.trade(1, 20)
    follower.follow(server)
    server.engine.handle(NewOrder(21, 0, 0, 90, 1))  # published to nobody
    server.trade(22, 5)
    follower.follow(server)
    assert follower.subscriber.replicas[BOOK].gap_count == 1
    server.serve()  # what it has asked twice
    asked = server.snapshot_count
    server.feed.send([BOOK, b"", b""])
    sockets = follower.subscriber.sockets
    until(lambda: follower.subscriber.error_count == 1, lambda: follower.subscriber.receive(follower.now_ns), *sockets)
    assert [topic for topic, replica in follower.subscriber.replicas.items() if replica.needs_snapshot] == [BOOK]
    follower.now_ns += 8 * SNAPSHOT_RETRY_NS  # it asks at once,
    follower.step_ns = 0  # and however late a busy machine brings the answer, it is not time to ask again
    follower.follow(server)
    assert server.snapshot_count == asked + 1


def test_follows_the_next_engine(short_dir: Path, server: FeedServer, follower: Follower) -> None:
    """The sockets come back under the same path, the epoch is new, and nothing of the old book is left."""
    server.trade(1, 20)
    follower.follow(server)
    server.close()
    restarted = FeedServer(short_dir, epoch=2)
    try:
        restarted.trade(1_000, 7)
        follower.follow(restarted)
    finally:
        restarted.close()
    assert {replica.epoch for replica in follower.subscriber.replicas.values()} == {2}


def test_knows_when_its_data_is_stale(server: FeedServer, follower: Follower) -> None:
    """In step and heard of lately, or stale: a silent engine and a gap both count."""
    subscriber = follower.subscriber
    assert not subscriber.is_live(follower.now_ns)
    follower.follow(server)
    assert subscriber.is_live(follower.now_ns)
    assert subscriber.is_live(follower.now_ns + SILENCE_NS_MAX - NS_PER_SECOND)
    assert not subscriber.is_live(follower.now_ns + SILENCE_NS_MAX)
    follower.now_ns += 2 * SILENCE_NS_MAX
    assert not subscriber.is_live(follower.now_ns)
    follower.until(lambda: subscriber.is_live(follower.now_ns), server)
    subscriber.replicas[TRADES].lose()
    assert not subscriber.is_live(follower.now_ns)


def test_keeps_topics_apart_that_start_alike(server: FeedServer, follower: Follower) -> None:
    """ZeroMQ subscribes to prefixes: book.BTCUSDTX arrives too, and is none of ours."""
    follower.follow(server)
    stranger = [BOOK + b"X", b"", b""]
    server.feed.send(stranger)
    server.trade(1, 5)
    follower.follow(server)
    assert set(follower.subscriber.replicas) == {BOOK, TRADES, BEST}
    assert follower.subscriber.replicas[BOOK].gap_count == 0


def test_answers_a_plain_req_socket(server: FeedServer, short_dir: Path) -> None:
    """A stranger in ten lines: REQ puts an empty frame into the envelope, which goes back as it came."""
    server.trade(1, 30)
    client: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
    with client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(endpoint(SNAPSHOTS, short_dir, "engine"))
        client.send(BOOK)
        until(lambda: bool(client.poll(0)), server.serve, server.snapshots)
        snapshot = unpack_frame(client.recv_multipart())
    assert isinstance(snapshot, FeedFrame)
    assert (snapshot.topic, snapshot.epoch) == (BOOK, 1)
    assert snapshot == server.engine.snapshot(BOOK)


# --- orders


class OrderServer:
    """An engine that accepts every order, on a real socket."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.link = PlainEngineEnd(77)
        self.socket = ChannelSocket(ORDERS, run_dir, "engine", is_binder=True)
        self.handled: list[int] = []

    def serve(self) -> None:
        while (frames := self.socket.receive()) is not None:
            identity, *rest = frames
            batch = self.link.receive(identity, rest)
            if batch is not None:
                ids = [each.order_id for each in decode_commands(batch.payload) if isinstance(each, NewOrder)]
                self.handled += ids[batch.skip :]
                self.link.report(batch.source, [accepted(each) for each in ids], batch.size - batch.skip, max(ids))
        for identity, frames in self.link.outgoing():
            self.socket.send([identity, *frames])

    def break_connections(self) -> None:
        """Close the socket with all that is in it, and open another at the same place."""
        self.socket.raw.setsockopt(zmq.LINGER, 0)
        self.socket.close()
        self.socket = ChannelSocket(ORDERS, self._run_dir, "engine", is_binder=True)


def test_takes_no_commands_for_an_engine_that_is_far_behind(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks `is_connected` before it sends is not surprised by an error; it goes on when there is room."""
    monkeypatch.setattr(order_link, "UNACKNOWLEDGED_FRAMES_MAX", 2)
    server, source = OrderServer(short_dir), LinkEnd(Source.FLOW, "engine", ChannelSocket(ORDERS, short_dir, "engine"))
    now_ns = NS_PER_SECOND

    def listen() -> None:
        nonlocal now_ns
        now_ns += 50 * NS_PER_MS
        source.tick(now_ns)
        list(source.receive())

    def serve() -> None:
        server.serve()
        listen()

    try:
        until(lambda: source.is_connected, serve, source.socket)
        for order_id in (1, 2):
            assert source.is_connected
            source.send([order(order_id)])
        assert not source.is_connected
        with pytest.raises(ConnectionError, match="far behind"):
            source.send([order(3)])
        until(lambda: source.is_connected, serve, source.socket)
    finally:
        source.close()
        server.socket.close()
    assert server.handled == [1, 2]


def test_loses_and_doubles_no_order_over_broken_connections(short_dir: Path) -> None:
    """Every order is handled once and in order, and every report comes once, while connections break under load."""
    server = OrderServer(short_dir)
    source = LinkEnd(Source.FLOW, "engine", ChannelSocket(ORDERS, short_dir, "engine"))
    unsent, sent, reported = list(range(1, 601)), list[int](), list[int]()
    now_ns, turn = NS_PER_SECOND, 0

    def step() -> None:
        nonlocal now_ns, turn
        turn += 1
        now_ns += 50 * NS_PER_MS
        source.tick(now_ns)
        for _ in range(20):
            if unsent and source.is_connected:
                sent.append(unsent.pop(0))
                source.send([order(sent[-1])])
        if turn % 3:
            server.serve()
        if turn in (6, 13, 14, 30):
            server.break_connections()
        for news in source.receive():
            if isinstance(news, Reports):
                reported.extend(getattr(event, "order_id", 0) for event in news.events)
            else:
                assert isinstance(news, Connected)
                assert news.is_new_epoch == (not sent)

    try:
        until(lambda: turn > 30 and not unsent and len(reported) >= len(sent), step, source.socket)
    finally:
        source.close()
        server.socket.close()
    assert server.handled == reported == sent == list(range(1, 601))
    assert source.bad_frame_count == 0
