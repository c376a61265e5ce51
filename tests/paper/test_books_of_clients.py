"""Books that clients keep from snapshots and diff streams, compared with the exchange's at every number they reach.

The engine, its feed, the replicas and the streams are real; only sockets and clocks are not, so that a snapshot can be
taken between any two changes.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bus.feed import CHECKSUM_LEVELS, Frames, Topic, depth_checksum
from bus.subscriber import SILENCE_NS_MAX, FeedSubscriber
from market.feed_messages import BookChecksum
from nodes.paper.feed_books import FeedBooks, TouchedBook
from paper.calls import documents
from paper.exchange.public_market import PublicMarket
from paper.faults import Faults
from paper.money.ledger import Ledger
from paper.streams.hub import StreamHub
from tests.bus.feed_model import INSTRUMENTS, SYMBOLS, TOPICS, FeedEngine, Flow, pack_frame
from tests.cases import some
from tests.one_engine import one_engine
from tests.paper.desk import ONE_ENGINE

STEPS: Final = 1_500
SPEEDS: Final = ("@depth", "@depth@100ms", "@depth@1000ms")
PARTIAL: Final = ("@depth5", "@depth10@1000ms", "@depth20@100ms")
ALL_LEVELS: Final = 1_000_000

Sides = tuple[dict[str, str], dict[str, str]]


def sides_of(document: dict[str, Any], names: tuple[str, str] = ("bids", "asks")) -> Sides:
    """Return the levels of a document by price."""
    bids, asks = (dict(map(tuple, document[name])) for name in names)
    return bids, asks


class Listener:
    """A client of one stream that keeps whatever it is told."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.told: list[dict[str, Any]] = []
        self.snapshots: list[dict[str, Any]] = []  # taken while it listens

    def take(self, stream: str, text: str) -> None:
        """Take a document."""
        assert stream.startswith(self.symbol.lower())
        self.told.append(json.loads(text))


class Exchange:
    """The public side of the exchange behind a feed that the test moves."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.ledger = Ledger(folder / "ledger.sqlite3", INSTRUMENTS, ONE_ENGINE)
        self.now_ns = 1
        self.subscriber = FeedSubscriber(one_engine(folder), TOPICS, TouchedBook)
        symbols = {each.symbol_id: each.symbol for each in INSTRUMENTS}
        self.market = PublicMarket(self.ledger, FeedBooks(self.subscriber, symbols, lambda: self.now_ns), 1_000)
        self.hub = StreamHub(self.market, Faults())
        self.engine = FeedEngine(epoch=1)
        self.books: dict[tuple[str, int], Sides] = {}  # by symbol and number
        self.listeners: list[tuple[str, Listener]] = []
        self._flow = Flow(self.dice)
        self._is_silent = False

    def step(self) -> None:
        """Let something happen, and the exchange look at once or later; then anybody may ask."""
        roll = self.dice.random()
        if roll < 0.01:
            self.engine = FeedEngine(self.engine.epoch + 1)
            self._hear(self.engine.handle(self._flow.command()))
        elif roll < 0.02:
            self._is_silent = not self._is_silent
        elif roll < 0.03:
            self.engine.handle(self._flow.command())  # and the frames are lost
        else:
            for _ in range(self.dice.choice((1, 1, 1, 2, 5))):
                self._hear(self.engine.handle(*(self._flow.command() for _ in range(self.dice.choice((1, 1, 3))))))
        self._recover()
        self.now_ns += 2 * SILENCE_NS_MAX if self._is_silent else 1
        self.market.on_book()
        for symbol in SYMBOLS:
            self._note(symbol)

    def tick(self) -> None:
        """Let a tenth of a second pass."""
        self.hub.tick(now_ms=1)

    def snapshot(self, symbol: str) -> dict[str, Any]:
        """Take a snapshot, as REST and the WebSocket API make it; whoever listens to the symbol may begin with it."""
        of = self.market.symbols[symbol]
        snapshot: dict[str, Any] = documents.depth(of, self.market.depth(of, ALL_LEVELS), self.market.update_id(of))
        for _, listener in self.listeners:
            if listener.symbol == symbol:
                listener.snapshots.append(snapshot)
        return snapshot

    def join(self, symbol: str, stream: str) -> Listener:
        """Let one more client listen."""
        listener = Listener(symbol)
        self.listeners.append((stream, listener))
        assert self.hub.subscribe(symbol.lower() + stream, listener.take)
        return listener

    def close(self) -> None:
        """Close what is open."""
        self.subscriber.close()
        self.ledger.close()

    def _hear(self, published: list[Frames]) -> None:
        if not self._is_silent:
            for frames in published:
                self.subscriber._take(frames, self.now_ns, is_snapshot=False)

    def _recover(self) -> None:
        if self._is_silent or self.dice.random() < 0.3:
            return
        for topic, replica in self.subscriber.replicas.items():
            self.subscriber._heard_ns[topic] = self.now_ns
            if replica.needs_snapshot:
                frames = self.engine.publisher.snapshot(topic, self.engine.time_ns)
                assert frames is not None
                self.subscriber._take(frames, self.now_ns, is_snapshot=True)

    def _note(self, symbol: str) -> None:
        """Keep the book by its number; one number names one book."""
        snapshot = self.snapshot(symbol)
        key = symbol, snapshot["lastUpdateId"]
        assert self.books.setdefault(key, sides_of(snapshot)) == sides_of(snapshot), key


@pytest.fixture(params=some(range(3), 1))
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exchange]:
    """An exchange with listeners to every stream of the books, some from the start and some that come later."""
    print(f"seed {request.param}")
    exchange = Exchange(tmp_path, request.param)
    yield exchange
    exchange.close()


def play(exchange: Exchange) -> None:
    """Let much happen, with ticks and listeners in between."""
    for symbol in SYMBOLS:
        for stream in (*SPEEDS, *PARTIAL, "@bookTicker"):
            exchange.join(symbol, stream)
    for _ in range(STEPS):
        exchange.step()
        if exchange.dice.random() < 0.15:
            exchange.tick()
        if exchange.dice.random() < 0.03:
            exchange.join(exchange.dice.choice(SYMBOLS), exchange.dice.choice(SPEEDS))
    for _ in range(20):  # until the slowest streams have told everything
        exchange.tick()


def test_every_snapshot_and_the_updates_after_it_make_the_exchanges_book(exchange: Exchange) -> None:
    """Also one taken inside an update: what came and went, or went and came again, has to be named all the same."""
    play(exchange)
    counts: dict[str, int] = defaultdict(int)
    for stream, listener in exchange.listeners:
        if stream not in SPEEDS:
            continue
        for before, after in zip(listener.told, listener.told[1:], strict=False):
            assert after["U"] == before["u"] + 1
        for snapshot in listener.snapshots:
            last_id, (bids, asks) = snapshot["lastUpdateId"], sides_of(snapshot)
            following = [update for update in listener.told if update["u"] > last_id]
            assert not following or following[0]["U"] <= last_id + 1, "the first update begins behind the snapshot"
            counts["inside an update"] += bool(following) and following[0]["U"] <= last_id < following[0]["u"]
            for update in following[:3]:
                for levels, changed in zip((bids, asks), sides_of(update, ("b", "a")), strict=True):
                    levels.update(changed)
                    for price in [price for price, qty in levels.items() if float(qty) == 0]:
                        del levels[price]
                assert (bids, asks) == exchange.books[listener.symbol, update["u"]], (stream, snapshot, update)
                assert not bids or not asks or max(map(float, bids)) < min(map(float, asks))
                counts[stream] += 1
    assert all(counts[stream] > 1_000 for stream in SPEEDS), counts
    assert counts["inside an update"] > 1_000


def test_partial_books_and_best_prices_carry_the_numbers_of_the_snapshots(exchange: Exchange) -> None:
    """lastUpdateId of @depth5, 10 and 20, and u of @bookTicker: the same number, the same book."""
    play(exchange)
    counts: dict[str, int] = defaultdict(int)
    for stream, listener in exchange.listeners:
        for told in listener.told if stream in (*PARTIAL, "@bookTicker") else ():
            counts[stream] += 1
            best = stream == "@bookTicker"
            bids, asks = exchange.books[listener.symbol, told["u" if best else "lastUpdateId"]]
            if best:
                wanted = [(told["b"], told["B"])], [(told["a"], told["A"])]
                zero = [("0.00000000", "0.00000000")]
                assert wanted == ([*bids.items()][:1] or zero, [*asks.items()][:1] or zero)
            else:
                count = int(stream.split("@")[1].removeprefix("depth"))
                assert sides_of(told) == (dict([*bids.items()][:count]), dict([*asks.items()][:count]))
    assert all(counts[stream] > 20 for stream in (*PARTIAL, "@bookTicker")), counts


def test_a_quiet_book_is_told_to_whoever_comes(exchange: Exchange) -> None:
    """@depth5: the second listener of a stream must not wait for the next change."""
    listeners = []
    for _ in range(2):
        listeners.append(exchange.join("BTCUSDT", "@depth5@100ms"))
        exchange.tick()
        exchange.tick()
    assert [len(listener.told) for listener in listeners] == [2, 1]


def test_only_a_change_has_a_number(exchange: Exchange) -> None:
    """A heartbeat leaves lastUpdateId alone, so that a snapshot of a quiet book is in step with the last update."""
    listener = exchange.join("BTCUSDT", "@depth@100ms")
    while not listener.told:
        exchange.step()
        exchange.tick()
    topic = Topic.BOOK.of("BTCUSDT")
    replica = exchange.subscriber.replicas[topic]
    checksum = BookChecksum(depth_checksum(replica.book.depth(CHECKSUM_LEVELS)))
    frames = pack_frame(topic, replica.epoch, replica.sequence + 1, 0, [checksum])
    exchange.subscriber._take(frames, exchange.now_ns, is_snapshot=False)
    exchange.market.on_book()
    exchange.tick()
    assert exchange.snapshot("BTCUSDT")["lastUpdateId"] == listener.told[-1]["u"]
    assert len(listener.told) == 1
