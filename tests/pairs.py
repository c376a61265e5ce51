"""The pairs of a desk whose settings name none."""

from desk.symbols import DEFAULT_ROWS
from market.instrument import Instrument


def default_instruments() -> tuple[Instrument, ...]:
    """Return them as the desk counts them."""
    return tuple(row.instrument(symbol_id) for symbol_id, row in enumerate(DEFAULT_ROWS))
