"""The day in memory: the file is written at a bounded pace, is never behind for long, and a kill loses nothing."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from nodes.tracker.bookkeeper import Bookkeeper
from reports import bookkeeping as bookkeeping_module
from reports.bookkeeping import PAUSE_SECONDS_MAX, Recorded, Recorder
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import SetClock
from tests.reports.documents import was_reset
from tests.reports.fills import BTC, DAY, DAY_MS, NOON_MS, account, buy, fill, sell, snapshot
from tests.reports.scripted_venue import ScriptedVenue

_REPOSITORY = Path(__file__).resolve().parents[3]
_START = account(BTC="100", USDT="1000000")


@pytest.fixture
def venue() -> ScriptedVenue:
    """Return a venue whose account has traded ten times."""
    made = ScriptedVenue({"BTC": "100", "USDT": "1000000"})
    made.trades_of_all = _trades(1, 10)
    return made


def _trades(first: int, count: int, time_ms: int = NOON_MS) -> list[VenueTrade]:
    sides = (Side.SELL, Side.BUY)
    return [
        fill(number, sides[number % 2], "1", str(100 + number % 7), time_ms=time_ms)
        for number in range(first, first + count)
    ]


def _count(document: JsonObject | None) -> int:
    return 0 if document is None else document["total_trades"]


def _recorded(recorder: Recorder, *args: Any, is_final: bool = False, **options: Any) -> Recorded:
    taken = snapshot(*args, **options)
    recorder.look(taken.day)
    recorded = recorder.record(taken, is_final=is_final)
    assert recorded is not None
    return recorded


def test_writes_a_small_file_with_every_update(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
    """Guards the usual day: what the venue told is in the file at once."""
    books = Bookkeeper(venue, BTC, folder, clock)
    for number in range(11, 15):
        venue.trades_of_all += _trades(number, 1)
        books.update(is_final=False)
        assert _count(folder.read(DAY)) == number


def test_writes_a_large_file_at_a_bounded_pace(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a long day: the file is written less often as it grows, and is at most a minute behind."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 200)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update(is_final=False)
    behind_s, behind_s_max, writes, mark = 0.0, 0.0, 0, folder.mark_of(DAY)
    for number in range(11, 111):
        clock.ms += 5_000
        venue.trades_of_all += _trades(number, 1)
        recorded = books.update(is_final=False)
        assert recorded.head["total_trades"] == number
        if folder.mark_of(DAY) == mark:
            behind_s += 5
        else:
            behind_s, mark, writes = 0.0, folder.mark_of(DAY), writes + 1
            assert _count(folder.read(DAY)) == number
        behind_s_max = max(behind_s, behind_s_max)
    assert 30 <= behind_s_max <= PAUSE_SECONDS_MAX == 60
    assert 500 / 60 - 1 <= writes <= 20
    books.update()
    assert folder.read(DAY) == books.update().document
    assert _count(folder.read(DAY)) == 110


def test_tells_the_markouts_of_the_file_without_making_them_again(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cost as much as the day is long: who shows them has those that were written, also after a restart."""

    def shown() -> list[dict[str, Any]]:
        document = folder.read(DAY)
        assert document is not None
        return [dict(row) for row in document["markouts"]]

    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    books = Bookkeeper(venue, BTC, folder, clock)
    written = list(books.update(is_final=False).markouts)
    assert written == shown()
    assert written[2]["missing"] == 10
    venue.trades_of_all += _trades(11, 3)
    assert list(books.update(is_final=False).markouts) == written, "the file is behind"
    assert Bookkeeper(venue, BTC, folder, clock).update(is_final=False).markouts[2]["missing"] == 13
    assert shown()[2]["missing"] == 13
    assert list(books.update(is_final=False).markouts) == shown(), "another process has written"


def test_writes_what_is_behind_without_the_venue(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a venue that is away when it is time to write, or when the tracker stops."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update(is_final=False)
    venue.trades_of_all += _trades(11, 3)
    books.update(is_final=False)
    assert _count(folder.read(DAY)) == 10
    books.write()
    assert _count(folder.read(DAY)) == 13
    mark = folder.mark_of(DAY)
    books.write()
    assert folder.mark_of(DAY) == mark


def test_completes_the_day_before_it_begins_the_next(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards midnight: what only the memory had, and what was traded after the last look, is in the old day's file."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update(is_final=False)
    venue.trades_of_all += _trades(11, 200)
    books.update(is_final=False)
    venue.trades_of_all += _trades(211, 150)
    clock.ms += 86_400_000
    venue.trades_of_all += _trades(361, 5, NOON_MS + DAY_MS)
    books.update(is_final=False)
    assert _count(folder.read(DAY)) == 360
    assert _count(folder.read(DAY + timedelta(days=1))) == 5


def test_writes_the_whole_day_before_it_keeps_it_aside(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a reset while the file is behind: nothing of the old account is lost with it."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update(is_final=False)
    venue.trades_of_all += _trades(11, 3)
    books.update(is_final=False)
    venue.trades_of_all, venue.account_id = [], "65537"
    (reset,) = books.update(is_final=False).head["resets"]
    kept = folder.path / reset["kept_as"]
    kept.rename(folder.file_of(DAY))
    assert _count(folder.read(DAY)) == 13


def test_merges_what_two_processes_write_at_once(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards two trackers on one folder, each behind with its own file: the day has every trade, once."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 100)
    both = [Bookkeeper(venue, BTC, folder, clock) for _ in range(2)]
    number = 11
    for turn in range(40):
        venue.trades_of_all += _trades(number, 30)
        number += 30
        clock.ms += 5_000
        document = both[turn % 3 % 2].update(is_final=False)
        assert document.head["total_trades"] == number - 1
        assert document.head["reconciliation"]["is_exact"]
        assert document.head["resets"] == []
    for one in both:
        one.write()
    found = folder.read(DAY)
    assert found is not None
    assert max(entry["id"] for entry in found["trade_history"]) == number - 1
    assert both[0].update().document["total_trades"] == number - 1


def test_tries_again_after_a_disk_that_refused(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a full disk: an OSError, and the file as it was; what came meanwhile, a reset too, is not lost."""
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    before = folder.read(DAY)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write = ReportsFolder.write_bytes
    monkeypatch.setattr(ReportsFolder, "write_bytes", refuse)
    venue.trades_of_all, venue.account_id = _trades(50, 3), "65537"
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            books.update()
    assert folder.read(DAY) == before
    monkeypatch.setattr(ReportsFolder, "write_bytes", write)
    document = books.update().document
    assert [entry["id"] for entry in document["trade_history"]] == [50, 51, 52]
    assert len(document["resets"]) == 1
    assert document["reconciliation"]["is_exact"]


def test_keeps_one_report_of_the_account_before_while_the_disk_refuses(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a reset on a full disk, or a kill in its midst: each start would leave one more file of the same."""
    Bookkeeper(venue, BTC, folder, clock).update()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ReportsFolder, "write_bytes", refuse)
        venue.trades_of_all, venue.account_id = _trades(50, 3), "65537"
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                Bookkeeper(venue, BTC, folder, clock).update()
    document = Bookkeeper(venue, BTC, folder, clock).update().document
    assert [reset["kept_as"] for reset in document["resets"]] == ["performance_20251130.before-reset-1.json"]
    assert len(list(folder.path.iterdir())) == 2


def test_keeps_the_report_of_the_account_before_when_the_file_is_a_link(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, tmp_path: Path
) -> None:
    """Guards a reset where the day's file is a symbolic link: a second name of the link would tell the new account."""
    folder.path.mkdir()
    (tmp_path / "disk").mkdir()
    folder.file_of(DAY).symlink_to(tmp_path / "disk" / "today.json")
    books = Bookkeeper(venue, BTC, folder, clock)
    before = books.update().path.read_bytes()
    venue.trades_of_all, venue.account_id = _trades(50, 3), "65537"
    document = books.update().document
    assert (folder.path / document["resets"][0]["kept_as"]).read_bytes() == before
    assert folder.file_of(DAY).is_symlink()


def test_waits_for_a_venue_that_tells_a_trade_late(folder: ReportsFolder, clock: SetClock) -> None:
    """Guards a venue of several machines: one that does not tell yet what another told puts nothing back."""
    recorder = Recorder(folder, clock)
    told = [buy(1, "1", "100"), sell(2, "1", "101")]
    _recorded(recorder, account(BTC="100", USDT="1000001"), told, has_all_trades=True)
    for late in (told[:1], []):
        recorded = _recorded(recorder, account(BTC="101", USDT="999900"), late, has_all_trades=True)
        assert recorded.head["total_trades"] == 2
        assert recorded.head["balances"]["BTC"]["free"] == 100
        assert recorded.notes == ("the venue tells less than it did; what it said last stands",)
    assert not _recorded(recorder, account(BTC="100", USDT="1000001"), told, has_all_trades=True).notes


def test_takes_silence_of_a_minute_for_another_account_whatever_the_clocks_say(
    folder: ReportsFolder, clock: SetClock
) -> None:
    """Guards a wiped venue whose clock was an hour ahead: patience is measured on the monotonic clock."""
    recorder = Recorder(folder, clock)
    ahead = fill(1, Side.BUY, "1", "100", time_ms=NOON_MS + 3_600_000)
    _recorded(recorder, account(BTC="101"), [ahead], has_all_trades=True)
    for now_s, is_reset in ((0, False), (59, False), (60, True)):
        clock.ms = NOON_MS + now_s * 1_000
        assert was_reset(_recorded(recorder, _START, [], has_all_trades=True)) is is_reset


def test_says_that_it_came_too_late(folder: ReportsFolder, clock: SetClock) -> None:
    """Guards the order of look, venue and record: a file that changed in between, and a day that did."""
    recorder, other = Recorder(folder, clock), Recorder(folder, clock)
    recorder.look(DAY)
    _recorded(other, _START, [buy(1, "1", "100")])
    assert recorder.record(snapshot(_START, [])) is None
    recorder.look(DAY)
    assert recorder.record(snapshot(_START, [], time_ms=NOON_MS + DAY_MS)) is None
    assert recorder.record(snapshot(_START, [buy(1, "1", "100")])) is not None
    assert _count(folder.read(DAY)) == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
from nodes.tracker.bookkeeper import Bookkeeper
from reports import bookkeeping
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import SetClock
from tests.reports.fills import BTC, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue
from market.codes import Side

folder, updates, pace = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
bookkeeping.BYTES_PER_SECOND_MAX = pace
venue = ScriptedVenue({"BTC": "100", "USDT": "1000000"})
books = Bookkeeper(venue, BTC, ReportsFolder(folder), SetClock())
for number in range(1, 10_000):
    side = Side.BUY if number % 2 else Side.SELL
    venue.trades_of_all.append(fill(number, side, "1", str(100 + number % 7), time_ms=NOON_MS))
    if number == updates:
        replace = Path.replace
        Path.replace = lambda *args: os.kill(os.getpid(), signal.SIGKILL) if pace > 1_000 else replace(*args)
    books.update(is_final=False)
    if number > updates:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("updates", "pace"), [(3, 10**9), (40, 10**9), (40, 100)])
def test_loses_nothing_when_the_tracker_is_killed(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, updates: int, pace: int
) -> None:
    """Guards kill -9 within a write, and between two writes of a file that is behind: the venue tells the rest."""
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(folder.path), str(updates), str(pace)],
        cwd=_REPOSITORY,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9
    found = _count(folder.read(DAY))
    assert found == updates - 1 if pace > 1_000 else 1 <= found < updates
    venue.trades_of_all = _trades(1, updates + 150)
    document = Bookkeeper(venue, BTC, folder, clock).update().document
    assert [entry["id"] for entry in document["trade_history"]] == list(range(1, updates + 151))
    assert document["reconciliation"]["is_exact"]
    assert folder.days() == [date(2025, 11, 30)]
