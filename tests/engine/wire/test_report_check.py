"""The load generator's check of reports: what it counts, and that it notices what is missing, doubled or wrong."""

import numpy as np
import pytest

from benchmarks.report_check import (
    ANSWERED_CANCELS,
    ANSWERED_NEW,
    CHECK_SIZE,
    FAULT,
    NEW_PER_PASS,
    REFUSED,
    REPORTS,
    TRADES_TOLD,
    check_reports,
)
from market.codec import encode, encode_all
from market.codes import Tag
from market.events import Accepted, Canceled, Event, Executed, Rejected
from market.feed_messages import InstrumentDefinition
from market.kernels.rows import Int64Array
from market.session_messages import LoggedOn

TIME_NS = 1_764_506_729_123_456_789
CANCEL_IDS = np.array([2, 1], np.int64)
GREETING = encode(InstrumentDefinition(0, "BTCUSDT", "BTC", "USDT", "0.01", "0.00001"))


def _accepted(sequence: int, order_id: int) -> Accepted:
    return Accepted(sequence, TIME_NS, 0, order_id, 0, 0, 100, 5, 0, 0, 5)


def _canceled(sequence: int, order_id: int, reason: int = 1) -> Canceled:
    return Canceled(sequence, TIME_NS, 0, order_id, 0, 0, 100, 5, 0, reason)


# Two new orders, their trade with somebody, and the answers to two cancels.
GOOD: list[Event] = [
    _accepted(1, 1),
    _accepted(2, 2),
    Executed(3, TIME_NS, 0, 70_000, 100, 5, 0, 0, 0, 0, 1, 0, 3, 0),
    _canceled(4, 2),
    _canceled(5, 900_000, reason=2),
    Rejected(6, TIME_NS, 0, 1, 0, Tag.CANCEL_ORDER, 1),
]


def _checked(data: bytes) -> tuple[int, Int64Array]:
    check: Int64Array = np.zeros(CHECK_SIZE, np.int64)
    check[NEW_PER_PASS] = 2
    return check_reports(np.frombuffer(data, np.uint8), len(data), CANCEL_IDS, check), check


def test_counts_what_was_answered() -> None:
    """Messages of the session itself, and orders that a MassCancel ended, are no answers."""
    data = GREETING + encode(LoggedOn(1, 1, 0, 0, 30_000)) + encode_all(GOOD)
    used, check = _checked(data)
    assert used == len(data)
    assert check[FAULT] == 0
    counted = check[[REPORTS, ANSWERED_NEW, ANSWERED_CANCELS, TRADES_TOLD, REFUSED]].tolist()
    assert counted == [6, 2, 2, 1, 1]


def test_leaves_a_cut_message_for_the_next_piece() -> None:
    """Cut at every byte, the two pieces together count what the whole does."""
    data = GREETING + encode_all(GOOD)
    for cut in range(len(data)):
        check: Int64Array = np.zeros(CHECK_SIZE, np.int64)
        check[NEW_PER_PASS] = 2
        used = check_reports(np.frombuffer(data, np.uint8), cut, CANCEL_IDS, check)
        rest = data[used:]
        assert check_reports(np.frombuffer(rest, np.uint8), len(rest), CANCEL_IDS, check) == len(rest)
        assert check[[FAULT, REPORTS, ANSWERED_NEW, ANSWERED_CANCELS]].tolist() == [0, 6, 2, 2], cut


@pytest.mark.parametrize(
    ("what", "events"),
    [
        ("a missing report", [*GOOD[:1], *GOOD[2:]]),
        ("a doubled report", [*GOOD[:2], *GOOD[1:]]),
        ("an order acknowledged twice", [_accepted(1, 1), _accepted(2, 1)]),
        ("an order left out", [_accepted(1, 2)]),
        ("another order canceled", [_accepted(1, 1), _accepted(2, 2), _canceled(3, 1)]),
        ("a cancel refused for another order", [Rejected(1, TIME_NS, 0, 7, 0, Tag.CANCEL_ORDER, 1)]),
    ],
)
def test_notices_what_is_wrong(what: str, events: list[Event]) -> None:
    """A benchmark whose check cannot fail would show the speed of anything."""
    _, check = _checked(encode_all(events))
    assert check[FAULT] != 0, what
