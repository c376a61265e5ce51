"""Every kind of order from a TCP client through a real gateway and a real engine to the execution report."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from market.commands import MassCancel, NewOrder
from market.events import Accepted, Canceled, Event
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.order_scripts import SCRIPTS
from tests.nodes.gateway.script_words import BUY, IOC, SELL, Report, Script, order, summary
from venues.gateway import GatewayClient
from venues.gateway_session import ClientCommand

IDS_EACH = 1_000
PATIENCE_S = 30


@pytest.fixture(scope="module", params=["fast", "reference"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """An engine, with either book, and a gateway."""
    with short_directory() as path:
        one = Pair(path, TICKBUS_ENGINE__BOOK=request.param)
        one.start()
        one.until_listening()
        until("the engine takes orders", lambda: _is_taken(one.port))
        yield one
        one.stop()


def _is_taken(port: int) -> bool:
    """Return whether an order is taken: a gateway listens before it has found its engine, and refuses until then."""
    with GatewayClient(port=port) as client:
        client.send([NewOrder(1, 1, BUY, 1, 1, time_in_force=IOC)])

        def answers() -> list[Event]:
            return [message for message in client.receive(0.1) if isinstance(message, Event)]

        return isinstance(until("an answer", answers, PATIENCE_S)[0], Accepted)


class Client:
    """A TCP client that waits until all that a command causes has been told.

    Ids must rise, so an order of a script has every thousandth id, and those between mark how far we have read.
    """

    def __init__(self, connection: GatewayClient) -> None:
        self.connection = connection
        self.told: list[Report] = []
        self._last_id = 0
        until("instruments", lambda: self.connection.receive(0.1) and self.connection.instruments)

    def send(self, command: ClientCommand) -> None:
        """Send a command, wait until the engine has handled it, and read what was told up to there."""
        if not isinstance(command, MassCancel):
            command = command._replace(order_id=(command.order_id + 1) * IDS_EACH)
            self._last_id = max(self._last_id, command.order_id if isinstance(command, NewOrder) else 0)
        self.connection.send([command])
        self.read()

    def read(self) -> None:
        """Read on until an order that trades with nobody is answered: that comes behind all that was told before."""
        self._last_id += 1
        self.connection.send([NewOrder(self._last_id, 1, BUY, 1, 1, time_in_force=IOC)])
        deadline = time.monotonic() + PATIENCE_S
        is_marked = False
        while not is_marked:
            assert time.monotonic() < deadline, f"no answer; told so far: {self.told}"
            for message in self.connection.receive(0.1):
                assert isinstance(message, Event), message
                is_marked = isinstance(message, Canceled) and message.order_id == self._last_id
                if getattr(message, "order_id", 0) % IDS_EACH == 0:
                    self.told.append(summary(_with_script_ids(message)))


def _with_script_ids(event: Event) -> Event:
    ids = {
        field: getattr(event, field) // IDS_EACH - 1
        for field in ("order_id", "taker_order_id", "maker_order_id")
        if getattr(event, field, 0)
    }
    return event._replace(**ids)


@pytest.fixture
def clients(pair: Pair) -> Iterator[dict[str, Client]]:
    """Two clients, an empty book, and a last trade in the middle."""
    with contextlib.ExitStack() as connections:
        both = {name: Client(connections.enter_context(GatewayClient(port=pair.port))) for name in "ab"}
        both["a"].send(order(0, BUY, 0, 1))
        both["b"].send(order(0, SELL, 0, 1, time_in_force=IOC))
        both["a"].read()
        for client in both.values():
            assert client.told[-1][:3] == ("trade", 0, 1), client.told
            client.told.clear()
        yield both
        for client in both.values():
            client.send(MassCancel())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_client_is_told_all_that_its_orders_do(clients: dict[str, Client], script: Script) -> None:
    """The same reports, whichever book matches, and nothing of anybody else."""
    for step in script.steps:
        clients[step.client].send(step.command)
    for client in clients.values():
        client.read()
    assert {name: client.told for name, client in clients.items()} == {"a": script.told_a, "b": script.told_b}
