"""The client's end of a session, without sockets: cut anywhere, every report comes out once."""

from decimal import Decimal

import pytest

from market.codec import decode, encode_all
from market.codes import CancelReason, RejectReason, Side, Tag
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.feed_messages import InstrumentDefinition
from market.messages import Message
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from venues.gateway_session import GatewayError, SessionEnd, SessionRefusedError

BTC = InstrumentDefinition(0, "BTCUSDT", "BTC", "USDT", "0.01", "0.00001")
ETH = InstrumentDefinition(1, "ETHUSDT", "ETH", "USDT", "0.5", "0.01")


BAD_MESSAGE = b"\x91\x7f"  # no message has this tag


def order(order_id: int) -> NewOrder:
    """Return an order."""
    return NewOrder(order_id, 0, Side.BUY, 1_000, 5)


def accepted(sequence: int, order_id: int) -> Accepted:
    """Return the first report of an order."""
    return Accepted(sequence, 1, 0, order_id, 0, 0, 1_000, 5, 0, 0, 5)


def refused(order_id: int, reason: RejectReason) -> Rejected:
    """Return what a gateway refuses by itself."""
    return Rejected(0, 1, 0, order_id, 0, Tag.NEW_ORDER, reason)


def logged_on(*order_ids: int) -> SessionEnd:
    """Return the end of a new session that has sent these orders."""
    end = SessionEnd("bot")
    end.logon()
    end.receive(encode_all([BTC, LoggedOn(1, 1, 0, 0, 1_000)]))
    for order_id in order_ids:
        end.remember(order(order_id))
    return end


STORY: tuple[Event, ...] = (
    accepted(1, 1),
    accepted(2, 2),
    Canceled(3, 1, 0, 1, 0, 0, 1_000, 5, 0, 1),
    accepted(4, 3),
    Rejected(5, 1, 0, 4, 0, Tag.NEW_ORDER, RejectReason.BAD_QTY),
)


def test_every_report_comes_out_once_wherever_the_stream_is_cut() -> None:
    """Whole, cut, or cut twice: the second connection brings what the first one did not."""

    def stream(last_sequence: int, *repeated: Message) -> bytes:
        head: list[Message] = [BTC, LoggedOn(6, 1, 4, 2, 1_000)]
        return encode_all([*head, *STORY[last_sequence:], Heartbeat(5), *repeated])

    first = stream(0)
    for cut in range(len(first) + 1):
        end = SessionEnd("bot")
        for order_id in (1, 2, 3, 4):
            end.remember(order(order_id))
        end.logon()
        events = end.receive(first[:cut]).events
        (logon,) = decode(end.logon())
        assert logon == Logon("bot", "", len(events))
        answer = end.receive(stream(len(events), accepted(4, 3)))  # the stored reply to an order that came again
        events += answer.events
        assert events == list(STORY), cut
        assert end.unanswered_count == 0
        assert end.open_order_ids == {2, 3}


def test_orders_without_an_answer_are_sent_again_whether_the_gateway_has_had_them_or_not() -> None:
    """It may have refused one, and the refusal was lost: only the answer to a second try tells."""
    end = SessionEnd("bot")
    for order_id in (1, 2, 3):
        end.remember(order(order_id))
    end.logon()
    assert end.receive(encode_all([LoggedOn(1, 1, 0, 0, 1_000), accepted(1, 1)])).events == [accepted(1, 1)]
    end.logon()
    answer = end.receive(encode_all([LoggedOn(3, 1, 3, 2, 1_000)]))
    assert decode(answer.to_send) == [order(2), order(3)]
    told: list[Message] = [accepted(2, 3), refused(2, RejectReason.DUPLICATE_ORDER_ID), accepted(2, 3)]
    assert end.receive(encode_all(told)).events == told[:2]
    assert end.unanswered_count == 0


def test_a_gap_is_an_error_and_what_is_lost_for_good_is_counted() -> None:
    """Never silently: a report that does not follow ends the connection; a gateway that forgot says so itself."""
    end = SessionEnd("bot", last_sequence=3)
    end.logon()
    assert end.receive(encode_all([LoggedOn(10, 6, 9, 0, 1_000)])).events == []
    assert (end.lost_count, end.last_sequence) == (2, 5)
    with pytest.raises(GatewayError, match="expected report 6, was 7"):
        end.receive(encode_all([accepted(7, 20)]))


def test_makes_commands_of_what_it_is_asked() -> None:
    """In ticks and lots of their own symbol, with ids above all that were used, and for what is open alone."""
    end = SessionEnd("bot")
    end.logon()
    end.receive(encode_all([BTC, ETH, LoggedOn(5, 5, 40, 0, 7_000)]))
    assert end.idle_ms == 7_000
    buy = end.new_order("ETHUSDT", Side.SELL, Decimal("2500.5"), Decimal("0.02"), display_lots=1)
    assert buy == NewOrder(41, 1, Side.SELL, 5_001, 2, display_lots=1)
    assert end.new_order("BTCUSDT", Side.BUY, Decimal(0), Decimal("0.00003"), order_type=1).order_id == 42
    assert end.amend(41, Decimal(2501), Decimal("0.05")) == AmendOrder(41, 1, 5_002, 5)
    assert (end.cancel(41), end.cancel(42)) == (CancelOrder(41, 1), CancelOrder(42, 0))
    assert end.cancel_all() == MassCancel(-1, -1)
    assert end.cancel_all("ETHUSDT", Side.BUY) == MassCancel(1, 0)
    assert end.cancel_all("BTCUSDT", Side.SELL) == MassCancel(0, 1)
    for order_id in (1, 43):
        with pytest.raises(KeyError):
            end.cancel(order_id)
        with pytest.raises(KeyError):
            end.amend(order_id, Decimal(1), Decimal(1))
    with pytest.raises(KeyError):
        end.cancel_all("BNBUSDT")


@pytest.mark.parametrize("text", ["2500.7", "-0.5", "NaN", "Infinity", "1e30"])
def test_refuses_a_price_that_is_none(text: str) -> None:
    """Before it takes an id: between two ticks, below nothing, beyond what a message holds, no number."""
    end = SessionEnd("bot")
    end.logon()
    end.receive(encode_all([ETH, LoggedOn(1, 1, 0, 0, 1_000)]))
    with pytest.raises(ValueError, match=r"price must be a multiple of 0\.5"):
        end.new_order("ETHUSDT", Side.BUY, Decimal(text), Decimal(1))
    assert (end.last_order_id, end.unanswered_count) == (0, 0)


def test_knows_an_order_again_that_an_earlier_process_entered() -> None:
    """Its reports bring it back: it can be cancelled, and new ids are above its own."""
    end = SessionEnd("bot")
    end.logon()
    end.receive(encode_all([BTC, LoggedOn(2, 1, 1, 1, 1_000), accepted(1, 1)]))
    assert end.cancel(1) == CancelOrder(1, 0)
    assert end.last_order_id == 1
    end.logon()
    end.receive(encode_all([LoggedOn(1, 1, 0, 0, 1_000)]))  # the session was given up elsewhere
    with pytest.raises(KeyError):
        end.cancel(1)


def test_reports_in_front_of_a_last_word_come_out() -> None:
    """They are counted as had: the next connection does not bring them again."""
    for last in (Logout(RejectReason.GATEWAY_STOPS), accepted(9, 3), Logout(RejectReason.REPLACED), BAD_MESSAGE):
        end = logged_on(1, 2)
        data = encode_all([accepted(1, 1), accepted(2, 2)]) + (last if isinstance(last, bytes) else encode_all([last]))
        answer = end.receive(data)
        assert answer.events == [accepted(1, 1), accepted(2, 2)]
        assert isinstance(answer.end, SessionRefusedError) == (last == Logout(RejectReason.REPLACED))
        with pytest.raises(GatewayError):
            end.receive(b"")
        assert decode(end.logon()) == [Logon("bot", "", 2)]
        assert end.receive(encode_all([LoggedOn(3, 1, 2, 2, 1_000)])).events == []


def test_a_heartbeat_that_knows_of_more_reports_than_came_ends_the_connection() -> None:
    """The client has lost its place: what it misses comes with the next connection."""
    end = logged_on(1)
    end.receive(encode_all([accepted(1, 1), Heartbeat(1)]))
    with pytest.raises(GatewayError, match="expected report 2"):
        end.receive(encode_all([Heartbeat(2)]))
    assert decode(end.logon()) == [Logon("bot", "", 1)]


def test_a_gateway_that_knows_nothing_of_us_begins_anew() -> None:
    """Its reports count from 1 again, and are not taken for old ones."""
    end = SessionEnd("bot", last_sequence=90)
    end.remember(order(7))
    end.logon()
    answer = end.receive(encode_all([LoggedOn(1, 1, 0, 0, 1_000), accepted(1, 8)]))
    assert answer.events == [accepted(1, 8)]
    assert decode(answer.to_send) == [], "it may have been done: to send it again might double it"
    assert (end.unknown_order_ids, set(end.open_order_ids), end.last_order_id) == ({7}, {8}, 7)


def test_an_order_of_which_a_part_was_cancelled_can_still_be_cancelled() -> None:
    """Self-trade prevention makes an order smaller: it is at its end when nothing is left of it."""
    end = logged_on(1, 2)
    decrement = CancelReason.SELF_TRADE_PREVENTION
    smaller = Canceled(3, 1, 0, 1, 0, 0, 1_000, 2, 3, decrement)
    events: list[Message] = [accepted(1, 1), accepted(2, 2), smaller]
    assert end.receive(encode_all(events)).events == events
    assert end.open_order_ids == {1, 2}
    assert end.cancel(1) == CancelOrder(1, 0)
    end.receive(encode_all([Canceled(4, 1, 0, 1, 0, 0, 1_000, 3, 0, CancelReason.REQUESTED)]))
    with pytest.raises(KeyError):
        end.cancel(1)


@pytest.mark.parametrize("is_taker", [True, False])
def test_a_fill_ends_an_order_when_its_own_side_has_nothing_left(*, is_taker: bool) -> None:
    """The other side's leaves are told as 0."""
    end = logged_on(1)

    def fill(sequence: int, leaves_lots: int) -> Executed:
        sides = (1, 0, leaves_lots, 0, 0, 0) if is_taker else (0, 0, 0, 1, 0, leaves_lots)
        return Executed(sequence, 1, 0, 9, 1_000, 2, Side.BUY, *sides, 0)

    end.receive(encode_all([accepted(1, 1), fill(2, 3)]))
    assert end.open_order_ids == {1}
    end.receive(encode_all([fill(3, 0)]))
    assert end.open_order_ids == set()


def test_an_order_whose_answer_may_be_lost_is_not_held_for_ended() -> None:
    """The gateway no longer has its first report and calls it a duplicate: it may rest, and can be cancelled."""
    end = logged_on(1, 2, 3)
    end.receive(encode_all([accepted(1, 1)]))
    end.logon()
    answer = end.receive(encode_all([LoggedOn(10, 8, 3, 2, 1_000), refused(2, RejectReason.DUPLICATE_ORDER_ID)]))
    assert (decode(answer.to_send), answer.events) == ([order(2), order(3)], [])
    assert (end.unknown_order_ids, end.lost_count) == ({2}, 6)
    assert end.open_order_ids == {1, 2, 3}
    trade = Executed(8, 1, 0, 9, 1_000, 2, Side.BUY, 0, 0, 0, 3, 0, 3, 0)
    assert end.receive(encode_all([trade])).events == [trade]
    assert end.unanswered_count == 0, "a fill is an answer as well"
    end.cancel(2)
    end.receive(encode_all([Rejected(9, 1, 0, 2, 0, Tag.CANCEL_ORDER, RejectReason.UNKNOWN_ORDER)]))
    assert end.open_order_ids == {1, 3}


def test_a_refused_cancel_or_amend_ends_nothing() -> None:
    """The order is as it was, whoever refused."""
    end = logged_on(1)
    end.receive(encode_all([accepted(1, 1)]))
    for sequence, command, reason in (
        (2, Tag.AMEND_ORDER, RejectReason.LEAVES_CHANGED),
        (0, Tag.CANCEL_ORDER, RejectReason.ENGINE_UNAVAILABLE),
        (3, Tag.CANCEL_ORDER, RejectReason.UNKNOWN_ORDER),
    ):
        end.receive(encode_all([Rejected(sequence, 1, 0, 1, 0, command, reason)]))
        assert end.open_order_ids == {1}


@pytest.mark.parametrize("reason", list(RejectReason))
def test_knows_which_ends_are_final(reason: RejectReason) -> None:
    """After some it is of no use to connect again, whether they are said by Logout or by Rejected."""
    final = {"BAD_CLIENT_ID", "BAD_TOKEN", "NO_SESSION_LEFT", "REPLACED", "MALFORMED"}
    for last_word in (Logout(reason), Rejected(0, 1, -1, 0, 0, Tag.LOGON, reason)):
        end = SessionEnd("bot")
        end.logon()
        with pytest.raises(GatewayError) as caught:
            end.receive(encode_all([last_word]))
        assert isinstance(caught.value, SessionRefusedError) == (reason.name in final)
