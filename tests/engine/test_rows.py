"""Rows: the tag, the fields in wire order, zeros; and back again."""

import struct
from enum import IntEnum
from typing import Any

import numpy as np
import pytest

from market.codes import CancelReason, RejectReason, Tag
from market.commands import CancelOrder
from market.kernels.row_codes import columns, constants
from market.kernels.rows import (
    ROW_WIDTH,
    column,
    read_command,
    read_event,
    write_command,
    write_event,
)
from market.messages import COMMAND_BY_TAG, EVENT_BY_TAG, MESSAGES, TAG_BY_MESSAGE


def _filled(message: type[Any]) -> Any:
    return message(*range(101, 101 + len(message._fields)))


def test_every_command_and_event_has_a_row() -> None:
    """What the engine is told and tells stands below the feed's messages in the table."""
    assert {spec.tag for spec in MESSAGES if spec.tag < Tag.BOOK_ORDER} == {*COMMAND_BY_TAG, *EVENT_BY_TAG}


@pytest.mark.parametrize("message", COMMAND_BY_TAG.values())
def test_a_command_comes_back_from_its_row(message: type[Any]) -> None:
    """Fields stand in wire order behind the tag; what a longer message left behind is cleared."""
    rows = np.full((4, ROW_WIDTH), -1, np.int64)
    write_command(rows, 2, _filled(message))
    assert rows[2].tolist() == [
        TAG_BY_MESSAGE[message],
        *_filled(message),
        *[0] * (ROW_WIDTH - 1 - len(message._fields)),
    ]
    assert read_command(rows[2]) == _filled(message)
    assert (rows[[0, 1, 3]] == -1).all()


@pytest.mark.parametrize("message", EVENT_BY_TAG.values())
def test_an_event_comes_back_from_its_row(message: type[Any]) -> None:
    """Fields stand in wire order behind the tag."""
    rows = np.zeros((2, ROW_WIDTH), np.int64)
    write_event(rows, 1, _filled(message))
    assert read_event(rows[1]) == _filled(message)


def test_a_field_beyond_64_bits_is_refused() -> None:
    """Kernels would wrap it silently."""
    rows = np.zeros((1, ROW_WIDTH), np.int64)
    with pytest.raises(struct.error):
        write_command(rows, 0, CancelOrder(2**63, 0))


@pytest.mark.parametrize("codes", [Tag, RejectReason, CancelReason])
def test_a_constant_of_kernels_is_its_code(codes: type[IntEnum]) -> None:
    """A constant under another's name would refuse for the wrong reason."""
    assert constants(codes)._asdict() == {code.name: code.value for code in codes}


@pytest.mark.parametrize("message", [*COMMAND_BY_TAG.values(), *EVENT_BY_TAG.values()])
def test_a_column_of_kernels_is_that_of_its_field(message: type[Any]) -> None:
    """A column under another field's name would match orders with swapped fields."""
    assert columns(message)._asdict() == {field: column(message, field) for field in message._fields}
