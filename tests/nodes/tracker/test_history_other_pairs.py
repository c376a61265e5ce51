"""The history of pairs that the desk does not quote: what became of them while it failed is kept afterwards."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.codes import Side
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import MIDNIGHT_MS, SetClock, made_trades
from tests.nodes.tracker.test_historian import Kept
from tests.reports.fills import BTC, DAY_MS, ETH
from tests.reports.scripted_venue import ScriptedVenue
from venues.venue import VenueNoSuchPairError


class OfBoth(Kept):
    """A tracker that knows two pairs."""

    def start(self) -> None:
        """Begin as a process that knows nothing."""
        super().start()
        venue, folder = self.venue, self.folder.path
        self.historian = Historian(self.path, venue, "paper", folder, self.clock, pairs=(BTC, ETH))

    def of_eth(self) -> tuple[list[int], list[str]]:
        """Return the numbers of the trades in it, and the states of its orders."""
        trades = self.ask("SELECT trade_id FROM trades WHERE symbol = 'ETHUSDT' ORDER BY 1")
        orders = self.ask("SELECT status FROM orders WHERE symbol = 'ETHUSDT' ORDER BY order_id")
        return [number for (number,) in trades], [status for (status,) in orders]


@pytest.fixture
def kept(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Iterator[OfBoth]:
    """Return a tracker some minutes before midnight."""
    clock.ms = MIDNIGHT_MS - 600_000
    made = OfBoth(folder, venue, clock)
    yield made
    made.historian.close()


def _order(status: str) -> VenueOrder:
    numbers = (Decimal(100), Decimal(1), Decimal(0))
    return VenueOrder("7", "c7", "ETHUSDT", Side.BUY, *numbers, status, MIDNIGHT_MS - 500_000)


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_new", [False, True])
def test_last_trades_and_orders_of_before_midnight_are_kept_after_it(
    kept: OfBoth, monkeypatch: pytest.MonkeyPatch, *, is_restarted: bool, is_new: bool
) -> None:
    """They are in the daily file, and were in the history only when that pair was traded again."""
    monkeypatch.setattr("history.database.BUSY_S", 0.01)
    kept.step()
    kept.step()
    if not is_new:
        kept.venue.trades_of_all = made_trades(1, 1, kept.clock.ms + 1, symbol="ETHUSDT")
        kept.venue.orders_of_all = kept.venue.open = [_order("NEW")]
        kept.step()
        assert kept.of_eth() == ([1], ["NEW"])
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    if is_new:
        kept.venue.trades_of_all = made_trades(1, 1, kept.clock.ms + 1, symbol="ETHUSDT")
        kept.step()
    kept.venue.trades_of_all += made_trades(2, 1, kept.clock.ms + 1, symbol="ETHUSDT")
    kept.venue.orders_of_all, kept.venue.open = [_order("CANCELED")], []
    kept.step()
    kept.clock.ms = MIDNIGHT_MS
    kept.step()
    if is_restarted:
        kept.historian.close()
        kept.start()
    other.execute("ROLLBACK")
    other.close()
    for _ in range(3):
        kept.step()
    assert kept.notes == ()
    assert kept.of_eth() == ([1, 2], ["CANCELED"])


def test_other_pairs_are_asked_once_a_day(kept: OfBoth) -> None:
    """Guards the venue's patience; what has ended since the day before is kept then, too."""
    kept.step()
    kept.step()
    kept.venue.trades_of_all = made_trades(1, 1, kept.clock.ms + 1, symbol="ETHUSDT")
    kept.venue.orders_of_all = kept.venue.open = [_order("NEW")]
    kept.step()
    kept.venue.trades_of_all += made_trades(2, 1, kept.clock.ms + 1, symbol="ETHUSDT")
    kept.step()
    assert kept.of_eth() == ([1, 2], ["NEW"])
    kept.clock.ms += DAY_MS
    kept.venue.orders_of_all, kept.venue.open = [_order("CANCELED")], []
    kept.step()
    assert kept.of_eth() == ([1, 2], ["CANCELED"])
    for _ in range(3):  # a minute after the opening the daily file has asked what it asks of its own
        kept.step()
    kept.venue.calls.clear()
    for _ in range(3):
        kept.step()
    assert {symbol for symbol, *_ in kept.venue.calls} == {"BTCUSDT"}


def test_pair_that_the_venue_does_not_trade_stops_no_history(kept: OfBoth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards a testnet that knows fewer pairs than the desk."""
    trades = kept.venue.trades

    def refused(instrument: object, *asked: int, **more: int) -> object:
        if instrument == ETH:
            raise VenueNoSuchPairError("Invalid symbol.", -1121)
        return trades(BTC, *asked, **more)

    monkeypatch.setattr(kept.venue, "trades", refused)
    for _ in range(3):
        kept.venue.trades_of_all += made_trades(len(kept.venue.trades_of_all) + 1, 1, kept.clock.ms + 1)
        kept.step()
        assert kept.notes == ()
    assert kept.ids() == [1, 2, 3]
