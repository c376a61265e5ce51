"""Turns what a venue's streams say into the lines of a recording, and knows when a snapshot is needed.

Written is what `recording` reads back: a message that it would refuse becomes a mark. A mark is a message of ours among
those of the venue (`{"e": "gap", ...}`), which a replay counts and passes over. Each file begins with one: who reads it
knows its symbol, however early the recorder was killed.
Binance Spot API docs, "How to manage a local order book correctly": each update begins where the last one ended, and a
snapshot is of use if it is not older than the updates that go on from it.
"""

import json
from collections import Counter, deque
from typing import Final, NamedTuple

from flow.live import Lost, Received, StreamNews, Subscribed
from flow.recordings.recording import BEGIN, GAP, MALFORMED, REFUSED, DepthUpdate, MessageParser, Snapshot
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument

_PAUSE_NS: Final = NS_PER_SECOND  # between two snapshots; twice as long after each that could not be had
_PAUSE_NS_MAX: Final = 30 * NS_PER_SECOND
_ANSWER_NS_MAX: Final = 15 * NS_PER_SECOND  # a snapshot that is not there by then is asked for again
_UPDATES_MAX: Final = 10_000
_SHOWN_MAX: Final = 200  # characters of a message that is refused


class Line(NamedTuple):
    """A line of the file.

    Attributes:
        begins_with: what a new file may begin with in front of this line, which is a snapshot: a mark, and the updates
            that came before it but are newer. None: a book cannot begin here.
    """

    text: str
    begins_with: tuple[str, ...] | None = None


class _Update(NamedTuple):
    """An update of the depth that is among the lines; `received_ns` is monotonic."""

    received_ns: int
    first_id: int
    last_id: int
    text: str


class Recorder:
    """One recording of one symbol.

    Args:
        ahead_ns: the time of day less the monotonic time.
    """

    def __init__(self, instrument: Instrument, ahead_ns: int) -> None:
        self._symbol = instrument.symbol
        self._parser = MessageParser(instrument)
        self._ahead_ns = ahead_ns
        self._lines: deque[Line] = deque()
        self._updates: deque[_Update] = deque(maxlen=_UPDATES_MAX)  # the last since the last gap
        self._is_subscribed = False
        self._snapshot_id: int | None = None  # of the last one since then
        self._snapshot_due_ns: int | None = None
        self._backoff = Backoff(_PAUSE_NS, _PAUSE_NS_MAX)
        self.counts: Counter[str] = Counter()
        self.last_problem = ""

    @property
    def has_book(self) -> bool:
        """Whether a snapshot is among the lines."""
        return self.counts["Snapshot"] > 0

    def set_clock(self, ahead_ns: int) -> None:
        """Go by a clock that may have been set, or a machine that has slept, from now on; times never go back."""
        self._ahead_ns = max(self._ahead_ns, ahead_ns)

    def hear(self, now_ns: int, news: StreamNews) -> None:
        """Take news of the streams; `now_ns` is monotonic."""
        match news:
            case Subscribed():
                self._is_subscribed = True
                self._await_snapshot(now_ns + _PAUSE_NS)
            case Lost(reason):
                if self._is_subscribed:
                    self._mark(now_ns, GAP, reason)
                self._is_subscribed = False
                self._snapshot_due_ns = None
                self.last_problem = reason
            case Received(received_ns, text):
                self._receive(received_ns, text.replace("\n", " ").replace("\r", " "))

    def take_lines(self) -> list[Line]:
        """Return the lines since the last call."""
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def take_snapshot_request(self, now_ns: int) -> bool:
        """Return, once for each, whether a snapshot is to be asked for now; its answer comes as `Received`."""
        if self._snapshot_due_ns is None or now_ns < self._snapshot_due_ns:
            return False
        self._snapshot_due_ns = now_ns + _ANSWER_NS_MAX
        return True

    def fail_snapshot(self, now_ns: int, reason: str) -> None:
        """Take note that a snapshot could not be had; another one will be asked for."""
        self.last_problem = reason
        if self._snapshot_due_ns is not None:
            self._snapshot_due_ns = now_ns + self._backoff.fail(now_ns)

    def ask_snapshot(self, now_ns: int) -> None:
        """Let a snapshot be asked for that the book goes on without: for another file to begin with."""
        if self._snapshot_due_ns is None and self._is_subscribed:
            self._snapshot_due_ns = now_ns

    def _await_snapshot(self, from_ns: int) -> None:
        self._updates.clear()
        self._snapshot_id = None
        self._snapshot_due_ns = from_ns

    def _receive(self, received_ns: int, text: str) -> None:
        line = f"{received_ns + self._ahead_ns} {text}"
        try:
            record = self._parser.record(line)
        except MALFORMED as error:
            self.last_problem = f"refused a message: {error}"
            self._mark(received_ns, REFUSED, f"{error}, was {text[:_SHOWN_MAX]}")
            return
        begins_with = None
        if isinstance(record, DepthUpdate):
            self._follow(received_ns, record)
            self._updates.append(_Update(received_ns, record.first_update_id, record.update_id, line))
        elif isinstance(record, Snapshot):
            if self._updates and record.update_id < self._updates[0].first_id - 1:  # what follows it is not known
                self.fail_snapshot(received_ns, f"the snapshot is of id {record.update_id}, before the updates")
                return
            self._snapshot_id, self._snapshot_due_ns = record.update_id, None
            self._backoff.end()
            newer = [update for update in self._updates if update.last_id > record.update_id]
            begin_ns = newer[0].received_ns if newer else received_ns
            begins_with = self._mark_line(begin_ns, BEGIN), *(update.text for update in newer)
        elif record is None:  # an answer, or of a stream that nobody asked for
            return
        if not self.counts:
            self._lines.append(Line(self._mark_line(received_ns, BEGIN)))
        self.counts[type(record).__name__] += 1
        self._lines.append(Line(line, begins_with))

    def _follow(self, received_ns: int, update: DepthUpdate) -> None:
        """Note where an update goes on from; one that does not go on is a gap, and the book begins anew."""
        first_id = update.first_update_id
        if not self._updates:
            if self._snapshot_id is None or self._snapshot_id < first_id - 1:
                self._snapshot_due_ns = received_ns  # one taken from now on is not older than this update
        elif first_id > (next_id := self._updates[-1].last_id + 1):
            self._mark(received_ns, GAP, f"expected an update from id {next_id}, was {first_id}")
            self._await_snapshot(received_ns + _PAUSE_NS)

    def _mark(self, at_ns: int, event: str, reason: str) -> None:
        self.counts[event] += 1
        self._lines.append(Line(self._mark_line(at_ns, event, reason=reason)))

    def _mark_line(self, at_ns: int, event: str, **more: str) -> str:
        at_ns += self._ahead_ns
        return f"{at_ns} {json.dumps({'e': event, 'E': at_ns // NS_PER_MS, 's': self._symbol, **more})}"
