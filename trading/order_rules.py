"""What a venue asks of an order."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import NamedTuple

from market.instrument import format_decimal


@dataclass(frozen=True, slots=True)
class OrderRules:
    """The bounds of a limit order in one instrument; None where the venue names none.

    Attributes:
        price_min, price_max: quote per base.
        qty_min, qty_max: base.
        notional_min, notional_max: price x quantity, quote.
        bid_reach, ask_reach: the least and the most of a price on that side, as multiples of the market's mean price.
        position_max: the most of the base asset that an account may come to own by buying.
        orders_max: how many orders of an account may be open at once.
    """

    price_min: Decimal = Decimal(0)
    price_max: Decimal | None = None
    qty_min: Decimal = Decimal(0)
    qty_max: Decimal | None = None
    notional_min: Decimal = Decimal(0)
    notional_max: Decimal | None = None
    bid_reach: tuple[Decimal, Decimal] | None = None
    ask_reach: tuple[Decimal, Decimal] | None = None
    position_max: Decimal | None = None
    orders_max: int | None = None

    def is_enough(self, qty: Decimal, price: Decimal) -> bool:
        """Whether so much at this price is not too little for an order."""
        return qty > 0 and qty >= self.qty_min and qty * price >= self.notional_min

    def changes_from(self, before: "OrderRules") -> list[str]:
        """Return what is another bound than before, each with both values, for a person."""
        names = [each.name for each in fields(self)]
        both = [(name, getattr(before, name), getattr(self, name)) for name in names]
        return [f"{name} {_text(was)} -> {_text(now)}" for name, was, now in both if was != now]


class MarketRules(NamedTuple):
    """In what steps a venue trades a pair, price (quote per base) and quantity (base), and its bounds of an order."""

    tick_size: Decimal
    lot_size: Decimal
    rules: OrderRules


def _text(bound: Decimal | int | tuple[Decimal, ...] | None) -> str:
    if isinstance(bound, tuple):
        return " to ".join(map(format_decimal, bound))
    return "none" if bound is None else format_decimal(Decimal(bound))
