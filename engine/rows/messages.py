"""Ring rows: a message as one row of 64-bit integers, the tag first, then its fields in wire order, the rest 0."""

import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Event
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


# Kernels read these as compile-time constants, so each is a plain module-level integer.
NEW_ORDER_ID: Final = column(NewOrder, "order_id")
NEW_SYMBOL_ID: Final = column(NewOrder, "symbol_id")
NEW_SIDE: Final = column(NewOrder, "side")
NEW_PRICE_TICKS: Final = column(NewOrder, "price_ticks")
NEW_QTY_LOTS: Final = column(NewOrder, "qty_lots")
NEW_ORDER_TYPE: Final = column(NewOrder, "order_type")
NEW_TIME_IN_FORCE: Final = column(NewOrder, "time_in_force")
NEW_SELF_TRADE_PREVENTION: Final = column(NewOrder, "self_trade_prevention")
NEW_DISPLAY_LOTS: Final = column(NewOrder, "display_lots")
NEW_TRIGGER: Final = column(NewOrder, "trigger")
NEW_TRIGGER_PRICE_TICKS: Final = column(NewOrder, "trigger_price_ticks")
NEW_OWNER: Final = column(NewOrder, "owner")
NEW_TIME_NS: Final = column(NewOrder, "time_ns")

CANCEL_ORDER_ID: Final = column(CancelOrder, "order_id")
CANCEL_SYMBOL_ID: Final = column(CancelOrder, "symbol_id")
CANCEL_OWNER: Final = column(CancelOrder, "owner")
CANCEL_TIME_NS: Final = column(CancelOrder, "time_ns")

AMEND_ORDER_ID: Final = column(AmendOrder, "order_id")
AMEND_SYMBOL_ID: Final = column(AmendOrder, "symbol_id")
AMEND_PRICE_TICKS: Final = column(AmendOrder, "price_ticks")
AMEND_QTY_LOTS: Final = column(AmendOrder, "qty_lots")
AMEND_OWNER: Final = column(AmendOrder, "owner")
AMEND_TIME_NS: Final = column(AmendOrder, "time_ns")
AMEND_EXPECTED_LEAVES_LOTS: Final = column(AmendOrder, "expected_leaves_lots")

MASS_CANCEL_SYMBOL_ID: Final = column(MassCancel, "symbol_id")
MASS_CANCEL_SIDE: Final = column(MassCancel, "side")
MASS_CANCEL_OWNER: Final = column(MassCancel, "owner")
MASS_CANCEL_TIME_NS: Final = column(MassCancel, "time_ns")

HALT_SYMBOL_ID: Final = column(HaltSymbol, "symbol_id")
HALT_IS_HALTED: Final = column(HaltSymbol, "is_halted")
HALT_TIME_NS: Final = column(HaltSymbol, "time_ns")

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
