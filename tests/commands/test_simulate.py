"""`simulate`: a day of a desk, without a desk."""

import errno
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.app import app
from desk.client import DeskError
from flow.recordings.recording import RecordingError
from market.mendable import MendableError
from simulation.desk import SimulatedDesk

RECORDING = Path(__file__).resolve().parents[1] / "kept/recording.gz"


def simulated(*words: str) -> str:
    """Return what a simulation of a few seconds prints."""
    result = CliRunner().invoke(app, ["simulate", "--seconds", "15", *words])
    if isinstance(result.exception, MendableError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_prints_the_day_and_the_same_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And writes its file where it is told to."""
    monkeypatch.chdir(tmp_path)
    first, second = (json.loads(simulated("--json", "--out", f"{name}")) for name in ("a", "b"))
    assert first == second
    assert first["day"]["date"] == "2026-01-01"
    assert (tmp_path / "a/performance_20260101.json").read_bytes() == (
        tmp_path / "b/performance_20260101.json"
    ).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"], "something else was left behind"


def test_day_seed_and_settings_are_those_asked_for() -> None:
    """Another seed is another market, a wider spread another trader."""
    plain = json.loads(simulated("--json"))
    other = json.loads(simulated("--json", "--seed", "8", "--start", "2025-02-28T23:59:50"))
    wide = json.loads(simulated("--json", "--set", "maker.half_spread=0.003"))
    assert len({each["run"]["sha256"] for each in (plain, other, wide)}) == 3
    assert other["run"]["seed"] == 8
    assert other["day"]["date"] == "2025-03-01"


def test_delays_of_a_recording_are_a_run_of_their_own() -> None:
    """The same twice, and another than without."""
    fixed, first, second = (
        json.loads(simulated("--json", *words))["run"]["sha256"]
        for words in ((), *[("--jitter-from", str(RECORDING), "--latency-ms", "20")] * 2)
    )
    assert first == second
    assert first != fixed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "maker.half_spread"), "KEY=VALUE"),
        (("--set", "no.such=1"), "no such setting"),
        (("--set", "gateway.price_band=0.1"), "nothing here reads it"),
        (("--start", "yesterday"), "expected a time"),
        (("--flow", "live"), "cannot be simulated"),
        (("--jitter-from", "no.gz"), "no.gz"),
        (("--jitter-ms", "1", "--jitter-from", "no.gz"), "were both"),
    ],
)
def test_says_in_a_line_what_is_wrong(words: tuple[str, ...], said: str) -> None:
    """Before anything runs."""
    with pytest.raises(MendableError, match=said):
        simulated(*words)


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A full disk, a path through a file: no traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(DeskError, match=r"cannot make .*file"):
        simulated("--out", str(tmp_path / "file" / "days"))


def test_folder_of_another_run_is_not_taken(tmp_path: Path) -> None:
    """Its days would be in the digest, and replaced."""
    simulated("--out", str(tmp_path / "first"))
    day = next((tmp_path / "first").glob("performance_*.json"))
    before = day.read_bytes()
    with pytest.raises(DeskError, match=r"expected a new folder, and there is .*first already"):
        simulated("--out", str(tmp_path / "first"), "--seed", "8")
    assert day.read_bytes() == before


def test_run_that_fails_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a run would refuse the next one."""

    def run(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SimulatedDesk, "run", run)
    with pytest.raises(DeskError, match="No space left"):
        simulated("--out", str(tmp_path / "first"))
    assert list(tmp_path.iterdir()) == []


def test_digest_of_a_replay_is_of_the_recordings_content(tmp_path: Path) -> None:
    """Where the file lies is not in it; `tests/commands/test_backtest.py` has more that is not."""
    copy = tmp_path / "elsewhere.gz"
    copy.write_bytes(RECORDING.read_bytes())
    first, second = (
        json.loads(simulated("--json", "--flow", f"replay:{path}"))["run"]["sha256"] for path in (RECORDING, copy)
    )
    assert first == second


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (RecordingError("line 7: expected a number"), "cannot go on with the recording: line 7"),
        (OSError(errno.ENOSPC, "No space left on device"), "the daily file: No space left on device"),
    ],
)
def test_run_that_cannot_go_on_is_one_line(monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str) -> None:
    """A recording that changes while it is read, a disk that is full in the middle of it."""

    def run(*_: object) -> None:
        raise raised

    monkeypatch.setattr(SimulatedDesk, "run", run)
    with pytest.raises(DeskError, match=said):
        simulated()


def test_reports_what_a_run_has_left_as_it_was_printed(tmp_path: Path) -> None:
    """With each day of a run over midnight and what each rule has realized; no desk is asked for, nothing changes."""
    folder = tmp_path / "run"
    words = ("--seconds", "300", "--start", "2026-01-01T23:57:30", "--set", "maker.half_spread=0.0002")
    printed = simulated(*words, "--out", str(folder))
    assert [line for line in printed.splitlines() if "Performance" in line] == [
        "📊 Performance 2026-01-01 (as of 23:59:59 UTC):",
        "📊 Performance 2026-01-02 (as of 00:02:30 UTC):",
    ]
    assert printed.count("   By rule: ") == 2
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    last = CliRunner().invoke(app, ["report", "--run-dir", str(folder)])
    assert last.exit_code == 0, last.output
    days, rest = printed.split("📈 ")
    assert last.stdout.startswith(days[days.index("📊 Performance 2026-01-02") :])
    both = CliRunner().invoke(app, ["report", "--run-dir", str(folder), "--days", "2"])
    assert both.stdout.startswith(f"📈 {rest[: rest.index('🧪')]}")
    assert before == {path.name: path.read_bytes() for path in folder.glob("*.json")}


def test_run_that_was_left_has_no_replay(tmp_path: Path) -> None:
    """What tries a setting on it is named."""
    simulated("--out", str(tmp_path / "run"))
    result = CliRunner().invoke(app, ["report", "--replay", "--run-dir", str(tmp_path / "run")])
    assert "whatif" in str(result.exception)
