"""What a client hears of an order that he sends again: its first reply, or nothing, never a refusal."""

from decimal import Decimal

import pytest

from market.codec import decode_commands, encode_all
from market.codes import Side
from market.commands import CancelOrder, MassCancel
from market.events import Accepted, Canceled, Executed, Rejected
from market.limits import ID_MAX
from sessions.memory import SessionLimits, SymbolLimits
from tests.sessions.floor import BTC, Floor, order, reports

ETH = 1


def test_an_order_that_comes_again_gets_its_first_reply_again() -> None:
    """Accepted, refused by the engine, or long at its end: the same words with the same sequence, and no new order."""
    floor = Floor()
    one = floor.session()
    sent = [order(2, 1_000, 5), order(3, 1_000, 0), order(5, 1_000, 5, Side.SELL), order(7, 10, 1)]
    floor.give(one, CancelOrder(2, BTC), CancelOrder(3, BTC), *sent, CancelOrder(7, BTC))
    first = {2: Accepted, 3: Rejected, 5: Accepted, 7: Accepted}
    before = reports(one)
    assert {type(event) for event in before} == {Accepted, Rejected, Executed, Canceled}
    assert floor.give(one, *sent) == []
    assert floor.last_commands == []
    assert list(one.resends) == [(2, BTC), (3, BTC), (5, BTC), (7, BTC)]
    replies = list(floor.table.stored_replies(one, 3))
    assert [order_id for order_id, _, _ in replies] == [2, 3, 5], "three at a time"
    replies += floor.table.stored_replies(one, 3)
    for order_id, _, reply in replies:
        assert type(reply) is first[order_id]
        assert reply in before
    assert not floor.table.has_stored_replies(one)
    assert reports(one) == before


@pytest.mark.parametrize(
    "hardship", ["the engine is away", "the rate", "open orders", "a price band", "a silent feed", "another symbol"]
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_what_was_taken_is_never_refused_when_it_comes_again(hardship: str, *, is_answered: bool) -> None:
    """It may rest: a client that reads a refusal holds the order for ended. Its reply is right, or silence."""
    floor = Floor(SessionLimits(2, 1, (SymbolLimits(price_band=Decimal("0.1")),)))
    floor.table.set_reference(BTC, 1_000, ID_MAX)
    one, sent = floor.session(), order(1, 1_000, 5)
    admitted = floor.admit(one, encode_all([sent]))
    if is_answered:
        floor.match(admitted)
    if hardship == "the rate":
        assert len(floor.give(one, MassCancel(9), MassCancel(9), order(2, 1_000, 5))) == 1
    if hardship == "a price band":
        floor.table.set_reference(BTC, 100, ID_MAX)
    if hardship == "a silent feed":
        floor.table.set_reference(BTC, 1_000, floor.now_ns)
    again = sent._replace(symbol_id=9) if hardship == "another symbol" else sent
    assert floor.give(one, again, is_engine_here=hardship != "the engine is away") == []
    assert floor.last_commands == []
    replies = [reply for _, _, reply in floor.table.stored_replies(one, 9)]
    assert replies == ([reports(one)[0]] if is_answered else [])
    if not is_answered:
        floor.match(admitted)
        assert [reply for _, _, reply in floor.table.stored_replies(one, 9)] == [reports(one)[0]]


def test_nothing_is_said_of_an_open_order_whose_reply_is_forgotten() -> None:
    """That it is a duplicate would end an order that rests; once it has ended nobody knows it."""
    floor = Floor(kept_bytes=1 << 16)
    one = floor.session()
    floor.give(one, order(1, 10, 1))
    for n in range(2, 4_000):
        floor.give(one, order(n, 10, 1), CancelOrder(n, BTC))
    assert one.reports.first_sequence > 1
    floor.give(one, order(1, 10, 1))
    assert list(floor.table.stored_replies(one, 9)) == []
    assert not floor.table.has_stored_replies(one)
    floor.give(one, CancelOrder(1, BTC))
    for n in range(4_000, 8_000):
        floor.give(one, order(n, 10, 1), CancelOrder(n, BTC))
    floor.give(one, order(1, 10, 1))
    assert list(floor.table.stored_replies(one, 9)) == [(1, BTC, None)]


def test_replies_of_a_slower_engine_are_found_behind_those_of_a_faster_one() -> None:
    """Of a desk with several engines first replies do not come in the order of the ids."""
    floor = Floor(kept_bytes=1 << 30)
    one = floor.session()
    slow = floor.admit(one, encode_all([order(1, 10, 1), order(2, 10, 0)]))
    slow_commands = decode_commands(slow.commands)
    for n in range(3, 3_000):
        floor.give(one, order(n, 10, 1), CancelOrder(n, BTC))
    floor.give(one, order(1, 10, 1), order(2, 10, 0))
    assert list(floor.table.stored_replies(one, 9)) == [], "they are on their way"
    first = one.reports.last_sequence + 1
    floor.match_commands(slow_commands)
    for n in range(3_000, 6_000):
        floor.give(one, order(n, 10, 1), CancelOrder(n, BTC))
    floor.give(one, order(1, 10, 1), order(2, 10, 0), order(5_000, 10, 1))
    replies = [reply for _, _, reply in floor.table.stored_replies(one, 9)]
    assert [type(reply) for reply in replies] == [Accepted, Rejected, Accepted]
    assert [reply.sequence for reply in replies[:2] if reply is not None] == [first, first + 1]


def test_the_end_of_an_order_that_its_engine_never_answered_is_its_reply() -> None:
    """That engine was away long enough for another one's reports to fill many pages, and came back empty."""
    floor = Floor(kept_bytes=1 << 30)
    one = floor.session()
    floor.admit(one, encode_all([order(1, 10, 1, symbol_id=ETH)]))
    for n in range(2, 3_000):
        floor.give(one, order(n, 10, 1), CancelOrder(n, BTC))
    floor.table.report(encode_all(floor.table.lost_orders(88)))
    told = reports(one)[-1]
    floor.give(one, order(1, 10, 1, symbol_id=ETH))
    assert list(floor.table.stored_replies(one, 9)) == [(1, ETH, told)]
    assert isinstance(told, Canceled)


def test_an_id_that_was_passed_over_is_used() -> None:
    """Ids rise: 4 after 7 is not a new order; nothing is stored for it."""
    floor = Floor()
    one = floor.session()
    floor.give(one, order(3, 10, 1), order(7, 10, 1))
    assert floor.give(one, order(4, 10, 1), order(5, 10, 1, symbol_id=ETH)) == []
    assert list(floor.table.stored_replies(one, 9)) == [(4, BTC, None), (5, ETH, None)]


def test_an_order_that_comes_again_before_its_reply_waits_for_it() -> None:
    """The first one may still be on its way to the engine."""
    floor = Floor()
    one = floor.session()
    admitted = floor.admit(one, encode_all([order(1, 10, 1), order(1, 10, 1), order(2, 10, 1), order(1, 10, 1)]))
    assert (admitted.command_count, admitted.order_count, len(one.resends)) == (2, 2, 2)
    assert list(floor.table.stored_replies(one, 9)) == []
    floor.match(admitted)
    replies = [reply for _, _, reply in floor.table.stored_replies(one, 9)]
    assert replies == [reports(one)[0]] * 2
