"""The api's node: serves its own replica of the book feed over HTTP, and never asks the engine for a request."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from importlib import import_module
from typing import Any

import uvloop
from sanic.exceptions import BadRequest, NotFound
from sanic.request import Request
from sanic.response import HTTPResponse

from bus.async_waiter import AsyncWaiter
from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from desk.command_token import load_or_make_token
from desk.settings import Settings
from market.clock import NS_PER_SECOND, monotonic_ns
from market.exact_json import dumps
from market.http_names import connectable, in_url
from market.instrument import Instrument, venue_spelling
from market.limits import TRADES_KEPT_MAX
from market.private_file import PrivateFileError
from nodes.api.asked import command_runner
from nodes.api.asked_routes import AskedRoutes
from nodes.api.book_views import BookViews, RenderedBook
from nodes.api.commands import DeskCommands, run_command
from nodes.api.hello import hello_text
from nodes.api.latency_meter import LatencyMeter
from nodes.api.live_line import LiveLine
from nodes.api.live_state import LiveSymbol
from nodes.api.metrics_route import add_metrics
from nodes.api.openapi import DEPTH_MAX, OPENAPI_PATH, openapi_document
from nodes.api.sources import DeskView
from nodes.api.told_alerts import ToldAlerts
from nodes.http import HttpApp, allow_own_names_only, new_app, serving, url_of
from nodes.listener import bind
from nodes.node import Node, run_async
from paper.http_bounds import ERROR_FORMAT
from screens.market import market_text
from web.assets import CACHED, load_assets
from web.page import HEADERS, calls_page, dashboard

TICK_MS = 100
FRAMES_MAX = 16  # messages of the feed between two looks at the requests
BOOK_WAIT_NS = 2 * NS_PER_SECOND  # a request waits so long for a snapshot that is on its way, before it is refused
BOOK_LOOK_S = 0.01
OWN_S = 0.25  # between two looks at which orders are our own
GATHER_S = 0.002  # between two looks at the feed: to wake up costs as much as 50 messages do
METHODS = ("GET", "HEAD")
HTML = "text/html; charset=utf-8"


def _count(request: Request, name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 6 and 1 <= int(text) <= most):
        raise BadRequest(f"{name} must be 1 to {most}, was {text[:20]!r}")
    return int(text)


def _json(document: str, status: int = 200) -> HTTPResponse:
    return HTTPResponse(document, status, content_type="application/json")


def add_page(
    app: HttpApp, instruments: Sequence[Instrument], default_symbol: str, market: str, exchange: str = ""
) -> None:
    """Serve what a person sees in a browser: the dashboard, the calls that there are, and what they load.

    Args:
        exchange: in a line, where the paper exchange is.
    """
    assets, document = load_assets(), openapi_document()

    def symbol_of(request: Request) -> str:
        symbol = venue_spelling(request.args.get("symbol", default_symbol))
        return symbol if symbol in {each.symbol for each in instruments} else default_symbol

    async def show_dashboard(request: Request) -> HTTPResponse:
        return HTTPResponse(dashboard(symbol_of(request), instruments, market), headers=HEADERS, content_type=HTML)

    async def show_endpoints(request: Request) -> HTTPResponse:
        where = f"These are served here; {OPENAPI_PATH} is the same for programs."
        page = calls_page(document, symbol_of(request), market, where, is_here=True)
        return HTTPResponse(page, headers=HEADERS, content_type=HTML)

    async def show_exchange(request: Request) -> HTTPResponse:
        calls = await asyncio.to_thread(_exchange_calls)  # the feed is followed meanwhile
        page = calls_page(calls, symbol_of(request), market, exchange, is_here=False)
        return HTTPResponse(page, headers=HEADERS, content_type=HTML)

    async def give_document(_: Request) -> HTTPResponse:
        return _json(dumps(document))

    async def give_asset(_: Request, digest: str, name: str) -> HTTPResponse:
        if digest != assets.digest or name not in assets.files:
            raise NotFound("there is no such file, or it is another one now")
        content, content_type = assets.files[name]
        return HTTPResponse(content, headers=CACHED, content_type=content_type)

    routes = (
        ("/", show_dashboard),
        ("/docs", show_endpoints),
        ("/docs/exchange", show_exchange),
        (OPENAPI_PATH, give_document),
        ("/assets/<digest:str>/<name:str>", give_asset),
    )
    for path, handler in routes:
        app.add_route(handler, path, methods=METHODS, name=handler.__name__, error_format=ERROR_FORMAT)


def _exchange_calls() -> dict[str, Any]:
    """Return the paper exchange's document, which is imported when somebody asks for the first time."""
    calls = import_module("paper.calls.openapi")
    endpoints = import_module("paper.calls.endpoints")
    document: dict[str, Any] = calls.openapi_document(endpoints.ENDPOINTS)
    return document


def exchange_text(settings: Settings) -> str:
    """Return where the paper exchange of a desk is, in a line."""
    if settings.venue.name != "paper" or settings.venue.url is not None:
        return "This desk trades elsewhere: no paper exchange of its own carries these."
    if not settings.paper.port:
        return "These are served at a free port, which python cli.py status tells; /openapi.json is the same there."
    url = f"http://{in_url(connectable(settings.paper.host))}:{settings.paper.port}"
    return f"These are served at {url}; {url}/openapi.json is the same for programs."


def add_routes(app: HttpApp, views: BookViews, default_symbol: str) -> None:
    """Serve `views` under `/api/`."""

    async def symbol_of(request: Request) -> str:
        """Return the symbol that is asked for, when its book can be told or must be refused."""
        symbol = venue_spelling(request.args.get("symbol", default_symbol))
        deadline_ns = monotonic_ns() + BOOK_WAIT_NS
        while not views.is_served(symbol) and monotonic_ns() < deadline_ns:
            await asyncio.sleep(BOOK_LOOK_S)
        return symbol

    async def orderbook(request: Request) -> HTTPResponse:
        depth = _count(request, "depth", DEPTH_MAX, DEPTH_MAX)
        book = views.orderbook(await symbol_of(request), depth)
        headers = {"ETag": book.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == book.etag:
            return HTTPResponse(status=304, headers=headers)
        return HTTPResponse(book.document, headers=headers, content_type="application/json")

    async def trades(request: Request) -> HTTPResponse:
        limit = _count(request, "limit", 100, TRADES_KEPT_MAX)
        return _json(views.trades(await symbol_of(request), limit))

    async def health(_: Request) -> HTTPResponse:
        return _json(views.health(), 200 if views.is_live else 503)

    for path, handler in (("orderbook", orderbook), ("trades", trades), ("health", health)):
        app.add_route(handler, f"/api/{path}", methods=METHODS, error_format=ERROR_FORMAT)


def desk_commands(node: Node) -> DeskCommands:
    """Return the commands of the dashboard; without a token that can be trusted nobody may give one."""
    run_dir, symbols = node.settings.run_dir, [each.symbol for each in node.settings.instruments]
    token, why_not = None, ""
    try:
        token = load_or_make_token(run_dir)
    except (PrivateFileError, OSError) as error:
        why_not = str(error)
        node.log.warning("the dashboard takes no commands", why=why_not)
    return DeskCommands(token, symbols, run_command(run_dir), node.log.info, why_not)


def asked_routes(node: Node) -> AskedRoutes:
    """Return what a person asks for: reports, moments of the past, logs."""
    settings = node.settings
    symbols = dict.fromkeys([settings.symbol, *(each.symbol for each in settings.instruments)])
    run = command_runner(settings.run_dir)
    return AskedRoutes(settings.run_dir, settings.reports_dir, symbols, market_text(settings.market), run)


def live_line(node: Node, subscriber: FeedSubscriber, desk: Callable[[], DeskView], *, is_elsewhere: bool) -> LiveLine:
    """Return the live line of all symbols of a desk."""
    settings, engine_of = node.settings, node.plan.engine_of
    reading_s = settings.tracker.interval_s
    states = {
        each.symbol: LiveSymbol(subscriber, each, engine_of[each.symbol], reading_s, is_elsewhere=is_elsewhere)
        for each in settings.instruments
    }
    hello = {each.symbol: hello_text(settings, each) for each in settings.instruments}
    return LiveLine(states, hello, settings.symbol, desk)


async def _serve(node: Node) -> None:
    settings = node.settings
    listener = bind(settings.api.host, settings.api.port)
    symbols = [instrument.symbol for instrument in settings.instruments]
    topics = [topic.of(symbol) for symbol in symbols for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)]
    # With the venue elsewhere, the book has what came through the gateways: the maker's mirror, and clients' orders.
    is_elsewhere = settings.venue.name != "paper"
    own_sources = frozenset(gateway.source for gateway in node.plan.gateways.values() if is_elsewhere)
    subscriber = FeedSubscriber(node.wiring, topics, partial(RenderedBook, own_sources))
    node.watch(*subscriber.sockets)
    views = BookViews(subscriber, settings.instruments)
    app = new_app("tickbus_api")
    allow_own_names_only(app, settings.api.host)
    add_routes(app, views, settings.symbol)
    add_page(app, settings.instruments, settings.symbol, market_text(settings.market), exchange_text(settings))
    told: list[DeskView] = [DeskView(None, 0)]
    commands = desk_commands(node)
    commands.add_to(app)
    line = live_line(node, subscriber, lambda: told[-1]._replace(command=commands.told), is_elsewhere=is_elsewhere)
    line.add_to(app)
    add_metrics(app, line, subscriber)
    alerts, latencies = ToldAlerts(settings.run_dir), LatencyMeter()
    asked_routes(node).add_to(app)

    async def follow_feed() -> None:
        with AsyncWaiter(subscriber.sockets) as waiter:
            while True:
                is_all = subscriber.receive(monotonic_ns(), FRAMES_MAX)
                subscriber.tick(monotonic_ns())
                if views.is_live:
                    node.ready(http=url_of(listener))
                else:
                    node.waiting()
                replica = subscriber.replicas[Topic.BOOK.of(settings.symbol)]
                node.show(
                    live=views.is_live,
                    sequence=replica.sequence,
                    gaps=replica.gap_count,
                    orders=len(replica.book),
                    browsers=line.browser_count,
                )
                if is_all:
                    await waiter.wait(TICK_MS)
                await asyncio.sleep(GATHER_S if is_all else 0)  # requests come in turn with the feed

    async def follow_own_orders() -> None:
        while True:
            if status := node.ask_desk():
                now_ns = monotonic_ns()
                told[:] = [DeskView(status, now_ns, None, alerts.look(), latencies.look(status, now_ns))]
                views.mark_own(
                    frozenset(number for row in status["nodes"] for number in row["figures"].get("own_orders", ()))
                )
            await asyncio.sleep(OWN_S)

    with closing(subscriber):
        async with serving(app, listener):
            await run_async(node, follow_feed, follow_own_orders, line.run)


def run(node: Node) -> None:
    """Run the api's node until it is told to stop."""
    uvloop.run(_serve(node))
