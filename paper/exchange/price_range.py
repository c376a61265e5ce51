"""The price range rule: no trade is further from a symbol's reference price than its multiples.

As in Binance Spot, FAQ "Price Range Execution Rule". The reference price is the mean of what was traded in the last
minutes, each trade counting once, whatever its quantity; engines enforce the range (docs/engine.md).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from market.limits import PRICE_TICKS_MAX
from paper.units import Symbol, format_units

CALCULATION_TYPE: Final = "ARITHMETIC_MEAN"
BUCKET_WIDTH_MS: Final = 1_000
BUCKET_COUNT: Final = 300

RANGE_FACTOR: Final = 2  # a trade is at most so many times the reference price, and at least so great a part of it
RULE: Final = {
    "ruleType": "PRICE_RANGE",
    "bidLimitMultUp": f"{RANGE_FACTOR:.4f}",
    "bidLimitMultDown": f"{1 / RANGE_FACTOR:.4f}",
    "askLimitMultUp": f"{RANGE_FACTOR:.4f}",
    "askLimitMultDown": f"{1 / RANGE_FACTOR:.4f}",
}

_WINDOW_MS: Final = BUCKET_WIDTH_MS * BUCKET_COUNT
_ONE: Final = 10_000  # counts and sums have four decimals more, so that a part of a bucket can leave


class ReferencePrice(NamedTuple):
    """The reference price at a time; `price_units` is None while nothing has traded within the window."""

    price_units: int | None
    time_ms: int

    @property
    def price_text(self) -> str | None:
        """The price as documents tell it."""
        return None if self.price_units is None else format_units(self.price_units)


class PriceRange(NamedTuple):
    """The lowest and the highest price at which a taker may trade, both included; 0 is no bound."""

    low_ticks: int
    high_ticks: int

    @classmethod
    def around(cls, symbol: Symbol, price_units: int) -> "PriceRange":
        """Return the range of a reference price: all ticks within the multiples, and at least one."""
        high = min(max(price_units * RANGE_FACTOR // symbol.tick_units, 1), PRICE_TICKS_MAX)
        low = -(-price_units // (RANGE_FACTOR * symbol.tick_units))
        return cls(min(max(low, 1), high), high)


ANY_PRICE: Final = PriceRange(0, 0)


@dataclass(slots=True)
class _Bucket:
    open_ms: int
    count: int = 0
    sum_units: int = 0


class TradeMean:
    """The mean price of the trades of one symbol, in buckets; the oldest one leaves bit by bit."""

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque()
        self._count = 0  # of all buckets, as is the sum
        self._sum_units = 0
        self._has_traded = False

    def add(self, price_units: int, time_ms: int, count: int = 1) -> None:
        """Take in the next trade, or all of a second at their average; none is older than the one before it."""
        open_ms = time_ms // BUCKET_WIDTH_MS * BUCKET_WIDTH_MS
        if not self._buckets or self._buckets[-1].open_ms < open_ms:
            self._buckets.append(_Bucket(open_ms))
        self._change(self._buckets[-1], count * _ONE, price_units * count * _ONE)
        self._has_traded = True
        self._forget(time_ms)

    def at(self, now_ms: int) -> ReferencePrice | None:
        """Return the reference price, or None if there never was a trade."""
        if not self._has_traded:
            return None
        self._forget(now_ms)
        return ReferencePrice(self._sum_units // self._count if self._count else None, now_ms)

    def _forget(self, now_ms: int) -> None:
        cutoff_ms, buckets = now_ms - _WINDOW_MS, self._buckets
        while buckets and (oldest := buckets[0]).open_ms < cutoff_ms:
            close_ms = (oldest.open_ms // BUCKET_WIDTH_MS + 1) * BUCKET_WIDTH_MS
            if close_ms <= cutoff_ms:
                self._change(oldest, -oldest.count, -oldest.sum_units)
                buckets.popleft()
                continue
            left_ms, length_ms = close_ms - cutoff_ms, close_ms - oldest.open_ms
            count, sum_units = oldest.count * left_ms // length_ms, oldest.sum_units * left_ms // length_ms
            self._change(oldest, count - oldest.count, sum_units - oldest.sum_units)
            oldest.open_ms = cutoff_ms

    def _change(self, bucket: _Bucket, count: int, sum_units: int) -> None:
        bucket.count += count
        bucket.sum_units += sum_units
        self._count += count
        self._sum_units += sum_units
