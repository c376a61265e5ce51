"""The engine with its lane and without: the same bytes in the journal, the same reports, the same state."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.order_link import Kind, link_frames
from bus.topology import Source, first_order_id, first_owner
from journal.format import JournalMode
from market.codec import encode_all
from market.commands import CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Executed
from tests.cases import some
from tests.nodes.engine.lane.rig import EPOCH, Calls, Rig, told
from tests.nodes.engine.linked_core import SOURCES, Dice
from tests.one_engine import GATEWAY

SEEDS = some((3, 4, 5, 6), 2)
GATEWAY_ID, OWNER = first_order_id(GATEWAY), first_owner(GATEWAY)
PAPER_ID = first_order_id(Source.PAPER)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder; every process of an engine has the same epoch."""
    monkeypatch.setattr("nodes.engine.making.time_ns", lambda: EPOCH)
    with TemporaryDirectory(prefix="tb-") as name:
        yield Path(name)


@pytest.fixture
def both(folder: Path) -> Iterator[tuple[Rig, Rig]]:
    """An engine with a lane, and one without, whose sources have come."""
    rigs = Rig(folder / "with", Calls()), Rig(folder / "without", None)
    for rig in rigs:
        rig.connect()
    yield rigs
    for rig in rigs:
        rig.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_commands_of_all_sources_leave_the_same_bytes(both: tuple[Rig, Rig], seed: int) -> None:
    """Several frames of several sources are one turn; sources acknowledge now and then."""
    for rig in both:
        dice = Dice(seed)
        for _ in range(200):
            for source in dice.random.sample(SOURCES, dice.random.randrange(1, 4)):
                for _ in range(dice.random.randrange(1, 3)):
                    rig.send(source, [dice.command(source) for _ in range(dice.random.randrange(1, 9))])
            rig.turn()
            if dice.random.random() < 0.2:
                rig.tick()
                rig.turn()
    mine, theirs = map(told, both)
    assert mine == theirs
    assert sum(isinstance(event, Executed) for events in both[0].events.values() for event in events) > 300
    for rig in both:
        assert all(end.acknowledged == end.sent for end in rig.ends.values())
        rig.check_replay()


def _order(number: int, side: int = 0, lots: int = 5, source: int = GATEWAY, symbol_id: int = 0) -> NewOrder:
    return NewOrder(first_order_id(source) + number, symbol_id, side, 1_000, lots, owner=first_owner(source))


ODD: dict[str, list[Command]] = {
    "an order of somebody else": [NewOrder(PAPER_ID + 1, 0, 0, 1_000, 5, owner=OWNER)],
    "an owner of somebody else": [NewOrder(GATEWAY_ID + 9, 0, 0, 1_000, 5, owner=first_owner(Source.PAPER))],
    "one of two is refused": [_order(8), CancelOrder(PAPER_ID + 1, 0, OWNER)],
}


@pytest.mark.parametrize("what", ODD)
def test_a_frame_with_a_refusal_is_done_as_without_a_lane(both: tuple[Rig, Rig], what: str) -> None:
    """It goes to Python as it came: nothing of it was published, journaled or counted before."""
    for rig in both:
        rig.send(GATEWAY, [_order(1)])
        rig.turn()
        rig.send(GATEWAY, ODD[what])
        rig.turn()
        rig.send(GATEWAY, [_order(20, side=1)])
        rig.turn()
        rig.check_replay()
    assert told(both[0]) == told(both[1])
    assert both[0].core.counts.figures()["rejects"]


RAW: dict[str, tuple[bytes, ...]] = {
    "no header": (b"",),
    "a header alone": (link_frames(b"", Kind.COMMANDS, EPOCH, 2, 1, 0)[0],),
    "four parts": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 2, 1, 0), b"more", b"and more"),
    "a header that is none": (b"\x95\x03\x01", encode_all([_order(2)])),
    "a header of six": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 2, 1, 0, 0),),
    "a header behind which something stands": (link_frames(b"", Kind.COMMANDS, EPOCH, 2, 1, 0)[0] + b"\0", b""),
    "a long header": (b"\x95" + b"\xcf" * 100, b""),
    "a negative number": (b"\x95\x03\x4d\x02\x01\xff", encode_all([_order(2)])),
    "another kind": (*link_frames(encode_all([_order(2)]), Kind.REPORTS, EPOCH, 2, 1, 0),),
    "another epoch": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH + 1, 2, 1, 0),),
    "number 0": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 0, 1, 0),),
    "too many": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 2, 4_097, 0),),
    "a gap": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 3, 1, 0),),
    "the same again": (*link_frames(encode_all([_order(1)]), Kind.COMMANDS, EPOCH, 1, 1, 0),),
    "partly the same again": (*link_frames(encode_all([_order(1), _order(2)]), Kind.COMMANDS, EPOCH, 1, 2, 0),),
    "no commands": (*link_frames(b"", Kind.COMMANDS, EPOCH, 2, 0, 0),),
    "no messages": (*link_frames(b"junk", Kind.COMMANDS, EPOCH, 2, 1, 0),),
    "one message more than is said": (*link_frames(encode_all([_order(2), _order(3)]), Kind.COMMANDS, EPOCH, 2, 1, 0),),
    "one message less": (*link_frames(encode_all([_order(2)]), Kind.COMMANDS, EPOCH, 2, 2, 0),),
    "a message that is cut": (*link_frames(encode_all([_order(2)])[:-1], Kind.COMMANDS, EPOCH, 2, 1, 0),),
}  # fmt: skip


@pytest.mark.parametrize("what", RAW)
def test_a_message_that_is_not_ordinary_is_done_as_without_a_lane(both: tuple[Rig, Rig], what: str) -> None:
    """Whatever comes, the next commands are taken as if there was no lane."""
    for rig in both:
        rig.send(GATEWAY, [_order(1)])
        rig.turn()
        rig.send_raw(GATEWAY, *RAW[what])
        rig.turn()
        rig.tick()
        rig.turn()
        rig.send(Source.PAPER, [_order(1, side=1, lots=2, source=Source.PAPER)])
        rig.turn()
        rig.check_replay()
    assert told(both[0]) == told(both[1])


def test_what_the_operator_says_is_done_as_without_a_lane(both: tuple[Rig, Rig]) -> None:
    """His commands concern everybody's orders, and are told to him, too."""
    for rig in both:
        operator = rig.join(Source.OPERATOR)
        rig.send(GATEWAY, [_order(1), _order(2)])
        rig.send(Source.PAPER, [_order(1, source=Source.PAPER)])
        rig.turn()
        rig.send(operator, [HaltSymbol(0, 1, 0), MassCancel(time_ns=0)])
        rig.turn()
        rig.send(GATEWAY, [_order(3)])
        rig.turn()
        rig.send(operator, [HaltSymbol(0, 0, 0)])
        rig.turn()
        rig.send(GATEWAY, [_order(4)])
        rig.turn()
        rig.check_replay()
        assert rig.core.engine.live_order_count == 1
    assert told(both[0]) == told(both[1])


def test_an_order_sweeps_more_than_the_ring_of_events_holds(both: tuple[Rig, Rig]) -> None:
    """The kernel stops in the middle of the turn, Python ends it; the next ones are the lane's again."""
    for rig in both:
        for start in range(0, 9_000, 3_000):
            rig.send(GATEWAY, [_order(start + number, lots=1) for number in range(1, 3_001)])
            rig.turn()
        rig.send(Source.PAPER, [_order(1, side=1, lots=9_500, source=Source.PAPER)])
        rig.send(GATEWAY, [_order(9_001)])
        rig.turn()
        rig.send(GATEWAY, [_order(9_002)])
        rig.turn()
        rig.check_replay()
        assert len(rig.events[Source.PAPER]) > 9_000
    assert told(both[0]) == told(both[1])


def test_nothing_is_written_in_mode_none(folder: Path) -> None:
    """The sequence rises all the same: acknowledgements and checkpoints go by it."""
    rigs = Rig(folder / "with", Calls(), JournalMode.NONE), Rig(folder / "without", None, JournalMode.NONE)
    for rig in rigs:
        rig.connect()
        for number in range(1, 4):
            rig.send(GATEWAY, [_order(number)])
            rig.turn()
        assert rig.journal.sequence == 3
        assert not rig.journal_bytes()
        rig.close()
    assert told(rigs[0]) == told(rigs[1])


def test_records_that_begin_the_next_file_are_journaled_as_without_a_lane(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel leaves the journal of that turn to Python, and goes on behind it."""
    monkeypatch.setattr("nodes.engine.making.JOURNAL_FILE_BYTES", (1 << 20) + 200)
    rigs = Rig(folder / "with", Calls()), Rig(folder / "without", None)
    for rig in rigs:
        rig.connect()
        for turn in range(16):
            for part in range(2):
                first = (turn * 2 + part) * 4_096
                rig.send(GATEWAY, [_order(first + number, lots=1) for number in range(1, 4_097)])
            rig.turn()
        rig.send_raw(GATEWAY, *RAW["no header"])
        rig.turn()
        assert len(rig.journal_bytes()) > 2
        rig.check_replay()
        rig.close()
    assert told(rigs[0]) == told(rigs[1])
