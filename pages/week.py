"""Several days as a page: each beside the others, and all of them together."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from market.exact_json import JsonObject
from market.words import counted
from pages.markup import Html, element
from pages.parts import Tile, chart, grid, page, section, table, tiles, words
from pages.plot import Plot, amounts_axis, names_axis
from pages.words import rate_text, short
from reports.marked_fills import HORIZONS_S
from screens.money import gain_text, money_text, percent_text

_ROWS_MAX: Final = 31
_ROWS_PRINTED: Final = 10  # of the markouts; of the days there is room for all
_FEW: Final = 14  # days whose charts leave room on paper
_HORIZON_S: Final = 10  # of the chart
_STATES: Final = {"missing": "no report", "before": "before the first report", "damaged": "damaged"}


def week_page(week: JsonObject, source: str, warnings: Iterable[str] = ()) -> str:
    """Return the page of a weekly document, of any number of days.

    Args:
        source: where its daily documents are, for the foot of the page.
        warnings: what is to be read before any figure, besides what the document says.
    """
    days, quote = week["days"], week["quote"]
    reported = [day for day in days if day["state"] == "reported"]
    body = [
        *words([*warnings, *_warnings(days)]),
        tiles(_tiles(week, quote)),
        section("Day by day", _charts(days, quote, week.get("markouts")), kind="many" if len(days) > _FEW else None),
        section("Days", _days_table(days, quote)),
        *_markouts_section(week.get("markouts")),
        *_advice(week["recommendations"]),
    ]
    foot = f"Made from the files in {source}. Days are UTC. What each figure means: docs/reports.md."
    about = f"{counted(len(reported), 'day')} reported of {len(days)}"
    of = f", {week['symbol']}" if "symbol" in week else ""
    title = f"Performance {week['from']} to {week['to']}{of}"
    return page(title, [element("p", about, class_="soft")], body, foot)


def _advice(rows: Iterable[JsonObject]) -> Iterator[Html]:
    """Yield what is wrong with the data, and apart from it what is recommended."""
    for title, is_notice in (("Notices", True), ("Recommendations", False)):
        if items := [element("li", row["advice"]) for row in rows if (row["kind"] == "notice") is is_notice]:
            yield section(title, element("ul", *items))


def _tiles(week: JsonObject, quote: str | None) -> list[Tile]:
    total = week["total"]
    found = [
        Tile("PnL realized", gain_text(total["pnl"], quote), "after fees, the sum of the days"),
        Tile("Fills", f"{total['trades']:,}", f"{counted(total['buys'], 'buy')}, {counted(total['sells'], 'sell')}"),
    ]
    if total["volume"] is not None:
        share = "" if total["maker_ratio"] is None else f"{percent_text(total['maker_ratio'])} of it as maker"
        found.append(Tile("Volume", money_text(total["volume"], quote), share))
        cost = f"{total['fees'] / total['volume'] * 10_000:.2f} bps of the volume" if total["volume"] else ""
        found.append(Tile("Fees", money_text(total["fees"], quote), cost))
    if trips := (total["round_trips"] or 0) - (total["undecided"] or 0):
        value, of = rate_text(total["wins"], trips, {"low": total["win_rate_low"], "high": total["win_rate_high"]})
        found.append(Tile("Round trips won", value, of or "closed lots: too few for a rate"))
    for name, day in (("Best day", week["best_day"]), ("Worst day", week["worst_day"])):
        if day is not None and week["best_day"] != week["worst_day"]:
            found.append(Tile(name, gain_text(day["pnl"], quote), day["date"]))
    found += [
        Tile(name.title(), f"{ratio['value']:.2f}", f"a year's, of the equity of {counted(ratio['n'], 'day')}")
        for name in ("sharpe", "sortino")
        if (ratio := total[name])["value"] is not None
    ]
    return found


def _charts(days: Sequence[JsonObject], quote: str | None, markouts: JsonObject | None) -> Html:
    """Return the days beside each other, from the first one with a report; a day that is not known has no bar."""
    shown = [day for day in days if day["state"] != "before"]
    known = [day for day in shown if day["state"] == "reported"]
    if not known or quote is None or any(day["pnl"] is None for day in known):
        why = "No day with a report." if not known else "Nothing of these days can be added up."
        return element("p", why, class_="none")
    names = [day["date"][5:] for day in shown]
    drawn = [_gains(shown, names, quote), _sum(shown, names, quote)]
    for key, title, caption in (
        ("max_drawdown", "Largest drawdown", f"Of each day, {quote}."),
        ("volume", "Volume", f"Both sides, {quote}."),
        ("fees", "Fees", f"Of all fills, {quote}."),
        ("trades", "Fills", "Buys and sells."),
    ):
        if any(day.get(key) is not None for day in shown):
            drawn.append(_bars(title, [day.get(key) for day in shown], names, caption))
    if markouts is not None and markouts["days"]:
        drawn.append(_markouts(markouts["days"], [day["date"] for day in shown], names))
    return grid("charts", drawn)


def _gains(shown: Sequence[JsonObject], names: Sequence[str], quote: str) -> Html:
    values = [None if day.get("pnl") is None else float(day["pnl"]) for day in shown]
    plot = Plot(names_axis(names), amounts_axis(filter(None, values), short))
    for kind, sign in (("buy", 1), ("sell", -1)):
        plot.bars(((index, value) for index, value in enumerate(values) if value and value * sign > 0), kind)
    told = "; ".join(f"{name} {gain_text(day.get('pnl'), quote)}" for name, day in zip(names, shown, strict=True))
    return chart("PnL of each day", plot.svg(f"PnL of each day: {told}."), f"Realized, {quote}, after fees.")


def _sum(shown: Sequence[JsonObject], names: Sequence[str], quote: str) -> Html:
    sums = list(accumulate(Decimal(day.get("pnl") or 0) for day in shown))
    points = [(index - 0.5, float(value)) for index, value in enumerate(sums)]
    plot = Plot(names_axis(names), amounts_axis([y for _, y in points], short))
    plot.steps([(-0.5, 0.0), *points, (len(points) - 0.5, points[-1][1])], "plain", is_filled=True)
    label = f"PnL of the days together: ends at {gain_text(sums[-1], quote)}."
    return chart("PnL of the days together", plot.svg(label), f"Realized, {quote}, from the first day on.")


def _bars(title: str, values: Sequence[Any], names: Sequence[str], caption: str) -> Html:
    known = [(float(index), float(value)) for index, value in enumerate(values) if value is not None]
    plot = Plot(names_axis(names), amounts_axis([value for _, value in known], short))
    plot.bars((bar for bar in known if bar[1]), "plain")
    told = "; ".join(f"{names[int(index)]} {value:,.8g}" for index, value in known)
    return chart(title, plot.svg(f"{title} of each day: {told}."), caption)


def _markouts(days: Sequence[JsonObject], dates: Sequence[str], names: Sequence[str]) -> Html:
    """Return the markout of each day with its interval; a day without one has no mark."""
    found = {day["date"]: row for day in days for row in day["rows"] if row["horizon_s"] == _HORIZON_S}
    known = [(float(place), row) for place, date in enumerate(dates) if (row := found.get(date)) and row["n"]]
    spans = [(x, float(row["low_bps"]), float(row["high_bps"])) for x, row in known if row["low_bps"] is not None]
    means = [(x, float(row["mean_bps"])) for x, row in known]
    plot = Plot(
        names_axis(names), amounts_axis([*(y for _, y in means), *(y for span in spans for y in span[1:])], short)
    )
    plot.whiskers(spans, "plain")
    plot.marks(means, "plain")
    told = "; ".join(f"{names[int(x)]} {row['mean_bps']:+z.2f} ({row['n']:,} fills)" for x, row in known)
    caption = f"What a fill was worth {_HORIZON_S} s later, bps of the mid; bars are 95 % intervals."
    return chart("Markouts", plot.svg(f"Markouts of each day after {_HORIZON_S} s: {told}."), caption)


def _markouts_section(markouts: JsonObject | None) -> Iterator[Html]:
    """Yield the markouts of each day, and of all of them together."""
    if markouts is None or not markouts["days"]:
        return
    rows = [(day["date"], day["rows"]) for day in reversed(markouts["days"])]
    rows = [("All", markouts["total"]), *rows] if markouts["total"] else rows
    told = [(name, *(cell for row in its for cell in (_markout_text(row), f"{row['n']:,}"))) for name, its in rows]
    names = ("Day", *(cell for horizon in HORIZONS_S for cell in (f"{horizon} s", "n")))
    title = "Bps of the mid, with 95 %; of all days those that have an interval, by volume"
    yield section("Markouts", table(title, names, told, _ROWS_MAX, wide=(1, 2, 5, 6), printed=_ROWS_PRINTED))


def _markout_text(row: JsonObject) -> str:
    if row["mean_bps"] is None:
        return "n/a"
    interval = "" if row["low_bps"] is None else f" ({row['low_bps']:+z.1f} to {row['high_bps']:+z.1f})"
    return f"{row['mean_bps']:+z.2f}{interval}"


def _days_table(days: Sequence[JsonObject], quote: str | None) -> Html | None:
    names = ("Day", "PnL", "Fills", "Volume", "Fees", "Won", "Drawdown", "Presence")
    shown = [day for day in reversed(days) if day["state"] != "before"]
    return table("Newest first", names, [_day_row(day, quote) for day in shown], _ROWS_MAX, wide=(3, 5, 6, 7))


def _day_row(day: JsonObject, quote: str | None) -> tuple[str, ...]:
    if day["state"] != "reported":
        return day["date"], _STATES[day["state"]], *[""] * 6
    trips = (day["round_trips"] or 0) - (day["undecided"] or 0)
    return (
        day["date"],
        gain_text(day["pnl"], quote),
        f"{day['trades']:,}",
        money_text(day["volume"], quote),
        money_text(day["fees"], quote),
        _won_text(day["wins"], trips),
        _told(day["max_drawdown"], lambda value: money_text(value, quote)),
        _told(day["presence"], percent_text),
    )


def _won_text(wins: int, trips: int) -> str:
    if not trips:
        return ""
    value, of = rate_text(wins, trips)
    return f"{value} ({of})" if of else value


def _told(value: Any, text: Any) -> str:
    return "" if value is None else str(text(Decimal(value)))


def _warnings(days: Sequence[JsonObject]) -> Iterable[str]:
    for day in days:
        if day["state"] == "damaged":
            yield f"{day['date']} is damaged: {day['reason']}"
        if day.get("is_identical") is False:
            yield f"The figures of {day['date']} are wrong: they are not what the trades moved."
        if day.get("is_reconciled") is False:
            yield f"Balances and trades of {day['date']} disagree."
