"""What a process says goes out in a way that cannot end it, and logs keep to a size."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from desk import outlet
from desk.outlet import LOGS_KEPT, Outlet
from tests.desk.desk_process import CLI, PATIENCE_S, environment, short_directory, until


@contextmanager
def _opened(path: Path, flags: int = os.O_WRONLY | os.O_CREAT | os.O_APPEND) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_loses_what_a_full_disk_does_not_take() -> None:
    """A log line on a full disk ended the maker between two cancels, and again at each start."""
    with _opened(Path("/dev/full"), os.O_WRONLY) as full:
        assert Outlet(full).write("a line\n") == 7


def test_loses_what_nobody_reads_any_more() -> None:
    """`up | head`: the reader is gone, the desk is not."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert Outlet(writer).write("a line\n") == 7
    finally:
        os.close(writer)


def test_says_how_much_was_lost_once_it_gets_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is slow makes it wait once, not for every line; what fits again comes with a count."""
    monkeypatch.setattr(outlet, "WAIT_MS", 1)
    reader, writer = os.pipe()
    try:
        stream = Outlet(writer)
        line = "x" * 511 + "\n"
        for _ in range(1_000):
            stream.write(line)
        taken = os.read(reader, 1 << 20)
        stream.write("the last\n")
        rest = os.read(reader, 1 << 20).decode()
    finally:
        os.close(reader)
        os.close(writer)
    lost = 1_000 - len(taken) // 512
    assert lost > 0
    assert rest == f"({lost} writes before this one were lost)\nthe last\n"
    assert stream.loss_count == lost  # by which a screen knows that it is torn


def test_a_log_keeps_to_its_size_and_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs of a desk that runs for months grew without end."""
    monkeypatch.setattr(outlet, "LOG_BYTES_MAX", 100)
    path = tmp_path / "node.log"
    with _opened(path) as descriptor:
        stream = Outlet(descriptor, path)
        for number in range(1_000):
            stream.write(f"line {number}\n")
    older = [tmp_path / f"node.log.{number}" for number in range(LOGS_KEPT, 0, -1)]
    assert sorted(tmp_path.iterdir()) == sorted([*older, path])
    lines = "".join(each.read_text() for each in [*older, path]).splitlines()
    assert lines == [f"line {number}" for number in range(1_000 - len(lines), 1_000)]
    assert all(each.stat().st_size < 120 for each in [*older, path])


def test_what_cannot_be_put_aside_is_written_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no new file must not cost the lines: the old log grows instead."""
    monkeypatch.setattr(outlet, "LOG_BYTES_MAX", 10)
    path = tmp_path / "node.log"
    with _opened(path) as descriptor:
        stream = Outlet(descriptor, path)
        (tmp_path / "node.log.new").mkdir()
        for _ in range(5):
            stream.write("as before\n")
    assert path.read_text() == "as before\n" * 5


def test_a_node_lives_and_stops_though_its_log_is_full() -> None:
    """Every node logs: none may end because it cannot."""
    with short_directory() as directory, Path("/dev/full").open("wb") as full:
        run_dir = directory / "run"
        command = [sys.executable, str(CLI), "node", "engine", "--run-dir", str(run_dir)]
        node = subprocess.Popen(command, env=environment(), stdout=full, stderr=full)
        try:
            until("it serves", lambda: (run_dir / "orders.ipc").exists() or node.poll() is not None)
            node.send_signal(signal.SIGTERM)
            assert node.wait(PATIENCE_S) == 0
        finally:
            node.kill()
            node.wait()
        assert [path.name for path in run_dir.iterdir() if path.suffix in (".ipc", ".lock")] == []


def test_logs_follow_a_log_that_was_put_aside() -> None:
    """`logs -f` prints the last lines of the old log, and then those of the new one."""
    with short_directory() as directory:
        path = directory / "run" / "logs" / "engine.log"
        path.parent.mkdir(parents=True)
        path.write_text("one\n")
        command = [sys.executable, str(CLI), "logs", "engine", "-f", "--run-dir", str(directory / "run")]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            try:
                assert following.stdout.readline() == "one\n"
                with path.open("a") as log:
                    log.write("two\n")
                    outlet.put_log_aside(path)
                    log.write("three\n")
                path.write_text("four\n")
                assert [following.stdout.readline() for _ in range(3)] == ["two\n", "three\n", "four\n"]
            finally:
                following.kill()


def test_what_an_encoding_lacks_becomes_what_the_stream_makes_of_it() -> None:
    """On a terminal without UTF-8 the screen of `up` told of `\\xb7`."""
    reader, writer = os.pipe()
    try:
        Outlet(writer, encoding="ascii", on_others="replace").write("bid · ask")
        Outlet(writer, encoding="ascii").write("·")
        assert os.read(reader, 100) == b"bid ? ask\\xb7"
    finally:
        os.close(reader)
        os.close(writer)
