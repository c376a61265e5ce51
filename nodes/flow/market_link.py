"""The market of one engine's symbols: an order flow and the link over which it trades."""

from collections.abc import Iterator

from bus.order_link import Connected
from bus.order_source import OrderSource
from flow.order_flow import OrderFlow
from market.clock import time_ns
from market.commands import Command, MassCancel
from market.events import Event


class OrderIds(Iterator[int]):
    """Order ids, each once in the whole desk: `last` + 1 and so on."""

    def __init__(self, last: int) -> None:
        self._last = last

    def __next__(self) -> int:
        self._last += 1
        return self._last

    def skip(self, last: int) -> None:
        """Go on behind `last`, which an engine has seen of an earlier process."""
        self._last = max(self._last, last)


class MarketLink:
    """A flow in front of one engine, built in it whenever it holds none of it.

    Args:
        engine: its name.
        source: the order link to it.
        flow: what trades there; None only takes out what an earlier process has left.
        order_ids: where the flow takes its ids from.
        owner: whose orders they are.
    """

    def __init__(
        self, engine: str, source: OrderSource, flow: OrderFlow | None, order_ids: OrderIds, owner: int
    ) -> None:
        self.engine = engine
        self.source = source
        self._flow = flow
        self._order_ids = order_ids
        self._owner = owner
        self._events: list[Event] = []
        self._base_sequence = 0  # the link's number of the last command before the flow's first
        self._start_sequence: int | None = None  # of the last command that builds the book
        self._acknowledged = 0

    @property
    def is_built(self) -> bool:
        """Whether the engine has the flow's first book, and nothing of earlier processes."""
        return self._start_sequence is not None and self._acknowledged >= self._start_sequence

    def receive(self, now_ns: int) -> Iterator[int]:
        """Take what the engine says; yield its epoch each time that the market is built in it.

        Args:
            now_ns: monotonic.
        """
        for news in self.source.receive():
            if isinstance(news, Connected):
                if news.is_new_epoch:
                    self._start(news, now_ns)
                    yield news.epoch
            elif self._start_sequence is not None and news.command_sequence >= self._base_sequence:
                self._events.extend(news.events)
                self._acknowledged = news.command_sequence

    def step(self, now_ns: int) -> None:
        """Let the flow do what is due, unless the engine does not answer.

        Raises:
            RecordingError: if a recording cannot be read on.
        """
        if self._flow is None or self._start_sequence is None or not self.source.is_connected:
            return
        if self._events or self._flow.wake_ns(now_ns) <= now_ns:
            events, self._events = self._events, []
            self._send(self._flow.step(now_ns, events, max(0, self._acknowledged - self._base_sequence)))

    def close(self) -> None:
        """Take our orders out of the book, and close."""
        if self.source.is_connected:
            self._cancel_all()
        self.source.close()

    def _start(self, news: Connected, now_ns: int) -> None:
        """Build the market in an engine that holds none of it, or only what an earlier process of ours left."""
        self._order_ids.skip(news.last_order_id)
        self._events.clear()
        self._acknowledged = news.command_sequence
        self._base_sequence = self._start_sequence = self._cancel_all()
        if self._flow is not None:
            self._start_sequence = self._send(self._flow.start(now_ns))

    def _cancel_all(self) -> int:
        return self.source.send([MassCancel(owner=self._owner, time_ns=time_ns())])

    def _send(self, commands: list[Command]) -> int:
        if not commands:
            return self.source.sent
        sent_ns = time_ns()
        return self.source.send([command._replace(time_ns=sent_ns) for command in commands])
