"""The order link: commands one way, reports the other, each numbered, acknowledged, resent and deduplicated.

Both ends are pure: frames go in, frames come out, and the caller owns the socket and the clock. A frame is
`[header, payload]`: the header a small msgpack array, the payload messages one after the other.

Each direction is a numbered stream. Whoever sends keeps a frame until the other end has acknowledged it; whoever
receives drops what it has already had, and on a gap asks for the rest with HELLO (source) or WELCOME (engine): once,
and again when a retry time or a heartbeat has passed. An engine that starts with an empty memory begins a new epoch:
both streams start anew, and the source is told.

A frame of a connection that is gone may be read after the first frame of the next one. So a source that starts takes an
incarnation that is higher than those before, and the engine lets nobody of a lower one in; should it be lower because
the clock was set back, the engine says which one to surpass.
"""

from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, cast

import msgpack

from market.codec import decode_events, encode_all
from market.commands import Command
from market.events import Event
from market.limits import BATCH_MESSAGES_MAX, ID_MAX, UNACKNOWLEDGED_FRAMES_MAX

Frames = list[bytes]
TERM_STEP_MAX = 1_000_000  # terms between two that meet: beyond it the number is no term, and nobody is ended by it
SILENT_RETRIES = 4  # unanswered for so many retry times, the engine is held to be gone
_HEADER_BYTES_MAX = 64  # seven integers


class Kind(IntEnum):
    """The first integer of a header."""

    HELLO = 1  # source: [kind, source, epoch, report_sequence, incarnation, term]; epoch 0: it remembers none
    WELCOME = 2  # engine: [kind, epoch, command_sequence, report_sequence, last_order_id, feed_epoch, term]
    COMMANDS = 3  # source: [kind, epoch, first_sequence, count, report_sequence]
    REPORTS = 4  # engine: [kind, epoch, first_sequence, count, command_sequence]
    STRANGER = 5  # engine: [kind, incarnation, 0, 0, 0]; say HELLO, with a higher incarnation than that


_INTEGERS_MAX: dict[int, int] = {Kind.HELLO: 6, Kind.WELCOME: 7}  # of a header: five, or of these up to so many


class LinkError(Exception):
    """The other end sent what no end of an order link sends."""


class SupersededError(Exception):
    """Another engine is primary now: somebody knows of a `term` that is higher than ours."""

    def __init__(self, term: int) -> None:
        super().__init__(f"another engine has taken our place, with term {term}")
        self.term = term


class LostTailError(Exception):
    """A source has had reports of this epoch that the engine has never told: it has forgotten, and must not go on.

    Its next ones would have the numbers of those that it has lost, and be taken for them.
    """

    def __init__(self, source: int, theirs: int, ours: int) -> None:
        super().__init__(f"source {source} has had {theirs} reports, and {ours} were told")
        self.source = source
        self.theirs = theirs
        self.ours = ours


class Connected(NamedTuple):
    """The engine answered, and takes commands.

    `command_sequence`: the last of our commands that needs no waiting for: it is reported completely, or it is from
    before our restart, and its reports may still follow.
    `report_sequence`: in a new epoch, the number of the last report that it will not send again.
    `last_order_id`: the highest id of ours that it has seen (0: none); ids start after it.
    `is_new_epoch`: the engine is not the one that we knew, or we remember none, or reports are lost for good because we
    were away for too long: what should rest must be compared and entered again.
    `feed_epoch`: of the feed of the same process, 0 if it is not told: trades on that feed are numbered in `epoch`.
    """

    epoch: int
    command_sequence: int
    report_sequence: int
    last_order_id: int
    is_new_epoch: bool
    feed_epoch: int = 0


class Reports(NamedTuple):
    """Events of our orders, in the engine's order; every command up to `command_sequence` is completely handled.

    `report_sequence` is the number of the last event; pass it to a new SourceEnd to resume after it. The next `send` or
    `tick` acknowledges it: what must not be lost has to be kept for good before.
    """

    epoch: int
    events: list[Event]
    report_sequence: int
    command_sequence: int


class RawReports(NamedTuple):
    """Reports as their bytes, for a source that decodes them itself: `size` events from number `first_sequence` on.

    The first `skip` of them are old. All else is as in Reports.
    """

    epoch: int
    payload: bytes
    first_sequence: int
    size: int
    skip: int
    report_sequence: int
    command_sequence: int


class SentFrame(NamedTuple):
    """A frame that its sender keeps until the other end has acknowledged it."""

    first: int
    size: int
    payload: bytes
    acknowledges: int = 0  # in a frame of reports: the last command that was completely handled with it

    @property
    def last(self) -> int:
        """The number of its last message."""
        return self.first + self.size - 1


def header_of(frames: Frames) -> list[int]:
    """Return the five integers of a frame's header; a HELLO may have a sixth, a WELCOME a sixth and a seventh.

    Raises:
        LinkError: if it has another form.
    """
    header = integers_of(frames, "five")
    if len(header) < 5 or len(header) > _INTEGERS_MAX.get(header[0], 5):
        raise LinkError(f"expected a header of five integers, was {str(header)[:60]}")
    return header


def integers_of(frames: Frames, wanted: str) -> list[int]:
    """Return the integers of the header of a frame, however many, where a `wanted` number of them is expected.

    Raises:
        LinkError: if it is no frame of a header and a payload, or has anything else in its header.
    """
    try:
        head, _ = frames
        header = msgpack.unpackb(head[: _HEADER_BYTES_MAX + 1])
    except (ValueError, msgpack.UnpackException) as error:
        raise LinkError(f"expected a link header and a payload: {str(error) or type(error).__name__}") from None
    if type(header) is not list or any(type(number) is not int or not 0 <= number <= ID_MAX for number in header):
        raise LinkError(f"expected a header of {wanted} integers, was {str(header)[:60]}")
    return cast("list[int]", header)


def check_step(theirs: int, ours: int) -> None:
    """Take a number for a term, or not: after the highest one no higher one would be left for a promotion.

    Raises:
        LinkError: if so many engines cannot have been primary since.
    """
    if theirs - ours > TERM_STEP_MAX:
        raise LinkError(f"expected a term of at most {ours + TERM_STEP_MAX:,}, was {theirs:,}")


def term_of(term: int) -> tuple[int, ...]:
    """Return what a header has of a term: that of the first engine, 0, is not told."""
    return (term,) if term else ()


def link_frames(payload: bytes, *header: int) -> Frames:
    """Return a frame as it is sent."""
    return [msgpack.packb(header), payload]


class SourceEnd:
    """The end that sends commands: a gateway, the paper exchange, a flow.

    Args:
        source: our number among the sources.
        incarnation: higher than at our last start: the time of day, ns since 1970.
        resume: epoch and number of the last report that we have kept for good, (0, 0) if we keep nothing.
        retry_ns: how long to wait for an answer before asking again.

    Attributes:
        is_connected: whether the engine has answered and takes commands.
        acknowledged: the number of the last command that the engine has completely handled.
        term: the highest that we know of who has been engine in turn; we go with no engine of a lower one.
        is_outdated: whether the last one that has answered is of a lower term: another one is in its place.
    """

    def __init__(
        self, source: int, incarnation: int, resume: tuple[int, int] = (0, 0), retry_ns: int = 500_000_000
    ) -> None:
        self._source = source
        self._incarnation = incarnation
        self._retry_ns = retry_ns
        self._epoch, self._report_sequence = resume
        self.term = 0
        self.is_connected = False
        self.is_outdated = False
        self._is_away = False  # from an engine to another one: what still comes is of the former
        self._was_welcomed = False
        self._next_sequence = 1
        self.acknowledged = 0
        self._unacknowledged: deque[SentFrame] = deque()
        self._is_report_owed = False
        self._last_heard_ns: int | None = None  # None: the next tick starts to count
        self._last_sent_ns = 0
        self._asked_ns: int | None = None  # likewise
        self._outbox: deque[Frames] = deque()
        self._is_asking = False  # a HELLO is on its way: another would bring everything twice
        self._ask()

    @property
    def is_full(self) -> bool:
        """Whether so many commands wait for the engine that the caller must wait too."""
        return len(self._unacknowledged) >= UNACKNOWLEDGED_FRAMES_MAX

    @property
    def sent(self) -> int:
        """The number of the last command that was sent."""
        return self._next_sequence - 1

    def send(self, commands: Sequence[Command]) -> int:
        """Queue commands for the engine and return the number of the last one.

        Raises:
            ConnectionError: while the engine has not answered, or when it is far behind.
        """
        self._check_open()
        for start in range(0, len(commands), BATCH_MESSAGES_MAX):
            batch = commands[start : start + BATCH_MESSAGES_MAX]
            self.send_encoded(encode_all(batch), len(batch))
        return self._next_sequence - 1

    def send_encoded(self, payload: bytes, count: int) -> int:
        """Queue one frame of commands that are bytes already, at most `BATCH_MESSAGES_MAX`, as `send` does.

        Raises:
            ConnectionError: as `send`.
        """
        assert 0 < count <= BATCH_MESSAGES_MAX, f"expected 1 to {BATCH_MESSAGES_MAX} commands, was {count}"
        self._check_open()
        frame = SentFrame(self._next_sequence, count, payload)
        self._next_sequence += count
        self._unacknowledged.append(frame)
        self._outbox.append(self._commands(frame))
        return self._next_sequence - 1

    def _check_open(self) -> None:
        if not self.is_connected or self.is_full:
            raise ConnectionError("the engine does not answer" if not self.is_connected else "the engine is far behind")

    def receive(self, frames: Frames) -> list[Connected | Reports]:
        """Take what came from the engine and return what it means to us.

        Raises:
            LinkError: if the frames are not of this protocol.
            MalformedMessageError: if the reports in them are not events.
        """
        return cast("list[Connected | Reports]", self._receive(frames, is_raw=False))

    def receive_raw(self, frames: Frames) -> list[Connected | RawReports]:
        """Do as `receive`, but leave the reports to the caller to decode and to check.

        Raises:
            LinkError: if the frames are not of this protocol.
        """
        return cast("list[Connected | RawReports]", self._receive(frames, is_raw=True))

    def _receive(self, frames: Frames, *, is_raw: bool) -> list[Connected | Reports | RawReports]:
        kind, *rest = header_of(frames)
        self._last_heard_ns = None
        if kind == Kind.WELCOME:
            return self._welcomed(*rest)
        if kind == Kind.STRANGER:
            self._introduce(rest[0])
            return []
        if kind != Kind.REPORTS:
            raise LinkError(f"expected WELCOME, REPORTS or STRANGER from the engine, was kind {kind}")
        epoch, first, count, command_sequence = rest
        if self._is_away:
            return []
        if not self.is_connected:
            self._ask()  # only a WELCOME connects: whoever waits for the engine is told once, by Connected
        if not self._was_welcomed or epoch != self._epoch:
            self._ask()
            return []
        return self._reported(first, count, command_sequence, frames[1], is_raw=is_raw)

    def tick(self, now_ns: int) -> None:
        """Ask again if the engine owes us an answer; acknowledge its reports; say that we are here.

        Call it several times a second with a monotonic clock. The heartbeat is also how a source without commands
        learns that the engine has started anew.
        """
        if self._last_heard_ns is None:
            self._last_heard_ns = now_ns
        if self._asked_ns is None:
            self._asked_ns = now_ns
        silence_ns = now_ns - self._last_heard_ns
        if silence_ns > SILENT_RETRIES * self._retry_ns:
            self.is_connected = False
        is_unanswered = silence_ns > self._retry_ns and bool(self._unacknowledged or not self.is_connected)
        if (self._is_asking or is_unanswered) and now_ns - self._asked_ns > self._retry_ns:
            self._is_asking = False
            self._ask()
        elif self.is_connected and (self._is_report_owed or now_ns - self._last_sent_ns > self._retry_ns):
            self._last_sent_ns = now_ns
            self._is_report_owed = False
            self._outbox.append(
                link_frames(b"", Kind.COMMANDS, self._epoch, self._next_sequence, 0, self._report_sequence)
            )

    def turn_to_another(self) -> None:
        """Know that from now on our frames go to another engine: say HELLO, and hear nothing before it answers."""
        self.is_connected, self.is_outdated, self._is_away, self._is_asking = False, False, True, False
        self._outbox.clear()
        self._ask()

    def outgoing(self) -> list[Frames]:
        """Return and forget what must now be sent."""
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    def _ask(self) -> None:
        if not self._is_asking:
            self._is_asking, self._asked_ns = True, None
            header = (Kind.HELLO, self._source, self._epoch, self._report_sequence, self._incarnation)
            self._outbox.append(link_frames(b"", *header, *term_of(self.term)))

    def _introduce(self, incarnation: int) -> None:
        if incarnation > self._incarnation:
            self._incarnation = incarnation + 1
            self._is_asking = False  # that one was refused
        self._ask()

    def _commands(self, frame: SentFrame) -> Frames:
        return link_frames(frame.payload, Kind.COMMANDS, self._epoch, frame.first, frame.size, self._report_sequence)

    def _welcomed(
        self,
        epoch: int,
        command_sequence: int,
        report_sequence: int,
        last_order_id: int,
        feed_epoch: int = 0,
        term: int = 0,
    ) -> list[Connected | Reports | RawReports]:
        check_step(term, self.term)
        self.is_outdated = term < self.term
        if self.is_outdated:
            return []
        self.term, self._is_away = term, False
        is_lossy = report_sequence > self._report_sequence
        is_new_epoch = epoch != self._epoch or is_lossy
        if epoch != self._epoch or not self._was_welcomed:
            # We come back to an engine that knows more of us than we do (our restart), or less (its restart).
            self._unacknowledged.clear()
            self._next_sequence = command_sequence + 1
            self.acknowledged = 0
            done = command_sequence
        else:
            done = self.acknowledged
        if is_new_epoch:
            self._report_sequence = report_sequence
        self._epoch, self.is_connected, self._was_welcomed, self._is_asking = epoch, True, True, False
        self._forget(command_sequence)
        self._outbox.extend(self._commands(frame) for frame in self._unacknowledged)
        return [Connected(epoch, done, self._report_sequence, last_order_id, is_new_epoch, feed_epoch)]

    def _reported(
        self, first: int, count: int, command_sequence: int, payload: bytes, *, is_raw: bool
    ) -> list[Connected | Reports | RawReports]:
        if first > self._report_sequence + 1:
            self._ask()
            return []
        events = [] if is_raw else decode_events(payload)
        if not is_raw and len(events) != count:
            raise LinkError(f"expected {count} reports in the frame, was {len(events)}")
        skip = min(self._report_sequence + 1 - first, count)
        if skip < count:
            self._report_sequence = first + count - 1
            self._is_report_owed = True
        elif command_sequence <= self.acknowledged:
            return []
        self.acknowledged = max(self.acknowledged, command_sequence)
        self._forget(command_sequence)
        position = (self._report_sequence, self.acknowledged)
        if is_raw:
            return [RawReports(self._epoch, payload, first, count, skip, *position)]
        return [Reports(self._epoch, events[skip:], *position)]

    def _forget(self, command_sequence: int) -> None:
        while self._unacknowledged and self._unacknowledged[0].last <= command_sequence:
            self._unacknowledged.popleft()
