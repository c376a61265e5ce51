"""Several engines behind one exchange: each with its symbols, its link, its absences and its lives."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.codes import Side
from paper.errors import ErrorKind, ExchangeError
from paper.money.history import Span
from paper.money.ledger import Ledger
from paper.money.ledger_file import LedgerError
from paper.money.orders import OrderKind, OrderStatus
from paper.money.starting_assets import STARTING_ASSETS
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, INSTRUMENTS, ONE_ENGINE, START_NS, Desk, DeskEngine
from tests.paper.old_ledgers import TO_VERSION_5

BTC, ETH = "BTCUSDT", "ETHUSDT"
SEED, ROUNDS, STEPS = 20_261_126, 12, 40


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A connected desk whose second engine has ETHUSDT; its money is checked at the end of every test."""
    desk = Desk(tmp_path, second=DeskEngine("engine2", 5_000)).connect()
    yield desk
    desk.ledger.check()
    desk.ledger.close()


def bid(desk: Desk, symbol: str, price: str = "2000", qty: str = "0.01", **more: str) -> int:
    """Place a bid of ALICE and return its id."""
    order = desk.place(ALICE, desk.request(Side.BUY, price, qty, symbol=symbol, **more))  # type: ignore[arg-type]
    assert order.status is OrderStatus.NEW
    return order.order_id


def test_an_order_goes_to_the_engine_of_its_symbol(desk: Desk) -> None:
    """The book of the other one stays empty; a cancel takes the same way."""
    first, second = desk.engines
    btc, eth = bid(desk, BTC), bid(desk, ETH)
    assert (first.own_resting_lots(), second.own_resting_lots()) == ({btc: 1_000}, {eth: 100})
    desk.cancel(desk.ledger.open_orders[eth])
    assert (first.own_resting_lots(), second.own_resting_lots()) == ({btc: 1_000}, {})


def test_only_the_symbols_of_a_silent_engine_are_refused(desk: Desk) -> None:
    """Orders, cancels and amends get what one engine's absence has always given; the others go on."""
    eth = bid(desk, ETH, qty="0.02")
    desk.engines[1].is_connected = False
    assert not desk.exchange.is_connected
    order = desk.ledger.open_orders[eth]
    for refused in (
        lambda: desk.send(ALICE, desk.request(Side.BUY, "2000", "0.01", symbol=ETH)),
        lambda: desk.exchange.cancel([order], START_NS),
        lambda: desk.amend(order, "0.01", "other"),
    ):
        with pytest.raises(ExchangeError) as caught:
            refused()
        assert caught.value.kind is ErrorKind.DISCONNECTED
    btc = bid(desk, BTC)
    assert desk.cancel(desk.ledger.open_orders[btc]).refusal is None
    assert list(desk.ledger.open_orders) == [eth]


def test_what_one_engine_has_handled_says_nothing_of_the_other(desk: Desk) -> None:
    """Each link counts its commands from 1: an answer on one must not finish what waits on the other."""
    for _ in range(3):
        bid(desk, BTC)
    waiting = desk.send(ALICE, desk.request(Side.BUY, "2000", "0.01", symbol=ETH))
    desk.engine.pump(desk.exchange)
    assert not waiting.is_done
    desk.pump()
    assert waiting.is_done
    assert waiting.order.status is OrderStatus.NEW


def test_a_new_engine_gets_the_orders_of_its_symbols_alone(desk: Desk) -> None:
    """What is on its way to another engine keeps waiting, and what rests there is not entered again."""
    first, second = desk.engines
    btc, eth = bid(desk, BTC), bid(desk, ETH)
    handled = first.handled_count
    waiting = desk.send(ALICE, desk.request(Side.BUY, "2000", "0.02", symbol=BTC))
    dead = desk.send(ALICE, desk.request(Side.BUY, "2000", "0.02", symbol=ETH))
    second.restart()
    second.connect(desk.exchange)
    second.pump(desk.exchange)
    assert dead.order.status is OrderStatus.REJECTED
    assert not waiting.is_done
    assert second.own_resting_lots() == {eth: 100}
    desk.pump()
    assert waiting.order.status is OrderStatus.NEW
    assert first.handled_count == handled + 1
    assert first.own_resting_lots() == {btc: 1_000, waiting.order.order_id: 2_000}


def test_each_engine_resumes_after_its_own_last_report(desk: Desk) -> None:
    """Killed with reports of both on their way: each is taken once."""
    first, second = desk.engines
    bid(desk, BTC, "90000", "0.02")
    bid(desk, ETH, "2000", "0.2")
    bid(desk, ETH, "1999", "0.2")
    saved = {each.name: desk.ledger.last_report(each.name) for each in desk.engines}
    assert [saved[name][1] for name in ("engine", "engine2")] == [1, 2]
    desk.kill()
    first.flow(None, Side.SELL, "90000", "0.01")
    second.flow(None, Side.SELL, "2000", "0.1", symbol_id=1)
    assert {each.name: desk.ledger.last_report(each.name) for each in desk.engines} == saved
    desk.connect()
    for engine in desk.engines * 2:
        engine.report(desk.exchange, after=saved[engine.name][1])
        engine.pump(desk.exchange)
    owned = {asset: desk.wallet(ALICE, asset)[0] - STARTING_ASSETS[asset] for asset in ("BTC", "ETH")}
    assert owned == {"BTC": parse_units("0.01"), "ETH": parse_units("0.1")}


def test_a_reset_reaches_every_engine_once(desk: Desk) -> None:
    """An engine that is away is cleared when it is back; what the account has ordered elsewhere since then stays."""
    first, second = desk.engines
    bid(desk, BTC)
    bid(desk, ETH)
    desk.engines[1].is_connected = False
    desk.exchange.reset_account(ALICE, START_NS)
    desk.engine.pump(desk.exchange)
    fresh = bid(desk, BTC)
    assert first.own_resting_lots().keys() == {fresh}
    desk.kill()
    assert desk.ledger.records.of(ALICE).clearing == {"engine2"}
    desk.connect()
    assert first.own_resting_lots().keys() == {fresh}
    assert second.own_resting_lots() == {}
    assert desk.ledger.records.of(ALICE).clearing == frozenset()


def test_an_order_id_of_a_ledger_that_is_gone_is_no_order_of_ours(tmp_path: Path) -> None:
    """One engine may still hold an id that the new ledger has given to an order on the other engine."""
    desk = Desk(tmp_path, second=DeskEngine("engine2", 5_000)).connect()
    first, second = desk.engines
    stale = bid(desk, ETH)
    desk.ledger.close()
    desk.path.rename(tmp_path / "forgotten.sqlite")
    fresh = Desk(tmp_path, engine=first, second=second)
    first.connect(fresh.exchange)
    assert bid(fresh, BTC) == stale
    second.connect(fresh.exchange, 1, report_sequence=1, last_order_id=stale)
    fresh.pump()
    assert second.own_resting_lots() == {}
    assert first.own_resting_lots() == {stale: 1_000}
    assert fresh.ledger.open_orders[stale].status is OrderStatus.NEW
    assert bid(fresh, ETH) == stale + 1
    fresh.ledger.check()
    fresh.ledger.close()


def _of_version_4(path: Path, *, is_clearing: bool) -> None:
    """Make a ledger what it was before it knew of several engines."""
    connection = sqlite3.connect(path)
    connection.executescript(f"""
        {TO_VERSION_5}
        INSERT INTO counters SELECT 'epoch', epoch FROM engines WHERE engine = 'engine';
        INSERT INTO counters SELECT 'report_sequence', report_sequence FROM engines WHERE engine = 'engine';
        DROP TABLE engines;
        ALTER TABLE accounts ADD COLUMN is_clearing INTEGER NOT NULL DEFAULT {int(is_clearing)};
        ALTER TABLE accounts DROP COLUMN clearing;
        PRAGMA user_version = 4;
    """)
    connection.close()


@pytest.mark.parametrize("has_second", [False, True])
def test_a_ledger_of_one_engine_is_taken_over(tmp_path: Path, has_second: bool) -> None:
    """Its link goes on after the same report, whichever engine it was of, and its orders are entered nowhere again."""
    desk = Desk(tmp_path).connect()
    btc = bid(desk, BTC, "90000", "0.02")
    saved = desk.ledger.last_report("engine")
    desk.ledger.close()
    _of_version_4(desk.path, is_clearing=False)
    second = DeskEngine("engine2", 5_000) if has_second else None
    later = Desk(tmp_path, engine=desk.engine, second=second)
    assert later.ledger.last_report("engine") == saved
    desk.engine.flow(None, Side.SELL, "90000", "0.01")
    later.connect()
    later.engine.report(later.exchange)
    assert later.engine.own_resting_lots() == {btc: 1_000}
    assert later.wallet(ALICE, "BTC")[0] == parse_units("1.01")
    if second is not None:
        assert second.handled_count == 0
        bid(later, ETH)
        assert later.ledger.last_report("engine2") == (second.epoch, 1)
    later.ledger.check()
    later.ledger.close()


def test_a_reset_before_the_takeover_is_not_forgotten(tmp_path: Path) -> None:
    """The engine may still hold the account's old orders: it is cleared, whichever it is."""
    desk = Desk(tmp_path).connect()
    bid(desk, BTC)
    desk.engine.is_connected = False
    desk.exchange.reset_account(ALICE, START_NS)
    desk.ledger.close()
    _of_version_4(desk.path, is_clearing=True)
    later = Desk(tmp_path, engine=desk.engine, second=DeskEngine("engine2", 5_000))
    assert later.ledger.records.of(ALICE).clearing == {"engine", "engine2"}
    later.connect()
    assert later.engine.own_resting_lots() == {}
    assert later.ledger.records.of(ALICE).clearing == frozenset()
    later.ledger.close()


def test_a_symbol_with_open_orders_may_not_move(desk: Desk, tmp_path: Path) -> None:
    """They stay in the journal of the engine that has them, so a second engine would have them twice."""
    bid(desk, ETH)
    desk.ledger.close()
    with pytest.raises(LedgerError, match=r"open orders in ETHUSDT on engine2, where \[\[engines\]\] must leave"):
        Ledger(desk.path, INSTRUMENTS, ONE_ENGINE)
    desk.open()
    desk.connect()
    (order,) = desk.ledger.open_orders.values()
    desk.cancel(order)
    desk.ledger.close()
    Ledger(desk.path, INSTRUMENTS, ONE_ENGINE | {BTC: "engine2"}).close()
    desk.open()


def _act(desk: Desk, chance: random.Random) -> None:
    """Let a client or a stranger do something, or a process die."""
    symbol_id = chance.choice([0, 1])
    symbol, price = (BTC, 90_000) if symbol_id == 0 else (ETH, 2_000)
    at, qty, side = str(price + chance.randint(-3, 3)), f"0.0{chance.randint(10, 99)}", chance.choice(list(Side))
    what, orders = chance.random(), list(desk.ledger.open_orders.values())
    engine = desk.engines[symbol_id]
    if what < 0.5:
        kind = chance.choice([OrderKind.LIMIT, OrderKind.LIMIT_MAKER])
        try:
            desk.send(chance.choice([ALICE, BOB]), desk.request(side, at, qty, symbol=symbol, kind=kind))
        except ExchangeError as error:
            if error.kind not in {ErrorKind.INSUFFICIENT_BALANCE, ErrorKind.DISCONNECTED}:
                raise
    elif what < 0.65 and orders:
        order = chance.choice(orders)
        if desk.exchange.engines[order.symbol.engine].is_connected:
            desk.exchange.cancel([order], START_NS)
    elif what < 0.8:
        engine.flow(None, side, at, qty, symbol_id=symbol_id)
    elif what < 0.9:
        engine.handle()
        if engine.is_connected:
            engine.report(desk.exchange)
    elif what < 0.94:
        engine.is_connected = False
    elif what < 0.97:
        engine.restart()
        engine.connect(desk.exchange)
    else:
        desk.kill()
        for each in desk.engines:
            if chance.random() < 0.7:
                each.connect(desk.exchange)


def test_whoever_dies_the_books_and_the_ledger_agree_in_the_end(desk: Desk) -> None:
    """Orders at random on two engines; each engine goes away, or begins anew, when it likes, and so does the ledger."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            _act(desk, chance)
        for engine in desk.engines:
            if not engine.is_connected:
                engine.connect(desk.exchange)
            engine.report(desk.exchange)
        desk.pump()
        desk.ledger.check()
        for engine in desk.engines:
            orders = [each for each in desk.ledger.open_orders.values() if each.symbol.engine == engine.name]
            assert engine.own_resting_lots() == {order.order_id: order.leaves_lots for order in orders}
        for account in (ALICE, BOB):
            _check_trades(desk, account)


def _check_trades(desk: Desk, account: int) -> None:
    """Assert that the account owns what its trades have made of what it began with."""
    owned = {asset: STARTING_ASSETS[asset] for asset in ("BTC", "ETH", "USDT")}
    for symbol in (desk.exchange.symbols[name] for name in (BTC, ETH)):
        trades = desk.ledger.history.trades(account, symbol, None, Span(100_000))
        assert len({(trade.trade_id, trade.order_id) for trade in trades}) == len(trades)
        for trade in trades:
            sign = 1 if trade.side is Side.BUY else -1
            owned[symbol.base] += sign * trade.qty_lots * symbol.lot_units
            owned["USDT"] -= sign * trade.quote_units
    wallets = desk.ledger.wallets.of(account)
    assert {asset: wallets[asset].free + wallets[asset].locked for asset in owned} == owned
