"""A trader at the exchange as a process that may die, and the line between the two, which breaks with either."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from random import Random
from typing import Final

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.instrument import Instrument
from paper.access.accounts import FIRST_ACCOUNT
from simulation.calls import SimulatedAccount
from simulation.faults.door import Door
from simulation.faults.life import Life
from simulation.faults.nodes import PaperProcess
from simulation.faults.told import Told
from simulation.line import SimulatedLine
from trading import news
from trading.keeping import Requoting
from trading.order_rules import OrderRules
from trading.own_orders import Left
from trading.quoting import Quote
from trading.strategy import Inbox, Wanted
from trading.terms import Terms
from trading.trader import Trader

PREFIX: Final = "tb-faults-"
INTERVAL_NS: Final = 50 * NS_PER_MS
LIST_NS: Final = 2 * NS_PER_SECOND
ARRIVAL_NS: Final = 2 * NS_PER_SECOND
SIDE_QUOTES_MAX: Final = 2
_WAYS_NS: Final = NS_PER_MS, 20 * NS_PER_MS, 300 * NS_PER_MS  # the longest of a life
_BOOK_NS: Final = 50 * NS_PER_MS
_LEVELS: Final = 20
_TICKS_MAX: Final = 2
_LOTS_MAX: Final = 20


class Restless:
    """A strategy that now and then wants other quotes, near enough to the market to be filled; still, it keeps all.

    Attributes:
        fills: what it was told to be filled of each order, lots; whoever notes that clears it.
    """

    def __init__(self, dice: Random) -> None:
        self.is_still = False
        self.fills = Counter[str]()
        self._dice = dice
        self._quotes: list[Quote] = []

    def step(self, _: int, inbox: Inbox, /) -> Wanted:
        """Return the quotes of now."""
        for fill in inbox.fills:
            self.fills[fill.client_order_id] += fill.qty_lots
        if self.is_still:
            return Wanted([Quote(each.side, each.price_ticks, each.leaves_lots) for each in inbox.orders])
        dice, depth = self._dice, inbox.depth
        if depth.mid_ticks_x2 is None:
            return Wanted(())
        if dice.random() < 0.05:
            mid_ticks = depth.mid_ticks_x2 // 2
            least = inbox.instrument.qty_to_lots(Decimal("0.001"))
            self._quotes = [
                Quote(
                    side,
                    mid_ticks + (1, -1)[side == Side.BUY] * dice.randint(1, _TICKS_MAX),
                    least * dice.randint(1, _LOTS_MAX),
                )
                for side in Side
                for _ in range(dice.randint(0, SIDE_QUOTES_MAX))
            ]
        return Wanted(self._quotes)


class TraderProcess:
    """A trader; it notes its orders, as a maker does.

    Args:
        sent: the orders that the life before has left; kept up to date.
        told: hears what the trader and its strategy hear.

    Attributes:
        first_names: how the ids of this life's orders start.
    """

    def __init__(
        self,
        life: Life,
        door: Door,
        instrument: Instrument,
        rules: OrderRules,
        dice: Random,
        sent: dict[str, Left],
        told: Told,
    ) -> None:
        self._life = life
        self._sent = sent
        self._told = told
        self._instrument = instrument
        self.door = door
        self.strategy = Restless(dice)
        way_ns = dice.choice(_WAYS_NS)
        self.line = SimulatedLine(
            door,
            life.heap,
            instrument,
            lambda: dice.randint(NS_PER_MS, way_ns),
            lambda said: life.run(lambda: self._take(said)),
        )
        now_ns = life.time_ns()
        self.first_names = f"{PREFIX}{now_ns // NS_PER_MS}-"
        self.trader = Trader(
            self.strategy,
            instrument,
            rules,
            Terms(Requoting(Decimal(0)), PREFIX, INTERVAL_NS, LIST_NS, ARRIVAL_NS, neutral_qty=Decimal(0)),
            (f"{self.first_names}{number}" for number in count(1)),
        )
        self.trader.orders.take_over(sent, now_ns)
        life.every(_BOOK_NS, self._look)
        life.every(_BOOK_NS, lambda: self._take(()))

    def _look(self) -> None:
        process = self.door.process
        if process is not None:
            self.line.tell(news.BookNews(process.books.depth(self._instrument.symbol_id, _LEVELS)))

    def _take(self, said: Sequence[news.News]) -> None:
        self._told.hear(said)
        now_ns = self._life.time_ns()
        outbox = self.trader.step(now_ns, said)
        self._life.point("note what is sent")
        self._sent.clear()
        self._sent.update(self.trader.orders.to_leave(now_ns))
        self._told.fills.update(self.strategy.fills)  # what it was told and no note has, has no witness
        self.strategy.fills.clear()
        self._life.point("have noted what is sent")
        self.line.act(outbox.actions)


def order_rules(process: PaperProcess, instrument: Instrument) -> OrderRules:
    """Return the exchange's bounds of an order."""
    return SimulatedAccount(process.calls[FIRST_ACCOUNT]).load(instrument)
