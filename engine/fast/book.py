"""Orders in the book: from an id to its order, into a queue, out of it."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.fast.ladder import join_back, leave_queue, next_price
from engine.rows import memory as at
from engine.rows.memory import Memory, Terms
from market.kernels.bits import signed
from market.kernels.compiling import argument, inlined, routine
from market.kernels.order_table import hash_of
from market.kernels.row_codes import TRIGGERS

_NOTHING: Final = argument(0)


@inlined
def home_of(memory: Memory, order_id: int) -> int:
    """Return the place in the table of ids where a search for the id begins: the hash's upper bits lead there."""
    return (hash_of(order_id) * len(memory.ids)) >> 32


@inlined
def _marked(hashed: int, order: int) -> int:
    """Return what stands in the table of ids: the order, and above it the hash's lowest bits, which are its mark."""
    return order | (hashed << at.ID_ORDER_BITS) & at.ID_MARK_MASK


@inlined
def find_id(memory: Memory, order_id: int) -> int:
    """Return the id's place in the table of ids, or the empty place where it belongs; the table is never full."""
    ids = memory.ids
    mark = _marked(hash_of(order_id), _NOTHING)
    place = home_of(memory, order_id)
    entry = signed(ids[place])
    while entry != 0:
        # The mark spares the look at the order, which is far away, for nearly all that only share its way.
        order = entry & at.ID_ORDER_MASK
        if entry & at.ID_MARK_MASK == mark and memory.orders[order * at.ORDER_SIZE + at.ORDER_ID] == order_id:
            break
        place += 1
        if place == len(ids):
            place = 0
        entry = signed(ids[place])
    return place


@inlined
def order_of(memory: Memory, place: int) -> int:
    """Return the order at a place of the table of ids, 0 if the place is empty."""
    return signed(memory.ids[place]) & at.ID_ORDER_MASK


@inlined
def drop_id(memory: Memory, place: int) -> None:
    """Empty a place, and pull up those behind that could then no longer be found."""
    ids = memory.ids
    hole = candidate = place
    while True:
        candidate += 1
        if candidate == len(ids):
            candidate = 0
        entry = signed(ids[candidate])
        if entry == 0:
            break
        home = home_of(memory, memory.orders[(entry & at.ID_ORDER_MASK) * at.ORDER_SIZE + at.ORDER_ID])
        from_home = candidate - home if candidate >= home else candidate - home + len(ids)
        from_hole = candidate - hole if candidate >= hole else candidate - hole + len(ids)
        if from_home >= from_hole:
            ids[hole] = entry
            hole = candidate
    ids[hole] = 0


@inlined
def take_order(memory: Memory) -> int:
    """Return an unused order; there is one."""
    state = memory.state
    state[at.LIVE_ORDERS] += 1
    order = state[at.FREE_ORDER]
    if order != 0:
        state[at.FREE_ORDER] = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
        return order
    state[at.USED_ORDERS] += 1
    return state[at.USED_ORDERS]


@inlined
def give_back(memory: Memory, place: int, order: int) -> None:
    """Return an order and the place of its id to the unused ones."""
    drop_id(memory, place)
    memory.links[order * at.LINK_SIZE + at.NEXT] = memory.state[at.FREE_ORDER]
    memory.state[at.FREE_ORDER] = order
    memory.state[at.LIVE_ORDERS] -= 1


@inlined
def ladder_of(symbol: int) -> int:
    """Return the ladder of a symbol's book."""
    return symbol * at.LADDERS + at.BOOK


@inlined
def side_of(word: int) -> int:
    """Return the side of an order."""
    return (word >> at.SIDE_SHIFT) & 1


@inlined
def symbol_of(word: int) -> int:
    """Return the symbol of an order."""
    return (word >> at.SYMBOL_SHIFT) & at.SYMBOL_MASK


@inlined
def is_waiting(word: int) -> bool:
    """Return whether an order waits for its trigger."""
    return word & at.TRIGGER_MASK != 0


@inlined
def hidden_lots(memory: Memory, order: int, word: int) -> int:
    """Return what an order has behind what it shows."""
    if word & at.HAS_EXTRA and not is_waiting(word):
        return memory.extras[order * at.EXTRA_SIZE + at.HIDDEN]
    return 0


@inlined
def write_order(memory: Memory, place: int, order: int, terms: Terms, word: int) -> None:
    """Fill in an order, and let its id's empty place lead to it."""
    memory.orders[order * at.ORDER_SIZE + at.ORDER_ID] = terms.order_id
    memory.orders[order * at.ORDER_SIZE + at.WORD] = word
    memory.links[order * at.LINK_SIZE + at.PRICE] = terms.price
    memory.links[order * at.LINK_SIZE + at.OWNER] = terms.owner
    memory.ids[place] = _marked(hash_of(terms.order_id), order)


@inlined
def enter_book(memory: Memory, symbol: int, side: int, price: int, order: int, shown: int) -> None:
    """Put an order at the back of its level; there is room."""
    join_back(memory, ladder_of(symbol), price, order, shown)
    books, best = memory.books, symbol * at.BOOK_SIZE + at.BEST + side
    towards = 1 - 2 * side  # better is higher for a buy and lower for a sell; a branch on the side is a coin toss
    books[best] = price if (price - books[best]) * towards > 0 else books[best]


@inlined
def leave_book(memory: Memory, symbol: int, side: int, price: int, order: int, shown: int) -> None:
    """Take an order out of its level; if it was the last at the best price, the next level is the best."""
    if leave_queue(memory, ladder_of(symbol), price, order, shown):
        best = symbol * at.BOOK_SIZE + at.BEST + side
        if price == memory.books[best]:
            if side == 0:  # each walk with a constant, so that the compiler folds its direction
                memory.books[best] = next_price(memory, ladder_of(symbol), price, False)
            else:
                memory.books[best] = next_price(memory, ladder_of(symbol), price, True)


@inlined
def waits_for_rise(word: int) -> bool:
    """Return whether a waiting order wakes at or above its trigger price (else at or below)."""
    return ((word >> at.TRIGGER_SHIFT) & 3 == TRIGGERS.STOP) == (side_of(word) == 0)


@inlined
def waiting_ladder(symbol: int, rises: bool) -> int:
    """Return the ladder of a symbol's orders that wait for a rise, or for a fall."""
    return symbol * at.LADDERS + (at.RISING if rises else at.FALLING)


@inlined
def nearest_trigger(symbol: int, rises: bool) -> int:
    """Return where in `books` the nearest trigger price of these orders stands."""
    return symbol * at.BOOK_SIZE + (at.NEXT_RISE if rises else at.NEXT_FALL)


@routine
def enter_waiting(memory: Memory, word: int, trigger_price: int, order: int) -> None:
    """Put an order at the back of those that wait for its trigger price; there is room."""
    rises = waits_for_rise(word)
    join_back(memory, waiting_ladder(symbol_of(word), rises), trigger_price, order, _NOTHING)
    nearest = nearest_trigger(symbol_of(word), rises)
    before = memory.books[nearest]
    memory.books[nearest] = min(before, trigger_price) if rises else max(before, trigger_price)


@routine
def leave_waiting(memory: Memory, word: int, order: int) -> None:
    """Take an order out of those that wait for its trigger price, or that trail the price."""
    if word & at.IS_TRAILING:
        _leave_trails(memory, symbol_of(word) * at.BOOK_SIZE, order)
        return
    rises = waits_for_rise(word)
    trigger_price = memory.extras[order * at.EXTRA_SIZE + at.TRIGGER_PRICE]
    ladder, nearest = waiting_ladder(symbol_of(word), rises), nearest_trigger(symbol_of(word), rises)
    if leave_queue(memory, ladder, trigger_price, order, _NOTHING) and trigger_price == memory.books[nearest]:
        memory.books[nearest] = next_price(memory, ladder, trigger_price, rises)


@inlined
def _leave_trails(memory: Memory, book: int, order: int) -> None:
    behind = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
    ahead = signed(memory.links[order * at.LINK_SIZE + at.PREVIOUS])
    if ahead == 0:
        memory.books[book + at.FIRST_TRAIL] = behind
    else:
        memory.links[ahead * at.LINK_SIZE + at.NEXT] = behind
    if behind == 0:
        memory.books[book + at.LAST_TRAIL] = ahead
    else:
        memory.links[behind * at.LINK_SIZE + at.PREVIOUS] = ahead


@inlined
def take_out(memory: Memory, place: int, order: int) -> None:
    """Take an order out of the book, or of those that wait, and give it back."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    if is_waiting(word):
        leave_waiting(memory, word, order)
    else:
        price = signed(memory.links[order * at.LINK_SIZE + at.PRICE])
        leave_book(memory, symbol_of(word), side_of(word), price, order, word & at.LOTS_MASK)
    give_back(memory, place, order)


@routine
def remove_order(memory: Memory, order: int) -> None:
    """Take an order out of the book, or of those that wait, and give it back."""
    take_out(memory, find_id(memory, memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]), order)
