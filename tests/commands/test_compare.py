"""`report --compare`: two folders, of whatever desks."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.actions.compare import print_comparison
from commands.actions.report import Period
from commands.app import app
from desk.client import DeskError
from market.exact_json import loads
from reports.folder import ReportsFolder
from tests.pages.days import days_of
from tests.reports.fills import DAY

_EVERY = Period(DAY, DAY, is_given=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a run directory with two days, and a folder with one."""
    run, other = tmp_path / "run", tmp_path / "other"
    for path, counts in ((run / "reports", [60, 90]), (other, [40])):
        path.mkdir(parents=True)
        for day, document in days_of(counts).items():
            ReportsFolder(path).write(day, document | {"markouts": []})
    return run, other


def test_compares_a_run_directory_with_a_folder(folders: tuple[Path, Path]) -> None:
    """Guards the command line, and the days that are looked at."""
    words = ["report", "--compare", *map(str, folders)]
    found = CliRunner().invoke(app, [*words, "--json"])
    assert (found.exit_code, loads(found.output)["a"]["days"]) == (0, 2)
    text = CliRunner().invoke(app, [*words, "--date", str(DAY)]).output
    assert text.startswith(f"A: {folders[0]}, {DAY}\nB: {folders[1]}, {DAY}\n")


def test_says_what_cannot_be_compared(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Guards days without a file, and a damaged file: the others are compared, exit code 1."""
    before = Period(DAY - timedelta(days=9), DAY - timedelta(days=8))
    with pytest.raises(DeskError, match="there is no report of these days in"):
        print_comparison(*folders, before, None, as_json=True)
    ReportsFolder(folders[0] / "reports").file_of(DAY).write_text("{")
    assert print_comparison(*folders, _EVERY, None, as_json=True) == 1
    said = capsys.readouterr()
    assert loads(said.out)["a"]["days"] == 1
    assert said.err.startswith(f"note: {DAY} in {folders[0] / 'reports'} damaged: ")
