"""What a trader may do of what its strategy wants: limits, how many orders may leave, breakers, and stages.

It remembers what it has told, so that a limit is told when it begins to bind, and not in each round.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from math import ceil, floor
from typing import Final

from market.account import Balance, VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument, format_decimal
from market.limits import PRICE_TICKS_MAX
from trading import notes
from trading.actions import Action, Place
from trading.escalation import NEVER, Escalation, Stage, Triggers
from trading.flattening import Flattening
from trading.funds import Funds
from trading.limits import NONE_MOVES, Checked, LimitCheck, Limits
from trading.moves import Commands
from trading.news import Refused
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders
from trading.pauses import Pauses
from trading.position import Held, Position
from trading.post_only import PostOnly
from trading.quoting import Quote
from trading.readings import Amounts
from trading.reasons import NO_MEASURE, NO_MID, NO_PRICE, Reason, Rule, joined, reason_of, together
from trading.sending_rate import SHORT_NS, SendingRate
from trading.strategy import OwnOrder, Wanted

NO_LIMITS: Final = Limits()
FLATTEN_BAND: Final = Decimal("0.005")  # of the mid: how far from it a position is traded away
SLICE_NOTIONAL: Final = Decimal(10_000)  # where nothing limits an order
HOPE_NS: Final = 5 * NS_PER_SECOND  # from one look at the balances to the next, while a side is refused for long


class Guard:
    """Stands between one strategy and the venue.

    Args:
        rules: the venue's bounds of an order.

    Attributes:
        escalation: how far it has withdrawn.
        rate: how many orders it has sent.
        binding: by side, what takes something from what is wanted of it, the hardest first.
        why_withdrew: the stage that was reached in this round; None if none was.
    """

    def __init__(self, limits: Limits, instrument: Instrument, rules: OrderRules, triggers: Triggers = NEVER) -> None:
        self.escalation = Escalation(triggers, instrument)
        self._widen_by = triggers.widen_by
        self._limits = limits
        self._instrument = instrument
        self._rules = rules
        self.rate = SendingRate(limits.sending)
        self._flow = Amounts()  # that is not told yet
        self._neutral_qty: Decimal | None = None  # at the last look
        self._pauses = Pauses()
        self._post_only = PostOnly(instrument)
        self._funds = Funds(instrument, rules)
        self._refused: set[tuple[Side, str]] = set()  # in this round, and for what
        self._mid_ticks_x2: int | None = None  # the last that there was
        self._check: LimitCheck | None = None  # None: nothing can be said against a limit
        self._slice: Quote | None = None  # of a position that is to go, what trades next
        self._is_flat = self._is_stuck = False  # whether that was told
        self.binding: Mapping[Side, Sequence[Reason]] = {}
        self.why_withdrew: Reason | None = None
        self._lacked_ns: dict[tuple[Side, bool], int] = {}  # when it had last no room to send; of the day or not
        self._notes: list[notes.Note] = []

    def go_by(self, rules: OrderRules) -> None:
        """Go by other bounds of the venue's from now on."""
        self._rules = self._funds.rules = rules

    # --- in each round ---

    def look(self, now_ns: int, depth: Depth, position: Position, orders: OwnOrders) -> None:
        """Take what is so now, as a round begins; `depth` is the others' book."""
        self._refused.clear()
        self._post_only.look(depth)
        self._mid_ticks_x2 = depth.mid_ticks_x2 or self._mid_ticks_x2
        self._check = self._slice = self.why_withdrew = None
        held = position.held
        if self._mid_ticks_x2 is not None and held is not None:
            self._check = LimitCheck(
                _within_rules(self._limits, self._rules),
                self._instrument,
                self._rules,
                self._mid_ticks_x2,
                held,
                orders.could_fill(self._instrument),
                Counter(order.side for order in orders.standing.values()),
            )
            self._look_at_account(now_ns, self._check, position)
            if (
                self.escalation.stage >= Stage.FLATTENS
                and orders.count == 0
                and not (position.is_old or position.is_doubtful)
            ):
                self._slice = self._next_slice(now_ns, depth, self._out(held, position))

    def cut(self, wanted: Wanted) -> Wanted:
        """Return of what is wanted what may be; a side of which nothing is left is idle for its limit."""
        stage, asked = self.escalation.stage, wanted
        if stage >= Stage.CANCELS_ALL:
            self.binding = {}
            return Wanted((), wanted.wake_ns, dict.fromkeys(Side, self.escalation.why))
        if stage >= Stage.WIDENS and self._mid_ticks_x2 is not None:
            quotes: Sequence[Quote] = widened(wanted.quotes, self._mid_ticks_x2, self._widen_by)
            wanted = _without_a_price(wanted, quotes, self.escalation.why)
        wanted = _without_a_price(wanted, self._post_only.priced(wanted.quotes), NO_PRICE)
        within = self._within_limits(wanted.quotes)
        checked = self._funds.cut(within.quotes)
        # Money is counted for what limits leave: it binds the harder.
        bounds = {
            side: [*checked.bounds.get(side, ()), *within.bounds.get(side, ())]
            for side in Side
            if side in checked.bounds or side in within.bounds
        }
        self._tell_bounds(bounds)
        quoted = {quote.side for quote in checked.quotes}
        idle = {side: joined(whys) for side, whys in bounds.items() if side not in quoted}
        idle = {side: reason_of(why) for side, why in wanted.idle.items()} | idle
        if stage >= Stage.WIDENS:
            idle = together(dict.fromkeys(self._withdrawn(asked, idle, quoted), self.escalation.why), idle)
        return wanted._replace(quotes=checked.quotes, idle=idle)

    def excess(self, own: Sequence[OwnOrder]) -> dict[str, Reason]:
        """Return which open orders a position would go too far with, or all, and why."""
        if self.escalation.stage >= Stage.CANCELS_ALL:
            return {order.client_order_id: self.escalation.why for order in own}
        return self._check.excess(own) if self._check else {}

    @property
    def reducing(self) -> Side | None:
        """The side whose fills reduce the position; None without one."""
        return self._check.reducing if self._check else None

    def admit(
        self,
        places: Sequence[Quote],
        open_count: int,
        now_ns: int,
        moving: Mapping[Side, int] = NONE_MOVES,
        staying: Mapping[Side, int] = NONE_MOVES,
    ) -> Sequence[Quote]:
        """Return the new orders that may leave now: see `LimitCheck.admit`."""
        if self._check is None:
            return places
        return self._check.admit(places, open_count, self.rate.room(now_ns), moving, staying)

    def lack(self, sides: Collection[Side], now_ns: int) -> None:
        """Take it that less stands of sides than is wanted; where no order may be sent, that binds them.

        It is not told anew before ten seconds have gone by without it: at its limit a maker has room for one order
        each few moments.
        """
        if (why := self.rate.why_full(now_ns)) is None:
            return
        for side in sides:
            key = side, "orders_in_a_day" in why.numbers
            if now_ns - self._lacked_ns.get(key, now_ns - SHORT_NS) >= SHORT_NS:
                self._notes.append(notes.Limited(side, why))
            self._lacked_ns[key] = now_ns
            self.binding = {**self.binding, side: (*self.binding.get(side, ()), why)}

    def within_funds(self, commands: Commands, orders: OwnOrders) -> Commands:
        """Return of the commands what can be paid."""
        return self._funds.within(commands, orders)

    def slices(self, client_order_ids: Iterator[str]) -> list[Action]:
        """Return the order that trades the next part of the position away, if it is to go and nothing else is there."""
        return [Place.of(next(client_order_ids), self._slice, is_taking=True)] if self._slice is not None else []

    def held(self, now_ns: int) -> dict[Side, Reason]:
        """Return why nothing may be placed on a side now."""
        full = self.rate.why_full(now_ns)
        no_room = {} if full is None else dict.fromkeys(Side, full)
        return together(self.withdrawn(), no_room, self._pauses.reasons(now_ns), self._post_only.reasons(now_ns))

    def wakes_ns(self, now_ns: int) -> list[int]:
        """Return when what is held now is no more."""
        wakes_ns = [*self._pauses.ends_ns(now_ns), *self._post_only.ends_ns(now_ns)]
        return wakes_ns if self.rate.room(now_ns) != 0 else [*wakes_ns, self.rate.room_ns(now_ns)]

    def is_to_ask(self, position: Position, now_ns: int) -> bool:
        """Whether to ask for the balances: nothing sure is known, or a side is refused, perhaps for their sake."""
        is_hopeful = self._pauses.is_broken(now_ns) and position.is_older_than(HOPE_NS, now_ns)
        return is_hopeful or position.is_to_be_asked(now_ns)

    def withdrawn(self) -> dict[Side, Reason]:
        """Return why nothing new may be placed by the stage: that is said first, whatever else holds a side up."""
        stage = self.escalation.stage
        if stage < Stage.STOPS_NEW:
            return {}
        is_open = self.reducing if stage == Stage.STOPS_NEW else None
        return {side: self.escalation.why for side in Side if side != is_open}

    # --- what happens ---

    def sent(self, name: str, now_ns: int) -> None:
        """Count an order that leaves."""
        self.rate.sent(name, now_ns)

    def not_sent(self, name: str, now_ns: int) -> None:
        """Count an order no more: it did not leave."""
        self.rate.give_back(name, now_ns)

    def taken(self, side: Side) -> None:
        """Take it that the venue has taken an order."""
        self._pauses.take(side)
        self._post_only.take(side)

    def filled(self, order: VenueOrder, qty: Decimal, now_ns: int) -> None:
        """Take a fill of `qty`; `order` as it is now."""
        self.rate.give_back(order.client_order_id, now_ns)
        self._pauses.fill(order.side)
        self._funds.fill(order, qty)

    def balances(self, told: Mapping[str, Balance], now_ns: int, position: Position, orders: OwnOrders) -> None:
        """Take the balances, if they are believed: a side that has more to pay with may not be refused any more."""
        if not position.hear(told):
            return
        self._funds.hear(position.balances, orders)
        self._flow = self._flow.plus(position.flow)
        for side, asset in ((Side.BUY, self._instrument.quote), (Side.SELL, self._instrument.base)):
            balance = position.balances.get(asset)
            total = Decimal(0) if balance is None else balance.total
            self._pauses.have(side, total, position.asked_ns, now_ns)

    def refused(self, quote: Quote, said: Refused, now_ns: int) -> None:
        """Take a refusal, which may have counted: nothing is placed on its side for a while."""
        side, why = quote.side, said.why
        rule = Rule.WOULD_TAKE if said.would_take else Rule.REFUSED
        wait_ns, times = self._pause(quote, said, now_ns)
        self._notes.append(notes.Declined(quote, Reason(rule, why, {"code": said.code}), wait_ns))
        if times:
            self._notes.append(notes.Broken(side, Reason(Rule.BREAKER, why), times, wait_ns))

    def take_notes(self) -> list[notes.Note]:
        """Return what a person is to be told since the last call."""
        told, self._notes = self._notes, []
        return told

    def _pause(self, quote: Quote, said: Refused, now_ns: int) -> tuple[int, int]:
        """Return for how long a side pauses, ns, and how often its breaker has opened; 0 if it has not now.

        The quotes of one round are one attempt, however many levels it has: what they are refused for counts once.
        """
        side, why = quote.side, said.why
        if (side, why) in self._refused:
            return (self._post_only if said.would_take else self._pauses).left_ns(side, now_ns), 0
        self._refused.add((side, why))
        return (self._post_only.refuse(quote, now_ns), 0) if said.would_take else self._pauses.refuse(side, now_ns, why)

    def _within_limits(self, wanted: Sequence[Quote]) -> Checked:
        reduces_only = self.escalation.stage >= Stage.STOPS_NEW
        if self._limits == NO_LIMITS and not reduces_only:
            return Checked(wanted, {})
        if self._check is None:
            return Checked((), dict.fromkeys(Side, (NO_MEASURE,)))
        return self._check.cut(wanted, reduces_only=reduces_only)

    def _tell_bounds(self, bounds: Mapping[Side, Sequence[Reason]]) -> None:
        """Tell each rule that begins to bind a side."""
        for side, whys in bounds.items():
            told = {why.rule for why in self.binding.get(side, ())}
            self._notes += [notes.Limited(side, why) for why in whys if why.rule not in told]
        self.binding = bounds

    def _withdrawn(self, asked: Wanted, idle: Mapping[Side, Reason], quoted: Collection[Side]) -> Collection[Side]:
        """Return the sides that are idle by the stage: that would be quoted without it."""
        if self.escalation.stage >= Stage.STOPS_NEW:
            return [side for side in Side if side not in quoted and not (side == self.reducing and side in idle)]
        return idle.keys() & {quote.side for quote in self._within_limits(asked.quotes).quotes}

    def _look_at_account(self, now_ns: int, check: LimitCheck, position: Position) -> None:
        most, qty = check.position_max, position.qty or Decimal(0)
        use = Decimal(0) if most is None else abs(qty) / most
        neutral_qty = position.neutral_qty or Decimal(0)
        if any(self._flow):
            value = self._flow.value(check.mid)
            self.escalation.flow(value)
            self._notes.append(notes.Flowed(self._flow, value))
            self._flow = Amounts()
        if self._neutral_qty not in (None, neutral_qty):
            self.escalation.count_from(neutral_qty, check.mid)
            self._notes.append(notes.Wiped(neutral_qty))
        self._neutral_qty = neutral_qty
        if self.escalation.look(now_ns, check.mid, position.balances, neutral_qty, use) is not None:
            self.why_withdrew = self.escalation.why
            self._notes.append(notes.Withdrew(self.escalation.stage, self.why_withdrew))

    def _out(self, held: Held, position: Position) -> Held:
        """Return the position against what was neutral when the day began, for a restart may call another one so."""
        account = self.escalation.account
        moved = Decimal(0) if account is None else (position.neutral_qty or Decimal(0)) - account.neutral_qty
        return Held(held.low + moved, held.high + moved)

    def _next_slice(self, now_ns: int, depth: Depth, held: Held) -> Quote | None:
        """Return what to trade next, never more than there surely is."""
        side = Side.SELL if held.low > 0 else Side.BUY
        lots = int(max(held.low, -held.high) / self._instrument.lot_size)
        if depth.mid_ticks_x2 is None:
            self._stick(held, NO_MID.text)
            return None
        if side in self._pauses.reasons(now_ns) or self.rate.room(now_ns) == 0:
            return None
        most = self._limits.order or SLICE_NOTIONAL
        args = self._instrument, self._rules, side, depth.mid_ticks_x2, FLATTEN_BAND, most
        flattening = Flattening.around(*args)
        if lots >= flattening.smallest_lots:
            self._is_flat = False
            if not (lots := flattening.next_lots(depth, lots)):
                self._stick(held, f"nobody trades within {format_decimal(100 * FLATTEN_BAND)} % of the mid")
                return None
            self._is_stuck = False
            return Quote(side, flattening.limit_ticks, lots, self.escalation.why)
        if held.low == held.high and not self._is_flat:
            self._is_flat = True
            self._notes.append(notes.Flattened(held.low))
        return None

    def _stick(self, held: Held, why: str) -> None:
        """Tell, once, that a position that is to go does not."""
        if not self._is_stuck and not self._is_flat and any(held):
            self._is_stuck = True
            self._notes.append(notes.Stuck(held.low if held.low > 0 else held.high, why))


def _within_rules(limits: Limits, rules: OrderRules) -> Limits:
    """Return the limits with no more open orders than the venue lets be."""
    counts = [count for count in (limits.open_orders, rules.orders_max) if count is not None]
    return replace(limits, open_orders=min(counts, default=None))


def _without_a_price(wanted: Wanted, left: Sequence[Quote], why: Reason) -> Wanted:
    """Return what is wanted with the quotes that are left; a side of which none is, is idle for that reason."""
    asked, quoted = ({quote.side for quote in quotes} for quotes in (wanted.quotes, left))
    gone = {side: why for side in Side if side in asked and side not in quoted}
    return wanted._replace(quotes=left, idle={**wanted.idle, **gone})


def widened(quotes: Sequence[Quote], mid_ticks_x2: int, times: Decimal) -> list[Quote]:
    """Return quotes as many times as far from the mid, rounded away from it; without those that have no price there."""
    moved: list[Quote] = []
    for quote in quotes:
        off_x2 = times * abs(2 * quote.price_ticks - mid_ticks_x2)
        is_bid = quote.side == Side.BUY
        price_ticks = floor((mid_ticks_x2 - off_x2) / 2) if is_bid else ceil((mid_ticks_x2 + off_x2) / 2)
        if 0 < price_ticks <= PRICE_TICKS_MAX:
            moved.append(replace(quote, price_ticks=price_ticks))
    return moved
