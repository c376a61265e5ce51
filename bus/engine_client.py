"""The engine client: one source of commands at the engines of its desk, a link end to each of them.

A gateway, the exchange, a flow and the operator are clients. What a link end promises is said in bus/order_link.py.
Each engine lives its own life: what happens at one end touches no other.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bus.channel import ChannelSocket
from bus.order_link import Connected, Frames, LinkError, RawReports, Reports, SourceEnd
from bus.topology import ORDERS
from bus.wiring import Wiring
from market.clock import time_ns
from market.codec import MalformedMessageError
from market.commands import Command
from market.limits import COMMANDS_IN_FLIGHT_MAX

_News = TypeVar("_News")


class LinkEnd:
    """The client's end of the order link to one engine, moved over a socket, through restarts on either side.

    Watch `socket`, call `receive` when it is readable and `tick` several times a second.

    Args:
        source: who we are.
        engine: its name.
        socket: reaches it; a simulation gives one that sends and receives otherwise.
        symbol_ids: whose books it has.
        resume: epoch and sequence of the last report that is kept for good, (0, 0) if nothing is.
        started_ns: when this process started, ns since 1970; None is now.
    """

    def __init__(
        self,
        source: int,
        engine: str,
        socket: ChannelSocket,
        symbol_ids: Collection[int] = (),
        resume: tuple[int, int] = (0, 0),
        started_ns: int | None = None,
    ) -> None:
        self.source = source
        self.engine = engine
        self.socket = socket
        self.symbol_ids = frozenset(symbol_ids)
        self.bad_frame_count = 0
        self.on_send: Callable[[], None] = lambda: None  # a send can swallow the news that something has come
        self._end = SourceEnd(source, time_ns() if started_ns is None else started_ns, resume)

    @property
    def is_connected(self) -> bool:
        """Whether the engine has answered and is not too far behind to take commands."""
        return self._end.is_connected and not self._end.is_full

    @property
    def sent(self) -> int:
        """The number of the last command that was sent."""
        return self._end.sent

    @property
    def acknowledged(self) -> int:
        """The number of the last command that the engine has completely handled, as far as we know."""
        return self._end.acknowledged

    @property
    def in_flight(self) -> int:
        """How many commands the engine has not yet completely handled, as far as we know."""
        return self._end.sent - self._end.acknowledged

    def is_behind(self, *, was_behind: bool) -> bool:
        """Return whether the engine is here and has too much to do; once it had, until it has half of that."""
        most = COMMANDS_IN_FLIGHT_MAX // 2 if was_behind else COMMANDS_IN_FLIGHT_MAX
        return self.is_connected and self.in_flight > most

    def send(self, commands: Sequence[Command]) -> int:
        """Send commands and return the number of the last one.

        Raises:
            ConnectionError: while the engine does not answer, or is far behind; nothing was sent.
        """
        sequence = self._end.send(commands)
        self._flush()
        self.on_send()
        return sequence

    def send_encoded(self, payload: bytes, count: int) -> int:
        """Send one frame of commands that are bytes already, at most BATCH_MESSAGES_MAX of them, as `send` does.

        Raises:
            ConnectionError: as `send`.
        """
        sequence = self._end.send_encoded(payload, count)
        self._flush()
        return sequence

    def receive(self) -> Iterator[Connected | Reports]:
        """Yield what waits on the socket; what the link answers to it is sent at the end."""
        return self._receive(self._end.receive)

    def receive_raw(self, *, is_told: bool = False) -> Iterator[Connected | RawReports]:
        """Yield what waits on the socket, the reports as their bytes; else as `receive`.

        Args:
            is_told: whether a poll has just said that something waits.
        """
        return self._receive(self._end.receive_raw, is_told=is_told)

    def _receive(self, take: Callable[[Frames], list[_News]], *, is_told: bool = False) -> Iterator[_News]:
        frames = self.socket.receive(is_told=is_told)
        while frames is not None:
            try:
                yield from take(frames)
            except (LinkError, MalformedMessageError):
                self.bad_frame_count += 1  # the gap that it leaves makes the link ask again
            frames = self.socket.receive()
        self._flush()

    def tick(self, now_ns: int) -> None:
        """Let the link ask again and acknowledge, and look where else the engine may be; `now_ns` is monotonic."""
        if self._end.is_outdated:
            self.socket.go_elsewhere()  # another engine has its place
            self._end.turn_to_another()
        elif self.socket.look_elsewhere(now_ns, is_heard=self._end.is_connected):
            self._end.turn_to_another()
        self._end.tick(now_ns)
        self._flush()

    def close(self) -> None:
        """Send what is left, and close the socket."""
        self._flush()
        self.socket.close()

    def _flush(self) -> None:
        for frames in self._end.outgoing():
            self.socket.send(frames)


class EngineClient:
    """All link ends of a client, by the name of the engine; together they have all symbols that concern it."""

    def __init__(self, links: Iterable[LinkEnd]) -> None:
        self._links = {link.engine: link for link in links}

    @classmethod
    def over(
        cls,
        place: Path | Wiring,
        source: int,
        engines: Mapping[str, Collection[int]],
        resume: Mapping[str, tuple[int, int]] | None = None,
    ) -> "EngineClient":
        """Return a client over the channels of a desk.

        Args:
            place: where the channels are: the desk's wiring, or its run directory.
            source: who we are.
            engines: by name, whose books each has.
            resume: by engine, the last report that is kept for good, as a link end takes it.
        """
        kept = resume or {}
        return cls(
            LinkEnd(source, engine, ChannelSocket(ORDERS, place, engine), symbol_ids, kept.get(engine, (0, 0)))
            for engine, symbol_ids in engines.items()
        )

    def __iter__(self) -> Iterator[LinkEnd]:
        return iter(self._links.values())

    def __getitem__(self, engine: str) -> LinkEnd:
        return self._links[engine]

    @property
    def sockets(self) -> tuple[ChannelSocket, ...]:
        """What to wait on."""
        return tuple(link.socket for link in self)

    def on_send(self, action: Callable[[], None]) -> None:
        """Have `action` called after each `send`: it can swallow the news that something has come."""
        for link in self:
            link.on_send = action

    def receive(self) -> Iterator[tuple[LinkEnd, Connected | Reports]]:
        """Yield what the engines say, and which of them."""
        for link in self:
            for news in link.receive():
                yield link, news

    def tick(self, now_ns: int) -> None:
        """Let every link ask again and acknowledge; `now_ns` is monotonic."""
        for link in self:
            link.tick(now_ns)

    def close(self) -> None:
        """Send what is left, and close the sockets."""
        for link in self:
            link.close()
