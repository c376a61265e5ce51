"""An engine's node in the making: its core, its journal and its checkpoints, as the settings say."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from desk.settings import Settings
from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from journal.replay import Replay
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, time_ns
from nodes.engine.checkpoints import BesideThread, Checkpoints, CheckpointTimes
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of, journal_epoch
from nodes.engine.core import EngineCore
from nodes.node import Node

JOURNAL_FILE_BYTES: Final = 1 << 26  # of a file of the engine's journal: what is pruned at once
_DAY_NS: Final = 86_400 * NS_PER_SECOND


def engine_capacity(settings: Settings, name: str) -> Capacity:
    """Return how much the engine `name` holds."""
    own = settings.plan.engines[name].settings
    return Capacity(len(settings.instruments), own.orders_max, own.pages_max)


def engine_figures(settings: Settings, name: str) -> tuple[int, ...]:
    """Return what the journal of the engine `name` must agree with."""
    return figures_of(engine_capacity(settings, name), settings.plan.engines[name].instruments)


def make_core(
    settings: Settings, name: str, folder: Path, mode: JournalMode, epoch: int | None = None
) -> tuple[EngineCore, Journal[CommandRecord]]:
    """Return an empty core of the engine `name`, and the journal in `folder` that it has still to recover from.

    Args:
        settings: the desk's.
        name: of the engine.
        folder: of the journal.
        mode: of the journal.
        epoch: of the order links if there is no journal; None: a new one.

    Raises:
        JournalError: if the journal cannot be had.
    """
    feed_epoch = time_ns()
    epoch = journal_epoch(folder) or epoch or feed_epoch
    capacity, plan = engine_capacity(settings, name), settings.plan.engines[name]
    group_ns = int(plan.settings.group_ms * NS_PER_MS)
    figures = engine_figures(settings, name)
    journal = Journal(folder, COMMANDS, figures, epoch, mode, group_ns, JOURNAL_FILE_BYTES)
    engine = make_engine(plan.settings.book, capacity.symbol_count, capacity.orders_max, capacity.pages_max)
    core = EngineCore(engine, settings.instruments, epoch, feed_epoch, capacity.orders_max, journal, plan.symbol_ids)
    return core, journal


def make_checkpoints(
    settings: Settings,
    name: str,
    core: EngineCore,
    journal: Journal[CommandRecord],
    beside: BesideThread,
    may_take: Callable[[], bool] = lambda: True,
) -> Checkpoints:
    """Return the checkpoints of the engine `name`, written beside its matching, whenever `may_take` says so."""
    own = settings.plan.engines[name].settings
    times = CheckpointTimes(int(own.checkpoint_s * NS_PER_SECOND), own.checkpoint_records)
    age_ns = int(own.journal_days * _DAY_NS)
    retention = Retention(Keep(own.journal_keep), age_ns, own.journal_bytes - JOURNAL_FILE_BYTES)
    return Checkpoints(core, journal, times, retention, beside.begin, may_take)


def warn_of(done: Replay, warn: Callable[[str, str], None]) -> None:
    """Let a person know what of a journal was not used: `warn` is given what, and why."""
    for why in done.passed_over:
        warn("a checkpoint was not used", why)
    if done.torn_tail is not None:
        warn("the journal's torn tail was cut off", str(done.torn_tail))


def recovered_core(node: Node) -> tuple[EngineCore, Journal[CommandRecord]]:
    """Return a core that has replayed its journal.

    The epoch goes on even if the book is empty: who was killed may have commands on their way, and they are sent again.
    """
    plan = node.plan.engines[node.name]
    core, journal = make_core(node.settings, node.name, plan.journal_folder, JournalMode(plan.settings.journal))
    began_ns = monotonic_ns()
    done = core.recover(lambda replay: node.warming(f"replays its journal: {replay} so far"))
    recovery_s = (monotonic_ns() - began_ns) / NS_PER_SECOND
    node.show(recovery_s=round(recovery_s, 3), recovered_records=done.record_count)
    warn_of(done, lambda what, why: node.log.warning(what, why=why))
    if done.record_count or done.after_sequence:
        node.log.info("the journal was replayed", replayed=str(done), live_orders=core.engine.live_order_count)
    return core, journal
