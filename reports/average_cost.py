"""Profit and loss by average cost: the same total as by FIFO, split otherwise between realized and not.

What is held has one price, all that it cost by its quantity. What leaves takes its share of that cost, and of the fees
that were paid for it, rounded half to even to 12 decimals; the rest stays. So nothing is lost, and the numbers stay
short however long a position is never flat: exact shares would double their digits with every fill.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final

from market.exact_json import JsonObject
from reports.exact import EXACT, FIGURE_PLACES, figure
from reports.pnl import Lot

_NOTHING: Final = Decimal(0)
_SHARING: Final = Context(prec=100, rounding=ROUND_HALF_EVEN)
_UNIT: Final = Decimal(1).scaleb(-FIGURE_PLACES)


class AverageCost:
    """What is held of one symbol at its average cost, and what was realized; in quote but for the position."""

    def __init__(self) -> None:
        """Begin flat."""
        self.position = self.realized_net = _NOTHING
        self._cost = self._fees = _NOTHING  # of the position, the cost without fees and never negative

    def carry(self, lot: Lot) -> None:
        """Begin with one more lot of before, at what it cost."""
        qty, cost, paid = lot.sign * lot.left, lot.left * lot.price, lot.left * lot.fee_per_unit
        self.add(figure(qty), figure(cost, 2 * FIGURE_PLACES), figure(paid, 2 * FIGURE_PLACES))

    def add(self, qty: Decimal, cost: Decimal, fee: Decimal) -> None:
        """Take a fill by which `qty` arrived (negative: left) for the money `cost`, with its `fee`."""
        if not qty:
            self.realized_net = EXACT.subtract(self.realized_net, fee)
            return
        if self.position and (self.position > 0) is not (qty > 0):
            qty, cost, fee = self._close(qty, cost, fee)
        self.position = EXACT.add(self.position, qty)
        self._cost = EXACT.add(self._cost, cost)
        self._fees = EXACT.add(self._fees, fee)

    def _close(self, qty: Decimal, cost: Decimal, fee: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Let a fill close what it can; return what is left of it."""
        held, size = self.position.copy_abs(), qty.copy_abs()
        closed = min(held, size)
        had, had_paid = _share(self._cost, closed, held), _share(self._fees, closed, held)
        now, now_paid = _share(cost, closed, size), _share(fee, closed, size)
        earned = EXACT.subtract(now, had) if qty < 0 else EXACT.subtract(had, now)
        self.realized_net = EXACT.add(self.realized_net, EXACT.subtract(earned, EXACT.add(had_paid, now_paid)))
        self._cost, self._fees = EXACT.subtract(self._cost, had), EXACT.subtract(self._fees, had_paid)
        step = closed if qty > 0 else closed.copy_negate()
        self.position = EXACT.add(self.position, step)
        return EXACT.subtract(qty, step), EXACT.subtract(cost, now), EXACT.subtract(fee, now_paid)

    def to_json(self, mark: Decimal | None) -> JsonObject:
        """Return it as the daily document tells it; what needs a mark is null without one."""
        position, cost, fees = Fraction(self.position), Fraction(self._cost), Fraction(self._fees)
        realized = Fraction(self.realized_net)
        unrealized = None if mark is None else position * Fraction(mark) - (cost if position > 0 else -cost)
        return {
            "position": figure(position),
            "avg_price": figure(cost / abs(position)) if position else None,
            "realized_net": figure(realized),
            "open_fees": figure(fees),
            "unrealized": None if unrealized is None else figure(unrealized),
            "total": None if unrealized is None else figure(realized + unrealized - fees),
        }


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return the part of `amount` that goes with `part` of `whole`; all of it with all."""
    if part == whole:
        return amount
    share = _SHARING.divide(_SHARING.multiply(amount, part), whole)
    return share.quantize(_UNIT, context=_SHARING)
