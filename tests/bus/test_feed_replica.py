"""A replica of the book feed: if it says that it is in step it shows the engine's book, whatever was lost."""

import random
from collections.abc import Iterable

import pytest

from bus import feed
from bus.feed import (
    BookReplica,
    FeedError,
    FeedFrame,
    Topic,
    TopicReplica,
)
from market.clock import NS_PER_SECOND
from market.depth import Depth, Level
from market.feed_messages import BestPrices, BookOrder, BookTrade, DepthLevel
from market.limits import TRADES_KEPT_MAX
from tests.bus.feed_model import SYMBOLS, FeedEngine, FeedSubscriberModel, Flow, shown
from tests.bus.shown_state import best_of
from tests.bus.test_feed import BOOK, BUY, SELL, frame, rest
from tests.cases import some

Books = dict[tuple[bytes, int, int], list[tuple[int, int, int, int]]]  # by topic, epoch and sequence


@pytest.mark.parametrize("seed", some(range(24), 8))
def test_recovers_from_whatever_is_lost(seed: int) -> None:
    """Frames lost, snapshots late, engines restarted: in step means equal to the engine at that sequence."""
    dice = random.Random(seed)
    epochs = iter(range(100, 10_000, 100))
    engine, flow, subscriber = FeedEngine(next(epochs)), Flow(dice), FeedSubscriberModel()
    books: Books = {}
    note_books(engine, books, range(len(SYMBOLS)))
    for _ in range(700):
        command = flow.command()
        subscriber.publish(engine.handle(command))
        note_books(engine, books, [command.symbol_id])
        if dice.random() < 0.1:
            subscriber.publish(engine.publisher.heartbeat(engine.time_ns))
        if dice.random() < 0.05:
            subscriber.lose()
        if dice.random() < 0.2:
            subscriber.ask(engine)
        if dice.random() < 0.3:
            subscriber.answer()
        if dice.random() < 0.6:
            subscriber.listen(dice.randint(1, 8))
        if dice.random() < 0.005:
            engine = FeedEngine(next(epochs))
            note_books(engine, books, range(len(SYMBOLS)))
        for topic, replica in subscriber.replicas.items():
            if topic.startswith(b"book.") and replica.is_synchronised:
                assert shown(replica.book) == books[topic, replica.epoch, replica.sequence]
    settle(engine, subscriber)
    assert subscriber.lost_count > 0
    assert sum(replica.gap_count for replica in subscriber.replicas.values()) > 0


def note_books(engine: FeedEngine, books: Books, symbol_ids: Iterable[int]) -> None:
    """Remember books of the engine's under their places in the feed."""
    for symbol_id in symbol_ids:
        topic = Topic.BOOK.of(SYMBOLS[symbol_id])
        books[topic, *engine.publisher.place(topic)] = engine.book(symbol_id)


def settle(engine: FeedEngine, subscriber: FeedSubscriberModel) -> None:
    """From now on nothing is lost: after a heartbeat and a snapshot every replica is up to the engine's last word."""
    for _ in range(4):
        subscriber.publish(engine.publisher.heartbeat(engine.time_ns))
        subscriber.listen(1_000_000)
        subscriber.ask(engine)
        while subscriber.snapshots:
            subscriber.answer()
    for symbol_id, symbol in enumerate(SYMBOLS):
        book, trades = subscriber.replicas[Topic.BOOK.of(symbol)], subscriber.replicas[Topic.TRADES.of(symbol)]
        assert book.is_synchronised
        assert trades.is_synchronised
        assert (book.epoch, book.sequence) == (engine.epoch, engine.snapshot(book.topic).sequence)
        assert shown(book.book) == engine.book(symbol_id)
        assert list(trades.trades) == engine.trades[symbol_id][-TRADES_KEPT_MAX:]


def synchronised(*orders: BookOrder, sequence: int = 10, epoch: int = 1) -> TopicReplica:
    """Return a replica that took a snapshot of these orders."""
    replica = TopicReplica(BOOK)
    replica.on_snapshot(frame(sequence, *orders, epoch=epoch))
    assert replica.is_synchronised
    return replica


def test_is_out_of_step_until_its_first_snapshot() -> None:
    """What comes before is held back and follows the snapshot, but for what the snapshot holds already."""
    replica = TopicReplica(BOOK)
    assert replica.needs_snapshot
    replica.on_frame(frame(9, rest(1)))
    replica.on_frame(frame(10, rest(2), rest(3)))
    assert len(replica.book) == 0
    replica.on_snapshot(frame(10, rest(1), rest(2)))
    assert replica.is_synchronised
    assert replica.gap_count == 0
    assert replica.sequence == 11
    assert replica.book.state() == [rest(1), rest(2), rest(3)]


def test_counts_a_gap_and_asks_for_a_snapshot() -> None:
    """The book is not touched by what comes after a gap, and a snapshot ends it."""
    replica = synchronised(rest(1))
    replica.on_frame(frame(12, rest(3)))
    assert (replica.needs_snapshot, replica.gap_count, replica.sequence) == (True, 1, 10)
    replica.on_snapshot(frame(11, rest(1), rest(2)))
    assert (replica.needs_snapshot, replica.gap_count, replica.sequence) == (False, 1, 12)
    assert replica.book.state() == [rest(1), rest(2), rest(3)]


def test_notices_a_lost_last_message_by_the_heartbeat() -> None:
    """A heartbeat carries the next sequence: with nothing lost it changes nothing."""
    replica = synchronised(rest(1))
    replica.on_frame(frame(11))
    assert (replica.is_synchronised, replica.sequence) == (True, 10)
    replica.on_frame(frame(12))
    assert (replica.is_synchronised, replica.gap_count) == (False, 1)


def test_drops_what_it_had() -> None:
    """A frame that comes again, or that overlaps, is applied once."""
    replica = synchronised(rest(1))
    replica.on_frame(frame(11, rest(2)))
    replica.on_frame(frame(11, rest(2)))
    replica.on_frame(frame(11, rest(2), rest(2, lots=0), rest(3)))
    replica.on_frame(frame(9))
    assert replica.is_synchronised
    assert replica.sequence == 13
    assert replica.book.state() == [rest(1), rest(3)]


def test_needs_another_snapshot_if_the_first_is_too_old() -> None:
    """It was taken before a message that is lost: what follows does not fit."""
    replica = TopicReplica(BOOK)
    replica.on_frame(frame(15, rest(5)))
    replica.on_snapshot(frame(10, rest(1)))
    assert replica.needs_snapshot
    replica.on_frame(frame(16, rest(6)))
    replica.on_snapshot(frame(14, rest(1), rest(4)))
    assert replica.is_synchronised
    assert replica.book.state() == [rest(1), rest(4), rest(5), rest(6)]


def test_ignores_a_snapshot_that_it_no_longer_needs() -> None:
    """Two were asked for; the second may be older than what was applied since."""
    replica = synchronised(rest(1))
    replica.on_frame(frame(11, rest(2)))
    replica.on_snapshot(frame(10, rest(1)))
    assert replica.sequence == 11
    assert replica.book.state() == [rest(1), rest(2)]


def test_starts_anew_with_a_new_engine() -> None:
    """A message of another epoch is a gap, and nothing of the old book is left after its snapshot."""
    replica = synchronised(rest(1))
    replica.on_frame(frame(1, rest(7), epoch=2))
    assert (replica.needs_snapshot, replica.gap_count) == (True, 1)
    replica.on_frame(frame(11, rest(2)))  # from the old engine, late
    replica.on_snapshot(frame(10, rest(1)))  # likewise
    assert replica.needs_snapshot
    replica.on_snapshot(frame(1, rest(7), epoch=2))
    assert (replica.is_synchronised, replica.epoch, replica.sequence) == (True, 2, 1)
    assert replica.book.state() == [rest(7)]


STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("first_snapshot_is_old", [True, False])
def test_follows_an_engine_however_its_clock_was_set(step_ns: int, *, first_snapshot_is_old: bool) -> None:
    """Whether its epoch is lower or higher than the last one, and whichever of them answers first."""
    old, new = 10**18, 10**18 + step_ns
    replica = synchronised(rest(1), epoch=old)
    replica.on_frame(frame(1, rest(7), epoch=new))
    if first_snapshot_is_old:
        replica.on_snapshot(frame(10, rest(1), epoch=old))
        assert replica.needs_snapshot, "its engine is gone"
    replica.on_snapshot(frame(1, rest(7), epoch=new))
    assert not replica.needs_snapshot
    replica.on_frame(frame(2, rest(8), epoch=new))
    assert (replica.is_synchronised, replica.epoch) == (True, new)
    assert replica.book.state() == [rest(7), rest(8)]


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_asks_again_when_it_has_held_back_what_two_engines_said(step_ns: int) -> None:
    """No number tells which of them is gone; after one more snapshot it does not matter."""
    old, new = 10**18, 10**18 + step_ns
    replica = TopicReplica(BOOK)
    for waiting in (frame(11, rest(2), epoch=old), frame(1, rest(7), epoch=new)):
        replica.on_frame(waiting)
    replica.on_snapshot(frame(1, rest(7), epoch=new))
    assert replica.needs_snapshot
    replica.on_snapshot(frame(1, rest(7), epoch=new))
    assert (replica.is_synchronised, replica.book.state()) == (True, [rest(7)])


def test_nothing_of_before_a_snapshot_is_left_after_it() -> None:
    """Orders, trades and levels alike: what it does not tell of is gone."""
    replica = TopicReplica(BOOK)
    trade, level = BookTrade(1, 100, 5, BUY), DepthLevel(SELL, 105, 9)
    replica.on_snapshot(frame(5, rest(1), trade, level, DepthLevel(BUY, 99, 1)))
    assert replica.levels == ({99: 1}, {105: 9})
    replica.lose()
    replica.on_snapshot(frame(9, rest(2), DepthLevel(BUY, 98, 2)))
    assert (replica.book.state(), list(replica.trades), replica.levels) == ([rest(2)], [], ({98: 2}, {}))


def test_shows_the_time_of_the_last_message_however_the_clock_was_set() -> None:
    """After the clock was set back an hour the book must not be an hour old, nor stay of a time that is to come."""
    replica = synchronised(rest(1))
    replica.on_frame(FeedFrame(BOOK, 1, 11, 5_000, [rest(2)]))
    assert replica.time_ns == 5_000
    replica.on_frame(FeedFrame(BOOK, 1, 12, 1_000, []))
    assert replica.time_ns == 1_000
    replica.on_frame(FeedFrame(BOOK, 1, 10, 4_000, [rest(1)]))  # again
    assert replica.time_ns == 1_000


def test_holds_back_no_more_than_a_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """While no snapshot comes, the oldest are given up; the gap that they leave is noticed."""
    monkeypatch.setattr(feed, "FEED_WAITING_MAX", 3)
    replica = TopicReplica(BOOK)
    for sequence in range(1, 7):
        replica.on_frame(frame(sequence, rest(sequence)))
    replica.on_snapshot(frame(0))
    assert replica.needs_snapshot
    replica.on_snapshot(frame(5, *map(rest, range(1, 6))))
    assert replica.is_synchronised
    assert replica.book.state() == [rest(n) for n in range(1, 7)]


def test_is_out_of_step_when_the_feed_contradicts_it() -> None:
    """An order cannot be in two places: somebody's book is wrong, so ours must not be shown."""
    replica = synchronised(rest(1, price_ticks=100))
    with pytest.raises(FeedError, match=r"order 1 is at \(0, 100\), the feed says \(0, 101\)"):
        replica.on_frame(frame(11, rest(1, price_ticks=101)))
    replica.lose()
    assert replica.needs_snapshot


def test_shows_depth_orders_and_best_prices() -> None:
    """Best price first on both sides; a level's quantity is its orders' sum."""
    book = BookReplica()
    for message in (rest(1, 100, 5), rest(2, 101, 3), rest(3, 101, 4), rest(4, 105, 9, SELL), rest(5, 104, 1, SELL)):
        book.apply_all((message,))
    assert book.depth(9) == Depth((Level(101, 7), Level(100, 5)), (Level(104, 1), Level(105, 9)))
    assert book.depth(1) == Depth((Level(101, 7),), (Level(104, 1),))
    assert best_of(book) == BestPrices(101, 7, 104, 1)
    assert [(price, list(queue.items())) for price, queue in book.orders(BUY, 1)] == [(101, [(2, 3), (3, 4)])]
    assert book.place(3) == (BUY, 101, 4)
    book.apply_all((rest(2, 101, 0),))
    book.apply_all((rest(3, 101, 0),))
    book.apply_all((rest(3, 101, 0),))  # it is gone already
    assert (book.place(3), len(book), best_of(book)) == (None, 3, BestPrices(100, 5, 104, 1))
    book.clear()
    assert (len(book), best_of(book), book.state()) == (0, BestPrices(0, 0, 0, 0), [])
