"""The standby's end of the standby link: what the primary tells, in the order of its journal, and what is said of it.

The link, and the primary's end of it: bus/standby_link.py.
"""

from collections import deque
from typing import Final, NamedTuple

from bus.order_link import Frames, LinkError, check_step
from bus.standby_frames import HASH_BYTES, NOWHERE, Awaited, Kind, Position, header_of, standby_frames

CHECKPOINT_BYTES_MAX: Final = 1 << 32
RETRY_NS: Final = 1_000_000_000  # of silence, after which a standby asks again


class Begin(NamedTuple):
    """The standby is to forget what it has, and to go on behind a record; `begun` acknowledges what is kept of it.

    Attributes:
        content: what the primary's `Past.beginning` has given.
    """

    epoch: int
    position: Position
    content: bytes


class Arrived(NamedTuple):
    """Records of whole turns have come, the next `size` ones: to be kept before anything else is received."""

    first: int
    size: int
    payload: bytes


class Heard(NamedTuple):
    """A source has its reports up to this number: they need not be kept for it."""

    source: int
    report_sequence: int


class Hashed(NamedTuple):
    """The primary's state behind a record; whoever is there compares."""

    sequence: int
    state_hash: int


News = Begin | Arrived | Heard | Hashed


class StandbyEnd:
    """The standby's end.

    Args:
        who: we are: another number than any other standby's, and the same after a restart.
        epoch: of the journal that it has, 0 if it has none.
        position: where that ends.
        term: the highest that it knows.

    Attributes:
        last: where the primary's journal ends, as far as it has told.
        is_refused: whether another standby follows.
        is_awaited: whether the primary acknowledges nothing that we have not kept; None if it has not said.
        is_doubtful: whether it may have acknowledged what we have not kept, as it has last said, though it waits for us
            or for another one now.
        is_level: whether we had all that the primary had, when it was last heard of.
        outdated_term: of a primary that we do not follow, for we know of a later one; 0 if there is none.
    """

    def __init__(self, who: int, epoch: int = 0, position: Position = NOWHERE, term: int = 0) -> None:
        self.last = position.sequence
        self.is_refused = False
        self.is_awaited: bool | None = None
        self.is_doubtful = False
        self.is_level = False
        self.term = term
        self.outdated_term = 0
        self._who = who
        self._epoch = epoch
        self._position = position
        self._heard_ns: int | None = None  # None: the next tick starts to count
        self._asked_ns: int | None = None  # likewise
        self._slices: list[bytes] = []
        self._is_last_told = False  # since we asked
        self._is_asking = True
        self._outbox: deque[Frames] = deque()
        self._ask()

    @property
    def lag(self) -> int:
        """How many records of the primary are not kept here, as far as is known."""
        return max(0, self.last - self._position.sequence)

    @property
    def is_following(self) -> bool:
        """Whether the primary has taken us on."""
        return not self._is_asking

    def silent_ns(self, now_ns: int) -> int:
        """Return for how long nothing has come from the primary; `now_ns` as for `tick`."""
        return 0 if self._heard_ns is None else now_ns - self._heard_ns

    def receive(self, frames: Frames) -> News | None:
        """Take what came from the primary and return what it means to us; `keep` acknowledges what is kept of it.

        `term` may be higher then: it is to be kept for good before anything else is.

        Raises:
            LinkError: if the frames are not of this protocol.
        """
        kind, epoch, first, count, last, size, term = header_of(frames)
        if kind not in list(Kind) or kind in (Kind.FOLLOW, Kind.HAVE, Kind.TERM):
            raise LinkError(f"expected a primary's frame, was kind {kind}")
        check_step(term, self.term)
        if term < self.term:
            self.outdated_term = term
            return None
        self.term, self.outdated_term, self._heard_ns = term, 0, None
        self.is_refused = kind == Kind.REFUSED
        if kind == Kind.CHECKPOINT:
            return self._slice(epoch, Position(first, count), last, size, frames[1])
        if kind == Kind.REFUSED:
            self._is_asking = self.is_doubtful = True
        elif kind == Kind.STRANGER or epoch != self._epoch:
            self._ask_once()
        elif kind == Kind.RECORDS:
            self.is_awaited, self.is_doubtful = size != Awaited.NO, size == Awaited.DOUBTFUL
            return self._records(first, count, last, frames[1])
        elif kind == Kind.HEARD:
            return Heard(first, count)
        elif len(frames[1]) != HASH_BYTES:
            raise LinkError(f"expected a hash of {HASH_BYTES} bytes, were {len(frames[1])}")
        else:
            return Hashed(first, int.from_bytes(frames[1], "little"))
        return None

    def begun(self, begin: Begin) -> None:
        """Say that we have forgotten what was, and have what to begin with."""
        self._epoch, self.last, self._is_asking = begin.epoch, begin.position.sequence, False
        self.keep(begin.position)

    def keep(self, position: Position) -> None:
        """Say that all up to a record is kept."""
        self._position = position
        self.is_level = self._is_last_told and self.lag == 0
        self._say_have()

    def tick(self, now_ns: int) -> None:
        """Ask again if the primary is silent, and say that we are here; several times a second, `now_ns` monotonic."""
        self._heard_ns = now_ns if self._heard_ns is None else self._heard_ns
        self._asked_ns = now_ns if self._asked_ns is None else self._asked_ns
        is_silent = now_ns - self._heard_ns > RETRY_NS
        if (is_silent or self._is_asking) and now_ns - self._asked_ns > RETRY_NS:
            self._ask()
        elif not self._is_asking:
            self._say_have()

    def outgoing(self) -> list[Frames]:
        """Return and forget what must now be sent."""
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    def _say_have(self, offset: int = 0) -> None:
        header = (Kind.HAVE, self._epoch, self._position.sequence, offset)
        self._outbox.append(standby_frames(b"", self.term, *header))

    def _ask_once(self) -> None:
        if not self._is_asking:
            self._ask()

    def _ask(self) -> None:
        self._is_asking, self._asked_ns = True, None
        self._is_last_told = self.is_level = False
        self._slices.clear()
        self._outbox.append(standby_frames(b"", self.term, Kind.FOLLOW, self._epoch, *self._position, self._who))

    def _slice(self, epoch: int, position: Position, offset: int, size: int, payload: bytes) -> Begin | None:
        if size > CHECKPOINT_BYTES_MAX:
            raise LinkError(f"expected a checkpoint of at most {CHECKPOINT_BYTES_MAX:,} bytes, were {size:,}")
        if not self._is_asking:
            return None  # asked for twice: to begin anew would lose for a moment what is said to be kept
        if offset == 0:
            self._slices.clear()
        had = sum(map(len, self._slices))
        if offset != had:
            return None  # asked for again when the retry time has passed
        self._slices.append(payload)
        self._asked_ns = None  # it is coming
        had += len(payload)
        self._outbox.append(standby_frames(b"", self.term, Kind.HAVE, epoch, 0, had))
        if had < size:
            return None
        content = b"".join(self._slices)
        self._slices.clear()
        return Begin(epoch, position, content)

    def _records(self, first: int, count: int, last: int, payload: bytes) -> Arrived | None:
        self.last = last
        expected = self._position.sequence + 1
        if first > expected or first < expected < first + count:
            self._ask_once()  # a frame is missing
            return None
        if first != expected:
            return None  # it was on its way when we asked
        self._is_asking, self._is_last_told, self.is_level = False, True, self.lag == 0
        return Arrived(first, count, payload) if count else None
