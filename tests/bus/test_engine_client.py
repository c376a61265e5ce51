"""A client of two engines, in one process: only the sockets are made up."""

from collections import deque

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import EngineClient, LinkEnd
from bus.engine_link import CommandBatch, EngineEnd
from bus.order_link import Connected, Frames
from bus.topology import Source
from market.codec import decode_commands
from market.commands import Command, MassCancel
from market.events import Halted
from market.limits import COMMANDS_IN_FLIGHT_MAX


class Cable(ChannelSocket):
    """A socket of a client with the engine itself at the other end, which handles what it is sent when it is told."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.is_closed = False
        self._answers: deque[Frames] = deque()
        self._sent: deque[Frames] = deque()
        self.start(1)

    def start(self, epoch: int) -> None:
        """Let an engine start with an empty memory."""
        self._engine = EngineEnd(epoch)
        self._sent.clear()

    def send(self, frames: Frames) -> bool:
        self._sent.append(frames)
        return True

    def receive(self, *, is_told: bool = False) -> Frames | None:
        return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        self.is_closed = True

    def handle(self) -> None:
        """Handle what was sent; each command is answered with one event."""
        while self._sent:
            batch = self._engine.receive(b"client", self._sent.popleft())
            if batch is not None:
                self._take(batch)
        self._answers.extend(frames for _, frames in self._engine.outgoing())

    def _take(self, batch: CommandBatch) -> None:
        commands = decode_commands(batch.payload)[batch.skip :]
        self.commands += commands
        self._engine.report(batch.source, [Halted(1, 1, 0, 1) for _ in commands], len(commands))


@pytest.fixture
def cables() -> tuple[Cable, Cable]:
    """The engines `one` and `two`."""
    return Cable(), Cable()


@pytest.fixture
def client(cables: tuple[Cable, Cable]) -> EngineClient:
    """A client of both."""
    one, two = cables
    return EngineClient([LinkEnd(Source.FLOW, "one", one, {0, 2}), LinkEnd(Source.FLOW, "two", two, {1})])


def told(client: EngineClient) -> list[tuple[str, str]]:
    """Return which engine has said what."""
    return [(link.engine, type(news).__name__) for link, news in client.receive()]


def test_each_engine_connects_and_is_given_commands_by_itself(
    client: EngineClient, cables: tuple[Cable, Cable]
) -> None:
    """One that is silent keeps nobody from the other."""
    one, two = cables
    client.tick(1)
    two.handle()
    assert told(client) == [("two", "Connected")]
    assert [link.is_connected for link in client] == [False, True]
    with pytest.raises(ConnectionError, match="does not answer"):
        client["one"].send([MassCancel(0)])
    assert client["two"].send([MassCancel(1), MassCancel(1)]) == client["two"].sent == 2
    assert (one.commands, client["two"].in_flight, client["two"].acknowledged) == ([], 2, 0)
    two.handle()
    assert told(client) == [("two", "Reports")]
    assert (two.commands, client["two"].in_flight, client["two"].acknowledged) == ([MassCancel(1)] * 2, 0, 2)


def test_an_engine_that_starts_anew_counts_anew(client: EngineClient, cables: tuple[Cable, Cable]) -> None:
    """Nothing that the one before has acknowledged is taken for done, and the other engine goes on."""
    one, _ = cables
    client.tick(1)
    for cable in cables:
        cable.handle()
    list(client.receive())
    for link in client:
        link.send([MassCancel(min(link.symbol_ids))])
    for cable in cables:
        cable.handle()
    list(client.receive())
    one.start(2)
    client.tick(1_000_000_000)
    one.handle()
    assert told(client) == []
    one.handle()
    epochs = [news.epoch for _, news in client.receive() if isinstance(news, Connected) and news.is_new_epoch]
    assert (epochs, client["one"].acknowledged, client["two"].acknowledged) == ([2], 0, 1)
    assert (client["one"].sent, client["two"].sent) == (0, 1)


def test_says_after_each_send_that_news_may_have_been_swallowed(
    client: EngineClient, cables: tuple[Cable, Cable]
) -> None:
    """Of whichever engine."""
    looks: list[str] = []
    client.on_send(lambda: looks.append("look"))
    client.tick(1)
    for cable in cables:
        cable.handle()
    list(client.receive())
    for link in client:
        link.send([MassCancel(min(link.symbol_ids))])
    assert looks == ["look"] * 2


def test_closes_every_socket(client: EngineClient, cables: tuple[Cable, Cable]) -> None:
    """And has said before what was left to say."""
    client.close()
    assert [cable.is_closed for cable in cables] == [True, True]
    cables[0].handle()
    assert told(client) == [("one", "Connected")]


def test_is_behind_with_too_much_until_half_of_it_is_done(client: EngineClient, cables: tuple[Cable, Cable]) -> None:
    """An engine that is away is not behind: it is said to be away."""
    link = client["one"]
    client.tick(1)
    cables[0].handle()
    list(client.receive())
    half = COMMANDS_IN_FLIGHT_MAX // 2
    link.send([MassCancel(0)] * half)
    assert not link.is_behind(was_behind=True)
    link.send([MassCancel(0)])
    assert (link.is_behind(was_behind=True), link.is_behind(was_behind=False)) == (True, False)
    link.send([MassCancel(0)] * half)
    assert link.is_behind(was_behind=False)
    client.tick(2)
    client.tick(10_000_000_000)
    assert not link.is_connected
    assert not link.is_behind(was_behind=True)
