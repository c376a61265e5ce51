"""What `benchmarks.parity` keeps of a run: what its trader decided, and what became of its orders."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from bus.topology import Source, first_owner
from desk.settings import Settings
from desk.strategy import quoting_model
from market.codes import Side
from market.events import Accepted, Event, Executed
from paper.exchange.news import AccountNews, ExecutionType
from paper.exchange.news import OrderNews as ExchangeNews
from trading.actions import Action
from trading.model_strategy import ModelStrategy
from trading.news import News
from trading.quoting import Quote
from trading.strategy import Inbox, OwnOrder, Wanted

PREFIX: Final = "tb-parity-"
OURS: Final = range(first_owner(Source.PAPER), first_owner(Source.PAPER + 1))


class Decision(NamedTuple):
    """What a trader saw when it decided, and what it wanted."""

    now_ns: int
    bid_ticks: int
    ask_ticks: int
    own: tuple[OwnOrder, ...]
    wanted: tuple[Quote, ...]


@dataclass(slots=True)
class Order:
    """An order as its engine saw it; `fills` are (price_ticks, qty_lots)."""

    entered_ns: int
    side: Side
    price_ticks: int
    qty_lots: int
    fills: list[tuple[int, int]] = field(default_factory=list)

    @property
    def terms(self) -> tuple[int, int]:
        """What it is, but for its side."""
        return self.price_ticks, self.qty_lots

    @property
    def filled_lots(self) -> int:
        """How much of it was filled."""
        return sum(lots for _, lots in self.fills)


class Step(NamedTuple):
    """A step of the live trader.

    Attributes:
        at_ns: when it was, by the market.
        now_ns: likewise, by its own clock.
        heard: the news that it took.
        acts: its actions, and when each was at the engine, or left if it is nothing for an engine.
    """

    at_ns: int
    now_ns: int
    heard: tuple[News, ...]
    acts: tuple[tuple[Action, int], ...]


@dataclass(slots=True)
class Run:
    """What a trader did, from the recording's start on; `market_ns` are the times of the market's orders."""

    start_ns: int
    end_ns: int
    decisions: list[Decision]
    orders: list[Order]
    list_ns: int
    market_ns: Sequence[int]

    def decision_at(self, at_ns: int) -> Decision | None:
        """Return the last decision before a time."""
        number = bisect(self.decisions, at_ns, key=lambda each: each.now_ns)
        return self.decisions[number - 1] if number else None


class Orders:
    """The trader's orders, from what the engine says, or from what the exchange makes of that."""

    def __init__(self) -> None:
        self.by_id: dict[int, Order] = {}

    def take(self, events: Sequence[Event], now_ns: int) -> None:
        """Take events as of a time."""
        for event in events:
            if isinstance(event, Accepted) and event.owner in OURS:
                self.by_id[event.order_id] = Order(now_ns, Side(event.side), event.price_ticks, event.qty_lots)
            elif isinstance(event, Executed):
                for order_id in (event.taker_order_id, event.maker_order_id):
                    if order_id in self.by_id:
                        self.by_id[order_id].fills.append((event.price_ticks, event.qty_lots))

    def hear(self, said: AccountNews, now_ns: int) -> None:
        """Take what the exchange tells its account."""
        if not isinstance(said, ExchangeNews):
            return
        order = said.order
        if said.execution is ExecutionType.NEW:
            self.by_id[order.order_id] = Order(now_ns, order.side, order.price_ticks, order.qty_lots)
        elif said.trade is not None:
            self.by_id[order.order_id].fills.append((said.trade.price_ticks, said.trade.qty_lots))


class Watched(ModelStrategy):
    """The desk's own strategy, and what it has decided so far."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(quoting_model(settings), settings.maker.half_life_s)
        self.decisions: list[Decision] = []

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return what is wanted, and remember it."""
        wanted = super().step(now_ns, inbox)
        bid, ask = inbox.depth.bids[0].price_ticks, inbox.depth.asks[0].price_ticks
        self.decisions.append(Decision(now_ns, bid, ask, tuple(inbox.orders), tuple(wanted.quotes)))
        return wanted


def names() -> Iterator[str]:
    """Yield the client order ids of a run."""
    return (f"{PREFIX}{number}" for number in count(1))


def by_market(decisions: Sequence[Decision], steps: Sequence[Step]) -> list[Decision]:
    """Return decisions with their times by the market."""
    at_ns = {step.now_ns: step.at_ns for step in steps}
    return [each._replace(now_ns=at_ns[each.now_ns]) for each in decisions]
