"""Order lists: what one leg does to the others, and whose money it is."""

from dataclasses import replace

import pytest

from market.codes import SelfTradePrevention, Side
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.order_lists import NewList, pair_of
from paper.money.order_list import Contingency, ListStatus
from paper.money.orders import ExpiryReason, OrderKind, OrderStatus
from paper.units import parse_units
from tests.paper.desk import ALICE, Desk
from tests.paper.lists import BTC, USDT, is_settled, oco, oto, place, stored, told, traded_at


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


@pytest.mark.parametrize("is_pending", [False, True])
def test_a_leg_may_trail_the_price(desk: Desk, is_pending: bool) -> None:
    """From its entry on, be it later; when it wakes, the other leg ends."""
    limit = desk.request(Side.SELL, "95000", "0.05", kind=OrderKind.LIMIT_MAKER)
    pair = pair_of(limit, desk.request(Side.SELL, qty="0.05", kind=OrderKind.STOP_LOSS, trailing=100))
    working = desk.request(Side.BUY, "90000", "0.05")
    legs = (working, *pair) if is_pending else pair
    *_, stop, limit = place(desk, NewList(Contingency.OTO if is_pending else Contingency.OCO, "", legs)).legs
    if is_pending:
        desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.05")
        desk.pump()
    for price in ("92000", "91081"):
        traded_at(desk, price)
    assert (stop.trail_ticks, stop.is_waiting, limit.status) == (9_200_000, True, OrderStatus.NEW)
    desk.engine.flow(desk.exchange, Side.BUY, "91000", "0.05")
    traded_at(desk, "91070")
    desk.pump()
    assert (stop.status, limit.expiry_reason) == (OrderStatus.FILLED, ExpiryReason.OTHER_LEG)
    assert is_settled(desk)


def test_a_target_may_trail_the_price(desk: Desk) -> None:
    """It has no price of its own to compare; the stop's is compared."""
    first, second = (
        NewList(Contingency.OCO, "", pair_of(target, oco(desk, qty="0.05").legs[0]))
        for target in (
            desk.request(Side.SELL, qty="0.05", kind=OrderKind.TAKE_PROFIT, trailing=delta) for delta in (100, 200)
        )
    )
    assert [leg.status for leg in place(desk, first).legs] == [OrderStatus.NEW] * 2
    traded_at(desk, "88900")
    with pytest.raises(ExchangeError, match="relationship of the prices"):
        place(desk, second)


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


@pytest.mark.parametrize("is_pair", [False, True])
def test_a_pending_leg_that_the_engine_refuses_expires(desk: Desk, is_pair: bool) -> None:
    """A LIMIT_MAKER that would take when its turn comes; what goes with it is taken out of the book."""
    placed = place(desk, oto(desk, is_pair=is_pair))
    desk.engine.flow(desk.exchange, Side.SELL, "89000", "0.05")
    desk.engine.flow(None, Side.BUY, "91500", "0.01")
    desk.pump()
    *others, limit = placed.legs[1:]
    assert (limit.status, limit.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.REFUSED)
    assert [leg.expiry_reason for leg in others] == [ExpiryReason.OTHER_LEG] * is_pair
    assert stored(desk, placed).status is ListStatus.ALL_DONE
    assert desk.wallet(ALICE, "BTC") == (BTC + parse_units("0.05"), 0)
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


@pytest.mark.parametrize("index", [0, 1])
def test_an_amend_of_a_pair_makes_both_legs_smaller(desk: Desk, index: int) -> None:
    """They must be of one size; what is no longer needed is free, once."""
    placed = place(desk, oco(desk, Side.BUY, "0.1"))
    said = told(desk)
    pending = desk.amend(placed.legs[index], "0.04", "smaller")
    desk.pump()
    assert pending.is_applied
    assert [(leg.status, leg.qty_lots) for leg in placed.legs] == [(OrderStatus.NEW, 4_000)] * 2
    assert placed.legs[index].client_order_id == "smaller"
    assert desk.wallet(ALICE, "USDT")[1] == parse_units("3680")
    assert said.count("UPDATED EXECUTING") == 1
    traded_at(desk, "91000")
    assert is_settled(desk)


def test_an_amend_of_a_pair_that_trades_meanwhile_ends_as_a_pair_does(desk: Desk) -> None:
    """The leg that has traded is what is left, as large as it was; the amend is refused."""
    stop, limit = place(desk, oco(desk)).legs
    pending = desk.amend(stop, "0.1", "smaller")
    desk.engine.flow(None, Side.BUY, "91000", "0.2")
    desk.engine.handle()
    desk.engine.report(desk.exchange)
    assert (pending.is_done, pending.is_applied) == (True, False)
    assert (stop.status, limit.status, limit.leaves_lots) == (OrderStatus.EXPIRED, OrderStatus.PARTIALLY_FILLED, 30_000)
    assert is_settled(desk)


def test_pending_legs_are_amended_at_once(desk: Desk) -> None:
    """Both of a pair, and not the working one, which is amended alone."""
    placed = place(desk, oto(desk, is_pair=True))
    assert desk.amend(placed.legs[2], "0.03", "smaller").is_applied
    assert [leg.qty_lots for leg in placed.legs] == [5_000, 3_000, 3_000]
    desk.amend(placed.legs[0], "0.04", "working")
    desk.pump()
    assert [leg.qty_lots for leg in placed.legs] == [4_000, 3_000, 3_000]
    assert [leg.qty_lots for leg in stored(desk, placed).legs] == [4_000, 3_000, 3_000]


def test_twenty_lists_of_a_symbol_may_execute(desk: Desk) -> None:
    """MAX_NUM_ORDER_LISTS; one that is done makes room. MAX_NUM_ALGO_ORDERS counts the stops of a list like others."""
    lists = [place(desk, oto(desk, bought="0.001", qty="0.001")) for _ in range(20)]
    with pytest.raises(ExchangeError, match="MAX_NUM_ORDER_LISTS"):
        place(desk, oto(desk, bought="0.001", qty="0.001"))
    desk.cancel(lists[0].legs[0])
    place(desk, oto(desk, bought="0.001", qty="0.001"))


def test_stops_of_lists_count_like_others(desk: Desk) -> None:
    """MAX_NUM_ALGO_ORDERS, those that are pending among them."""
    for new in (oco(desk, qty="0.01"), *(oto(desk, is_pair=True, bought="0.001", qty="0.001") for _ in range(4))):
        place(desk, new)
    with pytest.raises(ExchangeError, match="MAX_NUM_ALGO_ORDERS"):
        place(desk, oco(desk, qty="0.01"))


def test_a_leg_of_which_prevention_takes_a_part_ends_the_other(desk: Desk) -> None:
    """It has begun to work, though nothing has traded; what is left of it is all that stays set aside."""
    stop, limit = place(desk, oco(desk)).legs
    decrement = SelfTradePrevention.DECREMENT
    desk.place(ALICE, desk.request(Side.BUY, "91000", "0.1", self_trade_prevention=decrement))
    assert (stop.status, stop.expiry_reason) == (OrderStatus.EXPIRED, ExpiryReason.OTHER_LEG)
    assert (limit.leaves_lots, desk.wallet(ALICE, "BTC")[1]) == (40_000, parse_units("0.4"))
    assert is_settled(desk)


def test_nobody_can_use_up_the_names_that_the_exchange_gives(desk: Desk) -> None:
    """An order or a list that was called as the next one would be kept all without a name from being placed."""
    traded_at(desk, "90000")
    first = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01"))
    taken = f"tickbus-{first.order_id + 2}"
    desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01", client_order_id=taken))
    assert desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01")).client_order_id == f"{taken}-"
    named = place(desk, replace(oco(desk, qty="0.1"), client_list_id="tickbus-list-1"))
    again = place(desk, replace(oco(desk, qty="0.1"), client_list_id=f"tickbus-list-{named.list_id + 2}"))
    unnamed = place(desk, oco(desk, qty="0.1"))
    assert unnamed.client_list_id == f"{again.client_list_id}-"
