"""What we hold: the balances as the venue has told them, and what was filled since."""

from collections.abc import Mapping
from decimal import Decimal

from market.account import Balance
from market.codes import Side


class Position:
    """One account's, in the eyes of who trades one pair.

    Attributes:
        balances: of every asset, as last told; empty before.
        base_qty: what there is of the base asset, locked or not, the fills since among it, but not their fees; None
            while that is not known.
        is_known: whether balances were ever told.
        is_old: whether something was filled since they were last asked for.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self.balances: Mapping[str, Balance] = {}
        self.base_qty: Decimal | None = None
        self.is_known = False
        self.is_old = True

    def ask(self) -> None:
        """Note that the balances are asked for: what is filled from now on may be missing in the answer."""
        self.is_old = False

    def hear(self, balances: Mapping[str, Balance]) -> None:
        """Take the balances."""
        base = balances.get(self._base)
        self.balances, self.base_qty = balances, None if base is None else base.total
        self.is_known = True

    def fill(self, side: Side, qty: Decimal) -> None:
        """Take a fill of ours, base asset."""
        self.is_old = True
        if self.base_qty is not None:
            self.base_qty += qty if side == Side.BUY else -qty
