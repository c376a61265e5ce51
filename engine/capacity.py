"""How much an engine holds: taken once at the start, never more."""

from dataclasses import dataclass
from typing import Final

from market.limits import RING_SLOTS, SYMBOLS_MAX

PAGE_BITS: Final = 12
LEVELS_PER_PAGE: Final = 1 << PAGE_BITS  # prices side by side that share one page of levels
ORDERS_MAX: Final = 262_144
ORDERS_MAX_LIMIT: Final = 2**23 - 1  # the table of ids has 23 bits for an order; a level's total stays below 2**63
PAGES_MAX: Final = 1_024
PAGES_MAX_LIMIT: Final = 2**20 - 1  # of 4,096 levels, so that a level's number fits 32 bits
EVENT_SLOTS_MIN: Final = 8  # the most that one step of a match may tell, with room to spare


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an engine holds at most.

    Attributes:
        symbol_count: symbols, numbered from 0.
        orders_max: orders that rest or wait for their trigger, all symbols together; beyond it `BOOK_FULL`.
        pages_max: pages of `LEVELS_PER_PAGE` prices with at least one order, counted apart for each symbol's book, its
            orders that wait for a rise and those that wait for a fall; beyond it `LEVELS_FULL`.
        command_slots: rows of the ring of commands, a power of two.
        event_slots: rows of the ring of events, a power of two.
    """

    symbol_count: int
    orders_max: int = ORDERS_MAX
    pages_max: int = PAGES_MAX
    command_slots: int = RING_SLOTS
    event_slots: int = RING_SLOTS

    def __post_init__(self) -> None:
        """Refuse what no engine can be built with."""
        if not 1 <= self.symbol_count <= SYMBOLS_MAX:
            raise ValueError(f"symbol_count must be 1 to {SYMBOLS_MAX}, was {self.symbol_count}")
        if not 1 <= self.orders_max <= ORDERS_MAX_LIMIT:
            raise ValueError(f"orders_max must be 1 to {ORDERS_MAX_LIMIT}, was {self.orders_max}")
        if not 1 <= self.pages_max <= PAGES_MAX_LIMIT:
            raise ValueError(f"pages_max must be 1 to {PAGES_MAX_LIMIT}, was {self.pages_max}")
        if self.event_slots < EVENT_SLOTS_MIN:
            raise ValueError(f"event_slots must be at least {EVENT_SLOTS_MIN}, was {self.event_slots}")
