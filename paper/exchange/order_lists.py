"""What the legs of an order list do to each other: one cancels the other, one triggers the other.

Rules of Binance Spot, "Order lists" and "User data stream" of its API's pages. What one leg does to the others is saved
with what has happened to it, so a list is never half done. The engine knows nothing of lists: a leg that has ended
while the engine may still have it is a remnant, and taken out of the engine's book as soon as it listens. Should it
trade before that, it is nobody's trade: its account's order has ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from market.clock import NS_PER_MS
from market.codes import Side, Trigger
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.news import ExecutionType, ListNews, ListStatusType, OrderNews
from paper.money.ledger import Ledger
from paper.money.order_list import Contingency, ListStatus
from paper.money.orders import ExpiryReason, Order, OrderKind, OrderStatus, Reserve
from paper.money.wallets import Wallets

_TARGETS = frozenset({OrderKind.LIMIT_MAKER, OrderKind.TAKE_PROFIT, OrderKind.TAKE_PROFIT_LIMIT})
# Of what kind a leg is that may not be where it is: above or below, in a list that buys or sells.
_WRONG_PLACES = {
    (Side.BUY, OrderKind.LIMIT_MAKER): ErrorKind.BUY_LIMIT_NOT_BELOW,
    (Side.SELL, OrderKind.LIMIT_MAKER): ErrorKind.SELL_LIMIT_NOT_ABOVE,
    (Side.BUY, OrderKind.STOP_LOSS): ErrorKind.BUY_STOP_NOT_ABOVE,
    (Side.BUY, OrderKind.STOP_LOSS_LIMIT): ErrorKind.BUY_STOP_NOT_ABOVE,
    (Side.SELL, OrderKind.STOP_LOSS): ErrorKind.SELL_STOP_NOT_BELOW,
    (Side.SELL, OrderKind.STOP_LOSS_LIMIT): ErrorKind.SELL_STOP_NOT_BELOW,
    (Side.BUY, OrderKind.TAKE_PROFIT): ErrorKind.BUY_PROFIT_NOT_BELOW,
    (Side.BUY, OrderKind.TAKE_PROFIT_LIMIT): ErrorKind.BUY_PROFIT_NOT_BELOW,
    (Side.SELL, OrderKind.TAKE_PROFIT): ErrorKind.SELL_PROFIT_NOT_ABOVE,
    (Side.SELL, OrderKind.TAKE_PROFIT_LIMIT): ErrorKind.SELL_PROFIT_NOT_ABOVE,
}


class End(Protocol):
    """Ends an open order; `Executions.end`."""

    def __call__(
        self, order: Order, status: OrderStatus, time_ms: int, *, request_id: str, expiry_reason: ExpiryReason
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class NewList:
    """An order list that is asked for.

    Attributes:
        client_list_id: what its client calls it; empty lets the exchange choose.
        legs: its orders, in the order in which they are numbered and told of.
    """

    contingency: Contingency
    client_list_id: str
    legs: tuple[Order, ...]


def pair_of(above: Order, below: Order) -> tuple[Order, Order]:
    """Return the two legs that are to cancel each other as they are numbered: what stops a loss, then the other.

    Raises:
        ExchangeError: if orders of these types cannot be above and below each other.
    """
    legs = above, below
    if any(leg.kind is not OrderKind.LIMIT_MAKER and leg.kind.trigger is Trigger.NONE for leg in legs):
        raise ExchangeError(ErrorKind.NO_TYPE_OF_PAIR)
    if above.kind is below.kind is OrderKind.LIMIT_MAKER:
        raise ExchangeError(ErrorKind.NO_CONTINGENT_LEG)
    stop, target = legs if above.side is Side.BUY else legs[::-1]
    misplaced = [*([] if target.kind in _TARGETS else [target]), *([stop] if stop.kind in _TARGETS else [])]
    if misplaced:
        wrong = min(misplaced, key=lambda leg: leg.kind is not OrderKind.LIMIT_MAKER)
        raise ExchangeError(_WRONG_PLACES[wrong.side, wrong.kind])
    return stop, target


def check_prices(pair: Sequence[Order], last_ticks: int | None) -> None:
    """Check that the last price, where there is one, lies between the prices at which the legs of a pair act.

    Raises:
        ExchangeError: BAD_LIST_PRICES.
    """
    stop, target = pair
    prices = [ticks for ticks in (_acts_at(target), last_ticks, _acts_at(stop)) if ticks is not None]
    if stop.side is Side.SELL:
        prices.reverse()
    if any(lower >= higher for lower, higher in pairwise(prices)):
        raise ExchangeError(ErrorKind.BAD_LIST_PRICES)


def _acts_at(leg: Order) -> int | None:
    """Return the price at which a leg begins to act; one that trails from its entry has none yet."""
    return leg.stop_ticks or (None if leg.trailing_bps else leg.price_ticks)


def lock_together(wallets: Wallets, orders: Sequence[Order]) -> None:
    """Set aside, for orders of which only one can trade, what the one that needs most does: it holds that for all.

    Raises:
        ExchangeError: INSUFFICIENT_BALANCE.
    """
    holder = max(orders, key=Order.needed_units)
    units = holder.needed_units()
    if wallets.free(holder.account, holder.locked_asset) < units:
        raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE)
    for order in orders:
        order.reserve = Reserve.OWN if order is holder else Reserve.PAIRED
    wallets.lock(holder.account, holder.locked_asset, units)


class OrderLists:
    """Lets the legs of a list follow each other, inside the transaction of what has happened to one of them.

    Args:
        ledger: the saved state.
        end: ends an order.
        admit: checks and prices an order whose turn has come, at a time in ns; raises ExchangeError.
        tell: what hears of the lists, in the order of events.
    """

    def __init__(
        self,
        ledger: Ledger,
        end: End,
        admit: Callable[[Order, int], None],
        tell: Callable[[ListNews | OrderNews], None],
    ) -> None:
        self._ledger = ledger
        self._end = end
        self._admit = admit
        self._tell = tell

    def on_accepted(self, order: Order, time_ms: int) -> None:
        """Tell of a list that is at work: the engine has taken every leg that is not held."""
        order_list = self._ledger.open_lists.of(order)
        if order_list is not None and all(leg.was_accepted or leg.is_held for leg in order_list.legs):
            is_first = order_list.working is None or order is order_list.working
            if is_first:
                for leg in order_list.legs:
                    if leg.is_held:
                        self._tell(OrderNews(leg.copy(), ExecutionType.NEW, time_ms))
                self._tell(ListNews(order_list, ListStatusType.EXEC_STARTED, time_ms))

    def is_begun(self, order: Order) -> bool:
        """Say whether the engine has taken a leg of the order's list before, so that the list cannot be undone."""
        order_list = self._ledger.open_lists.of(order)
        return order_list is not None and any(leg.was_accepted for leg in order_list.legs)

    def same_size(self, order: Order) -> list[Order]:
        """Return the open legs that must be as large as an order, itself among them, the holder of their money last.

        So none of them is ever larger than what is set aside for all, wherever an amend of them breaks off.
        """
        order_list = self._ledger.open_lists.of(order)
        is_alone = order_list is None or order is order_list.working
        legs = [order] if order_list is None or is_alone else [leg for leg in order_list.pair if leg.status.is_open]
        return sorted(legs, key=lambda leg: leg.reserve is Reserve.OWN)

    def on_renamed(self, order: Order, time_ms: int) -> None:
        """Tell that a leg is called otherwise."""
        order_list = self._ledger.open_lists.of(order)
        if order_list is not None:
            self._tell(ListNews(order_list, ListStatusType.UPDATED, time_ms))

    def on_working(self, order: Order, time_ms: int) -> None:
        """Let a leg that trades, or was woken, end the other leg of its pair and take over its money."""
        order_list = self._ledger.open_lists.of(order)
        if order_list is None or order is order_list.working or len(order_list.pair) == 1:
            return
        ended = self._ledger.open_lists.end(order_list, ListStatus.ALL_DONE)
        others = [leg for leg in order_list.pair if leg is not order]
        self._end_all(others, OrderStatus.EXPIRED, time_ms, ExpiryReason.OTHER_LEG)
        if order.reserve is Reserve.PAIRED:
            self._ledger.change(order).reserve = Reserve.OWN
            self._ledger.wallets.lock(order.account, order.locked_asset, order.locked_units())
        self._tell(ListNews(ended, ListStatusType.ALL_DONE, time_ms))

    def on_filled(self, order: Order, time_ms: int) -> Sequence[Order]:
        """Let the working leg of a list trigger the others, and return those that the engine is to get.

        They are funded now, and checked as if they were sent now; what is refused expires.
        """
        order_list = self._ledger.open_lists.of(order)
        if order_list is None or order is not order_list.working:
            return ()
        pair = order_list.pair
        refused = self._release(pair, time_ms * NS_PER_MS)
        if refused is None and len(pair) > 1:
            return pair
        ended = self._ledger.open_lists.end(order_list, ListStatus.ALL_DONE)
        if refused is not None:
            self._end_all([refused], OrderStatus.EXPIRED, time_ms, ExpiryReason.REFUSED)
            self._end_all(pair, OrderStatus.EXPIRED, time_ms, ExpiryReason.OTHER_LEG)
        self._tell(ListNews(ended, ListStatusType.ALL_DONE, time_ms))
        return pair if refused is None else ()

    def on_ended(self, order: Order, time_ms: int, request_id: str) -> None:
        """Let a leg that has ended without having traded, or before it was filled, end the others."""
        order_list = self._ledger.open_lists.of(order)
        if order_list is None:
            return
        is_rejected = order.status is OrderStatus.REJECTED
        status = order.status if order.status in _STATUSES_SHARED else OrderStatus.EXPIRED
        reason = ExpiryReason.WORKING_LEG if order is order_list.working else ExpiryReason.OTHER_LEG
        ended = self._ledger.open_lists.end(order_list, ListStatus.REJECT if is_rejected else ListStatus.ALL_DONE)
        self._end_all(order_list.legs, status, time_ms, reason, request_id)
        self._tell(ListNews(ended, ListStatusType.RESPONSE if is_rejected else ListStatusType.ALL_DONE, time_ms))

    def _release(self, pair: Sequence[Order], now_ns: int) -> Order | None:
        """Fund the legs whose turn has come; if one is refused, return it, and nothing is funded."""
        for leg in pair:
            self._ledger.change(leg)
            leg.reserve = Reserve.OWN
        refused = None
        try:
            for refused in pair:
                self._admit(refused, now_ns)
            lock_together(self._ledger.wallets, pair)
        except ExchangeError:
            for leg in pair:
                leg.reserve = Reserve.HELD
            return refused
        for leg in pair:
            leg.status, leg.update_ms = OrderStatus.NEW, now_ns // NS_PER_MS
        return None

    def _end_all(
        self, legs: Sequence[Order], status: OrderStatus, time_ms: int, reason: ExpiryReason, request_id: str = ""
    ) -> None:
        """End those of the legs that are open, and note what the engine may have of them."""
        for leg in legs:
            if leg.status.is_open:
                if not leg.is_held:
                    self._ledger.remnants.note(leg)
                self._end(leg, status, time_ms, request_id=request_id, expiry_reason=reason)


_STATUSES_SHARED = frozenset({OrderStatus.CANCELED, OrderStatus.REJECTED})
