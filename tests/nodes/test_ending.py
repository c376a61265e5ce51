"""A node that is told to end before it serves."""

from pathlib import Path

import pytest

from desk.settings import Settings
from nodes.node import Node


def test_an_end_that_a_compiler_has_swallowed_is_not_lost(tmp_path: Path) -> None:
    """What a signal raises in a callback of the compiler's never gets out of it: the node would serve on."""
    settings = Settings(run_dir=tmp_path)
    node = Node(settings.plan.named(["engine"])[0], settings)
    with pytest.raises(SystemExit):
        node.end()
    loop = node.poll_loop()
    turns: list[None] = []

    def serve() -> None:
        turns.append(None)
        loop.stop()

    loop.every(1, serve)
    loop.run()
    assert turns == []
    node.close()
