"""`whatif`: a run that `simulate --out` has left, again."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.actions.desk_day import desk_day
from commands.app import app
from desk import strategy as strategies
from desk.client import DeskError
from desk.settings import Settings, load_settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.exact_json import loads
from market.mendable import MendableError
from screens.whatif import whatif_text
from simulation.desk import SimulatedDesk
from simulation.whatif import block_ends, play
from trading.quoting import QuotingModel


def ran(*words: str, code: int = 0) -> str:
    """Return what a command prints."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, MendableError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(autouse=True)
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a minute, not a minute: an interval takes eight blocks, which each of these tests trades again."""
    monkeypatch.setattr("simulation.whatif.BLOCK_NS_MIN", 15 * NS_PER_SECOND)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of a desk, which are eight blocks here."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    ran("simulate", "--seconds", "120", "--jitter-ms", "3", "--out", str(folder))
    return folder


def test_nothing_changed_is_every_fill_and_file_byte_for_byte(run: Path) -> None:
    """Delays with dice among them."""
    document = loads(ran("whatif", str(run), "--json"))
    assert document["is_identical"] is True
    assert document["again"]["fills"] > 10
    assert document["difference"] is None
    assert "byte for byte" in whatif_text(document)


def test_change_is_told_with_an_interval_from_the_blocks(run: Path) -> None:
    """Eight blocks; the setting that it was stands beside what it is."""
    document = json.loads(ran("whatif", str(run), "--json", "--set", "maker.half_spread=0.0005"))
    assert (document["was"], document["set"]) == ({"maker.half_spread": "0.002"}, {"maker.half_spread": "0.0005"})
    difference = document["difference"]
    assert (difference["blocks"], difference["block_s"], difference["why"]) == (8, 15, None)
    assert difference["low"] < difference["pnl"] < difference["high"]
    assert difference["pnl"] == pytest.approx(document["changed"]["pnl"] - document["again"]["pnl"])


def test_same_setting_again_differs_by_nothing(run: Path) -> None:
    """The change is the only thing that differs between the two runs."""
    document = json.loads(ran("whatif", str(run), "--json", "--set", "maker.half_spread=0.002"))
    assert {document["difference"][name] for name in ("pnl", "low", "high")} == {0}
    assert document["again"] == document["changed"]


def test_run_that_is_not_the_same_any_more_ends_with_1_and_no_difference(run: Path, tmp_path: Path) -> None:
    """For instance a trade that the file has otherwise."""
    (tmp_path / "b").mkdir()
    for path in (*run.glob("*.json"), *run.glob("journal")):
        (tmp_path / "b" / path.name).symlink_to(path)
    (day,) = (tmp_path / "b").glob("performance_*.json")
    content = day.read_bytes()
    day.unlink()
    day.write_bytes(content.replace(b'"total_buys": ', b'"total_buys": 1', 1))
    words = ("whatif", str(tmp_path / "b"), "--set", "maker.half_spread=0.001")
    document = loads(ran(*words, "--json", code=1))
    assert (document["is_identical"], document["difference"]) == (False, None)
    assert "means nothing" in whatif_text(document)


def test_what_cannot_be_is_one_line(run: Path, tmp_path: Path) -> None:
    """No run, a damaged one, a setting that changes nothing, a recording's run."""
    with pytest.raises(DeskError, match="holds no run"):
        ran("whatif", str(tmp_path))
    with pytest.raises(DeskError, match="nothing here reads it"):
        ran("whatif", str(run), "--set", "api.port=1")
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    with pytest.raises(DeskError, match="has no journal"):
        ran("whatif", str(tmp_path))
    (tmp_path / "run.json").write_text('{"version": 1}')
    with pytest.raises(DeskError, match="damaged"):
        ran("whatif", str(tmp_path))
    (tmp_path / "run.json").write_text('{"version": 2}')
    with pytest.raises(DeskError, match="expected version 1"):
        ran("whatif", str(tmp_path))


@pytest.fixture(scope="module")
def run_dir(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with the journal and the daily file of those minutes, as a desk leaves them."""
    run_dir = tmp_path_factory.mktemp("desk")
    settings = load_settings({"run_dir": run_dir}).settings
    (engine,) = settings.plan.engines.values()
    settings.reports_dir.mkdir(parents=True)
    engine.journal_folder.symlink_to(run / "journal")
    day = "performance_20260101.json"
    (settings.reports_dir / day).write_bytes((run / day).read_bytes())
    return run_dir


def test_day_of_a_desk_comes_near_and_says_how_near(run_dir: Path) -> None:
    """Not the same: the delays of a live maker are in no journal. Both are told beside each other."""
    words = ("--date", "2026-01-01", "--run-dir", str(run_dir), "--set", "maker.half_spread=0.0005")
    document = loads(ran("whatif", *words, "--json"))
    assert document["is_identical"] is None
    assert (document["from"], document["to"]) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:02:00.000Z")
    assert float(document["actual"]["fills"]) == pytest.approx(float(document["again"]["fills"]), rel=0.1)
    assert 0.5 < document["same_fills"] <= document["near_fills"] <= 1
    text = whatif_text(document)
    assert "the desk: " in text
    near, same = (f"{document[name] * 100:.1f} %" for name in ("near_fills", "same_fills"))
    assert f"at most 5 s apart: {near} of the lots; at one price, too: {same}\n" in text
    assert "a live maker looks at the market at other moments" in text
    assert "Difference: " in text


def test_day_on_which_something_was_set_is_set_likewise(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a day with `set`: it was traded as the desk is set now, and other moments were blamed for the fills."""
    shutil.copytree(run_dir, tmp_path / "run", symlinks=True)
    logs = tmp_path / "run" / "logs"
    logs.mkdir()
    log = "timestamp='{}' level='warning' node='maker' event='set' key='{}' before='{}' now='{}'\n"
    first = log.format("2026-01-01T00:01:00.000000Z", "maker.half_spread", "0.0001", "0.0005")
    (logs / "api+maker.log.1").write_text(first)
    later = log.format("2026-01-01T00:01:37.500000Z", "maker.half_spread", "0.0005", "0.002")
    (logs / "api+maker.log").write_text(later + log.format("2026-01-02T00:00:00.000000Z", "maker.skew", "0", "0.1"))
    (logs / "desk.log").write_text(log.format("2026-01-01T00:00:30.000000Z", "maker.half_spread", "9", "9"))
    asked: list[tuple[str, str]] = []
    model_of = strategies.quoting_model

    def noted(settings: Settings) -> QuotingModel:
        asked.append((str(settings.maker.half_spread), str(settings.maker.skew)))
        return model_of(settings)

    monkeypatch.setattr("simulation.whatif.quoting_model", noted)
    words = ("whatif", "--run-dir", str(tmp_path / "run"), "--set", "maker.skew=0.0001", "--json")
    document = loads(ran(*words))
    assert [(row["time"], row["before"], row["now"]) for row in document["settings_changes"]] == [
        ("2026-01-01T00:01:00.000Z", "0.0001", "0.0005"),
        ("2026-01-01T00:01:37.500Z", "0.0005", "0.002"),
    ]
    assert document["was"] == {"maker.skew": "0"}
    assert document["again"]["fills"] > 1.2 * document["actual"]["fills"], "nearer quotes for half of it are hit more"
    assert asked == [("0.0005", "0"), ("0.002", "0"), ("0.0005", "0.0001"), ("0.002", "0.0001")]
    assert "set at 00:01:00, and here as well: maker.half_spread 0.0001 -> 0.0005" in whatif_text(document)


def test_start_in_the_middle_of_a_journal_goes_on_with_its_book(run_dir: Path) -> None:
    """The day as seen from the middle on: what was before makes the book, and is not traded again."""
    settings = load_settings({"run_dir": run_dir}).settings
    whole = desk_day(settings, None)
    half = whole._replace(start_ns=whole.start_ns + 60 * NS_PER_SECOND)
    with tempfile.TemporaryDirectory() as folder:
        ends_ns = block_ends(half.start_ns, half.end_ns)
        played = play(settings, half.start_ns, ends_ns, half.delays, half.records(), Path(folder), SimulatedDesk.run)
    rows = [row for row in whole.rows if row.trade.time_ms * NS_PER_MS >= half.start_ns]
    assert len(rows) >= 5
    assert len(played.rows) == pytest.approx(len(rows), rel=0.4)
    assert all(row.trade.time_ms * NS_PER_MS >= half.start_ns for row in played.rows)
    assert None not in played.mids


def test_day_that_is_not_there_is_one_line(run_dir: Path, tmp_path: Path) -> None:
    """No report, no journal, a market that is elsewhere, both a folder and a day."""
    with pytest.raises(DeskError, match="no report of 2026-01-02"):
        ran("whatif", "--date", "2026-01-02", "--run-dir", str(run_dir))
    reports = load_settings({"run_dir": tmp_path}).settings.reports_dir
    reports.symlink_to(run_dir / "reports")
    with pytest.raises(DeskError, match="no journal here holds anything of 2026-01-01"):
        ran("whatif", "--run-dir", str(tmp_path))
    elsewhere = load_settings({"run_dir": run_dir, "venue.name": "binance-testnet"}).settings
    with pytest.raises(DeskError, match="record it, and use backtest"):
        desk_day(elsewhere, None)
    for option, value in (("--date", "2026-01-01"), ("--run-dir", str(tmp_path))):
        result = CliRunner().invoke(app, ["whatif", str(run_dir), option, value], env={"COLUMNS": "200"})
        assert f"{option} is of a desk, and FOLDER is a run of its own" in result.output
        assert result.exit_code == 2
