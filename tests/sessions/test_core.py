"""The gateway's core between bytes and commands, in a time that the test makes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.codec import encode_all
from market.codes import RejectReason, Side, Tag
from market.commands import CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Executed, Rejected
from market.limits import ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE, TCP_SESSIONS_MAX
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from sessions import core
from sessions import memory as at
from sessions.client import ClientRules
from sessions.session_store import Position
from tests.sessions.gate import EPOCH, Gate, Link

IDLE_S = 30
FIRST_ID = ORDER_IDS_PER_SOURCE


def order(order_id: int, price_ticks: int = 1_000, side: Side = Side.BUY, symbol_id: int = 0) -> NewOrder:
    """Return an order of five lots."""
    return NewOrder(order_id, symbol_id, side, price_ticks, 5)


_CLOCK_OR_SOCKET = re.compile(
    r"\b(?:monotonic_ns|time_ns|now)\(\)|^(?:import|from) (?:socket|select|time|asyncio)\b", re.MULTILINE
)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gateway with one engine, both ready."""
    one = Gate(tmp_path / "gateway", ClientRules(idle_s=IDLE_S))
    assert one.core.is_ready
    for link in one.links:
        link.commands.clear()
        link.sent = link.acknowledged = 0
    yield one
    one.store.close()


def test_walks_an_order_from_bytes_to_its_report(gate: Gate) -> None:
    """The command has the desk's numbers, the report the client's."""
    client = gate.connect(Logon("one"), order(7))
    (command,) = gate.links[0].commands
    assert command == order(FIRST_ID + 7)._replace(owner=OWNERS_PER_SOURCE, time_ns=77)
    gate.match()
    logged_on, accepted = gate.hear(client)
    assert logged_on == LoggedOn(1, 1, 0, 0, IDLE_S * 1_000)
    assert isinstance(accepted, Accepted)
    assert (accepted.sequence, accepted.order_id, accepted.owner) == (1, 7, 0)
    assert gate.changed() == {client}


def test_takes_a_logon_in_its_place_wherever_the_stream_is_cut(gate: Gate) -> None:
    """Its orders follow it; behind orders it is that of a client who has a session already."""
    size = len(encode_all([Logon("client-10"), order(1), order(2)]))
    for cut in range(1, size):
        stream = encode_all([Logon(f"client-{10 + cut}"), order(1), order(2)])
        client = gate.connect()
        for piece in (stream[:cut], stream[cut:]):
            gate.send(client, piece)
        gate.match()
        assert [type(message) for message in gate.hear(client)] == [LoggedOn, Accepted, Accepted]
    late = gate.connect(order(1), Logon("two"))
    (refused,) = gate.hear(late)
    assert refused == Rejected(0, 77, -1, 0, 0, Tag.LOGON, RejectReason.ALREADY_LOGGED_ON)
    assert not late.is_open
    bad = gate.connect(Logon("ö"))
    assert [message.reason for message in gate.hear(bad)] == [RejectReason.BAD_CLIENT_ID]


def test_hangs_up_with_the_reason_on_what_is_no_message(gate: Gate) -> None:
    """What was good before it is done, and what is told of it comes before the last word."""
    client = gate.connect(Logon("one"), order(1))
    gate.match()
    gate.send(client, encode_all([order(2)]) + b"\xc1")
    gate.match()
    heard = gate.hear(client)
    assert [type(message) for message in heard] == [LoggedOn, Accepted, Accepted, Rejected]
    assert heard[-1] == Rejected(0, 77, -1, 0, 0, 0, RejectReason.MALFORMED)
    assert gate.core.counts["malformed"] == 1
    assert not gate.core.clients


@pytest.mark.parametrize("size_max", [1, 7, 1 << 20])
def test_a_session_goes_on_elsewhere_without_a_gap(gate: Gate, size_max: int) -> None:
    """Whatever part of a report the socket takes, nothing stands in the middle of one."""
    first = gate.connect(Logon("one"), order(1))
    gate.match()
    gate.say(first, order(2))
    gate.match()
    second = gate.connect(Logon("one", last_sequence=1))
    heard = gate.hear(first, size_max)
    assert heard[-1] == Logout(RejectReason.REPLACED)
    assert [message.sequence for message in heard if isinstance(message, Accepted)] == [1, 2]
    assert [type(message) for message in gate.hear(second, size_max)] == [LoggedOn, Accepted]
    gate.say(second, order(1))
    assert [message.order_id for message in gate.hear(second, size_max)] == [1], "it came again"


def test_an_anonymous_client_takes_its_orders_with_it(gate: Gate) -> None:
    """And its number is free when the engine is done with them, not before."""
    client = gate.connect(order(1))
    gate.match()
    gate.core.hang_up(client, "the client hung up", gate.now)
    assert gate.links[0].commands[1:] == [MassCancel(owner=OWNERS_PER_SOURCE, time_ns=77)]
    assert len(gate.table.sessions) == 1
    gate.match()
    assert gate.table.sessions == {}
    gate.connect(order(1))
    gate.match()
    (session,) = gate.table.sessions.values()
    assert (session.number, session.offset) == (0, 1)


def test_an_engine_that_is_away_is_owed_the_cancels(gate: Gate) -> None:
    """An order meanwhile is refused; a named session that wants it has its orders cancelled too."""
    link = gate.links[0]
    stays, goes = gate.connect(Logon("stays"), order(1)), gate.connect(Logon("goes", "", 0, 1), order(1, 900))
    gate.match()
    link.is_connected = False
    gate.say(stays, order(2))
    assert gate.hear(stays)[-2] == Rejected(0, 77, 0, 2, 0, 1, RejectReason.ENGINE_UNAVAILABLE)
    for client in (stays, goes):
        gate.core.hang_up(client, "the client hung up", gate.now)
    assert len(link.commands) == 2
    link.is_connected = True
    gate.core.tick(gate.now, lambda _: False)
    assert link.commands[2:] == [MassCancel(owner=OWNERS_PER_SOURCE + 1, time_ns=77)]
    gate.match()
    assert [gate.table.open_count(session) for session in gate.table.sessions.values()] == [1, 0]


def test_gives_each_engine_its_part_in_one_piece(tmp_path: Path) -> None:
    """What a refusal leaves in one part does not reach the other."""
    gate = Gate(tmp_path / "gateway", links=(Link("one", 0), Link("two", 1)))
    one, two = gate.links
    before = len(one.commands), len(two.commands)
    client = gate.connect(Logon("one"))
    two.is_connected = False
    gate.say(client, order(1), order(2, symbol_id=1), order(3), CancelOrder(2, 1), order(4), MassCancel(1))
    assert [command.order_id - FIRST_ID for command in one.commands[before[0] :] if isinstance(command, NewOrder)] == [
        1,
        3,
        4,
    ]
    assert len(two.commands) == before[1]
    gate.match()
    refused = [message for message in gate.hear(client) if isinstance(message, Rejected)]
    assert [(message.order_id, message.command) for message in refused] == [(2, 1), (2, 2), (0, 4)]
    gate.store.close()


def test_counts_first_replies_that_another_engine_has_overtaken(tmp_path: Path) -> None:
    """By this count the reply to an order that is sent again is looked for further on."""
    gate = Gate(tmp_path / "gateway", links=(Link("one", 0), Link("two", 1)))
    gate.connect(Logon("one"), order(1, symbol_id=1), order(2))
    gate.match()
    numbers = gate.table.memory.of(0)
    assert (numbers[at.ANSWERED_ID], numbers[at.LATE_COUNT]) == (2, 1)
    gate.connect(Logon("one"), order(3), order(4, symbol_id=1))
    gate.match()
    assert (numbers[at.ANSWERED_ID], numbers[at.LATE_COUNT]) == (4, 1)
    gate.store.close()


def test_says_that_it_is_there_and_hangs_up_on_who_does_not(gate: Gate) -> None:
    """But on nobody whose words wait in the socket: it may be the gateway that was away."""
    named, silent, anonymous = gate.connect(Logon("one")), gate.connect(), gate.connect(order(1))
    gate.match()
    for client in (named, silent, anonymous):
        gate.hear(client)
    gate.later(IDLE_S / 2)
    gate.core.tick(gate.now, lambda _: False)
    assert (gate.hear(named), gate.hear(silent)) == ([Heartbeat(0)], [])
    gate.later(IDLE_S / 2 + 1)
    gate.core.tick(gate.now, lambda client: client is named)
    assert gate.hear(silent) == [Logout(RejectReason.IDLE)]
    assert set(gate.core.clients) == {named, anonymous}
    gate.core.tick(gate.now, lambda _: False)
    assert gate.hear(named)[-1] == Logout(RejectReason.IDLE)
    assert set(gate.core.clients) == {anonymous}


def test_reads_nobody_while_an_engine_has_too_much_to_do(gate: Gate) -> None:
    """Who waited meanwhile is read again, and is not held to have been silent."""
    link, client, other = gate.links[0], gate.connect(Logon("one")), gate.connect(Logon("two"))
    link.is_slow = True
    gate.say(client, order(1))
    assert gate.core.interest(other, gate.now)[0] is False
    gate.changed()
    gate.later(10 * IDLE_S)
    gate.core.tick(gate.now, lambda _: False)
    link.is_slow = False
    gate.match()
    assert gate.changed() == {client, other}
    assert gate.core.interest(other, gate.now)[0] is True
    gate.core.tick(gate.now, lambda _: False)
    assert other in gate.core.clients


def test_turns_away_who_comes_too_often(tmp_path: Path) -> None:
    """Connections of one address have their bound; the others have theirs."""
    gate = Gate(tmp_path / "gateway", ClientRules(address_sessions_max=1))
    first, second, other = gate.connect(), gate.connect(), gate.connect(host="127.0.0.2")
    assert (first.is_open, second.is_open, other.is_open) == (True, False, True)
    assert [message.reason for message in gate.hear(second)] == [RejectReason.NO_SESSION_LEFT]
    assert gate.core.figures()["turned_away"] == 1
    gate.core.hang_up(first, "the client hung up", gate.now)
    assert gate.connect().is_open
    gate.store.close()


def test_an_engine_that_begins_anew_is_asked_to_cancel_everything(gate: Gate) -> None:
    """Also of a client that is here: it has been told that its orders have ended, and nobody knows them any more."""
    (link,), client = gate.links, gate.connect(Logon("one"), order(1))
    gate.match()
    gate.hear(client)
    gate.core.engine_connected("one", Position(EPOCH + 1, 7), gate.now)
    assert link.commands[1:] == [
        MassCancel(owner=OWNERS_PER_SOURCE + number, time_ns=77) for number in range(TCP_SESSIONS_MAX)
    ]
    assert [type(word) for word in gate.hear(client)] == [Canceled]
    assert gate.store.positions == {"one": Position(EPOCH + 1, 7)}


def test_who_tries_tokens_is_turned_away(tmp_path: Path) -> None:
    """Also for a name that has a session; who has one and the right token is let in, from wherever."""
    gate = Gate(tmp_path / "gateway", ClientRules(logons_per_s=0.1, tokens={"one": "secret"}))
    assert isinstance(gate.hear(gate.connect(Logon("one", "secret")))[0], LoggedOn)
    wrong = [gate.connect(Logon(name, "guess")) for name in ("one", "unknown") * TCP_SESSIONS_MAX]
    reasons = [word.reason for client in wrong for word in gate.hear(client)]
    assert not any(client.is_open for client in wrong)
    assert reasons[: TCP_SESSIONS_MAX - 1] == [RejectReason.BAD_TOKEN] * (TCP_SESSIONS_MAX - 1)
    assert set(reasons[TCP_SESSIONS_MAX - 1 :]) == {RejectReason.RATE_LIMIT}
    elsewhere = gate.connect(Logon("one", "guess"), host="127.0.0.2")
    assert [word.reason for word in gate.hear(elsewhere)] == [RejectReason.BAD_TOKEN]
    assert isinstance(gate.hear(gate.connect(Logon("one", "secret")))[0], LoggedOn)
    gate.later(10)
    again = [gate.connect(Logon("one", "guess")) for _ in range(2)]
    assert [word.reason for client in again for word in gate.hear(client)] == [
        RejectReason.BAD_TOKEN,
        RejectReason.RATE_LIMIT,
    ]
    gate.store.close()


def test_two_clients_trade(gate: Gate) -> None:
    """Each is told its own side, and both are to be looked after."""
    maker, taker = gate.connect(Logon("maker"), order(1)), gate.connect(Logon("taker"), order(9, 1_000, Side.SELL))
    gate.changed()
    gate.match()
    assert gate.changed() == {maker, taker}
    bought, sold = gate.hear(maker)[-1], gate.hear(taker)[-1]
    assert isinstance(bought, Executed)
    assert isinstance(sold, Executed)
    assert (bought.maker_order_id, sold.taker_order_id) == (1, 9)
    gate.core.hang_up_all(gate.now)
    assert gate.hear(maker) == gate.hear(taker) == [Logout(RejectReason.GATEWAY_STOPS)]
    assert gate.changed() == {maker, taker}


def test_has_neither_clock_nor_socket() -> None:
    """Of all of the room: the same code runs on a simulated clock."""
    files = list(Path(core.__file__).parent.glob("*.py"))
    assert len(files) > 10
    assert [file.name for file in files if _CLOCK_OR_SOCKET.search(file.read_text())] == []
