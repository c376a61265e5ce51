"""What an order must satisfy before it is funded: how large it is, what it may cost, and the filters of its symbol."""

from collections.abc import Sequence
from dataclasses import replace

from market.clock import NS_PER_MS
from market.codes import Side
from market.depth import Level
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.filters import FILTERS_OF_QUANTITIES, Draft, check_filters
from paper.exchange.public_market import PublicMarket
from paper.exchange.sizing import LEVELS_MAX, buy_for, sell_for, stop_cap_ticks
from paper.money.ledger import Ledger
from paper.money.orders import Order, OrderKind, OrderRequest
from paper.units import Symbol


class OrderRules:
    """Checks orders against the market and against what the ledger knows of their account; changes nothing."""

    def __init__(self, ledger: Ledger, market: PublicMarket) -> None:
        self._ledger = ledger
        self._market = market

    def sized(self, account: int, request: OrderRequest, now_ns: int) -> tuple[int, int]:
        """Return the price in ticks (0: none yet) and the quantity in lots of an order that passes the filters.

        Raises:
            ExchangeError: naming the filter, or the state of the book, that refuses it.
        """
        symbol = request.symbol
        price_ticks, qty_lots = request.price_units // symbol.tick_units, request.qty_units // symbol.lot_units
        if request.quote_units and request.side is Side.BUY:
            qty_lots, price_ticks = buy_for(symbol, self.opposite(request), request.quote_units)
        elif request.quote_units:
            qty_lots = sell_for(symbol, self.opposite(request), request.quote_units)
        elif request.kind is OrderKind.MARKET and not self.opposite(request):
            raise ExchangeError(ErrorKind.NO_DEPTH)
        elif request.kind.is_market and request.side is Side.BUY:
            price_ticks = stop_cap_ticks(symbol, request.stop_units)
        open_orders = self._ledger.open_orders_of(account, symbol)
        check_filters(
            Draft(
                request if request.qty_units else replace(request, qty_units=qty_lots * symbol.lot_units),
                reference_ticks=self._market.average_ticks(symbol, now_ns // NS_PER_MS),
                open_count=len(open_orders),
                waiting_count=sum(order.is_waiting for order in open_orders),
                position_units=self._position_units(account, symbol, open_orders),
            )
        )
        if request.trailing_delta:
            raise ExchangeError(ErrorKind.NO_TRAILING_STOPS)
        last_ticks = self._market.tapes[symbol.symbol_id].last_ticks
        if last_ticks is not None and request.would_wake_at(last_ticks):
            raise ExchangeError(ErrorKind.WOULD_TRIGGER)
        return price_ticks, qty_lots

    def amended_lots(self, order: Order, qty_units: int, now_ns: int) -> int:
        """Return the quantity in lots that an open order may be amended to.

        Raises:
            ExchangeError: if it is not smaller, all of it is executed, or a filter of quantities refuses it.
        """
        symbol = order.symbol
        qty_lots = qty_units // symbol.lot_units
        price_units = 0 if order.kind.is_market else order.price_ticks * symbol.tick_units
        asked = OrderRequest(symbol, order.side, order.kind, price_units=price_units, qty_units=qty_units)
        reference_ticks = self._market.average_ticks(symbol, now_ns // NS_PER_MS)
        check_filters(Draft(asked, reference_ticks), FILTERS_OF_QUANTITIES)
        if qty_lots >= order.qty_lots:
            is_same = qty_lots == order.qty_lots
            raise ExchangeError(ErrorKind.AMEND_CHANGES_NOTHING if is_same else ErrorKind.AMEND_TOO_LARGE)
        if qty_lots <= order.filled_lots + order.prevented_lots:
            raise ExchangeError(ErrorKind.AMEND_TOO_SMALL)
        return qty_lots

    def opposite(self, request: OrderRequest) -> tuple[Level, ...]:
        """Return the side of the public book that the order would trade with."""
        depth = self._market.depth(request.symbol, LEVELS_MAX)
        return depth.asks if request.side is Side.BUY else depth.bids

    def _position_units(self, account: int, symbol: Symbol, open_orders: Sequence[Order]) -> int:
        """Return what the account owns of a symbol's base asset and has open to buy in it."""
        wallet = self._ledger.wallets.some_of(account, [symbol.base])[symbol.base]
        open_lots = sum(order.leaves_lots for order in open_orders if order.side is Side.BUY)
        return wallet.free + wallet.locked + open_lots * symbol.lot_units
