"""Events written into their ring.

The ring's count of published rows is the sequence: every event is one row, and none is lost.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.bits import row_at
from engine.kernel import argument, inlined, routine
from engine.rows.memory import SYMBOLS, TIME_NS, Memory
from engine.rows.messages import ROW_WIDTH, TAG
from engine.rows.ring import CONSUMED, PUBLISHED
from market.codes import Tag
from market.events import Accepted, Amended, Canceled, Executed, Halted, Rejected, Rested, Triggered
from market.limits import OWNER_MAX

ROOM_FOR_STEP: Final = 4  # the most events of one step: an own iceberg is decremented, refilled, and so is the taker

_ACCEPTED: Final = argument(Tag.ACCEPTED)
_RESTED: Final = argument(Tag.RESTED)
_EXECUTED: Final = argument(Tag.EXECUTED)
_CANCELED: Final = argument(Tag.CANCELED)
_AMENDED: Final = argument(Tag.AMENDED)
_TRIGGERED: Final = argument(Tag.TRIGGERED)
_REJECTED: Final = argument(Tag.REJECTED)
_HALTED: Final = argument(Tag.HALTED)
_ACCEPTED_FIELDS: Final = argument(len(Accepted._fields))
_RESTED_FIELDS: Final = argument(len(Rested._fields))
_EXECUTED_FIELDS: Final = argument(len(Executed._fields))
_CANCELED_FIELDS: Final = argument(len(Canceled._fields))
_AMENDED_FIELDS: Final = argument(len(Amended._fields))
_TRIGGERED_FIELDS: Final = argument(len(Triggered._fields))
_REJECTED_FIELDS: Final = argument(len(Rejected._fields))
_HALTED_FIELDS: Final = argument(len(Halted._fields))


@inlined
def has_event_room(memory: Memory) -> bool:
    """Return whether the ring takes all that the next step may tell."""
    waiting = memory.event_positions[PUBLISHED] - memory.event_positions[CONSUMED]
    return waiting + ROOM_FOR_STEP <= len(memory.events) // ROW_WIDTH


@inlined
def _begin(memory: Memory, tag: int) -> int:
    """Publish the next row with what every event begins with; return where it begins. The reader runs only after us."""
    published = memory.event_positions[PUBLISHED]
    base = row_at(memory.events, published)
    memory.event_positions[PUBLISHED] = published + 1
    memory.events[base + TAG] = tag
    memory.events[base + 1] = published + 1
    memory.events[base + 2] = memory.state[TIME_NS]
    return base


@inlined
def _end(memory: Memory, base: int, field_count: int) -> None:
    """Clear the rest of the row."""
    for column in range(1 + field_count, ROW_WIDTH):
        memory.events[base + column] = 0


@inlined
def tell_accepted(
    memory: Memory,
    symbol: int,
    order_id: int,
    owner: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    order_type: int,
    time_in_force: int,
    resting_lots: int,
) -> None:
    """Tell that an order was taken in."""
    base = _begin(memory, _ACCEPTED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = order_id
    events[base + 5] = owner
    events[base + 6] = side
    events[base + 7] = price_ticks
    events[base + 8] = qty_lots
    events[base + 9] = order_type
    events[base + 10] = time_in_force
    events[base + 11] = resting_lots
    _end(memory, base, _ACCEPTED_FIELDS)


@inlined
def tell_rested(
    memory: Memory,
    symbol: int,
    order_id: int,
    owner: int,
    side: int,
    price_ticks: int,
    resting_lots: int,
    leaves_lots: int,
) -> None:
    """Tell that an order joined the back of its queue."""
    base = _begin(memory, _RESTED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = order_id
    events[base + 5] = owner
    events[base + 6] = side
    events[base + 7] = price_ticks
    events[base + 8] = resting_lots
    events[base + 9] = leaves_lots
    _end(memory, base, _RESTED_FIELDS)


@inlined
def tell_executed(
    memory: Memory,
    symbol: int,
    trade_id: int,
    price_ticks: int,
    qty_lots: int,
    taker_side: int,
    taker_order_id: int,
    taker_owner: int,
    taker_leaves_lots: int,
    maker_order_id: int,
    maker_owner: int,
    maker_leaves_lots: int,
    maker_resting_lots: int,
) -> None:
    """Tell of a trade."""
    base = _begin(memory, _EXECUTED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = trade_id
    events[base + 5] = price_ticks
    events[base + 6] = qty_lots
    events[base + 7] = taker_side
    events[base + 8] = taker_order_id
    events[base + 9] = taker_owner
    events[base + 10] = taker_leaves_lots
    events[base + 11] = maker_order_id
    events[base + 12] = maker_owner
    events[base + 13] = maker_leaves_lots
    events[base + 14] = maker_resting_lots
    _end(memory, base, _EXECUTED_FIELDS)


@inlined
def tell_canceled(
    memory: Memory,
    symbol: int,
    order_id: int,
    owner: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    leaves_lots: int,
    reason: int,
) -> None:
    """Tell that an open quantity left without trading."""
    base = _begin(memory, _CANCELED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = order_id
    events[base + 5] = owner
    events[base + 6] = side
    events[base + 7] = price_ticks
    events[base + 8] = qty_lots
    events[base + 9] = leaves_lots
    events[base + 10] = reason
    _end(memory, base, _CANCELED_FIELDS)


@inlined
def tell_amended(
    memory: Memory,
    symbol: int,
    order_id: int,
    owner: int,
    side: int,
    price_ticks: int,
    leaves_lots: int,
    resting_lots: int,
) -> None:
    """Tell an order's new price and quantity."""
    base = _begin(memory, _AMENDED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = order_id
    events[base + 5] = owner
    events[base + 6] = side
    events[base + 7] = price_ticks
    events[base + 8] = leaves_lots
    events[base + 9] = resting_lots
    _end(memory, base, _AMENDED_FIELDS)


@routine
def tell_triggered(memory: Memory, symbol: int, order_id: int, owner: int) -> None:
    """Tell that a waiting order woke."""
    base = _begin(memory, _TRIGGERED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = order_id
    events[base + 5] = owner
    _end(memory, base, _TRIGGERED_FIELDS)


@routine
def tell_halted(memory: Memory, symbol: int, is_halted: int) -> None:
    """Tell that a symbol was halted or resumed."""
    base = _begin(memory, _HALTED)
    events = memory.events
    events[base + 3] = symbol
    events[base + 4] = is_halted
    _end(memory, base, _HALTED_FIELDS)


@routine
def tell_rejected(memory: Memory, symbol: int, order_id: int, owner: int, command: int, reason: int) -> None:
    """Tell of a refusal; what was out of bounds is told as none, so that the event itself is within them."""
    base = _begin(memory, _REJECTED)
    events = memory.events
    events[base + 2] = max(0, memory.state[TIME_NS])
    events[base + 3] = symbol if 0 <= symbol < memory.state[SYMBOLS] else -1
    events[base + 4] = max(0, order_id)
    events[base + 5] = owner if 0 <= owner <= OWNER_MAX else 0
    events[base + 6] = command if 0 <= command <= 255 else 0
    events[base + 7] = reason
    _end(memory, base, _REJECTED_FIELDS)
