"""What the trader's orders were placed for, as the tracker of a real desk reads it in the maker's journal."""

from collections.abc import Callable, Iterable, Sequence

from market.account import VenueOrder, VenueTrade
from market.instrument import Instrument
from nodes.tracker.fill_orders import described
from paper.exchange.news import AccountNews, OrderNews
from reports.trade_history import FillDetail, Placing, TradeKey, key_of
from simulation.line import venue_order
from trading.actions import Action, Cancel, Place, apart


class PlacedOrders:
    """Those of the orders that may still trade, and of those that have: the books of a day are closed at its end."""

    def __init__(self) -> None:
        self._placing: dict[str, Placing] = {}  # by client order id, until the order ends
        self._cancelled: dict[str, int] = {}  # likewise, or for good if it has traded: when first, ms
        self._traded: dict[tuple[str, str], tuple[VenueOrder, Placing | None]] = {}  # by symbol and order id

    def act(self, actions: Iterable[Action], now_ms: int) -> None:
        """Take what the trader asks for now, ms since 1970 UTC."""
        for each in apart(actions):
            if isinstance(each, Place):
                self._placing[each.client_order_id] = Placing(str(each.why.rule), each.level, each.model or None)
            elif isinstance(each, Cancel):
                self._cancelled.setdefault(each.client_order_id, now_ms)

    def hear(self, said: AccountNews) -> None:
        """Take what happens to our orders."""
        if not isinstance(said, OrderNews):
            return
        order = said.order
        if order.filled_lots and (key := (order.symbol.name, str(order.order_id))) not in self._traded:
            self._traded[key] = venue_order(order), self._placing.get(order.client_order_id)
        if not order.status.is_open:
            self._placing.pop(order.client_order_id, None)
            if not order.filled_lots:
                self._cancelled.pop(order.client_order_id, None)

    def see(self, orders: Iterable[VenueOrder]) -> None:
        """Take nothing from the account: all was heard."""

    def await_all(self, fills: Iterable[VenueTrade]) -> None:
        """Wait for nothing: what was heard of an order is known with its first fill."""

    def details_of(
        self,
        _instruments: Sequence[Instrument],
        trades: Iterable[VenueTrade],
        known: Callable[[VenueTrade], FillDetail | None],
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known of fills, as `FillOrders` does."""
        found: dict[TradeKey, FillDetail] = {}
        for trade in trades:
            if (traded := self._traded.get((trade.symbol, trade.order_id))) is not None:
                order, placing = traded
                cancelled_ms = self._cancelled.get(order.client_order_id)
                is_picked_off = cancelled_ms is not None and cancelled_ms <= trade.time_ms
                found[key_of(trade)] = described(known(trade) or FillDetail(), trade, order, placing, is_picked_off)
        return found
