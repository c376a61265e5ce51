"""A subscriber that does not keep up: it stops itself and says so, and nobody else notices."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.feed import FeedError, FeedFrame, Topic, TopicReplica
from bus.subscriber import LOSSES_MAX, LOSSES_NS, SNAPSHOT_RETRY_NS, FeedSubscriber, SubscriberBehindError
from market.clock import NS_PER_SECOND, monotonic_ns
from market.feed_messages import BookChecksum, BookOrder
from tests.bus import test_sockets
from tests.bus.feed_model import shown
from tests.bus.slow_subscriber import BEHIND, SHORT_FEED
from tests.bus.test_sockets import FeedServer
from tests.one_engine import one_engine

ROOT = Path(__file__).resolve().parents[2]
BOOK = Topic.BOOK.of("BTCUSDT")
WAIT_NS = 60 * NS_PER_SECOND
NOISE = [BOOK + b"X", b"", b"\xc1" * 3_000]  # of a longer symbol that begins with ours; it fills buffers


@pytest.fixture
def server(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    monkeypatch.setattr(test_sockets, "FEED", SHORT_FEED)
    server = FeedServer(short_dir)
    yield server
    server.close()


@pytest.fixture
def neighbour(short_dir: Path) -> Iterator[FeedSubscriber]:
    one = FeedSubscriber(one_engine(short_dir), [BOOK])
    yield one
    one.close()


@pytest.fixture
def slow(short_dir: Path) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "tests.bus.slow_subscriber", str(short_dir)]
    with (short_dir / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, text=True)
    yield process
    process.kill()
    process.wait()


def test_stops_itself_and_says_so_while_its_neighbour_is_in_step(
    short_dir: Path, server: FeedServer, neighbour: FeedSubscriber, slow: "subprocess.Popen[str]"
) -> None:
    """A process that is stopped again and again loses messages each time, recovers, and at last gives up by itself."""
    order_ids = iter(range(1, 1_000_000))

    def turn(*, is_loud: bool = False) -> None:
        server.trade(next(order_ids), 1)
        if is_loud:
            server.feed.send(NOISE)
        server.serve()
        neighbour.receive(monotonic_ns())
        neighbour.tick(monotonic_ns())

    def until(is_done: Callable[[], bool]) -> None:
        deadline_ns = monotonic_ns() + WAIT_NS
        while not is_done():
            assert monotonic_ns() < deadline_ns, (short_dir / "said").read_text()
            turn()
            neighbour.sockets[0].wait(20)

    def catch_up() -> None:
        last, deadline_ns = server.engine.snapshot(BOOK).sequence, monotonic_ns() + WAIT_NS
        while neighbour.replicas[BOOK].sequence < last:
            assert monotonic_ns() < deadline_ns
            neighbour.sockets[0].wait(5)
            neighbour.receive(monotonic_ns())

    def said() -> list[str]:
        return (short_dir / "said").read_text().splitlines()

    until(lambda: neighbour.replicas[BOOK].is_synchronised)
    for round_count in range(1, LOSSES_MAX + 1):
        until(lambda count=round_count: len(said()) >= count or slow.poll() is not None)  # type: ignore[misc]
        slow.send_signal(signal.SIGSTOP)
        for _ in range(60):
            for _ in range(10):
                turn(is_loud=True)
            catch_up()
        slow.send_signal(signal.SIGCONT)
    until(lambda: slow.poll() is not None)
    assert slow.returncode == BEHIND
    assert said()[:-1] == ["in step"] * LOSSES_MAX
    assert said()[-1].startswith(
        f"book.BTCUSDT is faster than this subscriber: it has lost messages {LOSSES_MAX} times"
    )
    catch_up()
    assert neighbour.replicas[BOOK].gap_count == 0
    assert shown(neighbour.replicas[BOOK].book) == server.engine.book(0)


def _lose(subscriber: FeedSubscriber, now_ns: int, epoch: int = 1) -> None:
    """Let it take a snapshot, and then miss a message."""
    replica = subscriber.replicas[BOOK]
    replica.on_snapshot(FeedFrame(BOOK, epoch, replica.sequence + 10, 0, []))
    replica.on_frame(FeedFrame(BOOK, epoch, replica.sequence + 2, 0, [BookOrder(1, 0, 100, 1)]))
    subscriber.tick(now_ns)


def test_may_lose_now_and_then(neighbour: FeedSubscriber) -> None:
    """Gaps that are far apart are healed without end; restarts of the engine are none."""
    for round_count in range(1, 3 * LOSSES_MAX):
        _lose(neighbour, round_count * LOSSES_NS // (LOSSES_MAX - 2))
    replica = neighbour.replicas[BOOK]
    for epoch in range(2, 3 * LOSSES_MAX):
        replica.on_snapshot(FeedFrame(BOOK, epoch, 1, 0, []))
        replica.on_frame(FeedFrame(BOOK, epoch + 1, 1, 0, []))
        neighbour.tick(100 * LOSSES_NS)
    replica.on_snapshot(FeedFrame(BOOK, 100, 1, 0, []))  # of no use: what waits is another engine's
    for _ in range(LOSSES_MAX - 1):
        _lose(neighbour, 200 * LOSSES_NS, epoch=100)
    with pytest.raises(SubscriberBehindError, match=f"lost messages {LOSSES_MAX} times within 0 s, and stops"):
        _lose(neighbour, 200 * LOSSES_NS, epoch=100)
    assert all(socket.raw.closed for socket in neighbour.sockets)


def test_asks_for_snapshots_less_often_after_every_loss(server: FeedServer, neighbour: FeedSubscriber) -> None:
    """A slow subscriber must not make the engine write one snapshot after the other."""
    now_ns = 10 * LOSSES_NS
    for loss_count in range(1, LOSSES_MAX):
        _lose(neighbour, now_ns)
        asked_ns = neighbour._asked_ns[BOOK]
        pause_ns = SNAPSHOT_RETRY_NS << (loss_count - 1)
        neighbour.tick(asked_ns + pause_ns)
        assert neighbour._asked_ns[BOOK] == asked_ns
        now_ns = asked_ns + pause_ns + 1
        neighbour.tick(now_ns)
        assert neighbour._asked_ns[BOOK] == now_ns
        replica = neighbour.replicas[BOOK]
        replica.on_snapshot(FeedFrame(BOOK, 1, replica.sequence + 100, 0, []))
    server.serve()


def test_finds_by_the_checksum_that_its_book_is_another() -> None:
    """The sequence has no gap, yet a level differs: the replica must not be shown."""
    replica = TopicReplica(BOOK)
    replica.on_snapshot(FeedFrame(BOOK, 1, 1, 0, [BookOrder(1, 0, 100, 5), BookOrder(2, 1, 101, 7)]))
    right = 0x8E4EFA91  # CRC-32 of 100:5,101:7
    replica.on_frame(FeedFrame(BOOK, 1, 2, 0, [BookChecksum(right)]))
    with pytest.raises(FeedError, match="is not the engine's book at sequence 3"):
        replica.on_frame(FeedFrame(BOOK, 1, 3, 0, [BookChecksum(right ^ 1)]))
