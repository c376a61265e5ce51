"""How a day went, fill by fill: the points of the curves that a page draws.

They are floats, for they are looked at and nothing is counted from them; a figure is the document's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from heapq import merge
from operator import itemgetter

from market.clock import NS_PER_MS, day_bounds_ns
from market.exact_json import JsonObject

_HOURS = 24


@dataclass(slots=True)
class Curves:
    """One symbol's day; every list has one value for each fill, amounts in quote.

    Attributes:
        carried: what was open when the day began, signed, in base.
        is_at_mid: whether `marked` values what is open at the mid of each fill; else at the fill's own price.
        marked: by how much the account's worth had changed until then, with the moves of what was carried into the day.
        end: the same at the last sight, None where its mid is not known.
        realized: net, by FIFO, until then; None where the document does not tell it of each fill.
        captured: the spread that was captured until then; None where a mid is not known.
    """

    symbol: str
    base: str
    quote: str
    carried: float = 0.0
    is_at_mid: bool = True
    time_ms: list[int] = field(default_factory=list)
    is_buy: list[bool] = field(default_factory=list)
    price: list[float] = field(default_factory=list)
    position: list[float] = field(default_factory=list)
    marked: list[float] = field(default_factory=list)
    end: float | None = None
    realized: list[float] | None = None
    captured: list[float] | None = None


@dataclass(slots=True)
class Hour:
    """What was done in an hour of the day: fills, and what they realized, net, in quote."""

    fills: int = 0
    realized: float = 0.0


def day_curves(document: JsonObject) -> list[Curves]:
    """Return the curves of each traded symbol of a daily document, that of the most fills first."""
    by_symbol: dict[str, list[JsonObject]] = {}
    for row in document.get("trade_history", ()):
        by_symbol.setdefault(row["symbol"], []).append(row)
    marks = (document.get("opening") or {}).get("marks") or {}
    found = [
        _curves(symbol, document["symbols"][symbol], marks.get(symbol), rows) for symbol, rows in by_symbol.items()
    ]
    return sorted(found, key=lambda one: (-len(one.time_ms), one.symbol))


def hours_of(day: date, curves: Iterable[Curves]) -> list[Hour]:
    """Return the 24 hours of `day`, UTC, over all `curves`, which are of one quote asset."""
    start_ms = day_bounds_ns(day)[0] // NS_PER_MS
    hours = [Hour() for _ in range(_HOURS)]
    for one in curves:
        before = 0.0
        for time_ms, realized in zip(one.time_ms, one.realized or [0.0] * len(one.time_ms), strict=True):
            hour = hours[min(max((time_ms - start_ms) // 3_600_000, 0), _HOURS - 1)]
            hour.fills += 1
            hour.realized += realized - before
            before = realized
    return hours


def together(curves: Iterable[Curves], name: str) -> list[tuple[float, float]]:
    """Return the sum over `curves` of the values `name`, as (time in ms, sum), where any of them changes."""
    parts = (
        [(time_ms, index, value) for time_ms, value in zip(one.time_ms, getattr(one, name), strict=True)]
        for index, one in enumerate(curves)
    )
    latest: dict[int, float] = {}
    points: list[tuple[float, float]] = []
    for time_ms, index, value in merge(*parts, key=itemgetter(0, 1)):
        latest[index] = value
        points.append((float(time_ms), sum(latest.values())))
    return points


def _curves(symbol: str, part: JsonObject, opening: Decimal | None, rows: list[JsonObject]) -> Curves:
    """Return a symbol's curves: what moved in the account, valued at the mids; `opening` is that of the first sight."""
    position = carried = float((part.get("carried") or {}).get("qty") or 0)
    curves = Curves(symbol, part["base"], part["quote"], carried)
    cash = realized = captured = 0.0
    start = None if opening is None else carried * float(opening)
    every_realized, every_captured = [], []
    for row in rows:
        sign = 1 if row["side"] == "BUY" else -1
        price, arrived, mid = float(row["price"]), sign * float(row["qty"]), row.get("mid")
        mark = price if mid is None else float(mid)
        start = carried * mark if start is None else start
        cash -= sign * float(row["quote_qty"])
        if row["fee_asset"] == part["base"]:
            arrived -= float(row["fee"])
        else:
            cash -= float(row["fee_in_quote"] or 0)
        position += arrived
        curves.time_ms.append(row["time_ms"])
        curves.is_buy.append(sign > 0)
        curves.price.append(price)
        curves.position.append(position)
        curves.marked.append(cash + position * mark - start)
        if row.get("realized") is not None:
            realized += float(row["realized"])
            every_realized.append(realized)
        if mid is not None:
            captured += (mark - price) * arrived
            every_captured.append(captured)
    if part["mark_price"] is not None and start is not None:
        curves.end = cash + position * float(part["mark_price"]) - start
    curves.is_at_mid = len(every_captured) == len(rows)
    curves.captured = every_captured if curves.is_at_mid else None
    curves.realized = every_realized if len(every_realized) == len(rows) else None
    return curves
