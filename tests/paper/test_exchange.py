"""The exchange in front of a real engine: orders, money, refusals."""

from decimal import Decimal
from pathlib import Path

import pytest

from market.codes import RejectReason, SelfTradePrevention, Side, TimeInForce
from market.commands import HaltSymbol
from paper.errors import ErrorKind, ExchangeError, error_of_reject
from paper.money.commission import Commission
from paper.money.history import Span
from paper.money.orders import OrderKind, OrderStatus
from paper.money.wallets import FEES
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, FIRST_ORDER_ID, Desk

BTC, USDT = parse_units("1"), parse_units("10000")


def refusal(desk: Desk, account: int, **order: object) -> ErrorKind:
    with pytest.raises(ExchangeError) as caught:
        desk.send(account, desk.request(**order))  # type: ignore[arg-type]
    return caught.value.kind


def test_a_fresh_account_holds_one_btc_ten_thousand_usdt_and_a_hundred_more(desk: Desk) -> None:
    """What the testnet gives a new account."""
    wallets = desk.ledger.wallets.of(ALICE)
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)
    assert len(wallets) > 102
    assert all(wallet.free > 0 for wallet in wallets.values())


def test_an_order_locks_what_it_may_cost_and_a_cancel_gives_it_back(desk: Desk) -> None:
    """Funds are locked on accept and released at the end."""
    order = desk.place(ALICE, desk.request(Side.BUY, "91202.23", "0.01094"))
    assert order.order_id == FIRST_ORDER_ID + 1
    assert desk.ledger.open_orders_of(ALICE) == [order]
    locked = 9_120_223 * 1_094 * 10
    assert desk.wallet(ALICE, "USDT") == (USDT - locked, locked)
    assert desk.cancel(order).refusal is None
    assert order.status is OrderStatus.CANCELED
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_a_fill_moves_money_at_the_makers_price(desk: Desk) -> None:
    """A taker pays the better price, and what its limit had set aside beyond it is free again."""
    maker = desk.place(BOB, desk.request(Side.SELL, "90000", "0.5"))
    taker = desk.place(ALICE, desk.request(Side.BUY, "91000", "0.1"))
    assert (maker.status, taker.status) == (OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED)
    cost = parse_units("9000")
    assert desk.wallet(ALICE, "USDT") == (USDT - cost, 0)
    assert desk.wallet(ALICE, "BTC") == (BTC + parse_units("0.1"), 0)
    assert desk.wallet(BOB, "USDT") == (USDT + cost, 0)
    assert desk.wallet(BOB, "BTC") == (parse_units("0.5"), parse_units("0.4"))
    (mine,) = desk.ledger.history.trades(ALICE, taker.symbol, None, Span(10))
    (theirs,) = desk.ledger.history.trades(BOB, maker.symbol, None, Span(10))
    assert (mine.trade_id, mine.is_maker, theirs.is_maker) == (theirs.trade_id, False, True)
    assert mine.quote_units == cost


def test_a_stranger_trades_with_an_account(desk: Desk) -> None:
    """Order flow has no account: its side of the money is the outside's."""
    order = desk.place(ALICE, desk.request(Side.SELL, "90000", "0.5"))
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.2")
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert desk.wallet(ALICE, "BTC") == (parse_units("0.5"), parse_units("0.3"))
    assert desk.wallet(ALICE, "USDT") == (USDT + parse_units("18000"), 0)


def test_commission_is_taken_from_what_is_received(tmp_path: Path) -> None:
    """The buyer pays in base, the seller in quote, each by its role."""
    desk = Desk(tmp_path, commission=Commission(Decimal("0.001"), Decimal("0.002"))).connect()
    desk.place(BOB, desk.request(Side.SELL, "90000", "0.1"))
    desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    assert desk.wallet(ALICE, "BTC") == (BTC + parse_units("0.0998"), 0)
    assert desk.wallet(BOB, "USDT") == (USDT + parse_units("8991"), 0)
    assert desk.ledger.wallets.free(FEES, "BTC") == parse_units("0.0002")
    assert desk.ledger.wallets.free(FEES, "USDT") == parse_units("9")
    desk.ledger.check()
    desk.ledger.close()


def test_a_market_buy_takes_what_the_book_offers_and_locks_nothing_after(desk: Desk) -> None:
    """A market buy goes to the engine with a cap, so it can never cost more than the account has."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.engine.flow(desk.exchange, Side.SELL, "90100", "0.01")
    order = desk.place(ALICE, desk.request(Side.BUY, qty="0.03", kind=OrderKind.MARKET))
    assert order.status is OrderStatus.EXPIRED
    assert order.filled_units == parse_units("1801")
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("1801"), 0)


def test_a_market_sell_takes_the_best_bids(desk: Desk) -> None:
    """A market sell has no limit."""
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.01")
    desk.engine.flow(desk.exchange, Side.BUY, "80000", "0.01")
    order = desk.place(ALICE, desk.request(Side.SELL, qty="0.02", kind=OrderKind.MARKET))
    assert order.status is OrderStatus.FILLED
    assert desk.wallet(ALICE, "USDT") == (USDT + parse_units("1700"), 0)


def test_a_market_order_sized_in_quote_never_exceeds_it(desk: Desk) -> None:
    """quoteOrderQty is a bound, kept to whole lots."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.engine.flow(desk.exchange, Side.SELL, "90100", "1")
    bought = desk.place(ALICE, desk.request(Side.BUY, quote="1000", kind=OrderKind.MARKET))
    assert bought.status is OrderStatus.FILLED
    assert parse_units("995") < bought.filled_units <= parse_units("1000")
    desk.engine.flow(desk.exchange, Side.BUY, "89000", "1")
    sold = desk.place(ALICE, desk.request(Side.SELL, quote="1000", kind=OrderKind.MARKET))
    assert sold.status is OrderStatus.FILLED
    assert parse_units("999") < sold.filled_units <= parse_units("1000")


@pytest.mark.parametrize(
    ("kind", "time_in_force", "status"),
    [
        (OrderKind.LIMIT, TimeInForce.IOC, OrderStatus.EXPIRED),
        (OrderKind.LIMIT, TimeInForce.FOK, OrderStatus.EXPIRED),
    ],
)
def test_an_order_that_may_not_rest_expires(
    desk: Desk, kind: OrderKind, time_in_force: TimeInForce, status: OrderStatus
) -> None:
    """IOC trades what it can, FOK all or nothing; the rest expires and its funds are free."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02", kind=kind, time_in_force=time_in_force))
    assert order.status is status
    assert order.filled_lots == (1_000 if time_in_force is TimeInForce.IOC else 0)
    assert desk.wallet(ALICE, "USDT")[1] == 0


def test_a_post_only_order_that_would_trade_leaves_no_trace(desk: Desk) -> None:
    """-2010 "Order would immediately match and take."; its client id is free again."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    request = desk.request(Side.BUY, "90000", "0.02", kind=OrderKind.LIMIT_MAKER, client_order_id="mine")
    order = desk.place(ALICE, request)
    assert order.status is OrderStatus.REJECTED
    assert error_of_reject(order.reject_reason).kind is ErrorKind.WOULD_TAKE
    assert desk.ledger.history.order(ALICE, order.symbol, order.order_id) is None
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)
    assert desk.place(ALICE, desk.request(Side.BUY, "89000", "0.02", client_order_id="mine")).status is OrderStatus.NEW


def test_a_client_order_id_is_unique_among_open_orders_only(desk: Desk) -> None:
    """Binance's rule: it may be used again after the order has ended; other accounts do not matter."""
    first = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01", client_order_id="mine"))
    again = {"side": Side.BUY, "price": "80000", "qty": "0.01", "client_order_id": "mine"}
    assert refusal(desk, ALICE, **again) is ErrorKind.DUPLICATE_ORDER
    assert desk.place(BOB, desk.request(**again)).status is OrderStatus.NEW  # type: ignore[arg-type]
    desk.cancel(first)
    second = desk.place(ALICE, desk.request(**again))  # type: ignore[arg-type]
    latest = desk.ledger.history.order_by_client_id(ALICE, second.symbol, "mine")
    assert latest is not None
    assert latest.order_id == second.order_id


def test_an_id_that_the_exchange_would_choose_may_be_taken(desk: Desk) -> None:
    """A client may have spelt it first; then the order without an id is called otherwise."""
    taken = f"tickbus-{FIRST_ORDER_ID + 2}"
    desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01", client_order_id=taken))
    assert desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01")).client_order_id == f"{taken}-"
    assert len(desk.ledger.open_orders) == 2


def test_an_order_beyond_the_funds_is_refused(desk: Desk) -> None:
    """Neither side may go below zero; nothing changes."""
    assert refusal(desk, ALICE, side=Side.BUY, price="90000", qty="0.12") is ErrorKind.INSUFFICIENT_BALANCE
    assert refusal(desk, ALICE, side=Side.SELL, price="90000", qty="1.00001") is ErrorKind.INSUFFICIENT_BALANCE
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "1")
    market = {"side": Side.BUY, "qty": "0.12", "kind": OrderKind.MARKET}
    assert refusal(desk, ALICE, **market) is ErrorKind.INSUFFICIENT_BALANCE
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)
    assert desk.place(ALICE, desk.request(Side.SELL, "95000", "1")).order_id == FIRST_ORDER_ID + 1


def test_a_market_order_on_an_empty_book_is_refused(desk: Desk) -> None:
    """-1112 "No orders on book for symbol."."""
    for size in ({"qty": "0.01"}, {"quote": "100"}):
        for side in Side:
            assert refusal(desk, ALICE, side=side, kind=OrderKind.MARKET, **size) is ErrorKind.NO_DEPTH


def test_a_cancel_of_an_order_that_was_just_filled_is_refused(desk: Desk) -> None:
    """The fill was first: -2011, and the fill stands."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    (pending,) = desk.exchange.cancel([order], desk.engine.time_ns)
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.engine.pump(desk.exchange)
    assert pending.is_done
    assert pending.refusal is not None
    assert order.status is OrderStatus.FILLED


def test_two_cancels_of_one_order_are_answered_apart(desk: Desk) -> None:
    """The first cancels, the second comes too late."""
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    (first,) = desk.exchange.cancel([order], desk.engine.time_ns)
    (second,) = desk.exchange.cancel([order], desk.engine.time_ns)
    desk.engine.pump(desk.exchange)
    assert first.refusal is None
    assert second.refusal is not None


@pytest.mark.parametrize(
    ("mode", "maker_status", "taker_status"),
    [
        (SelfTradePrevention.EXPIRE_MAKER, OrderStatus.EXPIRED_IN_MATCH, OrderStatus.NEW),
        (SelfTradePrevention.EXPIRE_TAKER, OrderStatus.NEW, OrderStatus.EXPIRED_IN_MATCH),
        (SelfTradePrevention.EXPIRE_BOTH, OrderStatus.EXPIRED_IN_MATCH, OrderStatus.EXPIRED_IN_MATCH),
        (SelfTradePrevention.DECREMENT, OrderStatus.NEW, OrderStatus.EXPIRED_IN_MATCH),
        (SelfTradePrevention.NONE, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED),
    ],
)
def test_self_trade_prevention_follows_the_takers_mode(
    desk: Desk, mode: SelfTradePrevention, maker_status: OrderStatus, taker_status: OrderStatus
) -> None:
    """Each mode leaves exactly the open orders' funds locked (checked by the fixture)."""
    maker = desk.place(ALICE, desk.request(Side.SELL, "90000", "0.02"))
    taker = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01", self_trade_prevention=mode))
    assert (maker.status, taker.status) == (maker_status, taker_status)
    if mode is SelfTradePrevention.DECREMENT:
        assert maker.leaves_lots == 1_000
        assert maker.prevented_lots == 1_000
    if mode is SelfTradePrevention.NONE:
        shares = desk.ledger.history.trades(ALICE, maker.symbol, None, Span(10))
        assert {share.order_id for share in shares} == {maker.order_id, taker.order_id}
        assert len({share.trade_id for share in shares}) == 1
        assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_accounts_of_the_desk_do_not_prevent_each_others_trades(desk: Desk) -> None:
    """Self-trade prevention goes by account."""
    desk.place(BOB, desk.request(Side.SELL, "90000", "0.01"))
    assert desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01")).status is OrderStatus.FILLED


def test_orders_are_refused_while_the_engine_is_away(tmp_path: Path) -> None:
    """-1001; questions are still answered."""
    desk = Desk(tmp_path)
    order = {"side": Side.BUY, "price": "90000", "qty": "0.01"}
    assert refusal(desk, ALICE, **order) is ErrorKind.DISCONNECTED
    desk.connect()
    placed = desk.place(ALICE, desk.request(**order))  # type: ignore[arg-type]
    desk.engine.is_connected = False
    assert refusal(desk, ALICE, **order) is ErrorKind.DISCONNECTED
    with pytest.raises(ExchangeError):
        desk.exchange.cancel([placed], desk.engine.time_ns)
    assert desk.ledger.open_orders_of(ALICE) == [placed]
    desk.ledger.close()


def test_an_order_that_the_link_does_not_take_waits_for_it(desk: Desk) -> None:
    """It is saved and funded: it goes when the engine listens again, as one that is on its way when it falls silent."""
    desk.engine.is_refusing = True
    pending = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.pump()
    assert (pending.is_done, desk.wallet(ALICE, "USDT")[1]) == (False, parse_units("900"))
    desk.engine.is_refusing = False
    desk.connect()
    assert (pending.is_done, pending.order.status) == (True, OrderStatus.NEW)
    assert desk.engine.own_resting_lots() == {pending.order.order_id: 1_000}


def test_an_order_that_was_not_sent_ends_with_the_engine(desk: Desk) -> None:
    """The next one, with an empty book, never hears of it."""
    desk.engine.is_refusing = True
    pending = desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.engine.restart()
    desk.engine.is_refusing = False
    desk.connect()
    assert (pending.is_done, pending.order.status) == (True, OrderStatus.REJECTED)
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)
    assert not desk.ledger.open_orders
    assert desk.engine.handled_count == 0
    other = desk.place(ALICE, desk.request(Side.BUY, "89000", "0.01"))
    assert desk.engine.own_resting_lots().keys() == {other.order_id}, "the next command takes it along"


def test_a_reset_account_is_as_new(desk: Desk) -> None:
    """Balances, orders and trades are gone, its orders leave the book, and ids are not used again."""
    desk.place(BOB, desk.request(Side.SELL, "90000", "0.01"))
    desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    order = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01"))
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    desk.engine.pump(desk.exchange)
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert desk.ledger.history.orders(ALICE, order.symbol, Span(10)) == []
    assert desk.ledger.history.trades(ALICE, order.symbol, None, Span(10)) == []
    assert desk.engine.depth(0, 10).bids == ()
    assert desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01")).order_id > order.order_id
    assert desk.ledger.history.trades(BOB, order.symbol, None, Span(10)) != []


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (RejectReason.POST_ONLY_WOULD_CROSS, ErrorKind.WOULD_TAKE),
        (RejectReason.BOOK_FULL, ErrorKind.BOOK_FULL),
        (RejectReason.LEVELS_FULL, ErrorKind.BOOK_FULL),
        (RejectReason.SYMBOL_HALTED, ErrorKind.MARKET_CLOSED),
        (RejectReason.UNKNOWN_ORDER, ErrorKind.UNKNOWN_ORDER),
        (RejectReason.ENGINE_UNAVAILABLE, ErrorKind.DISCONNECTED),
        (RejectReason.UNKNOWN_SYMBOL, ErrorKind.BAD_SYMBOL),
        (RejectReason.MALFORMED, ErrorKind.UNKNOWN),
    ],
)
def test_an_engines_refusal_is_told_in_binances_words(reason: RejectReason, kind: ErrorKind) -> None:
    """What only a bug of ours can cause is unknown."""
    assert error_of_reject(reason).kind is kind


def test_a_halted_market_refuses_orders_and_lets_them_go(desk: Desk) -> None:
    """The engine refuses the order; a cancel goes through."""
    resting = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    desk.engine.send([HaltSymbol(0, 1)])
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    assert error_of_reject(order.reject_reason).message == "Market is closed."
    assert desk.cancel(resting).refusal is None
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_commands_without_an_answer_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that floods a slow engine is told so, and the answered ones make room."""
    monkeypatch.setattr("paper.exchange.engine_orders.COMMANDS_PENDING_MAX", 3)
    request = desk.request(Side.BUY, "90000", "0.001")
    for _ in range(3):
        desk.send(ALICE, request)
    assert refusal(desk, ALICE, side=Side.BUY, price="90000", qty="0.001") is ErrorKind.OVERLOADED
    desk.engine.pump(desk.exchange)
    assert desk.place(ALICE, request).status is OrderStatus.NEW
