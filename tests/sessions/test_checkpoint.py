"""A checkpoint stands for all reports before it."""

import msgpack
import numpy as np
import pytest

from journal.format import JournalError
from market.clock import NS_PER_SECOND
from market.codec import encode_all
from market.codes import Side
from market.commands import CancelOrder, NewOrder
from market.events import Rejected
from sessions.checkpoint import checkpoint_of, restore_checkpoint
from sessions.memory import TOTAL_OPEN, SessionLimits
from sessions.session_store import IN_CHECKPOINT, StoredSession
from sessions.session_table import Session, SessionTable
from tests.sessions.floor import BTC, KEPT_BYTES, Floor, reports

NAMES = ("one", "two")


def trade(floor: Floor, first: int, count: int) -> None:
    """Let three sessions, one of them without a name, enter, trade and cancel."""
    one, two, nobody = floor.table.sessions.values()
    for n in range(first, first + count):
        floor.give(one, NewOrder(n, BTC, Side.BUY, 1_000 + n % 7, 5), CancelOrder(max(1, n - 3), BTC))
        floor.give(two, NewOrder(n, BTC, Side.SELL, 1_003 + n % 5, 7))
        floor.give(nobody, NewOrder(n, BTC, Side.BUY, 900, 1))


@pytest.fixture
def traded() -> Floor:
    """A floor where much has happened."""
    floor = Floor()
    for name in (*NAMES, ""):
        floor.session(name)
    trade(floor, 1, 60)
    return floor


def stored(session: Session) -> StoredSession:
    """Return what is written of a session beside a checkpoint."""
    return StoredSession(session.name, session.number, session.offset, IN_CHECKPOINT, session.is_cancel_on_disconnect)


def restored(floor: Floor, *names: str) -> SessionTable:
    """Return a new table with these sessions from the floor's checkpoint."""
    table = SessionTable(SessionLimits(), 1_000, 1, KEPT_BYTES)
    rows = [stored(session) for session in floor.table.sessions.values() if session.name in names]
    restore_checkpoint(table, checkpoint_of(floor.table), rows)
    return table


def test_sessions_go_on_from_it_as_if_nothing_had_been(traded: Floor) -> None:
    """Reports, ids, open orders, last prices; and the reports that come later have the same numbers."""
    again = restored(traded, *NAMES)
    old_frames = len(traded.frames)
    trade(traded, 61, 40)
    for frame in traded.frames[old_frames:]:
        again.report(frame)
    for name in NAMES:
        here, there = traded.table.by_name(name), again.by_name(name)
        assert here is not None
        assert there is not None
        assert reports(there) == reports(here)
        assert again.used_id(there) == traded.table.used_id(here)
        assert again.open_count(there) == traded.table.open_count(here)
    nobody = traded.table.sessions[2]
    of_nobody = traded.table.open_count(nobody)
    assert of_nobody == 100
    assert np.array_equal(again.memory.open_orders, traded.table.memory.open_orders[:-of_nobody])
    assert again.memory.counts[TOTAL_OPEN] == len(again.memory.open_orders)


def test_order_that_no_engine_has_had_is_taken_when_it_comes_again(traded: Floor) -> None:
    """It died with the gateway that sent it, after a checkpoint: it was held for used, and waited for an answer."""
    one = traded.table.sessions[0]
    used_id, open_count = traded.table.used_id(one), traded.table.open_count(one)
    traded.admit(one, encode_all([NewOrder(61, BTC, Side.BUY, 900, 1), NewOrder(62, BTC, Side.BUY, 900, 1)]))
    again = Floor()
    restore_checkpoint(again.table, checkpoint_of(traded.table), [stored(one)])
    (session,) = again.table.sessions.values()
    assert (again.table.used_id(session), again.table.open_count(session)) == (used_id, open_count)
    assert again.table.memory.counts[TOTAL_OPEN] == open_count
    sent_again = [NewOrder(60, BTC, Side.BUY, 900, 1), NewOrder(61, BTC, Side.BUY, 900, 1)]
    assert again.admit(session, encode_all(sent_again)).order_count == 1
    assert list(session.resends) == [(60, BTC)]


def test_only_those_come_back_who_still_have_a_session(traded: Floor) -> None:
    """One was given up after the checkpoint: its number is free."""
    again = restored(traded, "two")
    assert [session.name for session in again.sessions.values()] == ["two"]
    assert again.open("new", 0).number == 0


def test_a_machine_that_was_started_anew_does_not_owe_a_session_its_time() -> None:
    """A monotonic clock begins anew with the machine: credit of before would be a debt of days."""
    floor = Floor(SessionLimits(messages_per_s=2))
    floor.now_ns = 10**15
    one = floor.session("one")
    assert floor.give(one, NewOrder(1, BTC, Side.BUY, 900, 1)) == []
    again = Floor(SessionLimits(messages_per_s=2))
    restore_checkpoint(again.table, checkpoint_of(floor.table), [stored(one)])
    again.now_ns = NS_PER_SECOND
    (session,) = again.table.sessions.values()
    orders = [NewOrder(n, BTC, Side.BUY, 900, 1) for n in (2, 3, 4)]
    assert [event.order_id for event in again.give(session, *orders) if isinstance(event, Rejected)] == [4]


def test_a_session_keeps_its_ids_above_those_of_whoever_had_its_number() -> None:
    """Else a report of its first order would be somebody else's."""
    floor = Floor()
    before = floor.session("before")
    floor.give(before, NewOrder(40, BTC, Side.BUY, 900, 1), CancelOrder(40, BTC))
    floor.table.release(before)
    one = floor.session("one")
    floor.give(one, NewOrder(1, BTC, Side.BUY, 900, 1))
    again = restored(floor, "one")
    floor.give(one, NewOrder(2, BTC, Side.BUY, 900, 1))
    again.report(floor.frames[-1])
    session = again.by_name("one")
    assert session is not None
    assert reports(session) == reports(one)
    assert (session.offset, again.is_open(session, 1), again.is_open(session, 3)) == (40, True, False)


def test_one_of_an_earlier_version_is_read(traded: Floor) -> None:
    """A session had fewer numbers then, and a chunk of reports said less."""
    version, nothing, rows = msgpack.unpackb(checkpoint_of(traded.table))
    for row in rows:
        row[2] = row[2][:8]
        row[4][2] = [chunk[:4] for chunk in row[4][2]]
    table = SessionTable(SessionLimits(), 1_000, 1, KEPT_BYTES)
    named = [session for session in traded.table.sessions.values() if session.name]
    restore_checkpoint(table, msgpack.packb((version, nothing, rows)), list(map(stored, named)))
    for session in named:
        again = table.by_name(session.name)
        assert again is not None
        assert reports(again) == reports(session)
        assert table.open_count(again) == traded.table.open_count(session)


@pytest.mark.parametrize("damage", [b"", b"\x93\x02\x90\x90", b"\x93\x01\x90\x90", b"\xc1"])
def test_a_damaged_one_is_refused(traded: Floor, damage: bytes) -> None:
    """To go on without it would lose reports without a word."""
    table = SessionTable(SessionLimits(), 1_000, 1, KEPT_BYTES)
    with pytest.raises(JournalError, match="checkpoint"):
        restore_checkpoint(table, damage, [stored(next(iter(traded.table.sessions.values())))])
