"""Which quotes come first where not all have room."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from market.codes import Side
from trading.quoting import Quote

NONE_STAND: Final[Mapping[Side, int]] = {}


def by_precedence(
    quotes: Sequence[Quote],
    mid_ticks_x2: int,
    reducing: Side | None,
    standing: Mapping[Side, int],
    replaced: Mapping[Side, int] = NONE_STAND,
) -> list[int]:
    """Return the places of the quotes, those that come first first: both sides in turn, each from the nearest.

    A side that has fewer has its turn first; of two with as many the one that reduces the position, else the one that
    has an order there already, or each move of the mid would give its room to the other; else the nearer.

    Args:
        mid_ticks_x2: twice the mid.
        reducing: the side whose fills reduce the position; None without one.
        standing: by side, how many orders stay there beside these.
        replaced: by side, for how many of these an order stands already.
    """

    def off_ticks_x2(place: int) -> int:
        return abs(2 * quotes[place].price_ticks - mid_ticks_x2)

    turns: dict[int, int] = {}
    for side in Side:
        of_side = [place for place, quote in enumerate(quotes) if quote.side == side]
        turns |= dict(zip(sorted(of_side, key=off_ticks_x2), count(standing.get(side, 0)), strict=False))

    def key(place: int) -> tuple[int, bool, bool, int]:
        turn, side = turns[place], quotes[place].side
        return turn, side != reducing, turn >= replaced.get(side, 0), off_ticks_x2(place)

    return sorted(turns, key=key)
