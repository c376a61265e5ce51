"""Questions about an account's past: orders and trades by id, by time, the latest ones."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from market.codes import SelfTradePrevention
from paper.money.account_records import account_of
from paper.money.amendments import Amendment
from paper.money.order_list import Contingency, ListStatus, OrderList
from paper.money.orders import AccountTrade, Order
from paper.money.prevented_match import NO_MATCH, PreventedMatch
from paper.money.tables import ORDER_COLUMNS, TRADE_COLUMNS, order_of_row, trade_of_row
from paper.units import UNITS_MAX, Symbol


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a history is asked for; None leaves a bound open.

    Without `from_id` and `start_ms` it is the latest `limit`, otherwise the first `limit`; always oldest first.
    """

    limit: int
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    @property
    def is_from_the_end(self) -> bool:
        """Say whether the latest entries are asked for."""
        return self.from_id is None and self.start_ms is None


class History:
    """Reads the orders and trades of a ledger; every question is answered from an index.

    `uid_of` tells the id of an account's present life, under which its rows stand.
    """

    def __init__(
        self, connection: sqlite3.Connection, symbols: Mapping[str, Symbol], uid_of: Callable[[int], int]
    ) -> None:
        self._connection = connection
        self._symbols = symbols
        self._uid_of = uid_of

    def order(self, account: int, symbol: Symbol, order_id: int) -> Order | None:
        """Return the account's order of that id, if the symbol is its symbol."""
        return self._order("account = ? AND symbol = ? AND order_id = ?", self._uid_of(account), symbol.name, order_id)

    def order_by_client_id(self, account: int, symbol: Symbol, client_order_id: str) -> Order | None:
        """Return the account's latest order of that client id."""
        condition = "account = ? AND client_order_id = ? AND symbol = ?"
        return self._order(condition, self._uid_of(account), client_order_id, symbol.name)

    def orders(self, account: int, symbol: Symbol, span: Span) -> list[Order]:
        """Return the account's orders of a symbol, oldest first."""
        equals: list[tuple[str, object]] = [("account", self._uid_of(account)), ("symbol", symbol.name)]
        rows = self._rows("orders", ORDER_COLUMNS, "order_id", equals, span)
        return [order_of_row(row, self._symbols) for row in rows]

    def trades(self, account: int, symbol: Symbol, order_id: int | None, span: Span) -> list[AccountTrade]:
        """Return the account's trades of a symbol, of one order or of all, oldest first."""
        uid = self._uid_of(account)
        equals: list[tuple[str, object]] = [("account", uid), ("symbol", symbol.name)]
        if order_id is not None:
            # The plus signs keep SQLite from the index that holds all trades of the account.
            equals = [("+account", uid), ("+symbol", symbol.name), ("order_id", order_id)]
        return [
            trade_of_row(row, self._symbols) for row in self._rows("trades", TRADE_COLUMNS, "trade_id", equals, span)
        ]

    def trades_of_order(self, order_id: int) -> list[AccountTrade]:
        """Return all trades of one order, oldest first."""
        sql = f"SELECT {TRADE_COLUMNS} FROM trades WHERE order_id = ? ORDER BY trade_id"  # noqa: S608 - constants
        return [trade_of_row(row, self._symbols) for row in self._connection.execute(sql, (order_id,))]

    def amendments(self, account: int, symbol: Symbol, order_id: int, span: Span) -> list[Amendment]:
        """Return how an order of the account got smaller, oldest first."""
        if self.order(account, symbol, order_id) is None:
            return []
        columns = "execution_id, order_id, earlier_client_id, client_order_id, earlier_lots, qty_lots, time_ms"
        rows: list[tuple[Any, ...]] = self._rows("amendments", columns, "execution_id", [("order_id", order_id)], span)
        return [Amendment(*row) for row in rows]

    def prevented_match(self, account: int, symbol: Symbol, match_id: int) -> list[PreventedMatch]:
        """Return the account's prevented match of that id, if there is one."""
        return self._prevented(account, symbol, "match_id = ?", match_id)

    def prevented_matches(self, account: int, symbol: Symbol, order_id: int, span: Span) -> list[PreventedMatch]:
        """Return the prevented matches of one of the account's orders, from an id on, oldest first."""
        condition = "(taker_id = ? OR maker_id = ?) AND match_id >= ? ORDER BY match_id LIMIT ?"
        return self._prevented(account, symbol, condition, order_id, order_id, span.from_id or 0, span.limit)

    def prevented_of(self, order: Order) -> list[PreventedMatch]:
        """Return all prevented matches of an order; of most there are none, which costs no question."""
        if order.prevented_match_id == NO_MATCH:
            return []
        return self.prevented_matches(order.account, order.symbol, order.order_id, Span(-1))

    def _prevented(self, account: int, symbol: Symbol, condition: str, *values: object) -> list[PreventedMatch]:
        sql = f"SELECT * FROM prevented_matches WHERE account = ? AND symbol = ? AND {condition}"  # noqa: S608
        rows = self._connection.execute(sql, (self._uid_of(account), symbol.name, *values))
        return [
            PreventedMatch(match_id, account, symbol, taker_id, maker_id, SelfTradePrevention(mode), *rest)
            for match_id, _, _, taker_id, maker_id, mode, *rest in rows
        ]

    def unfilled_orders(self, since_ms: int) -> Counter[int]:
        """Return by account how many orders of a time or later have not traded; refused ones are not kept."""
        counts = Counter[int]()
        rows = self._connection.execute("SELECT account, time_ms, filled_lots FROM orders ORDER BY order_id DESC")
        for uid, time_ms, filled_lots in rows:
            if time_ms < since_ms:
                break
            counts[account_of(uid)] += not filled_lots
        return counts

    def executing_lists(self, open_orders: Mapping[int, Order]) -> list[OrderList]:
        """Return the order lists whose legs can still end or trigger one another, oldest first.

        A leg that is open is the same object as in `open_orders`.
        """
        condition = f"status = '{ListStatus.EXECUTING}' ORDER BY list_id"
        return [self._list(row, open_orders) for row in self._list_rows(condition)]

    def order_list(self, account: int, list_id: int | None, client_list_id: str | None) -> OrderList | None:
        """Return the account's list of an id, or the latest that it calls so; one of the two must be given."""
        name, value = ("client_list_id", client_list_id) if list_id is None else ("list_id", list_id)
        rows = self._list_rows(
            f"account = ? AND {name} = ? ORDER BY list_id DESC LIMIT 1", self._uid_of(account), value
        )
        return self._list(rows[0], {}) if rows else None

    def order_lists(self, account: int, span: Span) -> list[OrderList]:
        """Return the account's order lists, oldest first."""
        columns = "list_id, account, symbol, client_list_id, contingency, status, time_ms"
        rows = self._rows("order_lists", columns, "list_id", [("account", self._uid_of(account))], span)
        return [self._list(row, {}) for row in rows]

    def _list_rows(self, condition: str, *values: object) -> list[tuple[object, ...]]:
        return self._connection.execute(f"SELECT * FROM order_lists WHERE {condition}", values).fetchall()  # noqa: S608

    def _list(self, row: tuple[Any, ...], open_orders: Mapping[int, Order]) -> OrderList:
        list_id, uid, symbol, client_list_id, contingency, status, time_ms = row
        sql = f"SELECT {ORDER_COLUMNS} FROM orders WHERE list_id = ? ORDER BY order_id"  # noqa: S608 - constants
        legs = [order_of_row(leg, self._symbols) for leg in self._connection.execute(sql, (list_id,))]
        return OrderList(
            list_id,
            account_of(uid),
            self._symbols[symbol],
            client_list_id,
            Contingency(contingency),
            tuple(open_orders.get(leg.order_id, leg) for leg in legs),
            time_ms,
            ListStatus(status),
        )

    def _order(self, condition: str, *values: object) -> Order | None:
        sql = f"SELECT {ORDER_COLUMNS} FROM orders WHERE {condition} ORDER BY order_id DESC LIMIT 1"  # noqa: S608 - constants
        row = self._connection.execute(sql, values).fetchone()
        return None if row is None else order_of_row(row, self._symbols)

    def _rows(
        self, table: str, columns: str, id_column: str, equals: list[tuple[str, object]], span: Span
    ) -> list[tuple[object, ...]]:
        # Ids rise with time, so both orders agree: whichever of them bounds the question leads through its index.
        by = id_column if span.from_id is not None or not (span.start_ms or span.end_ms) else "time_ms"
        from_id = span.from_id
        if from_id is not None and span.start_ms is not None:
            from_id = max(from_id, self._first_id(table, id_column, equals, span.start_ms))
        bounds = ((f"{id_column} >= ?", from_id), ("time_ms >= ?", span.start_ms), ("time_ms <= ?", span.end_ms))
        wanted = [(f"{column} = ?", value) for column, value in equals]
        wanted += [(condition, value) for condition, value in bounds if value is not None]
        direction = "DESC" if span.is_from_the_end else "ASC"
        rows = self._connection.execute(
            f"SELECT {columns} FROM {table} WHERE {' AND '.join(condition for condition, _ in wanted)}"  # noqa: S608
            f" ORDER BY {by} {direction}, {id_column} {direction} LIMIT ?",
            [*(value for _, value in wanted), span.limit],
        ).fetchall()
        return rows[::-1] if span.is_from_the_end else rows

    def _first_id(self, table: str, id_column: str, equals: list[tuple[str, object]], start_ms: int) -> int:
        """Return the lowest id from a time on; beyond all ids if there is none."""
        conditions = " AND ".join(f"{column} = ?" for column, _ in equals)
        row = self._connection.execute(
            f"SELECT {id_column} FROM {table} WHERE {conditions} AND time_ms >= ? ORDER BY time_ms LIMIT 1",  # noqa: S608
            [*(value for _, value in equals), start_ms],
        ).fetchone()
        return UNITS_MAX if row is None else int(row[0])
