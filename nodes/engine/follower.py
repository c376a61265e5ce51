"""A standby: keeps what its primary journals in a journal of its own, and has an engine that has done the same.

No sockets and no clock: frames go in, and `send` is given what is to go out.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bus.order_link import Frames, LinkError
from bus.standby_end import Arrived, Begin, Hashed, Heard, StandbyEnd
from bus.standby_frames import NOWHERE, Position
from desk.role_file import Role, RoleFile
from desk.run_dir import StayDownError
from desk.settings import Settings
from journal.checkpoint import decode_checkpoint, write_checkpoint
from journal.format import (
    HEADER_SIZE,
    PREFIX_SIZE,
    FileHeader,
    JournalMismatchError,
    JournalMode,
    read_prefix,
    record_crc,
)
from journal.journal import Journal
from journal.reader import LastRecord, Place
from journal.replay import Replay
from market.clock import NS_PER_MS
from market.whole_file import make_folder, put_aside, sync_folder, write_whole
from market.words import counted
from nodes.engine.checkpoints import NO_CHECKPOINT, BesideThread, Checkpoints
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.journal_past import unpack_beginning
from nodes.engine.making import engine_figures, make_checkpoints, make_core, warn_of

FIRST_FILE: Final = 2  # of a journal that begins behind a checkpoint: file 1 begins with the first record


class Follower:
    """One standby.

    Args:
        settings: the desk's.
        engine: its name.
        role_file: of its role; it is kept there that this is a standby.
        send: takes what is to go to the primary.
        tell: is told how far a replay of its own journal has come.
        warn: is told what a person should know of its disk, and why.
        make: a core and its journal, as `make_core`; a simulation has a journal that may die.
        beside: does what is done beside, which is to write checkpoints.

    Attributes:
        core: that has done what the journal says; None before there was anything to follow.
        journal: its own, likewise.
        role: as it is kept.
        hashed_sequence: of the last record behind which the state was the primary's, as its hash says; 0 before.

    Raises:
        JournalError: if its own journal cannot be used.
        OSError: if the role cannot be kept.
    """

    def __init__(
        self,
        settings: Settings,
        engine: str,
        role_file: RoleFile,
        send: Callable[[Frames], object],
        tell: Callable[[Replay], None],
        warn: Callable[[str, str], None],
        make: Callable[[Settings, str, Path, JournalMode, int | None], tuple[EngineCore, Journal[CommandRecord]]] = (
            make_core
        ),
        beside: BesideThread | None = None,
    ) -> None:
        plan = settings.plan.engines[engine]
        self._settings = settings
        self._engine = engine
        self._folder = plan.journal_folder
        self._mode = JournalMode(plan.settings.journal)
        self._figures = engine_figures(settings, engine)
        self._role_file = role_file
        self._send = send
        self._tell = tell
        self._warn = warn
        self._told_failure = ""
        self._make = make
        self._beside = beside or BesideThread()
        self._behind_since_ns: int | None = None
        self._ends_a_turn = False  # its journal: a death while it was written may have left a part of one
        self.core: EngineCore | None = None
        self.journal: Journal[CommandRecord] | None = None
        self.checkpoints: Checkpoints | None = None
        self.hashed_sequence = 0
        role_file.take_wish()  # one that was said before we were here: who said it has been told that nobody answers
        self.role = role_file.read()
        if self.role.role != "standby":
            self._keep_role(Role.new_standby().model_copy(update={"term": self.role.term}))
        if COMMANDS.found(self._folder):
            self._start(None)
        epoch = self.core.epoch if self.core is not None else 0
        self._end = StandbyEnd(self.role.who, epoch, self._position, self.role.term)

    @property
    def _position(self) -> Position:
        journal = self.journal
        return Position(journal.sequence, journal.last.crc) if journal is not None and journal.last else NOWHERE

    def receive(self, frames: Frames) -> None:
        """Take what has come from the primary.

        Raises:
            LinkError: if the frames are not of the standby link.
            JournalError: if what has come cannot be kept.
            StayDownError: if a person has to look: the primary says what cannot be.
        """
        news = self._end.receive(frames)
        self._learn()
        if isinstance(news, Arrived):
            self._take_records(news)
        elif isinstance(news, Begin):
            self._begin(news)
        elif isinstance(news, Heard) and self.core is not None:
            self.core.links.heard(*news)
        elif isinstance(news, Hashed):
            self._compare(news)
        self._ends_a_turn = self._ends_a_turn or (self.core is not None and self._end.is_following)
        if self._end.is_level and self._end.is_awaited and not self._end.is_doubtful:
            self._keep_role(self.role.model_copy(update={"is_whole": True}))
        self._flush()

    def tick(self, now_ns: int, time_ns: int) -> None:
        """Ask again if need be, say that we are here, and take a checkpoint if one is due.

        Args:
            now_ns: monotonic.
            time_ns: ns since 1970.
        """
        self._end.tick(now_ns)
        self._flush()
        if self.checkpoints is not None and self._ends_a_turn:
            self.checkpoints.look(now_ns, time_ns)
            self._tell_failure()
        if self._end.lag == 0:
            self._behind_since_ns = None
        elif self._behind_since_ns is None:
            self._behind_since_ns = now_ns

    def refusal(self) -> str:
        """Return why this may not be primary, empty if it may: all that the primary has acknowledged is here."""
        if self.core is None:
            return "it has never had anything of its primary"
        if not self.role.is_awaited:
            return (
                "its primary did not wait for it (there engine.standby is not must): it may have acknowledged what is "
                "not here, and its sources would not agree with this engine"
            )
        if self._end.is_refused:
            return "another standby follows its primary: what is acknowledged is there"
        if not self.role.is_whole:
            return f"it has not had all of its primary yet, and is {counted(self._end.lag, 'record')} behind"
        return ""

    def promote(self, asked: str) -> tuple[EngineCore, Journal[CommandRecord]]:
        """Be primary from now on, of a term that is kept before anything is said with it; return what to go on with.

        Args:
            asked: the name of the wish.

        Raises:
            OSError: if the term cannot be kept; this is a standby still.
        """
        assert self.core is not None, "expected something to go on with"
        assert self.journal is not None, "expected a journal"
        self._beside.join()
        term = max(self.role.term, self._end.term) + 1
        now = {"term": term, "records_term": term, "role": "primary", "asked": asked, "refusal": ""}
        role = self.role.model_copy(update=now)
        self._keep_role(role)
        self.core.begin_to_tell()
        return self.core, self.journal

    def refuse(self, asked: str, why: str) -> None:
        """Answer a wish to be primary with why not.

        Raises:
            OSError: if the answer cannot be kept.
        """
        self._keep_role(self.role.model_copy(update={"asked": asked, "refusal": why}))

    def figures(self, now_ns: int) -> dict[str, object]:
        """Return what `status` shows; `now_ns` is monotonic."""
        end, core, journal = self._end, self.core, self.journal
        lag_ns = 0 if self._behind_since_ns is None else now_ns - self._behind_since_ns
        return {
            "role": "standby",
            "term": self.role.term,
            "is_following": end.is_following,
            "is_refused": end.is_refused,
            "is_awaited": self.role.is_awaited,
            "is_whole": self.role.is_whole,
            "lag": end.lag,
            "lag_ms": round(lag_ns / NS_PER_MS, 1),
            "silent_ms": round(end.silent_ns(now_ns) / NS_PER_MS),
            "hash_equal_at": self.hashed_sequence,
            "outdated_term": end.outdated_term or None,
            "epoch": str(core.epoch) if core is not None else "",
            "sequence": core.engine.sequence if core is not None else 0,
            "commands": core.command_count if core is not None else 0,
            "live_orders": core.engine.live_order_count if core is not None else 0,
            "journal": f"{self._mode} {journal.sequence if journal is not None else 0}",
            "checkpoint": self.checkpoints.sequence if self.checkpoints is not None else 0,
        }

    def stop(self, time_ns: int) -> None:
        """Leave a checkpoint behind the last record: a release that answers commands differently needs one.

        Args:
            time_ns: ns since 1970.
        """
        self._beside.join()
        if self.checkpoints is not None and self._ends_a_turn:
            self.checkpoints.take_last(time_ns)
            self._tell_failure()

    def close(self) -> None:
        """Let go of the journal, and finish a checkpoint that is being written."""
        try:
            self._beside.join()
        finally:
            if self.journal is not None:
                self.journal.close()

    def _tell_failure(self) -> None:
        failure = self.checkpoints.failure if self.checkpoints is not None else ""
        if failure != self._told_failure:
            self._told_failure = failure
            if failure:
                self._warn(NO_CHECKPOINT, failure)

    def _flush(self) -> None:
        for frames in self._end.outgoing():
            self._send(frames)

    def _keep_role(self, role: Role) -> None:
        if role != self.role:
            self._role_file.write(role)
            self.role = role

    def _learn(self) -> None:
        """Keep what must not be forgotten before anything is done by it."""
        known: dict[str, int] = {"term": self._end.term}
        if self._end.is_awaited is not None:
            known["is_awaited"] = self._end.is_awaited
        if self._end.term != self.role.term or self._end.is_awaited is False or self._end.is_doubtful:
            known["is_whole"] = False
        self._keep_role(self.role.model_copy(update=known))

    def _start(self, epoch: int | None) -> None:
        """Have what our own journal says."""
        core, journal = self._make(self._settings, self._engine, self._folder, self._mode, epoch)
        self.journal = journal
        warn_of(core.recover(self._tell), self._warn)
        self.core = core
        self.checkpoints = make_checkpoints(self._settings, self._engine, core, journal, self._beside)

    def _take_records(self, arrived: Arrived) -> None:
        """Keep the records and say so; then do what they say."""
        assert self.core is not None, "expected to have begun"
        assert self.journal is not None, "expected a journal"
        records = list(records_of(arrived))
        is_in_turn = self.core.is_of_last_turn(records[0])
        self._keep_role(self.role.model_copy(update={"records_term": self._end.term}))
        self.journal.append(records, 0)
        if self._mode.is_synced:
            self.journal.sync()
        self._end.keep(self._position)
        self._flush()
        if is_in_turn:  # our disk had a part of it: done apart, its reports would have other numbers
            self.journal.close()
            self._start(None)
        else:
            self.core.follow(records)

    def _begin(self, begin: Begin) -> None:
        """Begin anew behind what the primary has given."""
        self._check_nothing_is_lost(begin)
        self._keep_role(self.role.model_copy(update={"is_whole": False}))
        beginning = unpack_beginning(begin.content)
        primary = Path("the journal of the primary")
        if beginning.version != COMMANDS.version:
            versions = f"version {COMMANDS.version}, was {beginning.version}"
            raise StayDownError(f"{primary} must be of {versions}: primary and standby are of one release")
        try:
            COMMANDS.check_figures(primary, beginning.figures, self._figures)
        except JournalMismatchError as error:
            raise StayDownError(f"{error}: primary and standby have the same settings of engine and symbols") from None
        fresh = self._folder.with_name(f"{self._folder.name}.next")
        shutil.rmtree(fresh, ignore_errors=True)
        make_folder(fresh)
        if beginning.checkpoint:
            self._write_beginning(fresh, begin, beginning.record, beginning.checkpoint)
        self._beside.join()
        if self.journal is not None:
            self.journal.close()
        if self._folder.exists():
            put_aside(self._folder)
        fresh.rename(self._folder)
        sync_folder(self._folder.absolute().parent)
        self._start(begin.epoch)
        self._keep_role(self.role.model_copy(update={"records_term": self._end.term}))
        assert self._position == begin.position, f"expected to begin behind {begin.position}, was {self._position}"
        self._end.begun(begin)

    def _check_nothing_is_lost(self, begin: Begin) -> None:
        """Refuse to forget what a primary of the same term has once told us, and does not know any more."""
        if self.core is None or self.journal is None or self._end.term > self.role.records_term:
            return
        ours = self.journal.sequence
        if begin.epoch == self.core.epoch and begin.position.sequence <= ours:
            raise StayDownError(
                f"the primary has not what it has told us before: its journal is another one before record {ours:,}. "
                f"{self._way}"
            )
        if begin.epoch != self.core.epoch and self.core.engine.live_order_count:
            raise StayDownError(
                f"the primary has begun with an empty book, and {_are_open(self.core.engine.live_order_count)} here. "
                f"{self._way}"
            )

    @property
    def _way(self) -> str:
        """What a person can do who has lost the primary's journal."""
        follow = f"move {self._folder} away to follow that one"
        if why := self.refusal():
            return f"{follow[0].upper()}{follow[1:]}: this one may not take its place, for {why}"
        return f"Promote this engine, or {follow}"

    def _write_beginning(self, folder: Path, begin: Begin, record: bytes, content: bytes) -> None:
        """Make a journal that begins with the record that a checkpoint stands behind, and that checkpoint."""
        sequence, size = begin.position.sequence, len(record)
        for _ in records_of(Arrived(sequence, 1, record)):
            crc, *_ = read_prefix(record)
            if crc != begin.position.crc:
                raise LinkError(f"expected record {sequence:,} with a CRC of {begin.position.crc:08x}, was {crc:08x}")
        header = FileHeader(begin.epoch, sequence, FIRST_FILE, self._figures, self._mode, COMMANDS.version)
        write_whole(folder / COMMANDS.file_name(FIRST_FILE), COMMANDS.encode_header(header) + record)
        checkpoint = decode_checkpoint(Path("the checkpoint of the primary"), content, COMMANDS)
        last = LastRecord(Place(FIRST_FILE, HEADER_SIZE + size, sequence), size, begin.position.crc)
        write_checkpoint(folder, COMMANDS, checkpoint._replace(last=last))

    def _compare(self, hashed: Hashed) -> None:
        if self.core is None or self.journal is None or self.journal.sequence != hashed.sequence:
            return
        ours = self.core.engine.state_hash()
        if ours != hashed.state_hash:
            raise StayDownError(
                f"behind record {hashed.sequence:,} the state is {ours:016x} here and {hashed.state_hash:016x} at the "
                "primary: one of the two has not done what the journal says"
            )
        self.hashed_sequence = hashed.sequence


def _are_open(count: int) -> str:
    return f"{counted(count, 'order')} {'is' if count == 1 else 'are'} open"


def records_of(arrived: Arrived) -> Iterator[CommandRecord]:
    """Yield the records of a frame.

    Raises:
        LinkError: if it has others, or anything else.
    """
    data, at = arrived.payload, 0
    for expected in range(arrived.first, arrived.first + arrived.size):
        head = data[at : at + COMMANDS.head_size]
        if len(head) < COMMANDS.head_size:
            raise LinkError(f"expected record {expected:,}, was the end of the frame")
        crc, length, sequence = read_prefix(head)
        payload = data[at + COMMANDS.head_size : at + PREFIX_SIZE + length]
        if sequence != expected or record_crc(head, payload) != crc:
            raise LinkError(f"expected record {expected:,} whole, was record {sequence:,} with a CRC of {crc:08x}")
        at += PREFIX_SIZE + length
        try:
            yield COMMANDS.decode(head, payload)
        except ValueError as error:
            raise LinkError(f"record {expected:,}: {error}") from None
    if at != len(data):
        raise LinkError(f"expected {arrived.size} records in the frame, were {len(data) - at} bytes more")
