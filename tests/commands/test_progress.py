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
from screens.progress import count_line, elapsed_line, size_line


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


def test_a_line_tells_what_is_done_how_fast_and_what_is_left() -> None:
    """By hand: 2 of 8 MB in 4 s are half a MB a second, and 12 s more. Nothing done says nothing of the rest."""
    assert size_line(2_000_000, 8_000_000, 4_000_000_000) == "2.0 of 8.0 MB, 0.5 MB a second, 12 s left"
    assert size_line(9_000_000, 8_000_000, 4_000_000_000).endswith(", 0 s left"), "a journal that has grown"
    assert count_line(5, 20, 10_000_000_000, "kernel") == "5 kernels, 0 a second, 30 s left"
    assert count_line(0, 26, 10_000_000_000, "kernel") == "0 kernels, 0 a second"
    assert elapsed_line("prunes", 7_400_000_000) == "prunes, 7 s"


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
