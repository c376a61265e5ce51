"""tickbus.toml as a person has written it: settings are put into it, and all else in it stays as it is."""

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from desk.settings import SettingsError
from market.lock import locked_folder
from market.whole_file import write_whole

LOCKED_S_MAX: Final = 5.0


def save_settings(path: Path, texts: Mapping[str, str]) -> None:
    """Set these keys, each dotted, in a settings file, which is made if there is none; an empty text unsets one.

    Comments, order, and the file's mode stay. It is written whole, and not while another command writes it.

    Raises:
        SettingsError: if the file is no TOML, has something else in a table's place, or cannot be read or written; then
            it is as it was.
    """
    try:
        with locked_folder(path.parent, LOCKED_S_MAX):
            is_there = path.exists()
            before = path.read_bytes() if is_there else b""
            after = _with(path, before, texts)
            if after != before:
                mode = stat.S_IMODE(path.stat().st_mode) if is_there else None
                write_whole(path, after)
                if mode is not None:
                    path.chmod(mode)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror or error}") from None


def _with(path: Path, content: bytes, texts: Mapping[str, str]) -> bytes:
    try:
        text = content.decode()
        document, wanted = tomlkit.parse(text), tomllib.loads(text)
        for key, value in texts.items():
            for tree in (document, wanted):
                _put(tree, key, value)
        after = tomlkit.dumps(document)
        assert tomllib.loads(after) == wanted, f"expected {wanted}, was written as {after!r}"
    except (TOMLKitError, ValueError, TypeError) as error:
        raise SettingsError(f"{path}: expected TOML with tables: {error}") from None
    return after.encode()


def _put(tree: Any, key: str, value: str) -> None:
    """Set a key of a tree of tables, or unset it.

    Raises:
        TypeError: if something on its way is no table.
    """
    *tables, name = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
        if not isinstance(tree, dict):
            raise TypeError(f"{table} is no table")
    if value:
        tree[name] = int(value) if value.isdecimal() and value.isascii() else value
    else:
        tree.pop(name, None)
