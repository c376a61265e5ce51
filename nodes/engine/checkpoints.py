"""Checkpoints of a running engine: its state is taken between two turns and written beside the matching.

What is done between two turns is a copy of the open orders; all else (packing, compressing, writing, syncing, pruning)
is done by a thread, nearly all of whose time is spent in calls that let the matching go on.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from journal.checkpoint import Checkpoint, write_checkpoint
from journal.format import JournalError, JournalMode
from journal.journal import Journal
from journal.pruning import Retention, prune
from journal.reader import LastRecord
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.core_state import CoreState, encode_state

LOOK_MS: Final = 100  # between two looks at whether one is due
NO_CHECKPOINT: Final = "no checkpoint: the next start takes longer"
COMMANDS_PER_RECORD: Final = 64  # which a replay does in the time that a record itself takes

Work = Callable[[], None]


class CheckpointTimes(NamedTuple):
    """When a checkpoint is due: after so many records, or so long after the last one if there was any record since.

    Attributes:
        every_ns: 0: never.
        every_records: that a start may have to replay; many commands in one count for more of them.
    """

    every_ns: int
    every_records: int


class Checkpoints:
    """The checkpoints of one engine.

    Args:
        core: recovered.
        journal: its own.
        times: when one is due.
        retention: what is kept of the journal.
        begin: lets work be done beside the caller, or at once; one piece at a time is given.
        may_take: says whether one may be taken now.

    Attributes:
        sequence: of the record behind which the last one stands, 0 if there is none.
        failure: why the last one could not be written, empty if it was.
    """

    def __init__(
        self,
        core: EngineCore,
        journal: Journal[CommandRecord],
        times: CheckpointTimes,
        retention: Retention,
        begin: Callable[[Work], None],
        may_take: Callable[[], bool] = lambda: True,
    ) -> None:
        self.sequence = core.checkpoint_sequence
        self.failure = ""
        self._core = core
        self._journal = journal
        self._times = times
        self._retention = retention
        self._begin = begin
        self._may_take = may_take
        self._is_busy = False
        self._taken_at_ns = 0
        self._tried_sequence = self.sequence
        self._tried_command_count = core.checkpoint_command_count
        self._synced_number = 1  # of the first file that may hold what the disk has not

    def look(self, now_ns: int, time_ns: int) -> None:
        """Take a checkpoint if one is due and none is being written; between two turns.

        Args:
            now_ns: monotonic.
            time_ns: ns since 1970.
        """
        every_ns, every_records = self._times
        self._taken_at_ns = self._taken_at_ns or now_ns
        new_records = self._journal.sequence - self._tried_sequence
        new_records += (self._core.command_count - self._tried_command_count) // COMMANDS_PER_RECORD
        is_due = new_records >= every_records or (new_records > 0 and now_ns - self._taken_at_ns >= every_ns)
        if is_due and self._is_on and not self._is_busy and self._may_take():
            self._taken_at_ns = now_ns
            self._take(self._begin, time_ns)

    def take_last(self, time_ns: int) -> None:
        """Take a checkpoint of the end of this life, if there is anything new; no other is being written."""
        assert not self._is_busy, "expected the one before to be written"
        if self._is_on and self._journal.sequence > self.sequence and self._may_take():
            self._take(lambda work: work(), time_ns)

    @property
    def _is_on(self) -> bool:
        return self._times.every_ns > 0 and self._journal.mode is not JournalMode.NONE

    def _take(self, begin: Callable[[Work], None], time_ns: int) -> None:
        last = self._journal.last
        assert last is not None, "expected a record"
        state, self._is_busy = self._core.state(), True
        self._tried_sequence, self._tried_command_count = last.place.sequence, self._core.command_count
        begin(lambda: self._keep(state, last, time_ns))

    def _keep(self, state: CoreState, last: LastRecord, time_ns: int) -> None:
        """Write a checkpoint, and prune the journal behind the one before it."""
        journal = self._journal
        try:
            self._sync_files(last.place.number)
            checkpoint = Checkpoint(self._core.epoch, state.handled_ns, last, journal.figures, encode_state(state))
            write_checkpoint(journal.folder, COMMANDS, checkpoint)
            self.sequence = last.place.sequence
            prune(journal.folder, COMMANDS, journal.figures, self._retention, time_ns)
            self.failure = ""
        except (OSError, JournalError) as error:
            self.failure = f"a checkpoint behind record {last.place.sequence:,} could not be kept: {error}"
        finally:
            self._is_busy = False

    def _sync_files(self, number: int) -> None:
        """Let the disk have all records before the checkpoint: else a power failure could leave it without them."""
        for each in range(self._synced_number, number + 1):
            path = self._journal.folder / COMMANDS.file_name(each)
            if path.exists():  # the first ones may be pruned
                _sync(path)
        self._synced_number = number


class BesideThread:
    """Lets one piece of work at a time be done in a thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self, work: Work) -> None:
        """Begin it; the one before has ended. What that has raised is raised here."""
        self.join()
        self._thread = threading.Thread(target=self._run, args=(work,), name="checkpoint")
        self._thread.start()

    def join(self) -> None:
        """Wait until it is done; what it has raised, which is a bug of ours, is raised here."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, work: Work) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the engine can end of it
            self._error = error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
