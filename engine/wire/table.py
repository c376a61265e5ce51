"""The table that the compiled codec reads: for each tag how many items a message has, and each field's bounds.

It is made from the one table of messages, as the plain codec is, and handed to the kernels as an argument:
what a kernel took for a constant would outlive a change of the messages in the cache of compiled code. Messages with
texts are not in it; they are rare and stay with the plain codec.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from market.kernels.rows import ROW_WIDTH, Int64Array
from market.messages import MESSAGES, SPEC_BY_TAG, TAG_BY_MESSAGE, MessageSpec

ROW_MESSAGES: Final = tuple(spec.message for spec in MESSAGES if not spec.has_text)

TAG_COUNT: Final = 64
ITEMS_MAX: Final = ROW_WIDTH - 1  # of a message, its tag among them; more would need a longer header
INTEGER_BYTES_MAX: Final = 9
ROW_BYTES_MAX: Final = 1 + ITEMS_MAX * INTEGER_BYTES_MAX  # what one row needs at most

# A tag's numbers, ENTRY_SIZE for each; by column of its row, `LOW + column` and so on.
ITEMS_LEAST: Final = 0  # with the tag
ITEMS_MOST: Final = 1  # 0: the tag is unknown
OWNER_COLUMN: Final = 2  # of these three, 0 means that the message has no such field
ORDER_ID_COLUMN: Final = 3
SECOND_ORDER_ID_COLUMN: Final = 4
LOW: Final = ROW_WIDTH
HIGH: Final = 2 * ROW_WIDTH
DEFAULT: Final = 3 * ROW_WIDTH  # column 0: the tag itself
ENTRY_SIZE: Final = 4 * ROW_WIDTH


def wire_table(messages: Iterable[type[Any]] = ROW_MESSAGES) -> Int64Array:
    """Return the table of `messages`, flat, `[TAG_COUNT * ENTRY_SIZE]`; all other tags are unknown to it."""
    table: Int64Array = np.zeros((TAG_COUNT, ENTRY_SIZE), np.int64)
    for message in messages:
        tag = TAG_BY_MESSAGE[message]
        _enter(table[tag], SPEC_BY_TAG[tag])
    return table.reshape(-1)


def _enter(entry: Int64Array, spec: MessageSpec) -> None:
    assert not spec.has_text, f"{spec.name} has a text, a row holds integers"
    assert len(spec.fields) < ITEMS_MAX, f"{spec.name} has {len(spec.fields)} fields, a row takes {ITEMS_MAX - 1}"
    entry[ITEMS_LEAST] = 1 + spec.required_count
    entry[ITEMS_MOST] = 1 + len(spec.fields)
    entry[DEFAULT] = spec.tag
    for column, field in enumerate(spec.fields, 1):
        entry[LOW + column], entry[HIGH + column] = field.bounds.low, field.bounds.high
        entry[DEFAULT + column] = field.default or 0
    names = ("", *(field.name for field in spec.fields))
    owned = [names.index(name) for name in ("order_id", "taker_order_id", "maker_order_id") if name in names]
    entry[ORDER_ID_COLUMN : ORDER_ID_COLUMN + len(owned)] = owned
    entry[OWNER_COLUMN] = names.index("owner") if "owner" in names else 0
