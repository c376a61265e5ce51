"""The slow and obvious mirror of a recorded book, on `flow.own_orders`; the compiled one gives the same commands.

A level that grows gets one more order at the back of its queue; one that shrinks loses where the queue model says, by
default from its back. So an order of somebody else keeps what stood before it, until recorded trades have worked
through that.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from flow.order_flow import Figure
from flow.own_orders import FlowOrders
from flow.queue_models import QueueModel, leave_from_behind
from flow.recordings.book import RecordedBook, Touched
from flow.recordings.recording import BookTicker, Record, RecordedTrade
from market.codes import Side
from market.commands import Command
from market.events import Event, Executed


class ReferenceMirror:
    """The recorded book, the own orders that stand for it, and the count of how often their best prices agree."""

    def __init__(
        self,
        symbol_id: int,
        owner: int,
        order_ids: Iterator[int],
        reach_bps: int,
        queue_model: QueueModel = leave_from_behind,
    ) -> None:
        """Start without a book; see `RecordedBook` and `FlowOrders` for the arguments."""
        self._reach_bps = reach_bps
        self._owner = owner
        self._book = RecordedBook(reach_bps)
        self._former: Touched = (set(), set())  # prices of the book before, while the next one is not built
        self._own = FlowOrders(symbol_id, owner, order_ids, on_handled=self._compare, queue_model=queue_model)
        # Once so many commands are handled the own orders' best prices should be these.
        self._checkpoints: deque[tuple[int, tuple[int, int]]] = deque()
        self._counts = {"ticker_count": 0, "matching_count": 0, "trade_count": 0, "trade_lots": 0}
        self._counts |= {"traded_lots": 0, "filled_by_others_lots": 0, "command_count": 0, "gap_count": 0}
        self._first_gap = ""
        self._given: dict[tuple[Side, int], int] = {}  # what others have had of what is recorded

    @property
    def is_built(self) -> bool:
        """Whether the snapshot was seen; until then records can only be prepared."""
        return self._book.is_built

    @property
    def gap_count(self) -> int:
        """How many gaps the updates of this book have had."""
        return self._book.gap_count

    @property
    def in_flight_count(self) -> int:
        """How many commands are not known to be handled."""
        return self._own.in_flight_count

    def prepare(self, record: Record) -> None:
        """Take a record into the recorded book alone, to be built later."""
        if not isinstance(record, RecordedTrade):
            self._book.apply(record)

    def begin_next(self) -> None:
        """Await the snapshot of another recording; until it comes the own orders stay as they are."""
        former = self._book.prices()
        self._former = self._former[Side.BUY] | former[Side.BUY], self._former[Side.SELL] | former[Side.SELL]
        self._counts["gap_count"] += self._book.gap_count
        self._first_gap = self._first_gap or self._book.first_gap
        self._book = RecordedBook(self._reach_bps)

    def rebuild(self) -> list[Command]:
        """Forget the own orders and return what builds the whole book anew."""
        self._own.reset()
        self._own.cancel_former()
        self._counts["ticker_count"] -= len(self._checkpoints)  # never to be compared
        self._checkpoints.clear()
        self._follow(self._book.prices())
        return self.take_commands()

    def withdraw(self) -> None:
        """Cancel all own orders: what they stand for is no longer known."""
        for side in Side:
            for price_ticks in list(self._own.prices(side)):
                self._own.cancel_level(side, price_ticks)

    def hear(self, events: Sequence[Event], acknowledged: int) -> None:
        """Take in the events of own orders and how many commands are handled; both as `OrderFlow.step` has them."""
        for event in events:
            if isinstance(event, Executed):
                self._counts["traded_lots"] += event.qty_lots
                if event.taker_owner != event.maker_owner:
                    self._counts["filled_by_others_lots"] += event.qty_lots
                    self._give(event)
        self._own.apply(events, acknowledged)

    def _give(self, event: Executed) -> None:
        place = Side(event.taker_side).opposite, event.price_ticks
        if event.taker_owner == self._owner:
            order = self._own._orders.get(event.taker_order_id)
            if order is None:  # a recorded trade
                return
            place = Side(event.taker_side), order.level.price_ticks
        self._given[place] = self._given.get(place, 0) + event.qty_lots

    def _left_of(self, side: Side, price_ticks: int, recorded_lots: int) -> int:
        given = self._given[side, price_ticks] = min(recorded_lots, self._given.get((side, price_ticks), 0))
        return recorded_lots - given

    def apply(self, record: Record) -> None:
        """Follow a record of a book that is built."""
        if isinstance(record, RecordedTrade):
            if not self._book.is_built:
                return
            self._counts["trade_count"] += 1
            self._counts["trade_lots"] += record.qty_lots
            self._own.take(record.taker_side, record.price_ticks, record.qty_lots)
            return
        was_built = self._book.is_built
        touched = self._book.apply(record)
        if not self._book.is_built:
            return
        if not was_built:
            touched = touched[Side.BUY] | self._former[Side.BUY], touched[Side.SELL] | self._former[Side.SELL]
            self._former = (set(), set())
        self._follow(touched)
        if isinstance(record, BookTicker):
            self._restore_best(record)

    def take_commands(self) -> list[Command]:
        """Return the commands made since the last call."""
        commands = self._own.take_commands()
        self._counts["command_count"] += len(commands)
        self._compare(self._own.handled_count)  # what needed no command
        return commands

    def summary(self) -> dict[str, Figure]:
        """Return how well the book followed and what trades did; lots are of the instrument.

        `matching_share` is the part of best-price updates after which the own orders' best prices were the recorded
        ones; `filled_by_others_lots` traded between an own order and somebody else's.
        """
        compared = self._counts["ticker_count"] - len(self._checkpoints)
        share = self._counts["matching_count"] / compared if compared else 0.0
        return {
            "matching_share": round(share, 6),
            **self._counts,
            "gap_count": self._counts["gap_count"] + self._book.gap_count,
            "first_gap": self._first_gap or self._book.first_gap,
        }

    def _follow(self, touched: Touched) -> None:
        """Give each touched level its recorded quantity: first all that shrinks, so that own orders never meet."""
        growing: list[tuple[Side, int, int]] = []
        for side in Side:
            for price_ticks in sorted(touched[side]):
                qty_lots = self._left_of(side, price_ticks, self._book.qty_lots(side, price_ticks))
                if qty_lots > self._own.expected_lots(side, price_ticks):
                    growing.append((side, price_ticks, qty_lots))
                else:
                    self._own.set_level(side, price_ticks, qty_lots)
        for side, price_ticks, qty_lots in growing:
            self._grow(side, price_ticks, qty_lots)

    def _restore_best(self, ticker: BookTicker) -> None:
        """Undo at the best prices what trades and other orders did to them, and note down to compare."""
        for side, best in zip(Side, (ticker.bid, ticker.ask), strict=True):
            self._own.cancel_better(side, best.price_ticks)
        for side, best in zip(Side, (ticker.bid, ticker.ask), strict=True):
            self._grow(side, best.price_ticks, self._left_of(side, *best))
        self._counts["ticker_count"] += 1
        self._checkpoints.append((self._own.sent_count, (ticker.bid.price_ticks, ticker.ask.price_ticks)))

    def _grow(self, side: Side, price_ticks: int, qty_lots: int) -> None:
        """Set a level, after what is on the other side at its price or through it: predicted to be gone, or not."""
        self._own.cancel_better(side.opposite, price_ticks + (1 if side == Side.BUY else -1))
        self._own.set_level(side, price_ticks, qty_lots)

    def _compare(self, handled_count: int) -> None:
        while self._checkpoints and self._checkpoints[0][0] <= handled_count:
            best = self._own.best_price(Side.BUY), self._own.best_price(Side.SELL)
            self._counts["matching_count"] += best == self._checkpoints.popleft()[1]
