"""The least that a round trip can take without an interpreter: the hops of latency_floor.py in compiled loops.

A TCP echo with two hops over ZeroMQ behind it, messages as long, and no work. Over ipc between two processes, or over
inproc between two threads of one. A loop that is awake looks for so long before it sleeps; one that is not sleeps at
once.
"""
# mypy: disable-error-code="no-any-return, return-value"

import multiprocessing
import socket
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from benchmarks.latency_floor import COMMAND, REPORT, REPORT_BYTES, FloorClient
from bus.kernels.parts import (
    MONOTONIC,
    NOTHING_WAITS,
    POLL_READ,
    SCRATCH_SIZE,
    SEND_MORE,
    Int32Array,
    clock_ns,
    give_way,
    has_more,
    receive_bytes,
    receive_part,
    send_bytes,
    send_part,
    sleep_on,
)
from bus.native import address_of_socket, find_calls
from market.clock import NS_PER_US
from market.kernels.compiling import inlined, kernel
from market.kernels.integers import ByteArray
from market.kernels.rows import Int64Array

AWAKE_NS: Final = 1_000 * NS_PER_US  # as `bus.spin_us`
_ROOM: Final = 4_096
_NOBODY: Final = -1
_HEADER: Final = len(COMMAND[0])
_COMMANDS: Final = len(COMMAND[1])
_REPORTS: Final = len(REPORT[1])
_SLEEP_MS: Final = 1_000
assert len(REPORT[0]) == _HEADER


@kernel
def run_gateway(
    calls: Int64Array,
    client: int,
    engine: int,
    watched: Int32Array,
    buffer: ByteArray,
    scratch: Int64Array,
    look_ns: int,
) -> int:
    """Carry what the client sends to the engine, and what that says back, until the client hangs up."""
    heard_ns = clock_ns(calls, MONOTONIC, scratch)
    while True:
        is_quiet = True
        size = receive_bytes(calls, client, buffer, 0, _ROOM)
        if size == 0:
            send_part(calls, engine, buffer, 0, 0, SEND_MORE)
            return send_part(calls, engine, buffer, 0, 0, 0)
        if size > 0:
            is_quiet = False
            send_part(calls, engine, buffer, 0, _HEADER, SEND_MORE)
            send_part(calls, engine, buffer, 0, _COMMANDS, 0)
        elif size != NOTHING_WAITS:
            return size
        if receive_part(calls, engine, buffer, 0, _ROOM) >= 0:
            is_quiet = False
            while has_more(calls, engine, scratch):
                receive_part(calls, engine, buffer, 0, _ROOM)
            send_bytes(calls, client, buffer, 0, REPORT_BYTES)
        heard_ns = _wait(calls, watched, scratch, look_ns, heard_ns if is_quiet else _NOBODY)


@kernel
def run_engine(
    calls: Int64Array, orders: int, watched: Int32Array, buffer: ByteArray, scratch: Int64Array, look_ns: int
) -> int:
    """Answer each message, until one is empty."""
    heard_ns = clock_ns(calls, MONOTONIC, scratch)
    while True:
        is_quiet = True
        identity_size = receive_part(calls, orders, buffer, 0, _ROOM)
        if identity_size >= 0:
            is_quiet = False
            size = 0
            while has_more(calls, orders, scratch):
                size = receive_part(calls, orders, buffer, identity_size, _ROOM)
            if size == 0:
                return 0
            send_part(calls, orders, buffer, 0, identity_size, SEND_MORE)
            send_part(calls, orders, buffer, 0, _HEADER, SEND_MORE)
            send_part(calls, orders, buffer, 0, _REPORTS, 0)
        heard_ns = _wait(calls, watched, scratch, look_ns, heard_ns if is_quiet else _NOBODY)


@inlined
def _wait(calls: Int64Array, watched: Int32Array, scratch: Int64Array, look_ns: int, heard_ns: int) -> int:
    """Give way, or sleep if nothing was heard for so long; return when something was last heard."""
    now_ns = clock_ns(calls, MONOTONIC, scratch)
    if heard_ns == _NOBODY:
        return now_ns
    if now_ns - heard_ns < look_ns:
        give_way(calls)
    else:
        sleep_on(calls, watched, len(watched) // 2, _SLEEP_MS)
    return heard_ns


def _watched(*descriptors: int) -> Int32Array:
    return np.array([(descriptor, POLL_READ) for descriptor in descriptors], np.int32).reshape(-1)


def _memory() -> tuple[ByteArray, Int64Array]:
    return np.zeros(2 * _ROOM, np.uint8), np.zeros(SCRATCH_SIZE, np.int64)


def _serve_gateway(context: "zmq.Context[Any] | None", port_of: Any, address: str, look_ns: int) -> None:
    own = context or zmq.Context()
    engine = own.socket(zmq.DEALER)
    engine.connect(address)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port_of.put(listener.getsockname()[1])
        client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    watched = _watched(client.fileno(), engine.FD)
    run_gateway(find_calls(), client.fileno(), address_of_socket(engine), watched, *_memory(), look_ns)
    engine.close(1_000)
    client.close()
    if context is None:
        own.term()


def _serve_engine(context: "zmq.Context[Any] | None", bound: Any, address: str, look_ns: int) -> None:
    own = context or zmq.Context()
    orders = own.socket(zmq.ROUTER)
    orders.bind(address)
    bound.put(True)
    run_engine(find_calls(), address_of_socket(orders), _watched(orders.FD), *_memory(), look_ns)
    orders.close(0)
    if context is None:
        own.term()


def _serve_both(port_of: Any, look_ns: int) -> None:
    import queue

    context: zmq.Context[Any] = zmq.Context()
    bound: Any = queue.SimpleQueue()
    engine = threading.Thread(target=_serve_engine, args=(context, bound, "inproc://floor", look_ns))
    engine.start()
    bound.get()
    _serve_gateway(context, port_of, "inproc://floor", look_ns)
    engine.join()
    context.term()


class CompiledFloor(FloorClient):
    """The two loops, and a client of theirs.

    Args:
        folder: for the socket; short enough for a Unix socket.
        is_awake: whether they look for the next message before they sleep.
        is_colocated: whether they are threads of one process.
    """

    def __init__(self, folder: Path, *, is_awake: bool, is_colocated: bool) -> None:
        context = multiprocessing.get_context("spawn")
        port_of, bound, look_ns = context.Queue(), context.Queue(), AWAKE_NS if is_awake else 0
        address = f"ipc://{folder}/floor-{'awake' if is_awake else 'asleep'}.ipc"
        self._processes: list[Any] = []
        if is_colocated:
            self._processes.append(context.Process(target=_serve_both, args=(port_of, look_ns)))
            self._processes[0].start()
        else:
            for serve, to in ((_serve_engine, bound), (_serve_gateway, port_of)):
                self._processes.append(context.Process(target=serve, args=(None, to, address, look_ns)))
                self._processes[-1].start()
        self._socket = socket.create_connection(("127.0.0.1", port_of.get(timeout=120)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
