"""Streams over real sockets: a small server that speaks them, falls silent, hangs up and refuses."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from flow.live import Lost, Received, StreamNews, Subscribed
from tests.desk.desk_process import until
from venues.binance_streams import MarketStreams, StreamsError

SNAPSHOT = '{"lastUpdateId":1,"bids":[],"asks":[]}'
Conversation = Callable[[ServerConnection], None]


class Venue:
    """Serves streams and snapshots, each on a free port of its own."""

    def __init__(self) -> None:
        self.conversation: Conversation = lambda _: None
        self.requests: list[object] = []
        self.paths: list[str] = []
        self.status = 200
        self.body = SNAPSHOT.encode()
        self.headers: dict[str, str] = {}
        self.is_http = True
        self.length: int | None = None  # that is told, instead of the body's
        self._sockets: Server = serve(self._talk, "127.0.0.1", 0)
        venue = self

        class Snapshots(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                venue.paths.append(self.path)
                if not venue.is_http:
                    self.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
                    return
                self.send_response(venue.status)
                self.send_header("Content-Length", str(len(venue.body) if venue.length is None else venue.length))
                for name, value in venue.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(venue.body)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Snapshots)
        self._threads = [
            threading.Thread(target=self._sockets.serve_forever),
            threading.Thread(target=self._http.serve_forever, args=(0.02,)),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def streams_url(self) -> str:
        return f"ws://127.0.0.1:{self._sockets.socket.getsockname()[1]}"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.requests.append(json.loads(connection.recv()))
        self.conversation(connection)

    def stop(self) -> None:
        self._sockets.shutdown()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def venue() -> Iterator[Venue]:
    one = Venue()
    yield one
    one.stop()


@pytest.fixture
def streams(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> Iterator[MarketStreams]:
    """Return streams of that venue that try again at once; their snapshots have a port of their own here."""
    monkeypatch.setattr("venues.binance_streams._PAUSE_NS_MAX", 10_000_000)
    monkeypatch.setattr("venues.binance_streams.rest_url", lambda _: venue.rest_url)
    one = MarketStreams(venue.streams_url, "BTCUSDT")
    yield one
    one.stop()


def talk_and_stay(*texts: str) -> Conversation:
    """Accept the subscription, say these, and wait until the client hangs up."""

    def talk(connection: ServerConnection) -> None:
        for text in ('{"result":null,"id":1}', *texts):
            connection.send(text)
        for _ in connection:
            pass

    return talk


def texts_of(news: list[StreamNews]) -> list[str]:
    return [each.text for each in news if isinstance(each, Received)]


def collected(streams: MarketStreams, is_enough: Callable[[list[StreamNews]], bool]) -> list[StreamNews]:
    news: list[StreamNews] = []

    def take() -> bool:
        news.extend(streams.take())
        return is_enough(news)

    until("the news", take)
    return news


def test_subscribes_and_hands_on_every_message(venue: Venue, streams: MarketStreams) -> None:
    """Guards the way of a message, and the request in Binance's words."""
    venue.conversation = talk_and_stay("one", "two")
    streams.start()
    news = collected(streams, lambda news: len(news) == 3)
    assert isinstance(news[0], Subscribed)
    assert texts_of(news) == ["one", "two"]
    names = ["btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker"]
    assert venue.requests == [{"method": "SUBSCRIBE", "params": names, "id": 1}]
    assert venue.paths == ["/ws"]


def test_connects_again_after_the_venue_hung_up(venue: Venue, streams: MarketStreams) -> None:
    """Guards the reconnection: each end and each new beginning is told, in this order."""
    venue.conversation = lambda connection: connection.send('{"result":null,"id":1}')  # and hang up
    streams.start()
    news = collected(streams, lambda news: sum(isinstance(each, Lost) for each in news) >= 3)
    assert [type(each) for each in news[:5]] == [Subscribed, Lost, Subscribed, Lost, Subscribed]


def test_message_before_the_answer_does_not_hide_it(venue: Venue, streams: MarketStreams) -> None:
    """Guards streams that begin while the answer is on its way."""

    def talk(connection: ServerConnection) -> None:
        connection.send('{"e":"trade"}')
        talk_and_stay("one")(connection)

    venue.conversation = talk
    streams.start()
    assert texts_of(collected(streams, lambda news: len(news) == 2)) == ["one"]


def test_refused_subscription_is_told(venue: Venue, streams: MarketStreams) -> None:
    """Guards a venue without such streams."""
    venue.conversation = lambda connection: connection.send('{"error":{"code":2,"msg":"no"},"id":1}')
    streams.start()
    news = collected(streams, bool)
    assert isinstance(news[0], Lost)
    assert "expected an answer to SUBSCRIBE" in news[0].reason


def test_fetches_snapshots_and_tells_when_it_cannot(venue: Venue, streams: MarketStreams) -> None:
    """Guards the REST side: asked with symbol and limit, a failure is told and no news."""
    streams.check()
    assert venue.paths == ["/api/v3/depth?symbol=BTCUSDT&limit=1000"]
    streams.ask_snapshot()
    assert texts_of(collected(streams, bool)) == [SNAPSHOT]
    venue.status = 429
    streams.ask_snapshot()
    failures: list[str] = until("the failure", streams.take_failures)
    assert "429" in failures[0]
    with pytest.raises(StreamsError, match="429"):
        streams.check()


def test_stops_at_once_while_it_waits_for_a_message(venue: Venue, streams: MarketStreams) -> None:
    """Guards the end of the flow's node."""
    venue.conversation = talk_and_stay()
    streams.start()
    collected(streams, bool)
    streams.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("streams")]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Maintenance</html>",
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b'{"lastUpdateId":1,"bids":[]}',
        b'{"lastUpdateId":"1","bids":[],"asks":[]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=["a proxy's page", "nothing", "null", "list", "object", "error", "one side", "text id", "deep", "no text"],
)
def test_answer_that_is_no_snapshot_is_a_failure(venue: Venue, streams: MarketStreams, body: bytes) -> None:
    """200 with HTML passed for a snapshot: it was never asked for again, the book neither followed nor withdrawn."""
    venue.body = body
    streams.ask_snapshot()
    failures: list[str] = until("the failure", streams.take_failures)
    assert "expected a snapshot" in failures[0]
    assert streams.take() == []


def test_half_an_answer_is_a_failure(venue: Venue, streams: MarketStreams) -> None:
    """The connection ended in the middle of it."""
    venue.body, venue.length = SNAPSHOT.encode()[:20], len(SNAPSHOT)
    streams.ask_snapshot()
    assert until("the failure", streams.take_failures)


def test_answer_that_drips_is_a_failure(venue: Venue, streams: MarketStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece came in time, the whole never did; nobody else may ask meanwhile."""
    monkeypatch.setattr("venues.binance_streams._SNAPSHOT_NS_MAX", -1)
    streams.ask_snapshot()
    (failure,) = until("the failure", streams.take_failures)
    assert "in time" in failure


def test_answer_that_is_no_http_is_a_failure(venue: Venue, streams: MarketStreams) -> None:
    """BadStatusLine is no OSError: it ended the thread in silence."""
    venue.is_http = False
    streams.ask_snapshot()
    assert until("the failure", streams.take_failures)


def test_venue_that_asks_for_a_pause_gets_it(venue: Venue, streams: MarketStreams) -> None:
    """429 with Retry-After: the next question waits; a stop does not wait for it."""
    venue.status, venue.headers = 429, {"Retry-After": "3600"}
    streams.ask_snapshot()
    until("the failure", streams.take_failures)
    streams.ask_snapshot()
    streams.stop()
    until("it was given up", lambda: not [each for each in threading.enumerate() if each.name.startswith("snapshot")])
    assert len(venue.paths) == 1
    assert streams.take_failures() == []


def test_questions_do_not_gather_while_the_venue_asks_for_a_pause(venue: Venue, streams: MarketStreams) -> None:
    """A ban of three days was 17,000 threads, which all asked at its end."""
    venue.status, venue.headers = 418, {"Retry-After": "259200"}
    streams.ask_snapshot()
    until("the failure", streams.take_failures)
    for _ in range(5):
        streams.ask_snapshot()
    until("one waits", lambda: sum(each.name.startswith("snapshot") for each in threading.enumerate()) == 1)


@pytest.mark.parametrize("name", ["_follow", "_fetch_snapshot"])
def test_bug_in_a_thread_comes_out_where_the_news_are_taken(
    streams: MarketStreams, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A thread that died of something unforeseen was missed by nobody."""

    def fail() -> None:
        raise AssertionError("an invariant")

    monkeypatch.setattr(streams, name, fail)
    streams.start() if name == "_follow" else streams.ask_snapshot()
    with pytest.raises(AssertionError, match="an invariant"):
        collected(streams, bool)


class Stopping:
    """Stands in for the event of a stop: notes the pauses, and is set after some of them."""

    def __init__(self, pause_count: int) -> None:
        self.pauses: list[float] = []
        self._pause_count = pause_count

    def is_set(self) -> bool:
        return len(self.pauses) >= self._pause_count

    def wait(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


def test_pauses_grow_until_a_connection_has_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue that is away is asked later and later; one connection of half a minute, and it begins anew."""
    lives_s = iter([0, 0, 0, 31, 0, 0])
    now = [10**15]

    def follow() -> None:
        now[0] += next(lives_s) * 10**9
        raise OSError("gone")

    streams = MarketStreams("ws://127.0.0.1:9", "BTCUSDT")
    stopping = Stopping(6)
    monkeypatch.setattr(streams, "_stopping", stopping)
    monkeypatch.setattr(streams, "_follow", follow)
    monkeypatch.setattr(streams._backoff, "jitter", lambda: 1.0)
    monkeypatch.setattr("venues.binance_streams.monotonic_ns", lambda: now[0])
    streams._run()
    assert stopping.pauses == [0.5, 1.0, 2.0, 0.5, 1.0, 2.0]


def test_messages_that_nobody_takes_end_the_connection(
    venue: Venue, streams: MarketStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has an end; the flow begins anew with a snapshot."""
    monkeypatch.setattr("venues.binance_streams._NEWS_MAX", 3)
    venue.conversation = talk_and_stay(*"abcdef")
    streams.start()
    until("it is given up", lambda: len(streams._news) > 3)
    news = streams.take()
    assert [type(each) for each in news[:4]] == [Subscribed, Received, Received, Lost]
    assert isinstance(news[3], Lost)
    assert "not taken" in news[3].reason


def test_leaves_a_server_that_is_about_to_go(venue: Venue, streams: MarketStreams) -> None:
    """It hangs up and connects anew; the venue would have kept the connection for a while yet."""
    venue.conversation = talk_and_stay("one", '{"e":"serverShutdown","E":1700000000000}')
    streams.start()
    news = collected(streams, lambda news: sum(isinstance(each, Subscribed) for each in news) >= 2)
    assert texts_of(news)[:1] == ["one"]
    assert [type(each) for each in news[:4]] == [Subscribed, Received, Lost, Subscribed]
    assert isinstance(news[2], Lost)
    assert "about to go" in news[2].reason
