"""What we hold: the balances as the venue has told them, and what was filled since."""

from collections.abc import Mapping
from decimal import Decimal

from market.account import Balance
from market.codes import Side


class Position:
    """One account's, in the eyes of who trades one pair.

    Args:
        base: the asset.
        neutral_qty: how much of it is no position; None: what is there when the balances are told for the first time.

    Attributes:
        balances: of every asset, as last told; empty before.
        is_known: whether balances were ever told.
        is_old: whether something was filled since they were last asked for.
    """

    def __init__(self, base: str, neutral_qty: Decimal | None = None) -> None:
        self._base = base
        self._neutral_qty = neutral_qty
        self._held_qty: Decimal | None = None  # locked or not, with the fills since it was told, but not their fees
        self.balances: Mapping[str, Balance] = {}
        self.is_known = False
        self.is_old = True

    @property
    def qty(self) -> Decimal | None:
        """What there is of the base asset more than is neutral, negative if it is less; None while not known."""
        if self._held_qty is None or self._neutral_qty is None:
            return None
        return self._held_qty - self._neutral_qty

    def ask(self) -> None:
        """Note that the balances are asked for: what is filled from now on may be missing in the answer."""
        self.is_old = False

    def hear(self, balances: Mapping[str, Balance]) -> None:
        """Take the balances."""
        base = balances.get(self._base)
        self.balances, self._held_qty = balances, None if base is None else base.total
        if self._neutral_qty is None:
            self._neutral_qty = self._held_qty
        self.is_known = True

    def fill(self, side: Side, qty: Decimal) -> None:
        """Take a fill of ours, base asset."""
        self.is_old = True
        if self._held_qty is not None:
            self._held_qty += qty if side == Side.BUY else -qty
