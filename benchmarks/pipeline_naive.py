"""The same way for orders as it is usually written: one Python object and one ZeroMQ message for each, three processes.

A gateway reads TCP with msgpack.Unpacker, makes an object of each order and sends it in a message of
its own; the engine's process decodes it, makes the object again, matches it and sends one message for each event; the
gateway passes that on. The matching engine is the compiled one, so what is slow is the way there. It keeps no session,
no limit and no journal.
"""

import multiprocessing
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgpack
import numpy as np
import zmq

from benchmarks.order_streams import OrderStream, direct_hash
from engine.matching_engine import MatchingEngine, make_engine
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codes import CancelReason, Tag
from market.commands import CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Executed, Rejected
from market.kernels.rows import TAG, read_event, write_command

CHUNK_BYTES: Final = 16_384
READ_BYTES: Final = 65_536
SYMBOLS: Final = 1
ORDERS_MAX: Final = 65_536
_COMMANDS: Final = {int(Tag.NEW_ORDER): NewOrder, int(Tag.CANCEL_ORDER): CancelOrder, int(Tag.MASS_CANCEL): MassCancel}


class NaiveSpeed(NamedTuple):
    """How many commands were answered in how long, and the state that they led to."""

    commands: int
    seconds: float
    state_hash: int


def _serve_gateway(port_of: "multiprocessing.Queue[int]", address: str) -> None:
    """Pass orders on one by one, and reports back one by one, until the client hangs up."""
    context = zmq.Context()
    engine: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    engine.set_hwm(0)
    engine.connect(address)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port_of.put(listener.getsockname()[1])
        client, _ = listener.accept()
    poller = zmq.Poller()
    poller.register(client, zmq.POLLIN)
    poller.register(engine, zmq.POLLIN)
    unpacker = msgpack.Unpacker()
    while True:
        ready = dict(poller.poll())
        if client.fileno() in ready:
            data = client.recv(READ_BYTES)
            if not data:
                break
            unpacker.feed(data)
            for tag, *values in unpacker:
                order = _COMMANDS[tag](*values)
                engine.send(msgpack.packb((tag, *order)))
        if engine in ready:
            while engine.poll(0):
                client.sendall(engine.recv())
    engine.send(b"")
    engine.close()
    client.close()
    context.term()


def _serve_engine(address: str, hash_of: "multiprocessing.Queue[int]") -> None:
    """Match order by order until the gateway says the end."""
    matching = make_engine("fast", SYMBOLS, ORDERS_MAX)
    context = zmq.Context()
    orders = context.socket(zmq.ROUTER)
    orders.set_hwm(0)
    orders.bind(address)
    while True:
        identity, frame = orders.recv_multipart()
        if not frame:
            break
        for event in _events_of(matching, frame):
            orders.send_multipart([identity, event])
    hash_of.put(matching.state_hash())
    orders.close()
    context.term()


def _events_of(matching: MatchingEngine, frame: bytes) -> Iterator[bytes]:
    tag, *values = msgpack.unpackb(frame)
    ring, events = matching.commands, matching.events
    write_command(ring.rows, ring.claim(), _COMMANDS[tag](*values))
    ring.publish()
    while len(ring):
        matching.match()
        while len(rows := events.readable()):
            for row in rows:
                yield msgpack.packb((int(row[TAG]), *read_event(row)))
            events.consume(len(rows))


class _Client:
    """Sends a chunk, and the next one when every command of it is answered; two are always on their way."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._unpacker = msgpack.Unpacker()
        self.answered = 0

    def send(self, data: memoryview) -> None:
        self._socket.sendall(data)

    def receive_until(self, answered: int) -> None:
        while self.answered < answered:
            self._unpacker.feed(self._socket.recv(READ_BYTES))
            for tag, *values in self._unpacker:
                self.answered += self._answers(tag, values)

    def close(self) -> None:
        """Say the end, and read what comes behind the last answer: to hang up on it would reset the connection."""
        self._socket.shutdown(socket.SHUT_WR)
        while self._socket.recv(READ_BYTES):
            pass
        self._socket.close()

    @staticmethod
    def _answers(tag: int, values: list[int]) -> bool:
        if tag == Tag.CANCELED:
            return Canceled(*values).reason == CancelReason.REQUESTED
        if tag == Tag.EXECUTED:
            return not Executed(*values)
        return bool(Accepted(*values) if tag == Tag.ACCEPTED else tag == Tag.REJECTED and Rejected(*values))


def measure_naive(stream: OrderStream, folder: Path, seconds: float) -> NaiveSpeed:
    """Send the stream's first commands, as many as are answered in that time, and compare with a direct run.

    Raises:
        AssertionError: if the engine came to another state.
    """
    context = multiprocessing.get_context("spawn")
    port_of, hash_of = context.Queue(), context.Queue()
    address = f"ipc://{folder}/naive.ipc"
    engine = context.Process(target=_serve_engine, args=(address, hash_of))
    gateway = context.Process(target=_serve_gateway, args=(port_of, address))
    engine.start()
    gateway.start()
    try:
        client = _Client(port_of.get(timeout=60))
        data, ends = stream.data.data, stream.ends
        sent = at = 0
        start_ns = monotonic_ns()
        while sent < len(ends) and monotonic_ns() - start_ns < seconds * NS_PER_SECOND:
            before = sent
            sent = int(np.searchsorted(ends, at + CHUNK_BYTES))
            client.send(data[at : ends[sent - 1]])
            at = int(ends[sent - 1])
            client.receive_until(max(0, before - 1))  # the MassCancel of an empty book has no answer
        client.receive_until(sent - 1)
        took_s = (monotonic_ns() - start_ns) / NS_PER_SECOND
        client.close()
        found = NaiveSpeed(sent, took_s, hash_of.get(timeout=60))
    finally:
        for process in (gateway, engine):
            process.join(20)
            process.kill()
    expected = direct_hash(make_engine("fast", SYMBOLS, ORDERS_MAX), stream, sent, first_id=0, owner=0)
    assert found.state_hash == expected, f"the naive pipeline came to {found.state_hash:x}, not {expected:x}"
    return found
