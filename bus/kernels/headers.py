"""The header of a frame of the order link, read and written by kernels: an array of five integers."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from market.kernels.compiling import inlined
from market.kernels.integers import ENDINGS, ByteArray, put_byte, read_integer, write_integer
from market.kernels.rows import Int64Array

HEADER_SIZE: Final = 5  # integers
HEADER_BYTES_MAX: Final = 64  # as bus/order_link.py has it
_ARRAY: Final = 0x90


@inlined
def read_header(buffer: ByteArray, at: int, size: int, header: Int64Array) -> bool:
    """Read a header of exactly five integers that are not negative into `header[:5]`; return whether it is one."""
    end = at + size
    if size > HEADER_BYTES_MAX or size == 0 or buffer[at] != _ARRAY | HEADER_SIZE:
        return False
    at += 1
    for place in range(HEADER_SIZE):
        ending, number, at = read_integer(buffer, at, end)
        if ending != ENDINGS.ALL_READ or number < 0:
            return False
        header[place] = number
    return at == end


@inlined
def write_header(buffer: ByteArray, at: int, numbers: tuple[int, int, int, int, int]) -> int:
    """Write a header as msgpack packs it; return where it ends."""
    put_byte(buffer, at, _ARRAY | HEADER_SIZE)
    at += 1
    for place in range(HEADER_SIZE):
        at = write_integer(buffer, at, numbers[place])
    return at
