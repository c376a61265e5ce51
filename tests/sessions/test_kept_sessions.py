"""A gateway's sessions and what is kept of them, without sockets: killed, and brought back from the folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.topology import first_order_id
from market.clock import NS_PER_SECOND, Now, monotonic_ns, now
from market.codec import encode_all
from market.codes import CancelReason, Side
from market.commands import NewOrder
from market.events import Accepted, Canceled, Event
from market.limits import TCP_SESSIONS_MAX
from market.session_messages import Logon
from sessions.client import ClientRules
from sessions.kept_sessions import KeptSessions
from sessions.memory import SessionLimits
from sessions.report_record import ReportRecord
from sessions.session_store import Position, SessionStore
from sessions.session_table import NoSessionLeftError, Session, SessionTable
from tests.one_engine import ENGINE, GATEWAY
from tests.sessions.floor import BTC, KEPT_BYTES, reports

START_NS = 10**18
STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


class Gateway:
    """Sessions that are given orders, and an engine's reports of them."""

    def __init__(self, folder: Path, journal_bytes: int = 1 << 20) -> None:
        self._folder, self._journal_bytes = folder, journal_bytes
        self.start()

    def start(self) -> None:
        """Come back with what is in the folder."""
        self.table = SessionTable(SessionLimits(), 1_000, GATEWAY, KEPT_BYTES)
        self.store = SessionStore(self._folder, self._journal_bytes)
        self.kept = KeptSessions(self.table, self.store, now())

    def kill(self) -> None:
        """End as by kill -9: all that is written is written already."""
        self.store.close()
        self.start()

    def enter(self, session: Session, *order_ids: int) -> list[Event]:
        """Let a client enter orders; return what an engine says that takes them."""
        self.table.decoder.load(b"", encode_all([NewOrder(n, BTC, Side.BUY, 1_000, 5) for n in order_ids]))
        admitted = self.table.admit(session, 0, len(self.table.decoder.next_rows()), Now(1, NS_PER_SECOND))
        assert admitted.command_count == len(order_ids)
        first = first_order_id(GATEWAY) + session.number * 10**10 + session.offset
        return [Accepted(0, 1, BTC, first + n, 0, Side.BUY, 1_000, 5, 0, 0, 5) for n in order_ids]

    def take(self, epoch: int, first: int, events: list[Event], engine: str = ENGINE) -> None:
        """Take an engine's reports from number `first` on."""
        self.kept.take(ReportRecord(engine.encode(), epoch, first, len(events), 0, encode_all(events)))

    def one(self) -> Session:
        """Return the session of the client `one`."""
        session = self.table.by_name("one")
        assert session is not None
        return session


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway without a session."""
    one = Gateway(tmp_path / "gateway")
    yield one
    one.store.close()


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("has_reports", [True, False])
def test_goes_on_in_the_epoch_that_began_last_however_the_clock_was_set(
    gateway: Gateway, step_ns: int, *, has_reports: bool
) -> None:
    """Killed after the engine came back empty: what rests in the new epoch must not be told to be lost."""
    one = gateway.kept.log_on(Logon("one"))
    gateway.kept.begin_epoch(ENGINE, Position(START_NS, 0), {BTC}, Now(1, 0))
    gateway.take(START_NS, 1, gateway.enter(one, 1, 2))
    epoch = START_NS + step_ns
    assert gateway.kept.begin_epoch(ENGINE, Position(epoch, 0), {BTC}, Now(2, 0)) == [one]
    if has_reports:
        gateway.take(epoch, 1, gateway.enter(one, 3))
    gateway.kill()
    assert gateway.store.positions[ENGINE] == Position(epoch, int(has_reports))
    told = reports(gateway.one())
    assert [type(event) for event in told] == [Accepted] * 2 + [Canceled] * 2 + [Accepted] * has_reports
    assert {event.reason for event in told if isinstance(event, Canceled)} == {CancelReason.ENGINE_RESTARTED}
    assert gateway.table.open_count(gateway.one()) == int(has_reports)


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_an_engine_that_begins_anew_ends_the_orders_of_its_symbols_alone(gateway: Gateway, step_ns: int) -> None:
    """And its position alone begins anew."""
    one = gateway.kept.log_on(Logon("one"))
    for engine, number in ((ENGINE, 0), ("engine2", 1)):
        gateway.kept.begin_epoch(engine, Position(START_NS + number, 0), {number}, Now(1, 0))
    gateway.take(START_NS, 1, gateway.enter(one, 1, 2))
    gateway.kept.begin_epoch("engine2", Position(START_NS + step_ns, 0), {1}, Now(2, 0))
    gateway.kill()
    assert gateway.store.positions[ENGINE] == Position(START_NS, 2)
    assert gateway.store.positions["engine2"] == Position(START_NS + step_ns, 0)
    assert gateway.table.open_count(gateway.one()) == 2


def test_an_order_that_was_lost_on_its_way_to_an_engine_is_told_again_after_a_kill(gateway: Gateway) -> None:
    """No report knows of it but the gateway's own word: without it the session's numbers fell back, and were reused."""
    one = gateway.kept.log_on(Logon("one"))
    gateway.kept.begin_epoch(ENGINE, Position(START_NS, 0), {BTC}, Now(1, 0))
    gateway.take(START_NS, 1, gateway.enter(one, 1))
    gateway.enter(one, 2, 3)
    gateway.kept.begin_epoch(ENGINE, Position(START_NS + 1, 0), {BTC}, Now(2, 0))
    told = reports(one)
    assert [type(event) for event in told] == [Accepted] + [Canceled] * 3
    used_id = gateway.table.used_id(one)
    gateway.kill()
    assert reports(gateway.one()) == told
    assert (gateway.table.used_id(gateway.one()), gateway.table.open_count(gateway.one())) == (used_id, 0)


def test_a_session_that_was_given_up_does_not_come_back(gateway: Gateway) -> None:
    """Killed just after it: its name is not known, and what it had open is cancelled like an anonymous one's."""
    one = gateway.kept.log_on(Logon("one"))
    two = gateway.kept.log_on(Logon("two"))
    gateway.kept.give_up(one)
    gateway.kill()
    assert [session.name for session in gateway.table.sessions.values()] == ["two"]
    assert gateway.table.sessions[two.number].outlives_connection


def test_goes_on_from_a_checkpoint_in_the_middle_of_reports(tmp_path: Path) -> None:
    """The journal began anew: all that was told before is in the checkpoint, and nothing of an anonymous session."""
    gateway = Gateway(tmp_path / "gateway", journal_bytes=100)
    one = gateway.kept.log_on(Logon("one"))
    nobody = gateway.kept.begin_anonymous()
    for number in range(1, 40):
        gateway.take(START_NS, 2 * number - 1, gateway.enter(one, number))
        gateway.take(START_NS, 2 * number, gateway.enter(nobody, number))
    told = reports(one)
    for _ in range(2):
        gateway.kill()
        assert reports(gateway.one()) == told
        assert gateway.table.open_count(gateway.one()) == 39
        assert len(gateway.table.sessions) == 1
        assert gateway.store.positions[ENGINE] == Position(START_NS, 78)
    gateway.take(START_NS, 79, gateway.enter(gateway.one(), 40))
    gateway.kill()
    assert [event.sequence for event in reports(gateway.one(), after=39)] == [40]
    gateway.store.close()


RULE = ClientRules(forget_s=60)


def log_on(gateway: Gateway, name: str, address: str = "a", last_sequence: int = 0, rule: ClientRules = RULE) -> str:
    """Let a client log on that then is away; return whose session had to go for it."""
    forgotten = ""
    if gateway.table.by_name(name) is None:
        forgotten = gateway.kept.make_room(rule, address, lambda _: False, now())
    session = gateway.kept.log_on(Logon(name, last_sequence=last_sequence), address)
    session.left_ns = monotonic_ns()
    return forgotten


def trade(gateway: Gateway, name: str, first: int, *, is_open: bool) -> None:
    """Let a client enter an order, which is cancelled unless it stays open."""
    session = gateway.table.by_name(name)
    assert session is not None
    (accepted,) = gateway.enter(session, 1)
    assert isinstance(accepted, Accepted)
    gateway.take(START_NS, first, [accepted])
    if not is_open:
        gateway.take(START_NS, first + 1, [Canceled(0, 1, BTC, accepted.order_id, 0, 0, 1_000, 5, 0, 1)])


def test_names_that_were_logged_on_once_give_way_the_oldest_first(gateway: Gateway) -> None:
    """Nothing of theirs is lost: no order is open, and there is no report that they have not read."""
    for number in range(TCP_SESSIONS_MAX):
        assert log_on(gateway, f"idle-{number}") == ""
    assert [log_on(gateway, f"new-{number}") for number in range(3)] == ["idle-0", "idle-1", "idle-2"]
    gateway.kill()
    names = {session.name for session in gateway.table.sessions.values()}
    assert {"idle-2", "new-2", "idle-3"} & names == {"new-2", "idle-3"}, "that is written"


def test_who_has_an_open_order_or_something_to_read_stays(gateway: Gateway) -> None:
    """Of two that traded the one goes that has said that it has read of it, though the other one was away longer."""
    for number in range(TCP_SESSIONS_MAX):
        log_on(gateway, f"client-{number}")
    for number in range(TCP_SESSIONS_MAX):
        trade(gateway, f"client-{number}", 1 + 2 * number, is_open=number % 2 == 0)
    for _ in range(2):
        with pytest.raises(NoSessionLeftError, match=f"in all, were {TCP_SESSIONS_MAX}"):
            log_on(gateway, "new", "b")
        gateway.kill()  # how long they are away is counted from here
    log_on(gateway, "client-4", last_sequence=1)  # its order is open
    log_on(gateway, "client-7", last_sequence=1)  # one report of two
    log_on(gateway, "client-9", last_sequence=2)
    assert log_on(gateway, "new") == "client-9"
    assert log_on(gateway, "newer", "b") == "new", "nobody else can go"
    assert log_on(gateway, "newest", "b", rule=ClientRules(forget_s=0)) == "client-1", "nobody reads it"


def test_one_address_cannot_take_all_sessions(gateway: Gateway) -> None:
    """Its own sessions have to go for its next one, and are refused when none can; the others have room."""
    rule = ClientRules(address_sessions_max=3, forget_s=60)
    for number in range(3):
        log_on(gateway, f"greedy-{number}", "a", rule=rule)
    trade(gateway, "greedy-0", 1, is_open=True)
    assert log_on(gateway, "greedy-3", "a", rule=rule) == "greedy-1"
    for number, name in enumerate(("greedy-2", "greedy-3")):
        trade(gateway, name, 3 + 2 * number, is_open=True)
    gateway.kill()
    with pytest.raises(NoSessionLeftError, match="of a, were 3"):
        log_on(gateway, "greedy-4", "a", rule=rule)
    assert log_on(gateway, "modest", "b", rule=rule) == ""
    for number in range(5):
        assert log_on(gateway, f"proven-{number}", "", rule=rule) == "", "a token bounds those"
    for _ in range(3):
        gateway.kept.make_room(rule, "c", lambda _: True, now())
        gateway.kept.begin_anonymous("c")
    with pytest.raises(NoSessionLeftError, match="of c, were 3"):
        gateway.kept.make_room(rule, "c", lambda _: True, now())


def test_a_session_that_is_here_stays(gateway: Gateway) -> None:
    """However long it has said nothing but that it is there."""
    for number in range(TCP_SESSIONS_MAX):
        log_on(gateway, f"client-{number}")
    here = {f"client-{number}" for number in range(TCP_SESSIONS_MAX - 1)}
    last = f"client-{TCP_SESSIONS_MAX - 1}"
    assert gateway.kept.make_room(RULE, "b", lambda one: one.name in here, now()) == last
