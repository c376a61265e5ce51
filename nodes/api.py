"""The api's node: serves its own replica of the book feed over HTTP, and never asks the engine for a request."""

import asyncio
from collections.abc import Callable, Sequence

from sanic.exceptions import BadRequest, NotFound, ServiceUnavailable
from sanic.request import Request
from sanic.response import HTTPResponse

from bus.channel import wait_readable
from bus.feed import BookReplica, best_topic, book_topic, trades_topic
from bus.subscriber import FeedSubscriber
from market.clock import NS_PER_MS, monotonic_ns
from market.codes import Side
from market.exact_json import dumps
from market.instrument import Instrument, text_of_steps
from market.limits import TRADES_KEPT_MAX
from nodes.http import HttpApp, allow_loopback_names_only, bind, new_app, serve, stop, url_of
from nodes.node import Node, run_async

TICK_MS = 100
DEPTH_MAX = 5_000
RENDERED_MAX = 64  # documents kept: a book has one for each depth that is asked for


class BookViews:
    """The JSON documents, rendered from the replicas; a book's bytes are rendered once per sequence and depth."""

    def __init__(
        self,
        subscriber: FeedSubscriber,
        instruments: Sequence[Instrument],
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._subscriber = subscriber
        self._clock = clock
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._rendered: dict[tuple[str, int], tuple[tuple[int, int], str]] = {}

    @property
    def is_live(self) -> bool:
        """Whether every replica is in step with the engine."""
        return self._subscriber.is_live(self._clock())

    def orderbook(self, symbol: str, depth: int) -> tuple[str, str]:
        """Return the best `depth` levels of each side of a book, order by order, best price first; and their ETag."""
        instrument = self._instrument(symbol)
        replica = self._subscriber.replicas[book_topic(symbol)]
        version = (replica.epoch, replica.sequence)
        rendered = self._rendered.get((symbol, depth))
        if rendered is None or rendered[0] != version:
            head = (
                f'"symbol": "{symbol}", "epoch": {replica.epoch}, "sequence": {replica.sequence}, '
                f'"timestamp": {replica.time_ns // NS_PER_MS}'
            )
            bids, asks = (_levels(instrument, replica.book, side, depth) for side in (Side.BUY, Side.SELL))
            if len(self._rendered) > RENDERED_MAX:
                self._rendered.clear()
            rendered = self._rendered[symbol, depth] = (version, f'{{"bids": {bids}, "asks": {asks}, {head}}}')
        epoch, sequence = version
        return rendered[1], f'"{epoch:x}-{sequence:x}-{depth:x}"'

    def trades(self, symbol: str, limit: int) -> str:
        """Return the last `limit` trades of `symbol`, oldest first."""
        instrument = self._instrument(symbol)
        replica = self._subscriber.replicas[trades_topic(symbol)]
        trades = [
            {
                "id": trade.trade_id,
                "price": instrument.ticks_to_price(trade.price_ticks),
                "quantity": instrument.lots_to_qty(trade.qty_lots),
                "taker_side": Side(trade.taker_side).name,
            }
            for trade in list(replica.trades)[-limit:]
        ]
        return dumps({"symbol": symbol, "sequence": replica.sequence, "trades": trades})

    def health(self) -> str:
        """Return, topic by topic, whether the replica is in step, and what it has seen."""
        replicas = self._subscriber.replicas.values()
        topics = {
            replica.topic.decode(): {
                "synchronised": replica.is_synchronised,
                "epoch": replica.epoch,
                "sequence": replica.sequence,
                "gaps": replica.gap_count,
            }
            for replica in replicas
        }
        return dumps({"status": "ok" if self.is_live else "stale", "topics": topics})

    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            raise NotFound(f"there is no symbol {symbol[:20]!r}; the symbols are {', '.join(self._instruments)}")
        if not self.is_live:
            raise ServiceUnavailable("the engine is silent: the book would be stale")
        return self._instruments[symbol]


def _levels(instrument: Instrument, book: BookReplica, side: Side, depth: int) -> str:
    """Return one side as JSON; made as text, for a book of 10,000 orders is asked for many times a second."""
    price_text, qty_text = text_of_steps(instrument.tick_size), text_of_steps(instrument.lot_size)
    levels = []
    for price_ticks, queue in book.orders(side, depth):
        orders = ", ".join(f'{{"id": {order_id}, "quantity": {qty_text(lots)}}}' for order_id, lots in queue.items())
        levels.append(f'{{"price": {price_text(price_ticks)}, "orders": [{orders}]}}')
    return f"[{', '.join(levels)}]"


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
        document, etag = views.orderbook(request.args.get("symbol", symbol), depth)
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return HTTPResponse(status=304, headers=headers)
        return HTTPResponse(document, headers=headers, content_type="application/json")

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
    subscriber = FeedSubscriber(node.wiring, topics)
    node.watch(*subscriber.sockets)
    views = BookViews(subscriber, settings.instruments)
    app = new_app("tickbus_api")
    allow_loopback_names_only(app, settings.api.host)
    _add_routes(app, views, settings.symbol)
    server = await serve(app, listener)

    async def follow_feed() -> None:
        while True:
            subscriber.receive(monotonic_ns())
            subscriber.tick(monotonic_ns())
            if views.is_live:
                node.ready(http=url_of(listener))
            replica = subscriber.replicas[book_topic(settings.symbol)]
            node.show(live=views.is_live, sequence=replica.sequence, gaps=replica.gap_count, orders=len(replica.book))
            await wait_readable(subscriber.sockets, TICK_MS)

    try:
        await run_async(node, follow_feed)
    finally:
        await stop(server)
        subscriber.close()


def run(node: Node) -> None:
    """Run the api's node until it is told to stop."""
    asyncio.run(_serve(node))
