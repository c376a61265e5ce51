"""The engine's node between its sockets: what it tells equals its book, and a journal brings all of it back."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bus.engine_link import CommandBatch
from bus.feed import Topic
from bus.order_link import SourceEnd
from bus.topology import Source, first_order_id, first_owner, source_of_order
from desk.settings import Settings
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalError, JournalMismatchError, JournalMode
from journal.journal import Journal
from market.clock import NS_PER_SECOND
from market.codec import decode_events, encode, encode_all
from market.codes import RejectReason, Side
from market.commands import HaltSymbol, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.feed_messages import BestPrices
from market.instrument import Instrument
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore
from nodes.engine.feed import reference_price
from nodes.engine.inspection import verify
from nodes.engine.making import engine_capacity, engine_figures, make_core
from tests.cases import some
from tests.nodes.engine.linked_core import SOURCES, SYMBOL, Dice, LinkedCore
from tests.one_engine import GATEWAY

SEEDS = some((3, 4, 5), 1)


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[LinkedCore]:
    """An engine without orders."""
    one = LinkedCore(tmp_path / "journal")
    yield one
    one.journal.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_feed_tells_the_book_and_sources_hear_of_their_orders_alone(linked: LinkedCore, seed: int) -> None:
    """Book, best, depth and checksum agree with the engine after every batch."""
    dice = Dice(seed)
    for _ in range(300):
        source = dice.random.choice(SOURCES)
        linked.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 8))])
        linked.settle()
        linked.check_feed()
    trades = {event.trade_id for events in linked.heard.values() for event in events if isinstance(event, Executed)}
    assert len(trades) > 100
    assert [trade.trade_id for trade in linked.replicas[Topic.TRADES.of(SYMBOL)].trades][-1] == max(trades)
    for number, events in linked.heard.items():
        for event in events:
            if isinstance(event, Executed):
                assert number in (source_of_order(event.taker_order_id), source_of_order(event.maker_order_id))
            else:
                assert source_of_order(getattr(event, "order_id", 0)) in (number, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_engine_goes_on_as_if_nothing_had_happened(tmp_path: Path, seed: int) -> None:
    """With a kill after every few batches, all hear the same and the book is the same as without."""
    killed, spared = LinkedCore(tmp_path / "killed"), LinkedCore(tmp_path / "spared")
    for linked in (killed, spared):
        dice = Dice(seed)
        for turn in range(150):
            source = dice.random.choice(SOURCES)
            linked.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 8))])
            linked.settle()
            if turn % 10 == 9 and linked is killed:
                linked.kill()
                linked.start()
                linked.check_feed()
    assert killed.heard == spared.heard
    assert killed.core.engine.state_hash() == spared.core.engine.state_hash()
    assert killed.core.command_count == spared.core.command_count
    for linked in (killed, spared):
        linked.check_feed()
        linked.journal.close()


@pytest.mark.parametrize("size", [0, 1, 15, 63, 64])
def test_engine_whose_first_file_has_no_whole_header_begins(tmp_path: Path, size: int) -> None:
    """A full disk leaves a part of the very first write; there is room again, and nothing was lost."""
    settings, folder = Settings(engine={"book": "reference"}), tmp_path / "journal"  # type: ignore[arg-type]
    epochs = []
    for _ in range(3):
        core, journal = make_core(settings, "engine", folder, JournalMode.WRITE)
        core.recover(lambda _: None)
        journal.close()
        epochs.append(core.epoch)
        (path,) = folder.iterdir()
        os.truncate(path, size)
    assert len(set(epochs)) == (1 if size == 64 else 3)


def test_report_that_was_on_its_way_comes_after_the_restart(linked: LinkedCore) -> None:
    """The engine dies between its journal's write and the reply: the source hears once, late."""
    end = linked.ends[Source.PAPER]
    end.send([NewOrder(first_order_id(Source.PAPER) + 1, 0, 0, 1_000, 5, owner=first_owner(Source.PAPER))])
    (frames,) = end.outgoing()
    batch = linked.core.links.receive(b"%d" % Source.PAPER, frames)
    assert batch is not None
    linked.core.handle([batch], 1, 0)
    linked.core.links.outgoing()  # lost with the process
    linked.kill()
    linked.start()
    assert [type(event).__name__ for event in linked.heard[Source.PAPER]] == ["Accepted"]
    assert linked.core.engine.live_order_count == 1


def test_a_command_that_cannot_be_kept_is_not_matched(linked: LinkedCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal comes first: what a replay would not know has happened to nobody."""

    def full(*_: object) -> None:
        raise JournalError("no room")

    end = linked.ends[Source.PAPER]
    end.send([NewOrder(first_order_id(Source.PAPER) + 1, 0, 0, 1_000, 5, owner=first_owner(Source.PAPER))])
    batch = linked.core.links.receive(b"%d" % Source.PAPER, end.outgoing()[0])
    assert batch is not None
    monkeypatch.setattr(linked.journal, "append", full)
    with pytest.raises(JournalError):
        linked.core.handle([batch], 1, 0)
    assert (linked.core.engine.live_order_count, linked.core.command_count) == (0, 0)
    assert linked.core.links.outgoing() == []


def test_what_a_frame_repeats_is_neither_done_nor_counted_again(linked: LinkedCore) -> None:
    """Also in a replay; a source that hears of more than it has sent forgets what has still to be taken."""
    first, owner = first_order_id(Source.PAPER), first_owner(Source.PAPER)
    orders = [NewOrder(first + n, 0, 0, 1_000, 5, owner=owner) for n in (1, 2, 3)]
    end = linked.ends[Source.PAPER]
    end.send(orders[:2])
    linked.settle()
    linked.core.links.restore(Source.PAPER, 3)
    linked.core.handle([CommandBatch(Source.PAPER, encode_all(orders), 1, 3, 2)], linked.time_ns(), 0)
    for _ in range(2):
        assert (linked.core.command_count, linked.core.engine.live_order_count) == (3, 3)
        linked.kill()
        linked.start()
    assert [event.order_id - first for event in linked.heard[Source.PAPER] if isinstance(event, Accepted)] == [1, 2, 3]


def test_foreign_ids_and_owners_are_refused_by_name(linked: LinkedCore) -> None:
    """A source names its own orders and owners only, and halts nothing."""
    other, mine = Source.FLOW, Source.PAPER
    linked.ends[mine].send(
        [
            NewOrder(first_order_id(other) + 1, 0, 0, 1_000, 5, owner=first_owner(mine)),
            NewOrder(first_order_id(mine) + 1, 0, 0, 1_000, 5, owner=first_owner(other)),
            MassCancel(),
        ]
    )
    linked.settle()
    reasons = [event.reason for event in linked.heard[mine] if isinstance(event, Rejected)]
    assert reasons == [16, 17, 17]
    assert linked.core.engine.live_order_count == 0


def test_an_engine_refuses_the_journal_of_one_with_other_symbols(tmp_path: Path) -> None:
    """It would number its reports otherwise: who has heard more of them than it says would never hear of a fill."""
    both = Settings()
    moved = Settings(engines=[{"name": "engine"}, {"name": "engine2", "symbols": ["ETHUSDT"]}])  # type: ignore[arg-type]
    for name, settings in (("engine", both), ("engine", moved), ("engine2", moved)):
        folder = tmp_path / f"{name}-{len(settings.plan.engines)}"
        _, journal = make_core(settings, name, folder, JournalMode.WRITE)
        with journal:
            journal.recover(lambda *_: None)
            journal.append([CommandRecord(1, 1, GATEWAY, 1, 0, encode(NewOrder(1, 1, Side.BUY, 1_000, 5)))], 0)
        assert verify(folder, engine_figures(settings, name))["state"] == "sound"
        _, other = make_core(both if settings is moved else moved, "engine", folder, JournalMode.WRITE)
        with other, pytest.raises(JournalMismatchError, match=r"must have own_symbols \d+, was \d+"):
            other.recover(lambda *_: None)
        with Journal(folder, COMMANDS, figures_of(engine_capacity(settings, name)), 1) as unknown:
            assert unknown.recover(lambda *_: None).record_count == 1  # as a program of before, which did not note them


@pytest.mark.parametrize(
    ("sol", "xrp", "is_taken"),
    [({"tick_size": "0.0100", "opening_mid": 9}, {}, True), ({"tick_size": "0.1"}, {}, False),
     ({"lot_size": "0.01"}, {}, False), ({"symbol": "XRPUSDT"}, {"symbol": "SOLUSDT"}, False)],
    ids=["nothing that counts", "a tick", "a lot", "the order of the rows"],
)  # fmt: skip
def test_an_engine_refuses_the_journal_of_symbols_that_meant_something_else(
    tmp_path: Path, sol: dict[str, Any], xrp: dict[str, Any], *, is_taken: bool
) -> None:
    """After a change of `[[symbols]]` orders came back at other prices, or in the book of another symbol."""
    row = {"base": "SOL", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.001"}
    before: list[Any] = [{"symbol": "SOLUSDT", **row}, {"symbol": "XRPUSDT", **row}]
    after: list[Any] = [before[0] | sol, before[1] | xrp]
    core, journal = make_core(Settings(symbols=before), "engine", tmp_path, JournalMode.WRITE)  # type: ignore[arg-type]
    with journal:
        core.recover(lambda _: None)
        core.halt([3], 1, 0)
    core, journal = make_core(Settings(symbols=after), "engine", tmp_path, JournalMode.WRITE)  # type: ignore[arg-type]
    refused = pytest.raises(JournalMismatchError, match="must have own_symbols")
    with journal, nullcontext() if is_taken else refused:
        core.recover(lambda _: None)


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


def test_owes_a_source_its_reports_until_it_has_them_unless_it_keeps_none(linked: LinkedCore) -> None:
    """A flow begins anew whatever it is told; the others come back for what they have not acknowledged."""
    for number, source in enumerate(SOURCES):
        end = linked.ends[source]
        order_id = first_order_id(source) + 1
        end.send([NewOrder(order_id, 0, 0, 10 + number, 5, owner=first_owner(source))])
        (frames,) = end.outgoing()
        batch = linked.core.links.receive(b"%d" % source, frames)
        assert batch is not None
        linked.core.handle([batch], 1, 0)
    linked.core.links.outgoing()
    assert linked.core.links.owed == (GATEWAY, Source.PAPER)
    assert linked.core.engine.live_order_count == 3
    linked.kill()
    linked.start()
    assert not linked.core.links.owed, "all have come back and acknowledged"


def test_halt_is_the_operator_s(linked: LinkedCore) -> None:
    """What a halt changes outlives the engine."""
    operator = SourceEnd(Source.OPERATOR, incarnation=1)
    frames = operator.outgoing()[0]
    linked.core.links.receive(b"o", frames)
    for _, reply in linked.core.links.outgoing():
        operator.receive(reply)
    operator.send([HaltSymbol(-1, 1)])
    batch = linked.core.links.receive(b"o", operator.outgoing()[0])
    assert batch is not None
    linked.core.handle([batch], 1, 0)
    payloads = [reply[1] for identity, reply in linked.core.links.outgoing() if identity == b"o"]
    assert len([event for payload in payloads for event in decode_events(payload)]) == len(Settings().instruments)
    linked.kill()
    linked.start()
    assert linked.core.halted_symbols == set(range(len(Settings().instruments)))
    assert not linked.core.is_idle


def test_reports_keep_their_order_when_frames_were_handled_together(linked: LinkedCore) -> None:
    """Refusals are told before what the same batch matched; who has heard a part must get the rest, not a mixture."""
    mine, other = GATEWAY, Source.PAPER
    batches = []
    for order_id in (first_order_id(mine) + 1, first_order_id(other) + 1, first_order_id(mine) + 2):
        linked.ends[mine].send([NewOrder(order_id, 0, 0, 1_000, 5, owner=first_owner(mine))])
        for frames in linked.ends[mine].outgoing():
            batch = linked.core.links.receive(b"%d" % mine, frames)
            assert batch is not None
            batches.append(batch)
    assert len(batches) == 3
    linked.core.handle(batches, linked.time_ns(), 0)
    payloads = [reply[1] for identity, reply in linked.core.links.outgoing() if identity == b"%d" % mine]
    live = [event for payload in payloads for event in decode_events(payload)]
    assert [type(event) for event in live] == [Rejected, Accepted, Accepted]
    linked.kill()
    linked.start()
    assert linked.heard[mine] == live


@pytest.mark.parametrize("step_ns", [0, -NS_PER_SECOND, -3_600 * NS_PER_SECOND, 3_600 * NS_PER_SECOND])
def test_reports_keep_their_order_when_the_clock_stands_or_steps(linked: LinkedCore, step_ns: int) -> None:
    """Frames that were handled one after the other are not taken for handled together because they have one time."""
    mine, other = GATEWAY, Source.PAPER
    live: list[Event] = []
    for turn, order_id in enumerate((first_order_id(mine) + 1, first_order_id(other) + 1, first_order_id(mine) + 2)):
        linked.ends[mine].send([NewOrder(order_id, 0, 0, 1_000, 5, owner=first_owner(mine))])
        for frames in linked.ends[mine].outgoing():
            batch = linked.core.links.receive(b"%d" % mine, frames)
            assert batch is not None
            linked.core.handle([batch], 10**18 + turn * step_ns, 0)
        payloads = [reply[1] for identity, reply in linked.core.links.outgoing() if identity == b"%d" % mine]
        live += [event for payload in payloads for event in decode_events(payload)]
        linked.core.tell(10**18)
    assert [type(event) for event in live] == [Accepted, Rejected, Accepted]
    linked.kill()
    linked.start()
    assert linked.heard[mine] == live


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


def test_a_kept_halt_holds_without_a_command_and_is_replayed(linked: LinkedCore) -> None:
    """The desk's own word is journaled like a command, once; only a symbol that the engine has is halted."""
    gateway = linked.ends[GATEWAY]
    for _ in range(3):
        linked.core.halt([0, 2, 99], linked.time_ns(), 0)
        linked.publish(linked.core.tell(linked.time_ns()))
    assert linked.core.halted_symbols == {0, 2}
    assert linked.core.command_count == 2, "a second time changes nothing"
    linked.kill()
    linked.start()
    linked.core.halt([1, 2], linked.time_ns(), 0)
    linked.publish(linked.core.tell(linked.time_ns()))
    state = linked.core.engine.state_hash()
    for _ in range(2):
        linked.kill()
        linked.start()
        assert linked.core.halted_symbols == {0, 1, 2}
        assert linked.core.engine.state_hash() == state
        linked.core.halt([0, 1, 2], linked.time_ns(), 0)
        assert linked.core.engine.state_hash() == state
    gateway.send([NewOrder(first_order_id(GATEWAY) + 1, 0, Side.BUY, 1_000, 5, owner=first_owner(GATEWAY))])
    linked.settle()
    (refused,) = linked.heard[GATEWAY]
    assert isinstance(refused, Rejected)
    assert refused.reason == RejectReason.SYMBOL_HALTED
    assert linked.core.links.owed == (), "nobody waits for what the desk itself has said"


def test_operator_hears_which_orders_he_has_cancelled(linked: LinkedCore) -> None:
    """Of the symbols that he named, in the engine's words, and not those that a client cancels himself."""
    first, owner = first_order_id(GATEWAY), first_owner(GATEWAY)
    operator = linked.ends[Source.OPERATOR] = SourceEnd(Source.OPERATOR, incarnation=1)
    linked.heard[Source.OPERATOR] = []
    linked.settle()
    gateway = linked.ends[GATEWAY]
    gateway.send([NewOrder(first + n, n % 2, Side.BUY, 1_000, 5, owner=owner) for n in range(1, 6)])
    linked.settle()
    operator.send([MassCancel(1, time_ns=1)])
    linked.settle()
    gateway.send([MassCancel(owner=owner)])
    linked.settle()
    canceled = [event.order_id for event in linked.heard[Source.OPERATOR] if isinstance(event, Canceled)]
    assert canceled == [first + 1, first + 3, first + 5]
    operator.send([MassCancel(-1, time_ns=1)])
    linked.settle()
    assert len(linked.heard[Source.OPERATOR]) == 3
