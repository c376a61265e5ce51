"""Exact arithmetic for money: fractions inside, decimals at the edge.

A fee shared pro rata (a third of 0.1) has no finite decimal, and `Decimal` rounds silently at 28 digits; a `Fraction`
never rounds. A figure is rounded once, here, when it is written down.
"""

from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import Final

from market.instrument import format_decimal

# Sums and products of decimals that are never rounded, several times as fast as those of fractions. Signs are turned by
# `copy_negate` and `copy_abs`: the operators round to what the thread's own context has, 28 digits.
EXACT: Final = Context(prec=150, traps=[Inexact])
FIGURE_PLACES: Final = 12  # enough for a fee of 8 decimals times a price of 4


def figure(value: Fraction, places: int = FIGURE_PLACES) -> Decimal:
    """Return `value` as a decimal without trailing zeros but with at least two decimals: `12.50`.

    Exact when `places` decimals hold it; else rounded to `places`, half to even.
    """
    return figure_of_units(_units(value, places), places)


def figure_of_units(units: int, places: int = FIGURE_PLACES) -> Decimal:
    """Return `figure` of so many units of 10^-places."""
    return _scaled(units, places, 2)


def rounded(value: Fraction, places: int) -> Decimal:
    """Return `value` rounded to exactly `places` decimals, half to even."""
    return _scaled(_units(value, places), places, places)


def amount(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros but with at least one decimal: `1.0`, `0.00011`."""
    text = format_decimal(value)
    return Decimal(text if "." in text else text + ".0")


def decimals_of(step: Decimal) -> int:
    """Return how many decimals a multiple of `step` needs: 2 for 0.01, 0 for 10."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), step
    return max(0, -exponent)


def _units(value: Fraction, places: int) -> int:
    """Return `value` x 10^places rounded half to even; `round` of a fraction would look for common divisors first."""
    denominator: int = value.denominator
    units, rest = divmod(value.numerator * 10**places, denominator)
    is_up = 2 * rest > denominator or (2 * rest == denominator and units % 2 == 1)
    return int(units + is_up)


def _scaled(units: int, places: int, places_min: int) -> Decimal:
    """Return units x 10^-places, without trailing zeros beyond `places_min`; through text, which never rounds."""
    while places > places_min and units % 10 == 0:
        units, places = units // 10, places - 1
    if places < places_min:
        units, places = units * 10 ** (places_min - places), places_min
    return Decimal(f"{units}E-{places}")
