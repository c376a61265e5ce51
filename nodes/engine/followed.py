"""The primary's side of a standby: sends on what is journaled, and knows how far the standby is."""

from collections.abc import Callable

from bus.channel import ChannelSocket
from bus.order_link import Frames, LinkError
from bus.standby_frames import NOWHERE, TOPIC, Position
from bus.standby_link import PrimaryEnd
from journal.journal import Journal
from market.clock import NS_PER_MS, NS_PER_SECOND
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.journal_past import JournalPast

TICK_MS = 50
HASH_NS = 10 * NS_PER_SECOND  # between two hashes of the state, which the standby compares with its own
AHEAD_RECORDS_MAX = 8_192  # of the standby that is waited for; then no more commands are taken
STALL_NS = NS_PER_SECOND  # without progress, after which nothing is taken and nothing told that would be held back
_PIECES_PER_WORD = 2  # sent for each word of the standby: so many times 64 KiB are read while orders wait


class Followed:
    """An engine that a standby may follow.

    Args:
        core: recovered.
        journal: its own, in which records are written.
        socket: the channel of snapshots.
        term: ours.
        on_bad_frame: is told why a frame is none, and what of the journal cannot be read.
        is_awaited: whether nothing is acknowledged that the standby has not kept.

    Attributes:
        is_stalled: whether acknowledgements have waited for the standby for long.
    """

    def __init__(
        self,
        core: EngineCore,
        journal: Journal[CommandRecord],
        socket: ChannelSocket,
        term: int,
        on_bad_frame: Callable[[str], None],
        *,
        is_awaited: bool,
    ) -> None:
        self.is_awaited = is_awaited
        self.is_stalled = False
        self._core = core
        self._journal = journal
        self._socket = socket
        self._on_bad_frame = on_bad_frame
        self._past = JournalPast(journal.folder, journal.figures, on_bad_frame)
        self._told = NOWHERE  # so far the standby may be told
        self._end = PrimaryEnd(core.epoch, self._past, self._tellable(), term, is_awaited=is_awaited)
        self._hashed_sequence = 0
        self._hashed_ns = 0
        self._has = 0  # at the last tick
        self._moved_ns: int | None = None  # when it had got on, or all; None: the next tick starts to count

    @property
    def acknowledged_sequence(self) -> int:
        """The sequence up to which records may be acknowledged as far as the standby goes."""
        return self._end.has if self.is_awaited else self._journal.sequence

    @property
    def may_checkpoint(self) -> bool:
        """Whether a checkpoint may be taken: whoever waits for a standby first hears what that one has.

        A disk that has lost the end of our journal lets us write other records in their place. A standby that has the
        lost ones sees that as long as no checkpoint stands behind them; then it would begin anew, and forget them.
        """
        return not self.is_awaited or self._end.is_agreed

    @property
    def has_all(self) -> bool:
        """Whether a standby that is there, or is waited for, has all that we have."""
        is_needed = self.is_awaited or self._end.is_followed
        return not is_needed or self._end.has == self._journal.sequence

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be taken before the standby gets on: else what is held back would grow for ever."""
        ahead = self._journal.sequence - self._end.has
        return self.is_stalled or (self.is_awaited and ahead >= AHEAD_RECORDS_MAX)

    def receive(self, identity: bytes, frames: Frames, now_ns: int) -> None:
        """Take what a standby says, and send what it has room for.

        Raises:
            SupersededError: if another engine is primary.
        """
        try:
            self._end.receive(identity, frames, now_ns)
        except LinkError as error:
            self._on_bad_frame(str(error))
        self._send(_PIECES_PER_WORD)

    def journaled(self, now_ns: int) -> None:
        """Send on what was just journaled, or synced."""
        self._end.journaled(self._tellable(), now_ns)
        self._send(1)

    def tick(self, now_ns: int) -> None:
        """Say that we are here, what sources have, and now and then what the state is; `now_ns` is monotonic."""
        if self._has != self._end.has or self._end.has == self._journal.sequence or self._moved_ns is None:
            self._has, self._moved_ns = self._end.has, now_ns
        self.is_stalled = self.is_awaited and now_ns - self._moved_ns > STALL_NS
        for source, number in self._core.links.take_heard().items() if self._end.is_level else ():
            self._end.heard(source, number)
        self._end.tick(now_ns)
        self._send(1)
        sequence = self._journal.sequence
        is_level = self._end.is_level and self._told.sequence == sequence
        if is_level and sequence != self._hashed_sequence and now_ns - self._hashed_ns > HASH_NS:
            self._hashed_sequence, self._hashed_ns = sequence, now_ns
            self._end.hashed(sequence, self._core.engine.state_hash())
            self._send(1)

    def figures(self, now_ns: int) -> dict[str, object]:
        """Return what `status` shows of the standby."""
        is_there, lag = self._end.is_followed, self._end.lag
        waits = f"{lag:,} records wait for a standby, nothing is acknowledged" if self.is_stalled else ""
        return {
            "standby_follows": is_there,
            "standby_lag": lag if is_there else None,
            "standby_lag_ms": round(self._end.lag_ns(now_ns) / NS_PER_MS, 1) if is_there else None,
            "waits_for": waits,
        }

    def close(self) -> None:
        """Let go of the journal's files."""
        self._past.close()

    def _tellable(self) -> Position:
        """Return where what may be told ends: of a journal that is synced, what the disk has.

        Else a power failure here would leave the standby with more than we have, and it follows nobody who lacks that.
        """
        journal = self._journal
        if journal.acknowledged_sequence == journal.sequence and journal.last is not None:
            self._told = Position(journal.sequence, journal.last.crc)
            self._past.last_sequence = journal.sequence
        return self._told

    def _send(self, pieces: int) -> None:
        """Send what there is to say, and so many times some records."""
        for _ in range(pieces):
            for identity, frames in self._end.outgoing():
                self._socket.send([identity, TOPIC, *frames])
            if not self._end.is_behind:
                break
