"""Many days at once: what is told of them by their checksums is what all their figures made again would tell."""

import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.long_reports import FIRST_DAY, Account
from market.exact_json import JsonObject, dumps
from pages.day import day_page
from pages.week import week_page
from reports import daily_file
from reports import folder as folder_module
from reports.daily_file import SealedHistory, decode_sealed, encode
from reports.folder import ReportsFolder
from reports.recommendations import weekly_document
from screens.report import day_text
from screens.week import week_text
from tests.reports.json_schema import faults_written

_PADDING_BEFORE = re.compile(r"(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])")
_EVERYTHING = 10**12


@pytest.fixture(autouse=True)
def only_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no day be new enough to be made again."""
    monkeypatch.setattr(folder_module, "MADE_AGAIN_BYTES", 0)


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder with three days."""
    return _written(tmp_path, [5, 12, 7])


def _written(path: Path, counts: list[int], *, is_carried: bool = True) -> ReportsFolder:
    folder, account = ReportsFolder(path / "reports"), Account()
    with folder.locked():
        for index, count in enumerate(counts):
            folder.write(_day(index), (account if is_carried else Account()).day(_day(index), count))
    return folder


def _day(index: int) -> date:
    return FIRST_DAY + timedelta(days=index)


def _numbers(path: Path) -> Iterator[tuple[int, int]]:
    """Yield where each number of a file begins and ends, the checksum's apart."""
    content = path.read_bytes()
    for found in re.finditer(rb"(?<![0-9a-f:])[0-9]+(\.[0-9]+)?", content[: content.rindex(b'"checksum"')]):
        yield found.span()


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    is_carried=st.booleans(),
    symbol=st.sampled_from([None, "BTCUSDT", "ETHUSDT"]),
)
def test_lines_are_those_that_all_figures_make(counts: list[int], is_carried: bool, symbol: str | None) -> None:
    """Guards week and year: of days with and without trades, whose lots go on or not, of all symbols or one."""
    with TemporaryDirectory() as path:
        folder, last = _written(Path(path), counts, is_carried=is_carried), _day(len(counts) - 1)
        sealed = folder.read_sums(last, len(counts))[0]
        kinds = {day: type(document["trade_history"]) for day, document in sealed.items()}
        assert kinds == {_day(index): SealedHistory if count else list for index, count in enumerate(counts)}
        told = weekly_document(folder, last, len(counts), symbol)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folder_module, "MADE_AGAIN_BYTES", _EVERYTHING)
            documents, damaged = folder.read_sums(last, len(counts))
            assert damaged == {}
            assert weekly_document(folder, last, len(counts), symbol) == told
        for day, document in documents.items():
            assert sealed[day] | {"trade_history": list(sealed[day]["trade_history"])} == document


def test_any_changed_number_is_named(folder: ReportsFolder) -> None:
    """Guards rot and edits: of each number of a file, in its head and in its trades, a digit is another one."""
    path = folder.file_of(_day(0))
    content = path.read_bytes()
    for begin, end in _numbers(path):
        at = begin + (begin * 7) % (end - begin)
        if content[at : at + 1] != b".":
            digit = (content[at] - ord("0") + 1 + begin % 8) % 10
            path.write_bytes(content[:at] + str(digit).encode() + content[at + 1 :])
            documents, damaged = folder.read_sums(_day(0), 1)
            assert documents == {}, content[begin - 30 : end]
            assert "checksum must be" in damaged[_day(0)] or "expected JSON" in damaged[_day(0)]


def test_newest_days_are_made_again(folder: ReportsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards figures that contradict their trades under a right checksum: found as far back as the bytes reach."""
    for index in range(3):
        document = folder.read(_day(index))
        assert document is not None
        document["trades"]["pnl"] += 1
        folder.write(_day(index), document)
    sizes = [folder.file_of(_day(index)).stat().st_size for index in range(3)]
    for left, expected in ((0, []), (sizes[2], [2]), (sizes[1] + sizes[2], [1, 2]), (sum(sizes) - 1, [1, 2])):
        monkeypatch.setattr(folder_module, "MADE_AGAIN_BYTES", left)
        damaged = folder.read_sums(_day(2), 3)[1]
        assert list(damaged) == [_day(index) for index in expected]
        assert all("trades.pnl must be" in why for why in damaged.values())


def test_a_day_that_was_read_is_not_read_again(folder: ReportsFolder) -> None:
    """Guards `report`: the day that it shows is the longest to read."""
    known = folder.read(_day(2))
    assert known is not None
    folder.file_of(_day(2)).unlink()
    documents, damaged = folder.read_sums(_day(2), 3, {_day(2): known})
    assert documents[_day(2)] is known
    assert (list(documents), damaged) == ([_day(0), _day(1), _day(2)], {})


@pytest.mark.parametrize("change", [{"schema": 3}, {"schema": None}, {"trade_history": []}])
def test_other_files_are_left_to_the_full_reading(folder: ReportsFolder, change: JsonObject) -> None:
    """Guards older and newer schemas, and files of other layouts: nothing of them is taken by its checksum."""
    document = folder.read(_day(0))
    assert document is not None
    assert decode_sealed(encode(document), _day(0)) is not None
    assert decode_sealed(encode(document), _day(1)) is None
    changed = {name: value for name, value in (document | change).items() if value is not None}
    assert decode_sealed(encode(changed), _day(0)) is None
    assert decode_sealed(dumps(document, spread=1).encode(), _day(0)) is None


def test_a_key_that_is_not_there_is_named(folder: ReportsFolder) -> None:
    """Guards the week against a file without what its line is made of, whoever has sealed it."""
    document = folder.read(_day(0))
    assert document is not None
    del document["symbols"]["BTCUSDT"]["volume"]
    folder.write(_day(0), document)
    assert folder.read_sums(_day(2), 3)[1] == {_day(0): "symbols.BTCUSDT: volume must be a number, is missing"}


def _places(value: Any, names: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something stands in a part of a document; of rows, in the first and in the last."""
    if names:
        yield names
    if isinstance(value, dict):
        for name in value:
            yield from _places(value[name], (*names, name))
    elif isinstance(value, list) and value:
        for index in {0, len(value) - 1}:
            yield from _places(value[index], (*names, index))


@pytest.mark.parametrize("strange", [None, [[]], "strange", Decimal("-1.5")])
@pytest.mark.parametrize("part", ["quoting", "markouts", "market", "metrics", "equity", "identity"])
def test_a_part_of_another_shape_is_named_or_shown(folder: ReportsFolder, part: str, strange: Any) -> None:
    """Guards who prints and draws a day: of any key that is gone or of another kind, they are told, or do without."""
    whole = folder.read(_day(0))
    assert whole is not None
    whole["market"] = {"venue": "paper", "flow": "synthetic:practice", "seed": 7, "maker_fee": "0", "taker_fee": "0"}
    assert faults_written(whole) == []
    named = 0
    for *names, last in _places(whole[part], (part,)):
        document = deepcopy(whole)
        at: Any = document
        for name in names:
            at = at[name]
        if strange is None:
            del at[last]
        else:
            at[last] = strange
        folder.write(_day(0), document)
        for read in (folder.read_days, folder.read_sums):
            documents, damaged = read(_day(0), 1)
            named += bool(damaged)
            for shown in documents.values():
                assert day_text(shown)
                assert day_page(shown, "a file")
        week = weekly_document(folder, _day(2), 3)
        assert week_text(week)
        assert week_page(week, "files")
    assert named


@pytest.mark.parametrize("entry", [{"id": 1}, 7])
def test_a_sealed_history_that_is_none_is_named(folder: ReportsFolder, entry: object) -> None:
    """Guards the recommendations, which go through the trades: the file is damaged, and the others are told."""
    document = folder.read(_day(0))
    assert document is not None
    folder.write(_day(0), document | {"trade_history": [entry]})
    week = weekly_document(folder, _day(2), 3)
    assert [day["state"] for day in week["days"]] == ["damaged", "reported", "reported"]
    assert "trade_history[0]: " in week["days"][0]["reason"]


def test_a_shown_day_is_read_as_any(folder: ReportsFolder) -> None:
    """Guards `report`: its document is the one of `read` but for the entries, which are read when they are wanted."""
    whole, (document, book, damage) = folder.read(_day(1)), folder.read_shown(_day(1))
    assert document is not None
    assert isinstance(document["trade_history"], SealedHistory)
    assert document | {"trade_history": list(document["trade_history"])} == whole
    assert book is not None
    assert (book.entries(), damage) == (whole["trade_history"], None)
    assert folder.read_shown(_day(8)) == (None, None, None)
    folder.file_of(_day(1)).write_text("{")
    assert folder.read_shown(_day(1))[2] == "expected JSON: Expecting property name enclosed in double quotes at " + (
        "line 1 column 2"
    )


@given(st.text("0123456789.,:Z -e", max_size=40))
def test_numbers_are_shortened_as_ever(text: str) -> None:
    """Guards the checksum of every file there is: the same zeros are left out as by the plainer pattern of before."""
    before = "".join(filter(None, _PADDING_BEFORE.split(text))).encode()
    assert daily_file._unpadded(text) == before


def test_numbers_of_statistics_are_the_nearest_floats(folder: ReportsFolder) -> None:
    """Guards the recommendations: they are computed in floats, and these must be those of the exact numbers."""
    sealed = folder.read_sums(_day(1), 1)[0][_day(1)]["trade_history"]
    for exact, near in zip(sealed, sealed.in_floats(), strict=True):
        assert near["price"] == float(exact["price"])
        assert {name: type(value) for name, value in near.items() if isinstance(exact[name], Decimal)} == {
            name: float for name, value in exact.items() if isinstance(value, Decimal)
        }
        assert near["time_ms"] == exact["time_ms"]
