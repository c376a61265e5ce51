"""A history that fails over midnight: what only the tracker knows, flows and mids, is kept when it works again."""

import sqlite3
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from market.clock import NS_PER_MS
from market.codes import Side
from market.exact_json import JsonObject
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.mids import Mids
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import MIDNIGHT_MS, SetClock, made_trades
from tests.nodes.tracker.test_historian import Kept
from tests.reports.fills import BTC, DAY_MS, fill
from tests.reports.scripted_venue import ScriptedVenue


class Followed(Kept):
    """A tracker that follows the market, too."""

    def start(self) -> None:
        """Begin as a process that knows nothing."""
        super().start()
        self.mids = Mids()
        self.books = Bookkeeper(self.venue, BTC, self.folder, self.clock, mids=self.mids)

    def step(self, *, ms: int = 31_000) -> None:
        """Let time pass, and do what the tracker does then."""
        self.mids.hear((self.clock.ms + ms) * NS_PER_MS, 20_000)
        super().step(ms=ms)


class Unread(ReportsFolder):
    """A folder that nobody may read a day of."""

    def read(self, day: date) -> JsonObject | None:
        """Fail."""
        pytest.fail(f"{day} was read")


@pytest.fixture
def kept(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Iterator[Followed]:
    """Return a tracker some minutes before midnight."""
    clock.ms = MIDNIGHT_MS - 600_000
    made = Followed(folder, venue, clock)
    yield made
    made.historian.close()


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_wiped", [False, True])
def test_flows_and_mids_of_before_midnight_are_kept_after_it(
    kept: Followed, is_restarted: bool, is_wiped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue tells neither again; a flow is that of the account as it was then."""
    monkeypatch.setattr("history.database.BUSY_S", 0.01)
    kept.step()
    kept.step()
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.venue.trades_of_all = made_trades(1, 5, kept.clock.ms + 1)
    for _ in range(4):
        kept.step()
    kept.venue.start["USDT"] += 50
    for _ in range(3):
        kept.step()
    kept.clock.ms = MIDNIGHT_MS
    kept.step()
    if is_restarted:
        kept.start()
    if is_wiped:
        kept.venue.account_id = "2"
        kept.venue.trades_of_all = []
    kept.step()
    other.execute("ROLLBACK")
    other.close()
    for _ in range(3):
        kept.step()
    assert kept.notes == ()
    flows = kept.ask("SELECT account, asset, kind, amount FROM flows WHERE kind = 'deposit'")
    assert flows == [(1, "USDT", "deposit", "50")]
    if not is_restarted and not is_wiped:
        assert kept.ask("SELECT trade_id, horizon_s FROM mids ORDER BY 1, 2") == [
            (number, after_s) for number in range(1, 6) for after_s in (0, 1, 10, 60)
        ]


def test_no_file_is_read_for_flows_at_a_midnight_without_a_failure(
    kept: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 100,000 trades takes seconds; after a restart on the same day it is not read, either."""
    kept.step()
    kept.step()
    kept.clock.ms += DAY_MS
    monkeypatch.setattr("nodes.tracker.historian.ReportsFolder", Unread)
    kept.step()
    kept.start()
    kept.step()
    assert kept.notes == ()


@pytest.mark.parametrize("age_ms", [500, 3_600_000])
def test_a_fee_of_before_midnight_that_is_told_after_it_has_a_price(kept: Followed, age_ms: int) -> None:
    """It is in no book of today, and was kept without one; an old one has none but that of its minute."""
    kept.venue.mids["BNBUSDT"] = Decimal(600)
    kept.step()
    kept.clock.ms = MIDNIGHT_MS - 30_000
    kept.venue.trades_of_all = [fill(1, Side.BUY, "1", "100", "0.01", "BNB", time_ms=MIDNIGHT_MS - age_ms)]
    kept.step()
    (row,) = kept.rows()
    assert (row.fee_in_quote, row.fee_price) == ((6, 600) if age_ms == 500 else (None, None))
