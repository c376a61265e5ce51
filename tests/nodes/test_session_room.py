"""As many sessions as there are numbers, and who has to go when one more comes."""

from contextlib import ExitStack

from market.codes import RejectReason, Tag
from market.commands import CancelOrder
from market.events import Accepted, Canceled, Rejected
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import LoggedOn, Logon, Logout
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway_process import Pair
from tests.nodes.gateway_wire import BTC, Wire, order


def test_the_session_that_is_away_longest_is_forgotten_for_a_new_one() -> None:
    """Not one with open orders, not one that is here, none too soon; while there is none the new one is refused."""
    with short_directory() as path, Pair(path, TICKBUS_GATEWAY__FORGET_S="1").working() as pair:
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

        until("it is let in", is_let_in, 60)
        assert "client=client-1 " in pair.log("gateway").replace("'", "").partition("a session is forgotten")[2]
        with Wire(pair, Logon("client-0", "", 1)) as wire:
            assert wire.next(1)[0].open_orders == 1
