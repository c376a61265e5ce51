"""How amounts stand on a screen: exactly as the venue holds them, with thousands separators."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from market.instrument import Instrument, plain

DOLLARS: Final = frozenset({"USD", "USDT", "USDC", "FDUSD", "TUSD", "USDP", "BUSD", "DAI"})


def price_text(price: Decimal, instrument: Instrument) -> str:
    """Return `$91,202.23`, or `0.05123 BTC` in a pair whose quote is no dollar; with the tick's decimals or more."""
    return _money(_grouped(price, instrument.tick_size), instrument.quote)


def qty_text(qty: Decimal, instrument: Instrument) -> str:
    """Return `0.01094`, with the lot's decimals or more."""
    return _grouped(qty, instrument.lot_size)


def amount_text(amount: Decimal, asset: str) -> str:
    """Return all decimals that `amount` has, at least two if `asset` is a dollar."""
    return _grouped(amount, Decimal("0.01") if asset in DOLLARS else Decimal(1))


def money_text(amount: Decimal | None, quote: str | None) -> str:
    """Return `$12.50`, rounded half to even to two decimals (eight if `quote` is no dollar); `n/a` for None."""
    if amount is None:
        return "n/a"
    rounded = rounded_money(abs(amount), quote)
    sign = "-" if amount < 0 and rounded else ""
    return sign + _money(f"{rounded:,f}", quote)


def gain_text(amount: Decimal | None, quote: str | None) -> str:
    """Return as `money_text` does, with a plus before a gain."""
    is_gain = amount is not None and rounded_money(amount, quote) > 0
    return ("+" if is_gain else "") + money_text(amount, quote)


def percent_text(ratio: Decimal | None) -> str:
    """Return `62.5 %`, `n/a` for None."""
    return "n/a" if ratio is None else f"{ratio * 100:.1f} %"


def _money(text: str, quote: str | None) -> str:
    if quote is None:
        return text
    return f"${text}" if quote in DOLLARS else f"{text} {quote}"


def _grouped(value: Decimal, step: Decimal) -> str:
    """Return `value` exactly, with the decimals of `step` or more; adding a zero lends its exponent."""
    return f"{plain(value) + 0 * plain(step):,f}"


def rounded_money(amount: Decimal, quote: str | None) -> Decimal:
    """Return an amount as `money_text` shows it."""
    unit = Decimal("0.01") if quote is None or quote in DOLLARS else Decimal("0.00000001")
    return amount.quantize(unit, ROUND_HALF_EVEN)
