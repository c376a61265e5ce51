"""What a trader tells a person of what it does: each thing once, as it happens."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from market.account import VenueOrder
from market.codes import Side
from trading.escalation import Stage
from trading.quoting import Quote
from trading.readings import Amounts
from trading.reasons import Reason


class Quoted(NamedTuple):
    """A new order stands."""

    order: VenueOrder
    why: Reason


class Filled(NamedTuple):
    """An order was filled by `qty`, base asset; `order` as it is now; `is_picked_off` if its cancel had been sent."""

    order: VenueOrder
    qty: Decimal
    is_picked_off: bool = False


class Ended(NamedTuple):
    """What was left of an order is gone without trading; `is_by_us` if we had cancelled it.

    `is_adopted` if an earlier run had sent it, who may have told of its end.
    """

    order: VenueOrder
    why: Reason
    is_by_us: bool
    is_adopted: bool = False


class Forgotten(NamedTuple):
    """The venue does not know an order any more that was open; `is_adopted` as of Ended."""

    order: VenueOrder
    is_adopted: bool = False


class Kept(NamedTuple):
    """An order stands as it was: its cancel, or what was to make it smaller, was not carried out.

    `is_refused` if the venue has refused a cancel.
    """

    order: VenueOrder
    why: Reason
    is_refused: bool = False


class Declined(NamedTuple):
    """The venue refused a quote; its side pauses for `wait_ns`."""

    quote: Quote
    why: Reason
    wait_ns: int


class Limited(NamedTuple):
    """A limit begins to take something from what is wanted of a side; of several each is told."""

    side: Side
    why: Reason


class Broken(NamedTuple):
    """The same refusal has come again and again: nothing is placed on its side for `wait_ns`, the `times`-th time."""

    side: Side
    why: Reason
    times: int
    wait_ns: int


class Flowed(NamedTuple):
    """The account has so much more, or less if it is negative, and no fill of ours explains it: nothing is earned."""

    amounts: Amounts
    value: Decimal


class Wiped(NamedTuple):
    """The account was wiped: its orders are forgotten and its balances others; so much of the base asset is neutral."""

    neutral_qty: Decimal


class Withdrew(NamedTuple):
    """Too much is lost, or held: a stage is reached, which only a person takes back."""

    stage: Stage
    why: Reason


class Flattened(NamedTuple):
    """A position that was to go is gone, but for what is too little for an order."""

    left_qty: Decimal


class Stuck(NamedTuple):
    """A position that is to go does not, for the reason `why`; so much, base asset, is left of it."""

    left_qty: Decimal
    why: str


class Lost(NamedTuple):
    """An order has no answer: its fate is unknown."""

    client_order_id: str
    why: str


class Settled(NamedTuple):
    """What became of it."""

    client_order_id: str
    has_arrived: bool


class Ruled(NamedTuple):
    """The venue has other bounds of an order than before, which are gone by from now on."""

    changes: Sequence[str]


class Paused(NamedTuple):
    """The venue failed; the next round waits for `wait_ns`."""

    why: str
    wait_ns: int


class Looked(NamedTuple):
    """A round is over.

    Attributes:
        mid_ticks_x2: the mid that was quoted around, twice; None without one.
        idle: by side, why it is.
        bound: by side, what takes something from what is wanted of it, the hardest first.
        hanging: the client order ids of the orders that hang.
    """

    mid_ticks_x2: int | None
    idle: Mapping[Side, Reason]
    bound: Mapping[Side, Sequence[Reason]] = {}
    hanging: Collection[str] = ()


_OfOrders = Quoted | Filled | Ended | Forgotten | Kept | Declined | Lost | Settled
Note = _OfOrders | Limited | Broken | Flowed | Wiped | Withdrew | Flattened | Stuck | Ruled | Paused | Looked
