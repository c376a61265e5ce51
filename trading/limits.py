"""What one trader may have in the book, whatever its strategy wants: checked before anything is sent.

A position is limited by what it could become: all that is open, on its way, of unknown fate or being cancelled may
fill. What a limit takes away it takes from the quotes that are wanted, so that what stands is what is wanted then; what
has no room yet, since an order that is cancelled may still fill, waits for the next round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from market.codes import Side
from market.instrument import Instrument, format_decimal
from trading.order_rules import OrderRules
from trading.position import Held
from trading.precedence import NONE_STAND, by_precedence
from trading.quoting import Quote
from trading.reasons import Reason, Rule, joined
from trading.sending_rate import ANY_NUMBER, SendingLimits
from trading.shown import beside, whole
from trading.strategy import OwnOrder

SLACK: Final = Decimal(
    "1.05"
)  # of a position's limit: an open order leaves beyond, or each move of the mid would move it
NONE_MOVES: Final[Mapping[Side, int]] = {}
# What binds the harder: a position's limits take from a side as a whole, the next two a quote, the last a part of it.
_HARDNESS: Final = (
    frozenset({Rule.POSITION_LIMIT, Rule.EXPOSURE_LIMIT}),
    frozenset({Rule.OPEN_ORDERS_LIMIT}),
    frozenset({Rule.BAND_LIMIT}),
    frozenset({Rule.ORDER_LIMIT}),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each; None: as much as one likes.

    Attributes:
        position: base asset: the position, long or short, against what is neutral.
        exposure: quote amount: the position at the mid.
        order: quote amount of one order.
        band: fraction of the mid: how far from it an order may be.
        open_orders: how many at once.
        sending: how many in a time.
    """

    position: Decimal | None = None
    exposure: Decimal | None = None
    order: Decimal | None = None
    band: Decimal | None = None
    open_orders: int | None = None
    sending: SendingLimits = ANY_NUMBER


class Checked(NamedTuple):
    """The quotes that are left, and by side all that took something away, what binds the hardest first."""

    quotes: Sequence[Quote]
    bounds: Mapping[Side, Sequence[Reason]]


class LimitCheck:
    """The limits in one market at one moment.

    Args:
        mid_ticks_x2: of the others' book.
        held: the position.
        could_fill: by side, what all our orders could still trade, base asset.
        standing: by side, how many of our orders are open.

    Attributes:
        mid: the same, quote per base.
    """

    def __init__(
        self,
        limits: Limits,
        instrument: Instrument,
        rules: OrderRules,
        mid_ticks_x2: int,
        held: Held,
        could_fill: Mapping[Side, Decimal],
        standing: Mapping[Side, int] = NONE_STAND,
    ) -> None:
        self._limits = limits
        self._instrument = instrument
        self._rules = rules
        self._mid_ticks_x2 = mid_ticks_x2
        self.mid = mid_ticks_x2 * instrument.tick_size / 2
        self._held = held
        self._could_fill = could_fill
        self._standing = standing

    @property
    def position_max(self) -> Decimal | None:
        """The tighter one of the limits of a position, base asset."""
        limits = self._limits
        both = [limits.position, None if limits.exposure is None else limits.exposure / self.mid]
        return min((each for each in both if each is not None), default=None)

    @property
    def reducing(self) -> Side | None:
        """The side whose fills surely reduce the position; None without one."""
        if self._held.low > 0:
            return Side.SELL
        return Side.BUY if self._held.high < 0 else None

    def cut(self, wanted: Sequence[Quote], *, reduces_only: bool = False) -> Checked:
        """Return what may be in the book of what is wanted, if nothing else of ours is there: see `by_precedence`.

        Args:
            reduces_only: whether only what makes the position smaller may be, and does not turn it around.
        """
        kept: list[Quote] = []
        told: dict[Side, dict[str, Reason]] = {side: {} for side in Side}  # of each rule the first
        taken = dict.fromkeys(Side, Decimal(0))
        for place in by_precedence(wanted, self._mid_ticks_x2, self.reducing, {}, self._standing):
            quote, side = wanted[place], wanted[place].side
            fits_lots, bounds = self._sized(quote)
            out_of_place = self._out_of_place(quote, len(kept), len(wanted))
            bounds += out_of_place
            room_lots = self._room_lots(side, taken[side])
            if room_lots is not None and room_lots < fits_lots:
                out = self._held.reach(side) + taken[side] + fits_lots * self._instrument.lot_size
                fits_lots = room_lots
                bounds += self._position_bounds(side, out)
            if reduces_only:
                fits_lots = min(fits_lots, self._lots_up_to(Decimal(0), side, taken[side]))
            for bound in bounds:
                told[side].setdefault(bound.rule, bound)
            is_less = fits_lots < quote.qty_lots
            if out_of_place or (is_less and not self._is_enough(quote.price_ticks, fits_lots)):
                continue
            kept.append(replace(quote, qty_lots=fits_lots))
            taken[side] += fits_lots * self._instrument.lot_size
        return Checked(kept, {side: sorted(of.values(), key=_hardness) for side, of in told.items() if of})

    def admit(
        self,
        places: Sequence[Quote],
        open_count: int,
        sending_room: int | None,
        moving: Mapping[Side, int] = NONE_MOVES,
        staying: Mapping[Side, int] = NONE_MOVES,
    ) -> list[Quote]:
        """Return the new orders that may leave now, with all that is there already, in their order.

        Args:
            open_count: of our orders, whatever is known of their fate.
            sending_room: how many may be sent.
            moving: by side, how many orders a new one takes the place of in one call: those are no more than before.
            staying: by side, how many stay.
        """
        most_open, left = self._limits.open_orders, dict(moving)
        room = len(places) if most_open is None else most_open - open_count
        left_lots = {side: self._room_lots(side, self._could_fill[side]) for side in Side}
        admitted: list[int] = []
        for place in by_precedence(places, self._mid_ticks_x2, self.reducing, staying):
            side, qty_lots = places[place].side, places[place].qty_lots
            has_room, moves = left_lots[side], left.get(side, 0)
            if sending_room is not None and len(admitted) >= sending_room:
                break
            if (room <= 0 and not moves) or (has_room is not None and qty_lots > has_room):
                continue
            admitted.append(place)
            left_lots[side] = None if has_room is None else has_room - qty_lots
            left[side] = max(0, moves - 1)
            room -= not moves
        return [places[place] for place in sorted(admitted)]

    def excess(self, orders: Sequence[OwnOrder]) -> dict[str, Reason]:
        """Return the open orders that a position would go too far with: the farthest first, until the others fit.

        That is so after the mid, or whoever else trades on the account, has moved what was within the limit.
        """
        most = self.position_max
        leaving: dict[str, Reason] = {}
        if most is None:
            return leaving
        for side in Side:
            out = self._held.reach(side) + self._could_fill[side]
            own = [order for order in orders if order.side == side]
            for order in sorted(own, key=lambda each: each.price_ticks, reverse=side == Side.SELL):
                if out <= most * SLACK:
                    break
                leaving[order.client_order_id] = joined(self._position_bounds(side, out))
                out -= order.leaves_lots * self._instrument.lot_size
        return leaving

    def _named(self, quote: Quote) -> str:
        """Return which quote it is, for a person."""
        price = format_decimal(quote.price_ticks * self._instrument.tick_size)
        return f"the quote at {price}" if quote.level is None else f"level {quote.level} at {price}"

    def _distance(self, quote: Quote) -> Decimal:
        return abs(quote.price_ticks * self._instrument.tick_size - self.mid)

    def _room_lots(self, side: Side, taken: Decimal) -> int | None:
        most = self.position_max
        return None if most is None else self._lots_up_to(most, side, taken)

    def _lots_up_to(self, most: Decimal, side: Side, taken: Decimal) -> int:
        return int((most - self._held.reach(side) - taken) / self._instrument.lot_size)

    def _out_of_place(self, quote: Quote, count: int, wanted_count: int) -> list[Reason]:
        """Return why a quote may not be at all, however small."""
        band, most = self._limits.band, self._limits.open_orders
        if band is not None and (off := self._distance(quote) / self.mid) > band:
            text = f"{self._named(quote)} is {beside(off, band, 4)} of the mid from it, at most {format_decimal(band)}"
            return [Reason(Rule.BAND_LIMIT, text, {"off": off, "off_max": band})]
        if most is not None and count >= most:
            numbers = {"orders": wanted_count, "open_orders_max": most}
            return [Reason(Rule.OPEN_ORDERS_LIMIT, f"{wanted_count} orders are wanted, at most {most}", numbers)]
        return []

    def _sized(self, quote: Quote) -> tuple[int, list[Reason]]:
        """Return how many lots of a quote one order may have, and what has made it less."""
        if (most := self._limits.order) is not None:
            lot_value = quote.price_ticks * self._instrument.tick_size * self._instrument.lot_size
            if (fits := int(most / lot_value)) < quote.qty_lots:
                value = quote.qty_lots * lot_value
                text = f"{self._named(quote)} is {self._beside(value, most)}"
                return fits, [Reason(Rule.ORDER_LIMIT, text, {"value": value, "value_max": most})]
        return quote.qty_lots, []

    def _position_bounds(self, side: Side, out: Decimal) -> list[Reason]:
        """Return which limits a position that is out so far would break, the tighter one first; one at least."""
        limits, sign, reach = self._limits, 1 if side == Side.BUY else -1, self._held.reach(side)
        signed, held, of_orders = (sign * each + 0 for each in (out, reach, out - reach))  # + 0: none is -0
        doubt = "" if self._held.low == self._held.high else " at worst, for balances may lack or have fills of late"
        made_of = f"{format_decimal(held)} held{doubt}, and {format_decimal(of_orders)} in orders"
        bounds: list[tuple[Decimal, Reason]] = []
        if (most := limits.position) is not None:
            text = f"the position could be {format_decimal(signed)} {self._instrument.base}"
            numbers = {"position": signed, "position_max": most, "held": held, "of_orders": of_orders}
            told = Reason(Rule.POSITION_LIMIT, f"{text}, at most {format_decimal(most)}; {made_of}", numbers)
            bounds.append((most, told))
        if (most := limits.exposure) is not None:
            value = signed * self.mid
            text = f"the position could be worth {self._beside(value, most)}; {made_of}"
            numbers = {"exposure": value, "exposure_max": most, "held": held, "of_orders": of_orders}
            bounds.append((most / self.mid, Reason(Rule.EXPOSURE_LIMIT, text, numbers)))
        bounds.sort(key=lambda bound: bound[0])
        return [told for place, (most, told) in enumerate(bounds) if place == 0 or out > most]

    def _is_enough(self, price_ticks: int, lots: int) -> bool:
        return self._rules.is_enough(lots * self._instrument.lot_size, price_ticks * self._instrument.tick_size)

    def _beside(self, amount: Decimal, most: Decimal) -> str:
        return f"{beside(amount, most)} {self._instrument.quote}, at most {whole(most)} {self._instrument.quote}"


def _hardness(bound: Reason) -> int:
    return next(place for place, rules in enumerate(_HARDNESS) if bound.rule in rules)
