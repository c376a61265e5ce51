"""Records made by kernels: the bytes that journal/format.py makes."""

from typing import Any
from zlib import crc32

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.format import PREFIX_SIZE
from journal.kernels.record import ENVELOPE_AT, crc_of, crc_table, seal_record
from market.kernels.compiling import IS_COMPILED
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.lane.memory import RECORD_HEAD

TABLE = crc_table()
AT = 5


def _compiled(function: Any) -> Any:
    return numba.njit(function) if IS_COMPILED else function


@_compiled
def _crc(buffer: Any, at: int, end: int) -> int:
    return crc_of(TABLE, buffer, at, end)


@_compiled
def _seal(table: Any, buffer: Any, at: int, end: int, sequence: int) -> int:
    return seal_record(table, buffer, at, end, sequence)


@settings(deadline=None)  # the first one is compiled
@given(data=st.binary(max_size=200))
def test_crc_is_that_of_zlib(data: bytes) -> None:
    """Of any length, at any place."""
    buffer = np.frombuffer(b"\7" * AT + data + b"\7", np.uint8).copy()
    assert _crc(buffer, AT, AT + len(data)) == crc32(data)


@pytest.mark.parametrize("size", [1, 34, 4_096])
@pytest.mark.parametrize("sequence", [1, 255, 2**40])
def test_a_record_is_as_the_schema_makes_it(size: int, sequence: int) -> None:
    """What stands before the envelope: the CRC of all behind it, the length, the sequence."""
    assert ENVELOPE_AT == PREFIX_SIZE
    assert COMMANDS.head_size == RECORD_HEAD
    record = CommandRecord(1_700_000_000_000_000_000, 3, 1, 7, 0, bytes(number % 256 for number in range(size)))
    expected = COMMANDS.encode(sequence, record)
    buffer = np.zeros(AT + len(expected), np.uint8)
    buffer[AT + ENVELOPE_AT :] = bytearray(expected[ENVELOPE_AT:])
    crc = _seal(TABLE, buffer, AT, AT + len(expected), sequence)
    assert buffer[AT:].tobytes() == expected
    assert crc == int.from_bytes(expected[:4], "little")
