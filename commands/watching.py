"""What is asked again and again, and shown in place: `top`, `book`, and each command with `--watch`.

On a terminal it has a screen of its own, and leaves the one before as it was, however it ends. Elsewhere, and on one
that cannot move its cursor, what has changed is printed.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from rich.text import Text

from bus.end_signals import end_signals, on_end_signals
from commands.options import Answer
from commands.output import OutputError, columns, is_screen
from market.clock import moment_text
from market.exact_json import dumps
from market.mendable import MendableError
from screens.desk import UNBOUNDED
from screens.fold import harmless
from screens.frame import ansi_lines, fitted, framed, narrowed, redrawn

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[2J"  # another screen, no cursor, nothing on it
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"


class Look(NamedTuple):
    """An answer of a desk.

    Attributes:
        document: JSON of it.
        drawn: what it says, in at most so many columns and rows.
    """

    document: str
    drawn: Callable[[int, int], Text]


def text_look(answer: Answer, *, is_end_kept: bool = False) -> Look:
    """Return a look of a document with its text; `is_end_kept`: where there is no room, its end is shown."""
    document, text = answer
    return Look(dumps(document), lambda width, height: fitted(text, width, height, is_end_kept=is_end_kept))


def print_once(drawn: Callable[[int, int], Text]) -> None:
    """Print what it says, at the width that a terminal has, and however high."""
    from rich.console import Console

    shown = drawn(columns() or UNBOUNDED, UNBOUNDED)
    shown.plain = harmless(shown.plain)
    Console(highlight=False).print(shown, soft_wrap=True)


def watch(ask: Callable[[], Look], every_s: float, *, as_json: bool = False) -> NoReturn:
    """Ask again and again, and show what is answered, until a signal ends it.

    Once something has been shown on a screen, what `ask` fails with stands above it, and it is asked on.

    Raises:
        MendableError: if the first answer fails, or any where there is no screen.
        KeyboardInterrupt: at the end.
    """
    if as_json or not is_screen():
        _print_changes(ask, every_s, as_json=as_json)
    _Watch(ask, every_s).run()


def _print_changes(ask: Callable[[], Look], every_s: float, *, as_json: bool) -> NoReturn:
    shown, noted = None, ""
    while True:
        look, notes = _asked(ask)
        if notes != noted:
            noted = notes
            print(notes, end="", file=sys.stderr, flush=True)
        text = look.document if as_json else look.drawn(UNBOUNDED, UNBOUNDED).plain
        if text != shown:
            print(text if as_json or shown is None else f"\n{text}", flush=True)
            shown = text
        time.sleep(every_s)


def _asked(ask: Callable[[], Look]) -> tuple[Look, str]:
    """Return what is answered, and what was said beside it on standard error."""
    with redirect_stderr(StringIO()) as said:
        look = ask()
    return look, said.getvalue()


class _Watch:
    def __init__(self, ask: Callable[[], Look], every_s: float) -> None:
        self._ask = ask
        self._every_s = every_s
        self._look, self._notes = _asked(ask)
        self._told_ms = _now_ms()
        self._failure = ""
        self._screen = _Screen()

    def run(self) -> NoReturn:
        with on_end_signals(_end_now), self._screen.taken():
            while True:
                self._screen.draw(self._frame)
                if self._screen.wait(self._every_s):
                    continue
                try:
                    self._look, self._notes = _asked(self._ask)
                except MendableError as error:
                    self._failure = str(error)
                else:
                    self._failure, self._told_ms = "", _now_ms()

    def _frame(self, width: int, height: int) -> Text:
        at = f"{moment_text(self._told_ms, _now_ms())} UTC"
        return framed(self._look.drawn, width, height, at, self._notes, self._failure)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _end_now() -> NoReturn:
    """End once: what comes meanwhile, such as a second Ctrl-C, must not keep the terminal from being given back."""
    for number in end_signals():
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def around_stops(leave: Callable[[], None], enter: Callable[[], None]) -> Iterator[None]:
    """Have `leave` called before Ctrl-Z stops this process, and `enter` when it goes on."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # here we stand, until SIGCONT
        signal.signal(signal.SIGTSTP, stop)
        enter()

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:  # of whoever has started us
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


class _Screen:
    """The second screen of the terminal that is the standard output; written without a buffer, so at any moment."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.fileno()
        self._encoding, self._errors = sys.stdout.encoding, sys.stdout.errors or "strict"
        self._size = os.terminal_size((0, 0))
        self._is_taken = False
        self._lines: list[str] | None = None  # that stand there; None: nobody knows

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the screen until the end, but while the process is stopped by Ctrl-Z."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})  # it is waited for
        try:
            with around_stops(self._leave, self._enter):
                self._enter()
                yield
        finally:
            self._leave()
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def draw(self, frame: Callable[[int, int], Text]) -> None:
        """Show a frame that is made for the size that the terminal has now."""
        size = os.get_terminal_size(self._terminal)
        if size != self._size:
            self._size, self._lines = size, None
        width, height = size.columns or 80, size.lines or 24
        lines, before = ansi_lines(narrowed(frame(width, height), self._encoding), width, height), self._lines
        self._lines = None
        if changes := redrawn([], lines) if before is None else redrawn(before, lines):
            self._write(changes if before is not None else f"\x1b[2J{changes}")
        self._lines = lines

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the frame must be drawn anew; return whether that is so."""
        return signal.sigtimedwait({signal.SIGWINCH}, seconds) is not None

    def _enter(self) -> None:
        self._is_taken = True
        self._lines = None
        self._write(_ENTER)
        signal.raise_signal(signal.SIGWINCH)  # whoever waits draws it

    def _leave(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._write(_LEAVE)

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, self._errors)
        try:
            while data:
                data = data[os.write(self._terminal, data) :]
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from None
