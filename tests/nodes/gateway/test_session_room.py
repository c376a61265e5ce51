"""As many sessions as there are numbers, and who has to go when one more comes."""

from contextlib import ExitStack

from market.codes import RejectReason, Tag
from market.commands import CancelOrder
from market.events import Accepted, Canceled, Rejected
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import LoggedOn, Logon, Logout
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.gateway_process import Pair
from tests.nodes.gateway.gateway_wire import BTC, Wire, order

MANY = {"TICKBUS_GATEWAY__ADDRESS_SESSIONS_MAX": str(TCP_SESSIONS_MAX), "TICKBUS_GATEWAY__LOGONS_PER_S": "100"}


def test_the_session_that_is_away_longest_is_forgotten_for_a_new_one() -> None:
    """Not one with open orders, not one that is here, none too soon; while there is none the new one is refused."""
    with short_directory() as path, Pair(path, TICKBUS_GATEWAY__FORGET_S="1", **MANY).working() as pair:
        with ExitStack() as stack:
            for number in range(TCP_SESSIONS_MAX):
                wire = stack.enter_context(Wire(pair, Logon(f"client-{number}"), order(1)))
                assert [type(event) for event in wire.next(2)] == [LoggedOn, Accepted]
                if number == 1:
                    wire.say(CancelOrder(1, BTC))
                    assert isinstance(wire.next(1)[0], Canceled)
                if number == 2:  # its place is taken by the one that is refused
                    wire.say(Logout())
                    wire.last_words()
            with Wire(pair, Logon("new")) as refused:
                (rejected,) = refused.last_words()
                assert isinstance(rejected, Rejected)
                assert (rejected.reason, rejected.command) == (RejectReason.NO_SESSION_LEFT, Tag.LOGON)

        def is_let_in() -> bool:
            with Wire(pair, Logon("new")) as wire:
                return isinstance(wire.next(1)[0], LoggedOn)

        until("it is let in", is_let_in)
        assert "client=client-1 " in pair.log("gateway").replace("'", "").partition("a session is forgotten")[2]
        with Wire(pair, Logon("client-0", "", 1)) as wire:
            assert wire.next(1)[0].open_orders == 1


def test_an_address_that_takes_all_it_can_is_refused_and_told_why() -> None:
    """Too many connections, and too many Logons: a reason, few lines in the log, and the others go on."""
    settings = {"TICKBUS_GATEWAY__ADDRESS_SESSIONS_MAX": "3", "TICKBUS_GATEWAY__LOGONS_PER_S": "0.1"}
    with short_directory() as path, Pair(path, **settings).working() as pair, ExitStack() as stack:
        wires = [stack.enter_context(Wire(pair, Logon(f"client-{number}"))) for number in range(3)]
        assert [type(wire.next(1)[0]) for wire in wires] == [LoggedOn] * 3
        with Wire(pair) as refused:
            (rejected,) = refused.last_words()
            assert (rejected.reason, rejected.command) == (RejectReason.NO_SESSION_LEFT, 0)
        wires.pop().socket.close()

        def answers(flag: int) -> list[tuple[type, int]]:
            with Wire(pair, Logon("client-2", "", 0, flag), Logout()) as wire:
                return [(type(word), getattr(word, "reason", 0)) for word in wire.last_words()]

        welcome: list[tuple[type, int]] = [(LoggedOn, 0), (Logout, 0)]
        refusal: list[tuple[type, int]] = [(Rejected, RejectReason.RATE_LIMIT)]
        until("it may connect again", lambda: answers(0) == welcome)
        said = [answers(number % 2) for number in range(1, 100)]
        assert said[0] == welcome
        assert refusal in said, "each change of the flag is synced"
        flag = next(flag for flag in (0, 1) if answers(flag) == welcome)
        assert [answers(flag) for _ in range(30)] == [welcome] * 30, "nothing is written for these"
        wires[0].say(order(1))
        assert isinstance(wires[0].next(1)[0], Accepted)
        assert pair.log("gateway").count("clients are turned away") <= 5
