"""The fast engine: preallocated arrays, and one compiled call for all that waits."""

from functools import partial
from typing import Any, Final

import numpy as np

from engine.capacity import Capacity
from engine.fast.matching import match_batch
from engine.fast.queries import SOUND, find_fault, read_best, read_depth, read_orders, read_queues
from engine.fast.restoring import restore_orders
from engine.rows import memory as at
from engine.rows.memory import make_memory
from engine.rows.ring import PUBLISHED, Ring
from engine.state import SNAPSHOT_WIDTH, STATE_WIDTH, EngineState, EngineStateError, SymbolState, hash_state
from market.codes import Side
from market.depth import Depth, Level
from market.feed_messages import BestPrices
from market.kernels.compiling import is_compiled
from market.kernels.rows import Int64Array

_SYMBOL_STATE: Final = (at.IS_HALTED, at.LAST_PRICE, at.TRADE_ID, at.RANGE_LOW, at.RANGE_HIGH)
_FAULTS: Final = (
    "sound",
    "book is crossed",
    "a level without orders is marked as used",
    "an order's links contradict its queue",
    "an order is in the wrong queue",
    "an order has no lots",
    "an order's id does not lead to it",
    "a level's total is not its orders' sum",
    "a best price is not that of the best level",
    "the orders in queues are not as many as are counted",
    "a trade that concerns an order that trails would not be looked at",
    "a trail was left in the middle of a command",
)

_make_level: Final = partial(tuple.__new__, Level)  # a third of the time that Level(price, lots) takes


class FastEngine:
    """A `MatchingEngine` that allocates nothing after its start.

    Attributes:
        memory: all that it is, for kernels that do more than match in one call.
    """

    def __init__(self, capacity: Capacity) -> None:
        self.commands = Ring(capacity.command_slots)
        self.events = Ring(capacity.event_slots)
        self._symbol_count = capacity.symbol_count
        self.memory = make_memory(capacity, self.commands, self.events)
        self._positions = self.events.positions
        self._best: Int64Array = np.zeros(len(BestPrices._fields), np.int64)
        self._arrays: tuple[Any, ...] = self.memory

    @property
    def sequence(self) -> int:
        """The sequence of the last event; 0 before the first."""
        return int(self._positions[PUBLISHED])

    @property
    def live_order_count(self) -> int:
        """How many orders rest or wait for their trigger."""
        return int(self.memory.state[at.LIVE_ORDERS])

    def match(self) -> int:
        """Handle what waits; return how many commands were finished (and consumed)."""
        return match_batch(*self._arrays)

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side with what is shown there."""
        return Depth(self._levels(symbol_id, Side.BUY, level_count), self._levels(symbol_id, Side.SELL, level_count))

    def orders(self, symbol_id: int) -> Int64Array:
        """Return the resting orders: order_id, side, price_ticks, resting_lots, leaves_lots, owner."""
        rows, resting_count = self._state_rows(symbol_id)
        return rows[:resting_count, :SNAPSHOT_WIDTH]

    def queues(self, symbol_id: int, side: int, after_ticks: int, orders_out: Int64Array) -> tuple[int, int, bool]:
        """Write whole levels of a side, those behind `after_ticks` (0: from the best on), as many as fit."""
        self._check_symbol(symbol_id)
        return read_queues(self.memory, symbol_id, side, after_ticks, orders_out)

    def best(self, symbol_id: int) -> BestPrices:
        """Return the best bid and offer with what is shown there."""
        self._check_symbol(symbol_id)
        read_best(self.memory, symbol_id, self._best)
        return BestPrices(*self._best.tolist())

    def state_hash(self) -> int:
        """Return 64 bits that every engine in this state agrees on."""
        return hash_state(*self.state())

    def state(self) -> EngineState:
        """Return all that the engine is."""
        symbols = range(self._symbol_count)
        return EngineState(
            self.sequence, tuple((self._symbol_state(each), self._state_rows(each)[0]) for each in symbols)
        )

    def restore(self, state: EngineState) -> None:
        """Be in a state; raise EngineStateError if that cannot be."""
        if len(state.symbols) != self._symbol_count:
            raise EngineStateError(f"expected the state of {self._symbol_count} symbols, was of {len(state.symbols)}")
        for symbol_id, (symbol, orders) in enumerate(state.symbols):
            done = restore_orders(self.memory, symbol_id, orders)
            if done < len(orders):
                raise EngineStateError(f"order {orders[done, 0]} of symbol {symbol_id} has no place, or is there twice")
            for place, value in zip(_SYMBOL_STATE, symbol, strict=True):
                self.memory.books[symbol_id * at.BOOK_SIZE + place] = value
        self._positions[:] = state.sequence

    def check_invariants(self) -> None:
        """Raise AssertionError where the state contradicts itself."""
        found = np.zeros(3, np.int64)
        fault = find_fault(self.memory, found)
        symbol, price, value = found.tolist()
        assert fault == SOUND, f"{_FAULTS[fault]}: symbol {symbol}, price {price}, found {value}"

    def _levels(self, symbol_id: int, side: Side, level_count: int) -> tuple[Level, ...]:
        self._check_symbol(symbol_id)
        rows = np.empty((min(level_count, self.live_order_count), 2), np.int64)
        count = read_depth(self.memory, symbol_id, int(side), rows)
        return tuple(map(_make_level, rows[:count].tolist()))

    def _state_rows(self, symbol_id: int) -> tuple[Int64Array, int]:
        self._check_symbol(symbol_id)
        rows = np.empty((self.live_order_count, STATE_WIDTH), np.int64)
        resting_count, count = read_orders(self.memory, symbol_id, rows)
        return rows[:count], resting_count

    def _symbol_state(self, symbol_id: int) -> SymbolState:
        book = self.memory.books[symbol_id * at.BOOK_SIZE : (symbol_id + 1) * at.BOOK_SIZE].tolist()
        return SymbolState(*(book[place] for place in _SYMBOL_STATE))

    def _check_symbol(self, symbol_id: int) -> None:
        if not 0 <= symbol_id < self._symbol_count:
            raise IndexError(f"symbol_id must be 0 to {self._symbol_count - 1}, was {symbol_id}")


def is_warm() -> bool:
    """Return whether the kernels need no compiling: the last of each piece of work is there."""
    return is_compiled("matching.match_batch", "queries.find_fault")


def run_matching() -> None:
    """Call the kernel that matches."""
    _tiny_engine().match()


def run_queries() -> None:
    """Call all others; the last one tells `is_warm` that they are there."""
    engine = _tiny_engine()
    engine.best(0)
    engine.depth(0, 1)
    engine.orders(0)
    engine.queues(0, 0, 0, np.zeros((1, 4), np.int64))
    engine.restore(engine.state())
    engine.check_invariants()


def _tiny_engine() -> "FastEngine":
    return FastEngine(Capacity(symbol_count=1, orders_max=1, pages_max=1, command_slots=1, event_slots=8))
