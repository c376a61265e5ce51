"""The history that the tracker keeps: nothing lost, nothing doubled, and a database that fails stops nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from desk.decisions_file import DecisionsFile, decisions_path
from history import keeping
from history.database import Database
from history.keeping import accounts, trades_of
from market.account import VenueOrder
from market.codes import Side
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from reports.trade_history import HistoryRow
from tests.nodes.tracker.accounts import HOUR_MS, SetClock, made_trades
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

STEP_MS = 31_000


class Kept:
    """A tracker with its history, and what that holds.

    Attributes:
        notes: what was told of the last step.
    """

    def __init__(self, folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
        self.folder, self.venue, self.clock = folder, venue, clock
        self.path = folder.path / "history.sqlite3"
        self.notes: tuple[str, ...] = ()
        self.start()

    def start(self) -> None:
        """Begin as a process that knows nothing."""
        self.books = Bookkeeper(self.venue, BTC, self.folder, self.clock, pairs=(BTC, ETH))
        self.historian = Historian(self.path, self.venue, "paper", self.folder.path, self.clock)

    def step(self, *, ms: int = STEP_MS) -> None:
        """Let time pass, and do what the tracker does then."""
        self.clock.ms += ms
        recorded = self.books.update()
        assert self.books.snapshot is not None
        self.notes = self.historian.take(self.books.snapshot, recorded)

    def rows(self, account: int = 1) -> list[HistoryRow]:
        """Return the trades of an account."""
        database = Database(self.path)
        with database.transaction() as connection:
            found = list(trades_of(connection, account))
        database.close()
        return found

    def ids(self, account: int = 1) -> list[int]:
        """Return their numbers."""
        return [row.trade.trade_id for row in self.rows(account)]

    def ask(self, statement: str) -> list[Any]:
        """Return what SQLite itself says."""
        with sqlite3.connect(self.path) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture
def kept(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Iterator[Kept]:
    """Return a tracker that has not begun."""
    made = Kept(folder, venue, clock)
    yield made
    made.historian.close()


def _order(number: int, status: str = "FILLED", *, symbol: str = "BTCUSDT", filled: str = "1") -> VenueOrder:
    numbers = (Decimal(100), Decimal(1), Decimal(filled))
    return VenueOrder(str(number), f"c{number}", symbol, Side.BUY, *numbers, status, NOON_MS + number)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 1_000, 1_345])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_keeps_every_trade_once(kept: Kept, count: int, is_restarted: bool) -> None:
    """Guards paging, the first filling, and what comes while the tracker is up or away."""
    kept.venue.trades_of_all = [*made_trades(1, 1_050, NOON_MS - 3 * DAY_MS), *made_trades(1_051, count)]
    kept.step()
    assert kept.ids() == list(range(1, 1_051 + count))
    kept.venue.trades_of_all += made_trades(1_051 + count, count, NOON_MS + HOUR_MS)
    if is_restarted:
        kept.start()
    for _ in range(3):
        kept.step()
    assert kept.ids() == list(range(1, 1_051 + 2 * count))
    assert [row.trade for row in kept.rows()] == kept.venue.trades_of_all
    assert kept.notes == ()


def test_is_filled_again_over_more_than_one_step(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the venue's patience: at most so many pages in a step, and nothing is lost between two."""
    monkeypatch.setattr("nodes.tracker.history_step.PAGES_MAX", 2)
    kept.venue.trades_of_all = [*made_trades(1, 3_000, NOON_MS - 9 * DAY_MS), *made_trades(3_001, 5)]
    kept.step()
    assert 1_000 < len(kept.ids()) < 3_000
    kept.start()
    kept.venue.trades_of_all += made_trades(3_006, 5, NOON_MS + HOUR_MS)
    kept.step()
    assert kept.ids() == list(range(1, 3_011))


def test_a_step_costs_what_is_new(kept: Kept) -> None:
    """Guards the long day: what is asked, and what is touched, does not grow with what is kept."""
    asked = []
    for first in (1, 1_201):
        kept.venue.trades_of_all += made_trades(first, 1_200, NOON_MS + first)
        for _ in range(3):  # a minute after the opening other pairs are asked for
            kept.step()
        kept.venue.calls.clear()
        kept.venue.trades_of_all += made_trades(first + 1_200, 0)
        changes = kept.ask("SELECT count(*) FROM trades")
        assert changes == [(first + 1_199,)]
        kept.step()
        asked.append(len(kept.venue.calls))
    assert asked[0] == asked[1] == 2, "the tracker's two readings, and none of the history's own"


@pytest.mark.parametrize("lone", [0, 1])
def test_keeps_both_halves_of_a_trade_with_itself(kept: Kept, lone: int) -> None:
    """Guards the key, a number and the order, above all where a page ends between the two halves."""
    halves = [
        fill(number, side, "1", "100", time_ms=NOON_MS - 3 * DAY_MS + number, order_id=f"{side.name}{number}")
        for number in range(2, 1_102)
        for side in (Side.BUY, Side.SELL)
    ]
    kept.venue.trades_of_all = [*made_trades(1, lone, NOON_MS - 3 * DAY_MS), *halves, *made_trades(1_102, 1)]
    kept.step()
    kept.step()
    assert [row.trade for row in kept.rows()] == kept.venue.trades_of_all


@pytest.mark.parametrize("source", ["trades 1 BTCUSDT", "orders 1 BTCUSDT", "decisions 20251130"])
def test_keeps_what_was_read_and_how_far_together(kept: Kept, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards against a death between the two: what is done anew is not doubled, and nothing is passed over."""
    keep = keeping.keep_position

    def die(connection: Any, name: str, position: int) -> None:
        keep(connection, name, position)
        if name == source:
            raise OSError("died")

    kept.venue.trades_of_all = made_trades(1, 10)
    kept.venue.orders_of_all = [_order(number) for number in range(1, 11)]
    kept.folder.path.mkdir()
    row = {"time": "2025-11-30T12:00:00.000Z", "symbol": "BTCUSDT"}
    DecisionsFile(kept.folder.path).write([row] * 10, NOON_MS * 1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "keep_position", die)
        kept.step()
    assert kept.ask(f"SELECT count(*) FROM {source.split(maxsplit=1)[0]}") == [(0,)]
    kept.start()
    kept.step()
    for table in ("trades", "orders", "decisions"):
        assert kept.ask(f"SELECT count(*) FROM {table}") == [(10,)]


def test_finds_by_an_index_whatever_it_looks_for(kept: Kept) -> None:
    """Guards the long day once more: a step that passes over every order grew with them, fourfold at 100,000."""
    kept.venue.trades_of_all = made_trades(1, 10)
    kept.venue.orders_of_all = [_order(number) for number in range(1, 11)]
    kept.step()
    asked: list[tuple[str, Any]] = []
    database = kept.historian._database
    assert database is not None
    event.listen(database._engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    kept.venue.trades_of_all += made_trades(11, 2, NOON_MS + 1_000)
    kept.venue.orders_of_all = [_order(number) for number in range(1, 13)]
    kept.step()
    touching = [each for each in asked if "trades" in each[0] or "orders" in each[0]]
    assert len(touching) >= 4, asked
    with sqlite3.connect(kept.path) as connection:
        for statement, parameters in touching:
            if statement.startswith(("SELECT", "UPDATE")):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                assert all("symbol=? AND " in row[3] for row in plan), (statement, plan)


def test_keeps_what_comes_late_or_by_another_clock(kept: Kept) -> None:
    """Guards a trade that the venue tells after a later one, and a clock that is set back."""
    trades = made_trades(1, 10)
    kept.venue.trades_of_all = [trade for trade in trades if trade.trade_id != 7]
    kept.step()
    kept.venue.trades_of_all = trades
    kept.step(ms=-HOUR_MS)
    kept.step(ms=2 * HOUR_MS)
    assert kept.ids() == list(range(1, 11))


@pytest.mark.parametrize("account_id", ["", "65537"])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_begins_another_account_after_a_wipe(kept: Kept, account_id: str, is_restarted: bool) -> None:
    """Guards a venue that counts from 1 again: the old trades stay, and the new ones are another account's."""
    kept.venue.account_id = "1" if account_id else ""
    kept.venue.trades_of_all = made_trades(1, 300)
    kept.step()
    if is_restarted:
        kept.start()
    kept.venue.account_id = account_id
    kept.venue.trades_of_all = made_trades(1, 200, NOON_MS + 60_000, "BTCUSDT")
    for _ in range(4):
        kept.step(ms=70_000)
    assert (kept.ids(1), kept.ids(2)) == (list(range(1, 301)), list(range(1, 201)))
    assert kept.ask("SELECT count(*) FROM accounts") == [(2,)]


def test_knows_another_account_by_its_trades_alone(kept: Kept) -> None:
    """Guards a wipe that the daily files do not tell of: they were taken away meanwhile."""
    kept.venue.account_id = ""
    kept.venue.trades_of_all = made_trades(1, 20)
    kept.step()
    kept.folder.file_of(DAY).unlink()
    kept.start()
    kept.venue.trades_of_all = made_trades(1, 20, NOON_MS + 5_000)
    kept.step()
    kept.step()
    assert [row.trade for row in kept.rows(2)] == kept.venue.trades_of_all
    database = Database(kept.path)
    with database.transaction() as connection:
        assert [row.reason for row in accounts(connection)] == [
            None,
            "trade 1 of BTCUSDT is not the one that was kept",
        ]
    database.close()


def test_keeps_orders_until_they_have_ended(kept: Kept) -> None:
    """Guards an order that was open when it was read: its end is read, too, however many came after it."""
    kept.venue.orders_of_all = [_order(1, "NEW", filled="0"), *(_order(number) for number in range(2, 1_500))]
    kept.venue.open = [kept.venue.orders_of_all[0]]
    kept.step()
    assert kept.ask("SELECT count(*), sum(status = 'FILLED') FROM orders") == [(1_499, 1_498)]
    kept.venue.orders_of_all = [*kept.venue.orders_of_all, *(_order(number) for number in range(1_500, 4_000))]
    kept.step()
    kept.start()
    kept.venue.open = []
    kept.venue.orders_of_all[0] = replace(kept.venue.orders_of_all[0], status="CANCELED", filled_qty=Decimal("0.5"))
    kept.step()
    found = kept.ask("SELECT count(*), sum(status = 'FILLED'), sum(status = 'CANCELED') FROM orders")
    assert found == [(3_999, 3_998, 1)]
    assert kept.ask("SELECT filled_qty FROM orders WHERE order_id = '1'") == [("0.5",)]


def test_keeps_a_balance_when_it_changes(kept: Kept) -> None:
    """Guards the disk against the same row every five seconds."""
    kept.step()
    before = kept.ask("SELECT count(*) FROM balances")
    kept.step()
    kept.start()
    kept.step()
    assert kept.ask("SELECT count(*) FROM balances") == before == [(4,)]
    kept.venue.trades_of_all = made_trades(1, 1)
    kept.step()
    assert kept.ask("SELECT asset, free FROM balances ORDER BY id DESC LIMIT 2") == [("USDT", "999900"), ("BTC", "101")]


def test_an_asset_that_the_venue_tells_no_more_is_gone(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue may leave out what is nothing: the newest row of an asset is its balance, and said what it had been."""
    kept.step()
    told = {asset: balance for asset, balance in kept.venue.balances().items() if asset != "BTC"}
    monkeypatch.setattr(kept.venue, "balances", lambda: told)
    for _ in range(2):
        kept.step()
    assert kept.ask("SELECT asset, free, locked FROM balances ORDER BY id DESC LIMIT 1") == [("BTC", "0", "0")]
    assert kept.ask("SELECT count(*) FROM balances") == [(5,)]
    kept.start()
    kept.step()
    assert kept.ask("SELECT count(*) FROM balances") == [(5,)]


def test_prices_a_fee_when_its_price_is_known(kept: Kept) -> None:
    """Guards the fee in a third asset, which the venue's first answer may have no price for."""
    kept.venue.trades_of_all = [fill(1, Side.BUY, "1", "100", "0.01", "BNB")]
    kept.step()
    assert kept.rows()[0].fee_in_quote is None
    kept.venue.mids["BNBUSDT"] = Decimal(600)
    kept.start()
    kept.step()
    kept.step()
    row = kept.rows()[0]
    assert (row.fee_in_quote, row.fee_price) == (Decimal(6), Decimal(600))


def test_keeps_each_decision_once(kept: Kept) -> None:
    """Guards the maker's decisions over restarts, cut lines, and midnight."""
    file = DecisionsFile(kept.folder.path)
    kept.folder.path.mkdir()

    def decide(*numbers: int, day: int = 0) -> None:
        rows = [
            {
                "time": f"2025-11-{30 - day}T12:00:00.{number:03d}Z",
                "symbol": "BTCUSDT",
                "side": "BUY",
                "action": "place",
                "price": Decimal("100.5"),
                "qty": None,
                "client_order_id": f"c{number}",
                "rule": "WANTED",
                "why": "it is wanted",
                "numbers": {"n": number},
                **({"level": number, "model": "glft"} if number > 2 else {}),  # as an older maker has written them
            }
            for number in numbers
        ]
        file.write(rows, (NOON_MS - day * DAY_MS) * 1_000_000)

    decide(1, 2, day=1)
    decide(3)
    with decisions_path(kept.folder.path, DAY).open("ab") as cut:
        cut.write(b'{"time": "2025-')
    kept.step()
    decide(4, 5)
    kept.start()
    for _ in range(2):
        kept.step()
    found = kept.ask("SELECT client_order_id, time_ms, price, numbers, level, model FROM decisions ORDER BY time_ms")
    assert [row[0] for row in found] == ["c1", "c2", "c3", "c4", "c5"]
    assert found[2] == ("c3", NOON_MS + 3, "100.5", '{"n": 3}', 3, "glft")
    assert [row[4:] for row in found[:2]] == [(None, None)] * 2


def _damage(path: Path) -> None:
    for part in path.parent.glob(path.name + "-*"):
        part.unlink()
    path.write_bytes(b"\0" * 5_000)


def _take_away(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(20_000)


@pytest.mark.parametrize("harm", [_damage, _take_away, _cut])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_fills_a_database_again_that_was_harmed(kept: Kept, harm: Callable[[Path], None], is_restarted: bool) -> None:
    """Guards the copy: the venue tells it all again, and the daily file does not notice."""
    kept.venue.trades_of_all = made_trades(1, 1_200)
    kept.step()
    kept.historian.close()
    if not is_restarted:
        kept.step()
    harm(kept.path)
    if is_restarted:
        kept.start()
    kept.venue.trades_of_all += made_trades(1_201, 10, NOON_MS + HOUR_MS)
    for _ in range(3):
        kept.step()
    assert kept.ids() == list(range(1, 1_211))
    assert kept.folder.read(DAY) is not None


def test_goes_on_without_a_database_that_is_locked(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards trading and the daily file against another program that holds the history; it is said once."""
    monkeypatch.setattr("history.database.BUSY_S", 0.01)
    kept.venue.trades_of_all = made_trades(1, 10)
    kept.step()
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.start()
    kept.venue.trades_of_all += made_trades(11, 10, NOON_MS + HOUR_MS)
    kept.step()
    assert kept.notes == (f"the history is behind, and will be filled again: {kept.path}: database is locked",)
    kept.step(ms=1_000)
    assert not kept.notes, "it is left alone for a while"
    document = kept.folder.read(DAY)
    assert document is not None
    assert document["total_trades"] == 20
    other.execute("ROLLBACK")
    other.close()
    kept.step()
    assert not kept.notes
    assert kept.ids() == list(range(1, 21))


def test_goes_on_on_a_full_disk(kept: Kept) -> None:
    """Guards trading and the daily file against a disk that takes nothing more of the history."""
    kept.venue.trades_of_all = made_trades(1, 10)
    kept.step()
    database = kept.historian._database
    assert database is not None
    with database.transaction() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    kept.venue.trades_of_all += made_trades(11, 3_000, NOON_MS + 1_000)
    kept.step()
    assert kept.notes == (f"the history is behind, and will be filled again: {kept.path}: database or disk is full",)
    assert kept.ids() == list(range(1, 11))
    kept.step()
    assert kept.ids() == list(range(1, 3_011))


def test_does_not_read_again_what_it_has_forgotten(kept: Kept) -> None:
    """Guards retention against the venue, which still tells all of it."""
    kept.venue.trades_of_all = [*made_trades(1, 3_000, NOON_MS - 2_000 * DAY_MS), *made_trades(3_001, 5)]
    for _ in range(3):
        kept.step()
    assert kept.ids() == list(range(3_001, 3_006))
    kept.start()
    kept.venue.trades_of_all += made_trades(3_006, 200, NOON_MS + HOUR_MS)
    kept.step(ms=DAY_MS)
    assert kept.ids() == list(range(3_001, 3_206))
