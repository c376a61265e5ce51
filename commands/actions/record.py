"""The commands `record` and `recording`: a market's public streams into files, and what files hold."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from commands.progress import Progress
from desk.client import DeskError, UsageError, require_node
from desk.settings import Settings
from flow.live import Subscribed
from flow.live_url import PUBLIC_STREAMS, rest_url
from flow.recordings.cache import cache_folder
from flow.recordings.files import RecordingFiles
from flow.recordings.inspection import Inspection
from flow.recordings.kept_inspection import inspected as inspected_once
from flow.recordings.playlist import symbol_of
from flow.recordings.recorder import Recorder
from flow.recordings.recording import GAP, RecordingError
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns, utc_datetime
from market.http_names import connectable, in_url
from market.instrument import Instrument
from market.words import counted
from screens.progress import count_line

if TYPE_CHECKING:
    from venues.binance_streams import MarketStreams

_LOOK_S: Final = 0.02
_TELL_NS: Final = NS_PER_SECOND
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is recorded: for how long (None: until somebody stops it), and how much of it goes into one file."""

    minutes: float | None
    file_minutes: float
    file_mb: float


def record_market(settings: Settings, source: str, out: Path | None, extent: Extent) -> int:
    """Record until the time is up, or SIGINT or SIGTERM; return the exit code, 1 if no book could be recorded.

    Raises:
        DeskError: if nobody answers there, or the disk does not take the files.
    """
    from venues.binance_streams import MarketStreams, StreamsError

    url = _streams_url(settings, source)
    streams = MarketStreams(url, settings.symbol)
    try:
        streams.check()
    except StreamsError as error:
        raise DeskError(f"cannot record: {error}") from None
    path = out or settings.run_dir / "recordings" / f"{settings.symbol}-{utc_datetime(time_ns()):%Y%m%dT%H%M%SZ}.gz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        span_ns = round(extent.file_minutes * 60 * NS_PER_SECOND)
        with closing(RecordingFiles(path, span_ns, round(extent.file_mb * _MB))) as files:
            recording = _Recording(settings.instrument, streams, files)
            recording.run(extent.minutes)
        return recording.summed_up()  # of what is written: the last seconds are when the files are closed
    except FileExistsError as error:
        raise DeskError(f"cannot record: there is {error.filename} already") from None
    except OSError as error:
        reason = error.strerror or error
        raise DeskError(f"cannot write the recording {path}: {reason}; what is written of it is whole") from None


def recorded_symbol(path: Path) -> str:
    """Return the symbol of a file.

    Raises:
        DeskError: if it cannot be read, or has none.
    """
    with _read_failures_told(path):
        return symbol_of((path,))


def inspected(settings: Settings, path: Path) -> tuple[Inspection, Instrument]:
    """Return what is in a file, and the pair that was recorded.

    Raises:
        DeskError: if it cannot be read, or nobody knows its pair.
    """
    known = {each.symbol: each for each in settings.instruments}
    if (symbol := recorded_symbol(path)) not in known:
        raise DeskError(f"{path} is of {symbol}, which the desk does not know; it has {', '.join(known)}")
    with _read_failures_told(path), Progress() as progress:
        found = inspected_once(
            path, known[symbol], cache_folder(), lambda count: progress.tell(partial(_read_line, path, count))
        )
    return found, known[symbol]


def _read_line(path: Path, count: int, took_ns: int) -> str:
    return f"{path}: {count_line(count, None, took_ns, 'record')}"


@contextmanager
def _read_failures_told(path: Path) -> Iterator[None]:
    try:
        yield
    except RecordingError as error:
        raise DeskError(str(error)) from None
    except OSError as error:
        raise DeskError(f"cannot read {path}: {error.strerror or error}") from None


def _streams_url(settings: Settings, source: str) -> str:
    if source == "binance":
        return PUBLIC_STREAMS
    if source == "desk":
        require_node(settings.run_dir, "paper")
        return f"ws://{in_url(connectable(settings.paper.host))}:{settings.paper.port}"
    try:
        rest_url(source)
    except ValueError as error:
        raise UsageError(f"--from: expected desk, binance, or streams: {error}, was {source!r}") from None
    return source


class _Recording:
    """One run of the recorder."""

    def __init__(self, instrument: Instrument, streams: "MarketStreams", files: RecordingFiles) -> None:
        self._streams = streams
        self._files = files
        self._recorder = Recorder(instrument, time_ns() - monotonic_ns())
        self._stopping = threading.Event()
        self._line_count = 0
        self._told_problem = ""

    def run(self, minutes: float | None) -> None:
        from rich.console import Console

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        console = Console(stderr=True, highlight=False)
        start_ns = monotonic_ns()
        end_ns = None if minutes is None else start_ns + round(minutes * 60 * NS_PER_SECOND)
        self._streams.start()
        with ExitStack() as at_end:
            at_end.callback(self._streams.stop)
            status = at_end.enter_context(console.status("recording"))
            tell_ns, line_count = start_ns, 0
            while not self._stopping.wait(_LOOK_S) and (end_ns is None or monotonic_ns() < end_ns):
                now_ns = monotonic_ns()
                self._step(now_ns)
                if now_ns - tell_ns >= _TELL_NS:
                    rate = (self._line_count - line_count) * NS_PER_SECOND / (now_ns - tell_ns)
                    left = "" if end_ns is None else f", {(end_ns - now_ns) / NS_PER_SECOND:,.0f} s left"
                    status.update(f"{self._figures()}, {rate:,.0f}/s{left}")
                    tell_ns, line_count = now_ns, self._line_count
                if self._recorder.last_problem != self._told_problem:
                    self._told_problem = self._recorder.last_problem
                    console.print(f"note: {self._told_problem}", soft_wrap=True)

    def summed_up(self) -> int:
        """Print what was recorded; return the exit code."""
        print(f"{self._figures()}: {', '.join(map(str, self._files.paths))}")
        if not self._recorder.has_book:
            print("error: no book was recorded; see the notes", file=sys.stderr)
        return 0 if self._recorder.has_book else 1

    def _step(self, now_ns: int) -> None:
        """Take what has come, ask for what is missing, and write."""
        recorder, streams, files = self._recorder, self._streams, self._files
        for news in streams.take():
            if isinstance(news, Subscribed):  # anew, too: where a machine has slept, the monotonic clock has as well
                recorder.set_clock(time_ns() - monotonic_ns())
            recorder.hear(now_ns, news)
        for reason in streams.take_failures():
            recorder.fail_snapshot(now_ns, reason)
        for line in recorder.take_lines():
            files.put(line, now_ns)
            self._line_count += 1
        files.write_due(now_ns)
        if files.is_full(now_ns):
            recorder.ask_snapshot(now_ns)
        if recorder.take_snapshot_request(now_ns):
            streams.ask_snapshot()

    def _figures(self) -> str:
        gaps = counted(self._recorder.counts[GAP], "gap")
        return f"{counted(self._line_count, 'line')}, {self._files.size:,} bytes, {gaps}"

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the handler's arguments
        self._stopping.set()
