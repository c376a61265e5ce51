"""`faults run` at a real desk: a line for each switch, and none that outlives its scenario, whatever ends what."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.desk.desk_process import CLI, PATIENCE_S, Desk, short_directory, until
from tests.desk.test_venue_faults import armed, status_of

EXCHANGE = ("--only", "engine", "--only", "paper")
LONG = {"at_s": 0, "switch": "mute", "value": {"streams": "market", "account": 1}, "for_s": 600}


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """An exchange alone: what is set is no trouble to anybody."""
    with short_directory() as path:
        one = Desk(path / "run", *EXCHANGE).start()
        yield one
        one.end()


@pytest.fixture
def running(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """A scenario that has set a switch for ten minutes and BTCUSDT's halt for as long."""
    halt = {"at_s": 0, "switch": "halt", "value": {"symbol": "BTCUSDT"}, "for_s": 600}
    with started(desk, LONG, halt) as process:
        until("both are set", lambda: len(armed(desk)) == 2)
        yield process
        process.terminate()  # where its test has failed: the next one is to find none of its switches
        process.communicate(timeout=PATIENCE_S)
    assert armed(desk) == []
    until("BTCUSDT trades again", lambda: status_of(desk) == "TRADING")


def written(desk: Desk, *rows: dict[str, Any]) -> Path:
    """Return a file with those rows."""
    path = desk.run_dir.parent / "scenario.toml"
    path.write_text("\n".join("[[rows]]\n" + "\n".join(f"{name} = {_toml(row[name])}" for name in row) for row in rows))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {json.dumps(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


@contextmanager
def started(desk: Desk, *rows: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Start a scenario, and leave none behind: another test would be told of its pipes."""
    command = [sys.executable, str(CLI), "faults", "run", str(written(desk, *rows)), "--run-dir", str(desk.run_dir)]
    with subprocess.Popen(
        command, env=desk.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_tells_each_switch_in_a_line(desk: Desk) -> None:
    """In the order of their times; what happens at once is told with what came of it."""
    rows = (
        {"at_s": 0.5, "switch": "silent_cancel", "value": {"account": 1}},
        {"at_s": 0, "switch": "mute", "for_s": 1},
        {"at_s": 0, "switch": "delay", "value": {"ms": 0, "path": "nowhere"}, "for_s": 2},
    )
    with started(desk, *rows) as process:
        output, error = process.communicate(timeout=PATIENCE_S)
    assert error == ""
    said = [line.partition(" s  ")[2] for line in output.splitlines()]
    assert said == [
        "row 2  mute  is set for 1 s",
        "row 3  delay  is set for 2 s",
        "row 1  silent_cancel  cancelled: []",
        "row 2  mute  is over",
        "row 3  delay  is over",
    ]
    assert armed(desk) == []


def test_says_what_is_wrong_before_it_sets_anything(desk: Desk) -> None:
    """Each in a line; the row that is right is not set either."""
    done = desk.cli("faults", "run", str(written(desk, LONG, {"at_s": 1, "switch": "fire"}, {"switch": "wipe"})))
    assert done.returncode == 1
    assert [line.partition("scenario.toml: ")[2][:6] for line in done.stderr.splitlines()] == ["row 2:", "row 3:"]
    assert (done.stdout, armed(desk)) == ("", [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_clears_what_is_set(running: subprocess.Popen[str], number: signal.Signals) -> None:
    """And the exit code says that it was interrupted; the fixture looks that nothing is left."""
    running.send_signal(number)
    output, error = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, error) == (130, "")
    assert output.count("is cleared") == 2


def test_a_reader_that_goes_away_clears_what_is_set(running: subprocess.Popen[str]) -> None:
    """`faults run FILE | head -1`: without a word, for there is nobody to hear it."""
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(timeout=PATIENCE_S) == 1
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stdout = None


def test_two_at_once_are_refused(desk: Desk, running: subprocess.Popen[str]) -> None:
    """The first goes on."""

    def answered() -> subprocess.CompletedProcess[str] | None:
        done = desk.cli("faults", "run", str(written(desk, LONG)))
        return None if "does not answer" in done.stderr else done  # a desk on a busy machine, within 2 s

    second = until("the second is answered", answered)
    assert second.returncode == 1
    assert second.stderr.startswith(f"error: a scenario is already running, pid {running.pid} ")
    assert len(armed(desk)) == 2
    running.terminate()
    running.wait(timeout=PATIENCE_S)


def test_an_exchange_that_died_has_no_switch_left(desk: Desk, running: subprocess.Popen[str]) -> None:
    """It forgets its switches; a halt, which its engine keeps, is taken back by the scenario."""
    desk.kill("paper")
    output, _ = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0
    assert output.count("is gone with the exchange, which has begun anew") == 2
    assert "row 2  halt  BTCUSDT" in output


def test_a_scenario_that_is_killed_leaves_nothing_for_longer_than_it_said(desk: Desk) -> None:
    """The exchange clears by itself, a halt at the engine, too; and another scenario can be run."""
    halt = {"at_s": 0, "switch": "halt", "value": {"symbol": "BTCUSDT"}, "for_s": 3}
    with started(desk, LONG | {"for_s": 3}, halt):
        until("both are set", lambda: len(armed(desk)) == 2)
    until("both are over", lambda: armed(desk) == [])
    until("BTCUSDT trades again", lambda: status_of(desk) == "TRADING")
    assert desk.cli("faults", "run", str(written(desk, {"at_s": 0, "switch": "mute", "for_s": 1}))).returncode == 0


def test_a_halt_of_the_operator_is_no_scenario_s_to_take_back(desk: Desk) -> None:
    """Guards a kill switch that a practice run switched off again."""
    assert desk.cli("halt", "--symbol", "BTCUSDT").returncode == 0
    until("it is halted", lambda: status_of(desk) == "CANCEL_ONLY")
    halt = {"at_s": 0, "switch": "halt", "value": {"symbol": "BTCUSDT"}, "for_s": 1}
    done = desk.cli("faults", "run", str(written(desk, halt)))
    assert done.returncode == 1
    assert "is not set: the paper exchange refused: BTCUSDT is halted already, by its operator" in done.stdout
    assert status_of(desk) == "CANCEL_ONLY"
    assert desk.cli("resume", "--symbol", "BTCUSDT").returncode == 0


def test_a_desk_that_stops_ends_its_scenario(desk: Desk) -> None:
    """The last test of the module: it ran on to its last row, and set none; a halt that nobody takes back is said."""
    halt = {"at_s": 0, "switch": "halt", "value": {"symbol": "BTCUSDT"}, "for_s": 600}
    with started(desk, LONG, halt, {"at_s": 500, "switch": "mute", "for_s": 1}) as process:
        try:
            until("both are set", lambda: len(armed(desk)) == 2)
        finally:
            desk.end()
        output, error = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, error) == (1, "")
    assert "row 1  mute  is gone with the desk, which has stopped" in output
    assert "row 2  halt  stays, and the desk has stopped; when it is up again: python cli.py resume" in output
    assert "row 3  mute  is not set: the desk has stopped" in output
