"""What an order must satisfy before it is funded: how large it is, what it may cost, and the filters of its symbol."""

from collections.abc import Sequence
from dataclasses import replace

from market.clock import NS_PER_MS
from market.codes import Side
from market.depth import Level
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import AMENDS_MAX, FILTERS_OF_QUANTITIES, Draft, check_filters
from paper.exchange.public_market import PublicMarket
from paper.exchange.sizing import LEVELS_MAX, buy_for, sell_for, stop_cap_ticks
from paper.money.history import Span
from paper.money.ledger import Ledger
from paper.money.orders import Order, OrderKind


class OrderRules:
    """Checks orders against the market and against what the ledger knows of their account; changes nothing."""

    def __init__(self, ledger: Ledger, market: PublicMarket) -> None:
        self._ledger = ledger
        self._market = market

    def size(self, order: Order, now_ns: int, *, beside: Sequence[Order] = ()) -> None:
        """Give a new order the quantity and the highest price that it does not name, and check that it may be placed.

        `beside` are legs of its own list that are to be open beside it.

        Raises:
            ExchangeError: naming the filter, or the state of the book, that refuses it.
        """
        symbol = order.symbol
        if order.quote_order_units and order.side is Side.BUY:
            order.qty_lots, order.price_ticks = buy_for(symbol, self.opposite(order), order.quote_order_units)
        elif order.quote_order_units:
            order.qty_lots = sell_for(symbol, self.opposite(order), order.quote_order_units)
        elif order.kind is OrderKind.MARKET and not self.opposite(order):
            raise ExchangeError(ErrorKind.NO_DEPTH)
        elif order.kind.is_market and order.has_trigger and order.side is Side.BUY:
            from_ticks = order.stop_ticks or self._market.last_ticks(symbol, now_ns // NS_PER_MS)
            if not from_ticks:
                raise ExchangeError(ErrorKind.NO_DEPTH)
            order.price_ticks = stop_cap_ticks(from_ticks, order.trailing_bps)
        self.filter(order, now_ns, beside=beside)
        last_ticks = self._market.tapes[symbol.symbol_id].last_ticks
        if last_ticks is not None and order.would_wake_at(last_ticks):
            raise ExchangeError(ErrorKind.WOULD_TRIGGER)

    def filter(self, order: Order, now_ns: int, *, beside: Sequence[Order] = ()) -> None:
        """Check what can be told of an order before its turn has come.

        Raises:
            ExchangeError: naming the filter that refuses it.
        """
        symbol = order.symbol
        others = (*self._ledger.open_orders_of(order.account, symbol), *beside)
        open_orders = [each for each in others if each is not order]
        bought_lots = sum(each.leaves_lots for each in open_orders if each.side is Side.BUY)
        owned = self._ledger.wallets.some_of(order.account, [symbol.base])[symbol.base]
        check_filters(
            Draft(
                order,
                reference_ticks=self._market.filter_ticks(symbol, now_ns // NS_PER_MS),
                open_count=len(open_orders),
                waiting_count=sum(each.is_waiting for each in open_orders),
                position_units=sum(owned) + bought_lots * symbol.lot_units,
            )
        )

    def check_amend(self, order: Order, qty_lots: int, now_ns: int) -> None:
        """Check that an open order may be amended to a quantity.

        Raises:
            ExchangeError: if it is not smaller, all of it is executed, or a filter of quantities or amends refuses it.
        """
        asked = replace(order, qty_lots=qty_lots)
        reference_ticks = self._market.filter_ticks(order.symbol, now_ns // NS_PER_MS)
        check_filters(Draft(asked, reference_ticks), FILTERS_OF_QUANTITIES)
        if qty_lots >= order.qty_lots:
            is_same = qty_lots == order.qty_lots
            raise ExchangeError(ErrorKind.AMEND_CHANGES_NOTHING if is_same else ErrorKind.AMEND_TOO_LARGE)
        if qty_lots <= order.filled_lots + order.prevented_lots:
            raise ExchangeError(ErrorKind.AMEND_TOO_SMALL)
        saved = self._ledger.history.amendments(order.account, order.symbol, order.order_id, Span(AMENDS_MAX))
        if len(saved) + self._ledger.amendments.count_of(order.order_id) >= AMENDS_MAX:
            raise ExchangeError(ErrorKind.AMEND_FILTER_FAILURE, name="MAX_NUM_ORDER_AMENDS")

    def opposite(self, order: Order) -> tuple[Level, ...]:
        """Return the side of the public book that the order would trade with."""
        depth = self._market.depth(order.symbol, LEVELS_MAX)
        return depth.asks if order.side is Side.BUY else depth.bids
