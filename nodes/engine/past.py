"""An engine's books at any moment of its journal: replayed from a state that was kept on the way to it.

A replay from the first record takes a minute and a half for a day. So whoever asks keeps the engine's memory after
every `KEPT_RECORDS` records, what is not zero of it, and whoever asks next begins at the last one before the moment.
They are a cache: those of another journal, or of other kernels, are not looked at, and any of them may be removed. One
that is not byte for byte what was written is passed over, and a disk that takes none costs the next one time alone.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from bus.topology import Source
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from engine.wire.codec import CommandDecoder
from engine.wire.refusals import MalformedBytesError
from journal.checkpoint import (
    DamagedCheckpointError,
    check_record,
    checkpoint_paths,
    read_checkpoint,
    read_place,
    sequence_of,
)
from journal.format import HEADER_SIZE, PREFIX_SIZE, FileHeader, JournalError, JournalMismatchError, read_prefix
from journal.reader import JournalReader, LastRecord, Place
from market.codec import MalformedMessageError, decode_commands
from market.commands import HaltSymbol, MassCancel
from market.events import Event
from market.kernels.compiling import kernel_sources
from market.kernels.rows import Int64Array, read_event, write_command
from market.whole_file import write_whole
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core_state import decode_state

KEPT_RECORDS: Final = 4_000  # some 0.15 s of replay, and 100 s of a default desk

_DIGEST_SIZE: Final = 16  # at the end of a kept state, of all that is before it
_PLACE: Final = "place"  # file number, offset, sequence; size, CRC and time of the record before it
_NO_ROWS: Final = ("commands", "events", "links", "queues")  # rings, empty between two records; and views of others


class Moment(NamedTuple):
    """An engine as it was.

    Attributes:
        time_ns: of the last record until then, 0 before the first.
        sequence: of that record.
        next_ns: of the record after it, None if there is none.
    """

    engine: FastEngine
    time_ns: int
    sequence: int
    next_ns: int | None


class Watch(Protocol):
    """Who looks on while a stretch of the past is gone through."""

    def pass_to(self, time_ns: int, engine: FastEngine) -> None:
        """Take it that the engine has been as it is from the last such time until this one, ns since 1970."""

    def see(self, events: Int64Array) -> None:
        """Take rows of events that come next, valid for as long as this takes."""


class Past:
    """The past of one engine.

    Args:
        folder: of its journal.
        own_symbols: whose books it has.
        kept: the folder of the states, made when one is kept.

    Attributes:
        refusal: why the disk has not taken a state, None if it has taken all.

    Raises:
        JournalError, OSError: if there is no journal.
    """

    def __init__(self, folder: Path, own_symbols: Collection[int], kept: Path) -> None:
        self._folder = folder
        self._own_symbols = own_symbols
        header = first_header(folder)
        symbol_count, orders_max, pages_max, _ = header.figures
        self._capacity = Capacity(symbol_count, orders_max, pages_max)
        self._kept = kept / f"{header.epoch}-{_digest()}"
        self.refusal: OSError | None = None
        _remove_outdated(kept)

    def at(self, time_ns: int, tell: Callable[[int], object] = lambda _: None) -> Moment:
        """Return the engine after the last record that is not after a time.

        Args:
            tell: called now and then with the time, ns, that a long replay has come to.

        Raises:
            JournalError, OSError: if the journal cannot be read.
        """
        reader = JournalReader(self._folder, COMMANDS)
        run, place, last_ns = self._state_before(time_ns)
        for sequence, record in reader.records(place):
            if record.time_ns > time_ns:
                return Moment(run.engine, last_ns, sequence - 1, record.time_ns)
            run.take(record)
            last_ns = record.time_ns
            if sequence % KEPT_RECORDS == 0:
                self._try_to_keep(run.engine, reader, last_ns)
                tell(last_ns)
        return Moment(run.engine, last_ns, reader.last_sequence, None)

    def watch(self, since_ns: int, until_ns: int, watch: Watch, first_sequence: int = 0) -> int:
        """Go through the records from a time to another one; return from when on that was, ns since 1970.

        That is later where less is known. And if the records before `first_sequence` are too many to go through, it
        begins at the first state that is kept behind them.

        Raises:
            JournalError, OSError: as `at`.
        """
        reader = JournalReader(self._folder, COMMANDS)
        since_ns = self._known_from(reader, since_ns)
        run, place, last_ns = self._state_before(since_ns)
        if (place.sequence if place else 0) < first_sequence:
            run, place, last_ns = self._state_behind(first_sequence, until_ns) or (run, place, last_ns)
        began_ns, is_begun = max(since_ns, last_ns) if last_ns else 0, False
        for _, record in reader.records(place):
            if record.time_ns > until_ns:
                break
            began_ns = began_ns or max(since_ns, record.time_ns)
            if record.time_ns < since_ns:
                run.take(record)
                continue
            if not is_begun:
                watch.pass_to(began_ns, run.engine)
                is_begun = True
            watch.pass_to(record.time_ns, run.engine)
            run.take(record, watch.see)
        began_ns = began_ns or until_ns
        for time_ns in (until_ns,) if is_begun else (began_ns, until_ns):
            watch.pass_to(time_ns, run.engine)
        return began_ns

    def events_of(self, order_id: int, since_ns: int, until_ns: int) -> Iterator[tuple[int, Event]]:
        """Yield what happened to an order between two times, ns since 1970, each with the record that it is due to.

        Of a journal whose first files are gone it is what happened since its first checkpoint.

        Raises:
            JournalError, OSError: as `at`.
        """
        reader = JournalReader(self._folder, COMMANDS)
        run, place, _ = self._state_before(self._known_from(reader, since_ns))
        found: list[Event] = []
        for sequence, record in reader.records(place):
            if record.time_ns > until_ns:
                return
            run.take(record, (lambda rows: found.extend(_about(order_id, rows))) if order_id else None)
            for event in found:
                yield sequence, event
            found.clear()

    def _known_from(self, reader: JournalReader[CommandRecord], since_ns: int) -> int:
        """Return from when on something is known: where the first files are gone that is the first checkpoint."""
        return max(since_ns, first_time_ns(self._folder) or 0) if reader.beginning().sequence else since_ns

    def _state_before(self, time_ns: int) -> tuple["_Run", Place | None, int]:
        """Return the last state that is kept of until a time, where the journal goes on, and its last record's time."""
        begun = self._behind_checkpoint(time_ns)
        for path, last_ns in reversed(list(self._states())):
            if begun[2] < last_ns <= time_ns:
                with suppress(OSError, ValueError, JournalError):  # damaged, or removed meanwhile: an earlier one
                    return self._loaded(path)
        return begun

    def _state_behind(self, sequence: int, until_ns: int) -> tuple["_Run", Place, int] | None:
        """Return the first state that is kept of a record or one after it, of until a time; None without one."""
        for path, last_ns in self._states():
            if last_ns <= until_ns and int(path.stem.partition("-")[0]) >= sequence:
                with suppress(OSError, ValueError):  # damaged, or removed meanwhile: a later one
                    return self._loaded(path)
        return None

    def _behind_checkpoint(self, time_ns: int) -> tuple["_Run", Place | None, int]:
        """Return the state of the last good checkpoint until a time; without one that of the journal's beginning."""
        run = _Run(self._capacity, self._own_symbols)
        for path in reversed(checkpoint_paths(self._folder)):
            with suppress(DamagedCheckpointError, JournalMismatchError):  # its engine says so; here an earlier one does
                place, last_ns = read_place(path)
                if last_ns <= time_ns:
                    run.engine.restore(decode_state(read_checkpoint(path, COMMANDS).state).engine)
                    return run, place, last_ns
        return run, None, 0

    def _states(self) -> Iterator[tuple[Path, int]]:
        """Yield the kept states, oldest first, each with the time of its last record."""
        for path in sorted(self._kept.glob("*.state")):
            sequence, _, last_ns = path.stem.partition("-")
            if sequence.isdecimal() and last_ns.isdecimal():
                yield path, int(last_ns)

    def _try_to_keep(self, engine: FastEngine, reader: JournalReader[CommandRecord], last_ns: int) -> None:
        """Keep a state, if the disk has taken all of before: the answer does not depend on it."""
        if self.refusal is None:
            try:
                self._keep(engine, reader, last_ns)
            except OSError as error:
                self.refusal = error

    def _keep(self, engine: FastEngine, reader: JournalReader[CommandRecord], last_ns: int) -> None:
        place, begun = reader.place, reader.last_offset
        with (self._folder / COMMANDS.file_name(place.number)).open("rb") as file:
            crc, *_ = read_prefix(os.pread(file.fileno(), PREFIX_SIZE, begun))
        arrays: dict[str, Any] = {_PLACE: np.array([*place, place.offset - begun, crc, last_ns], np.int64)}
        for name, array in engine.memory._asdict().items():
            if name not in _NO_ROWS:
                used = np.flatnonzero(array)
                arrays |= {f"{name}.at": used.astype(np.uint32), f"{name}.is": array[used]}
        content = BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealed = content.getvalue() + blake2b(content.getvalue(), digest_size=_DIGEST_SIZE).digest()
        write_whole(self._kept / f"{place.sequence:012d}-{last_ns}.state", sealed, is_synced=False)

    def _loaded(self, path: Path) -> tuple["_Run", Place, int]:
        sealed = path.read_bytes()
        content = sealed[:-_DIGEST_SIZE]
        if sealed[-_DIGEST_SIZE:] != blake2b(content, digest_size=_DIGEST_SIZE).digest():
            raise ValueError(f"{path} is not as it was written")
        with np.load(BytesIO(content), allow_pickle=False) as kept:
            number, offset, sequence, size, crc, last_ns = kept[_PLACE].tolist()
            place = Place(number, offset, sequence)
            check_record(
                path, self._folder, LastRecord(place, size, crc), COMMANDS
            )  # else it is of what was there once
            run = _Run(self._capacity, self._own_symbols)
            for name, array in run.engine.memory._asdict().items():
                if name not in _NO_ROWS:
                    array[:] = 0
                    array[kept[f"{name}.at"]] = kept[f"{name}.is"]
        return run, place, last_ns


class _Run:
    """An engine that is told what a journal holds."""

    def __init__(self, capacity: Capacity, own_symbols: Collection[int]) -> None:
        self.engine = FastEngine(capacity)
        self._decoder = CommandDecoder(self.engine.commands, own_symbols)

    def take(self, record: CommandRecord, see: Callable[[Int64Array], object] | None = None) -> None:
        """Handle what came in one frame as the engine's node does; `see` gets the rows of events that came of it."""
        engine = self.engine
        if record.source in (Source.OPERATOR, Source.DESK):
            self._take_of_desk(record)
        else:
            with suppress(MalformedBytesError):  # nothing of such a frame was handled
                self._decoder.admit(record.payload, record.source, record.time_ns, record.skip_count)
        while len(engine.commands):
            engine.match()
            while len(engine.events):
                rows = engine.events.readable()
                if see is not None:
                    see(rows)
                engine.events.consume(len(rows))

    def _take_of_desk(self, record: CommandRecord) -> None:
        with suppress(MalformedMessageError):
            for command in decode_commands(record.payload)[record.skip_count :]:
                if isinstance(command, HaltSymbol | MassCancel):
                    write_command(self.engine.commands.rows, self.engine.commands.claim(), command)
                    self.engine.commands.publish()


def _about(order_id: int, rows: Int64Array) -> Iterator[Event]:
    """Yield the events of an order among rows of them."""
    for row in rows[(rows == order_id).any(axis=1)]:
        event = read_event(row)
        ids = (getattr(event, name, 0) for name in ("order_id", "maker_order_id", "taker_order_id"))
        if order_id in ids:
            yield event


def _remove_outdated(kept: Path) -> None:
    """Remove states as former versions kept them, which nobody reads, and folders that have nothing else."""
    for path in kept.glob("*/*.npz"):
        with suppress(OSError):  # of another user, or removed meanwhile: it costs its room alone
            path.unlink()
            path.parent.rmdir()  # unless it is not empty


def first_header(folder: Path) -> FileHeader:
    """Return the header of a journal's first file.

    Raises:
        JournalError, OSError: if there is none.
    """
    paths = COMMANDS.files(folder)
    if not paths:
        raise JournalError(f"{folder} holds no journal")
    with paths[0].open("rb") as file:
        head = file.read(HEADER_SIZE)
    if len(head) < HEADER_SIZE:
        raise JournalError(f"{paths[0]} has only begun to be written")
    return COMMANDS.decode_header(paths[0], head)


def first_time_ns(folder: Path) -> int | None:
    """Return the time of a journal's first record, or of its first checkpoint if that is gone; None without any.

    Raises:
        JournalError, OSError: if it cannot be read.
    """
    if first := JournalReader(folder, COMMANDS).beginning().sequence:
        later = (path for path in checkpoint_paths(folder) if sequence_of(path) >= first)
        return next((read_place(path)[1] for path in later), None)
    return next((record.time_ns for _, record in JournalReader(folder, COMMANDS).records()), None)


def _digest() -> str:
    """Return what tells the memory of these kernels from that of others."""
    digest = blake2b(digest_size=8)
    for path in kernel_sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()
