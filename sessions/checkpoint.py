"""A checkpoint: what every session with a name is made of, as bytes, so that its reports need not be replayed."""

from typing import Final

import msgpack
import numpy as np

from journal.format import JournalError
from market.limits import ORDER_IDS_PER_SESSION
from sessions import memory as at
from sessions.open_orders import put_orders
from sessions.report_stream import ReportStream
from sessions.session_store import IN_CHECKPOINT, StoredSession
from sessions.session_table import SessionTable

_VERSION: Final = 1  # its second item held last prices once; nobody reads it


def checkpoint_of(table: SessionTable) -> bytes:
    """Return all sessions with a name: their numbers, answered open orders and kept reports.

    An order without its first report is not told of, as reports tell of none. It may be on its way, and die with us:
    who reads this hears from the engine of it if it has arrived, and else takes it anew from its client, who sends it
    again.
    """
    open_orders = table.memory.open_orders
    open_orders = open_orders[open_orders[:, at.ORDER_IS_ANSWERED] != 0]
    numbers = (open_orders[:, at.ORDER_ID] - table.memory.limits[at.FIRST_ORDER_ID]) // ORDER_IDS_PER_SESSION
    rows = []
    for session in table.sessions.values():
        if session.name:
            state = table.memory.of(session.number).copy()
            state[[at.CREDIT_NS, at.CREDIT_AT_NS]] = 0  # of a clock that begins anew with the machine
            orders = open_orders[numbers == session.number]
            state[at.USED_ID], state[at.OPEN_COUNT] = state[at.ANSWERED_ID], len(orders)
            rows.append((session.name, session.number, state.tolist(), orders.tobytes(), session.reports.kept))
    packed: bytes = msgpack.packb((_VERSION, (), rows))
    return packed


def restore_checkpoint(table: SessionTable, checkpoint: bytes, stored: list[StoredSession]) -> None:
    """Let those sessions of a checkpoint begin that still are: `stored` as IN_CHECKPOINT.

    Raises:
        JournalError: if it is no checkpoint, or lacks one of them.
    """
    try:
        version, _, rows = msgpack.unpackb(checkpoint, use_list=False)
        by_number = {row[1]: row for row in rows}
        assert version == _VERSION, f"expected version {_VERSION}, was {version}"
        for one in stored:
            if one.since == IN_CHECKPOINT:
                name, _, numbers, orders, kept = by_number[one.number]
                assert name == one.name, f"expected session {one.number} to be that of {one.name}, was {name}"
                table.restore(one, ReportStream.of(table.kept_bytes, kept))
                table.memory.of(one.number)[: len(numbers)] = numbers  # an earlier version had fewer
                put_orders(table.memory.orders, np.frombuffer(orders, np.int64))
                table.memory.counts[at.TOTAL_OPEN] += numbers[at.OPEN_COUNT]
    except (ValueError, KeyError, TypeError, AssertionError, msgpack.UnpackException) as error:
        raise JournalError(f"the checkpoint of the sessions cannot be used: {error}") from error
