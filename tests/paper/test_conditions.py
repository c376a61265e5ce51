"""Orders that wait for a price, and orders that show a part: what they lock, when they act, what survives."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from market.codes import Side, TimeInForce
from paper.errors import ErrorKind, ExchangeError
from paper.money.ledger import Ledger
from paper.money.orders import OrderKind, OrderStatus
from paper.money.tables import SCHEMA_VERSION
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, INSTRUMENTS, ONE_ENGINE, Desk
from tests.paper.old_ledgers import TO_VERSION_5

USDT = parse_units("10000")


def trade_at(desk: Desk, price: str) -> None:
    """Let strangers trade at a price."""
    desk.engine.flow(desk.exchange, Side.SELL, price, "0.01")
    desk.engine.flow(desk.exchange, Side.BUY, price, "0.01")


@pytest.mark.parametrize(
    ("kind", "side", "stop", "quiet", "waking"),
    [
        (OrderKind.STOP_LOSS_LIMIT, Side.BUY, "91000", "90999", "91000"),
        (OrderKind.STOP_LOSS_LIMIT, Side.SELL, "89000", "89001", "89000"),
        (OrderKind.TAKE_PROFIT_LIMIT, Side.BUY, "89000", "89001", "88999"),
        (OrderKind.TAKE_PROFIT_LIMIT, Side.SELL, "91000", "90999", "91001"),
    ],
)
def test_an_order_wakes_at_its_price_and_not_before(
    desk: Desk, kind: OrderKind, side: Side, stop: str, quiet: str, waking: str
) -> None:
    """It is funded while it waits, shown by nobody, and rests at its limit afterwards."""
    trade_at(desk, "90000")
    limit = "80000" if side is Side.BUY else "99000"
    order = desk.place(ALICE, desk.request(side, limit, "0.01", kind=kind, stop=stop))
    assert (order.status, order.is_waiting, order.locked_units() > 0) == (OrderStatus.NEW, True, True)
    trade_at(desk, quiet)
    assert order.is_waiting
    assert desk.engine.own_resting_lots() == {}
    trade_at(desk, waking)
    assert not order.is_waiting
    assert order.working_ms > 0
    assert desk.engine.own_resting_lots() == {order.order_id: 1_000}
    assert desk.cancel(order).refusal is None
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_a_stop_without_a_limit_buys_what_is_there(desk: Desk) -> None:
    """It sets aside 1/20 more than its price; what it does not need, it gives back."""
    trade_at(desk, "90000")
    order = desk.place(ALICE, desk.request(Side.BUY, qty="0.01", kind=OrderKind.STOP_LOSS, stop="91000"))
    assert desk.wallet(ALICE, "USDT")[1] == parse_units("955.5")
    desk.engine.flow(desk.exchange, Side.SELL, "91010", "0.004")
    trade_at(desk, "91000")
    assert (order.status, order.filled_lots, order.price_ticks) == (OrderStatus.EXPIRED, 400, 9_555_000)
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("364.04"), 0)


def test_a_take_profit_without_a_limit_sells_what_is_wanted(desk: Desk) -> None:
    """A market order, once it acts."""
    trade_at(desk, "90000")
    order = desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.TAKE_PROFIT, stop="91000"))
    desk.engine.flow(desk.exchange, Side.BUY, "90500", "0.02")
    trade_at(desk, "91000")
    assert (order.status, order.filled_units) == (OrderStatus.FILLED, parse_units("905"))


def test_a_price_that_would_wake_it_at_once_is_refused(desk: Desk) -> None:
    """As on Binance."""
    trade_at(desk, "90000")
    for kind, side, stop in (
        (OrderKind.STOP_LOSS, Side.BUY, "90000"),
        (OrderKind.STOP_LOSS, Side.SELL, "90000.01"),
        (OrderKind.TAKE_PROFIT, Side.BUY, "90000"),
        (OrderKind.TAKE_PROFIT, Side.SELL, "89999.99"),
    ):
        with pytest.raises(ExchangeError) as caught:
            desk.send(ALICE, desk.request(side, qty="0.01", kind=kind, stop=stop))
        assert caught.value.kind is ErrorKind.WOULD_TRIGGER


def test_five_orders_of_a_symbol_may_wait(desk: Desk) -> None:
    """MAX_NUM_ALGO_ORDERS; another account and an order that does not wait are free."""
    for _ in range(5):
        desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.STOP_LOSS, stop="80000"))
    sixth = {"qty": "0.01", "kind": OrderKind.STOP_LOSS, "stop": "80000"}
    with pytest.raises(ExchangeError, match="MAX_NUM_ALGO_ORDERS"):
        desk.send(ALICE, desk.request(Side.SELL, **sixth))  # type: ignore[arg-type]
    desk.place(BOB, desk.request(Side.SELL, **sixth))  # type: ignore[arg-type]
    desk.place(ALICE, desk.request(Side.SELL, "99000", "0.01"))


def test_an_iceberg_shows_a_part_and_goes_to_the_back_for_the_next(desk: Desk) -> None:
    """The whole is funded."""
    iceberg = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.05", iceberg="0.02"))
    plain = desk.place(BOB, desk.request(Side.BUY, "90000", "0.01"))
    assert desk.engine.depth(0, 1).bids[0].qty_lots == 3_000
    assert desk.wallet(ALICE, "USDT")[1] == parse_units("4500")
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.03")
    assert (iceberg.filled_lots, plain.filled_lots) == (2_000, 1_000)
    assert desk.engine.depth(0, 1).bids[0].qty_lots == 2_000


def test_a_new_engine_gets_waiting_orders_and_icebergs_as_they_were(desk: Desk) -> None:
    """Those that wait with their trigger, the one that was woken without, an iceberg with its part."""
    trade_at(desk, "90000")
    stop = {"kind": OrderKind.STOP_LOSS_LIMIT, "time_in_force": TimeInForce.GTC}
    waiting = desk.place(ALICE, desk.request(Side.SELL, "70000", "0.01", stop="80000", **stop))  # type: ignore[arg-type]
    market = desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.STOP_LOSS, stop="80000"))
    woken = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01", stop="91000", **stop))  # type: ignore[arg-type]
    iceberg = desk.place(BOB, desk.request(Side.BUY, "79000", "0.05", iceberg="0.02"))
    trade_at(desk, "91000")
    desk.engine.flow(desk.exchange, Side.BUY, "70000", "0.1")
    desk.engine.restart()
    desk.kill()
    desk.connect()
    assert desk.engine.own_waiting_ids() == {waiting.order_id, market.order_id}
    assert desk.engine.own_resting_lots() == {woken.order_id: 1_000, iceberg.order_id: 5_000}
    assert [level.qty_lots for level in desk.engine.depth(0, 5).bids] == [1_000, 2_000]
    desk.engine.flow(desk.exchange, Side.SELL, "80000", "0.01")
    assert desk.engine.own_waiting_ids() == set()


def test_a_ledger_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    """Its open orders are at work since they were placed, and queue as they were placed."""
    desk = Desk(tmp_path).connect()
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.ledger.close()
    connection = sqlite3.connect(desk.path)
    connection.executescript(TO_VERSION_5)
    connection.execute("DROP TABLE accounts")
    connection.execute("INSERT INTO counters SELECT 'epoch', epoch FROM engines")
    connection.execute("INSERT INTO counters SELECT 'report_sequence', report_sequence FROM engines")
    connection.execute("DROP TABLE engines")
    newer = ("stop_ticks", "display_lots", "working_ms", "next_client_order_id")
    for column in (*newer, "maker_rate", "taker_rate", "fee_place", "queue_number"):
        connection.execute(f"ALTER TABLE orders DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    ledger = Ledger(desk.path, INSTRUMENTS, ONE_ENGINE)
    assert ledger.open_orders == {order.order_id: replace(order, queue_number=0)}
    assert ledger.last_report("engine") == (desk.engine.epoch, 1)
    ledger.close()
    connection = sqlite3.connect(desk.path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()
