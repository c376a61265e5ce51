"""What a strategy is: a step from what has happened to the quotes that are wanted.

`step(now_ns, inbox) -> Wanted`, without a clock, a venue or I/O of its own: so the same strategy runs on a desk, on a
simulated one, and in a backtest. What turns the quotes that are wanted into orders is `trading.execution`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from market.account import Balance
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading.news import MarketTrade
from trading.order_rules import OrderRules
from trading.quoting import Quote


class OwnOrder(NamedTuple):
    """One of our orders in the book; `leaves_lots` is what is still open of it."""

    client_order_id: str
    side: Side
    price_ticks: int
    leaves_lots: int


class Fill(NamedTuple):
    """What was just filled of one of our orders."""

    client_order_id: str
    side: Side
    price_ticks: int
    qty_lots: int


class Inbox(NamedTuple):
    """What a strategy sees.

    Attributes:
        instrument: what is traded: its tick and lot sizes, its assets.
        rules: the venue's bounds of an order.
        depth: the book without our own orders, best first; a side may be empty.
        trades: the market's since the last step, oldest first.
        orders: ours that are open.
        fills: of ours since the last step.
        position: what we hold of the base asset; None while that is not known.
        balances: of every asset; empty while that is not known.
    """

    instrument: Instrument
    rules: OrderRules
    depth: Depth
    trades: Sequence[MarketTrade] = ()
    orders: Sequence[OwnOrder] = ()
    fills: Sequence[Fill] = ()
    position: Decimal | None = None
    balances: Mapping[str, Balance] = {}


class Wanted(NamedTuple):
    """What a strategy wants.

    Attributes:
        quotes: the orders that are to be in the book, any number a side; whatever else of ours is there, is cancelled.
        wake_ns: step again at this time at the latest, even if nothing happens; None: when something happens.
        idle: by side, why it is not quoted, for a person.
        obstacle: why nothing can ever be quoted until a person changes a setting, naming it; None if that is not so.
    """

    quotes: Sequence[Quote]
    wake_ns: int | None = None
    idle: Mapping[Side, str] = {}
    obstacle: str | None = None


class Strategy(Protocol):
    """Whoever decides what is quoted. It may remember; it may not look elsewhere."""

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return what is wanted now; `now_ns` is ns since 1970 UTC, never earlier than at the last step."""
