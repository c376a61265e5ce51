"""`at`: a desk at a moment of its past; the desk is a simulated one, whose journal lies where a real one's does."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from commands.actions import at
from commands.actions.at import moment_of
from commands.app import app
from desk.client import DeskError
from desk.decisions_file import DecisionsFile, decisions_until
from desk.settings import load_settings
from engine.capacity import Capacity
from journal.journal import Journal
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.mendable import MendableError
from nodes.engine import past
from nodes.engine.command_record import COMMANDS, figures_of
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from simulation.journaled import OURS
from tests.nodes.tracker.accounts import START, SetClock
from tests.reports.fills import BTC, DAY_MS, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

START_NS = 1_767_225_600 * NS_PER_SECOND


def ran(*words: str) -> str:
    """Return what a command prints."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, MendableError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of a desk."""
    run_dir = tmp_path_factory.mktemp("at")
    ran("simulate", "--seconds", "30", "--out", str(run_dir / "out"))
    settings = load_settings({"run_dir": run_dir}).settings
    settings.reports_dir.mkdir(parents=True)
    (engine,) = settings.plan.engines.values()
    (run_dir / "out" / "journal").rename(engine.journal_folder)
    (run_dir / "out" / "performance_20260101.json").rename(settings.reports_dir / "performance_20260101.json")
    decisions = DecisionsFile(run_dir)
    for second in range(0, 30, 5):
        row = {"time": f"2026-01-01T00:00:{second:02}.000Z", "symbol": "BTCUSDT", "side": "BUY", "action": "place"}
        terms = {"price": Decimal("91202.23"), "qty": Decimal("0.01094"), "client_order_id": f"{second}"}
        decisions.write([row | terms | {"rule": "WANTED", "why": "it is wanted", "numbers": {"n": second}}], START_NS)
    return run_dir


def test_tells_book_orders_position_and_rule_of_the_moment(run_dir: Path) -> None:
    """What they are a second later is not in it: the newest decision of until then, trades of until then."""
    found = [
        json.loads(ran("at", f"2026-01-01T00:00:{second}", "--run-dir", str(run_dir), "--json")) for second in (12, 29)
    ]
    one, other = found
    assert one["record_time"] <= "2026-01-01T00:00:12.000Z"
    assert one["record"] < other["record"]
    assert not one["is_last"]
    assert one["book"]["bids"][0][0] < one["others_mid"] < one["book"]["asks"][0][0]
    assert [order["side"] for order in one["orders"]] == ["BUY", "SELL"]
    assert one["decisions"]["BUY"]["numbers"] == {"n": 10}
    assert other["decisions"]["BUY"]["numbers"] == {"n": 25}
    assert one["decisions"]["SELL"] is None
    document = json.loads((run_dir / "reports" / "performance_20260101.json").read_text())
    for each, until in ((one, "2026-01-01T00:00:12"), (other, "2026-01-01T00:00:29")):
        trades = [row for row in document["trade_history"] if row["time"] <= until]
        signed = sum(row["qty"] if row["side"] == "BUY" else -row["qty"] for row in trades)
        fees = sum(row["fee"] for row in trades if row["fee_asset"] == "BTC")
        assert each["position"] == pytest.approx(signed - fees, abs=1e-12)
    assert other["position"] == document["symbols"]["BTCUSDT"]["position"], "what `report` and `status` tell"
    assert document["trade_history"], "a day without trades shows nothing"
    text = ran("at", "2026-01-01T00:00:12", "--run-dir", str(run_dir))
    assert "first in its queue" in text or "ahead" in text
    assert "WANTED, it is wanted (n 10)" in text


def test_position_has_the_lots_of_before_and_no_fees(tmp_path: Path) -> None:
    """Guards `at` against another position than `report` has: it forgot what was carried, and what a fee had taken."""
    run_dir, reports = tmp_path / "run", ReportsFolder(tmp_path / "run" / "reports")
    settings = load_settings({"run_dir": run_dir}).settings
    venue, clock = ScriptedVenue(START), SetClock(NOON_MS - DAY_MS)
    venue.trades_of_all = [fill(1, Side.BUY, "2", "100", "0.002", "BTC", time_ms=clock.ms)]
    Bookkeeper(venue, BTC, reports, clock).update()
    clock.ms = NOON_MS + 2
    venue.trades_of_all += [
        fill(2, Side.BUY, "1", "100", "0.001", "BTC", time_ms=NOON_MS),
        fill(3, Side.SELL, "0.5", "100", "0.05", time_ms=NOON_MS + 1),
    ]
    told = Bookkeeper(venue, BTC, reports, clock).update().document["symbols"]["BTCUSDT"]["position"]
    found = [at._position(settings, (NOON_MS + later_ms) * NS_PER_MS) for later_ms in (-1, 0, 1)]
    assert found == [Decimal("1.998"), Decimal("2.997"), Decimal("2.497")]
    assert found[-1] == told


def test_what_is_not_known_is_one_line(run_dir: Path, tmp_path: Path) -> None:
    """No time, one to come, one of before, no journal at all."""
    for words, said in {
        ("at", "noon"): "expected a time as",
        ("at", "2199-01-01"): "yet to come",
        ("at", "2025-12-31T23:59:59"): "nothing is kept of before 2026-01-01T00:00:00",
    }.items():
        with pytest.raises(DeskError, match=said):
            ran(*words, "--run-dir", str(run_dir))
    with pytest.raises(DeskError, match="holds no journal"):
        ran("at", "2026-01-01", "--run-dir", str(tmp_path))


def test_tells_what_is_known_where_a_disk_fails(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daily file that cannot be read, and a folder of states that takes none: no traceback, and all else as ever."""
    asked = ("at", "2026-01-01T00:00:29", "--run-dir", str(run_dir), "--json")
    expected = json.loads(ran(*asked))
    monkeypatch.setattr(past, "KEPT_RECORDS", 500)
    (run_dir / "past").write_text("")
    path = run_dir / "reports" / "performance_20260101.json"
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()
    try:
        result = CliRunner().invoke(app, list(asked))
    finally:
        path.rmdir()
        aside.rename(path)
        (run_dir / "past").unlink()
    assert result.exit_code == 0
    assert json.loads(result.stdout) == expected | {"position": None}
    assert result.stderr.startswith("note: no state was kept on the way, the next question takes as long: ")
    assert result.stderr.count("\n") == 1


def test_journal_that_was_put_aside_tells_of_before(run_dir: Path) -> None:
    """An engine that stops cleanly begins another one; the last word of the former is that of the time between."""
    (engine,) = load_settings({"run_dir": run_dir}).settings.plan.engines.values()
    aside = engine.journal_folder.with_name(f"{engine.journal_folder.name}.before")
    engine.journal_folder.rename(aside)
    try:
        found = json.loads(ran("at", "2026-01-01T00:05", "--run-dir", str(run_dir), "--json"))
    finally:
        aside.rename(engine.journal_folder)
    assert found["is_last"]
    assert found["record_time"] < "2026-01-01T00:00:30.001Z"


def test_engine_that_was_told_nothing_has_an_empty_book(tmp_path: Path) -> None:
    """It has a journal, without a record."""
    settings = load_settings({"run_dir": tmp_path}).settings
    (engine,) = settings.plan.engines.values()
    with Journal(engine.journal_folder, COMMANDS, figures_of(Capacity(1)), START_NS) as journal:
        journal.recover(lambda _, __: None)
    found = json.loads(ran("at", "now", "--run-dir", str(tmp_path), "--json"))
    assert (found["record"], found["book"]) == (0, {"bids": [], "asks": []})
    assert "before anything happened" in ran("at", "now", "--run-dir", str(tmp_path))


def test_moments_are_utc_unless_they_say_otherwise() -> None:
    """To the microsecond; a time alone is today's."""
    assert moment_of("2026-01-01T00:00:01.000250") == START_NS + NS_PER_SECOND + 250_000
    assert moment_of("2026-01-01T01:00:00+01:00") == START_NS
    assert moment_of("2026-01-01") == START_NS
    assert moment_of("00:00") % (86_400 * NS_PER_SECOND) == 0


def test_decisions_of_until_a_time_are_found_among_many_and_over_cut_lines(tmp_path: Path) -> None:
    """By halving: a file of a busy day has 250,000 lines."""
    keys = ("symbol", "side", "action", "price", "qty", "client_order_id", "rule", "why")
    rest: dict[str, object] = dict.fromkeys(keys, "") | {"numbers": {}}
    rows = [
        {"time": f"2026-01-01T00:{second // 60:02}:{second % 60:02}.000Z", **rest, "n": second}
        for second in range(3_000)
    ]
    lines = [json.dumps(row) for row in rows]
    lines[1_500] = lines[1_500][:20]
    (tmp_path / "decisions_20260101.jsonl").write_text("\n".join(lines) + "\n")
    for second in (0, 1, 1_499, 1_501, 2_999):
        assert decisions_until(tmp_path, START_NS + second * NS_PER_SECOND)[-1]["n"] == second
    assert decisions_until(tmp_path, START_NS + 1_500 * NS_PER_SECOND)[-1]["n"] == 1_499
    assert decisions_until(tmp_path, START_NS + 30 * 3_600 * NS_PER_SECOND)[-1]["n"] == 2_999, "of the day before"
    assert decisions_until(tmp_path, START_NS - NS_PER_SECOND) == []


def test_ahead_is_what_is_shown_before_ours_at_its_price_and_side() -> None:
    """By hand: 3 and 4 lots before, 5 behind, others at another price; an iceberg of ours shows less than it has."""
    instrument = load_settings({}).settings.instrument
    rows = [
        (1, 0, 100, 3, 9, 7),
        (2, 0, 100, 4, 4, 8),
        (3, 0, 100, 2, 6, OURS),
        (4, 0, 100, 5, 5, 7),
        (5, 0, 99, 1, 1, 7),
    ]
    (ours,) = at._own(np.array([*rows, (6, 1, 101, 2, 2, 7)]), instrument)
    assert (ours["id"], ours["side"], ours["orders_ahead"]) == ("3", "BUY", 2)
    assert (ours["qty"], ours["ahead"]) == (6 * instrument.lot_size, 7 * instrument.lot_size)
    assert at._others_mid(np.array([*rows, (6, 1, 103, 2, 2, 7)]), instrument) == Decimal("1.015")
    assert at._others_mid(np.array(rows), instrument) is None
