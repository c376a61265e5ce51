"""How far a long work is, on a terminal and without one."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import progress
from commands.actions import report
from commands.progress import ticking
from desk.settings import load_settings
from reports.folder import ReportsFolder


@pytest.mark.parametrize("is_screen", [True, False])
def test_a_work_that_says_nothing_is_told_while_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_screen: bool
) -> None:
    """`warm` compiled for a minute without a word; where nobody watches nothing is written."""
    monkeypatch.setattr(progress, "is_screen", lambda _: is_screen)
    monkeypatch.setattr(progress, "_TICK_S", 0.001)
    is_told = threading.Event()

    def line(took_ns: int) -> str:
        is_told.set()
        return "5 kernels"

    with ticking(line) as told:
        assert is_told.wait(30) or not is_screen
        told.say("compiles")
    written = capsys.readouterr().err
    assert (written == "compiles\n") is not is_screen
    assert "compiles\n" in written
    assert ("\r5 kernels" in written, written.endswith("\r\033[K")) == (is_screen, is_screen)


def test_a_report_of_many_days_tells_how_many_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It read a year of them without a word."""
    told: list[str] = []

    def tell(_: progress.Progress, line: Callable[[int], str]) -> None:
        told.append(line(2_000_000_000))

    monkeypatch.setattr(progress.Progress, "tell", tell)
    settings = load_settings({"run_dir": tmp_path}).settings
    period = report.period_of(None, 3, None, None)
    documents, _ = ReportsFolder(tmp_path).read_days(period.last, 3)
    assert documents == {}
    report._trades_on_file(settings, period)
    assert told == ["1 day, 0 a second, 4 s left", "2 days, 1 a second, 1 s left", "3 days, 2 a second, 0 s left"]
