"""A gateway's core, clients without sockets, and engines at the other end of links without sockets, in one process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from engine.matching_engine import make_engine
from market.clock import NS_PER_SECOND, Now
from market.codec import StreamDecoder, decode_commands, encode, encode_all
from market.commands import Command
from market.events import Event
from market.kernels.rows import read_event, write_command
from market.session_messages import Heartbeat
from sessions.client import Client, ClientRules
from sessions.core import GatewayCore
from sessions.kept_sessions import KeptSessions
from sessions.memory import SessionLimits
from sessions.report_record import ReportRecord
from sessions.session_store import Position, SessionStore
from sessions.session_table import SessionTable

GREETING = Heartbeat(99)
EPOCH = 10**18


class Link:
    """Our end of a link to an engine that answers when `Gate.match` says so."""

    def __init__(self, engine: str, *symbol_ids: int) -> None:
        self.engine = engine
        self.symbol_ids = frozenset(symbol_ids)
        self.is_connected = True
        self.is_slow = False
        self.sent = self.acknowledged = 0
        self.commands: list[Command] = []
        self.book = make_engine("reference", symbol_count=2)
        self.told_count = 0

    def is_behind(self, *, was_behind: bool) -> bool:
        """Return whether the engine has too much to do."""
        return self.is_slow or (was_behind and self.sent > self.acknowledged)

    def send_encoded(self, payload: bytes, count: int) -> int:
        """Take commands."""
        commands = decode_commands(payload)
        assert len(commands) == count
        self.commands += commands
        self.sent += count
        return self.sent

    def answer(self) -> list[Event]:
        """Let the engine take what was sent; return what it says."""
        ring, events = self.book.commands, self.book.events
        told: list[Event] = []
        for command in self.commands[self.acknowledged :]:
            write_command(ring.rows, ring.claim(), command)
            ring.publish()
        self.book.match()
        self.acknowledged = self.sent
        while len(rows := events.readable()):
            told += map(read_event, rows)
            events.consume(len(rows))
        return told


class Gate:
    """The core between clients and links; its time is what the test says."""

    def __init__(self, folder: Path, rules: ClientRules | None = None, links: Sequence[Link] = ()) -> None:
        self.links = tuple(links) or (Link("one", 0, 1),)
        self.rules = rules or ClientRules()
        self.now = Now(77, NS_PER_SECOND)
        self.table = SessionTable(SessionLimits(), 1_000, 1, 1 << 20)
        self.store = SessionStore(folder)
        self.kept = KeptSessions(self.table, self.store, self.now)
        self.core = GatewayCore(self.table, self.kept, self.links, self.rules, encode(GREETING), structlog.get_logger())
        for link in self.links:
            self.core.engine_connected(link.engine, Position(EPOCH, 0), self.now)
        self.match()

    def connect(self, *messages: Any, host: str = "127.0.0.1") -> Client:
        """Return a new client that has sent messages."""
        client = self.core.connect(host, 1, self.now)
        if messages:
            self.say(client, *messages)
        return client

    def say(self, client: Client, *messages: Any) -> None:
        """Let a client send messages."""
        self.send(client, encode_all(messages))

    def send(self, client: Client, piece: bytes) -> None:
        """Let a client send bytes."""
        pieces = [piece]

        def receive_into(space: memoryview) -> int:
            space[: len(piece)] = pieces.pop()
            return len(piece)

        self.core.receive(client, receive_into, self.now)
        assert not pieces, "it is not read"

    def hear(self, client: Client, size_max: int = 1 << 20) -> list[Any]:
        """Return what a client reads, so many bytes at a time."""
        decoder = StreamDecoder()
        heard: list[Any] = []
        if client.is_open:
            self.core.receive(client, lambda _: None, self.now)
        while piece := bytes(client.next_piece())[:size_max]:
            client.sent(len(piece), self.now)
            heard += decoder.feed(piece)
        return [message for message in heard if message != GREETING]

    def match(self) -> None:
        """Let the engines take what was sent, and report."""
        for link in self.links:
            told = link.answer()
            first = link.told_count + 1
            link.told_count += len(told)
            record = ReportRecord(link.engine.encode(), EPOCH, first, len(told), 0, encode_all(told))
            self.core.take_reports(record, self.now)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now = Now(self.now.time_ns, self.now.monotonic_ns + int(seconds * NS_PER_SECOND))

    def changed(self) -> set[Client]:
        """Return and forget who is to be looked after."""
        changed = set(self.core.changed)
        self.core.changed.clear()
        return changed
