"""The reference engine's events, each with the next sequence and the time of the command that caused it."""

from engine.reference.book import ReferenceOrder
from market.codes import CancelReason, RejectReason
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, NewOrder
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested, Triggered
from market.limits import OWNER_MAX
from market.messages import TAG_BY_MESSAGE


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

    def accepted(self, order: ReferenceOrder) -> Accepted:
        """Tell that the order was taken in."""
        return Accepted(
            self._next(),
            self.time_ns,
            order.symbol_id,
            order.order_id,
            order.owner,
            order.side,
            order.price_ticks,
            order.leaves_lots,
            order.order_type,
            order.time_in_force,
            order.resting_lots,
        )

    def rested(self, order: ReferenceOrder) -> Rested:
        """Tell that the order joined the back of its queue."""
        return Rested(
            self._next(),
            self.time_ns,
            order.symbol_id,
            order.order_id,
            order.owner,
            order.side,
            order.price_ticks,
            order.resting_lots,
            order.leaves_lots,
        )

    def executed(self, taker: ReferenceOrder, maker: ReferenceOrder, trade_id: int, lots: int) -> Executed:
        """Tell of a trade whose lots are already off both orders."""
        return Executed(
            self._next(),
            self.time_ns,
            taker.symbol_id,
            trade_id,
            maker.price_ticks,
            lots,
            taker.side,
            taker.order_id,
            taker.owner,
            taker.leaves_lots,
            maker.order_id,
            maker.owner,
            maker.leaves_lots,
            maker.resting_lots,
        )

    def canceled(self, order: ReferenceOrder, reason: CancelReason, lots: int | None = None) -> Canceled:
        """Tell that `lots` left (None: all that was open); a decrement has already taken its lots off the order."""
        gone_lots, leaves_lots = (order.leaves_lots, 0) if lots is None else (lots, order.leaves_lots)
        return Canceled(
            self._next(),
            self.time_ns,
            order.symbol_id,
            order.order_id,
            order.owner,
            order.side,
            order.price_ticks,
            gone_lots,
            leaves_lots,
            reason,
        )

    def amended(self, order: ReferenceOrder) -> Amended:
        """Tell the order's new price and quantity."""
        return Amended(
            self._next(),
            self.time_ns,
            order.symbol_id,
            order.order_id,
            order.owner,
            order.side,
            order.price_ticks,
            order.leaves_lots,
            order.resting_lots,
        )

    def triggered(self, order: ReferenceOrder) -> Triggered:
        """Tell that the order woke."""
        return Triggered(self._next(), self.time_ns, order.symbol_id, order.order_id, order.owner)

    def halted(self, symbol_id: int, is_halted: int) -> Halted:
        """Tell that the symbol was halted or resumed."""
        return Halted(self._next(), self.time_ns, symbol_id, is_halted)

    def refused(self, command: Command, reason: RejectReason) -> Rejected:
        """Tell that the command changed nothing."""
        order_id = command.order_id if isinstance(command, NewOrder | CancelOrder | AmendOrder) else 0
        owner = 0 if isinstance(command, HaltSymbol) else command.owner
        return self.rejected(command.symbol_id, order_id, owner, TAG_BY_MESSAGE[type(command)], reason)

    def rejected(self, symbol_id: int, order_id: int, owner: int, tag: int, reason: RejectReason) -> Rejected:
        """Tell of a refusal; what was out of bounds is told as none, so that the event itself is within them."""
        return Rejected(
            self._next(),
            self.time_ns,
            symbol_id if 0 <= symbol_id < self._symbol_count else -1,
            max(order_id, 0),
            owner if 0 <= owner <= OWNER_MAX else 0,
            tag if 0 <= tag <= 255 else 0,
            reason,
        )

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence
