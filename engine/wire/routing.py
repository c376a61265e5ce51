"""The kernels between the order link's sources and the engine: who may send a command, who hears of an event."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.rows.ring import CONSUMED, PUBLISHED
from engine.wire.decoding import decode_rows
from engine.wire.encoding import KEYS_PER_ROW, NO_KEY
from engine.wire.table import ENTRY_SIZE, ORDER_ID_COLUMN, OWNER_COLUMN, SECOND_ORDER_ID_COLUMN
from market.kernels.compiling import argument, inlined, kernel
from market.kernels.integers import ENDINGS, ByteArray
from market.kernels.row_codes import NEW, REASONS, TAGS
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array, write_row
from market.limits import ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE

SOURCES_MAX: Final = 64  # that one batch of events may concern

_ADMITTED: Final = 0
_NO_SYMBOL: Final = argument(-1)
_NOTHING: Final = argument(0)


@kernel
def admit_frame(
    table: Int64Array,
    buffer: ByteArray,
    start: int,
    end: int,
    rows: Int64Array,
    positions: Int64Array,
    skip: int,
    source: int,
    time_ns: int,
    refusals: Int64Array,
    has_symbol: Int64Array,
) -> tuple[int, int, int, int, int, int, int]:
    """Read a source's commands in `buffer[start:end]` into a ring's free rows and publish those that it may send.

    They are those whose order ids and owners are its own; a command without them is anybody's. Nor is a new order kept
    of a symbol whose book is elsewhere: a second book of it would be worse than a refusal.

    Args:
        table, buffer, start, end, rows, skip: as those of `decode_rows`; the commands that are kept close up.
        positions: of the ring.
        refusals: flat, at least as many rows as the ring; takes a Rejected for each of the others, in order.
        has_symbol: by symbol id: 0 if another engine has its book.

    Returns:
        what `decode_rows` returns, how many commands were kept, and the highest order id that their new orders bring (0
        if there is none). Nothing is kept unless all is read.
    """
    first = positions[PUBLISHED]
    room = len(rows) // ROW_WIDTH - (first - positions[CONSUMED])
    ending, count, size, at, item = decode_rows(table, buffer, start, end, rows, first, room, skip)
    if ending != ENDINGS.ALL_READ:
        return ending, count, size, at, item, 0, 0
    mask = len(rows) // ROW_WIDTH - 1
    kept = 0
    last_order_id = 0
    for index in range(count - skip):
        base = ((first + index) & mask) * ROW_WIDTH
        reason = _refusal(table, rows, base, source, has_symbol)
        if reason != _ADMITTED:
            about = (_NO_SYMBOL, _order_id(table, rows, base), rows[base + TAG])
            write_refusal(refusals, (index - kept) * ROW_WIDTH, time_ns, about, reason)
            continue
        if rows[base + TAG] == TAGS.NEW_ORDER:
            last_order_id = max(last_order_id, _order_id(table, rows, base))
        if kept != index:
            target = ((first + kept) & mask) * ROW_WIDTH
            for place in range(ROW_WIDTH):
                rows[target + place] = rows[base + place]
        kept += 1
    positions[PUBLISHED] = first + kept
    return ending, count, size, at, item, kept, last_order_id


@inlined
def _refusal(table: Int64Array, rows: Int64Array, base: int, source: int, has_symbol: Int64Array) -> int:
    entry = rows[base + TAG] * ENTRY_SIZE
    if table[entry + ORDER_ID_COLUMN] and _order_id(table, rows, base) // ORDER_IDS_PER_SOURCE != source:
        return REASONS.BAD_ORDER_ID
    owner_column = table[entry + OWNER_COLUMN]
    if owner_column and rows[base + owner_column] // OWNERS_PER_SOURCE != source:
        return REASONS.BAD_OWNER
    if rows[base + TAG] == TAGS.NEW_ORDER and not has_symbol[rows[base + NEW.symbol_id]]:
        return REASONS.UNKNOWN_SYMBOL
    return _ADMITTED


@inlined
def _order_id(table: Int64Array, rows: Int64Array, base: int) -> int:
    """Return the command's order id, 0 if it names no order."""
    place = table[rows[base + TAG] * ENTRY_SIZE + ORDER_ID_COLUMN]
    return rows[base + place] if place else 0


@inlined
def write_refusal(rows: Int64Array, target: int, time_ns: int, about: tuple[int, int, int], reason: int) -> None:
    """Write a Rejected without sequence and owner; `about`: symbol id, order id, and the tag of the command."""
    symbol_id, order_id, command = about
    write_row(rows, target, (TAGS.REJECTED, _NOTHING, time_ns, symbol_id, order_id, _NOTHING, command, reason))


@kernel
def route_rows(
    table: Int64Array, rows: Int64Array, first: int, count: int, keys: Int64Array, sources: Int64Array
) -> int:
    """Find out which sources hear of which events: those of its orders; of a refusal without an order, the owner's.

    Args:
        rows: flat.
        keys: flat, `KEYS_PER_ROW` for each slot of `rows`; takes the sources' numbers.
        sources: takes each source once, in the order in which they are first met.

    Returns:
        how many sources there are; -1 if more than `sources` takes.
    """
    mask = len(rows) // ROW_WIDTH - 1
    found = 0
    for index in range(count):
        slot = (first + index) & mask
        base = slot * ROW_WIDTH
        entry = rows[base + TAG] * ENTRY_SIZE
        one = _source_at(rows, base, table[entry + ORDER_ID_COLUMN], ORDER_IDS_PER_SOURCE)
        other = _source_at(rows, base, table[entry + SECOND_ORDER_ID_COLUMN], ORDER_IDS_PER_SOURCE)
        if one == NO_KEY and rows[base + TAG] == TAGS.REJECTED:
            one = _source_at(rows, base, table[entry + OWNER_COLUMN], OWNERS_PER_SOURCE)
        keys[slot * KEYS_PER_ROW] = one
        keys[slot * KEYS_PER_ROW + 1] = other
        for key in (one, other):
            if key != NO_KEY and not _holds(sources, found, key):
                if found == len(sources):
                    return -1
                sources[found] = key
                found += 1
    return found


@inlined
def _source_at(rows: Int64Array, base: int, place: int, numbers_per_source: int) -> int:
    """Return the source of the id or owner in this column; none of column 0, nor of number 0."""
    if place == 0 or rows[base + place] == 0:
        return NO_KEY
    return rows[base + place] // numbers_per_source


@inlined
def _holds(sources: Int64Array, count: int, source: int) -> bool:
    place = 0  # three or four: a search is faster than any table
    while place < count and sources[place] != source:
        place += 1
    return place < count
