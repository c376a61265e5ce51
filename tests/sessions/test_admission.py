"""Which messages of a client become commands, and why the others do not."""

from decimal import Decimal

import pytest

from market.clock import NS_PER_SECOND
from market.codec import encode_all
from market.codes import RejectReason, Side, Tag
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.limits import ID_MAX, ORDER_IDS_PER_SESSION
from market.session_messages import Heartbeat, Logout
from sessions.admission import GOES_ON, LOGS_OUT, LOGS_OUT_FOR_GOOD
from sessions.memory import TOTAL_OPEN_MAX, SessionLimits, SymbolLimits
from sessions.session_table import OFFSET_MAX
from tests.sessions.floor import BTC, Floor, order, reports

ETH = 1
LIMITS = SessionLimits(0, 5, (SymbolLimits(100, 50_000, Decimal("0.1")), SymbolLimits(price_band=Decimal("0.25"))))
NEW, AMEND = Tag.NEW_ORDER, Tag.AMEND_ORDER


def reasons(events: list[Event]) -> list[int]:
    """Return why each of these refusals was."""
    assert all(isinstance(event, Rejected) for event in events), events
    return [event.reason for event in events if isinstance(event, Rejected)]


@pytest.fixture
def traded() -> Floor:
    """A floor with reference prices, of BTC 1,000 and of ETH none yet; session `one` has its order 1 open at 900."""
    floor = Floor(LIMITS)
    floor.table.set_reference(BTC, 1_000, ID_MAX)
    floor.give(floor.session("one"), order(1, 900, 10))
    return floor


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (order(2, 1_100, 1), None),
        (order(2, 1_101, 1), RejectReason.PRICE_BAND),
        (order(2, 1, 1), None),  # far from the market, but no harm is done
        (order(2, 900, 1, Side.SELL), None),
        (order(2, 899, 1, Side.SELL), RejectReason.PRICE_BAND),
        (order(2, 100_000_000, 1, Side.SELL), RejectReason.NOTIONAL_LIMIT),
        (order(2, 100_000_000, 1, Side.SELL, ETH), None),
        (order(2, 100_000_000, 1, Side.BUY, ETH), None),  # nobody knows what it is worth
        (order(2, 10, 100), None),
        (order(2, 10, 101), RejectReason.QTY_LIMIT),
        (order(2, 10, 10**12), RejectReason.QTY_LIMIT),
        (order(2, 100_000_000, 10**12, Side.BUY, ETH), None),
        (order(2, 1_000, 50), None),
        (order(2, 1_000, 51), RejectReason.NOTIONAL_LIMIT),
        (order(2, 0, 50), None),
        (order(2, 0, 51), RejectReason.NOTIONAL_LIMIT),  # at the reference price
        (order(ORDER_IDS_PER_SESSION - 1, 900, 1), None),
        (order(ORDER_IDS_PER_SESSION, 900, 1), RejectReason.BAD_ORDER_ID),
        (order(2**63 - 1, 900, 1), RejectReason.BAD_ORDER_ID),
        (AmendOrder(1, BTC, 1_100, 10), None),
        (AmendOrder(1, BTC, 1_101, 10), RejectReason.PRICE_BAND),
        (AmendOrder(1, BTC, 900, 101), RejectReason.QTY_LIMIT),
        (AmendOrder(1, BTC, 900, 56), RejectReason.NOTIONAL_LIMIT),
        (AmendOrder(ORDER_IDS_PER_SESSION, BTC, 900, 1), RejectReason.UNKNOWN_ORDER),
        (CancelOrder(ORDER_IDS_PER_SESSION, BTC), RejectReason.UNKNOWN_ORDER),
        (CancelOrder(2**63 - 1, BTC), RejectReason.UNKNOWN_ORDER),
        (CancelOrder(1, BTC), None),
        (MassCancel(), None),
    ],
)
def test_knows_a_slip_of_the_finger(traded: Floor, message: NewOrder, reason: RejectReason | None) -> None:
    """The limits one by one, at their edges; a refused id is not used, and nothing is open of it."""
    (one,) = (session for session in traded.table.sessions.values() if session.name == "one")
    before = traded.table.used_id(one), traded.table.open_count(one)
    refused = traded.give(one, message)
    if reason is None:
        assert refused == []
        assert len(traded.last_commands) == 1
        return
    (rejected,) = refused
    assert isinstance(rejected, Rejected)
    assert rejected == Rejected(0, 77, BTC, message.order_id, 0, rejected.command, reason)
    assert rejected.command in (NEW, AMEND, Tag.CANCEL_ORDER)
    assert traded.last_commands == []
    assert (traded.table.used_id(one), traded.table.open_count(one)) == before


def test_a_trade_of_its_own_is_no_reference(traded: Floor) -> None:
    """The market's price comes from the feed alone: else each gateway would have its own."""
    (one,) = traded.table.sessions.values()
    assert traded.give(one, order(2, 1_100, 1), order(3, 1_050, 1, Side.SELL)) == []
    assert [type(event) for event in reports(one)][-2:] == [Executed, Executed]
    assert len(traded.give(one, order(4, 1_101, 1))) == 1


@pytest.mark.parametrize(
    ("message", "is_refused"),
    [
        (order(10, 900, 1), True),
        (order(10, 1_100, 1, Side.SELL), True),
        (AmendOrder(1, BTC, 900, 9), True),
        (order(10, 0, 1), True),  # what it may cost cannot be said
        (order(10, 900, 1, Side.BUY, ETH), False),  # of another engine, perhaps
        (CancelOrder(1, BTC), False),
        (MassCancel(), False),
    ],
)
def test_a_stale_reference_refuses_what_needs_it(traded: Floor, message: NewOrder, *, is_refused: bool) -> None:
    """Neither the old price nor none is used in silence; the time of an admission decides, not that of a tick."""
    (one,) = traded.table.sessions.values()
    traded.table.set_reference(BTC, 1_000, traded.now_ns + 1)
    assert traded.give(one, order(9, 900, 1)) == []
    traded.now_ns += 1
    reasons = [event.reason for event in traded.give(one, message) if isinstance(event, Rejected)]
    assert reasons == ([RejectReason.ENGINE_UNAVAILABLE] if is_refused else [])
    traded.table.set_reference(BTC, 1_000, ID_MAX)
    assert traded.give(one, order(11, 900, 1)) == []


def test_an_amend_has_the_band_of_its_order_s_side(traded: Floor) -> None:
    """A sell may be amended up as far as it likes, a buy down."""
    (one,) = traded.table.sessions.values()
    assert traded.give(one, order(2, 1_000, 1, Side.SELL), AmendOrder(2, BTC, 5_000, 1)) == []
    assert traded.give(one, AmendOrder(2, BTC, 901, 1), AmendOrder(1, BTC, 1, 1)) == []
    assert (
        reasons(traded.give(one, AmendOrder(2, BTC, 899, 1), AmendOrder(1, BTC, 1_101, 1)))
        == [RejectReason.PRICE_BAND] * 2
    )


def test_each_symbol_has_a_band_of_its_own(traded: Floor) -> None:
    """What is usual for one coin is a slip of the finger for another."""
    (one,) = traded.table.sessions.values()
    traded.table.set_reference(ETH, 1_000, ID_MAX)
    assert traded.give(one, order(2, 1_250, 1, symbol_id=ETH), order(3, 750, 1, Side.SELL, ETH)) == []
    far = traded.give(one, order(4, 1_251, 1, symbol_id=ETH), order(5, 749, 1, Side.SELL, ETH), order(6, 1_250, 1))
    assert [event.reason for event in far if isinstance(event, Rejected)] == [RejectReason.PRICE_BAND] * 3


def test_without_limits_that_need_it_no_reference_is_needed() -> None:
    """Who has switched the band and the largest notional off is not held up by the feed."""
    floor = Floor(SessionLimits())
    floor.table.set_reference(BTC, 0, 0)
    assert floor.give(floor.session(), order(1, 1, 1), order(2, 0, 1), AmendOrder(1, BTC, 2, 1)) == []


def test_limits_open_orders_of_a_session_alone() -> None:
    """Five may be open; an end makes room; another session has its own five."""
    floor = Floor(LIMITS)
    one, two = floor.session("one"), floor.session("two")
    refused = floor.give(one, *(order(n, 10, 1) for n in range(1, 8)))
    assert [(event.order_id, event.reason) for event in refused if isinstance(event, Rejected)] == [
        (6, RejectReason.OPEN_ORDERS_LIMIT),
        (7, RejectReason.OPEN_ORDERS_LIMIT),
    ]
    assert floor.give(two, order(1, 10, 1)) == []
    assert floor.give(one, CancelOrder(3, BTC)) == []
    assert floor.give(one, order(8, 10, 1)) == []
    assert len(floor.give(one, order(9, 10, 1))) == 1


def test_limits_open_orders_of_all_sessions_together() -> None:
    """As many as the engine holds: one more would find no slot there."""
    floor = Floor()
    one, two = floor.session("one"), floor.session("two")
    floor.table.memory.limits[TOTAL_OPEN_MAX] = 3
    assert floor.give(one, order(1, 10, 1), order(2, 10, 1)) == []
    assert reasons(floor.give(two, order(1, 10, 1), order(2, 10, 1))) == [RejectReason.OPEN_ORDERS_LIMIT]
    floor.give(one, CancelOrder(1, BTC))
    assert floor.give(two, order(2, 10, 1)) == []
    assert reasons(floor.give(one, order(3, 10, 1))) == [RejectReason.OPEN_ORDERS_LIMIT]


def test_limits_messages_a_second() -> None:
    """A second's worth at once, then the rate; cancels pass for as long again."""
    floor = Floor(SessionLimits(messages_per_s=10))
    one = floor.session()
    refused = floor.give(one, *(order(n, 10, 1) for n in range(1, 13)))
    assert [(event.order_id, event.reason) for event in refused if isinstance(event, Rejected)] == [
        (11, RejectReason.RATE_LIMIT),
        (12, RejectReason.RATE_LIMIT),
    ]
    assert floor.give(one, *(CancelOrder(n, BTC) for n in range(1, 11))) == []
    assert len(floor.give(one, MassCancel())) == 1, "the debt has its end, too"
    floor.now_ns += 1_100_000_000
    assert len(floor.give(one, order(13, 10, 1), order(14, 10, 1))) == 1
    floor.now_ns += 3_600_000_000_000
    assert len(floor.give(one, *(order(n, 10, 1) for n in range(20, 32)))) == 2, "no more is saved up than a second's"


def test_a_mass_cancel_passes_while_orders_are_over_the_rate() -> None:
    """Whoever sends too much must still be able to stop: cancels of both kinds run up a debt of a second's worth."""
    floor = Floor(SessionLimits(messages_per_s=3))
    one = floor.session()
    assert reasons(floor.give(one, *(order(n, 10, 1) for n in range(1, 5)))) == [RejectReason.RATE_LIMIT]
    assert floor.give(one, MassCancel(), MassCancel(ETH), CancelOrder(3, BTC)) == []
    assert [type(event) for event in reports(one)].count(Canceled) == 3
    refused = floor.give(one, MassCancel(), CancelOrder(3, BTC), order(5, 10, 1))
    assert reasons(refused) == [RejectReason.RATE_LIMIT] * 3, "the debt has its end"
    floor.now_ns += NS_PER_SECOND // 3
    assert floor.give(one, MassCancel()) == [], "while the debt remains"
    assert len(floor.give(one, order(5, 10, 1))) == 1


def test_a_debt_is_paid_by_time_alone() -> None:
    """However often a client asks meanwhile: a moment counts once."""
    floor = Floor(SessionLimits(messages_per_s=10))
    one = floor.session()
    floor.give(one, *(order(n, 10, 1) for n in range(1, 11)), *(CancelOrder(n, BTC) for n in range(1, 11)))
    for _ in range(21):
        assert len(floor.give(one, order(11, 10, 1))) == 1
        floor.now_ns += NS_PER_SECOND // 20
    floor.now_ns += NS_PER_SECOND // 20
    assert floor.give(one, order(11, 10, 1)) == []
    assert len(floor.give(one, order(12, 10, 1))) == 1


def test_refuses_all_while_the_engine_is_away() -> None:
    """No id is used, so that the client may send them again."""
    floor = Floor()
    one = floor.session()
    messages = (order(1, 10, 1), AmendOrder(1, BTC, 10, 1), CancelOrder(1, BTC), MassCancel(ETH))
    refused = floor.give(one, *messages, is_engine_here=False)
    reason = RejectReason.ENGINE_UNAVAILABLE
    assert refused == [
        Rejected(0, 77, BTC, 1, 0, Tag.NEW_ORDER, reason),
        Rejected(0, 77, BTC, 1, 0, Tag.AMEND_ORDER, reason),
        Rejected(0, 77, BTC, 1, 0, Tag.CANCEL_ORDER, reason),
        Rejected(0, 77, ETH, 0, 0, Tag.MASS_CANCEL, reason),
    ]
    assert floor.give(one, order(1, 10, 1)) == []
    assert [type(event) for event in reports(one)] == [Accepted]


def test_stops_at_a_logout() -> None:
    """What follows is not read; a heartbeat is nothing."""
    floor = Floor()
    one = floor.session()
    admitted = floor.admit(one, encode_all([Heartbeat(3), order(1, 10, 1), Logout(), order(2, 10, 1)]))
    assert (admitted.command_count, admitted.ending, floor.table.used_id(one)) == (1, LOGS_OUT, 1)
    assert floor.admit(one, encode_all([Logout(0, 1)])).ending == LOGS_OUT_FOR_GOOD
    assert floor.admit(one, encode_all([Heartbeat()])).ending == GOES_ON


def test_knows_what_a_client_has_said_to_have_seen() -> None:
    """By its heartbeats and its Logon; never more than there was, and never less than before."""
    floor = Floor()
    one = floor.session()
    assert not floor.table.has_unseen(one)
    floor.give(one, order(1, 10, 1), order(2, 10, 1), Heartbeat(1))
    assert floor.table.has_unseen(one)
    floor.give(one, Heartbeat(2), Heartbeat(1))
    assert not floor.table.has_unseen(one)
    floor.give(one, Heartbeat(ID_MAX), order(3, 10, 1))
    assert floor.table.has_unseen(one)
    floor.table.note_seen(one, 1)
    assert floor.table.has_unseen(one)
    floor.table.note_seen(one, 99)
    assert not floor.table.has_unseen(one)
    floor.give(one, order(4, 10, 1))
    assert floor.table.has_unseen(one)


def test_a_number_begins_again_when_half_of_its_ids_are_used() -> None:
    """One client with huge ids must not take a number out of use."""
    floor = Floor()
    for _ in range(3):
        session = floor.session("")
        assert session.offset < OFFSET_MAX
        last_id = ORDER_IDS_PER_SESSION - session.offset - 1
        floor.give(session, order(last_id, 10, 1), CancelOrder(last_id, BTC))
        assert [type(event) for event in reports(session)] == [Accepted, Canceled]
        floor.table.release(session)
