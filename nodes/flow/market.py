"""The market of one engine's symbols: an order flow in front of the link end over which it trades."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from bus.engine_client import LinkEnd
from bus.order_link import Connected, Reports
from bus.topology import first_owner
from flow.order_flow import OrderFlow
from market.clock import NS_PER_MS
from market.commands import Command, MassCancel
from market.events import Event

_HEARD_NS: Final = 20 * NS_PER_MS  # so long events wait at most for a step that is due anyway


class OrderIds(Iterator[int]):
    """Order ids, each once in the whole desk: `last` + 1 and so on."""

    def __init__(self, last: int) -> None:
        self._ids = count(last + 1)

    def __iter__(self) -> Iterator[int]:
        return self._ids  # a replay takes thousands at once

    def __next__(self) -> int:
        return next(self._ids)

    def skip(self, last: int) -> None:
        """Go on behind `last`, which an engine has seen of an earlier process."""
        self._ids = count(max(next(self._ids), last + 1))


class Market:
    """A flow in front of one engine, built in it whenever it holds none of it.

    Args:
        link: the link end at the engine.
        flow: what trades there; None only takes out what an earlier process has left.
        order_ids: where the flow takes its ids from.
        clock: ns since 1970 UTC, for the time that stands on what is sent.
    """

    def __init__(self, link: LinkEnd, flow: OrderFlow | None, order_ids: OrderIds, clock: Callable[[], int]) -> None:
        self._link = link
        self._flow = flow
        self._order_ids = order_ids
        self._clock = clock
        self._events: list[Event] = []
        self._heard_ns = 0  # when the first of them came
        self._base_sequence = 0  # the link's number of the last command before the flow's first
        self._start_sequence: int | None = None  # of the last command that builds the book

    @property
    def is_built(self) -> bool:
        """Whether the engine has the flow's first book, and nothing of earlier processes."""
        return self._start_sequence is not None and self._link.acknowledged >= self._start_sequence

    def take(self, news: Connected | Reports, now_ns: int) -> bool:
        """Take what the engine says; return whether the market is built in it anew.

        Args:
            now_ns: monotonic.
        """
        if isinstance(news, Connected):
            if news.is_new_epoch:
                self._start(news.last_order_id, now_ns)
            return news.is_new_epoch
        if self._start_sequence is not None and news.command_sequence >= self._base_sequence:
            if not self._events:
                self._heard_ns = now_ns
            self._events.extend(news.events)
        return False

    def wake_ns(self, now_ns: int) -> int | None:
        """Return when `step` is due; None while there is no flow, or no engine that answers."""
        if self._flow is None or self._start_sequence is None or not self._link.is_connected:
            return None
        due_ns = self._flow.wake_ns(now_ns)
        return min(due_ns, self._heard_ns + _HEARD_NS) if self._events else due_ns

    def step(self, now_ns: int) -> None:
        """Let the flow do what is due, unless the engine does not answer.

        Raises:
            RecordingError: if a recording cannot be read on.
        """
        if self._flow is None or self._start_sequence is None or not self._link.is_connected:
            return
        if self._events or self._flow.wake_ns(now_ns) <= now_ns:
            events, self._events = self._events, []
            handled_count = max(0, self._link.acknowledged - self._base_sequence)
            self._send(self._flow.step(now_ns, events, handled_count))

    def leave(self) -> None:
        """Take our orders out of the book."""
        if self._link.is_connected:
            self._cancel_all()

    def _start(self, last_order_id: int, now_ns: int) -> None:
        """Build the market in an engine that holds none of it, or only what an earlier process of ours left."""
        self._order_ids.skip(last_order_id)
        self._events.clear()
        self._base_sequence = self._start_sequence = self._cancel_all()
        if self._flow is not None:
            self._start_sequence = self._send(self._flow.start(now_ns))

    def _cancel_all(self) -> int:
        return self._link.send([MassCancel(owner=first_owner(self._link.source), time_ns=self._clock())])

    def _send(self, commands: list[Command]) -> int:
        if not commands:
            return self._link.sent
        sent_ns = self._clock()
        return self._link.send([command._replace(time_ns=sent_ns) for command in commands])
