"""The kernels that write rows as msgpack messages, in the one way that the plain codec writes them."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.wire.table import DEFAULT, ENTRY_SIZE, ITEMS_LEAST, ITEMS_MOST, ROW_BYTES_MAX, TAG_COUNT
from market.kernels.compiling import inlined, kernel
from market.kernels.integers import ByteArray, put_byte, write_integer
from market.kernels.order_table import unsigned
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array

KEYS_PER_ROW: Final = 2  # what a row can be selected by; an execution belongs to two orders
NO_KEY: Final = -1


@kernel
def encode_rows(
    table: Int64Array, rows: Int64Array, first: int, count: int, buffer: ByteArray, start: int
) -> tuple[int, int]:
    """Write the messages of `count` rows from sequence `first` on into `buffer`, from `start` on.

    Returns:
        how many rows were written and how many bytes they have. Fewer than `count` if the next one might not fit into
        the buffer (`ROW_BYTES_MAX` are enough for any) or is not of the table.
    """
    mask = len(rows) // ROW_WIDTH - 1
    at = start
    for index in range(count):
        base = ((first + index) & mask) * ROW_WIDTH
        if len(buffer) - at < ROW_BYTES_MAX or not _is_known(table, rows[base + TAG]):
            return index, at - start
        at = _write_message(table, rows, base, buffer, at)
    return count, at - start


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
    start: int,
) -> tuple[int, int, int]:
    """Write those of the rows of which one of the `KEYS_PER_ROW` keys (flat, by slot) is `key`, from `start` on.

    Returns:
        how many rows were looked at, how many of them were written, and how many bytes they have. It stops as
        `encode_rows` does, and before one row more than `selected_max`.
    """
    mask = len(rows) // ROW_WIDTH - 1
    at = start
    selected = 0
    for index in range(count):
        slot = (first + index) & mask
        if keys[slot * KEYS_PER_ROW] != key and keys[slot * KEYS_PER_ROW + 1] != key:
            continue
        base = slot * ROW_WIDTH
        is_full = selected == selected_max or len(buffer) - at < ROW_BYTES_MAX
        if is_full or not _is_known(table, rows[base + TAG]):
            return index, selected, at - start
        at = _write_message(table, rows, base, buffer, at)
        selected += 1
    return count, selected, at - start


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
    put_byte(buffer, at, 0x90 | item_count)
    at += 1
    for item in range(item_count):
        at = write_integer(buffer, at, rows[unsigned(base + item)])
    return at
