"""What lies between processes: connections as ZeroMQ's, which are slow, break, and lose what was on its way.

A connection keeps its order. What was sent to a peer that is gone is lost, or read by it late, or by its successor,
as with ZeroMQ. A `Trouble` adds what a link must bear though a connection that holds never does it: single frames lost,
told twice, or overtaken.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from random import Random
from typing import Final, NamedTuple

from bus.channel import ChannelSocket
from bus.feed import Frames
from bus.topology import FEED, Channel
from bus.wiring import Wiring
from market.clock import NS_PER_MS, NS_PER_US
from simulation.faults.life import Life
from simulation.heap import EventHeap, Happening

CONNECT_NS: Final = 1 * NS_PER_MS, 300 * NS_PER_MS
_SUBSCRIBE: Final = b"\x01"


class Trouble(NamedTuple):
    """How bad the network is.

    Attributes:
        delay_ns: the shortest and the longest way of a frame.
        lost, repeated, overtaken: the share of frames that are.
    """

    delay_ns: tuple[int, int] = (20 * NS_PER_US, 300 * NS_PER_US)
    lost: float = 0.0
    repeated: float = 0.0
    overtaken: float = 0.0


class Network:
    """All connections.

    Args:
        heap: the clock.
        dice: what is drawn.
        trouble: how bad it is; may be changed at any time.
    """

    def __init__(self, heap: EventHeap, dice: Random, trouble: Trouble) -> None:
        self.heap = heap
        self.dice = dice
        self.trouble = trouble
        self.identities = count(1)
        self._bound: dict[tuple[str, str], Bound] = {}
        self._connecting: list[Connecting] = []

    def bind(self, channel: Channel, name: str, life: Life, on_readable: Happening) -> "Bound":
        """Return the socket of a process that binds a channel; those who wait for it connect soon."""
        bound = self._bound[channel.name, name] = Bound(self, channel, life, on_readable)
        for socket in self._connecting:
            if socket.place == (channel.name, name):
                socket.connect_soon()
        return bound

    def connect(self, channel: Channel, name: str, life: Life, on_readable: Happening) -> "Connecting":
        """Return the socket of a process that connects to whoever binds a channel."""
        socket = Connecting(self, (channel.name, name), life, on_readable)
        self._connecting.append(socket)
        socket.connect_soon()
        return socket

    def maker(self, life: Life, on_readable: Happening) -> Callable[[Channel, Wiring, str], ChannelSocket]:
        """Return what makes connecting sockets for a process, as ChannelSocket does."""
        return lambda channel, _, name: self.connect(channel, name, life, on_readable)

    def bound(self, place: tuple[str, str]) -> "Bound | None":
        """Return who binds a place now."""
        return self._bound.get(place)

    def forget(self, life: Life) -> None:
        """Break the connections of a process that has died."""
        for place, bound in list(self._bound.items()):
            if bound.life is life:
                del self._bound[place]
                for connection in list(bound.peers.values()):
                    connection.break_off()
        for socket in self._connecting:
            if socket.life is life and socket.connection is not None:
                socket.connection.break_off()
        self._connecting = [socket for socket in self._connecting if socket.life is not life]

    def cut(self) -> None:
        """Break a connection; its ends find each other again."""
        whole = [socket for socket in self._connecting if socket.connection is not None]
        if whole and (connection := self.dice.choice(whole).connection) is not None:
            connection.break_off()
            connection.socket.connect_soon()


class Connection:
    """One connection, from its handshake until it breaks."""

    def __init__(self, network: Network, socket: "Connecting", bound: "Bound") -> None:
        self.identity = b"%d" % next(network.identities)
        self.socket = socket
        self.is_whole = True
        self._network = network
        self._bound = bound
        self._ways: tuple[deque[Frames], deque[Frames]] = deque(), deque()
        self._last_ns = [0, 0]
        self._is_read_late = False

    def up(self, frames: Frames) -> None:
        """Send to the end that binds."""
        self._send(frames, 0)

    def down(self, frames: Frames) -> None:
        """Send to the end that connects."""
        self._send(frames, 1)

    def break_off(self) -> None:
        """Break; of what was on its way up, the front may still be read, and the back be sent again."""
        dice, (up, down) = self._network.dice, self._ways
        self.is_whole = False
        self._bound.peers.pop(self.identity, None)
        self.socket.connection = None
        self._is_read_late = dice.random() < 0.5
        if self.socket.life.is_alive:
            kept_count = dice.randint(0, len(up))
            self.socket.unsent.extend([up.pop() for _ in range(kept_count)][::-1])
        down.clear()

    def _send(self, frames: Frames, way: int) -> None:
        network, dice, trouble = self._network, self._network.dice, self._network.trouble
        if dice.random() < trouble.lost:
            return
        soonest_ns = network.heap.now_ns + dice.randint(*trouble.delay_ns)
        if dice.random() >= trouble.overtaken:
            soonest_ns = self._last_ns[way] = max(soonest_ns, self._last_ns[way])
        copies = 2 if dice.random() < trouble.repeated else 1
        for number in range(copies):
            self._ways[way].append(frames)
            network.heap.at(soonest_ns + number * dice.randint(*trouble.delay_ns), lambda: self._arrive(frames, way))

    def _arrive(self, frames: Frames, way: int) -> None:
        on_way = self._ways[way]
        if not any(each is frames for each in on_way):
            return  # the connection has broken
        on_way.remove(frames)
        if way:
            self.socket.take(frames)
        elif self.is_whole or self._is_read_late:
            self._bound.take([self.identity, *frames])


class _Inbox(ChannelSocket):
    """What both kinds of sockets are: frames that wait, and a process that is told of them."""

    def __init__(self, network: Network, life: Life, on_readable: Happening) -> None:
        self.life = life
        self._network = network
        self._on_readable = on_readable
        self._waiting: deque[Frames] = deque()

    def take(self, frames: Frames) -> None:
        """Let frames arrive."""
        self._waiting.append(frames)
        self.life.run(self._on_readable)

    def receive(self, *, is_told: bool = False) -> Frames | None:  # noqa: ARG002
        """Return the next message."""
        return self._waiting.popleft() if self._waiting else None

    def check_refusals(self) -> int:
        """Return 0: nobody is refused."""
        return 0

    def close(self) -> None:
        """Do nothing: what a process leaves open ends with it."""


class Bound(_Inbox):
    """A ROUTER, or of a feed an XPUB."""

    def __init__(self, network: Network, channel: Channel, life: Life, on_readable: Happening) -> None:
        super().__init__(network, life, on_readable)
        self.peers: dict[bytes, Connection] = {}
        self._is_feed = channel is FEED

    def send(self, frames: Frames) -> bool:
        """Send to whom the first frame names, of a feed to all who have subscribed to it."""
        self.life.point("send")
        if self._is_feed:
            for connection in list(self.peers.values()):
                if any(frames[0].startswith(topic) for topic in connection.socket.topics):
                    connection.down(frames)
            return True
        peer = self.peers.get(frames[0])
        if peer is not None:
            peer.down(frames[1:])
        return peer is not None

    def send_to_each(self, envelopes: Iterable[list[bytes]], frames: Frames) -> None:
        """Send to several."""
        for envelope in envelopes:
            self.send([*envelope, *frames])

    def take(self, frames: Frames) -> None:
        """Let frames arrive; a feed hears only of the topics."""
        super().take(frames[1:] if self._is_feed else frames)


class Connecting(_Inbox):
    """A DEALER, or of a feed a SUB."""

    def __init__(self, network: Network, place: tuple[str, str], life: Life, on_readable: Happening) -> None:
        super().__init__(network, life, on_readable)
        self.place = place
        self.connection: Connection | None = None
        self.topics: list[bytes] = []
        self.unsent: deque[Frames] = deque()

    def connect_soon(self) -> None:
        """Connect after a while, if somebody is there by then."""
        self._network.heap.after(self._network.dice.randint(*CONNECT_NS), self._connect)

    def send(self, frames: Frames) -> bool:
        """Send, unless nobody is there."""
        self.life.point("send")
        if self.connection is not None:
            self.connection.up(frames)
        return self.connection is not None

    def subscribe(self, topic: bytes) -> None:
        """Ask for the messages of a topic."""
        self.topics.append(topic)
        if self.connection is not None:
            self.connection.up([_SUBSCRIBE + topic])

    def _connect(self) -> None:
        bound = self._network.bound(self.place)
        if self.connection is not None or not self.life.is_alive or bound is None:
            return
        self.connection = bound_connection = Connection(self._network, self, bound)
        bound.peers[bound_connection.identity] = bound_connection
        for topic in self.topics:
            bound_connection.up([_SUBSCRIBE + topic])
        unsent, self.unsent = self.unsent, deque()
        for frames in unsent:
            if not (self.topics and frames[0].startswith(_SUBSCRIBE)):
                bound_connection.up(frames)
