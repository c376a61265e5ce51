"""Channels and the loop that waits on them, on real sockets in a real directory."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from bus.async_waiter import AsyncWaiter
from bus.channel import ChannelSocket
from bus.topology import CONTROL, FEED, ORDERS, SNAPSHOTS, Channel, endpoint
from market.clock import NS_PER_MS, monotonic_ns
from market.limits import FRAME_BYTES_MAX, IPC_PATH_BYTES_MAX, SNAPSHOT_BYTES_MAX

WAIT_MS = 10_000  # a deadline, not a delay


@contextmanager
def opened(*sockets: ChannelSocket) -> Iterator[tuple[ChannelSocket, ...]]:
    """Close the sockets at the end."""
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def received(source: ChannelSocket) -> list[bytes]:
    """Return the next message, as soon as it is there."""
    assert source.wait(WAIT_MS), "nothing came"
    frames = source.receive()
    assert frames is not None
    return frames


# --- channels


def test_carries_whole_messages_both_ways(short_dir: Path) -> None:
    """The binder answers to the identity that it was given."""
    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (engine, source):
        assert source.receive() is None
        assert sent_in_time(source, [b"header", b"payload"])
        identity, *frames = received(engine)
        assert frames == [b"header", b"payload"]
        assert engine.send([identity, b"answer", b""])
        assert received(source) == [b"answer", b""]


def test_an_end_in_the_midst_of_a_start_leaves_no_socket_file(short_dir: Path) -> None:
    """A signal between a node's first socket and its loop ended it before anybody could close them."""
    script = f"""
from pathlib import Path
from bus.channel import ChannelSocket, close_all
from bus.topology import FEED, ORDERS
try:
    sockets = [ChannelSocket(each, Path({str(short_dir)!r}), "engine", is_binder=True) for each in (ORDERS, FEED)]
    print(len(list(Path({str(short_dir)!r}).iterdir())))
    raise SystemExit(0)
finally:
    close_all()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2\n"
    assert list(short_dir.iterdir()) == []


def sent_in_time(source: ChannelSocket, frames: list[bytes]) -> bool:
    """Send as soon as the connection is there."""
    deadline_ns = monotonic_ns() + WAIT_MS * NS_PER_MS
    while not source.send(frames):
        assert monotonic_ns() < deadline_ns, "there is no connection"
        source.wait(1)
    return True


@pytest.mark.parametrize("channel", [ORDERS, SNAPSHOTS, CONTROL], ids=lambda channel: channel.name)
def test_says_that_nobody_is_there(short_dir: Path, channel: Channel) -> None:
    """Without a peer a frame must stay with its sender, rather than wait in a queue to nobody."""
    with opened(ChannelSocket(channel, short_dir, "engine")) as (source,):
        assert source.send([b"order"]) is False
        assert not source.raw.getsockopt(zmq.IMMEDIATE), "it aborts the process when a connection breaks in a message"


def test_says_that_the_binder_is_gone_and_back(short_dir: Path) -> None:
    """The answer follows the connection, so that nothing piles up for an engine that has died."""
    with opened(ChannelSocket(ORDERS, short_dir, "engine")) as (source,):
        for _ in range(3):
            engine = ChannelSocket(ORDERS, short_dir, "engine", is_binder=True)
            assert sent_in_time(source, [b"order"])
            engine.close()
            deadline_ns = monotonic_ns() + WAIT_MS * NS_PER_MS
            while source.send([b"order"]):
                assert monotonic_ns() < deadline_ns
                source.wait(1)


def test_says_that_a_peer_is_gone(short_dir: Path) -> None:
    """A binder that answers to somebody unknown learns that nothing was sent."""
    with opened(ChannelSocket(ORDERS, short_dir, "engine", is_binder=True)) as (engine,):
        assert engine.send([b"nobody", b"header", b"payload"]) is False


def test_says_that_there_is_no_room(short_dir: Path) -> None:
    """A peer that reads nothing fills its queue up to the high-water mark; then the sender keeps the rest."""
    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (_, source):
        assert sent_in_time(source, [b"first"])
        sent_count = next(count for count in range(1_000_000) if not source.send([b"x" * 1_000]))
        assert sent_count >= ORDERS.high_water_mark - 1  # the first may still be in the queue


def test_ends_the_connection_of_a_peer_that_sends_too_much(short_dir: Path) -> None:
    """A frame above the maximum never arrives, and the next connection is another one."""
    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (engine, source):
        assert sent_in_time(source, [b"x" * FRAME_BYTES_MAX])
        first, frame = received(engine)
        assert len(frame) == FRAME_BYTES_MAX
        assert source.send([b"x" * (FRAME_BYTES_MAX + 1)])
        deadline_ns = monotonic_ns() + WAIT_MS * NS_PER_MS
        while not engine.wait(20):  # what is sent while the connection breaks may be lost with it
            assert monotonic_ns() < deadline_ns
            source.send([b"again"])
        second, frame = received(engine)
        assert frame == b"again"
        assert second != first


def test_lets_a_whole_book_through_as_a_snapshot(short_dir: Path) -> None:
    """262,144 orders of 27 bytes, which is more than any other frame may be."""
    sockets = (
        ChannelSocket(SNAPSHOTS, short_dir, "engine", is_binder=True),
        ChannelSocket(SNAPSHOTS, short_dir, "engine"),
    )
    size = 262_144 * 27
    assert FRAME_BYTES_MAX < size < SNAPSHOT_BYTES_MAX
    with opened(*sockets) as (engine, subscriber):
        assert sent_in_time(subscriber, [b"book.BTCUSDT"])
        identity, topic = received(engine)
        assert engine.send([identity, topic, b"header", b"x" * size])
        assert [len(frame) for frame in received(subscriber)] == [len(topic), 6, size]


def test_refuses_a_run_directory_that_is_too_deep(tmp_path: Path) -> None:
    """A Unix socket's path has 107 bytes; the message says how long it was, in bytes, not characters."""
    deep = tmp_path / ("é" * 100)
    with pytest.raises(ValueError, match=rf"run directory is too deep: .* a Unix socket takes {IPC_PATH_BYTES_MAX}"):
        ChannelSocket(FEED, deep, "engine")
    longest = "/" + "x" * (IPC_PATH_BYTES_MAX - len("//feed.ipc"))
    assert len(endpoint(FEED, Path(longest), "engine").removeprefix("ipc://")) == IPC_PATH_BYTES_MAX
    with pytest.raises(ValueError, match=f"has {IPC_PATH_BYTES_MAX + 1} bytes"):
        endpoint(FEED, Path(longest + "x"), "engine")


def test_refuses_a_run_directory_that_is_absent(tmp_path: Path) -> None:
    """An error at once, and no socket left behind (which would be a warning, and warnings are errors)."""
    with pytest.raises(zmq.ZMQError):
        ChannelSocket(ORDERS, tmp_path / "no", "engine", is_binder=True)


def test_takes_its_socket_file_away(short_dir: Path) -> None:
    """Whoever binds cleans up; whoever connects leaves the file to the binder."""
    binder = ChannelSocket(FEED, short_dir, "engine", is_binder=True)
    assert (short_dir / "feed.ipc").is_socket()
    ChannelSocket(FEED, short_dir, "engine").close()
    assert (short_dir / "feed.ipc").is_socket()
    binder.close()
    assert list(short_dir.iterdir()) == []


# --- waiting inside an asyncio loop


def test_an_asyncio_loop_hears_of_a_message_whose_news_a_send_has_swallowed(short_dir: Path) -> None:
    """Else the report of an order waits for the next tick: a send takes the descriptor's readiness away."""

    async def hear(engine: ChannelSocket, source: ChannelSocket, identity: bytes) -> None:
        with AsyncWaiter([source]) as waiter:
            waiting = asyncio.create_task(waiter.wait(10 * WAIT_MS))
            for _ in range(5):
                await asyncio.sleep(0)
            assert engine.send([identity, b"report", b""])
            assert source.wait(WAIT_MS), "nothing came"  # this, too, takes the news away, as a send would
            assert not waiting.done()
            waiter.look()
            await asyncio.wait_for(waiting, WAIT_MS / 1_000)

    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (engine, source):
        assert sent_in_time(source, [b"header", b"payload"])
        identity, *_ = received(engine)
        asyncio.run(hear(engine, source, identity))
        assert source.receive() == [b"report", b""]


def test_an_asyncio_loop_hears_of_a_message_by_itself_and_of_none_in_time(short_dir: Path) -> None:
    """It wakes for what comes while it waits, sees what came before, and returns when nothing does."""

    async def hear(engine: ChannelSocket, source: ChannelSocket, identity: bytes) -> None:
        with AsyncWaiter([source]) as waiter:
            await waiter.wait(1)
            assert source.receive() is None
            waiting = asyncio.create_task(waiter.wait(10 * WAIT_MS))
            await asyncio.sleep(0)
            assert engine.send([identity, b"first", b""])
            await asyncio.wait_for(waiting, WAIT_MS / 1_000)
            await waiter.wait(10 * WAIT_MS)
            assert source.receive() == [b"first", b""]

    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (engine, source):
        assert sent_in_time(source, [b"header", b"payload"])
        identity, *_ = received(engine)
        asyncio.run(hear(engine, source, identity))


def test_an_asyncio_loop_that_is_cancelled_while_news_come_ends(short_dir: Path) -> None:
    """It went on for ever: the exchange hung on a clean stop, or when another of its tasks had failed."""

    async def hear(source: ChannelSocket) -> None:
        with AsyncWaiter([source]) as waiter:
            waiting = asyncio.create_task(waiter.wait(10 * WAIT_MS))
            for _ in range(5):
                await asyncio.sleep(0)
            waiter.look()
            await asyncio.sleep(0)  # now the news have been heard, and `wait` has not run yet
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(waiting, WAIT_MS / 1_000)

    with opened(
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True), ChannelSocket(ORDERS, short_dir, "engine")
    ) as (_, source):
        asyncio.run(hear(source))
