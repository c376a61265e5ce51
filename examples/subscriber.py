"""Follow the order book of a running desk, with pyzmq and msgpack and nothing of tickbus.

Usage: python examples/subscriber.py [RUN_DIR] [SYMBOL]

It does all that docs/protocol.md asks of a subscriber: it notices gaps and new engines, asks for a snapshot until one
comes, holds back what arrives meanwhile, drops what the snapshot holds, checks its book against the engine's checksum,
and says when the feed has gone silent. For every change of the best prices it prints the sequence of the book and both
sides' best level.
"""

import io
import sys
import time
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgpack
import zmq

RETRY_S = 0.25
SILENCE_S = 3.0
BOOK_CHECKSUM = 37  # the tag of the one message of the topic that is no order
Order = tuple[int, int, int]  # side (0 buy, 1 sell), price in ticks, quantity in lots


def unpack(frames: list[bytes]) -> tuple[list[int], list[Any]]:
    """Return the header [epoch, sequence, count, time_ns] and the messages of a feed message or a snapshot."""
    _, header, messages = frames
    return msgpack.unpackb(header), list(msgpack.Unpacker(io.BytesIO(messages)))


class Book:
    """The book of one symbol; `is_known` says whether it can be used."""

    def __init__(self) -> None:
        self.epoch = 0
        self.last = 0  # the sequence of the last message that was applied
        self.is_known = False
        self.orders: dict[int, Order] = {}  # by order id; the orders of a price are in queue order
        self._held_back: list[list[bytes]] = []

    def take(self, frames: list[bytes]) -> None:
        """Take a feed message."""
        (epoch, sequence, count, _), messages = unpack(frames)
        if epoch != self.epoch or sequence > self.last + 1:
            self.is_known = False
        if self.is_known:
            self._apply(messages[self.last + 1 - sequence :])
            self.last = max(self.last, sequence + count - 1)
        else:
            self._held_back.append(frames)

    def take_snapshot(self, frames: list[bytes]) -> None:
        """Take a snapshot, and after it what was held back."""
        (self.epoch, self.last, _, _), messages = unpack(frames)
        self.orders.clear()
        self._apply(messages)
        self.is_known = True
        held_back, self._held_back = self._held_back, []
        for later in held_back:
            if unpack(later)[0][0] >= self.epoch:
                self.take(later)

    def levels(self, side: int) -> list[tuple[int, int]]:
        """Return price and quantity of every level of a side, best first."""
        sums: dict[int, int] = {}
        for order_side, price, lots in self.orders.values():
            if order_side == side:
                sums[price] = sums.get(price, 0) + lots
        return sorted(sums.items(), reverse=side == 0)

    def _apply(self, messages: list[list[int]]) -> None:
        for tag, *fields in messages:
            if tag == BOOK_CHECKSUM:
                self.is_known = self.is_known and fields[0] == self._checksum()
                continue
            order_id, side, price_ticks, lots = fields
            if lots:
                self.orders[order_id] = (side, price_ticks, lots)
            else:
                self.orders.pop(order_id, None)

    def _checksum(self) -> int:
        """Return the CRC-32 that the engine sends every second of its ten best levels a side."""
        best = self.levels(0)[:10] + self.levels(1)[:10]
        return zlib.crc32(",".join(f"{price}:{lots}" for price, lots in best).encode())


class Desk:
    """The two sockets of a desk that a subscriber needs."""

    def __init__(self, run_dir: str) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._feed, self._snapshots = context.socket(zmq.SUB), context.socket(zmq.DEALER)
        self._feed.connect(f"ipc://{run_dir}/feed.ipc")
        self._snapshots.connect(f"ipc://{run_dir}/snapshots.ipc")

    def units(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Wait for the desk, and return the sizes of a tick and of a lot."""
        self._snapshots.send(b"instruments")
        _, definitions = unpack(self._snapshots.recv_multipart())
        return next((Decimal(tick), Decimal(lot)) for _, _, name, _, _, tick, lot in definitions if name == symbol)

    def follow(self, topic: bytes) -> Iterator[Book]:
        """Yield the book whenever it has changed or cannot be used any more."""
        self._feed.subscribe(topic)
        book, asked_s, heard_s = Book(), 0.0, time.monotonic()
        while True:
            now_s = time.monotonic()
            if not book.is_known and now_s - asked_s > RETRY_S:
                self._snapshots.send(topic)
                asked_s = now_s
            if self._snapshots.poll(0):
                self._take_snapshot(book, topic)
            if self._feed.poll(50):
                frames = self._feed.recv_multipart()
                if frames[0] == topic:  # not a longer symbol that begins with ours
                    book.take(frames)
                    heard_s = now_s
            elif now_s - heard_s > SILENCE_S:
                book.is_known = False
            yield book

    def _take_snapshot(self, book: Book, topic: bytes) -> None:
        frames = self._snapshots.recv_multipart()
        if frames[0] == topic and not book.is_known:  # else the answer to a question that was asked twice
            book.take_snapshot(frames)


def main(run_dir: str = "run", symbol: str = "BTCUSDT") -> None:
    """Print the best prices whenever they change."""
    desk = Desk(run_dir)
    tick, lot = desk.units(symbol)
    shown = ""
    for book in desk.follow(f"book.{symbol}".encode()):
        if not book.is_known:
            text = "waiting for the desk"
        else:
            sides = [book.levels(side)[:1] for side in (0, 1)]
            text = "   ".join(f"{best[0][1] * lot} @ {best[0][0] * tick}" if best else "nothing" for best in sides)
        if text != shown:
            shown = text
            print(book.epoch, book.last, text, flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
