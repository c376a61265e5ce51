"""A flow's own orders in the engine's book: as the events tell them, and as they will be once all is handled.

Commands are answered later than they are sent, so two states are kept for each order. `resting_lots` is a fact: what
the last event said. `expected_lots` adds to it what the commands in flight are predicted to change; a command's
prediction is dropped as soon as its first event is seen, and facts take its place. A wrong prediction (somebody else's
order took part) thus lives no longer than a round trip.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from sortedcontainers import SortedDict

from flow.queue_models import QueueModel, leave_from_behind
from market.codes import OrderType, RejectReason, Side, Tag, TimeInForce
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested
from market.messages import TAG_BY_MESSAGE


class OwnOrder:
    """One background order; `is_gone` once an event said so."""

    __slots__ = (
        "in_flight_lots", "is_cancel_sent", "is_gone", "is_set_apart", "order_id", "price_ticks", "resting_lots", "side"
    )  # fmt: skip

    def __init__(self, order_id: int, side: Side, price_ticks: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price_ticks = price_ticks
        self.resting_lots = 0
        self.in_flight_lots = 0  # sum of the predicted changes
        self.is_cancel_sent = False
        self.is_gone = False
        self.is_set_apart = False

    @property
    def expected_lots(self) -> int:
        """What will rest once everything in flight is handled."""
        return max(0, self.resting_lots + self.in_flight_lots)


class OwnLevel:
    """The own orders at one price that are not known to be gone, first in the queue first."""

    __slots__ = ("expected_lots", "orders", "plain_count")

    def __init__(self) -> None:
        self.orders: list[OwnOrder] = []
        self.expected_lots = 0  # sum over the orders
        self.plain_count = 0  # of the orders, those that are not set apart


_TAG_ANSWERED: Final = {Accepted: Tag.NEW_ORDER, Canceled: Tag.CANCEL_ORDER, Amended: Tag.AMEND_ORDER}
_Levels: TypeAlias = "SortedDict[int, OwnLevel]"


class _InFlight(NamedTuple):
    """A command without an answer so far, and the changes of own orders that it is predicted to bring."""

    number: int
    tag: Tag
    order_id: int
    changes: tuple[tuple[OwnOrder, int], ...]


class OwnOrders:
    """The own orders of one flow in one symbol, and the only maker of its commands."""

    def __init__(
        self,
        symbol_id: int,
        owner: int,
        order_ids: Iterator[int],
        on_handled: Callable[[int], None] | None = None,
        queue_model: QueueModel = leave_from_behind,
    ) -> None:
        """Start without orders.

        Args:
            owner: the owner that all orders carry, from 1 (0 would stand for everybody).
            order_ids: ids that nobody else uses, rising.
            on_handled: called with n when commands 1 to n are known to be handled and nothing later was taken in yet.
            queue_model: from where in its queue a level loses what it is set to lose.
        """
        assert owner > 0, f"owner must be positive, was {owner}"
        self._symbol_id = symbol_id
        self._owner = owner
        self._order_ids = order_ids
        self._on_handled = on_handled
        self._queue_model = queue_model
        self.reset()

    def reset(self) -> None:
        """Forget everything: the engine's book is empty and commands are counted from 1 again."""
        self._orders: dict[int, OwnOrder] = {}
        self._levels: tuple[_Levels, _Levels] = (SortedDict(), SortedDict())
        self._in_flight: deque[_InFlight] = deque()
        self._outgoing: list[Command] = []
        self.sent_count = 0
        self.handled_count = 0

    # What is there

    @property
    def in_flight_count(self) -> int:
        """How many commands are not known to be handled."""
        return self.sent_count - self.handled_count

    def prices(self, side: Side) -> Iterator[int]:
        """Iterate over the prices of all own orders that are not known to be gone, best first."""
        levels = self._levels[side]
        return reversed(levels) if side == Side.BUY else iter(levels)

    def levels(self, side: Side) -> Iterator[tuple[int, OwnLevel]]:
        """Iterate over the same prices with what stands there, best first."""
        levels = self._levels[side]  # its items are looked up by their position, its keys are not
        return ((price_ticks, levels[price_ticks]) for price_ticks in self.prices(side))

    def expected_lots(self, side: Side, price_ticks: int) -> int:
        """Return what will rest at a price once everything in flight is handled."""
        level: OwnLevel | None = self._levels[side].get(price_ticks)
        return 0 if level is None else level.expected_lots

    def best_price(self, side: Side) -> int | None:
        """Return the best price at which an own order rests, as told by the events."""
        for price_ticks, level in self.levels(side):
            if any(order.resting_lots > 0 for order in level.orders):
                return price_ticks
        return None

    # What to do

    def take_commands(self) -> list[Command]:
        """Return the commands made since the last call."""
        commands, self._outgoing = self._outgoing, []
        return commands

    def cancel_former(self) -> None:
        """Cancel what an earlier life of this flow, under the same owner, left in the book."""
        self.sent_count += 1
        self._outgoing.append(MassCancel(self._symbol_id, owner=self._owner))

    def rest(self, side: Side, price_ticks: int, qty_lots: int, order_type: OrderType = OrderType.LIMIT) -> OwnOrder:
        """Add a background order and return it."""
        order = OwnOrder(next(self._order_ids), side, price_ticks)
        self._orders[order.order_id] = order
        level = self._levels[side].get(price_ticks)
        if level is None:
            level = self._levels[side][price_ticks] = OwnLevel()
        level.orders.append(order)
        level.plain_count += 1
        command = NewOrder(
            order.order_id, self._symbol_id, side, price_ticks, qty_lots, order_type, TimeInForce.GTC, owner=self._owner
        )
        self._send(command, [(order, qty_lots)])
        return order

    def set_apart(self, order: OwnOrder, *, is_apart: bool = True) -> None:
        """Let `OwnLevel.plain_count` not count an order, or count it again."""
        if order.is_set_apart != is_apart:
            order.is_set_apart = is_apart
            if not order.is_gone:
                self._levels[order.side][order.price_ticks].plain_count += -1 if is_apart else 1

    def take(self, side: Side, limit_ticks: int, qty_lots: int) -> None:
        """Trade at once up to a limit price; what finds nobody is cancelled."""
        order_id, kind = next(self._order_ids), (OrderType.LIMIT, TimeInForce.IOC)
        command = NewOrder(order_id, self._symbol_id, side, limit_ticks, qty_lots, *kind, owner=self._owner)
        self._send(command, self._predict_fills(side, limit_ticks, qty_lots))

    def cancel(self, order: OwnOrder) -> None:
        """Cancel an order, unless that was done."""
        if not order.is_cancel_sent:
            order.is_cancel_sent = True
            self._send(CancelOrder(order.order_id, self._symbol_id, self._owner), [(order, -order.expected_lots)])

    def cancel_level(self, side: Side, price_ticks: int) -> None:
        """Cancel all at a price that is not known to be gone, whatever is predicted of it."""
        if (level := self._levels[side].get(price_ticks)) is not None:
            for order in level.orders:
                self.cancel(order)

    def cancel_better(self, side: Side, price_ticks: int) -> None:
        """Cancel likewise all at better prices than this one."""
        for better_ticks in self.prices(side):
            if better_ticks <= price_ticks if side == Side.BUY else better_ticks >= price_ticks:
                return
            self.cancel_level(side, better_ticks)

    def set_level(self, side: Side, price_ticks: int, qty_lots: int) -> None:
        """Make a level hold a quantity: more joins the back of the queue, less leaves where the queue model says."""
        if qty_lots == 0:
            self.cancel_level(side, price_ticks)
            return
        excess = self.expected_lots(side, price_ticks) - qty_lots
        if excess < 0:
            self.rest(side, price_ticks, -excess)
        elif excess > 0:
            self._cut(self._levels[side][price_ticks], excess)

    def _cut(self, level: OwnLevel, excess: int) -> None:
        total = level.expected_lots
        start = self._queue_model(total, excess)
        end, wrapped = start + excess, start + excess - total
        behind = total  # where the order ends, counted in lots from the front
        for order in reversed(level.orders):
            expected = order.expected_lots
            before = behind - expected
            leaving = max(0, min(behind, end) - max(before, start)) + max(0, min(behind, wrapped) - before)
            behind = before
            if 0 < leaving < expected:
                self._shrink(order, expected - leaving)
            elif leaving:
                self.cancel(order)

    def _shrink(self, order: OwnOrder, qty_lots: int) -> None:
        command = AmendOrder(order.order_id, self._symbol_id, order.price_ticks, qty_lots, self._owner)
        self._send(command, [(order, qty_lots - order.expected_lots)])

    def _predict_fills(self, side: Side, limit_ticks: int, qty_lots: int) -> Iterator[tuple[OwnOrder, int]]:
        resting_side = side.opposite
        for price_ticks, level in self.levels(resting_side):
            if qty_lots <= 0 or (price_ticks > limit_ticks if side == Side.BUY else price_ticks < limit_ticks):
                return
            for order in level.orders:
                fill = min(qty_lots, order.expected_lots)
                if fill > 0:
                    qty_lots -= fill
                    yield order, -fill

    def _send(self, command: NewOrder | CancelOrder | AmendOrder, changes: Iterable[tuple[OwnOrder, int]]) -> None:
        kept = tuple(changes)
        for order, lots in kept:
            self._change(order, order.resting_lots, order.in_flight_lots + lots)
        self.sent_count += 1
        self._in_flight.append(_InFlight(self.sent_count, TAG_BY_MESSAGE[type(command)], command.order_id, kept))
        self._outgoing.append(command)

    # What happened

    def apply(self, events: Iterable[Event], acknowledged: int) -> None:
        """Take in the events of own orders, in the engine's order, then that `acknowledged` commands are handled."""
        for event in events:
            self._land_command_of(event)
            self._apply_event(event)
        while self._in_flight and self._in_flight[0].number <= acknowledged:
            self._land()
        self._set_handled(acknowledged)

    def _land_command_of(self, event: Event) -> None:
        """Drop the prediction of the first command in flight if this is its first event."""
        if not self._in_flight:
            return
        first = self._in_flight[0]
        match event:
            case Accepted() | Canceled() | Amended():
                tag = _TAG_ANSWERED[type(event)]
            case Rejected():
                tag = Tag(event.command)
            case _:
                return
        if first.tag == tag and first.order_id == event.order_id:
            self._set_handled(first.number - 1)
            self._land()

    def _land(self) -> None:
        for order, lots in self._in_flight.popleft().changes:
            self._change(order, order.resting_lots, order.in_flight_lots - lots)

    def _set_handled(self, count: int) -> None:
        if count > self.handled_count:
            self.handled_count = count
            if self._on_handled is not None:
                self._on_handled(count)

    def _apply_event(self, event: Event) -> None:
        match event:
            case Accepted() | Rested() | Amended():
                if order := self._orders.get(event.order_id):
                    self._change(order, event.resting_lots, order.in_flight_lots)
            case Executed():
                if order := self._orders.get(event.maker_order_id):
                    self._set_resting(order, event.maker_resting_lots, event.maker_leaves_lots)
                if event.taker_leaves_lots == 0 and (order := self._orders.get(event.taker_order_id)):
                    self._set_resting(order, 0, 0)
            case Canceled():
                if order := self._orders.get(event.order_id):
                    self._set_resting(order, event.leaves_lots, event.leaves_lots)
            case Rejected():
                if order := self._orders.get(event.order_id):
                    if event.command == Tag.NEW_ORDER or event.reason == RejectReason.UNKNOWN_ORDER:
                        self._set_resting(order, 0, 0)
                    order.is_cancel_sent = False
            case _:
                pass

    def _set_resting(self, order: OwnOrder, resting_lots: int, leaves_lots: int) -> None:
        self._change(order, resting_lots, order.in_flight_lots)
        if leaves_lots == 0:
            order.is_gone = True
            del self._orders[order.order_id]
            level = self._levels[order.side][order.price_ticks]
            level.orders.remove(order)
            level.expected_lots -= order.expected_lots
            level.plain_count -= not order.is_set_apart
            if not level.orders:
                del self._levels[order.side][order.price_ticks]

    def _change(self, order: OwnOrder, resting_lots: int, in_flight_lots: int) -> None:
        expected_before = order.expected_lots
        order.resting_lots = resting_lots
        order.in_flight_lots = in_flight_lots
        if not order.is_gone:
            self._levels[order.side][order.price_ticks].expected_lots += order.expected_lots - expected_before
