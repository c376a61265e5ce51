"""A strategy of one's own on a real desk: it quotes, and when it is wrong nothing of it is left."""

import os
import signal

from market.codes import Side
from tests.desk.desk_process import LEAN, Desk, until
from tests.desk.test_endings import _open_orders
from tests.docs.programs import ROOT

WRONG = """
from pathlib import Path
from market.codes import Side
from trading.quoting import Quote
from trading.strategy import Wanted

def step(now_ns, inbox):
    if Path(__file__).with_suffix(".now").exists():
        raise RuntimeError("it is time")
    return Wanted([Quote(Side.BUY, level.price_ticks - 20_000, 1_000) for level in inbox.depth.bids[:1]])
"""


def test_example_quotes_its_ladder(desk: Desk) -> None:
    """Three a side: two, as the file says, but for what is set beside its name."""
    desk.environment["TICKBUS_MAKER__PARAMETERS__STEPS"] = "3"
    desk.start(*LEAN, "--strategy", str(ROOT / "examples" / "strategy.py"))

    def is_quoting() -> bool:
        sides: list[object] = [side for side, _ in _open_orders(desk.run_dir)]
        return (sides.count(Side.BUY), sides.count(Side.SELL)) == (3, 3)

    until("three quotes a side are open", is_quoting)
    desk.stop()
    assert _open_orders(desk.run_dir) == []


def test_strategy_that_raises_leaves_nothing_and_says_where(desk: Desk) -> None:
    """It had an order in the book: the maker ends with one line, and takes the order away first."""
    path = desk.run_dir.parent / "mine.py"
    path.write_text(WRONG)
    desk.start(*LEAN, "--strategy", str(path))
    said = f"why='{path}, line 9: RuntimeError: it is time'"
    until("a quote is open", lambda: _open_orders(desk.run_dir))
    path.with_suffix(".now").touch()
    until("the maker has said so", lambda: said in desk.log("maker"))
    log = desk.log("maker")
    assert "Traceback" not in log
    assert log.index("event='cancelled'") < log.index(said)
    until("the supervisor has seen it", lambda: desk.node("maker")["restarts"])
    assert f"s: {path}, line 9: RuntimeError: it is time; restarting in" in desk.stop()
    assert _open_orders(desk.run_dir) == []


def test_strategy_that_cannot_be_used_is_said_before_anything_runs(desk: Desk) -> None:
    """One line, and no desk."""
    up = desk.cli("up", "--strategy", "nowhere.py")
    assert (up.returncode, up.stdout) == (1, "")
    assert up.stderr.strip() == "error: maker.strategy: expected a file, was 'nowhere.py': No such file or directory"


def test_what_a_killed_maker_has_left_is_taken_away_though_its_strategy_is_gone(desk: Desk) -> None:
    """Its successor cannot quote; the quotes of before would stand until somebody mends the file."""
    path = desk.run_dir.parent / "mine.py"
    path.write_text(WRONG)
    desk.start(*LEAN, "--strategy", str(path))
    until("a quote is open", lambda: _open_orders(desk.run_dir))
    path.unlink()
    os.kill(desk.node("maker")["pid"], signal.SIGKILL)
    until("its order is gone", lambda: not _open_orders(desk.run_dir))
    until("its successor has said why", lambda: f"maker.strategy: expected a file, was '{path}'" in desk.log("maker"))
    desk.stop()
