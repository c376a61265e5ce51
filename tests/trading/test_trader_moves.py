"""A trader that moves its orders: what it makes of each half that was done, refused, not tried or lost."""

from dataclasses import replace

import pytest

from market.account import VenueOrder
from market.codes import Side
from tests.trading.test_trader import ASK, BID, BOOK, BTCUSDT, HELD, INTERVAL_NS, Driven, order_of
from trading import news, notes
from trading.actions import Action, Amend, Cancel, FindOrder, ListOrders, Move, Place
from trading.limits import Limits
from trading.reasons import Rule
from trading.strategy import Wanted


@pytest.fixture
def one() -> Driven:
    """A trader at its beginning."""
    return Driven()


def moves(one: Driven) -> tuple[list[VenueOrder], list[Move]]:
    """Let it want both quotes a tick nearer; return the orders that stand, and the moves that leave."""
    stand = one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    return stand, [action for action in one.hear(BOOK, after_ns=INTERVAL_NS).actions if isinstance(action, Move)]


@pytest.mark.parametrize("can_move", [True, False])
def test_as_many_orders_as_may_be_are_requoted_in_one_round_where_the_venue_moves_them(*, can_move: bool) -> None:
    """A move is no order more: it was a cancel, and its quote a round later. Without moves a cancel may yet fail."""
    one = Driven(can_move=can_move, limits=Limits(open_orders=2))
    one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), replace(ASK, price_ticks=109)])
    kinds = [type(action) for action in one.hear(BOOK, after_ns=INTERVAL_NS).actions]
    assert kinds == [Move if can_move else Cancel] * 2


def ended(order: VenueOrder) -> news.OrderNews:
    """Return news of an order that was cancelled."""
    return news.OrderNews(replace(order, status="CANCELED"))


def names(one: Driven) -> list[str]:
    """Return the orders that stand as far as the trader knows."""
    return sorted(one.trader.orders.standing)


def test_one_command_for_each_quote_that_moves(one: Driven) -> None:
    """Four before; each half has its reason, and the round is over when all four are answered."""
    (bid, ask), (first, second) = moves(one)
    assert [each.cancel.client_order_id for each in (first, second)] == [bid.client_order_id, ask.client_order_id]
    assert {half.why.rule for move in (first, second) for half in move} == {Rule.TOLERANCE}
    assert one.hear(ended(bid), news.OrderNews(order_of(first.place)), ended(ask)).wake_ns is None
    told = one.hear(news.OrderNews(order_of(second.place))).notes
    assert isinstance(told[-1], notes.Looked)
    assert names(one) == [first.place.client_order_id, second.place.client_order_id]


def test_a_new_order_that_was_refused_leaves_its_side_paused_and_empty(one: Driven) -> None:
    """Half done, 409: the old one is gone."""
    (bid, ask), (first, second) = moves(one)
    one.hear(ended(bid), news.Refused(first.place.client_order_id, "no funds", -2010))
    outbox = one.hear(ended(ask), news.OrderNews(order_of(second.place)))
    looked = outbox.notes[-1]
    assert isinstance(looked, notes.Looked)
    assert looked.idle[Side.BUY].rule == Rule.REFUSED
    assert names(one) == [second.place.client_order_id]
    assert one.trader.orders.unsettled() == {}
    assert not one.hear(BOOK, after_ns=INTERVAL_NS).actions


def test_an_order_that_was_filled_before_its_move_is_not_doubled(one: Driven) -> None:
    """The cancel fails, the new order is not tried: the next one waits until the venue has said what became of it."""
    (bid, ask), (first, second) = moves(one)
    one.hear(news.Gone(bid.client_order_id), news.Untried(first.place.client_order_id))
    asked = one.hear(ended(ask), news.OrderNews(order_of(second.place))).actions
    assert asked == [FindOrder(bid.client_order_id)]
    assert one.trader.orders.unsettled() == {}
    filled = replace(bid, filled_qty=bid.qty, status="FILLED")
    one.hear(news.Found(bid.client_order_id, filled, one.now_ns))
    again = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert [type(action) for action in again][:1] == [Place]


def test_a_move_that_was_refused_whole_has_its_order_cancelled_at_once(one: Driven) -> None:
    """A filter is checked before the cancel: the old order stands where it is not wanted, and its side pauses."""
    (bid, ask), (first, second) = moves(one)
    one.hear(news.Untried(bid.client_order_id), news.Refused(first.place.client_order_id, "a filter", -1013))
    again = one.hear(ended(ask), news.OrderNews(order_of(second.place))).actions
    assert [(type(action), action.client_order_id) for action in again if isinstance(action, Cancel | Place)] == [
        (Cancel, bid.client_order_id)
    ]
    assert not any(isinstance(action, Move) for action in again)


def test_an_order_that_a_refused_move_has_left_alone_was_not_ended_by_us(one: Driven) -> None:
    """If the venue ends it then, that is the venue's doing."""
    (bid, _), (first, _) = moves(one)
    one.hear(news.Untried(bid.client_order_id), news.Refused(first.place.client_order_id, "a filter", -1013))
    told = one.hear(news.OrderNews(replace(bid, status="EXPIRED"))).notes
    (note,) = (each for each in told if isinstance(each, notes.Ended))
    assert (note.is_by_us, note.why.rule) == (False, Rule.AT_VENUE)


def test_a_lost_answer_leaves_both_orders_in_doubt_until_the_venue_has_said(one: Driven) -> None:
    """One of them may stand: nothing is placed beside it; what was to follow is known not to have left."""
    (bid, ask), (first, second) = moves(one)
    name = first.place.client_order_id
    lost: list[Action] = [first.cancel, second]
    one.hear(news.Unknown(name, "lost"), news.Failed("lost", lost))
    assert list(one.trader.orders.unsettled()) == [name]
    assert names(one) == [bid.client_order_id, ask.client_order_id]
    assert one.hear(after_ns=2 * INTERVAL_NS).actions == [FindOrder(name), ListOrders()]
    new = order_of(first.place)
    asked = one.hear(news.Found(name, new, one.now_ns), one.listed(ask, new)).actions
    assert asked == [FindOrder(bid.client_order_id)], "the list lacks it"
    actions = one.hear(news.Found(bid.client_order_id, replace(bid, status="CANCELED"), one.now_ns)).actions
    assert [type(action) for action in actions] == [Move], "of the ask"
    assert names(one) == sorted([ask.client_order_id, name])


def test_a_venue_without_it_is_asked_for_both_halves_alone() -> None:
    """maker.cancel_replace."""
    one = Driven(can_move=False)
    one.quotes()
    one.wanted = Wanted([replace(BID, price_ticks=91), ASK])
    assert [type(action) for action in one.hear(BOOK, after_ns=INTERVAL_NS).actions] == [Cancel, Place]


def amends(one: Driven) -> tuple[VenueOrder, Amend]:
    """Let it want a bid that is smaller, of which a part is filled; return the bid and the amend that leaves."""
    bid, _ = one.quotes()
    part = replace(bid, filled_qty=BTCUSDT.lots_to_qty(1), status="PARTIALLY_FILLED")
    one.wanted = Wanted([replace(BID, qty_lots=3), ASK])
    one.hear(news.OrderNews(part))
    (amend,) = (each for each in one.hear(BOOK, after_ns=INTERVAL_NS).actions if isinstance(each, Amend))
    one.hear(HELD)
    return part, amend


def test_a_quote_that_is_too_large_gets_smaller_in_its_place() -> None:
    """What is filled counts; news of before it does not bring the larger order back."""
    one = Driven(replace_below="0.9")
    part, amend = amends(one)
    assert (amend.client_order_id, amend.qty_lots) == (part.client_order_id, 4), "3 to be left, 1 is filled"
    smaller = replace(part, qty=BTCUSDT.lots_to_qty(4))
    assert isinstance(one.hear(news.Amended(part.client_order_id, smaller)).notes[-1], notes.Looked)
    one.hear(news.OrderNews(part))
    assert one.trader.orders.open[part.client_order_id].leaves_qty == BTCUSDT.lots_to_qty(3)
    assert not one.hear(BOOK, after_ns=INTERVAL_NS).actions


def test_a_quote_of_which_nothing_is_filled_gets_smaller_too() -> None:
    """No lots are no quantity: to count the filled ones ended the maker."""
    one = Driven(replace_below="0.9")
    one.quotes()
    one.wanted = Wanted([replace(BID, qty_lots=3), ASK])
    (amend,) = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert isinstance(amend, Amend)
    assert amend.qty_lots == 3


def test_a_quote_that_the_venue_does_not_amend_is_moved() -> None:
    """Ten times is the most; it would be asked again for ever."""
    one = Driven(replace_below="0.9")
    part, _ = amends(one)
    one.hear(news.Amended(part.client_order_id, None, "Filter failure: MAX_NUM_ORDER_AMENDS"))
    (move,) = one.hear(BOOK, after_ns=INTERVAL_NS).actions
    assert isinstance(move, Move)
    assert move.place.qty_lots == 3


def test_an_order_that_was_filled_before_its_amend_is_asked_for() -> None:
    """The venue knows no such order."""
    one = Driven(replace_below="0.9")
    part, _ = amends(one)
    assert one.hear(news.Gone(part.client_order_id)).actions == [FindOrder(part.client_order_id)]


def test_a_lost_answer_to_an_amend_is_known_by_the_next_list() -> None:
    """The order that is there tells whether it was done."""
    one = Driven(replace_below="0.9")
    _, amend = amends(one)
    one.hear(news.Failed("lost", [amend]))
    again = one.hear(after_ns=2 * INTERVAL_NS).actions
    assert again == [amend], "done twice it is done once"
