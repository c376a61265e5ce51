"""Exit codes of a wrong command line: 2 of what no desk could do, 1 of what it takes settings or files to know."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.app import app
from market.mendable import MendableError

_NO_DESK = [
    ["report", "--nonsense"],
    ["report", "--days", "0"],
    ["report", "--days", "seven"],
    ["report", "--date", "31.11."],
    ["report", "--date", "2999-01-01"],
    ["report", "--date", "today", "--days", "3"],
    ["report", "--to", "today"],
    ["report", "--date", "today", "--replay"],
    ["report", "--days", "1", "--replay"],
    ["report", "--compare", "one", "two", "--replay"],
    ["history", "--from", "2025-01-02", "--to", "2025-01-01"],
    ["simulate", "--start", "noon"],
    ["simulate", "--jitter-ms", "1", "--jitter-from", "x.gz"],
    ["simulate", "--set", "maker.half_spread"],
    ["simulate", "--set", "api.port=1"],
    ["whatif", "--date", "31.11."],
    ["whatif", "there", "--run-dir", "run"],
    ["at", "sometime"],
    ["cancel", "mine"],
    ["set", "maker.half_spread"],
    ["place", "hold", "1", "2"],
]
_OF_A_DESK = [
    ["simulate", "--set", "maker.half_spread=wide"],
    ["report", "--symbol", "NOPE"],
    ["report", "--date", "2020-01-01"],
    ["whatif", "--date", "2020-01-01"],
    ["whatif", "there"],
]


def _code(words: list[str]) -> int:
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, MendableError):
        return result.exception.exit_code
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code


@pytest.mark.parametrize("words", _NO_DESK, ids=" ".join)
def test_what_no_desk_could_do_is_2(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards scripts: a wrong option ended with 2, and a wrong value of it with 1."""
    monkeypatch.chdir(tmp_path)
    assert _code(words) == 2


@pytest.mark.parametrize("words", _OF_A_DESK, ids=" ".join)
def test_what_takes_settings_or_files_to_know_is_1(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that a setting cannot have, a pair and a day that are not there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "reports").mkdir(parents=True)
    assert _code(words) == 1
