"""The engine's core with its journal and its links, without sockets, and random commands for it."""

import random
from pathlib import Path

from bus.feed import FeedFrame, Topic, TopicReplica, unpack_frame
from bus.order_link import Connected, Reports, SourceEnd
from bus.topology import Source, first_order_id, first_owner
from desk.settings import Settings
from journal.format import JournalMode
from journal.journal import Journal
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.events import Event
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.feed import reference_price
from nodes.engine.making import make_core
from tests.one_engine import GATEWAY

SOURCES = (GATEWAY, Source.PAPER, Source.FLOW)
SYMBOL = "BTCUSDT"


class LinkedCore:
    """A core, its journal in a folder, and one pure source end for each source."""

    def __init__(self, folder: Path, mode: JournalMode = JournalMode.WRITE) -> None:
        self.folder = folder
        self.mode = mode
        self.ends = {source: SourceEnd(source, incarnation=1) for source in SOURCES}
        self.heard: dict[int, list[Event]] = {source: [] for source in SOURCES}
        self.replicas = {topic.of(SYMBOL): TopicReplica(topic.of(SYMBOL)) for topic in Topic}
        self.now_ns = 0
        self.core: EngineCore
        self.journal: Journal[CommandRecord]
        self.start()

    def start(self) -> None:
        """Begin a life of the engine: recover, and let everybody ask for a snapshot."""
        settings = Settings(engine={"book": "reference"})  # type: ignore[arg-type]
        self.core, self.journal = make_core(settings, "engine", self.folder, self.mode)
        self.core.recover(lambda _: None)
        for replica in self.replicas.values():
            replica.lose()
        self.settle()

    def kill(self) -> None:
        """End that life as kill -9 does: nothing is said, nothing is flushed."""
        self.journal.close()
        for end in self.ends.values():
            end.outgoing()  # what was on its way is lost

    def settle(self) -> None:
        """Let the links talk until nobody has anything to say."""
        for _ in range(20):
            self.now_ns += 400_000_000
            for source, end in self.ends.items():
                end.tick(self.now_ns)
                for frames in end.outgoing():
                    batch = self.core.links.receive(b"%d" % source, frames)
                    if batch is not None:
                        self.core.handle([batch], self.time_ns(), 0)
                        self.publish(self.core.tell(self.time_ns()))
            for identity, frames in self.core.links.outgoing():
                for news in self.ends[int(identity)].receive(frames):
                    if isinstance(news, Reports):
                        self.heard[int(identity)].extend(news.events)
                    else:
                        assert isinstance(news, Connected)

    def time_ns(self) -> int:
        """Return a time that rises."""
        return 1_000_000_000 + self.core.command_count

    def publish(self, feed_frames: list[list[bytes]]) -> None:
        """Hand frames of the feed to the replicas."""
        for frame in map(unpack_frame, feed_frames):
            if frame.topic in self.replicas:
                self._give(frame)

    def _give(self, frame: FeedFrame) -> None:
        replica = self.replicas[frame.topic]
        replica.on_frame(frame)
        if replica.needs_snapshot:
            while (snapshot := self.core.feed.snapshot_slice(frame.topic, 0)) is None:
                pass
            replica.on_snapshot(unpack_frame(snapshot))

    def check_feed(self) -> None:
        """Compare every replica with the engine."""
        self.publish(list(self.core.feed.depth(0)))
        self.publish(list(self.core.feed.references(0)))
        self.publish(list(self.core.feed.heartbeat(0, self.core.health())))  # with the book's checksum
        engine = self.core.engine
        book = [tuple(order) for order in self.replicas[Topic.BOOK.of(SYMBOL)].book.state()]
        assert book == [tuple(row[:4]) for row in engine.orders(0).tolist()]
        best = engine.best(0)
        assert self.replicas[Topic.BEST.of(SYMBOL)].best == best
        trades = self.replicas[Topic.TRADES.of(SYMBOL)].trades
        last = trades[-1].price_ticks if trades else 0
        assert self.replicas[Topic.REFERENCE.of(SYMBOL)].reference == reference_price(last, best)
        depth = engine.depth(0, 100)
        assert self.replicas[Topic.DEPTH.of(SYMBOL)].levels == (dict(depth.bids), dict(depth.asks))


class Dice:
    """Random commands of all sources, icebergs, stops and amends among them; a source knows its own orders."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.next_id = {source: first_order_id(source) for source in SOURCES}

    def command(self, source: int) -> Command:
        roll = self.random.random()
        owner = first_owner(source) + self.random.randrange(2)
        if roll < 0.65:
            self.next_id[source] += 1
            qty = self.random.randrange(1, 60)
            display = self.random.randrange(1, qty + 1) if self.random.random() < 0.2 else 0
            trigger = self.random.choice((0, 0, 0, 0, 1, 2))
            return NewOrder(
                self.next_id[source], 0, self.random.randrange(2), 1_000 + self.random.randrange(-30, 30), qty,
                display_lots=0 if trigger else display, owner=owner, self_trade_prevention=self.random.randrange(5),
                trigger=trigger, trigger_price_ticks=1_000 + self.random.randrange(-20, 20) if trigger else 0,
            )  # fmt: skip
        order_id = self.random.randint(
            max(first_order_id(source) + 1, self.next_id[source] - 40), self.next_id[source] + 1
        )
        if roll < 0.85:
            return CancelOrder(order_id, 0, owner)
        if roll < 0.99:
            return AmendOrder(order_id, 0, 1_000 + self.random.randrange(-30, 30), self.random.randrange(1, 50), owner)
        return MassCancel(owner=owner)
