"""A market followed while it happens: snapshot and updates in step, begun again after a gap, gone when it is stale."""

import json
from itertools import count

import pytest

from flow.live import LiveFlow, LiveSettings, Lost, Received, Subscribed
from flow.live_url import PUBLIC_STREAMS, rest_url
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, Side
from market.commands import NewOrder
from market.depth import Depth, Level
from market.events import Executed
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, SimulatedMarket
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
URL = "ws://127.0.0.1:1"


def rows(levels: list[tuple[int, int]]) -> list[list[str]]:
    return [[f"{price / 100:.8f}", f"{lots / 100_000:.8f}"] for price, lots in levels]


def snapshot(update_id: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> str:
    return json.dumps({"lastUpdateId": update_id, "bids": rows(bids), "asks": rows(asks)})


def update(first: int, last: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> str:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": rows(bids), "a": rows(asks)}
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data})


def ticker(update_id: int, bid: tuple[int, int], ask: tuple[int, int]) -> str:
    (b, bid_qty), (a, ask_qty) = rows([bid, ask])
    return json.dumps({"u": update_id, "s": "BTCUSDT", "b": b, "B": bid_qty, "a": a, "A": ask_qty})


def trade(trade_id: int, price: int, lots: int, *, is_sell: bool) -> str:
    ((text, qty),) = rows([(price, lots)])
    return json.dumps({"e": "trade", "s": "BTCUSDT", "t": trade_id, "p": text, "q": qty, "m": is_sell})


class Live:
    """A live flow on an engine, and a hand that feeds it."""

    def __init__(self) -> None:
        self.flow = LiveFlow(BTCUSDT, LiveSettings(URL, stale_s=2.0), FLOW_OWNER, count(1))
        self.market = SimulatedMarket(self.flow, latency_ns=NS_PER_MS)
        self.market.run(10 * NS_PER_MS)

    def say(self, *texts: str, wait_s: float = 0.1) -> None:
        """Let messages arrive now, and time pass."""
        for text in texts:
            self.flow.hear(Received(self.market.now_ns, text))
        self.market.run(self.market.now_ns + round(wait_s * NS_PER_SECOND))

    def subscribe(self, wait_s: float = 0.1) -> None:
        self.flow.hear(Subscribed())
        self.market.run(self.market.now_ns + round(wait_s * NS_PER_SECOND))

    def lose(self, wait_s: float) -> None:
        self.flow.hear(Lost("gone"))
        self.market.run(self.market.now_ns + round(wait_s * NS_PER_SECOND))

    def asks_for_snapshot(self) -> bool:
        return self.flow.take_snapshot_request(self.market.now_ns)

    @property
    def book(self) -> Depth:
        return self.market.exchange.engine.depth(0, 9)


@pytest.fixture
def live() -> Live:
    """Return a flow that follows a book of two levels a side as of update 10."""
    one = Live()
    one.subscribe()
    assert one.asks_for_snapshot()
    one.say(update(9, 10, [(100, 7)], []), update(11, 12, [(99, 8)], []))
    assert not one.flow.is_following
    one.say(snapshot(10, [(100, 5), (99, 6)], [(102, 5), (103, 6)]))
    return one


def test_builds_the_book_from_a_snapshot_and_the_updates_around_it(live: Live) -> None:
    """Guards the start: what the snapshot holds is dropped, what is newer counts, a snapshot is asked for once."""
    assert live.flow.is_following
    assert live.book == ((Level(100, 5), Level(99, 8)), (Level(102, 5), Level(103, 6)))
    assert not live.asks_for_snapshot()


def test_follows_updates_best_prices_and_trades(live: Live) -> None:
    """Guards the same code as a replay's: a trade takes from the front, also from an order that is not ours."""
    live.market.handle(NewOrder(9_001, 0, Side.SELL, 101, 1, OrderType.POST_ONLY, owner=MAKER_OWNER))
    live.say(ticker(13, (100, 5), (102, 3)), trade(1, 102, 2, is_sell=False))
    live.say(update(13, 14, [(98, 1)], [(102, 3), (103, 0)]))
    assert live.book == ((Level(100, 5), Level(99, 8), Level(98, 1)), (Level(102, 3),))
    fills = [event for event in live.market.told if isinstance(event, Executed)]
    assert [(fill.maker_order_id == 9_001, fill.price_ticks) for fill in fills] == [(True, 101), (False, 102)]
    assert live.flow.summary()["matching_share"] == 1


def test_asks_for_a_snapshot_again_after_a_gap(live: Live) -> None:
    """Guards the chain U = u + 1: the book is kept until the new snapshot is there, and then is that."""
    live.say(update(15, 16, [(100, 1)], []))
    assert not live.flow.is_following
    assert not live.asks_for_snapshot(), "not more than one a second"
    live.market.run(live.market.now_ns + NS_PER_SECOND)
    assert live.asks_for_snapshot()
    live.say(update(17, 18, [(97, 3)], []), snapshot(16, [(100, 1), (98, 2)], [(104, 1)]))
    assert live.flow.is_following
    assert live.book == ((Level(100, 1), Level(98, 2), Level(97, 3)), (Level(104, 1),))
    summary = live.flow.summary()
    assert (summary["resync_count"], summary["gap_count"]) == (1, 1)
    assert summary["last_problem"] == "expected a depth update from id 13, was 15"


def test_snapshot_older_than_the_first_update_is_not_good_enough() -> None:
    """Guards the first update, which must span the snapshot."""
    live = Live()
    live.subscribe()
    assert live.asks_for_snapshot()
    live.say(update(20, 21, [(100, 1)], []), snapshot(10, [(99, 1)], [(104, 1)]))
    assert not live.flow.is_following
    live.market.run(live.market.now_ns + NS_PER_SECOND)
    assert live.asks_for_snapshot()


def test_withdraws_the_book_when_the_streams_are_gone_for_long(live: Live) -> None:
    """Guards against a stale book: kept for a short interruption, gone after a long one, back with the streams."""
    live.lose(1.0)
    assert live.book.bids
    live.lose(1.5)
    assert not live.book.bids
    assert not live.book.asks
    assert live.flow.summary()["is_withdrawn"] is True
    live.subscribe()
    assert live.asks_for_snapshot()
    live.say(snapshot(30, [(90, 5)], [(91, 5)]))
    assert live.book == ((Level(90, 5),), (Level(91, 5),))
    assert (live.flow.is_following, live.flow.summary()["is_withdrawn"]) == (True, False)


def test_short_interruption_ends_in_the_new_book_without_ghosts(live: Live) -> None:
    """Guards the reconnection: levels of the old book that are in no snapshot leave."""
    live.lose(0.5)
    live.subscribe()
    assert live.asks_for_snapshot()
    live.say(snapshot(40, [(99, 1)], [(101, 2)]))
    assert live.book == ((Level(99, 1),), (Level(101, 2),))


@pytest.mark.parametrize(
    "late", [ticker(39, (97, 1), (102, 5)), trade(7, 101, 2, is_sell=False)], ids=["best prices", "trade"]
)
def test_what_a_snapshot_has_already_is_not_had_twice(live: Live, late: str) -> None:
    """Guards the book of a market that is quiet from then on: the streams may come later than the snapshot."""
    live.lose(0.1)
    live.subscribe()
    assert live.asks_for_snapshot()
    live.say(snapshot(40, [(99, 5)], [(101, 5)]), late)
    assert list(map(list, live.book)) == [[Level(99, 5)], [Level(101, 5)]]
    live.say(update(41, 42, [(98, 1)], []), trade(8, 101, 1, is_sell=False))
    assert list(map(list, live.book)) == [[Level(99, 5), Level(98, 1)], [Level(101, 4)]]


def test_bad_message_is_counted_and_what_it_lost_is_found(live: Live) -> None:
    """Guards the parser's edge: nonsense and empty sides are passed over, a lost update is a gap."""
    live.say("nonsense", json.dumps({"x": "news"}), ticker(13, (0, 0), (102, 5)), update(13, 13, [(100, 4)], []))
    assert live.flow.summary()["bad_message_count"] == 2
    assert live.book.bids[0] == Level(100, 4)
    live.say(update(14, 14, [], []).replace('"a": []', '"a": 7'), update(15, 15, [], [(102, 1)]))
    assert live.flow.summary()["resync_count"] == 1


def test_failed_snapshot_is_asked_for_again(live: Live) -> None:
    """Guards a venue that answers 429: after a pause, not at once."""
    live.lose(0.1)
    live.subscribe()
    assert live.asks_for_snapshot()
    live.flow.fail_snapshot(live.market.now_ns, "429")
    assert not live.asks_for_snapshot()
    live.market.run(live.market.now_ns + NS_PER_SECOND)
    assert live.asks_for_snapshot()


def test_snapshots_that_fail_are_asked_for_ever_more_slowly(live: Live) -> None:
    """Guards against a ban: who answers 429 is asked again after one second, then two, then four, at most thirty."""
    live.lose(0.1)
    live.subscribe()
    pauses = []
    for _ in range(7):
        asked_ns = live.market.now_ns
        assert live.asks_for_snapshot()
        live.flow.fail_snapshot(asked_ns, "429")
        while live.flow.take_snapshot_request(live.market.now_ns) is False:
            live.market.run(live.market.now_ns + NS_PER_SECOND // 4)
        live.flow.fail_snapshot(live.market.now_ns, "429")
        pauses.append((live.market.now_ns - asked_ns) // NS_PER_SECOND)
        live.market.run(live.market.now_ns + 31 * NS_PER_SECOND)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 30)


@pytest.mark.parametrize("answer", ["<html>maintenance</html>", "{}", "[]", "1", '{"lastUpdateId":"x"}', "[" * 100_000])
def test_snapshot_that_is_none_is_asked_for_again_and_the_book_withdrawn(live: Live, answer: str) -> None:
    """Guards a 200 with a page of HTML: the book was neither followed nor withdrawn from then on."""
    live.say(update(15, 16, [(100, 1)], []))
    live.market.run(live.market.now_ns + NS_PER_SECOND)
    assert live.asks_for_snapshot()
    live.say(answer, wait_s=3.0)
    assert not live.book.bids
    assert live.flow.summary()["is_withdrawn"] is True
    live.market.run(live.market.now_ns + 15 * NS_PER_SECOND)
    assert live.asks_for_snapshot()
    live.say(snapshot(40, [(90, 5)], [(91, 5)]))
    assert live.book == ((Level(90, 5),), (Level(91, 5),))
    assert (live.flow.is_following, live.flow.summary()["is_withdrawn"]) == (True, False)


def test_messages_of_no_use_are_no_bad_ones(live: Live) -> None:
    """Guards what a recording passes over: a shutdown that is announced, an answer, a stream that is not used."""
    texts = ['{"e":"serverShutdown","E":1}', '{"result":null,"id":1}', '{"e":"kline","s":"BTCUSDT"}']
    live.say(*texts, '{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"ETHUSDT"}]}')
    assert live.flow.summary()["bad_message_count"] == 0
    assert live.flow.is_following


def test_builds_the_book_again_when_the_engine_lost_it(live: Live) -> None:
    """Guards the restart of the engine."""
    before = live.book
    live.market.lose_book()
    live.market.run(live.market.now_ns + 10 * NS_PER_MS)
    assert live.book == before


def test_names_the_rest_calls_of_streams() -> None:
    """Guards against URLs that are none of streams."""
    assert rest_url(PUBLIC_STREAMS) == "https://data-api.binance.vision"
    assert rest_url("ws://127.0.0.1:8084") == "http://127.0.0.1:8084"
    for url in ("http://127.0.0.1", "ws://", "ws://h/path", "ws://user@h", ""):
        with pytest.raises(ValueError, match="expected ws://HOST:PORT or wss://HOST"):
            rest_url(url)
