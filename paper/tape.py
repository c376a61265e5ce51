"""The public past of one symbol: its last trades, and bars of seconds and minutes made from every trade seen."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Final, NamedTuple

from market.clock import NS_PER_MS
from market.codes import Side
from market.limits import TRADES_KEPT_MAX

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000

_HOUR_MS: Final = 60 * MINUTE_MS
INTERVALS_MS: Final = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": _HOUR_MS,
    "2h": 2 * _HOUR_MS,
    "4h": 4 * _HOUR_MS,
    "6h": 6 * _HOUR_MS,
    "8h": 8 * _HOUR_MS,
    "12h": 12 * _HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}

_SECONDS_MS: Final = _HOUR_MS  # how far back bars of a second are kept
_MINUTES_MS: Final = 7 * DAY_MS  # and bars of a minute
_FIRST_MONDAY_MS: Final = 4 * DAY_MS  # 1970 began on a Thursday; weeks begin on Mondays


class PublicTrade(NamedTuple):
    """A trade as everybody sees it; `trade_id` is the exchange's."""

    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: Side
    time_ns: int

    @property
    def time_ms(self) -> int:
        """When, ms since 1970 UTC."""
        return self.time_ns // NS_PER_MS


@dataclass(slots=True)
class Bar:
    """What happened from `open_ms` on, for as long as the bar is; `..._ticks_lots` are sums of price x quantity."""

    open_ms: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    qty_lots: int = 0
    notional_ticks_lots: int = 0
    bought_lots: int = 0
    bought_ticks_lots: int = 0
    count: int = 0
    first_trade_id: int = -1
    last_trade_id: int = -1

    @classmethod
    def flat(cls, open_ms: int, price_ticks: int) -> "Bar":
        """Return a bar without trades."""
        return cls(open_ms, price_ticks, price_ticks, price_ticks, price_ticks)

    def add_trade(self, trade: PublicTrade) -> None:
        """Add a trade."""
        notional = trade.price_ticks * trade.qty_lots
        is_buy = trade.taker_side is Side.BUY
        piece = Bar.flat(self.open_ms, trade.price_ticks)
        piece.qty_lots, piece.notional_ticks_lots, piece.count = trade.qty_lots, notional, 1
        piece.bought_lots, piece.bought_ticks_lots = trade.qty_lots * is_buy, notional * is_buy
        piece.first_trade_id = piece.last_trade_id = trade.trade_id
        self.add_bar(piece)

    def add_bar(self, later: "Bar") -> None:
        """Add a later bar, or a later part of this one."""
        if later.count == 0:
            return
        if self.count == 0:
            self.open_ticks = self.high_ticks = self.low_ticks = later.open_ticks
            self.first_trade_id = later.first_trade_id
        self.high_ticks = max(self.high_ticks, later.high_ticks)
        self.low_ticks = min(self.low_ticks, later.low_ticks)
        self.close_ticks, self.last_trade_id = later.close_ticks, later.last_trade_id
        self.qty_lots += later.qty_lots
        self.notional_ticks_lots += later.notional_ticks_lots
        self.bought_lots += later.bought_lots
        self.bought_ticks_lots += later.bought_ticks_lots
        self.count += later.count


class Tape:
    """The trades of one symbol since the exchange has been watching."""

    def __init__(self) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self._seconds: deque[Bar] = deque(maxlen=_SECONDS_MS // SECOND_MS)
        self._minutes: deque[Bar] = deque(maxlen=_MINUTES_MS // MINUTE_MS)

    def add(self, trade: PublicTrade) -> bool:
        """Add the next trade and return True; one that is already there is passed over."""
        if self.trades and trade.trade_id <= self.trades[-1].trade_id:
            return False
        self.trades.append(trade)
        for bars, length_ms in ((self._seconds, SECOND_MS), (self._minutes, MINUTE_MS)):
            open_ms = trade.time_ms // length_ms * length_ms
            if not bars or bars[-1].open_ms < open_ms:
                bars.append(Bar.flat(open_ms, trade.price_ticks))
            bars[-1].add_trade(trade)
        return True

    @property
    def last_ticks(self) -> int | None:
        """The price of the last trade, or None before the first."""
        return self.trades[-1].price_ticks if self.trades else None

    def average_ticks(self, now_ms: int, length_ms: int) -> int | None:
        """Return the average price of the last `length_ms` by quantity, the last price if nothing traded, else None."""
        total = _total(self._seconds, now_ms - length_ms)
        return total.notional_ticks_lots // total.qty_lots if total is not None else self.last_ticks

    def day(self, now_ms: int) -> Bar | None:
        """Return the last 24 hours as one bar, to the minute, or None if nothing traded."""
        return _total(self._minutes, now_ms - DAY_MS)

    def bars_since(self, interval: str, since_ms: int, now_ms: int) -> list[Bar]:
        """Return the bars from the one that `since_ms` falls into to the current one, oldest first."""
        pieces = self._seconds if interval == "1s" else self._minutes
        return list(_grid_of(interval).bars(pieces, since_ms, now_ms)) if pieces else []

    def bars(self, interval: str, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[Bar]:
        """Return bars of an interval of INTERVALS_MS, oldest first, without gaps; flat where nothing traded.

        Without `start_ms` it is the latest `limit`, otherwise the first `limit` from there.
        """
        pieces, kept_ms = (self._seconds, _SECONDS_MS) if interval == "1s" else (self._minutes, _MINUTES_MS)
        if not pieces:
            return []
        until_ms = now_ms if end_ms is None else min(now_ms, end_ms)
        grid = _grid_of(interval)
        bars = [
            bar for bar in grid.bars(pieces, now_ms - kept_ms, until_ms) if start_ms is None or bar.open_ms >= start_ms
        ]
        return bars[-limit:] if start_ms is None else bars[:limit]


class _Grid(NamedTuple):
    """Where the bars of one interval begin: at `offset_ms` and every `length_ms` from there."""

    length_ms: int
    offset_ms: int

    def bars(self, pieces: Sequence[Bar], since_ms: int, until_ms: int) -> Iterator[Bar]:
        """Yield one bar after the other, flat where nothing traded, from the first of `pieces` after `since_ms` on."""
        open_ms = self._open_of(max(since_ms, pieces[0].open_ms))
        price_ticks = pieces[0].open_ticks
        bar: Bar | None = None
        for piece in pieces:
            if piece.open_ms < open_ms:
                price_ticks = piece.close_ticks
                continue
            if bar is None:
                bar = Bar.flat(open_ms, price_ticks)
            while piece.open_ms >= bar.open_ms + self.length_ms:
                yield bar
                bar = Bar.flat(bar.open_ms + self.length_ms, bar.close_ticks)
                if bar.open_ms > until_ms:
                    return
            bar.add_bar(piece)
        bar = bar or Bar.flat(open_ms, price_ticks)
        while bar.open_ms <= until_ms:
            yield bar
            bar = Bar.flat(bar.open_ms + self.length_ms, bar.close_ticks)

    def _open_of(self, at_ms: int) -> int:
        return (at_ms - self.offset_ms) // self.length_ms * self.length_ms + self.offset_ms


def aggregated(trades: Sequence[PublicTrade]) -> Iterator[list[PublicTrade]]:
    """Yield the trades in groups of one moment, price and direction."""
    for _, group in groupby(trades, key=lambda trade: (trade.time_ns, trade.price_ticks, trade.taker_side)):
        yield list(group)


def _grid_of(interval: str) -> _Grid:
    return _Grid(INTERVALS_MS[interval], _FIRST_MONDAY_MS if interval == "1w" else 0)


def _total(bars: Sequence[Bar], since_ms: int) -> Bar | None:
    recent = list(takewhile(lambda bar: bar.open_ms >= since_ms, reversed(bars)))
    if not recent:
        return None
    total = Bar.flat(recent[-1].open_ms, recent[-1].open_ticks)
    for bar in reversed(recent):
        total.add_bar(bar)
    return total
