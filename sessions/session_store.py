"""What outlives a gateway: who has a session, and every report that the engine has sent.

The folder holds `sessions.json`, written whole and put in place at once, and a journal of the reports as they came,
each frame one record: its engine, its epoch, the number of its first report, its bytes. A frame is written before the
engine is told that we have it, so after kill -9 the same reports in the same order give every session the same
sequence. Reports that the gateway says itself, when an engine has lost its book, are records of the number 0.

When the journal is long, a new generation begins: a checkpoint of what all of it has led to, and an empty journal.
`sessions.json` says which generation counts; it is the last thing that is written, and the others are then removed.

An epoch is told by a clock, and clocks are set back: which one is the last is not seen from its number. `sessions.json`
is written whenever an engine begins one, and says after which record it was written; what was kept later goes on there.

While nobody has a session with a name there is nothing to outlive: nothing is written, and what was is put aside.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from journal.format import JournalError, JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from market.whole_file import put_aside, write_whole
from sessions.first_version import renewed
from sessions.report_record import REPORTS, ReportRecord

NAMES_FILE: Final = "sessions.json"
IN_CHECKPOINT: Final = -1
_VERSION: Final = 3
_UNSEALED: Final = 2  # the last version without checksums
_MAGIC: Final = b"TICKSESS"  # in front of a checkpoint with one
_UNSEALED_FIRST: Final = b"\x93"  # of one without: an array of three
_DIGEST_SIZE: Final = 16


class StoredSession(NamedTuple):
    """A session with a name; `since` is the record after which its reports begin, IN_CHECKPOINT if that has them."""

    name: str
    number: int
    offset: int
    since: int
    is_cancel_on_disconnect: bool
    address: str = ""


class Position(NamedTuple):
    """Where the link to an engine goes on: the epoch and number of the last report that was kept."""

    epoch: int
    report_sequence: int


class SessionStore:
    """The folder of one gateway.

    Args:
        folder: made when the first session with a name begins.
        bytes_max: of reports, after which `is_full` asks for a checkpoint.
        mode: when reports are kept: WRITE, once the kernel has them; SYNC, once the disk has.

    Attributes:
        positions: by engine, where its link goes on: all reports up to it were kept, or are not of these sessions.
    """

    def __init__(self, folder: Path, bytes_max: int = 1 << 29, mode: JournalMode = JournalMode.WRITE) -> None:
        self.positions: dict[str, Position] = {}
        self._folder = folder
        self._bytes_max = bytes_max
        self._mode = mode
        self._bytes = 0
        self._generation = 0
        self._written_after = 0  # the record of the journal after which the names were written
        self._journal: Journal[ReportRecord] | None = None

    @property
    def sequence(self) -> int:
        """Of the last record, 0 if there is none."""
        return self._journal.sequence if self._journal else 0

    @property
    def is_full(self) -> bool:
        """Whether so much is in the journal that it should begin anew."""
        return self._bytes > self._bytes_max

    def load(self) -> list[StoredSession]:
        """Return the sessions with a name; `positions` are those of when they were written.

        Raises:
            JournalError: if the file does not say so.
        """
        path = self._folder / NAMES_FILE
        try:
            document = _names_of(path)
            if document["version"] == 1:
                document = renewed(document, self._journal_folder(document["generation"]))
                self._write_names(document)
            self._generation, self._written_after = document["generation"], document["after"]
            self.positions = {engine: Position(*values) for engine, values in document["positions"].items()}
            return [StoredSession(**row) for row in document["sessions"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JournalError(f"{path} cannot be read: {error}") from error

    def checkpoint(self) -> bytes:
        """Return the checkpoint that the journal goes on from, nothing if it begins at the beginning; after `load`.

        Raises:
            JournalError: if it cannot be read, or is not what was written.
        """
        return _checkpoint_at(self._checkpoint_path(self._generation)) if self._generation else b""

    def recover(self, take: Callable[[int, ReportRecord], None]) -> None:
        """Give `take` every record with its sequence; `positions` are then the last ones.

        Without a session the folder is put aside, and nothing is given.

        Raises:
            JournalError: if the journal cannot be trusted or kept.
        """
        sessions = self.load()

        def take_one(sequence: int, record: ReportRecord) -> None:
            if sequence > self._written_after:
                self._go_on_after(record)
            self._bytes += len(record.payload)
            take(sequence, record)

        if not sessions:
            self._put_aside()
            self.positions = {}
            return
        self._remove_others()
        self._journal = Journal(self._journal_folder(self._generation), REPORTS, (), 1, self._mode)
        self._journal.recover(take_one)
        if self.sequence < self._written_after:  # a power failure took records that the names were written after
            self.save(sessions)

    def save(self, sessions: Iterable[StoredSession]) -> None:
        """Write who has a session, and the positions; the first session begins the journal.

        Raises:
            JournalError: if it cannot be written.
        """
        rows = [session._asdict() for session in sessions]
        if self._journal is None:
            if not rows:
                return
            self._begin_journal()
        assert self._journal is not None, "expected a journal"
        self._journal.sync()  # else a power failure could leave names that say more than the reports
        self._write_names(
            {
                "generation": self._generation,
                "positions": self.positions,
                "after": self.sequence,
                "sessions": rows,
            }
        )

    def begin_anew(self, checkpoint: bytes, sessions: Iterable[StoredSession]) -> None:
        """Begin an empty journal after a checkpoint of all that was kept, and remove what came before.

        Args:
            checkpoint: of every session with a name, after all that was kept.
            sessions: those, IN_CHECKPOINT.

        Raises:
            JournalError: if it cannot be written.
        """
        assert self._journal is not None, "nothing is kept"
        self._journal.close()
        self._generation += 1
        content = _MAGIC + checkpoint
        _write_whole(self._checkpoint_path(self._generation), content + _digest(content))
        self._begin_journal()
        self.save(sessions)
        self._remove_others()

    def keep(self, record: ReportRecord) -> None:
        """Append a frame of reports, if anybody has a session; the link goes on behind it.

        Raises:
            JournalError: if it cannot be written.
        """
        if self._journal is not None:
            self._bytes += len(record.payload)
            self._journal.append([record], 0)
        self._go_on_after(record)

    def close(self) -> None:
        """Let another process have the folder.

        Raises:
            JournalError: if what was written cannot be synced.
        """
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _go_on_after(self, record: ReportRecord) -> None:
        if record.first_sequence:
            last = record.first_sequence + record.message_count - 1
            self.positions[record.engine.decode()] = Position(record.epoch, last)

    def _journal_folder(self, generation: int) -> Path:
        return _reports_folder(self._folder, generation)

    def _checkpoint_path(self, generation: int) -> Path:
        return _checkpoint_file(self._folder, generation)

    def _begin_journal(self) -> None:
        self._journal = Journal(self._journal_folder(self._generation), REPORTS, (), 1, self._mode)
        self._journal.recover(lambda *_: None)
        self._bytes = 0

    def _write_names(self, document: dict[str, Any]) -> None:
        document = {**document, "version": _VERSION}
        sealed = {**document, "checksum": _digest_of(document)}
        _write_whole(self._folder / NAMES_FILE, json.dumps(sealed, indent=1).encode())

    def _remove_others(self) -> None:
        """Remove what is of another generation: of the last one, or of one that was begun and not finished."""
        kept = {self._journal_folder(self._generation), self._checkpoint_path(self._generation)}
        with _told(self._folder, "removed"):
            for path in {*self._folder.glob("reports-*"), *self._folder.glob("checkpoint-*")} - kept:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def _put_aside(self) -> None:
        if not self._folder.exists():
            return
        self._generation = 0
        with _told(self._folder, "put aside"):
            put_aside(self._folder)


def verify_store(folder: Path) -> tuple[int, int]:
    """Read all that a gateway goes on from, and return how many sessions and how many frames of reports it has.

    Nothing is changed; what an older version has written counts by its names alone.

    Raises:
        JournalError: if it cannot be trusted.
        OSError: if a part of it cannot be read.
    """
    path = folder / NAMES_FILE
    try:
        document = _names_of(path)
        version, generation, sessions = document["version"], int(document["generation"]), len(document["sessions"])
    except FileNotFoundError:
        return 0, 0
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{path} cannot be read: {error}") from error
    if version < _UNSEALED:
        return sessions, 0
    if generation:
        _checkpoint_at(_checkpoint_file(folder, generation))
    return sessions, sum(1 for _ in JournalReader(_reports_folder(folder, generation), REPORTS).records())


def _names_of(path: Path) -> dict[str, Any]:
    """Return what the names say.

    Raises:
        JournalError: if they are of a later version, or not what was written.
        OSError, ValueError, KeyError, TypeError: if they cannot be read.
    """
    document: dict[str, Any] = json.loads(path.read_bytes())
    version = document["version"]
    if not 1 <= version <= _VERSION:
        raise JournalError(f"{path} must be of version {_VERSION} or before, was {version}")
    checksum = document.pop("checksum", None)
    if (version > _UNSEALED or checksum is not None) and checksum != _digest_of(document):
        raise JournalError(f"{path} is damaged: its checksum is not that of what it says")
    return document


def _checkpoint_at(path: Path) -> bytes:
    """Return the checkpoint that a file holds.

    Raises:
        JournalError: if it cannot be read, or is not what was written.
    """
    if not path.exists():
        raise JournalError(f"{path} is missing")
    with _told(path, "read"):
        data = path.read_bytes()
    if data[:1] == _UNSEALED_FIRST:
        return data
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not content.startswith(_MAGIC) or digest != _digest(content):
        raise JournalError(f"{path} is damaged: its checksum is not that of its {len(data):,} bytes")
    return content[len(_MAGIC) :]


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_SIZE).digest()


def _digest_of(document: dict[str, Any]) -> str:
    return _digest(json.dumps(document, sort_keys=True).encode()).hex()


def _reports_folder(folder: Path, generation: int) -> Path:
    return folder / f"reports-{generation}"


def _checkpoint_file(folder: Path, generation: int) -> Path:
    return folder / f"checkpoint-{generation}.msgpack"


def _write_whole(path: Path, data: bytes) -> None:
    with _told(path, "written"):
        write_whole(path, data)


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Say of which path it is, and what cannot be done with it.

    Raises:
        JournalError: if it cannot be done.
    """
    try:
        yield
    except OSError as error:
        raise JournalError(f"{error.filename or path} cannot be {what}: {error.strerror}") from error
