"""How the exchange sees the public books, wherever they come from."""

from typing import NamedTuple, Protocol

from market.codes import Side
from market.depth import Depth


class Touched(NamedTuple):
    """The prices, in ticks, of levels that may have changed."""

    bids: set[int]
    asks: set[int]

    def __bool__(self) -> bool:
        return bool(self.bids or self.asks)


class BookView(Protocol):
    """What the exchange sees of the public book; it may lag behind the engine."""

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side, best price first."""
        ...

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what `depth` shows at a price; 0 where it shows nothing."""
        ...

    def take_touched(self, symbol_id: int) -> Touched:
        """Return every level that was another at any time since the last call, be it the same again now.

        What the other methods show changes only together with what the next call of this one returns.
        """
        ...
