"""Frames at the sizes that terminals have, and what turns one into the next."""

import re

import pytest
from rich.text import Text

from screens.fold import lookalike
from screens.frame import ansi_lines, fitted, framed, narrowed, redrawn, redrawn_above

TEXT = "\n".join(["📋 Open Orders (BTCUSDT):", *(f"   BUY: 0.01 BTC @ ${price}" for price in range(100, 130))])


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("height", [1, 2, 10, 50])
@pytest.mark.parametrize("is_end_kept", [False, True])
def test_text_fits_and_says_what_is_not_there(width: int, height: int, is_end_kept: bool) -> None:
    """A list that was longer than the terminal scrolled away."""
    lines = fitted(TEXT, width, height, is_end_kept=is_end_kept).plain.split("\n")
    assert len(lines) == min(height, 31)
    assert max(map(len, lines)) <= width
    if height == 10:
        assert lines[0] == TEXT.split("\n")[0]
        assert lines[-1] == ("   BUY: 0.01 BTC @ $129" if is_end_kept else "... 22 more lines")


def _drawn(width: int, height: int) -> Text:
    return Text("\n".join("x" * width for _ in range(height)))


@pytest.mark.parametrize("height", [1, 2, 3, 5, 24])
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("notes", ["", "note: the maker is ready\n", "\n".join(["a long note " * 20] * 9)])
@pytest.mark.parametrize("failure", ["", "no desk runs in run; start it with: python cli.py up " * 4])
def test_frame_fills_the_room_and_no_more(height: int, width: int, notes: str, failure: str) -> None:
    """Whatever is said above, something of the frame stands there."""
    lines = framed(_drawn, width, height, "14:03:07 UTC", notes, failure).plain.split("\n")
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert "x" * width in lines
    if height >= 5:
        assert lines[-1].startswith("14:03:07 UTC")
        assert lines[0].startswith("STALE, as of 14:03:07 UTC: no desk runs" if failure else notes[:20])


def test_what_is_stale_is_dim_and_nothing_else_is() -> None:
    """It must not be taken for what is so now."""
    styles = {True: ["bold red", "dim", "dim", "dim"], False: ["dim"]}
    for failure, expected in styles.items():
        frame = framed(_drawn, 80, 4, "14:03:07 UTC", "", "no desk" if failure else "")
        assert [str(span.style) for span in sorted(frame.spans)] == expected


def test_only_lines_that_differ_are_sent() -> None:
    """A slow line does not have to take a screen a second."""
    assert redrawn(["a", "b", "c"], ["a", "b", "c"]) == ""
    assert redrawn(["a", "b", "c"], ["a", "x", "c", "d"]) == "\x1b[2;1Hx\x1b[4;1Hd"
    assert redrawn(["a", "b", "c"], ["a"]) == "\x1b[2;1H\x1b[J"


@pytest.mark.parametrize("width", [4, 5, 6])
def test_line_erases_what_stood_behind_it(width: int) -> None:
    """But not where it fills its row: some terminals would erase its last character."""
    (line,) = ansi_lines(Text("abcde"), width, 10)
    assert line == {4: "abcd", 5: "abcde", 6: "abcde\x1b[K"}[width]


def test_line_stays_as_long_in_an_encoding_that_has_few_characters() -> None:
    """An ellipsis became three dots, and the line was wrapped."""
    frame = Text("how it is with the maker · 5 µs")
    frame.truncate(12, overflow="ellipsis")
    assert len(lookalike(narrowed(frame, "ascii").plain)) == 12
    assert narrowed(Text("a…"), "utf-8").plain == "a…"


def _shown(written: str) -> list[str]:
    """Return the rows of a terminal on which that was written, from its first row on."""
    rows, row, column = [""] * 20, 0, 0
    for code, text in re.findall(r"(\x1b\[\d*[AJK]|\r|\n)|([^\x1b\r\n]+)", written):
        if text:
            rows[row] = rows[row][:column] + text + rows[row][column + len(text) :]
            column += len(text)
        elif code == "\r":
            column = 0
        elif code == "\n":
            row += 1
        elif code.endswith("A"):
            row -= int(code[2:-1])
        elif code.endswith("K"):
            rows[row] = rows[row][:column]
        else:
            rows[row:] = [rows[row][:column], *[""] * (19 - row)]
        assert row >= 0
    return rows


def test_lines_below_what_is_said_stay_in_place() -> None:
    """They are written over, not once more; a line that is said goes above them, and they move."""
    clear = "\x1b[K"
    first, second, third = (
        [f"a{clear}", f"bb{clear}", f"c{clear}"],
        [f"a{clear}", f"x{clear}", f"c{clear}"],
        [f"stopped{clear}"],
    )
    written = redrawn_above([], first) + redrawn_above(first, second)
    assert _shown(written)[:4] == ["a", "x", "c", ""]
    assert redrawn_above(first, second) == f"\r\x1b[3A\nx{clear}\r\n\n"
    written += f"{redrawn_above(second, [])}said\r\n{redrawn_above([], second)}"
    assert _shown(written)[:5] == ["said", "a", "x", "c", ""]
    assert _shown(written + redrawn_above(second, third))[:4] == ["said", "stopped", "", ""]
