"""What binds a client of the sockets, and the word that the exchange is about to go."""

import json
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from market.clock import NS_PER_SECOND
from paper.streams.sockets import Pace
from tests.paper.clients import listening
from tests.paper.server import WAIT_S, Server
from tests.paper.test_usage import HERE

SHUTDOWN = {"e": "serverShutdown", "E": 1_700_000_000_000}
CLOSED_FOR_POLICY = 1008


@pytest.fixture
def limiting(server: Server) -> Iterator[Server]:
    """Return the server with its limits on."""
    server.usage.is_limiting = True
    yield server
    server.usage.is_limiting = False


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/ws/btcusdt@trade", SHUTDOWN),
        ("/ws", SHUTDOWN),
        ("/stream", {"stream": "!serverShutdown", "data": SHUTDOWN}),
        ("/ws-api/v3", {"event": SHUTDOWN}),
        ("/ws?timeUnit=microsecond", SHUTDOWN | {"E": SHUTDOWN["E"] * 1_000}),  # type: ignore[operator]
        ("/ws-api/v3?timeUnit=MICROSECOND", {"event": SHUTDOWN | {"E": SHUTDOWN["E"] * 1_000}}),  # type: ignore[operator]
    ],
)
def test_every_connection_hears_that_the_exchange_is_about_to_go(server: Server, path: str, told: object) -> None:
    """Whatever it listens to, in its own form and unit; and is served on."""
    with listening(server, path) as listener:
        server.call(lambda _: server.connections.announce_shutdown(1_700_000_000_000))
        assert listener.wait() == told
        assert listener.ask(id=2, method="ping" if "ws-api" in path else "LIST_SUBSCRIPTIONS")["id"] == 2
    server.wait_until(lambda _: not server.connections.clients)


def test_a_sixth_message_in_a_second_ends_a_connection(limiting: Server) -> None:
    """As Binance's market streams do it; the WebSocket API counts weight instead."""
    with listening(limiting, "/ws") as listener:
        for number in range(6):
            listener.connection.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        with pytest.raises(ConnectionClosed) as ended:
            listener.read_to_the_end()
    assert ended.value.rcvd is not None
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (CLOSED_FOR_POLICY, "Too many requests")
    with listening(limiting, "/ws-api/v3") as listener:
        assert [listener.ask(id=number, method="ping")["status"] for number in range(10)] == [200] * 10


def test_messages_at_any_pace_are_served_where_limits_are_off(server: Server) -> None:
    """The switch is `paper.rate_limits`."""
    with listening(server, "/ws") as listener:
        answers = [listener.ask(id=number, method="LIST_SUBSCRIPTIONS") for number in range(20)]
    assert [each["id"] for each in answers] == list(range(20))


def test_a_second_is_any_second() -> None:
    """Not one of the clock: five before its end and five after would be ten in a moment."""
    pace, start_ns = Pace(), 7 * NS_PER_SECOND
    assert all(pace.allows(start_ns + number) for number in range(5))
    assert not pace.allows(start_ns + NS_PER_SECOND - 1)
    assert pace.allows(start_ns + NS_PER_SECOND + 1)
    slow = Pace()
    assert all(slow.allows(number * NS_PER_SECOND // 5) for number in range(50))


@pytest.mark.parametrize("path", ["/ws", "/stream", "/ws-api/v3"])
def test_an_address_may_try_to_connect_300_times_in_five_minutes(limiting: Server, path: str) -> None:
    """To all sockets together; those that stand are left alone."""
    now_s = limiting.now_s()
    limiting.clock_offset_ns = (300 - now_s % 300) * NS_PER_SECOND
    with listening(limiting, "/ws-api/v3") as standing:
        while limiting.call(lambda _: limiting.usage.charge_connection(HERE, limiting.now_s())):
            pass
        with pytest.raises(ConnectionClosed) as ended, listening(limiting, path):
            time.sleep(WAIT_S)
        assert ended.value.rcvd is not None
        assert (ended.value.rcvd.code, ended.value.rcvd.reason[:24]) == (CLOSED_FOR_POLICY, "Too many connection atte")
        assert standing.ask(id=2, method="ping")["status"] == 200
