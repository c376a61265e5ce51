"""Keeps what an inspection has found, beside the arrays of the same recordings, so that a file is read through once.

It is found by a hash of the file's bytes, of the pair, and of the code that inspects: it is never out of date.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Final

from flow.recordings.cache import code_digest
from flow.recordings.inspection import Inspection, inspect, sha256_of
from market.instrument import Instrument
from market.whole_file import write_whole

_FILE: Final = "inspection.json"


def inspected(
    path: Path, instrument: Instrument, folder: Path, tell: Callable[[int], object] = lambda _: None
) -> Inspection:
    """Return what is in a file; from the cache if it is there, else it gets there, if the disk takes it.

    `tell` is told how many records were read, where it is not there.

    Raises:
        OSError: if the file cannot be read at all.
    """
    kept = folder / _name_of(path, instrument) / _FILE
    found = _load(kept, path)
    if found is None:
        found = inspect(path, instrument, tell)
        _keep(kept, found)
    return found


def _name_of(path: Path, instrument: Instrument) -> str:
    digest = hashlib.sha256(repr((path.name, sha256_of(path), instrument)).encode() + code_digest())
    return digest.hexdigest()[:32]


def _load(kept: Path, path: Path) -> Inspection | None:
    """Return what was kept of a file, wherever that is now; None if there is nothing, or nothing that can be read."""
    try:
        found = json.loads(kept.read_bytes())
        counters = {name: Counter(found[name]) for name in ("counts", "skipped")}
        return Inspection(**{**found, **counters, "path": path})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(kept: Path, found: Inspection) -> None:
    values = {each.name: getattr(found, each.name) for each in fields(found)} | {"path": ""}
    try:
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(kept, json.dumps(values).encode(), is_synced=False)
    except OSError:
        return  # it is read again next time: there is nothing else that a person would have to know
