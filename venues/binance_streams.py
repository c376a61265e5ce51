"""Binance's public market streams, or those of anybody who speaks them, read in a thread of their own.

Connects, subscribes, hands on every message as it came, and connects again with a growing pause when the connection
ends; asks for depth snapshots over REST. No keys, no orders.
"""

import json
import random
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from flow.live import Lost, Received, StreamNews, Subscribed
from flow.live_url import rest_url
from market.backoff import Backoff
from market.clock import NS_PER_SECOND, monotonic_ns
from venues.binance_documents import SHUTDOWN_EVENT, UNREADABLE, retry_after_s

SNAPSHOT_LEVELS: Final = 1_000

_PAUSE_NS: Final = NS_PER_SECOND // 2
_PAUSE_NS_MAX: Final = 30 * NS_PER_SECOND
_LONG_LIFE_NS: Final = 30 * NS_PER_SECOND  # after which a connection counts as well
_NEWS_MAX: Final = 100_000  # not taken by the flow; then the connection is given up
_MESSAGE_BYTES_MAX: Final = 16 << 20
_TIMEOUT_S: Final = 10.0
_SNAPSHOT_NS_MAX: Final = 30 * NS_PER_SECOND
_BEFORE_ANSWER_MAX: Final = 1_000


class StreamsError(Exception):
    """The streams or the snapshot could not be had; the text is one line for a person."""


class MarketStreams:
    """The streams of one symbol.

    Args:
        url: of the streams, `ws://HOST:PORT` or `wss://HOST`.
        symbol: `BTCUSDT`.
    """

    def __init__(self, url: str, symbol: str) -> None:
        self._url = url
        self._symbol = symbol
        self._rest = rest_url(url)
        self._news: deque[StreamNews] = deque()
        self._failures: deque[str] = deque()
        self._bugs: deque[BaseException] = deque()
        self._is_asking = False
        self._quiet_until_ns = 0  # the venue has asked us to slow down
        self._stopping = threading.Event()
        self._connection: ClientConnection | None = None
        self._backoff = Backoff(_PAUSE_NS, _PAUSE_NS_MAX, lambda: random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        self._thread = threading.Thread(target=self._watched, args=(self._run,), name=f"streams {symbol}", daemon=True)

    def check(self) -> None:
        """Ask for a snapshot once, before the start.

        Raises:
            StreamsError: if nobody answers.
        """
        self._fetch_snapshot()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def take(self) -> list[StreamNews]:
        """Return the news since the last call.

        Raises:
            BaseException: what a thread of ours ended with; it would be missed in silence there.
        """
        if self._bugs:
            raise self._bugs.popleft()
        return [self._news.popleft() for _ in range(len(self._news))]

    def take_failures(self) -> list[str]:
        """Return why snapshots could not be had, since the last call."""
        return [self._failures.popleft() for _ in range(len(self._failures))]

    def ask_snapshot(self) -> None:
        """Ask for a snapshot, in a thread, unless one asks or waits for its turn; it comes among the news, or fails."""
        if self._is_asking:
            return
        self._is_asking = True
        threading.Thread(
            target=self._watched, args=(self._snapshot,), name=f"snapshot {self._symbol}", daemon=True
        ).start()

    def stop(self) -> None:
        """Hang up, and wait until the thread has ended."""
        self._stopping.set()
        if (connection := self._connection) is not None:
            connection.close_socket()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S)

    def _watched(self, work: Callable[[], None]) -> None:
        """Do a thread's work; hand on what ends it to the thread that takes the news."""
        try:
            work()
        except BaseException as bug:  # noqa: BLE001 - raised again by `take`
            self._bugs.append(bug)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_ns = monotonic_ns()
            try:
                self._follow()
            except (WebSocketException, OSError, ValueError, RecursionError, StreamsError) as error:
                if self._stopping.is_set():
                    return
                self._news.append(Lost(f"{self._url}: {error or type(error).__name__}"))
            now_ns = monotonic_ns()
            if now_ns - began_ns > _LONG_LIFE_NS:
                self._backoff.end()
            self._stopping.wait(self._backoff.fail(now_ns) / NS_PER_SECOND)

    def _follow(self) -> None:
        """Read one connection to its end, which is always an exception."""
        with connect(
            f"{self._url}/ws", max_size=_MESSAGE_BYTES_MAX, open_timeout=_TIMEOUT_S, compression=None, proxy=None
        ) as connection:
            self._connection = connection
            try:
                self._subscribe(connection)
                self._news.append(Subscribed())
                while not self._stopping.is_set():
                    text = connection.recv()
                    if len(self._news) >= _NEWS_MAX:
                        raise StreamsError("messages are not taken as fast as they come")
                    if isinstance(text, str):
                        if SHUTDOWN_EVENT in text:
                            raise StreamsError("the venue's server is about to go")
                        self._news.append(Received(monotonic_ns(), text))
            finally:
                self._connection = None

    def _subscribe(self, connection: ClientConnection) -> None:
        name = self._symbol.lower()
        names = [f"{name}@depth@100ms", f"{name}@trade", f"{name}@bookTicker"]
        connection.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
        for _ in range(_BEFORE_ANSWER_MAX):  # messages of the streams may overtake the answer; a snapshot follows on it
            text = connection.recv(_TIMEOUT_S)
            answer: Any = json.loads(text)
            if isinstance(answer, dict) and "id" in answer:
                if answer.get("result", "") is None:
                    return
                break
        raise StreamsError(f"expected an answer to SUBSCRIBE, was {text[:120]!r}")

    def _snapshot(self) -> None:
        self._stopping.wait(max(0, self._quiet_until_ns - monotonic_ns()) / NS_PER_SECOND)
        if self._stopping.is_set():
            return
        try:
            text = self._fetch_snapshot()
        except StreamsError as error:
            self._is_asking = False  # before anybody hears of it, and asks again
            self._failures.append(str(error))
        else:
            self._is_asking = False
            self._news.append(Received(monotonic_ns(), text))

    def _fetch_snapshot(self) -> str:
        url = f"{self._rest}/api/v3/depth?symbol={self._symbol}&limit={SNAPSHOT_LEVELS}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=_TIMEOUT_S) as response:  # http or https, see rest_url
                body = _whole(response)
        except urllib.error.HTTPError as error:
            self._slow_down(error)
            raise StreamsError(f"{self._rest}: {error}") from None
        except (OSError, HTTPException) as error:  # no connection, or none in time
            raise StreamsError(f"{self._rest}: {error or type(error).__name__}") from None
        text = body.decode(errors="replace")
        if not _is_snapshot(text):
            raise StreamsError(f"{self._rest}: expected a snapshot of the book, was {text[:80]!r}")
        return text

    def _slow_down(self, error: urllib.error.HTTPError) -> None:
        """Ask nothing for as long as the venue says, 429 and 418."""
        with error:
            wait_s = retry_after_s(error.headers.get("Retry-After", ""), 0.0)
        self._quiet_until_ns = monotonic_ns() + int(wait_s) * NS_PER_SECOND


def _whole(response: HTTPResponse) -> bytes:
    """Return the body of an answer; its timeout is for each piece, and a venue may send bytes now and then."""
    until_ns, body = monotonic_ns() + _SNAPSHOT_NS_MAX, b""
    while len(body) < _MESSAGE_BYTES_MAX and (piece := response.read1(_MESSAGE_BYTES_MAX)):
        body += piece
        if monotonic_ns() > until_ns:
            raise TimeoutError("the snapshot did not come in time")
    return body


def _is_snapshot(text: str) -> bool:
    """Say whether this is a book: a proxy's page comes with status 200, too."""
    try:
        document = json.loads(text)
        lists = (document["bids"], document["asks"])
        return isinstance(document["lastUpdateId"], int) and all(isinstance(each, list) for each in lists)
    except UNREADABLE:
        return False
