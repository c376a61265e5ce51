"""Own orders are known from events, and predictions live no longer than a round trip."""

import random
from collections import deque
from collections.abc import Iterator
from itertools import count

import pytest

from flow.own_levels import FlowOrder
from flow.own_orders import FlowOrders
from market.codes import OrderType, RejectReason, Side, Tag, TimeInForce
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.events import Event, Rejected
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, Exchange, is_about


class Link:
    """Own orders and an engine; `deliver` lets the commands made so far be handled and their events be heard."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.own = FlowOrders(0, FLOW_OWNER, count(1_000), on_handled=self.handled.append)
        self.exchange = Exchange()
        self._other_ids = count(5_000)
        self.acknowledged = 0

    def deliver(self) -> None:
        """Handle all commands and hear of them."""
        commands = self.own.take_commands()
        events = self.handle(commands)
        self.acknowledged += len(commands)
        self.own.apply(events, self.acknowledged)

    def handle(self, commands: list[Command]) -> list[Event]:
        """Return the events about own orders."""
        return [event for command in commands for event in self.exchange.handle(command) if is_about(event, FLOW_OWNER)]

    def other(
        self, side: Side, price_ticks: int, qty_lots: int, order_type: OrderType = OrderType.LIMIT
    ) -> list[Event]:
        """Enter somebody else's order."""
        order = NewOrder(next(self._other_ids), 0, side, price_ticks, qty_lots, order_type, owner=MAKER_OWNER)
        return self.handle([order])

    def resting(self) -> dict[tuple[int, int], int]:
        """Return what rests of the own orders in the engine, by side and price."""
        held: dict[tuple[int, int], int] = {}
        for _, side, price_ticks, lots, _, owner in self.exchange.engine.orders(0).tolist():
            if owner == FLOW_OWNER:
                held[side, price_ticks] = held.get((side, price_ticks), 0) + lots
        return held

    def expected(self) -> dict[tuple[int, int], int]:
        """Return what the own orders are expected to be, in the same form."""
        return {
            (int(side), level.price_ticks): level.expected_lots
            for side in Side
            for level in self.own.levels(side)
            if level.expected_lots
        }


@pytest.fixture
def link() -> Iterator[Link]:
    """Return a link, and check the engine afterwards."""
    made = Link()
    yield made
    made.exchange.engine.check_invariants()


def test_expects_at_once_and_knows_after_a_round_trip(link: Link) -> None:
    """Guards the two states."""
    link.own.rest(Side.BUY, 100, 5)
    assert link.own.expected_lots(Side.BUY, 100) == 5
    assert link.own.best_price(Side.BUY) is None
    link.deliver()
    assert link.own.best_price(Side.BUY) == 100
    assert link.own.expected_lots(Side.BUY, 100) == 5


def test_level_grows_and_shrinks_at_the_back_of_its_queue(link: Link) -> None:
    """Guards the place of somebody else's order in the queue."""
    link.own.set_level(Side.SELL, 100, 5)
    link.own.set_level(Side.SELL, 100, 9)
    link.own.set_level(Side.SELL, 100, 12)
    link.own.set_level(Side.SELL, 100, 7)
    commands = link.own.take_commands()
    assert [(type(command).__name__, getattr(command, "qty_lots", 0)) for command in commands] == [
        ("NewOrder", 5),
        ("NewOrder", 4),
        ("NewOrder", 3),
        ("CancelOrder", 0),
        ("AmendOrder", 2),
    ]
    assert [command.order_id for command in commands if isinstance(command, CancelOrder | AmendOrder)] == [1_002, 1_001]
    link.own.apply(link.handle(commands), len(commands))
    assert link.resting() == link.expected() == {(Side.SELL, 100): 7}


def test_prediction_of_a_trade_gives_way_to_what_happened(link: Link) -> None:
    """Guards the queue: somebody else's order stood first and took a part of the trade."""
    link.own.rest(Side.SELL, 101, 5)
    link.deliver()
    link.other(Side.SELL, 100, 4)
    link.own.take(Side.BUY, 101, 6)
    link.own.set_level(Side.SELL, 101, 0)
    assert link.own.expected_lots(Side.SELL, 101) == 0
    commands = link.own.take_commands()
    assert isinstance(commands[0], NewOrder)
    assert commands[0].time_in_force == TimeInForce.IOC
    link.own.apply(link.handle(commands[:1]), 2)
    assert link.resting() == {(Side.SELL, 101): 3}
    assert link.own.best_price(Side.SELL) == 101
    link.own.apply(link.handle(commands[1:]), 3)
    assert link.resting() == link.expected() == {}


def test_background_order_that_meets_somebody_else_rests_with_what_is_left(link: Link) -> None:
    """Guards orders that cross another participant: the events say what rests."""
    link.other(Side.BUY, 100, 4)
    link.own.rest(Side.SELL, 100, 10)
    link.deliver()
    assert link.resting() == link.expected() == {(Side.SELL, 100): 6}
    link.other(Side.BUY, 99, 4)
    link.own.rest(Side.SELL, 99, 3)
    link.deliver()
    assert link.resting() == link.expected() == {(Side.SELL, 100): 6}


def test_refused_order_is_forgotten_and_a_refused_cancel_can_be_repeated(link: Link) -> None:
    """Guards refusals: post-only, and a venue that refuses a cancel for a reason other than that the order is gone."""
    link.other(Side.BUY, 100, 4)
    link.own.rest(Side.SELL, 100, 10, OrderType.POST_ONLY)
    link.deliver()
    assert link.expected() == {}

    link.own.rest(Side.SELL, 105, 2)
    link.deliver()
    link.own.set_level(Side.SELL, 105, 0)
    (cancel,) = link.own.take_commands()
    assert isinstance(cancel, CancelOrder)
    reason = RejectReason.ENGINE_UNAVAILABLE
    link.own.apply([Rejected(0, 0, 0, cancel.order_id, FLOW_OWNER, Tag.CANCEL_ORDER, reason)], link.acknowledged + 1)
    assert link.expected() == {(Side.SELL, 105): 2}
    link.own.set_level(Side.SELL, 105, 0)
    assert len(link.own.take_commands()) == 1


def test_says_when_commands_are_handled_before_it_takes_in_later_events(link: Link) -> None:
    """Guards comparisons at a moment: each is made exactly when its last command was handled."""
    best: list[int | None] = []
    link.own = FlowOrders(0, FLOW_OWNER, count(1), on_handled=lambda _: best.append(link.own.best_price(Side.BUY)))
    for price_ticks in (100, 101, 102):
        link.own.rest(Side.BUY, price_ticks, 1)
    link.deliver()
    assert best == [100, 101, 102]


def test_hears_of_cancels_that_it_did_not_ask_for(link: Link) -> None:
    """Guards a mass cancel by somebody else while own commands are in flight."""
    link.own.rest(Side.BUY, 100, 1)
    link.own.rest(Side.BUY, 99, 1)
    link.deliver()
    link.own.set_level(Side.BUY, 100, 0)
    link.own.rest(Side.BUY, 98, 4)
    commands = link.own.take_commands()
    link.own.apply(link.handle([MassCancel()]), 2)
    link.own.apply(link.handle(commands), 4)
    assert link.resting() == link.expected() == {(Side.BUY, 98): 4}


def test_refuses_an_owner_that_would_stand_for_everybody() -> None:
    """Guards the mass cancel of former orders: owner 0 would cancel everybody's."""
    with pytest.raises(AssertionError, match="owner must be positive, was 0"):
        FlowOrders(0, 0, count(1))


@pytest.mark.parametrize("seed", range(10))
def test_knows_at_any_moment_where_plain_orders_stand(seed: int, link: Link) -> None:
    """Guards the list of levels that stand, kept change by change: it is what a look at all orders gives."""
    chance = random.Random(seed)
    orders: list[FlowOrder] = []
    for _ in range(400):
        side = Side(chance.randrange(2))
        price_ticks = chance.randint(90, 99) + 10 * side
        action = chance.random()
        if action < 0.4:
            orders.append(link.own.rest(side, price_ticks, chance.randint(1, 9)))
        elif action < 0.6 and orders:
            link.own.set_apart(chance.choice(orders), is_apart=chance.random() < 0.7)
        elif action < 0.8:
            link.own.set_level(side, price_ticks, chance.randint(0, 9))
        elif action < 0.9:
            link.own.take(side, price_ticks + 10 - 20 * side, chance.randint(1, 20))
        else:
            link.deliver()
        for each, sign in ((Side.BUY, -1), (Side.SELL, 1)):
            plain = [
                sign * (level.price_ticks - 100)
                for level in link.own.levels(each)
                if level.expected_lots and not all(order.is_set_apart for order in level.orders)
            ]
            assert link.own.offsets(each, 100).tolist() == plain == sorted(plain)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_engine_after_any_commands_however_late_their_events(seed: int, link: Link) -> None:
    """Guards against drift between belief and book: random levels and trades, others in between, late answers."""
    chance = random.Random(seed)
    on_the_way: deque[list[Command]] = deque()
    unheard: deque[tuple[list[Event], int]] = deque()
    for _ in range(400):
        side, price_ticks, lots = Side(chance.randrange(2)), chance.randint(95, 105), chance.randint(0, 9)
        action = chance.random()
        if action < 0.5:
            link.own.set_level(side, price_ticks + (-6 if side == Side.BUY else 6), lots)
        elif action < 0.65:
            link.own.take(side, price_ticks, lots + 1)
        elif action < 0.85:
            unheard.append((link.other(side, price_ticks, lots + 1), link.acknowledged))
        on_the_way.append(link.own.take_commands())
        if chance.random() < 0.4:
            commands = [command for batch in on_the_way for command in batch]
            on_the_way.clear()
            link.acknowledged += len(commands)
            unheard.append((link.handle(commands), link.acknowledged))
        while unheard and chance.random() < 0.5:
            link.own.apply(*unheard.popleft())
    while unheard:
        link.own.apply(*unheard.popleft())
    commands = [command for batch in on_the_way for command in batch]
    link.acknowledged += len(commands)
    link.own.apply(link.handle(commands), link.acknowledged)
    assert link.expected() == link.resting()
    assert link.own.handled_count == link.own.sent_count
