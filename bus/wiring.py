"""Where the channels of a desk are, as one of its processes sees them: which transport, at which address."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from bus.curve import Curve
from bus.topology import Channel, endpoint


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine to itself alone; a name other than localhost may be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Tcp:
    """The tcp side of a desk's bus.

    Attributes:
        host: the address of the machine that binds: it binds this one, the others connect to it.
        port: of the first channel; each has its own after it.
        curve: keys; None for no encryption, which is for loopback only.
        is_taken: whether who connects from another process takes tcp, rather than ipc.

    Raises:
        ValueError: if there are no keys, and the address is not loopback.
    """

    host: str
    port: int
    curve: Curve | None
    is_taken: bool = True

    def __post_init__(self) -> None:
        if self.curve is None and not is_loopback(self.host):
            raise ValueError(f"expected CURVE keys for tcp at {self.host}, which is not loopback")

    def endpoint(self, offset: int) -> str:
        """Return the endpoint of a channel with this place in the row of ports."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port + offset}"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The addresses of a desk's channels.

    Whoever binds a channel binds every transport by which it may be reached. Whoever connects takes one: inproc if the
    binder is a thread of the same process, else tcp if the settings say so, else ipc.

    Attributes:
        run_dir: the desk's run directory, which holds the socket files of ipc.
        colocated: the names of the nodes that are threads of this process, if there are several.
        tcp: if the desk's bus goes over tcp.
    """

    run_dir: Path
    colocated: frozenset[str] = frozenset()
    tcp: Tcp | None = None

    @classmethod
    def of(cls, place: "Path | Wiring") -> "Wiring":
        """Return `place`, or of a mere run directory the wiring of a process with one node, over ipc."""
        return place if isinstance(place, Wiring) else cls(place)

    @property
    def domain(self) -> str:
        """The name under which newcomers of this desk are let in or refused."""
        return str(self.run_dir.resolve())

    def is_inside(self, channel: Channel) -> bool:
        """Return whether the binder of `channel` is a thread of this process."""
        return channel.binder in self.colocated

    def bound(self, channel: Channel) -> list[str]:
        """Return the endpoints that the binder of `channel` binds without encryption, for they stay on this machine.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        inside = [self._inside(channel)] if self.is_inside(channel) else []
        return [endpoint(channel, self.run_dir), *inside]

    def bound_tcp(self, channel: Channel) -> str | None:
        """Return the endpoint that the binder of `channel` binds for other machines, None if there is none."""
        return None if self.tcp is None or channel.tcp_port is None else self.tcp.endpoint(channel.tcp_port)

    def connected(self, channel: Channel) -> str:
        """Return the endpoint at which everybody else reaches `channel`.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        if self.is_inside(channel):
            return self._inside(channel)
        tcp = self.bound_tcp(channel) if self.tcp is not None and self.tcp.is_taken else None
        return tcp or endpoint(channel, self.run_dir)

    def _inside(self, channel: Channel) -> str:
        return f"inproc://{channel.name}@{self.run_dir.resolve()}"
