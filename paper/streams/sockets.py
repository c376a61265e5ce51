"""The WebSocket side of the exchange: connections with pings, bounded queues, and an end for clients that lag."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol
from urllib.parse import unquote

from sanic import Sanic
from sanic.request import Request

from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.http_names import FirstTimes
from paper.access.usage import Usage
from paper.errors import ExchangeError
from paper.http_bounds import ERROR_FORMAT
from paper.latency import Latency, Line
from paper.streams.channels import FAST_MS
from paper.streams.client import StreamClient
from paper.streams.hub import StreamHub, write_json
from paper.streams.outbox import Outbox
from paper.time_units import TIME_UNIT_PARAMETER, text_in_microseconds, wants_microseconds

App = Sanic[Any, Any]
Socket = Any  # Sanic's connection; its own types are not strict

MESSAGES_A_SECOND_MAX: Final = 5  # of one client to the market streams
TOO_MANY_CONNECTIONS: Final = "Too many connection attempts from IP"

_CONNECTION_S_MAX: Final = 86_400
_POLICY_VIOLATION: Final = 1008
_GOING_AWAY: Final = 1001
_REASON_CHARACTERS_MAX: Final = 120  # a close frame holds 123 bytes

_unknown_names = FirstTimes()
_log = logging.getLogger(__name__)


class Client(Protocol):
    """Whoever is at the other end of a connection."""

    def tell_shutdown(self, event: str) -> None:
        """Tell an event, as JSON, that belongs to none of its streams."""


class Connections:
    """The open WebSocket connections: of market streams, and of the WebSocket API, which tells of accounts.

    Attributes:
        clients: who is at them.
    """

    def __init__(self) -> None:
        self.of_market: set[Socket] = set()
        self.of_accounts: set[Socket] = set()
        self.clients: set[Client] = set()

    def announce_shutdown(self, now_ms: int) -> None:
        """Tell everybody that the exchange is about to go, so that they connect anew in time."""
        event = write_json({"e": "serverShutdown", "E": now_ms})
        for client in self.clients:
            client.tell_shutdown(event)

    def end(self, streams: str, why: str) -> int:
        """End those of "market", of "account" or "all", with a close frame that says why; return how many."""
        sockets = self._of(streams)
        for socket in sockets:
            socket.end_connection(_GOING_AWAY, why)
        return len(sockets)

    def cut(self, streams: str) -> int:
        """End those of "market", of "account" or "all" without a word; return how many."""
        sockets = self._of(streams)
        for socket in sockets:
            socket.io_proto.transport.abort()
        return len(sockets)

    def _of(self, streams: str) -> list[Socket]:
        market = self.of_market if streams != "account" else set()
        accounts = self.of_accounts if streams != "market" else set()
        return [*market, *accounts]


class Pace:
    """What a client sends to the market streams: at most MESSAGES_A_SECOND_MAX in any second."""

    def __init__(self) -> None:
        self._sent_ns: deque[int] = deque(maxlen=MESSAGES_A_SECOND_MAX)

    def allows(self, now_ns: int) -> bool:
        """Take note of a message; return whether it may be sent."""
        is_slow = len(self._sent_ns) < MESSAGES_A_SECOND_MAX or now_ns - self._sent_ns[0] >= NS_PER_SECOND
        self._sent_ns.append(now_ns)
        return is_slow


class MarketSockets:
    """The clients of the market streams; the hub ticks from the first one on.

    Args:
        clock: ns since 1970 UTC.
        on_bug: called when a tick fails in a way that it should not; the next one comes all the same.
        usage: whose limits bind the clients.
    """

    def __init__(
        self,
        hub: StreamHub,
        connections: Connections,
        clock: Callable[[], int],
        on_bug: Callable[[Exception], None],
        latency: Latency,
        usage: Usage,
    ) -> None:
        self._hub = hub
        self._latency = latency
        self._usage = usage
        self._connections = connections
        self._clock = clock
        self._on_bug = on_bug
        self._ticking: asyncio.Task[None] | None = None

    def add_to(self, app: App) -> None:
        """Serve the streams on `app`."""
        for path, handler in (("/ws", self._serve), ("/stream", self._serve_combined)):
            name = f"streams_{path[1:]}"
            app.add_websocket_route(handler, path, name=name, error_format=ERROR_FORMAT)
            app.add_websocket_route(handler, f"{path}/<names:path>", name=f"{name}_named", error_format=ERROR_FORMAT)

    async def _serve_combined(self, request: Request, socket: Socket, names: str = "") -> None:
        await self._serve(request, socket, request.args.get("streams", names), is_combined=True)

    async def _serve(self, request: Request, socket: Socket, names: str = "", *, is_combined: bool = False) -> None:
        if self._ticking is None:  # the first client comes when the loop runs, which the app's making does not promise
            self._ticking = asyncio.create_task(self._tick())
        if not self._usage.charge_connection(request.ip, self._clock() // NS_PER_SECOND):
            await close_for_policy(socket, TOO_MANY_CONNECTIONS)
            return
        line = self._latency.line(is_signed=False)
        async with connection(request, socket, self._connections.of_market, line) as outbox:
            client = StreamClient(self._hub, outbox, is_combined=is_combined, on_unknown=_warn_of_unknown)
            self._connections.clients.add(client)
            try:
                if not client.subscribe(_named(names)):
                    await close_for_policy(socket, "too many streams")
                    return
                pace = Pace()
                while True:
                    text = await socket.recv()
                    if not pace.allows(monotonic_ns()) and self._usage.is_limiting:
                        await close_for_policy(socket, "Too many requests")
                        return
                    client.on_text(text)
            finally:
                self._connections.clients.discard(client)
                client.leave()

    async def _tick(self) -> None:
        """Tick whenever a multiple of FAST_MS is reached: pauses of that length would each be a little longer."""
        period_ns, now_ns = FAST_MS * NS_PER_MS, self._clock()
        while True:
            due_ns = (now_ns // period_ns + 1) * period_ns
            while now_ns < due_ns <= now_ns + period_ns:  # the clock may be set meanwhile
                await asyncio.sleep((due_ns - now_ns) / NS_PER_SECOND)
                now_ns = self._clock()
            try:
                self._hub.tick(self._clock() // NS_PER_MS)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and other streams go on
                self._on_bug(error)


async def close_for_policy(socket: Socket, reason: str) -> None:
    """Close a connection that we refuse to serve."""
    await socket.close(_POLICY_VIOLATION, reason[:_REASON_CHARACTERS_MAX])


@asynccontextmanager
async def connection(
    request: Request, socket: Socket, connections: set[Socket], line: Line | None
) -> AsyncIterator[Outbox]:
    """Write what is put into the outbox to a client, for a day at most; a client that is too slow is dropped.

    A unit of time that there is not, in the request, makes it end at once.

    While it is open, the socket is in `connections`; what is written travels over `line` first.
    """

    def drop() -> None:
        _log.warning("a client of %s reads too slowly and is dropped", socket.io_proto.websocket_peer)
        socket.fail_connection(_POLICY_VIOLATION, "too slow")

    async def write() -> None:
        while True:
            await socket.send(await outbox.take())

    try:
        is_in_us = wants_microseconds(request.args.get(TIME_UNIT_PARAMETER, ""))
    except ExchangeError as error:
        is_in_us = False
        socket.fail_connection(_POLICY_VIOLATION, error.message[:_REASON_CHARACTERS_MAX])
    outbox = Outbox(drop, line, spell=text_in_microseconds if is_in_us else str)
    writer = asyncio.create_task(write())
    connections.add(socket)
    ending = asyncio.get_running_loop().call_later(_CONNECTION_S_MAX, socket.end_connection, _GOING_AWAY, "a day")
    try:
        yield outbox
    finally:
        connections.discard(socket)
        ending.cancel()
        writer.cancel()


def _named(names: str) -> list[str]:
    """Return the streams that a path or a query names; a bare number, as ccxt sends it, names none."""
    return [name for name in unquote(names).split("/") if name and not name.isdecimal()]


def _warn_of_unknown(name: str) -> None:
    if _unknown_names.is_first(name[:80]):
        _log.warning("a client listens to %r, which is no stream of this exchange: it will hear nothing", name[:80])
