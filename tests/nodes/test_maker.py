"""The maker against a venue that does what the test says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from market import clock
from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from nodes import maker
from nodes.maker import MakerNode, own_prefix
from nodes.node import Node, NodeError
from nodes.settings import load_settings
from tests.desk.desk_process import short_directory
from venues.binance import RECV_WINDOW_MS
from venues.venue import VenueRefusedError, VenueUnavailableError, VenueUnknownError

PREFIX = "tb-mine-"


class ScriptedVenue:
    """Keeps orders like a venue; `place` first raises what `fates` holds, `cancel` what `cancel_fates` holds."""

    name = "scripted"

    def __init__(self) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self.mid_ticks = 9_138_500
        self.fates: list[Exception] = []
        self.cancel_fates: list[Exception] = []
        self.does_arrive = False  # whether an order whose reply is lost was taken in
        self.places = 0
        self.cancels: list[str] = []

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        bids = [(self.mid_ticks - 1, 100)]
        asks = [(self.mid_ticks + 1, 100)]
        for order in self.orders.values():
            levels = bids if order.side is Side.BUY else asks
            levels.append((instrument.price_to_ticks(order.price), instrument.qty_to_lots(order.qty)))
        bids.sort(reverse=True)
        asks.sort()
        return Depth(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        return list(self.orders.values())

    def place(
        self, instrument: Instrument, side: Side, price_ticks: int, qty_lots: int, client_order_id: str
    ) -> VenueOrder:
        self.places += 1
        order = VenueOrder(
            str(self.places),
            client_order_id,
            instrument.symbol,
            side,
            instrument.ticks_to_price(price_ticks),
            instrument.lots_to_qty(qty_lots),
            Decimal(0),
            "NEW",
            0,
        )
        if self.fates:
            if self.does_arrive:
                self.orders[order.order_id] = order
            raise self.fates.pop(0)
        self.orders[order.order_id] = order
        return order

    def cancel(self, instrument: Instrument, order_id: str) -> None:
        if self.cancel_fates:
            raise self.cancel_fates.pop(0)
        self.cancels.append(order_id)
        self.orders.pop(order_id, None)

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        return next((o for o in self.orders.values() if o.client_order_id == client_order_id), None)

    def account(self) -> VenueAccount:
        return VenueAccount("", {})

    def balances(self) -> Mapping[str, Balance]:
        return {}

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        return []

    def prices(self) -> dict[Side, Decimal]:
        return {order.side: order.price for order in self.orders.values()}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The monotonic clock, in a list that the test may change."""
    at = [clock.monotonic_ns()]
    monkeypatch.setattr(maker, "monotonic_ns", lambda: at[0])
    return at


@pytest.fixture
def venue() -> ScriptedVenue:
    """A venue without orders."""
    return ScriptedVenue()


@pytest.fixture
def quoting(venue: ScriptedVenue, now: list[int]) -> Iterator[MakerNode]:
    """A maker at that venue."""
    with short_directory() as path:
        node = Node("maker", load_settings({"run_dir": path}).settings)
        yield MakerNode(node, venue, PREFIX)
        node.close()


def test_quotes_both_sides_around_the_mid_of_others(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """Its own orders do not move its mid, however often it looks."""
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {Side.BUY: Decimal("91202.23"), Side.SELL: Decimal("91567.77")}
    assert venue.places == 2


def test_requotes_only_beyond_the_tolerance(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """3 bps of 91,385 are 27.41: a move of 27 leaves the orders, one of 28 replaces both."""
    quoting.cycle()
    venue.mid_ticks += 2_700
    quoting.cycle()
    assert venue.cancels == []
    venue.mid_ticks += 100
    quoting.cycle()
    assert sorted(venue.cancels) == ["1", "2"]
    assert len(venue.orders) == 2


def test_filled_quote_is_replaced(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """A fill takes an order away; the other side stays where it is in its queue."""
    quoting.cycle()
    del venue.orders["1"]
    quoting.cycle()
    assert venue.cancels == []
    assert sorted(venue.orders) == ["2", "3"]


def test_orders_of_others_on_the_account_are_not_touched(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """Only a client order id with the desk's own prefix is ours."""
    foreign = VenueOrder("x", "by-hand", "BTCUSDT", Side.BUY, Decimal(91_000), Decimal(1), Decimal(0), "NEW", 0)
    venue.orders["x"] = foreign
    quoting.cycle()
    quoting.stop()
    assert list(venue.orders.values()) == [foreign]


@pytest.mark.parametrize("does_arrive", [True, False])
def test_unknown_order_is_never_sent_again_blindly(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], does_arrive: bool
) -> None:
    """It may be there, or arrive until its window closes: until then nothing more on its side."""
    venue.fates, venue.does_arrive = [VenueUnknownError("lost")], does_arrive
    quoting.cycle()
    quoting.cycle()
    assert venue.places == 2, "the side of unknown fate was quoted again"
    assert len(venue.orders) == (2 if does_arrive else 1)
    now[0] += (RECV_WINDOW_MS + 1) * clock.NS_PER_MS
    quoting.cycle()
    quoting.cycle()
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]
    assert len(venue.orders) == 2, "an order was doubled"


def test_refused_quote_pauses_its_side_alone(quoting: MakerNode, venue: ScriptedVenue, now: list[int]) -> None:
    """No funds for one side is no reason to leave the other, nor to ask four times a second."""
    venue.fates = [VenueRefusedError("insufficient balance", -2010)]
    quoting.cycle()
    quoting.cycle()
    assert venue.places == 2
    assert list(venue.prices()) == [Side.SELL]
    now[0] += maker.REFUSED_PAUSE_NS + 1
    quoting.cycle()
    assert len(venue.orders) == 2


def test_empty_side_pulls_the_quotes(quoting: MakerNode, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mid there is no price to believe in."""
    quoting.cycle()
    monkeypatch.setattr(venue, "depth", lambda *_: Depth((), (Level(1, 1),)))
    quoting.cycle()
    assert venue.orders == {}


def test_partly_filled_order_stays(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """Topping up would lose its place in the queue."""
    quoting.cycle()
    venue.orders["1"] = replace(venue.orders["1"], filled_qty=Decimal("0.01"))
    quoting.cycle()
    assert (venue.places, venue.cancels) == (2, [])


def test_stop_cancels_everything_of_ours(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """A maker that is told to stop leaves nothing."""
    quoting.cycle()
    quoting.stop()
    assert venue.orders == {}


def test_stop_tries_again_while_the_venue_is_away(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """The exchange may be coming back from a restart just then: orders were left there at the first error."""
    quoting.cycle()
    venue.cancel_fates = [VenueRefusedError("internal error", -1001), VenueUnavailableError("out of reach")]
    quoting.stop()
    assert venue.orders == {}


def test_stop_gives_up_when_its_time_is_over(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops it must hear that orders are left; and the supervisor kills what does not stop in time."""
    quoting.cycle()
    venue.cancel_fates = [VenueUnavailableError("out of reach")] * 1_000
    monkeypatch.setattr("nodes.maker.time.sleep", lambda _: now.__setitem__(0, now[0] + NS_PER_SECOND))
    with pytest.raises(NodeError, match="may be left at the venue: out of reach"):
        quoting.stop()
    assert len(venue.orders) == 2
    assert 2 <= 1_000 - len(venue.cancel_fates) <= 5


def test_prefix_is_made_up_once_for_a_run_directory(tmp_path: Path) -> None:
    """A restarted maker knows its orders again; another desk has another prefix; 36 characters hold a whole id."""
    prefix = own_prefix(tmp_path)
    assert own_prefix(tmp_path) == prefix
    other = tmp_path / "other"
    other.mkdir()
    assert own_prefix(other) != prefix
    assert len(next(maker._client_order_ids(prefix))) <= 30
