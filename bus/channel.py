"""Sockets for the channels of the topology, made the same way everywhere; and how to wait on them."""

import contextlib
import errno
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import zmq
from zmq.backend import Socket as PlainSocket

from bus.curve import gate
from bus.topology import Channel
from bus.wiring import Wiring
from market.clock import NS_PER_SECOND
from market.limits import FRAME_BYTES_MAX

# As plain numbers: the enums' arithmetic takes longer than what it is for.
_NOW, _NOW_AND_MORE, _POLLIN = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.POLLIN)
_EVENTS, _RCVMORE = int(zmq.EVENTS), int(zmq.RCVMORE)

ELSEWHERE_NS = NS_PER_SECOND  # without a peer, after which whoever connects looks for it in the next place
UNHEARD_NS = 4 * NS_PER_SECOND  # likewise, of a peer that says nothing

_bound: set[Path] = set()  # the socket files of what this process has bound and not closed yet

_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


def _context() -> "zmq.Context[zmq.Socket[bytes]]":
    """Return the process's context: a second thread of ZeroMQ's moves what is bulky, so that no order waits for it."""
    return zmq.Context.instance(io_threads=2)


class ChannelSocket:
    """One end of a channel: whole multipart messages in and out, never blocking.

    Args:
        channel: a row of the topology.
        place: where the desk's channels are; of a mere run directory, its socket files alone.
        binder: the name of the node that binds it.
        is_binder: whether we are that node.

    Raises:
        ValueError: if the run directory's path is too long for a Unix socket.
        OSError: if a tcp endpoint cannot be bound.
        zmq.ZMQError: if the run directory is absent.
    """

    _places: tuple[Wiring, ...] = ()  # of one that a test or a simulation makes: it has none to go to

    def __init__(self, channel: Channel, place: Path | Wiring, binder: str, *, is_binder: bool = False) -> None:
        wiring = place if isinstance(place, Wiring) else Wiring(place)
        self._places = (wiring,) if is_binder else wiring.places(binder)
        self._connects = [] if is_binder else [each.connected(channel, binder) for each in self._places]
        endpoints = wiring.bound(channel, binder) if is_binder else self._connects[:1]
        self.endpoint = endpoints[0]
        self._place = 0
        self._alone_since_ns: int | None = None  # None: the next look that finds it so starts to count
        self._unheard_since_ns: int | None = None  # likewise
        kind = channel.bind_type if is_binder else channel.connect_type
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.SocketType[kind])
        # What send_multipart and recv_multipart do around these takes five times as long as they.
        self._send_frame = partial(PlainSocket.send, self._socket)
        self._receive_frame = partial(PlainSocket.recv, self._socket, _NOW)
        self._get: Callable[[int], Any] = partial(PlainSocket.get, self._socket)
        for option, value in _options(channel, kind, is_binder=is_binder).items():
            self._socket.setsockopt(option, value)
        over_tcp = self.endpoint if self.endpoint.startswith("tcp:") else None
        tcp = wiring.bound_tcp(channel, binder) if is_binder else over_tcp
        # Inside a process there is no connection to lose, and ZeroMQ tells of none: the binder is there while we are.
        self._is_sender = kind == "DEALER" and binder not in wiring.colocated
        is_watched = self._is_sender or tcp is not None or len(self._places) > 1
        self._peer = _PeerWatch(self._socket) if is_watched else None
        self._is_binder = is_binder
        self._refused_count = 0
        try:
            for each in endpoints if is_binder else ():
                if each.startswith("ipc://"):
                    _bound.add(_file_of(each))
                self._socket.bind(each)
            self._prepare_tcp(tcp, wiring)  # what is bound already stays as it is
            if not is_binder:
                self._socket.connect(self.endpoint)
            elif tcp is not None:
                self._socket.bind(tcp)
        except zmq.ZMQError as error:
            self.close()
            if tcp is not None and error.errno != errno.ENOENT:
                why = str(error.strerror).partition(" (addr")[0]  # the library says the address again
                raise OSError(f"cannot use {tcp}: {why}") from None
            raise

    def _prepare_tcp(self, tcp: str | None, wiring: Wiring) -> None:
        """Set what tcp needs and the transports inside a machine do not: other addresses, lost peers, keys."""
        if tcp is None or wiring.tcp is None:
            return
        self._socket.setsockopt(zmq.IPV6, int("[" in tcp))
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, 1_000)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3_000)
        if (curve := wiring.tcp.curve) is not None:
            curve.serve(self._socket, wiring.domain) if self._is_binder else curve.join(self._socket)

    def check_refusals(self) -> int:
        """Return how many connections over tcp have failed because one end did not have the right keys.

        ZeroMQ gives up when it is refused. We try again here: call it now and then, at most several times a second.
        """
        count = 0 if self._peer is None else self._peer.refused_count()
        if count > self._refused_count and not self._is_binder:
            with contextlib.suppress(zmq.ZMQError):  # given up for good, or not yet
                self._socket.disconnect(self.endpoint)
            self._socket.connect(self.endpoint)
        self._refused_count = count
        return count

    def look_elsewhere(self, now_ns: int, *, is_heard: bool) -> bool:
        """Connect to the next place if there are several, and in this one nobody has been or said anything for a while.

        Args:
            now_ns: monotonic; call it several times a second.
            is_heard: whether the peer has said something lately; a connection alone may be to somebody who is none.

        Returns:
            Whether what is sent from now on goes elsewhere, and what was on its way is lost.
        """
        if len(self._places) < 2 or self._peer is None:
            return False
        self._alone_since_ns = None if self._peer.is_there() else self._alone_since_ns or now_ns
        self._unheard_since_ns = None if is_heard else self._unheard_since_ns or now_ns
        is_alone = self._alone_since_ns is not None and now_ns - self._alone_since_ns > ELSEWHERE_NS
        if is_alone or (self._unheard_since_ns is not None and now_ns - self._unheard_since_ns > UNHEARD_NS):
            self.go_elsewhere()
            return True
        return False

    def go_elsewhere(self) -> None:
        """Leave who is here, and connect to the next place; without another one to the same again."""
        with contextlib.suppress(zmq.ZMQError):  # given up for good, or not yet
            self._socket.disconnect(self.endpoint)
        self._alone_since_ns = self._unheard_since_ns = None
        if self._peer is not None:
            self._peer.forget()
        self._place = (self._place + 1) % len(self._places)
        self.endpoint = self._connects[self._place]
        self._socket.setsockopt(zmq.CURVE_SERVER, 0)  # no keys, unless the next place wants them
        self._prepare_tcp(self.endpoint if self.endpoint.startswith("tcp:") else None, self._places[self._place])
        self._socket.connect(self.endpoint)

    @property
    def raw(self) -> Any:
        """The zmq socket, for a poller."""
        return self._socket

    def subscribe(self, topic: bytes) -> None:
        """Ask for the messages whose topic starts with `topic` (SUB only)."""
        self._socket.subscribe(topic)

    def send(self, frames: list[bytes]) -> bool:
        """Send one message; return False if there is no room or no peer, and nothing was sent."""
        if self._is_sender and self._peer is not None and not self._peer.is_there():
            self.check_refusals()
            return False
        try:
            for frame in frames[:-1]:
                self._send_frame(frame, _NOW_AND_MORE)
            self._send_frame(frames[-1], _NOW)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def send_to_each(self, envelopes: Iterable[list[bytes]], frames: list[bytes]) -> None:
        """Send one message to each of several peers (ROUTER only), its last frame without a copy for each."""
        *heads, body = frames
        shared: Any = zmq.Frame(body, copy=False)
        for envelope in envelopes:
            self.send([*envelope, *heads, shared])

    def receive(self, *, is_told: bool = False) -> list[bytes] | None:
        """Return the next message, or None if none waits.

        Args:
            is_told: whether a poll has just said that one waits, so that we need not ask again.
        """
        # To ask first takes a fifth of the time that zmq.Again takes, and every turn of a loop ends with it.
        if not (is_told or self._get(_EVENTS) & _POLLIN):
            return None
        try:
            frames = [self._receive_frame()]
            while self._get(_RCVMORE):
                frames.append(self._receive_frame())
        except zmq.Again:
            return None
        return frames

    def receive_rest(self) -> list[bytes]:
        """Return the parts of a message whose first ones were received by a kernel."""
        frames = []
        while self._get(_RCVMORE):
            frames.append(self._receive_frame())
        return frames

    def wait(self, timeout_ms: int) -> bool:
        """Wait until a message can be received; return whether one can."""
        return bool(self._socket.poll(timeout_ms))

    def close(self) -> None:
        """Close the socket; what is on its way gets the channel's linger time."""
        if self._peer is not None and not self._socket.closed:
            self._peer.close()
        self._socket.close()
        if self._is_binder:
            _remove_file(_file_of(self.endpoint))


def _file_of(endpoint: str) -> Path:
    return Path(endpoint.removeprefix("ipc://"))


def _remove_file(path: Path) -> None:
    path.unlink(missing_ok=True)
    _bound.discard(path)


def _options(channel: Channel, kind: str, *, is_binder: bool) -> dict[int, int]:
    options = {
        zmq.AFFINITY: 2 if is_binder and channel.is_bulky else 1,
        zmq.LINGER: channel.linger_ms,
        zmq.SNDHWM: channel.high_water_mark,
        zmq.RCVHWM: channel.high_water_mark,
        zmq.MAXMSGSIZE: FRAME_BYTES_MAX if is_binder else channel.answer_bytes_max,
    }
    if not channel.is_lossy:  # a stopped peer shows only through heartbeats
        options |= {zmq.HEARTBEAT_IVL: 200, zmq.HEARTBEAT_TIMEOUT: 2_000}
    if kind in ("DEALER", "SUB"):
        options |= {zmq.RECONNECT_IVL: 20, zmq.RECONNECT_IVL_MAX: 500}
    if kind == "ROUTER":
        options[zmq.ROUTER_MANDATORY] = 1  # else it drops what it cannot send, without a word
    if kind == "XPUB":
        options[zmq.XPUB_VERBOSE] = 1  # else only the first subscriber of a topic is heard of
    return {int(option): value for option, value in options.items()}


class _PeerWatch:
    """Knows whether a connecting socket has its peer: without one a frame must stay with us, not in a queue.

    ZMQ_IMMEDIATE would say so too, but it ends a broken connection in the middle of a message that is being read, and
    then libzmq 4.3.5 aborts the process (`!_more`, fq.cpp): measured, once in some thousand broken connections.
    """

    def __init__(self, watched: "zmq.Socket[bytes]") -> None:
        self._watched = watched
        address = f"inproc://peer-{watched.FD}"
        watched.monitor(address, zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSALS)
        self._events: zmq.Socket[bytes] = _context().socket(zmq.PAIR)
        self._events.setsockopt(zmq.RCVHWM, 0)  # ZeroMQ's own thread would wait for us to make room
        self._events.connect(address)
        self._get: Callable[[int], Any] = partial(PlainSocket.get, self._events)
        self._is_there = False
        self._refused_count = 0

    def is_there(self) -> bool:
        self._read()
        return self._is_there

    def forget(self) -> None:
        """Know nothing of a peer any more: the next one is another."""
        self._read()
        self._is_there = False

    def refused_count(self) -> int:
        self._read()
        return self._refused_count

    def _read(self) -> None:
        try:
            while self._get(_EVENTS) & _POLLIN:
                frames = self._events.recv_multipart(zmq.NOBLOCK)
                event = int.from_bytes(frames[0][:2], sys.byteorder)
                if event & _REFUSALS:
                    self._refused_count += 1
                else:
                    self._is_there = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        except zmq.Again:
            return

    def close(self) -> None:
        self._watched.disable_monitor()
        self._events.close(linger=0)


def close_all() -> None:
    """Close the sockets of this process that an error or a signal has left open, and remove their files.

    What is on its way gets each one's linger time. To be called when no other thread uses a socket any more.
    """
    gate.close()
    _context().destroy()
    for path in list(_bound):
        _remove_file(path)


def wait_any(sockets: Sequence[ChannelSocket], timeout_ms: int) -> None:
    """Wait until a message can be received from one of `sockets`, but not longer than that."""
    poller = zmq.Poller()
    for channel_socket in sockets:
        poller.register(channel_socket.raw, zmq.POLLIN)
    poller.poll(timeout_ms)
