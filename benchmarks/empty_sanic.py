"""A Sanic app whose handlers do nothing, the floor of any HTTP answer: `python -m benchmarks.empty_sanic PORT`.

It is served as the exchange is: uvloop, the house's limits, its protocol, and the look at the name of the host.
"""

import asyncio
import sys

import uvloop
from sanic import Request
from sanic.response import HTTPResponse, json

from nodes.http import allow_own_names_only, new_app, serving
from nodes.listener import bind

HOST = "127.0.0.1"
ANSWER = {"symbol": "BTCUSDT", "orderId": 1, "status": "NEW", "clientOrderId": "x" * 22, "fills": []}


async def answer(_: Request) -> HTTPResponse:
    """Answer with a constant."""
    return json(ANSWER)


async def run(port: int) -> None:
    """Serve until the process is ended."""
    app = new_app("empty")
    allow_own_names_only(app, HOST)
    app.add_route(answer, "/api/v3/order", ["POST", "DELETE"], name="order")
    async with serving(app, bind(HOST, port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(int(sys.argv[1])))
