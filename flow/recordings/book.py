"""A venue's book rebuilt from its streams: a snapshot, depth updates every 100 ms, and best prices in real time.

Depth updates come up to 100 ms later than the best prices. Update ids tell which is newer: an update is put where it
belongs, before the best prices that it comes after. What best prices said holds until a depth update has caught up with
them: a level that came and went between two updates need not be in either.
"""

from collections import deque

from sortedcontainers import SortedDict

from flow.recordings.recording import BookTicker, DepthUpdate, Snapshot
from market.codes import Side
from market.depth import Level
from market.limits import PRICE_TICKS_MAX

_UPDATES_MAX = 10_000  # kept: those before the snapshot, and those that one in the middle may be older than

Touched = tuple[set[int], set[int]]


class RecordedBook:
    """Open quantity by price, bids and asks, as the recording says."""

    def __init__(self, reach_bps: int) -> None:
        """Start empty, to be filled by the first snapshot.

        Args:
            reach_bps: levels farther than this from the mid are left out.
        """
        self._reach_bps = reach_bps
        self._levels: tuple[SortedDict[int, int], SortedDict[int, int]] = (SortedDict(), SortedDict())
        self._updates: deque[DepthUpdate] = deque(maxlen=_UPDATES_MAX)  # the last, for a snapshot that is older
        self._newer_tickers: deque[BookTicker] = deque(maxlen=_UPDATES_MAX)  # than the last depth update
        # What the depth updates alone say of prices at which best prices now say something else.
        self._beneath: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._update_id = 0
        self.is_built = False
        self._is_broken = False  # by a gap since the last snapshot
        self.gap_count = 0
        self.first_gap = ""

    def qty_lots(self, side: Side, price_ticks: int) -> int:
        """Return the open quantity at a price, 0 if there is none."""
        qty_lots: int = self._levels[side].get(price_ticks, 0)
        return qty_lots

    def best_prices(self) -> tuple[int | None, int | None]:
        """Return the highest bid and the lowest ask, ticks, None for an empty side."""
        bids, asks = self._levels
        return (bids.peekitem(-1)[0] if bids else None), (asks.peekitem(0)[0] if asks else None)

    def prices(self) -> Touched:
        """Return all prices, by side."""
        return set(self._levels[Side.BUY]), set(self._levels[Side.SELL])

    def apply(self, record: Snapshot | DepthUpdate | BookTicker) -> Touched:
        """Follow a record; return the prices whose quantity it may have changed, by side."""
        match record:
            case Snapshot():
                return self._apply_snapshot(record)
            case DepthUpdate():
                return self._apply_depth_update(record)
            case BookTicker():
                return self._apply_book_ticker(record)

    def _apply_snapshot(self, snapshot: Snapshot) -> Touched:
        """Take the whole book, then all that came before it but is newer.

        One that is older than a book without a gap knows nothing better. (Collectors ask for one now and then.)
        """
        if self.is_built and snapshot.update_id <= self._update_id and not self._is_broken:
            return set(), set()
        touched = self.prices()
        for side, levels in zip(Side, (snapshot.bids, snapshot.asks), strict=True):
            self._beneath[side].clear()
            self._levels[side].clear()
            self._levels[side].update((price, qty) for price, qty in levels if qty)
            touched[side].update(self._levels[side])
        self._update_id = snapshot.update_id
        self.is_built, self._is_broken = True, False
        for update in self._updates:
            self._apply_newer(update, touched)
        self._put_tickers_on_top(touched)
        return touched

    def _apply_depth_update(self, update: DepthUpdate) -> Touched:
        """Take the levels that changed; a gap in the update ids is counted, and best prices heal what it broke."""
        touched: Touched = (set(), set())
        self._updates.append(update)
        if self.is_built:
            self._apply_newer(update, touched)
            self._put_tickers_on_top(touched)
        return touched

    def _apply_book_ticker(self, ticker: BookTicker) -> Touched:
        """Take the best levels: all that is better is gone."""
        touched: Touched = (set(), set())
        self._newer_tickers.append(ticker)
        if self.is_built:
            self._put_on_top(ticker, touched)
        return touched

    def _apply_newer(self, update: DepthUpdate, touched: Touched) -> None:
        if update.update_id <= self._update_id:
            return
        if update.first_update_id > self._update_id + 1:
            self.gap_count += 1
            self._is_broken = True
            self.first_gap = self.first_gap or (
                f"expected a depth update from id {self._update_id + 1}, was {update.first_update_id}"
            )
        self._take_off_tickers(touched)
        self._update_id = update.update_id
        nearest, farthest = self._reach_ticks()
        for side, levels in zip(Side, (update.bids, update.asks), strict=True):
            for level in levels:
                if level.qty_lots == 0 or nearest <= level.price_ticks <= farthest:
                    self._put(side, level, touched)

    def _put_tickers_on_top(self, touched: Touched) -> None:
        while self._newer_tickers and self._newer_tickers[0].update_id <= self._update_id:
            self._newer_tickers.popleft()
        for ticker in self._newer_tickers:
            self._put_on_top(ticker, touched)

    def _put_on_top(self, ticker: BookTicker, touched: Touched) -> None:
        bids, asks = self._levels
        while bids and bids.peekitem(-1)[0] > ticker.bid.price_ticks:
            self._cover(Side.BUY, Level(bids.peekitem(-1)[0], 0), touched)
        while asks and asks.peekitem(0)[0] < ticker.ask.price_ticks:
            self._cover(Side.SELL, Level(asks.peekitem(0)[0], 0), touched)
        self._cover(Side.BUY, ticker.bid, touched)
        self._cover(Side.SELL, ticker.ask, touched)

    def _cover(self, side: Side, level: Level, touched: Touched) -> None:
        self._beneath[side].setdefault(level.price_ticks, self.qty_lots(side, level.price_ticks))
        self._put(side, level, touched)

    def _take_off_tickers(self, touched: Touched) -> None:
        """Leave what the depth updates said; after a gap they do not say all, and best prices are kept."""
        for side, beneath in zip(Side, self._beneath, strict=True):
            for price_ticks, qty_lots in beneath.items() if not self._is_broken else ():
                self._put(side, Level(price_ticks, qty_lots), touched)
            beneath.clear()

    def _put(self, side: Side, level: Level, touched: Touched) -> None:
        price_ticks, qty_lots = level
        if qty_lots:
            self._levels[side][price_ticks] = qty_lots
        else:
            self._levels[side].pop(price_ticks, None)
        touched[side].add(price_ticks)

    def _reach_ticks(self) -> tuple[int, int]:
        """Return the lowest and the highest price within reach; without a side there is no mid to measure from."""
        bids, asks = self._levels
        if not bids or not asks:
            return 0, PRICE_TICKS_MAX
        mid_ticks = (bids.peekitem(-1)[0] + asks.peekitem(0)[0]) // 2
        reach_ticks = mid_ticks * self._reach_bps // 10_000
        return mid_ticks - reach_ticks, mid_ticks + reach_ticks
