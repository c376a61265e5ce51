"""The last minutes of a symbol, second by second: its trades as bars, the mid, and our best quotes."""

from collections.abc import Iterable
from itertools import chain, takewhile
from typing import Final

from market.clock import NS_PER_SECOND
from market.feed_messages import BookTrade

BARS_MAX: Final = 600  # seconds


class Bar:
    """A second: first, highest, lowest and last price in ticks and the lots that were traded, None without a trade.

    `own` are our best bid and ask in ticks, `mid_ticks_x2` twice the mid, each as last seen in that second.
    """

    __slots__ = ("lots", "mid_ticks_x2", "own", "prices", "second")

    def __init__(self, second: int) -> None:
        self.second = second
        self.prices: tuple[int, int, int, int] | None = None
        self.lots = 0
        self.own: tuple[int | None, int | None] = None, None
        self.mid_ticks_x2: int | None = None

    def trade(self, price_ticks: int, lots: int) -> None:
        """Take a trade."""
        first, high, low, _ = self.prices or (price_ticks,) * 4
        self.prices = first, max(high, price_ticks), min(low, price_ticks), price_ticks
        self.lots += lots

    @property
    def text(self) -> str:
        """It as JSON: second, the four prices, lots, our bid and ask, twice the mid."""
        numbers = (*(self.prices or (None,) * 4), self.lots, *self.own, self.mid_ticks_x2)
        return f"[{self.second},{','.join('null' if each is None else str(each) for each in numbers)}]"


class LiveBars:
    """Bars of one symbol, made from what its replica remembers of the trades.

    More trades between two looks than it remembers, and the first of them are in no bar.
    """

    def __init__(self) -> None:
        self._bars: dict[int, Bar] = {}
        self._last_id = 0
        self._second = 0  # of the last look; an engine on another machine may be ahead of it

    def look(
        self,
        trades: Iterable[BookTrade],
        now_ns: int,
        mid_ticks_x2: int | None,
        own: tuple[int | None, int | None],
    ) -> list[Bar]:
        """Take what is new; return the bars that it has changed, oldest first.

        Args:
            trades: newest first.
            now_ns: ns since 1970 UTC.
            mid_ticks_x2: now; None if a side is empty.
            own: our best bid and ask in ticks.
        """
        newest_first = iter(trades)
        newest = next(newest_first, None)
        if newest is not None and newest.trade_id < self._last_id:
            self._last_id = 0  # an engine that has begun anew counts from 1
        known = self._last_id
        fresh = (
            [] if newest is None else [*takewhile(lambda trade: trade.trade_id > known, chain([newest], newest_first))]
        )
        second, before = now_ns // NS_PER_SECOND, self._second
        self._second = second
        if second < before:  # the clock was set back: what is later has not been yet
            self._bars = {each: bar for each, bar in self._bars.items() if each <= second}
        now = self._bar(second)
        now.mid_ticks_x2, now.own = mid_ticks_x2, own
        changed = {now.second: now}
        for trade in reversed(fresh):
            bar = self._bar((trade.time_ns or now_ns) // NS_PER_SECOND)
            bar.trade(trade.price_ticks, trade.qty_lots)
            changed[bar.second] = bar
        if fresh:
            self._last_id = fresh[0].trade_id
        return sorted(changed.values(), key=lambda bar: bar.second)

    def __contains__(self, second: int) -> bool:
        return second in self._bars

    def _bar(self, second: int) -> Bar:
        if (bar := self._bars.get(second)) is None:
            bar = self._bars[second] = Bar(second)
            while len(self._bars) > BARS_MAX:
                del self._bars[min(self._bars)]
        return bar
