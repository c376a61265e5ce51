"""A desk's own exchange is recorded over its public streams, checked, and replayed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flow.recordings.recording import BookTicker, read_recording
from flow.replay import ReplayFlow, ReplaySettings
from market.clock import NS_PER_SECOND
from tests.desk.desk_process import BTCUSDT, CLI, PATIENCE_S, Desk, short_directory, until
from tests.flow.simulated_market import FLOW_OWNER, SimulatedMarket


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A market without anybody but its flow, which goes on whatever records it."""
    with short_directory() as path:
        one = Desk(path / "run", *(word for node in ("engine", "paper", "flow") for word in ("--only", node)))
        try:
            yield one.start("--flow", "synthetic:normal")
        finally:
            one.end()


@contextmanager
def recorder(desk: Desk, path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A `record` that goes on until it is stopped."""
    words = ["record", "--out", str(path), *more, "--run-dir", str(desk.run_dir)]
    one = subprocess.Popen([sys.executable, str(CLI), *words], stdout=-1, stderr=-1, text=True)
    try:
        yield one
    finally:
        one.kill()
        one.communicate()


def info(desk: Desk, path: Path) -> Any:
    return desk.cli_json("recording", "info", str(path))


@pytest.mark.slow
def test_recording_of_a_desk_is_whole_and_its_replay_is_the_market_again(desk: Desk, tmp_path: Path) -> None:
    """Guards streams, files, their order and the signal: Ctrl-C leaves files that follow one on the other."""
    second = tmp_path / "own-2.gz"
    with recorder(desk, tmp_path / "own.gz", "--file-minutes", "0.05") as process:
        until("a second file has begun", lambda: second.exists() and second.stat().st_size > 0)
        process.send_signal(signal.SIGINT)
        told, noted = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, noted
    paths = [tmp_path / "own.gz", *sorted(tmp_path.glob("own-*.gz"))]
    assert all(str(path) in told for path in paths)
    for path in paths:
        assert desk.cli("recording", "check", str(path)).returncode == 0, path
    flow = ReplayFlow(BTCUSDT, ReplaySettings(tuple((path,) for path in paths)), FLOW_OWNER, count(10**12))
    market = SimulatedMarket(flow)
    market.run(60 * NS_PER_SECOND)
    assert flow.is_finished
    assert flow.summary()["gap_count"] == 0
    assert float(flow.summary()["matching_share"]) > 0.99
    records = (record for path in paths for record in read_recording(path, BTCUSDT))  # the last may be of a moment
    *_, last = (record for record in records if isinstance(record, BookTicker))
    assert market.exchange.engine.best(0)[::2] == (last.bid.price_ticks, last.ask.price_ticks)


def test_end_tells_what_is_in_the_file(desk: Desk, tmp_path: Path) -> None:
    """What is written when the file is closed was not counted: of a short recording nearly all."""
    path = tmp_path / "own.gz"
    told = desk.cli("record", "--minutes", "0.03", "--out", str(path)).stdout
    assert f" lines, {path.stat().st_size:,} bytes, 0 gaps: {path}" in told
    assert path.stat().st_size > 1_000


@pytest.mark.slow
def test_exchange_that_dies_leaves_a_mark_and_a_recorder_that_is_killed_a_whole_file(
    desk: Desk, tmp_path: Path
) -> None:
    """Guards the gap, and the row of members: neither loses what was written before."""
    path = tmp_path / "own.gz"
    with recorder(desk, path) as process:
        until("something is written", lambda: path.exists() and path.stat().st_size > 0)
        until("the first book is written", lambda: info(desk, path)["counts"].get("Snapshot", 0) > 0)
        desk.kill("paper")
        until("the book goes on", lambda: info(desk, path)["counts"].get("Snapshot", 0) > 1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    check = desk.cli("recording", "check", str(path))
    assert check.returncode == 1
    assert "1 gap that the recorder has marked" in check.stdout
    assert "expected a whole gzip file" not in check.stdout


@pytest.mark.slow
def test_disk_that_takes_no_more_ends_it_with_one_line_and_a_whole_file(desk: Desk, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the last member is taken in half."""
    path = tmp_path / "own.gz"
    words = ["record", "--out", str(path), "--run-dir", str(desk.run_dir)]
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 40; exec "$@"', "sh", sys.executable, str(CLI), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: cannot write the recording {path}: File too large; what is written of it is whole\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert desk.cli("recording", "check", str(path)).returncode == 0
