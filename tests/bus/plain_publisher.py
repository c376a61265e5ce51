"""The publishing end of the book feed, slow and obvious: event by event into what everybody may see.

What the engine's node does in compiled kernels is tested against it.
"""

from collections.abc import Iterable, Sequence

import msgpack

from bus.feed import INSTRUMENTS_TOPIC, BookReplica, FeedStream, Frames, Topic, definition_of
from market.events import Accepted, Amended, Canceled, Event, Executed, Rested
from market.feed_messages import BestPrices, BookOrder, BookTrade, FeedMessage
from market.instrument import Instrument
from market.limits import BATCH_MESSAGES_MAX, TRADES_KEPT_MAX
from tests.bus.shown_state import best_of


class _SymbolFeed:
    """The three streams of one symbol, with the state that their snapshots tell."""

    def __init__(self, symbol: str, epoch: int) -> None:
        self.book_stream = FeedStream(Topic.BOOK.of(symbol), epoch)
        self.trades_stream = FeedStream(Topic.TRADES.of(symbol), epoch)
        self.best_stream = FeedStream(Topic.BEST.of(symbol), epoch)
        self.book = BookReplica()
        self.best = BestPrices(0, 0, 0, 0)
        self.trades: list[BookTrade] = []
        self._book_messages: list[BookOrder] = []
        self._trade_messages: list[BookTrade] = []

    def take(self, event: Event) -> None:
        match event:
            case Accepted(order_id=order_id, side=side, price_ticks=price, resting_lots=lots) if lots:
                self._show(order_id, side, price, lots)
            case Rested(order_id=order_id, side=side, price_ticks=price, resting_lots=lots):
                self._show(order_id, side, price, lots)
            case Amended(order_id=order_id, resting_lots=lots):
                self._reshow(order_id, lots)
            case Canceled(order_id=order_id, qty_lots=qty_lots, leaves_lots=leaves_lots):
                self._hide(order_id, qty_lots if leaves_lots else None)
            case Executed():
                trade = BookTrade(event.trade_id, event.price_ticks, event.qty_lots, event.taker_side, event.time_ns)
                self._trade_messages.append(trade)
                self._reshow(event.maker_order_id, event.maker_resting_lots)

    def _show(self, order_id: int, side: int, price_ticks: int, resting_lots: int) -> None:
        message = BookOrder(order_id, side, price_ticks, resting_lots)
        self.book.apply_all((message,))
        self._book_messages.append(message)

    def _reshow(self, order_id: int, lots: int) -> None:
        place = self.book.place(order_id)
        if place is not None:  # it was never shown: the rest of a taker that did not rest, or a waiting stop order
            side, price_ticks, shown_lots = place
            if lots != shown_lots:
                self._show(order_id, side, price_ticks, lots)

    def _hide(self, order_id: int, lots: int | None) -> None:
        """Show `lots` less of the order, or (None) nothing more: a decrement takes what is shown before what is not."""
        place = self.book.place(order_id)
        if place is not None:
            self._reshow(order_id, 0 if lots is None else place[2] - lots)

    def flush(self, time_ns: int) -> Iterable[Frames]:
        """Yield the frames of what was taken since the last time."""
        if self._trade_messages:
            self.trades = (self.trades + self._trade_messages)[-TRADES_KEPT_MAX:]
            yield from _packed(self.trades_stream, self._trade_messages, time_ns)
            self._trade_messages = []
        if self._book_messages:
            yield from _packed(self.book_stream, self._book_messages, time_ns)
            self._book_messages = []
            best = best_of(self.book)
            if best != self.best:
                self.best = best
                yield self.best_stream.pack([best], time_ns)

    def heartbeat(self, time_ns: int) -> Iterable[Frames]:
        for stream in (self.book_stream, self.trades_stream, self.best_stream):
            yield stream.pack((), time_ns)

    def snapshot(self, topic: bytes) -> tuple[FeedStream, Sequence[FeedMessage]]:
        if topic == self.book_stream.topic:
            return self.book_stream, self.book.state()
        if topic == self.trades_stream.topic:
            return self.trades_stream, self.trades
        return self.best_stream, [self.best]


def _packed(stream: FeedStream, messages: Sequence[FeedMessage], time_ns: int) -> Iterable[Frames]:
    """Yield frames that a socket lets through: one command may change every order of a book."""
    for start in range(0, len(messages), BATCH_MESSAGES_MAX):
        yield stream.pack(messages[start : start + BATCH_MESSAGES_MAX], time_ns)


class FeedPublisher:
    """Pure: events in, frames for the feed socket out.

    Args:
        instruments: by symbol id, as the engine knows them.
        epoch: the engine's epoch, ns since 1970.
    """

    def __init__(self, instruments: Sequence[Instrument], epoch: int) -> None:
        self._feeds = [_SymbolFeed(instrument.symbol, epoch) for instrument in instruments]
        self._feed_by_topic = {
            stream.topic: feed
            for feed in self._feeds
            for stream in (feed.book_stream, feed.trades_stream, feed.best_stream)
        }
        self._instruments_stream = FeedStream(INSTRUMENTS_TOPIC, epoch)
        self._definitions = [definition_of(instrument) for instrument in instruments]

    def take(self, events: Iterable[Event], time_ns: int) -> list[Frames]:
        """Return the frames that tell everybody of `events`."""
        for event in events:
            if event.symbol_id >= 0:
                self._feeds[event.symbol_id].take(event)
        return [frames for feed in self._feeds for frames in feed.flush(time_ns)]

    def heartbeat(self, time_ns: int) -> list[Frames]:
        """Return a heartbeat for every topic: its next sequence, so that a lost last message is noticed."""
        return [frames for feed in self._feeds for frames in feed.heartbeat(time_ns)]

    def place(self, topic: bytes) -> tuple[int, int]:
        """Return the epoch and the sequence of the last message of a symbol's book."""
        _, header, _ = self._feed_by_topic[topic].book_stream.pack_encoded_snapshot(b"", 0, 0)
        epoch, sequence, *_ = msgpack.unpackb(header)
        return epoch, sequence

    def snapshot(self, topic: bytes, time_ns: int) -> Frames | None:
        """Return the state of `topic` after its last message, or None if there is no such topic."""
        if topic == INSTRUMENTS_TOPIC:
            return self._instruments_stream.pack_snapshot(self._definitions, time_ns)
        feed = self._feed_by_topic.get(topic)
        if feed is None:
            return None
        stream, state = feed.snapshot(topic)
        return stream.pack_snapshot(state, time_ns)
