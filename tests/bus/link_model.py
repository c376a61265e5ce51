"""A desk of one engine and some sources, whose order links lose, repeat and delay what they carry.

What the ends are told is compared with what was really sent, handled and reported; `settle` asks for the rest.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import count

import msgpack

from bus.engine_link import CommandBatch
from bus.order_link import Connected, Frames, Kind, Reports, SourceEnd
from market.codec import decode_commands
from market.commands import NewOrder
from market.events import Event
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.messages import accepted, order

RETRY_NS = 500
SOURCES = (1, 2)


@dataclass
class Connection:
    """One ZeroMQ connection: `up` to the engine, `down` to the source; each keeps its order."""

    identity: bytes
    source: int
    up: deque[Frames] = field(default_factory=deque)
    down: deque[Frames] = field(default_factory=deque)


@dataclass
class Life:
    """One epoch of the engine, and all that happened in it, by source."""

    end: PlainEngineEnd
    known: set[int] = field(default_factory=set)
    handled: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # order ids
    handled_ids: set[int] = field(default_factory=set)
    told: dict[int, list[Event]] = field(default_factory=lambda: defaultdict(list))  # report number 1 first
    told_at: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))  # by command number


class SourceProcess:
    """A source's process from its start to its death, with what it keeps for good."""

    def __init__(self, source: int, incarnation: int, kept: "Kept", now_ns: int) -> None:
        self.source = source
        self.kept = kept
        self.end = SourceEnd(source, incarnation, kept.resume, RETRY_NS)
        self.sent: dict[int, list[tuple[int, int]]] = defaultdict(list)  # (command number, order id) by epoch
        self.handled_counts: dict[int, int] = defaultdict(int)  # by epoch
        self.known_epoch = kept.resume[0]
        self.was_connected = False
        self.start_ns = now_ns


@dataclass
class Kept:
    """What a source has on disk: the reports of one epoch, from the one after `base` on."""

    epoch: int = 0
    base: int = 0
    events: list[Event] = field(default_factory=list)

    @property
    def resume(self) -> tuple[int, int]:
        return (self.epoch, self.base + len(self.events)) if self.epoch else (0, 0)


class LinkModel:
    """The simulated desk; every method is one thing that may happen to it."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self._ids = count(1)
        self._incarnations = count(1)
        self._epochs = count(1_001)
        self.lives: dict[int, Life] = {}
        self.connections: dict[int, Connection] = {}
        self.leftovers: list[Connection] = []  # gone, but the engine has not read all that came from them
        self.processes: dict[int, SourceProcess] = {}
        self.kept: dict[int, Kept] = {source: Kept() for source in SOURCES}
        self.start_engine()
        for source in SOURCES:
            self.start_source(source, is_fresh=True)

    # --- what may happen

    def start_engine(self) -> None:
        """The engine dies and another starts, which knows nothing; what its sockets held is lost."""
        self.epoch = next(self._epochs)
        self.lives[self.epoch] = Life(PlainEngineEnd(self.epoch))
        self._break_connections()

    def replay_engine(self) -> None:
        """The engine dies and comes back in the same epoch with all that it had handled, as from its journal."""
        life = self.lives[self.epoch]
        life.end = PlainEngineEnd(self.epoch)
        for source in life.known:
            order_ids = life.handled[source]
            life.end.restore(source, len(order_ids))
            life.end.report(source, life.told[source], len(order_ids), max(order_ids, default=0))
        self._break_connections()

    def _break_connections(self) -> None:
        self.leftovers.clear()
        for connection in self.connections.values():
            connection.down.clear()
            connection.identity = self._identity()

    def start_source(self, source: int, *, is_fresh: bool) -> None:
        """A source dies and starts again, from what it kept or with nothing."""
        if is_fresh:
            self.kept[source] = Kept()
        self.processes[source] = SourceProcess(source, next(self._incarnations), self.kept[source], self.now_ns)
        self.reset(source, keeps_up=True)

    def reset(self, source: int, *, keeps_up: bool) -> None:
        """The connection breaks and is made anew; the engine may later read what was on the way, or never."""
        old = self.connections.get(source)
        if old and keeps_up:
            self.leftovers.append(old)
        self.connections[source] = Connection(self._identity(), source)

    def send(self, source: int, command_count: int) -> None:
        """A source sends commands, if it may."""
        process = self.processes[source]
        if not process.end.is_connected:
            return
        commands = [order(next(self._ids)) for _ in range(command_count)]
        last = process.end.send(commands)
        numbers = range(last - command_count + 1, last + 1)
        ids = [command.order_id for command in commands if isinstance(command, NewOrder)]
        process.sent[process.known_epoch].extend(zip(numbers, ids, strict=True))
        self._flush(source)

    def tick(self, source: int, passed_ns: int) -> None:
        """Time passes, and a source notices."""
        self.now_ns += passed_ns
        self.processes[source].end.tick(self.now_ns)
        self._flush(source)

    def lose_up(self, source: int) -> None:
        """The oldest frame on the way to the engine is lost."""
        if self.connections[source].up:
            self.connections[source].up.popleft()

    def lose_down(self, source: int) -> None:
        """The oldest frame on the way to a source is lost."""
        if self.connections[source].down:
            self.connections[source].down.popleft()

    def repeat(self, source: int) -> None:
        """The oldest frame of each direction comes again, after all that is on the way."""
        for queue in (self.connections[source].up, self.connections[source].down):
            if queue:
                queue.append(queue[0])

    def work(self, frame_count: int, unasked_count: int = 0, first: int = 0) -> None:
        """The engine takes some frames as one batch, from its connections in turn, handles them, and answers.

        `unasked_count` events tell each source of what others did to its orders; `first` is who is read first.
        """
        life = self.lives[self.epoch]
        pipes = [*self.leftovers, *self.connections.values()]
        pipes = pipes[first % len(pipes) :] + pipes[: first % len(pipes)]
        batches: list[CommandBatch] = []
        for _ in range(frame_count):
            waiting = [pipe for pipe in pipes if pipe.up]
            if not waiting:
                break
            pipe = waiting[0]
            pipes.remove(pipe)
            pipes.append(pipe)
            frames = pipe.up.popleft()
            if msgpack.unpackb(frames[0])[0] == Kind.HELLO:
                life.known.add(pipe.source)
            batch = life.end.receive(pipe.identity, frames)
            if batch is not None:
                batches.append(batch)
        self._handle(life, batches, unasked_count)
        by_identity = {connection.identity: connection for connection in self.connections.values()}
        for identity, frames in life.end.outgoing():
            if identity in by_identity:
                by_identity[identity].down.append(frames)

    def listen(self, source: int, frame_count: int, *, dies: bool = False) -> None:
        """A source takes what came from the engine; should it die, then before it has kept the last of it."""
        process, down = self.processes[source], self.connections[source].down
        for _ in range(min(frame_count, len(down))):
            news = process.end.receive(down.popleft())
            if dies:
                self.start_source(source, is_fresh=False)
                return
            for each in news:
                if isinstance(each, Connected):
                    self._on_connected(process, each)
                else:
                    self._on_reports(process, each)
        self._flush(source)

    # --- what must be true

    def settle(self) -> None:
        """From now on nothing is lost: everything drains within a few retry times, and both sides agree."""
        for _ in range(12):
            for source in SOURCES:
                self.tick(source, RETRY_NS // 2)
            self.work(1_000_000)
            for source in SOURCES:
                self.listen(source, 1_000_000)
        life = self.lives[self.epoch]
        for source, process in self.processes.items():
            sent = process.sent[self.epoch]
            last_number = sent[-1][0] if sent else 0
            assert process.end.is_connected, "an engine that answers is connected"
            assert process.known_epoch == self.epoch, "also an idle source has noticed the new epoch"
            assert process.handled_counts[self.epoch] == len(sent), "every command is handled"
            assert self.kept[source].resume == (self.epoch, len(life.told[source])), "every report is delivered"
            assert process.end.acknowledged >= last_number, "every command is acknowledged"
            process.end.tick(self.now_ns + RETRY_NS // 2)
            quiet = [msgpack.unpackb(frames[0])[:4:3] for frames in process.end.outgoing()]
            assert all(kind == Kind.COMMANDS and size == 0 for kind, size in quiet), "nothing is sent again"

    def _handle(self, life: Life, batches: list[CommandBatch], unasked_count: int) -> None:
        handled: dict[int, int] = defaultdict(int)
        events: dict[int, list[Event]] = defaultdict(list)
        last_order_ids: dict[int, int] = defaultdict(int)
        for batch in batches:
            commands = decode_commands(batch.payload)
            assert len(commands) == batch.size
            handled[batch.source] += batch.size - batch.skip
            for command in commands[batch.skip :]:
                assert isinstance(command, NewOrder)
                last_order_ids[batch.source] = command.order_id
                life.handled[batch.source].append(command.order_id)
                self._check_order(batch.source, command.order_id)
                events[batch.source].extend(accepted(next(self._ids)) for _ in range(command.order_id % 3))
                life.told_at[batch.source].append(len(life.told[batch.source]) + len(events[batch.source]))
        for source in SOURCES:
            events[source].extend(accepted(next(self._ids)) for _ in range(unasked_count))
            if source in life.known:
                life.told[source].extend(events[source])
            if events[source] or handled[source]:
                life.end.report(source, events[source], handled[source], last_order_ids[source])

    def _check_order(self, source: int, order_id: int) -> None:
        life, process = self.lives[self.epoch], self.processes[source]
        assert order_id not in life.handled_ids, "a command is handled twice"
        life.handled_ids.add(order_id)
        sent, handled_count = process.sent[self.epoch], process.handled_counts[self.epoch]
        if sent and order_id >= sent[0][1]:
            number = len(life.handled[source])
            assert sent[handled_count] == (number, order_id), "a command is handled out of turn"
            process.handled_counts[self.epoch] += 1
        else:
            assert not handled_count, "a command of a dead process is handled after one of the living"

    def _on_connected(self, process: SourceProcess, news: Connected) -> None:
        life = self.lives[self.epoch]
        assert news.epoch == self.epoch
        assert news.is_new_epoch == (news.epoch != process.known_epoch)
        if news.is_new_epoch:
            process.kept.epoch, process.kept.base = news.epoch, news.report_sequence
            process.kept.events.clear()
        assert news.report_sequence == process.kept.resume[1]
        if process.was_connected and not news.is_new_epoch:
            self._check_promise(process, news.command_sequence)
        elif not process.sent[news.epoch]:
            # Nothing of this process is there yet, so all that the engine took is from before, and now it is still.
            assert news.command_sequence == len(life.handled[process.source])
            assert news.last_order_id == max(life.handled[process.source], default=0)
        assert news.last_order_id in (0, *life.handled[process.source])
        process.known_epoch, process.was_connected = news.epoch, True

    def _on_reports(self, process: SourceProcess, news: Reports) -> None:
        kept, life = process.kept, self.lives[self.epoch]
        assert news.epoch == kept.epoch == self.epoch
        kept.events.extend(news.events)
        assert news.report_sequence == kept.resume[1]
        told = life.told[process.source][news.report_sequence - len(news.events) : news.report_sequence]
        assert news.events == told, "reports are delivered once each, in their order, without a gap"
        self._check_promise(process, news.command_sequence)
        assert process.end.acknowledged == news.command_sequence

    def _check_promise(self, process: SourceProcess, command_sequence: int) -> None:
        told_at = self.lives[self.epoch].told_at[process.source]
        assert command_sequence < len(told_at), "more commands are acknowledged than were handled"
        assert told_at[command_sequence] <= process.kept.resume[1], "a command is acknowledged before its reports"

    def _flush(self, source: int) -> None:
        self.connections[source].up.extend(self.processes[source].end.outgoing())

    def _identity(self) -> bytes:
        return next(self._ids).to_bytes(5, "big")
