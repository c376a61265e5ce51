"""The standby link: what a primary engine journals, told to one standby that keeps the same, as both ends see it.

Both ends are pure, as those of the order link (bus/order_link.py): frames go in, frames come out, and the caller owns
the socket, the clock and the disk. A frame is `[header, payload]`: the header a msgpack array of seven integers.

Records go out in the order of the journal, whole turns of the engine together. The standby keeps them and says how far
it is; so it has a beginning of the journal at any moment, and its end is known on both sides. Whoever misses a frame
asks again from what it has. A standby whose journal is not a beginning of the primary's is given the primary's newest
checkpoint, in slices, and goes on behind that.

A *term* counts who has been primary in turn. Every frame has it: a standby takes nothing of a lower term than it knows,
and a primary that hears of a higher one is none any more.
"""

from collections import deque
from typing import Final, NamedTuple, Protocol

from bus.order_link import Frames, LinkError, SupersededError, check_step
from bus.standby_frames import HASH_BYTES, NOWHERE, Awaited, Kind, Position, header_of, standby_frames

IN_FLIGHT_BYTES_MAX: Final = 8 << 20  # sent and not yet kept by the standby; beyond it the disk remembers
IN_FLIGHT_FRAMES_MAX: Final = 64  # likewise: what a socket has no room for is lost, and asked for again
SLICE_BYTES: Final = 1 << 19  # of a checkpoint
CATCH_UP_BYTES: Final = 1 << 16  # of records from the disk at once: orders wait meanwhile
BEAT_NS: Final = 250_000_000  # between two frames of the primary
SILENT_NS: Final = 2_000_000_000  # of a standby, after which another one is let in


class Piece(NamedTuple):
    """Records of whole turns as the journal has them, one after the other.

    Attributes:
        first: the sequence of the first of `size` records.
        crc: of the last.
    """

    first: int
    size: int
    payload: bytes
    crc: int

    @property
    def end(self) -> Position:
        """Where the journal goes on behind them."""
        return Position(self.first + self.size - 1, self.crc)


class Past(Protocol):
    """The primary's journal as its disk has it."""

    def seek(self, position: Position) -> bool:
        """Go behind a record; return False if the journal has none such: it is pruned, or is another one there."""
        ...

    def read(self, bytes_max: int) -> Piece | None:
        """Return the whole turns that come next, at most so many bytes or one turn; None if pruned or damaged."""
        ...

    def beginning(self) -> tuple[Position, bytes]:
        """Return where one that has nothing begins, NOWHERE: at the first record; and what it needs, never empty."""
        ...


class PrimaryEnd:
    """The primary's end: one standby at a time; another is let in once that one is silent.

    Args:
        epoch: of the journal.
        past: its records.
        end: where it ends.
        term: ours.
        is_awaited: whether we acknowledge nothing that the standby has not kept, which it is told.

    Attributes:
        has: the sequence of the last record that the standby has kept, 0 if there is none.
        is_agreed: whether a standby has said that it has a record of ours, so that its journal is a beginning of ours.
    """

    def __init__(
        self, epoch: int, past: Past, end: Position = NOWHERE, term: int = 0, *, is_awaited: bool = False
    ) -> None:
        self.has = 0
        self.is_agreed = False
        self._epoch = epoch
        self._past = past
        self._end = end
        self._term = term
        self._is_awaited = is_awaited
        self._sent = NOWHERE
        self._who = 0
        self._unsure_until = 0  # up to there we may have acknowledged what `_who` has not kept
        self._identity: bytes | None = None
        self._content = b""  # of the checkpoint that is being sent
        self._sliced = self._slices_had = 0  # so much of it is sent, and kept
        self._in_flight: deque[tuple[int, int, int]] = deque()  # of each frame: its last record, its bytes, and when
        self._in_flight_bytes = 0
        self._now_ns = self._heard_ns = self._beat_ns = 0
        self._outbox: deque[tuple[bytes, Frames]] = deque()

    @property
    def is_followed(self) -> bool:
        """Whether a standby is there, as far as is known."""
        return self._identity is not None

    @property
    def is_level(self) -> bool:
        """Whether a standby is there, and has been sent all."""
        return self._identity is not None and self._sent == self._end and self._sliced == len(self._content)

    @property
    def lag(self) -> int:
        """How many records the standby has not kept, as far as is known."""
        return self._end.sequence - self.has

    def lag_ns(self, now_ns: int) -> int:
        """Return for how long what was sent and not kept is on its way; `now_ns` as for `tick`."""
        return now_ns - self._in_flight[0][2] if self._in_flight else 0

    def receive(self, identity: bytes, frames: Frames, now_ns: int) -> None:
        """Take what came from a peer; `now_ns` is monotonic.

        Raises:
            LinkError: if the frames are not of this protocol, or we have nothing that the standby could begin with.
            SupersededError: if another engine is primary, of a higher term.
        """
        kind, epoch, sequence, crc, who, _, term = header_of(frames)
        if kind not in (Kind.FOLLOW, Kind.HAVE, Kind.TERM):
            raise LinkError(f"expected FOLLOW, HAVE or TERM from a standby, was kind {kind}")
        check_step(term, self._term)
        if term > self._term:
            raise SupersededError(term)
        self._now_ns = now_ns
        if kind == Kind.FOLLOW:
            if self._identity not in (None, identity) and who != self._who:
                self._answer(identity, Kind.REFUSED)
                return
            self._unsure_until = max(self._unsure_until, self.has) if who == self._who else self._end.sequence
            self._identity, self._who, self._heard_ns = identity, who, now_ns
            self._begin(Position(sequence, crc) if epoch == self._epoch else None)
            if self._identity is None:
                raise LinkError("expected a checkpoint for a standby that lacks what is pruned, and none is good")
        elif kind == Kind.HAVE and identity != self._identity:
            self._answer(identity, Kind.STRANGER)
        elif kind == Kind.HAVE and epoch == self._epoch:
            if sequence > self._end.sequence:
                raise LinkError(f"expected at most record {self._end.sequence:,}, was {sequence:,}")
            self._heard_ns = now_ns
            self._slices_had = max(self._slices_had, min(crc, self._sliced))
            self.is_agreed = self.is_agreed or sequence > 0
            self._kept(sequence)

    def journaled(self, end: Position, now_ns: int) -> None:
        """Note where the journal ends now, whole turns of it."""
        self._end, self._now_ns = end, now_ns

    def heard(self, source: int, report_sequence: int) -> None:
        """Tell which reports a source has."""
        self._tell(Kind.HEARD, source, report_sequence)

    def hashed(self, sequence: int, state_hash: int) -> None:
        """Tell what the state hash is behind a record, the last that was sent."""
        self._tell(Kind.HASH, sequence, payload=state_hash.to_bytes(HASH_BYTES, "little"))

    def tick(self, now_ns: int) -> None:
        """Say that we are here, and let go of a standby that is silent; several times a second, `now_ns` monotonic."""
        self._now_ns = now_ns
        if self._identity is None:
            return
        if now_ns - self._heard_ns > SILENT_NS:
            self._identity = None
            self._forget_in_flight()
        elif now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            self._tell(Kind.RECORDS, self._sent.sequence + 1, 0, self._end.sequence, self._awaited)

    def outgoing(self) -> list[tuple[bytes, Frames]]:
        """Return and forget what must now be sent, each with the identity of its peer: some records at a time."""
        if self.is_behind:
            if self._sliced < len(self._content):
                self._send_slice()
            else:
                piece = self._past.read(CATCH_UP_BYTES)
                self._begin(None) if piece is None else self._send(piece)
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    @property
    def _awaited(self) -> Awaited:
        if not self._is_awaited:
            return Awaited.NO
        return Awaited.YES if self.has >= self._unsure_until else Awaited.DOUBTFUL

    @property
    def is_behind(self) -> bool:
        """Whether `outgoing` has something to send that the standby has room for."""
        if self._identity is None or self.is_level:
            return False
        bytes_out = self._in_flight_bytes + self._sliced - self._slices_had
        return bytes_out < IN_FLIGHT_BYTES_MAX and len(self._in_flight) < IN_FLIGHT_FRAMES_MAX

    def _begin(self, position: Position | None) -> None:
        """Go on behind what the standby has; if that is not of this journal, from the beginning that it is given."""
        self._forget_in_flight()
        self._content, self._sliced, self._slices_had = b"", 0, 0
        if position is not None and self._past.seek(position):
            self.has = position.sequence
        else:
            position, self._content = self._past.beginning()
            assert self._content, "expected something to begin with"
            self.has = 0
            if not self._past.seek(position):
                self._identity = None  # it asks again; our next checkpoint may be good
        self._sent = position

    def _kept(self, sequence: int) -> None:
        self.has = max(self.has, sequence)
        while self._in_flight and self._in_flight[0][0] <= sequence:
            self._in_flight_bytes -= self._in_flight.popleft()[1]

    def _forget_in_flight(self) -> None:
        self._in_flight.clear()
        self._in_flight_bytes = 0

    def _send_slice(self) -> None:
        at = self._sliced
        part = self._content[at : at + SLICE_BYTES]
        self._sliced += len(part)
        self._tell(Kind.CHECKPOINT, *self._sent, at, len(self._content), payload=part)

    def _send(self, piece: Piece) -> None:
        self._sent = piece.end
        self._in_flight.append((piece.end.sequence, len(piece.payload), self._now_ns))
        self._in_flight_bytes += len(piece.payload)
        header = (piece.first, piece.size, self._end.sequence, self._awaited)
        self._tell(Kind.RECORDS, *header, payload=piece.payload)

    def _tell(self, kind: Kind, *header: int, payload: bytes = b"") -> None:
        if self._identity is not None:
            frames = standby_frames(payload, self._term, kind, self._epoch, *header)
            self._outbox.append((self._identity, frames))

    def _answer(self, identity: bytes, kind: Kind) -> None:
        self._outbox.append((identity, standby_frames(b"", self._term, kind, self._epoch)))
