"""tickbus.toml, into which `set --save` puts settings."""

from pathlib import Path

import pytest

from desk import settings_file
from desk.settings import SettingsError, load_settings
from desk.settings_file import save_settings

WRITTEN = """\
# our desk
symbol = "BTCUSDT"  # the pair

[maker]
# twenty basis points
half_spread = "0.002"  # of the mid
notional = 500
fee = "0.001"

[flow]
seed = 3
"""
SAVED = WRITTEN.replace('"0.002"', '"0.001"').replace('fee = "0.001"\n', "levels = 3\n")
TEXTS = {"maker.half_spread": "0.001", "maker.levels": "3", "maker.fee": ""}


def test_settings_are_put_in_and_all_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments, order and mode; what is written is what a start reads."""
    path = tmp_path / "tickbus.toml"
    path.write_text(WRITTEN)
    path.chmod(0o640)
    save_settings(path, TEXTS)
    assert path.read_text() == SAVED
    assert path.stat().st_mode & 0o777 == 0o640
    monkeypatch.chdir(tmp_path)
    maker = load_settings({}).settings.maker
    assert (str(maker.half_spread), maker.levels, maker.fee) == ("0.001", 3, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, '[maker]\nhalf_spread = "0.001"\n'),
        (b"", '[maker]\nhalf_spread = "0.001"\n'),
        (b"maker.half_spread = 0.002\r\n", 'maker.half_spread = "0.001"\r\n'),
        (b"maker = { half_spread = 0.002 }\n", 'maker = { half_spread = "0.001" }\n'),
        (b'[[symbols]]\nsymbol = "A"\n', '[[symbols]]\nsymbol = "A"\n\n[maker]\nhalf_spread = "0.001"\n'),
    ],
)
def test_each_way_to_write_a_table_is_known(tmp_path: Path, before: bytes | None, after: str) -> None:
    """A file that is not there is made."""
    path = tmp_path / "tickbus.toml"
    if before is not None:
        path.write_bytes(before)
    save_settings(path, {"maker.half_spread": "0.001"})
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    "content", [b"[maker", b"maker = 3\n", b"\xff", b"[maker]\nhalf_spread = 1\nhalf_spread = 2\n"]
)
def test_what_is_no_settings_file_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    """It is a person's to mend."""
    path = tmp_path / "tickbus.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="expected TOML with tables"):
        save_settings(path, TEXTS)
    assert path.read_bytes() == content


def test_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written whole or not at all, and that is said."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "tickbus.toml"
    path.write_text(WRITTEN)
    monkeypatch.setattr(settings_file, "write_whole", full)
    with pytest.raises(SettingsError, match="cannot be written: No space left on device"):
        save_settings(path, TEXTS)
    assert path.read_text() == WRITTEN
