"""The order book served the naive way: `python -m benchmarks.orderbook_naive RUN_DIR PORT` or `... PORT empty`.

`/api/orderbook` follows the same feed as the api's node, but renders every order for every request. `/empty` answers
with two bytes: what Sanic itself costs; with `empty` nothing else is done.
"""

import asyncio
import sys
from pathlib import Path

import uvloop
from sanic.request import Request
from sanic.response import HTTPResponse

from bus.async_waiter import AsyncWaiter
from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from bus.wiring import Wiring
from desk.settings import Settings
from market.clock import monotonic_ns
from market.codes import Side
from market.exact_json import dumps
from nodes.http import new_app, serving
from nodes.listener import bind


async def run(run_dir: Path, port: int, is_empty: bool) -> None:
    """Serve until killed."""
    instrument = Settings().instruments[0]
    topic = Topic.BOOK.of(instrument.symbol)
    wiring = Wiring(run_dir, engine_of={instrument.symbol: "engine"})
    subscriber = FeedSubscriber(wiring, [] if is_empty else [topic])
    app = new_app("tickbus_naive")

    async def empty(_: Request) -> HTTPResponse:
        return HTTPResponse(b"{}", content_type="application/json")

    async def orderbook(_: Request) -> HTTPResponse:
        replica = subscriber.replicas[topic]
        document = {
            name: [
                {
                    "price": instrument.ticks_to_price(price),
                    "orders": [
                        {"id": order, "quantity": instrument.lots_to_qty(lots)} for order, lots in queue.items()
                    ],
                }
                for price, queue in replica.book.orders(side, 5_000)
            ]
            for name, side in (("bids", Side.BUY), ("asks", Side.SELL))
        }
        return HTTPResponse(dumps(document | {"sequence": replica.sequence}), content_type="application/json")

    app.add_route(empty, "/empty")
    app.add_route(orderbook, "/api/orderbook")
    async with serving(app, bind("127.0.0.1", port)):
        with AsyncWaiter(subscriber.sockets) as waiter:
            while True:
                subscriber.receive(monotonic_ns())
                subscriber.tick(monotonic_ns())
                if is_empty:
                    await asyncio.sleep(1)
                else:
                    await waiter.wait(100)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(Path(sys.argv[1]), int(sys.argv[2]), len(sys.argv) > 3))
