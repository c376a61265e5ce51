"""A backup is of one moment, whole or not there, and a desk goes on from it."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from commands.actions.backup import _content, _see, backup, restore
from commands.actions.doctor import desk_health
from desk.client import DeskError
from desk.standstill import NotStillError, standstill
from tests.desk.desk_process import LEAN, Desk, short_directory, until

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from desk.standstill import standstill
with standstill(Path(sys.argv[1])):
    print("still", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run directory with one process in it that writes all the time."""
    run_dir = tmp_path / "run"
    run_dir.mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.desk.standing", str(run_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "counts\n"
            yield run_dir, process
        finally:
            process.kill()


def counted_in(run_dir: Path) -> tuple[int, int]:
    """Return the last number in the database and in the file; each has every number before it."""
    with closing(sqlite3.connect(run_dir / "count.sqlite3")) as connection:
        ((last, count),) = connection.execute("SELECT max(number), count(*) FROM counts")
    content = (run_dir / "counts.log").read_bytes()
    assert (last or 0) == count
    assert len(content) % 8 == 0
    numbers = [int.from_bytes(content[at : at + 8], "little") for at in range(0, len(content), 8)]
    assert numbers == list(range(1, len(numbers) + 1))
    return last or 0, len(numbers)


def test_is_of_one_moment(counting: tuple[Path, subprocess.Popen[str]], tmp_path: Path) -> None:
    """Ten times from under a process that writes: the two stores are never further apart than a kill leaves them."""
    run_dir, process = counting
    seen = []
    for number in range(10):
        size = (run_dir / "counts.log").stat().st_size
        until("it goes on", lambda size=size: (run_dir / "counts.log").stat().st_size > size + 800)  # type: ignore[misc]
        assert "stood still" in backup(run_dir, tmp_path / f"{number}.tar")
        restore(tmp_path / f"{number}.tar", tmp_path / f"back{number}")
        in_database, in_file = counted_in(tmp_path / f"back{number}")
        assert in_file <= in_database <= in_file + 1
        seen.append(in_file)
    assert seen == sorted(set(seen)), "each is of a later moment"
    assert process.poll() is None


def test_lets_a_desk_go_on_when_who_holds_it_is_killed(counting: tuple[Path, subprocess.Popen[str]]) -> None:
    """kill -9 of any process is an ordinary event, this command's too."""
    run_dir, _ = counting
    command = [sys.executable, "-c", HOLDER, str(run_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "still\n"
        holder.kill()
    size = (run_dir / "counts.log").stat().st_size
    until("it goes on", lambda: (run_dir / "counts.log").stat().st_size > size + 800)


def test_uses_nothing_that_was_seen_while_a_node_went_on(counting: tuple[Path, subprocess.Popen[str]]) -> None:
    """Somebody lets it go on, or it is killed, in the middle."""
    run_dir, process = counting

    def let_go_on() -> None:
        with standstill(run_dir):
            process.send_signal(signal.SIGCONT)
            size = (run_dir / "counts.log").stat().st_size
            until("it goes on", lambda: (run_dir / "counts.log").stat().st_size > size)

    def kill() -> None:
        with standstill(run_dir):
            process.kill()
            process.wait()

    for disturb in (let_go_on, kill):
        with pytest.raises(NotStillError, match="meanwhile"):
            disturb()


def test_leaves_a_node_stopped_that_somebody_has_stopped(counting: tuple[Path, subprocess.Popen[str]]) -> None:
    """A person who holds one still to look at it has not said that it may go on."""
    run_dir, process = counting
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    with standstill(run_dir):
        pass
    assert Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_leaves_out_what_is_made_anew(tmp_path: Path) -> None:
    """Locks, sockets, logs, half-written files, what was put aside; a folder of a day is not."""
    run_dir = tmp_path / "run"
    for name in (
        "logs/a.log",
        "past/1/2.npz",
        "journal.before/x",
        "desk.lock",
        "a.tmp",
        "reports/day.json",
        "maker_id",
    ):
        (run_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / name).write_text(name)
    backup(run_dir, tmp_path / "a.tar.gz")
    assert (tmp_path / "a.tar.gz").stat().st_mode & 0o777 == 0o600
    restore(tmp_path / "a.tar.gz", tmp_path / "back")
    found = sorted(
        str(path.relative_to(tmp_path / "back")) for path in (tmp_path / "back").rglob("*") if path.is_file()
    )
    assert found == ["maker_id", "reports/day.json"]
    assert (tmp_path / "back" / "reports" / "day.json").read_text() == "reports/day.json"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "back").rglob("*"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A small backup."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "maker_id").write_text("tb-abcdef")
    backup(tmp_path / "run", tmp_path / "a.tar")
    return tmp_path / "a.tar"


def refused(archive: Path, word: str) -> None:
    """Check that a backup is refused in one line, and nothing is left of the attempt."""
    before = sorted(path.name for path in archive.parent.iterdir())
    with pytest.raises(DeskError, match=word) as told:
        restore(archive, archive.parent / "back")
    assert "\n" not in str(told.value)
    assert sorted(path.name for path in archive.parent.iterdir()) == before


def test_refuses_what_is_damaged(archive: Path) -> None:
    """Cut at every 512 bytes, and changed in its content."""
    whole = archive.read_bytes()
    end = whole.rindex(b"}") + 1
    for size in range(0, end, 512):
        archive.write_bytes(whole[:size])
        refused(archive, "cannot restore")
    archive.write_bytes(whole.replace(b"tb-abcdef", b"tb-abcdeg", 1))
    refused(archive, "maker_id is not as it was written")
    archive.write_bytes(whole.replace(b'"version": 1', b'"version": 2'))
    refused(archive, "version 2")
    archive.unlink()
    refused(archive, "No such file")


def test_refuses_files_that_lead_elsewhere(archive: Path) -> None:
    """Whoever hands over a backup writes nothing outside of the new run directory."""
    for name in ("../out", "/tmp/out"):
        with tarfile.open(archive, "w") as file:
            member = tarfile.TarInfo(name)
            file.addfile(member)
        refused(archive, "no backup of a desk")
    with tarfile.open(archive, "w") as file:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    refused(archive, "no backup of a desk")


def test_overwrites_nothing(archive: Path, tmp_path: Path) -> None:
    """Neither a backup nor a run directory, and no backup is put into the desk itself."""
    with pytest.raises(DeskError, match="already"):
        backup(tmp_path / "run", archive)
    with pytest.raises(DeskError, match="already"):
        restore(archive, tmp_path / "run")
    with pytest.raises(DeskError, match="elsewhere"):
        backup(tmp_path / "run", tmp_path / "run" / "a.tar")
    with pytest.raises(DeskError, match="no desk has run"):
        backup(tmp_path / "never", tmp_path / "b.tar")


def test_leaves_nothing_on_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """Written whole, or not at all."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "maker_id").write_bytes(os.urandom(1 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        with pytest.raises(DeskError, match="cannot write"):
            backup(tmp_path / "run", tmp_path / "a.tar")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_desk_goes_on_from_one() -> None:
    """Taken while it trades, of a desk that has gone on and ended: orders and books are there, and sound."""
    with short_directory() as folder:
        desk = Desk(folder / "run", "--without", "api").start()
        try:
            assert desk.cli("place", "buy", "0.001", "50000").returncode == 0
            made = desk.cli("backup", str(folder / "desk.tar.gz"))
            assert made.returncode == 0, made.stderr
            assert "stood still" in made.stdout
            assert desk.cli_json("status")["is_ready"]
        finally:
            desk.stop()
        restore(folder / "desk.tar.gz", folder / "two")
        health, text = desk_health(folder / "two")
        assert health["is_sound"], text
        again = Desk(folder / "two", *LEAN).start()
        try:
            orders = again.cli_json("orders")
            assert any(float(order["price"]) == 50_000 for order in orders["orders"]), orders
            cancelled = again.cli("cancel", "--all")
            assert cancelled.returncode == 0, cancelled.stderr
            assert "50,000.00" in cancelled.stdout
            report = again.cli("report")
            assert report.returncode == 0, report.stdout + report.stderr
            assert "agree to the last unit" in report.stdout
        finally:
            again.stop()


def test_a_database_that_a_desk_opens_meanwhile_is_as_it_was(
    counting: tuple[Path, subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Nobody has it open when the desk stands still: a tracker that writes to it later wrote into the copy."""
    run_dir, _ = counting
    path = run_dir / "closed.sqlite3"
    _write_rows(path, 1, 500)
    with ExitStack() as opened:
        with standstill(run_dir) as still:
            seen = _see(path, run_dir, opened, is_down=not still.has_nodes)
        _write_rows(path, 501, 5_000)
        with _content(seen, tmp_path) as (content, _):
            (tmp_path / "copy.sqlite3").write_bytes(content.read())
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT count(*), max(number) FROM numbers").fetchone() == (500, 500)


def _write_rows(path: Path, first: int, last: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER, text TEXT)")
        connection.executemany("INSERT INTO numbers VALUES (?, ?)", ((n, "x" * 100) for n in range(first, last + 1)))
