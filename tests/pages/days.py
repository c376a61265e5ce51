"""Days to draw: documents of random fills around a random walk, as a tracker would write them."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from market.account import VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns
from market.codes import Side
from market.exact_json import JsonObject
from reports.marked_fills import HORIZONS_S, MarkedFill
from reports.markouts import markouts
from reports.performance import book_of, document_head, take, with_history
from reports.trade_history import FillDetail, key_of
from tests.reports.documents import performance_document
from tests.reports.fills import DAY, account, after, fill, snapshot

_START = account(BTC="1", USDT="100000")
_CENT = Decimal("0.01")


def fills_of(count: int, seed: int = 1, day: date = DAY) -> list[VenueTrade]:
    """Return `count` fills spread over `day`, a little more of them won than lost."""
    return [trade for trade, _ in _drawn(count, seed, day)]


def day_of(count: int, seed: int = 1, day: date = DAY, *, has_mids: bool = False) -> JsonObject:
    """Return the document of a day of `count` fills; `has_mids`: with the mids around each of them."""
    drawn = _drawn(count, seed, day)
    fills = [trade for trade, _ in drawn]
    end_ms = day_bounds_ns(day)[1] // NS_PER_MS - 60_000
    marks = {"BTCUSDT": str(drawn[-1][1].mid if drawn else "91000")}
    start = snapshot(_START, marks={"BTCUSDT": "91000"}, time_ms=end_ms - 80_000_000)
    first = performance_document(start, None)
    seen = snapshot(after(_START, fills), fills, marks=marks, time_ms=end_ms)
    book = book_of(day, first, seen.instruments)
    take(book, seen)
    if has_mids:
        book.describe({key_of(trade): detail for trade, detail in drawn})
    document = with_history(document_head(book, seen, (), seen.market), book)
    marked = [MarkedFill(one.time_ms, one.side, one.price, one.qty, detail.mid, detail.mids) for one, detail in drawn]
    return document | {"markouts": markouts(marked)} if has_mids else document


def days_of(counts: Sequence[int]) -> dict[date, JsonObject]:
    """Return the documents of the days that end with `DAY`."""
    days = [DAY - timedelta(days=back) for back in reversed(range(len(counts)))]
    return {
        day: day_of(count, seed, day, has_mids=True) for seed, (day, count) in enumerate(zip(days, counts, strict=True))
    }


def _drawn(count: int, seed: int, day: date) -> list[tuple[VenueTrade, FillDetail]]:
    dice = random.Random(seed)
    start_ms = day_bounds_ns(day)[0] // NS_PER_MS
    mid, position = Decimal(91000), 0
    found = []
    for number in range(1, count + 1):
        mid += Decimal(round(dice.gauss(0, 900 / count**0.5 + 1), 2))
        is_buy = dice.random() < 0.5 - 0.1 * position
        position += 1 if is_buy else -1
        away = Decimal(round(dice.uniform(1, 40), 2))
        price = ((mid - away) if is_buy else (mid + away)).quantize(_CENT)
        qty = Decimal(dice.randint(100, 1_100)) / 100_000
        fee = (price * qty / 10_000).quantize(Decimal("0.00000001"))
        side = Side.BUY if is_buy else Side.SELL
        time_ms = start_ms + 40_000_000 * number // count + 20_000_000
        trade = fill(number, side, str(qty), str(price), str(fee), time_ms=time_ms)
        mids = {after_s: mid + Decimal(round(dice.gauss(0, 3 * after_s**0.5), 2)) for after_s in HORIZONS_S}
        rule = dice.choice(["QUOTE", "REQUOTE", "REFILL"])
        age_ms, level = dice.randint(20, 90_000), dice.randint(1, 3)
        found.append((trade, FillDetail(mid, mids, age_ms, level, "fixed", rule, number % 11 == 0)))
    return found
