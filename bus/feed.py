"""The book feed: what the engine's publisher sends, and the replica that a subscriber keeps of it.

A feed message is three frames: the topic, a header `[epoch, sequence, count, time_ns]`, and `count` messages one after
the other, numbered from `sequence` within their topic. A heartbeat has count 0 and the next sequence. A snapshot reply
has the same three frames; its messages are the state after `sequence`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from enum import StrEnum
from operator import neg
from typing import NamedTuple, cast
from zlib import crc32

import msgpack
from sortedcontainers import SortedDict

from market.codec import decode, encode_all
from market.codes import Side
from market.depth import Depth, Level
from market.feed_messages import (
    BestPrices,
    BookChecksum,
    BookOrder,
    BookTrade,
    DepthLevel,
    FeedMessage,
    InstrumentDefinition,
    ReferencePrice,
)
from market.instrument import Instrument
from market.limits import TRADES_KEPT_MAX

Frames = list[bytes]
_HEADER_BYTES_MAX = 37  # four integers
FEED_WAITING_MAX = 10_000  # messages held back while a snapshot is on its way


class FeedError(Exception):
    """A feed message is not what the protocol says, or the replica of it no longer makes sense."""


class Topic(StrEnum):
    """The topics that each symbol has."""

    BOOK = "book"  # order by order: BookOrder
    TRADES = "trades"  # BookTrade
    BEST = "best"  # the best bid and offer: BestPrices
    DEPTH = "depth"  # its best levels, conflated at an interval: DepthLevel
    REFERENCE = "reference"  # conflated: ReferencePrice

    def of(self, symbol: str) -> bytes:
        """Return the topic of `symbol`."""
        return f"{self}.{symbol}".encode()


HEALTH_TOPIC = b"health"
INSTRUMENTS_TOPIC = b"instruments"
CHECKSUM_LEVELS = 10


def depth_checksum(depth: Depth) -> int:
    """Return the CRC-32 of the ten best levels a side, bids first, as ASCII `price_ticks:qty_lots` joined by commas."""
    levels = (*depth.bids[:CHECKSUM_LEVELS], *depth.asks[:CHECKSUM_LEVELS])
    return crc32(",".join(f"{price_ticks}:{qty_lots}" for price_ticks, qty_lots in levels).encode())


class FeedFrame(NamedTuple):
    """A feed message taken apart."""

    topic: bytes
    epoch: int
    sequence: int
    time_ns: int
    messages: list[FeedMessage]

    @property
    def next_sequence(self) -> int:
        """The sequence of the first message that is not in this frame."""
        return self.sequence + len(self.messages)


def unpack_frame(frames: Frames) -> FeedFrame:
    """Take a feed message or a snapshot apart.

    Raises:
        FeedError: if it is not one.
    """
    try:
        topic, head, payload = frames
        header = msgpack.unpackb(head[: _HEADER_BYTES_MAX + 1])
        messages = decode(payload)
    except (ValueError, msgpack.UnpackException) as error:
        raise FeedError(f"expected topic, header and messages: {str(error) or type(error).__name__}") from None
    if type(header) is not list or len(header) != 4 or any(type(n) is not int or n < 0 for n in header):
        raise FeedError(f"expected a header of four integers, was {str(header)[:60]}")
    epoch, sequence, count, time_ns = header
    if len(messages) != count or not all(isinstance(message, FeedMessage) for message in messages):
        raise FeedError(f"expected {count} feed messages of {topic[:60]!r}, was {len(messages)} messages")
    return FeedFrame(topic, epoch, sequence, time_ns, cast("list[FeedMessage]", messages))


class FeedStream:
    """The sending end of one topic: numbers its messages."""

    def __init__(self, topic: bytes, epoch: int) -> None:
        self.topic = topic
        self._epoch = epoch
        self._next_sequence = 1

    def pack(self, messages: Sequence[FeedMessage], time_ns: int) -> Frames:
        """Return the frames of the next messages; of none, a heartbeat."""
        return self.pack_encoded(encode_all(messages), len(messages), time_ns)

    def pack_encoded(self, payload: bytes, count: int, time_ns: int) -> Frames:
        """Return the frames of the next messages, which are bytes already."""
        frames = [self.topic, msgpack.packb((self._epoch, self._next_sequence, count, time_ns)), payload]
        self._next_sequence += count
        return frames

    def pack_snapshot(self, state: Sequence[FeedMessage], time_ns: int) -> Frames:
        """Return the frames of a snapshot: the state after the last message that was packed."""
        return self.pack_encoded_snapshot(encode_all(state), len(state), time_ns)

    def pack_encoded_snapshot(self, payload: bytes, count: int, time_ns: int) -> Frames:
        """Return the frames of a snapshot whose messages are bytes already."""
        return [self.topic, msgpack.packb((self._epoch, self._next_sequence - 1, count, time_ns)), payload]


class BookReplica:
    """A book built from BookOrder messages: every visible order, in price-time order.

    Queues are ordered by arrival, so the position of an order in its level is its place in the queue.
    """

    def __init__(self) -> None:
        self._sides: tuple[SortedDict, SortedDict] = (SortedDict(neg), SortedDict())
        self._places: dict[int, tuple[int, int]] = {}

    def clear(self) -> None:
        """Forget every order."""
        for side in self._sides:
            side.clear()
        self._places.clear()

    def apply_all(self, messages: Sequence[BookOrder]) -> None:
        """Apply messages in their order; a busy book brings 100,000 of them a second.

        Raises:
            FeedError: if one contradicts the replica; those before it are applied.
        """
        places, sides = self._places, self._sides
        for order_id, side, price_ticks, resting_lots in messages:
            place = places.get(order_id)
            if place is not None and place != (side, price_ticks):
                raise FeedError(f"order {order_id} is at {place}, the feed says {(side, price_ticks)}")
            levels = sides[side]
            if resting_lots:
                if place is None:
                    places[order_id] = (side, price_ticks)
                    if price_ticks not in levels:
                        levels[price_ticks] = OrderedDict()
                levels[price_ticks][order_id] = resting_lots
            elif place is not None:
                del places[order_id]
                queue = levels[price_ticks]
                del queue[order_id]
                if not queue:
                    del levels[price_ticks]

    def place(self, order_id: int) -> tuple[int, int, int] | None:
        """Return (side, price_ticks, resting_lots) of an order, or None if the book does not show it."""
        place = self._places.get(order_id)
        if place is None:
            return None
        side, price_ticks = place
        return side, price_ticks, self._sides[side][price_ticks][order_id]

    def orders(self, side: int, level_count: int) -> Iterable[tuple[int, OrderedDict[int, int]]]:
        """Yield the best `level_count` levels as (price_ticks, {order_id: resting_lots} in queue order)."""
        levels = self._sides[side]
        for price_ticks in levels.islice(stop=level_count):
            yield price_ticks, levels[price_ticks]

    def prices(self, side: int, level_count: int) -> list[int]:
        """Return the prices in ticks of the best `level_count` levels."""
        prices: list[int] = self._sides[side].keys()[:level_count]
        return prices

    def queue(self, side: int, price_ticks: int) -> OrderedDict[int, int]:
        """Return a level that there is, as {order_id: resting_lots} in queue order."""
        queue: OrderedDict[int, int] = self._sides[side][price_ticks]
        return queue

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Return all that is shown at a price, 0 where there is no level."""
        return sum(self._sides[side].get(price_ticks, {}).values())

    def state(self) -> list[BookOrder]:
        """Return every order, best price first and then in queue order: the messages of a snapshot."""
        return [
            BookOrder(order_id, side, price_ticks, lots)
            for side in (Side.BUY, Side.SELL)
            for price_ticks, queue in self.orders(side, len(self._sides[side]))
            for order_id, lots in queue.items()
        ]

    def depth(self, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side."""
        bids, asks = (
            tuple(Level(price, sum(queue.values())) for price, queue in self.orders(side, level_count))
            for side in (Side.BUY, Side.SELL)
        )
        return Depth(bids, asks)

    def __len__(self) -> int:
        return len(self._places)


class TopicReplica:
    """The receiving end of one topic: applies what is in order, notices what is missing, recovers by snapshot.

    Subscribe first, then ask for a snapshot whenever `needs_snapshot`; what arrives in between is held back, and what
    the snapshot already holds is dropped.
    """

    def __init__(self, topic: bytes, book: BookReplica | None = None) -> None:
        self.topic = topic
        self.epoch = 0
        self.sequence = 0
        self.time_ns = 0
        self.gap_count = 0
        self.loss_count = 0  # gaps that are no engine's restart: somebody was too slow
        self.is_synchronised = False
        self._waiting: deque[FeedFrame] = deque(maxlen=FEED_WAITING_MAX)
        self.book = BookReplica() if book is None else book
        self.trades: deque[BookTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self.best = BestPrices(0, 0, 0, 0)
        self.reference = ReferencePrice(0)
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})  # by side: price -> quantity

    @property
    def needs_snapshot(self) -> bool:
        """Whether the state may be wrong until a snapshot comes."""
        return not self.is_synchronised

    def lose(self) -> None:
        """Trust the state no longer: the next snapshot replaces it."""
        self.is_synchronised = False

    def on_frame(self, frame: FeedFrame) -> None:
        """Take the next message of the topic, or a heartbeat."""
        if not self.is_synchronised:
            self._waiting.append(frame)
        elif frame.epoch != self.epoch or frame.sequence > self.sequence + 1:
            self.gap_count += 1
            self.loss_count += frame.epoch == self.epoch
            self.is_synchronised = False
            self._waiting.append(frame)
        else:
            self._apply(frame)

    def on_snapshot(self, snapshot: FeedFrame) -> None:
        """Take a snapshot; it is of no use, and another is needed, if it is older than what must follow it."""
        if self.is_synchronised:
            return
        self.book.clear()
        self.trades.clear()
        self.levels = ({}, {})
        self.epoch, self.sequence = snapshot.epoch, snapshot.sequence
        self._absorb(snapshot.messages, snapshot.time_ns)
        waiting, self._waiting = self._waiting, deque(maxlen=FEED_WAITING_MAX)
        # Of two engines one is gone; which one is not seen from the epochs, as clocks are set back: the next one tells.
        self.is_synchronised = all(frame.epoch == snapshot.epoch for frame in waiting)
        if self.is_synchronised:
            for frame in waiting:
                self.on_frame(frame)

    def _apply(self, frame: FeedFrame) -> None:
        if frame.next_sequence <= self.sequence:
            return  # it has had all of that, and knows of a later time
        fresh = frame.messages[self.sequence + 1 - frame.sequence :]
        self.sequence = max(self.sequence, frame.next_sequence - 1)
        self._absorb(fresh, frame.time_ns)

    def _absorb(self, messages: Sequence[FeedMessage], time_ns: int) -> None:
        self.time_ns = time_ns  # also an earlier one: the engine's clock may have been set back
        if set(map(type, messages)) == {BookOrder}:
            self.book.apply_all(cast("Sequence[BookOrder]", messages))
            return
        for message in messages:
            if isinstance(message, BookOrder):
                self.book.apply_all((message,))
            elif isinstance(message, BookTrade):
                self.trades.append(message)
            elif isinstance(message, BestPrices):
                self.best = message
            elif isinstance(message, ReferencePrice):
                self.reference = message
            elif isinstance(message, DepthLevel):
                self.levels[message.side].pop(message.price_ticks, None)
                if message.qty_lots:
                    self.levels[message.side][message.price_ticks] = message.qty_lots
            elif isinstance(message, BookChecksum) and message.crc32 != depth_checksum(
                self.book.depth(CHECKSUM_LEVELS)
            ):
                raise FeedError(f"the replica of {self.topic!r} is not the engine's book at sequence {self.sequence}")


def definition_of(instrument: Instrument) -> InstrumentDefinition:
    """Return what a stranger must know of `instrument` to read ticks and lots."""
    return InstrumentDefinition(
        instrument.symbol_id,
        instrument.symbol,
        instrument.base,
        instrument.quote,
        f"{instrument.tick_size:f}",
        f"{instrument.lot_size:f}",
    )
