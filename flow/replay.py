"""Replays a recording: the paper book follows the recorded one, recorded trades hit it, at any speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow.book_mirror import BookMirror
from flow.order_flow import Figure
from flow.recording import Record, RecordingError, read_recording
from flow.trade_placement import place_trades
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.commands import Command
from market.events import Event
from market.instrument import Instrument

_IN_FLIGHT_MAX = 20_000  # commands without an answer, beyond which the recording waits


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a recording is replayed.

    Attributes:
        speed: recorded seconds per second.
        opening_s: how long the first book stands still before the recording runs.
        trade_window_ms: how far a trade may be brought forward, to just before the best prices that show its effect;
            see `flow.trade_placement`. 0 leaves every trade where it was recorded.
        reach_bps: recorded levels farther than this from the mid are left out.
    """

    path: Path
    speed: float = 1.0
    opening_s: float = 0.0
    trade_window_ms: int = 50
    reach_bps: int = 1_000

    def __post_init__(self) -> None:
        """Refuse what cannot be replayed."""
        if not 0 < self.speed <= 1_000:
            raise ValueError(f"speed must be positive and at most 1,000, was {self.speed}")
        if not 0 <= self.opening_s <= 86_400:
            raise ValueError(f"opening_s must be 0 to 86,400, was {self.opening_s}")
        if not 0 <= self.trade_window_ms <= 1_000:
            raise ValueError(f"trade_window_ms must be 0 to 1,000, was {self.trade_window_ms}")


class ReplayFlow:
    """One run through a recording; at its end the book stays as it is."""

    def __init__(self, instrument: Instrument, settings: ReplaySettings, owner: int, order_ids: Iterator[int]) -> None:
        """Read up to the snapshot.

        Raises:
            OSError: if the file cannot be read.
            RecordingError: if it is malformed, of another symbol, or without a snapshot; `step` raises it, too.
        """
        self._settings = settings
        self._mirror = BookMirror(instrument.symbol_id, owner, order_ids, settings.reach_bps)
        records = read_recording(settings.path, instrument)
        self._records = place_trades(records, settings.trade_window_ms * NS_PER_MS)
        self._record_count = 0
        self._behind_ns_max = 0
        self._start_ns: int | None = None  # when the record of `_start_received_ns` was or will be due
        self._next: tuple[int, Record] | None = self._read()
        while not self._mirror.is_built:
            if self._next is None:
                raise RecordingError(f"{settings.path.name}: expected a depth snapshot (lastUpdateId), found none")
            self._mirror.prepare(self._next[1])
            self._next = self._read()
        self._start_received_ns = self._next[0] if self._next else 0

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

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Handle all records that are due, in order."""
        self._mirror.hear(events, acknowledged)
        while self._next is not None and self._mirror.in_flight_count < _IN_FLIGHT_MAX:
            due_ns = self._due_ns(self._next[0])
            if due_ns > now_ns:
                break
            self._behind_ns_max = max(self._behind_ns_max, now_ns - due_ns)
            self._mirror.apply(self._next[1])
            self._next = self._read()
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
            "recording": self._settings.path.name,
            "record_count": self._record_count,
            **self._mirror.summary(),
            "behind_ms_max": self._behind_ns_max // NS_PER_MS,
        }

    def _due_ns(self, received_ns: int) -> int:
        assert self._start_ns is not None, "step was called before start"
        return self._start_ns + round((received_ns - self._start_received_ns) / self._settings.speed)

    def _read(self) -> tuple[int, Record] | None:
        timed_record = next(self._records, None)
        self._record_count += timed_record is not None
        return timed_record
