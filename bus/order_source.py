"""A source's socket and its end of the order link, kept moving together."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from bus.channel import ChannelSocket
from bus.codec import MalformedMessageError
from bus.order_link import Connected, Frames, LinkError, RawReports, Reports, SourceEnd
from bus.topology import FIRST_ENGINE, ORDERS, Source
from bus.wiring import Wiring
from market.clock import time_ns
from market.commands import Command

_News = TypeVar("_News")


class OrderSource:
    """Sends commands to the engine and receives their reports, through restarts on either side.

    Watch `socket`, call `receive` when it is readable and `tick` several times a second.

    Args:
        source: who we are.
        place: where the desk's channels are: its wiring, or its run directory.
        engine: the one that we give commands to, of a desk with several.
        resume: epoch and sequence of the last report that is kept for good, (0, 0) if nothing is.
    """

    def __init__(
        self, source: Source, place: Path | Wiring, resume: tuple[int, int] = (0, 0), engine: str = FIRST_ENGINE
    ) -> None:
        self.source = source
        self.socket = ChannelSocket(ORDERS, place, engine=engine)
        self.bad_frame_count = 0
        self.on_send: Callable[[], None] = lambda: None  # a send can swallow the news that something has come
        self._link = SourceEnd(source, time_ns(), resume)

    @property
    def is_connected(self) -> bool:
        """Whether the engine has answered and is not too far behind to take commands."""
        return self._link.is_connected and not self._link.is_full

    @property
    def sent(self) -> int:
        """The number of the last command that was sent."""
        return self._link.sent

    @property
    def in_flight(self) -> int:
        """How many commands the engine has not yet completely handled, as far as we know."""
        return self._link.sent - self._link.acknowledged

    def send(self, commands: Sequence[Command]) -> int:
        """Send commands and return the link sequence of the last one.

        Raises:
            ConnectionError: while the engine does not answer, or is far behind; nothing was sent.
        """
        sequence = self._link.send(commands)
        self._flush()
        self.on_send()
        return sequence

    def send_encoded(self, payload: bytes, count: int) -> int:
        """Send one frame of commands that are bytes already, at most BATCH_MESSAGES_MAX of them, as `send` does.

        Raises:
            ConnectionError: as `send`.
        """
        sequence = self._link.send_encoded(payload, count)
        self._flush()
        return sequence

    def receive(self) -> Iterator[Connected | Reports]:
        """Yield what waits on the socket; what the link answers to it is sent at the end."""
        return self._receive(self._link.receive)

    def receive_raw(self, *, is_told: bool = False) -> Iterator[Connected | RawReports]:
        """Yield what waits on the socket, the reports as their bytes; else as `receive`.

        Args:
            is_told: whether a poll has just said that something waits.
        """
        return self._receive(self._link.receive_raw, is_told=is_told)

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
        """Let the link ask again and acknowledge; `now_ns` is monotonic."""
        self._link.tick(now_ns)
        self._flush()

    def close(self) -> None:
        """Send what is left, and close the socket."""
        self._flush()
        self.socket.close()

    def _flush(self) -> None:
        for frames in self._link.outgoing():
            self.socket.send(frames)
