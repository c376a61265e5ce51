"""Which engine a client's command goes to."""

from dataclasses import dataclass
from typing import Any

import pytest

from engine.wire.codec import PieceDecoder
from market.codec import encode_all
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.kernels.rows import read_command
from market.session_messages import Heartbeat, Logout
from sessions.engines import Engines
from sessions.session_table import CLIENT_MESSAGES


@dataclass
class Link:
    """A link end that sends nothing."""

    engine: str
    symbol_ids: frozenset[int]
    is_connected: bool = True
    sent: int = 0
    acknowledged: int = 0

    def is_behind(self, *, was_behind: bool) -> bool:
        """Return whether the engine has too much to do."""
        return was_behind

    def send_encoded(self, _: bytes, count: int) -> int:
        """Count commands."""
        self.sent += count
        return self.sent


def link(engine: str, *symbol_ids: int) -> Link:
    """Return a link to an engine with these symbols."""
    return Link(engine, frozenset(symbol_ids))


def order(order_id: int, symbol_id: int) -> NewOrder:
    """Return an order."""
    return NewOrder(order_id, symbol_id, 0, 1_000, 5)


def parted(engines: Engines, *messages: Any) -> list[tuple[str, list[Any]]]:
    """Return the engines of each part, and what is in it."""
    decoder = PieceDecoder(CLIENT_MESSAGES)
    decoder.load(b"", encode_all(messages))
    rows = decoder.next_rows()
    parts = []
    for to, first, count in engines.parts(rows):
        commands = [read_command(row) for row in rows[first : first + count] if row[0] < 5]
        parts.append((" ".join(one.link.engine for one in to), commands))
    return parts


def test_gives_each_engine_its_symbols_commands_in_their_order() -> None:
    """A part ends where the next command is another engine's; who is nobody's goes with the first's."""
    links = Engines([link("one", 0, 2), link("two", 1)])
    commands = [order(1, 0), CancelOrder(1, 2), order(2, 1), AmendOrder(2, 1, 1_000, 4), order(3, 9), MassCancel(1)]
    assert parted(links, *commands) == [
        ("one", commands[:2]),
        ("two", commands[2:4]),
        ("one", commands[4:5]),
        ("two", commands[5:]),
    ]


def test_gives_a_mass_cancel_of_all_symbols_to_every_engine() -> None:
    """In its place between what the client sent before and after it."""
    links = Engines([link("one", 0), link("two", 1), link("three", 2)])
    commands = [order(1, 1), MassCancel(), MassCancel(2), MassCancel(-1, 1)]
    assert parted(links, *commands) == [
        ("two", commands[:1]),
        ("one two three", commands[1:2]),
        ("three", commands[2:3]),
        ("one two three", commands[3:]),
    ]


def test_a_desk_of_one_engine_has_one_part() -> None:
    """Nothing is looked at on the way of an order."""
    commands = [order(1, 0), order(2, 9), MassCancel(), CancelOrder(1, 5)]
    assert parted(Engines([link("one", 0, 1)]), *commands, Heartbeat(3), Logout()) == [("one", commands)]


@pytest.mark.parametrize("number", [3, 5])
def test_owes_what_any_engine_has_still_to_cancel(number: int) -> None:
    """A number is free only when every engine is done with it."""
    engines = Engines([link("one", 0), link("two", 1)])
    two = engines.by_name["two"]
    assert not engines.is_owed(number)
    two.cancels_owed.add(3)
    two.leaving[5] = 99
    assert engines.is_owed(number)
    assert not engines.is_owed(4)


def test_is_done_with_a_session_when_its_last_command_is_handled() -> None:
    """Not before: what comes later would be told to whoever has its number next."""
    line = link("one", 0)
    one = Engines([line]).by_name["one"]
    one.leaving = {3: 7, 5: 9}
    line.acknowledged = 6
    assert one.take_left() == []
    line.acknowledged = 8
    assert one.take_left() == [3]
    assert one.leaving == {5: 9}


def test_is_ready_when_all_of_before_is_handled() -> None:
    """An engine that has not answered has yet to say what there was."""
    line = link("one", 0)
    one = Engines([line]).by_name["one"]
    assert not one.is_ready
    one.ready_at = 4
    assert not one.is_ready
    line.acknowledged = 4
    assert one.is_ready
