"""What the engine's node does between its sockets: pure but for the journal, so that a replay takes the same way.

2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish: for all frames that wait as one batch, and without an
object for each order.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby

from bus.engine_link import CommandBatch, EngineEnd
from bus.feed import Frames
from bus.topology import Source
from engine.matching_engine import MatchingEngine
from engine.rows.ring import CONSUMED, PUBLISHED
from engine.state import hash_state
from engine.wire.codec import CommandDecoder, Encoded, EventRouter, RowEncoder
from engine.wire.refusals import MalformedBytesError
from journal.checkpoint import Checkpoint, good_checkpoints
from journal.format import CorruptJournalError, JournalError, JournalMode
from journal.journal import Journal
from journal.replay import Replay
from market.codec import MalformedMessageError, decode_commands, encode_all
from market.codes import CancelReason, RejectReason
from market.commands import HaltSymbol, MassCancel
from market.events import Canceled, Halted, Rejected
from market.feed_messages import EngineHealth
from market.instrument import Instrument
from market.kernels.rows import Int64Array, read_event, write_command
from market.limits import BATCH_MESSAGES_MAX
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core_state import CoreState, decode_state
from nodes.engine.counting import EventCounts
from nodes.engine.feed import EngineFeed


class EngineCore:
    """A matching engine with its order links, its feed and its journal.

    Args:
        engine: empty.
        instruments: by symbol id.
        epoch: of the order links: the journal's, if there is one.
        feed_epoch: of the feed, new in every process.
        orders_max: the engine's.
        journal: not yet recovered.
        own_symbols: those that this engine has.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        instruments: Sequence[Instrument],
        epoch: int,
        feed_epoch: int,
        orders_max: int,
        journal: Journal[CommandRecord],
        own_symbols: Collection[int],
    ) -> None:
        self.engine = engine
        self.links = EngineEnd(epoch, feed_epoch)
        self.feed = EngineFeed(engine, instruments, feed_epoch, orders_max, own_symbols)
        self.epoch = epoch
        self.command_count = 0
        self.malformed_count = 0
        self.counts = EventCounts(self.feed.counts)
        self.halted_symbols: set[int] = set()
        self._journal = journal
        self._router = EventRouter(engine.events)
        self._own_symbols = sorted(own_symbols)
        has_all = len(self._own_symbols) == len(instruments)
        self._decoder = CommandDecoder(engine.commands, None if has_all else self._own_symbols)
        self._refusals = RowEncoder(self._decoder.refusals)
        self._feed_frames: list[Frames] = []
        self._mass_cancels: list[MassCancel] = []  # the operator's, in what is being handled
        self._is_replaying = False
        self._handled_ns = 0  # the time of the last commands
        self._own_count = 0  # of commands that the desk itself has given
        self.checkpoint_sequence = 0  # of the record behind which the checkpoint stands that it has begun with
        self.checkpoint_command_count = 0  # and what `command_count` was there

    def recover(self, tell: Callable[[Replay], None]) -> Replay:
        """Rebuild book, links and feed from the journal's newest good checkpoint and what follows it.

        Raises:
            JournalError: if the journal cannot be trusted or kept.
        """
        checkpoint, passed_over = self._newest_checkpoint()
        if checkpoint is not None:
            self.restore(checkpoint)
        together: list[CommandRecord] = []
        size = 0

        def take(_: int, record: CommandRecord) -> None:
            nonlocal size
            size += record.message_count
            if together and (record.time_ns != together[0].time_ns or size > self.engine.commands.slot_count):
                self.replay(together)
                together.clear()
                size = record.message_count
            together.append(record)

        try:
            done = self._journal.recover(take, tell, after=checkpoint.last if checkpoint else None)
        except CorruptJournalError as error:
            raise (
                error
                if not passed_over
                else CorruptJournalError(
                    error.path, error.offset, f"{error.why}; no checkpoint can be used: {'; '.join(passed_over)}"
                )
            ) from None
        self.replay(together)
        self.begin_to_tell()
        return replace(done, passed_over=passed_over)

    def begin_to_tell(self) -> None:
        """Let the feed know what is, before the first one listens: whoever asks must get the best prices of now."""
        self._follow_events()
        self.counts.begin()
        for _ in self.feed.best(0):
            pass

    def state(self) -> CoreState:
        """Return all that the next checkpoint is to hold; between two turns."""
        return CoreState(
            self.engine.state(),
            self.links.state(),
            self.feed.trades(),
            tuple(sorted(self.halted_symbols)),
            self.command_count,
            self.malformed_count,
            self._handled_ns,
            self._own_count,
        )

    def _newest_checkpoint(self) -> tuple[Checkpoint | None, tuple[str, ...]]:
        """Return the newest checkpoint that is good, and what is wrong with those after it."""
        passed_over: list[str] = []
        if self._journal.mode is not JournalMode.NONE:
            for found in good_checkpoints(self._journal.folder, COMMANDS, self._journal.figures):
                if isinstance(found, Checkpoint):
                    return found, tuple(passed_over)
                passed_over.append(str(found))
        return None, tuple(passed_over)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Be what the engine was at a checkpoint, before the first command.

        Raises:
            JournalError: if that cannot be, though the file is what was written.
        """
        sequence = checkpoint.last.place.sequence
        try:
            state = decode_state(checkpoint.state)
            self.engine.restore(state.engine)
        except ValueError as error:
            raise JournalError(
                f"the checkpoint behind record {sequence:,} cannot be used, remove it: {error}"
            ) from error
        was, now = hash_state(*state.engine), self.engine.state_hash()
        assert was == now, f"expected the state {was:016x} of record {sequence:,} after its checkpoint, was {now:016x}"
        self.checkpoint_sequence = sequence
        self.links.restore_state(state.links)
        self.feed.restore(state.trades)
        self.halted_symbols.update(state.halted_symbols)
        self.checkpoint_command_count = self.command_count = state.command_count
        self.malformed_count = state.malformed_count
        self._handled_ns, self._own_count = state.handled_ns, state.own_count

    def replay(self, records: Sequence[CommandRecord]) -> None:
        """Do again what frames tell that were handled together: they have one time, and their reports one order.

        The feed follows now and then, for nobody listens yet.
        """
        batches = []
        for record in records:
            source, first, size = record.source, record.first_sequence, record.message_count
            self.links.restore(source, first + size - 1)
            if source == Source.DESK:
                self._own_count = first + size - 1
            batches.append(CommandBatch(source, record.payload, first, size, record.skip_count))
        self._is_replaying = True
        if records:
            self._handled_ns = records[0].time_ns
            self._handle(batches, records[0].time_ns)
        self._is_replaying = False
        self.links.outgoing()  # nobody listens yet; what is not acknowledged stays, to be sent again

    def follow(self, records: Iterable[CommandRecord]) -> None:
        """Do what records of whole turns tell that another engine has done; nobody listens."""
        for _, turn in groupby(records, lambda record: record.time_ns):
            self.replay(list(turn))
        self._follow_events()

    def is_of_last_turn(self, record: CommandRecord) -> bool:
        """Return whether a record that follows is of the turn that was done last, which had not come whole."""
        return self._journal.sequence > 0 and record.time_ns == self._handled_ns

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the past matters: no order is open, nothing is halted, and all reports have arrived."""
        return self.engine.live_order_count == 0 and not self.halted_symbols and not self.links.owed

    def handle(self, batches: Sequence[CommandBatch], time_ns: int, now_ns: int) -> None:
        """Journal and match the commands of `batches`. The links hold the reports; `tell` then gives the feed.

        Args:
            batches: what was waiting, at most what fits into the ring of commands.
            time_ns: ns since 1970 UTC.
            now_ns: monotonic, for the journal's sync.

        Raises:
            JournalError: if the commands cannot be kept; nothing was done with them.
        """
        time_ns += time_ns == self._handled_ns  # a replay takes frames of one time for handled together
        self._handled_ns = time_ns
        records = [CommandRecord(time_ns, b.first, b.source, b.size, b.skip, b.payload) for b in batches]
        self._journal.append(records, now_ns)
        self._handle(batches, time_ns)

    @property
    def decoder_arrays(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """The arrays of the decoder of commands, for a lane."""
        return self._decoder.arrays

    @property
    def handled_ns(self) -> int:
        """The time of the last commands, ns since 1970 UTC."""
        return self._handled_ns

    def take_back(self, command_count: int, time_ns: int) -> None:
        """Know that a lane has handled so many more commands, the last of them at this time; then `tell`."""
        self.command_count += command_count
        self._handled_ns = time_ns

    def finish(self, handled: Mapping[int, int], first: int, time_ns: int) -> None:
        """Do the rest of a turn whose commands are journaled and in the ring, and partly matched; then `tell`.

        Args:
            handled: how many commands of each source the turn has.
            first: the ring sequence of the turn's first event; nothing has been told of it.
        """
        self._mass_cancels.clear()
        done = first, int(self.engine.events.positions[PUBLISHED]) - first
        self._report(chain([done], self._match(time_ns)), {source: [] for source in handled}, handled, {})

    def halt(self, symbols: Iterable[int], time_ns: int, now_ns: int) -> bool:
        """Halt those of `symbols` that are ours and not halted yet, though nobody has sent a command; then `tell`.

        Returns:
            Whether there was any.

        Raises:
            JournalError: as `handle`.
        """
        fresh = sorted(set(symbols).intersection(self._own_symbols) - self.halted_symbols)
        if fresh:
            commands = [HaltSymbol(symbol_id, 1, time_ns) for symbol_id in fresh]
            first, self._own_count = self._own_count + 1, self._own_count + len(commands)
            self.links.restore(Source.DESK, self._own_count)
            self.handle([CommandBatch(Source.DESK, encode_all(commands), first, len(commands), 0)], time_ns, now_ns)
        return bool(fresh)

    def tell(self, time_ns: int) -> list[Frames]:
        """Return the feed's frames of what was last handled: call it before the next `handle`.

        Whoever waits for a report need not wait for this.
        """
        self._tell_events(time_ns)
        frames, self._feed_frames = [*self._feed_frames, *self.feed.best(time_ns)], []
        return frames

    def _tell_events(self, time_ns: int) -> None:
        """Turn the events that still lie in their ring into the feed's frames, and make room."""
        events = self.engine.events
        if count := len(events):
            self._feed_frames.extend(self.feed.take(int(events.positions[CONSUMED]), count, time_ns))
            events.consume(count)

    def _follow_events(self) -> None:
        """Let the feed take in the events that still lie in their ring without telling anybody, and make room."""
        events = self.engine.events
        if count := len(events):
            self.feed.follow(int(events.positions[CONSUMED]), count)
            events.consume(count)

    def health(self) -> EngineHealth:
        """Return how the engine is."""
        return EngineHealth(self.command_count, self.engine.sequence, self.engine.live_order_count)

    def _handle(self, batches: Sequence[CommandBatch], time_ns: int) -> None:
        reports: dict[int, list[Encoded]] = {}
        handled: dict[int, int] = {}
        last_order_ids: dict[int, int] = {}
        self._mass_cancels.clear()
        for batch in batches:
            source, fresh_count = batch.source, batch.size - batch.skip
            take = self._take_operator if source in (Source.OPERATOR, Source.DESK) else self._take
            last_order_id = take(batch, time_ns, reports.setdefault(source, []))
            handled[source] = handled.get(source, 0) + fresh_count
            last_order_ids[source] = max(last_order_ids.get(source, 0), last_order_id)
            self.command_count += fresh_count
        self._report(self._match(time_ns), reports, handled, last_order_ids)

    def _report(
        self,
        matched: Iterable[tuple[int, int]],
        reports: dict[int, list[Encoded]],
        handled: Mapping[int, int],
        last_order_ids: Mapping[int, int],
    ) -> None:
        """Give the links what each source hears of the events, behind what is in its `reports` already."""
        for first, count in matched:
            for source in self._router.route(first, count):
                reports.setdefault(source, []).extend(self._router.reports(source, first, count))
            if self._mass_cancels:
                reports[Source.OPERATOR] += self._canceled_by_operator(first, count)
        for source in sorted(reports):
            self.links.report_encoded(source, reports[source], handled.get(source, 0), last_order_ids.get(source, 0))

    def _take(self, batch: CommandBatch, time_ns: int, reports: list[Encoded]) -> int:
        """Decode a frame into the ring; report what may not enter; return the highest order id that it brings."""
        try:
            kept, refused, last_order_id = self._decoder.admit(batch.payload, batch.source, time_ns, batch.skip)
        except MalformedBytesError:
            self._tell_malformed(time_ns, reports)
            return 0
        if refused:
            reports.append((self._refusals.encode(0, refused), refused))
            if not self._is_replaying:
                self.counts.refuse(self._decoder.refusals[:refused])
        if kept + refused != batch.size - batch.skip:
            self._tell_malformed(time_ns, reports)
        return last_order_id

    def _take_operator(self, batch: CommandBatch, time_ns: int, reports: list[Encoded]) -> int:
        """Take the operator's few commands, which are about everybody's orders, one by one."""
        try:
            commands = decode_commands(batch.payload)[batch.skip :]
        except MalformedMessageError:
            self._tell_malformed(time_ns, reports)
            return 0
        halted: list[Halted] = []
        for command in commands:
            if not isinstance(command, HaltSymbol | MassCancel):
                self._tell_malformed(time_ns, reports)
                continue
            write_command(self.engine.commands.rows, self.engine.commands.claim(), command)
            self.engine.commands.publish()
            if isinstance(command, HaltSymbol):
                halted += self._halted_by(command)
            else:
                self._mass_cancels.append(command)
        if halted:
            reports.append((encode_all(halted), len(halted)))
        return 0

    def _halted_by(self, command: HaltSymbol) -> list[Halted]:
        """Note which symbols the command will halt or resume; return what its sender is told of those that change."""
        every = self._own_symbols
        changed = []
        for symbol_id in every if command.symbol_id < 0 else [command.symbol_id] if command.symbol_id in every else []:
            (self.halted_symbols.add if command.is_halted else self.halted_symbols.discard)(symbol_id)
            changed.append(Halted(0, command.time_ns, symbol_id, command.is_halted))
        return changed

    def _canceled_by_operator(self, first: int, count: int) -> list[Encoded]:
        """Return what the operator is told of the orders that his mass cancels have ended: each one."""
        events, told = self.engine.events, []
        for position in range(first, first + count):
            event = read_event(events.rows[position % events.slot_count])
            is_theirs = isinstance(event, Canceled) and event.reason == CancelReason.MASS_CANCEL
            if is_theirs and any(each.symbol_id in (-1, event.symbol_id) for each in self._mass_cancels):
                told.append(event)
        batches = [told[at : at + BATCH_MESSAGES_MAX] for at in range(0, len(told), BATCH_MESSAGES_MAX)]
        return [(encode_all(batch), len(batch)) for batch in batches]

    def _tell_malformed(self, time_ns: int, reports: list[Encoded]) -> None:
        self.malformed_count += 1
        reports.append((encode_all([Rejected(0, time_ns, -1, 0, 0, 0, RejectReason.MALFORMED)]), 1))

    def _match(self, time_ns: int) -> Iterator[tuple[int, int]]:
        """Match all that is in the ring; yield the ring sequence and the count of what happened.

        The last events stay in their ring until `tell`; in a replay up to half a ring of them stays.
        """
        events = self.engine.events
        while len(self.engine.commands):
            if not self._is_replaying:
                self._tell_events(time_ns)
            elif len(events) > events.slot_count // 2:
                self._follow_events()
            first = int(events.positions[PUBLISHED])
            self.engine.match()
            if count := int(events.positions[PUBLISHED]) - first:
                yield first, count
