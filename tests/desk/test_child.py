"""A process of the desk, as its supervisor sees it."""

import subprocess
import sys

import pytest

from desk.lifecycle import Child, NodeState
from desk.settings import load_settings


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
