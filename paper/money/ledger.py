"""The exchange's memory on disk: orders, trades and balances in SQLite.

A transaction changes what is held in memory: open orders and wallets. One that fails is taken back, and leaves those
before it alone. `save` then writes all that have succeeded since the last one as a single transaction of the database:
that is most of the work, and costs for a hundred orders little more than for one.

The write-ahead log with synchronous=NORMAL survives a kill -9 of the process at any moment; only a power cut may take
the last saves with it, and then whole ones. With FULL each save waits for the disk, and is there.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from market.codes import RejectReason
from market.instrument import Instrument
from paper.money.account_records import AccountRecords
from paper.money.amendments import Amendments
from paper.money.history import History
from paper.money.kept_bars import KeptBars
from paper.money.ledger_file import open_ledger, writing
from paper.money.order_list import ListStatus, OpenLists, OrderList, Remnant, Remnants
from paper.money.orders import AccountTrade, Order, OrderStatus
from paper.money.prevented_match import PreventedMatches
from paper.money.tables import (
    IS_OPEN,
    ORDER_COLUMNS,
    SAVE_ACCOUNT,
    SAVE_AMENDMENT,
    SAVE_BALANCE,
    SAVE_COUNTER,
    SAVE_ENGINE,
    SAVE_LIST,
    SAVE_NAME,
    SAVE_ORDER,
    SAVE_PREVENTED,
    SAVE_TRADE,
    SWEEPS,
    order_of_row,
    order_row,
    trade_row,
)
from paper.money.tracked import Tracked
from paper.money.wallets import OUTSIDE, Wallets
from paper.units import Symbol, format_units

TRADE_IDS_PER_EPOCH: Final = 10**10  # so that trade ids keep rising when a new engine counts from 1 again

_ORDER_COUNT: Final = "order_count"
_QUEUE_COUNT: Final = "queue_count"
_LIST_COUNT: Final = "list_count"
_AMEND_COUNT: Final = "amend_count"
_MATCH_COUNT: Final = "prevented_match_count"
_NO_REPORT: Final = 0, 0
_DIFFERENCES_TOLD_MAX: Final = 5


class BooksError(AssertionError):
    """Money was made or lost, or what is locked is not what the orders need: nothing may go on with these books."""


class Ledger:
    """Orders, trades and balances; every change happens inside `transaction()`, and is on disk after `save()`.

    Attributes:
        symbols: what is traded, by the venue's spelling.
        engines: the names of the engines that have a symbol.
        wallets: the money of every account.
        records: what else is known of every account.
        bars: what is known of public trades.
        history: questions about orders and trades on disk.
        open_orders: the orders that may still trade, by id, oldest first.
        open_lists: the order lists whose legs can still end or trigger one another.
        amendments: what is to be saved of orders that got smaller.
        prevented: what is to be saved of matches that were prevented.
        remnants: the legs that have ended while the engine may still have them.
    """

    def __init__(
        self,
        path: Path | None,
        instruments: Sequence[Instrument],
        engine_of: Mapping[str, str],
        *,
        is_synced: bool = False,
    ) -> None:
        """Open the file at `path`, or make it, readable by its owner alone.

        Args:
            path: of the file; None keeps the ledger in memory, for as long as it is open.
            instruments: what is traded.
            engine_of: by symbol, the name of the engine that has its book.
            is_synced: whether what is saved must last through a power failure.

        Raises:
            LedgerError: if the file cannot be used, as `open_ledger` says.
        """
        self.symbols: Mapping[str, Symbol] = {
            each.symbol: Symbol.of(each, engine_of[each.symbol]) for each in instruments
        }
        self.engines = tuple(sorted({symbol.engine for symbol in self.symbols.values()}))
        self._connection = open_ledger(path, self.symbols, self.engines, is_synced=is_synced)
        read = self._connection.execute
        self._counters = Tracked[str, int](dict(read("SELECT name, value FROM counters")))
        engines = read("SELECT engine, epoch, report_sequence FROM engines")
        self._reports = Tracked({engine: (epoch, sequence) for engine, epoch, sequence in engines})
        self._epoch_numbers: dict[int, int] = dict(read("SELECT epoch, number FROM epochs"))
        self.wallets = Wallets(read("SELECT account, asset, free, locked FROM balances"))
        self.records = AccountRecords(
            read("SELECT account, reset_count, reset_ms, is_bnb_payer, clearing, swept_count FROM accounts")
        )
        self.history = History(self._connection, self.symbols, self.records.uid)
        self.bars = KeptBars(self._connection)
        rows = read(f"SELECT {ORDER_COLUMNS} FROM orders WHERE {IS_OPEN} ORDER BY order_id")  # noqa: S608 - constants
        orders = (order_of_row(row, self.symbols) for row in rows)
        self.open_orders: dict[int, Order] = {order.order_id: order for order in orders}
        self._open_by_client_id = {(each.account, each.client_order_id): each for each in self.open_orders.values()}
        self._open_by_account: dict[int, dict[int, Order]] = {}
        for order in self.open_orders.values():
            self._open_by_account.setdefault(order.account, {})[order.order_id] = order
        self.open_lists = OpenLists({each.list_id: each for each in self.history.executing_lists(self.open_orders)})
        self.amendments = Amendments()
        self.prevented = PreventedMatches()
        remnants = read("SELECT order_id, account, symbol FROM remnants")
        self.remnants = Remnants({each: Remnant(account, self.symbols[name]) for each, account, name in remnants})
        self._tracked = (
            self.wallets.by_owner, self.records, self._counters, self._reports, self.open_lists, self.remnants,
            self.amendments, self.prevented,
        )  # fmt: skip
        self._orders_before: dict[int, tuple[Order, Order]] = {}
        self._new_trades: list[AccountTrade] = []
        self._is_changing = False
        self._unsaved_orders: dict[int, Order] = {}
        self._unsaved_trades: list[AccountTrade] = []

    def close(self) -> None:
        """Close the file; nothing that was saved is lost without it."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes inside the block as one, or, if it raises, none of them; the next `save` saves them."""
        assert not self._is_changing, "transactions do not nest"
        self._is_changing = True
        try:
            yield
            self._check_changes()
        except BaseException:
            self._undo()
            raise
        finally:
            self._is_changing = False
        self._settle()

    def save(self) -> None:
        """Write all that has changed since the last time as one; if that fails, it can be tried again.

        Raises:
            LedgerError: if the disk does not take it; nothing was written.
        """
        assert not self._is_changing, "half a transaction cannot be saved"
        if not self._has_unsaved():
            return
        with writing(self._connection):
            self._write()
        self._note_saved()

    def last_report(self, engine: str) -> tuple[int, int]:
        """Return an engine's epoch and the sequence of its last report that is saved; (0, 0) before the first."""
        return self._reports.get(engine, _NO_REPORT)

    def set_last_report(self, engine: str, epoch: int, report_sequence: int) -> None:
        """Remember a report, in the transaction that holds its effects."""
        self._reports[engine] = epoch, report_sequence

    def next_order_number(self) -> int:
        """Return 1, 2, 3 ...: never the same again, whatever happens to the order."""
        return self._count(_ORDER_COUNT)

    def skip_order_numbers(self, last: int) -> None:
        """Make sure that the next order number lies behind `last`."""
        self._counters[_ORDER_COUNT] = max(last, self._counters.get(_ORDER_COUNT, 0))

    def next_list_number(self) -> int:
        """Return 1, 2, 3 ...: never the same again, whatever happens to the order list."""
        return self._count(_LIST_COUNT)

    def next_amend_number(self) -> int:
        """Return 1, 2, 3 ...: never the same again, whichever order is amended."""
        return self._count(_AMEND_COUNT)

    def next_match_number(self) -> int:
        """Return 1, 2, 3 ...: never the same again, whichever match was prevented."""
        return self._count(_MATCH_COUNT)

    def next_queue_number(self) -> int:
        """Return 1, 2, 3 ...: the place of an order that goes to the back of its queue now."""
        return self._count(_QUEUE_COUNT)

    def trade_id(self, epoch: int, engine_trade_id: int) -> int:
        """Return the exchange's number of an engine's trade, which rises over all lives of the engine."""
        if epoch not in self._epoch_numbers:
            number = len(self._epoch_numbers)
            with writing(self._connection):
                self._connection.execute("INSERT INTO epochs (number, epoch) VALUES (?, ?)", (number, epoch))
            self._epoch_numbers[epoch] = number
        return self._epoch_numbers[epoch] * TRADE_IDS_PER_EPOCH + engine_trade_id

    def unheard_trade_id(self, epoch: int, account: int, symbol: Symbol) -> int:
        """Return a number for a trade of which the report was lost: after all that the account has, before all to come.

        The engine has numbered the lost trade, so the account's next one has a higher number than this.
        """
        sql = "SELECT max(trade_id) FROM trades WHERE account = ? AND symbol = ?"
        (last,) = self._connection.execute(sql, (self.records.uid(account), symbol.name)).fetchone()
        recent = self._unsaved_trades + self._new_trades
        new = [each.trade_id for each in recent if each.account == account and each.symbol is symbol]
        return max(last or 0, self.trade_id(epoch, 0), *new) + 1

    def open_order_by_client_id(self, account: int, client_order_id: str) -> Order | None:
        """Return the account's open order of that client id."""
        return self._open_by_client_id.get((account, client_order_id))

    def open_orders_of(self, account: int, symbol: Symbol | None = None) -> list[Order]:
        """Return the account's open orders, of a symbol or all, oldest first."""
        orders = self._open_by_account.get(account, {}).values()
        return [order for order in orders if symbol is None or order.symbol is symbol]

    def change(self, order: Order) -> Order:
        """Announce that an order is new or about to change; it is kept, or taken back, with the transaction."""
        self._orders_before.setdefault(order.order_id, (order, order.copy()))
        return order

    def free(self, order: Order, less_lots: int) -> None:
        """Give back what is set aside for a part of an order, before it gets smaller by that."""
        freed_units = order.locked_units() - order.locked_units(less_lots)
        self.wallets.unlock(order.account, order.locked_asset, freed_units)

    def open_lists_of(self, account: int, symbol: Symbol | None = None) -> list[OrderList]:
        """Return the account's lists that still execute, of a symbol or all, oldest first."""
        lists = (each for each in self.open_lists.executing() if each.account == account)
        return [each for each in lists if symbol is None or each.symbol is symbol]

    def add_trade(self, trade: AccountTrade) -> None:
        """Add a share of a trade."""
        self._new_trades.append(trade)

    def forget_account(self, account: int, time_ms: int) -> None:
        """Let an account begin a new life: its orders and trades are nobody's, and what it owns goes to the outside.

        What it did before must be saved: that is to stay with the earlier life, until `sweep` deletes it.
        """
        assert not self._has_unsaved(), f"account {account} is forgotten before its past is saved"
        record = self.records.of(account)
        clearing = frozenset(self.engines)
        reset = replace(record, reset_count=record.reset_count + 1, reset_ms=time_ms, clearing=clearing)
        self.records[account] = reset
        for order in self.open_orders_of(account):
            self.change(order)
            self.wallets.unlock(account, order.locked_asset, order.locked_units())
            order.status, order.reject_reason = OrderStatus.REJECTED, RejectReason.UNKNOWN_ORDER
        for order_list in self.open_lists_of(account):
            self.open_lists.end(order_list, ListStatus.REJECT)
        for asset, wallet in self.wallets.of(account).items():
            self.wallets.transfer(account, OUTSIDE, asset, wallet.free)

    def sweep(self, rows_max: int) -> bool:
        """Delete some of what accounts did before their resets; return whether more is left.

        That is a save of its own: a process that dies goes on where it was.

        Args:
            rows_max: of each table; a row takes some 15 us.

        Raises:
            LedgerError: if the disk does not take it; it can be tried again.
        """
        unswept = ((account, record.unswept_uid(account)) for account, record in self.records.items())
        account, uid = next(((account, uid) for account, uid in unswept if uid is not None), (0, None))
        if uid is None:
            return False
        with writing(self._connection):
            deleted_count = sum(self._connection.execute(sql, (uid, rows_max)).rowcount for sql in SWEEPS)
        if deleted_count == 0:
            with self.transaction():
                record = self.records.of(account)
                self.records[account] = replace(record, swept_count=record.swept_count + 1)
            self.save()
        return True

    def check(self) -> None:
        """Check that no money was made or lost, and that what is locked is what the open orders need.

        Raises:
            BooksError: if it is not so.
        """
        made = {asset: units for asset, units in self.wallets.totals().items() if units != 0}
        if made:
            raise BooksError(f"money was made or lost: {_amounts(made)}")
        needed: defaultdict[tuple[int, str], int] = defaultdict(int)
        for order in self.open_orders.values():
            needed[order.account, order.locked_asset] += order.locked_units()
        _compare(self.wallets.locked(), needed)

    def _check_changes(self) -> None:
        """Check of what has just changed what `check` checks of everything."""
        made = self.wallets.made()
        if made:
            raise BooksError(f"money would be made or lost: {_amounts(made)}")
        needed: defaultdict[tuple[int, str], int] = defaultdict(int)
        for order, before in self._orders_before.values():
            was = before.locked_units() if order.order_id in self.open_orders else 0
            if more := order.locked_units() - was:
                needed[order.account, order.locked_asset] += more
        _compare(self.wallets.newly_locked(), needed)

    def _count(self, name: str) -> int:
        self._counters[name] = number = self._counters.get(name, 0) + 1
        return number

    def _has_unsaved(self) -> bool:
        return bool(self._unsaved_orders or self._unsaved_trades or any(each.unsaved for each in self._tracked))

    def _write(self) -> None:
        changed = self._unsaved_orders.values()
        uid = self.records.uid
        kept = [order_row(each, uid(each.account)) for each in changed if each.status is not OrderStatus.REJECTED]
        rejected = [(order.order_id,) for order in changed if order.status is OrderStatus.REJECTED]
        for sql, rows in (
            (SAVE_ORDER, kept),
            ("DELETE FROM orders WHERE order_id = ?", rejected),
            (SAVE_TRADE, [trade_row(each, uid(each.account)) for each in self._unsaved_trades]),
            (SAVE_BALANCE, list(self.wallets.changes())),
            (SAVE_ACCOUNT, list(self.records.changes())),
            (SAVE_AMENDMENT, self.amendments.rows(uid)),
            (SAVE_NAME, self.amendments.names()),
            (SAVE_PREVENTED, self.prevented.rows(uid)),
            (SAVE_LIST, list(self.open_lists.changes(uid))),
            ("DELETE FROM order_lists WHERE list_id = ?", self.open_lists.rejected()),
            ("INSERT OR REPLACE INTO remnants VALUES (?,?,?)", self.remnants.come()),
            ("DELETE FROM remnants WHERE order_id = ?", self.remnants.gone()),
            (SAVE_ENGINE, [(engine, *self._reports[engine]) for engine in self._reports.unsaved]),
            (SAVE_COUNTER, [(name, self._counters[name]) for name in self._counters.unsaved]),
        ):
            if rows:
                self._connection.executemany(sql, rows)

    def _note_saved(self) -> None:
        for each in self._tracked:
            each.note_saved()
        self._unsaved_orders.clear()
        self._unsaved_trades.clear()

    def _settle(self) -> None:
        for order, before in self._orders_before.values():
            key = order.account, order.client_order_id
            if before.client_order_id != order.client_order_id:
                self._open_by_client_id.pop((order.account, before.client_order_id), None)
            if order.status.is_open:
                self.open_orders[order.order_id] = order
                self._open_by_client_id[key] = order
                self._open_by_account.setdefault(order.account, {})[order.order_id] = order
            elif self.open_orders.pop(order.order_id, None) is not None:
                self._open_by_client_id.pop(key, None)
                self._open_by_account[order.account].pop(order.order_id)
            self._unsaved_orders[order.order_id] = order
        for each in self._tracked:
            each.settle()
        self._unsaved_trades += self._new_trades
        self._orders_before.clear()
        self._new_trades.clear()

    def _undo(self) -> None:
        for order, before in self._orders_before.values():
            order.restore(before)
        for each in self._tracked:
            each.undo()
        self._orders_before.clear()
        self._new_trades.clear()


def _compare(locked: Mapping[tuple[int, str], int], needed: Mapping[tuple[int, str], int]) -> None:
    if locked == needed:
        return
    differences = [
        f"account {account} has {format_units(locked.get((account, asset), 0))} {asset} locked, "
        f"its orders need {format_units(needed.get((account, asset), 0))}"
        for account, asset in sorted(locked.keys() | needed.keys())
        if locked.get((account, asset), 0) != needed.get((account, asset), 0)
    ]
    if differences:
        raise BooksError("; ".join(differences[:_DIFFERENCES_TOLD_MAX]))


def _amounts(units_by_asset: Mapping[str, int]) -> str:
    return ", ".join(f"{format_units(units)} {asset}" for asset, units in sorted(units_by_asset.items()))
