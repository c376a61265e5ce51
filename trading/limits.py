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
from trading.quoting import Quote
from trading.reasons import Reason, Rule
from trading.sending_rate import ANY_NUMBER, SendingLimits
from trading.strategy import OwnOrder

SLACK: Final = Decimal(
    "1.05"
)  # of a position's limit: an open order leaves beyond, or each move of the mid would move it
_OF_A_SIDE: Final = frozenset({Rule.POSITION_LIMIT, Rule.EXPOSURE_LIMIT})
_CENT: Final = Decimal("0.01")


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
    """The quotes that are left, and by side what took something away: of several the one that binds the harder."""

    quotes: Sequence[Quote]
    bounds: Mapping[Side, Reason]


class LimitCheck:
    """The limits in one market at one moment.

    Args:
        mid_ticks_x2: of the others' book.
        held: the position.
        could_fill: by side, what all our orders could still trade, base asset.

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
    ) -> None:
        self._limits = limits
        self._instrument = instrument
        self._rules = rules
        self.mid = mid_ticks_x2 * instrument.tick_size / 2
        self._held = held
        self._could_fill = could_fill

    @property
    def position_max(self) -> Decimal | None:
        """The tighter one of the limits of a position, base asset."""
        limits = self._limits
        both = [limits.position, None if limits.exposure is None else limits.exposure / self.mid]
        return min((each for each in both if each is not None), default=None)

    def cut(self, wanted: Sequence[Quote]) -> Checked:
        """Return what may be in the book of what is wanted, if nothing else of ours is there: the nearest first.

        What bounds a position bounds a side as a whole, and so binds harder than what bounds a quote.
        """
        kept: list[Quote] = []
        bounds: dict[Side, Reason] = {}
        left_lots = {side: self._room_lots(side, Decimal(0)) for side in Side}
        for quote in sorted(wanted, key=self._distance):
            side = quote.side
            if (bound := self._out_of_place(quote, len(kept))) is not None:
                bounds.setdefault(side, bound)
                continue
            lots, bound = self._sized(quote, left_lots[side])
            if bound is not None:
                before = bounds.setdefault(side, bound)
                bounds[side] = bound if bound.rule in _OF_A_SIDE and before.rule not in _OF_A_SIDE else before
            if bound is not None and not self._is_enough(quote.price_ticks, lots):
                continue
            kept.append(replace(quote, qty_lots=lots))
            if (room := left_lots[side]) is not None:
                left_lots[side] = room - lots
        return Checked(kept, bounds)

    def admit(self, places: Sequence[Quote], open_count: int, sending_room: int | None) -> list[Quote]:
        """Return the new orders that may leave now, with all that is there already.

        Args:
            open_count: of our orders, whatever is known of their fate.
            sending_room: how many may be sent.
        """
        most_open = self._limits.open_orders
        rooms = [sending_room, None if most_open is None else most_open - open_count]
        count = min((room for room in rooms if room is not None), default=len(places))
        left_lots = {side: self._room_lots(side, self._could_fill[side]) for side in Side}
        admitted: list[Quote] = []
        for quote in places:
            room = left_lots[quote.side]
            if len(admitted) >= count:
                break
            if room is None or quote.qty_lots <= room:
                admitted.append(quote)
                left_lots[quote.side] = None if room is None else room - quote.qty_lots
        return admitted

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
                leaving[order.client_order_id] = self._position_bound(side, out)
                out -= order.leaves_lots * self._instrument.lot_size
        return leaving

    def _distance(self, quote: Quote) -> Decimal:
        return abs(quote.price_ticks * self._instrument.tick_size - self.mid)

    def _room_lots(self, side: Side, taken: Decimal) -> int | None:
        most = self.position_max
        return None if most is None else int((most - self._held.reach(side) - taken) / self._instrument.lot_size)

    def _out_of_place(self, quote: Quote, count: int) -> Reason | None:
        """Return why a quote may not be at all, however small."""
        band, most = self._limits.band, self._limits.open_orders
        if band is not None and (off := self._distance(quote) / self.mid) > band:
            text = f"it is {off:.4f} of the mid from it, at most {format_decimal(band)}"
            return Reason(Rule.BAND_LIMIT, text, {"off": off, "off_max": band})
        if most is not None and count >= most:
            return Reason(
                Rule.OPEN_ORDERS_LIMIT, f"there are {count} orders, at most {most}", {"open_orders_max": most}
            )
        return None

    def _sized(self, quote: Quote, room: int | None) -> tuple[int, Reason | None]:
        """Return how much of a quote may be, and what has made it less."""
        lots, bound = quote.qty_lots, None
        if (most := self._limits.order) is not None:
            lot_value = quote.price_ticks * self._instrument.tick_size * self._instrument.lot_size
            if (fits := int(most / lot_value)) < lots:
                value = lots * lot_value
                text = f"it is {self._money(value)}, at most {self._money(most)}"
                lots, bound = fits, Reason(Rule.ORDER_LIMIT, text, {"value": value, "value_max": most})
        if room is not None and room < lots:
            out = self._held.reach(quote.side) + quote.qty_lots * self._instrument.lot_size
            lots, bound = room, self._position_bound(quote.side, out)
        return lots, bound

    def _position_bound(self, side: Side, out: Decimal) -> Reason:
        limits, signed = self._limits, out if side == Side.BUY else -out
        is_by_value = limits.position is None or self.position_max != limits.position
        if is_by_value and (most := limits.exposure) is not None:
            value = signed * self.mid
            text = f"the position could be worth {self._money(value)}, at most {self._money(most)}"
            return Reason(Rule.EXPOSURE_LIMIT, text, {"exposure": value, "exposure_max": most})
        most = limits.position or Decimal(0)
        text = f"the position could be {format_decimal(signed)} {self._instrument.base}, at most {format_decimal(most)}"
        return Reason(Rule.POSITION_LIMIT, text, {"position": signed, "position_max": most})

    def _is_enough(self, price_ticks: int, lots: int) -> bool:
        return self._rules.is_enough(lots * self._instrument.lot_size, price_ticks * self._instrument.tick_size)

    def _money(self, amount: Decimal) -> str:
        return f"{amount.quantize(_CENT)} {self._instrument.quote}"
