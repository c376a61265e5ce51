"""A desk whose nodes are killed, and whose links break, at moments that a seed chooses."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from desk.settings import Settings
from journal.format import JournalMode
from market.clock import NS_PER_MS, NS_PER_SECOND
from paper.access.accounts import FIRST_ACCOUNT
from paper.exchange.news import AccountNews
from simulation.faults.client import SIDE_QUOTES_MAX, TraderProcess, order_rules
from simulation.faults.crowd import Crowd
from simulation.faults.door import Door
from simulation.faults.gateway import GATEWAY, Bot, GatewayProcess
from simulation.faults.life import Life
from simulation.faults.network import Network, Trouble
from simulation.faults.nodes import ACCOUNTS, ENGINE, EngineProcess, FlowProcess, PaperProcess
from simulation.faults.told import Told
from simulation.faults.tracker import TRACKER, TrackerProcess
from simulation.heap import EventHeap
from trading import news
from trading.order_rules import OrderRules
from trading.own_orders import Left

START_NS: Final = 1_800_057_560 * NS_PER_SECOND  # a midnight comes 40 s later
VICTIMS: Final = (ENGINE, "flow", "paper", "trader", GATEWAY, TRACKER)
_DOWN_NS: Final = 1 * NS_PER_MS, 2 * NS_PER_SECOND
_CUT_NS: Final = 1 * NS_PER_MS, 500 * NS_PER_MS


class Doom(NamedTuple):
    """When a process dies: before it does `what`, or anything if that is None, after so many times."""

    what: str | None
    points: int


class MortalDesk:
    """Engine, flow, exchange, gateway, trader and tracker, each in a process of its own.

    Args:
        settings: of a desk.
        seed: of all that is drawn.
        folder: the disk.
        mode: of the engine's journal; if it syncs, a death of the engine may be a power failure.

    Attributes:
        told: what the trader was told.
        deaths: how often each process has died.
        promotions: how often a standby has taken the place of the engine.
        victims: the processes that may die.
        modes: of the journal, that such a desk may have.
    """

    promotions = 0
    victims: tuple[str, ...] = VICTIMS
    modes: tuple[JournalMode, ...] = tuple(JournalMode)

    def __init__(self, settings: Settings, seed: int, folder: Path, mode: JournalMode) -> None:
        self.settings = settings
        self.heap = EventHeap(START_NS)
        self.dice = Random(seed)  # noqa: S311 - drawn again from the same seed
        self.network = Network(self.heap, self.dice, Trouble())
        self.mode = mode
        self.folder = folder
        self.told = Told()
        self.deaths = dict.fromkeys(self.victims, 0)
        self.last_words: list[str] = []
        self.engine: EngineProcess | None = None
        self.flow: FlowProcess | None = None
        self.paper: PaperProcess | None = None
        self.trader: TraderProcess | None = None
        self.gateway: GatewayProcess | None = None
        self.tracker: TrackerProcess | None = None
        self.bots = [self._bot("keeps", False), self._bot("cancels", True)]
        self._doors = {account: Door(account, self.heap, self.dice) for account in ACCOUNTS}
        self.crowds = [self._crowd(account) for account in ACCOUNTS if account != FIRST_ACCOUNT]
        self._sent: dict[str, Left] = {}
        self._rules: OrderRules | None = None
        self._doomed: dict[str, list[Doom]] = {}  # by process: of this life and of those after it
        self._lives: dict[str, Life] = {}
        self._is_connected = False
        self._cut_until_ns = 0
        self.is_still = False
        for name in self.victims:
            self._start(name)

    @property
    def journal_folder(self) -> Path:
        """Where the engine's journal is."""
        return self.folder / "journal"

    @property
    def reports_folder(self) -> Path:
        """Where the tracker's daily files are."""
        return self.folder / "reports"

    def run(self, duration_ns: int) -> None:
        """Go on for a while."""
        until_ns = self.heap.now_ns + duration_ns
        heap = self.heap
        while (next_ns := heap.next_ns) is not None and next_ns <= until_ns:
            heap.now_ns = next_ns
            heap.run_due()
            self._tell_connection()
        heap.now_ns = until_ns

    def doom(self, name: str, points: int) -> None:
        """Let a process die before it does so many more things."""
        self._doomed[name] = [Doom(None, points)]

    def doom_at(self, name: str, what: str, times: int, *, is_start: bool = False) -> None:
        """Let a process die instead of doing something, once it has done it so many times.

        Args:
            is_start: whether it does that as it starts: then it dies before, too.
        """
        self._doomed[name] = [Doom(None, 0)] * is_start + [Doom(what, times)]

    @property
    def is_doomed(self) -> bool:
        """Whether anybody has still to die."""
        return bool(self._doomed)

    @property
    def is_whole(self) -> bool:
        """Whether all processes live."""
        return all(self._lives[name].is_alive for name in self.victims)

    def hasten(self) -> None:
        """Let those who have still to die do so now."""
        self._doomed = {name: [Doom(None, 0)] for name in self._doomed}

    def cut_off(self) -> None:
        """Lose the answers to the trader for a while, and maybe all news with them, as it is told."""
        cut_ns = self.dice.randint(*_CUT_NS)
        self._doors[FIRST_ACCOUNT].lose_answers(cut_ns)
        if self.dice.random() < 0.5:
            self._cut_until_ns = self.heap.now_ns + cut_ns

    def be_still(self, is_still: bool) -> None:
        """Let nobody want anything new, so that all that is on its way arrives; or go on."""
        self.is_still = is_still
        for crowd in self.crowds:
            crowd.is_still = is_still
        for bot in self.bots:
            bot.is_still = is_still
        if self.flow is not None:
            self.flow.is_still = is_still
        if self.trader is not None:
            self.trader.strategy.is_still = is_still

    def check_more(self) -> None:
        """Check what must hold of such a desk alone, once all that was on its way has arrived."""

    def close(self) -> None:
        """Let go of the files."""
        if self.engine is not None:
            self.engine.journal.leave()
        if self.paper is not None:
            self.paper.ledger.close()
        if self.gateway is not None:
            self.gateway.store.close()

    # --- how

    def _start(self, name: str) -> None:
        life = Life(self.heap, name, self._is_last, self._bury)
        self._lives[name] = life
        life.run(lambda: self._build(life))

    def _build(self, life: Life) -> None:
        if life.name == ENGINE:
            self.engine = EngineProcess(life, self.network, self.settings, self.journal_folder, self.mode)
        elif life.name == "flow":
            self.flow = FlowProcess(life, self.network, self.settings)
        elif life.name == "paper":
            self.paper = PaperProcess(life, self.network, self.settings, self.folder / "ledger.sqlite3")
            self.paper.exchange.account_listeners.append(self._tell_trader)
            for door in self._doors.values():
                door.process = self.paper
            self._rules = self._rules or order_rules(self.paper, self.settings.instrument)
        elif life.name == GATEWAY:
            self.gateway = GatewayProcess(life, self.network, self.settings, self.folder / GATEWAY)
            for bot in self.bots:
                bot.process = self.gateway
        elif life.name == TRACKER:
            self.tracker = TrackerProcess(life, self._doors[FIRST_ACCOUNT], self.settings, self.reports_folder)
        elif self._rules is None:
            life.after(NS_PER_SECOND, lambda: self._build(life))
        else:
            self.trader = TraderProcess(
                life,
                self._doors[FIRST_ACCOUNT],
                self.settings.instrument,
                self._rules,
                self.dice,
                self._sent,
                self.told,
            )
        self.be_still(self.is_still)

    def _crowd(self, account: int) -> Crowd:
        """Return an account's clients, who are many and do not die."""
        life = Life(self.heap, f"crowd {account}", lambda *_: False, self._bury)
        return Crowd(life, self._doors[account], self.settings.instrument, self.dice, account)

    def _bot(self, name: str, is_cancel_on_disconnect: bool) -> Bot:
        life = Life(self.heap, name, lambda *_: False, self._bury)
        return Bot(
            life,
            name,
            self.settings.symbol,
            self.dice,
            self._mid_ticks,
            is_cancel_on_disconnect=is_cancel_on_disconnect,
        )

    def _tell_trader(self, said: AccountNews) -> None:
        """Tell what has happened to the trader's account; whoever quotes beside an order that may be there has more."""
        assert self.paper is not None
        counts = Counter(order.side for order in self.paper.ledger.open_orders_of(FIRST_ACCOUNT))
        assert max(counts.values(), default=0) <= SIDE_QUOTES_MAX, (
            f"the trader has no more orders than it wants: {counts}"
        )
        if self.trader is not None and not self._is_cut_off:
            self.trader.line.hear(said)

    def _tell_connection(self) -> None:
        """Tell the trader when what it hears of the exchange ends and begins."""
        is_connected = self.paper is not None and self.paper.exchange.is_connected and not self._is_cut_off
        if is_connected != self._is_connected and self.trader is not None:
            self._is_connected = is_connected
            self.trader.line.tell(news.Following() if is_connected else news.Silent("the exchange is gone"))

    @property
    def _is_cut_off(self) -> bool:
        return self.heap.now_ns < self._cut_until_ns

    def _mid_ticks(self) -> int:
        """Return about where the market is; 0 if nobody knows."""
        if self.engine is None:
            return 0
        return (self.engine.core.engine.depth(self.settings.instrument.symbol_id, 1).mid_ticks_x2 or 0) // 2

    def _has_power(self) -> bool:
        """Draw whether the engine's machine goes on when the engine dies."""
        return not self.mode.is_synced or self.dice.random() < 0.5

    def _is_last(self, life: Life, what: str) -> bool:
        dooms = self._doomed.get(life.name)
        if dooms is None or dooms[0].what not in (None, what):
            return False
        if dooms[0].points > 0:
            dooms[0] = dooms[0]._replace(points=dooms[0].points - 1)
            return False
        self.last_words.append(f"{life.name} instead of: {what}")
        return True

    def _bury(self, life: Life) -> None:
        name = life.name
        if dooms := self._doomed.pop(name, [])[1:]:
            self._doomed[name] = dooms
        self.deaths[name] += 1
        self.network.forget(life)
        if name == ENGINE and self.engine is not None:
            has_power = self._has_power()
            self.engine.leave(self.journal_folder, self.dice, has_power=has_power)
            self.engine = None
        elif name == "flow":
            self.flow = None
        elif name == "paper" and self.paper is not None:
            self.paper.leave()
            self.paper = None
            for door in self._doors.values():
                door.close()
        elif name == GATEWAY and self.gateway is not None:
            self.gateway.leave()
            self.gateway = None
            for bot in self.bots:
                bot.process = None
        elif name == "trader" and self.trader is not None:
            self.trader.line.close()
            self.trader = None
        elif name == TRACKER:
            self.tracker = None
        self.heap.after(self.dice.randint(*_DOWN_NS), lambda: self._start(name))
