"""Depth: aggregated levels, the mid, and a book without one's own orders."""

from market.codes import Side
from market.depth import Depth, Level

BOOK = Depth((Level(99, 5), Level(98, 7)), (Level(101, 4), Level(103, 6)))


def test_gives_the_mid_as_an_integer() -> None:
    """The mid of 99 and 102 lies between two ticks; twice the mid does not."""
    assert BOOK.mid_ticks_x2 == 200
    assert Depth((Level(99, 1),), (Level(102, 1),)).mid_ticks_x2 == 201


def test_has_no_mid_while_a_side_is_empty() -> None:
    """A one-sided book has no mid, rather than half of one."""
    assert Depth((), BOOK.asks).mid_ticks_x2 is None
    assert Depth(BOOK.bids, ()).mid_ticks_x2 is None
    assert Depth((), ()).mid_ticks_x2 is None


def test_takes_own_orders_out() -> None:
    """A level that was only ours disappears; a level that we share keeps the others; the sides are not mixed up."""
    own = {(Side.BUY, 99): 5, (Side.BUY, 98): 3, (Side.SELL, 103): 1, (Side.SELL, 99): 100, (Side.BUY, 101): 100}
    others = BOOK.without({(int(side), price): qty for (side, price), qty in own.items()})
    assert others == Depth((Level(98, 4),), (Level(101, 4), Level(103, 5)))


def test_drops_a_level_of_which_we_believe_to_hold_more_than_there_is() -> None:
    """Our view of our orders may be ahead of the book's; no level ever shows a quantity below 1."""
    assert BOOK.without({(0, 99): 9}).bids == (Level(98, 7),)


def test_leaves_the_book_alone_without_own_orders() -> None:
    """Nothing of ours, nothing taken away."""
    assert BOOK.without({}) == BOOK
