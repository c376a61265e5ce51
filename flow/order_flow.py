"""What brings a paper market to life: a source of commands that reads only its own execution reports and a clock."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from market.commands import Command
from market.events import Event

Figure = int | float | str


class OrderFlow(Protocol):
    """A pure order flow: no sockets, no clock, no logging.

    Times are ns of one monotonic clock that the caller hands in. Commands carry the flow's owner and no time (`time_ns`
    is 0); the engine must see them in the order in which they are returned.
    """

    @property
    def is_finished(self) -> bool:
        """Whether the flow has nothing left to send; the book stays as it is."""
        ...

    def start(self, now_ns: int) -> list[Command]:
        """Build the market from nothing: at first, and again whenever the engine's book came back empty."""
        ...

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Take in what happened to the flow's own orders and return the commands to send now.

        Args:
            now_ns: the time, never earlier than in the last call.
            events: all since the last call in which a side is the flow's owner, each once, in the engine's order.
            acknowledged: how many of the commands returned since `start` the engine has handled, in order; all their
                events are in this call or an earlier one.
        """
        ...

    def wake_ns(self, now_ns: int) -> int:
        """Return when `step` wants to be called next, even if nothing happens until then."""
        ...

    def summary(self) -> Mapping[str, Figure]:
        """Return the figures of the run so far, for the log and for status."""
        ...
