"""The file of a ledger: opened, brought to this version, and compared with what the desk trades and where."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from market.mendable import MendableError
from paper.money.tables import ANY_ENGINE, IS_OPEN, SCHEMA, SCHEMA_VERSION, UPGRADES
from paper.units import Symbol

_LOG_PAGES = 8_000  # some 32 MB: to bring them into the file takes two syncs, for which every order waits
_OF_THE_DISK: Final = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
})  # fmt: skip
_PRIMARY: Final = 0xFF  # an extended code says more than these in its higher bits


class LedgerError(MendableError):
    """The file cannot be used; the text is one line for the user."""


def open_ledger(
    path: Path | None, symbols: Mapping[str, Symbol], engines: Sequence[str], *, is_synced: bool = False
) -> sqlite3.Connection:
    """Open the file at `path`, or make it, readable by its owner alone; None is memory.

    With `is_synced` what is committed lasts through a power failure.

    Raises:
        LedgerError: if it is no ledger, another version's, counts a symbol in other ticks or lots, or has open orders
            of a symbol at another engine.
    """
    connection = _opened(path, is_synced=is_synced)
    try:
        _check_symbols(connection, symbols, path)
        _name_engines(connection, engines)
        _check_places(connection, symbols, path)
    except LedgerError:
        connection.close()
        raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Write what the block writes as one; if it raises, or the disk does not take it, nothing.

    Raises:
        LedgerError: if the disk does not take it; it can be tried again.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & _PRIMARY in _OF_THE_DISK:
            _, _, path = connection.execute("PRAGMA database_list").fetchone()
            raise LedgerError(f"{path or 'the ledger in memory'}: cannot be written: {error}") from error
        raise  # a statement or a row that is wrong is a bug of ours


def _opened(path: Path | None, *, is_synced: bool) -> sqlite3.Connection:
    # SQLite gives its -wal and -shm files the mode of the main file, so that one decides.
    try:
        if path is not None:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise LedgerError(f"{path}: cannot be opened: {error.strerror}") from error
    connection = sqlite3.connect(path or ":memory:", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            version = SCHEMA_VERSION
        while version in UPGRADES:
            connection.executescript(f"BEGIN; {UPGRADES[version]} PRAGMA user_version = {version + 1}; COMMIT;")
            version += 1
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"{path}: cannot be used as a ledger: {error}") from error
    if version != SCHEMA_VERSION:
        connection.close()
        raise LedgerError(f"{path}: expected a ledger of version {SCHEMA_VERSION}, was {version}")
    return connection


def _check_symbols(connection: sqlite3.Connection, symbols: Mapping[str, Symbol], path: Path | None) -> None:
    known = {name: steps for name, *steps in connection.execute("SELECT name, tick_units, lot_units FROM symbols")}
    for name, symbol in symbols.items():
        steps = [symbol.tick_units, symbol.lot_units]
        if known.setdefault(name, steps) != steps:
            raise LedgerError(
                f"{path}: counts {name} in other ticks and lots than configured; start afresh or elsewhere"
            )
    open_symbols = {name for (name,) in connection.execute(f"SELECT DISTINCT symbol FROM orders WHERE {IS_OPEN}")}  # noqa: S608
    if gone := sorted(open_symbols - symbols.keys()):
        raise LedgerError(f"{path}: has open orders in {', '.join(gone)}, which the exchange no longer trades")
    rows = [(symbol.name, symbol.tick_units, symbol.lot_units) for symbol in symbols.values()]
    connection.executemany("INSERT OR IGNORE INTO symbols VALUES (?, ?, ?)", rows)


def _name_engines(connection: sqlite3.Connection, engines: Sequence[str]) -> None:
    """Write the names of engines where an earlier version of the ledger knew only one, and not its name.

    It may be any of them. Each gets its last report: to those that it is not of, it is that of another epoch.
    """
    with connection:  # nothing of this is seen if the process dies in it
        connection.execute("BEGIN IMMEDIATE")
        share = "INSERT OR IGNORE INTO engines SELECT ?, epoch, report_sequence FROM engines WHERE engine = ?"
        connection.executemany(share, [(engine, ANY_ENGINE) for engine in engines])
        connection.execute("DELETE FROM engines WHERE engine = ?", (ANY_ENGINE,))
        connection.execute("UPDATE accounts SET clearing = ? WHERE clearing = ?", (",".join(engines), ANY_ENGINE))


def _check_places(connection: sqlite3.Connection, symbols: Mapping[str, Symbol], path: Path | None) -> None:
    """Refuse to trade a symbol at one engine while another one has orders of it in its book."""
    epochs: dict[str, int] = dict(connection.execute("SELECT engine, epoch FROM engines"))
    rows = connection.execute(f"SELECT DISTINCT symbol, abs(engine_epoch) FROM orders WHERE {IS_OPEN}")  # noqa: S608
    for name, epoch in rows:
        holders = [engine for engine, last_epoch in epochs.items() if last_epoch == epoch]
        if holders and symbols[name].engine not in holders:
            raise LedgerError(
                f"{path}: has open orders in {name} on {', '.join(holders)}, where [[engines]] must leave the "
                f"symbol until they are cancelled; it says {symbols[name].engine}"
            )
