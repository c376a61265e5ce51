"""Where the channels of a desk are, as one of its processes sees them: which transport, at which address."""

from dataclasses import dataclass
from pathlib import Path

from bus.topology import Channel, endpoint


@dataclass(frozen=True, slots=True)
class Wiring:
    """The addresses of a desk's channels.

    Whoever binds a channel binds every transport by which it may be reached. Whoever connects takes the nearest:
    inproc if the binder is a thread of the same process, else ipc.

    Attributes:
        run_dir: the desk's run directory, which holds the socket files of ipc.
        colocated: the names of the nodes that are threads of this process, if there are several.
    """

    run_dir: Path
    colocated: frozenset[str] = frozenset()

    @classmethod
    def of(cls, place: "Path | Wiring") -> "Wiring":
        """Return `place`, or of a mere run directory the wiring of a process with one node."""
        return place if isinstance(place, Wiring) else cls(place)

    def is_inside(self, channel: Channel) -> bool:
        """Return whether the binder of `channel` is a thread of this process."""
        return channel.binder in self.colocated

    def bound(self, channel: Channel) -> list[str]:
        """Return the endpoints that the binder of `channel` binds.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        inside = [self._inside(channel)] if self.is_inside(channel) else []
        return [endpoint(channel, self.run_dir), *inside]

    def connected(self, channel: Channel) -> str:
        """Return the endpoint at which everybody else reaches `channel`.

        Raises:
            ValueError: if the run directory's path is too long for a Unix socket.
        """
        return self._inside(channel) if self.is_inside(channel) else endpoint(channel, self.run_dir)

    def _inside(self, channel: Channel) -> str:
        return f"inproc://{channel.name}@{self.run_dir.resolve()}"
