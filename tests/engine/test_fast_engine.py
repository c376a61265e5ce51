"""What only the fast engine has: memory that is taken once, and the face it shows to a caller's mistakes."""

import tracemalloc
from pathlib import Path

import pytest

import engine
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.fast.engine import FastEngine, is_warm, run_matching, run_queries
from engine.matching_engine import make_engine
from engine.rows.memory import USED_ORDERS, USED_PAGES
from market.commands import CancelOrder, Command, NewOrder
from market.kernels.rows import write_command
from tests.engine.driver import BUY, SELL, Driver


def _hand_over(engine: FastEngine, command: Command) -> None:
    write_command(engine.commands.rows, engine.commands.claim(), command)
    engine.commands.publish()


def _churn(engine: FastEngine, rounds: int) -> None:
    for order_id in range(1, rounds + 1):
        for side, price in ((BUY, 100 - order_id % 50), (SELL, 101 + order_id % 50)):
            _hand_over(engine, NewOrder(order_id * 2 + side, 0, side, price * 4_096, 5))
            engine.match()
        for side in (BUY, SELL):
            _hand_over(engine, CancelOrder(order_id * 2 + side, 0))
            engine.match()
        engine.events.consume(len(engine.events))


def _held_by_engines() -> int:
    """Return how many bytes the engine's files have taken; a thread of whoever runs the tests takes some, too."""
    own = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{Path(engine.__file__).parent}/*")])
    return sum(trace.size for trace in own.traces)


def test_matching_allocates_nothing() -> None:
    """Orders come and go; not a byte more is held afterwards."""
    engine = FastEngine(Capacity(1, orders_max=100, pages_max=200))
    _churn(engine, 200)
    tracemalloc.start()
    try:
        before = _held_by_engines()
        _churn(engine, 2_000)
        after = _held_by_engines()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000, f"grew by {after - before} bytes"


def test_orders_and_pages_are_used_again() -> None:
    """Two orders at a time never need a third, nor their levels a third page."""
    engine = FastEngine(Capacity(1, orders_max=100, pages_max=200))
    _churn(engine, 500)
    state = engine.memory.state
    assert state[USED_ORDERS] == 2
    assert state[USED_PAGES] == 2
    assert engine.live_order_count == 0
    engine.check_invariants()


def test_a_million_orders_take_at_most_64_bytes_each() -> None:
    """All in: the order, its extra fields, its place among the ids, and two pages of levels."""
    orders_max = 1_000_000
    memory = FastEngine(Capacity(1, orders_max, pages_max=2)).memory
    arrays = (memory.orders, memory.extras, memory.ids, memory.levels, memory.page_bits)
    assert sum(array.nbytes for array in arrays) / orders_max <= 64


def test_an_id_that_hashes_like_another_is_another() -> None:
    """Thousands of ids in the smallest table there is for them: every one is found, and none after it left."""
    driver = Driver("fast", orders_max=3_000)
    ids = [source * 10**12 + n for n in range(1, 1_001) for source in (0, 1, 9_000)]
    for order_id in ids:
        driver.rest(BUY, 50, 1, order_id=order_id)
    assert driver.engine.live_order_count == 3_000
    for order_id in ids[::2]:
        assert type(driver.send(CancelOrder(order_id, 0))[0]).__name__ == "Canceled"
        assert type(driver.send(CancelOrder(order_id, 0))[0]).__name__ == "Rejected"
    assert [row[0] for row in driver.queue(BUY)] == ids[1::2]


@pytest.mark.parametrize("symbol_id", [-1, 1])
def test_a_symbol_that_does_not_exist_can_not_be_looked_at(symbol_id: int) -> None:
    """Kernels read without checking, so the caller's mistake is caught before them."""
    engine = make_engine("fast", 1)
    for look in (engine.orders, engine.best, lambda symbol: engine.depth(symbol, 1)):
        with pytest.raises(IndexError, match=f"must be 0 to 0, was {symbol_id}"):
            look(symbol_id)


def test_a_corrupt_book_is_found() -> None:
    """An invariant that is broken is named with its values."""
    engine = FastEngine(Capacity(1, orders_max=10, pages_max=2))
    _hand_over(engine, NewOrder(7, 0, BUY, 100, 5))
    engine.match()
    engine.memory.levels[0::2] += 1
    with pytest.raises(AssertionError, match="total is not its orders' sum: symbol 0, price 100, found 5"):
        engine.check_invariants()


def test_warming_up_is_silent_when_all_is_compiled() -> None:
    """The user is told only of what takes long."""
    run_matching()
    run_queries()
    assert is_warm()
    told: list[str] = []
    warm_kernels(told.append)
    assert told == []


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        ({"symbol_count": 0}, "symbol_count must be 1 to 64, was 0"),
        ({"symbol_count": 65}, "was 65"),
        ({"symbol_count": 1, "orders_max": 2**23}, "orders_max must be 1 to 8388607"),
        ({"symbol_count": 1, "pages_max": 0}, "pages_max must be 1"),
        ({"symbol_count": 1, "event_slots": 4}, "event_slots must be at least 8"),
        ({"symbol_count": 1, "command_slots": 12}, "slot_count must be a power of two"),
    ],
)
def test_an_impossible_capacity_is_refused(capacity: dict[str, int], message: str) -> None:
    """With what was expected and what was there."""
    with pytest.raises(ValueError, match=message):
        make_engine("fast", **capacity)


def test_an_unknown_book_is_refused() -> None:
    """The error names the choice."""
    with pytest.raises(ValueError, match="fast, reference, was 'quick'"):
        make_engine("quick", 1)
