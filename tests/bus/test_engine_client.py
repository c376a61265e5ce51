"""A client of two engines, in one process: only the sockets are made up."""

from pathlib import Path

import pytest

from bus import engine_client
from bus.engine_client import EngineClient, LinkEnd
from bus.order_link import Connected, Frames, header_of
from bus.topology import Channel, Source
from market.codec import encode_all
from market.commands import MassCancel
from market.limits import COMMANDS_IN_FLIGHT_MAX
from tests.bus.cable import Cable


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
    assert client["two"].send_encoded(encode_all([MassCancel(1)]), 1) == 3
    two.handle()
    assert two.commands == [MassCancel(1)] * 3


def test_asks_each_engine_for_what_came_after_the_last_kept_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of it, else nothing: what is asked for again is booked again."""
    said: dict[str, Frames] = {}

    class Socket(Cable):
        def __init__(self, channel: Channel, place: Path, engine: str) -> None:
            super().__init__()
            self.engine = engine

        def send(self, frames: Frames) -> bool:
            said[self.engine] = frames
            return True

    monkeypatch.setattr(engine_client, "ChannelSocket", Socket)
    client = EngineClient.over(
        Path(), Source.PAPER, {"one": {0}, "two": {1}, "three": ()}, {"two": (7, 5), "one": (8, 9)}
    )
    client.tick(1)
    hello = {engine: tuple(header_of(frames))[:4] for engine, frames in said.items()}
    assert hello == {"one": (1, 2, 8, 9), "two": (1, 2, 7, 5), "three": (1, 2, 0, 0)}
    assert [link.symbol_ids for link in client] == [{0}, {1}, set()]


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
