"""The engine's side of the book feed: from event rows to the frames that everybody may see, without an object each."""

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from bus.feed import (
    CHECKSUM_LEVELS,
    HEALTH_TOPIC,
    INSTRUMENTS_TOPIC,
    FeedStream,
    Frames,
    Topic,
    definition_of,
    depth_checksum,
)
from engine.matching_engine import MatchingEngine
from engine.wire.codec import BookFeed
from market.codes import Tag
from market.depth import Depth
from market.feed_messages import (
    BestPrices,
    BookChecksum,
    BookTrade,
    DepthLevel,
    EngineHealth,
    FeedMessage,
    ReferencePrice,
)
from market.instrument import Instrument
from market.kernels.row_codes import RESTED
from market.kernels.rows import TAG, Int64Array
from market.limits import TRADES_KEPT_MAX
from nodes.engine.snapshots import SlicedSnapshot

DEPTH_LEVELS = 100  # a side, of the depth topic
_TRADE_COLUMNS = slice(1, 1 + len(BookTrade._fields))
_TRADE_PRICE = BookTrade._fields.index("price_ticks")


def reference_price(last_ticks: int, best: BestPrices) -> ReferencePrice:
    """Return what a price is compared with that may be a slip of the finger.

    The last trade; but where the whole book has moved away from it, the near side of the book, as in CME's price
    banding. Before the first trade the mid, rounded down; without both sides of a book none.

    Args:
        last_ticks: of the last trade, 0 before the first.
        best: the best bid and offer of the same moment.
    """
    bid, _, ask, _ = best
    if not (bid and ask):
        return ReferencePrice(last_ticks)
    return ReferencePrice(min(max(last_ticks, bid), ask) if last_ticks else (bid + ask) // 2)


class _SymbolStreams:
    """The five streams of one symbol, and what was last said on those that tell a state."""

    def __init__(self, symbol: str, epoch: int) -> None:
        self.book = FeedStream(Topic.BOOK.of(symbol), epoch)
        self.trades = FeedStream(Topic.TRADES.of(symbol), epoch)
        self.best = FeedStream(Topic.BEST.of(symbol), epoch)
        self.depth = FeedStream(Topic.DEPTH.of(symbol), epoch)
        self.reference = FeedStream(Topic.REFERENCE.of(symbol), epoch)
        self.told_best = BestPrices(0, 0, 0, 0)
        self.told_depth = Depth((), ())
        self.told_reference = ReferencePrice(0)
        self.recent_trades: Int64Array = np.zeros((0, len(BookTrade._fields)), np.int64)

    def states(self) -> Iterator[tuple[FeedStream, Callable[[], Sequence[FeedMessage]]]]:
        """Yield each stream but the book, and what makes its state in messages."""
        yield self.trades, self.told_trades
        yield self.best, lambda: [self.told_best]
        yield self.depth, lambda: _level_changes(Depth((), ()), self.told_depth)
        yield self.reference, lambda: [self.told_reference]

    def told_trades(self) -> list[BookTrade]:
        """Return the last trades, oldest first."""
        return [BookTrade(*values) for values in self.recent_trades.tolist()]

    @property
    def last_ticks(self) -> int:
        """The price of the last trade, 0 before the first."""
        return int(self.recent_trades[-1, _TRADE_PRICE]) if len(self.recent_trades) else 0


class EngineFeed:
    """Pure: the engine and its event rows in, frames for the feed socket out.

    Args:
        engine: whose events are told.
        instruments: by symbol id.
        epoch: of this process of the engine.
        orders_max: the engine's.
        own_symbols: of which it tells: another engine of the desk has the others.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        instruments: Sequence[Instrument],
        epoch: int,
        orders_max: int,
        own_symbols: Collection[int],
    ) -> None:
        self._engine = engine
        self._changes = BookFeed(engine.events, orders_max)
        self.counts = self._changes.counts
        self._symbols = [_SymbolStreams(instrument.symbol, epoch) for instrument in instruments]
        self._own = [(symbol_id, self._symbols[symbol_id]) for symbol_id in sorted(own_symbols)]
        self._symbol_by_book = {streams.book.topic: symbol_id for symbol_id, streams in self._own}
        definitions = [definition_of(instrument) for instrument in instruments]
        self._health = FeedStream(HEALTH_TOPIC, epoch)
        self._told_health = EngineHealth(0, 0, 0)
        states = [state for _, streams in self._own for state in streams.states()]
        states += [
            (FeedStream(INSTRUMENTS_TOPIC, epoch), lambda: definitions),
            (self._health, lambda: [self._told_health]),
        ]
        self._states = {stream.topic: (stream, state) for stream, state in states}
        self._touched: set[int] = set()  # symbols whose book has changed since the best prices were last looked at
        self._snapshots: dict[int, SlicedSnapshot] = {}  # in the making, by symbol id

    def recent_trades(self, symbol_id: int) -> list[BookTrade]:
        """Return the last trades of a symbol, TRADES_KEPT_MAX at most, oldest first."""
        return self._symbols[symbol_id].told_trades()

    def trades(self) -> tuple[Int64Array, ...]:
        """Return the last trades of each symbol that it tells of, as rows of BookTrade; they are not written again."""
        return tuple(streams.recent_trades for _, streams in self._own)

    def restore(self, trades: Sequence[Int64Array]) -> None:
        """Follow the engine from the state that it is in, before its first command, with these last trades."""
        for (symbol_id, streams), recent in zip(self._own, trades, strict=True):
            streams.recent_trades = recent
            self._follow_resting(symbol_id)

    def _follow_resting(self, symbol_id: int) -> None:
        """Take in the orders that rest, each as if it had just come to: the ring of events is free for that."""
        events, resting = self._engine.events, self._engine.orders(symbol_id)
        for start in range(0, len(resting), events.slot_count):
            orders = resting[start : start + events.slot_count]
            rows = events.rows[: len(orders)]
            rows[:] = 0
            rows[:, TAG], rows[:, RESTED.symbol_id] = int(Tag.RESTED), symbol_id
            for column, place in enumerate((RESTED.order_id, RESTED.side, RESTED.price_ticks, RESTED.resting_lots)):
                rows[:, place] = orders[:, column]
            self.follow(0, len(orders))

    def follow(self, first: int, count: int) -> None:
        """Take in `count` events from ring sequence `first` on, as `take` does, without telling anybody."""
        self._changes.take(first, count)
        self._touched.update(self._changes.book.symbols)
        for symbol_id in self._changes.trades.symbols:
            streams = self._symbols[symbol_id]
            fresh = self._changes.trades.of(symbol_id)[-TRADES_KEPT_MAX:, _TRADE_COLUMNS]
            streams.recent_trades = np.concatenate((streams.recent_trades, fresh))[-TRADES_KEPT_MAX:]

    def take(self, first: int, count: int, time_ns: int) -> Iterator[Frames]:
        """Yield the frames of `count` events from ring sequence `first` on, but for the best prices: see `best`."""
        self.follow(first, count)
        book, trades = self._changes.book, self._changes.trades
        for symbol_id in trades.symbols:
            for payload, message_count in trades.frames(symbol_id):
                yield self._symbols[symbol_id].trades.pack_encoded(payload, message_count, time_ns)
        for symbol_id in book.symbols:
            if symbol_id in self._snapshots:
                self._snapshots[symbol_id].note(book.of(symbol_id))
            for payload, message_count in book.frames(symbol_id):
                yield self._symbols[symbol_id].book.pack_encoded(payload, message_count, time_ns)

    def best(self, time_ns: int) -> Iterator[Frames]:
        """Yield the best prices where they are not what was last told."""
        for symbol_id in sorted(self._touched):
            streams, best = self._symbols[symbol_id], self._engine.best(symbol_id)
            if best != streams.told_best:
                streams.told_best = best
                yield streams.best.pack([best], time_ns)
        self._touched.clear()

    def depth(self, time_ns: int) -> Iterator[Frames]:
        """Yield what has changed in the best levels since the last call."""
        for symbol_id, streams in self._own:
            depth = self._engine.depth(symbol_id, DEPTH_LEVELS)
            if depth != streams.told_depth:
                yield streams.depth.pack(_level_changes(streams.told_depth, depth), time_ns)
                streams.told_depth = depth

    def references(self, time_ns: int) -> Iterator[Frames]:
        """Yield the reference prices where they are not what was last told."""
        for symbol_id, streams in self._own:
            reference = reference_price(streams.last_ticks, self._engine.best(symbol_id))
            if reference != streams.told_reference:
                streams.told_reference = reference
                yield streams.reference.pack([reference], time_ns)

    def heartbeat(self, time_ns: int, health: EngineHealth) -> Iterator[Frames]:
        """Yield a message for every topic: a checksum for a book, the health, and the next sequence for the others."""
        for symbol_id, streams in self._own:
            checksum = depth_checksum(self._engine.depth(symbol_id, CHECKSUM_LEVELS))
            yield streams.book.pack([BookChecksum(checksum)], time_ns)
            for stream in (streams.trades, streams.best, streams.depth, streams.reference):
                yield stream.pack((), time_ns)
        self._told_health = health
        yield self._health.pack([health], time_ns)

    def last_value(self, subscription: bytes, time_ns: int) -> Iterator[Frames]:
        """Yield the best prices, or the reference price, again for whoever has just subscribed (XPUB: 1, the topic)."""
        for _, streams in self._own:
            if subscription == b"\x01" + streams.best.topic:
                yield streams.best.pack([streams.told_best], time_ns)
            elif subscription == b"\x01" + streams.reference.topic:
                yield streams.reference.pack([streams.told_reference], time_ns)

    def snapshot_slice(self, topic: bytes, time_ns: int) -> Frames | None:
        """Do a bounded piece of work for a snapshot of `topic`; return it when it is done, until then None.

        Of an unknown topic it has two empty frames. What is asked for while a book is being written is answered by what
        comes of it: the snapshot is of the moment at which it is returned.
        """
        if topic in self._states:
            stream, state = self._states[topic]
            return stream.pack_snapshot(state(), time_ns)
        if topic not in self._symbol_by_book:
            return [topic, b"", b""]
        symbol_id = self._symbol_by_book[topic]
        snapshot = self._snapshots.pop(symbol_id, None) or SlicedSnapshot(self._engine, symbol_id)
        if not snapshot.advance():
            self._snapshots[symbol_id] = snapshot
            return None
        return self._symbols[symbol_id].book.pack_encoded_snapshot(snapshot.payload, snapshot.message_count, time_ns)


def _level_changes(before: Depth, after: Depth) -> list[DepthLevel]:
    """Return the messages that turn one depth into the other, levels that are gone first."""
    changes = []
    for side, (old_levels, new_levels) in enumerate(zip(before, after, strict=True)):
        old, new = dict(old_levels), dict(new_levels)
        changes += [DepthLevel(side, price_ticks, 0) for price_ticks in old if price_ticks not in new]
        changes += [DepthLevel(side, price, lots) for price, lots in new.items() if old.get(price) != lots]
    return changes
