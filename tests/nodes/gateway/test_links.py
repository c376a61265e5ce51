"""Which engine a client's command goes to."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from bus.engine_client import LinkEnd
from engine.rows.messages import read_command
from engine.wire.codec import PieceDecoder
from market.codec import encode_all
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.limits import COMMANDS_IN_FLIGHT_MAX
from market.session_messages import Heartbeat, Logout
from nodes.gateway.links import EngineLink, EngineLinks
from sessions.session_table import CLIENT_MESSAGES


@dataclass
class Line:
    """What a link asks of its source."""

    is_connected: bool = True
    in_flight: int = 0


def link(engine: str, *symbol_ids: int) -> EngineLink:
    """Return a link to an engine with these symbols."""
    return EngineLink(engine, cast("LinkEnd", Line()), frozenset(symbol_ids), set())


def order(order_id: int, symbol_id: int) -> NewOrder:
    """Return an order."""
    return NewOrder(order_id, symbol_id, 0, 1_000, 5)


def parted(links: EngineLinks, *messages: Any) -> list[tuple[str, list[Any]]]:
    """Return the engines of each part, and what is in it."""
    decoder = PieceDecoder(CLIENT_MESSAGES)
    decoder.load(b"", encode_all(messages))
    rows = decoder.next_rows()
    parts = []
    for engines, part in links.parts(rows):
        decoder.rows[: len(part)] = part  # as the gateway does: the rows' memory is used anew for each part
        commands = [read_command(row) for row in part if row[0] < 5]
        parts.append((" ".join(one.engine for one in engines), commands))
    return parts


def test_gives_each_engine_its_symbols_commands_in_their_order() -> None:
    """A part ends where the next command is another engine's; who is nobody's goes with the first's."""
    links = EngineLinks([link("one", 0, 2), link("two", 1)])
    commands = [order(1, 0), CancelOrder(1, 2), order(2, 1), AmendOrder(2, 1, 1_000, 4), order(3, 9), MassCancel(1)]
    assert parted(links, *commands) == [
        ("one", commands[:2]),
        ("two", commands[2:4]),
        ("one", commands[4:5]),
        ("two", commands[5:]),
    ]


def test_gives_a_mass_cancel_of_all_symbols_to_every_engine() -> None:
    """In its place between what the client sent before and after it."""
    links = EngineLinks([link("one", 0), link("two", 1), link("three", 2)])
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
    assert parted(EngineLinks([link("one", 0, 1)]), *commands, Heartbeat(3), Logout()) == [("one", commands)]


@pytest.mark.parametrize("number", [3, 5])
def test_owes_what_any_engine_has_still_to_cancel(number: int) -> None:
    """A number is free only when every engine is done with it."""
    links = EngineLinks([link("one", 0), link("two", 1)])
    _, two = links
    assert not links.is_owed(number)
    two.cancels_owed.add(3)
    two.leaving[5] = 99
    assert links.is_owed(number)
    assert not links.is_owed(4)


def test_is_behind_with_too_much_until_half_of_it_is_done() -> None:
    """An engine that is away is not behind: it is said to be away."""
    one = link("one", 0)
    line = cast("Line", one.source)
    told = []
    for line.in_flight in (COMMANDS_IN_FLIGHT_MAX, COMMANDS_IN_FLIGHT_MAX + 1):
        told.append(one.is_behind(was_behind=False))
    for line.in_flight in (COMMANDS_IN_FLIGHT_MAX // 2 + 1, COMMANDS_IN_FLIGHT_MAX // 2):
        told.append(one.is_behind(was_behind=True))
    assert told == [False, True, True, False]
    assert one.has_work
    line.in_flight, line.is_connected = 10 * COMMANDS_IN_FLIGHT_MAX, False
    assert not one.is_behind(was_behind=True)
    assert not one.has_work
