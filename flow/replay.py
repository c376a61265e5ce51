"""Replays recordings: the paper book follows the recorded one, recorded trades hit it, at any speed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from flow.book_mirror import BookMirror
from flow.order_flow import Figure
from flow.recordings.playlist import Part, is_complete, no_book_error, read_part
from flow.recordings.recording import Record
from flow.recordings.trade_placement import place_trades
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.commands import Command
from market.events import Event
from market.instrument import Instrument

_IN_FLIGHT_MAX = 20_000  # commands without an answer, beyond which the recording waits

_PAUSE_NS = NS_PER_MS  # between two parts: so that the shortest loop takes time


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How recordings are replayed.

    Attributes:
        parts: what is replayed, one after the other; see `flow.recordings.playlist`.
        speed: recorded seconds per second.
        opening_s: how long the first book stands still before the recording runs.
        is_looping: whether the first part follows on the last.
        queue_model: where in its queue a decrease that was no trade has left; see `flow.queue_models`.
        seed: of the dice of the queue model.
        trade_window_ms: how far a trade may be brought forward, to just before the best prices that show its effect;
            see `flow.recordings.trade_placement`. 0 leaves every trade where it was recorded.
        reach_bps: recorded levels farther than this from the mid are left out.
    """

    parts: tuple[Part, ...]
    speed: float = 1.0
    opening_s: float = 0.0
    is_looping: bool = False
    queue_model: str = "behind"
    seed: int = 1
    trade_window_ms: int = 50
    reach_bps: int = 1_000


class ReplayFlow:
    """One run through recordings of one symbol; at the end of the last the book stays as it is.

    Attributes:
        starts_ns: the recorded time of the first record after the first snapshot.
    """

    def __init__(self, instrument: Instrument, settings: ReplaySettings, owner: int, order_ids: Iterator[int]) -> None:
        """Read up to the first snapshot.

        Raises:
            OSError: if a file cannot be read; `step` raises it, too, for a later one.
            RecordingError: if one is malformed, of another symbol, or without a snapshot; `step` raises it, too.
        """
        self._settings = settings
        self._instrument = instrument
        self._mirror = BookMirror(
            instrument.symbol_id, owner, order_ids, settings.reach_bps, settings.queue_model, settings.seed
        )
        self._parts = iter(cycle(settings.parts) if settings.is_looping else settings.parts)
        self._names = ""
        self._is_partial = False
        self._skipped: Counter[str] = Counter()
        self._part_count = 0
        self._record_count = 0
        self._behind_ns_max = 0
        self._start_ns: int | None = None  # when the record of time 0 was or will be due
        self._records: Iterator[tuple[int, Record]] = iter(())
        self._shift_ns = 0  # recorded time less replayed time, of the part that runs
        self._last_ns = 0  # replayed time of the last record
        self._next: tuple[int, Record] | None = None
        self._begin_part()
        self.starts_ns = self._shift_ns

    @property
    def is_finished(self) -> bool:
        """Whether the last record was handled and answered."""
        return self._next is None and self._mirror.in_flight_count == 0

    def start(self, now_ns: int) -> list[Command]:
        """Build the recorded book as it stands; the recording goes on from where it is."""
        if self._start_ns is None:
            self._start_ns = now_ns + round(self._settings.opening_s * NS_PER_SECOND)
        elif self._next is not None:
            self._start_ns += max(0, now_ns - self._due_ns(self._next[0]))
        return self._mirror.rebuild()

    def delay(self, recorded_ns: int) -> None:
        """Begin later, by a recorded time, so that recordings of several symbols stay together; before `start`."""
        assert self._start_ns is None, "delay was called after start"
        self._shift_ns -= recorded_ns
        if self._next is not None:
            self._next = self._next[0] + recorded_ns, self._next[1]

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Handle all records that are due, in order."""
        self._mirror.hear(events, acknowledged)
        while self._next is not None and self._mirror.in_flight_count < _IN_FLIGHT_MAX:
            due_ns = self._due_ns(self._next[0])
            if due_ns > now_ns:
                break
            self._behind_ns_max = max(self._behind_ns_max, now_ns - due_ns)
            self._mirror.apply(self._next[1])
            self._advance()
        return self._mirror.take_commands()

    def wake_ns(self, now_ns: int) -> int:
        """Return when the next record is due; a moment later if the engine is behind."""
        if self._next is None:
            return now_ns + NS_PER_SECOND
        if self._mirror.in_flight_count >= _IN_FLIGHT_MAX:
            return now_ns + NS_PER_MS
        return max(now_ns, self._due_ns(self._next[0]))

    def summary(self) -> dict[str, Figure]:
        """Return the mirror's figures, how many records were read, and how late one was handled at most."""
        return {
            "flow": "replay",
            "symbol": self._instrument.symbol,
            "recording": self._names,
            "recording_number": self._part_count,
            "is_partial_book": self._is_partial,
            "record_count": self._record_count,
            "skipped_count": self._skipped.total(),
            **self._mirror.summary(),
            "behind_ms_max": self._behind_ns_max // NS_PER_MS,
        }

    def _due_ns(self, replayed_ns: int) -> int:
        assert self._start_ns is not None, "step was called before start"
        return self._start_ns + round(replayed_ns / self._settings.speed)

    def _advance(self) -> None:
        """Go to the next record, of this part or of the next one."""
        assert self._next is not None, "nothing follows on the last record"
        self._last_ns = self._next[0]
        self._next = self._read()
        if self._next is None:
            self._begin_part()

    def _begin_part(self) -> None:
        """Take the next part's first book, if there is a next part; its time goes on from where the last one ended."""
        part = next(self._parts, None)
        if part is None:
            return
        self._names = "+".join(path.name for path in part)
        self._part_count += 1
        if self._part_count > 1:
            self._mirror.begin_next()
        self._is_partial = not is_complete(part)
        records = read_part(part, self._instrument, self._skipped)
        self._records = place_trades(records, self._settings.trade_window_ms * NS_PER_MS)
        self._shift_ns = 0
        while not self._mirror.is_built:
            timed = self._read()
            if timed is None:
                raise no_book_error(part)
            if self._part_count == 1:
                self._mirror.prepare(timed[1])
            else:
                self._mirror.apply(timed[1])
        first = self._read()
        if first is None:  # nothing but a book
            if not self._settings.is_looping:  # a loop over nothing else would never end
                self._begin_part()
            return
        if self._part_count > 1:
            self._last_ns += _PAUSE_NS
        self._shift_ns = first[0] - self._last_ns
        self._next = self._last_ns, first[1]

    def _read(self) -> tuple[int, Record] | None:
        timed_record = next(self._records, None)
        if timed_record is None:
            return None
        self._record_count += 1
        return timed_record[0] - self._shift_ns, timed_record[1]
