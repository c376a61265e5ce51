"""The limits of a session as the gateway's settings give them, in ticks and lots."""

from collections.abc import Sequence

from market.instrument import Instrument
from market.limits import ID_MAX
from nodes.settings_sections import GatewaySettings, symbol_quantities
from sessions.session_state import SessionLimits, SymbolLimits


def session_limits(settings: GatewaySettings, instruments: Sequence[Instrument]) -> SessionLimits:
    """Return what one session may do in each of `instruments`."""
    quantities = symbol_quantities(settings.qty_max, [instrument.symbol for instrument in instruments])

    def of_symbol(instrument: Instrument) -> SymbolLimits:
        qty = quantities.get(instrument.symbol)
        qty_lots_max = ID_MAX if qty is None else int(qty // instrument.lot_size)
        notional_max = int(settings.notional_max // instrument.notional_unit) if settings.notional_max else ID_MAX
        return SymbolLimits(min(qty_lots_max, ID_MAX), min(notional_max, ID_MAX))

    symbols = tuple(map(of_symbol, instruments))
    return SessionLimits(settings.messages_per_s, settings.open_orders_max, settings.price_band, symbols)
