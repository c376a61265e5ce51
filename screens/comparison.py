"""Two accounts side by side, as text."""

from collections.abc import Sequence
from typing import Final

from market.exact_json import JsonObject
from market.words import counted

COLUMNS: Final = 120  # of what is no screen
_INDENT: Final = "   "
_GAP: Final = "  "
_NAMES: Final = ("", "A", "B", "A - B", "95 %", "")
_FIGURES: Final = {  # as people say them, with how many decimals and times how much
    "fills_an_hour": ("fills an hour", 1, 1),
    "fill_ratio": ("orders filled, %", 1, 100),
    "win_rate": ("round trips won, %", 1, 100),
    "pnl_bps": ("realized of volume, bps", 2, 1),
    "pnl_a_day": ("realized a day", 2, 1),
    "markout_1_s_bps": ("markout 1 s, bps", 2, 1),
    "markout_10_s_bps": ("markout 10 s, bps", 2, 1),
    "markout_60_s_bps": ("markout 60 s, bps", 2, 1),
}


def comparison_text(found: JsonObject, ours: str, theirs: str, columns: int = COLUMNS) -> str:
    """Return the figures of `ours` (A) beside those of `theirs` (B), and what to make of it.

    On a screen that is too narrow for a line a figure stands on several.
    """
    rows = [_cells(row, found["quote"]) for row in found["figures"]]
    lines = [f"A: {ours}, {_days_text(found['a'])}", f"B: {theirs}, {_days_text(found['b'])}", ""]
    left_out = [f"Without {_FIGURES[row['figure']][0]}: {row['why']}, in A and B." for row in found["left_out"]]
    return "\n".join([*lines, *_table(rows, columns), "", *left_out, _verdict(found["figures"])])


def _table(rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    widths = [max(len(row[index]) for row in [_NAMES, *rows]) for index in range(len(_NAMES))]
    if len(_INDENT) + sum(widths) + len(_GAP) * (len(widths) - 1) <= columns:
        return [_line(cells, widths) for cells in [_NAMES, *rows]]
    lines = []
    for name, *cells in rows:
        lines.append(_INDENT + name)
        told = zip(_NAMES[1:], cells, strict=True)
        lines += [_INDENT * 2 + (f"{label}: {cell}" if label else cell) for label, cell in told if cell]
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures, verdict = cells
    middle = (cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True))
    return _INDENT + _GAP.join([name.ljust(widths[0]), *middle, verdict]).rstrip()


def _cells(row: JsonObject, quote: str | None) -> tuple[str, ...]:
    name, places, times = _FIGURES[row["figure"]]
    if row["figure"] == "pnl_a_day" and quote is not None:
        name = f"{name}, {quote}"

    def told(one: JsonObject | None, *, is_signed: bool = False) -> str:
        if one is None:
            return "not known"
        value = f"{one['value'] * times:{'+' if is_signed else ''},.{places}f}"
        return value if is_signed else f"{value} (n {one['n']:,})"

    gap = row["difference"]
    if gap is None:
        return name, told(row["a"]), told(row["b"]), "", "", ""
    between = ""
    if gap["low"] is not None:
        between = " to ".join(f"{gap[end] * times:+,.{places}f}" for end in ("low", "high"))
    verdict = {True: "apart", False: "", None: "too few"}[row["is_apart"]]
    return name, told(row["a"]), told(row["b"]), told(gap, is_signed=True), between, verdict


def _verdict(figures: Sequence[JsonObject]) -> str:
    known = [row for row in figures if row.get("is_apart") is not None]
    apart = [_FIGURES[row["figure"]][0] for row in known if row["is_apart"]]
    if not known:
        return "Nothing can be said yet: no figure has an interval on both sides."
    if not apart:
        return f"No difference is seen in {counted(len(known), 'figure')}; the intervals say how large one may yet be."
    chance = f"of {counted(len(known), 'figure')}, each at 95 %, chance alone sets one in twenty apart"
    return f"A and B differ in {', '.join(apart)} ({chance})."


def _days_text(days: JsonObject) -> str:
    if not days["days"]:
        return "no day"
    return f"{counted(days['days'], 'day')} ({days['from']} to {days['to']})" if days["days"] > 1 else days["from"]
