"""What the exchange takes of every trade: how much by role and symbol, and of which asset.

Rates and places as in Binance Spot, "Commission Rates": by default the fee is a share of the asset received. An account
that asks for it pays in BNB at a discount, as long as it has enough free BNB and BNB has a price in the quote asset;
otherwise that fill is charged as if it had not asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from market.codes import Side
from paper.units import UNITS_PER_ONE

DISCOUNT_ASSET: Final = "BNB"


class FeePlace(StrEnum):
    """Which asset of a trade the fee is a share of."""

    RECEIVED = "received"
    BASE = "base"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order is charged; fixed when it is accepted, whatever the settings say later.

    Attributes:
        maker_rate: share of a fill that finds it resting, in units of 10^-8.
        taker_rate: share of a fill for which it arrives.
        place: which asset the share is taken of.
    """

    maker_rate: int = 0
    taker_rate: int = 0
    place: FeePlace = FeePlace.RECEIVED

    def rate(self, *, is_maker: bool) -> int:
        """Return the share of a role, in units of 10^-8."""
        return self.maker_rate if is_maker else self.taker_rate

    def is_in_base(self, side: Side) -> bool:
        """Say whether an order of a side pays its fee in the base asset, and not in the quote asset."""
        return side is Side.BUY if self.place is FeePlace.RECEIVED else self.place is FeePlace.BASE

    def reserve_rate(self, side: Side) -> int:
        """Return what must be set aside on top of the price: the higher rate if the fee is of the asset given away."""
        is_given_away = self.is_in_base(side) is (side is Side.SELL)
        return max(self.maker_rate, self.taker_rate) if is_given_away else 0

    def with_reserve(self, side: Side, units: int) -> int:
        """Return what to set aside for `units` to give away and the fee on top, rounded up."""
        return units - -units * self.reserve_rate(side) // UNITS_PER_ONE

    def without_reserve(self, side: Side, units: int) -> int:
        """Return the most that can be given away if `units` must do for the fee, too."""
        return units * UNITS_PER_ONE // (UNITS_PER_ONE + self.reserve_rate(side))


NO_FEES: Final = Terms()


@dataclass(frozen=True, slots=True)
class Commission:
    """The shares of maker and taker, 0 to below 1; nothing by default, as on the testnet.

    Attributes:
        by_symbol: the shares of maker and taker in symbols that have others.
        place: which asset a share is taken of.
        is_in_bnb: whether accounts pay in BNB that have not said whether they want to.
        bnb_discount: the part of a fee that those who pay in BNB are spared, 0 to below 1.
    """

    maker: Decimal = Decimal(0)
    taker: Decimal = Decimal(0)
    by_symbol: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    place: FeePlace = FeePlace.RECEIVED
    is_in_bnb: bool = False
    bnb_discount: Decimal = Decimal("0.25")

    def terms(self, symbol: str = "") -> Terms:
        """Return what an order is charged from now on in a symbol, or in those that have no shares of their own."""
        maker, taker = self.by_symbol.get(symbol, (self.maker, self.taker))
        return Terms(int(maker * UNITS_PER_ONE), int(taker * UNITS_PER_ONE), self.place)

    @property
    def bnb_rate(self) -> int:
        """The part of a fee that those who pay in BNB are not spared, in units of 10^-8."""
        return UNITS_PER_ONE - int(self.bnb_discount * UNITS_PER_ONE)

    def bnb_units(self, quote_units: int, rate: int, bnb_price_units: int) -> int:
        """Return the fee on `quote_units` in units of BNB, discounted and rounded down once.

        Args:
            quote_units: what was paid or received.
            rate: the share, in units of 10^-8.
            bnb_price_units: quote units for one BNB.
        """
        return quote_units * rate * self.bnb_rate // (UNITS_PER_ONE * bnb_price_units)
