"""An exchange over HTTP and sockets that says what a test has it say, right or wrong."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from tests.venues.test_binance import MARKET

Message = dict[str, Any]

ORDER: Message = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "mine", "transactTime": 5, "price": "90000.00",
    "origQty": "0.01000", "executedQty": "0.00000", "cummulativeQuoteQty": "0.00", "status": "NEW", "side": "BUY",
    "type": "LIMIT_MAKER", "timeInForce": "GTC",
}  # fmt: skip


class ScriptedExchange:
    """One account's venue, in a thread of its own.

    Attributes:
        url: where it answers.
        snapshot: the answer to `depth`.
        snapshot_status: its status; of another one than 200 the answer is a refusal.
        on_call: what is answered on the WebSocket API to a call of a method; None is no answer.
        handshake: the status and headers with which a socket's handshake is refused, by its path; none: it is let in.
        told_on_subscribing: what the market's stream tells between the subscription's answer and a snapshot.
        endless: the paths over HTTP whose answers come byte by byte, for ever.
        asked: of HTTP, each path; of sockets, each handshake's path and each call's method.
    """

    def __init__(self) -> None:
        self.snapshot: Message = {"lastUpdateId": 100, "bids": [["89000.00", "0.5"]], "asks": [["93000.00", "0.5"]]}
        self.snapshot_status = 200
        self.on_call: dict[str, Callable[[Message], Message | None]] = {"order.place": lambda _: {"result": ORDER}}
        self.handshake: dict[str, tuple[int, dict[str, str]]] = {}
        self.told_on_subscribing: list[Message] = []
        self.endless: set[str] = set()
        self.asked: list[str] = []
        self._sockets: dict[str, set[web.WebSocketResponse]] = {"market": set(), "account": set()}
        self._begun, self._loop = threading.Event(), asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self.url = ""
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._begun.wait()

    def close(self) -> None:
        """Hang up."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    def tell(self, stream: str, *messages: Message | str) -> None:
        """Tell all who listen to `market` or `account`; a text goes out as it is."""

        async def send() -> None:
            for message in messages:
                for socket in list(self._sockets[stream]):
                    await socket.send_str(message if isinstance(message, str) else json.dumps(message))

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(5)

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/ws-api/v3", self._account)
        app.router.add_get("/ws/{number}", self._market)
        app.router.add_route("*", "/api/v3/{path:.*}", self._http)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        self._begun.set()
        await self._ended.wait()
        for sockets in self._sockets.values():
            for socket in list(sockets):
                await socket.close()
        await runner.cleanup()

    async def _http(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append(path)
        if path in self.endless:
            answer = web.StreamResponse()
            await answer.prepare(request)
            while not self._ended.is_set():
                await answer.write(b" ")
                await asyncio.sleep(0.05)
            return answer
        if path == "depth":
            if self.snapshot_status != 200:
                said = {"code": -1003, "msg": "Too much."}
                return web.json_response(said, status=self.snapshot_status, headers={"retry-after": "7"})
            return web.json_response(self.snapshot)
        documents: dict[str, Any] = {"exchangeInfo": {"symbols": [MARKET]}, "openOrders": [], "time": {"serverTime": 1}}
        return web.json_response(documents[path])

    async def _open(self, request: web.Request, stream: str) -> web.WebSocketResponse | web.Response:
        self.asked.append(request.path)
        if (refusal := self.handshake.get(stream)) is not None:
            return web.Response(status=refusal[0], headers=refusal[1])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets[stream].add(socket)
        return socket

    async def _market(self, request: web.Request) -> web.StreamResponse:
        socket = await self._open(request, "market")
        if isinstance(socket, web.Response):
            return socket
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                asked = json.loads(message.data)
                await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
                for each in self.told_on_subscribing:
                    await socket.send_str(json.dumps(each))
        self._sockets["market"].discard(socket)
        return socket

    async def _account(self, request: web.Request) -> web.StreamResponse:
        socket = await self._open(request, "account")
        if isinstance(socket, web.Response):
            return socket
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                asked = json.loads(message.data)
                self.asked.append(asked["method"])
                if asked["method"].startswith("userDataStream"):
                    answer: Message | None = {"result": {"subscriptionId": 0}}
                else:
                    answer = self.on_call[asked["method"]](asked)
                if answer is not None:
                    await socket.send_str(json.dumps({"id": asked["id"], "status": 200, **answer}))
        self._sockets["account"].discard(socket)
        return socket


def report(x: str, status: str, **more: Any) -> Message:
    """Return an `executionReport` of an order to buy, as the account's stream wraps it."""
    event = {
        "e": "executionReport", "E": 5, "s": "BTCUSDT", "c": "mine", "S": "BUY", "o": "LIMIT_MAKER", "f": "GTC",
        "q": "0.01000", "p": "90000.00", "P": "0.00", "F": "0.00", "g": -1, "C": "", "x": x, "X": status, "r": "NONE",
        "i": 7, "l": "0.00000", "z": "0.00000", "L": "0.00", "n": "0", "N": None, "T": 5, "t": -1, "w": True,
        "m": False, "O": 5, "Z": "0.00", "Y": "0.00", "Q": "0.00",
    }  # fmt: skip
    return {"subscriptionId": 0, "event": {**event, **more}}


def update(first: int, last: int, price: str = "89001.00") -> Message:
    """Return a `depthUpdate`: a bid more at a price."""
    return {"e": "depthUpdate", "E": 5, "s": "BTCUSDT", "U": first, "u": last, "b": [[price, "0.1"]], "a": []}
