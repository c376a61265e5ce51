"""The gateway's node: TCP clients on one side, the order link to the engine on the other, sessions in between.

A client's order ids are its own; the desk's are arithmetic from them. What clients send becomes frames of commands,
what the engine reports becomes each client's own numbered stream, and neither makes an object for an order. A session
with a name outlives its connection and this process: reports are in its journal before the engine is told that we have
them. No client is listened to before all of the past is in.
"""

from functools import partial

from bus.engine_client import LinkEnd
from bus.order_link import Connected, RawReports
from bus.poll_loop import PollLoop
from bus.topology import Source
from desk.kinds import GATEWAY_NAMES
from desk.run_dir import NodeError
from engine.wire.refusals import MalformedBytesError
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.limits import TCP_SESSIONS_MAX
from nodes.gateway.clients import GatewayClients
from nodes.gateway.kept_sessions import KeptSessions
from nodes.gateway.limits import session_limits
from nodes.gateway.links import EngineLink, EngineLinks
from nodes.gateway.references import GatewayReferences
from nodes.node import Node
from sessions.session_store import Position, SessionStore
from sessions.session_table import SessionTable

TICK_MS = 100
LEAVE_NS = NS_PER_SECOND // 2
LEAVE_WAIT_MS = 10
SOURCES = {name: Source[name.upper()] for name in GATEWAY_NAMES}


class GatewayNode:
    """The links to the engines around the sessions, and the clients."""

    def __init__(self, node: Node) -> None:
        self._node = node
        settings = node.settings.gateway
        self._loop: PollLoop = node.poll_loop(is_awake=True)
        limits = session_limits(settings, node.settings.symbols)
        source = SOURCES[node.name]
        self._table = SessionTable(limits, node.settings.engine.orders_max, source, settings.kept_bytes)
        self._table.warm()
        store = SessionStore(node.settings.run_dir / node.name, source, settings.journal_bytes)
        self._kept = KeptSessions(self._table, store, settings.kept_bytes)
        self._links = EngineLinks([self._link(source, engine) for engine in node.settings.engines])
        self._references = GatewayReferences(node, self._table)
        node.watch(*(link.source.socket for link in self._links), *self._references.sockets)
        self._clients = GatewayClients(node, self._loop, self._table, self._kept, self._links)
        self._is_listening = False

    def _link(self, source: Source, engine: str) -> EngineLink:
        owed = {number for number in range(TCP_SESSIONS_MAX) if not self._kept.outlives_connections(number)}
        link = LinkEnd.over(self._node.wiring, source, engine, resume=self._kept.position_of(engine))
        return EngineLink(engine, link, self._node.settings.symbol_ids_of(engine), owed)

    def run(self) -> None:
        """Serve until stopped."""
        for link in self._links:
            self._loop.on_readable(link.source.socket, partial(self._on_engine, link, is_told=True))
        self._loop.every(TICK_MS, self._on_tick)
        self._loop.run()
        self._leave()

    def _leave(self) -> None:
        """Hang up on every client, and stay until what that cancels is reported, kept and acknowledged."""
        self._is_listening = True  # or will not any more
        self._clients.hang_up()
        deadline_ns = monotonic_ns() + LEAVE_NS
        while any(link.has_work for link in self._links) and monotonic_ns() < deadline_ns:
            for link in self._links:
                link.source.tick(monotonic_ns())
                link.source.socket.wait(LEAVE_WAIT_MS)
                self._on_engine(link)
        for link in self._links:
            link.source.tick(monotonic_ns())

    def close(self) -> None:
        """Hang up on every client, cancel what ends with its connection, and give the cancels time to leave."""
        self._clients.close()
        for link in self._links:
            link.source.close()
        self._references.close()
        self._kept.close()

    def _on_engine(self, link: EngineLink, *, is_told: bool = False) -> None:
        try:
            for news in link.source.receive_raw(is_told=is_told):
                if isinstance(news, Connected):
                    self._on_connected(link, news)
                else:
                    self._on_reports(link, news)
        except MalformedBytesError as error:
            raise NodeError(f"the engine speaks another language: {error}") from None
        self._clients.watch_engines()

    def _on_connected(self, link: EngineLink, news: Connected) -> None:
        if news.is_new_epoch:
            position = Position(news.epoch, news.report_sequence)
            self._clients.serve(self._kept.begin_epoch(link.engine, position, time_ns(), link.symbol_ids))
            # What the engine may still hold of ours is from before; nobody knows it any more.
            link.cancels_owed.update(range(TCP_SESSIONS_MAX))
        self._clients.cancel_owed(link)
        if not link.is_ready:
            link.ready_at = link.source.sent

    def _on_reports(self, link: EngineLink, news: RawReports) -> None:
        if news.size:
            position = Position(news.epoch, news.report_sequence)
            touched = self._kept.take(link.engine, position, news.first_sequence, news.size, news.skip, news.payload)
            self._clients.serve(touched)
        for number in [number for number, last in link.leaving.items() if last <= news.command_sequence]:
            del link.leaving[number]
            if not self._links.is_owed(number):
                self._table.release(self._table.sessions[number])
        link.is_ready = link.is_ready or (link.ready_at is not None and news.command_sequence >= link.ready_at)
        self._listen_when_ready()

    def _listen_when_ready(self) -> None:
        if self._is_listening or not (self._references.are_known and all(link.is_ready for link in self._links)):
            return
        self._is_listening = True
        self._node.ready(tcp=self._clients.listen())

    def _on_tick(self) -> None:
        for link in self._links:
            self._on_engine(link)  # what came while we stood still is no silence of the engine
        now_ns = monotonic_ns()
        self._references.follow(now_ns)
        self._listen_when_ready()
        for link in self._links:
            link.source.tick(now_ns)
            self._clients.cancel_owed(link)
        self._clients.beat(now_ns)
        named_count = sum(bool(session.name) for session in self._table.sessions.values())
        open_count = sum(map(self._table.open_count, self._table.sessions.values()))
        clients = len(self._clients)
        self._node.show(clients=clients, sessions=named_count, open_orders=open_count, **self._clients.counts)


def run(node: Node) -> None:
    """Run the gateway's node until it is told to stop."""
    gateway = GatewayNode(node)
    try:
        gateway.run()
    finally:
        gateway.close()
