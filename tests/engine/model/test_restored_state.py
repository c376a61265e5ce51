"""An engine that is put into the state of another goes on as that one does, whichever kinds the two are."""

from typing import Final

import numpy as np
import pytest

from engine.matching_engine import make_engine
from engine.state import EngineState, EngineStateError, OrderState
from market.commands import NewOrder
from market.kernels.rows import Int64Array
from tests.engine.driver import BUY, Driver
from tests.engine.model.random_commands import MARKETS, Market, RandomCommands

COMMANDS: Final = 600
ORDER: Final = dict.fromkeys(OrderState._fields, 0) | {
    "order_id": 1,
    "price_ticks": 7,
    "resting_lots": 1,
    "leaves_lots": 1,
}


def _driver(book: str, market: Market) -> Driver:
    return Driver(book, market.symbol_count, market.orders_max, market.pages_max, event_slots=market.event_slots)


def _open_ids(driver: Driver) -> list[list[int]]:
    return [orders[:, 0].tolist() for _, orders in driver.engine.state().symbols]


@pytest.mark.parametrize(("before", "after"), [("fast", "fast"), ("fast", "reference"), ("reference", "fast")])
@pytest.mark.parametrize("name", MARKETS)
def test_it_goes_on_as_the_engine_whose_state_it_was(name: str, before: str, after: str) -> None:
    """The same events and the same state, from wherever it was taken; the states hold orders of every kind."""
    market = MARKETS[name]
    for seed in range(3):
        commands, first = RandomCommands(market, seed), _driver(before, market)
        for _ in range(COMMANDS):
            first.send(commands.next(_open_ids(first)))
        second = _driver(after, market)
        second.engine.restore(first.engine.state())
        second.engine.check_invariants()
        assert second.engine.state_hash() == first.engine.state_hash(), f"seed {seed}"
        assert second.engine.live_order_count == first.engine.live_order_count > 0
        for _ in range(COMMANDS):
            command = commands.next(_open_ids(first))
            assert second.send(command) == first.send(command), f"seed {seed}: {command}"
        assert second.engine.state_hash() == first.engine.state_hash(), f"seed {seed}"


def test_states_that_are_tried_hold_every_kind_of_order() -> None:
    """Icebergs that show a part of their part, orders that wait for either side, and those that trail."""
    kinds = set()
    for name in ("deep", "three symbols"):
        commands, driver = RandomCommands(MARKETS[name], 0), _driver("fast", MARKETS[name])
        for _ in range(COMMANDS):
            driver.send(commands.next(_open_ids(driver)))
            for _, orders in driver.engine.state().symbols:
                for row in orders.tolist():
                    one = OrderState(*row)
                    is_worn = 0 < one.resting_lots < min(one.display_lots, one.leaves_lots)
                    kinds.add((one.trigger, one.trailing_bps != 0, one.display_lots != 0, is_worn))
    assert {(trigger, is_trailing) for trigger, is_trailing, *_ in kinds} >= {
        (0, False),
        (1, False),
        (2, False),
        (3, True),
    }
    assert (0, False, True, True) in kinds


def _state(*rows: dict[str, int], symbol_count: int = 1) -> EngineState:
    symbols = make_engine("reference", symbol_count).state().symbols
    orders: Int64Array = np.array([list(row.values()) for row in rows], np.int64)
    return EngineState(9, ((symbols[0][0], orders), *symbols[1:]))


@pytest.mark.parametrize("book", ["fast", "reference"])
@pytest.mark.parametrize(
    ("state", "why"),
    [
        (_state(ORDER, ORDER), "is there twice"),
        (_state(*(ORDER | {"order_id": number} for number in range(1, 5))), "has no place"),
        (
            _state(*(ORDER | {"order_id": number, "price_ticks": number * 10_000} for number in (1, 2, 3))),
            "has no place",
        ),
        (_state(ORDER, symbol_count=2), "expected the state of 1 symbols"),
    ],
    ids=["an id that is another's", "more orders than it holds", "more pages than it has", "other symbols"],
)
def test_a_state_that_it_cannot_be_in_is_refused(book: str, state: EngineState, why: str) -> None:
    """An order that is lost on the way would never be told of again."""
    with pytest.raises(EngineStateError, match=why):
        make_engine(book, 1, orders_max=3, pages_max=2).restore(state)


@pytest.mark.parametrize("book", ["fast", "reference"])
def test_a_state_is_not_changed_by_what_comes_after_it(book: str) -> None:
    """It is written while the engine goes on."""
    driver = Driver(book)
    driver.send(NewOrder(1, 0, BUY, 100, 5))
    state = driver.engine.state()
    driver.send(NewOrder(2, 0, 1 - BUY, 100, 3))
    other = Driver(book)
    other.engine.restore(state)
    assert other.engine.orders(0).tolist() == [[1, BUY, 100, 5, 5, 0]]
