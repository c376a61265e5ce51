"""What is too old leaves the history, a few rows at a time, so that nobody waits for it.

Orders, trades and flows are kept for long. Decisions and mids are many and are kept for less; of the balances of that
age the last of each asset and day stay. The accounts, and how far each source was read, stay for good: what was
forgotten is not read again. The file does not shrink; what becomes free in it is used for what comes.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, tuple_

from history.schema import ACCOUNTS, BALANCES, DECISIONS, FLOWS, MIDS, ORDERS, TRADES

BATCH: Final = 2_000  # rows of a table, at once
_DAY_MS: Final = 86_400_000
_BOOKS: Final = (TRADES, ORDERS, FLOWS)
_DETAILS: Final = (MIDS, DECISIONS)


def forget_some(connection: Connection, books_ms: int, details_ms: int, batch: int = BATCH) -> int:
    """Delete up to `batch` rows of each table that are from before their time; return how many it were.

    Args:
        books_ms: from when on orders, trades and flows are kept, ms since 1970 UTC.
        details_ms: likewise decisions, mids, and every change of a balance.
    """
    count = 0
    for account in connection.execute(select(ACCOUNTS.c.id)).scalars().all():
        count += sum(_forget(connection, table, account, books_ms, batch) for table in _BOOKS)
        count += sum(_forget(connection, table, account, details_ms, batch) for table in _DETAILS)
        last = select(func.max(BALANCES.c.id)).where(BALANCES.c.account == account, BALANCES.c.time_ms < details_ms)
        of_days = last.group_by(BALANCES.c.asset, BALANCES.c.time_ms // _DAY_MS)
        count += _forget(connection, BALANCES, account, details_ms, batch, BALANCES.c.id.not_in(of_days))
    return count


def _forget(
    connection: Connection, table: Table, account: int, before_ms: int, batch: int, *more: ColumnElement[bool]
) -> int:
    columns: list[Any] = list(table.primary_key)
    old = select(*columns).where(table.c.account == account, table.c.time_ms < before_ms, *more).limit(batch)
    key = tuple_(*columns) if len(columns) > 1 else columns[0]
    return connection.execute(delete(table).where(key.in_(old))).rowcount
