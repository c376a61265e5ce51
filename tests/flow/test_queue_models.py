"""An order of ours among recorded ones: how the queue in front of it gets shorter."""

from itertools import count

import pytest

from flow.own_orders import FlowOrders
from flow.queue_models import leave_from_behind, queue_model
from market.codes import OrderType, Side
from market.commands import NewOrder
from tests.flow.simulated_market import FLOW_OWNER, MAKER_OWNER, Exchange, is_about

PRICE = 100


class Queue:
    """A level of recorded lots with one order of ours in it, in an engine."""

    def __init__(self, model: str, seed: int, ahead_lots: int, behind_lots: int) -> None:
        self.exchange = Exchange()
        self.own = FlowOrders(0, FLOW_OWNER, count(1), queue_model=queue_model(model, seed))
        self.own.set_level(Side.BUY, PRICE, ahead_lots)
        self.flush()
        self.exchange.handle(NewOrder(9_001, 0, Side.BUY, PRICE, 1, OrderType.POST_ONLY, owner=MAKER_OWNER))
        self.own.set_level(Side.BUY, PRICE, ahead_lots + behind_lots)
        self.flush()

    def set_recorded(self, lots: int) -> None:
        """Let the recording say what rests there."""
        self.own.set_level(Side.BUY, PRICE, lots)
        self.flush()

    def flush(self) -> None:
        """Let the engine handle all, and the flow hear of it."""
        for command in self.own.take_commands():
            events = self.exchange.handle(command)
            self.own.apply([event for event in events if is_about(event, FLOW_OWNER)], self.own.handled_count + 1)

    @property
    def around_us(self) -> tuple[int, int]:
        """The recorded lots before and behind our order."""
        lots, before = 0, 0
        for order_id, _, _, qty_lots, *_ in self.exchange.engine.orders(0).tolist():
            if order_id == 9_001:
                before, lots = lots, 0
            else:
                lots += qty_lots
        return before, lots


def test_behind_takes_from_behind_us_first() -> None:
    """Guards the cautious model: only what cannot be behind us was in front."""
    queue = Queue("behind", 1, ahead_lots=10, behind_lots=6)
    queue.set_recorded(12)
    assert queue.around_us == (10, 2)
    queue.set_recorded(9)
    assert queue.around_us == (9, 0)


def test_proportional_advances_us_by_our_share_of_the_queue() -> None:
    """Guards the fair model: three quarters of a queue were in front of us, and on average of what leaves."""
    advanced = []
    for seed in range(300):
        queue = Queue("proportional", seed, ahead_lots=30, behind_lots=10)
        queue.set_recorded(32)
        before, behind = queue.around_us
        assert before + behind == 32
        advanced.append(30 - before)
    assert 5.4 < sum(advanced) / len(advanced) < 6.6, "6 of 8"
    assert len(set(advanced)) > 1, "drawn, not split"


def test_trades_take_from_the_front_in_both_models() -> None:
    """Guards what is certain: a recorded trade of all before us and one lot more fills us."""
    for model in ("behind", "proportional"):
        queue = Queue(model, 3, ahead_lots=4, behind_lots=5)
        queue.own.take(Side.SELL, PRICE, 5)
        queue.flush()
        assert [row[0] for row in queue.exchange.engine.orders(0).tolist()] == [2], model
        assert queue.own.expected_lots(Side.BUY, PRICE) == 5


def test_refuses_an_unknown_model() -> None:
    """Guards the setting."""
    assert leave_from_behind(10, 3) == 7
    with pytest.raises(ValueError, match="queue model must be one of behind, proportional, was 'fifo'"):
        queue_model("fifo", 1)
