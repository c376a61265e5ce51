"""The command `whatif`: a run again, with other settings, in the same market."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from commands.actions.assignments import check_read, values_set
from commands.actions.kept_run import KeptRun, read_run
from commands.actions.simulate import READ_BY_DESKS, failures_told, run_to
from commands.options import Answer
from desk.client import DeskError
from desk.settings import Settings, load_kept_settings, setting_texts
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from market.exact_json import JsonObject
from reports.exact import figure
from reports.folder import ReportsFolder
from reports.statistics import mean_interval
from screens.whatif import whatif_text
from simulation.whatif import Played, block_ends, play, pnl_of_blocks

BLOCKS_MIN: Final = 8  # fewer differences say nothing of how far theirs would vary


def whatif(folder: Path, sets: Sequence[str]) -> tuple[Answer, int]:
    """Return what a run would have earned with other settings, and the exit code.

    It is 1 if the run, traded again as it was, has other daily files: then nothing that follows can be trusted.

    Raises:
        DeskError, SettingsError: if there is no such run, or a setting is none, or changes nothing here.
    """
    run = read_run(folder)
    given = values_set(sets)
    check_read(given, READ_BY_DESKS)
    changed = load_kept_settings(setting_texts(run.settings), str(folder), given)
    ends_ns = block_ends(run.start_ns, run.start_ns + run.seconds * NS_PER_SECOND)
    again = _played(run, run.settings, ends_ns)
    is_identical = again.files == _files_of(folder)
    document: JsonObject = {
        "run": str(folder),
        "from": iso_time(run.start_ns // NS_PER_MS),
        "to": iso_time(ends_ns[-1] // NS_PER_MS),
        "symbol": run.settings.symbol,
        "quote": run.settings.instrument.quote,
        "set": {key: _text_of(changed, key) for key in given},
        "was": {key: _text_of(run.settings, key) for key in given},
        "is_identical": is_identical,
        "again": _figures(again, run.settings, ends_ns),
        "changed": None,
        "difference": None,
    }
    if given and is_identical:
        other = _played(run, changed, ends_ns)
        document["changed"] = _figures(other, changed, ends_ns)
        document["difference"] = _difference(again, other, run.settings.symbol, ends_ns)
    return (document, whatif_text(document)), 0 if is_identical else 1


def _played(run: KeptRun, settings: Settings, ends_ns: Sequence[int]) -> Played:
    with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch, failures_told():
        return play(settings, run.start_ns, ends_ns, run.delays, run.records(), Path(scratch), run_to)


def _files_of(folder: Path) -> Mapping[date, bytes]:
    files = ReportsFolder(folder)
    try:
        return {day: files.file_of(day).read_bytes() for day in files.days()}
    except OSError as error:
        raise DeskError(f"cannot read {error.filename}: {error.strerror or error}") from None


def _text_of(settings: Settings, key: str) -> str | None:
    return setting_texts(settings).get(key)


def _figures(played: Played, settings: Settings, ends_ns: Sequence[int]) -> JsonObject:
    """Return what a run comes to."""
    rows = [row for row in played.rows if row.trade.symbol == settings.symbol]
    blocks = pnl_of_blocks(rows, settings.symbol, ends_ns, played.mids)
    return {
        "fills": len(rows),
        "volume": figure(sum((Fraction(row.trade.quote_qty) for row in rows), Fraction(0))),
        "fees": figure(sum((Fraction(row.fee_in_quote or 0) for row in rows), Fraction(0))),
        "pnl": None if None in blocks else figure(sum((each for each in blocks if each is not None), Fraction(0))),
        "sha256": played.digest,
    }


def _difference(again: Played, other: Played, symbol: str, ends_ns: Sequence[int]) -> dict[str, Any]:
    """Return by how much a change earned more, with an interval that its blocks give."""
    one, two = (pnl_of_blocks(each.rows, symbol, ends_ns, each.mids) for each in (again, other))
    gains = [after - before for before, after in zip(one, two, strict=True) if before is not None and after is not None]
    count, block_ns = len(gains), ends_ns[-1] - ends_ns[-2] if len(ends_ns) > 1 else 0
    found: dict[str, Any] = {
        "pnl": figure(sum(gains, Fraction(0))),
        "low": None,
        "high": None,
        "blocks": count,
        "blocks_missing": len(ends_ns) - count,
        "block_s": block_ns // NS_PER_SECOND,
        "why": None,
    }
    if count < BLOCKS_MIN:
        minutes = BLOCKS_MIN - count
        return found | {"why": f"{count} of the {BLOCKS_MIN} blocks that an interval takes: {minutes} minutes more"}
    low, high = mean_interval([float(gain) for gain in gains])
    return found | {"low": figure(Fraction(low * count), 8), "high": figure(Fraction(high * count), 8)}
