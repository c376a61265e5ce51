"""Aggregated depth: price levels with their open quantity, best first."""

from typing import NamedTuple


class Level(NamedTuple):
    """One price with all that is open there."""

    price_ticks: int
    qty_lots: int


class Depth(NamedTuple):
    """Both sides of a book, best price first; either may be empty."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def mid_ticks_x2(self) -> int | None:
        """Twice the mid in ticks (so that it is an integer), or None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        return self.bids[0].price_ticks + self.asks[0].price_ticks

    def without(self, own: dict[tuple[int, int], int]) -> "Depth":
        """Return the depth without one's own orders.

        Args:
            own: open quantity in lots by (side, price_ticks), side as in `market.codes.Side`.
        """
        sides = [list(levels) for levels in self]
        for (side, price_ticks), own_lots in own.items():
            levels = sides[side]
            for place, level in enumerate(levels):
                if level.price_ticks == price_ticks:
                    left_lots = level.qty_lots - own_lots
                    levels[place : place + 1] = [Level(price_ticks, left_lots)] if left_lots > 0 else []
                    break
        return Depth(*map(tuple, sides))
