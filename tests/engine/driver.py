"""Drives an engine command by command, as a caller does."""

from itertools import count

from engine.matching_engine import MatchingEngine, make_engine
from market.codes import Side
from market.commands import Command, NewOrder
from market.events import Event
from market.kernels.rows import Int64Array, read_event, write_command

BUY, SELL = int(Side.BUY), int(Side.SELL)


class Driver:
    """An engine with one ring-to-ring loop around it."""

    def __init__(
        self,
        book: str,
        symbol_count: int = 1,
        orders_max: int = 1_000,
        pages_max: int = 64,
        command_slots: int = 16,
        event_slots: int = 64,
    ) -> None:
        self.engine: MatchingEngine = make_engine(
            book, symbol_count, orders_max, pages_max, command_slots=command_slots, event_slots=event_slots
        )
        self._ids = count(1)

    def send(self, *commands: Command) -> list[Event]:
        """Hand the commands over one by one; return all that they caused."""
        told = []
        for command in commands:
            write_command(self.engine.commands.rows, self.engine.commands.claim(), command)
            self.engine.commands.publish()
            told += self.finish()
        return told

    def send_row(self, row: Int64Array) -> list[Event]:
        """Hand over a raw row."""
        self.engine.commands.rows[self.engine.commands.claim()] = row
        self.engine.commands.publish()
        return self.finish()

    def finish(self) -> list[Event]:
        """Match until no command waits; return the events."""
        told = []
        while len(self.engine.commands):
            self.engine.match()
            told += self.drain()
        self.engine.check_invariants()
        return told

    def drain(self) -> list[Event]:
        """Take what waits in the ring of events."""
        told = []
        while len(rows := self.engine.events.readable()):
            told += [read_event(row) for row in rows]
            self.engine.events.consume(len(rows))
        return told

    def order(self, side: int, price_ticks: int, qty_lots: int, **fields: int) -> NewOrder:
        """Return a new order with the next id (or the one that `fields` names)."""
        order_id = fields.pop("order_id", 0) or next(self._ids)
        return NewOrder(order_id, fields.pop("symbol_id", 0), side, price_ticks, qty_lots, **fields)

    def rest(self, side: int, price_ticks: int, qty_lots: int, **fields: int) -> int:
        """Enter an order that rests at once; return its id."""
        order = self.order(side, price_ticks, qty_lots, **fields)
        told = self.send(order)
        assert type(told[0]).__name__ == "Accepted", f"{order} was answered with {told}"
        return order.order_id

    def queue(self, side: int, symbol_id: int = 0) -> list[tuple[int, int, int, int]]:
        """Return a side's orders by price, then time: order_id, price, shown, open."""
        rows = self.engine.orders(symbol_id).tolist()
        return [(row[0], row[2], row[3], row[4]) for row in rows if row[1] == side]
