"""The engine's node between its sockets: what it tells equals its book, and a journal brings all of it back."""

import os
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bus.feed import (
    FeedFrame,
    TopicReplica,
    best_topic,
    book_topic,
    depth_topic,
    reference_topic,
    trades_topic,
    unpack_frame,
)
from bus.order_link import Connected, Reports, SourceEnd
from bus.topology import Source, first_order_id, first_owner, source_of_order
from desk.settings import Settings
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalMode
from journal.journal import Journal
from market.clock import NS_PER_SECOND
from market.codec import decode_events
from market.codes import RejectReason, Side
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.feed_messages import BestPrices
from market.instrument import Instrument
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore
from nodes.engine.feed import reference_price
from nodes.engine.node import make_core
from tests.one_engine import GATEWAY

SEEDS = (3, 4, 5)
SOURCES = (GATEWAY, Source.PAPER, Source.FLOW)
SYMBOL = "BTCUSDT"


class Desk:
    """A core, its journal in a folder, and one pure source end for each source."""

    def __init__(self, folder: Path, mode: JournalMode = JournalMode.WRITE) -> None:
        self.folder = folder
        self.mode = mode
        self.ends = {source: SourceEnd(source, incarnation=1) for source in SOURCES}
        self.heard: dict[int, list[Event]] = {source: [] for source in SOURCES}
        self.replicas = {
            topic(SYMBOL): TopicReplica(topic(SYMBOL))
            for topic in (book_topic, trades_topic, best_topic, depth_topic, reference_topic)
        }
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
            snapshot = self.core.feed.snapshot(frame.topic, 0)
            assert snapshot is not None
            replica.on_snapshot(unpack_frame(snapshot))

    def check_feed(self) -> None:
        """Compare every replica with the engine."""
        self.publish(list(self.core.feed.depth(0)))
        self.publish(list(self.core.feed.references(0)))
        self.publish(list(self.core.feed.heartbeat(0, self.core.health())))  # with the book's checksum
        engine = self.core.engine
        book = [tuple(order) for order in self.replicas[book_topic(SYMBOL)].book.state()]
        assert book == [tuple(row[:4]) for row in engine.orders(0).tolist()]
        best = engine.best(0)
        assert self.replicas[best_topic(SYMBOL)].best == best
        trades = self.replicas[trades_topic(SYMBOL)].trades
        last = trades[-1].price_ticks if trades else 0
        assert self.replicas[reference_topic(SYMBOL)].reference == reference_price(last, best)
        depth = engine.depth(0, 100)
        assert self.replicas[depth_topic(SYMBOL)].levels == (dict(depth.bids), dict(depth.asks))


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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine without orders."""
    one = Desk(tmp_path / "journal")
    yield one
    one.journal.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_feed_tells_the_book_and_sources_hear_of_their_orders_alone(desk: Desk, seed: int) -> None:
    """Book, best, depth and checksum agree with the engine after every batch."""
    dice = Dice(seed)
    for _ in range(300):
        source = dice.random.choice(SOURCES)
        desk.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 8))])
        desk.settle()
        desk.check_feed()
    trades = {event.trade_id for events in desk.heard.values() for event in events if isinstance(event, Executed)}
    assert len(trades) > 100
    assert [trade.trade_id for trade in desk.replicas[trades_topic(SYMBOL)].trades][-1] == max(trades)
    for number, events in desk.heard.items():
        for event in events:
            if isinstance(event, Executed):
                assert number in (source_of_order(event.taker_order_id), source_of_order(event.maker_order_id))
            else:
                assert source_of_order(getattr(event, "order_id", 0)) in (number, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_engine_goes_on_as_if_nothing_had_happened(tmp_path: Path, seed: int) -> None:
    """With a kill after every few batches, all hear the same and the book is the same as without."""
    killed, spared = Desk(tmp_path / "killed"), Desk(tmp_path / "spared")
    for desk in (killed, spared):
        dice = Dice(seed)
        for turn in range(150):
            source = dice.random.choice(SOURCES)
            desk.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 8))])
            desk.settle()
            if turn % 10 == 9 and desk is killed:
                desk.kill()
                desk.start()
                desk.check_feed()
    assert killed.heard == spared.heard
    assert killed.core.engine.state_hash() == spared.core.engine.state_hash()
    assert killed.core.command_count == spared.core.command_count
    for desk in (killed, spared):
        desk.check_feed()
        desk.journal.close()


@pytest.mark.parametrize("size", [0, 1, 15, 63, 64])
def test_engine_whose_first_file_has_no_whole_header_begins(tmp_path: Path, size: int) -> None:
    """A full disk leaves a part of the very first write; there is room again, and nothing was lost."""
    settings, folder = Settings(engine={"book": "reference"}), tmp_path / "journal"  # type: ignore[arg-type]
    epochs = []
    for _ in range(2):
        core, journal = make_core(settings, "engine", folder, JournalMode.WRITE)
        core.recover(lambda _: None)
        journal.close()
        epochs.append(core.epoch)
        (path,) = folder.iterdir()
        os.truncate(path, size)
    assert (epochs[0] == epochs[1]) == (size == 64)


def test_report_that_was_on_its_way_comes_after_the_restart(desk: Desk) -> None:
    """The engine dies between its journal's write and the reply: the source hears once, late."""
    end = desk.ends[Source.PAPER]
    end.send([NewOrder(first_order_id(Source.PAPER) + 1, 0, 0, 1_000, 5, owner=first_owner(Source.PAPER))])
    (frames,) = end.outgoing()
    batch = desk.core.links.receive(b"%d" % Source.PAPER, frames)
    assert batch is not None
    desk.core.handle([batch], 1, 0)
    desk.core.links.outgoing()  # lost with the process
    desk.kill()
    desk.start()
    assert [type(event).__name__ for event in desk.heard[Source.PAPER]] == ["Accepted"]
    assert desk.core.engine.live_order_count == 1


def test_foreign_ids_and_owners_are_refused_by_name(desk: Desk) -> None:
    """A source names its own orders and owners only, and halts nothing."""
    other, mine = Source.FLOW, Source.PAPER
    desk.ends[mine].send(
        [
            NewOrder(first_order_id(other) + 1, 0, 0, 1_000, 5, owner=first_owner(mine)),
            NewOrder(first_order_id(mine) + 1, 0, 0, 1_000, 5, owner=first_owner(other)),
            MassCancel(),
        ]
    )
    desk.settle()
    reasons = [event.reason for event in desk.heard[mine] if isinstance(event, Rejected)]
    assert reasons == [16, 17, 17]
    assert desk.core.engine.live_order_count == 0


def test_an_engine_of_half_of_64_symbols_takes_no_order_of_the_other_half(tmp_path: Path) -> None:
    """None of them comes to rest in a book of another symbol, be it the last one that there can be."""
    step = Decimal(1)
    made = [Instrument(symbol_id, f"S{symbol_id}USDT", f"S{symbol_id}", "USDT", step, step) for symbol_id in range(64)]
    engine = make_engine("reference", symbol_count=64)
    journal = Journal(tmp_path / "journal", COMMANDS, figures_of(Capacity(64)), 1)
    core = EngineCore(engine, made, 1, 1, 100, journal, range(32, 64))
    core.recover(lambda _: None)
    end = SourceEnd(Source.PAPER, incarnation=1)
    core.links.receive(b"p", end.outgoing()[0])
    for _, frames in core.links.outgoing():
        end.receive(frames)
    first, owner = first_order_id(Source.PAPER), first_owner(Source.PAPER)
    end.send([NewOrder(first + 1 + symbol_id, symbol_id, 0, 1_000, 5, owner=owner) for symbol_id in (0, 31, 32, 63)])
    batch = core.links.receive(b"p", end.outgoing()[0])
    assert batch is not None
    core.handle([batch], 1, 0)
    heard = [event for _, frames in core.links.outgoing() for event in decode_events(frames[1])]
    told = [(type(event), getattr(event, "order_id", 0) - first - 1) for event in heard]
    assert told == [(Rejected, 0), (Rejected, 31), (Accepted, 32), (Accepted, 63)]
    assert {event.reason for event in heard if isinstance(event, Rejected)} == {RejectReason.UNKNOWN_SYMBOL}
    assert [len(engine.orders(symbol_id)) for symbol_id in (0, 31, 32, 63)] == [0, 0, 1, 1]
    journal.close()


def test_owes_a_source_its_reports_until_it_has_them_unless_it_keeps_none(desk: Desk) -> None:
    """A flow begins anew whatever it is told; the others come back for what they have not acknowledged."""
    for number, source in enumerate(SOURCES):
        end = desk.ends[source]
        order_id = first_order_id(source) + 1
        end.send([NewOrder(order_id, 0, 0, 10 + number, 5, owner=first_owner(source))])
        (frames,) = end.outgoing()
        batch = desk.core.links.receive(b"%d" % source, frames)
        assert batch is not None
        desk.core.handle([batch], 1, 0)
    desk.core.links.outgoing()
    assert desk.core.links.owed == (GATEWAY, Source.PAPER)
    assert desk.core.engine.live_order_count == 3
    desk.kill()
    desk.start()
    assert not desk.core.links.owed, "all have come back and acknowledged"


def test_halt_is_the_operator_s(desk: Desk) -> None:
    """What a halt changes outlives the engine."""
    operator = SourceEnd(Source.OPERATOR, incarnation=1)
    frames = operator.outgoing()[0]
    desk.core.links.receive(b"o", frames)
    for _, reply in desk.core.links.outgoing():
        operator.receive(reply)
    operator.send([HaltSymbol(-1, 1)])
    batch = desk.core.links.receive(b"o", operator.outgoing()[0])
    assert batch is not None
    desk.core.handle([batch], 1, 0)
    payloads = [reply[1] for identity, reply in desk.core.links.outgoing() if identity == b"o"]
    assert len([event for payload in payloads for event in decode_events(payload)]) == desk.core.symbol_count
    desk.kill()
    desk.start()
    assert desk.core.halted_symbols == set(range(desk.core.symbol_count))
    assert not desk.core.is_idle


def test_reports_keep_their_order_when_frames_were_handled_together(desk: Desk) -> None:
    """Refusals are told before what the same batch matched; who has heard a part must get the rest, not a mixture."""
    mine, other = GATEWAY, Source.PAPER
    batches = []
    for order_id in (first_order_id(mine) + 1, first_order_id(other) + 1, first_order_id(mine) + 2):
        desk.ends[mine].send([NewOrder(order_id, 0, 0, 1_000, 5, owner=first_owner(mine))])
        for frames in desk.ends[mine].outgoing():
            batch = desk.core.links.receive(b"%d" % mine, frames)
            assert batch is not None
            batches.append(batch)
    assert len(batches) == 3
    desk.core.handle(batches, desk.time_ns(), 0)
    payloads = [reply[1] for identity, reply in desk.core.links.outgoing() if identity == b"%d" % mine]
    live = [event for payload in payloads for event in decode_events(payload)]
    assert [type(event) for event in live] == [Rejected, Accepted, Accepted]
    desk.kill()
    desk.start()
    assert desk.heard[mine] == live


@pytest.mark.parametrize("step_ns", [0, -NS_PER_SECOND, -3_600 * NS_PER_SECOND, 3_600 * NS_PER_SECOND])
def test_reports_keep_their_order_when_the_clock_stands_or_steps(desk: Desk, step_ns: int) -> None:
    """Frames that were handled one after the other are not taken for handled together because they have one time."""
    mine, other = GATEWAY, Source.PAPER
    live: list[Event] = []
    for turn, order_id in enumerate((first_order_id(mine) + 1, first_order_id(other) + 1, first_order_id(mine) + 2)):
        desk.ends[mine].send([NewOrder(order_id, 0, 0, 1_000, 5, owner=first_owner(mine))])
        for frames in desk.ends[mine].outgoing():
            batch = desk.core.links.receive(b"%d" % mine, frames)
            assert batch is not None
            desk.core.handle([batch], 10**18 + turn * step_ns, 0)
        payloads = [reply[1] for identity, reply in desk.core.links.outgoing() if identity == b"%d" % mine]
        live += [event for payload in payloads for event in decode_events(payload)]
        desk.core.tell(10**18)
    assert [type(event) for event in live] == [Accepted, Rejected, Accepted]
    desk.kill()
    desk.start()
    assert desk.heard[mine] == live


@pytest.mark.parametrize(
    ("last", "bid", "ask", "expected"),
    [
        (0, 0, 0, 0),
        (0, 100, 0, 0),  # one side is no market
        (0, 0, 100, 0),
        (0, 100, 103, 101),  # the mid, rounded down
        (102, 100, 103, 102),
        (102, 0, 0, 102),
        (102, 110, 0, 102),  # a lone bid moves nothing
        (102, 0, 90, 102),
        (102, 110, 112, 110),  # the market has risen without a trade
        (102, 90, 95, 95),
    ],
)
def test_takes_the_last_trade_for_the_reference_unless_the_book_has_left_it(
    last: int, bid: int, ask: int, expected: int
) -> None:
    """The rule of docs/protocol.md, case by case."""
    assert reference_price(last, BestPrices(bid, int(bid > 0), ask, int(ask > 0))) == (expected,)


def test_a_kept_halt_holds_without_a_command_and_is_replayed(desk: Desk) -> None:
    """The desk's own word is journaled like a command, once; only a symbol that the engine has is halted."""
    gateway = desk.ends[GATEWAY]
    for _ in range(3):
        desk.core.halt([0, 2, 99], desk.time_ns(), 0)
        desk.publish(desk.core.tell(desk.time_ns()))
    assert desk.core.halted_symbols == {0, 2}
    assert desk.core.command_count == 2, "a second time changes nothing"
    desk.kill()
    desk.start()
    desk.core.halt([1, 2], desk.time_ns(), 0)
    desk.publish(desk.core.tell(desk.time_ns()))
    state = desk.core.engine.state_hash()
    for _ in range(2):
        desk.kill()
        desk.start()
        assert desk.core.halted_symbols == {0, 1, 2}
        assert desk.core.engine.state_hash() == state
        desk.core.halt([0, 1, 2], desk.time_ns(), 0)
        assert desk.core.engine.state_hash() == state
    gateway.send([NewOrder(first_order_id(GATEWAY) + 1, 0, Side.BUY, 1_000, 5, owner=first_owner(GATEWAY))])
    desk.settle()
    (refused,) = desk.heard[GATEWAY]
    assert isinstance(refused, Rejected)
    assert refused.reason == RejectReason.SYMBOL_HALTED
    assert desk.core.links.owed == (), "nobody waits for what the desk itself has said"


def test_operator_hears_which_orders_he_has_cancelled(desk: Desk) -> None:
    """Of the symbols that he named, in the engine's words, and not those that a client cancels himself."""
    first, owner = first_order_id(GATEWAY), first_owner(GATEWAY)
    operator = desk.ends[Source.OPERATOR] = SourceEnd(Source.OPERATOR, incarnation=1)
    desk.heard[Source.OPERATOR] = []
    desk.settle()
    gateway = desk.ends[GATEWAY]
    gateway.send([NewOrder(first + n, n % 2, Side.BUY, 1_000, 5, owner=owner) for n in range(1, 6)])
    desk.settle()
    operator.send([MassCancel(1, time_ns=1)])
    desk.settle()
    gateway.send([MassCancel(owner=owner)])
    desk.settle()
    canceled = [event.order_id for event in desk.heard[Source.OPERATOR] if isinstance(event, Canceled)]
    assert canceled == [first + 1, first + 3, first + 5]
    operator.send([MassCancel(-1, time_ns=1)])
    desk.settle()
    assert len(desk.heard[Source.OPERATOR]) == 3
