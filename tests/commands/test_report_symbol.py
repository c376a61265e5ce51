"""`report --symbol`: one pair of a desk that trades several."""

from datetime import timedelta
from pathlib import Path

import pytest

from commands.actions.report import Period, print_report
from desk.client import NoDeskError
from desk.settings import load_settings
from market.exact_json import loads
from nodes.tracker.desk_orders import ClockedVenue
from reports.folder import ReportsFolder
from tests.reports.fills import BTC, DAY, ETH
from tests.reports.test_one_symbol import two_symbols


def _away() -> ClockedVenue:
    raise NoDeskError(Path("run"))


@pytest.mark.parametrize("period", [Period(DAY, DAY), Period(DAY - timedelta(days=1), DAY)])
def test_symbol_that_is_asked_for_is_all_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], period: Period
) -> None:
    """Guards `--symbol`: the printed day, the JSON, the page and the week all told of every symbol."""
    settings = load_settings({"run_dir": tmp_path / "run"}).settings
    settings.reports_dir.mkdir(parents=True)
    ReportsFolder(settings.reports_dir).write(DAY, two_symbols(BTC, ETH))
    assert print_report(settings, _away, period, as_json=False, symbol="ETHUSDT") == 0
    text = capsys.readouterr().out
    assert ", ETHUSDT" in text
    assert "BTC" not in text
    assert print_report(settings, _away, period, as_json=True, html=Path(), symbol="ETHUSDT") == 0
    found = loads(capsys.readouterr().out)
    if found["day"] is None:
        assert found["week"]["symbol"] == "ETHUSDT"
        assert (found["week"]["total"]["trades"], found["week"]["days"][-1]["volume"]) == (3, 173)
    else:
        assert list(found["day"]["symbols"]) == ["ETHUSDT"]
        assert {row["symbol"] for row in found["round_trips"]} == {"ETHUSDT"}
    assert found["html"].endswith("_ETHUSDT.html"), "the page of all symbols stays what it is"
    page = Path(found["html"]).read_text(encoding="utf-8")
    assert ", ETHUSDT</title>" in page
    assert "BTCUSDT" not in page


def test_day_of_a_symbol_is_as_wrong_as_the_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards the gate: a gap of the other symbol makes exit code 1, too."""
    settings = load_settings({"run_dir": tmp_path / "run"}).settings
    settings.reports_dir.mkdir(parents=True)
    wrong = two_symbols(BTC, ETH)
    wrong["reconciliation"]["is_exact"] = False
    ReportsFolder(settings.reports_dir).write(DAY, wrong)
    assert print_report(settings, _away, Period(DAY, DAY), as_json=False, symbol="ETHUSDT") == 1
    assert "disagree" in capsys.readouterr().out
