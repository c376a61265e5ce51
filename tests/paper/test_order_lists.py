"""Order lists: what one leg does to the others, whose money it is, and what a death in between leaves behind."""

import pytest

from market.codes import Side
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.news import AccountNews, ListNews, OrderNews
from paper.exchange.order_lists import NewList, pair_of
from paper.money.order_list import Contingency, ListStatus, OrderList
from paper.money.orders import ExpiryReason, OrderKind, OrderStatus
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, Desk

BTC = parse_units("1")
USDT = parse_units("10000")


def told(desk: Desk) -> list[str]:
    """Return what becomes known of orders and lists from now on, in short."""
    said: list[str] = []

    def hear(news: AccountNews) -> None:
        if isinstance(news, OrderNews):
            said.append(f"{news.order.kind} {news.execution} {news.order.status}")
        elif isinstance(news, ListNews):
            said.append(f"{news.status_type} {news.order_list.status}")

    desk.exchange.account_listeners.append(hear)
    return said


def traded_at(desk: Desk, price: str) -> None:
    """Let two strangers make a last price."""
    for side in (Side.BUY, Side.SELL):
        desk.engine.flow(desk.exchange, side, price, "0.001")


def oco(desk: Desk, side: Side = Side.SELL, qty: str = "0.5") -> NewList:
    """Return a pair around a last price of 90,000."""
    limit = desk.request(side, "91000" if side is Side.SELL else "89000", qty, kind=OrderKind.LIMIT_MAKER)
    stop_price, worst = ("89000", "88000") if side is Side.SELL else ("91000", "92000")
    stop = desk.request(side, worst, qty, kind=OrderKind.STOP_LOSS_LIMIT, stop=stop_price)
    legs = pair_of(limit, stop) if side is Side.SELL else pair_of(stop, limit)
    return NewList(Contingency.OCO, "", legs)


def oto(desk: Desk, *, is_pair: bool = False, qty: str = "0.05") -> NewList:
    """Return a purchase of 0.05 at 89,000 and what is to sell that again."""
    working = desk.request(Side.BUY, "89000", "0.05")
    limit = desk.request(Side.SELL, "91000", qty, kind=OrderKind.LIMIT_MAKER)
    stop = desk.request(Side.SELL, "87000", qty, kind=OrderKind.STOP_LOSS_LIMIT, stop="88000")
    return NewList(Contingency.OTO, "", (working, *(pair_of(limit, stop) if is_pair else (limit,))))


def place(desk: Desk, new: NewList, account: int = ALICE) -> OrderList:
    """Place a list and let the engine handle it."""
    for leg in new.legs:
        leg.account = account
    placed, _ = desk.exchange.place_list(new, desk.engine.time_ns)
    desk.pump()
    return placed


def stored(desk: Desk, placed: OrderList) -> OrderList:
    """Return a list as it is on disk."""
    found = desk.ledger.history.order_list(placed.account, placed.list_id, None)
    assert found is not None
    return found


def is_settled(desk: Desk) -> bool:
    """Say whether the engine holds what the ledger has open, nothing more and nothing less."""
    desk.pump()
    at_engine = desk.engine.own_resting_lots().keys() | desk.engine.own_waiting_ids()
    wanted = {order.order_id for order in desk.ledger.open_orders.values() if not order.is_held}
    desk.ledger.check()
    return at_engine == wanted and not desk.ledger.remnants


@pytest.fixture(name="desk")
def _desk(desk: Desk) -> Desk:
    traded_at(desk, "90000")
    return desk


def test_a_pair_locks_the_money_of_one_leg(desk: Desk) -> None:
    """Both legs sell the same BTC: half of all that there is, and not all of it."""
    placed = place(desk, oco(desk))
    assert desk.wallet(ALICE, "BTC") == (BTC // 2, BTC // 2)
    assert [leg.status for leg in placed.legs] == [OrderStatus.NEW] * 2
    assert is_settled(desk)


def test_a_pair_that_buys_locks_what_the_dearer_leg_costs(desk: Desk) -> None:
    """The stop may pay 92,000 a BTC; the limit, 89,000."""
    place(desk, oco(desk, Side.BUY, "0.1"))
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("9200"), parse_units("9200"))


def test_a_pair_that_is_too_dear_is_refused_and_leaves_nothing(desk: Desk) -> None:
    """9,200 is less than 10,000; 0.11 x 92,000 is more."""
    with pytest.raises(ExchangeError, match="insufficient balance"):
        place(desk, oco(desk, Side.BUY, "0.11"))
    assert (desk.ledger.open_orders, dict(desk.ledger.open_lists)) == ({}, {})
    assert desk.wallet(ALICE, "USDT") == (USDT, 0)


def test_a_leg_that_trades_ends_the_other_at_once(desk: Desk) -> None:
    """A part is enough; the money that is still needed stays locked, and the engine's book is cleared."""
    placed = place(desk, oco(desk))
    stop, limit = placed.legs
    said = told(desk)
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.2")
    assert (stop.status, stop.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.OTHER_LEG)
    assert (limit.status, limit.filled_lots) == (OrderStatus.PARTIALLY_FILLED, 20_000)
    assert desk.wallet(ALICE, "BTC")[1] == parse_units("0.3")
    assert stored(desk, placed).status is ListStatus.ALL_DONE
    assert said == [
        "STOP_LOSS_LIMIT EXPIRED EXPIRED", "ALL_DONE ALL_DONE", "LIMIT_MAKER TRADE PARTIALLY_FILLED"
    ]  # fmt: skip
    assert is_settled(desk)


@pytest.mark.parametrize("side", [Side.SELL, Side.BUY])
def test_a_stop_that_is_woken_ends_the_limit(desk: Desk, side: Side) -> None:
    """Also before it trades; what the limit has locked is the stop's then."""
    placed = place(desk, oco(desk, side, "0.1"))
    stop, limit = placed.legs
    traded_at(desk, "89000" if side is Side.SELL else "91000")
    assert (limit.status, limit.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.OTHER_LEG)
    assert stop.status is OrderStatus.NEW
    assert stop.working_ms
    asset, needed = ("BTC", "0.1") if side is Side.SELL else ("USDT", "9200")
    assert desk.wallet(ALICE, asset)[1] == parse_units(needed)
    assert is_settled(desk)


def test_a_remnant_that_trades_before_it_is_taken_out_is_nobody_s(desk: Desk) -> None:
    """The engine learns only later that a leg has ended; the account has only what it had to sell."""
    placed = place(desk, oco(desk))
    stop, limit = placed.legs
    desk.engine.flow(None, Side.BUY, "91000", "0.5")
    desk.engine.flow(None, Side.BUY, "85000", "0.6")
    for side in (Side.BUY, Side.SELL):
        desk.engine.flow(None, side, "88900", "0.001")
    desk.engine.report(desk.exchange)
    assert (limit.status, limit.filled_lots) == (OrderStatus.FILLED, 50_000)
    assert (stop.status, stop.filled_lots) == (OrderStatus.EXPIRED, 0)
    assert desk.wallet(ALICE, "BTC") == (BTC // 2, 0)
    assert is_settled(desk)


@pytest.mark.parametrize("index", [0, 1])
def test_a_cancel_of_one_leg_cancels_the_list(desk: Desk, index: int) -> None:
    """And the money is free."""
    placed = place(desk, oco(desk))
    said = told(desk)
    assert desk.cancel(placed.legs[index]).refusal is None
    assert [leg.status for leg in placed.legs] == [OrderStatus.CANCELED] * 2
    assert said[-1] == "ALL_DONE ALL_DONE"
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert is_settled(desk)


def test_a_cancel_that_comes_after_the_other_leg_has_traded_cancels_nothing(desk: Desk) -> None:
    """The engine still has the leg, but it had ended before."""
    stop, _ = place(desk, oco(desk)).legs
    (pending,) = desk.exchange.cancel([stop], desk.engine.time_ns)
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.2")
    desk.pump()
    assert pending.refusal is not None
    assert stop.status is OrderStatus.EXPIRED
    assert is_settled(desk)


def test_a_limit_that_would_take_refuses_the_list(desk: Desk) -> None:
    """The book has moved above the last price: nothing of the list is left."""
    desk.engine.flow(desk.exchange, Side.BUY, "91500", "0.3")
    said = told(desk)
    placed = place(desk, oco(desk))
    assert [leg.status for leg in placed.legs] == [OrderStatus.REJECTED] * 2
    assert said[-1] == "RESPONSE REJECT"
    assert desk.ledger.history.order_list(ALICE, placed.list_id, None) is None
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert is_settled(desk)


@pytest.mark.parametrize(
    ("above", "below", "side", "kind"),
    [
        (OrderKind.LIMIT, OrderKind.STOP_LOSS, Side.SELL, ErrorKind.NO_TYPE_OF_PAIR),
        (OrderKind.LIMIT_MAKER, OrderKind.LIMIT_MAKER, Side.SELL, ErrorKind.NO_CONTINGENT_LEG),
        (OrderKind.LIMIT_MAKER, OrderKind.STOP_LOSS, Side.BUY, ErrorKind.BUY_LIMIT_NOT_BELOW),
        (OrderKind.STOP_LOSS, OrderKind.LIMIT_MAKER, Side.SELL, ErrorKind.SELL_LIMIT_NOT_ABOVE),
        (OrderKind.STOP_LOSS, OrderKind.STOP_LOSS_LIMIT, Side.BUY, ErrorKind.BUY_STOP_NOT_ABOVE),
        (OrderKind.STOP_LOSS, OrderKind.STOP_LOSS_LIMIT, Side.SELL, ErrorKind.SELL_STOP_NOT_BELOW),
        (OrderKind.TAKE_PROFIT, OrderKind.TAKE_PROFIT_LIMIT, Side.BUY, ErrorKind.BUY_PROFIT_NOT_BELOW),
        (OrderKind.TAKE_PROFIT, OrderKind.TAKE_PROFIT_LIMIT, Side.SELL, ErrorKind.SELL_PROFIT_NOT_ABOVE),
    ],
)
def test_a_pair_has_a_stop_and_a_target(
    desk: Desk, above: OrderKind, below: OrderKind, side: Side, kind: ErrorKind
) -> None:
    """Each in its place, or Binance's error says why not."""
    with pytest.raises(ExchangeError) as refusal:
        pair_of(desk.request(side, "1", kind=above), desk.request(side, "1", kind=below))
    assert refusal.value.kind is kind


def test_a_last_price_outside_of_a_pair_is_refused(desk: Desk) -> None:
    """The relationship of the prices is not correct."""
    traded_at(desk, "91000")
    with pytest.raises(ExchangeError, match="relationship of the prices"):
        place(desk, oco(desk))


def test_pending_legs_lock_nothing_and_are_not_at_the_engine(desk: Desk) -> None:
    """Only the working leg is; there is nothing to sell yet."""
    placed = place(desk, oto(desk, is_pair=True))
    assert [leg.status for leg in placed.legs] == [OrderStatus.NEW, OrderStatus.PENDING_NEW, OrderStatus.PENDING_NEW]
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert is_settled(desk)


@pytest.mark.parametrize("is_pair", [False, True])
def test_a_working_leg_triggers_the_others_when_it_is_full(desk: Desk, is_pair: bool) -> None:
    """Not by a part of it. Then they are funded, once, and at the engine."""
    placed = place(desk, oto(desk, is_pair=is_pair))
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.02")
    assert all(leg.is_held for leg in placed.legs[1:])
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.03")
    desk.pump()
    assert [leg.status for leg in placed.legs] == [OrderStatus.FILLED, *[OrderStatus.NEW] * (1 + is_pair)]
    assert desk.wallet(ALICE, "BTC") == (BTC, parse_units("0.05"))
    assert stored(desk, placed).status is (ListStatus.EXECUTING if is_pair else ListStatus.ALL_DONE)
    assert is_settled(desk)


def test_a_triggered_pair_is_a_pair(desk: Desk) -> None:
    """An OTOCO ends like an OCO."""
    _, stop, limit = place(desk, oto(desk, is_pair=True)).legs
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    desk.pump()
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.05")
    assert (limit.status, stop.expiry_reason) == (OrderStatus.FILLED, ExpiryReason.OTHER_LEG)
    assert desk.wallet(ALICE, "BTC") == (BTC, 0)
    assert is_settled(desk)


def test_a_pending_leg_without_money_expires_when_its_turn_comes(desk: Desk) -> None:
    """REJECTED is why; the other leg of its pair goes with it."""
    placed = place(desk, oto(desk, is_pair=True, qty="0.06"))
    desk.place(ALICE, desk.request(Side.SELL, "95000", "1"))
    said = told(desk)
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    desk.pump()
    assert [leg.expiry_reason for leg in placed.legs] == ["", ExpiryReason.OTHER_LEG, ExpiryReason.REFUSED]
    assert said[-1] == "ALL_DONE ALL_DONE"
    assert stored(desk, placed).status is ListStatus.ALL_DONE
    assert is_settled(desk)


def test_a_pending_order_at_market_is_priced_when_its_turn_comes(desk: Desk) -> None:
    """By the book as it is then."""
    working = desk.request(Side.SELL, "91000", "0.05")
    market = desk.request(Side.BUY, qty="0.01", kind=OrderKind.MARKET)
    _, pending = place(desk, NewList(Contingency.OTO, "", (working, market))).legs
    desk.engine.flow(desk.exchange, Side.SELL, "95000", "0.02")
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.05")
    desk.pump()
    assert (pending.status, pending.filled_units) == (OrderStatus.FILLED, parse_units("950"))
    assert is_settled(desk)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_cancel_before_the_trigger_cancels_all_legs(desk: Desk, index: int) -> None:
    """Whichever leg is named, also when the working one was filled in part."""
    placed = place(desk, oto(desk, is_pair=True))
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.02")
    assert desk.cancel(placed.legs[index]).refusal is None
    assert [leg.status for leg in placed.legs] == [OrderStatus.CANCELED] * 3
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("1780"), 0)
    assert is_settled(desk)


def test_a_working_leg_that_expires_takes_the_pending_ones_with_it(desk: Desk) -> None:
    """OTO_PHASE_ONE_EXPIRED is why."""
    new = oto(desk)
    new.legs[0].time_in_force = type(new.legs[0].time_in_force).IOC
    placed = place(desk, new)
    assert [leg.status for leg in placed.legs] == [OrderStatus.EXPIRED] * 2
    assert placed.legs[1].expiry_reason == ExpiryReason.WORKING_LEG
    assert is_settled(desk)


def test_names_of_open_lists_and_legs_are_used_once(desk: Desk) -> None:
    """A list's name is not an order's, and both are free again when what they name has ended."""
    first = NewList(Contingency.OCO, "mine", oco(desk).legs)
    placed = place(desk, first)
    with pytest.raises(ExchangeError, match="Duplicate"):
        place(desk, NewList(Contingency.OCO, "mine", oco(desk, qty="0.1").legs))
    twins = oco(desk, qty="0.1").legs
    for leg in twins:
        leg.client_order_id = "twin"
    with pytest.raises(ExchangeError, match="Duplicate"):
        place(desk, NewList(Contingency.OCO, "", twins))
    desk.cancel(placed.legs[0])
    assert place(desk, NewList(Contingency.OCO, "mine", oco(desk).legs)).client_list_id == "mine"


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


def test_a_reset_forgets_lists(desk: Desk) -> None:
    """Nothing of them is left, in the ledger or at the engine."""
    placed = place(desk, oto(desk, is_pair=True)), place(desk, oco(desk))
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    assert dict(desk.ledger.open_lists) == {}
    assert all(desk.ledger.history.order_list(ALICE, each.list_id, None) is None for each in placed)
    assert is_settled(desk)
