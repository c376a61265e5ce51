"""Matches that self-trade prevention has prevented: both orders are named, kept, told and asked for."""

import sqlite3
from typing import Any

import pytest

from market.codes import SelfTradePrevention, Side
from paper.calls import documents, prevented_documents
from paper.calls.parameters import ResponseType
from paper.exchange.news import AccountNews, OrderNews
from paper.money.history import Span
from paper.money.orders import Order, OrderKind
from paper.money.prevented_match import NO_MATCH, PreventedMatch
from paper.streams.user_documents import event
from tests.paper.desk import ALICE, BOB, START_NS, Desk
from tests.paper.old_ledgers import TO_VERSION_11
from tests.paper.server import Server
from tests.paper.test_rest import order, send, signed

BTC_NAME = "BTCUSDT"
START_MS = START_NS // 1_000_000
Mode = SelfTradePrevention


def give(desk: Desk, side: Side, price: str, qty: str, mode: Mode = Mode.NONE, **more: Any) -> Order:
    """Place an order of ALICE's."""
    return desk.place(ALICE, desk.request(side, price, qty, self_trade_prevention=mode, **more))


def matches(desk: Desk, one: Order) -> list[PreventedMatch]:
    """Return what is kept of an order's prevented matches."""
    return desk.ledger.history.prevented_matches(ALICE, one.symbol, one.order_id, Span(10))


def told_by(desk: Desk) -> list[dict[str, Any]]:
    """Return where the reports of prevented matches will be."""
    told: list[dict[str, Any]] = []

    def hear(news: AccountNews) -> None:
        if isinstance(news, OrderNews) and news.prevention is not None:
            told.append(event(news))

    desk.exchange.account_listeners.append(hear)
    return told


@pytest.mark.parametrize(
    ("mode", "taker_lost", "makers_lost"),
    [
        (Mode.EXPIRE_MAKER, [None, None], ["0.01000000", "0.02000000"]),
        (Mode.EXPIRE_TAKER, ["0.02500000"], [None]),
        (Mode.EXPIRE_BOTH, ["0.02500000"], ["0.01000000"]),
        (Mode.DECREMENT, ["0.01000000", "0.01500000"], ["0.01000000", "0.01500000"]),
    ],
)
def test_each_mode_tells_both_orders_and_what_they_lost(
    desk: Desk, mode: Mode, taker_lost: list[str | None], makers_lost: list[str | None]
) -> None:
    """A sale of 0.025 meets the account's bids of 0.01, the better one, and 0.02; somebody else's is no match."""
    told = told_by(desk)
    worse = give(desk, Side.BUY, "90000", "0.02")
    best = give(desk, Side.BUY, "91000", "0.01")
    desk.place(BOB, desk.request(Side.BUY, "89000", "0.02"))
    taker = give(desk, Side.SELL, "90000", "0.025", mode)
    found = [prevented_documents.prevented_match(each) for each in matches(desk, taker)]
    assert [each.get("takerPreventedQuantity") for each in found] == taker_lost
    assert [each.get("makerPreventedQuantity") for each in found] == makers_lost
    makers = [best, worse][: len(found)]
    for each, maker in zip(found, makers, strict=True):
        assert (
            each.items()
            >= {
                "symbol": BTC_NAME,
                "takerOrderId": taker.order_id,
                "makerSymbol": BTC_NAME,
                "makerOrderId": maker.order_id,
                "tradeGroupId": -1,
                "selfTradePreventionMode": mode.name,
                "price": documents.order(maker)["price"],
                "transactTime": START_MS,
            }.items()
        )
        (kept,) = matches(desk, maker)
        assert kept.match_id == each["preventedMatchId"]
    pairs = {(each["takerOrderId"], each["makerOrderId"], each["preventedMatchId"]) for each in found}
    reported = {
        (report["i"], report["U"]) if report["i"] == taker.order_id else (report["U"], report["i"]) for report in told
    }
    assert reported == {(taker_id, maker_id) for taker_id, maker_id, _ in pairs}
    assert {report["v"] for report in told} == {match_id for *_, match_id in pairs}
    assert len(told) == sum(lost is not None for lost in (*taker_lost, *makers_lost))


def test_a_report_tells_what_would_have_traded(desk: Desk) -> None:
    """Lots, price and value of the match; `B` of this time alone, `A` of all the order's life."""
    told = told_by(desk)
    maker = give(desk, Side.BUY, "90000", "0.03")
    for qty in ("0.01", "0.005"):
        give(desk, Side.SELL, "90000", qty, Mode.DECREMENT)
    reports = [report for report in told if report["i"] == maker.order_id]
    letters = ("x", "A", "B", "u", "Cs", "pl", "pL", "pY")
    assert [[report[letter] for letter in letters] for report in reports] == [
        ["TRADE_PREVENTION", "0.01000000", "0.01000000", -1, BTC_NAME, "0.01000000", "90000.00000000", "900.00000000"],
        ["TRADE_PREVENTION", "0.01500000", "0.00500000", -1, BTC_NAME, "0.00500000", "90000.00000000", "450.00000000"],
    ]
    last = documents.order(maker)
    assert (last["preventedQuantity"], last["preventedMatchId"]) == ("0.01500000", reports[-1]["v"])
    told.clear()
    heard: list[AccountNews] = []
    desk.exchange.account_listeners.append(heard.append)
    desk.cancel(maker)
    report = next(event(news) for news in heard if isinstance(news, OrderNews))
    assert report["A"] == "0.01500000"
    assert {"B", "v", "U", "pl"}.isdisjoint(report)


def test_an_order_that_is_woken_meets_the_account_s_own(desk: Desk) -> None:
    """It is the taker then, though another order came after it."""
    stop = give(desk, Side.SELL, "90000", "0.01", Mode.EXPIRE_TAKER, kind=OrderKind.STOP_LOSS_LIMIT, stop="90500")
    first = give(desk, Side.BUY, "90000", "0.01")
    give(desk, Side.BUY, "90000", "0.01")
    desk.engine.flow(desk.exchange, Side.BUY, "90400", "0.01")
    desk.engine.flow(desk.exchange, Side.SELL, "90400", "0.01")
    (found,) = matches(desk, stop)
    assert (found.taker_id, found.maker_id, found.taker_lots) == (stop.order_id, first.order_id, 1_000)


def test_they_outlive_the_exchange_and_end_with_the_account(desk: Desk) -> None:
    """Saved with the orders, numbered on, nobody else's, and swept with the account's past."""
    maker, taker = (give(desk, side, "90000", "0.01", Mode.EXPIRE_BOTH) for side in (Side.BUY, Side.SELL))
    before = matches(desk, maker)
    desk.kill()
    desk.connect()
    assert matches(desk, maker) == matches(desk, taker) == before
    assert desk.ledger.history.prevented_matches(BOB, maker.symbol, maker.order_id, Span(10)) == []
    assert desk.ledger.history.prevented_match(BOB, maker.symbol, before[0].match_id) == []
    again, _ = (give(desk, side, "90000", "0.01", Mode.EXPIRE_BOTH) for side in (Side.BUY, Side.SELL))
    assert [each.match_id for each in matches(desk, again)] == [before[0].match_id + 1]
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    desk.pump()
    assert matches(desk, again) == []
    while desk.ledger.sweep(1):
        pass
    connection = sqlite3.connect(desk.path)
    assert connection.execute("SELECT count(*) FROM prevented_matches").fetchone() == (0,)
    connection.close()


def test_a_match_whose_beginning_was_told_to_an_earlier_process_is_not_guessed(desk: Desk) -> None:
    """What the orders lose is told and booked all the same."""
    maker = give(desk, Side.BUY, "90000", "0.01")
    told = told_by(desk)
    desk.send(ALICE, desk.request(Side.SELL, "90000", "0.01", self_trade_prevention=Mode.EXPIRE_MAKER))
    desk.engine.handle()
    reports = desk.engine.reports_since(desk.ledger.last_report("engine")[1])
    count = desk.ledger.last_report("engine")[1] + 1
    desk.exchange.engines["engine"].on_reports(desk.engine.epoch, reports[:1], count, count)
    desk.kill()
    told = told_by(desk)
    desk.connect()
    desk.engine.report(desk.exchange)
    assert matches(desk, maker) == []
    assert [(report["i"], report["A"], "U" in report) for report in told] == [(maker.order_id, "0.01000000", False)]


def test_an_earlier_ledger_knows_none(desk: Desk) -> None:
    """Version 11 kept no prevented matches; what was open then may be part of one now."""
    maker = give(desk, Side.BUY, "90000", "0.01")
    desk.ledger.close()
    connection = sqlite3.connect(desk.path, isolation_level=None)
    connection.executescript(TO_VERSION_11)
    connection.close()
    desk.open()
    desk.connect()
    assert desk.ledger.open_orders[maker.order_id].prevented_match_id == NO_MATCH
    taker = give(desk, Side.SELL, "90000", "0.01", Mode.EXPIRE_TAKER)
    assert [each.maker_id for each in matches(desk, taker)] == [maker.order_id]


def test_an_acknowledgement_tells_none(desk: Desk) -> None:
    """As all that is more than who the order is."""
    give(desk, Side.BUY, "90000", "0.01")
    taker = give(desk, Side.SELL, "90000", "0.01", Mode.EXPIRE_TAKER)
    found = desk.ledger.history.prevented_of(taker)
    assert "preventedMatches" not in documents.new_order(taker, ResponseType.ACK, [], found)
    assert len(documents.new_order(taker, ResponseType.RESULT, [], found)["preventedMatches"]) == 1


def test_it_is_asked_for_by_its_id_or_by_an_order(server: Server) -> None:
    """The answer to the taker has them; weights 2 and 20; other combinations are refused."""
    makers = [order(server, price=price)[1]["orderId"] for price in ("90000", "90001")]
    sale = {"side": "SELL", "price": "90000", "quantity": "0.02", "newOrderRespType": "RESULT"}
    _, taker, _ = order(server, **sale, selfTradePreventionMode="EXPIRE_MAKER")
    told = taker["preventedMatches"]
    assert [each["makerOrderId"] for each in told] == makers[::-1]

    def ask(**values: Any) -> tuple[int, Any, int]:
        before = _weight(server)
        query = signed(server, symbol=BTC_NAME, **values)
        status, document, _ = send(server, "GET", "myPreventedMatches", query=query)
        return status, document, _weight(server) - before

    status, of_order, weight = ask(orderId=taker["orderId"])
    assert (status, weight) == (200, 20)
    assert [each["preventedMatchId"] for each in of_order] == [each["preventedMatchId"] for each in told]
    assert all(each.items() >= one.items() for each, one in zip(of_order, told, strict=True))
    last = of_order[-1]["preventedMatchId"]
    assert ask(preventedMatchId=last) == (200, of_order[-1:], 2)
    assert ask(orderId=makers[0]) == (200, of_order[-1:], 20)
    assert ask(orderId=taker["orderId"], fromPreventedMatchId=last) == (200, of_order[-1:], 20)
    assert ask(orderId=taker["orderId"], limit=1) == (200, of_order[:1], 20)
    assert ask(preventedMatchId=last + 1) == (200, [], 2)
    for values in ({}, {"fromPreventedMatchId": 1}, {"preventedMatchId": last, "orderId": makers[0]}):
        status, document, _ = ask(**values)
        assert (status, document["code"]) == (400, -1128), values
    for order_id in makers:
        found = send(server, "GET", "order", query=signed(server, symbol=BTC_NAME, orderId=order_id))[1]
        assert found["preventedMatchId"] in {each["preventedMatchId"] for each in told}


def _weight(server: Server) -> int:
    return int(server.usage.documents("127.0.0.1", None, server.now_s())[0]["count"])
