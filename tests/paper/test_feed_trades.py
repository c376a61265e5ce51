"""The public trades through every life of engine and exchange: each once, numbered without a step back."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.feed import FeedFrame, Topic
from bus.subscriber import FeedSubscriber
from market.depth import Depth
from market.feed_messages import BookTrade, FeedMessage
from nodes.paper.feed_books import FeedBooks, TouchedBook
from nodes.paper.feed_trades import FeedTrades
from paper.exchange.public_market import PublicMarket
from paper.faults import Faults
from paper.money.ledger import TRADE_IDS_PER_EPOCH, Ledger
from paper.streams.hub import StreamHub
from tests.bus.feed_model import INSTRUMENTS, TOPICS
from tests.one_engine import one_engine
from tests.pairs import default_instruments
from tests.paper.desk import ONE_ENGINE

BTC = default_instruments()[0]
TOPIC = Topic.TRADES.of(BTC.symbol)
NOW_NS = 1_770_000_000_000_000_000
FIRST, SECOND = 1_000, 2_000  # epochs


class Exchange:
    """A life of the exchange on the ledger in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite3", INSTRUMENTS, ONE_ENGINE)
        self.subscriber = FeedSubscriber(one_engine(folder), TOPICS, TouchedBook)
        self.market = PublicMarket(self.ledger, FeedBooks(self.subscriber, {}), 1)
        self.trades = FeedTrades(self.subscriber, self.market)
        self.symbol = self.market.symbols[BTC.symbol]
        self.told: list[tuple[int, int]] = []  # id and price of @trade
        self.hub = StreamHub(self.market, Faults())
        assert self.hub.subscribe("btcusdt@trade", self.take)

    def take(self, _: str, text: str) -> None:
        """Take a trade of the stream."""
        document = json.loads(text)
        self.told.append((document["t"], round(float(document["p"]) * 100)))

    def hear_snapshot(self, feed_epoch: int, *numbers: int, generation: int = 0) -> None:
        """Let the replica be made anew by a snapshot of trades, one a number; the price says the generation."""
        replica = self.subscriber.replicas[TOPIC]
        replica.lose()
        replica.on_snapshot(FeedFrame(TOPIC, feed_epoch, len(numbers), NOW_NS, trades(numbers, generation)))
        self.trades.take(NOW_NS)

    def hear(self, feed_epoch: int, *numbers: int, generation: int = 0) -> None:
        """Let the feed tell trades."""
        replica = self.subscriber.replicas[TOPIC]
        frame = FeedFrame(TOPIC, feed_epoch, replica.sequence + 1, NOW_NS, trades(numbers, generation))
        replica.on_frame(frame)
        self.trades.take(NOW_NS)

    def close(self) -> None:
        """Die."""
        self.subscriber.close()
        self.ledger.close()


def trades(numbers: tuple[int, ...], generation: int) -> list[FeedMessage]:
    """Return trades as the feed tells them."""
    return [BookTrade(number, 1_000 * (generation + 1) + number, 1, number % 2) for number in numbers]


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """An exchange that has heard three trades of an engine's first life."""
    exchange = Exchange(tmp_path)
    exchange.trades.on_connected("engine", FIRST, FIRST)
    exchange.hear_snapshot(FIRST)
    exchange.hear(FIRST, 1, 2, 3)
    yield exchange
    exchange.close()


@pytest.mark.parametrize("is_link_first", [True, False])
@pytest.mark.parametrize("second", [SECOND, FIRST - 1])
def test_a_new_engine_s_trades_follow_the_old_one_s(exchange: Exchange, is_link_first: bool, second: int) -> None:
    """Whichever of order link and feed tells first, and whatever the clock said: no trade again, none left out."""
    if is_link_first:
        exchange.trades.on_connected("engine", second, second)
        exchange.hear(FIRST, 4)  # what the old feed had on its way
        exchange.hear_snapshot(second, 1, generation=1)
    else:
        exchange.hear(FIRST, 4)
        exchange.hear_snapshot(second, 1, generation=1)
        exchange.hear(second, 2, generation=1)
        exchange.trades.on_connected("engine", second, second)
    exchange.hear(second, *range(2 if is_link_first else 3, 6), generation=1)
    ids, prices = zip(*exchange.told, strict=True)
    assert prices == (1_001, 1_002, 1_003, 1_004, 2_001, 2_002, 2_003, 2_004, 2_005)
    assert all(before < after for before, after in itertools.pairwise(ids)), ids
    assert exchange.market.last_ticks(exchange.symbol, 0) == 2_005
    assert exchange.market.day(exchange.symbol, NOW_NS // 1_000_000).count == 9
    assert exchange.market.last_qty_lots(exchange.symbol) == 1


def test_an_engine_that_comes_back_from_its_journal_goes_on(exchange: Exchange) -> None:
    """Its feed is another, its numbers are not: what the snapshot brings again is passed over."""
    exchange.hear_snapshot(SECOND, 1, 2, 3, 4)
    assert len(exchange.told) == 3, "nobody knows yet whose trades those are"
    exchange.trades.on_connected("engine", FIRST, SECOND)
    exchange.hear(SECOND, 5)
    assert exchange.told == [(number, 1_000 + number) for number in range(1, 6)]


def test_lost_messages_of_the_feed_lose_no_trade(exchange: Exchange) -> None:
    """The snapshot after a gap brings what was missed, and what was not again."""
    exchange.hear_snapshot(FIRST, 2, 3, 4, 5)
    exchange.hear(FIRST, 6)
    assert [number for number, _ in exchange.told] == [1, 2, 3, 4, 5, 6]


def test_a_connection_that_is_made_anew_changes_nothing(exchange: Exchange) -> None:
    """The engine answers every hello, also in the middle of its life."""
    for _ in range(5):
        exchange.trades.on_connected("engine", FIRST, FIRST)
        exchange.trades.take(NOW_NS)
    exchange.hear(FIRST, 4)
    assert [number for number, _ in exchange.told] == [1, 2, 3, 4]


def test_numbers_last_over_lives_of_the_exchange(exchange: Exchange, tmp_path: Path) -> None:
    """A trade has the same number after a restart, and what an engine of another life trades a higher one."""
    exchange.trades.on_connected("engine", SECOND, SECOND)
    exchange.hear_snapshot(SECOND, 1, 2, generation=1)
    for feed_epoch, generation in ((SECOND, 1), (SECOND + 1, 1), (SECOND + 2, 2)):
        again = Exchange(tmp_path)
        again.trades.on_connected("engine", SECOND if generation == 1 else FIRST - 7, feed_epoch)
        again.hear_snapshot(feed_epoch, 1, 2, generation=generation)
        again.hear(feed_epoch, 3, generation=generation)
        again.close()
        number = generation * TRADE_IDS_PER_EPOCH
        assert [each for each, _ in again.told] == [number + 1, number + 2, number + 3]
        assert again.market.last_ticks(again.symbol, 0) == 1_000 * (generation + 1) + 3


def test_trades_have_the_times_of_their_engine(exchange: Exchange) -> None:
    """Not that of the moment at which the exchange hears of them; never before the one before, nor after now."""
    replica = exchange.subscriber.replicas[TOPIC]
    times = [NOW_NS - 9, NOW_NS - 5, NOW_NS - 7, NOW_NS + 5, 0, NOW_NS - 1]
    told = [BookTrade(number, 1_000, 1, 0, time_ns) for number, time_ns in enumerate(times, 4)]
    exchange.market.tapes[exchange.symbol.symbol_id].trades.clear()
    replica.on_frame(FeedFrame(TOPIC, FIRST, replica.sequence + 1, NOW_NS, [*told]))
    exchange.trades.take(NOW_NS)
    tape = exchange.market.tapes[exchange.symbol.symbol_id].trades
    assert [trade.time_ns - NOW_NS for trade in tape] == [-9, -5, -5, 0, 0, 0]


def test_a_clock_that_is_set_back_is_followed(exchange: Exchange) -> None:
    """Else no trade would have another time until the clock is where it was."""
    exchange.subscriber.replicas[TOPIC].trades.append(BookTrade(4, 1_000, 1, 0, NOW_NS - 60 * 10**9))
    exchange.trades.take(NOW_NS - 60 * 10**9)
    tape = exchange.market.tapes[exchange.symbol.symbol_id].trades
    assert tape[-1].time_ns == NOW_NS - 60 * 10**9
    assert exchange.market.depth(exchange.symbol, 1) == Depth((), ())


def test_more_trades_than_a_replica_keeps_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that had to wait for a second reads many messages at once; the first of their trades were missing."""
    exchange = Exchange(tmp_path)
    exchange.trades.on_connected("engine", FIRST, 11)
    exchange.hear_snapshot(11, 1)
    numbers = iter([range(2, 602), range(602, 1_202), range(1_202, 1_802)])
    replica = exchange.subscriber.replicas[TOPIC]

    def receive(_: int, frames_max: int = 1 << 30) -> bool:
        for count, some in enumerate(numbers, start=1):
            replica.on_frame(FeedFrame(TOPIC, 11, replica.sequence + 1, NOW_NS, trades(tuple(some), 0)))
            if count == frames_max:
                return False
        return True

    monkeypatch.setattr(exchange.subscriber, "receive", receive)
    exchange.trades.receive(0, NOW_NS)
    assert [trade_id % TRADE_IDS_PER_EPOCH for trade_id, _ in exchange.told] == list(range(1, 1_802))
    exchange.close()
