"""The history database: its form and its migrations agree, old ones are upgraded, and what is wrong is one line."""

import multiprocessing
import sqlite3
from decimal import Decimal
from pathlib import Path
from shutil import copy

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

import history
from history.database import DamagedHistoryError, Database, HistoryError, NewerHistoryError, put_aside
from history.keeping import accounts, begin_account, trades_of
from history.schema import ACCOUNTS, BALANCES, DECISIONS, METADATA, REVISION

KEPT = Path(__file__).parent.parent / "kept" / "history.sqlite3"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where there is no database yet; the name has what an address of SQLite gives a meaning to."""
    return tmp_path / "reports? #1 100%" / "history.sqlite3"


def test_the_migrations_make_the_tables_of_the_code(path: Path) -> None:
    """Guards a table that is changed without a revision, or a revision that the code does not know."""
    database = Database(path)
    with database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []
    database.close()
    config = Config()
    config.set_main_option("script_location", str(Path(history.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_the_tables_are_not_sqlites_alone() -> None:
    """Another database is to come by its address alone."""
    for table in METADATA.sorted_tables:
        text = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        assert "CREATE TABLE" in text


def test_upgrades_the_database_that_an_older_program_left(tmp_path: Path) -> None:
    """Guards what is on disk: a desk that is updated goes on with its history."""
    path = Path(copy(KEPT, tmp_path / "history.sqlite3"))
    database = Database(path)
    with database.transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert [(row.venue, row.account_id) for row in accounts(connection)] == [
            ("paper", "65537"),
            ("paper", "131073"),
        ]
        assert [row.trade.trade_id for row in trades_of(connection, 1)] == [1, 2]
        decision = {"account": 1, "time_ms": 1, "symbol": "BTCUSDT"}
        for more in ({}, {"level": 2, "model": "glft"}):
            connection.execute(insert(DECISIONS).values(decision | more))
        found = connection.execute(select(DECISIONS.c.level, DECISIONS.c.model).order_by(DECISIONS.c.id))
        assert [tuple(row) for row in found] == [(None, None), (2, "glft")]
    database.close()


def _open(path: Path) -> None:
    Database(path).close()


def test_two_that_open_it_at_once_make_it_once(path: Path) -> None:
    """Guards the lock of the upgrade: the second one finds it done."""
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_open, args=(path,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(60)
    assert [each.exitcode for each in both] == [0, 0]
    Database(path, is_read_only=True).close()


def test_refuses_a_newer_database(path: Path) -> None:
    """Guards a desk that is set back to an older program: one line, and nothing is changed."""
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(NewerHistoryError, match=r"version 99, newer than the \d+ known here"):
        Database(path)


def test_a_reader_makes_and_changes_nothing(path: Path) -> None:
    """Guards the commands: only the tracker makes a history."""
    with pytest.raises(HistoryError, match=r"there is no history at .*; a desk that runs no tracker keeps none"):
        Database(path, is_read_only=True)
    assert not path.parent.exists()
    Database(path).close()
    reader = Database(path, is_read_only=True)
    with pytest.raises(HistoryError, match="readonly"), reader.transaction() as connection:
        connection.execute(insert(ACCOUNTS).values(venue="paper", account_id="", first_ms=0))
    reader.close()


def test_a_transaction_is_done_whole_or_not_at_all(path: Path) -> None:
    """Guards the driver, which would commit before what changes a table."""
    database = Database(path)

    def fail() -> None:
        with database.transaction() as connection:
            begin_account(connection, "paper", "1", 0, None)
            connection.exec_driver_sql("CREATE TABLE more (id INTEGER)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.transaction() as connection:
        assert accounts(connection) == []
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'more'").all() == []
    database.close()


@pytest.mark.parametrize("text", ["0.00001", "-0.00000001", "123456789012345678901234567890.123456789", "0", "1E+3"])
def test_keeps_a_decimal_to_its_last_digit(path: Path, text: str) -> None:
    """Guards money against floats, which SQLite would make of it."""
    database = Database(path)
    with database.transaction() as connection:
        account = begin_account(connection, "paper", "1", 0, None)
        row = {"account": account, "time_ms": 1, "asset": "BTC", "free": Decimal(text), "locked": Decimal(0)}
        connection.execute(insert(BALANCES).values(row))
        assert connection.execute(select(BALANCES.c.free)).scalar_one() == Decimal(text)
        assert "E" not in connection.exec_driver_sql("SELECT free FROM balances").scalar_one()
    database.close()


def test_tells_a_damaged_file_and_puts_it_aside(path: Path) -> None:
    """Guards what is damaged: it is named, and kept."""
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(DamagedHistoryError, match="not a database"):
            Database(path)
        assert put_aside(path).name == f"history.damaged-{number}.sqlite3"
    Database(path).close()
