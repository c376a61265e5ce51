"""The reference prices of a gateway, over real sockets, in a time that the test makes."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bus.channel import ChannelSocket
from bus.feed import FeedStream, Topic
from bus.subscriber import SILENCE_NS_MAX
from bus.topology import FEED, SNAPSHOTS
from desk.settings import Settings
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.codes import RejectReason, Side
from market.commands import MassCancel, NewOrder
from market.events import Rejected
from market.feed_messages import ReferencePrice
from nodes.gateway.references import GatewayReferences
from nodes.node import Node
from sessions.memory import SessionLimits, SymbolLimits
from tests.desk.desk_process import short_directory, until
from tests.one_engine import one_engine
from tests.sessions.floor import BTC, Floor


class Market:
    """The feed of an engine: the reference price of one symbol is told, the others have none."""

    def __init__(self, folder: Path) -> None:
        self._feed, self._snapshots = (
            ChannelSocket(channel, folder, "engine", is_binder=True) for channel in (FEED, SNAPSHOTS)
        )
        topics = [Topic.REFERENCE.of(each.symbol) for each in Settings().instruments]
        self._streams = {topic: FeedStream(topic, 7) for topic in topics}
        self.price_ticks = 0
        self._subscribed: set[bytes] = set()

    def is_subscribed(self) -> bool:
        """Return whether somebody hears of every symbol."""
        while (frames := self._feed.receive()) is not None:
            self._subscribed.add(frames[0][1:])
        return self._subscribed == self._streams.keys()

    def tell(self, price_ticks: int) -> None:
        """Publish a price."""
        self.price_ticks = price_ticks
        self._feed.send(self._streams[Topic.REFERENCE.of("BTCUSDT")].pack([ReferencePrice(price_ticks)], 0))

    def answer(self) -> None:
        """Answer who asks."""
        while (frames := self._snapshots.receive()) is not None:
            *envelope, topic = frames
            price_ticks = self.price_ticks if topic == Topic.REFERENCE.of("BTCUSDT") else 0
            self._snapshots.send([*envelope, *self._streams[topic].pack_snapshot([ReferencePrice(price_ticks)], 0)])

    def close(self) -> None:
        """Close the sockets."""
        self._feed.close()
        self._snapshots.close()


class Gateway:
    """A floor whose sessions have a band of a tenth, and the reference prices that its gateway hears."""

    def __init__(self, folder: Path) -> None:
        self.market = Market(folder)
        self.floor = Floor(SessionLimits(symbols=(SymbolLimits(price_band=Decimal("0.1")),)))
        self.warnings: list[str] = []
        log = SimpleNamespace(warning=lambda text, **_: self.warnings.append(text))
        node = SimpleNamespace(wiring=one_engine(folder), settings=Settings(), log=log, show=lambda **_: None)
        self.references = GatewayReferences(cast("Node", node), self.floor.table)
        self._session = self.floor.session()
        self.floor.now_ns = monotonic_ns()

    def turn(self, later_ns: int = 100 * NS_PER_MS) -> None:
        """Let so much time pass, and then a tick."""
        self.floor.now_ns += later_ns
        self.market.answer()
        self.references.follow(self.floor.now_ns)

    def refusal(self, price_ticks: int) -> RejectReason | None:
        """Return why a buy at this price is refused."""
        order_id = self.floor.table.used_id(self._session) + 1
        refused = self.floor.give(self._session, NewOrder(order_id, BTC, Side.BUY, price_ticks, 1), MassCancel())
        return RejectReason(cast("Rejected", refused[0]).reason) if refused else None

    def is_band(self, high: int) -> bool:
        """Let a tick pass; return whether `high` is the highest price of a buy."""
        self.turn()
        return (self.refusal(high), self.refusal(high + 1)) == (None, RejectReason.PRICE_BAND)

    def close(self) -> None:
        """Close the sockets."""
        self.references.close()
        self.market.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that has heard of 1,000."""
    with short_directory() as path:
        gateway = Gateway(path)
        gateway.market.price_ticks = 1_000
        until("the reference is known", lambda: gateway.is_band(1_100))
        until("the feed is connected", gateway.market.is_subscribed)
        yield gateway
        gateway.close()


def test_says_what_it_waits_for() -> None:
    """A gateway that hears nothing from the start takes no client, and a person is told why, once."""
    with short_directory() as path:
        gateway = Gateway(path)
        for later_ns in (NS_PER_MS, SILENCE_NS_MAX // 2):
            gateway.references.follow(gateway.floor.now_ns + later_ns)
        assert gateway.warnings == []
        for later_ns in (SILENCE_NS_MAX, 2 * SILENCE_NS_MAX):
            gateway.references.follow(gateway.floor.now_ns + later_ns)
        assert gateway.warnings == ["the feed is silent: without a reference price orders are refused"]
        assert not gateway.references.are_known
        gateway.market.price_ticks = 1_000
        gateway.floor.now_ns += 3 * SILENCE_NS_MAX
        until("all references are known", lambda: gateway.is_band(1_100) and gateway.references.are_known)
        gateway.close()


def test_an_old_price_ends_by_itself(gateway: Gateway) -> None:
    """Without a tick, a word or a snapshot: at the time at which it is stale, and not before."""
    gateway.market.tell(2_000)
    until("the next one is heard", lambda: gateway.is_band(2_200))
    gateway.floor.now_ns += SILENCE_NS_MAX - NS_PER_MS
    assert gateway.refusal(2_201) == RejectReason.PRICE_BAND
    gateway.floor.now_ns += NS_PER_MS
    assert gateway.refusal(2_200) == RejectReason.ENGINE_UNAVAILABLE
    assert gateway.warnings == []
    gateway.turn()
    assert gateway.warnings == ["the feed is silent: without a reference price orders are refused"]


def test_what_waited_while_it_stood_still_is_no_news(gateway: Gateway) -> None:
    """The socket holds the first prices of a long pause; only the answer to a question is surely of now."""
    for price_ticks in (2_000, 3_000):
        gateway.market.tell(price_ticks)
    gateway.market.price_ticks = 5_000  # what is told of it is still on its way
    gateway.turn(60 * NS_PER_SECOND)
    assert gateway.refusal(1) == RejectReason.ENGINE_UNAVAILABLE
    until("the question is answered", lambda: gateway.is_band(5_500))
