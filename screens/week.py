"""Several days as text, from their weekly document: a line a day, as many of its figures as the screen is wide for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from market.exact_json import JsonObject
from market.words import counted
from screens.money import gain_text, money_text, percent_text
from screens.report import RATE_OF_MIN, round_trips_phrase

COLUMNS: Final = 120  # of what is no screen
_EMPTY: Final = {"missing": "no report", "before": "before the first report"}
_NAMES: Final = ("day", "PnL", "fills", "won", "drawdown", "fees", "volume", "presence")  # those that go last, last
_INDENT: Final = "   "
_GAP: Final = "  "
_LEVELS: Final = "▁▂▃▄▅▆▇█"


def week_text(week: JsonObject, columns: int = COLUMNS) -> str:
    """Return the days, totals and recommendations; days without a report take a line together."""
    quote, total, days = week["quote"], week["total"], week["days"]
    name = "Week" if len(days) == 7 else "Days"
    of = f", {week['symbol']}" if "symbol" in week else ""
    lines = [f"📈 {name} {week['from']} to {week['to']}{of}:", *_table(days, quote, columns)]
    if line := sparkline([day.get("pnl") for day in days]):
        lines.append(f"{_INDENT}PnL by day: {line}")
    lines += [
        "",
        f"   Total PnL: {gain_text(total['pnl'], quote)} ({counted(total['trades'], 'trade')}, {_found(total)})",
    ]
    if total["pnl_across_midnight"] not in (None, total["pnl"]):
        lines.append(f"   With lots carried over midnight: {gain_text(total['pnl_across_midnight'], quote)}")
    if total["round_trips"]:
        lines.append(f"   Round trips: {round_trips_phrase(total)}")
    lines += [
        f"   Volume: {money_text(total['volume'], quote)}{_maker_phrase(total)}{_left_out_phrase(total)}",
        f"   Fees: {money_text(total['fees'], quote)}",
    ]
    if week["best_day"] != week["worst_day"]:
        lines.append(f"   Best day: {week['best_day']['date']} ({gain_text(week['best_day']['pnl'], quote)})")
        lines.append(f"   Worst day: {week['worst_day']['date']} ({gain_text(week['worst_day']['pnl'], quote)})")
    return "\n".join([*lines, *_advice_lines(week["recommendations"])])


def _advice_lines(rows: Sequence[JsonObject]) -> list[str]:
    """Return what is wrong with the data, and apart from it what is recommended."""
    notices, others = ([row for row in rows if (row["kind"] == "notice") is is_notice] for is_notice in (True, False))
    lines: list[str] = []
    for title, some in (("🧾 Notices", notices), ("💡 Recommendations", others)):
        lines += ["", f"{title}:", *(f"   - {row['advice']}" for row in some)] if some else []
    return lines


def sparkline(values: Sequence[Decimal | None]) -> str:
    """Return a block for each value, as high as it is between the lowest and the highest, or zero; nothing of one.

    A value that is not known is a space.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(*known, Decimal(0)), max(*known, Decimal(0))
    range_ = high - low or Decimal(1)
    most = len(_LEVELS) - 1
    return "".join(" " if one is None else _LEVELS[int((one - low) * most / range_)] for one in values).rstrip()


def _table(days: Sequence[JsonObject], quote: str | None, columns: int) -> list[str]:
    """Return the header and the lines of the days; the columns that have no room are left out, from the right."""
    rows = {day["date"]: _cells(day, quote) for day in days if day["state"] == "reported"}
    if rows:
        told = [_NAMES, *rows.values()]
        is_told = [any(row[index] for row in rows.values()) for index in range(len(_NAMES))]
        widths = [max(len(row[index]) for row in told) for index in range(len(_NAMES))]
        shown, left = [], columns - len(_INDENT) + len(_GAP)
        for index, width in enumerate(widths):
            left -= (width + len(_GAP)) * is_told[index]
            if left < 0:
                break
            shown += [index] * is_told[index]
        lines = [_row(_NAMES, widths, shown)]
    else:
        lines = []
    for _, run in groupby(days, lambda day: day["state"] if day["state"] in _EMPTY else day["date"]):
        some = list(run)
        if some[0]["date"] in rows:
            lines += [_row(rows[some[0]["date"]], widths, shown), *_notes(some[0])]
        else:
            lines.append(_INDENT + _unreported(some))
    return lines


def _row(cells: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
    first, *others = shown
    figures = (cells[index].rjust(widths[index]) for index in others)
    return _INDENT + _GAP.join([cells[first].ljust(widths[first]), *figures]).rstrip()


def _cells(day: JsonObject, quote: str | None) -> tuple[str, ...]:
    """Return a day's figures as `_NAMES` has them; what is not known is empty."""
    fall, presence = day["max_drawdown"], day["presence"]
    return (
        day["date"],
        gain_text(day["pnl"], quote),
        f"{day['trades']:,}",
        _won_text(day),
        "" if fall is None else money_text(fall, quote),
        "" if day["fees"] is None else money_text(day["fees"], quote),
        "" if day["volume"] is None else money_text(day["volume"], quote),
        "" if presence is None else percent_text(presence),
    )


def _won_text(day: Mapping[str, Any]) -> str:
    """Return `3 of 7`, of many with the rate and its interval: `60 % of 1,240 (57-63)`."""
    decided = (day["round_trips"] or 0) - (day.get("undecided") or 0)
    if decided < RATE_OF_MIN:
        return f"{day['wins']} of {decided}" if decided else ""
    low, high = day.get("win_rate_low"), day.get("win_rate_high")
    interval = "" if low is None or high is None else f" ({low * 100:.0f}-{high * 100:.0f})"
    return f"{Decimal(day['wins']) / decided * 100:.0f} % of {decided:,}{interval}"


def _notes(day: JsonObject) -> list[str]:
    """Return what is wrong with a day, or not known of it."""
    notes = []
    if day["trades"] and day["volume"] is None:
        notes.append("volume and fees not known")
    if day["is_reconciled"] is False:
        notes.append("books disagree")
    if day.get("is_identical") is False:
        notes.append("figures are wrong: they are not what the trades moved")
    return [f"{_INDENT * 2}{note}" for note in notes]


def _unreported(days: Sequence[JsonObject]) -> str:
    """Return what there is to say of a damaged day, or of days that stand together because none has a report."""
    day = days[0]
    if day["state"] == "damaged":
        return f"{day['date']}  damaged: {day['reason']}"
    dates = day["date"] if len(days) == 1 else f"{day['date']} to {days[-1]['date']}"
    return f"{dates}  {_EMPTY[day['state']]}"


def _found(total: Mapping[str, Any]) -> str:
    phrases = [f"{counted(total['days_reported'], 'day')} reported"]
    phrases += [f"{total[f'days_{state}']} {state}" for state in ("missing", "damaged") if total[f"days_{state}"]]
    return ", ".join(phrases)


def _maker_phrase(total: Mapping[str, Any]) -> str:
    return "" if total["maker_ratio"] is None else f", maker {percent_text(total['maker_ratio'])}"


def _left_out_phrase(total: Mapping[str, Any]) -> str:
    days = total.get("days_without_volume", [])
    return f" (without {', '.join(days)}: not in the file)" if days else ""
