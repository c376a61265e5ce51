"""A journal of decisions that holds anything: what is none is left out and told, and nothing else is lost."""

from pathlib import Path

import pytest

from desk.decisions_file import DecisionsFile, decisions_path
from market.clock import NS_PER_MS, iso_time
from market.exact_json import JsonObject
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import SetClock, made_trades
from tests.nodes.tracker.test_historian import Kept
from tests.reports.fills import DAY, DAY_MS, NOON_MS
from tests.reports.scripted_venue import ScriptedVenue


@pytest.fixture
def kept(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Kept:
    """Return a tracker that has not begun, with a folder."""
    folder.path.mkdir()
    return Kept(folder, venue, clock)


def _decide(run_dir: Path, name: str, day: int = 0, **strange: object) -> None:
    row: JsonObject = {"time": iso_time(NOON_MS - day * DAY_MS), "symbol": "BTCUSDT", "client_order_id": name}
    DecisionsFile(run_dir).write([row | strange], (NOON_MS - day * DAY_MS) * NS_PER_MS)


def _kept_names(kept: Kept) -> list[str]:
    return [row[0] for row in kept.ask("SELECT client_order_id FROM decisions ORDER BY id")]


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        ({"price": "abc"}, "price must be a number, was 'abc'"),
        ({"qty": True}, "qty must be a number, was 'True'"),
        ({"symbol": None}, "symbol must be there"),
        ({"rule": {"a": 1}}, "rule must be text of at most 64 characters, was {'a': 1}"),
        ({"why": "\ud800"}, "why must be text, was '\\ud800'"),
        ({"side": "BUYING"}, "side must be text of at most 4 characters, was 'BUYING'"),
        ({"time": "2025-11-30T12:00:00"}, "time must be one, in UTC, was '2025-11-30T12:00:00'"),
        ({"level": "1"}, "level must be a whole number up to 2147483647, was '1'"),
        ({"level": 2**80}, "level must be a whole number up to 2147483647, was '1208925819614629174706176'"),
        ({"time": 5}, "time must be one, in UTC, was '5'"),
    ],
)
def test_a_line_that_is_no_decision_is_told_and_left_out(kept: Kept, strange: JsonObject, why: str) -> None:
    """It stood in the way of every later decision, and of forgetting what is too old."""
    kept.venue.trades_of_all = [*made_trades(1, 3, NOON_MS - 2_000 * DAY_MS), *made_trades(4, 2)]
    _decide(kept.folder.path, "before")
    _decide(kept.folder.path, "bad", **strange)
    _decide(kept.folder.path, "after")
    kept.step()
    name = decisions_path(kept.folder.path, DAY).name
    assert kept.notes == (f"1 line of {name} cannot be kept in the history, left out: {why}",)
    kept.step()
    assert not kept.notes
    assert _kept_names(kept) == ["before", "after"]
    assert kept.ids() == [4, 5], "what is too old has gone"


def test_a_line_that_never_ends_costs_only_itself(kept: Kept) -> None:
    """More than is read at once without a line's end was read again and again."""
    _decide(kept.folder.path, "before")
    with decisions_path(kept.folder.path, DAY).open("ab") as file:
        file.write(b"[" * 1_200_000 + b"\n")
    _decide(kept.folder.path, "after")
    for _ in range(6):
        kept.step()
    assert _kept_names(kept) == ["before", "after"]


@pytest.mark.parametrize("name", ["decisions_20251332.jsonl", "decisions_00000000.jsonl"])
def test_a_file_of_no_day_is_somebody_elses(kept: Kept, name: str) -> None:
    """It ended the tracker."""
    (kept.folder.path / name).write_text("{}\n")
    _decide(kept.folder.path, "one")
    kept.step()
    assert (kept.notes, _kept_names(kept)) == ((), ["one"])
    assert (kept.folder.path / name).exists()


def test_a_file_that_may_not_be_read_stands_in_the_way_of_no_other(kept: Kept) -> None:
    """As one that another user has written; it is told, and read when it can be."""
    _decide(kept.folder.path, "hidden", day=1)
    _decide(kept.folder.path, "one")
    path = decisions_path(kept.folder.path, DAY.replace(day=29))
    aside = path.with_name("aside")
    path.rename(aside)
    path.mkdir()  # root may read what no other may, but no folder
    kept.step()
    (note,) = kept.notes
    assert note == f"{path.name} cannot be read, its decisions are not in the history: Is a directory"
    assert _kept_names(kept) == ["one"]
    path.rmdir()
    aside.rename(path)
    kept.step()
    assert (kept.notes, _kept_names(kept)) == ((), ["one", "hidden"])
