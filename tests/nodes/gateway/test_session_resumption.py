"""Sessions with a name, over real sockets: what comes after a lost connection."""

from typing import Any

import pytest

from market.codec import encode_all
from market.codes import CancelReason, RejectReason, Side
from market.commands import CancelOrder, MassCancel
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.messages import Message
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from tests.desk.desk_process import until
from tests.nodes.gateway.conftest import IDLE_S
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.gateway_wire import BTC, Wire, order


def test_a_client_that_comes_back_gets_what_it_missed(pair: Pair, name: str) -> None:
    """What happened while it was away, once, with the next numbers; then the live stream."""
    with Wire(pair, Logon(name), order(1), order(2)) as first:
        head, one, two = first.next(3)
        assert head == LoggedOn(1, 1, 0, 0, IDLE_S * 1_000)
        assert [(event.order_id, event.sequence) for event in (one, two)] == [(1, 1), (2, 2)]
    with Wire(pair, order(1, qty_lots=10, side=Side.SELL)) as other:  # it trades with the first
        assert [type(event) for event in other.next(2)] == [Accepted, Executed]
    with Wire(pair, Logon(name, last_sequence=1)) as again:
        head, two, trade = again.next(3)
        assert head == LoggedOn(4, 1, 2, 1, IDLE_S * 1_000)
        assert (two.order_id, two.sequence) == (2, 2)
        assert (trade.sequence, trade.maker_order_id, trade.maker_leaves_lots) == (3, 1, 0)
        again.say(CancelOrder(2, BTC))
        (canceled,) = again.next(1)
        assert (canceled.sequence, canceled.order_id) == (4, 2)
    with Wire(pair, Logon(name, last_sequence=4)) as third:
        assert third.next(1) == [LoggedOn(5, 1, 2, 0, IDLE_S * 1_000)]


def test_a_stored_reply_does_not_overtake_the_reports_before_it(pair: Pair, name: str) -> None:
    """It was sent first, so that the client saw a gap and had to connect once more."""
    with Wire(pair, Logon(name), order(1), order(2), order(3)) as wire:
        wire.next(4)
    with Wire(pair, Logon(name, last_sequence=1), order(3), order(1), CancelOrder(1, BTC)) as again:
        head, *reports = again.next(5)
        assert isinstance(head, LoggedOn)
        numbers = [(report.order_id, report.sequence) for report in reports]
        assert [one for one in numbers if one != (1, 1)] == [(2, 2), (3, 3), (1, 4)]
        assert (1, 1) in numbers, "a reply that the client has had is said again at once"
        again.say(Logout(0, 1))
        assert again.last_words() == [Logout()]


def test_a_session_is_resumed_at_every_byte_of_what_the_client_sends(pair: Pair, name: str) -> None:
    """Logon, orders and a cancel, cut anywhere; then all of it again: nothing is done twice, nothing is left out."""
    messages: list[Message] = [Logon(name), order(1), order(2), CancelOrder(1, BTC), Heartbeat(7)]
    for cut in range(1, len(encode_all(messages)) + 1):
        client_id = f"{name}-{cut % 10}{cut // 10}"[: len(name) + 3]
        first = Logon(client_id)
        data = encode_all([first, *messages[1:]])
        with Wire(pair) as wire:
            wire.socket.sendall(data[:cut])
        with Wire(pair) as wire:
            wire.socket.sendall(data)
            replies: dict[int, Event] = {}
            by_sequence: dict[int, Event] = {}

            def is_complete(
                wire: Wire = wire, replies: dict[int, Event] = replies, by_sequence: dict[int, Event] = by_sequence
            ) -> bool:
                wire.hear()
                for event in wire.heard:
                    if isinstance(event, Accepted):
                        replies.setdefault(event.order_id, event)
                        assert replies[event.order_id] == event, "a second order"
                    if isinstance(event, Accepted | Canceled | Rejected) and event.sequence:
                        assert by_sequence.setdefault(event.sequence, event) == event
                return len(replies) == 2 and any(isinstance(event, Canceled) for event in by_sequence.values())

            until(f"all is done, cut at {cut}", is_complete)
            assert sorted(by_sequence) == list(range(1, len(by_sequence) + 1))
            wire.say(Logout(0, 1))
            assert isinstance(wire.last_words()[-1], Logout)


def test_a_session_is_resumed_at_every_byte_of_what_the_client_receives(pair: Pair, name: str) -> None:
    """Each connection ends after so many bytes; together they bring every report once, in order."""
    with Wire(pair, Logon(name), *(order(n, 4_000_000 + n) for n in range(1, 4))) as wire:
        wire.next(4)
        wire.say(*(CancelOrder(n, BTC) for n in range(1, 4)))
        wire.next(3)
    with Wire(pair, Logon(name)) as wire:
        whole = wire.next(7)[1:]
    size = 4_000
    for cut in range(1, size):
        seen: list[Any] = []
        with Wire(pair, Logon(name)) as wire:
            wire.socket.settimeout(5)
            piece = b""
            while len(piece) < cut and len(seen) < 6:
                more = wire.socket.recv(min(cut - len(piece), 4_096))
                piece += more
                seen += [one for one in wire.decoder.feed(more) if isinstance(one, Event)]
        with Wire(pair, Logon(name, last_sequence=len(seen))) as wire:
            seen += [one for one in wire.next(7 - len(seen)) if isinstance(one, Event)]
        assert seen == whole, cut
        if len(piece) < cut:
            break
    else:
        pytest.fail("the stream is longer than that")


def test_orders_outlive_a_connection_unless_the_client_wants_otherwise(pair: Pair, name: str) -> None:
    """Cancel on disconnect is said at each logon."""
    with Wire(pair, Logon(name), order(1)) as wire:
        wire.next(2)
    with Wire(pair, Logon(name, "", 1, 1)) as wire:
        (head,) = wire.next(1)
        assert (head.next_sequence, head.open_orders) == (2, 1)
    with Wire(pair, Logon(name, "", 1)) as wire:
        head, canceled = wire.next(2)
        assert canceled.sequence == 2
        assert (canceled.order_id, canceled.reason) == (1, CancelReason.MASS_CANCEL)


def test_a_second_connection_takes_the_session_over(pair: Pair, name: str) -> None:
    """The first may be dead without knowing; it is told, and what it sends no longer counts."""
    with Wire(pair, Logon(name), order(1)) as first:
        first.next(2)
        with Wire(pair, Logon(name)) as second:
            head, accepted = second.next(2)
            assert (head.next_sequence, accepted.order_id) == (2, 1)
            assert first.last_words() == [Logout(RejectReason.REPLACED)]
            second.say(MassCancel())
            assert isinstance(second.next(1)[0], Canceled)


def test_a_final_logout_gives_the_session_up(pair: Pair, name: str) -> None:
    """What is open is cancelled, and the name begins again at 1."""
    with Wire(pair, Logon(name), order(1)) as wire:
        wire.next(2)
        wire.say(Logout())
        assert wire.last_words() == [Logout()]
    with Wire(pair, Logon(name, "", 1)) as wire:
        assert wire.next(1)[0].open_orders == 1
        wire.say(Logout(0, 1))
        assert wire.last_words() == [Logout()]
    with Wire(pair, Logon(name)) as wire:
        assert wire.next(1)[0][:4] == (1, 1, 0, 0)
        wire.say(Logout(0, 1))
