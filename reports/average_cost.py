"""Profit and loss by average cost: the same total as by FIFO, split otherwise between realized and not.

What is held has one price, all that it cost by its quantity. What leaves takes its share of that cost, and of the fees
that were paid for it, rounded half to even to 12 decimals; the rest stays. So nothing is lost, and the numbers stay
short however long a position is never flat: exact shares would double their digits with every fill.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from market.exact_json import JsonObject
from reports.exact import FIGURE_PLACES, figure
from reports.exact_sum import UNIT, units_of
from reports.lots import Lot

_STEP: Final = UNIT // 10**FIGURE_PLACES  # to which shares are rounded


class AverageCost:
    """What is held of one symbol at its average cost, and what was realized; all in units of 10^-60.

    Attributes:
        position: in base.
        realized_net: in quote.
    """

    def __init__(self) -> None:
        """Begin flat."""
        self.position = self.realized_net = 0
        self._cost = self._fees = 0  # of the position, the cost without fees and never negative

    def carry(self, lot: Lot) -> None:
        """Begin with one more lot of before, at what it cost."""
        cost, paid = lot.left * lot.price, lot.left * lot.fee_per_unit
        qty = units_of(figure(lot.sign * lot.left))
        self.add(qty, *(units_of(figure(each, 2 * FIGURE_PLACES)) for each in (cost, paid)))

    def add(self, qty: int, cost: int, fee: int) -> None:
        """Take a fill by which `qty` arrived (negative: left) for the money `cost`, with its `fee`."""
        if not qty:
            self.realized_net -= fee
            return
        if self.position and (self.position > 0) is not (qty > 0):
            qty, cost, fee = self._close(qty, cost, fee)
        self.position += qty
        self._cost += cost
        self._fees += fee

    def _close(self, qty: int, cost: int, fee: int) -> tuple[int, int, int]:
        """Let a fill close what it can; return what is left of it."""
        held, size = abs(self.position), abs(qty)
        closed = min(held, size)
        had, had_paid = _share(self._cost, closed, held), _share(self._fees, closed, held)
        now, now_paid = _share(cost, closed, size), _share(fee, closed, size)
        self.realized_net += (now - had if qty < 0 else had - now) - had_paid - now_paid
        self._cost -= had
        self._fees -= had_paid
        step = closed if qty > 0 else -closed
        self.position += step
        return qty - step, cost - now, fee - now_paid

    def to_json(self, mark: Decimal | None) -> JsonObject:
        """Return it as the daily document tells it; what needs a mark is null without one."""
        position, cost, fees, realized = (
            Fraction(each, UNIT) for each in (self.position, self._cost, self._fees, self.realized_net)
        )
        unrealized = None if mark is None else position * Fraction(mark) - (cost if position > 0 else -cost)
        return {
            "position": figure(position),
            "avg_price": figure(cost / abs(position)) if position else None,
            "realized_net": figure(realized),
            "open_fees": figure(fees),
            "unrealized": None if unrealized is None else figure(unrealized),
            "total": None if unrealized is None else figure(realized + unrealized - fees),
        }


def _share(amount: int, part: int, whole: int) -> int:
    """Return the part of `amount` that goes with `part` of `whole`; all of it with all."""
    if part == whole or not amount:
        return amount
    size = whole * _STEP
    steps, rest = divmod(amount * part, size)
    return (steps + (2 * rest > size or (2 * rest == size and steps % 2))) * _STEP
