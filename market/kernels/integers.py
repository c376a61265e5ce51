"""Integers as msgpack has them, read and written by kernels: of messages, and of the headers of the bus's frames."""
# mypy: disable-error-code="no-any-return, return-value"

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from market.kernels.compiling import inlined
from market.kernels.order_table import unsigned
from market.kernels.row_codes import constants

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


@inlined
def read_integer(buffer: ByteArray, at: int, end: int) -> tuple[int, int, int]:
    """Return the ending, the integer, and where the next item begins."""
    if at >= end:
        return ENDINGS.CUT_SHORT, 0, at
    byte = byte_at(buffer, at, 0)
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
    value = read_big_endian(buffer, at + 1, width)
    if byte == 0xCF:
        if value < 0:
            return ENDINGS.TOO_LARGE, 0, at
    elif byte >= 0xD0:
        shift = 64 - 8 * width
        value = value << shift >> shift
    return ENDINGS.ALL_READ, value, after


@inlined
def read_big_endian(buffer: ByteArray, at: int, width: int) -> int:
    """Return the number of 1, 2, 4 or 8 bytes; of 8 it may come out negative."""
    if width == 4:
        return (
            byte_at(buffer, at, 24)
            | byte_at(buffer, at + 1, 16)
            | byte_at(buffer, at + 2, 8)
            | byte_at(buffer, at + 3, 0)
        )
    if width == 1:
        return byte_at(buffer, at, 0)
    if width == 2:
        return byte_at(buffer, at, 8) | byte_at(buffer, at + 1, 0)
    return (
        byte_at(buffer, at, 56)
        | byte_at(buffer, at + 1, 48)
        | byte_at(buffer, at + 2, 40)
        | byte_at(buffer, at + 3, 32)
        | byte_at(buffer, at + 4, 24)
        | byte_at(buffer, at + 5, 16)
        | byte_at(buffer, at + 6, 8)
        | byte_at(buffer, at + 7, 0)
    )


@inlined
def byte_at(buffer: ByteArray, at: int, shift: int) -> int:
    """Return a byte, moved up; of several side by side the compiler makes one load."""
    return np.int64(buffer[unsigned(at)]) << shift


@inlined
def write_integer(buffer: ByteArray, at: int, value: int) -> int:
    """Write the integer in its shortest form; return where the next item begins."""
    if value < 0:
        return _write_negative(buffer, at, value)
    if value < 0x80:
        put_byte(buffer, at, value)
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
        put_byte(buffer, at, value)
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
    put_byte(buffer, at, form)
    if width == 8:
        put_byte(buffer, at + 1, value >> 56)
        put_byte(buffer, at + 2, value >> 48)
        put_byte(buffer, at + 3, value >> 40)
        put_byte(buffer, at + 4, value >> 32)
        put_byte(buffer, at + 5, value >> 24)
        put_byte(buffer, at + 6, value >> 16)
        put_byte(buffer, at + 7, value >> 8)
    elif width == 4:
        put_byte(buffer, at + 1, value >> 24)
        put_byte(buffer, at + 2, value >> 16)
        put_byte(buffer, at + 3, value >> 8)
    elif width == 2:
        put_byte(buffer, at + 1, value >> 8)
    put_byte(buffer, at + width, value)
    return at + 1 + width


@inlined
def put_byte(buffer: ByteArray, at: int, value: int) -> None:
    """Write the lowest byte of the value."""
    buffer[unsigned(at)] = value & 0xFF


@inlined
def put_little_endian(buffer: ByteArray, at: int, value: int, width: int) -> int:
    """Write the lowest `width` bytes of a value, the lowest first; return where they end."""
    for place in range(width):
        put_byte(buffer, at + place, value >> (8 * place))
    return at + width
