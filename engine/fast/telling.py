"""Events written into their ring.

The ring's count of published rows is the sequence: every event is one row, and none is lost.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.rows import memory as at
from engine.rows.memory import Memory
from engine.rows.ring import CONSUMED, PUBLISHED
from market.kernels.bits import row_at
from market.kernels.compiling import argument, inlined, routine
from market.kernels.row_codes import REJECTED, TAGS
from market.kernels.rows import ROW_WIDTH, TAG
from market.limits import OWNER_MAX

ROOM_FOR_STEP: Final = 4  # the most events of one step: an own iceberg is decremented, refilled, and so is the taker
NOTHING: Final = argument(0)
NOBODY: Final = argument(-1)


@inlined
def has_event_room(memory: Memory) -> bool:
    """Return whether the ring takes all that the next step may tell."""
    waiting = memory.event_positions[PUBLISHED] - memory.event_positions[CONSUMED]
    return waiting + ROOM_FOR_STEP <= len(memory.events) // ROW_WIDTH


@inlined
def tell(memory: Memory, tag: int, fields: tuple[int, ...]) -> int:
    """Publish an event, and return where its row begins; the reader runs only after us.

    Args:
        fields: all that its class in market/events.py has behind `sequence` and `time_ns`, in that order.
    """
    published = memory.event_positions[PUBLISHED]
    base = row_at(memory.events, published)
    memory.event_positions[PUBLISHED] = published + 1
    memory.events[base + TAG] = tag
    memory.events[base + 1] = published + 1
    memory.events[base + 2] = memory.state[at.TIME_NS]
    for index in range(len(fields)):
        memory.events[base + 3 + index] = fields[index]
    for column in range(3 + len(fields), ROW_WIDTH):
        memory.events[base + column] = 0
    return base


@routine
def tell_rejected(memory: Memory, symbol: int, order_id: int, owner: int, command: int, reason: int) -> None:
    """Tell of a refusal; what was out of bounds is told as none, so that the event itself is within them."""
    known = symbol if 0 <= symbol < memory.state[at.SYMBOLS] else NOBODY
    whose = owner if 0 <= owner <= OWNER_MAX else NOTHING
    what = command if 0 <= command <= 255 else NOTHING
    base = tell(memory, TAGS.REJECTED, (known, max(NOTHING, order_id), whose, what, reason))
    memory.events[base + REJECTED.time_ns] = max(NOTHING, memory.state[at.TIME_NS])
