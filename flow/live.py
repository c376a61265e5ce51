"""Follows a market while it happens: public streams, read by the same code as a recording of them.

Binance Spot API docs, "How to manage a local order book correctly": listen to the updates, take a snapshot, drop what
it holds, and begin again as soon as an update does not follow on the one before.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flow.book_mirror import BookMirror
from flow.order_flow import Figure
from flow.recordings.recording import MALFORMED, BookTicker, DepthUpdate, MessageParser, Record, RecordedTrade, Snapshot
from flow.recordings.trade_placement import TradePlacement
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.commands import Command
from market.events import Event
from market.instrument import Instrument

_IN_FLIGHT_MAX = 20_000  # commands without an answer, beyond which what was received waits
_RESYNC_PAUSE_NS = NS_PER_SECOND  # between two snapshots; twice as long after each that could not be had
_PAUSE_NS_MAX = 30 * NS_PER_SECOND
_ANSWER_NS_MAX = 15 * NS_PER_SECOND  # a snapshot that is not there by then, or was none, is asked for again


class Subscribed(NamedTuple):
    """The streams have begun, from nothing; what came before them is out of date."""


class Received(NamedTuple):
    """A message of the streams, or the snapshot that was asked for, as JSON; the time is monotonic."""

    received_ns: int
    text: str


class Lost(NamedTuple):
    """The streams have ended; `reason` is for a person."""

    reason: str


StreamNews = Subscribed | Received | Lost


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a market is followed.

    Attributes:
        url: of the streams, for the figures.
        queue_model, seed: as in a replay.
        trade_window_ms: how long everything waits for trades that are told later than their effect.
        reach_bps: levels farther than this from the mid are left out.
        stale_s: without streams, or a snapshot to build on, for so long, the book is withdrawn.
    """

    url: str
    queue_model: str = "behind"
    seed: int = 1
    trade_window_ms: int = 50
    reach_bps: int = 1_000
    stale_s: float = 10.0


class LiveFlow:
    """The book and the trades of one symbol elsewhere, in our engine a moment later."""

    def __init__(self, instrument: Instrument, settings: LiveSettings, owner: int, order_ids: Iterator[int]) -> None:
        """Begin without a book."""
        self._settings = settings
        self._symbol = instrument.symbol
        self._parser = MessageParser(instrument)
        self._mirror = BookMirror(
            instrument.symbol_id, owner, order_ids, settings.reach_bps, settings.queue_model, settings.seed
        )
        self._placement = TradePlacement(settings.trade_window_ms * NS_PER_MS)
        self._news: deque[StreamNews] = deque()
        self._is_subscribed = False
        self._is_withdrawn = False
        self._lost_ns: int | None = None  # since when the book is not followed
        self._snapshot_due_ns: int | None = None  # when the next one may be asked for
        self._snapshot_id = 0  # the update as of which the book was last taken whole
        self._streamed_id = 0  # the latest update that the streams have told of, since they began
        self._backoff = Backoff(_RESYNC_PAUSE_NS, _PAUSE_NS_MAX)  # of snapshots
        self._counts = {"message_count": 0, "bad_message_count": 0, "disconnect_count": 0, "resync_count": 0}
        self._last_problem = ""

    @property
    def is_finished(self) -> bool:
        """Never: the market goes on."""
        return False

    @property
    def is_following(self) -> bool:
        """Whether the book is known and its streams run."""
        return self._is_subscribed and self._mirror.is_built

    @property
    def waiting_count(self) -> int:
        """How many news wait for the next step."""
        return len(self._news)

    def hear(self, news: StreamNews) -> None:
        """Take news of the streams, to be handled in the next step."""
        self._news.append(news)

    def take_snapshot_request(self, now_ns: int) -> bool:
        """Return, once for each, whether a snapshot is to be asked for now; its answer comes as `Received`."""
        if self._snapshot_due_ns is None or now_ns < self._snapshot_due_ns:
            return False
        self._snapshot_due_ns = now_ns + _ANSWER_NS_MAX
        return True

    def fail_snapshot(self, now_ns: int, reason: str) -> None:
        """Take note that a snapshot could not be had; another one will be asked for."""
        self._last_problem = reason
        if self._is_subscribed and not self._mirror.is_built:
            self._snapshot_due_ns = now_ns + self._backoff.fail(now_ns)

    def start(self, now_ns: int) -> list[Command]:  # noqa: ARG002 - the protocol's; a live market has no start time
        """Build the book as it is known."""
        self._is_withdrawn = False
        return self._mirror.rebuild()

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Handle all news in their order."""
        self._mirror.hear(events, acknowledged)
        while self._news and self._mirror.in_flight_count < _IN_FLIGHT_MAX:
            self._handle(now_ns, self._news.popleft())
        for _, record in self._placement.until(now_ns):
            self._apply(now_ns, record)
        self._withdraw_if_stale(now_ns)
        return self._mirror.take_commands()

    def wake_ns(self, now_ns: int) -> int:
        """Return when `step` wants to be called: at once if there are news, else when a record has waited enough."""
        if self._news:
            return now_ns
        due = (now_ns + NS_PER_SECOND, self._placement.next_due_ns, self._stale_ns)
        return max(now_ns, min(due_ns for due_ns in due if due_ns is not None))

    def summary(self) -> dict[str, Figure]:
        """Return the mirror's figures, and those of the connection."""
        return {
            "flow": "live",
            "symbol": self._symbol,
            "url": self._settings.url,
            "is_following": self.is_following,
            "is_withdrawn": self._is_withdrawn,
            **self._counts,
            "last_problem": self._last_problem,
            **self._mirror.summary(),
        }

    def _handle(self, now_ns: int, news: StreamNews) -> None:
        match news:
            case Subscribed():
                self._is_subscribed = True
                self._streamed_id = 0
                self._placement = TradePlacement(self._settings.trade_window_ms * NS_PER_MS)
                self._resynchronise(now_ns, now_ns)
            case Lost(reason):
                self._is_subscribed = False
                self._lost_ns = now_ns if self._lost_ns is None else self._lost_ns
                self._snapshot_due_ns = None
                self._counts["disconnect_count"] += 1
                self._last_problem = reason
            case Received(received_ns, text):
                self._receive(received_ns, text)

    def _receive(self, received_ns: int, text: str) -> None:
        self._counts["message_count"] += 1
        try:
            record = self._parser.message(received_ns, text)
        except MALFORMED as error:
            # A side without a best price is told as price 0; an update that is lost so leaves a gap, which is seen.
            self._counts["bad_message_count"] += 1
            self._last_problem = f"bad message: {error}, was {text[:80]!r}"
            return
        if record is not None:
            self._placement.put(record)

    def _apply(self, now_ns: int, record: Record) -> None:
        if self._is_past(record):
            return
        self._mirror.apply(record)
        if self._mirror.is_built:
            self._is_withdrawn = False
            self._snapshot_due_ns = None
            self._backoff.end()
            if self._is_subscribed:
                self._lost_ns = None
            if self._mirror.gap_count:
                self._last_problem = str(self._mirror.summary()["first_gap"])
                self._counts["resync_count"] += 1
                self._resynchronise(now_ns, now_ns + _RESYNC_PAUSE_NS)

    def _is_past(self, record: Record) -> bool:
        """Say whether the book has already had what a record tells: the streams may come later than a snapshot.

        A trade has no update id: it counts from the first update on that is newer than the snapshot.
        """
        match record:
            case RecordedTrade():
                return not self._mirror.is_built or self._streamed_id <= self._snapshot_id
            case Snapshot():
                self._snapshot_id = record.update_id
                return False
            case DepthUpdate() | BookTicker():
                self._streamed_id = max(self._streamed_id, record.update_id)
                return isinstance(record, BookTicker) and record.update_id <= self._snapshot_id

    def _resynchronise(self, now_ns: int, from_ns: int) -> None:
        self._snapshot_id = 0
        self._mirror.begin_next()
        self._lost_ns = now_ns if self._lost_ns is None else self._lost_ns
        self._snapshot_due_ns = from_ns

    @property
    def _stale_ns(self) -> int | None:
        """When the book is to be withdrawn, None while there is no reason to."""
        if self._lost_ns is None or self._is_withdrawn:
            return None
        return self._lost_ns + round(self._settings.stale_s * NS_PER_SECOND)

    def _withdraw_if_stale(self, now_ns: int) -> None:
        """Take a book out that nobody updates: an empty market is not mistaken for a quiet one."""
        if self._stale_ns is not None and now_ns >= self._stale_ns:
            self._mirror.begin_next()
            self._mirror.withdraw()
            self._is_withdrawn = True
