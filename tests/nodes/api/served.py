"""The api's app on a free port, with a feed and a desk that the test tells."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bus.feed import FeedFrame, Topic
from bus.subscriber import FeedSubscriber
from desk.settings import load_settings
from market.clock import monotonic_ns
from market.codes import Side
from market.feed_messages import BestPrices, BookOrder, BookTrade, FeedMessage
from nodes.api.asked import Made
from nodes.api.asked_routes import AskedRoutes
from nodes.api.book_views import BookViews, RenderedBook
from nodes.api.commands import DeskCommands
from nodes.api.hello import hello_text
from nodes.api.live_line import LiveLine
from nodes.api.live_state import LiveSymbol
from nodes.api.metrics_route import add_metrics
from nodes.api.node import add_page, add_routes
from nodes.api.sources import DeskView
from nodes.http import allow_own_names_only, new_app, serving, url_of
from nodes.listener import bind
from tests.desk.desk_process import ANSWER_S, PATIENCE_S
from tests.one_engine import one_engine
from tests.pairs import default_instruments

INSTRUMENTS = default_instruments()
BTC, ETH = INSTRUMENTS[0], INSTRUMENTS[1]
MID = 9_138_500
TOKEN = "t" * 32
EPOCH = 1_795_347_565_826_235_918
TIME_NS = 1_795_347_573_844_000_000


class Answer(NamedTuple):
    """A response as a client sees it."""

    status: int
    headers: Any
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Api:
    """The api's app on a free port, with a feed that the test tells."""

    def __init__(self, run_dir: Path) -> None:
        topics = [topic.of(each.symbol) for each in (BTC, ETH) for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)]
        self.subscriber = FeedSubscriber(one_engine(run_dir), topics, RenderedBook)
        self.views = BookViews(self.subscriber, [BTC, ETH])
        self._listener = bind("127.0.0.1", 0)
        self.url = url_of(self._listener)
        self.desk = DeskView(None, 0)
        self.states = {
            each.symbol: LiveSymbol(self.subscriber, each, "engine", 5, is_elsewhere=False) for each in (BTC, ETH)
        }
        settings = load_settings({"run_dir": run_dir}).settings
        hello = {each.symbol: hello_text(settings, each) for each in (BTC, ETH)}
        self.given: list[tuple[str, ...]] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.commands = DeskCommands(TOKEN, [BTC.symbol, ETH.symbol], self._run, lambda *_, **__: None)
        self.line = LiveLine(self.states, hello, BTC.symbol, lambda: self.desk._replace(command=self.commands.told))
        self.run_dir = run_dir
        self.asked: list[tuple[str, ...]] = []
        self.made = Made(0, b"{}", "")
        self.is_held = False  # whether what is asked for is not made yet
        self._is_serving = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._is_serving.wait(PATIENCE_S)

    async def _serve(self) -> None:
        app = new_app(f"test_api_{id(self)}")
        app.config.TOUCHUP = False  # it rewrites Sanic's classes, and can do so for one app of a process only
        allow_own_names_only(app, "127.0.0.1")
        add_routes(app, self.views, BTC.symbol)
        add_page(app, [BTC, ETH], BTC.symbol, "a market of <practice>")
        self.commands.add_to(app)
        self.line.add_to(app)
        add_metrics(app, self.line, self.subscriber)
        AskedRoutes(self.run_dir, self.run_dir / "reports", (BTC.symbol, ETH.symbol), "a market", self._ask).add_to(app)
        self._app = app
        looking = asyncio.create_task(self.line.run())
        async with serving(app, self._listener):
            self._is_serving.set()
            await self._ending.wait()
        looking.cancel()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # of browsers that look still
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _ask(self, words: Sequence[str]) -> Made:
        """Stand for a command that makes something: a report goes to the file that is named."""
        self.asked.append(tuple(words))
        while self.is_held:
            await asyncio.sleep(0.01)
        if "--html" in words and self.made.content:
            Path(words[-1]).write_bytes(self.made.content)
        return self.made

    def _run(self, words: Sequence[str], tell: Callable[[str], None]) -> int:
        """Stand for a command: it says what it was given, and one that asks for it fails."""
        self.given.append(tuple(words))
        tell(f"given {' '.join(words)}")
        assert self.may_end.wait(PATIENCE_S)
        if "ETHUSDT" in words:
            raise OSError("no such program")
        return 0

    def routes(self) -> list[Any]:
        """Return the routes of the app."""
        return list(self._app.router.routes)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the app's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def tell(self, topic: bytes, *messages: FeedMessage, epoch: int = EPOCH) -> None:
        """Let a topic be in step, with these messages as its state."""
        replica = self.subscriber.replicas[topic]
        replica.lose()
        replica.on_snapshot(FeedFrame(topic, epoch, 7, TIME_NS, list(messages)))
        self.subscriber._heard_ns[topic] = monotonic_ns()

    def tell_all(self, symbol: str) -> None:
        """Let everything of a symbol be in step."""
        self.tell(Topic.BOOK.of(symbol), BookOrder(3, Side.BUY, MID, 5), BookOrder(4, Side.SELL, MID + 1, 6))
        self.tell(Topic.TRADES.of(symbol), BookTrade(1, MID, 5, Side.BUY, TIME_NS))
        self.tell(Topic.BEST.of(symbol), BestPrices(MID, 5, MID + 1, 6))

    def get(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Return what is answered."""
        request = urllib.request.Request(self.url + path, body, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(10)
        self._loop.close()
        self.subscriber.close()
