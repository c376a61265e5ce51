"""`backtest`: what it prints, what it leaves in a folder, and what it refuses."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from market.exact_json import loads
from simulation.recorded_market import warm
from tests.desk.desk_process import CLI, environment, run_here

KEPT = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"
OF_THE_LINE = ("expected --", "--set", "expected a file, or one of the models")  # wrong whatever the files hold
CLOSE = ("--set", "maker.half_spread=0.0001")


def backtest(folder: Path, *words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder, so that no settings of another desk are taken."""
    done = run_here(["backtest", *map(str, words)], folder, environment())
    assert done.returncode == code, done.stdout + done.stderr
    return done


def backtest_apart(
    folder: Path, *words: str | Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own."""
    command = [sys.executable, str(CLI), "backtest", *map(str, words)]
    env = os.environ | (variables or {})
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One backtest, and the folder that it was told to use; what is compiled, is so before."""
    warm(lambda _: None)
    folder = tmp_path_factory.mktemp("backtest")
    return backtest_apart(folder, KEPT, *CLOSE, "--fees", "0,0.002", "--out", "out"), folder / "out"


def test_prints_the_day_and_nothing_where_nobody_looks(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """The progress is for a terminal alone."""
    done, _ = run
    assert done.stderr == ""
    assert "📊 Performance 2026-11-28" in done.stdout
    assert "fees 0 % maker, 0.2 % taker" in done.stdout
    assert "Books: balances and trades agree to the last unit" in done.stdout


def test_leaves_the_day_the_fills_the_settings_and_the_seed(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Whoever finds the folder a year later knows what it was."""
    _, out = run
    assert sorted(path.name for path in out.iterdir()) == ["backtest.json", "fills.jsonl", "performance_20261128.json"]
    fills = [loads(line) for line in (out / "fills.jsonl").read_text().splitlines()]
    day = loads((out / "performance_20261128.json").read_text())
    assert len(fills) == day["total_trades"] >= 5
    assert all(fill["is_maker"] and fill["time"].startswith("2026-11-28T20:2") for fill in fills)
    told: Any = loads((out / "backtest.json").read_text())
    assert told["recordings"][0]["faults"] == []
    (only,) = told["runs"]
    assert only["settings"]["maker.half_spread"] == "0.0001"
    assert only["settings"]["flow.seed"] == "7"
    assert str(KEPT) in only["settings"]["flow.recordings"]
    assert only["market"]["BTCUSDT"]["matching_share"] > 0.98
    assert only["problems"] == []
    assert only["strategy"]["model"] == "symmetric"
    assert only["strategy"]["parameters"].items() >= {"half_spread": "0.0001", "notional": "1000", "skew": "0"}.items()


def test_same_again_is_the_same_to_the_last_bit_and_another_latency_another(
    run: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    """Commands, events and the daily file, in another process and another folder."""
    _, out = run
    digest = loads((out / "backtest.json").read_text())["runs"][0]["sha256"]

    def again(*words: str) -> str:
        told = json.loads(backtest_apart(tmp_path, KEPT, *CLOSE, "--fees", "0,0.002", "--json", *words).stdout)
        assert len(told["days"]) == 1
        return str(told["run"]["runs"][0]["sha256"])

    assert again() == digest
    assert again("--latency-ms", "40") != digest


def test_digest_is_of_the_recordings_content_wherever_it_lies(
    run: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    """Another folder and name, compressed in another way; other hashes, time zone and user: the promise of the docs."""
    _, out = run
    digest = loads((out / "backtest.json").read_text())["runs"][0]["sha256"]
    copy, own, home = tmp_path / "elsewhere" / "mine.txt.gz", tmp_path / "own", tmp_path / "home"
    for folder in (copy.parent, own, home):
        folder.mkdir()
    copy.write_bytes(gzip.compress(gzip.decompress(KEPT.read_bytes()), 1))
    words = ["../elsewhere/mine.txt.gz", *CLOSE, "--fees", "0,0.002", "--out", "again"]
    backtest_apart(own, *words, variables={"PYTHONHASHSEED": "11", "TZ": "Asia/Tokyo", "HOME": str(home)})
    assert loads((own / "again" / "backtest.json").read_text())["runs"][0]["sha256"] == digest
    for name in ("performance_20261128.json", "fills.jsonl"):
        assert (own / "again" / name).read_bytes() == (out / name).read_bytes()


def test_failed_run_leaves_no_folder(tmp_path: Path) -> None:
    """What goes wrong is known after the folder was made; the next try finds nothing in its way."""
    for words, said in ((["nope.gz"], "cannot read nope.gz"), ([KEPT, KEPT], "one recording after the other")):
        assert said in backtest(tmp_path, *words, "--out", "first", code=1).stderr
        assert list(tmp_path.iterdir()) == []


def test_strategy_is_a_file_or_a_model(tmp_path: Path) -> None:
    """The example that `up --strategy` runs; a model by its name, though the settings name a file."""
    example = CLI.parent / "examples" / "strategy.py"
    parameters = ("--set", "maker.parameters.half_spread=0.0001", "--set", "maker.parameters.lean=0")

    def told(*words: str | Path) -> Any:
        return json.loads(backtest(tmp_path, KEPT, "--json", *words).stdout)["run"]

    ladder = told("--strategy", example, *parameters)
    assert ladder["fills"] > 0
    assert ladder["runs"][0]["strategy"] == {
        "file": str(example),
        "sha256": sha256(example.read_bytes()).hexdigest(),
        "parameters": {"half_spread": "0.0001", "lean": "0.0", "steps": "2", "qty": "0.005"},
    }
    (tmp_path / "tickbus.toml").write_text(f'[maker]\nstrategy = "{example}"\nhalf_spread = "0.0001"\n')
    assert told("--strategy", "symmetric")["fills"] not in (0, ladder["fills"])


def test_run_without_a_fill_says_why(tmp_path: Path) -> None:
    """`Trades: 0` alone looks like a market in which nothing happened."""
    (tmp_path / "small.py").write_text(
        """
from market.codes import Side
from trading.quoting import Quote
from trading.strategy import Wanted


def step(now_ns, inbox, *, lots: int = 1):
    bids = [Quote(Side.BUY, inbox.depth.bids[0].price_ticks - 1, lots)] if lots else []
    return Wanted(bids, idle={} if lots else dict.fromkeys(Side, "it is Sunday"))
"""
    )
    done = backtest(tmp_path, KEPT, "--strategy", "small.py")
    assert re.fullmatch(
        r"note: no quote was filled: (\d+) of \1 were declined, \1 times for REFUSED: paper: "
        r"Filter failure: NOTIONAL \(-1013\)\n",
        done.stderr,
    )
    done = backtest(tmp_path, KEPT, "--strategy", "small.py", "--set", "maker.parameters.lots=0")
    assert re.fullmatch(
        r"note: no quote was filled: none was sent, \d+ times for STRATEGY: it is Sunday\n", done.stderr
    )


def test_faults_of_a_recording_are_told_and_traded_on(tmp_path: Path) -> None:
    """A gap is no reason not to look, and none to be silent."""
    lines = gzip.decompress(KEPT.read_bytes()).decode().splitlines()
    updates = [number for number, line in enumerate(lines) if "depthUpdate" in line]
    del lines[updates[len(updates) // 2]]
    (tmp_path / "gap").write_text("\n".join(lines) + "\n")
    done = backtest(tmp_path, "gap", *CLOSE)
    assert done.stderr == "note: gap: 1 gap in the depth updates\n"
    assert "Performance 2026-11-28" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope.gz"], "cannot read nope.gz: No such file or directory"),
        ([str(CLI)], "cli.py line 1: expected `<receive time, ns> <message JSON>`"),
        ([str(KEPT), "--fees", "1"], "expected --fees MAKER,TAKER as 0.001,0.001, each from 0 to 0.1, was '1'"),
        ([str(KEPT), "--fees", "0,9"], "expected --fees MAKER,TAKER as 0.001,0.001, each from 0 to 0.1, was '0,9'"),
        ([str(KEPT), "--queue", "front"], "flow.queue_model: expected"),
        ([str(KEPT), "--set", "maker.half_spread"], "expected --set KEY=VALUE"),
        (
            [str(KEPT), "--set", "flow.speed=2"],
            "--set flow.speed: nothing here reads it; what is read is symbol, symbols",
        ),
        ([str(KEPT), "--set", "paper.order_delay_ms=2"], "--set paper.order_delay_ms: nothing here reads it"),
        ([str(KEPT), "--set", "no.such=2"], "no: no such setting"),
        (
            [str(KEPT), "--strategy", "nobody"],
            "expected a file, or one of the models symmetric, volatility, avellaneda-stoikov, glft, was 'nobody'",
        ),
        ([str(KEPT), "--strategy", "no.py"], "maker.strategy: expected a file, was 'no.py': No such file"),
        ([str(KEPT), "--jitter-from", "no.gz"], "--jitter-from: cannot read no.gz: No such file or directory"),
        ([str(KEPT), "--symbol", "ETHUSDT"], "the desk trades ETHUSDT, recorded is BTCUSDT"),
        ([str(KEPT), "--out", "."], "expected a new folder, and there is . already"),
        ([str(KEPT), "--out", "mine/first"], "cannot make mine/first: "),
        ([str(KEPT), str(KEPT)], "expected one recording after the other"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    """Before anything runs, and without a traceback."""
    (tmp_path / "mine").write_text("mine")
    done = backtest(tmp_path, *words, code=2 if said.startswith(OF_THE_LINE) else 1)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
