"""Makes an engine's book follow a recorded one, with background orders, and lets recorded trades hit it.

A level that grows gets one more order at the back of its queue; one that shrinks loses where the queue model says, by
default from its back. So an order of somebody else keeps what stood before it, until recorded trades have worked
through that. What others have had of a recorded quantity is gone: it does not come back with the next update.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Final

import numpy as np

from flow.mirror import memory as at
from flow.mirror.following import cancel_former, finish_step, follow, follow_best, trade, withdraw
from flow.mirror.hearing import hear
from flow.mirror.memory import MirrorMemory, make_mirror_memory
from flow.order_flow import Figure
from flow.queue_models import QUEUE_MODELS, check_queue_model
from flow.recordings.book import RecordedBook, Touched
from flow.recordings.changes import levels_of
from flow.recordings.recording import BookTicker, Record, RecordedTrade, Snapshot
from market.codes import Side
from market.commands import Command
from market.depth import Level
from market.events import Event
from market.kernels.rows import ROW_WIDTH, Int64Array, read_command, write_event
from market.limits import MIRROR_ORDERS_MAX

_FRESH_IDS: Final = 1_024  # taken at once, beyond those that are needed


class BookMirror:
    """The recorded book, the own orders that stand for it, and the count of how often their best prices agree."""

    def __init__(
        self,
        symbol_id: int,
        owner: int,
        order_ids: Iterator[int],
        reach_bps: int,
        queue_model: str = "behind",
        seed: int = 1,
    ) -> None:
        """Start without a book.

        Args:
            owner: the owner that all orders carry, from 1 (0 would stand for everybody).
            order_ids: ids that nobody else uses, rising.
            reach_bps: see `RecordedBook`.
            queue_model: where in its queue a decrease that was no trade has left; see `flow.queue_models`.
            seed: of its dice.
        """
        self._order_ids = order_ids
        self._reach_bps = reach_bps
        self._book = RecordedBook(reach_bps)
        self._former: Touched = (set(), set())  # prices of the book before, while the next one is not built
        self._memory = new_mirror(symbol_id, owner, queue_model, seed)
        self._state = self._memory.state
        self._rows: Int64Array = self._memory.commands.reshape(-1, ROW_WIDTH)
        self._heard: Int64Array = np.zeros((64, ROW_WIDTH), np.int64)
        self._commands: list[Command] = []
        self._command_count = self._gap_count = 0
        self._first_gap = ""

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
        return int(self._state[at.SENT] - self._state[at.HANDLED])

    def prepare(self, record: Record) -> None:
        """Take a record into the recorded book alone, to be built later."""
        if not isinstance(record, RecordedTrade):
            self._book.apply(record)

    def begin_next(self) -> None:
        """Await the snapshot of another recording; until it comes the own orders stay as they are."""
        former = self._book.prices()
        self._former = self._former[Side.BUY] | former[Side.BUY], self._former[Side.SELL] | former[Side.SELL]
        self._gap_count += self._book.gap_count
        self._first_gap = self._first_gap or self._book.first_gap
        self._book = RecordedBook(self._reach_bps)

    def rebuild(self) -> list[Command]:
        """Forget the own orders and return what builds the whole book anew."""
        self._forget()
        cancel_former(self._memory)
        self._follow(self._book.prices())
        return self.take_commands()

    def withdraw(self) -> None:
        """Cancel all own orders: what they stand for is no longer known."""
        withdraw(self._memory)

    def hear(self, events: Sequence[Event], acknowledged: int) -> None:
        """Take in the events of own orders and how many commands are handled; both as `OrderFlow.step` has them."""
        if len(events) > len(self._heard):
            self._heard = np.zeros((2 * len(events), ROW_WIDTH), np.int64)
        for index, event in enumerate(events):
            write_event(self._heard, index, event)
        hear(self._memory, self._heard[: len(events)].reshape(-1), acknowledged)

    def apply(self, record: Record) -> None:
        """Follow a record of a book that is built."""
        if isinstance(record, RecordedTrade):
            if self._book.is_built:
                side, price_ticks, qty_lots = int(record.taker_side), record.price_ticks, record.qty_lots
                self._do(0, lambda: trade(self._memory, side, price_ticks, qty_lots))
            return
        was_built = self._book.is_built
        touched = self._book.apply(record)
        if not self._book.is_built:
            return
        if not was_built:
            touched = touched[Side.BUY] | self._former[Side.BUY], touched[Side.SELL] | self._former[Side.SELL]
            self._former = (set(), set())
        self._follow(touched, (*record.bid, *record.ask) if isinstance(record, BookTicker) else None)

    def take_commands(self) -> list[Command]:
        """Return the commands made since the last call."""
        self._drain()
        commands, self._commands = self._commands, []
        self._command_count += len(commands)
        finish_step(self._memory)
        return commands

    def summary(self) -> dict[str, Figure]:
        """Return how well the book followed and what trades did; lots are of the instrument.

        `matching_share` is the part of best-price updates after which the own orders' best prices were the recorded
        ones; `filled_by_others_lots` traded between an own order and somebody else's.
        """
        return {
            **figures_of(self._state),
            "command_count": self._command_count,
            "gap_count": self._gap_count + self._book.gap_count,
            "first_gap": self._first_gap or self._book.first_gap,
        }

    def _follow(self, touched: Touched, best: tuple[int, int, int, int] | None = None) -> None:
        keys, lots = (np.array(each, np.int64) for each in levels_of(self._book, touched))
        if best is None:
            self._do(len(keys), lambda: follow(self._memory, keys, lots))
        else:
            self._do(len(keys), lambda: follow_best(self._memory, keys, lots, best))

    def _do(self, level_count: int, act: Callable[[], bool]) -> None:
        """Do what needs room for so many levels."""
        give_fresh_ids(self._memory.fresh, self._state, level_count, self._order_ids)
        if not act():
            self._drain()
            assert act(), f"a recorded book must have at most {MIRROR_ORDERS_MAX} own orders and levels"

    def _drain(self) -> None:
        self._commands += map(read_command, self._rows[: int(self._state[at.COMMANDS])])
        self._state[at.COMMANDS] = 0

    def _forget(self) -> None:
        """Forget all own orders, and ids that an engine may have seen of somebody else; what was counted stays."""
        waiting = int(self._state[at.CHECKS_END] - self._state[at.CHECKS_BEGIN])  # never to be compared
        kept = self._state[[at.SYMBOL, at.OWNER, at.QUEUE_MODEL, at.DICE]], self._state[at.TICKERS :].copy()
        given, given_count = self._memory.given, self._state[at.GIVEN]
        self._memory = make_mirror_memory()._replace(given=given)
        self._state = self._memory.state
        self._rows = self._memory.commands.reshape(-1, ROW_WIDTH)
        self._state[[at.SYMBOL, at.OWNER, at.QUEUE_MODEL, at.DICE]], self._state[at.TICKERS :] = kept
        self._state[at.GIVEN] = given_count
        self._state[at.TICKERS] -= waiting


def warm() -> None:
    """Compile the mirror's kernels into the cache, or load them."""
    mirror = BookMirror(0, 1, count(1), 0)
    best = Level(1, 1), Level(2, 1)
    mirror.prepare(Snapshot(0, 0, best[:1], best[1:]))
    mirror.rebuild()
    mirror.apply(BookTicker(0, 0, *best))
    mirror.apply(RecordedTrade(0, 0, 1, 1, Side.SELL))
    mirror.hear((), 0)
    mirror.withdraw()


def new_mirror(symbol_id: int, owner: int, queue_model: str, seed: int) -> MirrorMemory:
    """Return the memory of a mirror without orders; the arguments are those of `BookMirror`."""
    assert owner > 0, f"owner must be positive, was {owner}"
    memory = make_mirror_memory()
    memory.state[at.SYMBOL] = symbol_id
    memory.state[at.OWNER] = owner
    memory.state[at.QUEUE_MODEL] = QUEUE_MODELS.index(check_queue_model(queue_model))
    memory.state[at.DICE] = np.uint64(seed & (1 << 64) - 1).astype(np.int64)
    return memory


def figures_of(state: Int64Array) -> dict[str, Figure]:
    """Return what a mirror has counted."""
    compared = int(state[at.TICKERS] - (state[at.CHECKS_END] - state[at.CHECKS_BEGIN]))
    share = int(state[at.MATCHING]) / compared if compared else 0.0
    names = ("ticker_count", "matching_count", "trade_count", "trade_lots", "traded_lots", "filled_by_others_lots")
    counts = zip(names, state[at.TICKERS : at.FILLED_BY_OTHERS + 1].tolist(), strict=True)
    return {"matching_share": round(share, 6), **dict(counts)}


def give_fresh_ids(fresh: Int64Array, state: Int64Array, level_count: int, order_ids: Iterator[int]) -> None:
    """See to it that a mirror has ids for following so many levels."""
    begin, end = int(state[at.FRESH_BEGIN]), int(state[at.FRESH_END])
    needed = level_count + 3
    if end - begin >= needed:
        return
    left, wanted = end - begin, needed + _FRESH_IDS
    assert wanted <= len(fresh), f"a recorded book must have at most {MIRROR_ORDERS_MAX} levels"
    fresh[:left] = fresh[begin:end].copy()
    fresh[left:wanted] = np.fromiter(islice(order_ids, wanted - left), np.int64, wanted - left)
    state[at.FRESH_BEGIN], state[at.FRESH_END] = 0, wanted
