"""Money as integers: every asset is counted in units of 10^-8, and text is made and read only at the edge."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from market.instrument import Instrument

ASSET_DECIMALS: Final = 8
UNITS_PER_ONE: Final = 10**ASSET_DECIMALS
UNITS_MAX: Final = 2**63 - 1  # SQLite's integers

_PLAIN_NUMBER = re.compile(r"([0-9]{1,20})(?:\.([0-9]{0,20}))?", re.ASCII)


class TooPreciseError(ValueError):
    """The number has more decimals than an asset has."""


def parse_units(text: str) -> int:
    """Return the units that a plain ASCII decimal number spells.

    Raises:
        TooPreciseError: for a digit other than 0 beyond the eighth decimal.
        ValueError: for anything but digits with at most one point.
    """
    match = _PLAIN_NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a plain decimal number, was {text[:40]!r}")
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > ASSET_DECIMALS:
        raise TooPreciseError(f"expected at most {ASSET_DECIMALS} decimals, was {text[:40]!r}")
    return int(whole) * UNITS_PER_ONE + int(fraction.ljust(ASSET_DECIMALS, "0"))


@lru_cache(maxsize=1_024)  # an account is asked for again and again, and of its wallets few have moved
def format_units(units: int) -> str:
    """Return `units` as Binance prints amounts: always eight decimals."""
    whole, fraction = divmod(abs(units), UNITS_PER_ONE)
    return f"{'-' if units < 0 else ''}{whole}.{fraction:0{ASSET_DECIMALS}d}"


@dataclass(frozen=True, slots=True)
class Symbol:
    """An instrument with its steps as integers.

    Attributes:
        tick_units: quote units per base of one tick.
        lot_units: base units of one lot.
        notional_units: quote units of one tick times one lot.
        notional_min_units: the smallest price x quantity of an order, quote units.
        position_max_units: the most of the base asset that an account may come to own by buying; None: any.
        engine: the name of the one that has its book; empty where that is nobody's concern.
    """

    instrument: Instrument
    tick_units: int
    lot_units: int
    notional_units: int
    notional_min_units: int
    position_max_units: int | None = None
    engine: str = ""

    @classmethod
    def of(cls, instrument: Instrument, engine: str = "") -> "Symbol":
        """Return the integer view of `instrument`, whose book is on `engine`.

        Raises:
            ValueError: if a tick, a lot, or a tick times a lot is no whole number of units.
        """
        return cls(
            instrument,
            _exact_units(instrument, "tick size", instrument.tick_size),
            _exact_units(instrument, "lot size", instrument.lot_size),
            _exact_units(instrument, "tick size x lot size", instrument.notional_unit),
            _exact_units(instrument, "smallest notional", instrument.min_notional),
            None if instrument.max_position is None else _exact_units(instrument, "position", instrument.max_position),
            engine,
        )

    @property
    def name(self) -> str:
        """The venue's spelling, `BTCUSDT`."""
        return self.instrument.symbol

    @property
    def symbol_id(self) -> int:
        """The small integer that the engine knows it by."""
        return self.instrument.symbol_id

    @property
    def base(self) -> str:
        """The asset that is bought and sold."""
        return self.instrument.base

    @property
    def quote(self) -> str:
        """The asset that it is paid in."""
        return self.instrument.quote

    def price_text(self, price_ticks: int) -> str:
        """Return a price as Binance prints it."""
        return format_units(price_ticks * self.tick_units)

    def qty_text(self, qty_lots: int) -> str:
        """Return a quantity as Binance prints it."""
        return format_units(qty_lots * self.lot_units)

    def notional(self, price_ticks: int, qty_lots: int) -> int:
        """Return price x quantity in quote units, exactly."""
        return price_ticks * qty_lots * self.notional_units


def _exact_units(instrument: Instrument, name: str, value: Decimal) -> int:
    units = value * UNITS_PER_ONE
    if units != int(units) or units <= 0:
        raise ValueError(f"{instrument.symbol}: {name} must be a positive multiple of 0.00000001, was {value:f}")
    return int(units)
