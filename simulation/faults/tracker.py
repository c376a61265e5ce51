"""The tracker as a process that may die: the same bookkeeper, its calls of the exchange, and its files on the disk."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from desk.settings import Settings
from market.clock import NS_PER_MS
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from simulation.calls import SimulatedAccount
from simulation.faults.door import Door
from simulation.faults.life import Killed, Life
from venues.venue import VenueError

TRACKER: Final = "tracker"
_INTERVAL_NS: Final = 500 * NS_PER_MS


class MortalFolder(ReportsFolder):
    """A folder of daily files whose process may die before, in the middle of, and after each write."""

    life: Life

    def write_bytes(self, day: date, content: bytes) -> Path:
        """Replace the file of `day`."""
        self.life.point("write the daily file")
        try:
            self.life.point("rename the daily file")
        except Killed:  # what `write_whole` has made by then; nobody reads it
            self.path.joinpath(f"{self.file_of(day).name}.tmp").write_bytes(content[: len(content) // 2])
            raise
        path = super().write_bytes(day, content)
        self.life.point("have written the daily file")
        return path


class Account(SimulatedAccount):
    """The desk's account, asked by a process that may die before and after each answer."""

    life: Life

    def _answer(self, method: str, path: str, given: Mapping[str, object]) -> Any:
        self.life.point(f"ask {path}")
        answer = super()._answer(method, path, given)
        self.life.point("have an answer")
        return answer


class TrackerProcess:
    """A tracker; it keeps the daily files.

    Attributes:
        write_count: how often it has read the account and written what there was.
    """

    def __init__(self, life: Life, door: Door, settings: Settings, path: Path) -> None:
        account, folder = Account(door), MortalFolder(path)
        account.life = folder.life = life
        self._bookkeeper = Bookkeeper(
            account, settings.instrument, folder, life.now, settings.market, settings.instruments
        )
        self.write_count = 0
        life.every(_INTERVAL_NS, self._update)

    def _update(self) -> None:
        """Do what the tracker's node does, again and again."""
        try:
            self._bookkeeper.update(is_final=False)
            self.write_count += 1
        except VenueError:
            self._bookkeeper.write()
