"""The one face of every matching engine, and the choice between them."""

from typing import Protocol

from engine.capacity import ORDERS_MAX, PAGES_MAX, Capacity
from engine.rows.ring import Ring
from engine.state import EngineState
from market.depth import Depth
from market.feed_messages import BestPrices
from market.kernels.rows import Int64Array
from market.limits import RING_SLOTS


class MatchingEngine(Protocol):
    """Takes commands from one ring and tells events into another; see docs/engine.md for the rules.

    `match` handles the waiting commands in order. It stops early, in the middle of a command if need be, when the ring
    of events has no room for what comes next; the command then stays in its ring, and the next call goes on where this
    one stopped. So a caller loops `while len(engine.commands)`: match, then drain the events.
    """

    @property
    def commands(self) -> Ring:
        """The ring that the caller fills."""

    @property
    def events(self) -> Ring:
        """The ring that the caller drains."""

    @property
    def sequence(self) -> int:
        """The sequence of the last event; 0 before the first."""

    @property
    def live_order_count(self) -> int:
        """How many orders rest or wait for their trigger."""

    def match(self) -> int:
        """Handle what waits; return how many commands were finished (and consumed)."""

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side with what is shown there."""

    def orders(self, symbol_id: int) -> Int64Array:
        """Return the resting orders, bids before asks, each side by price, then time.

        The columns of a row: order_id, side, price_ticks, resting_lots (shown), leaves_lots (all that is open), owner.
        """

    def queues(self, symbol_id: int, side: int, after_ticks: int, orders_out: Int64Array) -> tuple[int, int, bool]:
        """Write whole levels of a side, those behind `after_ticks` (0: from the best on), as many as fit.

        Args:
            orders_out: `[orders, 4]`, takes order_id, side, price_ticks, resting_lots.

        Returns:
            how many orders were written, the price of their last level (`after_ticks` if not one level fits), and
            whether it is the last of its side.
        """

    def best(self, symbol_id: int) -> BestPrices:
        """Return the best bid and offer with what is shown there."""

    def state_hash(self) -> int:
        """Return 64 bits that every engine in this state agrees on."""

    def state(self) -> EngineState:
        """Return all that the engine is; between two commands, and the arrays are the caller's."""

    def restore(self, state: EngineState) -> None:
        """Be in a state that `state` of any engine has returned; to be called once, before the first command.

        Raises:
            EngineStateError: if that cannot be; the engine is then of no use.
        """

    def check_invariants(self) -> None:
        """Walk the whole state.

        Raises:
            AssertionError: with the values, where it contradicts itself.
        """


def make_engine(
    book: str,
    symbol_count: int,
    orders_max: int = ORDERS_MAX,
    pages_max: int = PAGES_MAX,
    command_slots: int = RING_SLOTS,
    event_slots: int = RING_SLOTS,
) -> MatchingEngine:
    """Return an empty engine: `book` is `fast` (compiled) or `reference` (slow and obvious).

    Raises:
        ValueError: for another book, or capacities out of range.
    """
    capacity = Capacity(symbol_count, orders_max, pages_max, command_slots, event_slots)
    if book == "reference":
        from engine.reference.engine import ReferenceEngine

        return ReferenceEngine(capacity)
    if book == "fast":
        from engine.fast.engine import FastEngine

        return FastEngine(capacity)
    raise ValueError(f"book must be one of fast, reference, was {book!r}")
