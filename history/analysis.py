"""Questions to the history in SQL, and Parquet: by DuckDB, in memory, with nothing of the network or of other files.

DuckDB reads a database of SQLite only with an extension that it would download, so the tables that a question names are
handed over as text.
"""

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, func, literal, select, type_coerce

from history.database import Database, HistoryError
from history.schema import METADATA, Exact
from market.instrument import format_decimal, plain

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

AMOUNT: Final = "DECIMAL(38, 12)"  # so that the product of two is exact, too: DECIMAL(38, 24)
_LIMITS: Final = (
    "SET enable_external_access = false",
    "SET memory_limit = '1GB'",
    "SET lock_configuration = true",
)
_QUESTIONS: Final = ("SELECT", "EXPLAIN", "MULTI")  # DuckDB's kinds; DESCRIBE and SHOW are the first, PIVOT the last
_NULL: Final = "\\N"
_STEP: Final = 10_000


class Answer(NamedTuple):
    """What a question gives: the names of the columns, the first rows, and whether there are more."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    has_more: bool


def ask(
    database: Database, statement: str, rows_max: int, tell: Callable[[int, int], object] = lambda _done, _all: None
) -> Answer:
    """Return what a statement of SQL gives over the tables of `schema.py`; beside each `time_ms` stands a `time`.

    Args:
        rows_max: how many of its rows.
        tell: told how many rows of the tables are handed over, and of how many; what follows then nobody knows.

    Raises:
        HistoryError: if there is no DuckDB, it does not take the statement, or that is not one that asks.
    """
    duckdb = _duckdb()
    with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch:
        connection = duckdb.connect()
        try:
            kinds = [each.type.name for each in connection.extract_statements(statement)]
            if len(kinds) != 1 or kinds[0] not in _QUESTIONS:
                was = ", then ".join(kinds) or "nothing"
                raise HistoryError(f"expected one question that changes nothing, was {was}")
            tables = [table for table in METADATA.sorted_tables if table.name in statement.lower()]
            total, done = _row_count(database, tables), 0
            for table in tables:
                for count in _hand_over(database, table, connection, Path(scratch)):
                    done += count
                    tell(done, max(done, total))
            for setting in _LIMITS:
                connection.execute(setting)
            found = connection.execute(statement)
            rows = found.fetchmany(rows_max + 1)
            columns = [column[0] for column in found.description or ()]
        except duckdb.Error as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise HistoryError("\n".join(lines)) from error
        except OSError as error:
            raise HistoryError(f"cannot write to {scratch}: {error.strerror or error}") from error
        finally:
            connection.close()
    return Answer(columns, [tuple(map(_plain, row)) for row in rows[:rows_max]], len(rows) > rows_max)


def write_parquet(path: Path, types: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as a file of Parquet; `types` are the columns' names with DuckDB's types.

    Raises:
        HistoryError: if there is no DuckDB, or the disk does not take it; then there is no file.
    """
    duckdb = _duckdb()
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise HistoryError(f"cannot write {path}: it is no file")
    aside = path.with_name(f"{path.name}.unfinished")
    with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch:
        text = Path(scratch) / "rows.csv"
        connection = duckdb.connect()
        try:
            _write_text(text, (map(_text, row) for row in rows))
            _read(connection, text, types).write_parquet(str(aside))
            aside.replace(path)
        except (duckdb.Error, OSError) as error:
            aside.unlink(missing_ok=True)
            raise HistoryError(f"cannot write {path}: {error}") from error
        finally:
            connection.close()


def _duckdb() -> Any:
    try:
        import duckdb
    except ModuleNotFoundError:
        raise HistoryError("this needs DuckDB: .venv/bin/python -m uv pip install 'duckdb>=2.0'") from None
    return duckdb


def _row_count(database: Database, tables: Sequence[Table]) -> int:
    with database.transaction() as source:
        return sum(source.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def _hand_over(database: Database, table: Table, connection: "DuckDBPyConnection", scratch: Path) -> Iterator[int]:
    """Make a table of DuckDB of one of the history; yields how many rows are handed over, some at a time."""
    text = scratch / f"{table.name}.csv"
    plain = [type_coerce(func.coalesce(column, literal(_NULL, String)), String) for column in table.c]  # as it is kept
    with database.transaction() as source:
        found = source.execution_options(yield_per=_STEP).execute(select(*plain))
        with text.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            for rows in found.partitions():
                writer.writerows(rows)
                yield len(rows)
    columns = "*, epoch_ms(time_ms) AS time" if "time_ms" in table.c else "*"
    types = [(column.name, _type(column)) for column in table.c]
    _read(connection, text, types).project(columns).create(table.name)


def _type(column: Column[Any]) -> str:
    """Return DuckDB's type of a column."""
    if isinstance(column.type, Exact):
        return AMOUNT
    if isinstance(column.type, BigInteger | Integer):
        return "BIGINT"
    return "BOOLEAN" if isinstance(column.type, Boolean) else "VARCHAR"


def _write_text(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return format_decimal(value)
    return _NULL if value is None else value


def _read(connection: "DuckDBPyConnection", path: Path, types: Sequence[tuple[str, str]]) -> "DuckDBPyRelation":
    """Return the rows that `_write_text` wrote."""
    columns: dict[str, str] = dict(types)
    return connection.read_csv(
        str(path),
        header=False,
        auto_detect=False,
        columns=columns,
        delimiter=",",
        quotechar='"',
        escapechar='"',
        na_values=_NULL,
    )


def _plain(value: Any) -> Any:
    """Return a value of DuckDB's as JSON has it: times as text, exact."""
    if isinstance(value, float):
        return Decimal(repr(value)) if value - value == 0 else None  # NaN and infinity are no numbers
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, Decimal):
        return plain(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return str(value)
