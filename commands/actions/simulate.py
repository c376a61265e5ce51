"""The command `simulate`: a desk on a simulated clock, and its day as a person reads it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from commands.actions.assignments import check_read, values_set
from commands.actions.kept_run import KeptRun, journal_of, write_run
from commands.actions.out_folder import new_folder
from commands.progress import Progress
from desk.client import DeskError, UsageError
from desk.settings import Settings, load_settings
from flow.recordings.recording import RecordingError, recorded_lags
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.exact_json import dumps
from reports.by_order import realized_by_order
from reports.folder import ReportsFolder
from reports.performance import is_sound
from reports.recommendations import weekly_document
from reports.weekly import DAYS
from screens.progress import progress_line
from screens.report import day_text
from screens.week import week_text
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.market import Keep

_PAPER = ("maker_fee", "taker_fee", "fee_in", "bnb_discount", "rate_limits")
READ_BY_DESKS: Final = ("symbol", "symbols", "maker.", *(f"paper.{name}" for name in _PAPER))  # by simulated ones
READ: Final = (*READ_BY_DESKS, "flow.")

_PIECE_NS = 10 * NS_PER_SECOND  # simulated at once, between two looks at the terminal


def settings_with(overrides: Mapping[str, Any], sets: Sequence[str], read: Sequence[str]) -> Settings:
    """Return the settings of a run: those of files and environment, the command line's, and each KEY=VALUE.

    Args:
        read: which KEYs mean something there; one with a dot at its end stands for all that begin with it.

    Raises:
        DeskError: if one is not spelt so, or would change nothing.
        SettingsError: if they cannot be.
    """
    given = values_set(sets)
    settings = load_settings({**overrides, **given}).settings
    check_read(given, read)
    return settings


def start_of(text: str) -> int:
    """Return a moment, UTC unless it says otherwise, in ns since 1970.

    Raises:
        DeskError: if it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"expected a time as 2026-01-01T00:00:00, was {text[:40]!r}") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not 1971 <= moment.year <= 2200:
        raise UsageError(f"expected a time from 1971 to 2200, was {text[:40]!r}")
    return int(moment.timestamp()) * NS_PER_SECOND


def delays_of(latency_ms: float, jitter_ms: float, jitter_from: Path | None, seed: int) -> Delays:
    """Return the delays between maker and exchange that the command line asks for.

    Raises:
        DeskError: if it asks for two kinds of jitter, or the recording tells of none.
    """
    if jitter_from is None:
        return Delays(venue_ns=round(latency_ms * NS_PER_MS), venue_more_ns=round(jitter_ms * NS_PER_MS), seed=seed)
    if jitter_ms:
        raise UsageError("expected --jitter-ms or --jitter-from, were both")
    try:
        lags_ns = tuple(recorded_lags(jitter_from))
    except RecordingError as error:
        raise DeskError(f"--jitter-from: {error}") from None
    except OSError as error:
        raise DeskError(f"--jitter-from: cannot read {jitter_from}: {error.strerror or error}") from None
    return Delays(venue_ns=round(latency_ms * NS_PER_MS), venue_lags_ns=lags_ns)


def print_simulation(
    settings: Settings, start_ns: int, seconds: int, delays: Delays, out: Path | None, *, as_json: bool
) -> int:
    """Simulate, print the days as `report` does, and return the exit code: 1 if the books of one do not agree.

    As JSON the last day is printed. Of more than a week the last day is printed, and a line of each.
    """
    if settings.flow.source == "live":
        raise DeskError("a live market cannot be simulated: record it, and use replay:FILE")
    with new_folder(out) as folder, failures_told():
        with ExitStack() as stack:
            keep: Keep | None = None
            if out is not None and settings.flow.source != "replay":
                keep = stack.enter_context(journal_of(folder, settings, start_ns))
            desk = SimulatedDesk(settings, start_ns, folder, delays, keep=keep)
            took_s = run_to(desk, start_ns + seconds * NS_PER_SECOND)
        day = desk.close_books()
        document = desk.folder.read(day)
        assert document is not None, f"no file of {day}"
        texts = [] if as_json else days_texts(desk.folder)
        are_sound = all(found is not None and is_sound(found) for found in map(desk.folder.read, desk.folder.days()))
        if out is not None:
            write_run(KeptRun(folder, settings, start_ns, seconds, delays))
    speed = seconds / took_s
    if as_json:
        run = {
            "seconds": seconds,
            "seed": settings.flow.seed,
            "sha256": desk.digest.hexdigest(),
            "trader": desk.told.counts,
            "rules": desk.told.rules,
            "problems": problems_of(desk),
        }
        print(dumps({"run": run, "day": document}))
        print(f"{speed:.0f} simulated seconds a second", file=sys.stderr)
    else:
        print("\n\n".join(texts))
        print(f"\n🧪 {seconds} s simulated in {took_s:.1f} s, {speed:.0f} a second; SHA-256 {desk.digest.hexdigest()}")
        if out is not None:
            print(f"💾 {out}")
    for problem in problems_of(desk):
        print(f"note: {problem}", file=sys.stderr)
    return 0 if are_sound else 1


def days_texts(folder: ReportsFolder) -> list[str]:
    """Return the days of a run as `report` prints them: up to a week each, of several a line of each as well."""
    days = folder.days()
    texts = []
    for day in days if len(days) <= DAYS else days[-1:]:
        document, book, damage = folder.read_shown(day)
        assert document is not None, f"the file of {day} that was just written: {damage}"
        texts.append(day_text(document, realized_by_order(document, book, None)))
    if len(days) > 1:
        texts.append(week_text(weekly_document(folder, days[-1], (days[-1] - days[0]).days + 1)))
    return texts


def problems_of(desk: SimulatedDesk) -> list[str]:
    """Return what a person should know of how a desk ran, a line each."""
    why = desk.told.why_unfilled
    return [*desk.problems, *([] if why is None else [why])]


@contextmanager
def failures_told() -> Iterator[None]:
    """Turn what a recording or a disk may do to a run into one line.

    Raises:
        DeskError: if a recording cannot be read on, or a daily file cannot be written.
    """
    try:
        yield
    except RecordingError as error:
        raise DeskError(f"cannot go on with the recording: {error}") from None
    except OSError as error:
        where = f" {error.filename}" if error.filename else " the daily file"
        raise DeskError(f"cannot read or write{where}: {error.strerror or error}") from None


def run_to(desk: SimulatedDesk, until_ns: int) -> float:
    """Run a desk up to a time, telling a terminal how far it is; return how long that took, s."""
    start_ns, began_ns = desk.heap.now_ns, monotonic_ns()
    with Progress() as progress:
        while desk.heap.now_ns < until_ns:
            desk.run(min(until_ns, desk.heap.now_ns + _PIECE_NS))
            progress.tell(partial(progress_line, desk.heap.now_ns - start_ns, until_ns - start_ns))
    return max(monotonic_ns() - began_ns, 1) / NS_PER_SECOND
