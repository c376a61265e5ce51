"""The limits of a session as the gateway's settings give them, in ticks and lots."""

from collections.abc import Sequence

from desk.sections import GatewaySettings, symbol_limits, symbol_quantities
from market.instrument import Instrument
from market.limits import ID_MAX
from sessions.session_state import SessionLimits, SymbolLimits


def session_limits(settings: GatewaySettings, instruments: Sequence[Instrument]) -> SessionLimits:
    """Return what one session may do in each of `instruments`."""
    symbols = [instrument.symbol for instrument in instruments]
    quantities = symbol_quantities(settings.qty_max, symbols)
    notionals, bands = (symbol_limits(text, symbols) for text in (settings.notional_max, settings.price_band))

    def of_symbol(instrument: Instrument) -> SymbolLimits:
        qty, notional = quantities.get(instrument.symbol), notionals[instrument.symbol]
        qty_lots_max = ID_MAX if qty is None else int(qty // instrument.lot_size)
        notional_max = int(notional // instrument.notional_unit) if notional else ID_MAX
        return SymbolLimits(min(qty_lots_max, ID_MAX), min(notional_max, ID_MAX), bands[instrument.symbol])

    return SessionLimits(settings.messages_per_s, settings.open_orders_max, tuple(map(of_symbol, instruments)))
