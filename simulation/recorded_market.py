"""Recordings and the engine they are replayed to, in one compiled call from one thing that concerns us to the next."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path
from typing import Final

import numpy as np

from desk.run_dir import NodeError
from desk.settings import Settings
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from flow.book_mirror import figures_of, give_fresh_ids, new_mirror
from flow.mirror import memory as at
from flow.mirror.changes import BOOK, Changes
from flow.mirror.following import cancel_former, follow
from flow.mirror.hearing import hear
from flow.mirror.memory import MirrorMemory
from flow.order_flow import Figure
from flow.recordings.cache import changes_of
from flow.recordings.playlist import Part, no_book_error
from flow.recordings.recording import RecordingError
from flow.replay import ReplaySettings
from flow.side_by_side import align
from market.clock import NS_PER_MS
from market.commands import Command
from market.events import Event, Executed, Halted
from market.instrument import Instrument
from market.kernels.rows import ROW_WIDTH, Int64Array, write_command, write_event
from nodes.flow.market_flows import replayed_parts
from simulation.looks import Looks
from simulation.market import Watch, drained, read_events
from simulation.replaying.running import (
    AT_END,
    AT_OTHERS,
    COMMAND,
    CURSOR,
    IS_OTHERS,
    LOGGED,
    LOGGED_MAX,
    NEEDED,
    RUN_SIZE,
    TOLD,
    TOLD_MAX,
    WITHOUT_ROOM,
    Out,
    is_warm,
    run_due,
)

Parts = Iterator[tuple[Part, Iterator[Changes]]]

_PAUSE_NS: Final = NS_PER_MS  # between two parts
_NOTHING: Final = Changes(*(np.zeros((0, 4) if name == "values" else 0, np.int64) for name in Changes._fields))

_BOOK_OF_NOTHING: Final = {
    "times_ns": np.zeros(1, np.int64),
    "kinds": np.full(1, BOOK, np.int64),
    "values": np.zeros((1, 4), np.int64),
    "ends": np.zeros(1, np.int64),
    "counts": np.zeros(3, np.int64),
}


class Track:
    """The recordings of one symbol, one after the other, and the mirror that follows them.

    Args:
        parts: what is replayed, each with the pieces of what its records change.
        mirror: without orders, see `flow.book_mirror.new_mirror`.
        order_ids: ids that nobody else uses, rising.
        speed: recorded seconds per simulated second.

    Attributes:
        mirror: as given.
        changes: the piece at hand, with simulated times.
        run: the numbers of `simulation.replaying.running`.
        starts_ns: the recorded time of the first record after the first book.
        next_ns: when the next record is due, by the simulated clock; None at the end.

    Raises:
        RecordingError: if a part has no book, as `next` of `parts` has it; so does every later call.
    """

    def __init__(self, parts: Parts, mirror: MirrorMemory, order_ids: Iterator[int], speed: float = 1.0) -> None:
        self.mirror = mirror
        self.changes = _NOTHING
        self.run: Int64Array = np.zeros(RUN_SIZE, np.int64)
        self.next_ns: int | None = None
        self._parts = parts
        self._order_ids = order_ids
        self._speed = speed
        self._pieces: Iterator[Changes] = iter(())
        self._start_ns = 0  # the simulated time of what is replayed at 0
        self._replayed_ns = 0  # when the last record was replayed
        self._shift_ns = 0  # recorded time less replayed time, of the part that runs
        self._counts = np.zeros(3, np.int64)
        self._first = self._open_part()
        self.starts_ns = self._shift_ns

    def delay(self, recorded_ns: int) -> None:
        """Begin later, by a recorded time, so that recordings of several symbols stay together; before `start`."""
        self._shift_ns -= recorded_ns

    def start(self, start_ns: int, now_ns: int) -> None:
        """Make what builds the first book now; the first record after it is due at `start_ns`."""
        self._start_ns = start_ns
        self.mirror.state[at.NOW_NS] = now_ns
        cancel_former(self.mirror)
        self._build(self._first.keys[: self._first.ends[0]], self._first.lots[: self._first.ends[0]])
        self._go_to(self._first, 1)

    def go_on(self) -> None:
        """Go to the next piece, of this part or of the next one, whose first book is built at once."""
        piece = next(self._pieces, None)
        if piece is not None:
            self._counts += piece.counts
            self._go_to(piece, 0)
            return
        last_ns = self._replayed_ns
        try:
            piece = self._open_part(last_ns + _PAUSE_NS)
        except StopIteration:
            self.changes, self.next_ns = _NOTHING, None
            self.run[CURSOR] = 0
            return
        hear(self.mirror, np.zeros(0, np.int64), self.mirror.state[at.SENT])
        self._build(*self._with_former(piece))
        self._go_to(piece, 1)

    def make_room(self) -> None:
        """Take the fresh ids that are needed next."""
        give_fresh_ids(self.mirror.fresh, self.mirror.state, int(self.run[NEEDED]), self._order_ids)

    def hear(self, events: Sequence[Event]) -> None:
        """Take in what somebody else's commands did to own orders."""
        rows: Int64Array = np.zeros((len(events), ROW_WIDTH), np.int64)
        for index, event in enumerate(events):
            write_event(rows, index, event)
        hear(self.mirror, rows.reshape(-1), self.mirror.state[at.HANDLED])

    def summary(self) -> dict[str, Figure]:
        """Return the mirror's figures, and how many records were read."""
        records, skipped, gaps = self._counts.tolist()
        return {"record_count": records, "skipped_count": skipped, **figures_of(self.mirror.state), "gap_count": gaps}

    def _open_part(self, replayed_ns: int = 0) -> Changes:
        """Return the first piece of the next part, whose first record after its book is replayed at a time.

        Raises:
            StopIteration: if there is no next part.
        """
        part, self._pieces = next(self._parts)
        piece = next(self._pieces, _NOTHING)
        if not len(piece.kinds) or piece.kinds[0] != BOOK:
            raise no_book_error(part)
        self._counts += piece.counts
        first_ns = int(piece.times_ns[min(1, len(piece.times_ns) - 1)])
        self._shift_ns = first_ns - replayed_ns
        return piece

    def _go_to(self, piece: Changes, cursor: int) -> None:
        replayed_ns = piece.times_ns - self._shift_ns
        if len(replayed_ns) > cursor:
            self._replayed_ns = int(replayed_ns[-1])
        if self._speed != 1:
            replayed_ns = np.rint(replayed_ns / self._speed).astype(np.int64)
        self.changes = piece._replace(times_ns=replayed_ns + self._start_ns)
        self.run[CURSOR] = cursor
        self.look()

    def look(self) -> None:
        """See when the next record is due; at the piece's end that is at once, for what comes then is not known."""
        cursor, times_ns = int(self.run[CURSOR]), self.changes.times_ns
        self.next_ns = int(times_ns[min(cursor, len(times_ns) - 1)])

    def _build(self, keys: Int64Array, lots: Int64Array) -> None:
        give_fresh_ids(self.mirror.fresh, self.mirror.state, len(keys), self._order_ids)
        is_done = follow(self.mirror, keys, lots)
        assert is_done, f"no room to follow a book of {len(keys)} levels"

    def _with_former(self, piece: Changes) -> tuple[Int64Array, Int64Array]:
        """Return the levels of a part's first book, and those of the book before, which are empty now."""
        new = dict(zip(piece.keys[: piece.ends[0]].tolist(), piece.lots[: piece.ends[0]].tolist(), strict=True))
        tables = self.mirror.levels[:: at.LEVEL_SIZE], self.mirror.given[:: at.GIVEN_SIZE]
        former = {key: 0 for table in tables for key in table[table != 0].tolist()}
        both = sorted((former | new).items(), key=lambda each: (each[0] & 1, each[0]))
        keys, lots = np.array(both, np.int64).T.copy()
        return keys, lots


class RecordedMarket:
    """Recordings in front of an engine in this process; a `simulation.market.Market`.

    What `FlowMarket` does with `flow.replay.ReplayFlow`, command for command.

    Args:
        engine: empty.
        tracks: by symbol id.
        owner: that of the tracks' mirrors.
        start_ns: the time at which they start.
        opening_ns: how long the first books stand still.
        watch: sees the rows of all commands and events, for a digest.
        looks: that fall due while it goes on.

    Raises:
        RecordingError, OSError: if a recording cannot be read; so does `advance`.
    """

    def __init__(
        self,
        engine: FastEngine,
        tracks: dict[int, Track],
        owner: int,
        start_ns: int,
        opening_ns: int = 0,
        watch: Watch | None = None,
        looks: Looks | None = None,
    ) -> None:
        self.engine = engine
        self._looks = looks or Looks(engine)
        self._tracks = tracks
        self._owner = owner
        self._watch = watch
        self._told: Int64Array = np.zeros((TOLD_MAX, ROW_WIDTH), np.int64)
        self._logged: Int64Array = np.zeros((0 if watch is None else LOGGED_MAX, ROW_WIDTH), np.int64)
        self._out = Out(self._told.reshape(-1), self._logged.reshape(-1), self._looks.view)
        self._all = list(tracks.values())
        self._only = self._all[0] if len(tracks) == 1 else None
        for track in self._all:
            track.start(start_ns + opening_ns, start_ns)
            self._run(track, start_ns - 1, [])

    def advance(self, until_ns: int) -> tuple[int, list[Event]]:
        """Replay what is due; see `Market`."""
        told: list[Event] = []
        while (turn := self._next_turn(until_ns)) is not None:
            track, limit_ns = turn
            if self._run(track, limit_ns, told):
                until_ns = int(track.mirror.state[at.NOW_NS])
                break
        self._looks.pass_to(until_ns)
        return until_ns, told

    def submit(self, commands: Sequence[Command]) -> list[Event]:
        """Handle somebody else's commands."""
        told: list[Event] = []
        waiting = iter(commands)
        ring = self.engine.commands
        while batch := list(islice(waiting, ring.slot_count)):
            for command in batch:
                slot = ring.claim()
                write_command(ring.rows, slot, command)
                if self._watch is not None:
                    self._watch(ring.rows[slot])
                ring.publish()
            while len(ring):
                self.engine.match()
                told += drained(self.engine, self._watch)
        for symbol_id, track in self._tracks.items():
            heard = [event for event in told if event.symbol_id == symbol_id and self._is_own(event)]
            if heard:
                track.hear(heard)
        return told

    def summary(self) -> dict[int, dict[str, Figure]]:
        """Return the figures of each symbol's track."""
        return {symbol_id: track.summary() for symbol_id, track in self._tracks.items()}

    def _next_turn(self, until_ns: int) -> tuple[Track, int] | None:
        """Return the track that is due first, and until when it is alone; None if none is due."""
        if self._only is not None:
            next_ns = self._only.next_ns
            return None if next_ns is None or next_ns > until_ns else (self._only, until_ns)
        due = sorted((track.next_ns, place) for place, track in enumerate(self._all) if track.next_ns is not None)
        if not due or due[0][0] > until_ns:
            return None
        (_, place), *others = due
        if others:  # at the same time the one that stands before comes first
            until_ns = min(until_ns, others[0][0] - (others[0][1] < place))
        return self._all[place], until_ns

    def _run(self, track: Track, until_ns: int, told: list[Event]) -> bool:
        """Run a track until a time; return whether it stopped since somebody else is concerned."""
        run, is_stuck = track.run, False
        run[IS_OTHERS] = 0
        while True:
            code = run_due(track.mirror, self.engine.memory, track.changes, run, self._out, until_ns)
            drained = self._take(run, told)
            if code == WITHOUT_ROOM:
                drained += self._looks.make_room()
                assert drained or not is_stuck, "a recorded book has more orders than there is room for"
                is_stuck = not drained
                track.make_room()
            elif code == AT_END:
                track.go_on()
                if track.next_ns is None and track.mirror.state[at.COMMANDS] == run[COMMAND]:
                    return False
            else:
                track.look()
                return bool(code == AT_OTHERS)

    def _take(self, run: Int64Array, told: list[Event]) -> int:
        """Take what was told and logged; return how many rows."""
        told_count, logged_count = int(run[TOLD]), int(run[LOGGED])
        if logged_count and self._watch is not None:
            self._watch(self._logged[:logged_count])
        if told_count:
            told += read_events(self._told[:told_count])
        run[TOLD] = run[LOGGED] = 0
        return told_count + logged_count

    def _is_own(self, event: Event) -> bool:
        if isinstance(event, Executed):
            return self._owner in (event.taker_owner, event.maker_owner)
        return not isinstance(event, Halted) and event.owner == self._owner


def warm(tell: Callable[[str], None]) -> None:
    """Compile the kernels of a replay into the cache, or load them; `tell` gets a line before compiling begins."""
    if not is_warm():
        tell("compiles its kernels, first run only: some 30 s")
    parts = iter([((), iter([_NOTHING._replace(**_BOOK_OF_NOTHING)]))])
    track = Track(parts, new_mirror(0, 1, "behind", 1), count(1))
    engine = FastEngine(Capacity(symbol_count=1))
    RecordedMarket(engine, {0: track}, 1, 0)
    Looks(engine, 0, 0).pass_to(0)


def make_tracks(
    settings: Settings, owner: int, order_ids: Iterator[int], cache: Path | None, tell: Callable[[str], None]
) -> dict[int, Track]:
    """Return the tracks of the recordings that the settings name, by symbol id.

    Args:
        cache, tell: as `changes_of` has them.

    Raises:
        NodeError: if something cannot be replayed.
    """
    flow, tracks = settings.flow, dict[int, Track]()
    try:
        for instrument, parts in replayed_parts(settings).items():
            replayed = ReplaySettings(tuple(parts), queue_model=flow.queue_model, seed=flow.seed)
            mirror = new_mirror(instrument.symbol_id, owner, replayed.queue_model, replayed.seed)
            pieces = _parts(replayed, instrument, cache, tell, is_looping=flow.loop)
            tracks[instrument.symbol_id] = Track(pieces, mirror, order_ids, flow.speed)
    except (OSError, RecordingError) as error:
        raise NodeError(f"cannot replay: {error}") from None
    align(list(tracks.values()))
    return tracks


def _parts(
    replayed: ReplaySettings,
    instrument: Instrument,
    cache: Path | None,
    tell: Callable[[str], None],
    *,
    is_looping: bool,
) -> Parts:
    window_ns = replayed.trade_window_ms * NS_PER_MS
    for part in cycle(replayed.parts) if is_looping else replayed.parts:
        yield part, changes_of(part, instrument, window_ns, replayed.reach_bps, cache, tell)
