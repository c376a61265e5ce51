"""A command whose output is not taken does not end as if all were well, and says why in one line if that is news."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from commands import operate
from commands.options import show
from commands.output import OutputError, output_told
from desk.client import DeskError
from tests.cases import IS_NIGHT
from tests.desk.desk_process import CLI
from tests.recordings import KEPT

COMMANDS = [
    ["--help"],
    ["config", "show"],
    ["simulate", "--seconds", "2"],
    ["simulate", "--seconds", "2", "--json"],
    ["backtest", str(KEPT)],
    ["backtest", str(KEPT), "--json"],
    ["recording", "info", str(KEPT)],
    ["recording", "check", str(KEPT)],
    ["report", "--date", "2026-01-01"],
]


@contextmanager
def full_disk() -> Iterator[int]:
    """Yield what stands for a file on a disk without room."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def left_pipe() -> Iterator[int]:
    """Yield a pipe whose reader has gone, as of `| head` that has seen enough."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a day's file where `report` looks for it, of a simulated day."""
    folder = tmp_path_factory.mktemp("desk")
    run(folder, ["simulate", "--seconds", "2", "--out", "run/reports"], subprocess.DEVNULL)
    return folder


def run(folder: Path, words: list[str], stdout: int) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, str(CLI), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(word for word in words if word != str(KEPT)))
def test_output_that_is_not_taken_is_one_line_at_most(words: list[str], reported: Path) -> None:
    """What is printed may only fail when the process ends: Python told of that itself, with a traceback.

    Of what takes long the text meets the full disk by day, and the document the pipe; by night each meets both.
    """
    outputs = {full_disk: "error: cannot write the output: No space left on device\n", left_pipe: ""}
    if words[0] in ("simulate", "backtest") and not IS_NIGHT:
        del outputs[full_disk if "--json" in words else left_pipe]
    for output, said in outputs.items():
        with output() as descriptor:
            done = run(reported, words, descriptor)
        assert (done.returncode, done.stderr) == (1, said)


def test_prints_pictures_and_blocks_where_the_encoding_has_none(reported: Path) -> None:
    """It ended with a UnicodeEncodeError instead of a report."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    (day,) = (path.stem[-8:] for path in (reported / "run" / "reports").glob("performance_*.json"))
    command = [sys.executable, str(CLI), "report", "--date", day]
    found = subprocess.run(command, cwd=reported, env=environment, capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.startswith(b"* Performance ")


@pytest.mark.parametrize("output", [full_disk, left_pipe])
def test_output_that_is_not_taken_keeps_nothing_from_being_done(
    output: Callable[[], AbstractContextManager[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`halt | head -1` cancelled the first order, and left the others in the book; and said of none that it is left."""
    done: list[str] = []

    def halt(is_left: bool) -> None:
        with output_told():
            for line in ("cancelled one", "cancelled another"):
                operate._tell(line)
                done.append(line)
            if is_left:
                raise DeskError("orders may be open")

    for is_left in (False, True):
        with output() as descriptor, os.fdopen(os.dup(descriptor), "w", buffering=1) as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            with pytest.raises(DeskError if is_left else (OutputError, SystemExit)):
                halt(is_left)
        monkeypatch.undo()
    assert done == 2 * ["cancelled one", "cancelled another"]


def test_no_text_of_a_stranger_commands_the_terminal(tmp_path: Path) -> None:
    """Neither an answer nor an error: the name of a folder cleared the screen, and set the title of its window."""
    evil = "\x1b[2J\x1b]0;gone\x07\u202e"
    folder = tmp_path / evil
    folder.mkdir()
    command = [sys.executable, str(CLI), "status", "--run-dir", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "?[2J?]0;gone??" in done.stderr
    assert not {"\x1b", "\x07", "\u202e"} & {*done.stderr}


def test_an_answer_is_harmless_and_its_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads it as JSON gets what there is."""
    show(({"name": "a\x1b[2J"}, "a\x1b[2J\n\tb"), as_json=False)
    show(({"name": "a\x1b[2J"}, "a\x1b[2J"), as_json=True)
    assert capsys.readouterr().out == 'a?[2J\n\tb\n{"name": "a\\u001b[2J"}\n'
