"""What the trades of all symbols of a day come to: counts, sums, and what was charged in each asset."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from market.exact_json import JsonObject
from reports.exact import figure
from reports.exact_sum import UNIT

_ZERO = Fraction(0)


class Charges:
    """Fees and rebates by asset, to the last unit."""

    def __init__(self) -> None:
        # In units of 10^-60 what was paid, and what came back: less than nothing.
        self._sums: dict[str, tuple[int, int]] = {}

    def take(self, asset: str, fee: int) -> None:
        """Add the fee of a trade, or its rebate, in units of 10^-60."""
        if fee:
            paid, back = self._sums.get(asset, (0, 0))
            self._sums[asset] = (paid + fee, back) if fee > 0 else (paid, back + fee)

    def taken_with(self, other: "Charges") -> "Charges":
        """Return these and others together."""
        found = Charges()
        found._sums = dict(self._sums)
        for asset, (paid, back) in other._sums.items():
            had_paid, had_back = found._sums.get(asset, (0, 0))
            found._sums[asset] = had_paid + paid, had_back + back
        return found

    def together(self) -> JsonObject:
        """Return what each asset was charged, less what came back."""
        return {asset: figure(Fraction(paid + back, UNIT)) for asset, (paid, back) in self._sums.items()}

    def signed(self) -> JsonObject:
        """Return `fees` and `rebates` of the document, each of the assets that had some."""
        return {
            "fees": {asset: figure(Fraction(paid, UNIT)) for asset, (paid, _) in self._sums.items() if paid},
            "rebates": {asset: figure(Fraction(back, UNIT)) for asset, (_, back) in self._sums.items() if back},
        }


def paid_fees(part: Mapping[str, Any]) -> Fraction:
    """Return what the fees of a day cost in one symbol, in quote: not what those of carried lots had cost before."""
    of_before = (part.get("carried") or {}).get("fees") or 0
    return Fraction(part["realized_fees"]) + Fraction(part["open_fees"]) - Fraction(of_before)


def totals(symbols: JsonObject) -> JsonObject:
    """Return `trades` of the document: sums over the symbols, null where a sum or an average would mean nothing."""
    traded = [part for part in symbols.values() if part["buys"] + part["sells"]]
    only = traded[0] if len(traded) == 1 else {}
    quotes = {part["quote"] for part in traded}
    pnl, volume = (sum((Fraction(part[name]) for part in traded), _ZERO) for name in ("pnl", "volume"))
    return {
        "total_buys": sum(part["buys"] for part in traded),
        "total_sells": sum(part["sells"] for part in traded),
        "pnl": figure(pnl) if len(quotes) <= 1 else None,
        "avg_buy_price": only.get("avg_buy_price"),
        "avg_sell_price": only.get("avg_sell_price"),
        "volume": figure(volume) if len(quotes) <= 1 else None,
    }
