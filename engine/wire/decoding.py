"""The kernel that reads msgpack messages into rows."""
# mypy: disable-error-code="no-any-return, return-value"

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.wire.table import DEFAULT, ENTRY_SIZE, HIGH, ITEMS_LEAST, ITEMS_MAX, ITEMS_MOST, LOW, TAG_COUNT
from market.kernels.compiling import inlined, kernel
from market.kernels.order_table import unsigned
from market.kernels.row_codes import constants
from market.kernels.rows import ROW_WIDTH, Int64Array

ByteArray = npt.NDArray[np.uint8]


class Ending(IntEnum):
    """Why a kernel stopped reading; from `NOT_AN_ARRAY` on, what it met is not a message."""

    ALL_READ = 0
    NO_ROOM = 1
    CUT_SHORT = 2
    NOT_AN_ARRAY = 3
    NO_ITEMS = 4
    TOO_MANY_ITEMS = 5
    NOT_AN_INTEGER = 6
    TOO_LARGE = 7  # an integer of more than 63 bits
    UNKNOWN_TAG = 8
    WRONG_ITEM_COUNT = 9
    OUT_OF_BOUNDS = 10

    @property
    def is_malformed(self) -> bool:
        """Whether the bytes are not messages, whatever may follow them."""
        return self >= Ending.NOT_AN_ARRAY


ENDINGS: Final = constants(Ending)


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
    ending, tag, after = _read_integer(buffer, at, end)
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
        ending, value, after = _read_integer(buffer, at, end)
        if ending != ENDINGS.ALL_READ:
            return ending, at, item
        if value < table[unsigned(entry + LOW + item)] or value > table[unsigned(entry + HIGH + item)]:
            return ENDINGS.OUT_OF_BOUNDS, at, item
        rows[unsigned(base + item)] = value
    return ENDINGS.ALL_READ, after, 0


@inlined
def _read_header(buffer: ByteArray, at: int, end: int) -> tuple[int, int, int]:
    """Return the ending, how many items the array has, and where the first one begins; `at` is before `end`."""
    byte = _byte(buffer, at, 0)
    if byte & 0xF0 == 0x90:
        item_count, after = byte & 0x0F, at + 1
    elif byte == 0xDC:
        if end - at < 3:
            return ENDINGS.CUT_SHORT, 0, at
        item_count, after = _read_big_endian(buffer, at + 1, 2), at + 3
    elif byte == 0xDD:
        if end - at < 5:
            return ENDINGS.CUT_SHORT, 0, at
        item_count, after = _read_big_endian(buffer, at + 1, 4), at + 5
    else:
        return ENDINGS.NOT_AN_ARRAY, 0, at
    if item_count == 0:
        return ENDINGS.NO_ITEMS, 0, at
    if item_count > ITEMS_MAX:
        return ENDINGS.TOO_MANY_ITEMS, 0, at
    return ENDINGS.ALL_READ, item_count, after


@inlined
def _read_integer(buffer: ByteArray, at: int, end: int) -> tuple[int, int, int]:
    """Return the ending, the integer, and where the next item begins."""
    if at >= end:
        return ENDINGS.CUT_SHORT, 0, at
    byte = _byte(buffer, at, 0)
    if byte < 0x80:
        return ENDINGS.ALL_READ, byte, at + 1
    if byte >= 0xE0:
        return ENDINGS.ALL_READ, byte - 0x100, at + 1
    if byte < 0xCC or byte > 0xD3:
        return ENDINGS.NOT_AN_INTEGER, 0, at
    width = 1 << (byte & 3)  # CC to CF: unsigned of 1, 2, 4, 8 bytes; D0 to D3: signed
    after = at + 1 + width
    if after > end:
        return ENDINGS.CUT_SHORT, 0, at
    value = _read_big_endian(buffer, at + 1, width)
    if byte == 0xCF:
        if value < 0:
            return ENDINGS.TOO_LARGE, 0, at
    elif byte >= 0xD0:
        shift = 64 - 8 * width
        value = value << shift >> shift
    return ENDINGS.ALL_READ, value, after


@inlined
def _read_big_endian(buffer: ByteArray, at: int, width: int) -> int:
    """Return the number of 1, 2, 4 or 8 bytes; of 8 it may come out negative."""
    if width == 4:
        return _byte(buffer, at, 24) | _byte(buffer, at + 1, 16) | _byte(buffer, at + 2, 8) | _byte(buffer, at + 3, 0)
    if width == 1:
        return _byte(buffer, at, 0)
    if width == 2:
        return _byte(buffer, at, 8) | _byte(buffer, at + 1, 0)
    return (
        _byte(buffer, at, 56)
        | _byte(buffer, at + 1, 48)
        | _byte(buffer, at + 2, 40)
        | _byte(buffer, at + 3, 32)
        | _byte(buffer, at + 4, 24)
        | _byte(buffer, at + 5, 16)
        | _byte(buffer, at + 6, 8)
        | _byte(buffer, at + 7, 0)
    )


@inlined
def _byte(buffer: ByteArray, at: int, shift: int) -> int:
    """Return a byte, moved up; of several side by side the compiler makes one load."""
    return np.int64(buffer[unsigned(at)]) << shift
