"""The engine's node: 1 receive, 2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish.

It takes every frame that waits as one batch: alone at low load, amortised at high load. The middle steps are
`nodes/engine/core.py`; the sockets and the clock are here.
"""

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgpack

from bus.channel import ChannelSocket
from bus.engine_link import CommandBatch
from bus.feed import Frames
from bus.order_link import LinkError
from bus.topology import FEED, ORDERS, SNAPSHOTS
from desk.halted_file import LOOK_MS, HaltedFile
from desk.settings import Settings
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalMode
from journal.journal import Journal
from market.clock import NS_PER_MS, monotonic_ns, time_ns
from market.limits import BATCH_MESSAGES_MAX
from market.whole_file import put_aside
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of, journal_epoch
from nodes.engine.core import EngineCore
from nodes.node import Node

HEARTBEAT_MS = 1_000
REFERENCE_MS = 100  # whoever checks orders against it need not hear of every trade
SYNC_TICK_MS = 1
TURNS_MAX = 8  # batches of orders in a row; then timers and requests for snapshots get their turn
ASKED_TOPICS_MAX = 256  # at once; whoever asks for more waits in the socket
ANSWERS_PER_TURN = 16
BUSY_HEARTBEATS_MAX = 60  # in a row without a collection of garbage
LAST_WORDS_NS = 200 * NS_PER_MS
LAST_WORDS_WAIT_MS = 10
STATE_TOPIC = b"state"


class EngineNode:
    """The sockets of the engine around its core."""

    def __init__(self, node: Node, core: EngineCore, journal: Journal[CommandRecord]) -> None:
        self._node = node
        self._core = core
        self._journal = journal
        wiring = node.wiring
        self._orders = ChannelSocket(ORDERS, wiring, node.name, is_binder=True)
        self._feed = ChannelSocket(FEED, wiring, node.name, is_binder=True)
        self._snapshots = ChannelSocket(SNAPSHOTS, wiring, node.name, is_binder=True)
        node.watch(self._orders, self._feed, self._snapshots)
        self._held: deque[tuple[int, ChannelSocket, Frames]] = deque()  # until the journal's record is on the disk
        self._askers: dict[bytes, dict[tuple[bytes, ...], list[bytes]]] = {}  # by topic: the envelopes of the answers
        self._loop = node.poll_loop(is_awake=True)
        self._bad_frame_count = 0
        self._collected_at_count = 0  # of commands
        self._busy_heartbeats = 0
        settings = node.settings
        self._halted_file = HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])

    def run(self) -> None:
        """Serve until stopped."""
        gc.collect()
        gc.freeze()  # what there is now stays: no collection looks at it again
        gc.disable()
        loop = self._loop
        loop.on_readable(self._orders, self._on_orders)
        loop.on_readable(self._snapshots, self._on_snapshots)
        loop.on_readable(self._feed, self._on_subscriptions)
        loop.every(HEARTBEAT_MS, self._on_heartbeat)
        depth_ms = self._node.plan.engines[self._node.name].settings.depth_ms
        loop.every(depth_ms, lambda: self._publish(self._core.feed.depth(time_ns())))
        loop.every(REFERENCE_MS, lambda: self._publish(self._core.feed.references(time_ns())))
        if self._journal.mode is JournalMode.GROUP:
            loop.every(SYNC_TICK_MS, self._on_sync_time)
        loop.every(LOOK_MS, self._hold_halts)
        self._hold_halts()
        wiring, name = self._node.wiring, self._node.name
        over_tcp = {f"{one.name}_tcp": at for one in (ORDERS, FEED, SNAPSHOTS) if (at := wiring.bound_tcp(one, name))}
        here = {"orders": self._orders.endpoint, "feed": self._feed.endpoint, "snapshots": self._snapshots.endpoint}
        self._node.ready(**here, **over_tcp)
        loop.run()
        self._take_last_words()

    def close(self) -> None:
        """Close the sockets."""
        for socket in (self._orders, self._feed, self._snapshots):
            socket.close()

    def _on_orders(self) -> None:
        for turn in range(TURNS_MAX):
            room = self._core.engine.commands.free_count
            batches = list(self._receive(room, is_told=turn == 0))
            if not batches:
                break
            now_ns = time_ns()
            self._core.handle(batches, now_ns, monotonic_ns())
            self._send_reports()
            self._publish(self._core.tell(now_ns))
            if room - sum(batch.size for batch in batches) >= BATCH_MESSAGES_MAX:
                break  # all that waited is done
        self._send_reports()

    def _hold_halts(self) -> None:
        """Halt what the file has halted: said while we were away, or what a resume that crossed it has ended."""
        halted = self._halted_file.read()
        ids = {each.symbol_id for each in self._node.settings.instruments if each.symbol in halted} if halted else set()
        now_ns = time_ns()
        if self._core.halt(ids, now_ns, monotonic_ns()):
            self._send_reports()
            self._publish(self._core.tell(now_ns))
            self._show()

    def _take_last_words(self) -> None:
        """Take what sources said before they ended: that they have their reports may still be on its way."""
        deadline_ns = monotonic_ns() + LAST_WORDS_NS
        while self._core.links.owed and monotonic_ns() < deadline_ns:
            if self._orders.wait(LAST_WORDS_WAIT_MS):
                self._on_orders()

    def _receive(self, room: int, *, is_told: bool) -> Iterator[CommandBatch]:
        """Yield the waiting frames of new commands, as many as surely fit into so much of the ring.

        Args:
            is_told: whether a poll has just said that one waits.
        """
        while room >= BATCH_MESSAGES_MAX and (frames := self._orders.receive(is_told=is_told)) is not None:
            is_told = False
            identity, *rest = frames
            try:
                batch = self._core.links.receive(identity, rest)
            except LinkError as error:
                self._bad_frame_count += 1
                self._node.log.warning("bad frame on the order link", why=str(error))
                continue
            if batch is not None:
                room -= batch.size
                yield batch

    def _send_reports(self) -> None:
        for identity, frames in self._core.links.outgoing():
            self._send(self._orders, [identity, *frames])

    def _publish(self, feed_frames: Iterable[Frames]) -> None:
        for frames in feed_frames:
            self._send(self._feed, frames)

    def _send(self, socket: ChannelSocket, frames: Frames) -> None:
        """Send, or hold back until the journal's last record may be acknowledged; what is held keeps its order."""
        if self._journal.acknowledged_sequence < self._journal.sequence or self._held:
            self._held.append((self._journal.sequence, socket, frames))
        else:
            socket.send(frames)

    def _on_sync_time(self) -> None:
        if self._journal.sync_due(monotonic_ns()):
            self._journal.sync()
        while self._held and self._held[0][0] <= self._journal.acknowledged_sequence:
            _, socket, frames = self._held.popleft()
            socket.send(frames)

    def _on_snapshots(self) -> None:
        """Note who asks for what; whoever asks again before the answer gets one."""
        is_idle = not self._askers
        while len(self._askers) < ASKED_TOPICS_MAX and (frames := self._snapshots.receive()) is not None:
            *envelope, topic = frames  # a REQ socket puts an empty frame into the envelope; it goes back as it came
            self._askers.setdefault(topic, {})[tuple(envelope)] = envelope
        if is_idle and self._askers:
            self._loop.soon(self._on_snapshot_turn)

    def _on_snapshot_turn(self) -> None:
        """Answer what is asked for, up to the first slice of a large book; then let orders in again."""
        for topic in [*self._askers][:ANSWERS_PER_TURN]:
            answer = self._state() if topic == STATE_TOPIC else self._core.feed.snapshot_slice(topic, time_ns())
            if answer is None:
                break
            self._snapshots.send_to_each(self._askers.pop(topic).values(), answer)
        if self._askers:
            self._loop.soon(self._on_snapshot_turn)

    def _state(self) -> Frames:
        return [STATE_TOPIC, msgpack.packb((self._journal.sequence, self._core.engine.state_hash())), b""]

    def _on_subscriptions(self) -> None:
        while (frames := self._feed.receive()) is not None:
            self._publish(self._core.feed.last_value(frames[0], time_ns()))

    def _collect_garbage(self) -> None:
        """Collect where no order waits for it: after a second without a command, or once a minute."""
        is_idle = self._core.command_count == self._collected_at_count
        self._collected_at_count = self._core.command_count
        self._busy_heartbeats += 1
        if is_idle or self._busy_heartbeats >= BUSY_HEARTBEATS_MAX:
            gc.collect()
            self._busy_heartbeats = 0

    def _on_heartbeat(self) -> None:
        self._collect_garbage()
        self._publish(self._core.feed.heartbeat(time_ns(), self._core.health()))
        self._show()

    def _show(self) -> None:
        self._node.show(
            epoch=str(self._core.epoch),
            sequence=self._core.engine.sequence,
            commands=self._core.command_count,
            live_orders=self._core.engine.live_order_count,
            halted=[
                self._node.settings.instruments[symbol_id].symbol for symbol_id in sorted(self._core.halted_symbols)
            ],
            journal=f"{self._journal.mode} {self._journal.sequence}",
            bad_frames=self._bad_frame_count + self._core.malformed_count,
        )


def engine_capacity(settings: Settings, name: str) -> Capacity:
    """Return how much the engine `name` holds."""
    own = settings.plan.engines[name].settings
    return Capacity(len(settings.instruments), own.orders_max, own.pages_max)


def engine_figures(settings: Settings, name: str) -> tuple[int, ...]:
    """Return what the journal of the engine `name` must agree with."""
    return figures_of(engine_capacity(settings, name), settings.plan.engines[name].instruments)


def make_core(
    settings: Settings, name: str, folder: Path, mode: JournalMode
) -> tuple[EngineCore, Journal[CommandRecord]]:
    """Return an empty core of the engine `name`, and the journal in `folder` that it has still to recover from.

    Raises:
        JournalError: if the journal cannot be had.
    """
    feed_epoch = time_ns()
    epoch = journal_epoch(folder) or feed_epoch
    capacity, plan = engine_capacity(settings, name), settings.plan.engines[name]
    group_ns = int(plan.settings.group_ms * NS_PER_MS)
    journal = Journal(folder, COMMANDS, engine_figures(settings, name), epoch, mode, group_ns)
    engine = make_engine(plan.settings.book, capacity.symbol_count, capacity.orders_max, capacity.pages_max)
    core = EngineCore(engine, settings.instruments, epoch, feed_epoch, capacity.orders_max, journal, plan.symbol_ids)
    return core, journal


def recovered_core(node: Node) -> tuple[EngineCore, Journal[CommandRecord]]:
    """Return a core that has replayed its journal.

    The epoch goes on even if the book is empty: who was killed may have commands on their way, and they are sent again.
    """
    plan = node.plan.engines[node.name]
    core, journal = make_core(node.settings, node.name, plan.journal_folder, JournalMode(plan.settings.journal))
    done = core.recover(lambda replay: node.warming(f"replays its journal: {replay} so far"))
    if done.torn_tail is not None:
        node.log.warning("the journal's torn tail was cut off", why=str(done.torn_tail))
    if done.record_count:
        node.log.info("the journal was replayed", replayed=str(done), live_orders=core.engine.live_order_count)
    return core, journal


def run(node: Node) -> None:
    """Run the engine's node until it is told to stop."""
    warm_kernels(node.warming)  # else the first order would wait for the compiler
    core, journal = recovered_core(node)
    engine = EngineNode(node, core, journal)
    try:
        engine.run()
    finally:
        engine.close()
        journal.close()
    if core.is_idle and journal.sequence and journal.mode is not JournalMode.NONE:
        put_aside(journal.folder)  # else the next start would read all of it to find nothing
    elif owed := [node.plan.source_name(source) for source in core.links.owed]:
        node.log.info("the journal stays: not all have acknowledged their reports", owed=owed)
