"""A desk at a venue whose answers lag and whose news get lost: one quote a side, and a stop that leaves nothing."""

import subprocess
import sys
import time
from collections import Counter
from typing import Final

from tests.desk.desk_process import CLI, Desk
from tests.desk.test_endings import _open_orders, _quoting
from tests.desk.test_hanging_venue import _down

WATCHED_S: Final = 20.0

SCENARIO: Final = """
seed = 7
rows = [
    { at_s = 0, switch = "late_visibility", value = { ms = 3000 }, for_s = 60 },
    { at_s = 3, switch = "drop_event", value = { streams = "account", percent = 30 }, for_s = 57 },
    { at_s = 6, switch = "silent_cancel", value = { count = 2 } },
    { at_s = 13, switch = "silent_cancel", value = { count = 1 } },
]
"""


def test_a_lagging_venue_gets_no_second_quote_and_a_stop_in_the_midst_of_it_leaves_none(desk: Desk) -> None:
    """One side's intention was filled three times, and `down` said `stopped` of a maker whose orders stayed."""
    desk.environment |= {
        "TICKBUS_MAKER__HALF_SPREAD": "0.0002",
        "TICKBUS_MAKER__REQUOTE_TOLERANCE": "0.00005",
        "TICKBUS_MAKER__NOTIONAL": "100",
    }
    desk.start()
    _quoting(desk.run_dir)
    scenario = desk.run_dir / "lag.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    placed_before = desk.node("maker")["figures"]["placed"]
    command = [sys.executable, str(CLI), "faults", "run", str(scenario), "--run-dir", str(desk.run_dir)]
    with subprocess.Popen(command, cwd=desk.run_dir.parent, env=desk.environment, stdout=subprocess.PIPE) as faults:
        until_s = time.monotonic() + WATCHED_S
        while time.monotonic() < until_s:
            sides = Counter(side for side, _ in _open_orders(desk.run_dir))
            assert max(sides.values(), default=0) <= 1, f"two orders of a side: {sides}"
            time.sleep(0.02)
        assert faults.poll() is None, "the faults are set still"
        assert desk.node("maker")["figures"]["placed"] > placed_before + 4, "it has moved"
        down = _down(desk)
        faults.terminate()  # it waits for the exchange, to clear what it has set
    assert (down.returncode, down.stderr) == (0, "")
    assert _open_orders(desk.run_dir) == []
