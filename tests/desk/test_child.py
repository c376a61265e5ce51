"""A process of the desk, as its supervisor sees it."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from desk.lifecycle import Child, Lifecycle, NodeState, killed_for, last_error
from desk.run_dir import KILLS
from desk.settings import load_settings
from desk.stopping import StopBudget


@pytest.mark.parametrize(("name", "is_left"), [("maker", True), ("tracker", False)])
def test_orders_are_left_until_a_process_has_looked_after_them(name: str, is_left: bool) -> None:
    """A maker that is killed, and whose successor is told to stop before it is ready, has orders at the venue."""
    (instance,) = load_settings({}).settings.plan.named([name])
    child = Child((NodeState(instance),))
    for code in (1, 0):
        child.process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
        child.process.wait(30)
        assert child.ended() == code
        assert child.has_left is is_left


@pytest.mark.parametrize("code", [0, 1])
def test_what_has_looked_after_orders_tells_whether_some_are_left(code: int) -> None:
    """One that failed was forgotten: neither a second `stop` nor `down` looked again."""
    (instance,) = load_settings({}).settings.plan.named(["maker"])
    child = Child((NodeState(instance),), is_cleaning=True, has_left=True)
    child.process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    child.process.wait(30)
    assert child.ended() == code
    assert child.has_left is bool(code)


TOLD = "timestamp='08:41:30Z' level='info' node='maker' event='cancelled' why='requote: 9 ticks off' order_id='7'"
WARNED = "timestamp='08:41:31Z' level='warning' node='maker' event='not quoting' why=\"it's late\" wait_s=2.0"
BUG = "timestamp='08:41:32Z' level='error' node='maker' event='stopped by a bug of ours' exception='why=1'"
TRIES_ON = "timestamp='08:41:34Z' level='warning' node='watchdog' event='it failed' why='out of reach' wait_s=0.1"
ENDED = "timestamp='08:41:33Z' level='info' node='maker' event='stopped' after_s=13.4"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "it said nothing (see {path})"),
        ([TOLD, ENDED], "it said nothing (see {path})"),
        ([WARNED, TOLD, ENDED], "it's late"),
        ([WARNED, BUG], "stopped by a bug of ours (see {path})"),
        ([WARNED, TRIES_ON], "it's late"),
        ([TOLD, "Fatal Python error: Aborted", ""], "Fatal Python error: Aborted (see {path})"),
        ([WARNED, *[TOLD] * 1_000], "it said nothing (see {path})"),
    ],
)
def test_last_error_is_a_complaint(tmp_path: Path, lines: list[str], said: str) -> None:
    """A reason for a cancel was told as what the maker had died of, with the rest of its line."""
    path = tmp_path / "maker.log"
    path.write_text("\n".join(lines))
    assert last_error(path) == said.format(path=path)


def test_who_was_killed_by_its_watchdog_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` and the desk said of SIGKILL alone; the silence stood in the maker's log."""
    path = tmp_path / "maker.log"
    path.write_text(
        f"level='warning' node='watchdog' event='{KILLS}' why='it was silent for 4 s' pid='7'\n"
        "level='warning' node='watchdog' event='takes the maker\\'s orders away' why='it has ended'\n"
    )
    assert (killed_for(path, 7), killed_for(path, 8)) == ("it was silent for 4 s", "")
    told: list[str] = []
    settings = load_settings({}).settings
    (instance,) = settings.plan.named(["maker"])
    child = Child((NodeState(instance, was_ready=True),))
    child.process = SimpleNamespace(pid=7, poll=lambda: -signal.SIGKILL)
    lives = Lifecycle(SimpleNamespace(end=lambda: None), tmp_path, StopBudget(settings), told.append)  # type: ignore[arg-type]
    lives.look_after(child)
    lives.close()
    assert child.why == "was killed by its watchdog: it was silent for 4 s"
    assert told[0].startswith("maker was killed by its watchdog: it was silent for 4 s after "), told
