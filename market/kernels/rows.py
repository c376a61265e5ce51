"""Ring rows: a message as one row of 64-bit integers, the tag first, then its fields in wire order, the rest 0."""

import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from market.commands import Command
from market.events import Event
from market.kernels.compiling import inlined
from market.messages import COMMAND_BY_TAG, EVENT_BY_TAG, TAG_BY_MESSAGE

Int64Array = npt.NDArray[np.int64]
Uint32Array = npt.NDArray[np.uint32]

ROW_WIDTH: Final = 16
ROW_SIZE: Final = ROW_WIDTH * 8
TAG: Final = 0


def column(message: type[Any], field: str) -> int:
    """Return the column in which a row keeps `field` of `message`."""
    fields: tuple[str, ...] = message._fields
    return 1 + fields.index(field)


@inlined
def write_row(rows: Int64Array, base: int, values: tuple[int, ...]) -> None:
    """Write a tag and the fields of its message, in their order, into the flat row at `base`; what is left is 0."""
    for index in range(len(values)):
        rows[base + index] = values[index]
    for index in range(len(values), ROW_WIDTH):
        rows[base + index] = 0


_ROW = struct.Struct(f"={ROW_WIDTH}q")
_PADDING = tuple((0,) * (ROW_WIDTH - 1 - count) for count in range(ROW_WIDTH))


def write_command(rows: Int64Array, slot: int, command: Command) -> None:
    """Write `command` into row `slot` of `rows` (shape `[slots, ROW_WIDTH]`, contiguous).

    Raises:
        struct.error: if a field does not fit into 64 bits; the engine itself refuses all that is merely out of range.
    """
    _ROW.pack_into(rows.data, slot * ROW_SIZE, TAG_BY_MESSAGE[type(command)], *command, *_PADDING[len(command)])


def write_event(rows: Int64Array, slot: int, event: Event) -> None:
    """Write `event` into row `slot` of `rows`, as `write_command` does."""
    _ROW.pack_into(rows.data, slot * ROW_SIZE, TAG_BY_MESSAGE[type(event)], *event, *_PADDING[len(event)])


def read_command(row: Int64Array) -> Command:
    """Return the command that `row` (shape `[ROW_WIDTH]`) holds.

    Raises:
        KeyError: if its tag is not that of a command.
    """
    values = row.tolist()
    message = COMMAND_BY_TAG[values[TAG]]
    return message(*values[1 : 1 + len(message._fields)])


def read_event(row: Int64Array) -> Event:
    """Return the event that `row` (shape `[ROW_WIDTH]`) holds.

    Raises:
        KeyError: if its tag is not that of an event.
    """
    values = row.tolist()
    message = EVENT_BY_TAG[values[TAG]]
    return message(*values[1 : 1 + len(message._fields)])
