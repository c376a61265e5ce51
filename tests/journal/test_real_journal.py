"""Damage to a journal of real frames, some kilobytes of it: what a flipped bit or a cut leaves is never other commands.

The tests look at every 97th bit and every 13th cut; `python -m tests.journal.test_real_journal` at all of them.
"""

import sys
import tempfile
from pathlib import Path
from random import Random

from journal.format import JournalError, JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from market.codec import encode_all
from market.commands import CancelOrder, Command, NewOrder
from nodes.engine.command_record import COMMANDS, CommandRecord
from tests.journal.records import EPOCH, FIGURES, Read, boundaries
from tests.journal.test_damage import flipped

FRAMES = 120
BIT_STEP, CUT_STEP = 97, 13


def written(folder: Path) -> tuple[Read, list[int], bytes]:
    """Write a journal of orders and cancels, in frames of one to some; return records, their ends, and the file."""
    dice, next_id, sequence = Random(2), 10**12, 1
    records = []
    for number in range(FRAMES):
        commands: list[Command] = []
        for _ in range(dice.choice((1, 1, 1, 2, 4, 12))):
            next_id += 1
            price = 9_138_500 + dice.randint(-500, 500)
            commands.append(NewOrder(next_id, 0, dice.randrange(2), price, dice.randint(1, 5_000), 2, owner=65_536))
            if dice.random() < 0.4:
                commands.append(CancelOrder(next_id - dice.randrange(3), 0, 65_536))
        records.append(CommandRecord(EPOCH + number, sequence, 1, len(commands), 0, encode_all(commands)))
        sequence += len(commands)
    with Journal(folder, COMMANDS, FIGURES, EPOCH, JournalMode.WRITE) as journal:
        journal.recover(lambda sequence, record: None)
        for start in range(0, FRAMES, 5):
            journal.append(records[start : start + 5], 0)
    ends = boundaries(folder)
    return list(enumerate(records, 1)), ends, COMMANDS.files(folder)[0].read_bytes()


def check_bits(folder: Path, step: int) -> int:
    """Flip bits one at a time, and look at what is read; return how many."""
    records, ends, content = written(folder)
    (path,) = COMMANDS.files(folder)
    for bit in range(0, 8 * len(content), step):
        path.write_bytes(flipped(content, bit))
        reader = JournalReader(folder, COMMANDS, FIGURES)
        read: Read = []
        try:
            read.extend(reader.records())
        except JournalError:
            assert bit // 8 < ends[-2], f"bit {bit}: a bad last record looks like a torn one"
        else:
            assert bit // 8 >= ends[-2], f"bit {bit}: a good record follows"
            assert reader.torn_tail is not None
            assert len(read) == FRAMES - 1
        assert read == records[: len(read)], f"bit {bit}"
    return len(range(0, 8 * len(content), step))


def check_cuts(folder: Path, step: int) -> int:
    """Cut the file, recover from what is left, and go on with it; return how many."""
    records, ends, content = written(folder)
    (path,) = COMMANDS.files(folder)
    for cut in range(0, len(content) + 1, step):
        for left in COMMANDS.files(folder):
            left.unlink()
        path.write_bytes(content[:cut])
        taken: Read = []
        with Journal(folder, COMMANDS, FIGURES, EPOCH + 1, JournalMode.WRITE) as journal:
            done = journal.recover(lambda sequence, record, taken=taken: taken.append((sequence, record)))  # type: ignore[misc]
            whole = max(sum(end <= cut for end in ends) - 1, 0)
            journal.append([record for _, record in records[whole : whole + 1]], 0)
        assert taken == records[:whole], f"cut at {cut}"
        assert (done.torn_tail is None) == (cut in ends), f"cut at {cut}"
        assert list(JournalReader(folder, COMMANDS, FIGURES).records()) == records[: whole + 1], f"cut at {cut}"
    return len(range(0, len(content) + 1, step))


def test_flipped_bit_of_a_real_journal_is_never_read_as_commands(tmp_path: Path) -> None:
    """It is corruption, or a torn tail if it is in the last record; what comes before is read as it was written."""
    assert check_bits(tmp_path, BIT_STEP) > 500


def test_cut_of_a_real_journal_leaves_the_whole_records_before_it(tmp_path: Path) -> None:
    """And the next life goes on behind them."""
    assert check_cuts(tmp_path, CUT_STEP) > 500


if __name__ == "__main__":
    for check in (check_bits, check_cuts):
        with tempfile.TemporaryDirectory() as name:
            sys.stdout.write(f"{check.__name__}: {check(Path(name), 1):,} looked at, all as it must be\n")
