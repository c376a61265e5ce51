"""The order link: commands one way, reports the other, each numbered, acknowledged, resent and deduplicated.

Both ends are pure: frames go in, frames come out, and the caller owns the socket and the clock. A frame is
`[header, payload]`: the header a small msgpack array, the payload messages one after the other.

Each direction is a numbered stream. Whoever sends keeps a frame until the other end has acknowledged it; whoever
receives drops what it has already had, and on a gap asks for the rest with HELLO (source) or WELCOME (engine). An
engine that starts with an empty memory begins a new epoch: both streams start anew, and the source is told.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import msgpack

from bus.codec import decode_events, encode_all
from market.commands import Command
from market.events import Event
from market.limits import BATCH_MESSAGES_MAX, UNACKNOWLEDGED_FRAMES_MAX

Frames = list[bytes]
SILENT_RETRIES = 4  # unanswered for so many retry times, the engine is held to be gone


class Kind(IntEnum):
    """The first integer of a header."""

    HELLO = 1  # source: [kind, source, epoch, report_sequence, is_fresh]
    WELCOME = 2  # engine: [kind, epoch, command_sequence, report_sequence, last_order_id]
    COMMANDS = 3  # source: [kind, epoch, first_sequence, count, report_sequence]
    REPORTS = 4  # engine: [kind, epoch, first_sequence, count, command_sequence]


class LinkError(Exception):
    """The other end sent what no end of an order link sends."""


class Connected(NamedTuple):
    """The engine answered: it has taken our commands up to `command_sequence` of this epoch; reports may still follow.

    `is_new_epoch`: the engine is not the one that we knew, or we remember none: what should rest must be entered again.
    `report_sequence`: in a new epoch, the number of the last report that it will not send again.
    `last_order_id`: the highest id of ours that it has seen (0: none); ids start after it.
    """

    epoch: int
    command_sequence: int
    report_sequence: int
    last_order_id: int
    is_new_epoch: bool


class Reports(NamedTuple):
    """Events of our orders, in the engine's order; every command up to `command_sequence` is completely handled.

    `report_sequence` is the number of the last event; pass it to a new SourceEnd to resume after it.
    """

    epoch: int
    events: list[Event]
    report_sequence: int
    command_sequence: int


class _SentFrame(NamedTuple):
    first: int
    size: int
    payload: bytes
    acknowledges: int = 0  # in a frame of reports: the last command that was completely handled with it

    @property
    def last(self) -> int:
        return self.first + self.size - 1


def _header(frames: Frames) -> list[int]:
    try:
        header = msgpack.unpackb(frames[0], max_array_len=8, max_str_len=0, max_map_len=0, max_bin_len=0, max_ext_len=0)
    except (ValueError, msgpack.UnpackException, IndexError) as error:
        raise LinkError(f"expected a link header: {error}") from None
    if len(frames) != 2 or type(header) is not list or len(header) != 5 or any(type(n) is not int for n in header):
        raise LinkError(f"expected a header of five integers and a payload, was {str(header)[:60]}")
    return header


def _frames(payload: bytes, *header: int) -> Frames:
    return [msgpack.packb(header), payload]


class SourceEnd:
    """The end that sends commands: a gateway, the paper exchange, a flow.

    Args:
        source: our number in `bus.topology.Source`.
        resume: epoch and number of the last report that we have kept for good, (0, 0) if we keep nothing.
        retry_ns: how long to wait for an answer before asking again.
    """

    def __init__(self, source: int, resume: tuple[int, int] = (0, 0), retry_ns: int = 500_000_000) -> None:
        self._source = source
        self._retry_ns = retry_ns
        self._epoch, self._report_sequence = resume
        self._is_fresh = resume == (0, 0)
        self._is_connected = False
        self._was_welcomed = False
        self._next_sequence = 1
        self._acknowledged = 0
        self._unacknowledged: deque[_SentFrame] = deque()
        self._is_report_owed = False
        self._last_heard_ns: int | None = None  # None: the next tick starts to count
        self._last_sent_ns = 0
        self._last_hello_ns = 0
        self._outbox: deque[Frames] = deque([self._hello()])

    @property
    def is_connected(self) -> bool:
        """Whether the engine has answered and takes commands."""
        return self._is_connected

    @property
    def is_full(self) -> bool:
        """Whether so many commands wait for the engine that the caller must wait too."""
        return len(self._unacknowledged) >= UNACKNOWLEDGED_FRAMES_MAX

    @property
    def acknowledged(self) -> int:
        """The number of the last command that the engine has completely handled."""
        return self._acknowledged

    def send(self, commands: Sequence[Command]) -> int:
        """Queue commands for the engine and return the number of the last one.

        Raises:
            ConnectionError: while the engine has not answered, or when it is far behind.
        """
        if not self._is_connected or self.is_full:
            raise ConnectionError(
                "the engine does not answer" if not self._is_connected else "the engine is far behind"
            )
        for start in range(0, len(commands), BATCH_MESSAGES_MAX):
            batch = commands[start : start + BATCH_MESSAGES_MAX]
            frame = _SentFrame(self._next_sequence, len(batch), encode_all(batch))
            self._next_sequence += len(batch)
            self._unacknowledged.append(frame)
            self._outbox.append(self._commands(frame))
        return self._next_sequence - 1

    def receive(self, frames: Frames) -> list[Connected | Reports]:
        """Take what came from the engine and return what it means to us.

        Raises:
            LinkError: if the frames are not of this protocol.
        """
        kind, epoch, *rest = _header(frames)
        self._last_heard_ns = None
        if kind == Kind.WELCOME:
            return [self._welcomed(epoch, *rest)]
        if kind != Kind.REPORTS:
            raise LinkError(f"expected WELCOME or REPORTS from the engine, was kind {kind}")
        if not self._was_welcomed or epoch != self._epoch:
            self._outbox.append(self._hello())
            return []
        self._is_connected = True
        return self._reported(*rest, payload=frames[1])

    def tick(self, now_ns: int) -> None:
        """Ask again if the engine owes us an answer; acknowledge its reports; say that we are here.

        Call it several times a second with a monotonic clock. The heartbeat is also how a source without commands
        learns that the engine has started anew.
        """
        if self._last_heard_ns is None:
            self._last_heard_ns = now_ns
        silence_ns = now_ns - self._last_heard_ns
        is_hello_due = now_ns - self._last_hello_ns > self._retry_ns
        if silence_ns > SILENT_RETRIES * self._retry_ns:
            self._is_connected = False
        if silence_ns > self._retry_ns and is_hello_due and (not self._is_connected or self._unacknowledged):
            self._last_hello_ns = now_ns
            self._outbox.append(self._hello())
        elif self._is_connected and (self._is_report_owed or now_ns - self._last_sent_ns > self._retry_ns):
            self._last_sent_ns = now_ns
            self._is_report_owed = False
            self._outbox.append(_frames(b"", Kind.COMMANDS, self._epoch, self._next_sequence, 0, self._report_sequence))

    def outgoing(self) -> list[Frames]:
        """Return and forget what must now be sent."""
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    def _hello(self) -> Frames:
        return _frames(b"", Kind.HELLO, self._source, self._epoch, self._report_sequence, int(self._is_fresh))

    def _commands(self, frame: _SentFrame) -> Frames:
        return _frames(frame.payload, Kind.COMMANDS, self._epoch, frame.first, frame.size, self._report_sequence)

    def _welcomed(self, epoch: int, command_sequence: int, report_sequence: int, last_order_id: int) -> Connected:
        is_new_epoch = epoch != self._epoch or self._is_fresh
        if epoch != self._epoch or not self._was_welcomed:
            # We come back to an engine that knows more of us than we do (our restart), or less (its restart).
            self._unacknowledged.clear()
            self._next_sequence = command_sequence + 1
            self._acknowledged = 0
        if is_new_epoch:
            self._report_sequence = report_sequence
        self._epoch, self._is_connected, self._is_fresh, self._was_welcomed = epoch, True, False, True
        self._forget(command_sequence)
        self._outbox.extend(self._commands(frame) for frame in self._unacknowledged)
        return Connected(epoch, command_sequence, self._report_sequence, last_order_id, is_new_epoch)

    def _reported(self, first: int, count: int, command_sequence: int, *, payload: bytes) -> list[Connected | Reports]:
        if first > self._report_sequence + 1:
            self._outbox.append(self._hello())
            return []
        events = decode_events(payload)
        assert len(events) == count, f"a frame of {count} reports held {len(events)}"
        fresh = events[self._report_sequence + 1 - first :]
        if fresh:
            self._report_sequence = first + count - 1
            self._is_report_owed = True
        if not fresh and command_sequence <= self._acknowledged:
            return []
        self._acknowledged = max(self._acknowledged, command_sequence)
        self._forget(command_sequence)
        return [Reports(self._epoch, fresh, self._report_sequence, self._acknowledged)]

    def _forget(self, command_sequence: int) -> None:
        while self._unacknowledged and self._unacknowledged[0].last <= command_sequence:
            self._unacknowledged.popleft()


class CommandBatch(NamedTuple):
    """A frame of commands with something new in it: `payload` holds `size` commands, the first `skip` are old."""

    source: int
    payload: bytes
    size: int
    skip: int


@dataclass(slots=True)
class _Peer:
    identity: bytes
    command_sequence: int = 0
    last_order_id: int = 0
    report_sequence: int = 0
    unacknowledged: deque[_SentFrame] = field(default_factory=deque)


class EngineEnd:
    """The engine's end of every order link, one peer a source.

    The caller takes what `receive` returns, handles it wholly, then says so with `report`.
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._peers: dict[int, _Peer] = {}
        self._source_by_identity: dict[bytes, int] = {}
        self._outbox: deque[tuple[bytes, Frames]] = deque()

    def receive(self, identity: bytes, frames: Frames) -> CommandBatch | None:
        """Take what came from the peer with this ZeroMQ identity; return the commands in it that are new.

        Raises:
            LinkError: if the frames are not of this protocol.
        """
        kind, *rest = _header(frames)
        if kind == Kind.HELLO:
            self._greet(identity, *rest)
            return None
        if kind != Kind.COMMANDS:
            raise LinkError(f"expected HELLO or COMMANDS from a source, was kind {kind}")
        source = self._source_by_identity.get(identity)
        epoch, first, count, report_sequence = rest
        if source is None or epoch != self._epoch:
            # From before our restart or its reconnection: a report of no known epoch makes the source say hello.
            self._outbox.append((identity, _frames(b"", Kind.REPORTS, 0, 1, 0, 0)))
            return None
        peer = self._peers[source]
        self._forget(peer, report_sequence)
        if first > peer.command_sequence + 1:
            self._welcome(peer)  # a gap: ask for the rest
            return None
        if count == 0:
            self.report(source, ())  # a heartbeat: its answer shows the source whether it has all its reports
            return None
        skip = peer.command_sequence + 1 - first
        if skip >= count or len(peer.unacknowledged) >= UNACKNOWLEDGED_FRAMES_MAX:
            return None  # nothing new, or the source does not take its reports: its commands wait
        return CommandBatch(source, frames[1], count, skip)

    def report(self, source: int, events: Sequence[Event], handled: int = 0, last_order_id: int = 0) -> None:
        """Tell a source what happened to its orders, and that `handled` more of its commands are completely done.

        Events for a source that has never said hello are dropped: nobody knows it.
        """
        peer = self._peers.get(source)
        if peer is None:
            return
        peer.command_sequence += handled
        peer.last_order_id = max(peer.last_order_id, last_order_id)
        frame = _SentFrame(peer.report_sequence + 1, len(events), encode_all(events), peer.command_sequence)
        peer.report_sequence += len(events)
        if events:
            peer.unacknowledged.append(frame)
        self._outbox.append((peer.identity, self._reports(frame)))

    def outgoing(self) -> list[tuple[bytes, Frames]]:
        """Return and forget what must now be sent, each with the identity of its peer."""
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    def _greet(self, identity: bytes, source: int, epoch: int, report_sequence: int, is_fresh: int) -> None:
        peer = self._peers.setdefault(source, _Peer(identity))
        self._source_by_identity.pop(peer.identity, None)
        self._source_by_identity[identity] = source
        peer.identity = identity
        if is_fresh or epoch != self._epoch:
            peer.unacknowledged.clear()
        else:
            self._forget(peer, report_sequence)
        self._welcome(peer)
        self._outbox.extend((identity, self._reports(frame)) for frame in peer.unacknowledged)
        self.report(source, ())

    def _welcome(self, peer: _Peer) -> None:
        header = (Kind.WELCOME, self._epoch, peer.command_sequence, peer.report_sequence, peer.last_order_id)
        self._outbox.append((peer.identity, _frames(b"", *header)))

    def _reports(self, frame: _SentFrame) -> Frames:
        return _frames(frame.payload, Kind.REPORTS, self._epoch, frame.first, frame.size, frame.acknowledges)

    @staticmethod
    def _forget(peer: _Peer, report_sequence: int) -> None:
        while peer.unacknowledged and peer.unacknowledged[0].last <= report_sequence:
            peer.unacknowledged.popleft()
