"""A market and the engine that it trades on, as one: it goes on by itself until somebody else is concerned."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from engine.matching_engine import MatchingEngine
from flow.order_flow import OrderFlow
from market.commands import Command
from market.events import Event, Executed, Halted
from market.messages import EVENT_BY_TAG
from market.rows import TAG, Int64Array, write_command

Watch = Callable[[Int64Array], None]


class Market(Protocol):
    """An engine with its background orders."""

    engine: MatchingEngine

    def advance(self, until_ns: int) -> tuple[int, list[Event]]:
        """Go on until a time, or until an event concerns an order of somebody else.

        Returns:
            The time that it is then, and the events since the last call, all of them, in the engine's order.
        """

    def submit(self, commands: Sequence[Command]) -> list[Event]:
        """Let somebody else's commands be handled now; return their events."""


class FlowMarket:
    """An order flow in front of an engine in this process; what either sends, the other has at once.

    Args:
        engine: empty.
        flow: not yet started; None: nobody trades but others.
        owner: the flow's.
        start_ns: the time at which it starts.
        watch: sees the rows of all commands and events, for a digest.
    """

    def __init__(
        self, engine: MatchingEngine, flow: OrderFlow | None, owner: int, start_ns: int, watch: Watch | None = None
    ) -> None:
        self.engine = engine
        self._flow = flow
        self._owner = owner
        self._watch = watch
        self._now_ns = start_ns
        self._heard: list[Event] = []  # by the flow, with its next step
        self._sent_count = 0
        if flow is not None:
            self._send(flow.start(start_ns))

    def advance(self, until_ns: int) -> tuple[int, list[Event]]:
        """Let the flow do what is due; see `Market`."""
        told: list[Event] = []
        while self._flow is not None and (wake_ns := self._flow.wake_ns(self._now_ns)) <= until_ns:
            self._now_ns = wake_ns
            heard, self._heard = self._heard, []
            events = self._send(self._flow.step(wake_ns, heard, self._sent_count))
            told += events
            if not all(self._is_own(event) for event in events):
                return wake_ns, told
        self._now_ns = until_ns
        return until_ns, told

    def submit(self, commands: Sequence[Command]) -> list[Event]:
        """Handle somebody else's commands; what concerns the flow it hears with its next step."""
        events = self._handle(commands)
        self._heard += [event for event in events if self._concerns_flow(event)]
        return events

    def _send(self, commands: Sequence[Command]) -> list[Event]:
        if not commands:
            return []
        self._sent_count += len(commands)
        events = self._handle([command._replace(time_ns=self._now_ns) for command in commands])
        self._heard += [event for event in events if self._concerns_flow(event)]
        return events

    def _concerns_flow(self, event: Event) -> bool:
        if isinstance(event, Executed):
            return self._owner in (event.taker_owner, event.maker_owner)
        return not isinstance(event, Halted) and event.owner == self._owner

    def _is_own(self, event: Event) -> bool:
        """Whether an event concerns nobody else."""
        if isinstance(event, Executed):
            return event.taker_owner == event.maker_owner == self._owner
        return not isinstance(event, Halted) and event.owner == self._owner

    def _handle(self, commands: Sequence[Command]) -> list[Event]:
        """Match commands, as many at once as the ring takes."""
        told: list[Event] = []
        waiting = iter(commands)
        ring = self.engine.commands
        while batch := list(islice(waiting, ring.slot_count)):
            for command in batch:
                slot = ring.claim()
                write_command(ring.rows, slot, command)
                if self._watch is not None:
                    self._watch(ring.rows[slot])
                ring.publish()
            while len(ring):
                self.engine.match()
                told += self._drain()
        return told

    def _drain(self) -> list[Event]:
        told: list[Event] = []
        events = self.engine.events
        while len(events):
            rows = events.readable()
            if self._watch is not None:
                self._watch(rows)
            for row in rows.tolist():
                message = EVENT_BY_TAG[row[TAG]]
                told.append(message(*row[1 : 1 + len(message._fields)]))
            events.consume(len(rows))
        return told
