"""The gateway's node: TCP clients on one side, the order link to the engine on the other, sessions in between.

A client's order ids are its own; the desk's are arithmetic from them. What clients send becomes frames of commands,
what the engine reports becomes each client's own numbered stream, and neither makes an object for an order. A session
with a name outlives its connection and this process: reports are in its journal before the engine is told that we have
them. No client is listened to before all of the past is in.
"""

import contextlib
import re
import socket
from collections.abc import Collection, Sequence
from functools import partial

from bus.codec import MalformedMessageError, decode_first, encode, encode_all
from bus.feed import definition_of
from bus.order_link import Connected, RawReports
from bus.order_source import OrderSource
from bus.poll_loop import POLL_READ, PollLoop
from bus.topology import Source
from engine.journal_format import JournalError
from engine.rows import Int64Array
from engine.wire_decoding import Ending
from engine.wire_refusals import MalformedBytesError
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.codes import RejectReason, Tag
from market.commands import MassCancel
from market.events import Rejected
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from nodes.gateway_client import ClientConnection, SlowReaderError
from nodes.gateway_limits import session_limits
from nodes.gateway_links import EngineLink, EngineLinks
from nodes.gateway_references import GatewayReferences
from nodes.gateway_sessions import KeptSessions
from nodes.node import Node, NodeError
from nodes.roster import GATEWAY_NAMES
from sessions.admission import GOES_ON, LOGS_OUT_FOR_GOOD
from sessions.session_desk import NoSessionLeftError, Session, SessionDesk
from sessions.session_state import SessionLimits
from sessions.session_store import Position, SessionStore
from sessions.tokens import TokensError, is_token_right, load_tokens

TICK_MS = 100
LEAVE_NS = NS_PER_SECOND // 2
LEAVE_WAIT_MS = 10
RESENDS_PER_TURN = 64  # each may have to be looked up
HEARTBEATS_PER_IDLE = 3
SOURCES = {name: Source[name.upper()] for name in GATEWAY_NAMES}
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class GatewayNode:
    """The sockets of the gateway around its sessions."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._settings = node.settings.gateway
        self._loop: PollLoop = node.poll_loop(is_awake=True)
        limits = session_limits(self._settings, node.settings.instruments)
        source = SOURCES[node.name]
        self._desk = SessionDesk(limits, node.settings.engine.orders_max, source, self._settings.kept_bytes)
        self._desk.warm()
        self._tokens = load_tokens(self._settings.tokens_file) if self._settings.tokens_file else None
        store = SessionStore(node.settings.run_dir / node.name, source, self._settings.journal_bytes)
        self._kept = KeptSessions(self._desk, store, self._settings.kept_bytes)
        self._links = EngineLinks([self._link(source, engine) for engine in node.settings.engines])
        self._references = GatewayReferences(node, self._desk)
        node.watch(*(link.source.socket for link in self._links), *self._references.sockets)
        self._connections: set[ClientConnection] = set()
        self._is_listening = False
        self._is_engine_behind = False
        self._counts = {"orders": 0, "rejected": 0, "malformed": 0}
        self._listener = self._listen()

    def _link(self, source: Source, engine: str) -> EngineLink:
        owed = {number for number in range(TCP_SESSIONS_MAX) if not self._kept.outlives_connections(number)}
        link = OrderSource(source, self._node.wiring, self._kept.position_of(engine), engine)
        return EngineLink(engine, link, self._node.settings.symbol_ids_of(engine), owed)

    def _listen(self) -> socket.socket:
        host, ports, index = self._settings.host, self._settings.ports, GATEWAY_NAMES.index(self._node.name)
        if index >= len(ports):
            raise NodeError(
                f"{self._node.name} has no port: gateway.more_ports must have {index}, were {len(ports) - 1}"
            )
        port = ports[index]
        try:
            listener = socket.create_server((host, port), backlog=64)
        except OSError as error:
            why = str(error.strerror).partition(" (while")[0]  # the library says the address again
            raise NodeError(f"cannot listen on {host}:{port}: {why}") from None
        listener.setblocking(False)
        return listener

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
        self._hang_up_on_all()
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
        self._hang_up_on_all()
        self._listener.close()
        for link in self._links:
            link.source.close()
        self._references.close()
        self._kept.close()

    def _hang_up_on_all(self) -> None:
        for connection in list(self._connections):
            self._hang_up(connection, "the gateway stops", encode(Logout(RejectReason.GATEWAY_STOPS)))

    # --- clients

    def _on_connection(self) -> None:
        try:
            accepted, (host, port, *_) = self._listener.accept()
        except OSError:
            return  # it was gone before we looked
        if len(self._connections) >= TCP_SESSIONS_MAX:
            accepted.close()
            self._node.log.warning("too many clients", most=TCP_SESSIONS_MAX)
            return
        connection = ClientConnection(self._loop, accepted, f"{host}:{port}", monotonic_ns())
        self._connections.add(connection)
        connection.say(encode_all([definition_of(instrument) for instrument in self._node.settings.instruments]))
        self._serve(connection)

    def _on_client(self, connection: ClientConnection) -> None:
        if self._may_read(connection):
            decoder = self._desk.decoder
            try:
                size = connection.receive_into(decoder.space(connection.rest))
            except OSError as error:
                self._hang_up(connection, error.strerror or "lost")
                return
            if size == 0:
                self._hang_up(connection, "the client hung up")
                return
            if size is not None:
                decoder.received(size)
                self._take_piece(connection)
                if connection.session is not None:  # a part of a first message is nothing yet
                    connection.heard_ns = monotonic_ns()
        self._serve(connection)

    def _may_read(self, connection: ClientConnection) -> bool:
        """Return whether its commands can go on; else they wait in its socket."""
        has_resends = connection.session is not None and bool(connection.session.resends)
        is_behind = connection.unread_bytes > self._settings.unread_bytes
        return not (self._is_engine_behind or has_resends or is_behind)

    def _serve(self, connection: ClientConnection) -> None:
        """Answer what came again, send what the socket takes, and wait for what comes next."""
        if not connection.is_open:
            return
        if connection.session is not None and connection.session.resends:
            self._answer_resends(connection, connection.session)
        try:
            connection.flush(monotonic_ns())
        except SlowReaderError:
            self._hang_up(connection, "the client does not read its reports")  # nor would it read why
            return
        except OSError as error:
            self._hang_up(connection, error.strerror or "lost")
            return
        has_answers = connection.session is not None and self._desk.has_stored_replies(connection.session)
        is_reading = self._may_read(connection)
        if is_reading and not connection.is_reading:
            connection.heard_ns = monotonic_ns()  # what it said meanwhile waits in its socket
        connection.watch(lambda: self._on_client(connection), is_reading=is_reading, is_writing=has_answers)

    def _take_piece(self, connection: ClientConnection) -> None:
        """Take the messages that the decoder holds. Logon has text: the plain codec reads it, and rows follow it."""
        while connection.is_open:
            try:
                self._take_rows(connection)
            except MalformedBytesError as error:
                if not self._take_logon(connection, error):
                    return
            else:
                connection.rest = self._desk.decoder.rest
                return

    def _take_rows(self, connection: ClientConnection) -> None:
        """Give the commands among the next rows to the engine.

        Raises:
            MalformedBytesError: before something that no row can hold.
        """
        while connection.is_open and len(rows := self._desk.decoder.next_rows()):
            session = connection.session or self._begin_anonymous(connection)
            if session is None:
                return
            for links, part in self._links.parts(rows):
                if not connection.is_open:
                    return
                if part is not rows:
                    self._desk.decoder.rows[: len(part)] = part
                self._give(connection, session, links, part)

    def _give(
        self, connection: ClientConnection, session: Session, links: Sequence[EngineLink], rows: Int64Array
    ) -> None:
        """Give the commands among rows of one engine, or of all, to that engine or to all."""
        is_here = all(link.is_connected for link in links)
        admitted = self._desk.admit(session, rows, time_ns(), monotonic_ns(), is_engine_here=is_here)
        if admitted.command_count:
            for link in links:
                link.source.send_encoded(admitted.commands, admitted.command_count)
            self._watch_engines()
        if admitted.refused_count:
            connection.say(admitted.refusals)
        self._counts["orders"] += admitted.order_count
        self._counts["rejected"] += admitted.refused_count
        if admitted.ending != GOES_ON:
            self._log_out(connection, session, is_final=admitted.ending == LOGS_OUT_FOR_GOOD)

    def _take_logon(self, connection: ClientConnection, error: MalformedBytesError) -> bool:
        """Take the Logon that stopped the rows, if it is one; return whether the piece goes on behind it."""
        rest = self._desk.decoder.rest
        try:
            first = decode_first(rest) if error.ending == Ending.UNKNOWN_TAG else (None, 0)
        except MalformedMessageError as why:
            self._on_malformed(connection, str(why))
            return False
        if first is None:
            connection.rest = rest
            return False
        message, size = first
        if not isinstance(message, Logon):
            self._on_malformed(connection, str(error))
            return False
        self._on_logon(connection, message)
        self._desk.decoder.load(b"", rest[size:])
        return True

    def _answer_resends(self, connection: ClientConnection, session: Session) -> None:
        for order_id, symbol_id, reply in self._desk.stored_replies(session, RESENDS_PER_TURN):
            if reply is None:
                used = Rejected(0, time_ns(), symbol_id, order_id, 0, Tag.NEW_ORDER, RejectReason.DUPLICATE_ORDER_ID)
                connection.say(encode(used))
            elif connection.has_been_sent(reply.sequence):
                connection.say(encode(reply))
            # else it comes in its place: before the reports that precede it the client would take it for a gap

    def _on_malformed(self, connection: ClientConnection, why: str) -> None:
        self._counts["malformed"] += 1
        self._refuse(connection, RejectReason.MALFORMED, why, command=0)

    def _refuse(self, connection: ClientConnection, reason: RejectReason, why: str, command: int = Tag.LOGON) -> None:
        self._hang_up(connection, why, encode(Rejected(0, time_ns(), -1, 0, 0, command, reason)))

    # --- sessions

    def _begin_anonymous(self, connection: ClientConnection) -> Session | None:
        try:
            session = self._kept.begin_anonymous()
        except NoSessionLeftError as error:
            self._refuse(connection, RejectReason.NO_SESSION_LEFT, str(error), command=0)
            return None
        connection.attach(session, 0)
        return session

    def _on_logon(self, connection: ClientConnection, logon: Logon) -> None:
        reason = self._logon_refusal(connection, logon)
        if reason is not None:
            self._counts["rejected"] += 1
            self._refuse(connection, reason, f"a Logon was refused: {reason.name}")
            return
        known = self._desk.by_name(logon.client_id)
        if known is not None:
            for other in [one for one in self._connections if one.session is known]:
                self._hang_up(other, "the session goes on elsewhere", encode(Logout(RejectReason.REPLACED)))
        elif forgotten := self._kept.make_room(
            self._settings.forget_s, lambda one: self._connection_of(one) is not None
        ):
            self._node.log.warning("a session is forgotten", client=forgotten, most=TCP_SESSIONS_MAX)
        try:
            session = self._kept.log_on(logon.client_id, is_cancel_on_disconnect=bool(logon.is_cancel_on_disconnect))
        except NoSessionLeftError as error:
            self._refuse(connection, RejectReason.NO_SESSION_LEFT, str(error))
            return
        reports, last = session.reports, logon.last_sequence
        idle_ms = int(self._settings.idle_s * 1_000)
        used_id, open_count = self._desk.used_id(session), self._desk.open_count(session)
        head = LoggedOn(reports.last_sequence + 1, reports.first_sequence, used_id, open_count, idle_ms)
        connection.attach(session, reports.place_after(last))
        connection.say(encode(head))
        self._node.log.info("client logged on", peer=connection.peer, client=session.name, after=last)

    def _logon_refusal(self, connection: ClientConnection, logon: Logon) -> RejectReason | None:
        if connection.session is not None:
            return RejectReason.ALREADY_LOGGED_ON
        if not _CLIENT_ID.fullmatch(logon.client_id):
            return RejectReason.BAD_CLIENT_ID
        if not is_token_right(self._tokens, logon.client_id, logon.token):
            return RejectReason.BAD_TOKEN
        return None

    def _log_out(self, connection: ClientConnection, session: Session, *, is_final: bool) -> None:
        if is_final:
            self._kept.give_up(session)
        self._hang_up(connection, "the client logged out", encode(Logout()))

    def _hang_up(self, connection: ClientConnection, why: str, farewell: bytes = b"") -> None:
        if not connection.is_open:
            return
        with contextlib.suppress(SlowReaderError, OSError):
            connection.flush(monotonic_ns())  # else the reports that wait would follow the last word
            connection.say(farewell)
            connection.flush(monotonic_ns())
        connection.close()
        self._connections.discard(connection)
        session, connection.session = connection.session, None
        if session is not None:
            session.left_ns = monotonic_ns()
        open_orders = self._desk.open_count(session) if session else 0
        self._node.log.info("client gone", peer=connection.peer, why=why, open_orders=open_orders)
        if session is not None and (not session.name or session.is_cancel_on_disconnect):
            for link in self._links:
                link.cancels_owed.add(session.number)
                self._cancel_owed(link)

    def _cancel_owed(self, link: EngineLink) -> None:
        """Cancel what those have open whose connection is gone, as soon as the engine takes it."""
        if not link.cancels_owed or not link.is_connected:
            return
        now_ns, first = time_ns(), link.source.source.first_owner
        cancels = [MassCancel(owner=first + number, time_ns=now_ns) for number in sorted(link.cancels_owed)]
        done_with = link.source.send(cancels)
        for number in link.cancels_owed:
            session = self._desk.sessions.get(number)
            if session is not None and not session.name and self._connection_of(session) is None:
                link.leaving[number] = done_with
        link.cancels_owed.clear()

    def _connection_of(self, session: Session) -> ClientConnection | None:
        return next((one for one in self._connections if one.session is session), None)

    # --- engine

    def _on_engine(self, link: EngineLink, *, is_told: bool = False) -> None:
        try:
            for news in link.source.receive_raw(is_told=is_told):
                if isinstance(news, Connected):
                    self._on_connected(link, news)
                else:
                    self._on_reports(link, news)
        except MalformedBytesError as error:
            raise NodeError(f"the engine speaks another language: {error}") from None
        self._watch_engines()

    def _on_connected(self, link: EngineLink, news: Connected) -> None:
        if news.is_new_epoch:
            position = Position(news.epoch, news.report_sequence)
            self._serve_all(self._kept.begin_epoch(link.engine, position, time_ns(), link.symbol_ids))
            # What the engine may still hold of ours is from before; nobody knows it any more.
            link.cancels_owed.update(range(TCP_SESSIONS_MAX))
        self._cancel_owed(link)
        if not link.is_ready:
            link.ready_at = link.source.sent

    def _on_reports(self, link: EngineLink, news: RawReports) -> None:
        if news.size:
            position = Position(news.epoch, news.report_sequence)
            touched = self._kept.take(link.engine, position, news.first_sequence, news.size, news.skip, news.payload)
            self._serve_all(touched)
        for number in [number for number, last in link.leaving.items() if last <= news.command_sequence]:
            del link.leaving[number]
            if not self._links.is_owed(number):
                self._desk.release(self._desk.sessions[number])
        link.is_ready = link.is_ready or (link.ready_at is not None and news.command_sequence >= link.ready_at)
        self._listen_when_ready()

    def _serve_all(self, sessions: Collection[Session]) -> None:
        for connection in list(self._connections):
            if connection.session is not None and connection.session in sessions:
                self._serve(connection)

    def _listen_when_ready(self) -> None:
        if self._is_listening or not (self._references.are_known and all(link.is_ready for link in self._links)):
            return
        self._is_listening = True
        self._loop.watch(self._listener, self._on_connection, POLL_READ)
        host, port, *_ = self._listener.getsockname()
        self._node.ready(tcp=f"{host}:{port}")

    def _watch_engines(self) -> None:
        """Stop reading clients while an engine has too much to do, and go on when it has half of that."""
        was_behind = self._is_engine_behind
        self._is_engine_behind = any(link.is_behind(was_behind=was_behind) for link in self._links)
        if was_behind and not self._is_engine_behind:
            for connection in list(self._connections):
                self._serve(connection)

    def _on_tick(self) -> None:
        for link in self._links:
            self._on_engine(link)  # what came while we stood still is no silence of the engine
        now_ns = monotonic_ns()
        self._references.follow(now_ns)
        self._listen_when_ready()
        for link in self._links:
            link.source.tick(now_ns)
            self._cancel_owed(link)
        for connection in list(self._connections):
            self._beat(connection, now_ns)
        named_count = sum(bool(session.name) for session in self._desk.sessions.values())
        open_count = sum(map(self._desk.open_count, self._desk.sessions.values()))
        clients = len(self._connections)
        self._node.show(clients=clients, sessions=named_count, open_orders=open_count, **self._counts)

    def _beat(self, connection: ClientConnection, now_ns: int) -> None:
        """Send a heartbeat to a logged-on client that hears nothing, and hang up on one that says nothing.

        An anonymous one may be silent for as long as it likes, once it has said something.
        """
        session = connection.session
        if session is not None and not session.name:
            return
        idle_ns = int(self._settings.idle_s * NS_PER_SECOND)
        is_silent = now_ns - connection.heard_ns > idle_ns and self._may_read(connection)
        if is_silent and (session is None or not connection.has_input()):
            self._hang_up(connection, "nothing was heard of the client", encode(Logout(RejectReason.IDLE)))
        elif session is None:
            return
        elif now_ns - connection.sent_ns > idle_ns // HEARTBEATS_PER_IDLE and not connection.unread_bytes:
            connection.say(encode(Heartbeat(session.reports.last_sequence)))
            self._serve(connection)


def run(node: Node) -> None:
    """Run the gateway's node until it is told to stop."""
    try:
        gateway = GatewayNode(node)
        try:
            gateway.run()
        finally:
            gateway.close()
    except (JournalError, TokensError) as error:
        raise NodeError(str(error)) from None


def warm_kernels() -> None:
    """Compile the kernels into the cache that the next start uses."""
    SessionDesk(SessionLimits(), 1, Source.GATEWAY, 0).warm()
