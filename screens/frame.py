"""A frame of a screen that is drawn again and again: lines that fit, and what turns one frame into the next."""

import io
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from screens.fold import folded, harmless

if TYPE_CHECKING:
    from rich.console import Console

_LINES_MIN: Final = 3  # of a terminal that has room for more than the frame itself
_HINT: Final = "Ctrl-C ends this"


def fitted(text: str, width: int, height: int, *, is_end_kept: bool = False) -> Text:
    """Return `text` folded to `width`, and of what is higher than `height` the begin, or the first line and the end."""
    lines = folded(text, width).split("\n")
    more = len(lines) - height
    if more > 0 and is_end_kept:
        lines = [*lines[:1], *lines[len(lines) - height + 1 :]] if height > 1 else lines[-height:]
    elif more > 0:
        lines = [*lines[: height - 1], f"... {more + 1:,} more lines"]
    return Text("\n".join(lines))


def framed(drawn: Callable[[int, int], Text], width: int, height: int, at: str, notes: str, failure: str) -> Text:
    """Return what `drawn` gives for the room between what is said above it, and a last line that tells its time.

    Args:
        drawn: what it says, in at most so many columns and rows.
        at: when that was so.
        notes: lines that were told with it.
        failure: why there is nothing newer; what is shown is called stale then.
    """
    if height < _LINES_MIN:
        return drawn(width, height)
    above = [*_wrapped(f"STALE, as of {at}: {failure}" if failure else "", width, "bold red")]
    above += _wrapped(notes, width, "yellow")
    above = above[: height // 2]
    room = height - len(above) - 1
    lines = drawn(width, room).split("\n", allow_blank=True)[:room]
    if failure:
        for line in lines:
            line.stylize("dim")
    return Text("\n").join([*above, *lines, Text(f"{at} · {_HINT}", "dim")])


def _wrapped(text: str, width: int, style: str) -> Iterator[Text]:
    for line in text.splitlines():
        yield from (Text(each, style) for each in wrap(line, width, break_on_hyphens=False))


def narrowed(frame: Text, encoding: str) -> Text:
    """Return a frame of which each character is one in an encoding that may have few, and none a terminal's command."""
    frame.plain = harmless(frame.plain)
    if not encoding.lower().startswith("utf"):
        frame.plain = frame.plain.replace("…", "~")  # it would become three dots, and the line longer than the row
    return frame


def ansi_lines(frame: Text, width: int, height: int) -> list[str]:
    """Return the lines of a frame as a terminal takes them, each of which erases what stood behind it.

    There is colour if the environment allows it: not with NO_COLOR.
    """
    lines = []
    for line in frame.split("\n", allow_blank=True)[:height]:
        line.truncate(width)
        with _console().capture() as capture:
            _console().print(line, end="", soft_wrap=True)
        lines.append(capture.get() + ("\x1b[K" if line.cell_len < width else ""))
    return lines


@cache
def _console() -> "Console":
    from rich.console import Console

    return Console(file=io.StringIO(), force_terminal=True, highlight=False, width=1_000, legacy_windows=False)


def redrawn(before: Sequence[str], lines: Sequence[str]) -> str:
    """Return what makes other lines of those that stand on a terminal, from its first row on."""
    changes = [
        f"\x1b[{row + 1};1H{line}" for row, line in enumerate(lines) if row >= len(before) or before[row] != line
    ]
    if len(lines) < len(before):
        changes.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
    return "".join(changes)


def redrawn_above(before: Sequence[str], lines: Sequence[str]) -> str:
    """Return what makes other lines of those that stand above the row of the cursor, which is below them then."""
    parts = [f"\r\x1b[{len(before)}A" if before else "\r"]
    for row, line in enumerate(lines):
        parts.append("\n" if row < len(before) and before[row] == line else f"{line}\r\n")
    if len(lines) < len(before):
        parts.append("\x1b[J")
    return "".join(parts)
