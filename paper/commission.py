"""What the exchange takes of every trade: a share of the asset received, by role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from paper.units import UNITS_PER_ONE


@dataclass(frozen=True, slots=True)
class Commission:
    """The shares of maker and taker, 0 to below 1; nothing by default, as on the testnet.

    Attributes:
        by_symbol: those of symbols that have others.
    """

    maker: Decimal = Decimal(0)
    taker: Decimal = Decimal(0)
    by_symbol: Mapping[str, "Commission"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a share that no exchange takes."""
        for name, share in (("maker", self.maker), ("taker", self.taker)):
            if not 0 <= share < 1:
                raise ValueError(f"the {name}'s commission must be at least 0 and below 1, was {share}")

    def of(self, symbol: str) -> "Commission":
        """Return the shares of a symbol."""
        return self.by_symbol.get(symbol, self)

    def units(self, received_units: int, *, is_maker: bool) -> int:
        """Return the commission on `received_units`, rounded down."""
        return received_units * self.rate_units(is_maker=is_maker) // UNITS_PER_ONE

    def rate_units(self, *, is_maker: bool) -> int:
        """Return the share in units of 10^-8."""
        return int((self.maker if is_maker else self.taker) * UNITS_PER_ONE)
