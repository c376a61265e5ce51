"""One step of the tracker on a real folder: it goes on, starts anew where it must, and says so."""

from datetime import date
from pathlib import Path

import pytest

from market.clock import now
from market.codes import Side
from reports.bookkeeping import Recorder
from reports.folder import ReportsFolder
from tests.reports.documents import record, was_reset
from tests.reports.fills import DAY, DAY_MS, ETH, NOON_MS, account, buy, fill, sell, snapshot

_START = account(BTC="1", USDT="10000")


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


def _names(folder: ReportsFolder) -> list[str]:
    return sorted(entry.name for entry in folder.path.iterdir())


def test_goes_on_from_poll_to_poll(folder: ReportsFolder) -> None:
    """Guards the day's history across processes: windows that overlap add up."""
    fills = [buy(1, "1", "100"), sell(2, "1", "105"), buy(3, "1", "99")]
    record(folder, snapshot(_START, fills[:2]))
    recorded = record(folder, snapshot(_START, fills[1:]))
    assert folder.read(DAY) == recorded.document
    assert [entry["id"] for entry in recorded.document["trade_history"]] == [1, 2, 3]
    assert recorded.notes == ()
    assert recorded.path == folder.file_of(DAY)


def test_keeps_a_damaged_file_and_starts_anew(folder: ReportsFolder) -> None:
    """Guards a damaged day: kept, said, and the report goes on from what the venue still tells."""
    path = record(folder, snapshot(_START, [buy(1, "1", "100")])).path
    path.write_bytes(path.read_bytes()[:-20])
    recorded = record(folder, snapshot(_START, [buy(1, "1", "100")]))
    assert recorded.document["total_trades"] == 1
    assert _names(folder) == ["performance_20251130.damaged-1.json", "performance_20251130.json"]
    assert len(recorded.notes) == 1
    assert "is damaged: expected JSON" in recorded.notes[0]
    assert "kept as performance_20251130.damaged-1.json" in recorded.notes[0]


def test_keeps_the_report_of_an_account_that_the_venue_forgot(folder: ReportsFolder) -> None:
    """Guards a reset venue: two accounts' trades never mix, and neither is lost."""
    record(folder, snapshot(_START, [buy(1, "1", "100"), buy(2, "1", "100")]))
    new = fill(1, Side.BUY, "2", "90", time_ms=NOON_MS + 60_000)
    recorded = record(folder, snapshot(_START, [new]))
    assert [entry["qty"] for entry in recorded.document["trade_history"]] == [2]
    assert _names(folder) == ["performance_20251130.before-reset-1.json", "performance_20251130.json"]
    assert recorded.notes[0].startswith("the venue has a new account: trade 1 of BTCUSDT is not the one")


def test_says_that_the_account_was_reset_and_counts_from_there(folder: ReportsFolder) -> None:
    """Guards a false PnL: what another account bought is not sold by this one, and balances open anew."""
    old = [fill(1, Side.BUY, "1", "100", time_ms=NOON_MS)]
    record(folder, snapshot(account(BTC="2", USDT="9900"), old, account_id="1"))
    new = [fill(2, Side.SELL, "1", "105", time_ms=NOON_MS + 1_000)]
    later = {"time_ms": NOON_MS + 2_000, "account_id": "65537"}
    recorded = record(folder, snapshot(account(BTC="0", USDT="10105"), new, **later))  # type: ignore[arg-type]
    document = recorded.document
    assert was_reset(recorded)
    assert (document["trades"]["pnl"], document["total_trades"]) == (0, 1)
    assert document["reconciliation"]["is_exact"]
    (reset,) = document["resets"]
    assert reset["reason"] == "its id is 65537, was 1"
    assert reset["kept_as"] == "performance_20251130.before-reset-1.json"
    assert _names(folder) == ["performance_20251130.before-reset-1.json", "performance_20251130.json"]
    again = record(folder, snapshot(account(BTC="0", USDT="10105"), new, **later))  # type: ignore[arg-type]
    assert (again.document["resets"], was_reset(again), again.notes) == ([reset], False, ())


@pytest.mark.parametrize(
    ("age_ms", "has_all_trades", "is_reset"), [(61_000, True, True), (500, True, False), (61_000, False, False)]
)
def test_takes_a_venue_that_has_forgotten_all_trades_for_reset(
    folder: ReportsFolder, age_ms: int, has_all_trades: bool, is_reset: bool
) -> None:
    """Guards a wipe without another id; what is only just traded may not be told everywhere yet."""
    record(folder, snapshot(account(BTC="2", USDT="9900"), [fill(1, Side.BUY, "1", "100", time_ms=NOON_MS)]))
    now_ms = NOON_MS + age_ms
    recorded = record(folder, snapshot(_START, [], time_ms=now_ms, has_all_trades=has_all_trades))
    assert was_reset(recorded) is is_reset
    assert recorded.document["total_trades"] == (0 if is_reset else 1)


def test_says_that_the_account_was_reset_over_night(folder: ReportsFolder) -> None:
    """Guards the first sight of a day: yesterday's account was another one."""
    record(folder, snapshot(_START, account_id="1", time_ms=NOON_MS - 86_400_000))
    (reset,) = record(folder, snapshot(_START, account_id="65537")).document["resets"]
    assert (reset["reason"], reset["kept_as"]) == ("its id is 65537, was 1", "")


def test_keeps_a_report_by_other_hands(folder: ReportsFolder) -> None:
    """Guards a document without a history: it cannot be gone on with, and is not written over."""
    folder.path.mkdir()
    document = record(folder, snapshot(_START)).document
    keys = ("date", "time", "balances", "trades", "total_trades")
    with folder.locked():
        folder.write(DAY, {name: document[name] for name in keys} | {"version": 1})
    recorded = record(folder, snapshot(_START))
    assert _names(folder) == ["performance_20251130.foreign-1.json", "performance_20251130.json"]
    assert "no trade history" in recorded.notes[0]


def test_adds_yesterdays_late_trades_to_yesterday(folder: ReportsFolder) -> None:
    """Guards midnight: what was traded after yesterday's last poll comes into yesterday's file, once."""
    record(folder, snapshot(_START, [buy(1, "1", "100")]))
    late = [buy(1, "1", "100"), sell(2, "1", "105"), fill(3, Side.BUY, "1", "99", time_ms=NOON_MS + DAY_MS)]
    first = record(folder, snapshot(_START, late, time_ms=NOON_MS + DAY_MS))
    again = record(folder, snapshot(_START, late, time_ms=NOON_MS + DAY_MS))
    yesterday = folder.read(DAY)
    assert yesterday is not None
    assert (yesterday["total_trades"], yesterday["trades"]["pnl"]) == (2, 5)
    assert first.document["total_trades"] == again.document["total_trades"] == 1
    assert first.notes == ("1 late trade of 2025-11-30 was added to performance_20251130.json",)
    assert again.notes == ()


def test_makes_no_day_that_nobody_saw(folder: ReportsFolder) -> None:
    """Guards missing days: old trades alone do not make a report."""
    record(folder, snapshot(_START, [buy(1, "1", "100")], time_ms=NOON_MS + DAY_MS))
    assert folder.days() == [date(2025, 12, 1)]


def test_leaves_a_damaged_yesterday_alone(folder: ReportsFolder) -> None:
    """Guards late trades: a file that cannot be read is named and not touched."""
    folder.path.mkdir()
    folder.file_of(DAY).write_text("{")
    recorded = record(folder, snapshot(_START, [buy(1, "1", "100")], time_ms=NOON_MS + DAY_MS))
    assert folder.file_of(DAY).read_text() == "{"
    assert "its late trades are not added" in recorded.notes[0]


def test_leaves_yesterday_alone_when_the_account_is_another(folder: ReportsFolder) -> None:
    """Guards late trades after a reset."""
    before = record(folder, snapshot(_START, [buy(1, "1", "100")])).document
    recorded = record(folder, snapshot(_START, [buy(1, "7", "100")], time_ms=NOON_MS + DAY_MS))
    assert folder.read(DAY) == before
    assert recorded.notes[0] == "the venue has a new account: trade 1 of BTCUSDT is not the one that was recorded"
    assert "is of an older account" in recorded.notes[1]


def test_changes_nothing_when_it_cannot_understand_the_trades(folder: ReportsFolder) -> None:
    """Guards the file against a half-known account."""
    before = record(folder, snapshot(_START, [buy(1, "1", "100")])).document
    with pytest.raises(ValueError, match="is in 'DOGEUSDT'"):
        record(folder, snapshot(_START, [fill(1, Side.BUY, "1", "1", symbol="DOGEUSDT")], instruments=(ETH,)))
    assert folder.read(DAY) == before


def test_remembers_the_account_through_an_answer_without_its_id(folder: ReportsFolder) -> None:
    """Guards resets: a venue that tells no id once does not make the next one a first."""
    recorder = Recorder(folder, now)
    for account_id, is_reset in (("1", False), ("", False), ("65537", True)):
        recorder.look(DAY)
        recorded = recorder.record(snapshot(_START, account_id=account_id))
        assert recorded is not None
        assert was_reset(recorded) is is_reset


def test_adds_no_late_trades_to_the_day_of_another_account(folder: ReportsFolder) -> None:
    """Guards yesterday after a reset: another id is another account, whatever its trades are called."""
    before = record(folder, snapshot(_START, [buy(1, "1", "100")], account_id="1")).document
    late = snapshot(_START, [buy(2, "1", "100")], time_ms=NOON_MS + DAY_MS, account_id="65537")
    recorded = record(folder, late)
    assert folder.read(DAY) == before
    assert "is of an older account" in recorded.notes[-1]


def test_makes_no_day_of_trades_that_may_not_be_all(folder: ReportsFolder) -> None:
    """Guards a day that nobody saw: without the newest known trade among them, there may be others in between."""
    record(folder, snapshot(_START, [buy(1, "1", "100")]))
    tomorrow = fill(200, Side.BUY, "1", "100", time_ms=NOON_MS + DAY_MS)
    record(folder, snapshot(_START, [tomorrow], time_ms=NOON_MS + 2 * DAY_MS))
    assert folder.days() == [DAY, date(2025, 12, 2)]


def test_notices_another_file_of_the_same_size(folder: ReportsFolder) -> None:
    """Guards `look`: a file that was put in place of ours is read, were it as long to the byte."""
    recorder = Recorder(folder, now)
    recorder.look(DAY)
    assert recorder.record(snapshot(_START, [buy(1, "1", "100")])) is not None
    other = record(ReportsFolder(folder.path.parent / "other"), snapshot(_START, [buy(1, "2", "100")]))
    assert other.path.stat().st_size == folder.file_of(DAY).stat().st_size
    other.path.replace(folder.file_of(DAY))
    assert recorder.record(snapshot(_START, [buy(1, "1", "100")])) is None
