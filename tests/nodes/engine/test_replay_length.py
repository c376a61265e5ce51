"""How much a start may have to replay: records, and the commands in them."""

from pathlib import Path
from typing import Final

from bus.topology import Source
from journal.checkpoint import checkpoint_paths
from journal.pruning import Keep, Retention
from nodes.engine.checkpoints import COMMANDS_PER_RECORD, Checkpoints, CheckpointTimes, Work
from tests.nodes.engine.linked_core import Dice, LinkedCore

EVERY_TEN: Final = CheckpointTimes(10**18, 10)
ALL: Final = Retention(Keep.ALL, 0, 0)


def _checkpoints(linked: LinkedCore) -> Checkpoints:
    def at_once(work: Work) -> None:
        work()

    return Checkpoints(linked.core, linked.journal, EVERY_TEN, ALL, at_once)


def _send(linked: LinkedCore, dice: Dice, count: int) -> None:
    linked.ends[Source.PAPER].send([dice.command(Source.PAPER) for _ in range(count)])
    linked.settle()


def test_a_record_of_many_commands_counts_for_more(tmp_path: Path) -> None:
    """Records alone would let a start replay any number of commands."""
    linked, dice = LinkedCore(tmp_path / "journal"), Dice(5)
    checkpoints = _checkpoints(linked)
    for sequence in range(1, 4):
        _send(linked, dice, 2 * COMMANDS_PER_RECORD)  # each counts for three
        checkpoints.look(sequence, 0)
        assert checkpoints.sequence == 0
    _send(linked, dice, 1)
    checkpoints.look(4, 0)
    assert checkpoints.sequence == 4
    linked.journal.close()


def test_kills_do_not_add_up(tmp_path: Path) -> None:
    """What a start has replayed counts for the next checkpoint: else starts grow with each kill."""
    linked, dice = LinkedCore(tmp_path / "journal"), Dice(6)
    _send(linked, dice, 1)
    checkpoints = _checkpoints(linked)
    checkpoints.take_last(0)
    for _ in range(3):
        _send(linked, dice, 2 * COMMANDS_PER_RECORD)
        linked.kill()
        linked.start()
        checkpoints = _checkpoints(linked)
        assert (linked.core.checkpoint_sequence, len(checkpoint_paths(tmp_path / "journal"))) == (1, 1)
    _send(linked, dice, 1)
    checkpoints.look(1, 0)
    assert checkpoints.sequence == 5
    linked.journal.close()
