"""All sessions of a gateway: what they may send, what they are told, and which numbers are free."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from engine.wire.codec import PieceDecoder, RowEncoder
from market.clock import Now
from market.codes import CancelReason
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.events import Canceled, Event
from market.kernels.rows import ROW_WIDTH
from market.limits import ORDER_IDS_PER_SESSION, TCP_SESSIONS_MAX
from market.messages import EVENT_BY_TAG
from market.session_messages import Heartbeat, Logon, Logout
from sessions import memory as at
from sessions.admission import admit_messages
from sessions.memory import SessionLimits, make_memory
from sessions.open_orders import holds_order, put_orders
from sessions.report_stream import PIECE_BYTES_MAX, ReportStream
from sessions.reporting import TOO_MANY_OPEN, tell_sessions
from sessions.session_store import StoredSession

CLIENT_MESSAGES: Final = (NewOrder, CancelOrder, AmendOrder, MassCancel, Heartbeat, Logout, Logon)
OFFSET_MAX: Final = ORDER_IDS_PER_SESSION // 2  # beyond it a number begins again from the front


class NoSessionLeftError(Exception):
    """All numbers are taken."""


@dataclass(slots=True, eq=False)
class Session:
    """One client, whether it is connected or not.

    Attributes:
        name: what it logs on with; "" for an anonymous one, which ends with its connection.
        address: where a client logged on from that proved its name by no token; "" of one that did.
        since: the position in the gateway's journal at which it began; older reports are somebody else's.
        left_ns: when its connection was lost, or we came back, monotonic.
        resends: orders (id, symbol id) that came again and wait for their stored reply.
    """

    number: int
    name: str
    since: int
    offset: int
    reports: ReportStream
    is_cancel_on_disconnect: bool = True
    address: str = ""
    left_ns: int = 0
    resends: deque[tuple[int, int]] = field(default_factory=deque)

    @property
    def outlives_connection(self) -> bool:
        """Whether its orders stay open without a connection."""
        return bool(self.name) and not self.is_cancel_on_disconnect


class Admitted(NamedTuple):
    """What became of a piece of a client's stream.

    Attributes:
        commands: for the engine, as one frame of `command_count`.
        refusals: for the client.
        ending: of the session: GOES_ON, LOGS_OUT, LOGS_OUT_FOR_GOOD.
    """

    commands: bytes
    command_count: int
    order_count: int
    refusals: bytes
    refused_count: int
    ending: int


class SessionTable:
    """The sessions by number, over one SessionMemory.

    Args:
        limits: of every session.
        orders_max: what the engine holds at most.
        source: the number of the gateway among the sources of orders.
        kept_bytes: of reports, for each session.
    """

    def __init__(self, limits: SessionLimits, orders_max: int, source: int, kept_bytes: int) -> None:
        self.sessions: dict[int, Session] = {}
        self.decoder = PieceDecoder(CLIENT_MESSAGES)
        self.kept_bytes = kept_bytes
        self._used_up_to = [0] * TCP_SESSIONS_MAX  # by number: offset and highest id of those who had it
        self._events = PieceDecoder(EVENT_BY_TAG.values(), piece_bytes_max=PIECE_BYTES_MAX)
        self.memory = make_memory(limits, orders_max, source, self.decoder.rows, self._events.rows)
        self._commands = RowEncoder(self.decoder.rows)
        self._refusal_encoder = RowEncoder(self.memory.refusals.reshape(-1, ROW_WIDTH))
        self._told_encoder = RowEncoder(self.memory.told.reshape(-1, ROW_WIDTH))

    def warm(self) -> None:
        """Call every kernel once, on nothing: the first order of a day need not wait for one to be compiled."""
        self.decoder.load(b"", b"")
        self.decoder.next_rows()
        self.admit(Session(0, "", 0, 0, ReportStream(0)), 0, 0, Now(0, 0))
        for encoder in (self._commands, self._refusal_encoder):
            encoder.encode(0, 0)
        self.report(b"")
        holds_order(self.memory.orders, 1)
        put_orders(self.memory.orders, np.frombuffer(b"", np.int64))  # as a checkpoint has them: not to be written
        tell_sessions(0, 0, *self.memory)
        self._told_encoder.frames_of(self.memory.keys, TCP_SESSIONS_MAX, 0, 1)

    # --- who is there

    def by_name(self, name: str) -> Session | None:
        """Return the session of this name; the anonymous ones have none."""
        return next((session for session in self.sessions.values() if name and session.name == name), None)

    @property
    def has_room(self) -> bool:
        """Whether a number is free."""
        return len(self.sessions) < TCP_SESSIONS_MAX

    def open(self, name: str, since: int, address: str = "") -> Session:
        """Begin a session under a free number.

        Raises:
            NoSessionLeftError: if there is none.
        """
        number = next((number for number in range(TCP_SESSIONS_MAX) if number not in self.sessions), None)
        if number is None:
            raise NoSessionLeftError(f"expected at most {TCP_SESSIONS_MAX} sessions")
        used = self._used_up_to[number]
        offset = used if used < OFFSET_MAX else 0
        return self.restore(StoredSession(name, number, offset, since, True, address))

    def restore(self, stored: StoredSession, reports: ReportStream | None = None) -> Session:
        """Let a session that is known from elsewhere take its number; without reports its own begin from now on."""
        name, number, offset, since, is_cancel_on_disconnect, address = stored
        assert number not in self.sessions, f"expected number {number} to be free"
        numbers = self.memory.of(number)
        numbers[:] = 0
        numbers[at.IS_ACTIVE], numbers[at.OFFSET] = 1, offset
        own = reports or ReportStream(self.kept_bytes)
        session = self.sessions[number] = Session(number, name, since, offset, own, is_cancel_on_disconnect, address)
        return session

    def release(self, session: Session) -> None:
        """Free a number of which no more reports can come."""
        numbers = self.memory.of(session.number)
        assert not numbers[at.OPEN_COUNT], (
            f"expected no open order of session {session.number}, were {numbers[at.OPEN_COUNT]}"
        )
        self._used_up_to[session.number] = int(numbers[at.OFFSET] + numbers[at.USED_ID])
        numbers[at.IS_ACTIVE] = 0
        del self.sessions[session.number]

    def owner(self, number: int) -> int:
        """Return the owner of the orders of the session with this number."""
        return int(self.memory.limits[at.FIRST_OWNER]) + number

    def used_id(self, session: Session) -> int:
        """Return the highest order id that the client has used."""
        return int(self.memory.of(session.number)[at.USED_ID])

    def open_count(self, session: Session) -> int:
        """Return how many of its orders the engine may hold."""
        return int(self.memory.of(session.number)[at.OPEN_COUNT])

    def note_seen(self, session: Session, sequence: int) -> None:
        """Take note of the last report that the client says to have seen."""
        numbers = self.memory.of(session.number)
        numbers[at.SEEN_SEQUENCE] = max(numbers[at.SEEN_SEQUENCE], min(sequence, numbers[at.SEQUENCE]))

    def has_unseen(self, session: Session) -> bool:
        """Return whether there is a report that the client has not said to have seen."""
        numbers = self.memory.of(session.number)
        return bool(numbers[at.SEEN_SEQUENCE] < numbers[at.SEQUENCE])

    def is_open(self, session: Session, order_id: int) -> bool:
        """Return whether the engine may hold the client's order of this id."""
        first = int(self.memory.limits[at.FIRST_ORDER_ID]) + session.number * ORDER_IDS_PER_SESSION
        return bool(holds_order(self.memory.orders, first + session.offset + order_id))

    # --- what they send

    def set_reference(self, symbol_id: int, price_ticks: int, known_until_ns: int) -> None:
        """Compare prices with this one, 0 if there is none, from now on until then; later refuse what needs it.

        Args:
            known_until_ns: monotonic, as `admit` is told the time.
        """
        place = symbol_id * at.REFERENCE_SIZE
        self.memory.references[place + at.REFERENCE_PRICE] = price_ticks
        self.memory.references[place + at.KNOWN_UNTIL_NS] = known_until_ns

    def stale_references(self, now_ns: int) -> list[int]:
        """Return the symbols, by id, whose reference price is not known any more, or not yet."""
        known_until_ns = self.memory.references[at.KNOWN_UNTIL_NS :: at.REFERENCE_SIZE]
        return [symbol_id for symbol_id, until_ns in enumerate(known_until_ns.tolist()) if until_ns <= now_ns]

    def admit(self, session: Session, first: int, count: int, now: Now, *, is_engine_here: bool = True) -> Admitted:
        """Take `count` rows of `decoder`, from `first` on, as messages of the session.

        Orders that came before are added to its `resends`.

        Args:
            is_engine_here: if not, every command is refused.
        """
        numbers = self.memory.of(session.number)
        used_before = numbers.item(at.OPEN_COUNT)
        kept, refused, resent, ending = admit_messages(
            first, count, session.number, int(is_engine_here), now.time_ns, now.monotonic_ns, *self.memory
        )
        if resent:
            again = self.memory.resends[: resent * at.RESEND_SIZE].tolist()
            session.resends.extend(zip(again[:: at.RESEND_SIZE], again[1 :: at.RESEND_SIZE], strict=True))
        commands = self._commands.encode(first, kept) if kept else b""
        refusals = self._refusal_encoder.encode(0, refused) if refused else b""
        return Admitted(commands, kept, numbers.item(at.OPEN_COUNT) - used_before, refusals, refused, ending)

    def has_stored_replies(self, session: Session) -> bool:
        """Return whether an order came again that has had its first reply."""
        return bool(session.resends) and session.resends[0][0] <= self.memory.of(session.number)[at.ANSWERED_ID]

    def stored_replies(self, session: Session, count_max: int) -> Iterator[tuple[int, int, Event | None]]:
        """Yield and forget such orders, at most so many: their id, symbol id, and the reply if it is kept.

        Of one that is open and has none nothing is said: its engine has yet to answer, or the reply is forgotten.
        """
        for _ in range(count_max):
            if not self.has_stored_replies(session):
                return
            order_id, symbol_id = session.resends.popleft()
            reply = session.reports.first_reply(order_id, self._events)
            if reply is not None or not self.is_open(session, order_id):
                yield order_id, symbol_id, reply

    # --- what they are told

    def report(self, payload: bytes, skip: int = 0) -> list[Session]:
        """Add a frame of the engine's events, but not the first `skip`, to the reports of the sessions they are of.

        Returns:
            the sessions that have new reports.

        Raises:
            MalformedBytesError: if the payload is not events.
        """
        touched = 0
        self._events.load(b"", payload)
        for rows in self._events.messages():
            old_count, skip = min(skip, len(rows)), max(0, skip - len(rows))
            told_count, bits = tell_sessions(old_count, len(rows), *self.memory)
            assert told_count != TOO_MANY_OPEN, "expected no more open orders than the engine holds"
            bits &= 2**64 - 1
            self._add(told_count, bits)
            touched |= bits
        return list(self._sessions_in(touched))

    def lost_orders(self, time_ns: int) -> list[Canceled]:
        """Return what the engine would have said of the open orders, had it cancelled them all."""
        columns = [at.ORDER_SYMBOL, at.ORDER_ID, at.ORDER_SIDE, at.ORDER_PRICE, at.ORDER_LEAVES]
        return [
            Canceled(0, time_ns, symbol_id, order_id, 0, side, price_ticks, lots, 0, CancelReason.ENGINE_RESTARTED)
            for symbol_id, order_id, side, price_ticks, lots in self.memory.open_orders[:, columns].tolist()
        ]

    def _add(self, told_count: int, bits: int) -> None:
        for session in self._sessions_in(bits):
            numbers = self.memory.of(session.number)
            # All at once: the highest answered id is that of the whole, not of its first frame.
            frames = self._told_encoder.frames_of(self.memory.keys, session.number, 0, told_count)
            payloads, counts = zip(*frames, strict=True)
            answered_id, late_count = numbers.item(at.ANSWERED_ID), numbers.item(at.LATE_COUNT)
            session.reports.add(b"".join(payloads), sum(counts), answered_id, late_count)
            assert session.reports.last_sequence == numbers.item(at.SEQUENCE), "expected every report to be kept"

    def _sessions_in(self, bits: int) -> Iterable[Session]:
        return (session for number, session in self.sessions.items() if bits >> number & 1)
