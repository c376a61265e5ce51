"""The public book with one running number of its changes, over all lives of the engine and all its silences."""

from typing import NamedTuple, Protocol

from market.codes import Side
from market.depth import Depth, Level


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


class PublicBook:
    """A view whose changes are numbered without a step back.

    Clients keep a book by these numbers, so they count what everybody sees, not what an engine does: a new engine,
    which counts from 1 again, and a silence, in which the book is empty, move them forward like any other change.

    Args:
        view: of the books.
        first_update_id: what every book begins with; above all that was told before, if it is to last over restarts.
    """

    def __init__(self, view: BookView, first_update_id: int) -> None:
        self._view = view
        self._first_update_id = first_update_id
        self._update_ids: dict[int, int] = {}

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side, best price first."""
        return self._view.depth(symbol_id, level_count)

    def levels(self, symbol_id: int, touched: Touched) -> Depth:
        """Return the levels at some prices as they are now, best price first, with quantity 0 where there is none."""
        bids, asks = (
            tuple(Level(price, self._view.level_lots(symbol_id, side, price)) for price in prices)
            for side, prices in ((Side.BUY, sorted(touched.bids, reverse=True)), (Side.SELL, sorted(touched.asks)))
        )
        return Depth(bids, asks)

    def update_id(self, symbol_id: int) -> int:
        """Return the number of the last change that `depth` shows."""
        return self._update_ids.get(symbol_id, self._first_update_id)

    def look(self, symbol_id: int) -> Touched:
        """Number what has changed since the last call, and return which levels that are.

        Call it whenever the view may show another book, before anybody else looks.
        """
        touched = self._view.take_touched(symbol_id)
        self._update_ids[symbol_id] = self.update_id(symbol_id) + len(touched.bids) + len(touched.asks)
        return touched
