"""When a market is built in its engine, and what of the engine's word reaches the flow."""

from collections.abc import Mapping, Sequence

import pytest

from bus.engine_client import LinkEnd
from bus.topology import Source
from flow.order_flow import Figure
from market.commands import Command, MassCancel, NewOrder
from market.events import Event
from nodes.flow.market import Market, OrderIds
from tests.bus.cable import Cable


class Quotes:
    """A flow of two orders, that enters one more each time that it is asked."""

    is_finished = False
    due_ns = 0

    def __init__(self, order_ids: OrderIds) -> None:
        self.order_ids = order_ids
        self.steps: list[tuple[int, int]] = []  # events, and commands that were handled

    def start(self, now_ns: int) -> list[Command]:
        return [self._order(), self._order()]

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        self.steps.append((len(events), acknowledged))
        return [self._order()]

    def wake_ns(self, now_ns: int) -> int:
        return max(now_ns, self.due_ns)

    def summary(self) -> Mapping[str, Figure]:
        return {}

    def _order(self) -> NewOrder:
        return NewOrder(next(self.order_ids), 0, 0, 1_000, 5)


class Desk:
    """A market at an engine."""

    def __init__(self, *, has_flow: bool = True) -> None:
        self.cable = Cable()
        self.link = LinkEnd(Source.FLOW, "engine", self.cable, {0})
        self.flow = Quotes(OrderIds(0))
        self.market = Market(self.link, self.flow if has_flow else None, self.flow.order_ids, lambda: self.now_ns)
        self.now_ns = 0

    def turn(self) -> list[int]:
        """Let all that was sent be handled, and its answers be taken; return the epochs in which it was built."""
        self.now_ns += 600_000_000
        self.link.tick(self.now_ns)
        self.cable.handle()
        return [news.epoch for news in self.link.receive() if self.market.take(news, self.now_ns)]


@pytest.mark.parametrize("has_flow", [True, False])
def test_is_built_when_the_engine_has_the_first_book_and_nothing_else(*, has_flow: bool) -> None:
    """Without a flow of ours all that is left of an earlier process leaves."""
    desk = Desk(has_flow=has_flow)
    assert desk.turn() == [1]
    assert not desk.market.is_built
    desk.turn()
    assert desk.market.is_built
    first, *more = desk.cable.commands
    assert isinstance(first, MassCancel)
    assert [type(command) for command in more] == [NewOrder] * (2 if has_flow else 0)


def test_wakes_for_what_is_due_and_for_events_that_have_waited_enough() -> None:
    """Guards the sleep between two steps: nothing to do is None, and no event waits for a step that is far away."""
    desk = Desk()
    assert desk.market.wake_ns(0) is None
    desk.turn()
    desk.flow.due_ns = far_ns = 10**15
    assert desk.market.wake_ns(desk.now_ns) == far_ns
    desk.turn()
    heard_ns = desk.now_ns
    assert desk.market.wake_ns(heard_ns + 5_000_000) == heard_ns + 20_000_000
    desk.market.step(heard_ns + 20_000_000)
    assert [handled for _, handled in desk.flow.steps] == [2]
    assert desk.market.wake_ns(heard_ns + 20_000_000) == far_ns


def test_the_flow_counts_its_own_commands_from_its_start() -> None:
    """What an engine says before that is of an earlier process."""
    desk = Desk()
    desk.market.step(0)
    desk.turn()
    desk.market.step(0)
    desk.turn()
    desk.market.step(0)
    assert desk.flow.steps == [(0, 0), (4, 3)]


def test_is_built_anew_in_an_engine_that_has_begun_anew() -> None:
    """With ids behind all that any engine has seen of us."""
    desk = Desk()
    desk.turn()
    desk.turn()
    desk.cable.start(2)
    assert [desk.turn(), desk.turn()] == [[], [2]]
    assert not desk.market.is_built
    desk.turn()
    assert desk.market.is_built
    ids = [command.order_id for command in desk.cable.commands if isinstance(command, NewOrder)]
    assert ids == [1, 2, 3, 4]


def test_a_new_process_takes_ids_behind_those_of_the_one_before() -> None:
    """The engine tells it the last one that it has seen."""
    before, after = Desk(), Desk()
    before.turn()
    before.turn()
    after.link = LinkEnd(Source.FLOW, "engine", before.cable, {0})
    after.cable, after.market = before.cable, Market(after.link, after.flow, after.flow.order_ids, lambda: 0)
    before.cable.commands.clear()
    assert after.turn() == [1]
    after.turn()
    assert [command.order_id for command in before.cable.commands if isinstance(command, NewOrder)] == [3, 4]


def test_leaves_nothing_behind() -> None:
    """Unless the engine does not hear it."""
    desk = Desk()
    desk.market.leave()
    desk.turn()
    desk.turn()
    desk.market.leave()
    desk.turn()
    assert [type(command) for command in desk.cable.commands] == [MassCancel, NewOrder, NewOrder, MassCancel]
