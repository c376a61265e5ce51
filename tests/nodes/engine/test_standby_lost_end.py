"""A primary whose disk has lost its end, and a standby that is stopped: what one alone has is not forgotten."""

import os
from pathlib import Path

import pytest

from desk.run_dir import StayDownError
from journal.checkpoint import checkpoint_paths, sequence_of
from nodes.engine.checkpoints import BesideThread
from nodes.engine.command_record import COMMANDS
from nodes.engine.making import make_checkpoints
from tests.nodes.engine.linked_core import SOURCES, Dice
from tests.nodes.engine.standby_pair import StandbyPair


def _traded(pair: StandbyPair, dice: Dice, steps: int = 20) -> None:
    for _ in range(steps):
        for source in SOURCES:
            pair.give(dice, source)
        pair.step()
    pair.settle(20)


def _level_pair(folder: Path, *, is_awaited: bool = True) -> tuple[StandbyPair, Dice]:
    pair, dice = StandbyPair(folder, is_awaited=is_awaited), Dice(4)
    pair.settle(20)
    _traded(pair, dice)
    return pair, dice


def _take_checkpoint(pair: StandbyPair) -> int:
    """Let the primary take its last checkpoint, if it may; return the record behind which its newest one stands."""
    primary = pair.primary
    may_take = lambda: primary.followed.may_checkpoint  # noqa: E731
    settings = pair.settings["primary"]
    make_checkpoints(settings, "engine", primary.core, primary.journal, BesideThread(), may_take).take_last(1)
    return max(map(sequence_of, checkpoint_paths(primary.journal.folder)), default=0)


def _lose_end(pair: StandbyPair) -> None:
    pair.primary.kill()
    path = COMMANDS.files(pair.folders["primary"] / "journal")[-1]
    os.truncate(path, path.stat().st_size - 3)
    pair.cut()


def test_a_primary_makes_no_checkpoint_before_its_standby_agrees(tmp_path: Path) -> None:
    """Behind other records in the place of the lost ones: the standby would forget what it alone has."""
    pair, _ = _level_pair(tmp_path)
    standby = pair.standby
    assert standby.journal is not None
    had, state = standby.journal.sequence, standby.journal.last
    _lose_end(pair)
    pair.primary, pair.follower = pair.started_primary(), None
    for symbol_id in range(3):
        assert pair.primary.turns.halt([symbol_id])
    assert pair.primary.journal.sequence > had
    assert _take_checkpoint(pair) == 0
    pair.follower = standby
    with pytest.raises(StayDownError, match=f"its journal is another one before record {had}. Promote this engine, or"):
        pair.pass_on_for(60)
    assert (standby.journal.sequence, standby.journal.last) == (had, state)
    assert standby.refusal() == ""


def test_a_primary_whose_standby_agrees_makes_them_again(tmp_path: Path) -> None:
    """In each life anew; and one that waits for nobody needs nobody's word."""
    pair, dice = _level_pair(tmp_path)
    assert _take_checkpoint(pair) == pair.primary.journal.sequence
    pair.kill_primary()
    _traded(pair, dice)
    assert _take_checkpoint(pair) == pair.primary.journal.sequence
    (tmp_path / "alone").mkdir()
    alone, _ = _level_pair(tmp_path / "alone", is_awaited=False)
    alone.kill_primary()
    assert _take_checkpoint(alone) == alone.primary.journal.sequence


def test_one_that_may_not_be_promoted_does_not_advise_it(tmp_path: Path) -> None:
    """Its primary did not wait for it: there is one way alone."""
    pair, _ = _level_pair(tmp_path, is_awaited=False)
    _lose_end(pair)
    pair.primary = pair.started_primary()
    with pytest.raises(StayDownError, match=r"Move .*journal away to follow that one: this one may not take its place"):
        pair.pass_on_for(60)


@pytest.mark.parametrize("is_alone", [False, True])
def test_another_release_goes_on_from_what_both_have_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_alone: bool
) -> None:
    """A standby that is stopped leaves a checkpoint, too, also where its primary was stopped first; it left none."""
    pair, dice = _level_pair(tmp_path)
    standby = pair.standby
    assert standby.core is not None
    had = _take_checkpoint(pair)
    pair.primary.kill()
    if is_alone:
        for _ in range(60):
            pair.now_ns += 50_000_000
            standby.tick(pair.now_ns, pair.now_ns)
        assert not standby.figures(pair.now_ns)["is_following"]
    standby.stop(pair.now_ns)
    standby.close()
    assert sequence_of(checkpoint_paths(pair.folders["standby"] / "journal")[-1]) == had
    monkeypatch.setattr(COMMANDS, "version", COMMANDS.version + 1)
    pair.cut()
    pair._lose_orders()
    pair.primary, pair.follower = pair.started_primary(), pair.started_standby()
    assert pair.standby.core is not None
    assert pair.standby.core.engine.state_hash() == standby.core.engine.state_hash()
    _traded(pair, dice)
    assert pair.standby.refusal() == ""
    assert pair.standby.core.engine.state_hash() == pair.primary.core.engine.state_hash()
    assert pair.primary.journal.sequence > had
    assert not pair.folders["standby"].joinpath("journal.before").exists(), "it had to begin nothing anew"


def test_a_part_of_a_turn_gets_no_checkpoint(tmp_path: Path) -> None:
    """A standby that has not followed since its start does not know whether its last turn is whole."""
    pair, _ = _level_pair(tmp_path)
    standby = pair.standby
    assert standby.journal is not None
    standby.close()
    pair.cut()
    fresh = pair.started_standby()
    fresh.stop(1)
    fresh.close()
    assert not checkpoint_paths(pair.folders["standby"] / "journal")
