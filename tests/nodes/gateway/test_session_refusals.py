"""Who is not let in, and who is hung up on."""

import contextlib
import random
import socket
import time
from collections.abc import Iterator

import pytest

from market.codec import encode, encode_all
from market.codes import RejectReason, Tag
from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel
from market.events import Accepted, Canceled, Rejected
from market.feed_messages import InstrumentDefinition
from market.messages import Message
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.gateway_wire import BTC, Wire, order
from venues.gateway import GatewaySession, SessionRefusedError

SECRET = "wonderland"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Pair]:
    """A gateway that wants tokens and has little patience."""
    with short_directory() as path:
        tokens = path / "tokens"
        tokens.write_text(f"alice={SECRET}\ncarol={SECRET}\nmallory={SECRET}\n")
        tokens.chmod(0o600)
        with Pair(path, TICKBUS_GATEWAY__TOKENS_FILE=str(tokens), TICKBUS_GATEWAY__IDLE_S="0.6").working() as one:
            yield one


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode(Logon("with space")), RejectReason.BAD_CLIENT_ID),
        (encode(Logon("naïve")), RejectReason.BAD_CLIENT_ID),
        (encode(Logon("../../etc/passwd")), RejectReason.BAD_CLIENT_ID),
        (encode_all([Logon("twice"), Logon("twice")]), RejectReason.ALREADY_LOGGED_ON),
        (encode_all([order(1), Logon("late")]), RejectReason.ALREADY_LOGGED_ON),
        (b"\x92\x30\xa0", RejectReason.MALFORMED),  # no name
        (b"\x92\x30\x01", RejectReason.MALFORMED),
        (b"\x92\x30\xa1\xff", RejectReason.MALFORMED),  # no UTF-8
        (b"\x92\x30\xd9\x41" + b"x" * 65, RejectReason.MALFORMED),
        (b"\x92\x30\xdb\xff\xff\xff\xff", RejectReason.MALFORMED),  # as soon as the length is read
        (b"\xdd\x00\x00\x00\x02\x30\xda\xff\xff", RejectReason.MALFORMED),
        (b"\x93\x30\xa1x\xc6\xff\xff\xff\xff", RejectReason.MALFORMED),
        (b"\x92\x30" + b"\x91" * 5_000, RejectReason.MALFORMED),
        (b"\x96\x30\xa1x\xa0\x00\x00\x00", RejectReason.MALFORMED),  # a field too many
        (b"\x95\x30\xa1x\xa0\xff\x00", RejectReason.MALFORMED),  # sequence -1
        (b"\x95\x30\xa1x\xa0\x00\x02", RejectReason.MALFORMED),
        (encode(LoggedOn(1, 1, 0, 0, 0)), RejectReason.MALFORMED),
        (encode(InstrumentDefinition(0, "a", "b", "c", "1", "1")), RejectReason.MALFORMED),
        (encode(HaltSymbol(-1, 1)), RejectReason.MALFORMED),
        (encode_all([Logon("good"), HaltSymbol(-1, 1)]), RejectReason.MALFORMED),
        (b"\x91\x7f", RejectReason.MALFORMED),  # no such tag
    ],
)
def test_hostile_bytes_are_refused_by_name(pair: Pair, name: str, data: bytes, reason: RejectReason) -> None:
    """Whoever sends them is hung up on; the others do not notice."""
    with Wire(pair, Logon(name), order(1)) as bystander, Wire(pair) as bad:
        bad.socket.sendall(data)
        rejected = bad.last_words()[-1]
        assert isinstance(rejected, Rejected)
        command = 0 if reason == RejectReason.MALFORMED else Tag.LOGON
        assert (rejected.reason, rejected.command, rejected.sequence) == (reason, command, 0)
        bystander.say(CancelOrder(1, BTC))
        assert [type(event) for event in bystander.next(3)] == [LoggedOn, Accepted, Canceled]
        bystander.say(Logout(0, 1))


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Return `data` with some bytes changed, left out, put in or sent twice, or cut off."""
    piece = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(piece))
        match dice.randrange(5):
            case 0:
                piece[at] = dice.randrange(256)
            case 1:
                piece[at] ^= 1 << dice.randrange(8)
            case 2:
                del piece[at : at + dice.randint(1, 8)]
            case 3:
                piece[at:at] = dice.randbytes(dice.randint(1, 8))
            case 4:
                piece[at:at] = piece[at : at + dice.randint(1, 30)]
        piece = piece or bytearray(b"\xc1")
    return bytes(piece[: dice.randint(1, len(piece))] if dice.random() < 0.2 else piece)


def test_no_bytes_whatever_bring_the_gateway_down(guarded: Pair) -> None:
    """Seeded mutations of a good stream: what comes back is messages, the last of them says why, others go on."""
    seed = 11
    print(f"seed {seed}")
    dice = random.Random(seed)
    commands: list[Message] = [
        order(1),
        order(2, qty_lots=2**40 - 1),
        AmendOrder(1, BTC, 4_000_000, 3),
        CancelOrder(2, BTC),
    ]
    stream = encode_all([Logon("mallory", SECRET), *commands, MassCancel(BTC), Heartbeat(70_000)])
    endings: set[type] = set()
    for _ in range(150):
        with Wire(guarded) as wire:
            with contextlib.suppress(OSError):  # it may hang up before it has read all
                wire.socket.sendall(mutated(stream, dice))
                wire.socket.shutdown(socket.SHUT_WR)
            until("the gateway hangs up", lambda wire=wire: not wire.hear(), 60)  # type: ignore[misc]
            endings.update(type(one) for one in wire.heard[-1:])
            refused = [one for one in wire.heard if isinstance(one, Rejected) and one.command in (0, Tag.LOGON)]
            assert refused in ([], wire.heard[-1:]), "nothing follows the refusal of a connection"
    assert {Rejected, Accepted} <= endings, "some were good, some were not"
    with GatewaySession("alice", port=guarded.port, token=SECRET) as session:
        order_id = session.buy("BTCUSDT", "40000", "0.01")
        accepted = until("it is accepted", session.receive, 60)[0]
        assert (type(accepted), accepted.order_id) == (Accepted, order_id)
        session.logout(is_final=True)


def test_a_client_that_says_nothing_is_hung_up_on(guarded: Pair) -> None:
    """Also one that never begins; with heartbeats it stays and hears the gateway's; the anonymous stay anyway."""
    with (
        Wire(guarded, order(1)) as anonymous,
        Wire(guarded, Logon("alice", SECRET)) as silent,
        Wire(guarded, Logon("carol", SECRET)) as beating,
        Wire(guarded) as mute,
    ):
        mute.socket.sendall(encode(Logon("alice", SECRET))[:-1])
        open_ones = [silent, mute]

        def are_hung_up() -> bool:
            beating.say(Heartbeat(0))
            assert beating.hear()
            for one in [one for one in open_ones if not one.hear()]:
                open_ones.remove(one)
            return not open_ones

        until("the silent ones are hung up on", are_hung_up)
        assert mute.heard == [Logout(RejectReason.IDLE)]
        assert silent.heard[-1] == Logout(RejectReason.IDLE)
        assert Heartbeat(0) in silent.heard
        assert Heartbeat(0) in beating.heard
        beating.say(order(1))
        assert isinstance(beating.next(2)[-1], Accepted)
        beating.say(Logout(0, 1))
        anonymous.say(CancelOrder(1, BTC))
        assert [type(event) for event in anonymous.next(2)] == [Accepted, Canceled]


def test_a_gateway_that_was_away_hangs_up_on_nobody(guarded: Pair) -> None:
    """It stood still for longer than a client may be silent: the client's heartbeats wait in its socket."""
    with Wire(guarded, Logon("alice", SECRET)) as wire:
        wire.next(1)
        guarded.pause("gateway")
        try:
            deadline = time.monotonic() + 1.5  # more than twice the patience
            while time.monotonic() < deadline:
                wire.say(Heartbeat(0))
                wire.hear()
        finally:
            guarded.go_on("gateway")
        wire.say(order(1), CancelOrder(1, BTC))
        assert [type(event) for event in wire.next(2)] == [Accepted, Canceled]
        wire.say(Logout(0, 1))


def test_a_token_is_asked_for(guarded: Pair) -> None:
    """Only those in the file are let in, with their own; nothing of it is logged; who is refused leaves no socket."""
    for client_id, token in (("alice", "wonder"), ("alice", ""), ("bob", SECRET), ("alice", SECRET + "é")):
        with pytest.raises(SessionRefusedError) as caught:
            GatewaySession(client_id, port=guarded.port, token=token)
        assert caught.value.reason == RejectReason.BAD_TOKEN
    with GatewaySession("alice", port=guarded.port, token=SECRET) as session:
        session.send([order(session.state.last_order_id + 1)])
        until("it is accepted", session.receive)
        session.logout(is_final=True)
    assert "wonder" not in guarded.log("gateway")
