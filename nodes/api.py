"""The api's node: serves its own replica of the book feed over HTTP, and never asks the engine for a request."""

import asyncio

import uvloop
from sanic.exceptions import BadRequest
from sanic.request import Request
from sanic.response import HTTPResponse

from bus.channel import AsyncWaiter
from bus.feed import best_topic, book_topic, trades_topic
from bus.subscriber import FeedSubscriber
from market.clock import monotonic_ns
from market.limits import TRADES_KEPT_MAX
from nodes.book_views import BookViews, RenderedBook
from nodes.http import HttpApp, allow_loopback_names_only, bind, new_app, serve, stop, url_of
from nodes.node import Node, run_async

TICK_MS = 100
FRAMES_MAX = 16  # messages of the feed between two looks at the requests
GATHER_S = 0.002  # between two looks at the feed: to wake up costs as much as 50 messages do
DEPTH_MAX = 5_000


def _count(request: Request, name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 6 and 1 <= int(text) <= most):
        raise BadRequest(f"{name} must be 1 to {most}, was {text[:20]!r}")
    return int(text)


def _json(document: str, status: int = 200) -> HTTPResponse:
    return HTTPResponse(document, status, content_type="application/json")


def _add_routes(app: HttpApp, views: BookViews, symbol: str) -> None:
    async def orderbook(request: Request) -> HTTPResponse:
        depth = _count(request, "depth", DEPTH_MAX, DEPTH_MAX)
        book = views.orderbook(request.args.get("symbol", symbol), depth)
        headers = {"ETag": book.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == book.etag:
            return HTTPResponse(status=304, headers=headers)
        return HTTPResponse(book.document, headers=headers, content_type="application/json")

    async def trades(request: Request) -> HTTPResponse:
        limit = _count(request, "limit", 100, TRADES_KEPT_MAX)
        return _json(views.trades(request.args.get("symbol", symbol), limit))

    async def health(_: Request) -> HTTPResponse:
        return _json(views.health(), 200 if views.is_live else 503)

    app.add_route(orderbook, "/api/orderbook")
    app.add_route(trades, "/api/trades")
    app.add_route(health, "/api/health")


async def _serve(node: Node) -> None:
    settings = node.settings
    listener = bind(settings.api.host, settings.api.port)
    symbols = [instrument.symbol for instrument in settings.instruments]
    topics = [topic(symbol) for symbol in symbols for topic in (book_topic, trades_topic, best_topic)]
    subscriber = FeedSubscriber(node.wiring, topics, RenderedBook)
    node.watch(*subscriber.sockets)
    views = BookViews(subscriber, settings.instruments)
    app = new_app("tickbus_api")
    allow_loopback_names_only(app, settings.api.host)
    _add_routes(app, views, settings.symbol)
    server = await serve(app, listener)

    async def follow_feed() -> None:
        with AsyncWaiter(subscriber.sockets) as waiter:
            while True:
                is_all = subscriber.receive(monotonic_ns(), FRAMES_MAX)
                subscriber.tick(monotonic_ns())
                if views.is_live:
                    node.ready(http=url_of(listener))
                replica = subscriber.replicas[book_topic(settings.symbol)]
                node.show(
                    live=views.is_live, sequence=replica.sequence, gaps=replica.gap_count, orders=len(replica.book)
                )
                if is_all:
                    await waiter.wait(TICK_MS)
                await asyncio.sleep(GATHER_S if is_all else 0)  # requests come in turn with the feed

    try:
        await run_async(node, follow_feed)
    finally:
        await stop(server)
        subscriber.close()


def run(node: Node) -> None:
    """Run the api's node until it is told to stop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(node))
