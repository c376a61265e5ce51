"""`stop NODE` and `start NODE`: what they say has happened."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.desk.desk_process import Desk, short_directory, until
from tests.desk.test_endings import _open_orders, _quoting


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One desk for both tests, the second of which stops it."""
    with short_directory() as path:
        one = Desk(path / "run", "--without", "gateway", "--without", "api")
        try:
            yield one.start()
        finally:
            one.end()


def test_a_stopped_maker_has_cancelled_its_orders_and_stays_stopped(desk: Desk) -> None:
    """The bot is stopped, the engine keeps running; the supervisor does not bring it back by itself."""
    _quoting(desk.run_dir)
    stopped = desk.cli("stop", "maker")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert stopped.stdout.startswith("maker is stopped")
    assert _open_orders(desk.run_dir) == []
    desk.kill("tracker")  # whose restart would be the maker's, too, if that were not left alone
    assert desk.node("maker")["state"] == "stopped"
    assert desk.node("engine")["state"] == "ready"
    assert "stopped" in desk.cli("status").stdout
    again = desk.cli("stop", "maker")
    assert again.returncode == 0, again.stderr
    started = desk.cli("start", "maker")
    assert started.returncode == 0, started.stderr
    _quoting(desk.run_dir)

    os.kill(desk.node("maker")["pid"], signal.SIGKILL)
    until("its supervisor knows", lambda: desk.node("maker")["state"] != "ready")
    assert desk.cli("stop", "maker").returncode == 0
    assert _open_orders(desk.run_dir) == [], "of a maker that was killed before it could cancel"

    needed = desk.cli("stop", "engine")
    assert needed.returncode == 0, needed.stderr
    assert "needed by paper, flow, which" in needed.stdout
    assert desk.cli("start", "engine").returncode == 0
    assert desk.cli("stop", "nobody").stderr.startswith("error: this desk runs no nobody; its nodes are engine,")


def test_a_stop_that_leaves_orders_says_so(desk: Desk) -> None:
    """While the exchange is away, a maker cannot cancel: exit code 1, and which orders may be left.

    How many are is nobody's to say: the maker cancels while an exchange that has said that it goes still answers.
    """
    until("whom the engine was needed by is back", lambda: _are_ready(desk, "paper", "flow"))
    assert desk.cli("start", "maker").returncode == 0
    _quoting(desk.run_dir)
    assert desk.cli("stop", "paper").returncode == 0
    result = desk.cli("stop", "maker")
    assert result.returncode == 1
    assert result.stderr.startswith("error: maker is stopped, but: ")
    assert "may be left at the venue" in result.stderr
    failed = desk.cli("start", "maker")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: maker did not get ready: ")
    assert desk.cli("start", "paper").returncode == 0
    until("the supervisor goes on trying", lambda: desk.node("maker")["state"] == "ready")
    desk.stop()
    assert _open_orders(desk.run_dir) == []


def _are_ready(desk: Desk, *names: str) -> bool:
    return all(desk.node(name)["state"] == "ready" for name in names)
