"""Profit and loss by average cost: the same total as by FIFO, split otherwise between realized and not.

What is held has one price, all that it cost by its quantity. What leaves takes its share of that cost, and of the fees
that were paid for it, rounded half to even to 12 decimals; the rest stays. So nothing is lost, and the numbers stay
short however long a position is never flat: exact shares would double their digits with every fill.
"""

from decimal import Decimal
from fractions import Fraction

from market.exact_json import JsonObject
from reports.exact import FIGURE_PLACES, figure
from reports.pnl import Lot

_ZERO = Fraction(0)
_UNITS = 10**FIGURE_PLACES


class AverageCost:
    """What is held of one symbol at its average cost, and what was realized; in quote but for the position."""

    def __init__(self) -> None:
        """Begin flat."""
        self.position = self.realized_net = _ZERO
        self._cost = self._fees = _ZERO  # of the position, the cost without fees and never negative

    def carry(self, lot: Lot) -> None:
        """Begin with one more lot of before, at what it cost."""
        self.add(lot.left * lot.sign, lot.price, lot.left * lot.fee_per_unit)

    def add(self, qty: Fraction, price: Fraction, fee: Fraction) -> None:
        """Take a fill by which `qty` arrived (negative: left), of which each unit cost `price`, and its `fee`."""
        if not qty:
            self.realized_net -= fee
            return
        if self.position * qty < 0:
            closed = min(abs(qty), abs(self.position))
            cost = _share(self._cost, closed, abs(self.position))
            paid = _share(self._fees, closed, abs(self.position))
            paid_now = _share(fee, closed, abs(qty))
            earned = closed * price - cost if qty < 0 else cost - closed * price
            self.realized_net += earned - paid - paid_now
            self._cost, self._fees, fee = self._cost - cost, self._fees - paid, fee - paid_now
            step = closed if qty > 0 else -closed
            self.position, qty = self.position + step, qty - step
        self.position += qty
        self._cost += abs(qty) * price
        self._fees += fee

    def to_json(self, mark: Decimal | None) -> JsonObject:
        """Return it as the daily document tells it; what needs a mark is null without one."""
        held = abs(self.position)
        unrealized = None if mark is None else self._unrealized(mark)
        total = None if unrealized is None else self.realized_net + unrealized - self._fees
        return {
            "position": figure(self.position),
            "avg_price": figure(self._cost / held) if held else None,
            "realized_net": figure(self.realized_net),
            "open_fees": figure(self._fees),
            "unrealized": None if unrealized is None else figure(unrealized),
            "total": None if total is None else figure(total),
        }

    def total(self, mark: Decimal) -> Fraction:
        """Return realized net + unrealized - the fees paid for the position."""
        return self.realized_net + self._unrealized(mark) - self._fees

    def _unrealized(self, mark: Decimal) -> Fraction:
        return self.position * Fraction(mark) - (self._cost if self.position > 0 else -self._cost)


def _share(amount: Fraction, part: Fraction, whole: Fraction) -> Fraction:
    """Return the part of `amount` that goes with `part` of `whole`; all of it with all."""
    return amount if part == whole else Fraction(round(amount * part / whole * _UNITS), _UNITS)
