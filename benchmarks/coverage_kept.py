"""The runs of `benchmarks.coverage`, kept: a file each, written whole, so that a stopped benchmark goes on.

What has been traded once can be judged as often as one likes. A folder is of one program: a run that is there is not
traded again, even though the market or the maker has changed since. Other quotes, another market are refused.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.coverage_runs import DELAYS, HORIZONS_S, MARKET, QUOTES, Run, run
from market.whole_file import write_whole

VERSION: Final = 1
_MADE_OF: Final = {"market": MARKET, "quotes": QUOTES, "venue_ns": DELAYS.venue_ns, "horizons_s": [*HORIZONS_S]}


class Key(NamedTuple):
    """Which run it is: the same gives the same fills."""

    toxicity: float
    seed: int
    seconds: int

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"toxicity_{self.toxicity:g}_seed_{self.seed}_of_{self.seconds}_s.json"


def runs_of(keys: Sequence[Key], folder: Path | None, workers: int | None) -> Iterator[Run]:
    """Yield the run of each key in order, trading those that are not in the folder; None keeps nothing.

    Raises:
        ValueError: if a file of the folder cannot be used.
        OSError: if it cannot be read or written.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(kept_run, keys, repeat(folder))


def kept_run(key: Key, folder: Path | None) -> Run:
    """Return a run: that of the folder, or else traded now and put there."""
    path = None if folder is None else folder / key.file_name
    if path is not None and path.exists():
        return read_run(path, key)
    made = run(*key)
    if path is not None:
        write_whole(path, _document(key, made), is_synced=False)
    return made


def keys_in(folder: Path, keys: Sequence[Key]) -> list[Key]:
    """Return those keys of which the folder has the run."""
    return [key for key in keys if (folder / key.file_name).exists()]


def read_run(path: Path, key: Key) -> Run:
    """Return the run of a file.

    Raises:
        ValueError: if it is damaged, of another key, or was made of anything else than what is traded with today.
    """
    try:
        found = json.loads(path.read_bytes())
        heading = {name: found[name] for name in ("version", "made_of", "key")}
        fills = [tuple(each) for each in found["fills"]]
        pnl = {kind: Fraction(amount) for kind, amount in found["pnl"].items()}
        told = Run(fills, pnl, Fraction(found["own_pnl"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: cannot be read: {type(error).__name__} {error}") from None
    if heading != _heading(key):
        raise ValueError(f"{path}: expected a run of {_heading(key)}, was {heading}")
    return told


def _heading(key: Key) -> dict[str, Any]:
    return {"version": VERSION, "made_of": _MADE_OF, "key": [*key]}


def _document(key: Key, made: Run) -> bytes:
    pnl = {kind: str(amount) for kind, amount in made.pnl.items()}
    told = {**_heading(key), "own_pnl": str(made.own_pnl), "pnl": pnl, "fills": made.fills}
    return json.dumps(told, allow_nan=False).encode()
