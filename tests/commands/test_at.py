"""`at`: a desk at a moment of its past; the desk is a simulated one, whose journal lies where a real one's does."""

import json
from decimal import Decimal
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest
from typer.testing import CliRunner

from commands.actions import at, at_window
from commands.actions.at import moment_of
from commands.actions.kept_fills import kept_fills
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
    times_ns = [(NOON_MS + later_ms) * NS_PER_MS for later_ms in (-1, 0, 1)]
    found = [kept_fills(settings, time_ns, time_ns) for time_ns in times_ns]
    assert [each.position for each in found] == [Decimal("1.998"), Decimal("2.997"), Decimal("2.497")]
    assert found[-1].position == told
    assert all((each.fills, each.before, each.missing) == ([], each.position, "") for each in found)
    both = kept_fills(settings, times_ns[0], times_ns[-1])
    assert [(trade.trade_id, position) for trade, position in both.fills] == [
        (2, Decimal("2.997")),
        (3, Decimal("2.497")),
    ]
    assert both.before == Decimal("1.998")


def test_fills_around_midnight_are_those_of_both_days_and_a_day_without_a_file_is_said(tmp_path: Path) -> None:
    """The position goes on over midnight; of a day that is not kept neither fills nor position are made up."""
    run_dir = tmp_path / "run"
    reports, midnight_ms = ReportsFolder(run_dir / "reports"), NOON_MS + DAY_MS // 2
    settings = load_settings({"run_dir": run_dir}).settings
    venue, clock = ScriptedVenue(START), SetClock(midnight_ms - 1_000)
    venue.trades_of_all = [fill(1, Side.BUY, "2", "100", "0", time_ms=midnight_ms - 5_000)]
    Bookkeeper(venue, BTC, reports, clock).update()
    clock.ms = midnight_ms + 9_000
    venue.trades_of_all.append(fill(2, Side.SELL, "0.5", "100", "0", time_ms=midnight_ms + 3_000))
    Bookkeeper(venue, BTC, reports, clock).update()
    bounds_ns = [(midnight_ms + at_ms) * NS_PER_MS for at_ms in (-10_000, 8_000)]
    found = kept_fills(settings, *bounds_ns)
    assert [position for _, position in found.fills] == [Decimal(2), Decimal("1.5")]
    assert (found.before, found.position, found.missing) == (Decimal(0), Decimal("1.5"), "")
    first, second = reports.days()
    reports.file_of(first).rename(tmp_path / "first")
    found = kept_fills(settings, *bounds_ns)
    assert found.missing == f"the daily file of {first} is not there"
    assert [trade.trade_id for trade, _ in found.fills] == [2]
    assert (found.before, found.position) == (Decimal(2), Decimal("1.5"))
    reports.file_of(second).write_text("{")
    found = kept_fills(settings, *bounds_ns)
    assert (found.fills, found.before, found.position) == ([], None, None)
    assert found.missing.endswith(f"the daily file of {second} is damaged")


def test_todays_file_knows_up_to_when_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment of a second ago had no fills, and said nothing of it."""
    run_dir = tmp_path / "run"
    settings = load_settings({"run_dir": run_dir}).settings
    Bookkeeper(ScriptedVenue(START), BTC, ReportsFolder(run_dir / "reports"), SetClock(NOON_MS)).update()
    until_ns = (NOON_MS + 4_000) * NS_PER_MS
    assert kept_fills(settings, until_ns, until_ns).until_ns == until_ns, "of a day that is over all is known"
    monkeypatch.setattr("commands.actions.kept_fills.now_ns", lambda: until_ns)
    assert kept_fills(settings, until_ns, until_ns).until_ns == NOON_MS * NS_PER_MS


def test_window_has_the_seconds_before_the_moment(run_dir: Path) -> None:
    """By the engine's journal and the daily file; what is not kept is said, and nothing stands in its place."""
    asked = ("at", "2026-01-01T00:00:25.500", "--run-dir", str(run_dir), "--window")
    window = json.loads(ran(*asked, "20", "--json"))["window"]
    began = START_NS // NS_PER_SECOND + 5
    assert [bar[0] for bar in window["bars"]] == list(range(began, began + 21))
    assert (window["since"], window["not_kept"]) == ("2026-01-01T00:00:05.500Z", {})
    for second in (10, 17, 24):
        then = json.loads(ran("at", f"2026-01-01T00:00:{second}.999999", "--run-dir", str(run_dir), "--json"))
        (bar,) = [each for each in window["bars"] if each[0] == START_NS // NS_PER_SECOND + second]
        ours = {order["side"]: order["price"] for order in then["orders"]}
        assert bar[6:8] == [ours.get("BUY"), ours.get("SELL")]
        assert bar[8] == pytest.approx((then["book"]["bids"][0][0] + then["book"]["asks"][0][0]) / 2, abs=1e-6)
    traded = [bar for bar in window["bars"] if bar[1] is not None]
    assert traded
    assert all(bar[3] <= min(bar[1], bar[4]) <= max(bar[1], bar[4]) <= bar[2] and bar[5] > 0 for bar in traded)
    assert all(bar[5] == 0 for bar in window["bars"] if bar[1] is None)
    text = ran(*asked, "20")
    assert "Since 00:00:05:" in text
    assert "   traded: " in text
    longer = json.loads(ran(*asked, "120", "--json"))["window"]
    assert longer["bars"][0][0] == START_NS // NS_PER_SECOND
    assert longer["not_kept"]["bars"] == "nothing is told of before 00:00:00: the engine's journal begins there"
    assert longer["not_kept"]["fills"] == "fills and position are not kept: the daily file of 2025-12-31 is not there"


def test_window_tells_every_fill_with_the_position_after_it(run_dir: Path) -> None:
    """Those of the daily file until then, and no later one."""
    document = json.loads((run_dir / "reports" / "performance_20260101.json").read_text())
    asked = ("at", "2026-01-01T00:00:29", "--run-dir", str(run_dir), "--window", "28", "--json")
    found = json.loads(ran(*asked))
    rows = [row for row in document["trade_history"] if "2026-01-01T00:00:01" < row["time"] <= "2026-01-01T00:00:29"]
    assert [(fill["id"], fill["price"], fill["side"]) for fill in found["window"]["fills"]] == [
        (row["id"], row["price"], row["side"]) for row in rows
    ]
    assert rows, "a window without fills shows nothing"
    assert found["window"]["fills"][-1]["position"] == found["position"]


def test_window_of_what_nobody_keeps_says_so(run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the last record, of a busy stretch, of a venue elsewhere, and of an engine that was told nothing."""
    asked = ("at", "2026-01-01T00:05", "--run-dir", str(run_dir), "--json", "--window")
    late = json.loads(ran(*asked, "60"))["window"]
    assert late["bars"] == []
    assert late["not_kept"]["bars"].startswith("nothing has happened since 00:00:")
    around = json.loads(ran(*asked, "290"))["window"]
    assert 10 < len(around["bars"]) < 30, "none behind the last record"
    monkeypatch.setattr(past, "KEPT_RECORDS", 300)
    monkeypatch.setattr(at_window, "RECORDS_MAX", 600)
    busy = json.loads(ran("at", "2026-01-01T00:00:29", "--run-dir", str(run_dir), "--json", "--window", "28"))["window"]
    assert 1 < len(busy["bars"]) < 28
    assert busy["not_kept"]["bars"].endswith(": that is more than 600 records")
    settings = load_settings({"run_dir": run_dir, "venue.url": "http://127.0.0.1:1"}).settings
    document, _ = at.desk_at(settings, "2026-01-01T00:00:29", 20)
    assert document["window"]["bars"] == []
    assert document["window"]["not_kept"]["bars"].startswith("prices and quotes at paper are not kept: ")
    rmtree(run_dir / "past")
    (engine,) = load_settings({"run_dir": tmp_path}).settings.plan.engines.values()
    with Journal(engine.journal_folder, COMMANDS, figures_of(Capacity(1)), START_NS) as journal:
        journal.recover(lambda _, __: None)
    told = json.loads(ran("at", "now", "--run-dir", str(tmp_path), "--json", "--window", "9"))["window"]
    assert (told["bars"], told["not_kept"]["bars"]) == ([], "nothing had happened in this engine's journal")


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
