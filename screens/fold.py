"""Text fitted to a screen: long lines are folded under themselves, and characters that it has not got have others."""

import re
import unicodedata
from textwrap import wrap
from typing import Final

COLUMNS_MIN: Final = 40
COLUMNS_MAX: Final = 200
_HANGING: Final = 3
_COMMANDS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but for a tab and a new line
_LOOKALIKES: Final = dict(zip("▁▂▃▄▅▆▇█–×·", "_.:-=+*#-x.", strict=True)) | {"…": "..."}


def folded(text: str, columns: int) -> str:
    """Return `text` with lines of at most so many columns, where a line has words to break it between."""
    width = min(max(columns, COLUMNS_MIN), COLUMNS_MAX)
    lines: list[str] = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip(" ")))
        hanging = indent + " " * _HANGING
        is_long = len(line) > width
        lines += wrap(line, width, subsequent_indent=hanging, break_long_words=False) if is_long else [line]
    return "\n".join(lines)


def harmless(text: str) -> str:
    """Return `text` with a question mark for each character that a terminal would take for a command, or for a turn.

    Names of folders and recordings, and what strangers answer, may have any.
    """
    return _COMMANDS.sub("?", text)


def lookalike(text: str) -> str:
    """Return `text` in ASCII: a star for a picture, and a question mark for what nothing looks like."""
    return "".join(one if one.isascii() else _LOOKALIKES.get(one) or _star(one) for one in text)


def _star(one: str) -> str:
    return "*" if unicodedata.category(one) == "So" else "?"
