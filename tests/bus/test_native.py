"""The addresses by which kernels call ZeroMQ and the system: checked before they are used, or not used."""

import ctypes
import sys
from collections.abc import Callable
from errno import EAGAIN
from typing import Any

import numpy as np
import pytest
import zmq

from bus.kernels.parts import CALLS, carry
from bus.native import NoCallsError, address_of_socket, find_calls


def _finding(**others: Any) -> Callable[[str], int]:
    """Return what finds the right addresses, but for these functions."""
    library = ctypes.CDLL(sys.modules["zmq.backend.cython._zmq"].__file__)
    right = dict(zip(CALLS, find_calls().tolist(), strict=True)) | {"zmq_version": _address(library.zmq_version)}
    return lambda name: _address(others[name]) if name in others else right[name]


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def test_a_message_is_carried_by_address() -> None:
    """By the library that pyzmq itself has loaded: its sockets are known to it."""
    calls = find_calls()
    assert len(calls) == len(CALLS)
    context: zmq.Context[Any] = zmq.Context()
    one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    one.bind("inproc://a")
    other.connect("inproc://a")
    buffer = np.zeros(16, np.uint8)
    buffer[:3] = 1, 2, 3
    other.send(b"first")
    assert carry(calls, address_of_socket(one), address_of_socket(one), buffer, 3) == 5
    assert buffer.tobytes()[:8] == b"\1\2\3first"
    assert other.recv() == b"\1\2\3"
    assert carry(calls, address_of_socket(other), address_of_socket(other), buffer, 3) == -EAGAIN
    for socket in (one, other):
        socket.close(0)
    context.term()


def test_a_wheel_that_hides_its_names_is_said() -> None:
    """As one that has ZeroMQ built in would."""

    def find(name: str) -> int:
        raise AttributeError(f"undefined symbol: {name}")

    with pytest.raises(NoCallsError, match="undefined symbol: zmq_recv"):
        find_calls(find)


def test_another_version_is_said() -> None:
    """Its calls may take other arguments; or it is not the one that pyzmq calls."""
    pointer = ctypes.POINTER(ctypes.c_int)

    @ctypes.CFUNCTYPE(None, pointer, pointer, pointer)  # type: ignore[untyped-decorator]
    def version(*numbers: Any) -> None:
        for number, value in zip(numbers, (5, 1, 0), strict=True):
            number[0] = value

    with pytest.raises(NoCallsError, match=r"expected ZeroMQ 4 of version .*, was \(5, 1, 0\)"):
        find_calls(_finding(zmq_version=version))


def test_a_message_that_does_not_arrive_is_said() -> None:
    """The last look before anything goes this way."""

    @ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 4)  # type: ignore[untyped-decorator]
    def swallow(_: int, __: int, size: int, ___: int) -> int:
        return size

    with pytest.raises(NoCallsError, match="expected a message of 14 bytes to arrive, was -11"):
        find_calls(_finding(zmq_send=swallow))


def test_without_a_compiled_pyzmq_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other backend has no library to search."""
    monkeypatch.delitem(sys.modules, "zmq.backend.cython._zmq")
    with pytest.raises(NoCallsError, match="expected pyzmq's compiled backend"):
        find_calls()
