"""The engine's node: 1 receive, 2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish.

It takes every frame that waits as one batch: alone at low load, amortised at high load. The steps are
`nodes/engine/core.py` and, around it, `turns.py`; the sockets, the loop and the clock are here.
"""

import gc
from pathlib import Path

from bus.channel import ChannelSocket
from bus.topology import FEED, ORDERS, SNAPSHOTS
from desk.halted_file import LOOK_MS, HaltedFile
from desk.settings import Settings
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, now, time_ns
from market.whole_file import put_aside
from nodes.engine.checkpoints import LOOK_MS as CHECKPOINT_LOOK_MS
from nodes.engine.checkpoints import BesideThread, Checkpoints, CheckpointTimes
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of, journal_epoch
from nodes.engine.core import EngineCore
from nodes.engine.turns import EngineTurns
from nodes.node import Node

HEARTBEAT_MS = 1_000
REFERENCE_MS = 100  # whoever checks orders against it need not hear of every trade
SYNC_TICK_MS = 1
BUSY_HEARTBEATS_MAX = 60  # in a row without a collection of garbage
_DAY_NS = 86_400 * NS_PER_SECOND
LAST_WORDS_NS = 200 * NS_PER_MS
LAST_WORDS_WAIT_MS = 10
JOURNAL_FILE_BYTES = 1 << 26  # of a file of the engine's journal: what is pruned at once


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
        self._turns = EngineTurns(core, journal, self._orders, self._feed, self._snapshots, now, self._on_bad_frame)
        self._loop = node.poll_loop(is_awake=True)
        self._beside = BesideThread()
        self._checkpoints = make_checkpoints(node.settings, node.name, core, journal, self._beside)
        self._told_failure = ""
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
        loop.on_readable(self._orders, self._turns.take_orders)
        loop.on_readable(self._snapshots, self._on_snapshots)
        loop.on_readable(self._feed, self._turns.take_subscriptions)
        loop.every(HEARTBEAT_MS, self._on_heartbeat)
        depth_ms = self._node.plan.engines[self._node.name].settings.depth_ms
        loop.every(depth_ms, lambda: self._turns.publish(self._core.feed.depth(time_ns())))
        loop.every(REFERENCE_MS, lambda: self._turns.publish(self._core.feed.references(time_ns())))
        if self._journal.mode is JournalMode.GROUP:
            loop.every(SYNC_TICK_MS, self._turns.sync)
        loop.every(CHECKPOINT_LOOK_MS, lambda: self._checkpoints.look(monotonic_ns(), time_ns()))
        loop.every(LOOK_MS, self._hold_halts)
        self._hold_halts()
        wiring, name = self._node.wiring, self._node.name
        over_tcp = {f"{one.name}_tcp": at for one in (ORDERS, FEED, SNAPSHOTS) if (at := wiring.bound_tcp(one, name))}
        here = {"orders": self._orders.endpoint, "feed": self._feed.endpoint, "snapshots": self._snapshots.endpoint}
        self._node.ready(**here, **over_tcp)
        loop.run()
        self._take_last_words()

    def close(self) -> None:
        """Close the sockets, and finish a checkpoint that is being written."""
        for socket in (self._orders, self._feed, self._snapshots):
            socket.close()
        self._beside.join()

    def take_last_checkpoint(self) -> None:
        """Let the next start begin where this life ends; before the journal is closed."""
        self._beside.join()
        self._checkpoints.take_last(time_ns())
        self._tell_failure()

    def _tell_failure(self) -> None:
        if (failure := self._checkpoints.failure) != self._told_failure:
            self._told_failure = failure
            if failure:
                self._node.log.warning("no checkpoint: the next start takes longer", why=failure)

    def _hold_halts(self) -> None:
        """Halt what the file has halted: said while we were away, or what a resume that crossed it has ended."""
        halted = self._halted_file.read()
        ids = {each.symbol_id for each in self._node.settings.instruments if each.symbol in halted} if halted else set()
        if self._turns.halt(ids):
            self._show()

    def _on_snapshots(self) -> None:
        is_idle = not self._turns.is_asked
        self._turns.take_questions()
        if is_idle and self._turns.is_asked:
            self._loop.soon(self._on_snapshot_turn)

    def _on_snapshot_turn(self) -> None:
        self._turns.answer()
        if self._turns.is_asked:
            self._loop.soon(self._on_snapshot_turn)

    def _on_bad_frame(self, why: str) -> None:
        self._bad_frame_count += 1
        self._node.log.warning("bad frame on the order link", why=why)

    def _take_last_words(self) -> None:
        """Take what sources said before they ended: that they have their reports may still be on its way."""
        deadline_ns = monotonic_ns() + LAST_WORDS_NS
        while self._core.links.owed and monotonic_ns() < deadline_ns:
            if self._orders.wait(LAST_WORDS_WAIT_MS):
                self._turns.take_orders()

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
        self._tell_failure()
        self._turns.publish(self._core.feed.heartbeat(time_ns(), self._core.health()))
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
            checkpoint=self._checkpoints.sequence,
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
    figures = engine_figures(settings, name)
    journal = Journal(folder, COMMANDS, figures, epoch, mode, group_ns, JOURNAL_FILE_BYTES)
    engine = make_engine(plan.settings.book, capacity.symbol_count, capacity.orders_max, capacity.pages_max)
    core = EngineCore(engine, settings.instruments, epoch, feed_epoch, capacity.orders_max, journal, plan.symbol_ids)
    return core, journal


def make_checkpoints(
    settings: Settings, name: str, core: EngineCore, journal: Journal[CommandRecord], beside: BesideThread
) -> Checkpoints:
    """Return the checkpoints of the engine `name`, written beside its matching."""
    own = settings.plan.engines[name].settings
    times = CheckpointTimes(int(own.checkpoint_s * NS_PER_SECOND), own.checkpoint_records)
    age_ns = int(own.journal_days * _DAY_NS)
    retention = Retention(Keep(own.journal_keep), age_ns, own.journal_bytes - JOURNAL_FILE_BYTES)
    return Checkpoints(core, journal, times, retention, beside.begin)


def recovered_core(node: Node) -> tuple[EngineCore, Journal[CommandRecord]]:
    """Return a core that has replayed its journal.

    The epoch goes on even if the book is empty: who was killed may have commands on their way, and they are sent again.
    """
    plan = node.plan.engines[node.name]
    core, journal = make_core(node.settings, node.name, plan.journal_folder, JournalMode(plan.settings.journal))
    done = core.recover(lambda replay: node.warming(f"replays its journal: {replay} so far"))
    for why in done.passed_over:
        node.log.warning("a checkpoint was not used", why=why)
    if done.torn_tail is not None:
        node.log.warning("the journal's torn tail was cut off", why=str(done.torn_tail))
    if done.record_count or done.after_sequence:
        node.log.info("the journal was replayed", replayed=str(done), live_orders=core.engine.live_order_count)
    return core, journal


def run(node: Node) -> None:
    """Run the engine's node until it is told to stop."""
    warm_kernels(node.warming)  # else the first order would wait for the compiler
    core, journal = recovered_core(node)
    engine = EngineNode(node, core, journal)
    try:
        engine.run()
        if not core.is_idle:
            engine.take_last_checkpoint()
    finally:
        try:
            engine.close()
        finally:
            journal.close()
    if core.is_idle and journal.sequence and journal.mode is not JournalMode.NONE:
        put_aside(journal.folder)  # else the next start would read all of it to find nothing
    elif owed := [node.plan.source_name(source) for source in core.links.owed]:
        node.log.info("the journal stays: not all have acknowledged their reports", owed=owed)
