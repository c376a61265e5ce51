"""The market streams on real sockets: what each tells, how a client keeps a book by them, who is dropped."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from market.codes import Side
from paper.streams.channels import open_stream
from tests.paper.clients import listening
from tests.paper.desk import Desk
from tests.paper.server import WAIT_S, Server
from tests.paper.test_rest import send


def test_a_trade_is_told_with_binances_letters(server: Server) -> None:
    """@trade and @aggTrade; `m` says that the buyer was the maker."""
    with listening(server, "/stream?streams=btcusdt@trade/btcusdt@aggTrade") as listener:
        server.flow(Side.SELL, "91000", "0.5")
        server.flow(Side.BUY, "91000", "0.2")
        trade = listener.wait(lambda document: document["stream"] == "btcusdt@trade")["data"]
        aggregate = listener.wait(lambda document: document["stream"] == "btcusdt@aggTrade")["data"]
    assert (trade["e"], trade["s"], trade["p"], trade["q"]) == ("trade", "BTCUSDT", "91000.00000000", "0.20000000")
    assert (trade["m"], trade["M"]) == (False, True)
    assert aggregate["e"] == "aggTrade"
    assert (aggregate["a"], aggregate["f"], aggregate["l"]) == (trade["t"],) * 3
    recent = send(server, "GET", "trades", query="symbol=BTCUSDT&limit=1")[1]
    assert (recent[0]["id"], recent[0]["time"]) == (trade["t"], trade["T"])


def test_best_prices_are_told_when_they_change(server: Server) -> None:
    """@bookTicker: at once, and not for a change behind the best price."""
    with listening(server, "/ws/btcusdt@bookTicker") as listener:
        server.flow(Side.BUY, "90000", "0.1")
        first = listener.wait(lambda document: document["b"] == "90000.00000000")
        server.flow(Side.BUY, "89000", "0.1")
        server.flow(Side.SELL, "91000", "0.3")
        second = listener.wait()
    assert (first["B"], first["a"], first["A"]) == ("0.10000000", "0.00000000", "0.00000000")
    assert (second["a"], second["A"]) == ("91000.00000000", "0.30000000")
    assert second["u"] > first["u"]


class Book:
    """A book kept as Binance's documentation says: buffer, snapshot, drop what it holds, then without a gap."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.sides = {name: dict(map(tuple, snapshot[key])) for name, key in (("b", "bids"), ("a", "asks"))}
        self._is_first = True

    def apply(self, update: dict[str, Any]) -> None:
        """Apply the next update; each must begin where the last one ended."""
        if update["u"] <= self.last_id:
            return
        assert update["U"] <= self.last_id + 1 if self._is_first else update["U"] == self.last_id + 1, update
        self._is_first, self.last_id = False, update["u"]
        for name, levels in self.sides.items():
            for price, qty in update[name]:
                if float(qty):
                    levels[price] = qty
                else:
                    del levels[price]

    def is_like(self, snapshot: dict[str, Any]) -> bool:
        """Say whether the levels are those of a snapshot."""
        theirs = {name: dict(map(tuple, snapshot[key])) for name, key in (("b", "bids"), ("a", "asks"))}
        return theirs == self.sides


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth"])
def test_a_book_is_kept_by_updates_through_a_new_engine(server: Server, stream: str) -> None:
    """U and u are contiguous among each other and with /depth, also when an engine starts to count anew."""
    with listening(server, f"/ws/{stream}") as listener:
        server.flow(Side.SELL, "91000", "0.5")
        first = listener.wait()
        book = Book(send(server, "GET", "depth", query="symbol=BTCUSDT&limit=5000")[1])
        book.apply(first)
        for number in range(5):
            server.flow(Side.BUY, str(90_000 + number), "0.1")
            book.apply(listener.wait())
        server.reset()
        server.flow(Side.BUY, "80000", "0.1")
        snapshot = send(server, "GET", "depth", query="symbol=BTCUSDT")[1]
        while book.last_id < snapshot["lastUpdateId"]:
            book.apply(listener.wait())
        assert book.is_like(snapshot)
        assert snapshot["bids"] == [["80000.00000000", "0.10000000"]]


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth"])
def test_a_level_that_came_and_went_is_named_with_quantity_0(server: Server, stream: str) -> None:
    """A snapshot may have shown it, and nothing else would ever take it out of that client's book."""
    with listening(server, f"/ws/{stream}") as listener:
        server.flow(Side.SELL, "91000", "0.5")
        listener.wait()
        server.flow(Side.BUY, "50000", "0.1")
        book = Book(send(server, "GET", "depth", query="symbol=BTCUSDT&limit=5000")[1])
        server.flow(Side.SELL, "50000", "0.1")
        update = listener.wait()
        while update["u"] <= book.last_id:
            update = listener.wait()
        book.apply(update)
    assert ["50000.00000000", "0.10000000"] not in update["b"]
    assert book.sides == {"b": {}, "a": {"91000.00000000": "0.50000000"}}


@pytest.mark.parametrize("suffix", ["", "@100ms"])
def test_the_best_levels_are_told_whole(server: Server, suffix: str) -> None:
    """@depth5, 10, 20; in the shape of /depth."""
    for number in range(30):
        server.flow(Side.BUY, str(90_000 - number), "0.1")
    with listening(server, "/stream") as listener:
        names = [f"btcusdt@depth{count}{suffix}" for count in (5, 10, 20)]
        listener.ask(method="SUBSCRIBE", params=names, id=1)
        told: dict[str, Any] = {}
        while len(told) < 3:
            document = listener.wait(lambda document: "stream" in document)
            told[document["stream"]] = document["data"]
    assert [len(told[name]["bids"]) for name in names] == [5, 10, 20]
    assert told[names[0]] == send(server, "GET", "depth", query="symbol=BTCUSDT&limit=5")[1]


def test_tickers_and_bars_are_told(server: Server) -> None:
    """@miniTicker, @ticker, @kline, and the array of all symbols."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")
    names = ["btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@kline_1m", "!miniTicker@arr", "!miniTicker@arr@1000ms"]
    told: dict[str, Any] = {}
    with listening(server, f"/stream?streams={'/'.join(names)}") as listener:
        while len(told) < len(names):
            document = listener.wait()
            told[document["stream"]] = document["data"]
    mini, ticker, bar = (told[name] for name in names[:3])
    assert (mini["e"], mini["c"]) == ("24hrMiniTicker", "91000.00000000")
    assert (ticker["e"], ticker["a"], ticker["Q"]) == ("24hrTicker", "91000.00000000", "0.20000000")
    assert (bar["k"]["c"], bar["k"]["i"], bar["k"]["s"]) == ("91000.00000000", "1m", "BTCUSDT")
    for name in names[3:]:
        assert {each["s"] for each in told[name]} == {"BTCUSDT", "ETHUSDT", "BNBUSDT"}
        assert told[name][0]["e"] == "24hrMiniTicker"


def test_a_bar_is_told_once_more_when_it_ends(server: Server) -> None:
    """x is true once for each bar, and no bar is left out."""
    with listening(server, "/ws/btcusdt@kline_1s") as listener:
        server.flow(Side.SELL, "91000", "0.5")
        server.flow(Side.BUY, "91000", "0.2")
        closed = [listener.wait(lambda document: document["k"]["x"])["k"] for _ in range(2)]
    assert closed[1]["t"] == closed[0]["t"] + 1_000 == closed[0]["T"] + 1


@pytest.mark.parametrize("request_id", [1, 0, "3f1b6c0e-0d64-4a0e-9d6c-1d2b6f9b2c11", "x", None, 2**60])
def test_requests_are_answered_with_their_id(server: Server, request_id: object) -> None:
    """Of any kind; null where Binance says null."""
    with listening(server, "/ws") as listener:
        names = ["btcusdt@trade", "ethusdt@depth"]
        assert listener.ask(method="SUBSCRIBE", params=names, id=request_id) == {"result": None, "id": request_id}
        assert listener.ask(method="LIST_SUBSCRIPTIONS", id=request_id)["result"] == names
        assert listener.ask(method="UNSUBSCRIBE", params=names[:1], id=request_id)["result"] is None
        assert listener.ask(method="LIST_SUBSCRIPTIONS", id=request_id)["result"] == names[1:]


def test_a_client_may_ask_for_wrapped_documents(server: Server) -> None:
    """SET_PROPERTY and GET_PROPERTY; /ws is raw until then."""
    with listening(server, "/ws/0") as listener:
        assert listener.ask(method="GET_PROPERTY", params=["combined"], id=1)["result"] is False
        listener.ask(method="SET_PROPERTY", params=["combined", True], id=2)
        listener.ask(method="SUBSCRIBE", params=["btcusdt@bookTicker"], id=3)
        server.flow(Side.BUY, "90000", "0.1")
        assert listener.wait()["stream"] == "btcusdt@bookTicker"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"SHOUT","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', 2),
        ('{"method":"GET_PROPERTY","params":["x"],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"x{n}@trade" for n in range(1_025)], "id": 1}), 2),
        ("[" * 50_000, 3),
    ],
)
def test_a_request_with_a_fault_is_refused_and_the_client_stays(server: Server, text: str, code: int) -> None:
    """With Binance's codes; nothing is subscribed."""
    with listening(server, "/ws") as listener:
        listener.connection.send(text)
        assert listener.wait()["error"]["code"] == code
        assert listener.ask(method="LIST_SUBSCRIPTIONS", id=9)["result"] == []


@pytest.mark.parametrize(
    "name",
    [
        "nope@trade",
        "btcusdt@x",
        "BTCUSDT@trade",
        "btcusdt@depth@",
        "btcusdt@depth@0ms",
        "btcusdt@depth@250ms",
        "btcusdt@depth@1000",
        "btcusdt@depth@100ms@1000ms",
        "btcusdt@depth7",
        "btcusdt@depth5@500ms",
        "btcusdt@trade@100ms",
        "btcusdt@kline_2m",
        "!miniTicker@arr@100ms",
        "!ticker@arr",
        "",
    ],
)
def test_a_stream_that_does_not_exist_is_accepted_and_silent(
    server: Server, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As on Binance, where `!ticker@arr` has been retired; the exchange's log tells, and nothing is computed."""
    with listening(server, "/ws") as listener:
        assert listener.ask(method="SUBSCRIBE", params=[name], id=1)["result"] is None
        assert server.call(lambda _: len(server.hub._listened)) == 0
        assert listener.ask(method="UNSUBSCRIBE", params=[name], id=2)["result"] is None
    assert repr(name) in caplog.text


@pytest.mark.parametrize(
    ("name", "period_ms"),
    [
        ("btcusdt@trade", 0),
        ("btcusdt@aggTrade", 0),
        ("btcusdt@bookTicker", 0),
        ("btcusdt@depth", 1_000),
        ("btcusdt@depth@1000ms", 1_000),
        ("btcusdt@depth@100ms", 100),
        ("btcusdt@depth5", 1_000),
        ("btcusdt@depth10@1000ms", 1_000),
        ("btcusdt@depth20@100ms", 100),
        ("btcusdt@ticker", 1_000),
        ("btcusdt@miniTicker", 1_000),
        ("btcusdt@kline_1M", 1_000),
        ("!miniTicker@arr", 1_000),
        ("!miniTicker@arr@1000ms", 1_000),
        ("!miniTicker@arr@3000ms", 3_000),
    ],
)
def test_a_stream_has_the_speed_that_its_name_says(desk: Desk, name: str, period_ms: int) -> None:
    """Every suffix that Binance knows; 0 is at once."""
    stream = open_stream(name, desk.exchange.market)
    assert stream is not None
    assert stream.period_ms == period_ms


def test_streams_end_with_their_last_listener(server: Server) -> None:
    """Nothing is computed for nobody."""
    with listening(server, "/ws/btcusdt@depth") as listener:
        assert listener.ask(method="LIST_SUBSCRIPTIONS", id=1)["result"] == ["btcusdt@depth"]
        assert server.call(lambda _: len(server.hub._listened)) == 1
    server.wait_until(lambda _: len(server.hub._listened) == 0)


@contextmanager
def raw_handshake(server: Server, host: str) -> Iterator[BinaryIO]:
    """Ask for a socket as a client of our own, and give what is answered."""
    address = urlsplit(server.url)
    handshake = (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=WAIT_S) as connection:
        connection.sendall(handshake.encode())
        with connection.makefile("rb") as answer:
            yield answer


def test_clients_are_pinged(server: Server) -> None:
    """Every 20 s; the server of these tests is faster."""
    with raw_handshake(server, "127.0.0.1") as answer:
        assert b" 101 " in answer.readline()
        while answer.readline() != b"\r\n":
            pass
        assert answer.read(1) == b"\x89"  # the last fragment, opcode ping


def test_other_hosts_get_no_socket(server: Server) -> None:
    """A web page that rebinds its name to 127.0.0.1 sends its own name as Host."""
    with raw_handshake(server, "evil.example") as answer:
        assert b" 403 " in answer.readline()


def test_a_client_that_does_not_read_is_dropped(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Loudly: with a line in the log and a close code, and the others go on."""
    with listening(server, "/ws/btcusdt@trade", max_queue=1) as slow, listening(server, "/ws") as other:
        server.wait_until(lambda _: len(server.hub._listened) == 1)

        def flood(_: object) -> None:
            for name, listened in server.hub._listened.items():
                for subscriber in list(listened.subscribers):
                    for _ in range(20):
                        subscriber(name, "x" * 1_000_000)

        server.call(flood)
        server.wait_until(lambda _: len(server.hub._listened) == 0)
        assert other.ask(method="LIST_SUBSCRIPTIONS", id=1)["result"] == []
        with pytest.raises(ConnectionClosed):
            slow.read_to_the_end()
    assert "reads too slowly" in caplog.text


def test_windows_outside_the_trades_are_empty(server: Server) -> None:
    """Bars and aggregate trades: before the first, after the last, and with a start behind the end."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")
    (last,) = send(server, "GET", "trades", query="symbol=BTCUSDT&limit=1")[1]
    first_ms = send(server, "GET", "trades", query="symbol=BTCUSDT&limit=1000")[1][0]["time"]
    empty = [
        "endTime=1",
        f"endTime={first_ms - 60_000}",
        f"startTime={last['time'] + 3_600_000}",
        "startTime=3&endTime=2",
    ]
    for query in empty:
        for path in ("klines", "aggTrades"):
            of = "symbol=BTCUSDT" + ("&interval=1m" if path == "klines" else "")
            assert send(server, "GET", path, query=f"{of}&{query}")[:2] == (200, []), (path, query)
    ends = f"symbol=BTCUSDT&startTime={last['time']}&endTime={last['time']}"
    assert [each["l"] for each in send(server, "GET", "aggTrades", query=ends)[1]] == [last["id"]]
    assert [each["l"] for each in send(server, "GET", "aggTrades", query="symbol=BTCUSDT&limit=1")[1]] == [last["id"]]
    assert send(server, "GET", "aggTrades", query=f"symbol=BTCUSDT&fromId={last['id'] + 1}")[1] == []


@pytest.mark.parametrize(
    "path",
    [
        "/ws/btcusdt%40bookTicker",
        "/ws/btcusdt@bookTicker%2Fethusdt@bookTicker",
        "/stream?streams=btcusdt%40bookTicker%2Fethusdt@trade",
        "/stream/btcusdt@bookTicker",
        "/ws/0/btcusdt@bookTicker",
    ],
)
def test_names_in_a_path_may_be_encoded(server: Server, path: str) -> None:
    """As Binance takes them; a number, which ccxt sends, names nothing."""
    with listening(server, path) as listener:
        names = listener.ask(method="LIST_SUBSCRIPTIONS", id=1)["result"]
        server.flow(Side.BUY, "90000", "0.1")
        told = listener.wait()
    assert names[0] == "btcusdt@bookTicker"
    assert "0" not in names
    assert told.get("data", told)["b"] == "90000.00000000"
    assert ("stream" in told) is path.startswith("/stream")


def test_a_stream_that_fails_is_told_and_the_clock_goes_on(server: Server) -> None:
    """A bug in one tick must not end all streams of everybody in silence."""
    tick, failing = server.hub.tick, [True]

    def fail_once(now_ms: int) -> None:
        if failing:
            failing.clear()
            raise ZeroDivisionError("a bug of this test")
        tick(now_ms)

    setattr(server.hub, "tick", fail_once)  # noqa: B010 - not an assignment of the class's
    try:
        with listening(server, "/ws/btcusdt@depth@100ms") as listener:
            server.wait_until(lambda _: not failing)
            server.flow(Side.BUY, "90000", "0.1")
            assert listener.wait()["b"] == [["90000.00000000", "0.10000000"]]
    finally:
        setattr(server.hub, "tick", tick)  # noqa: B010
    assert [repr(bug) for bug in server.bugs] == ["ZeroDivisionError('a bug of this test')"]
    server.bugs.clear()


def test_a_connection_is_forgotten_with_its_client(server: Server) -> None:
    """Else a fault switch would count, and cut, what is long gone; and its timer would hold it for a day."""
    with listening(server, "/ws/btcusdt@trade"), listening(server, "/ws"):
        assert server.call(lambda _: len(server.connections.of_market)) == 2
        assert server.call(lambda _: (len(server.connections.of_accounts), server.day_timers())) == (0, 2)
    server.wait_until(lambda _: not server.connections.of_market and server.day_timers() == 0)


@pytest.mark.parametrize(("streams", "count"), [("market", 1), ("account", 1), ("all", 2)])
def test_connections_are_ended_by_what_they_are_for(server: Server, streams: str, count: int) -> None:
    """Market streams, the WebSocket API, or both."""
    with listening(server, "/ws") as market, listening(server, "/ws-api/v3") as account:
        assert server.call(lambda _: server.connections.end(streams, "a test")) == count
        for name, listener in (("market", market), ("account", account)):
            if streams in (name, "all"):
                with pytest.raises(ConnectionClosed):
                    listener.read_to_the_end()
            else:
                assert "id" in listener.ask(method="ping" if name == "account" else "LIST_SUBSCRIPTIONS", id="x")
