"""At which prices an order trades: up to its limit, and within its symbol's price range."""
# mypy: disable-error-code="no-any-return"

from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.compiling import inlined
from market.kernels.row_codes import TYPES
from market.limits import PRICE_TICKS_MAX


@inlined
def is_crossing(memory: Memory, symbol: int, side: int, price: int) -> bool:
    """Return whether an order at `price` would trade at once."""
    return (price - memory.books[symbol * at.BOOK_SIZE + at.BEST + 1 - side]) * (1 - 2 * side) >= 0


@inlined
def limit_of(side: int, order_type: int, price: int) -> int:
    """Return the worst price at which an order trades."""
    if order_type != TYPES.MARKET:
        return price
    return PRICE_TICKS_MAX if side == 0 else 1


@inlined
def worst_price(memory: Memory, symbol: int, side: int, limit: int) -> int:
    """Return the worst price at which an order trades within the price range; where it may not at all, none is as good.

    A sweep only gets worse, so whether the range begins further on can be seen from the best price.
    """
    book = symbol * at.BOOK_SIZE
    best = memory.books[book + at.BEST + 1 - side]
    if side == 0:
        return (
            min(limit, memory.books[book + at.RANGE_HIGH]) if best >= memory.books[book + at.RANGE_LOW] else at.NO_BID
        )
    return max(limit, memory.books[book + at.RANGE_LOW]) if best <= memory.books[book + at.RANGE_HIGH] else at.NO_ASK
