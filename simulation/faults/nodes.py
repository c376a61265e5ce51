"""The desk's nodes as processes that may die: the same cores as in their own processes, and what they leave behind."""

from pathlib import Path
from random import Random
from typing import Final

from bus.engine_client import EngineClient, LinkEnd
from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from bus.topology import FEED, ORDERS, SNAPSHOTS, Source, first_order_id, first_owner
from bus.wiring import Wiring
from desk.fees import commission_of
from desk.settings import Settings
from engine.matching_engine import make_engine
from flow.order_flow import OrderFlow
from journal.format import JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from market.clock import NS_PER_MS, NS_PER_SECOND, NS_PER_US
from nodes.engine.checkpoints import Checkpoints, CheckpointTimes, Work
from nodes.engine.command_record import COMMANDS, CommandRecord, journal_epoch
from nodes.engine.core import EngineCore
from nodes.engine.followed import Followed
from nodes.engine.making import engine_capacity, engine_figures
from nodes.engine.turns import EngineTurns
from nodes.flow.market import Market, OrderIds
from nodes.flow.market_flows import make_flows
from nodes.paper.feed_books import FeedBooks, TouchedBook
from nodes.paper.turns import ExchangeTurns
from paper.access.accounts import FIRST_ACCOUNT
from paper.access.usage import Usage
from paper.exchange.exchange import Exchange
from simulation.calls import Calls
from simulation.faults.disk import MortalJournal, MortalLedger, lose_power, note_synced
from simulation.faults.life import Life, left_by_the_dead
from simulation.faults.network import Network

ENGINE: Final = "engine"
ACCOUNTS: Final = FIRST_ACCOUNT, FIRST_ACCOUNT + 1, FIRST_ACCOUNT + 2  # the desk's, and a crowd's
_SERVICE_NS: Final = 50 * NS_PER_US  # what comes within it is one batch
_HEARTBEAT_NS: Final = NS_PER_SECOND
_CONFLATED_NS: Final = 100 * NS_PER_MS
_SYNC_NS: Final = 2 * NS_PER_MS
_TICK_NS: Final = 50 * NS_PER_MS
_FLOW_STEP_NS: Final = 5 * NS_PER_MS
_FLOW_TICK_NS: Final = 100 * NS_PER_MS
_JOURNAL_BYTES_MAX: Final = 1 << 23
_CHECKPOINT_LOOK_NS: Final = NS_PER_SECOND
_CHECKPOINT_TIMES: Final = CheckpointTimes(5 * NS_PER_SECOND, 300)
_ALL: Final = Retention(Keep.ALL, 0, 0)  # who checks a desk wants to replay all of it


class EngineProcess:
    """The engine, with its journal on the disk.

    Args:
        term: of one that waits for a standby; None: nobody may follow.
        promoted: what it goes on with if it was a standby until now.
    """

    def __init__(
        self,
        life: Life,
        network: Network,
        settings: Settings,
        folder: Path,
        mode: JournalMode,
        *,
        term: int | None = None,
        promoted: tuple[EngineCore, MortalJournal] | None = None,
    ) -> None:
        plan = settings.plan.engines[ENGINE]
        capacity = engine_capacity(settings, ENGINE)
        self._life = life
        self.core, self.journal = promoted or mortal_core(settings, folder, mode, life)
        self.journal.life = life
        if promoted is None:
            with left_by_the_dead(self.journal.leave):
                self.core.recover(lambda _: None)
        self.core.links.term = term or 0
        self._is_due = False
        orders = network.bind(ORDERS, ENGINE, life, self._take_soon)
        feed = network.bind(FEED, ENGINE, life, self._welcome)
        snapshots = network.bind(SNAPSHOTS, ENGINE, life, self._answer)
        self.followed: Followed | None = None
        if term is not None:
            self.followed = Followed(self.core, self.journal, snapshots, term, _refuse_frame, is_awaited=True)
            life.every(_TICK_NS, self._tick)
        self.turns = EngineTurns(
            self.core, self.journal, orders, feed, snapshots, life.now, _refuse_frame, self.followed
        )
        publish, told = self.turns.publish, self.core.feed
        life.every(_HEARTBEAT_NS, lambda: publish(told.heartbeat(life.time_ns(), self.core.health())))
        life.every(_CONFLATED_NS, lambda: publish(told.depth(life.time_ns())))
        life.every(_CONFLATED_NS, lambda: publish(told.references(life.time_ns())))
        if mode is JournalMode.GROUP:
            life.every(_SYNC_NS, self.turns.sync)
        # A standby that began behind one could not be replayed from its first record, as who checks a desk wants to.
        times = _CHECKPOINT_TIMES if term is None else CheckpointTimes(0, 0)
        self.checkpoints = Checkpoints(self.core, self.journal, times, _ALL, self._write_checkpoint)
        life.every(_CHECKPOINT_LOOK_NS, lambda: self.checkpoints.look(life.now_ns, life.time_ns()))
        assert capacity.symbol_count == len(plan.symbol_ids), "one engine has all symbols"

    def leave(self, folder: Path, dice: Random, *, has_power: bool) -> None:
        """Be dead: what was written stays, or without power what was synced."""
        self.journal.leave()
        if self.followed is not None:
            self.followed.close()
        if not has_power:
            lose_power(folder, dice)

    def _write_checkpoint(self, work: Work) -> None:
        self._life.point("write a checkpoint")
        work()
        for path in COMMANDS.files(self.journal.folder):
            note_synced(path)
        assert not self.checkpoints.failure, self.checkpoints.failure
        self._life.point("have written a checkpoint")

    def _tick(self) -> None:
        assert self.followed is not None, "expected that a standby may follow"
        self.followed.tick(self._life.now_ns)
        self.turns.release()
        self._take_soon()

    def _take_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._life.after(_SERVICE_NS, self._take)

    def _take(self) -> None:
        self._is_due = False
        self.turns.take_orders()

    def _welcome(self) -> None:
        self.turns.take_subscriptions()

    def _answer(self) -> None:
        self.turns.take_questions()
        while self.turns.is_asked:
            self.turns.answer()


def mortal_core(
    settings: Settings, folder: Path, mode: JournalMode, life: Life, epoch: int | None = None
) -> tuple[EngineCore, MortalJournal]:
    """Return an engine that has still to recover, and its journal, as `make_core` does; `epoch` is of a new journal."""
    started_ns = life.time_ns()
    epoch, figures = journal_epoch(folder) or epoch or started_ns, engine_figures(settings, ENGINE)
    journal = MortalJournal(folder, COMMANDS, figures, epoch, mode, file_bytes_max=_JOURNAL_BYTES_MAX)
    journal.life = life
    return new_core(settings, journal, epoch, started_ns), journal


def new_core(
    settings: Settings, journal: Journal[CommandRecord], epoch: int, feed_epoch: int, book: str | None = None
) -> EngineCore:
    """Return an engine that has still to recover; `book` is another one than that of the settings."""
    plan, capacity = settings.plan.engines[ENGINE], engine_capacity(settings, ENGINE)
    engine = make_engine(book or plan.settings.book, capacity.symbol_count, capacity.orders_max, capacity.pages_max)
    return EngineCore(engine, settings.instruments, epoch, feed_epoch, capacity.orders_max, journal, plan.symbol_ids)


def _refuse_frame(why: str) -> None:
    raise AssertionError(f"nobody sends a bad frame: {why}")


class FlowProcess:
    """The background market; it keeps nothing."""

    def __init__(self, life: Life, network: Network, settings: Settings) -> None:
        order_ids = OrderIds(first_order_id(Source.FLOW))
        flow: OrderFlow
        (flow,) = make_flows(settings, first_owner(Source.FLOW), order_ids).values()
        socket = network.connect(ORDERS, ENGINE, life, self._hear)
        plan = settings.plan.engines[ENGINE]
        self.link = LinkEnd(Source.FLOW, ENGINE, socket, plan.symbol_ids, started_ns=life.time_ns())
        self.market = Market(self.link, flow, order_ids, life.time_ns)
        self.is_still = False
        self._life = life
        life.every(_FLOW_STEP_NS, self._step)
        life.every(_FLOW_TICK_NS, lambda: self.link.tick(life.time_ns()))

    def _hear(self) -> None:
        for news in self.link.receive():
            self.market.take(news, self._life.time_ns())

    def _step(self) -> None:
        if not self.is_still:
            self.market.step(self._life.time_ns())


class PaperProcess:
    """The exchange, with its ledger on the disk."""

    def __init__(self, life: Life, network: Network, settings: Settings, path: Path) -> None:
        plan = settings.plan
        self.ledger = MortalLedger(path, settings.instruments, plan.engine_of)
        self.ledger.life = life
        symbols = {each.symbol_id: each.symbol for each in settings.instruments}
        topics = [topic.of(symbol) for symbol in symbols.values() for topic in (Topic.BOOK, Topic.TRADES)]
        wiring = Wiring(path.parent, engine_of={**plan.engine_of, "": ENGINE})
        make_socket = network.maker(life, self._take)
        self.subscriber = FeedSubscriber(wiring, topics, TouchedBook, gives_up=False, make_socket=make_socket)
        self.link = LinkEnd(
            Source.PAPER,
            ENGINE,
            network.connect(ORDERS, ENGINE, life, self._take),
            plan.engines[ENGINE].symbol_ids,
            self.ledger.last_report(ENGINE),
            life.time_ns(),
        )
        self.books = FeedBooks(self.subscriber, symbols, life.time_ns)
        self.exchange = Exchange(
            self.ledger,
            {ENGINE: self.link},
            self.books,
            first_order_id=first_order_id(Source.PAPER),
            first_owner=first_owner(Source.PAPER),
            first_update_id=life.time_ns() // NS_PER_US,
            commission=commission_of(settings),
            soon=lambda save: life.after(0, save),
        )
        for account in ACCOUNTS:
            self.exchange.open_account(account)
        self.turns = ExchangeTurns(self.exchange, EngineClient([self.link]), self.subscriber, life.now, lambda *_: None)
        usage = Usage(is_limiting=False)
        self.calls = {account: Calls(self.exchange, usage, life, account) for account in ACCOUNTS}
        self.life = life
        life.every(_TICK_NS, self._take)

    def _take(self) -> None:
        self.turns.take()

    def leave(self) -> None:
        """Be dead: what was not committed is gone."""
        self.ledger.close()
