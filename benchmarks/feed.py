"""The book feed from a real engine into real subscribers: `python -m benchmarks.feed`.

Events a second into 1, 10 and 50 subscribers, delay from the engine's taking of an order to the subscriber, every
subscriber's book checked at the end. Then how late orders are handled while 50 clients ask for snapshots of a book, and
how long their questions hold the engine up at once: in slices, and the naive way of the whole book for each.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np

from benchmarks.engine_process import ROOT, Market, OrderGiver, folder_of_a_desk, node_process, quantiles, settings_of
from benchmarks.feed_subscribers import TOPIC, book_crc32
from bus.channel import ChannelSocket
from bus.feed import BookReplica, FeedFrame, TopicReplica, unpack_frame
from bus.topology import FEED, SNAPSHOTS
from desk.settings import Settings
from engine.matching_engine import MatchingEngine, make_engine
from engine.rows.ring import CONSUMED
from engine.wire.codec import RowEncoder
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import decode_commands
from market.codes import Tag
from market.feed_messages import BookOrder
from market.kernels.rows import ROW_WIDTH, TAG, write_command
from market.limits import BATCH_MESSAGES_MAX
from nodes.engine.feed import EngineFeed

SUBSCRIBER_COUNTS: Final = (1, 10, 50)
BOOK_ORDERS: Final = (10_000, 200_000)
ASKERS: Final = 50
FRAME_COMMANDS: Final = 256
STEADY_COUNT: Final = 3_000
STEADY_PER_S: Final = 1_000
ORDERS_MAX: Final = 262_144
JOURNAL: Final = "write"
SETTINGS: Final = {"ENGINE__JOURNAL": JOURNAL, "ENGINE__ORDERS_MAX": str(ORDERS_MAX)}
WAIT_MS: Final = 30_000

Figures = dict[str, Any]


@contextmanager
def worker(run_dir: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of benchmarks on a desk until it has said all, and end it whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", str(run_dir), *arguments],
        env=settings_of(run_dir, {}),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", f"{module} ended"
        yield process
    finally:
        process.kill()
        process.communicate()


def end_of(process: subprocess.Popen[str], line: str) -> Figures:
    """Tell a worker to come to its end, and return what it says."""
    said, _ = process.communicate(line + "\n", timeout=WAIT_MS / 1_000)
    found: Figures = json.loads(said)
    return found


def measure_fan_out(count: int, command_count: int) -> Figures:
    """Return events/s and delays with so many subscribers, in two processes if there are more than one."""
    with folder_of_a_desk() as run_dir, node_process("engine", run_dir, SETTINGS):
        giver, market = OrderGiver(run_dir), Market()
        shares = [str(count - count // 2), str(count // 2)] if count > 1 else ["1"]
        with (
            worker(run_dir, "feed_subscribers", shares[0], "keep") as first,
            worker(run_dir, "feed_subscribers", *shares[1:]) if count > 1 else _nobody() as second,
        ):
            frames = [*market.build(1_000), *market.change(command_count, FRAME_COMMANDS)]
            steady = market.change(STEADY_COUNT, 1)
            start_ns = monotonic_ns()
            giver.give(frames)
            busy_end = snapshot_of(run_dir).sequence
            giver.give_steadily(steady, STEADY_PER_S)
            end = snapshot_of(run_dir)
            seen = [end_of(each, f"{busy_end - 1} {end.sequence}") for each in (first, second) if each]
        giver.close()
    subscribers = [each for one in seen for each in one["subscribers"]]
    assert len(subscribers) == count
    assert all(each["gap_count"] == 0 for each in subscribers), "a subscriber has lost messages"
    assert len({(each["crc32"], each["event_count"]) for each in subscribers}) == 1, "they have seen different feeds"
    assert seen[0]["book_crc32"] == book_crc32(book_of(end).state()), "the book is not the engine's"
    seconds = (max(each["arrived_ns"] for each in subscribers) - start_ns) / NS_PER_SECOND
    return {
        "subscribers": count,
        "events": busy_end,
        "events_per_s": busy_end / seconds,
        "delivered_per_s": busy_end * count / seconds,
        "delay_us": quantiles([delay for each in subscribers for delay in each["delays_ns"]]),
    }


@contextmanager
def _nobody() -> Iterator[None]:
    yield None


def snapshot_of(run_dir: Path) -> FeedFrame:
    """Return the engine's snapshot of the book."""
    socket = ChannelSocket(SNAPSHOTS, run_dir, "engine")
    while not socket.send([TOPIC]):
        pass
    assert socket.wait(WAIT_MS), "no snapshot came"
    frames = socket.receive()
    socket.close()
    assert frames is not None
    return unpack_frame(frames)


def book_of(snapshot: FeedFrame) -> BookReplica:
    """Return the book that a snapshot makes."""
    book = BookReplica()
    for message in snapshot.messages:
        assert isinstance(message, BookOrder)
        book.apply_all((message,))
    return book


def measure_askers(order_count: int) -> Figures:
    """Return how late orders are handled alone, and while clients ask for snapshots of a book of so many orders."""
    with folder_of_a_desk() as run_dir, node_process("engine", run_dir, SETTINGS):
        giver, market = OrderGiver(run_dir), Market()
        giver.give(market.build(order_count))
        alone = giver.give_steadily(market.change(STEADY_COUNT, 1), STEADY_PER_S)
        feed = ChannelSocket(FEED, run_dir, "engine")
        feed.subscribe(TOPIC)
        assert feed.wait(WAIT_MS), "the feed is silent"
        kept = run_dir.parent / "snapshot"
        with worker(run_dir, "feed_askers", str(ASKERS), str(kept)) as askers:
            asked = giver.give_steadily(market.change(STEADY_COUNT, 1), STEADY_PER_S)
            answers = end_of(askers, "end")["took_ns"]
        giver.give(market.change(1_000, 10))
        giver.close()
        check_answer(unpack_frame(msgpack.unpackb(kept.read_bytes())), feed, snapshot_of(run_dir))
        feed.close()
    return {
        "orders": order_count,
        "askers": ASKERS,
        "answers": len(answers),
        "answer_us": quantiles(answers),
        "alone_us": quantiles(alone),
        "asked_us": quantiles(asked),
    }


def check_answer(answer: FeedFrame, feed: ChannelSocket, end: FeedFrame) -> None:
    """Assert that an answer from the middle and the messages behind it make the book of the end."""
    replica = TopicReplica(TOPIC)
    replica.on_snapshot(answer)
    while (frames := feed.receive()) is not None:
        replica.on_frame(unpack_frame(frames))
    assert replica.is_synchronised, "a message was missing"
    assert replica.sequence >= end.sequence
    assert replica.book.state() == book_of(end).state(), "the answer was not the book"


def measure_hold(order_count: int) -> Figures:
    """Return how long one turn of the engine takes at most when all ask at once: in slices, and a book for each."""
    engine = make_engine("fast", len(Settings().instruments), ORDERS_MAX)
    feed = EngineFeed(engine, Settings().instruments, 1, ORDERS_MAX, range(len(Settings().instruments)))
    for payload, _ in Market().build(order_count):
        for command in decode_commands(payload):
            write_command(engine.commands.rows, engine.commands.claim(), command)
            engine.commands.publish()
        while len(engine.commands):
            engine.match()
            for _ in feed.take(int(engine.events.positions[CONSUMED]), len(engine.events), 0):
                pass
            engine.events.consume(len(engine.events))
    whole = whole_book(engine)
    slices_ns: list[int] = []
    for _ in range(max(5, 2_000_000 // (10 * order_count))):
        frames = None
        while frames is None:
            start_ns = monotonic_ns()
            frames = feed.snapshot_slice(TOPIC, 0)
            slices_ns.append(monotonic_ns() - start_ns)
        assert frames[2] == whole, "the slices are not the book"
    start_ns = monotonic_ns()
    for _ in range(ASKERS):
        whole_book(engine)
    naive_ns = monotonic_ns() - start_ns
    return {"orders": order_count, "slice_us": quantiles(slices_ns), "naive_us": naive_ns / 1_000}


def whole_book(engine: MatchingEngine) -> bytes:
    """Return the messages of all orders, written at once."""
    orders = engine.orders(0)
    rows = np.zeros((BATCH_MESSAGES_MAX, ROW_WIDTH), np.int64)
    rows[:, TAG] = int(Tag.BOOK_ORDER)
    encoder, pieces = RowEncoder(rows), []
    for start in range(0, len(orders), len(rows)):
        batch = orders[start : start + len(rows)]
        rows[: len(batch), 1:5] = batch[:, :4]
        pieces.append(encoder.encode(0, len(batch)))
    return b"".join(pieces)


def show(found: Figures) -> None:
    """Print the figures as tables."""
    print(f"journal mode {JOURNAL}; every subscriber's book checked\n")
    print("subscribers     events   events/s  delivered/s   delay from match, µs: p50      p99    p99.9")
    for row in found["fan_out"]:
        print(
            f"{row['subscribers']:>11} {row['events']:>10,} {row['events_per_s']:>10,.0f} "
            f"{row['delivered_per_s']:>12,.0f}   {_times(row['delay_us']):>42}"
        )
    print(f"\nan order's round trip at {STEADY_PER_S}/s, µs, while {ASKERS} clients ask for snapshots of a book")
    for row in found["askers"]:
        ratio = row["asked_us"]["p99"] / row["alone_us"]["p99"]
        print(
            f"{row['orders']:>8,} orders: alone {_times(row['alone_us'])}   asked {_times(row['asked_us'])}"
            f"   p99 {ratio:.1f} x   {row['answers']} answers in {_times(row['answer_us'])}"
        )
    print(f"\none turn of the engine held up by {ASKERS} questions at once, µs")
    for row in found["hold"]:
        ratio = row["naive_us"] / row["slice_us"]["p99"]
        print(
            f"{row['orders']:>8,} orders: a slice {_times(row['slice_us'])}   "
            f"a whole book for each {row['naive_us']:,.0f}   {ratio:,.0f} x"
        )


def _times(spread: dict[str, float]) -> str:
    return " ".join(f"{spread[name]:>8,.0f}" for name in ("p50", "p99", "p99.9"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the book feed: fan-out, delay, snapshots")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--commands", type=int, default=200_000, help="of each measurement of the fan-out")
    options = parser.parse_args(arguments)
    found = {
        "journal": JOURNAL,
        "fan_out": [measure_fan_out(count, options.commands) for count in SUBSCRIBER_COUNTS],
        "askers": [measure_askers(count) for count in BOOK_ORDERS],
        "hold": [measure_hold(count) for count in BOOK_ORDERS],
    }
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()
