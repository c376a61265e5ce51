"""Orders that trail the price: each trade that concerns one of them moves its best price, or lets it wake.

They stand in one list for each symbol, first in time first. Between `CALM_LOW` and `CALM_HIGH` a trade concerns none.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.book import side_of, waits_for_rise
from engine.fast.telling import has_event_room, tell
from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.bits import signed
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import TAGS, TRIGGERS

_ALL_BPS: Final = 10_000


@inlined
def best_of(trail: int) -> int:
    """Return the price in a trail: the best so far, 0 before the first, or that from which on it tracks."""
    return trail & at.PRICE_MASK


@inlined
def bps_of(trail: int) -> int:
    """Return how far behind the best price a trail is."""
    return trail >> at.TRAIL_BPS_SHIFT


@inlined
def _is_tracking(word: int) -> bool:
    return (word >> at.TRIGGER_SHIFT) & 3 == TRIGGERS.TRAIL


@inlined
def calm_prices(word: int, trail: int) -> tuple[int, int]:
    """Return the lowest and the highest price of a trade that changes nothing for an order.

    A sale wakes at `best x (1 - bps / 10,000)` or below, a purchase at `best x (1 + bps / 10,000)` or above (Binance
    Spot, FAQ "Trailing Stop"), between ticks without rounding.
    """
    price, bps = best_of(trail), bps_of(trail)
    if word & at.IS_DUE:
        return at.NO_BID, at.NO_ASK
    if not _is_tracking(word):
        return (at.NO_BID, price - 1) if waits_for_rise(word) else (price + 1, at.NO_ASK)
    if price == 0:
        return at.NO_ASK, at.NO_BID
    if side_of(word) == 0:
        return price, (price * (_ALL_BPS + bps) + _ALL_BPS - 1) // _ALL_BPS - 1
    return price * (_ALL_BPS - bps) // _ALL_BPS + 1, price


@routine
def start_trailing(memory: Memory, symbol: int, order: int) -> None:
    """Put an order at the end of those that trail, and let it take note of the last trade."""
    book = symbol * at.BOOK_SIZE
    last = memory.books[book + at.LAST_TRAIL]
    memory.links[order * at.LINK_SIZE + at.NEXT] = 0
    memory.links[order * at.LINK_SIZE + at.PREVIOUS] = last
    if last == 0:
        memory.books[book + at.FIRST_TRAIL] = order
    else:
        memory.links[last * at.LINK_SIZE + at.NEXT] = order
    memory.books[book + at.LAST_TRAIL] = order
    if memory.books[book + at.LAST_PRICE] != 0:
        _follow(memory, book, order, memory.books[book + at.LAST_PRICE])
    _narrow(memory, book, order)


@routine
def follow_trade(memory: Memory, symbol: int, price: int) -> None:
    """Let all that trail, or will, take note of a trade outside the calm prices."""
    book = symbol * at.BOOK_SIZE
    memory.books[book + at.CALM_LOW] = at.NO_BID
    memory.books[book + at.CALM_HIGH] = at.NO_ASK
    order = memory.books[book + at.FIRST_TRAIL]
    while order != 0:
        _follow(memory, book, order, price)
        _narrow(memory, book, order)
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])


@inlined
def _follow(memory: Memory, book: int, order: int, price: int) -> None:
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    trail = memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE]
    low, high = calm_prices(word, trail)
    if low <= price <= high:
        return
    best = best_of(trail)
    has_turned = price < best if side_of(word) == 1 else price > best
    if _is_tracking(word) and best != 0 and has_turned:
        word |= at.IS_DUE
    else:
        word = word | at.HAS_MOVED | (TRIGGERS.TRAIL << at.TRIGGER_SHIFT)
        memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE] = trail - best + price
    memory.orders[order * at.ORDER_SIZE + at.WORD] = word
    memory.books[book + at.IS_STIRRED] = 1


@inlined
def _narrow(memory: Memory, book: int, order: int) -> None:
    """Take from the calm prices those that concern an order."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    low, high = calm_prices(word, memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE])
    memory.books[book + at.CALM_LOW] = max(memory.books[book + at.CALM_LOW], low)
    memory.books[book + at.CALM_HIGH] = min(memory.books[book + at.CALM_HIGH], high)


@routine
def tell_trails(memory: Memory, symbol: int) -> bool:
    """Tell each best price that has moved; return False if the ring of events is too full to go on."""
    order = memory.books[symbol * at.BOOK_SIZE + at.FIRST_TRAIL]
    while order != 0:
        word = memory.orders[order * at.ORDER_SIZE + at.WORD]
        if word & at.HAS_MOVED:
            if not has_event_room(memory):
                return False
            memory.orders[order * at.ORDER_SIZE + at.WORD] = word & ~at.HAS_MOVED
            order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
            owner = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
            price = best_of(memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE])
            tell(memory, TAGS.TRAILED, (symbol, order_id, owner, price))
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    return True


@routine
def next_due(memory: Memory, symbol: int) -> int:
    """Return the next order whose price has turned, 0 for none."""
    order = memory.books[symbol * at.BOOK_SIZE + at.FIRST_TRAIL]
    while order != 0 and memory.orders[order * at.ORDER_SIZE + at.WORD] & at.IS_DUE == 0:
        order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    return order
