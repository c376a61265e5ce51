"""A standby has what its primary has acknowledged, whatever dies or is lost, and goes on in its place."""

from pathlib import Path
from typing import Final

import pytest

from bus import standby_link
from bus.order_link import LinkError, SupersededError
from bus.standby_end import Arrived
from bus.standby_frames import Kind, header_of, standby_frames
from desk.role_file import Role, RoleFile
from desk.run_dir import NodeError, StayDownError
from journal.checkpoint import checkpoint_paths
from journal.format import JournalError, JournalMode
from market.commands import NewOrder
from nodes.engine import followed, follower
from nodes.engine.checkpoints import BesideThread
from nodes.engine.command_record import COMMANDS
from nodes.engine.follower import records_of
from nodes.engine.making import make_checkpoints, make_core
from tests.nodes.engine.linked_core import SOURCES, Dice
from tests.nodes.engine.standby_pair import Primary, StandbyPair

SEEDS: Final = range(12)


def _lives(pair: StandbyPair, dice: Dice, steps: int = 60, deaths: float = 0.08, loss: float = 0.05) -> None:
    """Let sources trade while either dies now and then and frames are lost."""
    random = dice.random
    for _ in range(steps):
        for _ in range(random.randrange(4)):
            pair.give(dice, random.choice(SOURCES))
        pair.step(lambda: random.random() < loss)
        if random.random() < deaths:
            random.choice((pair.cut, pair.kill_primary, pair.kill_standby))()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_acknowledged_is_lost_or_doubled_when_the_standby_takes_over(tmp_path: Path, seed: int) -> None:
    """Every report that a source has had, in its order, is what the standby's journal says; so is what follows."""
    mode = (JournalMode.WRITE, JournalMode.GROUP, JournalMode.SYNC)[seed % 3]
    pair, dice = StandbyPair(tmp_path, mode=mode), Dice(seed)
    pair.settle(10)
    _lives(pair, dice)
    pair.settle()
    _lives(pair, dice, deaths=0)
    at_death = {source: len(heard) for source, heard in pair.heard.items()}
    pair.promote()
    _lives(pair, dice, steps=20, deaths=0)
    pair.settle()
    assert all(end.is_connected and end.acknowledged == end.sent for end in pair.ends.values())
    assert all(len(heard) > at_death[source] > 50 for source, heard in pair.heard.items())
    pair.primary.kill()
    told = pair.told("standby")
    assert {source: told[source] for source in SOURCES} == pair.heard


def test_its_engine_is_in_the_state_of_its_primary_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is compared on the way; the journals are the same, byte for byte behind their headers."""
    monkeypatch.setattr(followed, "HASH_NS", 0)
    pair, dice = StandbyPair(tmp_path), Dice(3)
    pair.settle(20)
    _lives(pair, dice, deaths=0, loss=0)
    pair.settle(40)
    standby, primary = pair.standby, pair.primary
    assert standby.core is not None
    assert standby.core.engine.state_hash() == primary.core.engine.state_hash()
    assert standby.hashed_sequence == primary.journal.sequence > 50
    records = [COMMANDS.files(pair.folders[name] / "journal")[0].read_bytes()[64:] for name in ("primary", "standby")]
    assert records[0] == records[1]
    assert standby.core.links.state() == primary.core.links.state()
    figures = standby.figures(pair.now_ns)
    assert (figures["lag"], figures["is_following"], figures["is_awaited"]) == (0, True, True)


def test_a_standby_that_is_another_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the record behind which it was seen."""
    monkeypatch.setattr(followed, "HASH_NS", 0)
    pair = StandbyPair(tmp_path)
    pair.settle(20)
    assert pair.standby.core is not None
    pair.standby.core.halt([0], 5, 5)  # a journal and a state of its own
    pair.standby.journal = pair.primary.journal
    with pytest.raises(StayDownError, match=r"behind record \d+ the state is [0-9a-f]{16} here and"):
        _lives(pair, Dice(3), deaths=0, loss=0)


def test_nothing_is_acknowledged_while_no_standby_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more is taken than a bound; the primary says what it waits for, and goes on when one is back."""
    monkeypatch.setattr(followed, "AHEAD_RECORDS_MAX", 5)
    pair, dice = StandbyPair(tmp_path), Dice(4)
    pair.settle(20)
    pair.standby.close()
    pair.follower = None
    before = {source: len(heard) for source, heard in pair.heard.items()}
    for _ in range(60):
        pair.give(dice, SOURCES[0])
        pair.step()
    assert {source: len(heard) for source, heard in pair.heard.items()} == before
    assert pair.primary.followed.is_full
    assert 5 <= pair.primary.journal.sequence <= 10
    assert pair.primary.followed.is_stalled
    waits = str(pair.primary.followed.figures(pair.now_ns)["waits_for"])
    assert waits == f"{pair.primary.journal.sequence} records wait for a standby, nothing is acknowledged"
    pair.follower = pair.started_standby()
    pair.connection += 1
    pair.settle()
    assert len(pair.heard[SOURCES[0]]) > before[SOURCES[0]]
    assert not pair.primary.followed.is_full
    assert pair.primary.followed.figures(pair.now_ns)["waits_for"] == ""


def test_what_is_held_back_does_not_grow_while_sources_ask_again_and_again(tmp_path: Path) -> None:
    """Each HELLO would bring another WELCOME with all reports: held back for hours, they would fill the memory."""
    pair, dice = StandbyPair(tmp_path), Dice(4)
    pair.settle(20)
    pair.standby.close()
    pair.follower = None
    for source in SOURCES:
        pair.give(dice, source)
    pair.settle(60)
    held = len(pair.primary.turns._held)
    assert held > 0
    pair.settle(60)
    assert len(pair.primary.turns._held) == held
    pair.follower = pair.started_standby()
    pair.connection += 1
    pair.settle()
    assert not pair.primary.turns.is_held
    assert all(end.is_connected for end in pair.ends.values())


def test_nothing_is_said_to_be_kept_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing ends the standby, and nothing was acknowledged by it."""
    pair, dice = StandbyPair(tmp_path), Dice(4)
    pair.settle(20)
    assert pair.standby.journal is not None

    def full(*_: object) -> int:
        raise JournalError("no room")

    monkeypatch.setattr(pair.standby.journal, "append", full)
    has = pair.primary.followed.acknowledged_sequence
    pair.give(dice, SOURCES[0])
    with pytest.raises(JournalError, match="no room"):
        pair.settle(5)
    pair.primary.snapshots.inbox.extend([b"standby 0", b"standby", *frames] for frames in pair.to_primary)
    pair.primary.turns.take_questions()
    assert pair.primary.followed.acknowledged_sequence == has < pair.primary.journal.sequence


def test_one_that_does_not_wait_acknowledges_alone_and_may_not_be_replaced(tmp_path: Path) -> None:
    """Its standby says why: what was acknowledged may not be there."""
    pair, dice = StandbyPair(tmp_path, is_awaited=False), Dice(4)
    pair.settle(20)
    _lives(pair, dice, deaths=0, loss=0)
    assert "did not wait for it" in pair.standby.refusal()
    pair.standby.close()
    pair.follower = None
    before = len(pair.heard[SOURCES[0]])
    _lives(pair, dice, deaths=0)
    assert len(pair.heard[SOURCES[0]]) > before


def test_one_that_has_nothing_may_not_be_primary(tmp_path: Path) -> None:
    """It would begin with an empty book."""
    pair = StandbyPair(tmp_path)
    assert "never had anything" in pair.standby.refusal()


def test_one_that_has_not_had_all_may_not_be_primary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lacks may have been acknowledged with another standby; once it has had all it may, and still does."""
    monkeypatch.setattr(standby_link, "CATCH_UP_BYTES", 1)
    pair, dice = StandbyPair(tmp_path), Dice(4)
    pair.settle(20)
    _lives(pair, dice, steps=20, deaths=0, loss=0)
    pair.settle(20)
    pair.standby.close()
    for path in (pair.folders["standby"] / "journal", RoleFile(pair.folders["standby"], "engine").path):
        path.rename(tmp_path / path.name)
    pair.cut()
    pair.follower = pair.started_standby()
    seen = set()
    for _ in range(400):
        pair.pass_on_some()
        seen.add(pair.standby.refusal().partition(" of ")[0])
    assert pair.standby.journal is not None
    assert pair.standby.journal.sequence == pair.primary.journal.sequence
    assert seen >= {"it has never had anything", "it has not had all", ""}
    pair.kill_standby()
    assert pair.standby.refusal() == ""


def _with_a_checkpoint(pair: StandbyPair, dice: Dice) -> None:
    """Let the primary go on alone, and prune what is before its checkpoint."""
    _lives(pair, dice, deaths=0, loss=0)
    pair.settle(10)
    primary, beside = pair.primary, BesideThread()
    make_checkpoints(pair.settings["primary"], "engine", primary.core, primary.journal, beside).take_last(pair.now_ns)
    _lives(pair, dice, steps=10, deaths=0, loss=0)


def test_one_that_comes_late_begins_behind_a_checkpoint_and_starts_again_from_its_own_disk(tmp_path: Path) -> None:
    """It has the record that the checkpoint stands behind, and so can use it itself."""
    pair, dice = StandbyPair(tmp_path, is_awaited=False), Dice(5)
    pair.standby.close()
    pair.follower = None
    pair.settle(10)
    _with_a_checkpoint(pair, dice)
    pair.follower = pair.started_standby()
    pair.settle(40)
    (taken,) = checkpoint_paths(pair.folders["standby"] / "journal")
    assert taken.name == checkpoint_paths(pair.folders["primary"] / "journal")[-1].name
    assert COMMANDS.number_of(COMMANDS.files(pair.folders["standby"] / "journal")[0]) == follower.FIRST_FILE
    for _ in range(2):
        assert pair.standby.core is not None
        assert pair.standby.core.engine.state_hash() == pair.primary.core.engine.state_hash()
        assert pair.standby.core.checkpoint_sequence > 20
        assert pair.standby.core.links.state() == pair.primary.core.links.state()
        pair.kill_standby()
        _lives(pair, dice, steps=10, deaths=0, loss=0)
        pair.settle(30)


def test_a_primary_that_has_lost_what_it_has_told_is_not_followed(tmp_path: Path) -> None:
    """What the standby has may be all that is left of it."""
    pair, dice = StandbyPair(tmp_path), Dice(6)
    pair.settle(20)
    _lives(pair, dice, deaths=0, loss=0)
    pair.settle(20)
    pair.primary.kill()
    path = COMMANDS.files(pair.folders["primary"] / "journal")[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pair.cut()
    pair.primary = pair.started_primary()
    with pytest.raises(StayDownError, match=r"the primary has not what it has told us before.*Promote this engine, or"):
        pair.pass_on_for(120)
    assert pair.standby.refusal() == ""


def test_a_primary_that_has_begun_with_an_empty_book_is_not_followed_while_orders_are_open(tmp_path: Path) -> None:
    """Its journal was moved away, perhaps by mistake."""
    pair = StandbyPair(tmp_path)
    pair.settle(20)
    gateway = SOURCES[0]
    pair.ends[gateway].send([NewOrder(Dice(1).next_id[gateway] + 1, 0, 0, 1_000, 5, owner=65_536)])
    pair.settle(20)
    pair.primary.kill()
    (pair.folders["primary"] / "journal").rename(tmp_path / "away")
    pair.cut()
    core, journal = make_core(pair.settings["primary"], "engine", pair.folders["primary"] / "journal", pair.mode, 8)
    core.recover(lambda _: None)
    pair.primary = Primary(core, journal, pair.now)
    with pytest.raises(StayDownError, match="has begun with an empty book, and 1 order is open here"):
        pair.pass_on_for(60)


def test_one_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    """The same commands would mean something else."""
    pair = StandbyPair(tmp_path)
    pair.standby.close()
    engine = pair.settings["standby"].engine.model_copy(update={"orders_max": 1_000})
    pair.settings["standby"] = pair.settings["standby"].model_copy(update={"engine": engine})
    pair.follower = pair.started_standby()
    pair.connection += 1
    with pytest.raises(StayDownError, match="must have orders_max 1000, was 65536: primary and standby have the same"):
        pair.settle(10)


def test_the_term_is_kept_before_it_is_used_and_fences_the_former_primary(tmp_path: Path) -> None:
    """A source that knows it ends an engine of a lower one, and goes with none; so does a standby."""
    pair, dice = StandbyPair(tmp_path), Dice(7)
    pair.settle(20)
    _lives(pair, dice, deaths=0, loss=0)
    former = pair.primary
    core, journal = pair.standby.promote("a wish")
    kept = RoleFile(pair.folders["standby"], "engine").read()
    assert (kept.term, kept.role, kept.asked, kept.refusal) == (1, "primary", "a wish", "")
    pair.follower = None
    pair.primary = Primary(core, journal, pair.now, kept.term, is_awaited=False)
    for end in pair.ends.values():
        end.turn_to_another()
    pair.settle(30)
    assert all(end.term == 1 for end in pair.ends.values())
    end = pair.ends[SOURCES[0]]
    end.turn_to_another()
    (hello,) = end.outgoing()
    former.orders.inbox.append([b"1", *hello])
    with pytest.raises(SupersededError, match="with term 1"):
        former.turns.take_orders()
    former.core.links.term = 0
    welcome = [b"\x96\x02\x07\x00\x00\x00\x00", b""]
    assert end.receive(welcome) == []
    assert (end.is_outdated, end.is_connected) == (True, False)


def test_a_wish_of_before_its_start_is_not_granted(tmp_path: Path) -> None:
    """Whoever had it was told that nobody answers: hours later two would be primary."""
    pair = StandbyPair(tmp_path)
    file = RoleFile(pair.folders["standby"], "engine")
    file.wish("of yesterday")
    pair.kill_standby()
    assert file.take_wish() == ""
    file.wish("of now")
    assert file.take_wish() == "of now"


def test_a_role_that_cannot_be_read_stops_the_engine(tmp_path: Path) -> None:
    """Two might take themselves for primary."""
    file = RoleFile(tmp_path, "engine")
    assert file.read() == Role()
    file.write(Role.new_standby())
    assert (file.read().role, file.read().who > 0) == ("standby", True)
    file.path.write_bytes(b'{"term": 1')
    with pytest.raises(NodeError, match="is damaged"):
        file.read()


def test_a_frame_of_records_that_are_none_is_refused(tmp_path: Path) -> None:
    """Nothing of it is kept, and it is asked for again."""
    pair, dice = StandbyPair(tmp_path), Dice(8)
    pair.settle(20)
    pair.give(dice, SOURCES[0])
    pair.primary.orders.inbox.extend([b"1", *frames] for frames in pair.ends[SOURCES[0]].outgoing())
    pair.primary.turns.take_orders()
    records = [frames[2:] for frames in pair.primary.snapshots.take() if frames[3]]
    (head, payload) = records[-1]
    kind, _, first, count, *_ = header_of([head, payload])
    assert kind == Kind.RECORDS
    for bad in (payload[:-1], payload + b"x", payload[:-1] + bytes([payload[-1] ^ 1]), b""):
        with pytest.raises(LinkError, match="expected"):
            list(records_of(Arrived(first, count, bad)))
        with pytest.raises(LinkError, match="expected"):
            pair.standby.receive(standby_frames(bad, 0, Kind.RECORDS, 7, first, count, first))
    assert pair.standby.journal is not None
    assert pair.standby.journal.sequence == first - 1
    pair.settle(40)
    assert pair.standby.journal.sequence == pair.primary.journal.sequence
    assert len(list(records_of(Arrived(first, count, payload)))) == count
