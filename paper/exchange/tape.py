"""The public past of one symbol: its last trades, and bars of seconds to days made from every trade seen."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, takewhile
from types import MappingProxyType
from typing import NamedTuple

from market.clock import NS_PER_MS
from market.codes import Side
from market.limits import TRADES_KEPT_MAX
from paper.intervals import DAY_MS, MINUTE_MS, PIECES_KEPT_MS, SECOND_MS, Interval


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

    @classmethod
    def of_trades(cls, trades: Sequence[PublicTrade]) -> "Bar":
        """Return trades, one at least and oldest first, as a bar from the first to the last."""
        first, last = trades[0], trades[-1]
        bar = cls.flat(first.time_ms, first.price_ticks)
        bar.close_ticks, bar.count = last.price_ticks, len(trades)
        bar.first_trade_id, bar.last_trade_id = first.trade_id, last.trade_id
        for _, price_ticks, qty_lots, taker_side, _ in trades:
            bar.high_ticks, bar.low_ticks = max(bar.high_ticks, price_ticks), min(bar.low_ticks, price_ticks)
            bar.qty_lots += qty_lots
            bar.notional_ticks_lots += price_ticks * qty_lots
            if taker_side is Side.BUY:
                bar.bought_lots += qty_lots
                bar.bought_ticks_lots += price_ticks * qty_lots
        return bar

    def add_bar(self, later: "Bar") -> None:
        """Add a later bar, or a later part of this one, in which something traded."""
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
    """The trades of one symbol that the exchange has heard of, and those that it knew of before, in bars alone.

    Args:
        known: by their lengths, bars of earlier trades, oldest first.
    """

    def __init__(self, known: Mapping[int, Sequence[Bar]] = MappingProxyType({})) -> None:
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self._bars: dict[int, deque[Bar]] = {
            piece_ms: deque(known.get(piece_ms, ()), maxlen=kept_ms // piece_ms)
            for piece_ms, kept_ms in PIECES_KEPT_MS.items()
        }
        newest = self._bars[DAY_MS]
        self._barred_id = newest[-1].last_trade_id if newest else -1  # of the last trade that is, or will be, in them
        self._unbarred: list[PublicTrade] = []  # these will be, when somebody asks for a bar

    def add(self, trades: Sequence[PublicTrade]) -> list[PublicTrade]:
        """Add trades, oldest first, and return them without those that are already there."""
        last_id = self.trades[-1].trade_id if self.trades else -1
        fresh = [trade for trade in trades if trade.trade_id > last_id]
        self.trades += fresh
        unbarred = [trade for trade in fresh if trade.trade_id > self._barred_id]
        if unbarred:
            self._barred_id = unbarred[-1].trade_id
            self._unbarred += unbarred
            if len(self._unbarred) > TRADES_KEPT_MAX:
                self._bar()
        return fresh

    @property
    def _pieces(self) -> Mapping[int, deque[Bar]]:
        """The bars, by their lengths."""
        if self._unbarred:
            self._bar()
        return self._bars

    def _bar(self) -> None:
        for _, of_second in groupby(self._unbarred, key=lambda trade: trade.time_ms // SECOND_MS):
            news = Bar.of_trades(list(of_second))
            for piece_ms, bars in self._bars.items():
                open_ms = news.open_ms // piece_ms * piece_ms
                if not bars or bars[-1].open_ms < open_ms:
                    bars.append(Bar.flat(open_ms, news.open_ticks))
                bars[-1].add_bar(news)
        self._unbarred.clear()

    def bars_after(self, trade_id: int) -> dict[int, list[Bar]]:
        """Return, by their lengths, the bars that trades after that one are in."""
        return {
            piece_ms: list(takewhile(lambda bar: bar.last_trade_id > trade_id, reversed(bars)))
            for piece_ms, bars in self._pieces.items()
        }

    def first_open_ms(self) -> list[tuple[int, int]]:
        """Return the lengths of bars, and when the oldest begins that is not forgotten."""
        return [(piece_ms, bars[0].open_ms) for piece_ms, bars in self._pieces.items() if bars]

    @property
    def last_id(self) -> int:
        """The number of the last trade, -1 before the first."""
        return self._barred_id

    @property
    def last_known_ticks(self) -> int | None:
        """The price of the last trade that is in the bars, or None before the first."""
        bars = self._pieces[DAY_MS]
        return bars[-1].close_ticks if bars else None

    @property
    def last_ticks(self) -> int | None:
        """The price of the last trade that the exchange has heard of, or None before the first."""
        return self.trades[-1].price_ticks if self.trades else None

    def average_ticks(self, now_ms: int, length_ms: int) -> int | None:
        """Return the average price of the last `length_ms` by quantity, the last price if nothing traded, else None."""
        total = _total(self._pieces[SECOND_MS], now_ms - length_ms)
        return total.notional_ticks_lots // total.qty_lots if total is not None else self.last_known_ticks

    def day(self, now_ms: int) -> Bar | None:
        """Return the last 24 hours as one bar, to the minute, or None if nothing traded."""
        return _total(self._pieces[MINUTE_MS], now_ms - DAY_MS)

    def window(self, now_ms: int, length_ms: int) -> Bar | None:
        """Return what has traded from the minute on in which the last `length_ms` began, or None if nothing has.

        A bar begins with its first trade, or the minute of it.
        """
        return _total(self._pieces[MINUTE_MS], (now_ms - length_ms) // MINUTE_MS * MINUTE_MS)

    def bars_since(self, interval: Interval, since_ms: int, now_ms: int) -> list[Bar]:
        """Return the bars from the one that `since_ms` falls into to the current one, oldest first."""
        pieces = self._pieces[interval.piece_ms]
        return list(_bars(interval, pieces, since_ms, now_ms)) if pieces else []

    def bars(self, interval: Interval, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[Bar]:
        """Return bars, oldest first, without gaps; flat where nothing traded.

        Without `start_ms` it is the latest `limit`, otherwise the first `limit` from there.
        """
        pieces = self._pieces[interval.piece_ms]
        if not pieces:
            return []
        until_ms = now_ms if end_ms is None else min(now_ms, end_ms)
        wanted_ms = until_ms - limit * interval.length_ms if start_ms is None else start_ms
        since_ms = max(now_ms - PIECES_KEPT_MS[interval.piece_ms], wanted_ms, _first_whole_ms(interval, pieces))
        bars = _bars(interval, pieces, since_ms, until_ms)
        if start_ms is None:
            return list(bars)[-limit:]
        return list(islice((bar for bar in bars if bar.open_ms >= start_ms), limit))


def _first_whole_ms(interval: Interval, pieces: deque[Bar]) -> int:
    """Return when the first bar begins of which no piece is forgotten."""
    first_ms = pieces[0].open_ms
    open_ms = interval.open_of(first_ms)
    return interval.end_of(open_ms) if open_ms < first_ms and len(pieces) == pieces.maxlen else open_ms


def _bars(interval: Interval, pieces: Sequence[Bar], since_ms: int, until_ms: int) -> Iterator[Bar]:
    """Yield one bar after the other that begins at `until_ms` at the latest, flat where nothing traded.

    The first is the one that `since_ms` falls into, or that of the first of `pieces`.
    """
    open_ms = interval.open_of(max(since_ms, pieces[0].open_ms))
    earlier = list(takewhile(lambda piece: piece.open_ms < open_ms, pieces))
    bar = Bar.flat(open_ms, earlier[-1].close_ticks if earlier else pieces[0].open_ticks)
    for piece in islice(pieces, len(earlier), None):
        while piece.open_ms >= (end_ms := interval.end_of(bar.open_ms)):
            if bar.open_ms > until_ms:
                return
            yield bar
            bar = Bar.flat(end_ms, bar.close_ticks)
        bar.add_bar(piece)
    while bar.open_ms <= until_ms:
        yield bar
        bar = Bar.flat(interval.end_of(bar.open_ms), bar.close_ticks)


def aggregated_whole(trades: deque[PublicTrade]) -> list[list[PublicTrade]]:
    """Return the groups of `aggregated`, without a first one of which trades may be forgotten: it had another id."""
    groups = list(aggregated(trades))
    return groups[1:] if len(trades) == trades.maxlen else groups


def aggregated(trades: Sequence[PublicTrade]) -> Iterator[list[PublicTrade]]:
    """Yield the trades in groups of one moment, price and direction."""
    for _, group in groupby(trades, key=lambda trade: (trade.time_ns, trade.price_ticks, trade.taker_side)):
        yield list(group)


def _total(bars: Sequence[Bar], since_ms: int) -> Bar | None:
    recent = list(takewhile(lambda bar: bar.open_ms >= since_ms, reversed(bars)))
    if not recent:
        return None
    total = Bar.flat(recent[-1].open_ms, recent[-1].open_ticks)
    for bar in reversed(recent):
        total.add_bar(bar)
    return total
