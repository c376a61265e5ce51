"""The bytes of a journal's record, made by kernels: what journal/format.py says of them holds here.

The owner writes its envelope and has the messages behind it; then `seal_record` puts the prefix before them.
"""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from market.kernels.compiling import argument, inlined
from market.kernels.integers import ByteArray, byte_at, put_little_endian
from market.kernels.order_table import unsigned
from market.kernels.rows import Uint32Array

ENVELOPE_AT: Final = 16  # behind CRC, length and sequence
_CRC_SIZE: Final = 4
_PLANE: Final = 256
_PLANES: Final = 8
_POLYNOMIAL: Final = 0xEDB8_8320
_ONES: Final = argument(0xFFFF_FFFF)


def crc_table() -> Uint32Array:
    """Return the table of `crc_of`: for each of eight bytes in a row what each of its values does to the CRC.

    The CRC-32 of zlib and PNG. By eight bytes at a time: M. Kounavis and F. Berry, Novel Table Lookup-Based Algorithms
    for High-Performance CRC Generation, IEEE Trans. Computers 57 (2008).
    """
    planes = np.zeros((_PLANES, _PLANE), np.uint32)
    for value in range(_PLANE):
        crc = value
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        planes[0, value] = crc
    for plane in range(1, _PLANES):
        before = planes[plane - 1]
        planes[plane] = (before >> np.uint32(8)) ^ planes[0][before & np.uint32(0xFF)]
    flat: Uint32Array = planes.reshape(-1)
    return flat


@inlined
def crc_of(table: Uint32Array, buffer: ByteArray, at: int, end: int) -> int:
    """Return the CRC-32 of `buffer[at:end]`."""
    crc = _ONES
    while end - at >= 8:
        low, high = crc ^ _little_endian(buffer, at), _little_endian(buffer, at + 4)
        crc = (
            _at(table, 7, low)
            ^ _at(table, 6, low >> 8)
            ^ _at(table, 5, low >> 16)
            ^ _at(table, 4, low >> 24)
            ^ _at(table, 3, high)
            ^ _at(table, 2, high >> 8)
            ^ _at(table, 1, high >> 16)
            ^ _at(table, 0, high >> 24)
        )
        at += 8
    while at < end:
        crc = crc >> 8 ^ _at(table, 0, crc ^ byte_at(buffer, at, 0))
        at += 1
    return crc ^ _ONES


@inlined
def _at(table: Uint32Array, plane: int, byte: int) -> int:
    return np.int64(table[unsigned(plane * _PLANE + (byte & 0xFF))])


@inlined
def _little_endian(buffer: ByteArray, at: int) -> int:
    return (
        np.int64(buffer[unsigned(at)])
        | np.int64(buffer[unsigned(at + 1)]) << 8
        | np.int64(buffer[unsigned(at + 2)]) << 16
        | np.int64(buffer[unsigned(at + 3)]) << 24
    )


@inlined
def seal_record(table: Uint32Array, buffer: ByteArray, at: int, end: int, sequence: int) -> int:
    """Write what stands before the envelope of the record in `buffer[at:end]`; return its CRC."""
    put_little_endian(buffer, at + _CRC_SIZE, end - at - ENVELOPE_AT, 4)
    put_little_endian(buffer, at + _CRC_SIZE + 4, sequence, 8)
    crc = crc_of(table, buffer, at + _CRC_SIZE, end)
    put_little_endian(buffer, at, crc, 4)
    return crc
