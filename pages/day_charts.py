"""The charts of a day: its curves, and what became of its fills."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from market.exact_json import JsonObject
from market.words import counted, counts_text
from pages.markup import Html
from pages.parts import chart, no_chart
from pages.plot import Axis, Plot, Point, amounts_axis, clock_axis, falls, names_axis
from pages.words import short
from reports.curves import Curves, hours_of, together
from screens.money import gain_text, money_text

_MARKS_MAX: Final = 250  # of each side: more than that lie over each other
_BINS_OF_STEP: Final = 5  # bars of a histogram between two labels of its axis, so that none lies over zero
_SIDES: Final = ((-0.15, "buy", "buy", "up"), (0.0, "both", "plain", "dot"), (0.15, "sell", "sell", "down"))
_PAD: Final = 0.02  # of the time between the first fill and the last, before the one and after the other


def how_it_went(document: JsonObject, curves: Sequence[Curves], quote: str | None) -> list[Html]:
    """Return the curves of the day, none without fills; amounts of several quote assets are not added up."""
    if not curves:
        return []
    time = _time_axis(curves)
    main = curves[0]
    drawn = [
        _inventory(main, time, of=len(curves)),
        _fills(main, time, of=len(curves)),
    ]
    if quote is None:
        return [
            *drawn,
            no_chart("Equity from trading", "Traded in several quote assets, whose amounts cannot be added up."),
        ]
    marked = together(curves, "marked")
    ends = [one.marked[-1] if one.end is None else one.end for one in curves]
    until_now = [*marked, (time.high, sum(ends))]
    metrics: Mapping[str, JsonObject] = document.get("metrics") or {}
    return [
        _equity(until_now, curves, time, quote),
        _drawdown(until_now, time, quote, metrics.get("max_drawdown") or {}),
        *drawn,
        _spread(curves, marked, time, quote),
        _by_hour(date.fromisoformat(document["date"]), curves, quote),
    ]


def how_good_the_fills_were(document: JsonObject, quote: str | None) -> list[Html]:
    """Return what became of the fills: markouts with their intervals, and what closing others realized."""
    if not document.get("trade_history"):
        return []
    markouts = document.get("markouts") or []
    return [_markouts(markouts), _kept(markouts), _closing_fills(document, quote)]


def _time_axis(curves: Sequence[Curves]) -> Axis:
    first = min(one.time_ms[0] for one in curves)
    last = max(one.time_ms[-1] for one in curves)
    room = max((last - first) * _PAD, 1_000.0)
    return clock_axis(first - room, last + room)


def _equity(marked: Sequence[Point], curves: Sequence[Curves], time: Axis, quote: str) -> Html:
    realized = together(curves, "realized") if all(one.realized for one in curves) else []
    plot = Plot(time, amounts_axis([y for _, y in [*marked, *realized]], short))
    plot.steps([(time.low, 0.0), *marked], "plain", is_filled=True)
    lowest, highest = (_money(end(y for _, y in marked), quote) for end in (min, max))
    label = f"Equity from trading: ends at {_money(marked[-1][1], quote)}, between {lowest} and {highest}."
    keys = [("plain", "marked")]
    if realized:
        plot.steps([(time.low, 0.0), *realized, (time.high, realized[-1][1])], "third")
        label += f" Realized {_money(realized[-1][1], quote)}."
        keys.append(("third", "realized"))
    at = "the mid" if all(one.is_at_mid for one in curves) else "the price"
    return chart(
        "Equity from trading",
        plot.svg(label),
        f"What is open is valued at {at} of each fill; {quote}, after fees.",
        keys,
    )


def _drawdown(marked: Sequence[Point], time: Axis, quote: str, metric: JsonObject) -> Html:
    points = falls([(time.low, 0.0), *marked])
    deepest = min(y for _, y in points)
    plot = Plot(time, amounts_axis([deepest], short))
    plot.steps(points, "sell", is_filled=True)
    largest = f" The largest: {money_text(metric['value'], quote)}." if metric.get("value") is not None else ""
    caption = f"How far the equity is below the highest until then; {quote}.{largest}"
    return chart("Drawdown", plot.svg(f"Drawdown: at most {_money(deepest, quote)}. {caption}"), caption)


def _inventory(one: Curves, time: Axis, of: int) -> Html:
    points = [(time.low, one.carried), *zip(map(float, one.time_ms), one.position, strict=True)]
    held = [position for _, position in points]
    plot = Plot(time, amounts_axis(held, short))
    plot.steps([*points, (time.high, held[-1])], "plain", is_filled=True)
    base = one.base
    low, high = min(held), max(held)
    label = f"Inventory: between {low:+,.8g} and {high:+,.8g} {base}, at last {one.position[-1]:+,.8g} {base}."
    return chart("Inventory", plot.svg(label), f"What was open, {base}.{_of_symbols(one, of)}")


def _fills(one: Curves, time: Axis, of: int) -> Html:
    plot = Plot(time, amounts_axis(one.price, short, has_zero=False))
    points = list(zip(map(float, one.time_ms), one.price, strict=True))
    plot.steps(points, "plain")
    counts, shown = [], 0
    for is_buy, kind, shape in ((True, "buy", "up"), (False, "sell", "down")):
        its = [point for point, side in zip(points, one.is_buy, strict=True) if side is is_buy]
        marks = its[:: max(1, -(-len(its) // _MARKS_MAX))]
        plot.marks(marks, kind, shape)
        counts.append(len(its))
        shown += len(marks)
    label = (
        f"Fills on the price of {one.symbol}: {counted(counts[0], 'buy')} and {counted(counts[1], 'sell')} "
        f"between {min(one.price):,.8g} and {max(one.price):,.8g} {one.quote}."
    )
    some = f" {shown:,} of {len(points):,} fills are marked, every so many-th." if shown < len(points) else ""
    caption = f"Price of our fills, {one.quote}.{some}{_of_symbols(one, of)}"
    return chart("Fills", plot.svg(label), caption, [("buy up", "buys"), ("sell down", "sells")])


def _spread(curves: Sequence[Curves], marked: list[Point], time: Axis, quote: str) -> Html:
    title = "Spread against the market"
    if not all(one.captured for one in curves):
        return no_chart(title, "Not known: the file does not hold the mid at each fill.")
    captured = together(curves, "captured")
    rest = [(x, total - spread) for (x, total), (_, spread) in zip(marked, captured, strict=True)]
    plot = Plot(time, amounts_axis([y for _, y in captured + rest], short))
    for points, kind in ((captured, "buy"), (rest, "sell")):
        plot.steps([(time.low, 0.0), *points, (time.high, points[-1][1])], kind)
    ends = _money(captured[-1][1], quote), _money(rest[-1][1], quote)
    label = f"Captured spread {ends[0]}; the market's moves against what was held, and fees, {ends[1]}."
    caption = f"The two add up to the equity; {quote}."
    return chart(title, plot.svg(label), caption, [("buy", "captured at the fill"), ("sell", "moves and fees")])


def _by_hour(day: date, curves: Sequence[Curves], quote: str) -> Html:
    if not all(one.realized for one in curves):
        return no_chart("By hour", "Not known: the file does not tell what each fill realized.")
    hours = hours_of(day, curves)
    names = [f"{hour:02d}" for hour in range(len(hours))]
    plot = Plot(names_axis(names), amounts_axis([one.realized for one in hours], short))
    for kind, sign in (("buy", 1), ("sell", -1)):
        plot.bars(((index, one.realized) for index, one in enumerate(hours) if one.realized * sign > 0), kind)
    busiest = max(range(len(hours)), key=lambda hour: hours[hour].fills)
    best = max(range(len(hours)), key=lambda hour: hours[hour].realized)
    caption = f"Realized in each hour, {quote}. Most fills, {hours[busiest].fills:,}, from {names[busiest]}:00 on."
    label = f"Realized by hour: most from {names[best]}:00 on, {_money(hours[best].realized, quote)}. {caption}"
    return chart("By hour", plot.svg(label), caption)


def _markouts(rows: Sequence[JsonObject]) -> Html:
    title = "Markouts"
    known = [row for row in rows if row["mean_bps"] is not None]
    if not known:
        return no_chart(title, "Not known: the file does not hold the mids after the fills.")
    horizons = sorted({row["horizon_s"] for row in known})
    values = [float(row[end]) for row in known for end in ("mean_bps", "low_bps", "high_bps") if row[end] is not None]
    plot = Plot(names_axis([f"{horizon} s" for horizon in horizons]), amounts_axis(values, short))
    told = []
    for offset, side, kind, shape in _SIDES:
        its = [row for row in known if row["side"] == side]
        places = [(horizons.index(row["horizon_s"]) + offset, row) for row in its]
        plot.whiskers(
            (
                (x, float(row["low_bps"]), float(row["high_bps"]))
                for x, row in places
                if row["low_bps"] is not None and row["high_bps"] is not None
            ),
            kind,
        )
        plot.marks(((x, float(row["mean_bps"])) for x, row in places), kind, shape)
        told += [
            f"{side} after {row['horizon_s']} s {float(row['mean_bps']):+z.2f} ({row['n']:,} fills)" for row in its
        ]
    caption = "What a fill was worth later, bps of the mid; bars are 95 % intervals."
    label = f"Markouts in basis points: {'; '.join(told)}."
    return chart(title, plot.svg(label), caption, [("buy up", "buys"), ("plain", "both"), ("sell down", "sells")])


def _kept(rows: Sequence[JsonObject]) -> Html:
    """Return the spread of the fills beside what the market took of it until later: the markout is what is kept."""
    title = "Captured, and lost again"
    known = [row for row in rows if row["side"] == "both" and None not in (row["mean_bps"], row["adverse_bps"])]
    if not known:
        return no_chart(title, "Not known: the file does not hold the mids after the fills.")
    lost = [-float(row["adverse_bps"]) for row in known]
    captured = [float(row["mean_bps"]) - each for row, each in zip(known, lost, strict=True)]
    horizons = [f"{row['horizon_s']} s" for row in known]
    plot = Plot(names_axis(horizons), amounts_axis([*captured, *lost], short))
    plot.bars(((index - 0.16, value) for index, value in enumerate(captured)), "buy", 0.3)
    plot.bars(((index + 0.16, value) for index, value in enumerate(lost)), "sell", 0.3)
    told = zip(horizons, captured, lost, strict=True)
    label = "; ".join(f"after {after} {spread:+z.2f} captured, {rest:+z.2f} lost" for after, spread, rest in told)
    counts = counts_text(row["n"] for row in known)
    caption = f"Spread at the fill, and adverse selection until later; bps of the mid, n {counts}."
    return chart(title, plot.svg(f"{label}. {caption}"), caption, [("buy", "captured"), ("sell", "adverse selection")])


def _closing_fills(document: JsonObject, quote: str | None) -> Html:
    title = "What closing fills earned"
    nets = [float(row["realized"]) for row in document["trade_history"] if row.get("realized")]
    if not nets or quote is None:
        return no_chart(title, "No fill has closed anything." if quote is not None else "In several quote assets.")
    axis = amounts_axis(nets, short)
    width = (axis.ticks[1][0] - axis.ticks[0][0]) / _BINS_OF_STEP
    counts = Counter(math.ceil(net / width) - 1 for net in nets)
    plot = Plot(axis, amounts_axis(map(float, counts.values()), short))
    for number, count in sorted(counts.items()):
        plot.bars([((number + 0.5) * width, float(count))], "buy" if number >= 0 else "sell", width * 0.9)
    won = sum(net > 0 for net in nets)
    worst, best = _money(min(nets), quote), _money(max(nets), quote)
    caption = f"How many fills realized how much, {quote}, after fees: {won:,} of {len(nets):,} gained."
    return chart(title, plot.svg(f"{caption} The worst {worst}, the best {best}."), caption)


def _money(value: float, quote: str) -> str:
    return gain_text(Decimal(f"{value:.8f}"), quote)


def _of_symbols(one: Curves, of: int) -> str:
    return f" {one.symbol}, the busiest of {of} symbols." if of > 1 else ""
