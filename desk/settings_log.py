"""What was set while a desk ran, as its maker's logs tell it: when, which setting, what it was and what it is."""

import re
from ast import literal_eval
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from market.clock import NS_PER_US

_SET: Final = "event='set'"
_FIELD: Final = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")


class SettingChange(NamedTuple):
    """A setting that the maker goes by from a time on, ns since 1970 UTC; values are texts, empty: not set."""

    time_ns: int
    key: str
    before: str
    now: str


def settings_set(run_dir: Path, since_ns: int) -> list[SettingChange]:
    """Return what was set since a time, oldest first, as far as the logs reach: those of five starts, or 40 MiB.

    Raises:
        OSError: if a log cannot be read.
    """
    logs = run_dir / "logs"
    paths = [path for path in sorted(logs.glob("*.log*")) if "maker" in path.name.partition(".")[0].split("+")]
    found = sorted(change for path in paths for change in _changes(path))
    return [change for change in found if change.time_ns >= since_ns]


def _changes(path: Path) -> Iterator[SettingChange]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if _SET not in line:
                continue
            fields = {name: literal_eval(text) for name, text in _FIELD.findall(line)}
            if {"timestamp", "key", "before", "now"} <= fields.keys():  # a crash may cut a line
                at_us = round(datetime.fromisoformat(fields["timestamp"]).timestamp() * 1_000_000)
                yield SettingChange(at_us * NS_PER_US, fields["key"], fields["before"], fields["now"])
