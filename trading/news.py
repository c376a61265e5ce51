"""What a venue tells whoever trades: the market, our orders, and its own failures.

News of an order may come twice, late, or in another order than it happened; what a later state cannot take back (more
filled, ended) wins.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from market.account import Balance, VenueOrder
from market.codes import Side
from market.depth import Depth
from trading.actions import Action
from trading.order_rules import MarketRules


class MarketTrade(NamedTuple):
    """A trade of anybody's; `time_ns` since 1970 UTC, by the venue's clock."""

    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: Side
    time_ns: int


class BookNews(NamedTuple):
    """The best levels of the book, our own orders among them."""

    depth: Depth


class TradesNews(NamedTuple):
    """Trades of the market, oldest first, each once."""

    trades: Sequence[MarketTrade]


class OrderNews(NamedTuple):
    """One of our orders as the venue has it now."""

    order: VenueOrder


class Gone(NamedTuple):
    """A cancel came too late: the order has ended, as other news will tell."""

    client_order_id: str


class Kept(NamedTuple):
    """The venue said no to a cancel: the order stands. `undone` was to follow it, and would have stood beside it."""

    client_order_id: str
    why: str
    undone: Sequence[Action] = ()


class Refused(NamedTuple):
    """The venue said no to an order; nothing was done.

    Attributes:
        code: the venue's own.
        would_take: whether it is post-only, and would have traded at once.
        is_of_rules: whether it is no order by the venue's rules of the pair, which may have changed.
    """

    client_order_id: str
    why: str
    code: int = 0
    would_take: bool = False
    is_of_rules: bool = False


class Untried(NamedTuple):
    """Half of a move was not tried, for the other was not done: an order stands as before, or has not been entered."""

    client_order_id: str


class Amended(NamedTuple):
    """An order as it is after it was amended; None if the venue said no, for the reason `why`."""

    client_order_id: str
    order: VenueOrder | None
    why: str = ""


class Unknown(NamedTuple):
    """The reply to an order was lost: it may have arrived, or arrive until its window closes.

    `age_ns` is for how long it has been on its way, at least.
    """

    client_order_id: str
    why: str
    age_ns: int = 0


class Found(NamedTuple):
    """What became of an order; None if the venue had never had it at `asked_ns`, the monotonic time of the question."""

    client_order_id: str
    order: VenueOrder | None
    asked_ns: int


class Listed(NamedTuple):
    """All our open orders, oldest first, as they were at some time after `asked_ns` (monotonic)."""

    orders: Sequence[VenueOrder]
    asked_ns: int


class Balances(NamedTuple):
    """What we hold of each asset."""

    balances: Mapping[str, Balance]


class Failed(NamedTuple):
    """The venue did not do what was asked, or nobody knows whether it cancelled what it was to cancel.

    Attributes:
        undone: the actions that get no other answer: the one that failed, and what was to follow it. No order of them
            is at the venue.
        retry_after_s: ask again after that at the earliest.
        is_keys: whether our keys are not accepted, which only a person can mend.
        may_be_done: whether the first of them is a cancel or an amend that may have been done all the same.
    """

    why: str
    undone: Sequence[Action]
    retry_after_s: float = 0.0
    is_keys: bool = False
    may_be_done: bool = False


class RulesNews(NamedTuple):
    """The venue's rules of the pair as they are now."""

    rules: MarketRules


class Silent(NamedTuple):
    """What we know of the market or of our orders may be old from now on: a stream has ended, or says nothing."""

    why: str


class Following(NamedTuple):
    """What we know is of now again."""


_OfTheMarket = BookNews | TradesNews | Silent | Following
_OfOurOrders = OrderNews | Gone | Kept | Refused | Untried | Amended | Unknown | Found | Listed
News = _OfTheMarket | _OfOurOrders | Balances | RulesNews | Failed
