"""The journal of decisions on disk: a file a day, bounded, and whole after whatever happened to it."""

import contextlib
import os
from pathlib import Path

import pytest

from desk import decisions_file
from desk.decisions_file import DAYS_MAX, DecisionsFile, decisions_path, last_decisions, placing_of, was_cancelled
from market.clock import NS_PER_MS, iso_time, utc_date
from reports.trade_history import Placing

DAY_MS = 86_400_000
DAY_NS = DAY_MS * NS_PER_MS
START_NS = 20_000 * DAY_NS
ONE = {"rule": "TOLERANCE", "numbers": {"off_ticks": 24}}


def test_begins_anew_at_midnight_utc_and_keeps_two_weeks(tmp_path: Path) -> None:
    """The day is that of the decision, to the ns; what is older than two weeks goes."""
    file = DecisionsFile(tmp_path)
    aside = tmp_path / "decisions_20000101.copy.jsonl"
    aside.touch()
    for day in range(DAYS_MAX + 2):
        file.write([{"day": day}], START_NS + day * DAY_NS)
        file.write([{"day": day}], START_NS + (day + 1) * DAY_NS - 1)
    DecisionsFile(tmp_path).write([{"day": DAYS_MAX + 1}], START_NS + (DAYS_MAX + 1) * DAY_NS)  # of a maker that is new
    kept = sorted(path.name for path in tmp_path.iterdir() if path != aside)
    assert kept == [decisions_path(tmp_path, utc_date(START_NS + day * DAY_NS)).name for day in range(2, DAYS_MAX + 2)]
    assert aside.exists(), "somebody else's"
    assert kept[0] == "decisions_20241006.jsonl"
    assert last_decisions(tmp_path, 5) == [{"day": DAYS_MAX + 1}] * 3


def test_line_that_a_kill_has_cut_costs_only_itself(tmp_path: Path) -> None:
    """The maker that comes after it begins a line of its own."""
    DecisionsFile(tmp_path).write([ONE, ONE], START_NS)
    path = decisions_path(tmp_path, utc_date(START_NS))
    path.write_bytes(path.read_bytes()[:-20])
    DecisionsFile(tmp_path).write([{"rule": "TOP_UP"}], START_NS)
    DecisionsFile(tmp_path).write([ONE], START_NS)
    assert last_decisions(tmp_path, 9) == [ONE, {"rule": "TOP_UP"}, ONE]
    assert len(path.read_bytes().splitlines()) == 4, "no empty one"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_full_disk_takes_half_of_is_counted_and_the_next_line_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write to a disk with a little room takes a part, and no error says so."""
    file = DecisionsFile(tmp_path)
    file.write([ONE], START_NS)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, lines: write(descriptor, lines[:10]))
        with pytest.raises(OSError, match="the disk took 10 of"):
            file.write([ONE, ONE], START_NS)
    file.write([ONE], START_NS)
    assert (file.lost_count, last_decisions(tmp_path, 9)) == (2, [ONE, ONE])


def test_day_has_no_more_than_its_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that changes its mind four times a second for a day does not fill the disk."""
    monkeypatch.setattr(decisions_file, "DAY_SIZE_MAX", 1_000)
    file = DecisionsFile(tmp_path)
    for _ in range(100):
        with contextlib.suppress(OSError):
            file.write([ONE], START_NS)
    with pytest.raises(OSError, match="the most of a day"):
        file.write([ONE], START_NS)
    size = decisions_path(tmp_path, utc_date(START_NS)).stat().st_size
    assert 900 < size <= 1_000
    assert file.lost_count == 101 - len(last_decisions(tmp_path, 100))
    file.write([ONE], START_NS + DAY_NS)
    assert last_decisions(tmp_path, 9) == [ONE]


def test_last_ones_of_a_large_file_are_found_without_reading_it(tmp_path: Path) -> None:
    """The cut begins within a line."""
    DecisionsFile(tmp_path).write([{"number": number, "why": "x" * 100} for number in range(5_000)], START_NS)
    assert [each["number"] for each in last_decisions(tmp_path, 3)] == [4_997, 4_998, 4_999]
    assert last_decisions(tmp_path, 0) == []


def _decide(run_dir: Path, name: str, time_ms: int, action: str = "place", **more: object) -> None:
    row = {"time": iso_time(time_ms), "action": action, "client_order_id": name, "rule": "WANTED", **more}
    DecisionsFile(run_dir).write([row], time_ms * NS_PER_MS)


def test_tells_what_an_order_was_placed_for(tmp_path: Path) -> None:
    """Of all lines with its id the one that has placed it; an id that is the beginning of another one is another."""
    noon_ms = START_NS // NS_PER_MS + DAY_MS // 2
    for number in range(300):
        _decide(tmp_path, f"tb-1-{number}", noon_ms + number * 1_000, level=number, model="glft")
        _decide(tmp_path, f"tb-1-{number}", noon_ms + number * 1_000 + 400, "cancel", level=None, model=None)
    path = decisions_path(tmp_path, utc_date(START_NS))
    path.write_bytes(path.read_bytes() + b'{"time": "2024-')  # cut by a crash
    for number in (0, 1, 29, 150, 299):
        told = placing_of(tmp_path, f"tb-1-{number}", noon_ms + number * 1_000 + 20)
        assert told == Placing("WANTED", number, "glft")
    assert placing_of(tmp_path, "tb-1-300", noon_ms) is None
    assert placing_of(tmp_path, 'by "hand"', noon_ms) is None
    assert placing_of(tmp_path, "tb-1-1", noon_ms + 5 * DAY_MS) is None, "there is no file"


def test_tells_whether_a_cancel_had_been_sent(tmp_path: Path) -> None:
    """Until just that ms, over midnight, of that order alone, and by no other action; of long ago it was refused."""
    midnight_ms = START_NS // NS_PER_MS
    _decide(tmp_path, "early", midnight_ms - 700_000, "cancel")
    for number in range(300):
        _decide(tmp_path, f"other-{number}", midnight_ms - 90_000 + 300 * number, "cancel")
    _decide(tmp_path, "over", midnight_ms - 10, "cancel")
    _decide(tmp_path, "moved", midnight_ms + 5, "amend")
    _decide(tmp_path, "late", midnight_ms + 10, "cancel")
    at_ms = midnight_ms + 9
    found = {name: was_cancelled(tmp_path, name, at_ms) for name in ("early", "over", "moved", "late", "other-2")}
    assert found == {"early": False, "over": True, "moved": False, "late": False, "other-2": True}
    assert was_cancelled(tmp_path, "late", midnight_ms + 10)
    assert not was_cancelled(tmp_path, "over", midnight_ms - 11)
    assert not was_cancelled(tmp_path, "over", midnight_ms + 10 * DAY_MS), "there is no file"


def test_a_cancel_that_was_refused_is_none(tmp_path: Path) -> None:
    """A fill of an order that stood on was told as picked off by the report, and not by the maker."""
    midnight_ms = START_NS // NS_PER_MS
    for at_ms, action in enumerate(("place", "cancel", "kept", "cancel", "kept")):
        _decide(tmp_path, "one", midnight_ms - 3 + at_ms, action)
    assert [was_cancelled(tmp_path, "one", midnight_ms - 3 + at_ms) for at_ms in range(6)] == [
        *(False, True, False),  # the day before
        *(True, False, False),
    ]


def test_finds_what_placed_an_order_around_midnight_and_after_a_clock_was_set(tmp_path: Path) -> None:
    """The maker's clock is not the venue's; what a former version wrote has neither level nor model."""
    midnight_ms = START_NS // NS_PER_MS
    _decide(tmp_path, "before", midnight_ms - 10)
    _decide(tmp_path, "after", midnight_ms + 10)
    assert placing_of(tmp_path, "before", midnight_ms + 20) == Placing("WANTED", None, None)
    assert placing_of(tmp_path, "after", midnight_ms - 20) == Placing("WANTED", None, None)
    _decide(tmp_path, "late", midnight_ms + 7_200_000)
    _decide(tmp_path, "set-back", midnight_ms + 3_600_000)
    _decide(tmp_path, "far", midnight_ms + 7_300_000)
    for name in ("set-back", "far"):
        assert placing_of(tmp_path, name, midnight_ms + 1_800_000) == Placing("WANTED", None, None)
