"""The gateway's node: TCP clients on one side, the order links to the engines on the other, the core in between.

A client's order ids are its own; the desk's are arithmetic from them. A session with a name outlives its connection and
this process: reports are in its journal before the engine is told that we have them. No client is listened to before
all of the past is in.
"""

from functools import partial

from bus.engine_client import EngineClient, LinkEnd
from bus.feed import definition_of
from bus.order_link import Connected, RawReports
from bus.poll_loop import POLL_READ, PollLoop
from desk.run_dir import NodeError
from desk.warm import warm_table
from engine.wire.refusals import MalformedBytesError
from journal.format import JournalMode
from market.clock import NS_PER_SECOND, Now, monotonic_ns, now
from market.codec import encode_all
from market.http_names import in_url
from nodes.gateway.connection import ClientConnection
from nodes.gateway.limits import client_rules, session_limits
from nodes.gateway.references import GatewayReferences
from nodes.gateway.round_trips import RoundTrips
from nodes.latencies import Latencies
from nodes.listener import bind
from nodes.node import Node
from sessions.client import Client
from sessions.core import GatewayCore
from sessions.kept_sessions import KeptSessions
from sessions.report_record import ReportRecord
from sessions.session_store import Position, SessionStore
from sessions.session_table import SessionTable

TICK_MS = 100
LEAVE_NS = NS_PER_SECOND // 2
LEAVE_WAIT_MS = 10


class GatewayNode:
    """The sockets around the core."""

    def __init__(self, node: Node) -> None:
        self._node = node
        plan = node.plan.gateways[node.name]
        settings, source = plan.settings, plan.source
        self._loop: PollLoop = node.poll_loop(is_awake=True)
        limits, rules = session_limits(settings, node.settings.symbols), client_rules(settings)
        orders_max = max(engine.settings.orders_max for engine in node.plan.engines.values())
        table = SessionTable(limits, orders_max, source, settings.kept_bytes)
        warm_table(table, node.warming)
        mode = JournalMode.SYNC if node.plan.is_synced else JournalMode.WRITE
        self._store = SessionStore(plan.folder, settings.journal_bytes, mode)
        kept = KeptSessions(table, self._store, now())
        self._links = EngineClient.over(node.wiring, source, node.plan.symbol_ids, self._store.positions)
        self._references = GatewayReferences(node, table)
        node.watch(*self._links.sockets, *self._references.sockets)
        greeting = encode_all(map(definition_of, node.settings.instruments))
        self._core = GatewayCore(table, kept, tuple(self._links), rules, greeting, node.log)
        self._connections: dict[Client, ClientConnection] = {}
        self._listener = bind(settings.host, settings.port)
        self._listener.setblocking(False)
        self._is_listening = False
        self._to_engine = Latencies()
        self._round_trips = {link.engine: RoundTrips(self._to_engine) for link in self._links}

    def run(self) -> None:
        """Serve until stopped."""
        for link in self._links:
            self._loop.on_readable(link.socket, partial(self._on_engine, link, is_told=True))
        self._loop.every(TICK_MS, self._on_tick)
        self._loop.run()
        self._leave()

    def _leave(self) -> None:
        """Hang up on every client, and stay until what that cancels is reported, kept and acknowledged."""
        self._is_listening = True  # or will not any more
        self._hang_up_all()
        deadline_ns = monotonic_ns() + LEAVE_NS
        while any(link.is_connected and link.in_flight for link in self._links) and monotonic_ns() < deadline_ns:
            for link in self._links:
                link.tick(monotonic_ns())
                link.socket.wait(LEAVE_WAIT_MS)
                self._on_engine(link)
        self._links.tick(monotonic_ns())

    def close(self) -> None:
        """Hang up on every client, cancel what ends with its connection, and give the cancels time to leave."""
        self._hang_up_all()
        self._listener.close()
        self._links.close()
        self._references.close()
        self._store.close()

    def _hang_up_all(self) -> None:
        moment = now()
        self._core.hang_up_all(moment)
        self._look_after_changed(moment)

    # --- clients

    def _on_connection(self) -> None:
        try:
            accepted, (host, port, *_) = self._listener.accept()
        except OSError:
            return  # it was gone before we looked
        moment = now()
        client = self._core.connect(host, port, moment)
        self._connections[client] = ClientConnection(self._loop, accepted, client, self._on_client)
        self._look_after_changed(moment)

    def _on_client(self, connection: ClientConnection) -> None:
        moment = now()
        self._core.receive(connection.client, connection.receive_into, moment)
        self._look_after_changed(moment)

    def _look_after_changed(self, moment: Now) -> None:
        """Send what the sockets take, and wait for what comes next, or let them go."""
        for link in self._links:
            self._round_trips[link.engine].sent(link.sent, moment.monotonic_ns)
        while self._core.changed:
            client, _ = self._core.changed.popitem()
            if (connection := self._connections.get(client)) is None:
                continue  # it was let go when it was last looked after
            try:
                connection.flush(moment)
            except OSError as error:
                self._core.hang_up(client, error.strerror or "lost", moment)
            if client.is_open:
                is_read, is_written = self._core.interest(client, moment)
                connection.watch(is_read=is_read, is_written=is_written)
            else:
                del self._connections[client]
                connection.close()

    # --- engines

    def _on_engine(self, link: LinkEnd, *, is_told: bool = False) -> None:
        try:
            for news in link.receive_raw(is_told=is_told):
                moment = now()
                self._take_news(link, news, moment)
                self._look_after_changed(moment)
        except MalformedBytesError as error:
            raise NodeError(f"the engine speaks another language: {error}") from None

    def _take_news(self, link: LinkEnd, news: Connected | RawReports, moment: Now) -> None:
        if isinstance(news, Connected):
            new_epoch = Position(news.epoch, news.report_sequence) if news.is_new_epoch else None
            self._round_trips[link.engine].begin(link.sent)
            self._core.engine_connected(link.engine, new_epoch, moment)
            return
        numbers = (news.epoch, news.first_sequence, news.size, news.skip)
        self._core.take_reports(ReportRecord(link.engine.encode(), *numbers, news.payload), moment)
        self._round_trips[link.engine].acknowledged(link.acknowledged, moment.monotonic_ns)
        self._listen_when_ready()

    def _listen_when_ready(self) -> None:
        if self._is_listening or not (self._references.are_known and self._core.is_ready):
            return
        self._is_listening = True
        self._loop.watch(self._listener, self._on_connection, POLL_READ)
        host, port, *_ = self._listener.getsockname()
        self._node.ready(tcp=f"{in_url(host)}:{port}")

    def _on_tick(self) -> None:
        for link in self._links:
            self._on_engine(link)  # what came while we stood still is no silence of the engine
        moment = now()
        self._references.follow(moment.monotonic_ns)
        self._listen_when_ready()
        self._links.tick(moment.monotonic_ns)
        self._core.tick(moment, lambda client: self._connections[client].has_input())
        self._look_after_changed(moment)
        self._node.show(
            **self._core.figures(),
            in_flight=sum(link.in_flight for link in self._links),
            latencies={"gateway": self._to_engine.figure()},
        )


def run(node: Node) -> None:
    """Run the gateway's node until it is told to stop."""
    gateway = GatewayNode(node)
    try:
        gateway.run()
    finally:
        gateway.close()
