"""Do the books agree with the venue: opening balances plus what was traded are the balances now, to the last unit."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from market.account import Balance, VenueTrade
from market.clock import iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import amount, figure

_ZERO = Fraction(0)


def opening_of(
    time_ms: int, instruments: Iterable[Instrument], balances: Mapping[str, Balance], trades: Iterable[VenueTrade]
) -> JsonObject:
    """Return the first sight of a day: the balances, and the last trade of each symbol that they already hold."""
    last_trade_ids = {instrument.symbol: 0 for instrument in instruments}
    for trade in trades:
        last_trade_ids[trade.symbol] = max(trade.trade_id, last_trade_ids.get(trade.symbol, 0))
    return {
        "time": iso_time(time_ms),
        "time_ms": time_ms,
        "last_trade_ids": last_trade_ids,
        "balances": balances_to_json(balances),
    }


def reconciliation(
    opening: JsonObject,
    trades: Iterable[VenueTrade],
    instruments: Mapping[str, Instrument],
    balances: Mapping[str, Balance],
) -> JsonObject:
    """Return whether `opening` plus the trades since then make `balances`, with the assets where they do not.

    A difference is what the account holds beyond what the books expect: a deposit, a withdrawal, a missed trade.

    Raises:
        ValueError: if `opening` is not what `opening_of` made.
    """
    expected = _opening_totals(opening)
    since = [trade for trade in trades if _is_after(trade, opening)]
    for trade in since:
        for asset, change in changes(trade, instruments[trade.symbol]):
            expected[asset] = expected.get(asset, _ZERO) + change
    now = {asset: Fraction(balance.free) + Fraction(balance.locked) for asset, balance in balances.items()}
    differences = {
        asset: {
            "expected": figure(expected.get(asset, _ZERO)),
            "actual": figure(now.get(asset, _ZERO)),
            "difference": figure(now.get(asset, _ZERO) - expected.get(asset, _ZERO)),
        }
        for asset in sorted(expected.keys() | now.keys())
        if expected.get(asset, _ZERO) != now.get(asset, _ZERO)
    }
    return {"is_exact": not differences, "trades_since_opening": len(since), "differences": differences}


def changes(trade: VenueTrade, instrument: Instrument) -> tuple[tuple[str, Fraction], ...]:
    """Return what `trade` moved in the account, by asset."""
    sign = 1 if trade.side is Side.BUY else -1
    return (
        (instrument.base, sign * Fraction(trade.qty)),
        (instrument.quote, -sign * Fraction(trade.quote_qty)),
        (trade.fee_asset, -Fraction(trade.fee)),
    )


def balances_to_json(balances: Mapping[str, Balance]) -> dict[str, dict[str, Decimal]]:
    """Return every asset as `{"free": 1.0, "locked": 0.00011}`."""
    return {
        asset: {"free": amount(balance.free), "locked": amount(balance.locked)} for asset, balance in balances.items()
    }


def _opening_totals(opening: JsonObject) -> dict[str, Fraction]:
    balances = fields.child(opening, "balances")
    return {
        asset: Fraction(fields.number(balance, "free")) + Fraction(fields.number(balance, "locked"))
        for asset, balance in ((asset, fields.child(balances, asset)) for asset in balances)
    }


def _is_after(trade: VenueTrade, opening: JsonObject) -> bool:
    """Say whether the opening balances do not hold `trade` yet; by time in a symbol that was not watched then."""
    last_trade_ids = fields.child(opening, "last_trade_ids")
    if trade.symbol in last_trade_ids:
        return trade.trade_id > fields.integer(last_trade_ids, trade.symbol)
    return trade.time_ms > fields.integer(opening, "time_ms")
