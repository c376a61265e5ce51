"""A process that writes a journal until it is killed or refused: `... FOLDER MODE [POINT]`.

It says the sequence of each batch on a line once it may be acknowledged. With a POINT, one of `POINTS`, it kills itself
there after some batches; `limit` lets no file grow beyond 64 KiB. Refused, it says why and exits with `REFUSED`.
"""

import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from journal.format import JournalError, JournalMode
from journal.journal import Journal
from nodes.engine.command_record import COMMANDS, CommandRecord
from tests.journal.records import EPOCH, FIGURES, record_of

POINTS = ("before write", "within write", "after write")
REFUSED = 3
FILE_BYTES_MAX = 64 * 1024
BATCHES_BEFORE_POINT = 20


def payload_size(sequence: int) -> int | None:
    """Return a size that makes some records long enough to be killed in: most are short, every 50th is not."""
    return 100_000 if sequence % 50 == 49 else None


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL came back")


def _arm(point: str) -> None:
    """Make the process kill itself at `point` of its next write."""
    write = os.write

    def deadly(descriptor: int, content: Any) -> int:
        if point == "within write":
            write(descriptor, content[: len(content) // 2])
        elif point == "after write":
            write(descriptor, content)
        _die()

    os.write = deadly


def _serve(journal: Journal[CommandRecord], point: str | None) -> None:
    dice = random.Random(journal.sequence)
    batch_count = 0
    while True:
        first = journal.sequence + 1
        batch = [record_of(sequence, payload_size(sequence)) for sequence in range(first, first + dice.randint(1, 20))]
        if batch_count == BATCHES_BEFORE_POINT and point in POINTS:
            _arm(point)
        journal.append(batch, 0)
        if journal.mode is JournalMode.GROUP:
            journal.sync()
        print(journal.acknowledged_sequence, flush=True)
        batch_count += 1


def _refused(journal: Journal[CommandRecord], error: JournalError) -> NoReturn:
    """Say why the journal refused, and that it goes on refusing."""
    print(f"refused: {error}", flush=True)
    for call in (lambda: journal.append([record_of(1)], 0), journal.sync):
        try:
            call()
        except JournalError:
            continue
        print("took more", flush=True)
    sys.exit(REFUSED)


def main() -> None:
    """Recover, then append without end."""
    folder, mode = Path(sys.argv[1]), JournalMode(sys.argv[2])
    point = sys.argv[3] if len(sys.argv) > 3 else None
    if point == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    with Journal(folder, COMMANDS, FIGURES, EPOCH, mode) as journal:
        try:
            journal.recover(lambda sequence, record: None)
            _serve(journal, point)
        except JournalError as error:
            _refused(journal, error)


if __name__ == "__main__":
    main()
