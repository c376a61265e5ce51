"""Reports of the engine that never come: the exchange finds out what it missed, and its books stay right."""

import logging
from decimal import Decimal
from pathlib import Path

import pytest

from market.codes import Side, TimeInForce
from paper.access.usage import Usage
from paper.calls.call import Call
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.pending import Pending
from paper.money.commission import Commission
from paper.money.history import Span
from paper.money.orders import Order, OrderKind, OrderStatus
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.lists import oco, told, traded_at
from tests.paper.lists import place as place_list
from tests.paper.test_restart import stored

BID = ("90000", "0.02")


def lose_reports(desk: Desk) -> int:
    """Forget all reports that the exchange has not had, as an engine does that keeps no more of them; return how many.

    The exchange connects then, and the engine handles what it asks.
    """
    _, last = desk.ledger.last_report("engine")
    kept_from = len(desk.engine.reports_since(0))
    desk.engine.connect(desk.exchange, report_sequence=kept_from)
    desk.pump()
    return kept_from - last


def agree(desk: Desk) -> None:
    """Assert that engine and ledger have the same open orders, and that the books add up."""
    open_lots = {order.order_id: order.leaves_lots for order in desk.ledger.open_orders.values()}
    resting = {
        order_id: lots for order_id, lots in open_lots.items() if not desk.ledger.open_orders[order_id].is_waiting
    }
    assert desk.engine.own_resting_lots() == resting
    assert desk.engine.own_waiting_ids() == open_lots.keys() - resting.keys()
    assert not any(order.is_doubtful for order in desk.ledger.open_orders.values())
    desk.ledger.check()


@pytest.mark.parametrize("is_killed", [True, False], ids=["away", "alive"])
def test_a_fill_whose_report_is_lost_is_booked(
    desk: Desk, caplog: pytest.LogCaptureFixture, *, is_killed: bool
) -> None:
    """The loss was ignored: the fill vanished, and the next one ended the exchange at every start."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    if is_killed:
        desk.kill()
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    with caplog.at_level(logging.WARNING, "paper"):
        assert lose_reports(desk) == 1
    agree(desk)
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    agree(desk)
    assert (stored(desk, order).filled_lots, stored(desk, order).filled_units) == (1_000, parse_units("900"))
    assert desk.wallet(ALICE, "BTC") == (parse_units("1.01"), 0)
    assert desk.wallet(ALICE, "USDT") == (parse_units("8200"), parse_units("900"))
    assert desk.exchange.engines["engine"].lost_report_count == 1
    assert "1 reports of engine are lost" in caplog.text
    assert f"500 lots of order {order.order_id} were open that the engine no longer has" in caplog.text


def test_an_order_that_filled_unheard_is_filled(desk: Desk) -> None:
    """What rests leaves the book by trading; its trades have numbers that rise, and pay the maker's fee."""
    first = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    desk.kill()
    desk.engine.flow(None, Side.SELL, "90000", "0.015")
    lose_reports(desk)
    agree(desk)
    assert stored(desk, first).status is OrderStatus.FILLED
    desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.001")
    trades = desk.ledger.history.trades(ALICE, first.symbol, None, Span(10))
    assert [trade.qty_lots for trade in trades] == [500, 1_500, 100]
    assert [trade.is_maker for trade in trades] == [True] * 3
    ids = [trade.trade_id for trade in trades]
    assert ids == sorted(set(ids))


def test_an_order_that_waited_and_traded_unheard_works(desk: Desk) -> None:
    """It was woken, or it could not have traded: what is left of it goes back into the book without its trigger."""
    stop = desk.place(ALICE, desk.request(Side.BUY, "96000", "0.02", kind=OrderKind.STOP_LOSS_LIMIT, stop="95000"))
    desk.engine.flow(None, Side.SELL, "95000", "0.005")
    desk.engine.flow(None, Side.BUY, "95000", "0.001")  # it wakes, and takes the 0.004 that are left
    lose_reports(desk)
    assert (stop.filled_lots, stop.is_waiting, stop.working_ms > 0) == (400, False, True)
    agree(desk)


def test_queues_are_as_they_were_after_a_loss(desk: Desk) -> None:
    """All orders are called back and entered again in their order; waiting ones wait, post-only stays post-only."""
    kinds = (OrderKind.LIMIT, OrderKind.LIMIT_MAKER, OrderKind.LIMIT)
    orders = [
        desk.place(account, desk.request(Side.BUY, *BID, kind=kind))
        for account, kind in zip((ALICE, BOB, ALICE), kinds, strict=True)
    ]
    waiting = desk.place(BOB, desk.request(Side.BUY, "96000", "0.01", kind=OrderKind.STOP_LOSS_LIMIT, stop="95000"))
    desk.engine.flow(None, Side.SELL, "90000", "0.001")
    desk.kill()
    lose_reports(desk)
    agree(desk)
    assert waiting.order_id in desk.engine.own_waiting_ids()
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.045")
    assert [stored(desk, order).filled_lots for order in orders] == [2_000, 2_000, 600]
    agree(desk)


def test_the_doubt_outlives_a_second_death(desk: Desk) -> None:
    """The exchange dies again before the engine has answered what it asked: it asks again."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.kill()
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    desk.engine.connect(desk.exchange, report_sequence=2)
    desk.kill()
    desk.connect()
    agree(desk)
    assert stored(desk, order).filled_lots == 500


@pytest.mark.parametrize("death_count", [1, 2])
def test_an_order_that_was_called_back_outlives_a_death_before_it_is_entered_again(
    desk: Desk, death_count: int
) -> None:
    """It was open in the ledger, in no book, and nobody asked again; a list ends with none of its legs alone."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    traded_at(desk, "90100")
    placed = place_list(desk, oco(desk))
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    desk.engine.connect(desk.exchange, report_sequence=len(desk.engine.reports_since(0)))
    for _ in range(death_count):
        desk.engine.handle()
        desk.engine.report(desk.exchange)
        assert not desk.engine.is_idle, "what was called back is on its way"
        desk.kill()
        said = told(desk)
        desk.engine.connect(desk.exchange)
    desk.pump()
    agree(desk)
    found = [desk.ledger.open_orders[each] for each in (order.order_id, *(leg.order_id for leg in placed.legs))]
    assert [each.status for each in found] == [OrderStatus.PARTIALLY_FILLED, OrderStatus.NEW, OrderStatus.NEW]
    assert desk.ledger.open_lists.keys() == {placed.list_id}
    assert said == []


def test_a_report_that_follows_the_gap_tells_how_an_order_stands(desk: Desk) -> None:
    """A fill comes before the answer to what was asked: what it says is open is right."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(None, Side.SELL, "90000", "0.005")
    desk.engine.flow(None, Side.SELL, "90000", "0.004")
    (last,) = desk.engine.reports_since(2)
    desk.exchange.engines["engine"].on_reports(desk.engine.epoch, [last], 3, desk.engine.handled_count)
    assert order.filled_lots == 900
    desk.pump()
    agree(desk)
    assert order.leaves_lots == 1_100


@pytest.mark.parametrize("is_handled", [True, False], ids=["handled", "on its way"])
def test_a_cancel_whose_answer_is_lost_still_cancels(desk: Desk, *, is_handled: bool) -> None:
    """Its client is told that nobody knows; the order does not come back."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(None, Side.SELL, "90000", "0.001")
    (cancel,) = desk.exchange.cancel([order], desk.engine.time_ns, request_id="mine")
    if is_handled:
        desk.engine.handle()
    lose_reports(desk)
    assert cancel.is_done
    assert cancel.is_lost
    assert stored(desk, order).status is OrderStatus.CANCELED
    agree(desk)


def test_an_order_that_may_not_rest_expires_if_nobody_knows_its_end(desk: Desk) -> None:
    """It must never be entered again, and what it paid is not known."""
    pending = desk.send(ALICE, desk.request(Side.BUY, *BID, time_in_force=TimeInForce.IOC))
    accepted, *_ = desk.engine.handle()
    desk.exchange.engines["engine"].on_reports(desk.engine.epoch, [accepted], 1, 0)
    lose_reports(desk)
    assert stored(desk, pending.order).status is OrderStatus.EXPIRED
    agree(desk)


def test_an_entry_whose_answer_is_lost_is_unknown_to_its_client(desk: Desk) -> None:
    """The engine has it: it stays, with what it traded; the call ends with -1007."""
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.005")
    pending = desk.send(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.handle()
    lose_reports(desk)
    assert pending.is_lost
    assert pending.order.status is OrderStatus.PARTIALLY_FILLED
    agree(desk)


def test_an_amend_whose_answer_is_lost_invents_no_trade(desk: Desk) -> None:
    """What is missing was taken back by the amend."""
    order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.amend(order, "0.005", "other")
    desk.engine.handle()
    lose_reports(desk)
    agree(desk)
    assert (order.leaves_lots, order.filled_lots) == (500, 0)


def test_a_market_order_is_never_booked_at_a_price_that_nobody_knows(desk: Desk) -> None:
    """A stop without a limit that is gone has no price: it expires and gives back what it locked."""
    stop = desk.place(ALICE, desk.request(Side.SELL, qty="0.01", kind=OrderKind.STOP_LOSS, stop="80000"))
    desk.engine.flow(None, Side.BUY, "80000", "0.02")
    desk.engine.flow(None, Side.SELL, "80000", "0.01")
    lose_reports(desk)
    assert stored(desk, stop).status is OrderStatus.EXPIRED
    agree(desk)


async def _never(pending: Pending) -> None:
    raise AssertionError(f"{pending} is done")


def test_a_client_that_waits_hears_that_nobody_knows(desk: Desk) -> None:
    """-1007, so that it asks instead of sending again."""
    pending = desk.send(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.handle()
    lose_reports(desk)
    call = Call(desk.exchange, ALICE, {}, desk.engine.time_ns, _never, Usage())
    with pytest.raises(ExchangeError) as caught:
        call.wait_for_engine(pending).send(None)
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_a_lost_fill_pays_the_makers_fee(tmp_path: Path) -> None:
    """As if it had been heard of."""
    desk = Desk(tmp_path, commission=Commission(maker=Decimal("0.001"), taker=Decimal("0.002"))).connect()
    order: Order = desk.place(ALICE, desk.request(Side.BUY, *BID))
    desk.engine.flow(None, Side.SELL, "90000", "0.01")
    lose_reports(desk)
    assert order.filled_lots == 1_000
    assert desk.wallet(ALICE, "BTC")[0] == parse_units("1.00999")
    desk.ledger.check()
    desk.ledger.close()
