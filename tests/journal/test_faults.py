"""What was acknowledged survives kill -9, full disks and failed writes; the first failure is the last word."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from journal.format import JournalError, JournalMode
from journal.journal import Journal
from journal.replay import Replay
from nodes.engine.command_record import COMMANDS, CommandRecord
from tests.journal.crash_writer import POINTS, REFUSED, payload_size
from tests.journal.records import EPOCH, FIGURES, Read, descriptor_of, expected, live, read, record_of, records_of
from tests.reliability import FaultRow

ROOT = Path(__file__).resolve().parents[2]
SEED = 11
KILLS = 8
WRITER = (sys.executable, "-m", "tests.journal.crash_writer")


@contextmanager
def writer(folder: Path, mode: str, *point: str) -> Iterator[subprocess.Popen[str]]:
    """Run a crash writer; kill it in the end."""
    command = [*WRITER, str(folder), mode, *point]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def recovered(folder: Path) -> tuple[Read, Replay]:
    """Recover the journal as the next start does."""
    taken: Read = []
    with Journal(folder, COMMANDS, FIGURES, EPOCH + 1) as journal:
        done = journal.recover(lambda sequence, record: taken.append((sequence, record)))
    return taken, done


def check_nothing_lost(folder: Path, lines: list[str]) -> Replay:
    """Compare what is recovered with what was acknowledged: all of that, and every record as it was given."""
    acknowledged = int(lines[-1]) if lines else 0
    taken, done = recovered(folder)
    assert len(taken) >= acknowledged
    for number, (sequence, record) in enumerate(taken, 1):
        assert (sequence, record) == (number, record_of(number, payload_size(number)))
    return done


@pytest.mark.parametrize("mode", ["write", "group", "sync"])
def test_loses_nothing_acknowledged_to_kill_at_any_moment(tmp_path: Path, mode: str, fault_row: FaultRow) -> None:
    """The kernel keeps what write() took, whatever happens to the process."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    kills = KILLS if mode == "write" else 2
    for _ in range(kills):
        with writer(tmp_path, mode) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(dice.randint(1, 400))]
            process.kill()
            lines += process.stdout.readlines()
            assert process.wait() == -signal.SIGKILL
        check_nothing_lost(tmp_path, [line for line in lines if line.endswith("\n")])
    fault_row("writer of a journal dies", "SIGKILL at random", kills)


@pytest.mark.parametrize("point", POINTS)
def test_loses_nothing_acknowledged_to_kill_at_named_points(tmp_path: Path, point: str) -> None:
    """Before, within and after the write that the next acknowledgement would have waited for."""
    with writer(tmp_path, "write", point) as process:
        assert process.stdout is not None
        lines = process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
    assert len(lines) == 20
    done = check_nothing_lost(tmp_path, lines)
    if point == "before write":
        assert (done.last_sequence, done.torn_tail) == (int(lines[-1]), None)
    elif point == "after write":
        assert done.last_sequence > int(lines[-1])
        assert done.torn_tail is None
    else:
        assert done.torn_tail is not None


def test_stops_at_a_file_size_limit(tmp_path: Path) -> None:
    """A limit of the process acts like a full disk: the write that meets it is short, and the last."""
    with writer(tmp_path, "write", "limit") as process:
        assert process.stdout is not None
        *lines, last = process.stdout.readlines()
        assert process.wait() == REFUSED
    assert last.startswith("refused: expected ")
    assert check_nothing_lost(tmp_path, lines).torn_tail is not None


def test_stops_at_a_full_disk(tmp_path: Path, fault_row: FaultRow) -> None:
    """A file system of 64 KiB runs full under the writer; what it acknowledged is there, the tail is cut off."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    inside = (
        'mount -t tmpfs -o size=64k tmpfs "$1" && { shift 2; "$@"; status=$?; cp -r "$DISK" "$KEPT"; exit $status; }'
    )
    options = "-m" if os.geteuid() == 0 else "-rm"
    command = ["unshare", options, "sh", "-c", inside, "sh", str(disk), "--", *WRITER, str(disk), "write"]
    environment = os.environ | {"DISK": str(disk), "KEPT": str(kept)}
    if shutil.which("unshare") is None or subprocess.run(["unshare", options, "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == REFUSED, done.stdout
    *lines, last = done.stdout.splitlines()
    assert last.startswith("refused: ")
    assert "took more" not in done.stdout
    check_nothing_lost(kept, lines)
    fault_row("disk of the journal full", "a file system of 64 KiB under it", 1)


@pytest.mark.parametrize("mode", [JournalMode.WRITE, JournalMode.GROUP, JournalMode.SYNC])
def test_stops_at_a_failed_write(tmp_path: Path, mode: JournalMode) -> None:
    """No space left: nothing of the batch is acknowledged, and nothing after it."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, mode) as journal:
        journal.recover(lambda sequence, record: None)
        journal.append(records_of(1, 2), 0)
        journal.sync()
        replace(tmp_path, "/dev/full", os.O_WRONLY)
        with pytest.raises(JournalError, match=r"could not be written to .*: No space left on device"):
            journal.append(records_of(3, 1), 0)
        assert journal.acknowledged_sequence == 2
        assert not journal.sync_due(1 << 62)
        for call in (lambda: journal.append(records_of(3, 1), 0), lambda: journal.append([], 0), journal.sync):
            with pytest.raises(JournalError, match=r"takes nothing more: .*No space left"):
                call()
    assert read(tmp_path) == expected(2)


def test_stops_at_a_short_write(tmp_path: Path) -> None:
    """Half a batch in the file is a torn tail: to write the rest later would hide what was lost between."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        journal.recover(lambda sequence, record: None)
        journal.append(records_of(1, 2), 0)
        reader, narrow = os.pipe2(os.O_NONBLOCK)
        os.dup2(narrow, descriptor_of(COMMANDS.files(tmp_path)[0]))
        with pytest.raises(JournalError, match=r"expected 1000040 bytes to be written to .*, were 65536"):
            journal.append(records_of(3, 1, 1_000_000), 0)
        assert journal.acknowledged_sequence == 2
        os.close(narrow)
        os.close(reader)
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(records_of(3, 1), 0)
    assert read(tmp_path) == expected(2)


@pytest.mark.parametrize("mode", [JournalMode.GROUP, JournalMode.SYNC])
def test_never_syncs_again_after_a_failed_sync(tmp_path: Path, mode: JournalMode) -> None:
    """The kernel may drop what it could not write and let the next sync succeed."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, mode) as journal:
        journal.recover(lambda sequence, record: None)
        journal.append(records_of(1, 1), 0)
        journal.sync()
        replace(tmp_path, "/dev/null", os.O_WRONLY)  # takes every write and cannot sync
        fails = journal.append if mode is JournalMode.SYNC else appends_and_syncs(journal)
        with pytest.raises(JournalError, match=r"fdatasync of .* failed: Invalid argument"):
            fails(records_of(2, 1), 0)
        assert journal.acknowledged_sequence == journal.synced_sequence == 1
        for call in (lambda: journal.append(records_of(2, 1), 0), journal.sync):
            with pytest.raises(JournalError, match="takes nothing more: fdatasync"):
                call()


def test_says_so_when_it_cannot_close_well(tmp_path: Path) -> None:
    """A clean stop promises that the disk has everything, in mode write too; the lock is let go nevertheless."""
    journal = Journal(tmp_path, COMMANDS, FIGURES, EPOCH)
    journal.recover(lambda sequence, record: None)
    replace(tmp_path, "/dev/null", os.O_WRONLY)
    with pytest.raises(JournalError, match="fdatasync"):
        journal.close()
    live(tmp_path, [records_of(1, 1)])


def test_says_so_when_the_next_file_cannot_be_made(tmp_path: Path) -> None:
    """A batch that does not fit ends the file; what fitted is kept, and no later one is taken."""
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH, file_bytes_max=2 << 20) as journal:
        journal.recover(lambda sequence, record: None)
        (tmp_path / "commands-00000002.journal").touch()
        with pytest.raises(JournalError, match=r"commands-00000002.journal cannot be made: File exists"):
            journal.append(records_of(1, 3, 1 << 20), 0)
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(records_of(4, 1), 0)
    (tmp_path / "commands-00000002.journal").unlink()
    assert read(tmp_path) == [(1, record_of(1, 1 << 20))]


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_refuses_a_folder_that_cannot_be(tmp_path: Path, name: str) -> None:
    """One line at the start, and no orders."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="must be a folder for the journal"):
        Journal(tmp_path / name, COMMANDS, FIGURES, EPOCH)


def test_refuses_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """An error of the disk while it recovers is a refusal, too."""
    (tmp_path / "commands-00000001.journal").mkdir()
    with Journal(tmp_path, COMMANDS, FIGURES, EPOCH) as journal:
        with pytest.raises(JournalError, match=r"commands-00000001.journal cannot be recovered: Is a directory"):
            journal.recover(lambda sequence, record: None)
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(records_of(1, 1), 0)


def appends_and_syncs(journal: Journal[CommandRecord]) -> Callable[[list[CommandRecord], int], int]:
    """Return what the engine's node does in mode group: the sync comes later."""

    def call(batch: list[CommandRecord], now_ns: int) -> int:
        sequence = journal.append(batch, now_ns)
        journal.sync()
        return sequence

    return call


def replace(folder: Path, device: str, flags: int) -> None:
    """Let the journal's open file be a device instead."""
    descriptor = os.open(device, flags)
    os.dup2(descriptor, descriptor_of(COMMANDS.files(folder)[-1]))
    os.close(descriptor)
