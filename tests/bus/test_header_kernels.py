"""Headers of the order link, read and written by kernels as bus/order_link.py reads and writes them."""

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.kernels.headers import HEADER_BYTES_MAX, read_header, write_header
from bus.order_link import LinkError, header_of, link_frames
from market.kernels.compiling import IS_COMPILED
from market.limits import ID_MAX

NUMBER = st.one_of(st.integers(0, 300), st.integers(0, ID_MAX), st.sampled_from([2**8, 2**16 - 1, 2**32, ID_MAX]))
HEADER = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER, NUMBER)
AT = 3


def _compiled(function: Any) -> Any:
    return numba.njit(function) if IS_COMPILED else function


@_compiled
def _read(buffer: Any, size: int, header: Any) -> bool:
    return read_header(buffer, AT, size, header)


@_compiled
def _write(buffer: Any, numbers: Any) -> int:
    return write_header(buffer, AT, numbers)


def _read_back(data: bytes) -> list[int] | None:
    buffer, header = np.zeros(AT + len(data) + 1, np.uint8), np.zeros(5, np.int64)
    buffer[AT : AT + len(data)] = bytearray(data)
    return header.tolist() if _read(buffer, len(data), header) else None


@settings(deadline=None)  # the first one is compiled
@given(numbers=HEADER)
def test_both_write_the_same_bytes_and_read_the_same_numbers(numbers: tuple[int, ...]) -> None:
    """Each in its shortest form."""
    expected = link_frames(b"", *numbers)[0]
    buffer = np.zeros(AT + HEADER_BYTES_MAX, np.uint8)
    end = _write(buffer, tuple(map(np.int64, numbers)))
    assert buffer[AT:end].tobytes() == expected
    assert _read_back(expected) == list(numbers)


@settings(deadline=None)  # the first one is compiled
@given(numbers=HEADER, at=st.integers(0, 45), byte=st.integers(0, 255), cut=st.integers(0, 45))
def test_what_a_kernel_takes_for_a_header_is_one(numbers: tuple[int, ...], at: int, byte: int, cut: int) -> None:
    """It may leave one to Python that is one, as of six integers; never the other way round."""
    data = bytearray(link_frames(b"", *numbers)[0])
    if at < len(data):
        data[at] = byte
    data = data[: len(data) - cut] if cut < len(data) else data
    found = _read_back(bytes(data))
    try:
        expected = header_of([bytes(data), b""])
    except LinkError:
        assert found is None
    else:
        assert found in (expected, None)


@pytest.mark.parametrize("data", [b"", b"\x95", b"\x95" + b"\xcf" * 80, b"\x94\1\1\1\1", b"\xdc\0\5\1\1\1\1\1"])
def test_what_is_none_is_left_to_python(data: bytes) -> None:
    """Or is one that nobody writes so."""
    assert _read_back(data) is None
