"""What the order of each fill was placed for, and how long it had rested: asked for until it is known."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from market.account import VenueOrder, VenueTrade
from market.instrument import Instrument
from reports.trade_history import FillDetail, Placing, TradeKey, key_of
from venues.venue import HistoricalVenue

PAGE: Final = 1_000
PAGES_MAX: Final = 20  # of one pair in one step; what is still lacking is read in the next
TRIES_MAX: Final = 5  # of one fill: an order that nobody here has placed will never be known
BEFORE_MAX: Final = 500  # fills on file that are tried in one step, beside those that are told in it
KEPT_MAX: Final = 10_000  # orders that were told, of which some will fill
_OrderKey = tuple[str, str]  # symbol, order id


class OrdersOfFills(Protocol):
    """Knows the orders of fills, and what placed them."""

    def see(self, orders: Iterable[VenueOrder]) -> None:
        """Take orders as they were told."""

    def await_all(self, fills: Iterable[VenueTrade]) -> None:
        """Take fills that are on file, of which something may be lacking."""

    def details_of(
        self,
        instruments: Sequence[Instrument],
        trades: Iterable[VenueTrade],
        known: Callable[[VenueTrade], FillDetail | None],
        /,
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known now of fills; what was `known` stays."""


class FillOrders:
    """The orders of fills, and what placed them.

    An order that was told as open is known when it fills. Any other is asked for by its number, with no more of those
    after it than can be wanted.

    Args:
        venue: tells orders.
        placing: tells what placed an order; None of one that nobody here has placed.
        was_cancelled: says whether the cancel of an order had been sent until a time, the venue's in ms; None where
            nobody knows.
    """

    def __init__(
        self,
        venue: HistoricalVenue,
        placing: Callable[[VenueOrder], Placing | None],
        was_cancelled: Callable[[VenueOrder, int], bool | None],
    ) -> None:
        self._venue = venue
        self._placing = placing
        self._was_cancelled = was_cancelled
        self._orders: OrderedDict[_OrderKey, VenueOrder] = OrderedDict()
        self._waiting: dict[TradeKey, tuple[VenueTrade, int]] = {}  # fills, and how often they were tried

    def see(self, orders: Iterable[VenueOrder]) -> None:
        """Take orders as they were told."""
        for order in orders:
            key = order.symbol, order.order_id
            self._orders[key] = order
            self._orders.move_to_end(key)
        while len(self._orders) > KEPT_MAX:
            self._orders.popitem(last=False)

    def await_all(self, fills: Iterable[VenueTrade]) -> None:
        """Take fills that are on file, of which something may be lacking: some are tried in each step, newest first."""
        self._waiting |= {key: (trade, 0) for trade in fills if (key := key_of(trade)) not in self._waiting}

    def details_of(
        self,
        instruments: Sequence[Instrument],
        trades: Iterable[VenueTrade],
        known: Callable[[VenueTrade], FillDetail | None],
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known now of fills, of these and of earlier ones that lacked it; what was `known` stays.

        Raises:
            VenueError: if the venue does not tell its orders.
        """
        told = {key_of(trade): trade for trade in trades}
        waiting = self._waiting | {key: self._waiting.get(key, (trade, 0)) for key, trade in told.items()}
        lacking = {key: each for key, each in waiting.items() if not _is_whole(known(each[0]))}
        # One that is told again and again is remembered as tried for as long as it is; of the others, while it is worth
        # another try.
        self._waiting = {key: each for key, each in lacking.items() if key in told or each[1] < TRIES_MAX}
        tried = [trade for key, (trade, count) in self._waiting.items() if key in told and count < TRIES_MAX]
        tried += [trade for key, (trade, _) in self._waiting.items() if key not in told][-BEFORE_MAX:]
        unasked: set[_OrderKey] = set()
        for instrument in instruments:
            unasked |= self._read(instrument, [trade for trade in tried if trade.symbol == instrument.symbol])
        found: dict[TradeKey, FillDetail] = {}
        for trade in tried:
            if (trade.symbol, trade.order_id) in unasked:
                continue
            key = key_of(trade)
            self._waiting[key] = trade, self._waiting[key][1] + 1
            if (order := self._orders.get((trade.symbol, trade.order_id))) is not None:
                placing = self._placing(order)
                is_picked_off = None if placing is None else self._was_cancelled(order, trade.time_ms)
                found[key] = described(known(trade) or FillDetail(), trade, order, placing, is_picked_off)
        return found

    def _read(self, instrument: Instrument, fills: Sequence[VenueTrade]) -> set[_OrderKey]:
        """Ask for the orders of fills that nobody has told; return those for which there were too many pages."""
        lacking = sorted({int(one.order_id) for one in fills if (one.symbol, one.order_id) not in self._orders})
        for _ in range(PAGES_MAX):
            if not lacking:
                break
            limit = min(PAGE, lacking[-1] - lacking[0] + 1)
            page = self._venue.orders(instrument, limit, from_id=lacking[0])
            wanted = set(lacking)
            self.see(order for order in page if int(order.order_id) in wanted)
            last = max((int(order.order_id) for order in page), default=lacking[-1])
            lacking = [number for number in lacking if number > max(last, lacking[0])]
        return {(instrument.symbol, str(number)) for number in lacking}


def described(
    before: FillDetail, trade: VenueTrade, order: VenueOrder, placing: Placing | None, is_picked_off: bool | None
) -> FillDetail:
    """Return `before` with what is known of the order; both times are the venue's, so that no clock of ours counts."""
    age_ms = trade.time_ms - order.time_ms
    aged = before._replace(quote_age_ms=age_ms if age_ms >= 0 else None)
    return aged if placing is None else aged._replace(**placing._asdict(), is_picked_off=is_picked_off)


def _is_whole(detail: FillDetail | None) -> bool:
    return detail is not None and None not in (detail.quote_age_ms, detail.rule, detail.is_picked_off)
