"""Clients that do not read, and an engine that does not work: what they hold up is their own socket."""

import contextlib
import socket
import time

from market.codec import encode_all
from market.codes import RejectReason, Side, Tag
from market.commands import CancelOrder, NewOrder
from market.events import Accepted, Canceled
from market.limits import COMMANDS_IN_FLIGHT_MAX
from market.session_messages import LoggedOn, Logon, Logout
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.gateway_wire import BTC, Wire, order

SMALL = 1 << 14
PER_TURN = 500


def pairs(first: int, count: int) -> list[NewOrder | CancelOrder]:
    """Return orders from `first` on, each with its cancel."""
    return [one for n in range(first, first + count) for one in (order(n), CancelOrder(n, BTC))]


def unsent(connection: socket.socket, data: bytes) -> bytes:
    """Send, and return what a socket did not take within its timeout."""
    while data:
        try:
            data = data[connection.send(data) :]
        except TimeoutError:
            return data
    return b""


def fill(wire: Wire, first: int, count_max: int) -> tuple[int, bytes]:
    """Send pairs from `first` on until the socket takes no more; return the next id and what is left to be sent."""
    wire.socket.settimeout(0.5)
    while not (rest := unsent(wire.socket, encode_all(pairs(first, PER_TURN)))):
        first += PER_TURN
        assert first < count_max, "nothing holds this client up"
    return first + PER_TURN, rest


def hear_all(wire: Wire, rest: bytes, count: int) -> None:
    """Send the rest while we read, until `count` messages have come."""
    deadline = time.monotonic() + 90
    while len(wire.heard) < count:
        assert wire.hear(), f"the gateway hung up after {len(wire.heard)} messages: {wire.heard[-1:]}"
        rest = unsent(wire.socket, rest)
        assert time.monotonic() < deadline, f"expected {count} messages, were {len(wire.heard)}"


def test_a_client_that_does_not_read_is_waited_for(pair: Pair, name: str) -> None:
    """Its own commands stop being read long before anything is lost; nobody else notices; then all goes on."""
    with Wire(pair, Logon(name), buffer_bytes=SMALL) as slow:
        slow.next(1)
        end, rest = fill(slow, 1, 500_000)
        with Wire(pair, Logon(f"{name}-2"), order(1)) as other:
            assert [type(event) for event in other.next(2)] == [LoggedOn, Accepted]
            other.say(Logout(0, 1))
        total = 2 * (end - 1)
        hear_all(slow, rest, total)
        assert [event.sequence for event in slow.heard] == list(range(1, total + 1))
        assert [type(event) for event in slow.heard] == [Accepted, Canceled] * (end - 1)
        slow.say(Logout(0, 1))


def test_a_client_whose_reports_are_forgotten_is_hung_up_on_and_told_when_it_comes_back(pair: Pair, name: str) -> None:
    """What others do to its orders cannot be held up: beyond what is kept the connection ends, the session does not."""
    lots, log_before = 2_000_000, pair.log("gateway")
    with Wire(pair, Logon(name), order(1, 7_000_000, lots), buffer_bytes=SMALL) as slow:
        assert [type(event) for event in slow.next(2)] == [LoggedOn, Accepted]
        with Wire(pair, Logon(f"{name}-2")) as other:
            sent = 0
            while "the client does not read" not in pair.log("gateway")[len(log_before) :]:
                assert sent < lots, "nothing is forgotten"
                other.say(*(NewOrder(n, BTC, Side.SELL, 7_000_000, 1) for n in range(sent + 1, sent + 2_001)))
                sent += 2_000  # each takes one lot of the slow one's order
                other.socket.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    while other.socket.recv(1 << 20):
                        pass
                other.socket.settimeout(60)
        until("the gateway hangs up", lambda: not slow.hear())
        assert len(slow.heard) < sent
    with Wire(pair, Logon(name, "", 2), CancelOrder(1, BTC)) as again:
        (head,) = again.next(1)
        assert (head.first_sequence, head.open_orders) == (again.next(1)[0].sequence, 1)
        assert 3 < head.first_sequence < head.next_sequence <= sent + 2
        again.say(Logout(0, 1))


def test_orders_wait_while_the_engine_does_not_work() -> None:
    """More than may be in flight: the client's socket fills up, and every command has its answer when it is back.

    What is kept for a client must hold the reports of all that is in flight; with the default it does. Should the
    engine be away for so long that it is held to be gone, the gateway refuses by name instead.
    """
    settings = {"TICKBUS_GATEWAY__MESSAGES_PER_S": "0", "TICKBUS_GATEWAY__IDLE_S": "600"}
    with (
        short_directory() as path,
        Pair(path, **settings).working() as pair,
        Wire(pair, Logon("waits"), buffer_bytes=SMALL) as wire,
    ):
        wire.next(1)
        pair.pause("engine")
        try:
            end, rest = fill(wire, 1, 1_000_000)
        finally:
            pair.go_on("engine")
        assert 2 * end > COMMANDS_IN_FLIGHT_MAX, "it was held up too early"
        total = 2 * (end - 1)
        hear_all(wire, rest, total)
        numbered = [event for event in wire.heard if event.sequence]
        assert [event.sequence for event in numbered] == list(range(1, len(numbered) + 1))
        refused = [event for event in wire.heard if not event.sequence]
        assert {event.reason for event in refused} <= {RejectReason.ENGINE_UNAVAILABLE}
        firsts = [event.order_id for event in wire.heard if isinstance(event, Accepted)]
        firsts += [event.order_id for event in refused if event.command == Tag.NEW_ORDER]
        assert sorted(firsts) == list(range(1, end)), "every order is answered once"
