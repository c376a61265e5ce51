"""The simulated runs of `benchmarks.parity`: one that follows a live run step by step, and one that knows of none."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count, islice
from typing import Any, Final

from benchmarks.engine_process import folder_of_a_desk
from benchmarks.parity_records import PREFIX, Orders, Run, Step, Watched, by_market, names
from desk.sections import flow_in_short
from desk.settings import load_settings
from desk.strategy import terms_of
from market.clock import NS_PER_MS
from market.depth import Depth
from market.instrument import Instrument
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.replaying.looking import LEVELS
from trading.actions import Action, Cancel, FindOrder, Move, Place, apart
from trading.news import BookNews, Following, Found, Listed, News, OrderNews, Silent, TradesNews
from trading.outbox import Outbox
from trading.trader import Trader

LOOK_NS: Final = NS_PER_MS
BOOKS_MAX: Final = 500
ACT_NS: Final = 5 * NS_PER_MS  # how long an action takes to the engine, about, where the other trader has none like it
HEARD_NS_MAX: Final = 300 * NS_PER_MS  # after which this trader hears what the other one has not


class Stepped(Trader):
    """Steps when another trader did, hears what that one had heard by then, and acts when its actions arrived.

    Of how old a book was when the other one saw it nothing is known but that it was one of the last `BOOKS_MAX`: of
    those the newest is taken that has the same levels, else the newest of the same best prices, else the newest.

    Args:
        see: returns the book.
        steps: the other one's.
    """

    def __init__(self, see: Callable[[], Depth], steps: Sequence[Step], *given: Any) -> None:
        super().__init__(*given)
        self._see = see
        self._steps = deque(steps)
        self._seen_ns = steps[0].at_ns
        self._books: deque[Depth] = deque([see()], maxlen=BOOKS_MAX)
        self._unheard: list[tuple[int, News]] = []
        self._late: list[tuple[int, News]] = []  # what the other one has heard, of which the like has yet to come
        self._names: dict[str, str] = {}  # of our orders, by the other one's name of the same
        self._going: list[tuple[int, int, Action]] = []  # a heap: when, in which order, what
        self._gone_count = count()
        self._acted_ns = 0

    def step(self, now_ns: int, said: Sequence[News]) -> Outbox:
        """Keep what is said until the other one heard the like, then do as it did."""
        self._unheard += [(now_ns, each) for each in said if not isinstance(each, BookNews)]
        actions: list[Action] = []
        while (at_ns := self._next_ns()) <= now_ns:
            if self._going and self._going[0][0] == at_ns:
                actions.append(heappop(self._going)[-1])
                self._acted_ns = now_ns
            elif self._seen_ns == at_ns:
                self._seen_ns += LOOK_NS
                if (depth := self._see()) != self._books[-1]:
                    self._books.append(depth)
            elif self._acted_ns == now_ns:
                break  # the answers come first, though by the market's clock no time passes until they do
            else:
                self._go_along(self._steps.popleft(), now_ns)
        return Outbox(actions, max(now_ns + 1, at_ns) if self._steps else None, ())

    def _next_ns(self) -> int:
        """Return when there is something to do."""
        going_ns = self._going[0][0] if self._going else self._seen_ns
        return min(going_ns, self._seen_ns, self._steps[0].at_ns if self._steps else self._seen_ns)

    def _go_along(self, theirs: Step, now_ns: int) -> None:
        """Make the step that the other one made, and let the actions go when its like did."""
        heard = self._old(now_ns)
        late, self._late = [each for each in self._late if now_ns - each[0] <= HEARD_NS_MAX], []
        for heard_ns, each in (*late, *((now_ns, each) for each in theirs.heard)):
            ours = self._like(each)
            heard += ours
            if not ours:
                self._late.append((heard_ns, each))
        acts = list(theirs.acts)
        for action in super().step(theirs.now_ns, heard).actions:
            at = next((at for at, each in enumerate(acts) if self._is_like(action, each[0])), None)
            at_ns = theirs.at_ns + ACT_NS
            if at is not None:
                like, at_ns = acts.pop(at)
                for mine, other in zip(apart([action]), apart([like]), strict=True):
                    if isinstance(mine, Place) and isinstance(other, Place):
                        self._names[other.client_order_id] = mine.client_order_id
            heappush(self._going, (max(at_ns, now_ns), next(self._gone_count), action))

    def _is_like(self, ours: Action, theirs: Action) -> bool:
        """Return whether an action is what the other trader had as another."""
        if isinstance(ours, Place) and isinstance(theirs, Place):
            return ours.side == theirs.side
        if isinstance(ours, Move) and isinstance(theirs, Move):
            return self._is_like(ours.cancel, theirs.cancel) and self._is_like(ours.place, theirs.place)
        if isinstance(ours, Cancel | FindOrder) and type(ours) is type(theirs):
            return self._names.get(theirs.client_order_id) == ours.client_order_id
        return type(ours) is type(theirs)

    def _old(self, now_ns: int) -> list[News]:
        """Return what the other one should have heard by now if it were to: it is heard without it."""
        return self._taken(
            each
            for heard_ns, each in self._unheard
            if now_ns - heard_ns > HEARD_NS_MAX and not isinstance(each, TradesNews)
        )

    def _like(self, theirs: News) -> list[News]:
        """Return what this trader hears where the other one heard that: of the same order, or else of the same kind.

        That something was traded is heard at the same step, for it may let the strategy decide; what it was, if it has
        happened here by then. That the venue is silent, or asks to slow down, is no matter of the market.
        """
        if isinstance(theirs, BookNews):
            return [BookNews(self._book_like(theirs.depth))]
        if isinstance(theirs, TradesNews):
            return self._taken(each for _, each in self._unheard if isinstance(each, TradesNews)) or [TradesNews(())]
        if isinstance(theirs, Silent | Following):
            return [theirs]
        if (name := _order_of(theirs)) is None:
            ours = self._taken(islice((each for _, each in self._unheard if type(each) is type(theirs)), 1))
        else:
            of_it = [each for _, each in self._unheard if _order_of(each) == self._names.get(name)]
            until = next((at for at, each in enumerate(of_it) if _stands(each) == _stands(theirs)), 0)
            ours = self._taken(of_it[: until + 1])
        if isinstance(theirs, Listed | Found):  # asked by its clock, as all that this trader does
            return [each._replace(asked_ns=theirs.asked_ns) for each in ours if isinstance(each, Listed | Found)]
        return ours

    def _taken(self, some: Iterable[News]) -> list[News]:
        """Return news, which are unheard no more."""
        taken = list(some)
        self._unheard = [each for each in self._unheard if not any(each[1] is one for one in taken)]
        return taken

    def _book_like(self, theirs: Depth) -> Depth:
        newest_first = list(reversed(self._books))
        alike = (each for each in newest_first if each == theirs)
        near = (each for each in newest_first if _best(each) == _best(theirs))
        return next(alike, None) or next(near, newest_first[0])


def _order_of(said: News) -> str | None:
    """Return the client order id of the order that news are of."""
    return said.order.client_order_id if isinstance(said, OrderNews) else getattr(said, "client_order_id", None)


def _stands(said: News) -> tuple[object, ...]:
    """Return how an order stands after news of it."""
    return (said.order.status, said.order.filled_qty) if isinstance(said, OrderNews) else (type(said),)


def _best(depth: Depth) -> tuple[int, ...]:
    return tuple(levels[0].price_ticks for levels in depth if levels)


def followed(flow: str, settings_given: Mapping[str, str], other: Run, steps: Sequence[Step]) -> Run:
    """Let the same trader quote in a simulation of the same market, stepping when the other one did."""

    def follow(desk: SimulatedDesk, strategy: Watched, instrument: Instrument, *more: Any) -> None:
        def see() -> Depth:
            return desk.market.engine.depth(instrument.symbol_id, LEVELS)

        desk.trader = Stepped(see, steps, strategy, instrument, *more)

    run = _simulated(flow, settings_given, other, Delays(venue_ns=0), follow)
    return replace(run, decisions=by_market(run.decisions, steps))


def alone(flow: str, settings_given: Mapping[str, str], other: Run) -> Run:
    """Let the same trader quote in a simulation of the same market as a backtest has it, which knows no live run."""

    def trade(desk: SimulatedDesk, *trader: Any) -> None:
        desk.trader = Trader(*trader)

    return _simulated(flow, settings_given, other, Delays(), trade)


def _simulated(
    flow: str, settings_given: Mapping[str, str], other: Run, delays: Delays, begin: Callable[..., None]
) -> Run:
    """Run a desk whose trader `begin` makes, for as long as the other run."""
    with folder_of_a_desk() as run_dir:
        settings = load_settings({"run_dir": run_dir, **flow_in_short(flow), **settings_given}).settings
        desk = SimulatedDesk(settings, other.start_ns, run_dir / "reports", delays)
        strategy, orders = Watched(settings), Orders()
        rules, terms = desk.account.load(settings.instrument), terms_of(settings, PREFIX, other.list_ns)
        begin(desk, strategy, settings.instrument, rules, terms, names())
        desk.exchange.exchange.account_listeners.append(lambda said: orders.hear(said, desk.heap.now_ns))
        desk.run(other.end_ns)
    entered = list(orders.by_id.values())
    return Run(other.start_ns, other.end_ns, strategy.decisions, entered, other.list_ns, other.market_ns)
