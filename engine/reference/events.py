"""The reference engine's events, each with the next sequence and the time of the command that caused it."""

from typing import TypeVar

from engine.reference.book import ReferenceOrder
from market.codes import CancelReason, RejectReason
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, NewOrder, SetPriceRange
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested, Trailed, Triggered
from market.limits import OWNER_MAX
from market.messages import TAG_BY_MESSAGE

_E = TypeVar("_E", Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested, Trailed, Triggered)


class ReferenceEvents:
    """Tells what happened.

    Attributes:
        sequence: of the last event told.
        time_ns: of the command at hand.
    """

    def __init__(self, symbol_count: int) -> None:
        self.sequence = 0
        self.time_ns = 0
        self._symbol_count = symbol_count

    def tell(self, kind: type[_E], order: ReferenceOrder | None = None, **own: int) -> _E:
        """Make the next event: of its fields those that are `own`, all others the order's of the same name."""
        self.sequence += 1
        known = {"sequence": self.sequence, "time_ns": self.time_ns, **own}
        names: tuple[str, ...] = kind._fields
        return kind(*(known[name] if name in known else getattr(order, name) for name in names))

    def accepted(self, order: ReferenceOrder) -> Accepted:
        """Tell that the order was taken in."""
        return self.tell(Accepted, order, qty_lots=order.leaves_lots)

    def executed(self, taker: ReferenceOrder, maker: ReferenceOrder, trade_id: int, lots: int) -> Executed:
        """Tell of a trade whose lots are already off both orders."""
        sides = {f"{who}_{name}": getattr(order, name) for who, order in (("taker", taker), ("maker", maker))
                 for name in ("side", "order_id", "owner", "leaves_lots", "resting_lots")}  # fmt: skip
        return self.tell(Executed, maker, trade_id=trade_id, qty_lots=lots, **sides)

    def canceled(self, order: ReferenceOrder, reason: CancelReason, lots: int | None = None) -> Canceled:
        """Tell that `lots` left (None: all that was open); a decrement has already taken its lots off the order."""
        gone_lots, leaves_lots = (order.leaves_lots, 0) if lots is None else (lots, order.leaves_lots)
        return self.tell(Canceled, order, qty_lots=gone_lots, leaves_lots=leaves_lots, reason=reason)

    def refused(self, command: Command, reason: RejectReason) -> Rejected:
        """Tell that the command changed nothing."""
        order_id = command.order_id if isinstance(command, NewOrder | CancelOrder | AmendOrder) else 0
        owner = 0 if isinstance(command, HaltSymbol | SetPriceRange) else command.owner
        return self.rejected(command.symbol_id, order_id, owner, TAG_BY_MESSAGE[type(command)], reason)

    def rejected(self, symbol_id: int, order_id: int, owner: int, tag: int, reason: RejectReason) -> Rejected:
        """Tell of a refusal; what was out of bounds is told as none, so that the event itself is within them."""
        return self.tell(
            Rejected,
            symbol_id=symbol_id if 0 <= symbol_id < self._symbol_count else -1,
            order_id=max(order_id, 0),
            owner=owner if 0 <= owner <= OWNER_MAX else 0,
            command=tag if 0 <= tag <= 255 else 0,
            reason=reason,
        )
