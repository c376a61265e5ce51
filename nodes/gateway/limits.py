"""What the gateway's settings ask of a client, and with the symbols' rows of its session, in ticks and lots."""

from collections.abc import Iterable
from decimal import Decimal

from desk.sections import GatewaySettings
from desk.symbols import SymbolRow
from market.limits import ID_MAX
from sessions.client import ClientRules
from sessions.memory import SessionLimits, SymbolLimits
from sessions.tokens import load_tokens


def session_limits(settings: GatewaySettings, rows: Iterable[SymbolRow]) -> SessionLimits:
    """Return what one session may do in each symbol."""
    return SessionLimits(
        settings.messages_per_s, settings.open_orders_max, tuple(_of_symbol(settings, row) for row in rows)
    )


def _of_symbol(settings: GatewaySettings, row: SymbolRow) -> SymbolLimits:
    band = settings.price_band if row.price_band is None else row.price_band
    notional = settings.notional_max if row.notional_max is None else row.notional_max
    return SymbolLimits(_most(row.qty_max, row.lot_size), _most(notional, row.notional_unit), band)


def _most(limit: Decimal | None, unit: Decimal) -> int:
    """Return how many units a limit is; None and 0 are none."""
    return min(int(limit // unit), ID_MAX) if limit else ID_MAX


def client_rules(settings: GatewaySettings) -> ClientRules:
    """Return what a client's connection must keep to.

    Raises:
        TokensError: if the file of tokens cannot be used.
    """
    return ClientRules(
        settings.idle_s,
        settings.unread_bytes,
        settings.forget_s,
        settings.address_sessions_max,
        settings.logons_per_s,
        load_tokens(settings.tokens_file) if settings.tokens_file else None,
    )
