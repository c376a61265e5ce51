"""A tracker whose disk takes nothing, or whose venue is away, while it runs: all is there when that has passed."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from market.exact_json import JsonObject
from nodes.node import Node
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.historian import Historian
from nodes.tracker.node import TrackerNode
from reports import bookkeeping as bookkeeping_module
from reports.folder import ReportsFolder
from reports.performance import is_sound
from tests.full_disk import full_disk
from tests.nodes.tracker.accounts import MIDNIGHT_MS, SetClock, ids, made_trades
from tests.nodes.tracker.scripted_node import ScriptedNode
from tests.reports.fills import BTC, DAY
from tests.reports.scripted_venue import ScriptedVenue
from venues.venue import VenueUnavailableError

TURN_MS = 31_000  # the history is left alone for half a minute after it has failed


class Tracker:
    """A tracker with its history, that turns when it is told to.

    Attributes:
        figures: what `status` has of it after the last turn.
    """

    def __init__(self, folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
        self.folder, self.venue, self.clock = folder, venue, clock
        self.path = folder.path / "history.sqlite3"
        self.number = 0
        self.start()

    def start(self) -> None:
        """Begin as a process that knows nothing; what the one before knew is lost."""
        self.node = ScriptedNode([])
        self.historian = Historian(self.path, self.venue, "paper", self.folder.path, self.clock)
        books = Bookkeeper(self.venue, BTC, self.folder, self.clock)
        self.tracker = TrackerNode(cast("Node", self.node), books, self.historian)

    @property
    def figures(self) -> dict[str, Any]:
        """What `status` has of it."""
        return self.node.figures

    def turn(self, count: int = 7, passed_ms: int = TURN_MS, *, is_final: bool = False) -> None:
        """Let time pass and somebody trade, and do what the node does then, or when it is stopped."""
        self.clock.ms += passed_ms
        self.venue.trades_of_all += made_trades(self.number + 1, count, self.clock.ms - 1_000)
        self.number += count
        self.tracker._update(is_final=is_final)

    def document(self, back: int = 0) -> JsonObject:
        """Return a day's file, which can be read."""
        found = self.folder.read(DAY + timedelta(days=1 - back))
        assert found is not None
        return found

    def kept(self) -> list[int]:
        """Return the numbers of the trades in the history, which can be read."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT trade_id FROM trades WHERE account = 1 ORDER BY trade_id")
            return [number for (number,) in rows]


@pytest.fixture
def tracker(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Iterator[Tracker]:
    """Return a tracker that has written two minutes before midnight."""
    clock.ms = MIDNIGHT_MS - 5 * TURN_MS
    made = Tracker(folder, venue, clock)
    made.turn()
    assert not made.node.warnings
    yield made
    made.historian.close()


@pytest.mark.parametrize("is_restarted", [False, True], ids=["runs", "restarted"])
@pytest.mark.parametrize("is_over_midnight", [False, True], ids=["within", "midnight"])
@pytest.mark.parametrize("pace", [500_000, 1], ids=["short", "long"])
@pytest.mark.parametrize("what", ["disk", "venue", "both"])
def test_all_is_there_after_an_outage(
    tracker: Tracker, what: str, pace: int, is_over_midnight: bool, is_restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards every trade, once, in files and history, which can be read all the time, over midnight and a start, too.

    Of a `long` file the last trades are not on the disk when it begins.
    """
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", pace)
    monkeypatch.setattr(bookkeeping_module, "PAUSE_SECONDS_MAX", 2 * TURN_MS // 1_000)
    tracker.turn()
    tracker.turn()
    before = len(ids(tracker.document(1)))
    was_kept = tracker.kept()
    assert was_kept == list(range(1, 22))
    turns = 4 if is_over_midnight else 1
    for turn in range(turns):
        _fail(tracker, what, partial(_fail_once, tracker, is_started=turn == turns - 1 and is_restarted))
        assert tracker.kept() == was_kept
        assert before <= len(ids(tracker.document(1))) <= 21
        assert is_sound(tracker.document(1))
    for _ in range(1 if is_over_midnight else 4):
        tracker.turn()
    tracker.turn(passed_ms=2 * TURN_MS, is_final=True)
    yesterday = ids(tracker.document(1))
    assert yesterday + ids(tracker.document()) == list(range(1, tracker.number + 1)) == tracker.kept()
    assert len(yesterday) == 35
    assert is_sound(tracker.document(1))
    assert is_sound(tracker.document())
    assert tracker.figures["failing"] is tracker.figures["history_failing"] is None
    assert not list(tracker.folder.path.glob("*.tmp"))


def _fail(tracker: Tracker, what: str, act: Callable[[], None]) -> None:
    """Do something while the disk takes nothing, the venue does not answer, or both."""

    def away() -> None:
        raise VenueUnavailableError("paper is out of reach")

    if what != "disk":
        tracker.venue.on_account = away
    if what == "venue":
        act()
    else:
        with full_disk():
            act()
    tracker.venue.on_account = lambda: None


def _fail_once(tracker: Tracker, *, is_started: bool) -> None:
    if is_started:
        tracker.start()
    tracker.turn()


def _failing(tracker: Tracker, figure: str = "failing") -> dict[str, str]:
    found = tracker.figures[figure]
    assert isinstance(found, dict)
    return found


def test_status_says_so_since_when_and_why(tracker: Tracker) -> None:
    """Guards who looks at a desk: the count of failures alone did not say that the file is not of now."""
    assert tracker.figures["failing"] is None
    with full_disk():
        for _ in range(2):
            tracker.turn()
    failing = _failing(tracker)
    assert failing["why"] == "File too large"
    assert json.loads(json.dumps(tracker.figures)) == tracker.figures
    with full_disk():
        tracker.turn()
    assert _failing(tracker) == failing
    tracker.turn()
    assert tracker.figures["failing"] is None


def test_status_says_that_the_history_is_behind(tracker: Tracker, tmp_path: Path) -> None:
    """Guards the same where the daily file has room, and the database none."""
    database = tracker.historian._database
    assert database is not None
    with database.transaction() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    tracker.turn(2_000)
    assert tracker.figures["failing"] is None
    assert _failing(tracker, "history_failing")["why"] == f"{tracker.path}: database or disk is full"
    tracker.turn()
    assert tracker.figures["history_failing"] is None
    assert tracker.kept() == list(range(1, tracker.number + 1))


def test_last_update_fills_a_history_that_has_just_failed(tracker: Tracker) -> None:
    """Guards a tracker that is stopped within the half minute for which it leaves the database alone."""
    with sqlite3.connect(tracker.path) as other:
        other.execute("BEGIN EXCLUSIVE")
        tracker.turn()
        assert "locked" in _failing(tracker, "history_failing")["why"]
    other.close()
    behind = tracker.kept()
    tracker.turn(passed_ms=1_000)
    assert tracker.kept() == behind, "it is left alone"
    tracker.turn(passed_ms=1_000, is_final=True)
    assert tracker.kept() == list(range(1, tracker.number + 1))
