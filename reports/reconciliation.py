"""Do the books agree with the venue: opening balances plus what was traded are the balances now, to the last unit."""

from collections.abc import Iterable, Mapping
from copy import copy
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


class Books:
    """What the account should hold: the opening, and what every trade since has moved.

    A trade since then counts whichever day it bears: at midnight, and while the clocks of venue and desk differ, a
    trade of another day's file moves the balances of this one.
    """

    def __init__(self, opening: JsonObject) -> None:
        """Begin with `opening`.

        Raises:
            ValueError: if it is not what `opening_of` made.
        """
        self._opening = opening
        self._expected = opening_totals(opening)
        self._since = self._since_of_other_days = 0

    def add(self, trade: VenueTrade, instrument: Instrument, *, is_of_day: bool) -> None:
        """Take a trade; one that the opening holds already changes nothing."""
        self._count(trade, instrument, 1, is_of_day=is_of_day)

    def compare(
        self, balances: Mapping[str, Balance], later: Iterable[tuple[VenueTrade, Instrument, bool]] = ()
    ) -> JsonObject:
        """Return whether the account holds what it should, with the assets where it does not.

        A difference is what it holds beyond what is expected: a deposit, a withdrawal, a missed trade.

        Args:
            later: trades that may have happened after `balances`, last first, each with whether it is of the day: the
                books agree if they do without some of them.
        """
        found = self._compared(balances)
        books = copy(self)
        books._expected = dict(self._expected)
        for trade, instrument, is_of_day in later:
            if found["is_exact"]:
                return found
            books._count(trade, instrument, -1, is_of_day=is_of_day)
            without = books._compared(balances)
            found = without if without["is_exact"] else found
        return found

    def _count(self, trade: VenueTrade, instrument: Instrument, times: int, *, is_of_day: bool) -> None:
        if not is_after(trade, self._opening):
            return
        self._since += times * is_of_day
        self._since_of_other_days += times * (not is_of_day)
        for asset, change in changes(trade, instrument):
            self._expected[asset] = self._expected.get(asset, _ZERO) + times * change

    def _compared(self, balances: Mapping[str, Balance]) -> JsonObject:
        expected = self._expected
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
        found = {"is_exact": not differences, "trades_since_opening": self._since}
        if self._since_of_other_days:
            found["trades_of_other_days"] = self._since_of_other_days
        return found | {"differences": differences}


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


def opening_totals(opening: JsonObject) -> dict[str, Fraction]:
    """Return what the account held at the opening of a day, free and locked together, by asset."""
    balances = fields.child(opening, "balances")
    return {
        asset: Fraction(fields.number(balance, "free")) + Fraction(fields.number(balance, "locked"))
        for asset, balance in ((asset, fields.child(balances, asset)) for asset in balances)
    }


def is_after(trade: VenueTrade, opening: JsonObject) -> bool:
    """Say whether the opening balances do not hold `trade` yet; by time in a symbol that was not watched then."""
    last_trade_ids = fields.child(opening, "last_trade_ids")
    if trade.symbol in last_trade_ids:
        return trade.trade_id > fields.integer(last_trade_ids, trade.symbol)
    return trade.time_ms > fields.integer(opening, "time_ms")
