"""The fast engine and its model side by side: the same commands, and after each the same everything."""

from collections.abc import Collection

import numpy as np

from engine.matching_engine import MatchingEngine, make_engine
from engine.rows.ring import PUBLISHED
from market.commands import Command
from market.events import Event, Executed, Halted, Rejected
from market.kernels.rows import Int64Array, read_event, write_command
from tests.engine.model.replica import Replica

DEPTH_LEVELS = 5


class Pair:
    """Both engines, and a replica of each symbol's book kept by the events."""

    def __init__(self, symbol_count: int, orders_max: int, pages_max: int, event_slots: int) -> None:
        self.fast, self.reference = (
            make_engine(book, symbol_count, orders_max, pages_max, command_slots=8, event_slots=event_slots)
            for book in ("fast", "reference")
        )
        self.replicas = [Replica() for _ in range(symbol_count)]
        self.trade_ids = [0] * symbol_count
        self.sequence = 0

    @property
    def open_ids(self) -> list[Collection[int]]:
        """The ids of each symbol's open orders."""
        return [replica.leaves for replica in self.replicas]

    def step(self, command: Command, is_thorough: bool = True) -> list[Event]:
        """Hand the command to both; compare events, and (if thorough) depth, orders, hash and invariants."""
        rows = self._run(self.fast, command)
        expected = self._run(self.reference, command)
        if not np.array_equal(rows, expected):
            told, model = ([read_event(row) for row in each] for each in (rows, expected))
            raise AssertionError(f"{command}\nfast told  {told}\nmodel told {model}")
        events = [read_event(row) for row in rows]
        self._follow(events)
        if is_thorough:
            self.compare()
        return events

    def compare(self) -> None:
        """Compare all that the engines can be asked, with each other and with what the events told."""
        fast, reference = self.fast, self.reference
        assert fast.sequence == reference.sequence == self.sequence
        assert fast.live_order_count == reference.live_order_count == sum(len(r.leaves) for r in self.replicas)
        for symbol_id, replica in enumerate(self.replicas):
            assert fast.best(symbol_id) == reference.best(symbol_id)
            assert fast.depth(symbol_id, DEPTH_LEVELS) == reference.depth(symbol_id, DEPTH_LEVELS)
            orders = fast.orders(symbol_id)
            assert np.array_equal(orders, reference.orders(symbol_id))
            replica.check(orders)
        assert fast.state_hash() == reference.state_hash()
        fast.check_invariants()
        reference.check_invariants()

    def _run(self, engine: MatchingEngine, command: Command) -> Int64Array:
        write_command(engine.commands.rows, engine.commands.claim(), command)
        engine.commands.publish()
        told = []
        while len(engine.commands):
            before = int(engine.events.positions[PUBLISHED])
            finished = engine.match()
            assert finished or engine.events.positions[PUBLISHED] > before, f"{command} came to a standstill"
            while len(rows := engine.events.readable()):
                told.append(rows.copy())
                engine.events.consume(len(rows))
        return np.concatenate(told) if told else np.zeros((0, 16), np.int64)

    def _follow(self, events: list[Event]) -> None:
        for event in events:
            self.sequence += 1
            assert event.sequence == self.sequence, f"expected sequence {self.sequence}, was {event}"
            if isinstance(event, Executed):
                self.trade_ids[event.symbol_id] += 1
                assert event.trade_id == self.trade_ids[event.symbol_id], f"{event}"
            if not isinstance(event, Rejected | Halted):
                self.replicas[event.symbol_id].apply(event)
