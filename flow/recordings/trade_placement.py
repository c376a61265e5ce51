"""Puts recorded trades before the best prices that show their effect.

The trade stream runs behind the stream of best prices: by a millisecond or two for a single trade, by tens of them for
a sweep through hundreds of levels. Replayed as recorded, a trade would find its counterpart gone from the book already:
of the recordings of 2024-08-08 a third of the traded quantity would trade again (BTCUSDT). Brought forward by up to
50 ms, to the change that they explain, it is five sixths (BTCUSDT 82 %, ETHUSDT 88 %).
"""

from collections import deque
from collections.abc import Iterable, Iterator

from flow.recordings.recording import BookTicker, Record, RecordedTrade
from market.codes import Side
from market.depth import Level

_TOLD_MAX = 10_000  # trades remembered, to know those that are told again


def place_trades(records: Iterable[Record], window_ns: int) -> Iterator[tuple[int, Record]]:
    """Return each record with the time at which it is due, in order: when it was received, a trade maybe earlier.

    Args:
        records: in the order of their receive time.
        window_ns: how much later than its effect a trade may have been received.
    """
    placement = TradePlacement(window_ns)
    for record in records:
        yield from placement.until(record.received_ns)
        placement.put(record)
    yield from placement.until(None)


class TradePlacement:
    """Holds the records of a window, and gives them back in their places; a trade that is told again is passed over.

    Collectors listen on several connections to lose nothing, and what comes over each of them is in the recording.

    Args:
        window_ns: how much later than its effect a trade may have been received.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._ahead: deque[Record] = deque()  # all records of the window
        self._trades: deque[RecordedTrade] = deque()  # those of its trades that have no place yet
        self._placed_ids: set[int] = set()
        self._best: BookTicker | None = None
        self._told: dict[RecordedTrade, None] = {}  # the last trades, at the time 0, oldest first

    @property
    def next_due_ns(self) -> int | None:
        """The time from which on `until` gives something back, None if it holds nothing."""
        return self._ahead[0].received_ns + self._window_ns + 1 if self._ahead else None

    def put(self, record: Record) -> None:
        """Take the next record that was received."""
        if isinstance(record, RecordedTrade):
            if self._is_told(record):
                return
            self._trades.append(record)
        self._ahead.append(record)

    def until(self, received_ns: int | None) -> Iterator[tuple[int, Record]]:
        """Give back what no trade received from a time on can come before; None for all."""
        while self._ahead and (received_ns is None or self._ahead[0].received_ns < received_ns - self._window_ns):
            earliest = self._ahead.popleft()
            if isinstance(earliest, BookTicker):
                for trade in _explained(self._trades, self._best, earliest) if self._best else ():
                    self._trades.remove(trade)
                    self._placed_ids.add(trade.trade_id)
                    yield earliest.received_ns, trade
                self._best = earliest
            elif isinstance(earliest, RecordedTrade):
                if earliest.trade_id in self._placed_ids:
                    self._placed_ids.remove(earliest.trade_id)
                    continue
                self._trades.remove(earliest)
            yield earliest.received_ns, earliest

    def _is_told(self, trade: RecordedTrade) -> bool:
        """Say whether a trade was told before; its number alone does not say so, for a venue may count from 1 again."""
        timeless = trade._replace(received_ns=0)
        if timeless in self._told:
            return True
        self._told[timeless] = None
        if len(self._told) > _TOLD_MAX:
            del self._told[next(iter(self._told))]
        return False


def _explained(trades: Iterable[RecordedTrade], before: BookTicker, after: BookTicker) -> list[RecordedTrade]:
    """Return the trades that a change of the best prices shows: of levels that left, and of quantity at the best."""
    taken_lots = [_taken_lots(before.bid, after.bid), _taken_lots(before.ask, after.ask)]
    explained = []
    for trade in trades:
        resting_side = trade.taker_side.opposite
        if resting_side == Side.BUY:
            has_left = after.bid.price_ticks < trade.price_ticks <= before.bid.price_ticks
            is_at_best = trade.price_ticks == after.bid.price_ticks
        else:
            has_left = before.ask.price_ticks <= trade.price_ticks < after.ask.price_ticks
            is_at_best = trade.price_ticks == after.ask.price_ticks
        if has_left:
            explained.append(trade)
        elif is_at_best and trade.qty_lots <= taken_lots[resting_side]:
            taken_lots[resting_side] -= trade.qty_lots
            explained.append(trade)
    return explained


def _taken_lots(before: Level, after: Level) -> int:
    """Return by how much a best level shrank, if its price stayed."""
    return before.qty_lots - after.qty_lots if before.price_ticks == after.price_ticks else 0
