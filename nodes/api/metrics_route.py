"""Where `/metrics` is served; what makes it is imported when somebody asks for the first time."""

import asyncio
from importlib import import_module
from typing import Final

from sanic.request import Request
from sanic.response import HTTPResponse

from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from market.clock import NS_PER_SECOND, monotonic_ns
from nodes.api.live_line import LiveLine
from nodes.http import HttpApp
from paper.http_bounds import ERROR_FORMAT

OLD_NS: Final = 5 * NS_PER_SECOND  # a status of before tells nothing of now


def add_metrics(app: HttpApp, line: LiveLine, subscriber: FeedSubscriber) -> None:
    """Serve what `nodes.api.metrics` makes of the desk and of the book feeds."""

    async def metrics(_: Request) -> HTTPResponse:
        made_by = await asyncio.to_thread(import_module, "nodes.api.metrics")  # the feed is followed meanwhile
        feeds = {}
        for symbol, sources in line.sources().items():
            replica = subscriber.replicas[Topic.BOOK.of(symbol)]
            feeds[symbol] = made_by.FeedFigures(replica.sequence, replica.gap_count, len(replica.book), sources)
        desk = line.desk()
        if monotonic_ns() - desk.asked_ns > OLD_NS:
            desk = desk._replace(status=None)  # a supervisor that hangs: nobody knows how its nodes are
        text = made_by.metrics_text(desk, feeds, line.browser_count)
        return HTTPResponse(text, content_type=made_by.CONTENT_TYPE)

    app.add_route(metrics, "/metrics", methods=("GET", "HEAD"), error_format=ERROR_FORMAT)
