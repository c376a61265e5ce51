"""Orders and reports that are saved together: one transaction, and nobody hears of any of it before."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from market.codes import Side
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.news import AccountNews, OrderNews
from paper.exchange.saves import Action, at_once
from paper.money.history import Span
from paper.money.ledger_file import LedgerError, writing
from paper.money.orders import OrderStatus
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.lists import USDT, oto


class Group:
    """A desk whose saves wait until `save` is called."""

    def __init__(self, folder: Path) -> None:
        self.due: list[Action] = []
        self.frames: list[int] = []  # of commands: how many each held
        self.desk = Desk(folder, soon=self.due.append)
        self.save()
        self.desk.connect()
        self.save()
        self.news: list[AccountNews] = []
        self.desk.exchange.account_listeners.append(self.news.append)
        send = self.desk.engine.send

        def count(commands: list[object]) -> int:
            self.frames.append(len(commands))
            return send(commands)  # type: ignore[arg-type]

        setattr(self.desk.engine, "send", count)  # noqa: B010 - not an assignment of the class's

    def save(self) -> None:
        """Do what is due."""
        due, self.due[:] = [*self.due], []
        for action in due:
            action()

    def saved_orders(self, account: int) -> list[tuple[int, str]]:
        """Return what another process would find on the disk: ids and states."""
        with sqlite3.connect(self.desk.path) as connection:
            sql = "SELECT order_id, status FROM orders WHERE account % 65536 = ? ORDER BY order_id"
            return list(connection.execute(sql, (account,)))


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    group = Group(tmp_path)
    yield group
    group.desk.ledger.close()


def test_orders_go_to_the_engine_together_once_they_are_saved(group: Group) -> None:
    """One commit and one frame for all that waited; a process that dies before has sent nothing."""
    desk = group.desk
    pending = [desk.send(account, desk.request(Side.BUY, "90000", "0.01")) for account in (ALICE, BOB, ALICE)]
    assert (group.frames, group.saved_orders(ALICE), len(group.due)) == ([], [], 1)
    group.save()
    assert group.frames == [3]
    ids = [each.order.order_id for each in pending]
    assert group.saved_orders(ALICE) == [(ids[0], "PENDING_NEW"), (ids[2], "PENDING_NEW")]


def test_nobody_hears_of_a_report_before_it_is_saved(group: Group) -> None:
    """Neither the account's stream nor whoever waits for the answer."""
    desk = group.desk
    pending = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    group.save()
    desk.pump()
    assert pending.order.status is OrderStatus.NEW
    assert (pending.is_done, group.news) == (False, [])
    group.save()
    assert pending.is_done
    assert [each.order.status for each in group.news if isinstance(each, OrderNews)] == [OrderStatus.NEW]
    assert group.saved_orders(ALICE) == [(pending.order.order_id, "NEW")]


def test_an_order_that_is_refused_leaves_its_neighbours_alone(group: Group) -> None:
    """Before it and after it in the same save; it has locked nothing and has no row."""
    desk = group.desk
    first = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01", client_order_id="first"))
    for refused in (
        desk.request(Side.BUY, "90000", "1"),
        desk.request(Side.BUY, "90000", "0.01", client_order_id="first"),
    ):
        with pytest.raises(ExchangeError) as caught:
            desk.send(ALICE, refused)
        assert caught.value.kind in {ErrorKind.INSUFFICIENT_BALANCE, ErrorKind.DUPLICATE_ORDER}
    second = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    group.save()
    assert group.frames == [2]
    assert [number for number, _ in group.saved_orders(ALICE)] == [first.order.order_id, second.order.order_id]
    desk.ledger.check()
    desk.kill()
    group.save()
    assert [order.qty_lots for order in desk.ledger.open_orders.values()] == [1_000, 2_000]


def test_a_process_that_dies_before_the_save_has_done_nothing(group: Group) -> None:
    """What it had taken of the engine's reports comes again; what clients wanted is as if they had never asked."""
    desk = group.desk
    resting = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    group.save()
    desk.pump()
    desk.send(BOB, desk.request(Side.BUY, "90000", "0.01"))
    group.due.clear()
    desk.kill()
    group.save()
    assert [order.status for order in desk.ledger.open_orders.values()] == [OrderStatus.PENDING_NEW]
    desk.connect()
    desk.engine.report(desk.exchange)
    desk.pump()
    group.save()
    assert group.saved_orders(ALICE) == [(resting.order.order_id, "NEW")]
    assert group.saved_orders(BOB) == []
    desk.ledger.check()


def test_a_save_that_fails_tells_nobody_and_is_tried_again(group: Group) -> None:
    """A disk that does not take it for a moment costs that moment."""
    desk = group.desk

    pending = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    other = sqlite3.connect(desk.path, isolation_level=None)
    desk.ledger._connection.execute("PRAGMA busy_timeout = 0")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError):
        group.save()
    other.close()
    assert (group.frames, group.saved_orders(ALICE)) == ([], [])
    desk.exchange.saves.save()
    desk.pump()
    desk.exchange.saves.save()
    assert pending.is_done
    assert group.saved_orders(ALICE) == [(pending.order.order_id, "NEW")]


@pytest.mark.parametrize("is_full", [True, False], ids=["full", "locked"])
def test_a_list_that_the_disk_does_not_take_was_never_there(group: Group, *, is_full: bool) -> None:
    """By SQLite's own word: nobody is told, nothing is sent, and who starts anew finds neither list nor lock."""
    desk, connection = group.desk, group.desk.ledger._connection
    other = sqlite3.connect(desk.path, isolation_level=None)
    if is_full:
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    else:
        connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
    for account in (ALICE, BOB) * 5:  # more than the last pages have room for
        new = oto(desk, is_pair=True, bought="0.001", qty="0.001")
        for leg in new.legs:
            leg.account, leg.client_order_id = account, f"{leg.kind}-{len(desk.ledger.open_orders)}".ljust(36, "-")
        desk.exchange.place_list(new, desk.engine.time_ns)
    with pytest.raises(LedgerError, match=f"{desk.path}: cannot be written: .*{'full' if is_full else 'locked'}"):
        group.save()
    other.close()
    assert (group.frames, group.news, group.saved_orders(ALICE)) == ([], [], [])
    desk.soon = at_once
    desk.kill()
    desk.connect()
    assert not desk.ledger.open_lists
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_a_statement_that_is_wrong_is_no_fault_of_the_disk(group: Group) -> None:
    """It is a bug of ours, and shows its traceback; what the block wrote before it is taken back."""
    connection = group.desk.ledger._connection

    def write_wrongly() -> None:
        with writing(connection):
            connection.execute("DELETE FROM balances")
            connection.execute("DELETE FROM no_table")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        write_wrongly()
    assert connection.execute("SELECT count(*) FROM balances").fetchone() > (0,)


def test_an_order_that_comes_and_goes_between_two_saves_is_written_as_it_ended(group: Group) -> None:
    """With its trade, and no state in between."""
    desk = group.desk
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    pending = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    group.save()
    desk.pump()
    group.save()
    assert group.saved_orders(ALICE) == [(pending.order.order_id, "FILLED")]
    trades = desk.ledger.history.trades(ALICE, pending.order.symbol, None, Span(10))
    assert [trade.qty_lots for trade in trades] == [1_000]


def test_a_reset_saves_what_came_before_it(group: Group) -> None:
    """Orders of the old life and of the new one are asked for between two saves: only the new ones stay."""
    desk = group.desk
    desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    new = desk.send(ALICE, desk.request(Side.BUY, "80000", "0.01"))
    group.save()
    assert [number for number, _ in group.saved_orders(ALICE)] == [new.order.order_id]
    desk.ledger.check()


def test_a_bug_in_what_waits_is_met_again_by_the_next_save(group: Group) -> None:
    """One save is done where nobody looks after it, by the loop; the next one, in a turn, must end the node."""

    def fail(_: AccountNews) -> None:
        raise ZeroDivisionError

    group.desk.exchange.account_listeners.insert(0, fail)
    pending = group.desk.send(ALICE, group.desk.request(Side.BUY, "90000", "0.01"))
    group.save()
    group.desk.pump()
    with pytest.raises(ZeroDivisionError):
        group.save()
    with pytest.raises(ZeroDivisionError):
        group.desk.exchange.saves.save()
    assert not pending.is_done


def test_a_transaction_that_fails_takes_its_trades_back(tmp_path: Path) -> None:
    """Else the next one would save a trade for which nobody has paid."""
    desk = Desk(tmp_path).connect()
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    (trade,) = desk.ledger.history.trades_of_order(order.order_id)

    def fail() -> None:
        with desk.ledger.transaction():
            desk.ledger.add_trade(replace(trade, trade_id=trade.trade_id + 1))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    desk.exchange.deposit(ALICE, "USDT", 1, desk.engine.time_ns)
    assert desk.ledger.history.trades_of_order(order.order_id) == [trade]
    desk.ledger.close()
