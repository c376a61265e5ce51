"""What the tracker's node is run in by tests: a loop that turns when it is told to."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.reports.fills import BTC


class ScriptedNode:
    """What the tracker needs of its node: a loop that turns once for each of `turns`, a log, and figures."""

    def __init__(self, turns: list[Callable[[], None]]) -> None:
        self.turns = turns
        self.settings = SimpleNamespace(tracker=SimpleNamespace(interval_s=5.0), instrument=BTC)
        self.log = self
        self.warnings: list[str] = []
        self.figures: dict[str, Any] = {}
        self.files: set[str] = set()

    def poll_loop(self) -> "ScriptedNode":
        """Return a loop."""
        return self

    def every(self, interval_ms: float, action: Callable[[], None]) -> None:
        """Take what is to be done with every turn."""
        assert interval_ms == 5_000
        self._action = action

    def run(self) -> None:
        """Turn."""
        for turn in self.turns:
            turn()
            self._action()

    def warning(self, event: str, why: str) -> None:
        """Take a line of the log."""
        self.warnings.append(f"{event}: {why}")

    def ready(self, file: str) -> None:
        """Take the word that all is well."""
        self.files.add(file)

    def show(self, **figures: Any) -> None:
        """Take figures."""
        self.figures |= figures
