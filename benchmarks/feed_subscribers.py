"""Subscribers of a book feed in a process of their own: `python -m benchmarks.feed_subscribers RUN_DIR COUNT [keep]`.

Each has its own socket and takes every message. A line `BUSY_END END` on standard input gives two sequences: when all
have come to END, a JSON document says when each came to BUSY_END, how late the messages after it were, and a checksum
of all that it was sent. With `keep` it also says what book the messages make, by a replica that takes each of them.
"""

import json
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import msgpack

from bus.channel import ChannelSocket
from bus.feed import FeedFrame, Topic, TopicReplica, unpack_frame
from bus.poll_loop import PollLoop
from bus.topology import FEED
from market.clock import monotonic_ns, time_ns
from market.feed_messages import BookOrder

TOPIC = Topic.BOOK.of("BTCUSDT")
CHECKSUM_START = b"\x92\x25"  # a BookChecksum, which comes once a second and changes nothing


class Subscriber:
    """One socket, and what has come in on it."""

    def __init__(self, run_dir: Path, is_keeping: bool = False) -> None:
        self.socket = ChannelSocket(FEED, run_dir, "engine")
        self.socket.subscribe(TOPIC)
        self.due = 0  # the sequence of the next message; 0 before the first
        self.gap_count = self.event_count = self.crc32 = 0
        self._seen: list[tuple[int, int, int]] = []  # due, when it came, how late it was
        self._kept: list[list[bytes]] | None = [] if is_keeping else None

    def receive(self) -> None:
        """Take all that waits."""
        while (frames := self.socket.receive()) is not None:
            now_ns = time_ns()
            _, sequence, count, sent_ns = msgpack.unpackb(frames[1])
            self.gap_count += self.due not in (0, sequence)
            self.due = sequence + count
            if count and not frames[2].startswith(CHECKSUM_START):
                self.event_count += count
                self.crc32 = zlib.crc32(frames[2], self.crc32)
                self._seen.append((self.due, monotonic_ns(), now_ns - sent_ns))
            if self._kept is not None:
                self._kept.append(frames)

    def figures(self, busy_end: int) -> dict[str, Any]:
        """Return what was seen."""
        arrived_ns = next(when_ns for due, when_ns, _ in self._seen if due > busy_end)
        delays_ns = [late_ns for due, _, late_ns in self._seen if due > busy_end]
        names = ("event_count", "gap_count", "crc32")
        return {name: getattr(self, name) for name in names} | {"arrived_ns": arrived_ns, "delays_ns": delays_ns[1:]}

    def book_crc32(self) -> int | None:
        """Return the CRC-32 of the book that the messages make, from an empty one on."""
        if self._kept is None:
            return None
        replica = TopicReplica(TOPIC)
        first = unpack_frame(self._kept[0])
        replica.on_snapshot(FeedFrame(TOPIC, first.epoch, first.sequence - 1, 0, []))
        for frames in self._kept:
            replica.on_frame(unpack_frame(frames))
        assert replica.is_synchronised, "a message was missing"
        return book_crc32(replica.book.state())


def book_crc32(orders: list[BookOrder]) -> int:
    """Return the CRC-32 of all orders of a book."""
    return zlib.crc32(repr([tuple(map(int, order)) for order in orders]).encode())


def main(run_dir: str, count: str, *keep: str) -> None:
    """Follow until all have come to the end."""
    subscribers = [Subscriber(Path(run_dir), is_keeping=bool(keep) and not number) for number in range(int(count))]
    loop = PollLoop()
    ends: list[int] = []

    def tell_when_ready() -> None:
        if not is_said and all(each.due for each in subscribers):
            is_said.append(True)
            print("ready", flush=True)

    def stop_at_the_end() -> None:
        if ends and all(each.due > ends[1] for each in subscribers):
            loop.stop()

    is_said: list[bool] = []
    for each in subscribers:
        loop.on_readable(each.socket, each.receive)
    loop.every(20, tell_when_ready)
    loop.every(20, stop_at_the_end)
    threading.Thread(target=lambda: ends.extend(map(int, sys.stdin.readline().split())), daemon=True).start()
    loop.run()
    for each in subscribers:
        each.socket.close()
    seen = [each.figures(ends[0]) for each in subscribers]
    print(json.dumps({"subscribers": seen, "book_crc32": subscribers[0].book_crc32()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
