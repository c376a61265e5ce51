"""Where the channels of a desk are, as one of its processes sees them: which transport, at which address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bus.curve import Curve
from bus.topology import TCP_CHANNELS, Channel, endpoint
from market.http_names import is_loopback

BUS_PORTS = 3  # of one engine: orders, feed, snapshots


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine's channels are over tcp: its machine binds this host, the others connect to it.

    The port is that of its first channel; each has its own after it.
    """

    host: str
    port: int

    def endpoint(self, offset: int) -> str:
        """Return the endpoint of a channel with this place in the row of ports."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port + offset}"


@dataclass(frozen=True, slots=True)
class Tcp:
    """The tcp side of a desk's bus.

    Attributes:
        engines: by name, where each one's channels are.
        curve: keys; None for no encryption, which is for loopback only.
        bound: the names of the channels that the machine that binds opens to tcp; each can be reached over ipc as well.
        taken: of the channels at which who connects from another process takes tcp, rather than ipc.

    Raises:
        ValueError: if there are no keys, and an address is not loopback.
    """

    engines: Mapping[str, Address]
    curve: Curve | None
    bound: frozenset[str] = frozenset(TCP_CHANNELS)
    taken: frozenset[str] = frozenset(TCP_CHANNELS)

    def __post_init__(self) -> None:
        for address in self.engines.values():
            if self.curve is None and not is_loopback(address.host):
                raise ValueError(f"expected CURVE keys for tcp at {address.host}, which is not loopback")


@dataclass(frozen=True, slots=True)
class Wiring:
    """The addresses of a desk's channels.

    Whoever binds a channel binds every transport by which it may be reached. Whoever connects takes one: inproc if the
    binder is a thread of the same process, else tcp if the settings say so of this channel, else ipc.

    Attributes:
        run_dir: the desk's run directory, which holds the socket files of ipc.
        colocated: the names of the nodes that are threads of this process, if there are several.
        tcp: if a channel of the desk goes over tcp.
        engine_of: by symbol, the engine that has its book; by "" the one that tells what is of no symbol.
        also: by engine, where else it may be: where its standby is primary once it has taken its place.
    """

    run_dir: Path
    colocated: frozenset[str] = frozenset()
    tcp: Tcp | None = None
    engine_of: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, tuple["Wiring", ...]] = field(default_factory=dict)

    def places(self, binder: str) -> tuple["Wiring", ...]:
        """Return where a binder's channels may be, as who connects tries them; ours first."""
        return (self,) if binder in self.colocated else (self, *self.also.get(binder, ()))

    def engine_of_topic(self, topic: bytes) -> str:
        """Return the engine that publishes `topic`."""
        return self.engine_of[topic.partition(b".")[2].decode(errors="replace")]

    @property
    def domain(self) -> str:
        """The name under which newcomers of this desk are let in or refused."""
        return str(self.run_dir.resolve())

    def bound(self, channel: Channel, binder: str) -> list[str]:
        """Return the endpoints that `binder` binds without encryption, for they stay on this machine.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        inside = [self._inside(channel, binder)] if binder in self.colocated else []
        return [endpoint(channel, self.run_dir, binder), *inside]

    def bound_tcp(self, channel: Channel, binder: str) -> str | None:
        """Return the endpoint that `binder` binds for other machines, None if there is none."""
        if self.tcp is None or channel.name not in self.tcp.bound:
            return None
        return self._over_tcp(self.tcp, channel, binder)

    @staticmethod
    def _over_tcp(tcp: Tcp, channel: Channel, binder: str) -> str:
        assert channel.tcp_port is not None, f"{channel.name} never leaves the machine"
        return tcp.engines[binder].endpoint(channel.tcp_port)

    def connected(self, channel: Channel, binder: str) -> str:
        """Return the endpoint at which everybody else reaches the channel that `binder` binds.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        if binder in self.colocated:
            return self._inside(channel, binder)
        if self.tcp is not None and channel.name in self.tcp.taken:
            return self._over_tcp(self.tcp, channel, binder)
        return endpoint(channel, self.run_dir, binder)

    def _inside(self, channel: Channel, binder: str) -> str:
        return f"inproc://{channel.name}.{binder}@{self.run_dir.resolve()}"
