"""Snapshots that are written in slices while the book changes under them."""

from random import Random

import pytest

from bus.feed import BookReplica
from engine.matching_engine import MatchingEngine, make_engine
from engine.rows.ring import CONSUMED
from engine.wire.codec import BookFeed
from market.codec import decode
from market.commands import HaltSymbol
from market.feed_messages import BookOrder
from market.kernels.rows import write_command
from nodes.engine.snapshots import SlicedSnapshot
from tests.engine.model.random_commands import MARKETS, Market, RandomCommands

SLICES = (1, 7, 64)


def book_of(engine: MatchingEngine, symbol_id: int) -> list[BookOrder]:
    """Return all that a subscriber should know of a symbol."""
    return [BookOrder(*row[:4]) for row in engine.orders(symbol_id).tolist()]


def made_by(snapshot: SlicedSnapshot) -> list[BookOrder]:
    """Apply a snapshot to an empty book as a subscriber does, which fails where it contradicts itself."""
    messages = decode(snapshot.payload)
    assert len(messages) == snapshot.message_count
    replica = BookReplica()
    for message in messages:
        assert isinstance(message, BookOrder)
        replica.apply_all((message,))
    return replica.state()


def follow(
    engine: MatchingEngine, feed: BookFeed, commands: RandomCommands, count: int, snapshot: SlicedSnapshot | None
) -> None:
    """Let the engine handle random commands as one batch, and tell the snapshot of it."""
    for _ in range(count):
        command = commands.next()
        if not isinstance(command, HaltSymbol):
            write_command(engine.commands.rows, engine.commands.claim(), command)
            engine.commands.publish()
    while len(engine.commands):
        engine.match()
    feed.take(int(engine.events.positions[CONSUMED]), len(engine.events))
    engine.events.consume(len(engine.events))
    if snapshot is not None and 0 in feed.book.symbols:
        snapshot.note(feed.book.of(0))


@pytest.mark.parametrize("book", ["fast", "reference"])
@pytest.mark.parametrize("name", ["narrow", "wide", "three symbols", "lowest prices", "highest prices"])
def test_snapshot_in_slices_makes_the_book_of_its_end(book: str, name: str) -> None:
    """Levels are added, emptied, crossed and left behind while it is written; queues keep their order."""
    market = MARKETS[name]
    dice, commands = Random(5), RandomCommands(market, 5)
    engine = make_engine(book, market.symbol_count, market.orders_max, market.pages_max, event_slots=1024)
    feed = BookFeed(engine.events, market.orders_max)
    for size in SLICES * 12:
        follow(engine, feed, commands, 40, None)
        snapshot = SlicedSnapshot(engine, 0, size)
        while not snapshot.advance():
            follow(engine, feed, commands, dice.choice((0, 1, 1, 3, 9)), snapshot)
        assert made_by(snapshot) == book_of(engine, 0)


def test_snapshot_of_a_small_book_is_its_orders() -> None:
    """One slice is enough: best price first, each level in the order of its queue, and nothing else."""
    engine = make_engine("fast", 1)
    commands = RandomCommands(Market(), 3)
    feed = BookFeed(engine.events)
    for _ in range(60):
        follow(engine, feed, commands, 20, None)
    snapshot = SlicedSnapshot(engine, 0)
    assert snapshot.advance()
    assert decode(snapshot.payload) == book_of(engine, 0) != []


def test_level_longer_than_a_slice_is_read_as_a_whole() -> None:
    """A level has no place inside it to go on from."""
    engine = make_engine("fast", 1)
    commands = RandomCommands(Market(width_ticks=0, orders_max=4_000, cancel_share=0, amend_share=0), 3)
    feed = BookFeed(engine.events)
    for _ in range(30):
        follow(engine, feed, commands, 20, None)
    levels = {(order.side, order.price_ticks) for order in book_of(engine, 0)}
    assert len(book_of(engine, 0)) > 20 * len(levels) > 0
    snapshot = SlicedSnapshot(engine, 0, 2)
    while not snapshot.advance():
        pass
    assert made_by(snapshot) == book_of(engine, 0)
