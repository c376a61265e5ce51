"""The clients on a gateway that a test has written: whatever ends a connection, no report is lost."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest

from market.codec import encode_all
from market.codes import RejectReason
from market.events import Accepted, Event
from market.messages import Message
from market.session_messages import LoggedOn, Logout
from venues.gateway import GatewaySession, SessionRefusedError
from venues.gateway_async import AsyncGatewaySession

WELCOME = LoggedOn(1, 1, 0, 0, 60_000)
WAIT_S = 20


def accepted(number: int) -> Accepted:
    """Return a report."""
    return Accepted(number, 1, 0, number, 0, 0, 1_000, 5, 0, 0, 5)


@contextmanager
def gateway(*connections: Sequence[Message]) -> Iterator[int]:
    """Answer each connection's Logon with such messages in one piece, and hang up; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(WAIT_S)

    def serve() -> None:
        for messages in connections:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(WAIT_S)
                connection.recv(65_536)
                connection.sendall(encode_all(messages))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.join(WAIT_S)
        listener.close()
    assert not server.is_alive()


STORY = (
    (WELCOME, accepted(1), accepted(2), Logout(RejectReason.GATEWAY_STOPS)),
    (WELCOME._replace(next_sequence=4), accepted(3)),
    (WELCOME._replace(next_sequence=6), accepted(4), accepted(5), Logout(RejectReason.REPLACED)),
)


def test_every_report_comes_out_whatever_ends_the_connection() -> None:
    """A last word in the same piece, a mere end, a refusal: it is raised behind the reports."""
    heard: list[Event] = []
    with gateway(*STORY) as port, GatewaySession("bot", port=port) as session:
        while len(heard) < 5:
            heard += session.receive(1)
        assert heard == [accepted(number) for number in range(1, 6)]
        with pytest.raises(SessionRefusedError, match="REPLACED"):
            session.receive(1)


def test_who_stops_to_listen_goes_on_with_the_next_report() -> None:
    """What came in the same piece is not gone with the loop that was left."""
    with gateway(*STORY) as port, GatewaySession("bot", port=port) as session:
        heard = [next(session.events()) for _ in range(5)]
        assert heard == [accepted(number) for number in range(1, 6)]
        with pytest.raises(SessionRefusedError):
            next(session.events())


def test_an_asyncio_client_loses_none_either() -> None:
    """The same story, and a loop that is left after each report."""

    async def listen(port: int) -> list[Event]:
        heard: list[Event] = []
        async with AsyncGatewaySession("bot", port=port) as session:
            for _ in range(5):
                events = cast("AsyncGenerator[Event, None]", session.events())
                heard.append(await anext(events))
                await events.aclose()
            with pytest.raises(SessionRefusedError):
                await anext(session.events())
        return heard

    with gateway(*STORY) as port:
        assert asyncio.run(listen(port)) == [accepted(number) for number in range(1, 6)]
