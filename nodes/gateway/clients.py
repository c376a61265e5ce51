"""The gateway's TCP clients: who is let in, what they send and where it goes, and what each has still to read."""

import contextlib
import re
import socket
from collections.abc import Collection, Sequence

from bus.feed import definition_of
from bus.poll_loop import POLL_READ, PollLoop
from desk.kinds import GATEWAY_NAMES
from desk.run_dir import NodeError
from engine.rows.messages import Int64Array
from engine.wire.decoding import Ending
from engine.wire.refusals import MalformedBytesError
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.codec import MalformedMessageError, decode_first, encode, encode_all
from market.codes import RejectReason, Tag
from market.commands import MassCancel
from market.events import Rejected
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from nodes.gateway.connection import ClientConnection, SlowReaderError
from nodes.gateway.kept_sessions import KeptSessions, RoomRule
from nodes.gateway.links import EngineLink, EngineLinks
from nodes.node import Node
from sessions.admission import GOES_ON, LOGS_OUT_FOR_GOOD
from sessions.peers import Peers
from sessions.session_table import NoSessionLeftError, Session, SessionTable
from sessions.tokens import is_token_right, load_tokens

RESENDS_PER_TURN = 64  # each may have to be looked up
HEARTBEATS_PER_IDLE = 3
TURNED_AWAY_TOLD_NS = 10 * NS_PER_SECOND
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class GatewayClients:
    """The clients' connections, between the sessions and the links to the engines.

    Args:
        node: whose they are.
        loop: of the node.
        table: of the sessions.
        kept: the same sessions on disk.
        links: to the engines.

    Attributes:
        counts: of what clients sent, for `status`.

    Raises:
        NodeError: if the port cannot be had.
        TokensError: if the file of tokens cannot be used.
    """

    def __init__(self, node: Node, loop: PollLoop, table: SessionTable, kept: KeptSessions, links: EngineLinks) -> None:
        self._node = node
        self._settings = node.settings.gateway
        self._loop = loop
        self._table = table
        self._kept = kept
        self._links = links
        self._tokens = load_tokens(self._settings.tokens_file) if self._settings.tokens_file else None
        self._connections: set[ClientConnection] = set()
        self._peers = Peers(self._settings.address_sessions_max, self._settings.logons_per_s)
        self._tells_next_ns = 0
        self._is_engine_behind = False
        self.counts = {"orders": 0, "rejected": 0, "malformed": 0, "turned_away": 0}
        self._listener = self._listen()

    def listen(self) -> str:
        """Let clients in from now on; return where."""
        self._loop.watch(self._listener, self._on_connection, POLL_READ)
        host, port, *_ = self._listener.getsockname()
        return f"{host}:{port}"

    def __len__(self) -> int:
        return len(self._connections)

    def serve(self, sessions: Collection[Session]) -> None:
        """Send the clients of these sessions what is new."""
        for connection in list(self._connections):
            if connection.session is not None and connection.session in sessions:
                self._serve(connection)

    def beat(self, now_ns: int) -> None:
        """Send heartbeats, and hang up on those who say nothing; `now_ns` is monotonic."""
        for connection in list(self._connections):
            self._beat(connection, now_ns)

    def hang_up(self) -> None:
        """Hang up on every client, and cancel what ends with its connection."""
        for connection in list(self._connections):
            self._hang_up(connection, "the gateway stops", encode(Logout(RejectReason.GATEWAY_STOPS)))

    def close(self) -> None:
        """Hang up on every client, and let another process listen."""
        self.hang_up()
        self._listener.close()

    def cancel_owed(self, link: EngineLink) -> None:
        """Cancel what those have open whose connection is gone, as soon as the engine takes it: call in every tick."""
        if not link.cancels_owed or not link.is_connected:
            return
        now_ns, first = time_ns(), link.source.source.first_owner
        cancels = [MassCancel(owner=first + number, time_ns=now_ns) for number in sorted(link.cancels_owed)]
        done_with = link.source.send(cancels)
        for number in link.cancels_owed:
            session = self._table.sessions.get(number)
            if session is not None and not session.name and self._connection_of(session) is None:
                link.leaving[number] = done_with
        link.cancels_owed.clear()

    def watch_engines(self) -> None:
        """Stop reading clients while an engine has too much to do, and go on when it has half of that."""
        was_behind = self._is_engine_behind
        self._is_engine_behind = any(link.is_behind(was_behind=was_behind) for link in self._links)
        if was_behind and not self._is_engine_behind:
            for connection in list(self._connections):
                self._serve(connection)

    # --- connections

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

    def _on_connection(self) -> None:
        try:
            accepted, (host, port, *_) = self._listener.accept()
        except OSError:
            return  # it was gone before we looked
        connection = ClientConnection(self._loop, accepted, host, port, monotonic_ns())
        is_full = len(self._connections) >= TCP_SESSIONS_MAX
        if is_full or not self._peers.connect(connection.address):
            of = "" if is_full else connection.address
            most = TCP_SESSIONS_MAX if is_full else self._settings.address_sessions_max
            self._turn_away(connection, f"expected at most {most} connections{of and ' of '}{of}", command=0)
            return
        self._connections.add(connection)
        connection.say(encode_all([definition_of(instrument) for instrument in self._node.settings.instruments]))
        self._serve(connection)

    def _on_client(self, connection: ClientConnection) -> None:
        if self._may_read(connection):
            decoder = self._table.decoder
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
        has_answers = connection.session is not None and self._table.has_stored_replies(connection.session)
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
                connection.rest = self._table.decoder.rest
                return

    def _take_rows(self, connection: ClientConnection) -> None:
        """Give the commands among the next rows to the engine.

        Raises:
            MalformedBytesError: before something that no row can hold.
        """
        while connection.is_open and len(rows := self._table.decoder.next_rows()):
            session = connection.session or self._begin_anonymous(connection)
            if session is None:
                return
            for links, part in self._links.parts(rows):
                if not connection.is_open:
                    return
                if part is not rows:
                    self._table.decoder.rows[: len(part)] = part
                self._give(connection, session, links, part)

    def _give(
        self, connection: ClientConnection, session: Session, links: Sequence[EngineLink], rows: Int64Array
    ) -> None:
        """Give the commands among rows of one engine, or of all, to that engine or to all."""
        is_here = all(link.is_connected for link in links)
        admitted = self._table.admit(session, rows, time_ns(), monotonic_ns(), is_engine_here=is_here)
        if admitted.command_count:
            for link in links:
                link.source.send_encoded(admitted.commands, admitted.command_count)
            self.watch_engines()
        if admitted.refused_count:
            connection.say(admitted.refusals)
        self.counts["orders"] += admitted.order_count
        self.counts["rejected"] += admitted.refused_count
        if admitted.ending != GOES_ON:
            self._log_out(connection, session, is_final=admitted.ending == LOGS_OUT_FOR_GOOD)

    def _take_logon(self, connection: ClientConnection, error: MalformedBytesError) -> bool:
        """Take the Logon that stopped the rows, if it is one; return whether the piece goes on behind it."""
        rest = self._table.decoder.rest
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
        self._table.decoder.load(b"", rest[size:])
        return True

    def _answer_resends(self, connection: ClientConnection, session: Session) -> None:
        for order_id, symbol_id, reply in self._table.stored_replies(session, RESENDS_PER_TURN):
            if reply is None:
                used = Rejected(0, time_ns(), symbol_id, order_id, 0, Tag.NEW_ORDER, RejectReason.DUPLICATE_ORDER_ID)
                connection.say(encode(used))
            elif connection.has_been_sent(reply.sequence):
                connection.say(encode(reply))
            # else it comes in its place: before the reports that precede it the client would take it for a gap

    def _on_malformed(self, connection: ClientConnection, why: str) -> None:
        self.counts["malformed"] += 1
        self._refuse(connection, RejectReason.MALFORMED, why, command=0)

    def _refuse(self, connection: ClientConnection, reason: RejectReason, why: str, command: int = Tag.LOGON) -> None:
        self._hang_up(connection, why, encode(Rejected(0, time_ns(), -1, 0, 0, command, reason)))

    def _turn_away(
        self, connection: ClientConnection, why: str, command: int, reason: RejectReason = RejectReason.NO_SESSION_LEFT
    ) -> None:
        """Say why to one that comes too often; the log has a line now and then, not one for each."""
        self.counts["turned_away"] += 1
        if connection in self._connections:
            self._connections.discard(connection)
            self._peers.disconnect(connection.address)
        connection.say(encode(Rejected(0, time_ns(), -1, 0, 0, command, reason)))
        with contextlib.suppress(OSError):
            connection.flush(monotonic_ns())
        connection.close()
        if monotonic_ns() >= self._tells_next_ns:
            self._tells_next_ns = monotonic_ns() + TURNED_AWAY_TOLD_NS
            self._node.log.warning("clients are turned away", why=why, so_far=self.counts["turned_away"])

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

    # --- sessions

    def _begin_anonymous(self, connection: ClientConnection) -> Session | None:
        try:
            self._make_room(connection.address)
            session = self._kept.begin_anonymous(connection.address)
        except NoSessionLeftError as error:
            self._refuse(connection, RejectReason.NO_SESSION_LEFT, str(error), command=0)
            return None
        connection.attach(session, 0)
        return session

    def _make_room(self, address: str) -> None:
        rule = RoomRule(self._settings.address_sessions_max, self._settings.forget_s)
        forgotten = self._kept.make_room(rule, address, lambda one: self._connection_of(one) is not None)
        if forgotten:
            self._node.log.warning("a session is forgotten", client=forgotten, most=TCP_SESSIONS_MAX)

    def _on_logon(self, connection: ClientConnection, logon: Logon) -> None:
        reason = self._logon_refusal(connection, logon)
        if reason is RejectReason.RATE_LIMIT:
            self._turn_away(connection, f"too many Logons of {connection.address}", Tag.LOGON, reason)
            return
        if reason is not None:
            self.counts["rejected"] += 1
            self._refuse(connection, reason, f"a Logon was refused: {reason.name}")
            return
        known = self._table.by_name(logon.client_id)
        if known is not None:
            for other in [one for one in self._connections if one.session is known]:
                self._hang_up(other, "the session goes on elsewhere", encode(Logout(RejectReason.REPLACED)))
        address = connection.address if self._tokens is None else ""
        last, is_cancelled = logon.last_sequence, bool(logon.is_cancel_on_disconnect)
        try:
            if known is None:
                self._make_room(address)
            session = self._kept.log_on(
                logon.client_id, is_cancel_on_disconnect=is_cancelled, address=address, last_sequence=last
            )
        except NoSessionLeftError as error:
            self._refuse(connection, RejectReason.NO_SESSION_LEFT, str(error))
            return
        reports = session.reports
        idle_ms = int(self._settings.idle_s * 1_000)
        used_id, open_count = self._table.used_id(session), self._table.open_count(session)
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
        is_new = self._kept.is_news(logon.client_id, is_cancel_on_disconnect=bool(logon.is_cancel_on_disconnect))
        if is_new and not self._peers.log_on(connection.address, monotonic_ns()):
            return RejectReason.RATE_LIMIT
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
        self._peers.disconnect(connection.address)
        session, connection.session = connection.session, None
        if session is not None:
            session.left_ns = monotonic_ns()
        open_orders = self._table.open_count(session) if session else 0
        self._node.log.info("client gone", peer=connection.peer, why=why, open_orders=open_orders)
        if session is not None and (not session.name or session.is_cancel_on_disconnect):
            for link in self._links:
                link.cancels_owed.add(session.number)
                self.cancel_owed(link)

    def _connection_of(self, session: Session) -> ClientConnection | None:
        return next((one for one in self._connections if one.session is session), None)
