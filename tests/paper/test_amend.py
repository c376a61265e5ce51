"""Amending keeping priority: smaller in its place, never more than was meant, whatever dies or trades meanwhile."""

import sqlite3
from random import Random
from typing import Any

import pytest

from market.codes import RejectReason, Side
from paper.errors import ErrorKind, ExchangeError
from paper.money.history import Span
from paper.money.orders import Order, OrderKind
from paper.units import parse_units
from tests.paper.clients import listening
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.lists import oto, place
from tests.paper.old_ledgers import TO_VERSION_10
from tests.paper.server import Server
from tests.paper.test_lost_reports import lose_reports
from tests.paper.test_rest import order, send, signed
from tests.paper.test_socket_api import PATH, by_secret, call, subscribed


def amend(server: Server, **values: Any) -> tuple[int, Any, dict[str, str]]:
    """Amend an order of BTCUSDT over HTTP."""
    return send(server, "PUT", "order/amend/keepPriority", query=signed(server, symbol="BTCUSDT", **values))


def resting(desk: Desk, qty: str = "0.05", **changes: Any) -> Order:
    """Place a buy of ALICE at 90,000."""
    return desk.place(ALICE, desk.request(Side.BUY, "90000", qty, **changes))


def test_it_keeps_its_place_and_gives_back_what_it_no_longer_needs(desk: Desk) -> None:
    """The order behind it waits as before; the difference is free again."""
    first, behind = resting(desk), desk.place(BOB, desk.request(Side.BUY, "90000", "0.05"))
    free, locked = desk.wallet(ALICE, "USDT")
    pending = desk.amend(first, "0.02", "smaller")
    desk.engine.pump(desk.exchange)
    assert pending.is_applied
    assert desk.wallet(ALICE, "USDT") == (free + parse_units("2700"), locked - parse_units("2700"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.03")
    assert (first.status, first.filled_lots) == ("FILLED", 2_000)
    assert behind.filled_lots == 1_000


def test_a_fill_that_overtakes_it_refuses_it(desk: Desk) -> None:
    """Else 0.02 would stay open after 0.03 have traded: 0.05 in all, though 0.02 were wanted."""
    first = resting(desk)
    pending = desk.amend(first, "0.02", "smaller")
    desk.engine.flow(None, Side.SELL, "90000", "0.01")
    desk.engine.pump(desk.exchange)
    assert (pending.is_applied, pending.refusal) == (False, RejectReason.LEAVES_CHANGED)
    assert (first.qty_lots, first.leaves_lots, first.client_order_id) == (5_000, 4_000, f"tickbus-{first.order_id}")
    again = desk.amend(first, "0.02", "smaller")
    desk.engine.pump(desk.exchange)
    assert again.is_applied
    assert (first.qty_lots, first.leaves_lots, first.client_order_id) == (2_000, 1_000, "smaller")


def test_the_call_asks_again_after_a_fill(server: Server) -> None:
    """The client gets what it wanted, without having to know of the race."""
    order(server, newClientOrderId="first", quantity="0.05")

    def let_a_fill_overtake(desk: Desk) -> None:
        send_on, engine = desk.engine.on_send, desk.engine

        def overtake() -> None:
            engine.on_send = send_on
            waiting, engine._waiting = engine._waiting, []
            engine.flow(None, Side.SELL, "90000", "0.01")
            engine._waiting = waiting
            send_on()

        engine.on_send = overtake

    server.call(let_a_fill_overtake)
    status, document, _ = amend(server, origClientOrderId="first", newQty="0.02")
    assert status == 200
    told = document["amendedOrder"]
    assert (told["qty"], told["executedQty"], told["status"]) == ("0.02000000", "0.01000000", "PARTIALLY_FILLED")


def test_its_answer_is_spelt_as_binance_spells_it(server: Server) -> None:
    """`qty` and `cumulativeQuoteQty` here, though `origQty` and `cummulativeQuoteQty` everywhere else."""
    placed = order(server, newClientOrderId="first", quantity="0.05")[1]
    status, document, headers = amend(server, orderId=placed["orderId"], newQty="0.02", newClientOrderId="second")
    assert status == 200
    assert headers.get("X-MBX-USED-WEIGHT-1M") == "4"  # that of the amend; the order was placed for nothing
    assert document.keys() == {"transactTime", "executionId", "amendedOrder"}
    assert document["amendedOrder"] == {
        "symbol": "BTCUSDT",
        "orderId": placed["orderId"],
        "orderListId": -1,
        "origClientOrderId": "first",
        "clientOrderId": "second",
        "price": "90000.00000000",
        "qty": "0.02000000",
        "executedQty": "0.00000000",
        "preventedQty": "0.00000000",
        "quoteOrderQty": "0.00000000",
        "cumulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "workingTime": placed["workingTime"],
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    now = send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", origClientOrderId="second"))[1]
    assert now["origQty"] == "0.02000000"
    assert order(server, newClientOrderId="first")[0] == 200, "the old name is free again"
    assert order(server, newClientOrderId="second")[1]["msg"] == "Duplicate order sent."


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"newQty": "0.05"}, -2038, "The requested action would change no state; rejecting"),
        ({"newQty": "0.06"}, -2038, "Order amend (quantity increase) is not supported."),
        ({"newQty": "0.01"}, -2038, "Order amend rejected: newQty must be more than what is executed."),
        ({"newQty": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"newQty": "0.00002"}, -1013, "Filter failure: NOTIONAL"),
        ({"newQty": "0"}, -1130, "Data sent for parameter 'newQty' is not valid."),
        ({}, -1102, "Mandatory parameter 'newQty' was not sent, was empty/null, or malformed."),
        ({"newQty": "0.02", "newClientOrderId": "other"}, -2010, "Duplicate order sent."),
        ({"newQty": "0.02", "orderId": 1}, -2013, "Order does not exist."),
    ],
)
def test_it_is_refused_by_its_code(server: Server, values: dict[str, Any], code: int, text: str) -> None:
    """And the order is as it was."""
    placed = order(server, quantity="0.05")[1]["orderId"]
    order(server, newClientOrderId="other", price="89000")
    server.flow(Side.SELL, "90000", "0.01")
    status, document, _ = amend(server, **{"orderId": placed} | values)
    assert (status, document) == (400, {"code": code, "msg": text})
    told = send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", orderId=placed))[1]
    assert (told["origQty"], told["executedQty"]) == ("0.05000000", "0.01000000")


def test_the_account_hears_of_it(server: Server) -> None:
    """REPLACED, with both names and the new quantity; over the socket it is order.amend.keepPriority."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        call(listener, "order.place", **by_secret(server, symbol="BTCUSDT", side="BUY", type="LIMIT", price="90000",
             timeInForce="GTC", quantity="0.05", newClientOrderId="first"))  # fmt: skip
        reply = call(listener, "order.amend.keepPriority", **by_secret(server, symbol="BTCUSDT", newQty="0.02",
                     origClientOrderId="first", newClientOrderId="second"))  # fmt: skip
        assert reply["result"]["amendedOrder"]["qty"] == "0.02000000"
        report = listener.wait(lambda told: told.get("event", {}).get("x") == "REPLACED")["event"]
        assert [report[key] for key in "XcCqz"] == ["NEW", "second", "first", "0.02000000", "0.00000000"]
        position = listener.wait(lambda told: told.get("event", {}).get("e") == "outboundAccountPosition")["event"]
        assert {"a": "USDT", "f": "8200.00000000", "l": "1800.00000000"} in position["B"]


def test_a_name_is_taken_while_an_amend_is_on_its_way(desk: Desk) -> None:
    """Else two open orders could have one name; and one amend at a time."""
    first = resting(desk)
    desk.amend(first, "0.02", "mine")
    with pytest.raises(ExchangeError, match="Duplicate"):
        desk.send(ALICE, desk.request(Side.BUY, "90000", "0.01", client_order_id="mine"))
    with pytest.raises(ExchangeError) as caught:
        desk.amend(first, "0.01", "other")
    assert caught.value.kind is ErrorKind.AMEND_UNDER_WAY
    desk.engine.pump(desk.exchange)
    assert desk.ledger.open_order_by_client_id(ALICE, "mine") is first


@pytest.mark.parametrize("is_taken", [True, False])
def test_it_is_whole_or_not_at_all_when_the_exchange_dies(desk: Desk, is_taken: bool) -> None:
    """What the engine has done the exchange learns after its restart, the new name too."""
    first = resting(desk)
    desk.amend(first, "0.02", "second")
    if is_taken:
        desk.engine.handle()
    desk.kill()
    desk.connect()
    desk.engine.report(desk.exchange)
    (found,) = desk.ledger.open_orders.values()
    assert (found.qty_lots, found.client_order_id) == (
        (2_000, "second") if is_taken else (5_000, f"tickbus-{first.order_id}")
    )
    pending = desk.amend(found, "0.01", "third")
    desk.engine.pump(desk.exchange)
    assert pending.is_applied
    assert found.client_order_id == "third"


def test_an_engine_that_is_gone_has_not_amended(desk: Desk) -> None:
    """Its book is gone: the order is entered again as it was, and whoever waits learns that nothing happened."""
    first = resting(desk)
    pending = desk.amend(first, "0.02", "second")
    desk.engine.restart()
    desk.connect()
    assert (pending.is_done, pending.is_applied, pending.refusal) == (True, False, None)
    assert (first.qty_lots, first.client_order_id) == (5_000, f"tickbus-{first.order_id}")


@pytest.mark.parametrize("how", ["not sent", "engine gone", "reports lost"])
def test_an_amend_that_is_gone_is_forgotten(desk: Desk, how: str) -> None:
    """While one may be on its way, a fill of which the report is lost cannot be told from it, and is taken back."""
    first = resting(desk)
    desk.engine.is_refusing = how == "not sent"
    desk.amend(first, "0.02", "second")
    if how != "reports lost":
        desk.engine.restart()
        desk.engine.is_refusing = False
        desk.connect()
    else:
        desk.engine.handle()
        lose_reports(desk)
    assert first.next_client_order_id == ""
    open_lots = first.leaves_lots
    desk.engine.flow(None, Side.SELL, "90000", "0.01")
    lose_reports(desk)
    assert (first.filled_lots, first.leaves_lots) == (1_000, open_lots - 1_000)


def test_orders_that_wait_and_icebergs_get_smaller_too(desk: Desk) -> None:
    """An iceberg from what it hides; a stop while it waits; a stop without a limit."""
    iceberg = resting(desk, iceberg="0.01")
    stop = desk.place(ALICE, desk.request(Side.BUY, "91000", "0.02", kind=OrderKind.STOP_LOSS_LIMIT, stop="90500"))
    desk.engine.flow(desk.exchange, Side.BUY, "90001", "0.01")
    sale = desk.place(ALICE, desk.request(Side.SELL, "0", "0.02", kind=OrderKind.STOP_LOSS, stop="89000"))
    for each in (iceberg, stop, sale):
        pending = desk.amend(each, "0.015", f"n{each.order_id}")
        desk.engine.pump(desk.exchange)
        assert (pending.is_applied, each.leaves_lots) == (True, 1_500), each
    assert desk.engine.own_resting_lots() == {iceberg.order_id: 1_500}


@pytest.mark.parametrize("seed", range(5))
def test_money_and_engine_agree_through_random_amends(desk: Desk, seed: int) -> None:
    """Amends that race with fills, cancels and deaths: locked is what is needed, open is what the engine holds."""
    dice = Random(seed)
    for account in (ALICE, BOB):
        desk.exchange.deposit(account, "USDT", parse_units("1000000"), desk.engine.time_ns)
    for number in range(150):
        exchange = desk.exchange
        open_orders = list(desk.ledger.open_orders.values())
        match dice.randrange(10):
            case 0 | 1 | 2:
                qty = f"{dice.randint(1, 50) / 1_000}"
                desk.send(dice.choice((ALICE, BOB)), desk.request(Side.BUY, "90000", qty))
            case 3 | 4 | 5 if open_orders:
                chosen = dice.choice(open_orders)
                qty_lots = dice.randint(1, chosen.qty_lots)
                try:
                    exchange.amend(chosen, qty_lots, f"amended-{number}", desk.engine.time_ns)
                except ExchangeError as error:
                    assert error.code in (-2038, -1013), error  # noqa: PT017 - not every draw is refused
            case 6:
                desk.engine.flow(exchange if dice.random() < 0.5 else None, Side.SELL, "90000", "0.004")
            case 7 if open_orders:
                exchange.cancel([dice.choice(open_orders)], desk.engine.time_ns)
            case 8 if dice.random() < 0.3:
                desk.kill()
                desk.connect()
                desk.engine.report(desk.exchange)
            case _:
                desk.engine.pump(exchange)
        desk.ledger.check()
        if desk.engine.is_idle:
            desk.engine.report(desk.exchange)
            assert desk.engine.own_resting_lots() == {
                order_id: each.leaves_lots for order_id, each in desk.ledger.open_orders.items()
            }


def test_how_an_order_was_amended_is_told_later(server: Server) -> None:
    """`order/amendments`: oldest first, from a number on; each answer to an amend has told its number."""
    placed = order(server, newClientOrderId="first", quantity="0.05")[1]
    values = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}

    def told(**more: object) -> list[Any]:
        status, document, _ = send(server, "GET", "order/amendments", query=signed(server, **values | more))
        assert status == 200
        return list(document)

    assert told() == []
    other = order(server, quantity="0.05", price="80000")[1]
    first = amend(server, orderId=placed["orderId"], newQty="0.03", newClientOrderId="second")[1]
    assert amend(server, orderId=other["orderId"], newQty="0.04")[0] == 200
    second = amend(server, orderId=placed["orderId"], newQty="0.02", newClientOrderId="second")[1]
    assert told() == [
        {
            "symbol": "BTCUSDT",
            "orderId": placed["orderId"],
            "executionId": first["executionId"],
            "origClientOrderId": "first",
            "newClientOrderId": "second",
            "origQty": "0.05000000",
            "newQty": "0.03000000",
            "time": first["transactTime"],
        },
        {
            "symbol": "BTCUSDT",
            "orderId": placed["orderId"],
            "executionId": second["executionId"],
            "origClientOrderId": "second",
            "newClientOrderId": "second",
            "origQty": "0.03000000",
            "newQty": "0.02000000",
            "time": second["transactTime"],
        },
    ]
    assert told(fromExecutionId=second["executionId"]) == told()[1:]
    assert told(limit=1) == told()[:1]
    assert told(orderId=1) == told(symbol="ETHUSDT") == []
    missing = send(server, "GET", "order/amendments", query=signed(server, symbol="BTCUSDT"))[1]
    assert missing["code"] == ErrorKind.MANDATORY_PARAMETER.code


def test_amendments_outlive_the_exchange_and_end_with_the_account(desk: Desk) -> None:
    """They are saved with the order, none twice, and belong to the life of the account in which they happened."""
    amended = resting(desk)
    for qty in ("0.03", "0.02"):
        desk.amend(amended, qty, "smaller")
        desk.engine.pump(desk.exchange)
    history = desk.ledger.history.amendments(ALICE, amended.symbol, amended.order_id, Span(10, 0))
    assert [(each.earlier_lots, each.qty_lots) for each in history] == [(5_000, 3_000), (3_000, 2_000)]
    desk.kill()
    desk.connect()
    assert desk.ledger.history.amendments(ALICE, amended.symbol, amended.order_id, Span(10, 0)) == history
    assert desk.ledger.history.amendments(BOB, amended.symbol, amended.order_id, Span(10, 0)) == []
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    desk.engine.pump(desk.exchange)
    assert desk.ledger.history.amendments(ALICE, amended.symbol, amended.order_id, Span(10, 0)) == []
    while desk.ledger.sweep(1):
        pass
    connection = sqlite3.connect(desk.path)
    assert connection.execute("SELECT count(*) FROM amendments").fetchone() == (0,)
    connection.close()


def test_a_ledger_without_amendments_gets_them(desk: Desk) -> None:
    """Version 10 kept none."""
    amended = resting(desk)
    desk.ledger.close()
    connection = sqlite3.connect(desk.path, isolation_level=None)
    connection.executescript(TO_VERSION_10)
    connection.close()
    desk.open()
    desk.connect()
    amended = desk.ledger.open_orders[amended.order_id]
    desk.amend(amended, "0.02", "smaller")
    desk.engine.pump(desk.exchange)
    (only,) = desk.ledger.history.amendments(ALICE, amended.symbol, amended.order_id, Span(10, 0))
    assert (only.client_order_id, only.qty_lots) == ("smaller", 2_000)


def test_an_order_is_amended_ten_times_at_most(server: Server) -> None:
    """-2038, as MAX_NUM_ORDER_AMENDS says; refused amends count nothing, and another order has ten of its own."""
    for name in ("first", "second"):
        order(server, newClientOrderId=name, quantity="0.05")
    for number in range(10):
        values = {"origClientOrderId": "first", "newClientOrderId": "first"}
        assert amend(server, **values, newQty=f"0.0{40 - number}")[0] == 200
        assert amend(server, **values, newQty="0.05")[0] == 400
    status, document, _ = amend(server, **values, newQty="0.02")
    assert (status, document) == (400, {"code": -2038, "msg": "Filter failure: MAX_NUM_ORDER_AMENDS"})
    assert amend(server, origClientOrderId="second", newQty="0.02")[0] == 200


def test_an_amend_counts_before_it_is_saved(desk: Desk) -> None:
    """Saves come in groups, and a leg that is held is amended at once: as often as fits into one, else."""
    held = place(desk, oto(desk)).legs[1]
    desk.exchange.saves._soon = lambda _: None  # later
    for number in range(10):
        assert desk.amend(held, f"0.0{40 - number}", "held").is_applied
    with pytest.raises(ExchangeError, match="MAX_NUM_ORDER_AMENDS"):
        desk.amend(held, "0.02", "held")
    assert desk.exchange.saves.is_due
    desk.exchange.saves.save()
    with pytest.raises(ExchangeError, match="MAX_NUM_ORDER_AMENDS"):
        desk.amend(held, "0.02", "held")
