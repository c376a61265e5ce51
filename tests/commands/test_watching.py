"""What is shown again and again: in place on a terminal, which is given back as it was, and line by line elsewhere."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text
from typer.testing import CliRunner

from commands import output
from commands.app import app
from commands.watching import Look, text_look, watch
from desk.client import NoDeskError
from market.mendable import MendableError
from tests.desk.desk_process import ROOT

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
WAIT_S = 100.0
SCRIPT = """
import sys
from pathlib import Path
from rich.text import Text
from commands.output import output_told
from commands.watching import Look, watch
from market.mendable import MendableError

looks = 0

def ask():
    global looks
    if Path(sys.argv[1]).exists():
        raise MendableError("no desk runs here")
    looks += 1
    print(f"note: {looks} looks", file=sys.stderr)
    return Look("{}", lambda width, height: Text(f"look {looks}, {width} by {height} …"))

try:
    with output_told():
        watch(ask, 0.05)
except KeyboardInterrupt:
    sys.exit(130)
"""


class Terminal:
    """A process on a terminal of ours, in a process group of its own as a shell makes it."""

    def __init__(self, down: Path, **environment: str) -> None:
        self._master, slave = pty.openpty()
        self.resize(80, 24, is_told=False)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(down)],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        os.close(slave)
        self.got = b""

    def resize(self, columns: int, rows: int, *, is_told: bool = True) -> None:
        """Give the terminal another size, and tell the process as a kernel does."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if is_told:
            self.process.send_signal(signal.SIGWINCH)

    def until(self, *awaited: bytes) -> bytes:
        """Return what is written from now on until all of that was, in whatever order."""
        self.got, deadline = b"", time.monotonic() + WAIT_S
        while not all(each in self.got for each in awaited):
            assert time.monotonic() < deadline, self.got[-500:]
            if select.select([self._master], [], [], 0.1)[0]:
                self.got += os.read(self._master, 65_536)
        return self.got

    def end(self) -> None:
        """End it, if it has not."""
        self.process.kill()
        self.process.communicate()
        os.close(self._master)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """One whose process fails while there is a file `down`."""
    found = Terminal(tmp_path / "down")
    yield found
    found.end()


def test_terminal_is_given_back_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    """Whatever happens: another size, a desk that is down, Ctrl-Z and back, Ctrl-C twice."""
    process = terminal.process
    assert terminal.until(b"80 by 22").startswith(ENTER)  # a note above, and the time below
    terminal.resize(40, 10)
    assert b"\x1b[2J" in terminal.until(b"40 by 8")

    (tmp_path / "down").touch()
    terminal.until(b"STALE, as of ", b"no desk runs")
    (tmp_path / "down").unlink()
    assert b"STALE" not in terminal.until(b"look ", b"note: ")

    process.send_signal(signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    terminal.until(LEAVE)
    assert terminal.got.endswith(LEAVE)
    process.send_signal(signal.SIGCONT)
    terminal.until(ENTER, b"look ")

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    terminal.until(LEAVE)
    assert terminal.got.endswith(LEAVE)
    assert terminal.got.count(LEAVE) == 1
    assert process.wait(WAIT_S) == 130
    assert process.stderr is not None
    assert process.stderr.read() == b""  # it stood on the screen, and is no traceback


def test_terminal_of_few_characters_gets_no_others(tmp_path: Path) -> None:
    """The locale C: an ellipsis became three dots, and Python wrote UTF-8."""
    few = Terminal(tmp_path / "down", LC_ALL="C", NO_COLOR="1")
    try:
        got = few.until(b"80 by 22 ~", b" . Ctrl-C")
        assert got.isascii()
        assert re.search(rb"\x1b\[[\d;]*3\dm", got) is None  # a colour
        few.process.send_signal(signal.SIGTERM)
        assert few.until(LEAVE).endswith(LEAVE)
    finally:
        few.end()


def _looks(*texts: str) -> Iterator[Look]:
    for text in texts:
        print("note: of the maker", file=sys.stderr)
        yield text_look(({"said": text}, text))
    raise MendableError("no desk runs here")


@pytest.mark.parametrize("as_json", [False, True])
def test_elsewhere_what_changes_is_printed(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """For a pipe: no screen, a document a line, and the end of the desk is the end."""
    looks = _looks("one", "one", "two")
    with pytest.raises(MendableError, match="no desk runs here"):
        watch(lambda: next(looks), 0.0, as_json=as_json)
    printed = capsys.readouterr()
    assert printed.out == ('{"said": "one"}\n{"said": "two"}\n' if as_json else "one\n\ntwo\n")
    assert printed.err == "note: of the maker\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["dumb", "", "unknown", None])
def test_terminal_that_cannot_move_its_cursor_is_no_screen(term: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On TERM=dumb nothing was shown until the end."""
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert output.is_screen()
    monkeypatch.delenv("TERM") if term is None else monkeypatch.setenv("TERM", term)
    assert not output.is_screen()


@pytest.mark.parametrize(
    "words", [["top"], ["status", "--watch"], ["orders", "--watch"], ["trades", "--watch"]], ids=" ".join
)
def test_where_no_desk_has_ever_run_it_is_3(words: list[str], tmp_path: Path) -> None:
    """As of the command without `--watch`."""
    error = CliRunner().invoke(app, [*words, "--run-dir", str(tmp_path / "nowhere")]).exception
    assert isinstance(error, NoDeskError)
    assert error.exit_code == 3


def test_first_answer_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code that the command has without --watch, and before the terminal is touched."""
    monkeypatch.setattr("commands.watching.is_screen", lambda: True)

    def fail() -> Look:
        raise MendableError("no desk runs here")

    with pytest.raises(MendableError, match="no desk runs here"):
        watch(fail, 1.0)


def test_look_draws_for_the_size_it_is_given() -> None:
    """So that another size needs no other answer."""
    look = text_look(({}, "one\ntwo\nthree"))
    assert look.drawn(80, 10) == Text("one\ntwo\nthree")
    assert look.drawn(80, 2).plain == "one\n... 2 more lines"
