"""A store whose records did not name their engine is written anew once."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from journal.journal import Journal
from market.clock import NS_PER_SECOND
from sessions.first_version import COMMANDS, FormerRecord
from sessions.report_record import REPORTS, ReportRecord
from sessions.session_store import NAMES_FILE, Position, SessionStore, StoredSession

ONE = StoredSession("one", 0, 0, 0, False)
FIRST, OTHER = 10**18, 10**18 + 7
STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


def write(folder: Path, records: Sequence[FormerRecord], **names: Any) -> None:
    """Write a store as a gateway of before did."""
    folder.mkdir()
    with Journal(folder / "reports-0", COMMANDS, (), 1) as journal:
        journal.recover(lambda *_: None)
        journal.append(records, 0)
    document = {"version": 1, "generation": 0, "sessions": [ONE._asdict()], **names}
    (folder / NAMES_FILE).write_text(json.dumps(document))


def record(epoch: int, first: int, count: int = 1) -> FormerRecord:
    """Return a record of so many reports."""
    return FormerRecord(epoch, first, 1, count, 0, b"a" * count)


def recovered(folder: Path) -> tuple[list[ReportRecord], dict[str, Position]]:
    """Return all that a new life is given, and where its links go on."""
    found: list[ReportRecord] = []
    store = SessionStore(folder)
    store.recover(lambda _, one: found.append(one))
    store.close()
    return found, store.positions


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_gives_every_record_to_the_engine_of_its_epoch(tmp_path: Path, step_ns: int) -> None:
    """However the clock was set; one of an epoch that is over belongs to no engine of now, and moves none of them."""
    folder, second = tmp_path / "gateway", FIRST + step_ns
    records = [record(FIRST, 1, 2), record(OTHER, 11), record(second, 0), record(second, 1, 4), record(OTHER, 12)]
    write(folder, records, position=[OTHER, 11], more_positions={"engine2": [second, 0]}, after=2)
    for _ in range(2):
        found, positions = recovered(folder)
        assert positions == {"engine": Position(OTHER, 12), "engine2": Position(second, 4)}
        assert [one[1:] for one in found] == [(one.epoch, one.first_sequence, *one[3:]) for one in records]
        assert [one.engine for one in found[1:]] == [b"engine", b"engine2", b"engine2", b"engine"]


def test_one_of_an_engine_alone_need_not_say_when_it_was_written(tmp_path: Path) -> None:
    """The oldest did not; the last record counts."""
    write(tmp_path / "gateway", [record(7, 11, 2), record(7, 13, 2)], position=[7, 12])
    assert recovered(tmp_path / "gateway")[1] == {"engine": Position(7, 14)}


def test_a_try_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    """A half of the new files counts for nothing while the names are those of before; nor does a torn tail."""
    folder = tmp_path / "gateway"
    write(folder, [record(7, 1), record(7, 2)], position=[7, 0], after=0)
    (folder / "reports-0" / REPORTS.file_name(1)).write_bytes(b"half")
    (former,) = (folder / "reports-0").glob("commands-*")
    os.truncate(former, former.stat().st_size - 1)
    found, positions = recovered(folder)
    assert (len(found), positions) == (1, {"engine": Position(7, 1)})
