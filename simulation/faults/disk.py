"""What a process leaves behind when it dies: what it has written, or of a machine without power what was synced."""

import os
from pathlib import Path
from random import Random

from journal.journal import Journal
from journal.reader import JournalReader
from nodes.engine.command_record import CommandRecord
from paper.money.ledger import Ledger
from simulation.faults.life import Life


class MortalJournal(Journal[CommandRecord]):
    """A journal whose process may die before and after each write and each sync."""

    life: Life

    def _prepare(self, reader: JournalReader[CommandRecord]) -> None:
        self.life.point("go on with the journal")
        super()._prepare(reader)
        if self.mode.is_synced:
            for file in reader.files:
                note_synced(file.path)

    def _write(self, batch: bytes) -> None:
        self.life.point("write to the journal")
        super()._write(batch)
        self.life.point("have written to the journal")

    def sync(self) -> None:
        """Wait until the disk has all that was appended."""
        self.life.point("sync the journal")
        super().sync()
        note_synced(self._path)
        self.life.point("have synced the journal")

    def leave(self) -> None:
        """Let go of the folder as the kernel does for a dead process: nothing is synced."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1


class MortalLedger(Ledger):
    """A ledger whose process may die before and after each commit."""

    life: Life

    def _write(self) -> None:
        self.life.point("save to the ledger")
        super()._write()
        self.life.point("commit")

    def _note_saved(self) -> None:
        self.life.point("have committed")
        super()._note_saved()


def note_synced(path: Path) -> None:
    """Note how much of a file the disk has; beside it, as its process does not live long."""
    if path.exists():  # one without records gives way to the next
        path.with_suffix(".synced").write_text(str(path.stat().st_size))


def lose_power(folder: Path, dice: Random) -> None:
    """Let a power failure take what was not synced from the files of a journal, or only a part of that."""
    for path in sorted(folder.glob("*.journal")):
        note = path.with_suffix(".synced")
        synced = int(note.read_text()) if note.exists() else 0
        os.truncate(path, dice.randint(synced, path.stat().st_size))
