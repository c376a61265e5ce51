"""A gateway's sessions and what is kept of them, without sockets: killed, and brought back from the folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.codec import encode_all
from bus.topology import FIRST_ENGINE, Source
from market.clock import NS_PER_SECOND
from market.codes import CancelReason, Side
from market.commands import NewOrder
from market.events import Accepted, Canceled, Event
from nodes.gateway_sessions import KeptSessions
from sessions.session_desk import Session, SessionDesk
from sessions.session_state import SessionLimits
from sessions.session_store import Position, SessionStore
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
        self.desk = SessionDesk(SessionLimits(), 1_000, Source.GATEWAY, KEPT_BYTES)
        self.store = SessionStore(self._folder, Source.GATEWAY, self._journal_bytes)
        self.kept = KeptSessions(self.desk, self.store, KEPT_BYTES)

    def kill(self) -> None:
        """End as by kill -9: all that is written is written already."""
        self.store.close()
        self.start()

    def enter(self, session: Session, *order_ids: int) -> list[Event]:
        """Let a client enter orders; return what an engine says that takes them."""
        self.desk.decoder.load(b"", encode_all([NewOrder(n, BTC, Side.BUY, 1_000, 5) for n in order_ids]))
        admitted = self.desk.admit(session, self.desk.decoder.next_rows(), 1, NS_PER_SECOND)
        assert admitted.command_count == len(order_ids)
        first = Source.GATEWAY.first_order_id + session.number * 10**10 + session.offset
        return [Accepted(0, 1, BTC, first + n, 0, Side.BUY, 1_000, 5, 0, 0, 5) for n in order_ids]

    def take(self, epoch: int, first: int, events: list[Event], engine: str = FIRST_ENGINE) -> None:
        """Take an engine's reports from number `first` on."""
        last = first + len(events) - 1
        self.kept.take(engine, Position(epoch, last), first, len(events), 0, encode_all(events))

    def one(self) -> Session:
        """Return the session of the client `one`."""
        session = self.desk.by_name("one")
        assert session is not None
        return session


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway without a session."""
    one = Gateway(tmp_path / "gateway")
    yield one
    one.kept.close()


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("has_reports", [True, False])
def test_goes_on_in_the_epoch_that_began_last_however_the_clock_was_set(
    gateway: Gateway, step_ns: int, *, has_reports: bool
) -> None:
    """Killed after the engine came back empty: what rests in the new epoch must not be told to be lost."""
    one = gateway.kept.log_on("one", is_cancel_on_disconnect=False)
    gateway.kept.begin_epoch(FIRST_ENGINE, Position(START_NS, 0), 1, {BTC})
    gateway.take(START_NS, 1, gateway.enter(one, 1, 2))
    epoch = START_NS + step_ns
    assert gateway.kept.begin_epoch(FIRST_ENGINE, Position(epoch, 0), 2, {BTC}) == [one]
    if has_reports:
        gateway.take(epoch, 1, gateway.enter(one, 3))
    gateway.kill()
    assert gateway.kept.position_of(FIRST_ENGINE) == Position(epoch, int(has_reports))
    told = reports(gateway.one())
    assert [type(event) for event in told] == [Accepted] * 2 + [Canceled] * 2 + [Accepted] * has_reports
    assert {event.reason for event in told if isinstance(event, Canceled)} == {CancelReason.ENGINE_RESTARTED}
    assert gateway.desk.open_count(gateway.one()) == int(has_reports)


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_an_engine_that_begins_anew_ends_the_orders_of_its_symbols_alone(gateway: Gateway, step_ns: int) -> None:
    """And its position alone begins anew."""
    one = gateway.kept.log_on("one", is_cancel_on_disconnect=False)
    for engine, number in ((FIRST_ENGINE, 0), ("engine2", 1)):
        gateway.kept.begin_epoch(engine, Position(START_NS + number, 0), 1, {number})
    gateway.take(START_NS, 1, gateway.enter(one, 1, 2))
    gateway.kept.begin_epoch("engine2", Position(START_NS + step_ns, 0), 2, {1})
    gateway.kill()
    assert gateway.kept.position_of(FIRST_ENGINE) == Position(START_NS, 2)
    assert gateway.kept.position_of("engine2") == Position(START_NS + step_ns, 0)
    assert gateway.desk.open_count(gateway.one()) == 2
