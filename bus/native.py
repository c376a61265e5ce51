"""The functions of the system and of ZeroMQ that kernels call, by their addresses: all such pointers are found here.

What may go wrong, and what is done: there is no compiled pyzmq, or its wheel hides ZeroMQ's names, or it is of a
version whose calls are not known to be the same, or a message that is sent with these addresses does not arrive. Then
`find_calls` says so, and whoever wanted to go this way goes the other one.

ZeroMQ is taken from where pyzmq's own extension has it: a search that begins at the extension meets the very library
that the extension calls, whatever the wheel names it. A second copy of it would take a socket of the first for memory
of its own.
"""

import ctypes
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import zmq

from bus.kernels.parts import CALLS, carry
from market.kernels.integers import ByteArray
from market.kernels.rows import Int64Array

_VERSIONS: Final = ((4, 2, 0), (5, 0, 0))  # from the first on, and before the second, these calls are the same
_HELLO: Final = b"by its address"

Find = Callable[[str], int]


class NoCallsError(Exception):
    """A kernel cannot call the system here; the text says why."""


def find_calls(find: Find | None = None) -> Int64Array:
    """Return the addresses of `CALLS`, in their order, once a message has come through with them.

    Args:
        find: returns the address of a name; None: where this process has it.

    Raises:
        NoCallsError: if kernels cannot call them.
    """
    if sys.byteorder != "little":
        raise NoCallsError("this machine has its bytes the other way round")
    find = find or _finder()
    try:
        calls: Int64Array = np.array([find(name) for name in CALLS], np.int64)
        version = _version(find("zmq_version"))
    except (OSError, AttributeError) as error:
        raise NoCallsError(str(error)) from None
    expected = zmq.zmq_version_info()
    if version != expected or not _VERSIONS[0] <= version < _VERSIONS[1]:
        raise NoCallsError(f"expected ZeroMQ 4 of version {expected}, was {version}")
    _check(calls)
    return calls


def address_of_socket(socket: "zmq.Socket[bytes]") -> int:
    """Return the handle by which ZeroMQ's own calls know a socket; it is good until the socket is closed."""
    return int(socket.underlying)


def socket_error(number: int) -> zmq.ZMQError:
    """Return what pyzmq would have raised where a call has failed with this error number."""
    return zmq.ZMQError(number)


def _finder() -> Find:
    """Return what finds names in the library that pyzmq calls, and in the system's."""
    backend = sys.modules.get("zmq.backend.cython._zmq")
    path = getattr(backend, "__file__", None)
    if path is None:
        raise NoCallsError("expected pyzmq's compiled backend")
    bus, system = ctypes.CDLL(path), ctypes.CDLL(None)

    def find(name: str) -> int:
        library = bus if name.startswith("zmq_") else system
        return int(ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0)

    return find


def _version(address: int) -> tuple[int, ...]:
    numbers = [ctypes.c_int() for _ in range(3)]
    pointer = ctypes.POINTER(ctypes.c_int)
    ctypes.CFUNCTYPE(None, pointer, pointer, pointer)(address)(*map(ctypes.byref, numbers))
    return tuple(number.value for number in numbers)


def _check(calls: Int64Array) -> None:
    """Let a message go from one socket to another one.

    Raises:
        NoCallsError: if it does not arrive.
    """
    context: zmq.Context[Any] = zmq.Context()
    sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    try:
        sender.bind("inproc://check")
        receiver.connect("inproc://check")
        size = len(_HELLO)
        buffer: ByteArray = np.zeros(2 * size, np.uint8)
        buffer.data[:size] = _HELLO
        ends = address_of_socket(sender), address_of_socket(receiver)
        came = carry(calls, *ends, buffer, size)
        if came != size or bytes(buffer.data[size:]) != _HELLO:
            raise NoCallsError(f"expected a message of {size} bytes to arrive, was {came}")
    finally:
        sender.close(0)
        receiver.close(0)
        context.term()


def replaced(calls: Int64Array, others: Mapping[str, int]) -> Int64Array:
    """Return the same addresses, but for some: of a clock that stands still, of a call that fails."""
    return np.array([others.get(name, at) for name, at in zip(CALLS, calls.tolist(), strict=True)], np.int64)
