"""What the engine's journal holds: commands, as they came.

Commands are kept, not results: the engine is deterministic.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from engine.capacity import Capacity
from journal.format import HEADER_SIZE, Schema
from market.instrument import Instrument


class CommandRecord(NamedTuple):
    """What came in one frame: the envelope, and the commands as their msgpack bytes.

    Attributes:
        time_ns: when the engine took the frame, ns since 1970; it is also the time of what the engine says on its own.
        first_sequence: the number of the frame's first command in its source's order link.
        source: who sent it.
        message_count: how many commands are in the frame.
        skip_count: how many of them, at the front, the engine had before.
    """

    time_ns: int
    first_sequence: int
    source: int
    message_count: int
    skip_count: int
    payload: bytes


# The version is also raised when the engine's answer to any command changes.
COMMANDS: Final = Schema(
    "command",
    b"TICKJRNL",
    1,
    CommandRecord,
    "QQHHHxx",
    figures=("symbol_count", "orders_max", "pages_max", "own_symbols"),
)


def figures_of(capacity: Capacity, own_symbols: Iterable[Instrument] = ()) -> tuple[int, int, int, int]:
    """Return what decides which orders are refused, and what they mean: an engine with others is told another story.

    Args:
        capacity: of the engine.
        own_symbols: whose books it has; none if that is not known. Of their ids, names, ticks and lots a CRC is kept.
    """
    steps = ((each, each.tick_size.normalize(), each.lot_size.normalize()) for each in own_symbols)
    own = ",".join(f"{each.symbol_id} {each.symbol} {tick:f} {lot:f}" for each, tick, lot in steps)
    return capacity.symbol_count, capacity.orders_max, capacity.pages_max, crc32(own.encode())


def journal_epoch(folder: Path) -> int | None:
    """Return the epoch of the order links that the journal in `folder` goes on with, None if there is no journal.

    All files have the same one. Asked is the last of them, which a start reads in any case: the first ones may be
    damaged, or gone, before a checkpoint.

    Raises:
        JournalError: if its last file is not a journal's.
    """
    for path in reversed(COMMANDS.found(folder)):
        with path.open("rb") as file:
            head = file.read(HEADER_SIZE)
        if len(head) == HEADER_SIZE:  # else it was only begun
            return COMMANDS.decode_header(path, head).epoch
    return None
