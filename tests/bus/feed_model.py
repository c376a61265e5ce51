"""A reference engine under random commands, its publisher, and subscribers whose feed loses and repeats frames."""

import random
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgpack

from bus.feed import BookReplica, FeedFrame, Frames, Topic, TopicReplica, unpack_frame
from engine.matching_engine import make_engine
from market.codec import encode_all
from market.codes import OrderType, SelfTradePrevention, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Event
from market.feed_messages import BookTrade, FeedMessage
from market.kernels.rows import read_event, write_command
from tests.bus.plain_publisher import FeedPublisher
from tests.pairs import default_instruments

INSTRUMENTS = default_instruments()
SYMBOLS = tuple(instrument.symbol for instrument in INSTRUMENTS)
TOPICS = tuple(topic.of(symbol) for symbol in SYMBOLS for topic in (Topic.BOOK, Topic.TRADES))
MID_TICKS = 100


def pack_frame(topic: bytes, epoch: int, sequence: int, time_ns: int, messages: Sequence[FeedMessage]) -> Frames:
    """Return the three frames of a feed message or a snapshot."""
    return [topic, msgpack.packb((epoch, sequence, len(messages), time_ns)), encode_all(messages)]


class FeedEngine:
    """An engine with its publisher; epochs rise."""

    def __init__(self, epoch: int, orders_max: int = 10_000) -> None:
        self.epoch = epoch
        self.matching = make_engine("reference", len(INSTRUMENTS), orders_max=orders_max)
        self.publisher = FeedPublisher(INSTRUMENTS, epoch)
        self.trades: list[list[BookTrade]] = [[] for _ in INSTRUMENTS]
        self.time_ns = epoch

    def handle(self, *commands: Command) -> list[Frames]:
        """Match the commands as one batch; return what is published."""
        events: list[Event] = []
        for command in commands:
            write_command(self.matching.commands.rows, self.matching.commands.claim(), command)
            self.matching.commands.publish()
            while len(self.matching.commands):
                self.matching.match()
                while len(rows := self.matching.events.readable()):
                    events.extend(map(read_event, rows))
                    self.matching.events.consume(len(rows))
        self.time_ns += 1
        published = self.publisher.take(events, self.time_ns)
        for frame in map(unpack_frame, published):
            for symbol_id, symbol in enumerate(SYMBOLS):
                if frame.topic == Topic.TRADES.of(symbol):
                    self.trades[symbol_id] += [each for each in frame.messages if isinstance(each, BookTrade)]
        return published

    def book(self, symbol_id: int) -> list[tuple[int, int, int, int]]:
        """Return the shown orders: (order_id, side, price_ticks, resting_lots), by price, then time."""
        rows = self.matching.orders(symbol_id).tolist()
        return [(order_id, side, price_ticks, resting_lots) for order_id, side, price_ticks, resting_lots, *_ in rows]

    def snapshot(self, topic: bytes) -> FeedFrame:
        """Return a snapshot as a subscriber reads it."""
        frames = self.publisher.snapshot(topic, self.time_ns)
        assert frames is not None
        return unpack_frame(frames)


class Flow:
    """Random commands of every kind around one price, so that most of them meet."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._last_id = 0

    def command(self) -> Command:
        """Return the next command."""
        dice, symbol_id = self._dice, self._dice.randrange(len(INSTRUMENTS))
        roll = dice.random()
        if roll < 0.60:
            return self._order(symbol_id)
        some_id = dice.randint(max(1, self._last_id - 40), max(1, self._last_id))
        if roll < 0.75:
            return CancelOrder(some_id, symbol_id)
        if roll < 0.97:
            return AmendOrder(some_id, symbol_id, self._price(), dice.randint(1, 30))
        if roll < 0.99:
            return MassCancel(symbol_id, dice.choice([-1, 0, 1]), dice.randint(0, 3))
        return HaltSymbol(symbol_id, dice.choice([0, 0, 1]))

    def _order(self, symbol_id: int) -> NewOrder:
        dice = self._dice
        self._last_id += 1
        fields: dict[str, Any] = {"owner": dice.randint(0, 3), "time_ns": self._last_id}
        fields["self_trade_prevention"] = int(dice.choice(list(SelfTradePrevention)))
        qty_lots, price_ticks = dice.randint(1, 30), self._price()
        roll = dice.random()
        if roll < 0.10:
            fields["order_type"], price_ticks = int(OrderType.MARKET), 0
            fields["time_in_force"] = int(TimeInForce.IOC)
        elif roll < 0.20:
            fields["order_type"] = int(OrderType.POST_ONLY)
        elif roll < 0.35:
            fields["time_in_force"] = int(dice.choice([TimeInForce.IOC, TimeInForce.FOK]))
        elif roll < 0.60:
            fields["display_lots"] = dice.randint(1, 5)
        elif roll < 0.70:
            fields["trigger"] = int(dice.choice([Trigger.STOP, Trigger.TAKE_PROFIT]))
            fields["trigger_price_ticks"] = self._price()
        return NewOrder(self._last_id, symbol_id, dice.randint(0, 1), price_ticks, qty_lots, **fields)

    def _price(self) -> int:
        return MID_TICKS + self._dice.randint(-6, 6)


class FeedSubscriberModel:
    """The replicas of one subscriber, with a connection that loses, delays and repeats."""

    def __init__(self) -> None:
        self.replicas = {topic: TopicReplica(topic) for topic in TOPICS}
        self.on_the_way: deque[Frames] = deque()
        self.snapshots: deque[FeedFrame] = deque()
        self.lost_count = 0

    def publish(self, published: list[Frames]) -> None:
        """Put frames on their way."""
        self.on_the_way.extend(published)

    def lose(self) -> None:
        """The oldest frame on its way is lost."""
        if self.on_the_way:
            self.on_the_way.popleft()
            self.lost_count += 1

    def listen(self, frame_count: int) -> None:
        """Take frames that have arrived."""
        for _ in range(min(frame_count, len(self.on_the_way))):
            frame = unpack_frame(self.on_the_way.popleft())
            replica = self.replicas.get(frame.topic)
            if replica is not None:
                replica.on_frame(frame)

    def ask(self, engine: FeedEngine) -> None:
        """Ask for the snapshots that are needed; they come when `answer` says so."""
        for topic, replica in self.replicas.items():
            if replica.needs_snapshot:
                self.snapshots.append(engine.snapshot(topic))

    def answer(self) -> None:
        """Take the oldest snapshot that was asked for."""
        if self.snapshots:
            snapshot = self.snapshots.popleft()
            self.replicas[snapshot.topic].on_snapshot(snapshot)


def shown(book: BookReplica) -> list[tuple[int, int, int, int]]:
    """Return a replica's orders as FeedEngine.book returns the engine's."""
    return [(message.order_id, message.side, message.price_ticks, message.resting_lots) for message in book.state()]
