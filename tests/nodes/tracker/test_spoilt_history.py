"""A history in which somebody has written by hand: the tracker names the row, and goes on."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest

from commands.actions.export import export_fills
from desk.settings import load_settings
from history.rows import BadRowError
from market.account import VenueOrder
from market.codes import Side
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import HOUR_MS, SetClock, made_trades
from tests.nodes.tracker.test_historian import Kept
from tests.reports.fills import DAY, NOON_MS
from tests.reports.scripted_venue import ScriptedVenue


@pytest.fixture
def kept(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Iterator[Kept]:
    """Return a tracker that has kept 50 trades and orders, and is down."""
    made = Kept(folder, venue, clock)
    venue.trades_of_all = made_trades(1, 50)
    numbers = (Decimal(100), Decimal(1), Decimal(0))
    venue.orders_of_all = [
        VenueOrder(str(number), f"c{number}", "BTCUSDT", Side.BUY, *numbers, "NEW", NOON_MS) for number in range(1, 51)
    ]
    venue.open = venue.orders_of_all
    made.step()
    made.historian.close()
    yield made
    made.historian.close()


SPOILT = [
    ("UPDATE trades SET price = 'abc' WHERE trade_id = 50", "trades, row of", "price must be a decimal, was 'abc'"),
    ("UPDATE trades SET fee = '1e999' WHERE trade_id = 50", "trades, row of", "fee must be a decimal, was '1e999'"),
    ("UPDATE trades SET qty = 'NaN' WHERE trade_id = 50", "trades, row of", "qty must be a decimal, was 'NaN'"),
    ("UPDATE trades SET side = 'HOLD' WHERE trade_id = 50", "trades, row of", "side must be BUY or SELL, was 'HOLD'"),
    ("UPDATE trades SET time_ms = 'noon' WHERE trade_id = 50", "trades, row of", "time_ms must be a whole number"),
    ("UPDATE trades SET time_ms = 1e18 WHERE trade_id = 50", "trades, row of", "time_ms must be a whole number"),
    ("UPDATE trades SET is_maker = 'yes' WHERE trade_id = 50", "trades, row of", "is_maker must be 0 or 1, was 'yes'"),
    ("UPDATE orders SET price = '[1' WHERE order_id = '50'", "orders, row of", "price must be a decimal, was '[1'"),
    ("UPDATE orders SET order_id = 'x' WHERE order_id = '50'", "orders", "order_id must be a number, was 'x'"),
    ("UPDATE balances SET free = 'much'", "balances, row of", "free must be a decimal, was 'much'"),
    ("UPDATE progress SET position = 'far' WHERE source LIKE 'trades%'", "progress, row of", "was 'far'"),
    ("UPDATE progress SET position = 9e18 WHERE source LIKE 'orders%'", "progress, row of", "position"),
]


@pytest.mark.parametrize(("statement", "table", "why"), SPOILT)
def test_a_spoilt_row_is_named_and_mended_by_what_the_venue_tells(
    kept: Kept, statement: str, table: str, why: str
) -> None:
    """It ended the tracker, and again at every start."""
    _spoil(kept, statement)
    kept.start()
    kept.venue.trades_of_all += made_trades(51, 300, NOON_MS + HOUR_MS)
    kept.step()
    assert [note for note in kept.notes if note.startswith(table) and why in note], kept.notes
    assert not [note for note in kept.notes if "behind" in note]
    kept.start()
    kept.step()
    kept.step()
    assert kept.notes == ()
    assert [row.trade for row in kept.rows()] == kept.venue.trades_of_all
    assert kept.ask("SELECT count(*) FROM orders WHERE price = '100' AND order_id <> 'x'") == [(50,)]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE accounts SET first_ms = 'once'", "UPDATE accounts SET first_ms = 1e300", "UPDATE accounts SET venue = 7"],
)
def test_a_spoilt_account_stops_the_history_and_nothing_else(kept: Kept, statement: str) -> None:
    """All rows hang on it: it is named, trading and the daily file go on, and a person mends it."""
    (before,) = kept.ask("SELECT first_ms, venue FROM accounts")
    _spoil(kept, statement)
    kept.start()
    kept.venue.trades_of_all += made_trades(51, 10, NOON_MS + HOUR_MS)
    kept.step()
    document = kept.folder.read(DAY)
    assert document is not None
    assert document["total_trades"] == 60
    if "venue" in statement:
        assert kept.notes == (), "nothing is spoilt: it is another venue's"
        return
    (note,) = kept.notes
    assert note.startswith("the history is behind, and will be filled again: accounts, row of id 1: first_ms must be")
    _spoil(kept, f"UPDATE accounts SET first_ms = {before[0]}")
    kept.step()
    assert (kept.notes, len(kept.ids())) == ((), 60)


def test_an_export_says_which_row_is_spoilt(kept: Kept) -> None:
    """One line, and no half of a file."""
    _spoil(kept, "UPDATE trades SET quote_qty = 'lots' WHERE trade_id = 7")
    out = kept.folder.path.parent / "fills.csv"
    settings = load_settings({"run_dir": kept.folder.path.parent}).settings
    assert settings.reports_dir == kept.folder.path
    with pytest.raises(BadRowError, match=r"trades, row of account 1, .*trade_id 7.*: quote_qty must be a decimal"):
        export_fills(settings, "csv", None, out)
    assert not out.exists()


def _spoil(kept: Kept, statement: str) -> None:
    with sqlite3.connect(kept.path) as connection:
        assert connection.execute(statement).rowcount >= 1
