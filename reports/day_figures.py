"""The day in a few figures, for a screen: what `status` shows of the tracker."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from market.exact_json import JsonObject
from market.instrument import Instrument, format_decimal
from reports.performance import is_sound
from reports.trade_history import HistoryRow


def day_figures(head: JsonObject, rows: Sequence[HistoryRow], instrument: Instrument) -> dict[str, Any]:
    """Return the day's figures of one instrument as plain values; decimals are text, None is not known.

    Args:
        head: of the daily document.
        rows: the day's trades, oldest first.
        instrument: that the desk trades. `position` is what the trades have left open of it, lots of before included;
            `equity` is that of the document at the end, of `equity_assets`, in `equity_asset`.
            `spread_capture`, `inventory_pnl` and `fees` explain `marked_pnl`; they are of all pairs.
    """
    part = head["symbols"].get(instrument.symbol) or {}
    metrics = head.get("metrics") or {}
    equity = head.get("equity") or {"end": None, "asset": None, "balances": {}}
    return {
        "trades": head["total_trades"],
        "buys": head["trades"]["total_buys"],
        "sells": head["trades"]["total_sells"],
        "pnl": _text(head["trades"].get("pnl")),
        "position": _text(part.get("position")),
        "unrealized": _text(part.get("unrealized")),
        "marked_pnl": _text(part.get("marked_pnl")),
        **{name: _text((metrics.get(name) or {}).get("value")) for name in ("spread_capture", "inventory_pnl", "fees")},
        "equity": _text(equity["end"]),
        "equity_asset": equity["asset"],
        "equity_assets": sorted(equity["balances"], key=lambda asset: (asset == equity["asset"], asset)),
        "base": instrument.base,
        "quote": instrument.quote,
        "last_fill": _fill(rows[-1]) if rows else None,
        "is_sound": is_sound(head),
    }


def markout_figures(markouts: Iterable[JsonObject]) -> list[dict[str, Any]]:
    """Return the rows of a document's `markouts` as plain values; decimals are text."""
    return [
        {name: format_decimal(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in markouts
    ]


def _fill(row: HistoryRow) -> dict[str, Any]:
    trade = row.trade
    return {
        "time_ms": trade.time_ms,
        "symbol": trade.symbol,
        "side": trade.side.name,
        "qty": format_decimal(trade.qty),
        "price": format_decimal(trade.price),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(Decimal(value))
