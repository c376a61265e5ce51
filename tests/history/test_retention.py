"""What is too old leaves the history, and nothing else does."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from history import keeping
from history.database import Database
from history.retention import forget_some
from history.schema import BALANCES, DECISIONS, FLOWS, METADATA, MIDS, ORDERS, TRADES
from market.account import Balance, VenueOrder
from market.codes import Side
from reports.trade_history import valued
from tests.reports.fills import BTC, DAY_MS, fill

DAYS = 40


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a history of two accounts that did the same on each of 40 days, twelve times a day."""
    path = tmp_path_factory.mktemp("filled") / "history.sqlite3"
    made = Database(path)
    with made.transaction() as connection:
        for name in ("1", "65537"):
            account = keeping.begin_account(connection, "paper", name, 0, None)
            for number in range(DAYS * 12):
                _fill(connection, account, number + 1, number * DAY_MS // 12)
    made.close()
    return path


@pytest.fixture
def database(filled: Path, tmp_path: Path) -> Iterator[Database]:
    """Return a copy of that history."""
    made = Database(Path(shutil.copy(filled, tmp_path)))
    yield made
    made.close()


def _fill(connection: Any, account: int, number: int, ms: int) -> None:
    trade = fill(number, Side.BUY, "1", "100", time_ms=ms)
    numbers = (Decimal(100), Decimal(1), Decimal(1))
    keeping.keep_trades(connection, account, [valued(trade, BTC, {})])
    order = VenueOrder(str(number), "c", "BTCUSDT", Side.BUY, *numbers, "FILLED", ms)
    keeping.keep_orders(connection, account, "BTCUSDT", [order])
    keeping.keep_balances(connection, account, ms, {"BTC": Balance(Decimal(number), Decimal(0))})
    keeping.keep_decisions(connection, account, [{"time_ms": ms, "symbol": "BTCUSDT"}])
    keeping.keep_flows(connection, account, [{"time_ms": ms, "asset": "BTC", "kind": "deposit", "amount": Decimal(1)}])
    mid = {"symbol": "BTCUSDT", "trade_id": number, "order_id": "o", "horizon_s": 0, "time_ms": ms, "mid": Decimal(1)}
    connection.execute(insert(MIDS).values(account=account, **mid))


def _counts(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


@pytest.mark.parametrize("batch", [7, 1_000])
def test_forgets_what_is_older_and_nothing_else(database: Database, batch: int) -> None:
    """Guards the books of the days that are kept, to the first ms of them."""
    rounds = 0
    while True:
        with database.transaction() as connection:
            count = forget_some(connection, 10 * DAY_MS, 30 * DAY_MS, batch)
        assert count <= 2 * 6 * batch
        if not count:
            break
        rounds += 1
    assert rounds == (1 if batch == 1_000 else -(-30 * 12 // 7))
    assert _counts(database) == {
        "accounts": 2,
        "progress": 0,
        "trades": 2 * 30 * 12,
        "orders": 2 * 30 * 12,
        "flows": 2 * 30 * 12,
        "mids": 2 * 10 * 12,
        "decisions": 2 * 10 * 12,
        "balances": 2 * (10 * 12 + 30),
    }
    with database.transaction() as connection:
        for table, first in ((TRADES, 10), (ORDERS, 10), (FLOWS, 10), (MIDS, 30), (DECISIONS, 30)):
            assert connection.execute(select(func.min(table.c.time_ms))).scalar_one() == first * DAY_MS
        free = connection.execute(select(BALANCES.c.free).where(BALANCES.c.account == 1).limit(31)).scalars().all()
        assert free == [*(Decimal(12 * day) for day in range(1, 31)), Decimal(361)], "the last of each day"
        assert keeping.last_balances(connection, 1) == {"BTC": Balance(Decimal(480), Decimal(0))}


def test_never_forgets_what_a_balance_is(database: Database) -> None:
    """Guards an asset that has not moved for years: its balance is still known."""
    with database.transaction() as connection:
        while forget_some(connection, 900 * DAY_MS, 900 * DAY_MS):
            pass
        assert keeping.last_balances(connection, 2) == {"BTC": Balance(Decimal(480), Decimal(0))}
