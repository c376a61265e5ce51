"""The gateway's core: bytes of clients, reports of engines and the time come in; bytes for clients and commands go out.

No clock and no socket is inside. What a client is to be sent waits in its `Client`, commands go to our end of an
engine's link, and `changed` says whose connection is to be looked after. Rows of the decoder become commands in
place, and neither way an object is made for an order.

The walk of an order, `receive`: bytes in, decode, admit, send. The walk of its report, `take_reports`: journal it, then
decode, translate and encode it into the session's stream, of which its client is sent the next piece.
"""

import re
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger as Log

from engine.wire.refusals import MalformedBytesError
from market.clock import NS_PER_SECOND, Now
from market.codec import encode, encode_all
from market.codes import RejectReason, Tag
from market.commands import MassCancel
from market.events import Rejected
from market.kernels.rows import Int64Array
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from sessions.admission import GOES_ON, LOGS_OUT_FOR_GOOD
from sessions.client import Client, ClientRules
from sessions.engines import Engine, Engines, LinkEnd
from sessions.kept_sessions import KeptSessions
from sessions.peers import Peers
from sessions.report_record import ReportRecord
from sessions.session_store import Position
from sessions.session_table import NoSessionLeftError, Session, SessionTable
from sessions.tokens import is_token_right

RESENDS_PER_TURN = 64  # each may have to be looked up
HEARTBEATS_PER_IDLE = 3
TURNED_AWAY_TOLD_NS = 10 * NS_PER_SECOND
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class GatewayCore:
    """The clients over the sessions and the engines.

    Args:
        table: of the sessions.
        kept: the same sessions on disk.
        links: our end of the link to each engine.
        rules: of every connection.
        greeting: what each client is sent first.
        log: for a person.

    Attributes:
        clients: those that are connected, in the order in which they came; only the keys count.
        changed: likewise, who is to be looked after: written to, read again, let go.
        counts: of what they sent, for `status`.
    """

    def __init__(
        self,
        table: SessionTable,
        kept: KeptSessions,
        links: Sequence[LinkEnd],
        rules: ClientRules,
        greeting: bytes,
        log: Log,
    ) -> None:
        self.clients: dict[Client, None] = {}
        self.changed: dict[Client, None] = {}
        self.counts = {"orders": 0, "rejected": 0, "malformed": 0, "turned_away": 0}
        self._table = table
        self._kept = kept
        lasting = {number for number, session in table.sessions.items() if session.outlives_connection}
        self._engines = Engines(links, set(range(TCP_SESSIONS_MAX)) - lasting)
        self._rules = rules
        self._greeting = greeting
        self._log = log
        self._peers = Peers(rules.address_sessions_max, rules.logons_per_s)
        self._client_of: dict[Session, Client] = {}
        self._tells_next_ns = 0
        self._is_engine_behind = False

    # --- what clients send

    def connect(self, host: str, port: int, now: Now) -> Client:
        """Return a new client; it is not open if there is no room for it."""
        client = Client(host, port, now)
        self.changed[client] = None
        is_full = len(self.clients) >= TCP_SESSIONS_MAX
        if not is_full and self._peers.connect(client.address):
            self.clients[client] = None
            client.say(self._greeting)
            return client
        most = TCP_SESSIONS_MAX if is_full else self._rules.address_sessions_max
        why = f"expected at most {most} connections{'' if is_full else f' of {client.address}'}"
        self._turn_away(client, why, RejectReason.NO_SESSION_LEFT, 0, now)
        return client

    def receive(self, client: Client, receive_into: Callable[[memoryview], int | None], now: Now) -> None:
        """Take what a client has sent; while its commands cannot go on they wait in its socket.

        Args:
            receive_into: receives the next piece of its stream; returns its size, 0 at the end, None if nothing waits.
        """
        self.changed[client] = None
        if not self._may_read(client):
            self._answer(client, now)
            return
        # 1. Bytes in.
        decoder = self._table.decoder
        try:
            size = receive_into(decoder.space(client.rest))
        except OSError as error:
            self.hang_up(client, error.strerror or "lost", now)
            return
        if not size:
            if size == 0:
                self.hang_up(client, "the client hung up", now)
            return
        decoder.received(size)
        # 2. Decode.
        try:
            for messages in decoder.messages():
                if isinstance(messages, Logon):
                    self._log_on(client, messages, now)
                else:
                    self._take_rows(client, messages, now)
                if not client.is_open:
                    return
        except MalformedBytesError as error:
            self.counts["malformed"] += 1
            self._refuse(client, RejectReason.MALFORMED, str(error), 0, now)
            return
        except NoSessionLeftError as error:
            command = Tag.LOGON if isinstance(messages, Logon) else 0
            self._refuse(client, RejectReason.NO_SESSION_LEFT, str(error), command, now)
            return
        client.rest = decoder.rest
        if client.session is not None:  # a part of a first message is nothing yet
            client.heard_ns = now.monotonic_ns
            self._answer(client, now)

    def _take_rows(self, client: Client, rows: Int64Array, now: Now) -> None:
        """Give the commands among the rows to the engines."""
        session = client.session or self._begin_anonymous(client, now)
        for engines, first, count in self._engines.parts(rows):
            # 3. Admit.
            is_here = all(engine.link.is_connected for engine in engines)
            admitted = self._table.admit(session, first, count, now, is_engine_here=is_here)
            # 4. Send.
            if admitted.command_count:
                for engine in engines:
                    engine.link.send_encoded(admitted.commands, admitted.command_count)
                self._watch_engines()
            if admitted.refused_count:
                client.say(admitted.refusals)
            self.counts["orders"] += admitted.order_count
            self.counts["rejected"] += admitted.refused_count
            if admitted.ending != GOES_ON:
                if admitted.ending == LOGS_OUT_FOR_GOOD:
                    self._kept.give_up(session)
                self.hang_up(client, "the client logged out", now, encode(Logout()))
                return

    def _may_read(self, client: Client) -> bool:
        has_resends = client.session is not None and bool(client.session.resends)
        return not (self._is_engine_behind or has_resends or client.unread_bytes > self._rules.unread_bytes)

    def _watch_engines(self) -> None:
        """Stop reading clients while an engine has too much to do, and go on when it has half of that."""
        was_behind = self._is_engine_behind
        self._is_engine_behind = any(engine.link.is_behind(was_behind=was_behind) for engine in self._engines)
        if was_behind and not self._is_engine_behind:
            self.changed |= self.clients

    def _answer(self, client: Client, now: Now) -> None:
        """Answer more of the orders of a client that came again, not all at once."""
        if client.session is None or not client.session.resends:
            return
        for order_id, symbol_id, reply in self._table.stored_replies(client.session, RESENDS_PER_TURN):
            if reply is None:
                client.say(_rejected(RejectReason.DUPLICATE_ORDER_ID, Tag.NEW_ORDER, now, symbol_id, order_id))
            elif client.has_been_sent(reply.sequence):
                client.say(encode(reply))
            # else it comes in its place: before the reports that precede it the client would take it for a gap

    def interest(self, client: Client, now: Now) -> tuple[bool, bool]:
        """Return whether to wait for what a client says, and for room to write to it."""
        session, is_read = client.session, self._may_read(client)
        if is_read and not client.is_read:
            client.heard_ns = now.monotonic_ns  # what it said meanwhile waits in its socket
        client.is_read = is_read
        has_answers = session is not None and bool(session.resends) and self._table.has_stored_replies(session)
        return is_read, has_answers or bool(client.unread_bytes)

    # --- who comes and goes

    def _begin_anonymous(self, client: Client, now: Now) -> Session:
        self._make_room(client.address, now)
        session = self._kept.begin_anonymous(client.address)
        self._attach(client, session, 0)
        return session

    def _log_on(self, client: Client, logon: Logon, now: Now) -> None:
        reason = self._logon_refusal(client, logon, now)
        if reason is RejectReason.RATE_LIMIT:
            self._disconnect(client)
            self._turn_away(client, f"too many Logons of {client.address}", reason, Tag.LOGON, now)
            return
        if reason is not None:
            self.counts["rejected"] += 1
            self._refuse(client, reason, f"a Logon was refused: {reason.name}", Tag.LOGON, now)
            return
        known = self._table.by_name(logon.client_id)
        if known is not None and (other := self._client_of.get(known)) is not None:
            self.hang_up(other, "the session goes on elsewhere", now, encode(Logout(RejectReason.REPLACED)))
        address = client.address if self._rules.tokens is None else ""
        if known is None:
            self._make_room(address, now)
        session = self._kept.log_on(logon, address)
        reports = session.reports
        idle_ms = int(self._rules.idle_s * 1_000)
        used_id, open_count = self._table.used_id(session), self._table.open_count(session)
        self._attach(client, session, reports.place_after(logon.last_sequence))
        client.say(encode(LoggedOn(reports.last_sequence + 1, reports.first_sequence, used_id, open_count, idle_ms)))
        self._log.info("client logged on", peer=client.peer, client=session.name, after=logon.last_sequence)

    def _logon_refusal(self, client: Client, logon: Logon, now: Now) -> RejectReason | None:
        if client.session is not None:
            return RejectReason.ALREADY_LOGGED_ON
        if not _CLIENT_ID.fullmatch(logon.client_id):
            return RejectReason.BAD_CLIENT_ID
        is_right = is_token_right(self._rules.tokens, logon.client_id, logon.token)
        if (not is_right or self._kept.is_news(logon)) and not self._peers.log_on(client.address, now.monotonic_ns):
            return RejectReason.RATE_LIMIT
        return None if is_right else RejectReason.BAD_TOKEN

    def _make_room(self, address: str, now: Now) -> None:
        forgotten = self._kept.make_room(self._rules, address, self._client_of.__contains__, now)
        if forgotten:
            self._log.warning("a session is forgotten", client=forgotten, most=TCP_SESSIONS_MAX)

    def _attach(self, client: Client, session: Session, place: int) -> None:
        client.attach(session, place)
        self._client_of[session] = client

    def _refuse(self, client: Client, reason: RejectReason, why: str, command: int, now: Now) -> None:
        self.hang_up(client, why, now, _rejected(reason, command, now))

    def _turn_away(self, client: Client, why: str, reason: RejectReason, command: int, now: Now) -> None:
        """Say why to one that comes too often; the log has a line now and then, not one for each."""
        self.counts["turned_away"] += 1
        client.close(_rejected(reason, command, now))
        if now.monotonic_ns >= self._tells_next_ns:
            self._tells_next_ns = now.monotonic_ns + TURNED_AWAY_TOLD_NS
            self._log.warning("clients are turned away", why=why, so_far=self.counts["turned_away"])

    def hang_up(self, client: Client, why: str, now: Now, last_words: bytes = b"") -> None:
        """Let a client go, or take note that it is gone, and cancel what ends with its connection."""
        if not client.is_open:
            return
        self._disconnect(client)
        client.close(last_words)
        session = client.session
        open_orders = self._table.open_count(session) if session else 0
        self._log.info("client gone", peer=client.peer, why=why, open_orders=open_orders)
        if session is None:
            return
        session.left_ns = now.monotonic_ns
        del self._client_of[session]
        if not session.outlives_connection:
            for engine in self._engines:
                engine.cancels_owed.add(session.number)
                self._cancel_owed(engine, now)

    def _disconnect(self, client: Client) -> None:
        self.clients.pop(client, None)
        self.changed[client] = None
        self._peers.disconnect(client.address)

    def hang_up_all(self, now: Now) -> None:
        """Let every client go: the gateway stops."""
        for client in list(self.clients):
            self.hang_up(client, "the gateway stops", now, encode(Logout(RejectReason.GATEWAY_STOPS)))

    # --- what engines say

    @property
    def is_ready(self) -> bool:
        """Whether all of the past of every engine is in."""
        return all(engine.is_ready for engine in self._engines)

    def engine_connected(self, name: str, new_epoch: Position | None, now: Now) -> None:
        """Go on with an engine that takes commands.

        Args:
            new_epoch: where its reports begin if it knows nothing of ours, or not all.
        """
        engine = self._engines.by_name[name]
        if new_epoch is not None:
            self._tell(self._kept.begin_epoch(name, new_epoch, engine.link.symbol_ids, now), now)
            # What the engine may still hold of ours is from before; nobody knows it any more.
            engine.cancels_owed.update(range(TCP_SESSIONS_MAX))
        self._cancel_owed(engine, now)
        engine.ready_at = engine.link.sent

    def take_reports(self, record: ReportRecord, now: Now) -> None:
        """Keep reports of an engine, tell them to the clients that they are for, and note what it has handled."""
        if record.skip_count < record.message_count:
            self._tell(self._kept.take(record), now)
        engine = self._engines.by_name[record.engine.decode()]
        if engine.leaving:
            for number in engine.take_left():
                if not self._engines.is_owed(number):
                    self._table.release(self._table.sessions[number])
        self._watch_engines()

    def _tell(self, sessions: list[Session], now: Now) -> None:
        for session in sessions:
            client = self._client_of.get(session)
            if client is None:
                continue
            self.changed[client] = None
            if client.has_lost_reports:
                self.hang_up(client, "the client does not read its reports", now)  # nor would it read why
            else:
                self._answer(client, now)

    def _cancel_owed(self, engine: Engine, now: Now) -> None:
        """Cancel what those have open whose connection is gone, if the engine takes it."""
        if not engine.cancels_owed or not engine.link.is_connected:
            return
        numbers = sorted(engine.cancels_owed)
        engine.cancels_owed.clear()
        cancels = [MassCancel(owner=self._table.owner(number), time_ns=now.time_ns) for number in numbers]
        last = engine.link.send_encoded(encode_all(cancels), len(cancels))
        for number in numbers:
            session = self._table.sessions.get(number)
            if session is not None and not session.name and session not in self._client_of:
                engine.leaving[number] = last

    # --- what time brings

    def tick(self, now: Now, has_input: Callable[[Client], bool]) -> None:
        """Send cancels that wait and heartbeats, and hang up on those who say nothing.

        Args:
            has_input: whether something of a client waits in its socket: it may be we who were away.
        """
        for engine in self._engines:
            self._cancel_owed(engine, now)
        for client in list(self.clients):
            self._beat(client, now, has_input)

    def _beat(self, client: Client, now: Now, has_input: Callable[[Client], bool]) -> None:
        """Send a heartbeat to a logged-on client that hears nothing, and hang up on one that says nothing.

        An anonymous one may be silent for as long as it likes, once it has said something.
        """
        session, idle_ns = client.session, int(self._rules.idle_s * NS_PER_SECOND)
        if session is not None and not session.name:
            return
        is_silent = now.monotonic_ns - client.heard_ns > idle_ns and self._may_read(client)
        if is_silent and (session is None or not has_input(client)):
            self.hang_up(client, "nothing was heard of the client", now, encode(Logout(RejectReason.IDLE)))
        elif session is None:
            return
        elif now.monotonic_ns - client.sent_ns > idle_ns // HEARTBEATS_PER_IDLE and not client.unread_bytes:
            client.say(encode(Heartbeat(session.reports.last_sequence)))
            self.changed[client] = None

    def figures(self) -> dict[str, int]:
        """Return what `status` shows."""
        sessions = self._table.sessions.values()
        return {
            "clients": len(self.clients),
            "sessions": sum(bool(session.name) for session in sessions),
            "open_orders": sum(map(self._table.open_count, sessions)),
            **self.counts,
        }


def _rejected(reason: RejectReason, command: int, now: Now, symbol_id: int = -1, order_id: int = 0) -> bytes:
    return encode(Rejected(0, now.time_ns, symbol_id, order_id, 0, command, reason))
