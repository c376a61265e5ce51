"""Days to draw: documents of random fills around a random walk, as a tracker would write them."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from market.account import VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns
from market.codes import Side
from market.exact_json import JsonObject
from tests.reports.documents import performance_document
from tests.reports.fills import DAY, account, after, fill, snapshot

_START = account(BTC="1", USDT="100000")
_CENT = Decimal("0.01")


def fills_of(count: int, seed: int = 1, day: date = DAY) -> list[VenueTrade]:
    """Return `count` fills spread over `day`, a little more of them won than lost."""
    dice = random.Random(seed)
    start_ms = day_bounds_ns(day)[0] // NS_PER_MS
    mid, position, fills = Decimal(91000), 0, []
    for number in range(1, count + 1):
        mid += Decimal(round(dice.gauss(0, 900 / count**0.5 + 1), 2))
        is_buy = dice.random() < 0.5 - 0.1 * position
        position += 1 if is_buy else -1
        away = Decimal(round(dice.uniform(1, 40), 2))
        price = ((mid - away) if is_buy else (mid + away)).quantize(_CENT)
        qty = Decimal(dice.randint(100, 1_100)) / 100_000
        fee = (price * qty / 10_000).quantize(Decimal("0.00000001"))
        time_ms = start_ms + 40_000_000 * number // count + 20_000_000
        side = Side.BUY if is_buy else Side.SELL
        fills.append(fill(number, side, str(qty), str(price), str(fee), time_ms=time_ms))
    return fills


def day_of(count: int, seed: int = 1, day: date = DAY) -> JsonObject:
    """Return the document of a day of `count` fills."""
    fills = fills_of(count, seed, day)
    end_ms = day_bounds_ns(day)[1] // NS_PER_MS - 60_000
    marks = {"BTCUSDT": str(fills[-1].price) if fills else "91000"}
    first = performance_document(snapshot(_START, marks=marks, time_ms=end_ms), None)
    seen = snapshot(after(_START, fills), fills, marks=marks, time_ms=end_ms)
    return performance_document(seen, first)


def days_of(counts: Sequence[int]) -> dict[date, JsonObject]:
    """Return the documents of the days that end with `DAY`."""
    days = [DAY - timedelta(days=back) for back in reversed(range(len(counts)))]
    return {day: day_of(count, seed, day) for seed, (day, count) in enumerate(zip(days, counts, strict=True))}
