"""What the operator has halted, kept in a file: whole, for every reader, and never less than he has said."""

import multiprocessing
from pathlib import Path

import pytest

from commands.actions.by_hand import place
from desk import halted_file
from desk.client import DeskError
from desk.halted_file import HALTED_FILE, HaltedFile
from desk.settings import load_settings

ALL = ("BTCUSDT", "ETHUSDT", "BNBUSDT")


@pytest.fixture
def kept(tmp_path: Path) -> HaltedFile:
    """The file of a desk that knows three symbols; not there yet."""
    return HaltedFile(tmp_path, ALL)


def test_another_reader_sees_each_change(kept: HaltedFile, tmp_path: Path) -> None:
    """Symbols come and go one by one, and the others stay as they are."""
    reader = HaltedFile(tmp_path, ALL)
    assert reader.read() == frozenset()
    for symbols, is_halted, expected in (
        (["BTCUSDT"], True, {"BTCUSDT"}),
        (["ETHUSDT", "BTCUSDT"], True, {"BTCUSDT", "ETHUSDT"}),
        (["BTCUSDT"], False, {"ETHUSDT"}),
        (["BNBUSDT"], False, {"ETHUSDT"}),
        (ALL, False, set()),
    ):
        kept.change(symbols, is_halted=is_halted)
        assert reader.read() == kept.read() == HaltedFile(tmp_path, ALL).read() == expected


def test_a_change_of_the_same_size_is_seen(kept: HaltedFile, tmp_path: Path) -> None:
    """Another symbol halted in the place of one, between two looks: other content, and another version."""
    kept.change(["BTCUSDT"], is_halted=True)
    reader = HaltedFile(tmp_path, ALL)
    assert reader.read() == {"BTCUSDT"}
    version = reader.version
    kept.change(["BTCUSDT"], is_halted=False)
    kept.change(["ETHUSDT"], is_halted=True)
    assert reader.read() == {"ETHUSDT"}
    assert reader.version != version


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'"BTCUSDT"', b"[1]", b"[null]", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_halts_everything(kept: HaltedFile, tmp_path: Path, content: bytes) -> None:
    """A halt that is lost in silence would be the worst; resuming one symbol leaves the others halted."""
    (tmp_path / HALTED_FILE).write_bytes(content)
    assert kept.read() == set(ALL)
    kept.change(["ETHUSDT"], is_halted=False)
    assert kept.read() == {"BTCUSDT", "BNBUSDT"}


def test_a_file_that_may_not_be_read_halts_everything(kept: HaltedFile, tmp_path: Path) -> None:
    """Also when it is no file; and reading goes on when it is one again."""
    (tmp_path / HALTED_FILE).mkdir()
    assert kept.read() == set(ALL)
    (tmp_path / HALTED_FILE).rmdir()
    assert kept.read() == frozenset()


def test_a_full_disk_leaves_what_was_halted(kept: HaltedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is told, and the file stays whole."""
    kept.change(["BTCUSDT"], is_halted=True)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(halted_file, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        kept.change(["BTCUSDT"], is_halted=False)
    assert HaltedFile(tmp_path, ALL).read() == {"BTCUSDT"}


def _halt_each(run_dir: Path, symbols: list[str]) -> None:
    for symbol in symbols:
        HaltedFile(run_dir, ALL).change([symbol], is_halted=True)


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each reads, changes and writes while no other does."""
    names = [f"S{number}USDT" for number in range(40)]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_halt_each, args=(tmp_path, names[part::2])) for part in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert HaltedFile(tmp_path, ALL).read() == set(names)


def test_an_order_by_hand_is_refused_while_its_symbol_is_halted(tmp_path: Path) -> None:
    """Before anybody is asked: a venue elsewhere knows nothing of our halt."""
    settings = load_settings({"run_dir": tmp_path, "venue.name": "binance-testnet", "venue.url": "http://127.0.0.1:9"})
    HaltedFile(tmp_path, ALL).change(["BTCUSDT"], is_halted=True)
    with pytest.raises(DeskError, match="BTCUSDT is halted"):
        place(settings.settings, "buy", "0.01", "50000", is_post_only=False, is_ioc=False)
