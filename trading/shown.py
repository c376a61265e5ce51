"""Numbers for a person: as prices and quantities, and beside the bound that they are held against."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from market.instrument import Instrument, format_decimal

DIGITS_MAX: Final = 28  # that a Decimal keeps: no further ones are told


def beside(value: Decimal, bound: Decimal, places: int = 2) -> str:
    """Return a number with so many decimals, or as many more as show on which side of a bound it is.

    Both count without their signs: what is 10,000.004 of at most 10,000.00 is not told as 10000.00.
    """
    shown = _rounded(value, places)
    while places < DIGITS_MAX and abs(shown).compare(bound) != abs(value).compare(bound):
        places += 1
        shown = _rounded(value, places)
    return f"{shown:f}"


def whole(value: Decimal, places: int = 2) -> str:
    """Return a number with all of its digits, and so many decimals at least."""
    return f"{value:.{places}f}" if value == round(value, places) else format_decimal(value)


def price_text(instrument: Instrument, price: Decimal) -> str:
    """Return a price, or a difference of prices, with the asset that it is paid in."""
    return f"{format_decimal(price)} {instrument.quote}"


def qty_text(instrument: Instrument, qty: Decimal) -> str:
    """Return a quantity with its asset."""
    return f"{format_decimal(qty)} {instrument.base}"


def _rounded(value: Decimal, places: int) -> Decimal:
    """Return what `round` does in a context that nobody has changed: ccxt changes that of its thread."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
