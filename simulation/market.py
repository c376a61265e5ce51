"""A market and the engine that it trades on, as one: it goes on by itself until somebody else is concerned."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from bus.topology import Source
from engine.matching_engine import MatchingEngine
from flow.order_flow import OrderFlow
from market.commands import Command
from market.events import Event, Executed, Halted
from market.kernels.rows import TAG, Int64Array, column, write_command
from market.messages import COMMAND_BY_TAG, EVENT_BY_TAG
from simulation.looks import Looks

Watch = Callable[[Int64Array], None]
Keep = Callable[[int, int, Sequence[Command]], None]

_TIME: Final = {message: column(message, "time_ns") for message in COMMAND_BY_TAG.values()}
# `_make` counts what it is given, which takes as long again as making.
_READ: Final[dict[int, tuple[Callable[[list[int]], Event], int]]] = {
    tag: (partial(tuple.__new__, message), 1 + len(message._fields)) for tag, message in EVENT_BY_TAG.items()
}


class Market(Protocol):
    """An engine with its background orders."""

    @property
    def engine(self) -> MatchingEngine:
        """The engine, to look at."""

    def advance(self, until_ns: int) -> tuple[int, list[Event]]:
        """Go on until a time, or until an event concerns an order of somebody else, and look when looks are due.

        Returns:
            The time that it is then, and the events since the last call, all of them, in the engine's order.
        """

    def submit(self, commands: Sequence[Command]) -> list[Event]:
        """Let somebody else's commands be handled now; return their events."""


class FlowMarket:
    """An order flow in front of an engine in this process; what either sends, the other has at once.

    Args:
        engine: empty, or with the book that the flow goes on from.
        flow: not yet started; None: nobody trades but others.
        owner: the flow's.
        start_ns: the time at which it starts.
        watch: sees the rows of all commands and events, for a digest.
        looks: that fall due while it goes on.
        keep: takes what is sent at once: from whom, at which time, the commands.

    Attributes:
        flow: as given.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        flow: OrderFlow | None,
        owner: int,
        start_ns: int,
        watch: Watch | None = None,
        looks: Looks | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.engine = engine
        self.flow = flow
        self._owner = owner
        self._watch = watch
        self._looks = looks
        self._keep = keep
        self._now_ns = start_ns
        self._heard: list[Event] = []  # by the flow, with its next step
        self._sent_count = 0
        if flow is not None:
            self._send(flow.start(start_ns))

    def advance(self, until_ns: int) -> tuple[int, list[Event]]:
        """Let the flow do what is due; see `Market`."""
        told: list[Event] = []
        while self.flow is not None and (wake_ns := self.flow.wake_ns(self._now_ns)) <= until_ns:
            self._look(wake_ns - 1)
            self._now_ns = wake_ns
            heard, self._heard = self._heard, []
            events, concerns_others = self._send(self.flow.step(wake_ns, heard, self._sent_count))
            told += events
            if concerns_others:
                until_ns = wake_ns
                break
        self._now_ns = until_ns
        self._look(until_ns)
        return until_ns, told

    def submit(self, commands: Sequence[Command]) -> list[Event]:
        """Handle somebody else's commands; what concerns the flow it hears with its next step."""
        if self._keep is not None:
            self._keep(Source.PAPER, self._now_ns, commands)
        events = self._handle(commands)
        self._hear(events)
        return events

    def _look(self, until_ns: int) -> None:
        if self._looks is not None:
            self._looks.pass_to(until_ns)

    def _send(self, commands: Sequence[Command]) -> tuple[list[Event], bool]:
        """Let the flow's commands be handled; return their events, and whether one concerns somebody else."""
        self._sent_count += len(commands)
        if self._keep is not None:
            self._keep(Source.FLOW, self._now_ns, commands)
        events = self._handle(commands, self._now_ns)
        return events, self._hear(events)

    def _hear(self, events: Sequence[Event]) -> bool:
        """Keep for the flow what concerns it; return whether anything concerns somebody else."""
        owner, heard, concerns_others = self._owner, self._heard, False
        for event in events:
            if isinstance(event, Executed):
                is_taker, is_maker = event.taker_owner == owner, event.maker_owner == owner
                if is_taker or is_maker:
                    heard.append(event)
                concerns_others = concerns_others or not (is_taker and is_maker)
            elif not isinstance(event, Halted) and event.owner == owner:
                heard.append(event)
            else:
                concerns_others = True
        return concerns_others

    def _handle(self, commands: Sequence[Command], time_ns: int | None = None) -> list[Event]:
        """Match commands, as many at once as have room side by side in the ring; `time_ns` stands for their own."""
        told: list[Event] = []
        engine, watch = self.engine, self._watch
        ring, done = engine.commands, 0
        rows = ring.rows
        while done < len(commands):
            first = ring.claim()
            batch = commands[done : done + ring.slot_count - first]
            for slot, command in enumerate(batch, first):
                write_command(rows, slot, command)
                if time_ns is not None:
                    rows[slot, _TIME[type(command)]] = time_ns
            waiting = len(batch)
            if watch is not None:
                watch(rows[first : first + waiting])
            ring.publish(waiting)
            done += waiting
            while waiting > 0:
                waiting -= engine.match()
                told += drained(engine, watch)
        return told


def drained(engine: MatchingEngine, watch: Watch | None) -> list[Event]:
    """Take what lies in the engine's ring of events; `watch` sees the rows."""
    told: list[Event] = []
    while len(rows := engine.events.readable()):
        if watch is not None:
            watch(rows)
        told += read_events(rows)
        engine.events.consume(len(rows))
    return told


def read_events(rows: Int64Array) -> list[Event]:
    """Return the events of rows; all rows become numbers at once, which `read_event` does for each."""
    told: list[Event] = []
    for row in rows.tolist():
        make, end = _READ[row[TAG]]
        told.append(make(row[1:end]))
    return told
