"""The kernel that reads msgpack messages into rows."""
# mypy: disable-error-code="no-any-return, return-value"

from engine.wire.table import DEFAULT, ENTRY_SIZE, HIGH, ITEMS_LEAST, ITEMS_MAX, ITEMS_MOST, LOW, TAG_COUNT
from market.kernels.compiling import inlined, kernel
from market.kernels.integers import ENDINGS, ByteArray, byte_at, read_big_endian, read_integer
from market.kernels.order_table import unsigned
from market.kernels.rows import ROW_WIDTH, Int64Array


@kernel
def decode_rows(
    table: Int64Array,
    buffer: ByteArray,
    start: int,
    end: int,
    rows: Int64Array,
    first: int,
    room: int,
    skip: int,
) -> tuple[int, int, int, int, int]:
    """Read the messages in `buffer[start:end]` into rows, one after the other.

    Args:
        table: what `wire_table` made of the messages that may come.
        rows: flat; as many rows as a power of two.
        first: the sequence of the first row to write; a slot is a sequence under a mask.
        room: how many rows may be written.
        skip: how many messages are only checked; the rows begin with the one after them.

    Returns:
        the ending, how many messages were whole and well-formed, how many bytes they have, and of a malformed one where
        (from the beginning of `buffer`) and in which item (0 is the tag) it is. Nothing of it is among the rows that
        count; the row after them may have been written to.
    """
    mask = len(rows) // ROW_WIDTH - 1
    at = start
    count = 0
    while at < end:
        stored = max(0, count - skip)
        if stored >= room:
            return ENDINGS.NO_ROOM, count, at - start, at, 0
        base = ((first + stored) & mask) * ROW_WIDTH
        ending, after, item = _read_message(table, buffer, at, end, rows, base)
        if ending != ENDINGS.ALL_READ:
            return ending, count, at - start, after, item
        at = after
        count += 1
    return ENDINGS.ALL_READ, count, at - start, at, 0


@inlined
def _read_message(
    table: Int64Array, buffer: ByteArray, at: int, end: int, rows: Int64Array, base: int
) -> tuple[int, int, int]:
    """Read one message into the row at `base`; return the ending, where it stopped, and at which item."""
    ending, item_count, at = _read_header(buffer, at, end)
    if ending != ENDINGS.ALL_READ:
        return ending, at, 0
    ending, tag, after = read_integer(buffer, at, end)
    if ending != ENDINGS.ALL_READ:
        return ending, at, 0
    if tag < 0 or tag >= TAG_COUNT or table[tag * ENTRY_SIZE + ITEMS_MOST] == 0:
        return ENDINGS.UNKNOWN_TAG, at, 0
    entry = tag * ENTRY_SIZE
    if item_count < table[entry + ITEMS_LEAST] or item_count > table[entry + ITEMS_MOST]:
        return ENDINGS.WRONG_ITEM_COUNT, at, 0
    for column in range(ROW_WIDTH):
        rows[unsigned(base + column)] = table[unsigned(entry + DEFAULT + column)]
    for item in range(1, item_count):
        at = after
        ending, value, after = read_integer(buffer, at, end)
        if ending != ENDINGS.ALL_READ:
            return ending, at, item
        if value < table[unsigned(entry + LOW + item)] or value > table[unsigned(entry + HIGH + item)]:
            return ENDINGS.OUT_OF_BOUNDS, at, item
        rows[unsigned(base + item)] = value
    return ENDINGS.ALL_READ, after, 0


@inlined
def _read_header(buffer: ByteArray, at: int, end: int) -> tuple[int, int, int]:
    """Return the ending, how many items the array has, and where the first one begins; `at` is before `end`."""
    byte = byte_at(buffer, at, 0)
    if byte & 0xF0 == 0x90:
        item_count, after = byte & 0x0F, at + 1
    elif byte == 0xDC:
        if end - at < 3:
            return ENDINGS.CUT_SHORT, 0, at
        item_count, after = read_big_endian(buffer, at + 1, 2), at + 3
    elif byte == 0xDD:
        if end - at < 5:
            return ENDINGS.CUT_SHORT, 0, at
        item_count, after = read_big_endian(buffer, at + 1, 4), at + 5
    else:
        return ENDINGS.NOT_AN_ARRAY, 0, at
    if item_count == 0:
        return ENDINGS.NO_ITEMS, 0, at
    if item_count > ITEMS_MAX:
        return ENDINGS.TOO_MANY_ITEMS, 0, at
    return ENDINGS.ALL_READ, item_count, after
