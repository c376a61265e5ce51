"""What outlives a gateway: who has a session, and every report that the engine has sent.

The folder holds `sessions.json`, written whole and put in place at once, and a journal of the reports as they came,
each frame one record: its epoch, the number of its first report, its bytes. A frame is written before the engine is
told that we have it, so after kill -9 the same reports in the same order give every session the same sequence. Reports
that the gateway says itself, when the engine has lost its book, are records of the number 0.

While nobody has a session with a name there is nothing to outlive: nothing is written, and what was is put aside.
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from engine.capacity import Capacity
from engine.journal import Journal
from engine.journal_format import CommandRecord, JournalError, JournalMode

NAMES_FILE: Final = "sessions.json"
_CAPACITY: Final = Capacity(1)  # a gateway has none; the format asks for one
_VERSION: Final = 1


class StoredSession(NamedTuple):
    """A session with a name; `since` is the record after which its reports begin."""

    name: str
    number: int
    offset: int
    since: int
    is_cancel_on_disconnect: bool


class Position(NamedTuple):
    """Where the order link goes on: the epoch and number of the last report that was kept."""

    epoch: int
    report_sequence: int


class SessionStore:
    """The folder of one gateway.

    Args:
        folder: made when the first session with a name begins.
        source: the gateway's number among the sources.
    """

    def __init__(self, folder: Path, source: int) -> None:
        self._folder = folder
        self._source = source
        self._journal: Journal | None = None

    @property
    def sequence(self) -> int:
        """Of the last record, 0 if there is none."""
        return self._journal.sequence if self._journal else 0

    def load(self) -> tuple[list[StoredSession], Position]:
        """Return the sessions with a name, and where the link was when they were written.

        Raises:
            JournalError: if the file does not say so.
        """
        path = self._folder / NAMES_FILE
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != _VERSION:
                raise JournalError(f"{path} must be of version {_VERSION}, was {document['version']}")
            return [StoredSession(**row) for row in document["sessions"]], Position(*document["position"])
        except FileNotFoundError:
            return [], Position(0, 0)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalError(f"{path} cannot be read: {error}") from error

    def recover(self, take: Callable[[int, CommandRecord], None]) -> Position:
        """Give `take` every record with its sequence, and return where the link goes on.

        Without a session the folder is put aside, and nothing is given.

        Raises:
            JournalError: if the journal cannot be trusted or kept.
        """
        sessions, position = self.load()

        def take_one(sequence: int, record: CommandRecord) -> None:
            nonlocal position
            if record.first_sequence:  # a later epoch is a larger number
                position = max(position, Position(record.time_ns, record.first_sequence + record.command_count - 1))
            take(sequence, record)

        if not sessions:
            self._put_aside()
            return Position(0, 0)
        self._journal = Journal(self._folder, _CAPACITY, 1, JournalMode.WRITE)
        self._journal.recover(take_one)
        return position

    def save(self, sessions: Iterable[StoredSession], position: Position) -> None:
        """Write who has a session; the first one begins the journal.

        Args:
            position: of the link: all reports up to it were kept, or are not of these sessions.

        Raises:
            JournalError: if it cannot be written.
        """
        rows = [session._asdict() for session in sessions]
        if self._journal is None:
            if not rows:
                return
            self._journal = Journal(self._folder, _CAPACITY, 1, JournalMode.WRITE)
            self._journal.recover(lambda *_: None)
        data = json.dumps({"version": _VERSION, "position": position, "sessions": rows}, indent=1).encode()
        path = self._folder / NAMES_FILE
        draft = path.with_suffix(".draft")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error

    def keep(self, epoch: int, first_sequence: int, count: int, skip: int, payload: bytes) -> int:
        """Append a frame of reports, if anybody has a session; return its record's sequence.

        Raises:
            JournalError: if it cannot be written.
        """
        if self._journal is None:
            return 0
        record = CommandRecord(epoch, self._source, first_sequence, count, skip, payload)
        return self._journal.append([record], 0)

    def close(self) -> None:
        """Let another process have the folder.

        Raises:
            JournalError: if what was written cannot be synced.
        """
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _put_aside(self) -> None:
        if not self._folder.exists():
            return
        aside = self._folder.with_name(f"{self._folder.name}.before")
        try:
            if aside.exists():
                for path in aside.iterdir():
                    path.unlink()
                aside.rmdir()
            self._folder.rename(aside)
        except OSError as error:
            raise JournalError(f"{self._folder} cannot be put aside: {error.strerror}") from error
