"""`report` and `history` on a scripted venue and without one: from the files at any time, and honest about it."""

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from commands import reports as reports_command
from commands.actions import report as report_commands
from commands.actions.report import NOT_UPDATED, Period, period_of, print_history, print_report
from commands.app import app
from desk.client import DeskError, NoDeskError
from desk.decisions_file import DecisionsFile
from desk.settings import Settings, load_settings
from market.account import VenueOrder
from market.codes import Side
from market.exact_json import loads
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.desk_orders import ClockedVenue
from reports.daily_file import encode
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import SetClock
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue
from venues.venue import VenueUnavailableError

_TODAY = Period(DAY, DAY, is_given=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those of a desk that does not run."""
    return load_settings({"run_dir": tmp_path / "run"}).settings


@pytest.fixture
def folder(settings: Settings) -> ReportsFolder:
    """Return its reports."""
    return ReportsFolder(settings.reports_dir)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the time of day; it is noon."""

    def set_time(ms: int) -> None:
        monkeypatch.setattr(report_commands, "now", SetClock(ms))

    set_time(NOON_MS)
    return set_time


@pytest.fixture
def venue(folder: ReportsFolder, at: Callable[[int], None]) -> ScriptedVenue:
    """Return a venue with two trades on each of four days, of which the files hold the first three."""
    made = ScriptedVenue({"BTC": "10", "USDT": "10000"})
    for back in (3, 2, 1, 0):
        at(NOON_MS - back * DAY_MS)
        first, at_ms = 10 * (4 - back), NOON_MS - back * DAY_MS
        made.trades_of_all += [
            fill(first, Side.BUY, "1", "100", time_ms=at_ms - 2, order_id=str(first)),
            fill(first + 1, Side.SELL, "1", str(101 + back), time_ms=at_ms - 1, order_id=str(first + 1)),
        ]
        if back:
            Bookkeeper(made, BTC, folder, SetClock(NOON_MS - back * DAY_MS)).update()
    return made


def _away() -> ClockedVenue:
    raise VenueUnavailableError("paper is out of reach (NetworkError); is the desk up?")


def _no_desk() -> ClockedVenue:
    raise NoDeskError(Path("run"))


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return loads(capsys.readouterr().out)


def test_reports_today_and_the_week(
    settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards the plain command: today is brought up to date."""
    assert print_report(settings, lambda: venue, _TODAY, as_json=True) == 0
    found = _json(capsys)
    assert (found["day"]["date"], found["day"]["total_trades"], found["not_updated"]) == ("2025-11-30", 2, None)
    assert [day["state"] for day in found["week"]["days"]] == ["before"] * 3 + ["reported"] * 4


def test_reports_from_the_files_when_the_venue_is_away(
    settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards a stopped desk: what is on file is printed, that it is not of now is said, and the exit code tells it."""
    assert print_report(settings, _away, _TODAY, as_json=False) == NOT_UPDATED == 3
    text = capsys.readouterr().out
    assert text.startswith("Not up to date: paper is out of reach (NetworkError); is the desk up? This is what")
    assert "📊 Performance 2025-11-29 (as of 12:00:00 UTC):" in text
    assert "   2025-11-30  no report\n" in text
    assert print_report(settings, _away, _TODAY, as_json=True) == NOT_UPDATED
    assert _json(capsys)["not_updated"].startswith("paper is out of reach")
    assert print_report(settings, _no_desk, _TODAY, as_json=True) == NOT_UPDATED
    assert _json(capsys)["not_updated"].startswith("no desk runs in run")


def test_writes_the_page_beside_the_files_or_where_it_is_told_to(
    settings: Settings, venue: ScriptedVenue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards `--html` of a day and of several, and that a page nobody can write is told in a line."""
    assert print_report(settings, lambda: venue, _TODAY, as_json=False, html=Path()) == 0
    page = settings.reports_dir / "performance_20251130.html"
    assert capsys.readouterr().out.endswith(f"🌐 {page}\n")
    assert "<title>Performance 2025-11-30</title>" in page.read_text(encoding="utf-8")
    days = Period(DAY - timedelta(days=2), DAY)
    assert print_report(settings, _away, days, as_json=True, html=Path()) == NOT_UPDATED
    page = settings.reports_dir / "performance_20251128_20251130.html"
    assert _json(capsys)["html"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert "<title>Performance 2025-11-28 to 2025-11-30</title>" in text
    assert "Not up to date: paper is out of reach" in text
    own = tmp_path / "own.html"
    assert print_report(settings, _away, days, as_json=True, html=own) == NOT_UPDATED
    assert own.read_text(encoding="utf-8") == text
    with pytest.raises(DeskError, match="No such file or directory"):
        print_report(settings, _away, days, as_json=True, html=tmp_path / "nowhere" / "x.html")


@pytest.mark.parametrize(
    ("words", "html"),
    [(["--html"], Path()), (["--html", "--json"], Path()), (["--html", "x.html"], Path("x.html")), (["--json"], None)],
)
def test_a_page_needs_no_name(words: list[str], html: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--html [FILE]`: what follows is the file, unless it is an option."""
    given: list[Path | None] = []

    def note(*_: object, html: Path | None, **__: object) -> int:
        given.append(html)
        return 0

    monkeypatch.setattr(report_commands, "print_report", note)
    assert CliRunner().invoke(app, ["report", *words]).exit_code == 0
    assert given == [html]


def test_says_what_is_wrong_when_there_is_no_file_either(settings: Settings, at: Callable[[int], None]) -> None:
    """Guards a desk that never ran: the venue's own word, no empty report."""
    with pytest.raises(VenueUnavailableError):
        print_report(settings, _away, _TODAY, as_json=False)
    with pytest.raises(DeskError, match="there is no report of 2025-11-28 in"):
        print_report(settings, _away, Period(date(2025, 11, 28), date(2025, 11, 28)), as_json=False)


def test_reports_a_past_day_without_asking_anybody(
    settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards `--date`: a day gone by is on file, whether a desk runs or not."""
    day = DAY - timedelta(days=2)
    assert print_report(settings, _away, Period(day, day), as_json=False) == 0
    text = capsys.readouterr().out
    assert text.startswith("📊 Performance 2025-11-28 (as of 12:00:00 UTC):\n   Trades: 2 (1 buy, 1 sell)\n")
    assert "Week" not in text


def test_reports_any_run_of_days(settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards `--from` with `--to`, and `--days`."""
    assert print_report(settings, _away, Period(DAY - timedelta(days=9), DAY - timedelta(days=1)), as_json=False) == 0
    text = capsys.readouterr().out
    assert text.startswith("📈 Days 2025-11-21 to 2025-11-29:\n")
    assert "\n   2025-11-21 to 2025-11-26  before the first report\n   2025-11-27  +$4.00      2  1 of 1" in text
    assert "   Total PnL: +$9.00 (6 trades, 3 days reported)\n" in text
    days = Period(DAY - timedelta(days=30), DAY - timedelta(days=29))
    assert print_report(settings, _away, days, as_json=False) == 0
    text = capsys.readouterr().out
    assert "   2025-10-31 to 2025-11-01  before the first report\n" in text
    assert "missing" not in text
    assert "   - No day reported: there is nothing to say of these days.\n" in text
    assert print_report(settings, lambda: venue, Period(DAY - timedelta(days=1), DAY), as_json=True) == 0
    found = _json(capsys)
    assert (found["day"], found["week"]["total"]["trades"], found["week"]["total"]["pnl"]) == (None, 4, 3)


def test_several_days_of_no_report_at_all_are_an_error(settings: Settings) -> None:
    """As one day is: a week was printed of days before a first report that there was not, with exit code 0."""
    with pytest.raises(DeskError, match="there is no report of any day in"):
        print_report(settings, _away, Period(DAY - timedelta(days=9), DAY - timedelta(days=2)), as_json=False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_reports_from_the_files_when_the_disk_takes_nothing(
    settings: Settings,
    folder: ReportsFolder,
    venue: ScriptedVenue,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """Guards a full disk, and one that is read-only: what can be read is shown, and that it is not of now is said."""

    def refuse(_: ReportsFolder, day: date, content: bytes) -> Path:
        raise OSError(number, "No room", str(folder.file_of(day)))

    monkeypatch.setattr(ReportsFolder, "write_bytes", refuse)
    assert print_report(settings, lambda: venue, _TODAY, as_json=False) == NOT_UPDATED
    text = capsys.readouterr().out
    assert text.startswith(f"Not up to date: cannot write {folder.file_of(DAY)}: No room. This is what the files hold.")
    assert "Performance 2025-11-29" in text


def test_ends_with_an_error_when_the_figures_of_any_day_shown_are_wrong(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards the identity: of the day, and of each day of a run of them."""
    day = DAY - timedelta(days=2)
    document = folder.read(day)
    assert document is not None
    document["symbols"]["BTCUSDT"]["identity_gap"] = Decimal("0.01")
    folder.write(day, document)
    assert print_report(settings, _away, Period(day, day), as_json=False) == 1
    wrong = "damaged: symbols.BTCUSDT.identity_gap must be 0.00 by the trades, was 0.01"
    assert f"{day} {wrong}" in capsys.readouterr().out
    assert print_report(settings, _away, Period(day, day + timedelta(days=1)), as_json=False) == 1
    assert f"   {day}  {wrong}" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["figures", "trades", "symbols", "directory", "cut"])
def test_names_a_past_day_that_cannot_be_read(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """Guards today's report against one bad file: a line names it, sealed as it may be, and the rest is printed.

    The exit code says that not all of what is printed holds.
    """
    day = DAY - timedelta(days=1)
    document = folder.read(day)
    assert document is not None
    path = folder.file_of(day)
    if damage == "figures":
        document["trades"]["pnl"] += 1
    elif damage == "trades":
        document["trade_history"].pop()
    elif damage == "symbols":
        del document["symbols"]["BTCUSDT"]["volume"]
    path.write_bytes(encode(document))
    if damage == "directory":
        path.unlink()
        path.mkdir()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    assert print_report(settings, lambda: venue, _TODAY, as_json=False) == 1
    text = capsys.readouterr().out
    assert "📊 Performance 2025-11-30 (as of 12:00:00 UTC):\n   Market: paper exchange, synthetic market" in text
    assert "   Trades: 2 (1 buy, 1 sell)\n" in text
    (line,) = [line for line in text.splitlines() if line.startswith("   2025-11-29  ")]
    assert line.startswith("   2025-11-29  damaged: ")
    assert "   2025-11-28  +$3.00      2  1 of 1" in text
    assert print_report(settings, _away, Period(day, day), as_json=False) == 1
    assert capsys.readouterr().out.startswith("2025-11-29 damaged: ")


def test_tells_what_the_orders_of_fills_were_placed_for_without_a_tracker(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards rows that `report` adds: they had no level, model and rule, nor how long their order had rested."""
    terms = (Decimal(100), Decimal(1), Decimal(1), "FILLED", NOON_MS - 502)
    venue.orders_of_all = [VenueOrder("40", "tb-1-7", "BTCUSDT", Side.BUY, *terms)]
    row = {"time": "2025-11-30T11:59:59.498Z", "symbol": "BTCUSDT", "side": "BUY", "action": "place"}
    row |= {"price": "100", "qty": "1", "client_order_id": "tb-1-7", "rule": "WANTED", "why": ""}
    settings.run_dir.mkdir(exist_ok=True)
    DecisionsFile(settings.run_dir).write([row | {"level": 2, "model": "fixed", "numbers": {}}], NOON_MS * 1_000_000)
    assert print_report(settings, lambda: venue, _TODAY, as_json=True) == 0
    first, second = _json(capsys)["day"]["trade_history"]
    known = ("quote_age_ms", "level", "model", "rule")
    assert [first.get(name) for name in known] == [500, 2, "fixed", "WANTED"]
    assert [second.get(name) for name in known] == [None] * 4
    (path,) = settings.run_dir.glob("decisions_*.jsonl")
    path.unlink()
    path.mkdir()
    venue.trades_of_all.append(fill(42, Side.BUY, "1", "100", time_ms=NOON_MS, order_id="40"))
    assert print_report(settings, lambda: venue, _TODAY, as_json=True) == 0, "a journal that cannot be read"
    *_, third = _json(capsys)["day"]["trade_history"]
    assert [third.get(name) for name in known] == [502, None, None, None]


def test_exits_with_1_when_another_day_of_the_week_does_not_add_up(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards the identity to the last unit: with `report` alone a day before today could be wrong by any sum."""
    day = DAY - timedelta(days=1)
    venue.start["USDT"] -= Decimal("0.00000001")
    books = Bookkeeper(venue, BTC, folder, SetClock(NOON_MS - DAY_MS + 1_000))
    of_all = venue.trades_of_all
    venue.trades_of_all = [trade for trade in of_all if trade.time_ms < NOON_MS - DAY_MS + 1_000]
    books.update()
    venue.trades_of_all = of_all
    document = folder.read(day)
    assert document is not None
    assert document["identity"]["all"]["gap"] == Decimal("0.00000001")
    assert print_report(settings, lambda: venue, _TODAY, as_json=False) == 1
    text = capsys.readouterr().out
    assert "      books disagree\n      figures are wrong: they are not what the trades moved\n" in text
    assert print_report(settings, lambda: venue, Period(DAY, DAY), as_json=False) == 0, "of today alone all holds"


def test_question_about_a_pair_changes_nothing_of_the_day(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards `report --symbol`: a read made the pair one of the day's, and the day was that of the pair's market.

    All of the file stays, also where it is the first question of the day.
    """
    venue.mids["ETHUSDT"] = Decimal(10)
    venue.instruments["ETHUSDT"] = ETH
    venue.start["ETH"] = Decimal(1)
    monkeypatch.setattr(reports_command, "_venue_of", lambda _: venue)
    found = []
    for asked in (["--symbol", "ETHUSDT"], [], ["--symbol", "ethusdt"], ["--symbol", "BTCUSDT"]):
        result = CliRunner().invoke(app, ["report", "--run-dir", str(settings.run_dir), *asked])
        assert result.exit_code == 0, result.output
        assert "not compared" not in result.output
        found.append(folder.read(DAY))
    assert found[0] is not None
    assert list(found[0]["symbols"]) == ["BTCUSDT"]
    assert all(each == found[0] for each in found)


def test_exits_with_1_when_the_books_or_the_figures_do_not_agree(
    settings: Settings, folder: ReportsFolder, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards scripts: a deposit, and figures that contradict the trades."""
    print_report(settings, lambda: venue, _TODAY, as_json=True)
    venue.start["USDT"] += 1
    assert print_report(settings, lambda: venue, _TODAY, as_json=False) == 1
    assert "USDT: +1.00" in capsys.readouterr().out
    document = folder.read(DAY - timedelta(days=1))
    assert document is not None
    document["symbols"]["BTCUSDT"]["identity_gap"] = Decimal("0.01")
    day = DAY - timedelta(days=1)
    folder.write(day, document)
    assert print_report(settings, _away, Period(day, day), as_json=False) == 1
    assert "identity_gap must be 0.00 by the trades, was 0.01" in capsys.readouterr().out


def test_says_that_a_folder_takes_no_file(
    settings: Settings, venue: ScriptedVenue, folder: ReportsFolder, tmp_path: Path
) -> None:
    """Guards a reports folder that is a file, and today's file that is a folder: one line that names it."""
    folder.file_of(DAY).mkdir()
    with pytest.raises(DeskError, match=r"cannot write .*performance_20251130.json: Is a directory"):
        print_report(settings, lambda: venue, _TODAY, as_json=False)
    (tmp_path / "file").write_text("")
    other = load_settings({"run_dir": tmp_path / "run", "tracker.folder": tmp_path / "file"}).settings
    with pytest.raises(DeskError, match=r"cannot write .*file.*: Not a directory"):
        print_report(other, lambda: venue, _TODAY, as_json=False)


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ((None, None, None, None), DAY, DAY),
        (("2025-11-28", None, None, None), date(2025, 11, 28), date(2025, 11, 28)),
        (("20251128", None, None, None), date(2025, 11, 28), date(2025, 11, 28)),
        (("yesterday", None, None, None), date(2025, 11, 29), date(2025, 11, 29)),
        (("today", None, None, None), DAY, DAY),
        ((None, 1, None, None), DAY, DAY),
        ((None, 30, None, None), date(2025, 11, 1), DAY),
        ((None, None, "2025-11-01", "2025-11-03"), date(2025, 11, 1), date(2025, 11, 3)),
        ((None, None, "2025-11-01", None), date(2025, 11, 1), DAY),
    ],
)
def test_takes_the_days_that_are_asked_for(
    at: Callable[[int], None], given: tuple[Any, ...], first: date, last: date
) -> None:
    """Guards the options of both commands."""
    period = period_of(*given)
    assert (period.first, period.last) == (first, last)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("2025-11-28", 2, None, None), "expected one of --date, --days"),
        ((None, None, None, "2025-11-28"), "expected --from with --to"),
        ((None, None, "2025-11-28", "2025-11-27"), "expected --from until --to, was 2025-11-28 and 2025-11-27"),
        ((None, None, "2020-11-28", None), "expected at most 366 days, were 1,829 from 2020-11-28 to 2025-11-30"),
        (("28.11.2025", None, None, None), "expected a day such as 2025-11-30, was '28.11.2025'"),
        (("2025-13-01", None, None, None), "expected a day such as"),
        (("2026-01-01", None, None, None), "expected a day until 2025-11-30"),
    ],
)
def test_says_what_is_wrong_with_the_days(at: Callable[[int], None], given: tuple[Any, ...], complaint: str) -> None:
    """Guards the options of both commands."""
    with pytest.raises(DeskError, match=complaint):
        period_of(*given)


def test_export_takes_any_number_of_days(at: Callable[[int], None]) -> None:
    """1,100 days are kept, and more than a year of them was refused."""
    assert period_of(None, None, "2020-11-28", None, most=None).count == 1_829


@pytest.mark.parametrize("as_json", [False, True])
def test_page_that_there_is_not_is_an_error(settings: Settings, venue: ScriptedVenue, as_json: bool) -> None:
    """It was an empty page 99 of 3."""
    with pytest.raises(DeskError, match="expected a page from 1 to 3, was 4"):
        print_history(settings, lambda: venue, Period(DAY - timedelta(days=9), DAY), limit=3, page=4, as_json=as_json)


def test_shows_ended_orders_and_trades_page_by_page(
    settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards `history`: the newest page first, what is open left out, and more than the venue tells at once."""
    order = VenueOrder("1", "c1", "BTCUSDT", Side.BUY, Decimal(100), Decimal(1), Decimal(0), "CANCELED", NOON_MS)
    venue.orders_of_all = [replace(order, order_id=str(number), time_ms=NOON_MS + number) for number in range(1, 2_201)]
    venue.orders_of_all += [replace(order, order_id="3000", status="NEW", time_ms=NOON_MS + 3_000)]
    venue.orders_of_all += [replace(order, order_id="4000", time_ms=NOON_MS + DAY_MS)]
    assert print_history(settings, lambda: venue, Period(DAY, DAY), limit=1_000, page=3, as_json=True) == 0
    found = _json(capsys)
    assert [row["id"] for row in found["orders"]] == [str(number) for number in range(1, 201)]
    assert (found["total_orders"], found["pages"], found["total_trades"], found["trades"]) == (2_200, 3, 2, [])
    assert (
        print_history(settings, lambda: venue, Period(DAY - timedelta(days=9), DAY), limit=3, page=2, as_json=False)
        == 0
    )
    text = capsys.readouterr().out
    assert "🧾 Trades (BTCUSDT):\n   2025-11-28T11:59:59.998Z 📥 BUY" in text
    assert text.endswith("Total Trades: 8 (page 2 of 3, the newest is 1)\n")
    assert "0.00000 of 1.00000 BTC @ $100.00 (CANCELED, id 2197)\n\nTotal Ended Orders: 2,200 (page 2 of 734," in text


def test_shows_the_trades_on_file_when_no_desk_runs(
    settings: Settings, venue: ScriptedVenue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards `history` of a stopped desk: orders are not known, which is not the same as none."""
    assert print_history(settings, _away, Period(DAY - timedelta(days=9), DAY), limit=50, page=1, as_json=True) == 3
    found = _json(capsys)
    assert (found["orders"], found["total_trades"]) == (None, 6)
    with pytest.raises(VenueUnavailableError):
        print_history(settings, _away, Period(DAY, DAY), limit=50, page=1, as_json=True)


def test_tells_the_market_of_the_settings(tmp_path: Path) -> None:
    """Guards the label that the tracker writes: flow, seed, and a symbol's own fees."""
    own = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.00001"}
    overrides: dict[str, Any] = {"run_dir": tmp_path, "paper.maker_fee": "0.001", "paper.taker_fee": "0.002"}
    assert load_settings(overrides | {"flow.preset": "busy", "flow.seed": 9}).settings.market == {
        "venue": "paper",
        "flow": "synthetic:busy",
        "seed": 9,
        "maker_fee": Decimal("0.001"),
        "taker_fee": Decimal("0.002"),
        "fee_in": "received",
    }
    with_own = load_settings(overrides | {"symbols": [own | {"maker_fee": "0.0005"}]}).settings
    assert with_own.market["maker_fee"] == Decimal("0.0005")
    assert load_settings({"venue.name": "binance-testnet"}).settings.market == {"venue": "binance-testnet"}
