"""What is traded: names, ticks and lots, and the exact way between text and integers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from market.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX

# Decimal() also takes Unicode digits, underscores, NaN and 1E+300000 (whose int() takes seconds): match ASCII first.
_DECIMAL_TEXT = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?", re.ASCII)


def parse_decimal(text: str) -> Decimal:
    """Return the non-negative decimal number that `text` spells in plain ASCII digits.

    Raises:
        ValueError: for anything else: a sign, an exponent, NaN, spaces, non-ASCII digits.
    """
    if not _DECIMAL_TEXT.fullmatch(text):
        raise ValueError(f"expected a plain decimal number, was {text[:40]!r}")
    return Decimal(text)


def format_decimal(value: Decimal) -> str:
    """Return `value` without an exponent and without trailing zeros: `0.5`, `10000`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain(value: Decimal) -> Decimal:
    """Return the same number with the decimals that `format_decimal` writes."""
    return Decimal(format_decimal(value))


@dataclass(frozen=True, slots=True)
class Instrument:
    """A traded pair.

    Attributes:
        symbol_id: its small integer on the wire, an index into the desk's list of instruments.
        symbol: the venue's spelling, `BTCUSDT`.
        base: the asset that is bought and sold.
        quote: the asset that it is paid in.
        tick_size: smallest step of a price, quote per base.
        lot_size: smallest step of a quantity, base.
        min_notional: smallest price x quantity of an order, quote.
        is_notional_bounded: whether an order's price x quantity has an upper bound too (Binance's filter NOTIONAL, else
            MIN_NOTIONAL).
        max_position: the most of the base asset that an account may come to own by buying; None: any.
    """

    symbol_id: int
    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_notional: Decimal = Decimal(5)
    max_position: Decimal | None = None
    is_notional_bounded: bool = True

    def price_to_ticks(self, price: Decimal) -> int:
        """Return `price` in ticks, exactly.

        Raises:
            TypeError: if it is no Decimal.
            ValueError: if the price is not positive, lies between two ticks, or is too large.
        """
        return _exact_multiple("price", price, self.tick_size, PRICE_TICKS_MAX)

    def qty_to_lots(self, qty: Decimal) -> int:
        """Return `qty` in lots, exactly.

        Raises:
            TypeError: if it is no Decimal.
            ValueError: if the quantity is not positive, lies between two lots, or is too large.
        """
        return _exact_multiple("qty", qty, self.lot_size, QTY_LOTS_MAX)

    def ticks_to_price(self, price_ticks: int) -> Decimal:
        """Return the price of `price_ticks`, with the tick's number of decimals."""
        return price_ticks * self.tick_size

    def lots_to_qty(self, qty_lots: int) -> Decimal:
        """Return the quantity of `qty_lots`, with the lot's number of decimals."""
        return qty_lots * self.lot_size

    @property
    def notional_unit(self) -> Decimal:
        """The quote amount of one tick times one lot: the unit in which the desk's money is an integer."""
        return self.tick_size * self.lot_size


def _exact_multiple(name: str, value: Decimal, step: Decimal, count_max: int) -> int:
    if not isinstance(value, Decimal):
        kind = type(value).__name__
        raise TypeError(
            f"{name} must be a Decimal, was {str(value)[:40]}, a {kind}: Decimal(str(...)) makes one of a number"
        )
    # To compare a Decimal with NaN is an error of its own; to spell out 1E-300000 takes as many digits.
    if not value.is_finite() or not 0 < value <= count_max * step:
        raise ValueError(f"{name} must be positive and at most {count_max * step:f}, was {str(value)[:40]}")
    count, rest = divmod(value, step)
    if rest:
        raise ValueError(f"{name} must be a multiple of {step:f}, was {str(value)[:40]}")
    return int(count)


def text_of_steps(step: Decimal) -> Callable[[int], str]:
    """Return a function from a count of steps (ticks, lots) to plain decimal text, quicker than a Decimal by far."""
    _, digits, exponent = step.as_tuple()
    assert isinstance(exponent, int), f"a step is finite, was {step}"
    places = max(0, -exponent)
    units, divisor = int("".join(map(str, digits))) * 10 ** max(exponent, 0), 10**places
    if places == 0:
        return lambda count: str(count * units)

    def text(count: int) -> str:
        whole, fraction = divmod(count * units, divisor)
        return f"{whole}.{fraction:0{places}d}"

    return text


def venue_spelling(symbol: str) -> str:
    """Return a pair as the venue spells it, `BTCUSDT`, also if a person wrote `btcusdt`, `BTC/USDT` or `btc-usdt`."""
    base, *rest = re.split(r"[/_-]", symbol.strip().upper())
    return base + rest[0] if len(rest) == 1 and base and rest[0] else symbol.strip().upper()
