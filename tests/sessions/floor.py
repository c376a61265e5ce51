"""A gateway's sessions and the real engine behind them, in one process, without sockets."""

from collections.abc import Sequence
from typing import Any, cast

from engine.matching_engine import make_engine
from market.clock import Now
from market.codec import decode, decode_commands, encode_all
from market.codes import OrderType, Side
from market.commands import Command, NewOrder
from market.events import Event
from market.kernels.rows import read_event, write_command
from sessions.memory import SessionLimits
from sessions.session_table import Admitted, Session, SessionTable
from tests.one_engine import GATEWAY

KEPT_BYTES = 1 << 22
BTC = 0


class Floor:
    """Sessions whose commands go straight to an engine, and its events straight back."""

    def __init__(self, limits: SessionLimits | None = None, kept_bytes: int = KEPT_BYTES) -> None:
        self.table = SessionTable(limits or SessionLimits(), 1_000, GATEWAY, kept_bytes)
        self.engine = make_engine("reference", symbol_count=2)
        self.now_ns = 1_000_000_000
        self.frames: list[bytes] = []  # what the engine reported, frame by frame
        self.last_commands: list[Command] = []

    def session(self, name: str = "one", since: int = 0) -> Session:
        """Return a new session."""
        return self.table.open(name, since)

    def give(self, session: Session, *messages: Any, is_engine_here: bool = True) -> list[Event]:
        """Let a client send messages; return what is said to it on the spot, and let the engine work."""
        admitted = self.admit(session, encode_all(messages), is_engine_here=is_engine_here)
        self.match(admitted)
        return cast("list[Event]", decode(admitted.refusals))

    def admit(self, session: Session, data: bytes, *, is_engine_here: bool = True) -> Admitted:
        """Take a piece of a client's stream."""
        self.table.decoder.load(b"", data)
        rows = self.table.decoder.next_rows()
        return self.table.admit(session, 0, len(rows), Now(77, self.now_ns), is_engine_here=is_engine_here)

    def match(self, admitted: Admitted) -> None:
        """Let the engine take what was admitted, and report."""
        self.last_commands = decode_commands(admitted.commands)
        assert len(self.last_commands) == admitted.command_count
        self.match_commands(self.last_commands)

    def match_commands(self, commands: Sequence[Command]) -> None:
        """Let the engine take commands of the desk, and report."""
        ring, events = self.engine.commands, self.engine.events
        for command in commands:
            write_command(ring.rows, ring.claim(), command)
            ring.publish()
        self.engine.match()
        told: list[Event] = []
        while len(rows := events.readable()):
            told += map(read_event, rows)
            events.consume(len(rows))
        if told:
            self.frames.append(encode_all(told))
            self.table.report(self.frames[-1])


def reports(session: Session, after: int = 0) -> list[Event]:
    """Return the kept reports of a session after a sequence."""
    place, pieces = session.reports.place_after(after), []
    while place < session.reports.end:
        pieces.append(bytes(session.reports.read(place)))
        place += len(pieces[-1])
    return cast("list[Event]", decode(b"".join(pieces)))


def order(order_id: int, price_ticks: int, qty_lots: int, side: Side = Side.BUY, symbol_id: int = BTC) -> NewOrder:
    """Return an order; one without a price is a market order."""
    kind = OrderType.LIMIT if price_ticks else OrderType.MARKET
    return NewOrder(order_id, symbol_id, side, price_ticks, qty_lots, kind)
