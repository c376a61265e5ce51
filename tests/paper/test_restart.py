"""What survives when the exchange or the engine dies."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from market.codes import RejectReason, SelfTradePrevention, Side, TimeInForce
from market.commands import Command
from paper.money.account_records import AccountRecord
from paper.money.history import Span
from paper.money.ledger import TRADE_IDS_PER_EPOCH, BooksError, Ledger
from paper.money.ledger_file import LedgerError
from paper.money.orders import Order, OrderKind, OrderStatus
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, CAROL, FIRST_ORDER_ID, INSTRUMENTS, ONE_ENGINE, START_NS, Desk

USDT = parse_units("10000")


def stored(desk: Desk, order: Order) -> Order:
    found = desk.ledger.history.order(order.account, order.symbol, order.order_id)
    assert found is not None
    return found


def test_everything_is_there_after_a_kill_of_the_exchange(desk: Desk) -> None:
    """Balances, orders and trades are read back, and the link resumes after the last saved report."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", client_order_id="mine"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    wallets = desk.ledger.wallets.of(ALICE)
    trades = desk.ledger.history.trades(ALICE, order.symbol, None, Span(10))
    last_report = desk.ledger.last_report("engine")
    desk.kill()
    assert desk.ledger.last_report("engine") == last_report
    assert desk.ledger.wallets.of(ALICE) == wallets
    assert desk.ledger.open_orders == {order.order_id: order}
    assert [trade.trade_id for trade in desk.ledger.history.trades(ALICE, order.symbol, None, Span(10))] == [
        trade.trade_id for trade in trades
    ]
    desk.connect()
    assert desk.engine.depth(0, 1).bids[0].qty_lots == 1_000
    assert desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01")).order_id == order.order_id + 1


def test_reports_that_came_while_the_exchange_was_dead_are_applied_once(desk: Desk) -> None:
    """The link sends again whatever was not acknowledged, and may send it twice."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    _, sequence = desk.ledger.last_report("engine")
    desk.kill()
    desk.engine.flow(None, Side.SELL, "90000", "0.01")
    desk.connect()
    for _ in range(2):
        desk.engine.report(desk.exchange, after=sequence)
        assert stored(desk, order).filled_lots == 1_000
        assert desk.wallet(ALICE, "BTC")[0] == parse_units("1.01")


def test_an_order_that_died_with_the_exchange_on_its_way_is_undone(desk: Desk) -> None:
    """It was saved and funded, but the engine never saw it: it ends, and its funds are free."""
    desk.send(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    assert desk.wallet(ALICE, "USDT")[1] > 0
    desk.kill()
    assert len(desk.ledger.open_orders) == 1
    desk.connect()
    assert desk.ledger.open_orders == {}
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_an_order_that_the_engine_took_but_nobody_saw_is_taken_back(desk: Desk) -> None:
    """Its client was never told, so it may end, but what it traded before stands."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.send(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.engine.handle()
    desk.kill()
    desk.connect()
    desk.engine.report(desk.exchange)
    (order,) = desk.ledger.history.orders(ALICE, desk.exchange.symbols["BTCUSDT"], Span(10))
    assert order.filled_lots == 1_000
    assert desk.wallet(ALICE, "BTC")[0] == parse_units("1.01")
    assert desk.wallet(ALICE, "USDT")[1] == order.locked_units()
    in_book = sum(level.qty_lots for level in desk.engine.depth(0, 10).bids)
    assert in_book == order.leaves_lots


def test_a_new_engine_gets_all_open_orders_in_their_queue_order(desk: Desk) -> None:
    """Price, open quantity and time priority are as they were."""
    first = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    second = desk.place(BOB, desk.request(Side.BUY, "90000", "0.03", kind=OrderKind.LIMIT_MAKER))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.015")
    desk.engine.restart()
    desk.connect()
    assert desk.engine.depth(0, 1).bids[0].qty_lots == 3_500
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    assert (first.status, first.filled_lots) == (OrderStatus.FILLED, 2_000)
    assert (second.status, second.filled_lots) == (OrderStatus.PARTIALLY_FILLED, 500)


def test_a_post_only_order_that_is_entered_again_stays_post_only(desk: Desk) -> None:
    """It went as a plain limit: a stranger who was faster in the new engine's book made a taker of it."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", kind=OrderKind.LIMIT_MAKER))
    desk.engine.restart()
    desk.engine.flow(None, Side.SELL, "89000", "0.01")
    desk.connect()
    assert (order.status, order.filled_lots) == (OrderStatus.EXPIRED, 0)
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_an_order_is_entered_again_as_it_was_given(desk: Desk) -> None:
    """Type, price, what is shown, time in force, self-trade prevention, owner and trigger."""
    stp = SelfTradePrevention.DECREMENT
    requests = [
        desk.request(Side.BUY, "90000", "0.02", self_trade_prevention=stp),
        desk.request(Side.BUY, "90000", "0.02", kind=OrderKind.LIMIT_MAKER, self_trade_prevention=stp),
        desk.request(Side.BUY, "90000", "0.02", iceberg="0.004", self_trade_prevention=SelfTradePrevention.NONE),
        desk.request(Side.BUY, "96000", "0.02", kind=OrderKind.STOP_LOSS_LIMIT, stop="95000"),
        desk.request(Side.SELL, qty="0.02", kind=OrderKind.STOP_LOSS, stop="80000"),
    ]
    sent: list[Command] = []
    real_send = desk.engine.send

    def send(commands: Sequence[Command]) -> int:
        sent.extend(commands)
        return real_send(commands)

    desk.engine.send = send  # type: ignore[method-assign]
    for request in requests:
        desk.place(ALICE, request)
    first, sent[:] = sent[:], []
    desk.engine.restart()
    desk.connect()
    assert len(sent) == len(requests)
    assert sent == first


def test_an_order_that_went_to_the_back_comes_back_there(desk: Desk) -> None:
    """A refilled iceberg stands behind orders that were given after it."""
    iceberg = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", iceberg="0.004"))
    plain = desk.place(BOB, desk.request(Side.BUY, "90000", "0.01"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.004")
    desk.engine.restart()
    desk.connect()
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    assert (iceberg.filled_lots, plain.filled_lots) == (400, 500)


def test_a_reset_account_is_another_one(desk: Desk) -> None:
    """Its uid says so, also after a restart; no other account ever has it."""
    seen = {desk.ledger.records.of(account).uid(account) for account in (ALICE, BOB)}
    for count in range(1, 4):
        desk.exchange.reset_account(ALICE, START_NS)
        desk.kill()
        desk.connect()
        seen.add(desk.ledger.records.of(ALICE).uid(ALICE))
        assert len(seen) == 2 + count


def test_an_iceberg_never_shows_more_than_is_left_of_it(desk: Desk) -> None:
    """What is entered again is the open part, and no more than that is shown."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", iceberg="0.004"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.018")
    command = order.engine_command(1, 1)
    assert (command.qty_lots, command.display_lots) == (200, 200)


def test_a_new_engine_ends_what_the_old_one_had_not_answered(desk: Desk) -> None:
    """Orders never accepted end and give back their funds; cancels on their way are done; waiters are told."""
    kept = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01"))
    leaving = desk.place(ALICE, desk.request(Side.BUY, "81000", "0.01"))
    (cancel,) = desk.exchange.cancel([leaving], desk.engine.time_ns)
    entry = desk.send(ALICE, desk.request(Side.BUY, "82000", "0.01"))
    desk.engine.restart()
    desk.connect()
    assert cancel.is_done
    assert cancel.refusal is None
    assert leaving.status is OrderStatus.CANCELED
    assert entry.is_done
    assert entry.order.status is OrderStatus.REJECTED
    assert list(desk.ledger.open_orders) == [kept.order_id]


def test_a_cancel_of_an_order_that_a_lost_engine_never_accepted_has_cancelled_nothing(desk: Desk) -> None:
    """It was answered as done, with an order of which there was no trace afterwards."""
    entry = desk.send(ALICE, desk.request(Side.BUY, "82000", "0.01"))
    (cancel,) = desk.exchange.cancel([entry.order], desk.engine.time_ns)
    desk.engine.restart()
    desk.connect()
    assert cancel.is_done
    assert cancel.refusal is RejectReason.UNKNOWN_ORDER
    assert entry.order.status is OrderStatus.REJECTED


def test_an_order_that_may_not_rest_is_not_entered_again(desk: Desk) -> None:
    """The engine died between accepting an IOC order and saying how it ended."""
    pending = desk.send(ALICE, desk.request(Side.BUY, "80000", "0.01", time_in_force=TimeInForce.IOC))
    accepted, *_ = desk.engine.handle()
    epoch, sequence = desk.ledger.last_report("engine")
    desk.exchange.engines["engine"].on_reports(epoch, [accepted], sequence + 1, 0)
    desk.engine.restart()
    desk.connect()
    assert pending.order.status is OrderStatus.EXPIRED
    assert desk.engine.depth(0, 1).bids == ()


def test_both_dying_loses_no_accepted_order(desk: Desk) -> None:
    """The exchange dies after it has entered its orders into a new engine, and before that engine has them."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.engine.restart()
    desk.engine.connect(desk.exchange)
    desk.kill()
    desk.connect()
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    assert stored(desk, order).status is OrderStatus.PARTIALLY_FILLED
    assert desk.engine.depth(0, 1).bids[0].qty_lots == 1_500


def test_both_dying_enters_no_order_twice(desk: Desk) -> None:
    """The same, but the new engine has taken the orders, and one has traded, when the exchange comes back."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.engine.restart()
    desk.engine.connect(desk.exchange)
    desk.engine.handle()
    desk.engine.flow(None, Side.SELL, "90000", "0.02")
    desk.kill()
    desk.connect()
    desk.engine.report(desk.exchange)
    assert stored(desk, order).status is OrderStatus.FILLED
    assert desk.engine.depth(0, 1).bids == ()
    assert desk.wallet(ALICE, "BTC")[0] == parse_units("1.02")


def test_an_engine_that_knows_more_orders_than_the_ledger_is_cleared(tmp_path: Path) -> None:
    """The ledger was deleted while the engine lived: its orders leave the book, and ids start behind theirs."""
    desk = Desk(tmp_path).connect()
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.ledger.close()
    desk.path.rename(tmp_path / "forgotten.sqlite")
    fresh = Desk(tmp_path, engine=desk.engine)
    fresh.engine.connect(fresh.exchange, 1, report_sequence=1, last_order_id=order.order_id)
    fresh.engine.pump(fresh.exchange)
    assert fresh.engine.depth(0, 1).bids == ()
    assert fresh.place(ALICE, fresh.request(Side.BUY, "90000", "0.02")).order_id == order.order_id + 1
    fresh.ledger.close()


def test_trade_ids_keep_rising_when_a_new_engine_counts_from_one(desk: Desk) -> None:
    """myTrades?fromId= depends on it."""
    for _ in range(2):
        desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
        desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
        desk.engine.restart()
        desk.connect()
    trades = desk.ledger.history.trades(ALICE, desk.exchange.symbols["BTCUSDT"], None, Span(10))
    assert [trade.trade_id for trade in trades] == [1, TRADE_IDS_PER_EPOCH + 1]


def test_a_failed_transaction_changes_nothing(desk: Desk) -> None:
    """In memory as on disk."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    before, last_report = desk.wallet(ALICE, "USDT"), desk.ledger.last_report("engine")

    def fail_halfway() -> None:
        with desk.ledger.transaction():
            desk.ledger.change(order)
            order.status = OrderStatus.CANCELED
            desk.ledger.wallets.unlock(ALICE, "USDT", 5)
            desk.ledger.next_order_number()
            desk.ledger.set_last_report("engine", 7, 77)
            desk.ledger.records[ALICE] = AccountRecord(reset_count=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert desk.wallet(ALICE, "USDT") == before
    assert stored(desk, order) == order
    assert (desk.ledger.last_report("engine"), desk.ledger.records.of(ALICE)) == (last_report, AccountRecord())
    assert desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01")).order_id == FIRST_ORDER_ID + 2


@pytest.mark.parametrize("what", ["makes", "loses", "locks"])
def test_a_transaction_that_does_not_add_up_changes_nothing(desk: Desk, what: str) -> None:
    """Before it is saved, and not when all is counted some time later."""
    before, wallets = desk.wallet(ALICE, "USDT"), desk.ledger.wallets

    def book_wrongly() -> None:
        with desk.ledger.transaction():
            if what == "locks":
                wallets.lock(ALICE, "USDT", 5)
            else:
                wallet = wallets.by_owner[ALICE, "USDT"]
                wallets.by_owner[ALICE, "USDT"] = wallet._replace(free=wallet.free + (5 if what == "makes" else -5))

    with pytest.raises(BooksError, match="locked" if what == "locks" else "made or lost"):
        book_wrongly()
    assert desk.wallet(ALICE, "USDT") == before
    desk.kill()
    assert desk.wallet(ALICE, "USDT") == before


def test_reports_that_were_saved_come_again_with_new_ones(desk: Desk) -> None:
    """Only the new ones count, and they are the last."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    _, saved = desk.ledger.last_report("engine")
    desk.engine.flow(None, Side.SELL, "90000", "0.001")
    desk.engine.report(desk.exchange, after=0)
    trades = desk.ledger.history.trades(ALICE, order.symbol, None, Span(10))
    assert [trade.qty_lots for trade in trades] == [500, 100]
    assert desk.ledger.last_report("engine")[1] == saved + 1
    desk.ledger.check()


def test_an_account_that_could_not_be_saved_is_saved_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not leave it without its assets."""

    def is_full() -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.ledger, "_write", is_full)
        with pytest.raises(OSError, match="disk full"):
            desk.exchange.open_account(CAROL)
    desk.exchange.open_account(CAROL)
    desk.exchange.saves.save()
    desk.kill()
    assert desk.ledger.wallets.of(CAROL) == desk.ledger.wallets.of(BOB)


def test_a_ledger_is_readable_by_its_owner_alone(desk: Desk) -> None:
    """It holds an account's whole past; the write-ahead log has the same mode."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in desk.path.parent.iterdir()}
    assert modes["paper.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}


def test_a_ledger_in_other_lots_is_refused(tmp_path: Path) -> None:
    """Its integers would mean other amounts."""
    path = tmp_path / "paper.sqlite"
    Ledger(path, INSTRUMENTS, ONE_ENGINE).close()
    with pytest.raises(LedgerError, match="BTCUSDT in other ticks and lots"):
        Ledger(path, [replace(INSTRUMENTS[0], lot_size=Decimal("0.0001"))], ONE_ENGINE)
    Ledger(path, INSTRUMENTS[:1], ONE_ENGINE).close()


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """One clear line instead of a traceback."""
    path = tmp_path / "paper.sqlite"
    path.write_text("Dear diary, " * 100)
    with pytest.raises(LedgerError, match="cannot be used as a ledger"):
        Ledger(path, INSTRUMENTS, ONE_ENGINE)


@pytest.mark.parametrize("is_synced", [False, True])
def test_what_is_saved_waits_for_the_disk_where_the_engine_does(tmp_path: Path, *, is_synced: bool) -> None:
    """Else a power failure takes an order that was confirmed, though the engine's disk has it."""
    ledger = Ledger(tmp_path / "paper.sqlite", INSTRUMENTS, ONE_ENGINE, is_synced=is_synced)
    (level,) = ledger._connection.execute("PRAGMA synchronous").fetchone()
    assert level == (2 if is_synced else 1), "FULL, or NORMAL"
    ledger.close()
