"""Every field of what is told of the market, of trades whose figures all differ, over streams and by question."""

import json
from typing import Any

import pytest

from market.clock import NS_PER_MS
from market.codes import Side
from market.feed_messages import BookTrade
from paper.calls import documents
from paper.exchange.tape import Tape, aggregated, aggregated_whole
from paper.faults import Faults
from paper.intervals import INTERVALS
from paper.streams.channels import FAST_MS
from paper.streams.client import STREAMS_PER_CLIENT_MAX, StreamClient
from paper.streams.hub import StreamHub
from paper.streams.outbox import Outbox
from tests.paper.desk import Desk
from tests.paper.test_tape import tape_of

MINUTE_MS = 60_000
START_MS = 1_770_000_000_000 // MINUTE_MS * MINUTE_MS
NOW_MS = START_MS + 4_000
# Milliseconds after the start, price in ticks, lots, the taker's side.
TRADES = [
    (0, 10_000, 3, Side.BUY),
    (1_000, 9_000, 5, Side.SELL),
    (1_000, 9_000, 7, Side.SELL),
    (1_000, 9_000, 11, Side.BUY),
    (2_000, 12_000, 13, Side.BUY),
    (3_000, 11_000, 17, Side.SELL),
]


class Told:
    """Keeps what streams tell, by their name."""

    def __init__(self) -> None:
        self.documents: dict[str, list[Any]] = {}

    def take(self, stream: str, text: str) -> None:
        """Take a document."""
        self.documents.setdefault(stream, []).append(json.loads(text))


@pytest.fixture
def hub(desk: Desk) -> StreamHub:
    """The streams of a market with a book in which nothing has traded yet."""
    hub = StreamHub(desk.exchange.market, Faults())
    desk.engine.flow(desk.exchange, Side.BUY, "95", "0.00002")
    desk.engine.flow(desk.exchange, Side.SELL, "125", "0.00004")
    return hub


def trade_all(desk: Desk, first: int = 0, last: int = len(TRADES)) -> None:
    """Let the trades happen, each as a message of its own."""
    for number, (after_ms, ticks, lots, side) in enumerate(TRADES[first:last], first + 1):
        trade = BookTrade(number, ticks, lots, side, (START_MS + after_ms) * NS_PER_MS)
        desk.exchange.market.on_trades(desk.engine.epoch, 0, [trade], NOW_MS * NS_PER_MS)


def ticks(hub: StreamHub, count: int = 10, now_ms: int = NOW_MS) -> None:
    """Let a second pass, or so many tenths of one."""
    for _ in range(count):
        hub.tick(now_ms)


def test_every_field_of_a_bar_is_its_own(desk: Desk, hub: StreamHub) -> None:
    """@kline and klines; the quantities of buyers apart from those of all."""
    told = Told()
    hub.subscribe("btcusdt@kline_1m", told.take)
    trade_all(desk)
    ticks(hub)
    (document,) = told.documents["btcusdt@kline_1m"]
    assert document == {
        "e": "kline",
        "E": NOW_MS,
        "s": "BTCUSDT",
        "k": {
            "t": START_MS,
            "T": START_MS + MINUTE_MS - 1,
            "s": "BTCUSDT",
            "i": "1m",
            "f": 1,
            "L": 6,
            "o": "100.00000000",
            "c": "110.00000000",
            "h": "120.00000000",
            "l": "90.00000000",
            "v": "0.00056000",
            "n": 6,
            "x": False,
            "q": "0.05800000",
            "V": "0.00027000",
            "Q": "0.02850000",
            "B": "0",
        },
    }
    (bar,) = desk.exchange.market.tapes[0].bars(INTERVALS["5m"], NOW_MS, None, None, 10)
    assert documents.kline(desk.exchange.symbols["BTCUSDT"], bar, START_MS + MINUTE_MS) == [
        bar.open_ms,
        "100.00000000",
        "120.00000000",
        "90.00000000",
        "110.00000000",
        "0.00056000",
        START_MS + MINUTE_MS - 1,
        "0.05800000",
        6,
        "0.00027000",
        "0.02850000",
        "0",
    ]


def test_a_bar_is_told_again_when_it_has_changed_and_only_then(desk: Desk, hub: StreamHub) -> None:
    """@kline: every second while something trades."""
    told = Told()
    hub.subscribe("btcusdt@kline_1m", told.take)
    for number in range(3):
        trade_all(desk, number, number + 1)
        ticks(hub)
        ticks(hub)
    assert [document["k"]["n"] for document in told.documents["btcusdt@kline_1m"]] == [1, 2, 3]


def test_every_field_of_a_ticker_is_its_own(desk: Desk, hub: StreamHub) -> None:
    """@ticker and @miniTicker, and what ticker/24hr makes of the same day."""
    told = Told()
    for name in ("btcusdt@ticker", "btcusdt@miniTicker"):
        hub.subscribe(name, told.take)
    trade_all(desk)
    ticks(hub)
    mini = {
        "E": NOW_MS,
        "s": "BTCUSDT",
        "c": "110.00000000",
        "o": "100.00000000",
        "h": "120.00000000",
        "l": "90.00000000",
        "v": "0.00056000",
        "q": "0.05800000",
    }
    assert told.documents["btcusdt@miniTicker"] == [{"e": "24hrMiniTicker", **mini}]
    assert told.documents["btcusdt@ticker"] == [
        {
            **mini,
            "e": "24hrTicker",
            "p": "10.00000000",
            "P": "10.000",
            "w": "103.57000000",
            "x": "100.00000000",
            "Q": "0.00017000",
            "b": "95.00000000",
            "B": "0.00002000",
            "a": "125.00000000",
            "A": "0.00004000",
            "O": START_MS,
            "C": NOW_MS,
            "F": 1,
            "L": 6,
            "n": 6,
        }
    ]


def test_a_ticker_is_told_when_the_book_has_changed(desk: Desk, hub: StreamHub) -> None:
    """@ticker shows the best prices; @miniTicker does not, and waits for a trade."""
    told = Told()
    for name in ("btcusdt@ticker", "btcusdt@miniTicker"):
        hub.subscribe(name, told.take)
    ticks(hub)
    desk.engine.flow(desk.exchange, Side.BUY, "96", "0.00002")
    ticks(hub)
    ticks(hub)
    assert [document["b"] for document in told.documents["btcusdt@ticker"]] == ["95.00000000", "96.00000000"]
    assert len(told.documents["btcusdt@miniTicker"]) == 1


def test_every_field_of_a_trade_is_its_own(desk: Desk, hub: StreamHub) -> None:
    """@trade and @aggTrade, and what trades and aggTrades make of them: one group a moment, price and side."""
    told, symbol = Told(), desk.exchange.symbols["BTCUSDT"]
    for name in ("btcusdt@trade", "btcusdt@aggTrade", "ethusdt@trade"):
        hub.subscribe(name, told.take)
    trade_all(desk)
    head = {"E": START_MS + 3_000, "s": "BTCUSDT", "p": "110.00000000", "q": "0.00017000", "m": True, "M": True}
    assert told.documents.keys() == {"btcusdt@trade", "btcusdt@aggTrade"}
    assert told.documents["btcusdt@trade"][-1] == {"e": "trade", **head, "t": 6, "T": START_MS + 3_000}
    assert told.documents["btcusdt@aggTrade"][-1] == {
        "e": "aggTrade",
        **head,
        "a": 6,
        "f": 6,
        "l": 6,
        "T": START_MS + 3_000,
    }
    assert [document["m"] for document in told.documents["btcusdt@trade"]] == [False, True, True, False, False, True]
    tape = desk.exchange.market.tapes[0].trades
    assert documents.public_trade(symbol, tape[1]) == {
        "id": 2,
        "price": "90.00000000",
        "qty": "0.00005000",
        "quoteQty": "0.00450000",
        "time": START_MS + 1_000,
        "isBuyerMaker": True,
        "isBestMatch": True,
    }
    groups = [documents.aggregate_trade(symbol, group) for group in aggregated(tape)]
    assert [(each["f"], each["l"]) for each in groups] == [(1, 1), (2, 3), (4, 4), (5, 5), (6, 6)]
    assert groups[1] == {
        "a": 2,
        "f": 2,
        "l": 3,
        "p": "90.00000000",
        "q": "0.00012000",
        "T": START_MS + 1_000,
        "m": True,
        "M": True,
    }


def test_an_aggregate_trade_keeps_its_number_while_its_trades_are_forgotten() -> None:
    """The oldest group is left out once it may be a part of what it was."""
    tape = tape_of((0, 100, 1))
    side = tape.trades[0].taker_side
    for number in range(2, 1_001):
        time_ns = (START_MS + number // 3) * NS_PER_MS
        tape.add([tape.trades[0]._replace(trade_id=number, time_ns=time_ns, taker_side=side)])
    whole = {group[-1].trade_id: group[0].trade_id for group in aggregated(tape.trades)}
    tape.add([tape.trades[-1]._replace(trade_id=1_001, price_ticks=7)])
    tape.add([tape.trades[-1]._replace(trade_id=1_002, price_ticks=8)])
    tape.add([tape.trades[-1]._replace(trade_id=1_003, price_ticks=9)])
    for group in aggregated_whole(tape.trades):
        assert whole.get(group[-1].trade_id, group[0].trade_id) == group[0].trade_id
    assert len(aggregated_whole(Tape().trades)) == 0


def test_levels_of_an_update_stand_best_price_first(desk: Desk, hub: StreamHub) -> None:
    """Bids from the highest, asks from the lowest, each on its own side."""
    told = Told()
    hub.subscribe("btcusdt@depth@100ms", told.take)
    for price in ("93", "94", "92", "126", "128", "127"):
        side = Side.BUY if float(price) < 100 else Side.SELL
        desk.engine.flow(desk.exchange, side, price, "0.00001")
    ticks(hub, 1)
    (update,) = told.documents["btcusdt@depth@100ms"]
    assert [float(price) for price, _ in update["b"]] == [94, 93, 92]
    assert [float(price) for price, _ in update["a"]] == [126, 127, 128]
    assert (update["e"], update["s"], update["u"] - update["U"]) == ("depthUpdate", "BTCUSDT", 5)


def test_a_stream_is_told_at_its_speed(desk: Desk, hub: StreamHub) -> None:
    """A tenth of a second, a second, three seconds: no more often."""
    told = Told()
    speeds = {"btcusdt@depth@100ms": 60, "btcusdt@depth": 6, "btcusdt@depth5@1000ms": 6, "!miniTicker@arr@3000ms": 2}
    for name in speeds:
        hub.subscribe(name, told.take)
    for number in range(6_000 // FAST_MS):
        desk.engine.flow(desk.exchange, Side.BUY, "95", "0.00001")
        trade = BookTrade(number + 1, 10_000, 1, Side.BUY)
        desk.exchange.market.on_trades(desk.engine.epoch, 0, [trade], NOW_MS * NS_PER_MS)
        ticks(hub, 1)
    assert {name: len(documents) for name, documents in told.documents.items()} == speeds


def test_a_client_that_leaves_a_stream_hears_no_more_of_it(desk: Desk, hub: StreamHub) -> None:
    """UNSUBSCRIBE, and leaving altogether; the stream ends with its last listener, and others go on."""
    clients = [StreamClient(hub, Outbox(lambda: None), is_combined=False, on_unknown=lambda _: None) for _ in range(2)]
    for client in clients:
        assert client.subscribe(["btcusdt@trade", "btcusdt@depth"])
    clients[0].on_text('{"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}')
    assert len(hub._listened) == 2
    clients[1].on_text('{"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}')
    assert len(hub._listened) == 1
    clients[0].leave()
    assert len(hub._listened) == 1
    clients[1].leave()
    assert len(hub._listened) == 0


def test_a_client_has_so_many_streams_and_no_more(hub: StreamHub) -> None:
    """Over all its requests; one that it has already is no further one."""
    client = StreamClient(hub, Outbox(lambda: None), is_combined=False, on_unknown=lambda _: None)
    names = [f"x{number}@trade" for number in range(STREAMS_PER_CLIENT_MAX)]
    assert client.subscribe(names[:600])
    assert client.subscribe(names)
    assert client.subscribe(names[:5])
    assert not client.subscribe(["btcusdt@trade"])
    assert len(hub._listened) == 0


def test_windows_are_told_when_a_trade_comes_or_leaves(desk: Desk, hub: StreamHub) -> None:
    """@ticker_1h and !ticker_1h@arr: nothing of the book, and `O` is the beginning of a minute."""
    told = Told()
    names = ("btcusdt@ticker_1h", "!ticker_1h@arr")
    for name in names:
        hub.subscribe(name, told.take)
    trade_all(desk)
    for now_ms in (NOW_MS, NOW_MS + 1_000, START_MS + 60 * MINUTE_MS + 59_999, START_MS + 61 * MINUTE_MS):
        ticks(hub, now_ms=now_ms)
    first, last = told.documents[names[0]]
    assert first == {
        "e": "1hTicker",
        "E": NOW_MS,
        "s": "BTCUSDT",
        "p": "10.00000000",
        "P": "10.000",
        "w": "103.57000000",
        "o": "100.00000000",
        "h": "120.00000000",
        "l": "90.00000000",
        "c": "110.00000000",
        "v": "0.00056000",
        "q": "0.05800000",
        "O": START_MS - 60 * MINUTE_MS,
        "C": NOW_MS,
        "F": 1,
        "L": 6,
        "n": 6,
    }
    assert (last["E"], last["n"], last["O"]) == (START_MS + 61 * MINUTE_MS, 0, START_MS + MINUTE_MS)
    assert told.documents[names[1]][0][0] == first
    assert len(told.documents[names[1]][0]) == len(desk.exchange.symbols)
    assert told.documents[names[1]][1:] == [[last]]


def test_prices_of_some_minutes_are_told_when_they_change(desk: Desk, hub: StreamHub) -> None:
    """@avgPrice by quantity, @referencePrice by trades, which falls silent with null."""
    told = Told()
    for name in ("btcusdt@avgPrice", "btcusdt@referencePrice"):
        hub.subscribe(name, told.take)
    ticks(hub)
    assert "btcusdt@referencePrice" not in told.documents
    trade_all(desk)
    for now_ms in (NOW_MS, NOW_MS, NOW_MS + 6 * MINUTE_MS):
        ticks(hub, now_ms=now_ms)
    averages = [each for each in told.documents["btcusdt@avgPrice"] if each["T"]]
    assert averages[0] == {
        "e": "avgPrice",
        "E": NOW_MS,
        "s": "BTCUSDT",
        "i": "5m",
        "w": "103.57000000",
        "T": START_MS + 3_000,
    }
    assert [each["w"] for each in averages] == ["103.57000000", "110.00000000"]
    first, last = told.documents["btcusdt@referencePrice"]
    assert first == {"e": "referencePrice", "s": "BTCUSDT", "r": "100.00000000", "t": NOW_MS}
    assert last == {"e": "referencePrice", "s": "BTCUSDT", "r": None, "t": NOW_MS + 6 * MINUTE_MS}


def test_bars_of_a_zone_begin_by_its_clock(desk: Desk, hub: StreamHub) -> None:
    """@kline_1d@+08:00; of other zones there is no stream."""
    told = Told()
    assert hub.subscribe("btcusdt@kline_1d@+08:00", told.take)
    assert not hub.subscribe("btcusdt@kline_1d@+09:00", told.take)
    trade_all(desk)
    ticks(hub)
    (document,) = told.documents["btcusdt@kline_1d@+08:00"]
    assert (document["k"]["t"] + 8 * 60 * MINUTE_MS) % (24 * 60 * MINUTE_MS) == 0
    assert (document["k"]["i"], document["k"]["n"]) == ("1d", 6)
