"""The clients that a user's own bot imports, and the example."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from market.codes import CancelReason, Side
from market.commands import NewOrder
from market.events import Accepted, Amended, Canceled, Event
from tests.desk.desk_process import ROOT, environment, short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from venues.gateway import GatewayError, GatewaySession
from venues.gateway_async import AsyncGatewaySession


@pytest.fixture(scope="module")
def mortal() -> Iterator[Pair]:
    """An engine and a gateway that may be killed."""
    with short_directory() as path, Pair(path).working() as pair:
        yield pair


def heard(session: GatewaySession, count: int) -> list[Event]:
    """Return the next `count` reports."""
    events: list[Event] = []

    def is_enough() -> bool:
        events.extend(session.receive(0.05))
        return len(events) >= count

    until(f"{count} reports", is_enough)
    return events


def test_client_speaks_in_prices_and_quantities(pair: Pair, name: str) -> None:
    """Enter, amend, cancel one, cancel all of a side; what lies between two ticks, or is unknown, is an error here."""
    with GatewaySession(name, port=pair.port) as session:
        ids = [session.buy("BTCUSDT", f"{price}", "0.01") for price in (50_000, 50_001)]
        offer = session.sell("BTCUSDT", "99000.5", "0.2", display_lots=5_000)
        assert [event.order_id for event in heard(session, 3) if isinstance(event, Accepted)] == [*ids, offer]
        session.amend(ids[0], "50000", "0.004")
        (amended,) = heard(session, 1)
        assert isinstance(amended, Amended)
        assert (amended.order_id, amended.leaves_lots) == (ids[0], 400)
        session.cancel_all(side=Side.BUY)
        canceled = {event.order_id: event for event in heard(session, 2) if isinstance(event, Canceled)}
        assert {order_id: event.reason for order_id, event in canceled.items()} == dict.fromkeys(
            ids, CancelReason.MASS_CANCEL
        )
        assert session.state.open_order_ids == {offer}
        for bad in ("50000.001", "-1", "NaN", "sNaN", "Infinity", "1E+300000", "1E-300000"):
            with pytest.raises(ValueError, match="price must be a multiple"):
                session.buy("BTCUSDT", bad, "0.01")
        with pytest.raises(KeyError):
            session.buy("DOGEUSDT", "1", "1")
        with pytest.raises(KeyError):
            session.amend(ids[0], "50000", "0.004")
        session.cancel_all("BTCUSDT")
        assert isinstance(heard(session, 1)[0], Canceled)
        session.logout(is_final=True)


def test_nobody_at_the_port_is_an_error() -> None:
    """After the time to reconnect, with the address in it."""
    with pytest.raises(GatewayError, match=r"no gateway at 127\.0\.0\.1:1:"):
        GatewaySession("bot", port=1, reconnect_s=0.1)


def test_client_goes_on_when_a_gateway_is_back_after_all(mortal: Pair) -> None:
    """An error for each try while nobody is there; the order that was given meanwhile is entered, once."""
    session = GatewaySession("patient", port=mortal.port, reconnect_s=0.5)  # to be let in at first, too
    mortal.kill("gateway")
    with pytest.raises(GatewayError, match="no gateway at"):
        until("the connection is lost", lambda: session.receive(0.1))
    with pytest.raises(GatewayError, match="no gateway at"):
        session.send([NewOrder(1, 0, Side.BUY, 1_000, 1)])
    with pytest.raises(GatewayError, match="no gateway at"):
        session.receive()
    mortal.start("gateway")
    mortal.until_listening()

    def received() -> list[Event]:
        try:
            return session.receive(0.1)
        except GatewayError:
            return []  # it listens, but its past is not in yet

    (event,) = until("the order is accepted", received)
    assert isinstance(event, Accepted)
    session.logout(is_final=True)


def test_bot_for_asyncio_does_the_same_through_a_killed_gateway(mortal: Pair) -> None:
    """It enters, hears, amends, cancels all and leaves; in between the gateway is killed, and it need not know."""

    async def trade(pair: Pair) -> list[Event]:
        reports: list[Event] = []
        async with AsyncGatewaySession("bot", port=pair.port) as session:
            order_id = await session.sell("BTCUSDT", "99000", "0.5")
            async for event in session.events():
                reports.append(event)
                if isinstance(event, Accepted):
                    pair.kill("gateway")
                    pair.start("gateway")
                    await asyncio.to_thread(pair.until_listening)
                    await session.buy("BTCUSDT", "50000", "0.01")  # into the void: it is sent again
                    break
            async for event in session.events():
                reports.append(event)
                if isinstance(event, Accepted):
                    await session.amend(order_id, "99000", "0.4")
                elif isinstance(event, Amended):
                    await session.cancel_all()
                elif len(reports) == 5:
                    break
        async with AsyncGatewaySession("bot", port=pair.port, last_sequence=4) as session:
            async for event in session.events():
                reports.append(event)
                break
            await session.logout(is_final=True)
        return reports

    reports = asyncio.run(trade(mortal))
    assert [type(event) for event in reports[:3]] == [Accepted, Accepted, Amended]
    assert [type(event) for event in reports[3:]] == [Canceled, Canceled, Canceled]
    assert [event.sequence for event in reports] == [1, 2, 3, 4, 5, 5]
    assert reports[5] == reports[4]


def test_example_bot_runs(pair: Pair) -> None:
    """The ten lines that a reader is shown."""
    result = subprocess.run(
        [sys.executable, "-m", "examples.bot", "127.0.0.1", str(pair.port)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert [line.partition("(")[0] for line in result.stdout.splitlines()] == ["Accepted", "Canceled"]


def test_a_gateway_may_listen_on_ipv6() -> None:
    """The address is the user's choice, as it is for the api and the paper exchange."""
    with short_directory() as path:
        pair = Pair(path, TICKBUS_GATEWAY__HOST="::1")
        pair.start()

        def greets() -> bool:
            with socket.socket(socket.AF_INET6) as probe:
                return probe.connect_ex(("::1", pair.port)) == 0 and len(probe.recv(1)) == 1

        try:
            until("a client is let in", greets)
        finally:
            pair.stop()
