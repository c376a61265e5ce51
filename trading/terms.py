"""What a trader is given for its life."""

from decimal import Decimal
from typing import NamedTuple

from trading.escalation import NEVER, Triggers
from trading.keeping import Requoting
from trading.limits import Limits
from trading.readings import Amounts
from trading.refills import Refilling


class Terms(NamedTuple):
    """How a trader behaves at its venue.

    Attributes:
        requoting: when an order is replaced.
        prefix: of our client order ids: nobody else's order is touched.
        interval_ns: the least time from one round to the next.
        list_ns: how old the list of our open orders may get before we ask again: 0 where no news of them comes by
            itself.
        arrival_ns: how long an order without an answer may still arrive.
        neutral_qty, kept_neutral_qty, had: see `trading.position`.
        limits: of what it may have in the book.
        refilling: when a side that was filled gets no new order.
        hanging: how far from the mid an order may be left after the other side was filled, as a fraction of it; 0: it
            follows the quotes that are wanted, as every other.
        triggers: of its withdrawal.
        can_move: whether the venue cancels an order and enters another in one call.
        fee: what the venue takes of a fill at most, as a fraction.
        rules_ns: how old the venue's rules of the pair may get before they are read again; 0: they never change.
        can_amend: whether it makes an order smaller without its losing its place in the queue.
    """

    requoting: Requoting
    prefix: str
    interval_ns: int
    list_ns: int
    arrival_ns: int
    neutral_qty: Decimal | None = None
    limits: Limits = Limits()
    refilling: Refilling = Refilling()
    hanging: Decimal = Decimal(0)
    triggers: Triggers = NEVER
    can_move: bool = True
    can_amend: bool = True
    kept_neutral_qty: Decimal | None = None
    fee: Decimal = Decimal(0)
    had: Amounts | None = None
    rules_ns: int = 0
