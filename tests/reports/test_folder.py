"""The folder of daily files: whole or not at all under every crash, damage named, nothing lost."""

import fcntl
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from market.exact_json import JsonObject, dumps, loads
from reports import folder as folder_module
from reports.daily_file import decode, decode_sealed, encode
from reports.folder import DamagedReportError, FolderBusyError, ReportsFolder
from tests.full_disk import full_disk
from tests.reports.crash_writer import POINTS
from tests.reports.documents import performance_document
from tests.reports.fills import DAY, account, buy, sell, snapshot

_REPOSITORY = Path(__file__).resolve().parents[2]
_BITS = os.environ.get("BITS", "one")
_FIXED_KEYS = ("date", "time", "balances", "trades", "total_trades")
_FOREIGN = (
    '{"date":"2025-11-30","time":"12:45:29","balances":{"BTC":{"free":1.0,"locked":0.00011},"USDT":{"free":9980,'
    '"locked":9.99}},"trades":{"total_buys":5,"total_sells":3,"pnl":12.50,"avg_buy_price":91200.00,'
    '"avg_sell_price":91450.00},"total_trades":8}'
)


@pytest.fixture
def document() -> JsonObject:
    """Return a day with two trades."""
    fills = [buy(1, "0.01094", "91202.23", "0.00001", "BTC"), sell(2, "0.01094", "91567.77", "1.0017514")]
    return performance_document(snapshot(account(BTC="1", USDT="10000"), fills), None)


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """Let no file grow beyond 1 KB, as a full disk would."""
    with full_disk():
        yield


def _write(folder: ReportsFolder, document: JsonObject) -> Path:
    with folder.locked():
        return folder.write(DAY, document)


def _in_full(sealed: JsonObject) -> JsonObject:
    return sealed | {"trade_history": list(sealed["trade_history"])}


def _writer(folder: ReportsFolder, *args: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.reports.crash_writer", str(folder.path), *args]
    return subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_reads_back_what_it_wrote(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards the file's name, its content, and that nothing else is left in the folder."""
    assert folder.read(DAY) is None
    assert folder.days() == []
    path = _write(folder, document)
    assert path == folder.path / "performance_20251130.json"
    assert folder.read(DAY) == document
    assert [entry.name for entry in folder.path.iterdir()] == [path.name]


def test_lists_only_daily_files(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards listing: files kept aside, temporary ones and impossible days are none."""
    _write(folder, document)
    for name in ("performance_20251130.damaged-1.json", "performance_20251129.json.tmp", "performance_20251332.json"):
        (folder.path / name).write_text("{}")
    (folder.path / "performance_20251128.json").write_text("{}")
    assert folder.days() == [date(2025, 11, 28), DAY]


@pytest.mark.parametrize("point", POINTS)
def test_survives_a_kill_at_every_point_of_a_write(folder: ReportsFolder, point: str) -> None:
    """Guards atomicity: the old file before the rename, the new one after it, never anything else."""
    with _writer(folder, point) as process:
        process.communicate(timeout=60)
    assert process.returncode == -9
    found = folder.read(DAY)
    assert found is not None
    assert found["total_trades"] == (50 if point in ("after replace", "before folder fsync") else 1)
    _write(folder, found)
    assert [entry.name for entry in folder.path.iterdir()] == ["performance_20251130.json"]


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8, 13])
def test_survives_a_kill_at_any_moment(folder: ReportsFolder, writes: int) -> None:
    """Guards atomicity where nobody chose the moment, and the lock, which dies with its holder."""
    with _writer(folder) as process:
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(writes)]
        process.kill()
    found = folder.read(DAY)
    assert found is not None
    assert found["total_trades"] >= written[-1]
    _write(folder, found)


def test_keeps_the_old_file_when_the_disk_refuses(
    folder: ReportsFolder, document: JsonObject, request: pytest.FixtureRequest
) -> None:
    """Guards a full disk: an OSError for the caller, the old file whole, no half of the new one."""
    small = {name: document[name] for name in (*_FIXED_KEYS, "schema")}
    path = _write(folder, small)
    request.getfixturevalue("small_files_only")
    with pytest.raises(OSError, match="File too large"):
        _write(folder, document)
    assert folder.read(DAY) == small
    assert [entry.name for entry in folder.path.iterdir()] == [path.name]


def test_waits_for_another_writer_and_gives_up(folder: ReportsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards two writers (the tracker and a command): one at a time, and a stopped one blocks nobody for long."""
    monkeypatch.setattr(folder_module, "_LOCK_S_MAX", 0.0)
    with folder.locked():
        other = os.open(folder.path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with pytest.raises(FolderBusyError, match="is being written by another process"), folder.locked():
                pytest.fail("two writers at once")
        finally:
            os.close(other)
    with folder.locked():
        assert folder.days() == []


def test_keeps_damaged_files_under_names_of_their_own(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards what was there: a second damaged file does not replace the first."""
    for content in ("one", "two"):
        _write(folder, document).write_text(content)
        folder.keep_aside(DAY, "damaged")
    assert folder.days() == []
    kept = sorted(folder.path.iterdir())
    assert [(file.name, file.read_text()) for file in kept] == [
        ("performance_20251130.damaged-1.json", "one"),
        ("performance_20251130.damaged-2.json", "two"),
    ]


def test_notices_every_cut(document: JsonObject) -> None:
    """Guards torn files: no beginning of a file passes for the whole, but for the last line's end."""
    content = encode(document)
    for length in range(len(content) - 1):
        with pytest.raises(ValueError, match=r"expected|must be"):
            decode(content[:length], DAY)
        assert decode_sealed(content[:length], DAY) is None
    assert decode(content[:-1], DAY) == document


def test_notices_every_flipped_bit(document: JsonObject) -> None:
    """Guards against rot: a clear error, or the same figures (a space that became a tab).

    A bit of each byte, another one each time; all of them with BITS=all.
    """
    content = encode(document)
    bits = [(index, bit) for index in range(len(content)) for bit in (range(8) if _BITS == "all" else (index % 8,))]
    refused = 0
    for index, bit in bits:
        damaged = bytearray(content)
        damaged[index] ^= 1 << bit
        try:
            found = decode(bytes(damaged), DAY)
        except ValueError:
            refused += 1
        else:
            assert found == document, (index, bit)
        sealed = decode_sealed(bytes(damaged), DAY)
        assert sealed is None or _in_full(sealed) == document, (index, bit)
    assert refused > 7 / 8 * len(bits)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected JSON"),
        (b"\x00" * 4_096, "expected JSON"),
        (b"\xff\xfe{}", "expected UTF-8"),
        (b"[]", "expected a JSON object, was list"),
        (b"{}", "date must be a text, is missing"),
        (_FOREIGN.replace("11-30", "11-29").encode(), "date must be 2025-11-30 as the file's name says"),
        (_FOREIGN.replace('"free":1.0', '"free":"1"').encode(), "balances.BTC: free must be a number, was '1'"),
        (_FOREIGN.replace("12.50", "NaN").encode(), "plain decimal number, was NaN"),
        (_FOREIGN.replace(":8", ":8.5").encode(), "total_trades must be an integer"),
        (_FOREIGN.replace('"total_buys":5,', "").encode(), "total_buys must be an integer .*, is missing"),
        (_FOREIGN.replace("{", '{"version":1,', 1).encode(), "checksum must be crc32:.*, was None"),
    ],
)
def test_names_the_file_and_its_damage(folder: ReportsFolder, content: bytes, complaint: str) -> None:
    """Guards the error's reader: which file, what was expected, what was there."""
    folder.path.mkdir()
    folder.file_of(DAY).write_bytes(content)
    with pytest.raises(DamagedReportError, match=rf"performance_20251130\.json is damaged: .*{complaint}"):
        folder.read(DAY)


def test_refuses_a_file_of_a_later_version(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards an older tickbus against a newer one's file."""
    _write(folder, document | {"schema": 3})
    with pytest.raises(DamagedReportError, match="schema must be 2, was 3"):
        folder.read(DAY)


def test_reads_the_fixed_keys_of_a_file_by_other_hands(folder: ReportsFolder) -> None:
    """Guards the document's fixed shape as an input: no checksum is asked of it, and nothing beside is trusted."""
    folder.path.mkdir()
    folder.file_of(DAY).write_text(_FOREIGN[:-1] + ',"symbols":7}')
    assert folder.read(DAY) == loads(_FOREIGN)


def test_reads_days_and_tells_the_damaged_ones(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards the week's input: present, damaged and missing days are three things."""
    _write(folder, document)
    folder.file_of(date(2025, 11, 29)).write_text("{")
    documents, damaged = folder.read_days(DAY, 7)
    assert list(documents) == [DAY]
    assert list(damaged) == [date(2025, 11, 29)]
    assert "expected JSON" in damaged[date(2025, 11, 29)]


def test_leaves_out_days_before_the_week(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards the seven days."""
    _write(folder, document)
    assert [list(folder.read_days(DAY + timedelta(days=days), 7)[0]) for days in (6, 7)] == [[DAY], []]


def test_accepts_a_file_that_another_tool_has_written_anew(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards the seal: it is of the numbers, so that zeros, exponents and the layout may be another tool's."""
    path = _write(folder, document)
    text = path.read_text()
    for spelling in (
        text.replace("91202.23", "91202.2300").replace("0.00001,", "1E-5,"),
        text.replace('"total_buys": 1,', '"total_buys": 1.0,').replace("1.0017514", "10017514e-7"),
        json.dumps(json.loads(text)),
        json.dumps(json.loads(text), indent=4),
    ):
        path.write_text("\ufeff" + spelling + "\r\n")
        assert folder.read(DAY) == document
    for change in (text.replace("91202.23", "91202.24"), text.replace('"total_buys": 1,', '"total_buys": 10,')):
        path.write_text(change)
        with pytest.raises(DamagedReportError, match="checksum must be"):
            folder.read(DAY)


def test_reads_the_seal_of_a_file_of_before(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards files that were sealed as they were spelt."""
    folder.path.mkdir()
    seal = f"crc32:{zlib.crc32(dumps(document).encode()):08x}"
    folder.file_of(DAY).write_text(dumps(document | {"checksum": seal}))
    assert folder.read(DAY) == document


def test_replaces_what_a_link_points_to(folder: ReportsFolder, document: JsonObject, tmp_path: Path) -> None:
    """Guards a daily file, or the folder, that is a symbolic link to another disk: the link stays."""
    (tmp_path / "disk").mkdir()
    folder.path.symlink_to(tmp_path / "disk")
    target = tmp_path / "elsewhere.json"
    folder.file_of(DAY).symlink_to(target)
    path = _write(folder, document)
    assert path.is_symlink()
    assert target.read_bytes() == encode(document)
    assert folder.read(DAY) == document
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["disk", "elsewhere.json", "reports"]


def test_tells_the_first_error_of_a_disk_that_refuses(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards a temporary name that is taken by a folder: an OSError that says so, and the old file whole."""
    path = _write(folder, document)
    path.with_name(path.name + ".tmp").mkdir()
    with pytest.raises(IsADirectoryError):
        _write(folder, document)
    assert folder.read(DAY) == document


def test_tells_a_file_that_cannot_be_read_from_the_others(folder: ReportsFolder, document: JsonObject) -> None:
    """Guards the week against one bad file: a folder in its place, or a link to nowhere in a loop."""
    _write(folder, document)
    folder.file_of(date(2025, 11, 29)).mkdir()
    loop = folder.file_of(date(2025, 11, 28))
    loop.symlink_to(loop)
    documents, damaged = folder.read_days(DAY, 7)
    assert list(documents) == [DAY]
    assert damaged[date(2025, 11, 29)] == "cannot be read: Is a directory"
    assert damaged[date(2025, 11, 28)].startswith("cannot be read: Too many levels of symbolic links")


def _lower_the_volume(document: JsonObject) -> None:
    document["symbols"]["BTCUSDT"]["bought_quote"] -= 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda found: found.update(total_trades=3), "total_trades must be 2, was 3"),
        (lambda found: found["trades"].update(pnl=Decimal(99)), "trades.pnl must be .* by the trades, was 99"),
        (lambda found: found["trade_history"].pop(), "total_trades must be 1, was 2"),
        (_lower_the_volume, "BTCUSDT.bought_quote must be"),
        (lambda found: found.pop("symbols"), "symbols must be an object, is missing"),
        (lambda found: found["symbols"]["BTCUSDT"].pop("gross"), "symbols.BTCUSDT: gross must be a number, is missing"),
        (lambda found: found["symbols"]["BTCUSDT"].update(unvalued_fees=[]), "unvalued_fees must be an object"),
        (lambda found: found["symbols"].clear(), "is in 'BTCUSDT', expected one of"),
        (lambda found: found.update(reconciliation=1), "reconciliation must be an object"),
        (lambda found: found["opening"].pop("balances"), "balances must be an object, is missing"),
        (lambda found: found.update(fees=1), "fees must be an object"),
        (lambda found: found.update(resets={}), "resets must be an array"),
        (lambda found: found["trade_history"][0].update(qty="x"), r"trade_history\[0\]: qty must be a number"),
        (lambda found: found["trade_history"].append(found["trade_history"][0]), "trade 1 of order o1 stands twice"),
    ],
)
def test_finds_what_is_inconsistent_behind_a_good_seal(
    folder: ReportsFolder, document: JsonObject, change: Callable[[JsonObject], object], complaint: str
) -> None:
    """Guards reports against a sealed file that contradicts itself: damaged, never a traceback."""
    change(document)
    _write(folder, document)
    with pytest.raises(DamagedReportError, match=complaint):
        folder.read(DAY)
