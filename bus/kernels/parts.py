"""Parts of ZeroMQ's messages, received and sent by kernels without waiting; files and clocks likewise.

`calls` are the addresses that bus/native.py has found, in the order of `CALLS`. What fails returns its error number
below 0, EAGAIN if nothing waits or nothing fits; what a signal has cut short is done again.
"""
# mypy: disable-error-code="no-any-return, return-value"

from errno import EAGAIN, EINTR
from typing import Final

import numpy as np
import numpy.typing as npt

from market.clock import NS_PER_SECOND
from market.kernels.calling import address_of, call_int, call_long, int_at
from market.kernels.compiling import inlined, kernel
from market.kernels.integers import ByteArray
from market.kernels.rows import Int64Array

# The places of the addresses.
CALLS: Final = (
    "zmq_recv",
    "zmq_send",
    "zmq_getsockopt",
    "zmq_errno",
    "write",
    "__errno_location",
    "clock_gettime",
    "sched_yield",
    "recv",
    "send",
    "poll",
)
_RECEIVE, _SEND, _GET, _BUS_ERROR, _WRITE, _ERROR_AT, _CLOCK, _YIELD, _TCP_RECEIVE, _TCP_SEND, _POLL = range(len(CALLS))

NOTHING_WAITS: Final = -EAGAIN

Int32Array = npt.NDArray[np.int32]

# From libzmq 4's zmq.h, and Linux's time.h, socket.h and poll.h.
SEND_MORE: Final = 2
_DONT_WAIT: Final = 1
_RECEIVE_MORE: Final = 13
_INT_SIZE: Final = 4
REAL_TIME: Final = 0
MONOTONIC: Final = 1
_TCP_DONT_WAIT: Final = 0x40 | 0x4000  # nor is a signal wanted where the other end is gone
POLL_READ: Final = 1

SCRATCH_SIZE: Final = 2  # numbers that a call's answer needs


@inlined
def receive_part(calls: Int64Array, socket: int, buffer: ByteArray, at: int, room: int) -> int:
    """Receive a part into `buffer[at:at + room]`; return its size: what is more than `room` of it is lost."""
    while True:
        size = call_int(calls[_RECEIVE], (socket, address_of(buffer, at), room, _DONT_WAIT))
        if size >= 0:
            return size
        error = call_int(calls[_BUS_ERROR], ())
        if error != EINTR:
            return -error


@inlined
def has_more(calls: Int64Array, socket: int, scratch: Int64Array) -> int:
    """Return 1 if the message goes on behind the part that was received, 0 if that was the last."""
    scratch[0], scratch[1] = 0, _INT_SIZE
    got = call_int(calls[_GET], (socket, _RECEIVE_MORE, address_of(scratch, 0), address_of(scratch, 1)))
    return -call_int(calls[_BUS_ERROR], ()) if got < 0 else scratch[0]


@inlined
def send_part(calls: Int64Array, socket: int, buffer: ByteArray, at: int, size: int, flags: int) -> int:
    """Send `buffer[at:at + size]`, which is copied; return the size. `flags`: SEND_MORE if another part follows."""
    while True:
        sent = call_int(calls[_SEND], (socket, address_of(buffer, at), size, _DONT_WAIT | flags))
        if sent >= 0:
            return sent
        error = call_int(calls[_BUS_ERROR], ())
        if error != EINTR:
            return -error


@inlined
def write_file(calls: Int64Array, descriptor: int, buffer: ByteArray, at: int, size: int) -> int:
    """Write `buffer[at:at + size]` with one call of the system; return how much of it was written."""
    while True:
        done = call_long(calls[_WRITE], (descriptor, address_of(buffer, at), size))
        if done >= 0:
            return done
        error = int_at(call_long(calls[_ERROR_AT], ()))
        if error != EINTR:
            return -error


@inlined
def receive_bytes(calls: Int64Array, descriptor: int, buffer: ByteArray, at: int, room: int) -> int:
    """Receive of a TCP stream what waits, into `buffer[at:at + room]`; return how much, 0 at its end."""
    while True:
        size = call_long(calls[_TCP_RECEIVE], (descriptor, address_of(buffer, at), room, _TCP_DONT_WAIT))
        if size >= 0:
            return size
        error = int_at(call_long(calls[_ERROR_AT], ()))
        if error != EINTR:
            return -error


@inlined
def send_bytes(calls: Int64Array, descriptor: int, buffer: ByteArray, at: int, size: int) -> int:
    """Send of `buffer[at:at + size]` what a TCP stream takes; return how much."""
    while True:
        sent = call_long(calls[_TCP_SEND], (descriptor, address_of(buffer, at), size, _TCP_DONT_WAIT))
        if sent >= 0:
            return sent
        error = int_at(call_long(calls[_ERROR_AT], ()))
        if error != EINTR:
            return -error


@inlined
def sleep_on(calls: Int64Array, watched: Int32Array, count: int, timeout_ms: int) -> int:
    """Sleep until something is true of a descriptor, a signal comes, or the time is over; return of how many it is.

    Args:
        watched: two numbers a descriptor: itself, below 0 for none, then the events (POLL_READ), and 16 bits above them
            those that are true.
        count: of descriptors.
    """
    return call_int(calls[_POLL], (address_of(watched, 0), count, timeout_ms))


@inlined
def clock_ns(calls: Int64Array, which: int, scratch: Int64Array) -> int:
    """Return the time by the clock REAL_TIME or MONOTONIC."""
    call_int(calls[_CLOCK], (which, address_of(scratch, 0)))
    return scratch[0] * np.int64(NS_PER_SECOND) + scratch[1]


@inlined
def give_way(calls: Int64Array) -> None:
    """Let somebody else have the processor, if anybody wants it."""
    call_int(calls[_YIELD], ())


@kernel
def carry(calls: Int64Array, sender: int, receiver: int, buffer: ByteArray, size: int) -> int:
    """Send `buffer[:size]` from one socket to the other, into the bytes behind it; return how many came."""
    sent = send_part(calls, sender, buffer, 0, size, 0)
    return sent if sent < 0 else receive_part(calls, receiver, buffer, size, len(buffer) - size)
