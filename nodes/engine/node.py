"""The engine's node: 1 receive, 2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish.

It takes every frame that waits as one batch: alone at low load, amortised at high load. The steps are
`nodes/engine/core.py` and, around it, `turns.py`; the sockets, the loop and the clock are here.
"""

import gc
from collections.abc import Iterable

from bus.channel import ChannelSocket
from bus.order_link import LostTailError, SupersededError
from bus.standby_frames import TOPIC as STANDBY
from bus.standby_frames import term_frames
from bus.topology import FEED, ORDERS, SNAPSHOTS
from desk.halted_file import LOOK_MS, HaltedFile
from desk.role_file import Role, RoleFile
from desk.run_dir import StayDownError
from desk.warm import warm_kernels
from journal.format import JournalMode
from journal.journal import Journal
from market.clock import NS_PER_MS, NS_PER_US, monotonic_ns, now, time_ns
from market.whole_file import put_aside
from nodes.engine.checkpoints import LOOK_MS as CHECKPOINT_LOOK_MS
from nodes.engine.checkpoints import NO_CHECKPOINT, BesideThread
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.followed import TICK_MS as FOLLOWED_TICK_MS
from nodes.engine.followed import Followed
from nodes.engine.lane.lane import EngineLane, NoLaneError, make_lane, warm_lane
from nodes.engine.making import make_checkpoints, recovered_core
from nodes.engine.standby import kept_role, socket_to, stand_by
from nodes.engine.turns import EngineTurns
from nodes.node import Node

HEARTBEAT_MS = 1_000
REFERENCE_MS = 100  # whoever checks orders against it need not hear of every trade
SYNC_TICK_MS = 1
BUSY_HEARTBEATS_MAX = 60  # in a row without a collection of garbage
LAST_WORDS_NS = 200 * NS_PER_MS
LAST_WORDS_WAIT_MS = 10
FORMER_MS = 500  # between two words to an engine that this one has followed


class EngineNode:
    """The sockets of the engine around its core."""

    def __init__(self, node: Node, core: EngineCore, journal: Journal[CommandRecord], term: int = 0) -> None:
        self._node = node
        self._core = core
        self._journal = journal
        wiring = node.wiring
        self._orders = ChannelSocket(ORDERS, wiring, node.name, is_binder=True)
        self._feed = ChannelSocket(FEED, wiring, node.name, is_binder=True)
        self._snapshots = ChannelSocket(SNAPSHOTS, wiring, node.name, is_binder=True)
        node.watch(self._orders, self._feed, self._snapshots)
        core.links.term = term
        own = node.plan.engines[node.name].settings
        self._followed = None
        self._no_lane = "engine.lane is off"
        if own.standby != "none":
            self._followed = Followed(
                core, journal, self._snapshots, term, self._on_bad_standby, is_awaited=own.standby == "must"
            )
        self._former = (
            socket_to(node) if own.follows else None
        )  # whom this has followed: it may think that it is primary
        lane = self._make_lane() if own.lane == "on" else None
        self._turns = EngineTurns(
            core, journal, self._orders, self._feed, self._snapshots, now, self._on_bad_frame, self._followed, lane
        )
        self._loop = node.poll_loop(is_awake=lane is None)  # a lane stays awake by itself
        self._beside = BesideThread()
        self._checkpoints = make_checkpoints(
            node.settings,
            node.name,
            core,
            journal,
            self._beside,
            lambda: self._followed is None or self._followed.may_checkpoint,
        )
        self._told_failure = ""
        self._bad_frame_count = 0
        self._is_deaf = False
        self._collected_at_count = 0  # of commands
        self._busy_heartbeats = 0
        settings = node.settings
        self._halted_file = HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])

    def _make_lane(self) -> EngineLane | None:
        """Return a lane, or say why there is none."""
        why = "engine.standby: what is sent may have to wait for it"
        if self._followed is None:
            look_ns = self._node.settings.bus.spin_us * NS_PER_US
            try:
                lane = make_lane(self._core, self._journal, self._orders, look_ns)
            except NoLaneError as error:
                why = str(error)
            else:
                self._no_lane = ""
                return lane
        self._no_lane = why
        self._node.log.warning("the engine does without its lane", why=why)
        return None

    def run(self) -> None:
        """Serve until stopped."""
        gc.collect()
        gc.freeze()  # what there is now stays: no collection looks at it again
        gc.disable()
        loop = self._loop
        loop.on_readable(self._orders, self._on_orders)
        loop.on_readable(self._snapshots, self._on_snapshots)
        loop.on_readable(self._feed, self._turns.take_subscriptions)
        loop.every(HEARTBEAT_MS, self._on_heartbeat)
        depth_ms = self._node.plan.engines[self._node.name].settings.depth_ms
        loop.every(depth_ms, lambda: self._publish(self._core.feed.depth(time_ns())))
        loop.every(REFERENCE_MS, lambda: self._publish(self._core.feed.references(time_ns())))
        if self._followed is not None:
            loop.every(FOLLOWED_TICK_MS, self._on_followed_tick)
        if self._former is not None:
            loop.every(FORMER_MS, self._tell_former)
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

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the past matters to anybody: not to the engine, and not to a standby that lacks some."""
        return self._core.is_idle and self._has_standby_all

    @property
    def _has_standby_all(self) -> bool:
        return self._followed is None or self._followed.has_all

    def close(self) -> None:
        """Close the sockets, and finish a checkpoint that is being written."""
        for socket in (self._orders, self._feed, self._snapshots, self._former):
            if socket is not None:
                socket.close()
        if self._followed is not None:
            self._followed.close()
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
                self._node.log.warning(NO_CHECKPOINT, why=failure)

    def _hold_halts(self) -> None:
        """Halt what the file has halted: said while we were away, or what a resume that crossed it has ended."""
        halted = self._halted_file.read()
        ids = {each.symbol_id for each in self._node.settings.instruments if each.symbol in halted} if halted else set()
        if self._turns.halt(ids):
            self._show()

    def _on_orders(self) -> None:
        if self._turns.is_full:
            self._is_deaf = True  # orders wait in their sources until the standby gets on
            self._loop.forget(self._orders)
            return
        self._turns.take_orders()

    def _listen_again(self) -> None:
        if self._is_deaf and not self._turns.is_full:
            self._is_deaf = False
            self._loop.on_readable(self._orders, self._on_orders)

    def _on_followed_tick(self) -> None:
        assert self._followed is not None, "expected that a standby may follow"
        self._followed.tick(monotonic_ns())
        self._turns.release()
        self._listen_again()

    def _tell_former(self) -> None:
        assert self._former is not None, "expected one that was followed"
        self._former.send([STANDBY, *term_frames(self._core.links.term)])

    def _publish(self, frames: Iterable[list[bytes]]) -> None:
        """Publish what is told now and then, unless it would wait for a standby without end."""
        if self._followed is None or not self._followed.is_stalled:
            self._turns.publish(frames)

    def _on_snapshots(self) -> None:
        is_idle = not self._turns.is_asked
        self._turns.take_questions()
        self._listen_again()
        if is_idle and self._turns.is_asked:
            self._loop.soon(self._on_snapshot_turn)

    def _on_snapshot_turn(self) -> None:
        self._turns.answer()
        if self._turns.is_asked:
            self._loop.soon(self._on_snapshot_turn)

    def _on_bad_standby(self, why: str) -> None:
        self._bad_frame_count += 1
        self._node.log.warning("bad frame of a standby", why=why)

    def _on_bad_frame(self, why: str) -> None:
        self._bad_frame_count += 1
        self._node.log.warning("bad frame on the order link", why=why)

    def _take_last_words(self) -> None:
        """Take what sources said before they ended: that they have their reports may still be on its way.

        So may be that a standby has all: without it some are not sent their reports before the next start.
        """
        deadline_ns = monotonic_ns() + LAST_WORDS_NS
        while self._is_owed_word and monotonic_ns() < deadline_ns:
            if self._orders.wait(LAST_WORDS_WAIT_MS):
                self._turns.take_orders()
            self._turns.take_questions()
            self._turns.sync()

    @property
    def _is_owed_word(self) -> bool:
        return bool(self._core.links.owed) or self._turns.is_held or not self._has_standby_all

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
            checkpoint=self._checkpoints.sequence,
            bad_frames=self._bad_frame_count + self._core.malformed_count,
            role="primary",
            lane=not self._no_lane,
            no_lane=self._no_lane,
            term=self._core.links.term,
            journal_records=self._journal.sequence,
            journal_waiting=self._journal.sequence - self._journal.acknowledged_sequence,
            latencies={"engine": self._turns.handling.figure()},
            **self._core.counts.figures(),
        )
        if self._followed is not None:
            self._node.show(**self._followed.figures(monotonic_ns()))


def run(node: Node) -> None:
    """Run the engine's node until it is told to stop."""
    role = kept_role(node)
    warm_kernels(node.warming)  # else the first order would wait for the compiler
    if node.plan.engines[node.name].settings.lane == "on":
        warm_lane(node.warming)
    if role.role == "standby":
        promoted = stand_by(node)
        if promoted is None:
            return
        node.warming("takes the place of its primary")
        role, (core, journal) = kept_role(node), promoted
    else:
        core, journal = recovered_core(node)
    serve(node, core, journal, role)


def serve(node: Node, core: EngineCore, journal: Journal[CommandRecord], role: Role) -> None:
    """Be the primary engine until told to stop.

    Raises:
        StayDownError: if another engine has taken our place, which is kept; or a source knows what our disk has lost.
    """
    engine = EngineNode(node, core, journal, role.term)
    try:
        engine.run()
        is_idle = engine.is_idle
        if not is_idle:
            engine.take_last_checkpoint()
    except SupersededError as error:
        fallen = Role.new_standby().model_copy(update={"term": error.term, "records_term": role.term})
        RoleFile(node.settings.run_dir, node.name).write(fallen)
        raise StayDownError(f"{error}: nothing that was not acknowledged before is acknowledged any more") from None
    except LostTailError as error:
        way = f"restore the desk from a backup, or move {journal.folder} away, and what rests in the book is lost"
        if node.plan.engines[node.name].settings.standby == "must":
            way = f"the standby has it: promote that one. Else {way}"
        name = node.plan.source_name(error.source)
        raise StayDownError(
            f"{name} has had {error.theirs:,} reports and, by its journal, this engine has told it {error.ours:,}: the "
            f"disk has lost the journal's end, or it is that of a copy. {way[0].upper()}{way[1:]}"
        ) from None
    finally:
        try:
            engine.close()
        finally:
            journal.close()
    if is_idle and journal.sequence and journal.mode is not JournalMode.NONE:
        put_aside(journal.folder)  # else the next start would read all of it to find nothing
    elif owed := [node.plan.source_name(source) for source in core.links.owed]:
        node.log.info("the journal stays: not all have acknowledged their reports", owed=owed)
    elif core.is_idle and not is_idle:
        node.log.info("the journal stays: the standby has not all of it")
