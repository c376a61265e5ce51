"""How a strategy is asked: with all that it has not been told yet."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from market.account import VenueOrder
from market.depth import Depth
from market.instrument import Instrument
from market.limits import TRADES_KEPT_MAX
from trading.news import MarketTrade
from trading.order_rules import OrderRules
from trading.own_orders import in_steps
from trading.position import Position
from trading.strategy import Fill, Inbox, OwnOrder, Strategy, Wanted


class Asking:
    """One strategy, and the trades and fills since it was asked; of too many the latest.

    Attributes:
        rules: the venue's bounds of an order.
    """

    def __init__(self, strategy: Strategy, instrument: Instrument, rules: OrderRules) -> None:
        self._strategy = strategy
        self._instrument = instrument
        self.rules = rules
        self._trades: deque[MarketTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self._fills: deque[Fill] = deque(maxlen=TRADES_KEPT_MAX)

    def traded(self, trades: Sequence[MarketTrade]) -> None:
        """Take trades of the market."""
        self._trades += trades

    def filled(self, order: VenueOrder, qty: Decimal) -> None:
        """Take a fill of an order of ours; one between the steps of price and quantity it is not told of."""
        if terms := in_steps(order.price, qty, self._instrument):
            self._fills.append(Fill(order.client_order_id, order.side, *terms))

    def ask(self, now_ns: int, own: Sequence[OwnOrder], depth: Depth, position: Position) -> Wanted:
        """Return what it wants now."""
        trades, fills = tuple(self._trades), tuple(self._fills)
        self._trades.clear()
        self._fills.clear()
        known = position.qty, position.balances
        return self._strategy.step(now_ns, Inbox(self._instrument, self.rules, depth, trades, own, fills, *known))
