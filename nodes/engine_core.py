"""What the engine's node does between its sockets: pure but for the journal, so that a replay takes the same way.

2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish: for all frames that wait as one batch.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bus.codec import MalformedMessageError, decode_commands
from bus.feed import Frames
from bus.messages import TAG_BY_MESSAGE
from bus.order_link import CommandBatch, EngineEnd
from bus.publisher import FeedPublisher
from bus.topology import Source, source_of_order, source_of_owner
from engine.journal import Journal
from engine.journal_format import CommandRecord, decode_header, journal_files
from engine.journal_replay import Replay
from engine.matching_engine import MatchingEngine
from engine.rows import read_event, write_command
from market.codes import RejectReason
from market.commands import Command, HaltSymbol, MassCancel, NewOrder
from market.events import Event, Executed, Halted, Rejected
from market.instrument import Instrument


class EngineCore:
    """A matching engine with its order links, its feed and its journal.

    Args:
        engine: empty.
        instruments: by symbol id.
        epoch: of the order links: the journal's, if there is one.
        feed_epoch: of the feed, new in every life.
        journal: not yet recovered.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        instruments: Sequence[Instrument],
        epoch: int,
        feed_epoch: int,
        journal: Journal,
    ) -> None:
        self.engine = engine
        self.links = EngineEnd(epoch)
        self.publisher = FeedPublisher(instruments, feed_epoch)
        self.epoch = epoch
        self.command_count = 0
        self.malformed_count = 0
        self.halted_symbols: set[int] = set()
        self._journal = journal

    def recover(self, tell: Callable[[Replay], None]) -> Replay:
        """Rebuild book, links and feed from the journal.

        Raises:
            JournalError: if the journal cannot be trusted or kept.
        """

        return self._journal.recover(lambda _, record: self.replay(record), tell)

    def replay(self, record: CommandRecord) -> None:
        """Do what a journaled frame tells, again."""
        source, first, size = record.source, record.first_sequence, record.command_count
        self.links.restore(source, first + size - 1)
        self._handle([CommandBatch(source, record.payload, first, size, record.skip_count)], record.time_ns)
        self.links.outgoing()  # nobody listens yet; what is not acknowledged stays, to be sent again

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the past matters: no order is open, nothing is halted."""
        return self.engine.live_order_count == 0 and not self.halted_symbols

    def handle(self, batches: Sequence[CommandBatch], time_ns: int, now_ns: int) -> list[Frames]:
        """Journal and match the commands of `batches`; return the feed's frames. The links hold the reports.

        Args:
            batches: what was waiting, at most what fits into the ring of commands.
            time_ns: ns since 1970 UTC.
            now_ns: monotonic, for the journal's sync.

        Raises:
            JournalError: if the commands cannot be kept; nothing was done with them.
        """
        records = [CommandRecord(time_ns, b.source, b.first, b.size, b.skip, b.payload) for b in batches]
        self._journal.append(records, now_ns)
        return self._handle(batches, time_ns)

    def _handle(self, batches: Sequence[CommandBatch], time_ns: int) -> list[Frames]:
        handled: dict[int, int] = defaultdict(int)
        reports: dict[int, list[Event]] = defaultdict(list)
        last_order_ids: dict[int, int] = defaultdict(int)
        for batch in batches:
            handled[batch.source] += batch.size - batch.skip
            reports[batch.source].extend(self._decode(batch, last_order_ids, time_ns))
        events = self._match()
        for event in events:
            for source in _sources_of(event):
                reports[source].append(event)
        for source in sorted(reports.keys() | handled.keys()):
            self.links.report(source, reports[source], handled[source], last_order_ids[source])
        return self.publisher.take(events, time_ns)

    def _decode(self, batch: CommandBatch, last_order_ids: dict[int, int], time_ns: int) -> Iterator[Rejected]:
        """Write the new commands of a frame into the ring; yield a rejection for each that may not enter."""
        try:
            commands = decode_commands(batch.payload)
        except MalformedMessageError:
            commands = []
        if len(commands) != batch.size:
            self.malformed_count += 1
            yield Rejected(0, time_ns, -1, 0, 0, 0, RejectReason.MALFORMED)
            return
        ring = self.engine.commands
        for command in commands[batch.skip :]:
            reason = _refusal(command, batch.source)
            if reason is None:
                write_command(ring.rows, ring.claim(), command)
                ring.publish()
                if isinstance(command, NewOrder):
                    last_order_ids[batch.source] = max(last_order_ids[batch.source], command.order_id)
            else:
                tag = TAG_BY_MESSAGE[type(command)]
                yield Rejected(0, time_ns, -1, getattr(command, "order_id", 0), 0, tag, reason)
        self.command_count += batch.size - batch.skip

    def _match(self) -> list[Event]:
        """Match all that is in the ring and return what happened."""
        events: list[Event] = []
        while len(self.engine.commands):
            self.engine.match()
            while len(rows := self.engine.events.readable()):
                events.extend(map(read_event, rows))
                self.engine.events.consume(len(rows))
        for event in events:
            if isinstance(event, Halted):
                (self.halted_symbols.add if event.is_halted else self.halted_symbols.discard)(event.symbol_id)
        return events


def journal_epoch(folder: Path) -> int | None:
    """Return the epoch of the order links that the journal in `folder` goes on with, None if there is no journal.

    Raises:
        JournalError: if its first file is not a journal's.
    """
    paths = journal_files(folder)
    if not paths:
        return None
    with paths[0].open("rb") as file:
        head = file.read(4_096)
    return decode_header(paths[0], head).epoch if head else None


def _refusal(command: Command, source: int) -> RejectReason | None:
    """Return why `source` may not send `command`: ids and owners must be its own; the operator may act on all."""
    if source == Source.OPERATOR:
        return None if isinstance(command, HaltSymbol | MassCancel) else RejectReason.BAD_ORDER_ID
    if isinstance(command, HaltSymbol):
        return RejectReason.BAD_OWNER
    if not isinstance(command, MassCancel) and source_of_order(command.order_id) != source:
        return RejectReason.BAD_ORDER_ID
    if source_of_owner(command.owner) != source:
        return RejectReason.BAD_OWNER
    return None


def _sources_of(event: Event) -> set[int]:
    if isinstance(event, Executed):
        return {source_of_order(event.taker_order_id), source_of_order(event.maker_order_id)}
    if isinstance(event, Halted) or (isinstance(event, Rejected) and event.order_id == 0):
        owner = getattr(event, "owner", 0)
        return {source_of_owner(owner) if owner else Source.OPERATOR}
    order_id = getattr(event, "order_id", 0)
    return {source_of_order(order_id)} if order_id else set()
