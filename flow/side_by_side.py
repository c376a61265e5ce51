"""Several flows as one: markets of different symbols that run at the same time."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from flow.order_flow import Figure, OrderFlow
from market.clock import NS_PER_SECOND
from market.commands import Command
from market.events import Event


class Recorded(Protocol):
    """A replay that has not started; `flow.replay.ReplayFlow` says what these mean."""

    starts_ns: int

    def delay(self, recorded_ns: int) -> None:
        """Begin later, by a recorded time."""


def align(replays: Sequence[Recorded]) -> None:
    """Let recordings that begin within an hour of each other keep their distance in time; others begin together."""
    first_ns = min(replay.starts_ns for replay in replays)
    if all(replay.starts_ns - first_ns < 3_600 * NS_PER_SECOND for replay in replays):
        for replay in replays:
            replay.delay(replay.starts_ns - first_ns)


def summary_of(flows: Mapping[int, OrderFlow]) -> dict[str, Figure]:
    """Return the figures of the only flow of `flows`, by symbol id, or those of each under `SYMBOL.name`."""
    if len(flows) == 1:
        return dict(next(iter(flows.values())).summary())
    figures: dict[str, Figure] = {"flow": "side by side"}
    for symbol_id, flow in flows.items():
        summary = flow.summary()
        figures |= {f"{summary.get('symbol', symbol_id)}.{name}": figure for name, figure in summary.items()}
    return figures


class SideBySide:
    """Flows of one symbol each; every event goes to the flow of its symbol.

    Args:
        flows: by symbol id; they take their order ids from one source.
    """

    def __init__(self, flows: Mapping[int, OrderFlow]) -> None:
        self._flows = dict(flows)
        self._sent: deque[tuple[int, int]] = deque()  # whose commands, how many, in the order sent
        self._acknowledged = dict.fromkeys(flows, 0)
        self._acknowledged_count = 0

    @property
    def is_finished(self) -> bool:
        """Whether every flow is."""
        return all(flow.is_finished for flow in self._flows.values())

    def start(self, now_ns: int) -> list[Command]:
        """Build all markets from nothing."""
        self._sent.clear()
        self._acknowledged = dict.fromkeys(self._flows, 0)
        self._acknowledged_count = 0
        commands: list[Command] = []
        for symbol_id, flow in self._flows.items():
            self._add(commands, symbol_id, flow.start(now_ns))
        return commands

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Let every flow take its step, with its own events and count of commands."""
        self._acknowledge(acknowledged)
        heard: dict[int, list[Event]] = {symbol_id: [] for symbol_id in self._flows}
        for event in events:
            if event.symbol_id in heard:
                heard[event.symbol_id].append(event)
        commands: list[Command] = []
        for symbol_id, flow in self._flows.items():
            step = flow.step(now_ns, heard[symbol_id], self._acknowledged[symbol_id])
            self._add(commands, symbol_id, step)
        return commands

    def wake_ns(self, now_ns: int) -> int:
        """Return when the first of them wants to be called."""
        return min(flow.wake_ns(now_ns) for flow in self._flows.values())

    def summary(self) -> dict[str, Figure]:
        """Return the figures of each under `SYMBOL.name`."""
        return summary_of(self._flows)

    def _add(self, commands: list[Command], symbol_id: int, more: Sequence[Command]) -> None:
        if more:
            commands += more
            self._sent.append((symbol_id, len(more)))

    def _acknowledge(self, acknowledged: int) -> None:
        fresh = acknowledged - self._acknowledged_count
        self._acknowledged_count = max(acknowledged, self._acknowledged_count)
        while fresh > 0:
            symbol_id, count = self._sent.popleft()
            handled = min(count, fresh)
            self._acknowledged[symbol_id] += handled
            fresh -= handled
            if handled < count:
                self._sent.appendleft((symbol_id, count - handled))
