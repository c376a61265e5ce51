"""The feed's rows: what the plain publisher sends, to the byte, and what the engine's book shows."""

import numpy as np
import pytest

from bus.feed import BookReplica, Topic
from engine.rows.ring import CONSUMED, Ring
from engine.wire.codec import BookFeed, Encoded
from market.codec import encode_all
from market.codes import CancelReason
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested
from market.feed_messages import BookOrder, BookTrade
from market.kernels.rows import read_event, write_event
from tests.bus.plain_publisher import FeedPublisher
from tests.cases import some
from tests.engine.wire.both import messages_in
from tests.engine.wire.market import ORDERS_MAX, SYMBOL_COUNT, WildMarket
from tests.pairs import default_instruments

PRICE, QTY = 9_120_223, 50
INSTRUMENTS = default_instruments()


def told(*events: Event) -> tuple[list[BookOrder], list[BookTrade]]:
    """Return what the feed tells of the events, all of symbol 0, and compare with the plain publisher."""
    ring = Ring(16)
    for event in events:
        write_event(ring.rows, ring.claim(), event)
        ring.publish()
    feed = BookFeed(ring, 16)
    feed.take(0, len(events))
    published = {frames[0]: frames[2] for frames in FeedPublisher(INSTRUMENTS, 1).take(events, 0)}
    symbol = INSTRUMENTS[0].symbol
    assert payload_of(feed.book.frames(0)) == published.get(Topic.BOOK.of(symbol), b"")
    assert payload_of(feed.trades.frames(0)) == published.get(Topic.TRADES.of(symbol), b"")
    return messages_in(feed.book.of(0)), messages_in(feed.trades.of(0))  # type: ignore[return-value]


def payload_of(frames: list[Encoded]) -> bytes:
    """Return the bytes of all frames."""
    return b"".join(payload for payload, _ in frames)


def accepted(order_id: int, resting_lots: int = QTY, qty_lots: int = QTY) -> Accepted:
    """Return an order that was taken in."""
    return Accepted(1, 2, 0, order_id, 3, 0, PRICE, qty_lots, 0, 0, resting_lots)


def canceled(order_id: int, qty_lots: int, leaves_lots: int = 0) -> Canceled:
    """Return a cancel of some or all of an order."""
    return Canceled(1, 2, 0, order_id, 3, 0, PRICE, qty_lots, leaves_lots, CancelReason.SELF_TRADE_PREVENTION)


def executed(maker_id: int, qty_lots: int, resting_lots: int) -> Executed:
    """Return a trade with a resting buy order."""
    return Executed(1, 2, 0, 9, PRICE, qty_lots, 1, 77, 3, 0, maker_id, 3, resting_lots, resting_lots)


def shows(order_id: int, resting_lots: int, price_ticks: int = PRICE) -> BookOrder:
    """Return what the feed says of a buy order."""
    return BookOrder(order_id, 0, price_ticks, resting_lots)


# --- event by event


def test_shows_an_order_that_went_into_the_book() -> None:
    """Not one that takes first, or waits for its trigger."""
    assert told(accepted(5), accepted(6, resting_lots=0)) == ([shows(5, QTY)], [])
    assert told(accepted(6, 0), Rested(1, 2, 0, 6, 3, 0, PRICE, 7, 9)) == ([shows(6, 7)], [])


def test_shows_what_a_trade_left_of_the_maker() -> None:
    """And the trade; the taker is not in the book."""
    trade = BookTrade(9, PRICE, 20, 1, 2)
    assert told(accepted(5), executed(5, 20, 30)) == ([shows(5, QTY), shows(5, 30)], [trade])
    assert told(accepted(5), executed(5, 20, 0), canceled(5, 1)) == ([shows(5, QTY), shows(5, 0)], [trade])


def test_is_silent_on_what_was_never_shown() -> None:
    """A cancelled taker or waiting order, an amended waiting order, a refusal."""
    amended = Amended(1, 2, 0, 6, 3, 0, PRICE, 9, 0)
    refused = Rejected(1, 2, -1, 6, 3, 1, 1)
    assert told(accepted(6, 0), amended, canceled(6, 9), refused) == ([], [])


def test_takes_an_amended_order_from_the_price_that_it_left() -> None:
    """The event has the new price; a subscriber knows the order at the old one."""
    moved = Amended(1, 2, 0, 5, 3, 0, PRICE + 4, 40, 0)
    rested = Rested(1, 2, 0, 5, 3, 0, PRICE + 4, 40, 40)
    assert told(accepted(5), moved, rested)[0] == [shows(5, QTY), shows(5, 0), shows(5, 40, PRICE + 4)]
    smaller = Amended(1, 2, 0, 5, 3, 0, PRICE, 40, 40)
    assert told(accepted(5), smaller, smaller)[0] == [shows(5, QTY), shows(5, 40)]


def test_takes_what_was_cancelled_off_what_an_iceberg_shows() -> None:
    """A decrement leaves the hidden part open, but it comes off the shown part."""
    iceberg = accepted(5, resting_lots=10, qty_lots=100)
    assert told(iceberg, canceled(5, 4, leaves_lots=96))[0] == [shows(5, 10), shows(5, 6)]
    assert told(iceberg, canceled(5, 10, leaves_lots=90))[0] == [shows(5, 10), shows(5, 0)]


def test_forgets_orders_that_are_gone() -> None:
    """The table is as large as the book, not as the day."""
    ring = Ring(16)
    feed = BookFeed(ring, 4)
    for number in range(1, 2_000):
        write_event(ring.rows, 0, accepted(number * 10**12))
        feed.take(0, 1)
        if number > 3:
            write_event(ring.rows, 0, canceled((number - 3) * 10**12, QTY))
            feed.take(0, 1)
            assert feed.shown_count == 3
    assert messages_in(feed.book.rows[:1]) == [shows(1_996 * 10**12, 0)]


def test_stops_before_more_is_shown_than_the_book_may_hold() -> None:
    """It would be a bug of ours; a full table would be searched for ever."""
    ring = Ring(1)
    feed = BookFeed(ring, 1)
    for number in range(1, 4):
        write_event(ring.rows, 0, accepted(number))
        feed.take(0, 1)
    with pytest.raises(AssertionError, match="3 orders are shown"):
        feed.take(0, 1)


def test_counts_an_order_once_that_is_shown_again() -> None:
    """A known order that is told to rest keeps its place and its entry."""
    ring = Ring(4)
    events: tuple[Event, ...] = (accepted(5), Rested(1, 2, 0, 5, 3, 0, PRICE, 40, 40), canceled(5, 40))
    for slot, event in enumerate(events):
        write_event(ring.rows, slot, event)
    feed = BookFeed(ring, 4)
    for slot, shown_count in enumerate((1, 1, 0)):
        feed.take(slot, 1)
        assert feed.shown_count == shown_count
    assert told(accepted(5), Rested(1, 2, 0, 5, 3, 0, PRICE, 40, 40))[0] == [shows(5, QTY), shows(5, 40)]


# --- a whole market


@pytest.mark.parametrize("seed", some(range(6), 2))
def test_sends_what_the_plain_publisher_sends(seed: int) -> None:
    """Byte for byte and symbol by symbol; and a subscriber's replica is the engine's book after every batch."""
    market = WildMarket(seed)
    feed = BookFeed(market.engine.events, ORDERS_MAX)
    publisher = FeedPublisher(INSTRUMENTS, 1)
    replicas = [BookReplica() for _ in range(SYMBOL_COUNT)]
    kinds: set[type[Event]] = set()
    for _ in range(200):
        market.send_batch()
        while len(market.engine.commands):
            market.engine.match()
            first, count = int(market.engine.events.positions[CONSUMED]), len(market.engine.events)
            events = take_events(market.engine.events)
            kinds |= {type(event) for event in events}
            feed.take(first, count)
            published = {frames[0]: frames[2] for frames in publisher.take(events, 0)}
            for symbol in range(SYMBOL_COUNT):
                topics = Topic.BOOK.of(INSTRUMENTS[symbol].symbol), Topic.TRADES.of(INSTRUMENTS[symbol].symbol)
                book, trades = feed.book.frames(symbol), feed.trades.frames(symbol)
                assert (payload_of(book), payload_of(trades)) == tuple(published.get(topic, b"") for topic in topics)
                assert bool(book) == (symbol in feed.book.symbols)
                assert bool(trades) == (symbol in feed.trades.symbols)
            for message, symbol in zip(messages_in(feed.book.rows[: feed.book.count]), keys(feed), strict=False):
                replicas[symbol].apply_all((message,))  # type: ignore[arg-type]
        for symbol, replica in enumerate(replicas):
            shown = [(order, side, price, lots) for order, side, price, lots in replica.state()]
            assert shown == [tuple(row) for row in market.engine.orders(symbol)[:, :4].tolist()]
        assert feed.shown_count == sum(map(len, replicas))
    assert {Accepted, Rested, Executed, Canceled, Amended, Rejected} <= kinds


def take_events(ring: Ring) -> list[Event]:
    """Consume and return what waits in the ring; its rows stay as they are until the next match."""
    events = []
    while len(rows := ring.readable()):
        events += [read_event(row) for row in rows]
        ring.consume(len(rows))
    return events


def keys(feed: BookFeed) -> list[int]:
    """Return the symbols of the rows of the last batch."""
    symbols: list[int] = feed.book.keys[::2].tolist()
    return symbols


def test_sends_a_large_batch_in_frames() -> None:
    """No frame has more messages than an engine takes at a time."""
    ring = Ring(8_192)
    for slot in range(5_000):
        write_event(ring.rows, slot, accepted(slot + 1))
    feed = BookFeed(ring, 10_000)
    feed.take(0, 5_000)
    assert feed.book.symbols == (0,)
    frames = feed.book.frames(0)
    assert [count for _, count in frames] == [4_096, 904]
    assert payload_of(frames) == encode_all([shows(number, QTY) for number in range(1, 5_001)])
    assert feed.book.frames(1) == []


def test_hands_out_a_symbols_last_trades() -> None:
    """For those who keep the last trades of each symbol, as a snapshot of its trades needs."""
    ring = Ring(8)
    write_event(ring.rows, 0, accepted(5, 90, 90))
    for slot in range(1, 7):
        write_event(ring.rows, slot, executed(5, slot, 90 - slot)._replace(symbol_id=slot & 1, trade_id=slot))
    feed = BookFeed(ring, 8)
    feed.take(0, 7)
    assert [row[1] for row in feed.trades.of(1)[-2:].tolist()] == [3, 5]
    assert [row[1] for row in feed.trades.of(0).tolist()] == [2, 4, 6]
    assert messages_in(feed.trades.of(1)[-1:]) == [BookTrade(5, PRICE, 5, 1, 2)]


def test_knows_all_symbols_apart() -> None:
    """Also the last one, whose bit is the sign of a 64-bit number."""
    ring = Ring(64)
    for symbol in range(64):
        write_event(ring.rows, symbol, accepted(symbol + 1)._replace(symbol_id=symbol))
    feed = BookFeed(ring, 64)
    feed.take(0, 64)
    assert feed.book.symbols == tuple(range(64))
    for symbol in range(64):
        assert payload_of(feed.book.frames(symbol)) == encode_all([shows(symbol + 1, QTY)])
    assert np.array_equal(np.unique(keys(feed)), np.arange(64))
