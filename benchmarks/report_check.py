"""The load generator's check of its execution reports: compiled, so that it costs less than what it watches."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from market.codes import CancelReason, Tag
from market.kernels.compiling import inlined, kernel
from market.kernels.integers import ByteArray
from market.kernels.order_table import unsigned
from market.kernels.rows import Int64Array

# What is counted, one number each.
REPORTS: Final = 0  # the next has this number plus one
ANSWERED_NEW: Final = 1  # new orders that had their first report; they come in the order of their ids
ANSWERED_CANCELS: Final = 2
TRADES_TOLD: Final = 3  # one for each side
REFUSED: Final = 4
FAULT: Final = 5  # 0, or the tag at which something was not as expected
FAULT_WAS: Final = 6
FAULT_EXPECTED: Final = 7
FIRST_ID: Final = 8  # the id before the first new order's
NEW_PER_PASS: Final = 9
CHECK_SIZE: Final = 10

_ACCEPTED: Final = int(Tag.ACCEPTED)
_EXECUTED: Final = int(Tag.EXECUTED)
_CANCELED: Final = int(Tag.CANCELED)
_REJECTED: Final = int(Tag.REJECTED)
_LAST_REPORT: Final = int(Tag.HALTED)
_NEW_ORDER: Final = int(Tag.NEW_ORDER)
_REQUESTED: Final = int(CancelReason.REQUESTED)
_COMMAND_ITEM: Final = 6  # of Rejected
_REASON_ITEM: Final = 10  # of Canceled


@kernel
def check_reports(buffer: ByteArray, end: int, cancel_ids: Int64Array, check: Int64Array) -> int:
    """Read the whole messages in `buffer[:end]`; return how many bytes they have.

    Every report must have the next number, every new order's first report must come in the order of their ids, and
    every cancel's answer in the order of `cancel_ids`, which each pass names again above the ids of the one before.
    Beside the reports stand messages of the session itself, which are skipped.
    """
    at = 0
    while at < end:
        size = _message_size(buffer, at, end)
        if size == 0:
            break
        tag: int = np.int64(buffer[unsigned(at + 1)])  # type: ignore[assignment]
        if _ACCEPTED <= tag <= _LAST_REPORT:
            _check_report(buffer, at + 2, tag, cancel_ids, check)
        at += size
    return at


@inlined
def _message_size(buffer: ByteArray, start: int, end: int) -> int:
    """Return the size of the message, 0 if it is not whole."""
    at = start + 1
    for _ in range(buffer[unsigned(start)] & 0x0F):
        if at >= end:
            return 0
        at += _item_size(buffer, at)
    return at - start if at <= end else 0


@inlined
def _item_size(buffer: ByteArray, at: int) -> int:
    """Return the size of an integer, or of a short text."""
    first = np.int64(buffer[unsigned(at)])
    if 0xCC <= first <= 0xD3:
        return 1 + (1 << (first & 3))
    return 1 + (first & 0x1F) if 0xA0 <= first <= 0xBF else 1


@inlined
def _read(buffer: ByteArray, at: int) -> int:
    """Return an integer that is not negative."""
    first = np.int64(buffer[unsigned(at)])
    if first < 0xCC:
        return first
    value = np.int64(0)
    for place in range(1 << (first & 3)):
        value = value << 8 | np.int64(buffer[unsigned(at + 1 + place)])
    return value


@inlined
def _check_report(buffer: ByteArray, sequence_at: int, tag: int, cancel_ids: Int64Array, check: Int64Array) -> None:
    check[REPORTS] += 1
    _expect(check, tag, _read(buffer, sequence_at), check[REPORTS])
    if tag == _EXECUTED:
        check[TRADES_TOLD] += 1
        return
    at = sequence_at + _item_size(buffer, sequence_at)
    at += _item_size(buffer, at)  # the time
    at += _item_size(buffer, at)  # the symbol
    if tag == _ACCEPTED:
        check[ANSWERED_NEW] += 1
        _expect(check, tag, _read(buffer, at), check[FIRST_ID] + check[ANSWERED_NEW])
    elif tag in (_CANCELED, _REJECTED):
        order_id = _read(buffer, at)
        for _ in range(4, _REASON_ITEM if tag == _CANCELED else _COMMAND_ITEM):
            at += _item_size(buffer, at)
        what = _read(buffer, at)
        if tag == _REJECTED:
            check[REFUSED] += 1
        if tag == _REJECTED and what == _NEW_ORDER:
            check[ANSWERED_NEW] += 1
            _expect(check, tag, order_id, check[FIRST_ID] + check[ANSWERED_NEW])
        elif tag == _REJECTED or what == _REQUESTED:
            past, index = divmod(check[ANSWERED_CANCELS], len(cancel_ids))
            check[ANSWERED_CANCELS] += 1
            _expect(check, tag, order_id, cancel_ids[index] + past * check[NEW_PER_PASS])


@inlined
def _expect(check: Int64Array, tag: int, was: int, expected: int) -> None:
    """Note the first fault."""
    if was != expected and check[FAULT] == 0:
        check[FAULT], check[FAULT_WAS], check[FAULT_EXPECTED] = tag, was, expected
