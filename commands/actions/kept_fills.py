"""What the daily files tell of a stretch of time: our fills in a pair, and the position around them."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from desk.settings import Settings
from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND, day_bounds_ns, utc_date
from market.clock import time_ns as now_ns
from market.exact_json import JsonObject
from reports.exact import figure
from reports.folder import ReportsFolder
from reports.lots import arrived
from reports.performance import book_of, history_of


class KeptFills(NamedTuple):
    """Fills, oldest first, each with the position after it.

    Attributes:
        before: the position before the first of them; None while it is not known.
        position: that at the end. Both as `report` has it: with the lots of the days before, and without what fees have
            taken of the base asset.
        until_ns: up to when all are known, ns since 1970: the file of today is some seconds behind.
        missing: what is not known, for a person; empty if all is.
    """

    fills: Sequence[tuple[VenueTrade, Decimal]]
    before: Decimal | None
    position: Decimal | None
    until_ns: int
    missing: str = ""


def kept_fills(settings: Settings, since_ns: int, until_ns: int) -> KeptFills:
    """Return the fills in `settings.symbol` after a time, ns since 1970, up to another one: a day later at most."""
    folder, last = ReportsFolder(settings.reports_dir), utc_date(until_ns)
    days = [last] if utc_date(since_ns) == last else [last - timedelta(days=1), last]
    documents, damaged = folder.read_sums(last, len(days))
    fills: list[tuple[VenueTrade, Decimal]] = []
    before: Fraction | None = None
    position: Fraction | None = None
    missing = []
    for day in days:
        end_ns = until_ns if day == last else day_bounds_ns(day)[1]
        try:
            at_end, of_day = _of_day(settings, day, documents[day], since_ns, end_ns)
        except (KeyError, ValueError):  # there is none, or `report` says what is wrong with it
            is_there = day in documents or day in damaged
            missing.append(f"the daily file of {day} {'is damaged' if is_there else 'is not there'}")
            before = position = None
            continue
        began = at_end - sum((arrived(trade, settings.instrument.base) for trade in of_day), Fraction(0))
        before = began if before is None else before
        position = began
        for trade in of_day:
            position += arrived(trade, settings.instrument.base)
            fills.append((trade, figure(position)))
    told_ns = _told_ns(documents.get(last), until_ns)
    return KeptFills(
        fills,
        None if before is None else figure(before),
        None if position is None else figure(position),
        told_ns,
        "; ".join(missing),
    )


def _of_day(
    settings: Settings, day: date, document: JsonObject, since_ns: int, until_ns: int
) -> tuple[Fraction, list[VenueTrade]]:
    """Return what was open at a time of a day, and the trades of it after another time.

    Raises:
        ValueError: naming what is wrong in the document.
    """
    rows = [row for row in history_of(document) if row.trade.time_ms * NS_PER_MS <= until_ns]
    book = book_of(day, document, rows=rows).symbols.get(settings.symbol)
    trades = [row.trade for row in rows if row.trade.symbol == settings.symbol]
    return (
        Fraction(0) if book is None else book.fifo.position,
        [trade for trade in trades if trade.time_ms * NS_PER_MS > since_ns],
    )


def _told_ns(document: JsonObject | None, until_ns: int) -> int:
    """Return up to when the file of the last day knows all of a stretch: that of a day that is over all of it."""
    day = utc_date(until_ns)
    if document is None or day != utc_date(now_ns()):
        return until_ns
    hours, minutes, seconds = map(int, document["time"].split(":"))
    written_ns = day_bounds_ns(day)[0] + (3_600 * hours + 60 * minutes + seconds) * NS_PER_SECOND
    return min(until_ns, written_ns)
