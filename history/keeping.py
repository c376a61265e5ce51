"""What goes into the history and comes out of it again, within a transaction of `Database`.

Nothing is doubled: what is there already stays as it is, or becomes what the venue says now. Nothing is lost: up to
where a source was read is kept in the transaction of what was read of it.

Whatever is read again is looked at, see `rows.py`: a row that somebody has spoilt is told with `tell`, and is passed
over or, where the venue has told it again, replaced.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, Table, cast, delete, func, insert, select, update

from history.rows import BadRowError, as_kept, checked
from history.schema import ACCOUNTS, BALANCES, DECISIONS, FLOWS, MIDS, ORDERS, PROGRESS, TRADES
from market.account import Balance, VenueOrder, VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from reports.trade_history import FillDetail, HistoryRow, TradeKey

Tell = Callable[[str], object]


def _silent(_: str) -> None:
    """Tell nobody."""


class AnotherAccountError(Exception):
    """What is told cannot come from the account whose trades are kept; the text says why."""


def account_of(connection: Connection, venue: str, account_id: str, now_ms: int, reset: tuple[int, str] | None) -> int:
    """Return the number of the account in its present life, which is noted if it is new.

    Args:
        venue: its name.
        account_id: the venue's own, empty if it tells none.
        reset: when the account was last seen to have begun anew, and why.

    Raises:
        BadRowError: if somebody has spoilt its row: all others hang on it.
    """
    newest = select(*as_kept(ACCOUNTS)).where(ACCOUNTS.c.venue == venue).order_by(ACCOUNTS.c.id.desc()).limit(1)
    found = connection.execute(newest).first()
    if found is None:
        return begin_account(connection, venue, account_id, now_ms, None)
    last = checked(ACCOUNTS, found)
    if account_id and last["account_id"] and account_id != last["account_id"]:
        reason = reset[1] if reset else f"the venue's account is {account_id}, and was {last['account_id']}"
        return begin_account(connection, venue, account_id, now_ms, reason)
    if reset is not None and reset[0] > last["first_ms"]:
        return begin_account(connection, venue, account_id, reset[0], reset[1])
    number: int = last["id"]
    return number


def begin_account(connection: Connection, venue: str, account_id: str, first_ms: int, reason: str | None) -> int:
    """Note that an account has begun, for a `reason` if it is not a venue's first, and return its number."""
    values = {"venue": venue, "account_id": account_id, "first_ms": first_ms, "reason": reason}
    key = connection.execute(insert(ACCOUNTS).values(values)).inserted_primary_key
    assert key is not None
    number: int = key[0]
    return number


def account_at(connection: Connection, venue: str, time_ms: int) -> int:
    """Return the number that a venue's account had at a time, ms since 1970 UTC; of before the first, that of it."""
    mine = select(ACCOUNTS.c.id).where(ACCOUNTS.c.venue == venue)
    last = mine.where(ACCOUNTS.c.first_ms <= time_ms).order_by(ACCOUNTS.c.id.desc()).limit(1)
    number: int | None = connection.execute(last).scalar()
    return connection.execute(mine.order_by(ACCOUNTS.c.id).limit(1)).scalar_one() if number is None else number


def position_of(connection: Connection, source: str, tell: Tell = _silent) -> int | None:
    """Return up to where a source was read, None if it never was, or nobody can tell."""
    row = connection.execute(select(*as_kept(PROGRESS)).where(PROGRESS.c.source == source)).first()
    values = None if row is None else _passed_over(PROGRESS, row, tell)
    position: int | None = None if values is None else values["position"]
    return position


def sane_position(
    connection: Connection, source: str, account: int, table: Table, symbol: str, tell: Tell = _silent
) -> int | None:
    """Return up to which number of a symbol's trades, or orders, the venue was read: no further than there are any."""
    position = position_of(connection, source, tell)
    number = TRADES.c.trade_id if table is TRADES else cast(ORDERS.c.order_id, BigInteger)
    mine = (table.c.account == account, table.c.symbol == symbol)
    newest = connection.execute(select(func.max(number)).where(*mine)).scalar()
    if position is None or newest is None or position <= newest:
        return position
    tell(f"{PROGRESS.name}, row of source {source}: position {position} is beyond the newest, {newest}; it is read on")
    return int(newest)


def keep_position(connection: Connection, source: str, position: int) -> None:
    """Note up to where a source was read."""
    found = connection.execute(update(PROGRESS).where(PROGRESS.c.source == source).values(position=position))
    if not found.rowcount:
        connection.execute(insert(PROGRESS).values(source=source, position=position))


def keep_trades(connection: Connection, account: int, rows: Sequence[HistoryRow], tell: Tell = _silent) -> int:
    """Add the trades, of one symbol, that are not there yet, and return how many; a fee without a price may get one.

    Raises:
        AnotherAccountError: if one of them stands there with another content.
    """
    if not rows:
        return 0
    numbers = [row.trade.trade_id for row in rows]
    asked = _trades(account, rows[0].trade.symbol).where(TRADES.c.trade_id.between(min(numbers), max(numbers)))
    wanted = {row.key for row in rows}
    kept: dict[TradeKey, HistoryRow] = {}
    for found in connection.execute(asked).all():
        try:
            kept[found.symbol, found.trade_id, found.order_id] = _history_row(found)
        except BadRowError as error:
            if (key := (found.symbol, found.trade_id, found.order_id)) in wanted:
                tell(f"{error}; what the venue tells is in its place")
                _forget_trade(connection, account, key)
    new: dict[TradeKey, HistoryRow] = {}
    for row in rows:
        there = kept.get(row.key)
        if there is None:
            new[row.key] = row
        elif there.trade != row.trade:
            raise AnotherAccountError(f"trade {row.trade.trade_id} of {row.trade.symbol} is not the one that was kept")
        elif there.fee_in_quote is None and row.fee_in_quote is not None:
            _value_fee(connection, account, row)
    if new:
        connection.execute(insert(TRADES), [_trade_values(account, row) for row in new.values()])
    return len(new)


def _forget_trade(connection: Connection, account: int, key: TradeKey) -> None:
    symbol, trade_id, order_id = key
    mine = (TRADES.c.account == account, TRADES.c.symbol == symbol, TRADES.c.trade_id == trade_id)
    connection.execute(delete(TRADES).where(*mine, TRADES.c.order_id == order_id))


def keep_mids(connection: Connection, account: int, details: Mapping[TradeKey, tuple[int, FillDetail]]) -> None:
    """Add what has become known of the mids around fills, of each with the time of its trade in ms."""
    if not details:
        return
    times_ms = [time_ms for time_ms, _ in details.values()]
    key = (MIDS.c.symbol, MIDS.c.trade_id, MIDS.c.order_id, MIDS.c.horizon_s)
    asked = select(*key).where(MIDS.c.account == account, MIDS.c.time_ms.between(min(times_ms), max(times_ms)))
    kept = {tuple(row) for row in connection.execute(asked)}
    new = [
        {"account": account, "time_ms": time_ms, "mid": mid}
        | dict(zip(("symbol", "trade_id", "order_id", "horizon_s"), (*fill, horizon_s), strict=True))
        for fill, (time_ms, detail) in details.items()
        for horizon_s, mid in {0: detail.mid, **detail.mids}.items()
        if mid is not None and (*fill, horizon_s) not in kept
    ]
    if new:
        connection.execute(insert(MIDS), new)


def keep_orders(
    connection: Connection, account: int, symbol: str, orders: Sequence[VenueOrder], tell: Tell = _silent
) -> int:
    """Add a symbol's orders, or bring those that are there up to date; return how many were touched."""
    mine = (ORDERS.c.account == account, ORDERS.c.symbol == symbol)
    asked = select(*as_kept(ORDERS)).where(*mine, ORDERS.c.order_id.in_([order.order_id for order in orders]))
    kept = {row.order_id: _passed_over(ORDERS, row, tell) or {} for row in connection.execute(asked)}
    wanted = {order.order_id: _columns(ORDERS, order) | {"account": account} for order in orders}
    new = [values for order_id, values in wanted.items() if order_id not in kept]
    if new:
        connection.execute(insert(ORDERS), new)
    changed = {order_id: values for order_id, values in wanted.items() if kept.get(order_id, values) != values}
    for order_id, values in changed.items():
        connection.execute(update(ORDERS).where(*mine, ORDERS.c.order_id == order_id).values(values))
    return len(new) + len(changed)


def keep_balances(connection: Connection, account: int, time_ms: int, balances: Mapping[str, Balance]) -> None:
    """Note what the balances of some assets have become."""
    rows = [
        {"account": account, "time_ms": time_ms, "asset": asset, "free": balance.free, "locked": balance.locked}
        for asset, balance in balances.items()
    ]
    if rows:
        connection.execute(insert(BALANCES), rows)


def keep_flows(connection: Connection, account: int, flows: Iterable[JsonObject]) -> None:
    """Note what came into the account, or left it, but by trades: as the daily document's `flows` tell it."""
    for flow in flows:
        key = {name: flow[name] for name in ("time_ms", "asset", "kind")}
        mine = [FLOWS.c.account == account, *(FLOWS.c[name] == value for name, value in key.items())]
        if not connection.execute(update(FLOWS).where(*mine).values(amount=flow["amount"])).rowcount:
            connection.execute(insert(FLOWS).values(account=account, amount=flow["amount"], **key))


def keep_decisions(connection: Connection, account: int, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Add decisions, each with the names of the table's columns."""
    if decisions:
        connection.execute(insert(DECISIONS), [{"account": account, **each} for each in decisions])


def orders_with(
    connection: Connection, account: int, symbol: str, statuses: Iterable[str], tell: Tell = _silent
) -> set[str]:
    """Return the ids of the orders that have one of the `statuses`; they are numbers."""
    asked = select(ORDERS.c.order_id).where(
        ORDERS.c.account == account, ORDERS.c.symbol == symbol, ORDERS.c.status.in_(list(statuses))
    )
    found = set(connection.execute(asked).scalars())
    strange = {each for each in found if not (isinstance(each, str) and each.isascii() and each.isdecimal())}
    for each in strange:
        tell(f"{ORDERS.name}: order_id must be a number, was {str(each)[:40]!r}; the row is passed over")
    return found - strange


def last_balances(connection: Connection, account: int, tell: Tell = _silent) -> dict[str, Balance]:
    """Return what each asset's balance was last, where it is known."""
    newest = select(func.max(BALANCES.c.id)).where(BALANCES.c.account == account).group_by(BALANCES.c.asset)
    asked = select(*as_kept(BALANCES)).where(BALANCES.c.id.in_(newest))
    rows = [_passed_over(BALANCES, row, tell) for row in connection.execute(asked)]
    return {row["asset"]: Balance(row["free"], row["locked"]) for row in rows if row is not None}


def accounts(connection: Connection) -> Sequence[Row[Any]]:
    """Return every life of every account, oldest first."""
    return connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.id)).all()


def trades_of(connection: Connection, account: int) -> Iterator[HistoryRow]:
    """Return an account's trades, oldest first.

    Raises:
        BadRowError: at one that somebody has spoilt.
    """
    order = (TRADES.c.time_ms, TRADES.c.symbol, TRADES.c.trade_id, TRADES.c.order_id)
    asked = select(*as_kept(TRADES)).where(TRADES.c.account == account).order_by(*order)
    return map(_history_row, connection.execution_options(yield_per=10_000).execute(asked))


def _trades(account: int, symbol: str) -> Select[Any]:
    return select(*as_kept(TRADES)).where(TRADES.c.account == account, TRADES.c.symbol == symbol)


def _passed_over(table: Table, row: Row[Any], tell: Tell) -> dict[str, Any] | None:
    """Return the values of a row; None, which is told, of one that somebody has spoilt."""
    try:
        return checked(table, row)
    except BadRowError as error:
        tell(f"{error}; the row is passed over")
        return None


def _history_row(row: Row[Any]) -> HistoryRow:
    values = checked(TRADES, row)
    fee_in_quote, fee_price = values.pop("fee_in_quote"), values.pop("fee_price")
    del values["account"]
    return HistoryRow(VenueTrade(**values | {"side": Side[values["side"]]}), fee_in_quote, fee_price)


def _trade_values(account: int, row: HistoryRow) -> dict[str, Any]:
    return _columns(TRADES, row.trade) | {
        "account": account,
        "fee_in_quote": row.fee_in_quote,
        "fee_price": row.fee_price,
    }


def _columns(table: Table, told: VenueTrade | VenueOrder) -> dict[str, Any]:
    """Return the columns that are named as what the venue tells."""
    values = {column.name: getattr(told, column.name) for column in table.c if hasattr(told, column.name)}
    return values | {"side": told.side.name}


def _value_fee(connection: Connection, account: int, row: HistoryRow) -> None:
    symbol, trade_id, order_id = row.key
    mine = (TRADES.c.account == account, TRADES.c.symbol == symbol, TRADES.c.trade_id == trade_id)
    values = {"fee_in_quote": row.fee_in_quote, "fee_price": row.fee_price}
    connection.execute(update(TRADES).where(*mine, TRADES.c.order_id == order_id).values(values))
