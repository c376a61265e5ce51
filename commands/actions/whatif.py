"""The command `whatif`: a run again, with other settings, in the same market."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from commands.actions.assignments import check_read, values_set
from commands.actions.desk_day import DeskDay, desk_day
from commands.actions.kept_run import read_run
from commands.actions.simulate import READ_BY_DESKS, failures_told, run_to
from commands.options import Answer
from desk.client import DeskError
from desk.settings import Settings, load_kept_settings, setting_texts
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from market.exact_json import JsonObject
from nodes.engine.command_record import CommandRecord
from reports.exact import figure, rounded
from reports.folder import ReportsFolder
from reports.statistics import mean_interval
from reports.trade_history import HistoryRow
from screens.whatif import whatif_text
from simulation.delays import Delays
from simulation.whatif import Played, block_ends, play, pnl_of_blocks, same_fills

APART_MS: Final = 5_000  # of a fill and its like in a run that looks at the market at other moments
BLOCKS_MIN: Final = 8  # fewer differences say nothing of how far theirs would vary


class Run(Protocol):
    """What can be traded again."""

    @property
    def folder(self) -> Path: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def delays(self) -> Delays: ...
    def records(self) -> Iterator[CommandRecord]: ...


def whatif_simulated(folder: Path, sets: Sequence[str]) -> tuple[Answer, int]:
    """Return what a simulated run would have earned with other settings, and the exit code.

    It is 1 if the run, traded again as it was, has other daily files: then nothing that follows can be trusted.

    Raises:
        DeskError, SettingsError: if there is no such run, or a setting is none, or changes nothing here.
    """
    run = read_run(folder)
    changed, given = _changed(run, sets)
    ends_ns = block_ends(run.start_ns, run.end_ns)
    again = _played(run, run.settings, ends_ns)
    is_identical = again.files == _files_of(folder)
    document = _head(run, changed, given) | {
        "is_identical": is_identical,
        "actual": None,
        "same_fills": None,
        "near_fills": None,
        "again": _figures(again.rows, run.settings, _pnl(again, run, ends_ns)) | {"sha256": again.digest},
    }
    document |= _compared(run, again, changed if given and is_identical else None, ends_ns)
    return (document, whatif_text(document)), 0 if is_identical else 1


class LivedDay:
    """A day of a desk on real processes, traded again as it was once, however many changes are tried on it."""

    def __init__(self, settings: Settings, day: date | None) -> None:
        """Find the day; without one the last that has a daily file.

        Raises:
            DeskError: if there is none.
        """
        self._run = desk_day(settings, day)
        self._ends_ns = block_ends(self._run.start_ns, self._run.end_ns)

    @cached_property
    def _again(self) -> Played:
        return _played(self._run, self._run.settings, self._ends_ns, _retunes(self._run, {}), self._run.decided_ns)

    def whatif(self, sets: Sequence[str]) -> JsonObject:
        """Return what it would have earned with other settings.

        Raises:
            DeskError, SettingsError: if a setting is none, or changes nothing here, or the journal cannot be read.
        """
        run = self._run
        changed, given = _changed(run, sets)
        again, symbol = self._again, run.settings.symbol
        share = same_fills(run.rows, again.rows, APART_MS)
        near = same_fills(run.rows, again.rows, APART_MS, at_one_price=False)
        lived = pnl_of_blocks(run.rows, symbol, self._ends_ns, again.mids)
        document = _head(run, changed, given) | {
            "is_identical": None,
            "actual": _figures(run.rows, run.settings, lived),
            "same_fills": None if share is None else rounded(share, 4),
            "near_fills": None if near is None else rounded(near, 4),
            "again": _figures(again.rows, run.settings, _pnl(again, run, self._ends_ns)) | {"sha256": again.digest},
        }
        retunes = _retunes(run, given)
        document |= _compared(run, again, changed if given else None, self._ends_ns, retunes, run.decided_ns)
        document["settings_changes"] = [
            {"time": iso_time(each.time_ns // NS_PER_MS), "key": each.key, "before": each.before, "now": each.now}
            for each in run.changes
        ]
        return document


def whatif_lived(settings: Settings, day: date | None, sets: Sequence[str]) -> Answer:
    """Return what a day of a desk on real processes would have earned with other settings.

    Raises:
        DeskError, SettingsError: if there is no such day, or a setting is none, or changes nothing here.
    """
    document = LivedDay(settings, day).whatif(sets)
    return document, whatif_text(document)


def _retunes(run: DeskDay, given: Mapping[str, Any]) -> list[tuple[int, Settings]]:
    """Return how the desk was set from each change on; what is `given` stays as it is."""
    texts, found = setting_texts(run.settings), []
    for change in run.changes:
        texts[change.key] = change.now
        found.append((change.time_ns, load_kept_settings(texts, str(run.folder), given)))
    return found


def _changed(run: Run, sets: Sequence[str]) -> tuple[Settings, dict[str, Any]]:
    given = values_set(sets)
    check_read(given, READ_BY_DESKS)
    return load_kept_settings(setting_texts(run.settings), str(run.folder), given), given


def _head(run: Run, changed: Settings, given: Mapping[str, Any]) -> JsonObject:
    return {
        "run": str(run.folder),
        "from": iso_time(run.start_ns // NS_PER_MS),
        "to": iso_time(run.end_ns // NS_PER_MS),
        "symbol": run.settings.symbol,
        "quote": run.settings.instrument.quote,
        "set": {key: _text_of(changed, key) for key in given},
        "was": {key: _text_of(run.settings, key) for key in given},
    }


def _compared(
    run: Run,
    again: Played,
    changed: Settings | None,
    ends_ns: Sequence[int],
    retunes: Sequence[tuple[int, Settings]] = (),
    decided_ns: Sequence[int] = (),
) -> JsonObject:
    """Return what a change comes to; nulls without one."""
    if changed is None:
        return {"changed": None, "difference": None}
    other = _played(run, changed, ends_ns, retunes, decided_ns)
    figures = _figures(other.rows, run.settings, _pnl(other, run, ends_ns)) | {"sha256": other.digest}
    return {"changed": figures, "difference": _difference(again, other, run.settings.symbol, ends_ns)}


def _played(
    run: Run,
    settings: Settings,
    ends_ns: Sequence[int],
    retunes: Sequence[tuple[int, Settings]] = (),
    decided_ns: Sequence[int] = (),
) -> Played:
    with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch, failures_told():
        return play(
            settings, run.start_ns, ends_ns, run.delays, run.records(), Path(scratch), run_to, retunes, decided_ns
        )


def _files_of(folder: Path) -> Mapping[date, bytes]:
    files = ReportsFolder(folder)
    try:
        return {day: files.file_of(day).read_bytes() for day in files.days()}
    except OSError as error:
        raise DeskError(f"cannot read {error.filename}: {error.strerror or error}") from None


def _text_of(settings: Settings, key: str) -> str | None:
    return setting_texts(settings).get(key)


def _pnl(played: Played, run: Run, ends_ns: Sequence[int]) -> list[Fraction | None]:
    return pnl_of_blocks(played.rows, run.settings.symbol, ends_ns, played.mids)


def _figures(every: Sequence[HistoryRow], settings: Settings, blocks: Sequence[Fraction | None]) -> JsonObject:
    """Return what a run comes to."""
    rows = [row for row in every if row.trade.symbol == settings.symbol]
    return {
        "fills": len(rows),
        "volume": figure(sum((Fraction(row.trade.quote_qty) for row in rows), Fraction(0))),
        "fees": figure(sum((Fraction(row.fee_in_quote or 0) for row in rows), Fraction(0))),
        "pnl": None if None in blocks else figure(sum((each for each in blocks if each is not None), Fraction(0))),
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
