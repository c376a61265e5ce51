"""Decimal text as ticks and lots, exactly and quickly: recordings have millions of them."""

from decimal import Decimal
from typing import Final

from market.depth import Level
from market.instrument import Instrument
from market.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX

DECIMALS: Final = 8  # Binance spells every price and quantity with eight
_POWERS: Final[tuple[int, ...]] = tuple(10**exponent for exponent in range(DECIMALS + 1))


def decimal_units(text: str) -> int:
    """Return a decimal text in units of 1e-8, exactly.

    Raises:
        ValueError: if it is not plain ASCII digits with at most one point, or finer than that.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isdigit() and digits.isascii() and whole and len(whole) <= 20):
        raise ValueError(f"expected a plain decimal number, found {text[:40]!r}")
    if len(fraction) > DECIMALS:
        raise ValueError(f"expected at most {DECIMALS} decimals, found {text[:40]!r}")
    return int(digits) * _POWERS[DECIMALS - len(fraction)]


class InstrumentUnits:
    """Reads prices and quantities of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self._tick_units = _units("tick", instrument.tick_size)
        self._lot_units = _units("lot", instrument.lot_size)

    def level(self, price: str, qty: str, *, is_traded: bool = False) -> Level:
        """Return a price with what rests at it, whole lots of it, or with what traded at it.

        What rests at a price may include orders from years ago, when the venue's lot was finer (seen in
        2024: 25.42618900 BTC at 200,000). The part below a lot cannot trade and is left out.

        Raises:
            ValueError: if the price lies between ticks, what traded between lots, or either is out of bounds.
        """
        price_ticks, between_ticks = divmod(decimal_units(price), self._tick_units)
        qty_lots, below_lot = divmod(decimal_units(qty), self._lot_units)
        if between_ticks or (below_lot and is_traded):
            raise ValueError(f"expected whole ticks and lots, found price {price} and quantity {qty}")
        if not (0 < price_ticks <= PRICE_TICKS_MAX and qty_lots <= QTY_LOTS_MAX):
            raise ValueError(f"expected a price and a quantity within bounds, found {price} and {qty}")
        return Level(price_ticks, qty_lots)


def _units(name: str, step: Decimal) -> int:
    units = step.scaleb(DECIMALS)
    if units != int(units):
        raise ValueError(f"{name} size must be a multiple of 1e-{DECIMALS}, was {step}")
    return int(units)
