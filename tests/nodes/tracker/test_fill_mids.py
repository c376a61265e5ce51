"""The mids around a fill, as they become known: in the rows, in the daily file and in the history."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from history.database import Database
from history.schema import MIDS
from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.fill_mids import FillMids
from nodes.tracker.historian import Historian
from nodes.tracker.mids import Mids
from reports.folder import ReportsFolder
from reports.trade_history import FillDetail, key_of
from tests.nodes.tracker.accounts import SetClock, made_trades
from tests.reports.fills import BTC, DAY, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

FILL = fill(1, Side.BUY, "1", "99", time_ms=NOON_MS)
KEY = key_of(FILL)


def heard(*changes: tuple[float, int | None], until_s: float) -> Mids:
    """Return mids in half ticks that were heard so many seconds after the fill, and are known until then."""
    mids = Mids()
    for after_s, mid_x2 in changes:
        mids.hear(_ns(after_s), mid_x2)
    mids.pass_to(_ns(until_s))
    return mids


def _ns(after_s: float) -> int:
    return NOON_MS * NS_PER_MS + round(after_s * NS_PER_SECOND)


def nothing(_: VenueTrade) -> FillDetail | None:
    """Know nothing of any fill."""
    return None


def test_what_is_still_to_come_is_not_known_yet() -> None:
    """Just before the fill and one second after it; ten seconds have not passed."""
    mids = heard((-1, 20_000), (0, 20_200), (0.5, 20_400), until_s=9)
    known = FillMids(BTC, mids).details_of([FILL], nothing)
    assert known == {KEY: FillDetail(Decimal(100), {1: Decimal(102), 10: None, 60: None})}


def test_a_gap_around_a_fill_stays_one() -> None:
    """Guards against the last mid standing in: a second after the fill nobody knew it, ten seconds after all did."""
    mids = heard((-1, 20_000), (0.5, None), (5, 20_600), until_s=100)
    detail = FillMids(BTC, mids).details_of([FILL], nothing)[KEY]
    assert detail == FillDetail(Decimal(100), {1: None, 10: Decimal(103), 60: Decimal(103)})


def test_what_was_known_stays_when_nobody_remembers_it() -> None:
    """A tracker that has come back knows nothing of before; what is on file does not become less."""
    before = FillDetail(Decimal(100), {1: Decimal(102), 10: None, 60: None}, level=2)
    later = heard((30, 20_800), until_s=100)
    assert FillMids(BTC, Mids()).details_of([FILL], lambda _: before) == {KEY: before}
    known = FillMids(BTC, later).details_of([FILL], lambda _: before)[KEY]
    assert known == FillDetail(Decimal(100), {1: Decimal(102), 10: None, 60: Decimal(104)}, level=2)


def test_a_fill_learnt_late_gets_what_is_still_remembered_and_another_pair_nothing() -> None:
    """Of before the ring begins nothing is told: neither null by null, nor the first that there is."""
    mids = heard((30, 20_800), until_s=100)
    old, other = fill(2, Side.BUY, "1", "99", time_ms=NOON_MS - 600_000), fill(3, Side.BUY, "1", "99", symbol="ETHUSDT")
    assert FillMids(BTC, mids).details_of([old, other], nothing) == {}


def test_the_daily_file_and_the_history_have_them_and_the_markouts(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, tmp_path: Path
) -> None:
    """As they become known, from update to update; a restart between them loses nothing."""
    mids = Mids()
    historian = Historian(tmp_path / "history.sqlite3", venue, "paper", tmp_path, clock)

    def update(at_s: float, known: Mids) -> list[dict[str, object]]:
        clock.ms = NOON_MS + round(at_s * 1_000)
        books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH), mids=known)
        recorded = books.update()
        assert books.snapshot is not None
        assert historian.take(books.snapshot, recorded) == ()
        document = folder.read(DAY)
        assert document is not None
        assert document == recorded.document
        (row,) = document["trade_history"]
        marked = [one for one in document["markouts"] if one["side"] == "both"]
        return [row, *marked]

    venue.trades_of_all = made_trades(1, 1)  # bought at 100
    mids.hear(_ns(-1), 20_040)
    mids.hear(_ns(0.5), 20_080)
    mids.pass_to(_ns(2))
    row, one, ten, _ = update(2, mids)
    assert (row["mid"], row["mids"]) == (Decimal("100.2"), {"1": Decimal("100.4"), "10": None, "60": None})
    assert (one["n"], one["mean_bps"], ten["n"], ten["missing"]) == (1, Decimal("39.9202"), 0, 1)
    assert one["capture_bps"] == Decimal("19.9601")
    row, *_ = update(9, Mids())
    assert row["mids"] == {"1": Decimal("100.4"), "10": None, "60": None}
    mids.pass_to(_ns(70))
    row, one, ten, sixty = update(70, mids)
    assert row["mids"] == dict.fromkeys(("1", "10", "60"), Decimal("100.4"))
    assert [each["n"] for each in (one, ten, sixty)] == [1, 1, 1]
    historian.close()
    database = Database(tmp_path / "history.sqlite3")
    with database.transaction() as connection:
        kept = {(each.trade_id, each.horizon_s): each.mid for each in connection.execute(select(MIDS))}
    database.close()
    assert kept == {(1, 0): Decimal("100.2"), **{(1, each): Decimal("100.4") for each in (1, 10, 60)}}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_every_fill_of_a_busy_minute_has_its_last_mid(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, is_restarted: bool
) -> None:
    """The venue tells the last 100 at once: what fell out of them before a minute was over had no mid at 60 s."""
    mids = Mids()
    books = Bookkeeper(venue, BTC, folder, clock, mids=mids)
    historian = Historian(folder.path / "history.sqlite3", venue, "paper", folder.path, clock)
    for step in range(20):
        clock.ms = NOON_MS + step * 5_000
        mids.hear(clock.ms * NS_PER_MS, 20_000 + step)
        if step < 5:
            venue.trades_of_all += made_trades(1 + 60 * step, 60, clock.ms - 100)
        if is_restarted and step == 9:
            historian.close()
            books = Bookkeeper(venue, BTC, folder, clock, mids=mids)
            historian = Historian(folder.path / "history.sqlite3", venue, "paper", folder.path, clock)
        recorded = books.update()
        assert books.snapshot is not None
        assert historian.take(books.snapshot, recorded, is_final=True) == ()
    assert books.snapshot is not None
    assert books.snapshot.followed == [trade for trade in venue.trades_of_all if trade.trade_id <= 60], "no mid at 0"
    historian.close()
    document = folder.read(DAY)
    assert document is not None
    rows = document["trade_history"]
    assert len(rows) == 300
    after = [(20_000 + (row["id"] - 1) // 60 + 11) * BTC.tick_size / 2 for row in rows]  # told 100 ms after the fills
    assert [row["mids"]["60"] for row in rows] == after
    with sqlite3.connect(folder.path / "history.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM mids WHERE horizon_s = 60").fetchall() == [(300,)]
