"""The book feed: what an engine's events show to everybody, and the frames that tell of it."""

import random

import msgpack
import pytest

from bus.feed import (
    INSTRUMENTS_TOPIC,
    BookReplica,
    FeedError,
    FeedFrame,
    FeedStream,
    Topic,
    TopicReplica,
    definition_of,
    depth_checksum,
    unpack_frame,
)
from market.codec import encode_all
from market.codes import SelfTradePrevention
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.depth import Depth, Level
from market.feed_messages import BestPrices, BookOrder, BookTrade, FeedMessage
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, QTY_LOTS_MAX, SNAPSHOT_BYTES_MAX, TRADES_KEPT_MAX
from tests.bus.feed_model import INSTRUMENTS, SYMBOLS, FeedEngine, Flow, pack_frame, shown
from tests.bus.messages import ORDER
from tests.bus.plain_publisher import FeedPublisher
from tests.bus.shown_state import best_of
from tests.cases import some

BOOK = Topic.BOOK.of("BTCUSDT")
TRADES = Topic.TRADES.of("BTCUSDT")
BUY, SELL = 0, 1


def rest(order_id: int, price_ticks: int = 100, lots: int = 5, side: int = BUY) -> BookOrder:
    """Return a message that shows an order."""
    return BookOrder(order_id, side, price_ticks, lots)


def frame(sequence: int, *messages: FeedMessage, epoch: int = 1, topic: bytes = BOOK) -> FeedFrame:
    """Return a feed frame."""
    return FeedFrame(topic, epoch, sequence, sequence, list(messages))


def book_messages(engine: FeedEngine, *commands: NewOrder | AmendOrder | CancelOrder | MassCancel) -> list[FeedMessage]:
    """Return what the book's topic says of the commands."""
    frames = map(unpack_frame, engine.handle(*commands))
    return [message for each in frames if each.topic == BOOK for message in each.messages]


# --- the engine's events become what everybody may see


@pytest.mark.parametrize("seed", some(range(8), 3))
def test_shows_the_engines_book_after_every_batch(seed: int) -> None:
    """Icebergs, amends, self-trade prevention, triggers: ids, places, lots and best prices are the engine's."""
    dice = random.Random(seed)
    engine, flow = FeedEngine(1), Flow(dice)
    replicas = {
        topic: TopicReplica(topic) for symbol in SYMBOLS for topic in (Topic.BOOK.of(symbol), Topic.BEST.of(symbol))
    }
    for topic, replica in replicas.items():
        replica.on_snapshot(engine.snapshot(topic))
    for _ in range(400):
        for published in map(unpack_frame, engine.handle(*(flow.command() for _ in range(dice.randint(1, 4))))):
            if published.topic in replicas:
                replicas[published.topic].on_frame(published)
        for symbol_id, symbol in enumerate(SYMBOLS):
            replica = replicas[Topic.BOOK.of(symbol)]
            assert shown(replica.book) == engine.book(symbol_id)
            assert replicas[Topic.BEST.of(symbol)].best == best_of(replica.book) == engine.matching.best(symbol_id)
            assert replica.book.depth(3) == engine.matching.depth(symbol_id, 3)
    assert all(replica.gap_count == 0 and replica.is_synchronised for replica in replicas.values())


def test_moves_a_refilled_iceberg_to_the_back() -> None:
    """The shown part is used up, then more of it is shown behind those who came later."""
    engine = FeedEngine(1)
    engine.handle(NewOrder(1, 0, SELL, 100, 12, display_lots=5), NewOrder(2, 0, SELL, 100, 5))
    assert book_messages(engine, NewOrder(3, 0, BUY, 100, 5)) == [
        BookOrder(1, SELL, 100, 0),
        BookOrder(1, SELL, 100, 5),
    ]
    assert engine.book(0) == [(2, SELL, 100, 5), (1, SELL, 100, 5)]


def test_takes_a_decrement_off_what_an_iceberg_shows() -> None:
    """Canceled says what is open in all, which is more than the book shows: the shown part shrinks by what left."""
    engine = FeedEngine(1)
    engine.handle(NewOrder(1, 0, SELL, 100, 100, owner=7, display_lots=10))
    taker = NewOrder(2, 0, BUY, 100, 4, owner=7, self_trade_prevention=int(SelfTradePrevention.DECREMENT))
    assert book_messages(engine, taker) == [BookOrder(1, SELL, 100, 6)]
    assert engine.book(0) == [(1, SELL, 100, 6)]


def test_refills_an_iceberg_that_a_decrement_used_up() -> None:
    """Gone, then back behind the others, as after a trade."""
    engine = FeedEngine(1)
    engine.handle(NewOrder(1, 0, SELL, 100, 100, owner=7, display_lots=10), NewOrder(2, 0, SELL, 100, 1))
    taker = NewOrder(3, 0, BUY, 100, 10, owner=7, self_trade_prevention=int(SelfTradePrevention.DECREMENT))
    assert book_messages(engine, taker) == [BookOrder(1, SELL, 100, 0), BookOrder(1, SELL, 100, 10)]
    assert engine.book(0) == [(2, SELL, 100, 1), (1, SELL, 100, 10)]


def test_keeps_the_place_of_an_order_that_shrinks_and_moves_one_that_grows() -> None:
    """An amend to less at the same price is a smaller order; anything else leaves and comes back."""
    engine = FeedEngine(1)
    engine.handle(NewOrder(1, 0, BUY, 100, 9), NewOrder(2, 0, BUY, 100, 9))
    assert book_messages(engine, AmendOrder(1, 0, 100, 4)) == [BookOrder(1, BUY, 100, 4)]
    assert book_messages(engine, AmendOrder(1, 0, 100, 6)) == [BookOrder(1, BUY, 100, 0), BookOrder(1, BUY, 100, 6)]
    assert book_messages(engine, AmendOrder(2, 0, 99, 9)) == [BookOrder(2, BUY, 100, 0), BookOrder(2, BUY, 99, 9)]


def test_says_nothing_of_what_nobody_may_see() -> None:
    """A waiting stop order, the hidden part of an iceberg, a refusal."""
    engine = FeedEngine(1)
    assert engine.handle(NewOrder(1, 0, BUY, 100, 9, trigger=1, trigger_price_ticks=200)) == []
    assert book_messages(engine, NewOrder(2, 0, SELL, 150, 1_000, display_lots=30)) == [BookOrder(2, SELL, 150, 30)]
    assert engine.handle(AmendOrder(1, 0, 101, 5)) == []
    assert engine.handle(CancelOrder(99, 0)) == []
    assert engine.handle(CancelOrder(1, 0)) == []


def test_cuts_a_large_change_into_frames_that_a_socket_lets_through() -> None:
    """A larger frame would end the connection of every subscriber, again and again.

    A level of many largest orders is more than a largest order, and must not break the feed of best prices either.
    """
    engine = FeedEngine(1)
    count = 2 * BATCH_MESSAGES_MAX + 5
    for first in range(1, count + 1, 1_000):
        ids = range(first, min(first + 1_000, count + 1))
        engine.handle(*(NewOrder(order_id, 0, BUY, 1 + order_id % 3, QTY_LOTS_MAX) for order_id in ids))
    replica = TopicReplica(BOOK)
    replica.on_snapshot(engine.snapshot(BOOK))
    assert len(replica.book) == count
    best = engine.snapshot(Topic.BEST.of("BTCUSDT")).messages
    assert best == [engine.matching.best(0)] == [BestPrices(3, count // 3 * QTY_LOTS_MAX, 0, 0)]
    published = [frames for frames in engine.handle(MassCancel(0)) if frames[0] == BOOK]
    assert [msgpack.unpackb(header)[2] for _, header, _ in published] == [BATCH_MESSAGES_MAX, BATCH_MESSAGES_MAX, 5]
    assert max(len(payload) for _, _, payload in published) < FRAME_BYTES_MAX
    for each in published:
        replica.on_frame(unpack_frame(each))
    assert len(replica.book) == 0
    assert replica.gap_count == 0


def test_has_room_for_every_order_of_a_book_in_a_snapshot() -> None:
    """A book of 262,144 orders is more than a frame of the bus; its snapshot must still get through and be read."""
    largest = BookOrder(2**63 - 1, 1, 100_000_000, 10**12)
    assert len(encode_all([largest])) * 262_144 < SNAPSHOT_BYTES_MAX
    orders = [largest._replace(order_id=2**62 + n) for n in range(60_000)]
    frames = pack_frame(BOOK, 1, 9, 1, orders)
    assert len(frames[2]) > FRAME_BYTES_MAX
    assert unpack_frame(frames).messages == orders


def test_keeps_as_many_trades_as_a_replica_does() -> None:
    """A snapshot of trades ends with the last one and has an end."""
    engine = FeedEngine(1)
    replica = TopicReplica(TRADES)
    for order_id in range(1, 2 * (TRADES_KEPT_MAX + 50), 2):
        for frames in engine.handle(NewOrder(order_id, 0, BUY, 100, 1), NewOrder(order_id + 1, 0, SELL, 100, 1)):
            if frames[0] == TRADES:
                replica.on_frame(unpack_frame(frames))
    snapshot = engine.snapshot(TRADES)
    assert snapshot.messages == engine.trades[0][-TRADES_KEPT_MAX:]
    assert snapshot.sequence == len(engine.trades[0]) == TRADES_KEPT_MAX + 50
    replica.on_snapshot(snapshot)
    assert list(replica.trades) == snapshot.messages


def test_knows_its_topics_and_no_others() -> None:
    """Every symbol has three topics, and the list of instruments is one more."""
    publisher = FeedPublisher(INSTRUMENTS, 5)
    assert publisher.snapshot(b"book.NOPE", 1) is None
    assert publisher.snapshot(b"", 1) is None
    frames = publisher.snapshot(INSTRUMENTS_TOPIC, 1)
    assert frames is not None
    assert unpack_frame(frames).messages == [definition_of(instrument) for instrument in INSTRUMENTS]
    beats = [unpack_frame(each) for each in publisher.heartbeat(7)]
    assert [(beat.topic, beat.epoch, beat.sequence, beat.messages) for beat in beats] == [
        (topic.of(symbol), 5, 1, []) for symbol in SYMBOLS for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)
    ]


# --- frames


def test_numbers_the_messages_of_a_topic() -> None:
    """A heartbeat takes no number, a snapshot is after the last."""
    stream = FeedStream(TRADES, 7)
    trade = BookTrade(1, 100, 5, BUY)
    packed = [stream.pack([trade, trade], 1), stream.pack((), 2), stream.pack([trade], 3), stream.pack_snapshot([], 4)]
    assert [unpack_frame(each) for each in packed] == [
        FeedFrame(TRADES, 7, 1, 1, [trade, trade]),
        FeedFrame(TRADES, 7, 3, 2, []),
        FeedFrame(TRADES, 7, 3, 3, [trade]),
        FeedFrame(TRADES, 7, 3, 4, []),
    ]
    assert unpack_frame(packed[0]).next_sequence == 3


HEADER = msgpack.packb((1, 1, 1, 1))
BAD_FRAMES = {
    "no frames": [],
    "two frames": [BOOK, HEADER],
    "four frames": [BOOK, HEADER, encode_all([rest(1)]), b""],
    "no such topic": [BOOK, b"", b""],
    "a header of three": [BOOK, msgpack.packb((1, 1, 1)), encode_all([rest(1)])],
    "a header with text": [BOOK, msgpack.packb((1, "1", 1, 1)), encode_all([rest(1)])],
    "a header with a bool": [BOOK, msgpack.packb((1, True, 1, 1)), encode_all([rest(1)])],
    "a negative sequence": [BOOK, msgpack.packb((1, -1, 1, 1)), encode_all([rest(1)])],
    "a header that is an integer": [BOOK, b"\x01", encode_all([rest(1)])],
    "a header of arrays in one another": [BOOK, b"\x91" * 1_000_000, b""],
    "fewer messages": [BOOK, HEADER, b""],
    "more messages": [BOOK, HEADER, encode_all([rest(1), rest(2)])],
    "half a message": [BOOK, HEADER, encode_all([rest(1)])[:-1]],
    "a command": [BOOK, HEADER, encode_all([ORDER])],
}


@pytest.mark.parametrize("frames", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_refuses_what_no_feed_sends(frames: list[bytes]) -> None:
    """Every bad frame is one kind of error, with a short text."""
    with pytest.raises(FeedError, match="expected") as caught:
        unpack_frame(frames)
    assert len(str(caught.value)) < 200


def test_an_order_cannot_change_its_side() -> None:
    """At the same price, either: it would leave a level of orders that never goes."""
    book = BookReplica()
    book.apply_all((BookOrder(1, 0, 100, 5),))
    with pytest.raises(FeedError, match="order 1 is at"):
        book.apply_all((BookOrder(1, 1, 100, 5),))


@pytest.mark.parametrize("side", [0, 1])
def test_a_checksum_is_of_ten_levels_on_each_side_and_of_no_more(side: int) -> None:
    """As docs/protocol.md says, of the best ones: the tenth is in it, the eleventh is not."""
    levels = tuple(Level(100 + number, 5) for number in range(12))
    plain = depth_checksum(Depth(levels, levels))
    for number in range(12):
        changed = (*levels[:number], Level(100 + number, 6), *levels[number + 1 :])
        depth = Depth(changed, levels) if side == 0 else Depth(levels, changed)
        assert (depth_checksum(depth) != plain) is (number < 10), number
