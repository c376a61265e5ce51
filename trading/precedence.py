"""Which quotes come first where not all have room."""

from collections.abc import Mapping, Sequence
from itertools import count

from market.codes import Side
from trading.quoting import Quote


def by_precedence(
    quotes: Sequence[Quote], mid_ticks_x2: int, reducing: Side | None, standing: Mapping[Side, int]
) -> list[int]:
    """Return the places of the quotes, those that come first first: both sides in turn, each from the nearest.

    A side that has fewer has its turn first; of two with as many the one that reduces the position, else the nearer.

    Args:
        mid_ticks_x2: twice the mid.
        reducing: the side whose fills reduce the position; None without one.
        standing: by side, how many orders stay there beside these.
    """

    def off_ticks_x2(place: int) -> int:
        return abs(2 * quotes[place].price_ticks - mid_ticks_x2)

    turns: dict[int, int] = {}
    for side in Side:
        of_side = [place for place, quote in enumerate(quotes) if quote.side == side]
        turns |= dict(zip(sorted(of_side, key=off_ticks_x2), count(standing.get(side, 0)), strict=False))
    return sorted(turns, key=lambda place: (turns[place], quotes[place].side != reducing, off_ticks_x2(place)))
