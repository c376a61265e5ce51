"""The accounts of a paper exchange that does not run, read from its ledger; nothing in the file is changed."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from market.instrument import Instrument
from paper.calls import documents
from paper.calls.documents import Document
from paper.money.account_records import AccountRecord
from paper.money.history import History, Span
from paper.money.ledger_file import LedgerError
from paper.money.tables import IS_OPEN, ORDER_COLUMNS, SCHEMA_VERSION, Row, order_of_row
from paper.money.wallets import Wallet
from paper.units import Symbol


class LedgerReader:
    """A ledger as documents of the exchange's own calls, of the instruments that the desk trades.

    Raises:
        LedgerError: if there is none, or it is another version's; as every question, if it is damaged.
    """

    def __init__(self, path: Path, instruments: Sequence[Instrument]) -> None:
        self._symbols = {each.symbol: Symbol.of(each) for each in instruments}
        self._path = path
        with self._reading():
            # Read-only, but not "immutable": an exchange that was killed has left changes in the file beside it.
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            self._connection.close()
            raise LedgerError(
                f"{path} has version {version}, expected {SCHEMA_VERSION}; the next start brings it there"
            )
        with self._reading():
            records = self._connection.execute("SELECT account, reset_count, reset_ms, is_bnb_payer FROM accounts")
            self._records = {number: AccountRecord(*record) for number, *record in records}
        self._history = History(self._connection, self._symbols, self._uid)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def listed(self) -> list[Document]:
        """Return every account as the admin's call lists it, but for the API keys, which stand elsewhere."""
        sql = "SELECT DISTINCT account FROM balances WHERE account > 0 ORDER BY account"
        return [
            documents.listed_account(
                number, self._records.get(number, AccountRecord()), self._wallets(number), len(self.open_orders(number))
            )
            for (number,) in self._rows(sql)
        ]

    def balances(self, account: int) -> list[Document]:
        """Return every asset of an account, as in the answer to `account`."""
        return documents.balances(self._wallets(account))

    def open_orders(self, account: int) -> list[Document]:
        """Return the open orders of an account, oldest first, as in the answer to `openOrders`.

        Raises:
            LedgerError: as `order`.
        """
        sql = f"SELECT {ORDER_COLUMNS} FROM orders WHERE {IS_OPEN} AND account = ? ORDER BY order_id"  # noqa: S608
        return [self._document(row) for row in self._rows(sql, self._uid(account))]

    def trades(self, account: int, symbol: str, span: Span) -> list[Document]:
        """Return trades of an account, as in the answer to `myTrades`."""
        with self._reading():
            found = self._history.trades(account, self._symbols[symbol], None, span)
        return [documents.account_trade(trade) for trade in found]

    def order(self, name: str) -> Document | None:
        """Return the order of an id, or the newest one of a client order id, of any account; None if there is none.

        Raises:
            LedgerError: if it is of a symbol that the desk does not trade.
        """
        if not name.isascii():
            return None  # and no text of the database's, perhaps
        number = int(name) if name.isdecimal() and len(name) < 19 else -1
        for column, value in (("order_id", number), ("client_order_id", name)):
            sql = f"SELECT {ORDER_COLUMNS} FROM orders WHERE {column} = ? ORDER BY order_id DESC LIMIT 1"  # noqa: S608
            for row in self._rows(sql, value):
                return self._document(row)
        return None

    def trades_of(self, order_id: int) -> list[Document]:
        """Return the trades of an order, oldest first."""
        with self._reading():
            return [documents.account_trade(trade) for trade in self._history.trades_of_order(order_id)]

    def _document(self, row: Row) -> Document:
        try:
            order = order_of_row(row, self._symbols)
        except KeyError as error:
            raise LedgerError(f"the ledger has orders of {error.args[0]}, which this desk does not trade") from None
        return documents.order(order)

    def _uid(self, account: int) -> int:
        return self._records.get(account, AccountRecord()).uid(account)

    def _wallets(self, account: int) -> dict[str, Wallet]:
        sql = "SELECT asset, free, locked FROM balances WHERE account = ? ORDER BY asset"
        return {asset: Wallet(free, locked) for asset, free, locked in self._rows(sql, account)}

    def _rows(self, sql: str, *values: int | str) -> list[Row]:
        with self._reading():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(f"{self._path} cannot be read: {error}") from None
