"""A flow's own orders in the engine's book: as the events tell them, and as they will be once all is handled.

Commands are answered later than they are sent, so two states are kept for each order. `resting_lots` is a fact: what
the last event said. `expected_lots` adds to it what the commands in flight are predicted to change; a command's
prediction is dropped as soon as its first event is seen, and facts take its place. A wrong prediction (somebody else's
order took part) thus lives no longer than a round trip.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from flow.own_levels import FlowOrder, Int64Array, OwnLevel, OwnSide
from flow.queue_models import QueueModel, leave_from_behind
from market.codes import OrderType, RejectReason, Side, Tag, TimeInForce
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested

_Changes = tuple[tuple[FlowOrder, int], ...]
# A command without an answer so far: its number, tag and order id, and the changes of own orders that it is predicted
# to bring. A plain tuple, for one is made for each command.
_InFlight = tuple[int, Tag, int, _Changes]


class FlowOrders:
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
        self._orders: dict[int, FlowOrder] = {}
        self._sides = OwnSide(Side.BUY), OwnSide(Side.SELL)
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
        return (level.price_ticks for level in self._sides[side])

    def levels(self, side: Side) -> Iterator[OwnLevel]:
        """Iterate over what stands at these prices, best first."""
        return iter(self._sides[side])

    def offsets(self, side: Side, price_ticks: int) -> Int64Array:
        """Return how far behind a price each level is where lots of plain orders are expected, in ticks, rising."""
        return self._sides[side].offsets(price_ticks)

    def expected_lots(self, side: Side, price_ticks: int) -> int:
        """Return what will rest at a price once everything in flight is handled."""
        level = self._sides[side].get(price_ticks)
        return 0 if level is None else level.expected_lots

    def best_price(self, side: Side) -> int | None:
        """Return the best price at which an own order rests, as told by the events."""
        for level in self._sides[side]:
            if any(order.resting_lots > 0 for order in level.orders):
                return level.price_ticks
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

    def rest(self, side: Side, price_ticks: int, qty_lots: int, order_type: OrderType = OrderType.LIMIT) -> FlowOrder:
        """Add a background order and return it."""
        level = self._sides[side].open(price_ticks)
        order = FlowOrder(next(self._order_ids), level)
        self._orders[order.order_id] = order
        level.orders.append(order)
        level.plain_count += 1
        command = NewOrder(
            order.order_id, self._symbol_id, side, price_ticks, qty_lots, order_type, TimeInForce.GTC, owner=self._owner
        )
        self._send(Tag.NEW_ORDER, command, ((order, qty_lots),))
        return order

    def set_apart(self, order: FlowOrder, *, is_apart: bool = True) -> None:
        """Let `OwnLevel.plain_count` not count an order, or count it again."""
        if order.is_set_apart != is_apart:
            order.is_set_apart = is_apart
            if not order.is_gone:
                order.level.plain_count += -1 if is_apart else 1
                order.level.settle()

    def take(self, side: Side, limit_ticks: int, qty_lots: int) -> int:
        """Trade at once up to a limit price; what finds nobody is cancelled. Return the order's id."""
        order_id, kind = next(self._order_ids), (OrderType.LIMIT, TimeInForce.IOC)
        command = NewOrder(order_id, self._symbol_id, side, limit_ticks, qty_lots, *kind, owner=self._owner)
        self._send(Tag.NEW_ORDER, command, tuple(self._predict_fills(side, limit_ticks, qty_lots)))
        return order_id

    def cancel(self, order: FlowOrder) -> None:
        """Cancel an order, unless that was done."""
        if not order.is_cancel_sent:
            order.is_cancel_sent = True
            command = CancelOrder(order.order_id, self._symbol_id, self._owner)
            self._send(Tag.CANCEL_ORDER, command, ((order, -order.expected_lots),))

    def cancel_level(self, side: Side, price_ticks: int) -> None:
        """Cancel all at a price that is not known to be gone, whatever is predicted of it."""
        if (level := self._sides[side].get(price_ticks)) is not None:
            self._cancel_all((level,))

    def cancel_better(self, side: Side, price_ticks: int) -> None:
        """Cancel likewise all at better prices than this one."""
        self._cancel_all(self._sides[side].better(price_ticks))

    def cancel_behind(self, side: Side, price_ticks: int) -> None:
        """Cancel likewise all at worse prices than this one."""
        self._cancel_all(self._sides[side].behind(price_ticks))

    def set_level(self, side: Side, price_ticks: int, qty_lots: int) -> None:
        """Make a level hold a quantity: more joins the back of the queue, less leaves where the queue model says."""
        if qty_lots == 0:
            self.cancel_level(side, price_ticks)
            return
        excess = self.expected_lots(side, price_ticks) - qty_lots
        if excess < 0:
            self.rest(side, price_ticks, -excess)
        elif excess > 0:
            self._cut(self._sides[side].open(price_ticks), excess)

    def _cancel_all(self, levels: Iterable[OwnLevel]) -> None:
        for level in levels:
            for order in level.orders:
                self.cancel(order)

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

    def _shrink(self, order: FlowOrder, qty_lots: int) -> None:
        command = AmendOrder(order.order_id, self._symbol_id, order.level.price_ticks, qty_lots, self._owner)
        self._send(Tag.AMEND_ORDER, command, ((order, qty_lots - order.expected_lots),))

    def _predict_fills(self, side: Side, limit_ticks: int, qty_lots: int) -> Iterator[tuple[FlowOrder, int]]:
        is_buy = side == Side.BUY
        for level in self._sides[1 - side]:
            price_ticks = level.price_ticks
            if qty_lots <= 0 or (price_ticks > limit_ticks if is_buy else price_ticks < limit_ticks):
                return
            for order in level.orders:
                fill = min(qty_lots, order.expected_lots)
                if fill > 0:
                    qty_lots -= fill
                    yield order, -fill

    def _send(self, tag: Tag, command: NewOrder | CancelOrder | AmendOrder, changes: _Changes) -> None:
        for order, lots in changes:
            order.change(order.resting_lots, order.in_flight_lots + lots)
        self.sent_count += 1
        self._in_flight.append((self.sent_count, tag, command.order_id, changes))
        self._outgoing.append(command)

    # What happened

    def apply(self, events: Iterable[Event], acknowledged: int) -> None:
        """Take in the events of own orders, in the engine's order, then that `acknowledged` commands are handled."""
        for event in events:
            self._take_in(event)
        while self._in_flight and self._in_flight[0][0] <= acknowledged:
            _, _, _, changes = self._in_flight.popleft()
            for order, lots in changes:
                order.change(order.resting_lots, order.in_flight_lots - lots)
        self._set_handled(acknowledged)

    def _take_in(self, event: Event) -> None:
        match event:
            case Accepted():
                self._rest(event.order_id, event.resting_lots, Tag.NEW_ORDER)
            case Canceled():
                order = self._orders.get(event.order_id)
                landed_lots = self._land(Tag.CANCEL_ORDER, event.order_id, order)
                if order is not None:
                    self._leave(order, event.leaves_lots, event.leaves_lots, landed_lots)
            case Executed():
                if order := self._orders.get(event.maker_order_id):
                    self._leave(order, event.maker_resting_lots, event.maker_leaves_lots)
                if event.taker_leaves_lots == 0 and (order := self._orders.get(event.taker_order_id)):
                    self._leave(order, 0, 0)
            case Amended():
                self._rest(event.order_id, event.resting_lots, Tag.AMEND_ORDER)
            case Rested():
                if order := self._orders.get(event.order_id):
                    order.change(event.resting_lots, order.in_flight_lots)
            case Rejected():
                order = self._orders.get(event.order_id)
                landed_lots = self._land(Tag(event.command), event.order_id, order)
                if order is not None:
                    if event.command == Tag.NEW_ORDER or event.reason == RejectReason.UNKNOWN_ORDER:
                        self._leave(order, 0, 0, landed_lots)
                    else:
                        order.change(order.resting_lots, order.in_flight_lots - landed_lots)
                    order.is_cancel_sent = False
            case _:
                pass

    def _rest(self, order_id: int, resting_lots: int, answered: Tag) -> None:
        order = self._orders.get(order_id)
        landed_lots = self._land(answered, order_id, order)
        if order is not None:
            order.change(resting_lots, order.in_flight_lots - landed_lots)

    def _leave(self, order: FlowOrder, resting_lots: int, leaves_lots: int, landed_lots: int = 0) -> None:
        """Let an order lose lots, maybe all of them."""
        order.change(resting_lots, order.in_flight_lots - landed_lots)
        if leaves_lots == 0:
            del self._orders[order.order_id]
            order.leave()

    def _land(self, tag: Tag, order_id: int, told: FlowOrder | None) -> int:
        """Drop the prediction of the first command in flight if this is its first event.

        Args:
            tag: of the command that the event answers.
            order_id: of the event.
            told: the order itself, which is about to change by the event.

        Returns:
            What was predicted of `told`: its caller is to take that back along with the change.
        """
        if not self._in_flight:
            return 0
        number, sent_tag, sent_id, changes = self._in_flight[0]
        if sent_id != order_id or sent_tag != tag:
            return 0
        self._set_handled(number - 1)
        self._in_flight.popleft()
        landed_lots = 0
        for order, lots in changes:
            if order is told:
                landed_lots += lots
            else:
                order.change(order.resting_lots, order.in_flight_lots - lots)
        return landed_lots

    def _set_handled(self, count: int) -> None:
        if count > self.handled_count:
            self.handled_count = count
            if self._on_handled is not None:
                self._on_handled(count)
