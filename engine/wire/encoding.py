"""The kernels that write rows as msgpack messages, in the one way that the plain codec writes them."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.wire.decoding import ByteArray
from engine.wire.table import DEFAULT, ENTRY_SIZE, ITEMS_LEAST, ITEMS_MOST, ROW_BYTES_MAX, TAG_COUNT
from market.kernels.compiling import inlined, kernel
from market.kernels.order_table import unsigned
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array

KEYS_PER_ROW: Final = 2  # what a row can be selected by; an execution belongs to two orders
NO_KEY: Final = -1


@kernel
def encode_rows(table: Int64Array, rows: Int64Array, first: int, count: int, buffer: ByteArray) -> tuple[int, int]:
    """Write the messages of `count` rows from sequence `first` on to the beginning of `buffer`.

    Returns:
        how many rows were written and how many bytes they have. Fewer than `count` if the next one might not fit into
        the buffer (`ROW_BYTES_MAX` are enough for any) or is not of the table.
    """
    mask = len(rows) // ROW_WIDTH - 1
    at = 0
    for index in range(count):
        base = ((first + index) & mask) * ROW_WIDTH
        if len(buffer) - at < ROW_BYTES_MAX or not _is_known(table, rows[base + TAG]):
            return index, at
        at = _write_message(table, rows, base, buffer, at)
    return count, at


@kernel
def encode_selected(
    table: Int64Array,
    rows: Int64Array,
    keys: Int64Array,
    key: int,
    first: int,
    count: int,
    selected_max: int,
    buffer: ByteArray,
) -> tuple[int, int, int]:
    """Write those of the rows of which one of the `KEYS_PER_ROW` keys (flat, by slot) is `key`.

    Returns:
        how many rows were looked at, how many of them were written, and how many bytes they have. It stops as
        `encode_rows` does, and before one row more than `selected_max`.
    """
    mask = len(rows) // ROW_WIDTH - 1
    at = 0
    selected = 0
    for index in range(count):
        slot = (first + index) & mask
        if keys[slot * KEYS_PER_ROW] != key and keys[slot * KEYS_PER_ROW + 1] != key:
            continue
        base = slot * ROW_WIDTH
        is_full = selected == selected_max or len(buffer) - at < ROW_BYTES_MAX
        if is_full or not _is_known(table, rows[base + TAG]):
            return index, selected, at
        at = _write_message(table, rows, base, buffer, at)
        selected += 1
    return count, selected, at


@inlined
def _is_known(table: Int64Array, tag: int) -> bool:
    return 0 <= tag < TAG_COUNT and table[tag * ENTRY_SIZE + ITEMS_MOST] != 0


@inlined
def _write_message(table: Int64Array, rows: Int64Array, base: int, buffer: ByteArray, at: int) -> int:
    """Write the message without the trailing fields that hold their default; return where it ends."""
    entry = rows[unsigned(base + TAG)] * ENTRY_SIZE
    item_count = table[unsigned(entry + ITEMS_MOST)]
    least = table[unsigned(entry + ITEMS_LEAST)]
    while item_count > least:
        last = item_count - 1
        if rows[unsigned(base + last)] != table[unsigned(entry + DEFAULT + last)]:
            break
        item_count = last
    _put(buffer, at, 0x90 | item_count)
    at += 1
    for item in range(item_count):
        at = _write_integer(buffer, at, rows[unsigned(base + item)])
    return at


@inlined
def _write_integer(buffer: ByteArray, at: int, value: int) -> int:
    """Write the integer in its shortest form; return where the next item begins."""
    if value < 0:
        return _write_negative(buffer, at, value)
    if value < 0x80:
        _put(buffer, at, value)
        return at + 1
    if value <= 0xFFFF:
        if value <= 0xFF:
            return _write_big_endian(buffer, at, 0xCC, value, 1)
        return _write_big_endian(buffer, at, 0xCD, value, 2)
    if value <= 0xFFFF_FFFF:
        return _write_big_endian(buffer, at, 0xCE, value, 4)
    return _write_big_endian(buffer, at, 0xCF, value, 8)


@inlined
def _write_negative(buffer: ByteArray, at: int, value: int) -> int:
    if value >= -0x20:
        _put(buffer, at, value)
        return at + 1
    if value >= -0x80:
        return _write_big_endian(buffer, at, 0xD0, value, 1)
    if value >= -0x8000:
        return _write_big_endian(buffer, at, 0xD1, value, 2)
    if value >= -0x8000_0000:
        return _write_big_endian(buffer, at, 0xD2, value, 4)
    return _write_big_endian(buffer, at, 0xD3, value, 8)


@inlined
def _write_big_endian(buffer: ByteArray, at: int, form: int, value: int, width: int) -> int:
    """Write the byte that says which form follows, and the lowest `width` bytes of the value."""
    _put(buffer, at, form)
    if width == 8:
        _put(buffer, at + 1, value >> 56)
        _put(buffer, at + 2, value >> 48)
        _put(buffer, at + 3, value >> 40)
        _put(buffer, at + 4, value >> 32)
        _put(buffer, at + 5, value >> 24)
        _put(buffer, at + 6, value >> 16)
        _put(buffer, at + 7, value >> 8)
    elif width == 4:
        _put(buffer, at + 1, value >> 24)
        _put(buffer, at + 2, value >> 16)
        _put(buffer, at + 3, value >> 8)
    elif width == 2:
        _put(buffer, at + 1, value >> 8)
    _put(buffer, at + width, value)
    return at + 1 + width


@inlined
def _put(buffer: ByteArray, at: int, value: int) -> None:
    """Write the lowest byte of the value."""
    buffer[unsigned(at)] = value & 0xFF
