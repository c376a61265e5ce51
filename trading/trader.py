"""Whoever trades, as a step: news of the venue and the time go in, actions come out. No clock, no socket, no file.

A trader works in rounds. It asks what is true of its orders where it cannot know; when all is answered, it lets its
strategy say what it wants, and acts; when that is answered, the round is over. What has no answer is never asked again
blindly: an order whose reply was lost is looked for by its id, and its side waits until the venue has said, or until
the order can no longer arrive.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from trading import news, notes
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Place
from trading.asking import Asking
from trading.awaited import Awaited
from trading.execution import Execution, Plan
from trading.guard import Guard
from trading.looking import Looking
from trading.moves import paired
from trading.order_rules import MarketRules, OrderRules
from trading.others_book import OthersBook
from trading.outbox import Outbox
from trading.own_orders import Left, OwnOrders
from trading.pair_rules import PairRules
from trading.position import Position
from trading.reasons import ADOPTED, FATE_UNKNOWN, NO_BOOK, OFF_GRID, UNTRIED, Reason, Rule, joined, together
from trading.sending_rate import SentLately
from trading.strategy import ObstacleError, OwnOrder, Strategy, Wanted
from trading.terms import Terms

FAILED_PAUSE_NS_MAX: Final = 2 * NS_PER_SECOND  # with a call that gets no answer, 5 s: within 10 s of its end it quotes
KEPT_PAUSE_NS: Final = NS_PER_SECOND  # after a cancel that was refused
LEAVE_PAUSE_NS: Final = NS_PER_SECOND // 20  # after a failure while our orders are to go
LEAVE_PAUSE_NS_MAX: Final = NS_PER_SECOND // 2
BALANCES: Final = (AskBalances(),)
RULES: Final = (AskRules(),)
NOTHING_BINDS: Final[Mapping[Side, Sequence[Reason]]] = {}


class Trader:
    """One strategy in one instrument at one venue.

    Args:
        client_order_ids: ids that start with the prefix and that no earlier run has used.
        jitter: draws what part of a pause after a failure is waited.

    Attributes:
        orders: our own.
        guard: what it may do of what is wanted.
        why_out: why nothing may be in the book, None if quotes may: a halt, or the end.
        is_started: whether a round has ended well.
    """

    def __init__(
        self,
        strategy: Strategy,
        instrument: Instrument,
        rules: OrderRules,
        terms: Terms,
        client_order_ids: Iterator[str],
        jitter: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._asking = Asking(strategy, instrument, rules)
        self._pair = PairRules(instrument, rules, terms.rules_ns)
        self._instrument = instrument
        self._terms = terms
        self._client_order_ids = client_order_ids
        self.orders = OwnOrders(terms.arrival_ns)
        self.why_out: Reason | None = None
        self.is_started = False
        # What is known of the market and of what we hold.
        self._book = OthersBook(instrument, self.orders)
        self._silence = ""
        of_account = terms.neutral_qty, terms.arrival_ns, terms.kept_neutral_qty, terms.fee, terms.had
        self._position = Position(instrument, *of_account)
        self.guard = Guard(terms.limits, instrument, rules, terms.triggers)
        # What waits, and for what.
        self._execution = Execution(
            terms.requoting, terms.refilling, terms.hanging, instrument, can_amend=terms.can_amend
        )
        self._failures = Backoff(2 * terms.interval_ns, FAILED_PAUSE_NS_MAX, jitter)
        self._leave_failures = Backoff(LEAVE_PAUSE_NS, LEAVE_PAUSE_NS_MAX)
        self._awaited = Awaited(self.orders, self.guard, self._position)
        self._looking = Looking(self.orders, terms.list_ns)
        self._out_since_ns = 0  # when `leave` was last called
        self._is_clear = False  # whether the list has nothing of ours: one of after the last order, cancel and `leave`
        # The rounds.
        self.next_round_ns: Callable[[int], int] = lambda now_ns: now_ns + terms.interval_ns
        self._round: Iterator[Sequence[Action]] | None = None
        self._is_news = False  # whether something has happened since the strategy was asked
        self._soonest_ns = 0  # when the next round may begin
        self._latest_ns = 0  # when it begins even if nothing happens
        self._now_ns = 0
        self._notes: list[notes.Note] = []

    @property
    def position(self) -> Decimal | None:
        """What we hold of the base asset more than is neutral; None while that is not known."""
        return self._position.qty

    @property
    def neutral(self) -> Decimal | None:
        """How much of the base asset is no position; None while that is not known."""
        return self._position.neutral_qty

    @property
    def is_out(self) -> bool:
        """Whether surely no order of ours is anywhere since `leave`: no list that was asked for since then has one."""
        return bool(self.why_out) and self._is_clear and self.orders.is_none and not self._awaited

    def take_answer_times(self) -> list[int]:
        """Return and forget how long the answers took that have come since this was last asked, ns."""
        taken = list(self._awaited.answer_times)
        self._awaited.answer_times.clear()
        return taken

    def slow(self, now_ns: int) -> str:
        """Return what the venue has not answered for long, and since when; empty if it answers."""
        return self._awaited.slow(now_ns)

    def take_over(self, orders: Mapping[str, Left], lately: SentLately, now_ns: int) -> None:
        """Know what an earlier run has left, and count what it and this start have sent and spent."""
        self.orders.take_over(orders, now_ns)
        self._position.take_over([left for left in orders.values() if isinstance(left, VenueOrder)], now_ns)
        self.guard.rate.take_over(lately, now_ns)
        self._looking.spending.take_over(lately.spent, now_ns)
        self._looking.spending.start()

    def to_leave(self) -> SentLately:
        """Return what a successor must count as well."""
        return self.guard.rate.to_leave()._replace(spent=self._looking.spending.to_leave())

    def leave(self, why: Reason, now_ns: int, taken_back: Sequence[Action] = ()) -> None:
        """Have no order in the book from now on, until `come_back`; no pause is waited for.

        Args:
            now_ns: as at a step.
            taken_back: actions that will not be carried out.
        """
        self.why_out, self._out_since_ns, self._looking.listed_ns, self._is_clear = why, now_ns, None, False
        self._keep(self._awaited.undo(taken_back, now_ns), why)
        self._backoff.until_ns = 0
        self._begin_anew()

    def come_back(self) -> None:
        """Quote again."""
        self.why_out = None
        self._backoff.until_ns = 0
        self._begin_anew()

    def step(self, now_ns: int, said: Sequence[news.News]) -> Outbox:
        """Take what the venue has said; return what to ask of it now.

        Args:
            now_ns: ns since 1970 UTC, by a clock that never goes back.
            said: since the last step, in its order.

        Raises:
            ObstacleError: before the first quote, if no quote of these settings can be an order there.
        """
        self._now_ns = now_ns
        self._looking.spending.step(now_ns)
        self._pair.step(now_ns)
        for each in said:
            self._take(each)
        actions = self._next()
        self._looking.spending.spend(actions)
        self._awaited.send(actions, now_ns)
        told, self._notes = [*self.guard.take_notes(), *self._notes], []
        if self._awaited:
            return Outbox(actions, None, told)
        market_ns = max(now_ns, self._backoff.until_ns, self._soonest_ns)
        return Outbox(actions, max(market_ns, self._due_ns()), told, market_ns)

    # --- what is asked, in rounds ---

    @property
    def _backoff(self) -> Backoff:
        return self._leave_failures if self.why_out else self._failures

    def _next(self) -> Sequence[Action]:
        """Return what comes next, in this round or in one that begins."""
        while not self._awaited and not self._backoff.is_on(self._now_ns):
            if self._round is None:
                if self._now_ns < self._due_ns():
                    break
                silent = Reason(Rule.SILENT, self._silence) if self._silence else None
                why = self.why_out or self._pair.why_unfit or silent
                self._looking.is_leaving = why is not None
                self._round = self._quoting() if why is None else self._leaving(why)
            if (actions := next(self._round, None)) is None:
                self._round = None
            elif actions:
                return actions
        return ()

    def _due_ns(self) -> int:
        """Return when the next round begins, as things are."""
        return self._soonest_ns if self._is_news else max(self._soonest_ns, self._latest_ns)

    def _begin_anew(self) -> None:
        """Let a round begin as soon as what is on its way is answered."""
        self._round = None
        self._soonest_ns = self._latest_ns = 0

    def _quoting(self) -> Iterator[Sequence[Action]]:
        """Go through a round: yield actions, go on when they are answered."""
        self._soonest_ns = self.next_round_ns(self._now_ns)
        looking, spending = self._looking, self._looking.spending
        if looking.listed_ns is None and not looking.may_look():  # what stands is not known, nor may anybody ask
            self._tell_idle(None, dict.fromkeys(Side, spending.why_full(looking.questions())), Wanted(()))
            self._is_news, self._soonest_ns = False, max(self._soonest_ns, spending.room_ns(looking.questions()))
            self._latest_ns = self._soonest_ns
            return
        if looking.is_due(self._now_ns):
            yield from looking.look(self._now_ns)
        yield self._ask_rules()
        if self.guard.is_to_ask(self._position, self._now_ns) and spending.may_ask(BALANCES):
            yield BALANCES
        if (depth := self._book.settle()) is None:  # the first news of it begins a round
            self._tell_idle(None, dict.fromkeys(Side, NO_BOOK), Wanted(()))
            self._is_news, self._latest_ns, self._soonest_ns = False, self._soonest_ns, self._now_ns
            return
        own = self.orders.resting(self._instrument)
        self.guard.look(self._now_ns, depth, self._position, self.orders)
        wanted = self.guard.cut(self._ask_strategy(own, depth))
        is_to_ask = self._position.is_old and spending.may_ask(BALANCES)
        yield [*self._execute(wanted, own, depth), *(BALANCES if is_to_ask else ())]
        yield from looking.settle_missing()
        self._end_round(depth.mid_ticks_x2, wanted)

    def _leaving(self, why: Reason) -> Iterator[Sequence[Action]]:
        """Go through a round that takes all that is ours out of the book, first what we know of."""
        self._soonest_ns = self._now_ns + min(self._terms.interval_ns, LEAVE_PAUSE_NS_MAX)
        self._is_news = False
        known = self.orders.standing
        yield [Cancel(name, order.order_id, why) for name, order in known.items()]
        yield from self._looking.look(self._now_ns)
        yield [Cancel(name, order.order_id, why) for name, order in self.orders.standing.items() if name not in known]
        yield from self._looking.settle_missing()
        if not self._is_clear:
            yield from self._looking.look(self._now_ns)
        if not self.why_out:
            yield self._ask_rules()
        self._end_round(None, Wanted((), idle=dict.fromkeys(Side, why)))

    def _ask_rules(self) -> Sequence[Action]:
        """Return the question for the pair's rules, if it is time for it."""
        if not self._pair.is_due(self._now_ns) or not self._looking.spending.may_ask(RULES):
            return ()
        self._pair.ask(self._now_ns)
        return RULES

    def _ask_strategy(self, own: Sequence[OwnOrder], depth: Depth) -> Wanted:
        self._is_news = False
        wanted = self._asking.ask(self._now_ns, own, depth, self._position)
        if wanted.obstacle is not None and not self.is_started:
            raise ObstacleError(wanted.obstacle)
        return wanted

    def _execute(self, wanted: Wanted, own: Sequence[OwnOrder], depth: Depth) -> list[Action]:
        room, held, none = self.guard.rate.room(self._now_ns), self._held(), wanted.why_none
        reducing = self.guard.reducing
        todo = self._execution.plan(self._now_ns, depth, wanted.quotes, own, held, none, room, reducing)
        cancels = {**dict.fromkeys(self.orders.off_grid(), OFF_GRID), **self.guard.excess(own), **todo.cancels}
        if (withdrew := self.guard.why_withdrew) is not None:
            cancels = {name: joined([why, withdrew]) for name, why in cancels.items()}
        movable = own if self._terms.can_move else ()
        moving = Counter(move.quote.side for move in paired(todo._replace(cancels=cancels), movable).moves)
        staying = Counter(order.side for order in own if order.client_order_id not in cancels)
        places = self.guard.admit(todo.places, self.orders.count, self._now_ns, moving, staying)
        there = staying + Counter(quote.side for quote in places)
        asked = Counter(quote.side for quote in wanted.quotes)
        self.guard.lack([side for side in Side if there[side] < asked[side]], self._now_ns)
        commands = paired(Plan(cancels, places, todo.amends), movable)
        actions = self.guard.within_funds(commands, self.orders).actions(
            self.orders.open, self._instrument, self._client_order_ids
        )
        return [*actions, *self.guard.slices(self._client_order_ids)]

    def _end_round(self, mid_ticks_x2: int | None, wanted: Wanted) -> None:
        self._backoff.end()
        self.is_started |= not self._silence
        own_wakes = self._execution.wakes_ns(self.orders.resting(self._instrument), self._now_ns)
        wakes = [*own_wakes, *self.guard.wakes_ns(self._now_ns), *([] if wanted.wake_ns is None else [wanted.wake_ns])]
        self._latest_ns = min([self._look_ns(), *wakes])
        is_leaving = self._looking.is_leaving
        held, bound = ({}, {}) if is_leaving else (self._held(), self.guard.binding)
        self._tell_idle(mid_ticks_x2, held, wanted, bound)

    def _tell_idle(
        self,
        mid_ticks_x2: int | None,
        held: Mapping[Side, Reason],
        wanted: Wanted,
        bound: Mapping[Side, Sequence[Reason]] = NOTHING_BINDS,
    ) -> None:
        """Tell why sides are idle, those where nothing of ours stands, and those that are not wanted; and by what."""
        standing = {order.side for order in self.orders.standing.values()}
        empty = {side: why for side, why in held.items() if side not in standing}
        idle = together(wanted.why_idle, empty)
        unsaid = {side: why for side, why in wanted.why_none.items() if side not in standing and side not in idle}
        self._notes.append(notes.Looked(mid_ticks_x2, idle | unsaid, bound, self._execution.hanging))

    def _look_ns(self) -> int:
        """Return when we must look again, even if nothing happens."""
        is_off = self._silence or self._pair.why_unfit is not None
        is_leaving = not self.is_out if self.why_out else is_off and not self.orders.is_none
        return 0 if is_leaving else self._looking.due_ns()

    def _held(self) -> dict[Side, Reason]:
        """Return why nothing may be placed on a side now."""
        unsure = dict.fromkeys(self.orders.uncertain().values(), FATE_UNKNOWN)
        now_ns = self._now_ns
        return together(self.guard.withdrawn(), unsure, self.guard.held(now_ns), self._execution.held(now_ns))

    # --- what is said ---

    def _take(self, said: news.News) -> None:
        match said:
            case news.BookNews():
                self._book.hear(said.depth)
                self._is_news = True
            case news.TradesNews():
                self._asking.traded(said.trades)
                self._is_news = True
            case news.OrderNews():
                self._hear(said.order)
            case news.Gone() | news.Kept() | news.Refused() | news.Untried() | news.Amended():
                self._take_answer(said)
            case news.Unknown():
                self._answered(Place, said.client_order_id)
                if self.orders.lose(said.client_order_id, self._now_ns + self._terms.arrival_ns - said.age_ns):
                    self._notes.append(notes.Lost(said.client_order_id, said.why))
            case news.Found():
                self._found(said)
            case news.Listed():
                self._listed(said)
            case news.Balances():
                self._answered(AskBalances)
                self.guard.balances(said.balances, self._now_ns, self._position, self.orders)
            case news.RulesNews():
                self._answered(AskRules)
                self._go_by(said.rules)
            case news.Failed():
                self._failed(said)
            case news.Silent():
                self._silence = said.why
                self._pair.doubt()  # of a book in other steps nothing can be told
                self._book.forget()
                self._begin_anew()
            case news.Following():
                self._silence, self._looking.listed_ns = "", None
                self._begin_anew()

    def _answered(self, kind: type[Action], client_order_id: str = "") -> None:
        if self._awaited.answer(kind, client_order_id, self._now_ns):
            self._is_clear &= kind not in {Place, Cancel}

    def _hear(self, order: VenueOrder) -> None:
        name = order.client_order_id
        if not name.startswith(self._terms.prefix):
            return
        if name in self.orders.open or name in self.orders.sent:  # of an earlier run's the first word may be late
            self._book.settle()
        heard = self.orders.hear(order, self._now_ns)
        self._answered(Place, name)
        if name not in self.orders.open:
            self._answered(Cancel, name)
        if heard.was_sent:
            self.guard.taken(order.side)
            self._notes.append(notes.Quoted(heard.order, heard.why_placed))
        if heard.was_unknown:
            self._notes.append(notes.Settled(name, has_arrived=True))
        if heard.filled_qty:
            self._filled(heard.order, heard.filled_qty, is_picked_off=heard.why_left is not None)
        if heard.has_ended:
            self._is_news = True
            if heard.order.leaves_qty:
                why = heard.why_left or Reason(Rule.AT_VENUE, f"{order.status} at the venue, not by this maker")
                is_by_us = heard.why_left is not None
                self._notes.append(notes.Ended(heard.order, why, is_by_us, heard.is_adopted))

    def _filled(self, order: VenueOrder, qty: Decimal, *, is_picked_off: bool) -> None:
        self.guard.filled(order, qty, self._now_ns)
        self._position.fill(order.side, qty, order.price, self._now_ns)
        self._execution.fill(order, list(self.orders.standing.values()), self._now_ns)
        self._is_news = True
        self._asking.filled(order, qty)
        self._notes.append(notes.Filled(order, qty, is_picked_off))

    def _take_answer(self, said: news.Gone | news.Kept | news.Refused | news.Untried | news.Amended) -> None:
        name = said.client_order_id
        for kind in (Place, Cancel, Amend):
            self._answered(kind, name)
        match said:
            case news.Gone():
                self.orders.cannot_cancel(name)
                self._looking.missing.append(name)
            case news.Kept():
                self._kept(said)
            case news.Refused():
                if (quote := self.orders.drop(name)) is not None:
                    self.guard.refused(quote, said, self._now_ns)
                if said.is_of_rules:
                    self._pair.doubt()
            case news.Untried():
                self._is_news = True
                if self.orders.keep(name):  # it stands where nothing of ours is wanted any more
                    self._keep([name], UNTRIED)
                    self._begin_anew()
            case news.Amended(_, None, why):
                self._execution.cannot_amend(name)
                self._keep([name], Reason(Rule.REFUSED, why))
                self._is_news = True
            case news.Amended(_, VenueOrder() as order):
                self._hear(order)

    def _kept(self, said: news.Kept) -> None:
        """Take it that an order stands that was to go: it is tried again, after the others, and not at once."""
        why = Reason(Rule.REFUSED, said.why)
        undone = self._awaited.undo(said.undone, self._now_ns)
        self.orders.keep(said.client_order_id)
        self._is_news, self._soonest_ns = True, max(self._soonest_ns, self._now_ns + KEPT_PAUSE_NS)
        self._keep([said.client_order_id], why, is_refused=True)
        self._keep(undone, why)

    def _keep(self, names: Sequence[str], why: Reason, *, is_refused: bool = False) -> None:
        """Tell that orders stand as they were, though they were to go, or to get smaller."""
        kept = [order for name in names if (order := self.orders.open.get(name)) is not None]
        self._notes += [notes.Kept(order, why, is_refused) for order in kept]

    def _found(self, said: news.Found) -> None:
        name = said.client_order_id
        self._answered(FindOrder, name)
        if said.order is not None:
            self._hear(said.order)
            return
        order, is_adopted = self.orders.open.get(name), self.orders.why_placed(name) is ADOPTED
        if self.orders.deny(name, said.asked_ns):
            self._position.is_old = True  # it may have been filled, and nobody has told
            if order is not None:
                self._position.forget(order.side, order.leaves_qty, order.price, self._now_ns)
            no_order = notes.Settled(name, has_arrived=False)
            self._notes.append(notes.Forgotten(order, is_adopted) if order else no_order)

    def _listed(self, said: news.Listed) -> None:
        self._answered(ListOrders)
        self._looking.listed_ns = said.asked_ns
        ours = [order for order in said.orders if order.client_order_id.startswith(self._terms.prefix)]
        self._is_clear = not ours and said.asked_ns >= self._out_since_ns
        for order in ours:
            self._hear(order)
        self._looking.missing += self.orders.missing({order.client_order_id for order in ours}, said.asked_ns)

    def _go_by(self, told: MarketRules) -> None:
        """Go by the venue's rules as they are now; in other steps nothing can stand."""
        was_unfit = self._pair.why_unfit
        if changes := self._pair.take(told):
            self._asking.rules = self._pair.rules
            self.guard.go_by(self._pair.rules)
            self._is_news = True
            self._notes.append(notes.Ruled(changes))
        if was_unfit != self._pair.why_unfit:
            self._begin_anew()

    def _failed(self, said: news.Failed) -> None:
        """Give up this round, and begin one after a pause."""
        if any(isinstance(each, AskRules) for each in said.undone):
            self._pair.doubt()
        kept = self._awaited.undo(said.undone, self._now_ns, may_be_done=said.may_be_done)
        self._keep(kept, Reason(Rule.FAILED, said.why))
        self._begin_anew()
        wait_ns = self._backoff.fail(self._now_ns, int(said.retry_after_s * NS_PER_SECOND))
        self._notes.append(notes.Paused(said.why, wait_ns))
