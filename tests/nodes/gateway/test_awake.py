"""Which nodes stay awake for a moment after a message."""

from contextlib import closing
from pathlib import Path

import pytest

from desk.settings import Settings
from market.clock import NS_PER_MS
from nodes.node import Node
from tests.desk.desk_process import short_directory

TOGETHER = ("engine", "gateway")


@pytest.mark.parametrize(
    ("colocated", "is_awake", "spin_ns"), [((), True, NS_PER_MS), ((), False, 0), (TOGETHER, True, 0)]
)
def test_stays_awake_for_orders_alone_and_never_as_one_thread_of_several(
    colocated: tuple[str, ...], is_awake: bool, spin_ns: int
) -> None:
    """Threads share the interpreter: with two that stayed awake an order took 180 ms at 20,000 a second."""
    with short_directory() as path, closing(node_in(path, colocated)) as node:
        assert node.poll_loop(is_awake=is_awake)._spin_ns == spin_ns


def node_in(path: Path, colocated: tuple[str, ...]) -> Node:
    """Return the engine's node of a run directory with default settings."""
    settings = Settings(run_dir=path)
    return Node(settings.plan.named(["engine"])[0], settings, colocated)
