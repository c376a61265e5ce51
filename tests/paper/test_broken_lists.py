"""Order lists through deaths, lost reports and commands that broke off: completed or undone, never half done."""

import sqlite3
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import pytest

from market.codes import Side
from paper.exchange.saves import at_once
from paper.money.commission import Commission, FeePlace
from paper.money.order_list import ListStatus
from paper.money.orders import NO_LIST, ExpiryReason, OrderStatus
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.lists import BTC, USDT, is_settled, oco, oto, place, stored, traded_at
from tests.paper.old_ledgers import TO_VERSION_6


@pytest.fixture(name="desk")
def _desk(desk: Desk) -> Desk:
    traded_at(desk, "90000")
    return desk


def test_a_placement_that_the_engine_never_saw_is_undone(desk: Desk) -> None:
    """Saved, and the process died before it was sent: nothing is half open, and the money is free."""
    for new in (oco(desk), oto(desk, is_pair=True)):
        for leg in new.legs:
            leg.account = ALICE
        desk.exchange.place_list(new, desk.engine.time_ns)
    desk.kill()
    assert len(desk.ledger.open_orders) == 5
    desk.connect()
    assert (desk.ledger.open_orders, dict(desk.ledger.open_lists)) == ({}, {})
    assert (desk.wallet(ALICE, "BTC"), desk.wallet(ALICE, "USDT")) == ((BTC, 0), (USDT, 0))
    assert is_settled(desk)


def test_a_pair_of_which_the_engine_saw_one_leg_does_not_stay_half(desk: Desk) -> None:
    """The connection was cut between two commands: the leg that stands alone ends too."""
    new = oco(desk)
    for leg in new.legs:
        leg.account = ALICE
    placed, _ = desk.exchange.place_list(new, desk.engine.time_ns)
    desk.engine._waiting.pop()
    desk.engine.handle()
    desk.kill()
    desk.connect()
    desk.engine.report(desk.exchange)
    desk.pump()
    assert desk.ledger.open_orders == {}
    assert [leg.status for leg in stored(desk, placed).legs] == [OrderStatus.EXPIRED] * 2
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert is_settled(desk)


@pytest.mark.parametrize("is_engine_new", [False, True])
def test_a_trigger_that_was_saved_and_not_sent_is_sent_later(desk: Desk, is_engine_new: bool) -> None:
    """The working leg's fill is saved with what it triggers; the process dies before the engine hears of that."""
    placed = place(desk, oto(desk, is_pair=True))
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    assert not desk.engine.is_idle
    desk.kill()
    if is_engine_new:
        desk.engine.restart()
    desk.connect()
    found = desk.ledger.open_lists[placed.list_id]
    assert [leg.status for leg in found.legs] == [OrderStatus.FILLED, OrderStatus.NEW, OrderStatus.NEW]
    assert all(leg.engine_epoch == desk.engine.epoch for leg in found.legs[1:])
    assert desk.wallet(ALICE, "BTC") == (BTC, parse_units("0.05"))
    assert is_settled(desk)


@pytest.mark.parametrize("is_engine_new", [False, True])
def test_a_remnant_is_taken_out_after_a_death(desk: Desk, is_engine_new: bool) -> None:
    """The cancel of the other leg was lost with the process that had sent it."""
    placed = place(desk, oco(desk))
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.2")
    assert desk.ledger.remnants.keys() == {placed.legs[0].order_id}
    desk.kill()
    assert desk.ledger.remnants.keys() == {placed.legs[0].order_id}
    if is_engine_new:
        desk.engine.restart()
    desk.connect()
    assert desk.ledger.open_orders.keys() == {placed.legs[1].order_id}
    assert is_settled(desk)


def test_a_remnant_is_asked_for_again_when_the_answer_is_lost(desk: Desk) -> None:
    """The engine took it out, and the report of that will never come: nobody else would forget it."""
    place(desk, oco(desk))
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.2")
    desk.engine.handle()
    desk.engine.connect(desk.exchange, report_sequence=len(desk.engine.reports_since(0)))
    assert is_settled(desk)


def test_a_leg_that_may_have_traded_unheard_ends_the_other(desk: Desk) -> None:
    """An amend was on its way, so nobody knows how a part of each went away; both may not go on."""
    placed = place(desk, oco(desk))
    stop, limit = placed.legs
    desk.amend(limit, "0.4", "smaller")
    desk.engine.flow(None, Side.BUY, "91000", "0.2")
    desk.engine.handle()
    desk.engine.connect(desk.exchange, report_sequence=len(desk.engine.reports_since(0)))
    desk.pump()
    assert (limit.status, limit.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.OTHER_LEG)
    assert (stop.status, stop.leaves_lots) == (OrderStatus.NEW, 40_000)
    assert desk.wallet(ALICE, "BTC")[1] == parse_units("0.4")
    assert is_settled(desk)


def test_an_engine_that_takes_nothing_gets_what_follows_later(desk: Desk) -> None:
    """What a leg does to the others is saved, and sent as soon as the engine listens."""
    pair, triggering = place(desk, oco(desk)), place(desk, oto(desk))
    desk.engine.is_refusing = True
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.5")
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    assert desk.engine.is_idle
    assert desk.ledger.remnants
    desk.engine.is_refusing = False
    desk.engine.flow(desk.exchange, Side.SELL, "91500", "0.001")
    desk.place(BOB, desk.request(Side.BUY, "80000", "0.001"))
    assert [leg.status for leg in (*pair.legs, *triggering.legs)] == [
        OrderStatus.EXPIRED, OrderStatus.FILLED, OrderStatus.FILLED, OrderStatus.NEW
    ]  # fmt: skip
    assert is_settled(desk)


def test_a_new_engine_gets_both_legs_of_a_pair_and_no_pending_ones(desk: Desk) -> None:
    """As they were."""
    pair, waiting = place(desk, oco(desk)), place(desk, oto(desk, is_pair=True))
    desk.engine.restart()
    desk.connect()
    assert [leg.status for leg in pair.legs] == [OrderStatus.NEW] * 2
    assert [leg.is_held for leg in waiting.legs] == [False, True, True]
    assert is_settled(desk)


def test_reports_that_are_lost_leave_no_list_half_done(desk: Desk) -> None:
    """What was missing of one leg is booked, and that ends the other."""
    stop, limit = place(desk, oco(desk)).legs
    desk.engine.flow(None, Side.BUY, "91000", "0.2")
    desk.engine.connect(desk.exchange, report_sequence=len(desk.engine.reports_since(0)))
    desk.pump()
    assert (stop.status, limit.filled_lots) == (OrderStatus.EXPIRED, 20_000)
    assert is_settled(desk)


@pytest.mark.parametrize("seen_count", [0, 1, 2])
def test_an_amend_of_a_pair_that_breaks_off_never_needs_more_than_is_locked(desk: Desk, seen_count: int) -> None:
    """The engine has seen none, one or both of the two commands when the process dies; all that is free is spent."""
    placed = place(desk, oco(desk, Side.BUY, "0.1"))
    desk.amend(placed.legs[0], "0.04", "smaller")
    del desk.engine._waiting[seen_count:]
    desk.engine.handle()
    desk.kill()
    desk.connect()
    desk.engine.report(desk.exchange)
    desk.pump()
    qty = Decimal(desk.wallet(ALICE, "USDT")[0]) / parse_units("80000")
    desk.place(ALICE, desk.request(Side.BUY, "80000", str(qty.quantize(Decimal("0.00001"), ROUND_DOWN))))
    traded_at(desk, "89000")
    assert is_settled(desk)
    traded_at(desk, "91500")
    assert is_settled(desk)


def test_a_list_that_is_done_and_not_saved_yet_executes_no_more(desk: Desk) -> None:
    """Its file still says that it does."""
    soon: list[Callable[[], None]] = []
    placed = place(desk, oto(desk))
    desk.exchange.cancel([placed.legs[0]], desk.engine.time_ns)
    desk.exchange.saves._soon = soon.append
    desk.pump()
    assert stored(desk, placed).status is ListStatus.EXECUTING
    assert desk.ledger.open_lists.find(placed.list_id) is None
    assert desk.ledger.open_lists_of(ALICE) == []
    desk.exchange.saves._soon = at_once
    soon[0]()
    assert stored(desk, placed).status is ListStatus.ALL_DONE
    assert is_settled(desk)


def test_a_ledger_of_before_order_lists_is_taken_over(tmp_path: Path) -> None:
    """Its orders and trades are of no list, and lists can be placed."""
    desk = Desk(tmp_path).connect()
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.02"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.01")
    desk.ledger.close()
    connection = sqlite3.connect(desk.path)
    connection.executescript(TO_VERSION_6)
    connection.close()
    later = Desk(tmp_path, engine=desk.engine).connect()
    assert later.ledger.open_orders == {order.order_id: order}
    (trade,) = later.ledger.history.trades_of_order(order.order_id)
    assert (order.list_id, order.is_held, trade.list_id) == (NO_LIST, False, NO_LIST)
    assert stored(later, place(later, oco(later))).status is ListStatus.EXECUTING
    later.ledger.check()
    later.ledger.close()


def test_a_reset_forgets_lists(desk: Desk) -> None:
    """Nothing of them is left, in the ledger or at the engine."""
    placed = place(desk, oto(desk, is_pair=True)), place(desk, oco(desk))
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    assert dict(desk.ledger.open_lists) == {}
    assert all(desk.ledger.history.order_list(ALICE, each.list_id, None) is None for each in placed)
    assert is_settled(desk)


def test_a_leg_keeps_the_terms_on_which_it_was_accepted(tmp_path: Path) -> None:
    """Its turn may come after a restart with other rates: what is set aside then is for the old ones, on disk too."""
    desk = Desk(tmp_path, commission=Commission(Decimal("0.001"), Decimal("0.001"), place=FeePlace.BASE)).connect()
    traded_at(desk, "90000")
    placed = place(desk, oto(desk, is_pair=True, qty="0.04"))
    desk.commission = Commission(Decimal("0.1"), Decimal("0.1"), place=FeePlace.BASE)
    desk.kill()
    desk.connect()
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    desk.pump()
    desk.kill()
    desk.ledger.check()
    desk.connect()
    legs = desk.ledger.open_lists[placed.list_id].legs
    assert [leg.terms.maker_rate for leg in legs] == [parse_units("0.001")] * 3
    assert desk.wallet(ALICE, "BTC")[1] == parse_units("0.04004")
    assert is_settled(desk)
    desk.ledger.close()
