"""Whether balances are believed as they are told, and what of them no trade of ours explains: a flow.

A flow is money that was paid in or out, what others have traded on the account, or that it was wiped. It looks like an
answer that makes no sense, as an empty list does, and like a fill of which no news has come yet. So it is believed when
a second look shows something unexplained, too.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from market.clock import NS_PER_SECOND
from market.codes import Side

CONFIRM_NS: Final = NS_PER_SECOND  # from a look that is doubted to the one that confirms it
OFF: Final = Decimal("0.01")  # of what fills were worth: what an order that takes has traded better, and a usual fee


class Amounts(NamedTuple):
    """So much of the base and of the quote asset."""

    base: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)

    def plus(self, more: "Amounts") -> "Amounts":
        """Return the sum."""
        return Amounts(self.base + more.base, self.quote + more.quote)

    def value(self, mid: Decimal) -> Decimal:
        """Return what it is worth, quote amount."""
        return self.base * mid + self.quote


class FillSeen(NamedTuple):
    """A fill that balances may have or lack, and when it was heard."""

    heard_ns: int
    side: Side
    qty: Decimal
    price: Decimal


class Readings:
    """Looks at what one account has, one after the other.

    Args:
        fee: what the venue takes of a fill at most, as a fraction, in whichever of the two assets.
        had: what an earlier run has believed last, if one has.

    Attributes:
        flow: what the last one that was believed has shown of it.
    """

    def __init__(self, fee: Decimal = Decimal(0), had: Amounts | None = None) -> None:
        self._fee = fee
        self.flow = Amounts()
        self._had = had  # as last believed
        self._doubted: tuple[int, Amounts] | None = None  # what was not, and when it was asked for

    def is_to_be_confirmed(self, now_ns: int) -> bool:
        """Whether it is time to look again since the last look is doubted."""
        return self._doubted is not None and now_ns - self._doubted[0] >= CONFIRM_NS

    @property
    def is_doubtful(self) -> bool:
        """Whether the last look is not believed yet."""
        return self._doubted is not None

    def believe(self, has: Amounts, fills: Sequence[FillSeen], asked_ns: int) -> bool:
        """Take what the account has, as asked for at `asked_ns`; return whether it is to be gone by.

        Args:
            fills: ours that it may have and the one before may lack, in whole or in part.
        """
        had, doubted = self._had, self._doubted
        is_plain = any(has) if had is None else _is_explained(had, has, fills, self._fee)
        if not is_plain:
            is_second = doubted is not None and asked_ns - doubted[0] >= CONFIRM_NS
            is_nothing = not any(has) and (doubted is None or any(doubted[1]))  # that must be told twice
            if is_nothing or not is_second:
                self._doubted = doubted if doubted is not None and not is_nothing else (asked_ns, has)
                return False
        self.flow = Amounts() if is_plain or had is None else _flow(had, has, fills)
        self._had, self._doubted = has, None
        return True


def _is_explained(had: Amounts, has: Amounts, fills: Sequence[FillSeen], fee: Decimal) -> bool:
    """Whether some of the fills, with their fees, can have made of what there was what there is.

    Each asset has moved no further than by all of them, and both together by nearly nothing at their prices, but for a
    fee: of what was received, or on top of what was paid.
    """
    if not fills:
        return has == had
    bought, sold = (sum((each.qty for each in fills if each.side == side), Decimal(0)) for side in Side)
    spent, earned = (sum((each.qty * each.price for each in fills if each.side == side), Decimal(0)) for side in Side)
    fee_base, fee_quote = fee * (bought + sold), fee * (spent + earned)
    is_in_reach = had.base - sold - fee_base <= has.base <= had.base + bought
    is_in_reach &= had.quote - spent - fee_quote <= has.quote <= had.quote + (1 + OFF) * earned
    prices = [each.price for each in fills]
    spread = (bought + sold) * (max(prices) - min(prices))
    drift = has.value(prices[-1]) - had.value(prices[-1])
    off = spread + OFF * (spent + earned)
    return is_in_reach and -off - fee_quote <= drift <= off


def _flow(had: Amounts, has: Amounts, fills: Sequence[FillSeen]) -> Amounts:
    """Return what is left unexplained if all fills are in it, or none: whichever leaves less of one of the assets.

    A fill that is taken for one of the other kind changes little of what the flow is worth.
    """
    without = Amounts(has.base - had.base, has.quote - had.quote)
    base, quote = without
    for _, side, qty, price in fills:
        sign = 1 if side == Side.BUY else -1
        base, quote = base - sign * qty, quote + sign * qty * price
    at_price = fills[-1].price if fills else Decimal(1)
    return min(Amounts(base, quote), without, key=lambda flow: min(abs(flow.base) * at_price, abs(flow.quote)))
