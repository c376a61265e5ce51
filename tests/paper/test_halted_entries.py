"""Orders that the exchange must enter of its own accord while their symbol is halted: they wait for its resume."""

import asyncio
from collections.abc import Callable

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from paper.exchange.order_lists import NewList
from paper.money.order_list import Contingency
from paper.money.orders import OrderKind, OrderStatus
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.lists import BTC, is_settled, oco, oto, place, told, traded_at
from tests.paper.test_lost_reports import BID, agree, lose_reports


def halt(desk: Desk, *, is_halted: bool = True) -> None:
    """Halt BTCUSDT, or resume it, in the engine and in what the exchange knows."""
    asyncio.run(desk.halt("BTCUSDT", is_halted))
    desk.exchange.halted = {"BTCUSDT"} if is_halted else set()


def halted_anew(desk: Desk) -> None:
    """Let the engine die and be halted before the exchange finds it again."""
    desk.engine.restart()
    halt(desk)
    desk.connect()


def killed(desk: Desk) -> None:
    """Let the exchange die, and find its engine as it was."""
    desk.kill()
    desk.connect()


def both_killed(desk: Desk) -> None:
    """Let both die."""
    desk.kill()
    halted_anew(desk)


KILLS = {"none": lambda _: None, "exchange": killed, "engine": halted_anew, "both": both_killed}


def second(desk: Desk) -> None:
    """Let a second pass."""
    desk.engine.time_ns += NS_PER_SECOND
    desk.exchange.each_second(desk.engine.time_ns)
    desk.pump()


def resume(desk: Desk) -> None:
    """End the halt, and let the exchange notice."""
    halt(desk, is_halted=False)
    second(desk)


def statuses(desk: Desk, *order_ids: int) -> list[OrderStatus]:
    """Return how orders stand."""
    symbol = desk.exchange.symbols["BTCUSDT"]
    found = [desk.ledger.history.order(ALICE, symbol, order_id) for order_id in order_ids]
    return [order.status for order in found if order is not None]


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
def test_what_was_called_back_waits_for_the_resume(desk: Desk, kill: Callable[[Desk], object]) -> None:
    """Orders, stops and pairs expired, every one of them; queues are as they were, and money stays locked."""
    traded_at(desk, "90100")
    first = desk.place(ALICE, desk.request(Side.BUY, *BID))
    other = desk.place(BOB, desk.request(Side.BUY, *BID))
    stop = desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.STOP_LOSS, stop="80000"))
    pair = place(desk, oco(desk)).legs
    locked = [desk.wallet(ALICE, asset) for asset in ("BTC", "USDT")]
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    halt(desk)
    lose_reports(desk)
    said = told(desk)
    kill(desk)
    second(desk)
    assert desk.engine.own_resting_lots() == {}
    assert desk.wallet(ALICE, "BTC")[1] == locked[0][1]
    assert 0 < desk.wallet(ALICE, "USDT")[1] < locked[1][1]
    resume(desk)
    agree(desk)
    limit, below = sorted(pair, key=lambda leg: leg.has_trigger)
    assert list(desk.engine.own_resting_lots()) == [first.order_id, other.order_id, limit.order_id]
    assert desk.engine.own_waiting_ids() == {stop.order_id, below.order_id}
    assert said == []
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.016")
    assert desk.ledger.open_orders[other.order_id].filled_lots == 100, "Alice stood before Bob"


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
@pytest.mark.parametrize("is_pair", [True, False], ids=["pair", "limit"])
def test_what_a_fill_triggers_during_a_halt_waits_for_the_resume(
    desk: Desk, kill: Callable[[Desk], object], *, is_pair: bool
) -> None:
    """The purchase had no stop any more: what was to protect it was refused, and expired."""
    traded_at(desk, "90000")
    working, *pending = place(desk, oto(desk, is_pair=is_pair)).legs
    desk.engine.flow(None, Side.SELL, "89000", "0.05")
    halt(desk)
    desk.engine.report(desk.exchange)
    desk.pump()
    kill(desk)
    second(desk)
    assert statuses(desk, working.order_id) == [OrderStatus.FILLED]
    assert {desk.ledger.open_orders[leg.order_id].status for leg in pending} == {OrderStatus.NEW}
    assert desk.wallet(ALICE, "BTC") == (BTC, BTC // 20)
    resume(desk)
    assert is_settled(desk)
    assert desk.ledger.open_orders.keys() == {leg.order_id for leg in pending}
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.05")
    assert is_settled(desk)
    assert not desk.ledger.open_orders
    ends = {OrderStatus.FILLED, OrderStatus.EXPIRED} if is_pair else {OrderStatus.FILLED}
    assert {*statuses(desk, *(leg.order_id for leg in pending))} == ends


def test_what_must_not_rest_waits_for_the_resume_over_a_new_engine(desk: Desk) -> None:
    """A new engine gets nothing that would not have rested, but for what a halt has kept from ever being tried."""
    traded_at(desk, "90000")
    desk.engine.flow(desk.exchange, Side.BUY, "88000", "0.05")
    sold = desk.request(Side.SELL, qty="0.05", kind=OrderKind.MARKET)
    bought = desk.request(Side.BUY, "89000", "0.05")
    _, pending = place(desk, NewList(Contingency.OTO, "", (bought, sold))).legs
    desk.engine.flow(None, Side.SELL, "89000", "0.05")
    halt(desk)
    desk.engine.report(desk.exchange)
    desk.pump()
    halted_anew(desk)
    second(desk)
    assert desk.ledger.open_orders.keys() == {pending.order_id}
    halt(desk, is_halted=False)
    desk.engine.flow(desk.exchange, Side.BUY, "88000", "0.05")
    second(desk)
    assert statuses(desk, pending.order_id) == [OrderStatus.FILLED]
    assert is_settled(desk)


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
def test_a_cancel_ends_what_waits_for_the_resume(desk: Desk, kill: Callable[[Desk], object]) -> None:
    """CANCEL_ONLY: the engine does not know it, and yet it is cancelled, a pair as one."""
    traded_at(desk, "90100")
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    pair = place(desk, oco(desk)).legs
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    halt(desk)
    lose_reports(desk)
    kill(desk)
    waiting = [desk.ledger.open_orders[each.order_id] for each in (order, pair[0])]
    assert [desk.cancel(each).refusal for each in waiting] == [None, None]
    resume(desk)
    assert statuses(desk, order.order_id, *(leg.order_id for leg in pair)) == [OrderStatus.CANCELED] * 3
    assert [desk.wallet(ALICE, asset)[1] for asset in ("BTC", "USDT")] == [0, 0]
    assert is_settled(desk)


def test_a_cancel_that_the_entry_overtakes_leaves_nothing_in_the_book(desk: Desk) -> None:
    """The engine refuses the cancel, and takes the order then: it ends all the same, there too."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    halt(desk)
    lose_reports(desk)
    halt(desk, is_halted=False)
    (cancel,) = desk.exchange.cancel([order], desk.engine.time_ns)
    second(desk)
    assert cancel.refusal is None
    assert statuses(desk, order.order_id) == [OrderStatus.CANCELED]
    assert is_settled(desk)


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
def test_a_second_loss_invents_no_trade_of_what_waits(desk: Desk, kill: Callable[[Desk], object]) -> None:
    """It was booked as traded: that it is in no book did not mean that it had traded. Nor is it entered twice."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    other = desk.place(BOB, desk.request(Side.BUY, *BID))
    stop = desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.STOP_LOSS, stop="80000"))
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    halt(desk)
    lose_reports(desk)
    kill(desk)
    desk.exchange.cancel([other], desk.engine.time_ns)
    desk.engine.handle()
    assert lose_reports(desk) == 1
    assert desk.ledger.open_orders[order.order_id].filled_lots == 500
    halt(desk, is_halted=False)
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.05")
    second(desk)
    agree(desk)
    assert desk.engine.own_waiting_ids() == {stop.order_id}
    assert desk.engine.level_lots(0, Side.SELL, 9_000_000) == 3_500, "it trades once"


def test_an_entry_whose_answer_is_lost_for_the_second_time_is_booked(desk: Desk) -> None:
    """It was entered again and traded unheard, as far as anybody can know: it is not entered once more."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    desk.engine.connect(desk.exchange, report_sequence=len(desk.engine.reports_since(0)))
    desk.engine.handle()
    desk.engine.report(desk.exchange)
    desk.engine.handle()
    desk.engine.flow(None, Side.SELL, "90000", "0.015")
    lose_reports(desk)
    assert statuses(desk, order.order_id) == [OrderStatus.FILLED]
    agree(desk)
