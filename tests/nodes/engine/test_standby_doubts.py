"""A standby does not believe that it has all where it cannot know, and says to have nothing that it has not kept."""

import os
from pathlib import Path
from typing import Any, Final

import pytest

from bus import standby_link
from bus.order_link import LinkError, SupersededError
from bus.standby_frames import Kind, Position, header_of, standby_frames, term_frames
from journal.checkpoint import checkpoint_paths
from journal.format import JournalMode
from market.codec import decode_events
from nodes.engine.checkpoints import NO_CHECKPOINT, BesideThread
from nodes.engine.command_record import COMMANDS
from nodes.engine.journal_past import pack_beginning
from nodes.engine.making import make_checkpoints
from tests.desk.desk_process import until
from tests.nodes.engine.linked_core import SOURCES, Dice
from tests.nodes.engine.standby_pair import StandbyPair

EPOCH: Final = 7  # of the pair's primary


def _trade(pair: StandbyPair, dice: Dice, steps: int) -> None:
    for _ in range(steps):
        for source in SOURCES:
            pair.give(dice, source)
        pair.step()


def _level_pair(folder: Path) -> tuple[StandbyPair, Dice]:
    pair, dice = StandbyPair(folder), Dice(4)
    pair.settle(20)
    _trade(pair, dice, 20)
    pair.settle(20)
    assert pair.standby.refusal() == ""
    return pair, dice


def test_one_whose_primary_is_followed_by_another_may_not_be_primary(tmp_path: Path) -> None:
    """What is acknowledged is at the other one; that it had all once, before that one came, says nothing of now."""
    pair, _ = _level_pair(tmp_path)
    pair.standby.receive(standby_frames(b"", 0, Kind.REFUSED, EPOCH))
    assert "another standby follows" in pair.standby.refusal()
    pair.kill_standby()
    assert pair.standby.refusal() != ""
    pair.settle()
    assert pair.standby.refusal() == ""


def test_one_that_was_away_while_its_primary_went_on_alone_has_to_have_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary waits for it again, and has acknowledged meanwhile what is still on its way."""
    monkeypatch.setattr(standby_link, "CATCH_UP_BYTES", 1)
    pair, dice = _level_pair(tmp_path)
    pair.standby.close()
    pair.follower = None
    pair.is_awaited = False
    pair.kill_primary()
    pair.settle(20)
    heard = len(pair.heard[SOURCES[0]])
    _trade(pair, dice, 20)
    assert len(pair.heard[SOURCES[0]]) > heard, "it acknowledges alone"
    pair.is_awaited = True
    pair.kill_primary()
    pair.follower = pair.started_standby()
    _assert_refuses_until_it_has_all(pair)


def test_one_that_lacks_what_it_had_said_to_have_has_to_have_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk has lost it, or its folder is that of a backup: it was acknowledged long ago."""
    monkeypatch.setattr(standby_link, "CATCH_UP_BYTES", 1)
    pair, _ = _level_pair(tmp_path)
    pair.standby.close()
    path = COMMANDS.files(pair.folders["standby"] / "journal")[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pair.cut()
    pair.follower = pair.started_standby()
    _assert_refuses_until_it_has_all(pair)


def _assert_refuses_until_it_has_all(pair: StandbyPair) -> None:
    refused = 0
    for _ in range(400):
        pair.pass_on_some()
        if pair.standby.figures(0)["is_following"] and pair.standby.journal is not None:
            lacks = pair.standby.journal.sequence < pair.primary.journal.sequence
            assert not lacks or "has not had all" in pair.standby.refusal()
            refused += lacks
    assert refused > 5
    assert pair.standby.refusal() == ""


@pytest.mark.parametrize("content", [b"", b"\xc1", "of another record"])
def test_what_it_cannot_begin_with_it_does_not_say_to_have(tmp_path: Path, content: Any) -> None:
    """The primary would acknowledge all up to there; it stays where it was, and asks again."""
    pair, _ = _level_pair(tmp_path)
    standby = pair.standby
    assert standby.journal is not None
    kept = sorted(path.name for path in (pair.folders["standby"] / "journal").iterdir())
    if content == "of another record":
        primary = pair.primary
        make_checkpoints(pair.settings["primary"], "engine", primary.core, primary.journal, BesideThread()).take_last(
            pair.now_ns
        )
        (path,) = checkpoint_paths(pair.folders["primary"] / "journal")
        content = pack_beginning(primary.journal.figures, b"x" * 60, path.read_bytes())
    standby.receive(standby_frames(b"", 1, Kind.STRANGER, EPOCH))
    pair.to_primary.clear()
    far = Position(5_000, 77)
    with pytest.raises(LinkError):
        standby.receive(standby_frames(content, 1, Kind.CHECKPOINT, EPOCH, *far, 0, len(content)))
    for _ in range(30):
        pair.now_ns += 50_000_000
        standby.tick(pair.now_ns, pair.now_ns)
    said = [header_of(frames) for frames in pair.to_primary]
    assert max((sequence for kind, _, sequence, *_ in said if kind == Kind.HAVE), default=0) <= standby.journal.sequence
    assert [sequence for kind, _, sequence, *_ in said if kind == Kind.FOLLOW] == [standby.journal.sequence]
    assert sorted(path.name for path in (pair.folders["standby"] / "journal").iterdir()) == kept


def test_a_turn_that_its_disk_has_a_part_of_is_done_as_one(tmp_path: Path) -> None:
    """Reports of one turn have one order: in two parts they would have another one, and other numbers."""
    pair, dice = _level_pair(tmp_path)
    source = SOURCES[0]
    pair.ends[source].send([dice.command(source)])
    pair.ends[source].send_encoded(b"\xc1", 1)  # none, which is refused before anything is matched
    pair.step()
    pair.settle(10)
    pair.standby.close()
    path = COMMANDS.files(pair.folders["standby"] / "journal")[-1]
    os.truncate(path, path.stat().st_size - 3)
    pair.cut()
    pair.follower = pair.started_standby()
    pair.settle(40)
    assert pair.standby.core is not None
    assert pair.standby.core.engine.state_hash() == pair.primary.core.engine.state_hash()
    (told,) = [peer.unacknowledged for peer in pair.standby.core.links.state() if peer.source == source]
    assert [event for frame in told for event in decode_events(frame.payload)] == pair.heard[source]


def test_what_is_wrong_with_its_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a primary does: a torn tail, a checkpoint that was not used, one that could not be written."""
    pair, dice = _level_pair(tmp_path)
    pair.standby.close()
    journal = pair.folders["standby"] / "journal"
    path = COMMANDS.files(journal)[-1]
    os.truncate(path, path.stat().st_size - 3)
    (journal / "checkpoint-000000000005.state").write_bytes(b"none")
    pair.cut()
    pair.follower = pair.started_standby()
    assert [what for what, _ in pair.warned] == ["a checkpoint was not used", "the journal's torn tail was cut off"]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nodes.engine.checkpoints.write_checkpoint", full)
    for _ in range(3):
        pair.now_ns += 40_000_000_000
        _trade(pair, dice, 10)
        pair.settle(20)

    def told() -> list[str]:
        pair.settle(1)  # a thread writes beside it, as soon as it may
        return [why for what, why in pair.warned if what == NO_CHECKPOINT]

    assert "No space left on device" in until("it is told", told)[0]


def test_a_primary_without_a_good_checkpoint_goes_on_without_a_standby(tmp_path: Path) -> None:
    """Its next checkpoint may be good; that one asks again until then."""
    pair, dice = StandbyPair(tmp_path, is_awaited=False), Dice(4)
    pair.standby.close()
    pair.follower = None
    pair.settle(20)
    _trade(pair, dice, 20)
    pair.kill_primary()
    journal = pair.folders["primary"] / "journal"
    COMMANDS.files(journal)[0].unlink()  # pruned behind checkpoints that the disk has damaged since
    pair.follower = pair.started_standby()
    pair.settle(60)
    assert "checkpoint" in pair.primary.bad[0]
    assert pair.standby.core is None
    primary = pair.primary
    _trade(pair, dice, 5)
    checkpoints = make_checkpoints(pair.settings["primary"], "engine", primary.core, primary.journal, BesideThread())
    checkpoints.take_last(pair.now_ns)
    assert checkpoints.failure == ""
    pair.settle(60)
    assert pair.standby.core is not None
    assert pair.standby.core.engine.state_hash() == primary.core.engine.state_hash()


def test_a_primary_that_nobody_may_follow_hears_of_a_higher_term_all_the_same(tmp_path: Path) -> None:
    """It was told to go on alone after its standby had been promoted: two would be primary."""
    pair, _ = _level_pair(tmp_path)
    primary = pair.primary
    turns = primary.turns
    turns._followed = None
    primary.snapshots.inbox.append([b"x", b"standby", *standby_frames(b"", 0, Kind.FOLLOW, 0, 0, 0, 5)])
    primary.snapshots.inbox.append([b"x", b"standby", b"", b""])
    primary.snapshots.inbox.append([b"x", b"standby", *term_frames(0)])
    turns.take_questions()
    primary.snapshots.inbox.append([b"x", b"standby", *term_frames(1)])
    with pytest.raises(SupersededError, match="with term 1"):
        turns.take_questions()


def test_a_standby_has_nothing_that_the_disk_of_its_primary_may_lose(tmp_path: Path) -> None:
    """After a power failure it would have more than the primary, and stay down until a person acts, for nothing."""
    pair, dice = StandbyPair(tmp_path, mode=JournalMode.GROUP), Dice(4)
    pair.settle(20)
    receive, ahead = pair.standby.receive, []

    def watched(frames: list[bytes]) -> None:
        receive(frames)
        assert pair.standby.journal is not None
        ahead.append(pair.standby.journal.sequence - pair.primary.journal.synced_sequence)

    pair.standby.receive = watched  # type: ignore[method-assign]
    for step in range(40):
        for source in SOURCES:
            pair.give(dice, source)
            pair.primary.orders.inbox.extend([b"%d" % source, *frames] for frames in pair.ends[source].outgoing())
        pair.primary.turns.take_orders()
        pair.pass_on()
        if step % 3 == 0:
            pair.step()
    assert max(ahead) <= 0
    synced = pair.primary.journal.synced_sequence
    pair.give(dice, SOURCES[0])
    pair.primary.orders.inbox.extend([b"%d" % SOURCES[0], *frames] for frames in pair.ends[SOURCES[0]].outgoing())
    pair.primary.turns.take_orders()
    pair.pass_on()
    assert pair.primary.journal.sequence > synced
    pair.primary.kill()
    path = COMMANDS.files(pair.folders["primary"] / "journal")[-1]
    os.truncate(path, path.stat().st_size - 3)
    pair.cut()
    pair._lose_orders()
    pair.primary = pair.started_primary()
    pair.settle()
    assert pair.standby.journal is not None
    assert pair.standby.journal.sequence == pair.primary.journal.sequence > synced
    assert pair.standby.refusal() == ""
