"""The soak: what a client believes, how long orders took, and whether memory grows."""

from typing import Any

import numpy as np
import pytest

from benchmarks import soak_client
from benchmarks.soak_client import RESTING_MAX, SoakClient
from benchmarks.soak_measures import BINS, MB, Sample, bins_of, quantile_ms, slope_mb_per_hour
from market.codes import CancelReason, RejectReason, Side, Tag
from market.commands import CancelOrder, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected

MID = 9_000_000


class Session:
    """A session whose gateway says what it is told to."""

    is_logged_on = True
    last_order_id = 0
    unanswered_count = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state = self
        self.sent: list[NewOrder | CancelOrder] = []
        self.events: list[Event] = []

    def send(self, commands: list[NewOrder | CancelOrder]) -> None:
        """Take note."""
        self.sent += commands
        self.last_order_id = max([self.last_order_id, *(one.order_id for one in commands)])

    def receive(self, _: float) -> list[Event]:
        """Give what there is."""
        events, self.events = self.events, []
        return events


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> SoakClient:
    """One whose gateway is a stand-in."""
    monkeypatch.setattr(soak_client, "GatewaySession", Session)
    return SoakClient("soak-0", 1, 7)


def _session(client: SoakClient) -> Session:
    session = client.session
    assert isinstance(session, Session)
    return session


def _accepted(order: NewOrder | CancelOrder) -> Accepted:
    assert isinstance(order, NewOrder)
    side, price, lots = order.side, order.price_ticks, order.qty_lots
    return Accepted(0, 0, 0, order.order_id, 0, side, price, lots, 0, 0, lots)


def test_believes_what_the_reports_say(client: SoakClient) -> None:
    """What is accepted rests, a fill reduces it, a cancel ends it; a second first report is counted."""
    session = _session(client)
    client.act([1, 2, 3], MID)
    orders = [one for one in session.sent if isinstance(one, NewOrder)]
    assert [one.order_id for one in orders] == [1, 2, 3]
    session.events = [*map(_accepted, orders), _accepted(orders[0])]
    client.take()
    lots = {one.order_id: one.qty_lots for one in orders}
    assert client.resting == lots
    assert client.doubled == 1
    assert [due for due, _ in client.took_ns] == [1, 2, 3]
    fill = Executed(0, 0, 0, 1, MID, 1, Side.BUY, 0, 0, 0, 1, 0, 5, 5)
    gone = Canceled(0, 0, 0, 2, 0, Side.BUY, MID, lots[2], 0, CancelReason.REQUESTED)
    session.events = [fill, gone]
    client.take()
    assert client.resting == {1: 5, 3: lots[3]}


def test_a_lost_cancel_is_asked_for_again(client: SoakClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is not quiet while an order rests that it has cancelled."""
    session = _session(client)
    client.act(list(range(RESTING_MAX)), MID)
    session.events = [_accepted(one) for one in session.sent]
    client.take()
    session.sent.clear()
    monkeypatch.setattr(soak_client, "monotonic_ns", lambda: 10)
    client.act([10], MID)
    oldest = next(iter(client.resting))
    assert session.sent == [CancelOrder(oldest, 0)]
    client.take()
    assert not client.is_quiet
    assert len(session.sent) == 1
    monkeypatch.setattr(soak_client, "monotonic_ns", lambda: soak_client.ASK_AGAIN_NS + 11)
    client.take()
    assert session.sent == [CancelOrder(oldest, 0)] * 2
    session.events = [Canceled(0, 0, 0, oldest, 0, Side.BUY, MID, 1, 0, CancelReason.REQUESTED)]
    client.take()
    assert client.is_quiet


def test_a_refusal_counts_unless_the_order_had_just_gone(client: SoakClient) -> None:
    """A cancel that comes too late is nothing unusual; a refused order is."""
    session = _session(client)
    client.act([1], MID)
    late = Rejected(0, 0, 0, 9, 0, Tag.CANCEL_ORDER, RejectReason.UNKNOWN_ORDER)
    session.events = [late, Rejected(0, 0, 0, 1, 0, Tag.NEW_ORDER, RejectReason.PRICE_BAND)]
    client.take()
    assert (client.refused, client.resting) == (1, {})


def test_memory_that_grows_is_found_over_restarts() -> None:
    """Levels differ from life to life; what grows within each is the slope, and a life's first minute is none of it."""
    lives = [
        [Sample(at, 100 * MB + at * 5 * MB // 3_600, 9) for at in range(0, 2_000, 10)],
        [Sample(at, (60 if at > 2_050 else 10) * MB + at * 5 * MB // 3_600, 9) for at in range(2_000, 3_600, 10)],
    ]
    slope, error = slope_mb_per_hour(lives, 600)
    assert slope == pytest.approx(5, rel=0.01)
    assert error < 0.1
    flat = [[Sample(at, 80 * MB + at % 20, 9) for at in range(0, 3_600, 10)]]
    assert slope_mb_per_hour(flat, 600)[0] == pytest.approx(0, abs=0.01)


def test_a_quantile_is_told_at_most_two_percent_too_high() -> None:
    """Times are counted in bins; each is told by its upper end."""
    counts = np.bincount(bins_of(np.array([20_000] * 99 + [7_000_000])), minlength=BINS)
    assert 0.02 <= quantile_ms(counts, 0.99) <= 0.0205
    assert 7 <= quantile_ms(counts, 1.0) <= 7.15
