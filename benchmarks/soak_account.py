"""The account that a client of `benchmarks.soak` keeps, compiled: what it sends, and what it believes to rest.

An order is a row of a table, found by its id under a mask. What the client believes follows from its reports alone. The
kernels take a microsecond for a command and its reports; in objects it was thirty, more than what they measure takes.
"""
# mypy: disable-error-code="no-any-return, return-value"

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.soak_measures import BIN_FIRST_NS, BIN_RATIO, BINS
from market.clock import NS_PER_SECOND
from market.codes import RejectReason, Side, Tag, TimeInForce
from market.kernels.compiling import inlined, kernel
from market.kernels.row_codes import ACCEPTED, CANCEL, CANCELED, EXECUTED, NEW, REJECTED, RESTED
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array

Floats = npt.NDArray[np.float64]
Counts32 = npt.NDArray[np.int32]

RESTING_MAX: Final = 1_000  # of a client
TAKER_EVERY: Final = 50  # of so many orders one trades
LOTS: Final = 20
DISTANCES: Final = (0.006, 0.015)  # from the mid, of what rests
ASK_AGAIN_NS: Final = 5 * NS_PER_SECOND  # a cancel may be lost with its connection
SLOTS: Final = 1 << 17  # orders; the first one is done for long when an id comes to its place again
PIECE: Final = 512  # commands at once

# Of an order's row:
_ID: Final = 0
_STATE: Final = 1  # bits
_RESTING: Final = 2  # lots, as its reports say
_DUE_NS: Final = 3
_SIDE: Final = 4
_PRICE: Final = 5
_LOTS: Final = 6
_TIME: Final = 7
_ORDER_WIDTH: Final = 8
_UNANSWERED: Final = 1  # it is sent again by every new connection
_DUE: Final = 2  # it has not had its first report

# Of the counts:
SENT: Final = 0
EXECUTIONS: Final = 1
REFUSED: Final = 2
DOUBLED: Final = 3
LAST_SEQUENCE: Final = 4  # of the reports
LAST_ID: Final = 5
UNANSWERED: Final = 6
_OLDEST_AT: Final = 7  # of the queue of what rests and has no cancel: its front and its end
_OLDEST_END: Final = 8
_ASKED_AT: Final = 9  # likewise of the cancels
_ASKED_END: Final = 10
FAULT: Final = 11  # 1: an order's place was wanted while it was not done
_COUNTS: Final = 12

_ACCEPTED, _RESTED, _EXECUTED = int(Tag.ACCEPTED), int(Tag.RESTED), int(Tag.EXECUTED)
_CANCELED, _REJECTED = int(Tag.CANCELED), int(Tag.REJECTED)
_HALTED, _LAST_REPORT = int(Tag.HALTED), int(Tag.TRAILED)
_NEW_ORDER, _CANCEL_ORDER, _LOGON = int(Tag.NEW_ORDER), int(Tag.CANCEL_ORDER), int(Tag.LOGON)
_BUY, _SELL, _IOC = int(Side.BUY), int(Side.SELL), int(TimeInForce.IOC)
_UNKNOWN_ORDER: Final = int(RejectReason.UNKNOWN_ORDER)
_SEQUENCE: Final = 1  # the column of each report's
_NEAR, _FAR = DISTANCES
_FIRST_NS, _LOG_RATIO, _LAST_BIN = float(BIN_FIRST_NS), math.log(BIN_RATIO), BINS - 1


class Account:
    """What one client has sent and been told.

    Attributes:
        counts: numbers by the constants above.
        seconds: `[seconds, BINS]`: of the orders that were due in each second, how many took how long.
        start_ns: when the first one begins.
    """

    def __init__(self, seed: int) -> None:
        self.counts: Int64Array = np.zeros(_COUNTS, np.int64)
        self.seconds: Counts32 = np.zeros((1, BINS), np.int32)
        self.start_ns = 0
        self.commands: Int64Array = np.zeros((PIECE, ROW_WIDTH), np.int64)
        self._orders: Int64Array = np.zeros((SLOTS, _ORDER_WIDTH), np.int64)
        self._oldest: Int64Array = np.zeros(SLOTS, np.int64)
        self._asked: Int64Array = np.zeros((SLOTS, 2), np.int64)  # when, and of which order
        self._dice = np.random.default_rng(seed)

    def act(self, first_ns: int, step_ns: int, count: int, mid_ticks: int) -> None:
        """Write `count` commands, due from `first_ns` on, into `commands`: orders, and cancels once enough rest."""
        assert 0 < count <= PIECE, f"expected 1 to {PIECE} commands, was {count}"
        draws = self._dice.random((count, 4))
        act(self._orders, self._oldest, self._asked, self.counts, self.commands, draws, first_ns, step_ns, mid_ticks)
        assert not self.counts[FAULT], "expected an order to be done before its place is wanted again"

    def hear(self, rows: Int64Array, now_ns: int) -> int:
        """Take reports that have come; return how many were taken: the row behind them is none, or not the next one."""
        return hear(rows, self._orders, self._oldest, self.counts, self.seconds, self.start_ns, now_ns)

    def ask_again(self, now_ns: int) -> int:
        """Write cancels of what rests though it was cancelled long ago into `commands`; return how many."""
        return ask_again(self._orders, self._asked, self.counts, self.commands, now_ns)

    def again(self) -> Int64Array:
        """Return the commands of all orders without a report, in their order."""
        waiting = self._orders[self._orders[:, _STATE] & _UNANSWERED != 0]
        waiting = waiting[np.argsort(waiting[:, _ID])]
        rows: Int64Array = np.zeros((len(waiting), ROW_WIDTH), np.int64)
        rows[:, TAG] = _NEW_ORDER
        for column, found in ((NEW.order_id, _ID), (NEW.side, _SIDE), (NEW.price_ticks, _PRICE)):
            rows[:, column] = waiting[:, found]
        rows[:, NEW.qty_lots], rows[:, NEW.time_in_force] = waiting[:, _LOTS], waiting[:, _TIME]
        return rows

    @property
    def is_quiet(self) -> bool:
        """Whether every order has its report, and every order that was cancelled has ended."""
        at, end = int(self.counts[_ASKED_AT]), int(self.counts[_ASKED_END])
        asked = self._asked[np.arange(at, end) & (SLOTS - 1), 1]
        found = self._orders[asked & (SLOTS - 1)]
        rests = (found[:, _ID] == asked) & (found[:, _RESTING] > 0)
        return not self.counts[UNANSWERED] and not rests.any()

    @property
    def resting(self) -> dict[int, int]:
        """What should be in the book: order id to lots."""
        rests = self._orders[self._orders[:, _RESTING] > 0]
        return dict(zip(rests[:, _ID].tolist(), rests[:, _RESTING].tolist(), strict=True))


@kernel
def act(
    orders: Int64Array,
    oldest: Int64Array,
    asked: Int64Array,
    counts: Int64Array,
    commands: Int64Array,
    draws: Floats,
    first_ns: int,
    step_ns: int,
    mid_ticks: int,
) -> None:
    """Write a command for each row of `draws`, numbers from 0 to 1."""
    mask = len(orders) - 1
    for index in range(len(draws)):
        due_ns = first_ns + index * step_ns
        while counts[_OLDEST_AT] < counts[_OLDEST_END]:
            front = oldest[counts[_OLDEST_AT] & mask]
            if orders[front & mask, _ID] == front and orders[front & mask, _RESTING] > 0:
                break
            counts[_OLDEST_AT] += 1  # it has traded
        commands[index] = 0
        if counts[_OLDEST_END] - counts[_OLDEST_AT] >= RESTING_MAX:
            front = oldest[counts[_OLDEST_AT] & mask]
            counts[_OLDEST_AT] += 1
            _cancel(asked, counts, commands, index, front, due_ns)
            continue
        counts[LAST_ID] += 1
        order = orders[counts[LAST_ID] & mask]
        if order[_STATE] != 0 or order[_RESTING] != 0:
            counts[FAULT] = 1
            return
        counts[UNANSWERED] += 1
        is_buy = draws[index, 0] < 0.5
        away = -1.0 if is_buy else 1.0
        order[_ID], order[_STATE], order[_DUE_NS] = counts[LAST_ID], _UNANSWERED | _DUE, due_ns
        order[_SIDE] = _BUY if is_buy else _SELL
        if draws[index, 1] * TAKER_EVERY < 1:
            order[_PRICE], order[_LOTS], order[_TIME] = round(mid_ticks * (1 - away * _NEAR)), 1, _IOC
        else:
            order[_PRICE] = round(mid_ticks * (1 + away * (_NEAR + (_FAR - _NEAR) * draws[index, 2])))
            order[_LOTS], order[_TIME] = 1 + np.int64(draws[index, 3] * LOTS), 0
        command = commands[index]
        command[TAG], command[NEW.order_id], command[NEW.side] = _NEW_ORDER, order[_ID], order[_SIDE]
        command[NEW.price_ticks], command[NEW.qty_lots] = order[_PRICE], order[_LOTS]
        command[NEW.time_in_force] = order[_TIME]
    counts[SENT] += len(draws)


@inlined
def _cancel(asked: Int64Array, counts: Int64Array, commands: Int64Array, index: int, order_id: int, at_ns: int) -> None:
    commands[index, TAG], commands[index, CANCEL.order_id] = _CANCEL_ORDER, order_id
    place = counts[_ASKED_END] & (len(asked) - 1)
    asked[place, 0], asked[place, 1] = at_ns, order_id
    counts[_ASKED_END] += 1


@kernel
def ask_again(orders: Int64Array, asked: Int64Array, counts: Int64Array, commands: Int64Array, now_ns: int) -> int:
    """Write a cancel for each that was asked for too long ago, and whose order rests still; return how many."""
    mask, count = len(orders) - 1, 0
    while counts[_ASKED_AT] < counts[_ASKED_END] and count < len(commands):
        at_ns, order_id = asked[counts[_ASKED_AT] & mask]
        if now_ns - at_ns <= ASK_AGAIN_NS:
            break
        counts[_ASKED_AT] += 1
        if orders[order_id & mask, _ID] == order_id and orders[order_id & mask, _RESTING] > 0:
            commands[count] = 0
            _cancel(asked, counts, commands, count, order_id, now_ns)
            count += 1
    counts[SENT] += count
    return count


@kernel
def hear(
    rows: Int64Array,
    orders: Int64Array,
    oldest: Int64Array,
    counts: Int64Array,
    seconds: Counts32,
    start_ns: int,
    now_ns: int,
) -> int:
    """Take reports up to the first row that is none, or is not the next one; return how many."""
    mask = len(orders) - 1
    for index in range(len(rows)):
        row = rows[index]
        tag = row[TAG]
        if tag < _ACCEPTED or tag > _LAST_REPORT or (tag == _REJECTED and row[REJECTED.command] in (0, _LOGON)):
            return index
        if tag == _HALTED:
            continue
        order_id = _order_of(row, tag)
        order = orders[order_id & mask]
        is_ours = order[_ID] == order_id and order_id != 0
        if is_ours and order[_STATE] & _UNANSWERED and (tag != _REJECTED or row[REJECTED.command] == _NEW_ORDER):
            order[_STATE] &= ~_UNANSWERED
            counts[UNANSWERED] -= 1
        if row[_SEQUENCE] != 0:
            if row[_SEQUENCE] <= counts[LAST_SEQUENCE]:
                continue  # the stored reply to an order that was sent again
            if row[_SEQUENCE] != counts[LAST_SEQUENCE] + 1:
                return index
            counts[LAST_SEQUENCE] += 1
        _believe(row, tag, order, is_ours, orders, oldest, counts, seconds, start_ns, now_ns)
    return len(rows)


@inlined
def _believe(
    row: Int64Array,
    tag: int,
    order: Int64Array,
    is_ours: bool,
    orders: Int64Array,
    oldest: Int64Array,
    counts: Int64Array,
    seconds: Counts32,
    start_ns: int,
    now_ns: int,
) -> None:
    """Take what a report says that was not had before."""
    if tag == _ACCEPTED:
        _first_report(order, is_ours, counts, seconds, start_ns, now_ns)
        if row[ACCEPTED.resting_lots]:
            _rest(order, is_ours, oldest, counts, row[ACCEPTED.resting_lots])
    elif tag == _RESTED:
        _rest(order, is_ours, oldest, counts, row[RESTED.leaves_lots])
    elif tag == _EXECUTED:
        counts[EXECUTIONS] += 1
        maker = orders[row[EXECUTED.maker_order_id] & (len(orders) - 1)]
        if row[EXECUTED.maker_order_id] and maker[_ID] == row[EXECUTED.maker_order_id]:
            maker[_RESTING] = row[EXECUTED.maker_leaves_lots]
    elif tag == _CANCELED and is_ours:
        order[_RESTING] = row[CANCELED.leaves_lots]
    elif tag == _REJECTED and row[REJECTED.command] == _NEW_ORDER:
        _first_report(order, is_ours, counts, seconds, start_ns, now_ns)
        counts[REFUSED] += 1
    elif tag == _REJECTED and row[REJECTED.reason] != _UNKNOWN_ORDER:
        counts[REFUSED] += 1


@inlined
def _order_of(row: Int64Array, tag: int) -> int:
    """Return which of our orders a report is of, 0 for none that matters here."""
    if tag == _EXECUTED:
        return row[EXECUTED.taker_order_id] or row[EXECUTED.maker_order_id]
    if tag == _ACCEPTED:
        return row[ACCEPTED.order_id]
    if tag == _RESTED:
        return row[RESTED.order_id]
    if tag == _CANCELED:
        return row[CANCELED.order_id]
    return row[REJECTED.order_id] if tag == _REJECTED else np.int64(0)


@inlined
def _first_report(
    order: Int64Array, is_ours: bool, counts: Int64Array, seconds: Counts32, start_ns: int, now_ns: int
) -> None:
    if not is_ours or order[_STATE] & _DUE == 0:
        counts[DOUBLED] += 1
        return
    order[_STATE] &= ~_DUE
    second = (order[_DUE_NS] - start_ns) // NS_PER_SECOND
    took_ns = max(float(now_ns - order[_DUE_NS]), _FIRST_NS)
    place: int = min(np.int64(math.log(took_ns / _FIRST_NS) / _LOG_RATIO), _LAST_BIN)  # type: ignore[assignment]
    if 0 <= second < len(seconds):
        seconds[second, place] += 1


@inlined
def _rest(order: Int64Array, is_ours: bool, oldest: Int64Array, counts: Int64Array, lots: int) -> None:
    if not is_ours:
        counts[DOUBLED] += 1  # an order that was never sent, or long ago
        return
    if order[_RESTING] == 0:
        oldest[counts[_OLDEST_END] & (len(oldest) - 1)] = order[_ID]
        counts[_OLDEST_END] += 1
    order[_RESTING] = lots
