"""`record` and `recording`: what cannot be is one line, and a file says what it holds."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.desk.desk_process import environment, run_here

KEPT = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command where no desk is."""
    return run_here([*map(str, words)], folder, environment())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["record"], 3, "no desk runs in run"),
        (["record", "--from", "nobody"], 2, "--from: expected desk, binance, or streams: expected ws://HOST:PORT"),
        (["record", "--from", "ws://127.0.0.1:9"], 1, "cannot record: http://127.0.0.1:9: "),
        (["record", "--symbol", "XYZUSDT"], 1, "symbol: expected one of BTCUSDT"),
        (["recording", "info", "nope"], 1, "cannot read nope: No such file or directory"),
        (["recording", "check", "."], 1, "cannot read .: Is a directory"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    """Without a traceback, and without a file that nobody asked for."""
    done = run(tmp_path, *words)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_recording_tells_what_it_holds_and_what_is_wrong(tmp_path: Path) -> None:
    """For a person and for a program; `check` by its exit code, too."""
    told = run(tmp_path, "recording", "info", KEPT)
    assert told.returncode == 0
    assert "957 best prices, 441 depth updates, 484 trades, 1 snapshot" in told.stdout
    document = json.loads(run(tmp_path, "recording", "info", KEPT, "--json").stdout)
    assert (document["symbol"], document["faults"]) == ("BTCUSDT", [])
    good = run(tmp_path, "recording", "check", KEPT)
    assert (good.returncode, good.stdout) == (0, f"{KEPT}: nothing is wrong\n")
    (tmp_path / "cut.gz").write_bytes(KEPT.read_bytes()[:-9])
    bad = run(tmp_path, "recording", "check", "cut.gz")
    assert bad.returncode == 1
    assert bad.stdout.startswith("cut.gz after line ")
