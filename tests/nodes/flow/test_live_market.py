"""What comes from a live market's streams goes on to its flow, and waits where that can be bounded."""

from itertools import count

import pytest

from desk.run_dir import NodeError
from flow.live import LiveFlow, LiveSettings, Received, StreamNews
from nodes.flow.live_market import LiveMarket
from tests.pairs import default_instruments


class Streams:
    """Streams on which a message comes with each look."""

    def __init__(self, *_: object) -> None:
        self.asked_count = 0

    def check(self) -> None:
        pass

    def start(self) -> None:
        pass

    def take(self) -> list[StreamNews]:
        self.asked_count += 1
        return [Received(0, "{}")]

    def take_failures(self) -> list[str]:
        return []


def test_messages_wait_in_the_streams_while_the_engine_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams give up what nobody takes; the flow, which does nothing without an engine, has kept it all."""
    monkeypatch.setattr("nodes.flow.live_market.MarketStreams", Streams)
    monkeypatch.setattr("nodes.flow.live_market.NEWS_WAITING_MAX", 3)
    flow = LiveFlow(default_instruments()[0], LiveSettings("ws://127.0.0.1:1"), 1, count(1))
    market = LiveMarket(flow, "ws://127.0.0.1:1", "BTCUSDT")
    for _ in range(9):
        market.pump(0)
    assert flow.waiting_count == 3
    flow.step(0, (), 0)
    market.pump(0)
    assert flow.waiting_count == 1


def test_a_market_that_nobody_serves_ends_the_start_in_one_line() -> None:
    """Guards the start: an error a person can mend, which `up` says as any node's, not a market without orders."""
    flow = LiveFlow(default_instruments()[0], LiveSettings("ws://127.0.0.1:9"), 1, count(1))
    with pytest.raises(NodeError, match=r"^cannot follow the market: http://127.0.0.1:9: .*refused.*$"):
        LiveMarket(flow, "ws://127.0.0.1:9", "BTCUSDT")
