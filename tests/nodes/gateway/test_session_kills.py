"""Sessions outlive killed gateways and engines."""

import contextlib

import pytest

from market.codes import CancelReason
from market.commands import CancelOrder
from market.events import Accepted, Canceled, Event
from market.session_messages import LoggedOn, Logon
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.gateway_wire import BTC, Wire, order
from venues.gateway import GatewayError, GatewaySession, SessionRefusedError


def test_killed_gateway_cancels_for_those_who_wanted_it_and_keeps_the_rest() -> None:
    """Both come back to what became of their orders; an anonymous one's are gone."""
    with short_directory() as path, Pair(path).working() as pair:
        with (
            Wire(pair, Logon("keeps"), order(1)) as keeps,
            Wire(pair, Logon("cancels", "", 0, 1), order(1)) as wire,
        ):
            for one in (keeps, wire):
                assert [type(event) for event in one.next(2)] == [LoggedOn, Accepted]
            with Wire(pair, order(1)) as nobody:
                nobody.next(1)
                pair.kill("gateway")
        pair.start("gateway")
        pair.until_listening()
        with Wire(pair, Logon("keeps", "", 1)) as keeps:
            assert keeps.next(1)[0][:4] == (2, 1, 1, 1)
            keeps.say(order(1), CancelOrder(1, BTC))
            replies = keeps.next(2)
            assert {type(event): event.sequence for event in replies} == {Accepted: 1, Canceled: 2}
        with Wire(pair, Logon("cancels", "", 1)) as wire:
            head, canceled = wire.next(2)
            assert head.open_orders == 0
            assert (canceled.sequence, canceled.reason) == (2, CancelReason.MASS_CANCEL)


def test_sessions_outlive_an_engine_without_a_journal() -> None:
    """Every open order ends with ENGINE_RESTARTED, the numbers go on, and a killed gateway knows that, too."""
    with short_directory() as path, Pair(path, TICKBUS_ENGINE__JOURNAL="none").working() as pair:
        with Wire(pair, Logon("one"), order(1), order(2)) as wire:
            assert len(wire.next(3)) == 3
            pair.kill("engine")
            pair.start("engine")
            lost = wire.next(2)
            assert [(event.sequence, event.order_id) for event in lost] == [(3, 1), (4, 2)]
            assert {event.reason for event in lost} == {CancelReason.ENGINE_RESTARTED}

            def is_accepted() -> bool:
                wire.say(order(3))
                (answer,) = wire.next(1)
                is_taken = isinstance(answer, Accepted)
                assert answer.sequence == (5 if is_taken else 0), answer
                return is_taken  # refused by the gateway: it has yet to hear a reference price of the new engine

            until("an order is accepted", is_accepted)
        pair.kill("gateway")
        pair.start("gateway")
        pair.until_listening()
        with Wire(pair, Logon("one", "", 2)) as wire:
            head, *missed = wire.next(4)
            assert head[:4] == (6, 1, 3, 1)
            assert [event.sequence for event in missed] == [3, 4, 5]


def test_a_stopped_gateway_stays_until_it_has_what_its_stop_cancelled() -> None:
    """The engine keeps its journal for whoever has not acknowledged a report: a stop must leave none."""
    with short_directory() as path, Pair(path).working() as pair:
        with Wire(pair, order(1)) as nobody, Wire(pair, Logon("cancels", "", 0, 1), order(1)) as wire:
            assert [type(event) for event in (*nobody.next(1), *wire.next(2))] == [Accepted, LoggedOn, Accepted]
            pair.end("gateway")
        pair.end("engine")
        assert not (pair.run_dir / "journal").exists(), pair.log("engine")
        pair.start()
        pair.until_listening()
        with Wire(pair, Logon("cancels", "", 1)) as wire:
            head, canceled = wire.next(2)
            assert (head.open_orders, canceled.sequence, canceled.reason) == (0, 2, CancelReason.MASS_CANCEL)


def test_a_stopped_gateway_says_so_and_a_bot_waits_for_the_next() -> None:
    """The session of the client library reconnects by itself; a replaced one does not."""
    with short_directory() as path, Pair(path).working() as pair, GatewaySession("bot", port=pair.port) as session:
        order_id = session.buy("BTCUSDT", "50000", "0.01")
        (accepted,) = until("it is accepted", session.receive)
        pair.kill("gateway")
        pair.start("gateway")
        pair.until_listening()
        events: list[Event] = []

        def is_canceled() -> bool:
            if order_id in session.state.open_order_ids:
                with contextlib.suppress(GatewayError):  # the connection was lost: the next try is on a new one
                    session.cancel(order_id)
            events.extend(session.receive(0.05))
            return any(isinstance(event, Canceled) for event in events)

        until("the order is cancelled", is_canceled)
        assert (accepted.sequence, events[0].sequence) == (1, 2)
        with GatewaySession("bot", port=pair.port, last_sequence=2), pytest.raises(SessionRefusedError):
            until("it is told", lambda: session.receive(0.1) and False)
