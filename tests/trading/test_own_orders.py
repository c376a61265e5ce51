"""What is known of our orders, whatever the order in which it was heard."""

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.instrument import Instrument
from tests.pairs import default_instruments
from trading.own_orders import ENDED_MAX, OwnOrders
from trading.quoting import Quote
from trading.reasons import NOT_WANTED
from trading.strategy import OwnOrder

BTCUSDT = default_instruments()[0]
NAME = "tb-1"
NEW = VenueOrder("7", NAME, "BTCUSDT", Side.BUY, Decimal(100), Decimal(5), Decimal(0), "NEW", 0)
PART = replace(NEW, filled_qty=Decimal(2), status="PARTIALLY_FILLED")
MORE = replace(NEW, filled_qty=Decimal(3), status="PARTIALLY_FILLED")
CANCELED = replace(MORE, status="CANCELED")
FILLED = replace(NEW, filled_qty=Decimal(5), status="FILLED")
QUOTE = Quote(Side.BUY, 100, 5)
ARRIVAL_NS = 6 * NS_PER_SECOND


@pytest.mark.parametrize("last", [CANCELED, FILLED])
@given(data=st.data())
def test_news_late_twice_and_in_any_order_tells_all_once(last: VenueOrder, data: st.DataObject) -> None:
    """What came last says the same as what came first: each fill once, one end, and nothing that comes back."""
    news = data.draw(st.permutations([NEW, PART, MORE, last, *data.draw(st.lists(st.sampled_from([NEW, PART, last])))]))
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    heard = [orders.hear(each, now_ns) for now_ns, each in enumerate(news)]
    assert sum(each.filled_qty for each in heard) == last.filled_qty
    assert min(each.filled_qty for each in heard) == 0, "a fill that is taken back is told again"
    assert [each.was_sent for each in heard] == [True] + [False] * (len(news) - 1)
    assert [each.has_ended for each in heard].count(True) == 1
    assert orders.is_none
    assert heard[-1].order.filled_qty == last.filled_qty


@pytest.mark.parametrize("news", list(permutations([NEW, PART, CANCELED])))
def test_order_of_an_earlier_run_has_no_news_but_what_comes(news: tuple[VenueOrder, ...]) -> None:
    """What it had when it was first heard of was told by somebody else; and one that had ended then never was ours."""
    orders = OwnOrders(ARRIVAL_NS)
    heard = [orders.hear(each, 0) for each in news]
    assert sum(each.filled_qty for each in heard) == CANCELED.filled_qty - news[0].filled_qty
    assert any(each.has_ended for each in heard) == (news[0] is not CANCELED)


def test_an_order_that_was_heard_of_is_lost_no_more() -> None:
    """The account's stream was quicker than the answer that got lost."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.hear(NEW, 0)
    assert not orders.lose(NAME, 1)
    assert (orders.unknown, orders.unsettled(), list(orders.open)) == ({}, {}, [NAME])


def test_lost_order_is_found_and_what_was_filled_of_it_is_news() -> None:
    """Its whole fill is told, for nobody has told of any."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    assert orders.lose(NAME, 1)
    assert orders.unsettled() == {NAME: QUOTE}
    heard = orders.hear(PART, 0)
    assert (heard.was_unknown, heard.was_sent, heard.filled_qty) == (True, False, Decimal(2))


def test_order_filled_by_all_that_was_heard_has_ended_whatever_its_status() -> None:
    """The news of the last fill may come before that of the status."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    assert orders.hear(replace(FILLED, status="PARTIALLY_FILLED"), 0).has_ended
    assert orders.is_none


def test_only_a_list_asked_for_after_the_last_news_can_miss_an_order() -> None:
    """The list was on its way when the order was taken; the same of a question for it."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.hear(NEW, 10)
    assert (orders.missing([], 9), orders.missing([], 10), orders.missing([NAME], 10)) == ([], [NAME], [])


@pytest.mark.parametrize("is_gone", [True, False])
def test_an_order_that_the_venue_took_is_given_up_when_it_is_surely_gone(is_gone: bool) -> None:
    """One `-2013` of a database that lagged was an end: a second quote was placed beside a working one."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.hear(NEW, 10)
    late_ns = 10 + ARRIVAL_NS + 1
    if is_gone:
        orders.cannot_cancel(NAME)
    assert not orders.deny(NAME, late_ns - 1), "it may be overlooked so long"
    assert not orders.deny(NAME, late_ns)
    assert orders.doubtful() == ([] if is_gone else [NAME])
    assert orders.deny(NAME, late_ns + 1) is is_gone
    assert orders.is_none is is_gone


def test_news_of_an_order_takes_back_what_was_said_against_it() -> None:
    """Whoever was asked has caught up."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.hear(NEW, 0)
    orders.cannot_cancel(NAME)
    assert not orders.deny(NAME, ARRIVAL_NS + 1)
    orders.hear(NEW, ARRIVAL_NS + 2)
    assert (orders.doubtful(), orders.uncertain(), list(orders.standing)) == ([], {}, [NAME])
    assert not orders.deny(NAME, 2 * ARRIVAL_NS + 3), "the first of two"


def test_an_order_without_an_answer_is_given_up_at_the_second_denial_after_it_could_arrive() -> None:
    """The first may be of a database that has not heard of it."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.lose(NAME, 10)
    assert [orders.deny(NAME, asked_ns) for asked_ns in (9, 10, 11, 12, 13)] == [False, False, False, True, False]
    assert orders.is_none


@pytest.mark.parametrize(("was_lost", "before_qty"), [(True, Decimal(0)), (False, Decimal(2))])
def test_an_order_that_was_given_up_is_ours_when_it_comes_back_and_each_fill_counts_once(
    was_lost: bool, before_qty: Decimal
) -> None:
    """It was an orphan: in the book, and nobody's; however much has ended since."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    if was_lost:
        orders.lose(NAME, 0)
    else:
        orders.hear(PART, 0)
        orders.cannot_cancel(NAME)
    assert [orders.deny(NAME, ARRIVAL_NS + n) for n in (1, 2)] == [False, True]
    for number in range(ENDED_MAX):
        orders.hear(replace(FILLED, client_order_id=f"tb-of-later-{number}"), 0)
    heard = orders.hear(MORE, 3 * ARRIVAL_NS)
    assert (heard.filled_qty, heard.has_ended, list(orders.standing)) == (Decimal(3) - before_qty, False, [NAME])
    heard = orders.hear(FILLED, 3 * ARRIVAL_NS)
    assert (heard.filled_qty, heard.has_ended, orders.is_none) == (Decimal(2), True, True)
    assert orders.hear(FILLED, 3 * ARRIVAL_NS).filled_qty == 0


def test_only_so_many_orders_that_were_given_up_are_remembered() -> None:
    """They were kept for ever; one that comes back from before that is of an earlier run: its fills are not told."""
    orders = OwnOrders(ARRIVAL_NS)
    names = [f"tb-lost-{number}" for number in range(ENDED_MAX + 1)]
    for name in names:
        orders.send(name, QUOTE)
        orders.lose(name, 0)
        assert [orders.deny(name, asked_ns) for asked_ns in (1, 2)] == [False, True]
    heard = [orders.hear(replace(MORE, client_order_id=name), 3) for name in names]
    assert [each.filled_qty for each in heard] == [Decimal(0), *[Decimal(3)] * ENDED_MAX]


def test_why_it_was_cancelled_is_kept_though_the_answer_was_lost() -> None:
    """`CANCELED at the venue, not by this desk` was said of what the desk had cancelled."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    orders.hear(NEW, 0)
    orders.cancel(NAME, NOT_WANTED)
    assert orders.hear(CANCELED, 1).why_left == NOT_WANTED


def test_order_is_as_old_as_the_first_word_of_it() -> None:
    """News of a fill made it young again: one that is filled bit by bit would never grow too old."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    for now_ns in (5, 9):
        orders.hear(NEW, now_ns)
        assert [own.since_ns for own in orders.resting(default_instruments()[0])] == [5]
    orders.hear(MORE, 12)
    assert [own.since_ns for own in orders.resting(default_instruments()[0])] == [5]


def test_what_has_ended_is_forgotten_at_last() -> None:
    """A desk that runs for months keeps no more than it needs."""
    orders = OwnOrders(ARRIVAL_NS)
    for number in range(ENDED_MAX + 10):
        orders.hear(replace(FILLED, client_order_id=f"tb-{number}"), 0)
    assert len(orders._ended) == ENDED_MAX


def test_what_rests_is_what_was_last_heard_of_each_order() -> None:
    """It is put into ticks and lots once, and again when there is news."""
    instrument = Instrument(0, "BTCUSDT", "BTC", "USDT", Decimal(1), Decimal(1))
    orders, other = OwnOrders(ARRIVAL_NS), replace(NEW, client_order_id="tb-2", price=Decimal("99.5"))
    resting: list[list[OwnOrder]] = []
    for each in (NEW, other, PART, MORE, CANCELED):
        orders.hear(each, 0)
        resting.append(orders.resting(instrument))
        assert orders.resting(instrument) == resting[-1]
    assert resting == [[OwnOrder(NAME, Side.BUY, 100, lots)] for lots in (5, 5, 3, 2)] + [[]]


def test_a_successor_knows_what_is_open_and_what_was_just_filled() -> None:
    """Lists and questions may lag: it placed a second order beside one, and told fills that had been told."""
    first, second = OwnOrders(ARRIVAL_NS), OwnOrders(ARRIVAL_NS)
    full, other = replace(NEW, client_order_id="tb-2"), replace(NEW, client_order_id="tb-3")
    for order in (NEW, full, other):
        first.send(order.client_order_id, QUOTE)
        first.hear(order, 0)
    first.send("tb-4", QUOTE)
    first.hear(replace(NEW, filled_qty=NEW.qty / 2), 1)
    first.hear(replace(full, filled_qty=full.qty, status="FILLED"), 1)
    first.hear(replace(other, status="CANCELED"), 1)
    second.take_over(first.to_leave(ARRIVAL_NS), 2 * ARRIVAL_NS)
    assert (list(second.open), second.unsettled()) == ([NAME], {"tb-4": QUOTE})
    assert second.unknown["tb-4"].until_ns == 3 * ARRIVAL_NS
    assert not second.deny(NAME, 3 * ARRIVAL_NS), "it may be a lag"
    assert second.hear(replace(NEW, filled_qty=NEW.qty / 2), 2 * ARRIVAL_NS).filled_qty == 0
    assert second.hear(full, 2 * ARRIVAL_NS).filled_qty == 0
    assert list(second.open) == [NAME], "what has ended stays so"
    assert second.hear(replace(full, filled_qty=full.qty, status="FILLED"), 2 * ARRIVAL_NS).filled_qty == 0
    assert "tb-2" not in first.to_leave(ARRIVAL_NS + 2)


def test_all_that_may_be_in_the_book_or_come_there_could_fill() -> None:
    """What is on its way, of unknown fate, or said to be gone by a cancel alone: a limit held none of these."""
    orders = OwnOrders(ARRIVAL_NS)
    could = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
    orders.send("on its way", Quote(Side.SELL, 100, 100_000))
    could[Side.SELL] += 1
    assert orders.could_fill(BTCUSDT) == could
    orders.lose("on its way", 1)
    assert orders.could_fill(BTCUSDT) == could
    orders.hear(PART, 0)
    could[Side.BUY] += 3
    assert orders.could_fill(BTCUSDT) == could
    orders.cannot_cancel(NAME)
    assert orders.could_fill(BTCUSDT) == could
    orders.hear(CANCELED, 0)
    assert orders.could_fill(BTCUSDT) == {Side.BUY: 0, Side.SELL: 1}


def test_late_news_of_before_an_amend_make_an_order_no_larger() -> None:
    """It would be amended again and again, and what it could fill be counted twice."""
    orders = OwnOrders(ARRIVAL_NS)
    orders.send(NAME, QUOTE)
    for each in (NEW, replace(PART, qty=Decimal(4)), MORE, NEW):
        orders.hear(each, 0)
    assert (orders.open[NAME].qty, orders.open[NAME].leaves_qty) == (Decimal(4), Decimal(1))
    assert orders.could_fill(BTCUSDT)[Side.BUY] == 1
