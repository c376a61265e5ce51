"""What each client is told of the engine's events."""

import numpy as np
import pytest

from bus.topology import first_order_id, first_owner
from market.codec import encode_all
from market.codes import CancelReason, RejectReason, SelfTradePrevention, Side, TimeInForce
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected
from market.limits import BATCH_MESSAGES_MAX, ORDER_IDS_PER_SESSION, TCP_SESSIONS_MAX
from sessions.memory import ORDER_ID, TOTAL_OPEN_MAX, SessionLimits
from sessions.session_store import StoredSession
from sessions.session_table import NoSessionLeftError, SessionTable
from tests.one_engine import GATEWAY
from tests.sessions.floor import BTC, KEPT_BYTES, Floor, reports


def test_numbers_each_session_s_reports_from_one_without_a_gap() -> None:
    """Whatever the engine tells the others, a client can see that nothing is missing."""
    floor = Floor()
    one, two = floor.session("one"), floor.session("two")
    for order_id in range(1, 20):
        floor.give(one, NewOrder(order_id, BTC, Side.BUY, 1_000 - order_id, 5))
        floor.give(two, NewOrder(order_id, BTC, Side.SELL, 1_100 + order_id, 5), CancelOrder(order_id, BTC))
    assert [event.sequence for event in reports(one)] == list(range(1, 20))
    assert [event.sequence for event in reports(two)] == list(range(1, 39))


def test_tells_each_side_of_a_trade_its_own_alone() -> None:
    """Nothing about who stood on the other side: no id, no owner, no quantity that is left."""
    floor = Floor()
    one, two = floor.session("one"), floor.session("two")
    floor.give(one, NewOrder(7, BTC, Side.BUY, 1_000, 50))
    floor.give(two, NewOrder(9, BTC, Side.SELL, 990, 20, time_in_force=TimeInForce.IOC))
    maker, taker = reports(one)[-1], reports(two)[-1]
    assert maker == Executed(2, 77, BTC, 1, 1_000, 20, Side.SELL, 0, 0, 0, 7, 0, 30, 0)
    assert taker == Executed(2, 77, BTC, 1, 1_000, 20, Side.SELL, 9, 0, 0, 0, 0, 0, 0)
    assert (floor.table.open_count(one), floor.table.open_count(two)) == (1, 0)


def test_tells_a_client_that_trades_with_itself_twice() -> None:
    """The maker's side first; both orders are its own."""
    floor = Floor()
    one = floor.session()
    floor.give(one, NewOrder(1, BTC, Side.BUY, 1_000, 5), NewOrder(2, BTC, Side.SELL, 1_000, 5))
    trades = [event for event in reports(one) if isinstance(event, Executed)]
    assert [(trade.maker_order_id, trade.taker_order_id, trade.trade_id) for trade in trades] == [(1, 0, 1), (0, 2, 1)]
    assert floor.table.open_count(one) == 0


def test_hands_out_ids_and_owners_that_are_arithmetic() -> None:
    """Two sessions with the same ids meet nowhere."""
    floor = Floor()
    floor.session("one")
    two = floor.session("two")
    floor.give(two, NewOrder(5, BTC, Side.BUY, 1_000, 5), AmendOrder(5, BTC, 999, 5), CancelOrder(5, BTC), MassCancel())
    desk_id = first_order_id(GATEWAY) + ORDER_IDS_PER_SESSION + 5
    owner = first_owner(GATEWAY) + 1
    assert [getattr(command, "owner", None) for command in floor.last_commands] == [owner] * 4
    assert [getattr(command, "order_id", None) for command in floor.last_commands] == [desk_id] * 3 + [None]
    assert all(command.time_ns == 77 for command in floor.last_commands)
    assert [type(event) for event in reports(two)][:2] == [Accepted, Amended]
    assert {getattr(event, "owner", 0) for event in reports(two)} == {0}


def test_counts_open_orders_as_the_engine_does() -> None:
    """Refused, filled, cancelled and decremented orders are no longer open; the table forgets them."""
    floor = Floor()
    one = floor.session()
    orders = [NewOrder(n, BTC, Side.BUY, 1_000 + n, 5) for n in range(1, 101)]
    floor.give(one, *orders, NewOrder(101, BTC, Side.BUY, 1_000, 0), NewOrder(102, 9, Side.BUY, 1_000, 5))
    assert floor.table.open_count(one) == floor.engine.live_order_count == 100
    floor.give(one, NewOrder(103, BTC, Side.SELL, 1_090, 23), *(CancelOrder(n, BTC) for n in range(1, 31)))
    assert floor.table.open_count(one) == floor.engine.live_order_count
    assert len(floor.table.memory.open_orders) == floor.engine.live_order_count
    floor.give(one, MassCancel())
    assert floor.table.open_count(one) == floor.engine.live_order_count == 0
    assert not floor.table.memory.orders.reshape(-1, 8)[:, ORDER_ID].any()


def test_gives_the_same_from_the_same_reports() -> None:
    """This is how a gateway that was killed comes back: the frames again, through the same kernel."""
    floor = Floor()
    one, two = floor.session("one"), floor.session("two")
    for n in range(1, 60):
        floor.give(one, NewOrder(n, BTC, Side.BUY, 1_000 + n % 7, 5), CancelOrder(max(1, n - 3), BTC))
        floor.give(two, NewOrder(n, BTC, Side.SELL, 1_003 + n % 5, 7))
    again = SessionTable(SessionLimits(), 1_000, GATEWAY, KEPT_BYTES)
    for session in (one, two):
        again.restore(StoredSession(session.name, session.number, session.offset, 0, True))
    for frame in floor.frames:
        again.report(frame)
    for session in (one, two):
        other = again.sessions[session.number]
        assert reports(other) == reports(session)
        assert again.used_id(other) == floor.table.used_id(session)
        assert again.open_count(other) == floor.table.open_count(session)
    assert np.array_equal(again.memory.open_orders, floor.table.memory.open_orders)


def test_drops_the_old_part_of_a_frame() -> None:
    """The link may repeat reports in front of new ones."""
    floor = Floor()
    one = floor.session()
    floor.give(one, *(NewOrder(n, BTC, Side.BUY, 1_000, 5) for n in range(1, 11)))
    frame = floor.frames[-1]
    fresh = SessionTable(SessionLimits(), 1_000, GATEWAY, KEPT_BYTES)
    session = fresh.open("one", 0)
    fresh.report(frame, 7)
    assert [event.order_id for event in reports(session) if isinstance(event, Accepted)] == [8, 9, 10]
    assert [event.sequence for event in reports(session)] == [1, 2, 3]


def test_says_nothing_to_whoever_took_over_a_number() -> None:
    """Orders of a former session have ids below the new one's offset."""
    floor = Floor()
    one = floor.session("")
    floor.give(one, NewOrder(40, BTC, Side.BUY, 1_000, 5), CancelOrder(40, BTC))
    floor.table.release(one)
    two = floor.session("")
    assert (two.number, two.offset) == (one.number, 40)
    floor.table.report(floor.frames[0])
    assert reports(two) == []
    floor.give(two, NewOrder(1, BTC, Side.BUY, 1_000, 5))
    assert [type(event) for event in reports(two)] == [Accepted]
    floor.give(two, CancelOrder(1, BTC), NewOrder(30, BTC, Side.BUY, 1_000, 5), CancelOrder(30, BTC))
    floor.table.release(two)
    assert floor.session("").offset == 70, "above the ids of all who had the number"


def test_leaves_out_what_concerns_no_order() -> None:
    """Halted is told to no source, and a refused frame of ours has no session."""
    floor = Floor()
    one = floor.session()
    touched = floor.table.report(encode_all([Halted(1, 2, 0, 1), Rejected(2, 3, -1, 0, 0, 0, RejectReason.MALFORMED)]))
    assert touched == []
    assert reports(one) == []


def test_tells_of_every_order_that_a_lost_book_had() -> None:
    """Also of those that were sent and not answered; afterwards they are told of no more."""
    floor = Floor()
    one = floor.session()
    floor.give(one, NewOrder(1, BTC, Side.BUY, 1_000, 5), NewOrder(2, 1, Side.SELL, 1_001, 6))
    unanswered = floor.admit(one, encode_all([NewOrder(3, BTC, Side.BUY, 1_002, 7)]))
    lost = floor.table.lost_orders(88)
    floor.table.report(encode_all(lost))
    told = reports(one, after=2)
    assert told == [
        Canceled(3, 88, 0, 1, 0, 0, 1_000, 5, 0, CancelReason.ENGINE_RESTARTED),
        Canceled(4, 88, 1, 2, 0, 1, 1_001, 6, 0, CancelReason.ENGINE_RESTARTED),
        Canceled(5, 88, 0, 3, 0, 0, 1_002, 7, 0, CancelReason.ENGINE_RESTARTED),
    ]
    assert floor.table.open_count(one) == 0
    assert floor.table.lost_orders(89) == []
    assert unanswered.order_count == 1
    one.resends.append((3, BTC))
    assert list(floor.table.stored_replies(one, 9)) == [(3, BTC, told[2])]
    floor.match_commands([MassCancel(owner=floor.table.owner(one.number))])
    assert reports(one, after=5) == []


def test_stops_when_an_engine_tells_of_more_orders_than_it_holds() -> None:
    """The table of open orders would be full, and a search in it have no end."""
    floor = Floor()
    one = floor.session()
    admitted = floor.admit(one, encode_all([NewOrder(n, BTC, Side.BUY, 1_000, 5) for n in (1, 2, 3)]))
    floor.table.memory.limits[TOTAL_OPEN_MAX] = 2
    with pytest.raises(AssertionError, match="no more open orders than the engine holds"):
        floor.match(admitted)


def test_keeps_an_order_s_last_price_and_quantity_for_a_lost_book() -> None:
    """What was amended, traded and decremented is told as it was at the last."""
    floor = Floor()
    one, two = floor.session("one"), floor.session("two")
    mine = NewOrder(1, BTC, Side.BUY, 1_000, 50, self_trade_prevention=SelfTradePrevention.DECREMENT)
    floor.give(one, mine, AmendOrder(1, BTC, 990, 40))
    assert [(order.price_ticks, order.qty_lots) for order in floor.table.lost_orders(1)] == [(990, 40)]
    floor.give(two, NewOrder(1, BTC, Side.SELL, 990, 7))
    assert [(order.price_ticks, order.qty_lots) for order in floor.table.lost_orders(1)] == [(990, 33)]
    floor.give(one, mine._replace(order_id=2, side=Side.SELL, price_ticks=990, qty_lots=3))
    assert [(order.price_ticks, order.qty_lots) for order in floor.table.lost_orders(1)] == [(990, 30)]
    assert floor.table.open_count(one) == 1


def test_the_highest_used_id_stays_whatever_ends_before_it() -> None:
    """An id between would be entered a second time."""
    floor = Floor()
    one = floor.session()
    floor.give(one, *(NewOrder(n, BTC, Side.BUY, 1_000, 5) for n in range(1, 6)))
    floor.give(one, CancelOrder(2, BTC))
    assert floor.table.used_id(one) == 5
    floor.give(one, NewOrder(3, BTC, Side.BUY, 1_000, 5))
    assert floor.last_commands == []
    again = SessionTable(SessionLimits(), 1_000, GATEWAY, KEPT_BYTES)
    restored = again.restore(StoredSession("one", one.number, one.offset, 0, False))
    for frame in floor.frames:
        again.report(frame)
    assert again.used_id(restored) == 5


def test_takes_as_many_sessions_as_it_says() -> None:
    """The next one is refused; a released number is free."""
    floor = Floor()
    sessions = [floor.session(f"client-{n}") for n in range(TCP_SESSIONS_MAX)]
    with pytest.raises(NoSessionLeftError, match=str(TCP_SESSIONS_MAX)):
        floor.session("one more")
    last = sessions[-1]
    floor.give(last, NewOrder(1, BTC, Side.BUY, 1_000, 5))
    assert [type(event) for event in reports(last)] == [Accepted], "the last bit of the word is one, too"
    floor.give(last, CancelOrder(1, BTC))
    floor.table.release(last)
    assert floor.session("one more").number == last.number
    assert floor.table.by_name("client-3") is sessions[3]
    assert floor.table.by_name(last.name) is None


def test_finds_the_first_reply_in_a_frame_that_is_told_in_several() -> None:
    """Whoever trades with itself is told twice of each trade: more than a frame holds, and all of it is found."""
    floor = Floor()
    one = floor.session("one")
    count = BATCH_MESSAGES_MAX * 2 // 3  # two orders are three events, and four reports
    for n in range(1, count + 1):
        floor.give(one, NewOrder(n, BTC, Side.BUY if n % 2 else Side.SELL, 1_000, 5))
    fresh = SessionTable(SessionLimits(), 1_000, GATEWAY, KEPT_BYTES)
    session = fresh.open("one", 0)
    fresh.report(b"".join(floor.frames))
    assert session.reports.last_sequence > BATCH_MESSAGES_MAX
    session.resends.extend((n, BTC) for n in range(1, count + 1, 10))
    replies = [reply for _, _, reply in fresh.stored_replies(session, count)]
    assert [reply.order_id for reply in replies if isinstance(reply, Accepted)] == list(range(1, count + 1, 10))
