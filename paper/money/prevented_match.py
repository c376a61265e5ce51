"""Prevented matches: which two orders of an account would have traded with each other, and what they lost instead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from market.codes import SelfTradePrevention
from paper.money.additions import Additions
from paper.units import Symbol

NO_MATCH: Final = -1


@dataclass(frozen=True, slots=True)
class PreventedMatch:
    """Two orders that were kept from trading.

    Attributes:
        match_id: rises with time over all symbols.
        mode: the taker's, which decides.
        price_ticks: the maker's, at which they would have traded.
        lots: how much would have traded.
        taker_lots: what the taker lost, 0 if it went on.
        maker_lots: what the maker lost, 0 if it stayed.
        time_ms: when, ms since 1970 UTC.
    """

    match_id: int
    account: int
    symbol: Symbol
    taker_id: int
    maker_id: int
    mode: SelfTradePrevention
    price_ticks: int
    lots: int
    taker_lots: int
    maker_lots: int
    time_ms: int

    def counter_of(self, order_id: int) -> int:
        """Return the other order's id."""
        return self.maker_id if order_id == self.taker_id else self.taker_id


class PreventedMatches(Additions[PreventedMatch]):
    """The prevented matches of a ledger that are not saved yet."""

    def rows(self, uid_of: Callable[[int], int]) -> list[tuple[int | str, ...]]:
        """Return the rows to save; `uid_of` tells the id of an account."""
        return [
            (
                each.match_id,
                uid_of(each.account),
                each.symbol.name,
                each.taker_id,
                each.maker_id,
                each.mode.value,
                each.price_ticks,
                each.lots,
                each.taker_lots,
                each.maker_lots,
                each.time_ms,
            )
            for each in self.unsaved
        ]
