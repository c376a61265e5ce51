"""The database: a file of SQLite, opened in the form of today, whose failures are one line for a person."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from history.schema import REVISION
from market.lock import locked_folder
from market.mendable import MendableError
from market.whole_file import make_folder

FILE_NAME: Final = "history.sqlite3"
BUSY_S: Final = 2.0  # for which a writer waits for another one
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ASIDE_MAX: Final = 10_000


class HistoryError(MendableError):
    """The history database did not do what was asked; the text names it and says why."""


class DamagedHistoryError(HistoryError):
    """The file is no database, or one that has been damaged."""


class NewerHistoryError(HistoryError):
    """The database was made by a newer version of this program."""


class Database:
    """The history of one desk.

    Args:
        path: of the file; a writer makes it, and its folder.
        is_read_only: whether it is only read; then it must be there, in the form of today or of before.

    Raises:
        HistoryError: if it cannot be opened.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self.path = path
        self._is_read_only = is_read_only
        if is_read_only and not path.is_file():
            raise HistoryError(f"there is no history at {path}; a desk that runs no tracker keeps none")
        self._engine = _engine_of(path, is_read_only=is_read_only)
        try:
            self._upgrade()
            self._file = _file_at(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

    @property
    def is_in_place(self) -> bool:
        """Whether its path leads to it still; what was written to a file that was taken away nobody would find."""
        return _file_at(self.path) == self._file

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do all that is done meanwhile, or nothing of it.

        Raises:
            HistoryError: if the database does not do it.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _told(self.path, error) from error

    def _upgrade(self) -> None:
        """Bring the tables to the form of today; of two that open it at once the second one finds it done."""
        with self.transaction() as connection:
            found = _revision(connection)
            if found == REVISION:
                return
            if found is not None and int(found) > int(REVISION):
                raise NewerHistoryError(f"{self.path} is of version {found}, newer than the {REVISION} known here")
            if self._is_read_only:
                raise HistoryError(f"{self.path} is of version {found or 0}: the tracker brings it to {REVISION}")
            _migrate(connection)


def put_aside(path: Path) -> Path:
    """Give a damaged database, with its log, another name, `history.damaged-1.sqlite3`, and return that.

    Raises:
        OSError: if the folder does not take it.
    """
    names = (path.with_suffix(f".damaged-{number}{path.suffix}") for number in range(1, _ASIDE_MAX))
    with locked_folder(path.parent, BUSY_S):
        aside = next(name for name in names if not name.exists())
        for end in ("-wal", "-shm", ""):
            if (part := Path(f"{path}{end}")).exists():
                part.rename(f"{aside}{end}")
    return aside


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _engine_of(path: Path, *, is_read_only: bool) -> Engine:
    if not is_read_only:
        try:
            make_folder(path.parent)
        except OSError as error:
            raise HistoryError(f"cannot make {path.parent}: {error.strerror or error}") from error
    mode = "ro" if is_read_only else "rwc"
    address = URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": mode, "uri": "true"})
    engine = create_engine(address, connect_args={"timeout": BUSY_S})
    begin = "BEGIN" if is_read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # or the driver would commit before a table is made
        if not is_read_only:
            connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait
            connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes the venue tells again
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _migrate(connection: Connection) -> None:
    from alembic import command  # half a second that only a new version costs
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _told(path: Path, error: SQLAlchemyError) -> HistoryError:
    """Return the error as one line."""
    original = error.orig if isinstance(error, DBAPIError) else error
    why = f"{path}: {original}"
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF  # the rest of it says more than is needed
    return DamagedHistoryError(why) if code in _DAMAGED else HistoryError(why)
