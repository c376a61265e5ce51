"""Whoever trades, as a step: news of the venue and the time go in, actions come out. No clock, no socket, no file.

A trader works in rounds. It asks what is true of its orders where it cannot know; when all is answered, it lets its
strategy say what it wants, and acts; when that is answered, the round is over. What has no answer is never asked again
blindly: an order whose reply was lost is looked for by its id, and its side waits until the venue has said, or until
the order can no longer arrive.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from market.account import Balance, VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading import news, notes
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from trading.execution import Requoting, plan
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders, UnknownOrder
from trading.quoting import Quote
from trading.strategy import Fill, Inbox, OwnOrder, Strategy, Wanted

REFUSED_PAUSE_NS: Final = 2 * NS_PER_SECOND  # of a side, after the venue has refused a quote
REFUSED_PAUSE_NS_MAX: Final = 60 * NS_PER_SECOND
FAILED_PAUSE_NS_MAX: Final = 10 * NS_PER_SECOND
FATE_UNKNOWN: Final = "the fate of its last order is unknown"


class Terms(NamedTuple):
    """What a trader is given for its life.

    Attributes:
        requoting: when an order is replaced.
        prefix: of our client order ids: nobody else's order is touched.
        interval_ns: the least time between two rounds.
        list_ns: how old what we know of our open orders may get before we ask; the news of them comes by itself.
        arrival_ns: how long an order without an answer may still arrive.
    """

    requoting: Requoting
    prefix: str
    interval_ns: int
    list_ns: int
    arrival_ns: int


class Outbox(NamedTuple):
    """What a step brings.

    Attributes:
        actions: to be carried out in this order, one after the other.
        wake_ns: step again then at the latest; None: when there is news.
        notes: for a person.
    """

    actions: Sequence[Action]
    wake_ns: int | None
    notes: Sequence[notes.Note]


class Trader:
    """One strategy in one instrument at one venue.

    Args:
        client_order_ids: ids that start with the prefix and that no earlier run has used.
        left_over: orders of an earlier run whose fate it did not know.
        jitter: draws what part of a pause after a failure is waited.

    Attributes:
        orders: our own.
        why_out: why nothing may be in the book, empty if quotes may: a halt, or the end.
        is_started: whether a round has ended well.
        position: what we hold of the base asset; None while that is not known.
    """

    def __init__(
        self,
        strategy: Strategy,
        instrument: Instrument,
        rules: OrderRules,
        terms: Terms,
        client_order_ids: Iterator[str],
        left_over: Mapping[str, UnknownOrder] | None = None,
        jitter: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._strategy = strategy
        self._instrument = instrument
        self._rules = rules
        self._terms = terms
        self._client_order_ids = client_order_ids
        self.orders = OwnOrders(left_over or {})
        self.why_out = ""
        self.is_started = False
        self._depth: Depth | None = None
        self._silence = ""
        self._trades: list[news.MarketTrade] = []
        self._fills: list[Fill] = []
        self._balances: Mapping[str, Balance] = {}
        self._is_balance_old = True
        self._refusals = {side: Backoff(REFUSED_PAUSE_NS, REFUSED_PAUSE_NS_MAX) for side in Side}
        self._backoff = Backoff(2 * terms.interval_ns, FAILED_PAUSE_NS_MAX, jitter)
        self._awaited: set[tuple[type[Action], str]] = set()
        self._why_cancelled: dict[str, str] = {}
        self._missing: list[str] = []
        self._listed_ns: int | None = None  # when the list of our open orders was asked for that we go by
        self._out_since_ns: int | None = None
        self._round_ns = 0  # when the next round may begin
        self._looked: notes.Looked | None = None  # of a round whose actions are on their way
        self._notes: list[notes.Note] = []

    @property
    def position(self) -> Decimal | None:
        """What we hold of the base asset, locked or not; None while that is not known."""
        base = self._balances.get(self._instrument.base)
        return None if base is None else base.total

    @property
    def is_out(self) -> bool:
        """Whether surely no order of ours is anywhere since `leave`."""
        is_looked = self._out_since_ns is not None and (self._listed_ns or -1) >= self._out_since_ns
        return is_looked and self.orders.is_none and not self._awaited

    def leave(self, why: str, now_ns: int) -> None:
        """Have no order in the book from now on, until `come_back`; whatever we waited for, this does not."""
        self.why_out, self._out_since_ns = why, now_ns
        self._backoff.until_ns = self._round_ns = 0

    def come_back(self) -> None:
        """Quote again."""
        self.why_out, self._out_since_ns = "", None
        self._backoff.until_ns = self._round_ns = 0

    def step(self, now_ns: int, said: Sequence[news.News]) -> Outbox:
        """Take what the venue has said; return what to ask of it now.

        Args:
            now_ns: of one clock that never goes back; only differences mean something.
            said: since the last step, in its order.
        """
        for each in said:
            self._take(each, now_ns)
        actions = () if self._awaited or self._backoff.is_on(now_ns) else self._next(now_ns)
        for action in actions:
            self._awaited.add(_key(action))
            if isinstance(action, Place):
                self.orders.send(action.client_order_id, Quote(action.side, action.price_ticks, action.qty_lots))
        told, self._notes = self._notes, []
        wake_ns = None if self._awaited else max(now_ns, self._round_ns, self._backoff.until_ns)
        return Outbox(actions, wake_ns, told)

    # --- what is asked ---

    def _next(self, now_ns: int) -> Sequence[Action]:
        """Return what comes next in this round; nothing is awaited."""
        if self._looked is not None:
            self._end_round(self._looked)
        if self._missing:
            missing, self._missing = self._missing, []
            return [FindOrder(name) for name in missing]
        if now_ns < self._round_ns:
            return ()
        if self._is_list_old(now_ns):
            return [*map(FindOrder, self.orders.unknown), ListOrders()]
        if self.why_out:
            return self._go(now_ns)
        if self._is_balance_old:
            return [AskBalances()]
        if self._depth is None or self._silence:
            return self._pull(now_ns, self._silence or "the book is not known yet")
        return self._quote(now_ns)

    def _is_list_old(self, now_ns: int) -> bool:
        if self._listed_ns is None or now_ns - self._listed_ns >= self._terms.list_ns:
            return True
        return self._out_since_ns is not None and self._listed_ns < self._out_since_ns

    def _go(self, now_ns: int) -> Sequence[Action]:
        """Cancel all that is ours; look again while that is not sure."""
        actions = self._pull(now_ns, self.why_out)
        if not actions and not self.is_out:
            self._listed_ns = None
        return actions

    def _pull(self, now_ns: int, why: str) -> list[Action]:
        return self._act([(name, why) for name in self.orders.open], (), now_ns, None, dict.fromkeys(Side, why))

    def _quote(self, now_ns: int) -> list[Action]:
        assert self._depth is not None, "nothing to quote around"
        own = self._own_orders()
        depth = self._depth.without(self._own_lots(own))
        trades, self._trades = self._trades, []
        fills, self._fills = self._fills, []
        inbox = Inbox(
            self._instrument,
            self._rules,
            depth,
            trades,
            own,
            fills,
            self.position,
            self._balances,
        )
        wanted = self._strategy.step(now_ns, inbox)
        if wanted.obstacle is not None and not self.is_started:
            raise ObstacleError(wanted.obstacle)
        return self._execute(now_ns, wanted, own, depth.mid_ticks_x2)

    def _execute(self, now_ns: int, wanted: Wanted, own: Sequence[OwnOrder], mid_ticks_x2: int | None) -> list[Action]:
        held = {side: pause.why for side, pause in self._refusals.items() if pause.is_on(now_ns)}
        held |= {each.quote.side: FATE_UNKNOWN for each in self.orders.unknown.values()}
        requoting = self._terms.requoting
        tolerance_ticks = int(requoting.tolerance * (mid_ticks_x2 or 0) / 2)
        why_none = wanted.obstacle or next(iter(wanted.idle.values()), "nothing is wanted")
        todo = plan(wanted.quotes, own, tolerance_ticks, requoting.replace_below, held, why_none)
        quoted_sides = {quote.side for quote in wanted.quotes}
        stays = {order.side for order in own} - {each.order.side for each in todo.leaves}
        idle = {side: why for side, why in held.items() if side in quoted_sides and side not in stays}
        idle |= dict.fromkeys(Side, wanted.obstacle) if wanted.obstacle else wanted.idle
        cancels = [(each.order.client_order_id, each.why) for each in todo.leaves]
        return self._act(cancels, todo.places, now_ns, mid_ticks_x2, idle, wanted.wake_ns)

    def _act(
        self,
        cancels: Sequence[tuple[str, str]],
        places: Sequence[Quote],
        now_ns: int,
        mid_ticks_x2: int | None,
        idle: Mapping[Side, str],
        wake_ns: int | None = None,
    ) -> list[Action]:
        """Begin the last part of a round: act, and wait for the answers."""
        soonest_ns = now_ns + self._terms.interval_ns
        self._round_ns = soonest_ns if wake_ns is None else max(soonest_ns, wake_ns)
        self._looked = notes.Looked(mid_ticks_x2, idle)
        self._why_cancelled |= cancels
        return [
            *(Cancel(name, self.orders.open[name].order_id, why) for name, why in cancels),
            *(Place(next(self._client_order_ids), *_terms_of(quote)) for quote in places),
        ]

    def _end_round(self, looked: notes.Looked) -> None:
        self._looked = None
        self._backoff.end()
        self.is_started = True
        now_idle = {side: f"refused: {pause.why}" for side, pause in self._refusals.items() if pause.until_ns}
        self._notes.append(looked._replace(idle={**looked.idle, **now_idle} if not self.why_out else looked.idle))

    def _own_orders(self) -> list[OwnOrder]:
        return [
            OwnOrder(
                name,
                order.side,
                self._instrument.price_to_ticks(order.price),
                self._instrument.qty_to_lots(order.leaves_qty),
            )
            for name, order in self.orders.open.items()
        ]

    def _own_lots(self, own: Sequence[OwnOrder]) -> dict[tuple[int, int], int]:
        """Return what of the book is ours, or may be."""
        lots: dict[tuple[int, int], int] = {}
        for each in own:
            place = each.side, each.price_ticks
            lots[place] = lots.get(place, 0) + each.leaves_lots
        for unknown in self.orders.unknown.values():
            place = unknown.quote.side, unknown.quote.price_ticks
            lots[place] = lots.get(place, 0) + unknown.quote.qty_lots
        return lots

    # --- what is said ---

    def _take(self, said: news.News, now_ns: int) -> None:
        match said:
            case news.BookNews():
                self._depth = said.depth
            case news.TradesNews():
                self._trades += said.trades
            case news.OrderNews():
                self._hear(said.order, now_ns)
            case news.Gone():
                self._answered(Cancel, said.client_order_id)
                self._missing.append(said.client_order_id)
            case news.Refused():
                self._refused(said, now_ns)
            case news.Unknown():
                self._answered(Place, said.client_order_id)
                self.orders.lose(said.client_order_id, now_ns + self._terms.arrival_ns)
                self._notes.append(notes.Lost(said.client_order_id, said.why))
            case news.Found():
                self._found(said, now_ns)
            case news.Listed():
                self._listed(said, now_ns)
            case news.Balances():
                self._answered(AskBalances)
                self._balances, self._is_balance_old = said.balances, False
            case news.Failed():
                self._failed(said, now_ns)
            case news.Silent():
                self._silence, self._depth = said.why, None
                self._round_ns = 0
            case news.Following():
                self._silence, self._listed_ns = "", None

    def _answered(self, kind: type[Action], client_order_id: str = "") -> None:
        self._awaited.discard((kind, client_order_id))

    def _hear(self, order: VenueOrder, now_ns: int) -> None:
        name = order.client_order_id
        if not name.startswith(self._terms.prefix):
            return
        is_new = name in self.orders.sent
        self._answered(Place, name)
        was_open = is_new or name in self.orders.open or name in self.orders.unknown
        filled = self.orders.hear(order, now_ns)
        if is_new:
            self._refusals[order.side].end()
            self._notes.append(notes.Quoted(order))
        if filled:
            self._filled(order, filled)
        if not order.is_open:
            self._answered(Cancel, name)
            why = self._why_cancelled.pop(name, "")
            if was_open and order.leaves_qty:
                at_venue = f"{order.status} at the venue, not by this desk"
                self._notes.append(notes.Ended(order, why or at_venue, is_by_us=bool(why)))

    def _filled(self, order: VenueOrder, qty: Decimal) -> None:
        for pause in self._refusals.values():
            pause.end()  # what was missing on the other side may be there now
        self._is_balance_old = True
        price_ticks, lots = self._instrument.price_to_ticks(order.price), self._instrument.qty_to_lots(qty)
        self._fills.append(Fill(order.client_order_id, order.side, price_ticks, lots))
        self._notes.append(notes.Filled(order, qty))

    def _refused(self, said: news.Refused, now_ns: int) -> None:
        self._answered(Place, said.client_order_id)
        if (quote := self.orders.drop(said.client_order_id)) is not None:
            wait_ns = self._refusals[quote.side].fail(now_ns, why=said.why)
            self._notes.append(notes.Declined(quote, said.why, wait_ns))

    def _found(self, said: news.Found, now_ns: int) -> None:
        name = said.client_order_id
        self._answered(FindOrder, name)
        unknown = self.orders.unknown.get(name)
        if said.order is not None:
            if unknown is not None:
                self._notes.append(notes.Settled(name, has_arrived=True))
            self._hear(said.order, now_ns)
        elif unknown is not None and said.asked_ns > unknown.until_ns:
            self.orders.drop(name)
            self._notes.append(notes.Settled(name, has_arrived=False))
        elif (order := self.orders.open.get(name)) is not None:
            self.orders.forget(name)
            self._notes.append(notes.Forgotten(order))

    def _listed(self, said: news.Listed, now_ns: int) -> None:
        self._answered(ListOrders)
        self._listed_ns = said.asked_ns
        for order in said.orders:
            self._hear(order, now_ns)
        self._missing += self.orders.missing({order.client_order_id for order in said.orders}, said.asked_ns)

    def _failed(self, said: news.Failed, now_ns: int) -> None:
        """Give up this round: what was not done is known not to be there."""
        for action in said.undone:
            self._awaited.discard(_key(action))
            if isinstance(action, Place):
                self.orders.drop(action.client_order_id)
        self._looked, self._listed_ns = None, None
        self._round_ns = 0
        wait_ns = self._backoff.fail(now_ns, int(said.retry_after_s * NS_PER_SECOND))
        self._notes.append(notes.Paused(said.why, wait_ns))


class ObstacleError(Exception):
    """Nothing of these settings can ever be an order here; the text names the setting to change."""


def _key(action: Action) -> tuple[type[Action], str]:
    return type(action), getattr(action, "client_order_id", "")


def _terms_of(quote: Quote) -> tuple[Side, int, int]:
    return quote.side, quote.price_ticks, quote.qty_lots
