"""The table that the compiled codec reads: for each tag how many items a message has, and each field's bounds.

It is made from the same annotations as the plain codec's table of messages, and handed to the kernels as an argument:
what a kernel took for a constant would outlive a change of the messages in the cache of compiled code. Messages with
texts are not in it; they are rare and stay with the plain codec.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, get_args, get_type_hints

import numpy as np

from engine.rows.messages import COMMAND_BY_TAG, EVENT_BY_TAG, ROW_WIDTH, Int64Array
from market.codes import Tag
from market.feed_messages import FeedMessage
from market.fields import Bounds
from market.session_messages import SessionMessage


def _tag_of(message: type[Any]) -> Tag:
    """Return the tag that has the message's name: BOOK_ORDER of BookOrder."""
    return Tag[re.sub(r"(?<!^)(?=[A-Z])", "_", message.__name__).upper()]


def _has_text(message: type[Any]) -> bool:
    return any(get_args(hint)[0] is str for hint in get_type_hints(message, include_extras=True).values())


MESSAGE_BY_TAG: Final[dict[int, type[Any]]] = {
    **COMMAND_BY_TAG,
    **EVENT_BY_TAG,
    **{_tag_of(message): message for union in (FeedMessage, SessionMessage) for message in get_args(union)},
}
TEXT_MESSAGE_BY_TAG: Final = {tag: message for tag, message in MESSAGE_BY_TAG.items() if _has_text(message)}
ROW_MESSAGE_BY_TAG: Final = {tag: message for tag, message in MESSAGE_BY_TAG.items() if tag not in TEXT_MESSAGE_BY_TAG}

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


def wire_table(messages: Iterable[type[Any]] = ROW_MESSAGE_BY_TAG.values()) -> Int64Array:
    """Return the table of `messages`, flat, `[TAG_COUNT * ENTRY_SIZE]`; all other tags are unknown to it."""
    table: Int64Array = np.zeros((TAG_COUNT, ENTRY_SIZE), np.int64)
    tag_by_message = {message: tag for tag, message in ROW_MESSAGE_BY_TAG.items()}
    for message in messages:
        _enter(table[tag_by_message[message]], tag_by_message[message], message)
    return table.reshape(-1)


def bounds_of(message: type[Any]) -> dict[str, Bounds]:
    """Return what each field of `message` may be, in wire order; all of them are integers."""
    bounds = {}
    for name, hint in get_type_hints(message, include_extras=True).items():
        kind, bounds[name] = get_args(hint)
        assert kind is int, f"{message.__name__}.{name} is {kind.__name__}, a row holds integers"
    return bounds


def _enter(entry: Int64Array, tag: int, message: type[Any]) -> None:
    fields, defaults = message._fields, message._field_defaults
    assert len(fields) < ITEMS_MAX, f"{message.__name__} has {len(fields)} fields, a row takes {ITEMS_MAX - 1}"
    entry[ITEMS_LEAST] = 1 + len(fields) - len(defaults)
    entry[ITEMS_MOST] = 1 + len(fields)
    entry[DEFAULT] = tag
    for column, (name, bounds) in enumerate(bounds_of(message).items(), 1):
        entry[LOW + column] = bounds.low
        entry[HIGH + column] = bounds.high
        entry[DEFAULT + column] = defaults.get(name, 0)
    names = ("", *fields)
    owned = [names.index(name) for name in ("order_id", "taker_order_id", "maker_order_id") if name in names]
    entry[ORDER_ID_COLUMN : ORDER_ID_COLUMN + len(owned)] = owned
    entry[OWNER_COLUMN] = names.index("owner") if "owner" in names else 0
