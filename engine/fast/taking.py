"""An order acts: it trades with what rests; its rest joins the book or is cancelled; its trades wake those who wait.

The taker's numbers stand in `state`, so that a full ring of events can pause it between any two of its trades.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.bits import signed
from engine.fast.book import (
    enter_book,
    find_id,
    give_back,
    hidden_lots,
    ladder_of,
    leave_book,
    put_id,
    remove_order,
    side_of,
    symbol_of,
    take_order,
    write_order,
)
from engine.fast.ladder import first_order, has_room, level_at, next_above, next_below
from engine.fast.telling import has_event_room, tell_canceled, tell_executed, tell_rested, tell_triggered
from engine.kernel import argument, inlined, routine
from engine.rows.memory import (
    BEST,
    BOOK_SIZE,
    DISPLAY,
    EXTRA_SIZE,
    FALLING,
    HAS_EXTRA,
    HIDDEN,
    LADDERS,
    LAST_PRICE,
    LEVEL_SIZE,
    LINK_SIZE,
    LOTS_MASK,
    NEXT,
    NEXT_FALL,
    NEXT_RISE,
    NO_ASK,
    NO_BID,
    ORDER_ID,
    ORDER_SIZE,
    OWNER,
    PREVENTION_SHIFT,
    PRICE,
    PRICE_MASK,
    RISING,
    SIDE_SHIFT,
    STAGE,
    SYMBOL_MASK,
    SYMBOL_SHIFT,
    TAKER_DISPLAY,
    TAKER_ID,
    TAKER_LEAVES,
    TAKER_OWNER,
    TAKER_PREVENTION,
    TAKER_PRICE,
    TAKER_SIDE,
    TAKER_SYMBOL,
    TAKER_TIME_IN_FORCE,
    TAKER_TYPE,
    TIME_IN_FORCE_SHIFT,
    TOTAL,
    TRADE_ID,
    TRADED_HIGH,
    TRADED_LOW,
    TYPE_SHIFT,
    WORD,
    Memory,
)
from market.codes import CancelReason, OrderType, SelfTradePrevention, TimeInForce
from market.limits import PRICE_TICKS_MAX

# How far the command at hand has come.
IDLE: Final = 0
TRADING: Final = 1
WAKING: Final = 2
CANCELING: Final = 3
HALTING: Final = 4

_MARKET: Final = int(OrderType.MARKET)
_POST_ONLY: Final = int(OrderType.POST_ONLY)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)
_EXPIRE_TAKER: Final = int(SelfTradePrevention.EXPIRE_TAKER)
_EXPIRE_MAKER: Final = int(SelfTradePrevention.EXPIRE_MAKER)
_DECREMENT: Final = int(SelfTradePrevention.DECREMENT)
_PREVENTED: Final = argument(CancelReason.SELF_TRADE_PREVENTION)
_NO_LIQUIDITY: Final = argument(CancelReason.NO_LIQUIDITY)
_IMMEDIATE: Final = argument(CancelReason.IMMEDIATE_OR_CANCEL)
_LEVELS_FULL: Final = argument(CancelReason.LEVELS_FULL)
_WOULD_CROSS: Final = argument(CancelReason.POST_ONLY_WOULD_CROSS)
_KILLED: Final = argument(CancelReason.FILL_OR_KILL)
_NOBODY: Final = -1
_NOTHING: Final = argument(0)


@inlined
def is_crossing(memory: Memory, symbol: int, side: int, price: int) -> bool:
    """Return whether an order at `price` would trade at once."""
    return (price - memory.books[symbol * BOOK_SIZE + BEST + 1 - side]) * (1 - 2 * side) >= 0


@inlined
def limit_of(side: int, order_type: int, price: int) -> int:
    """Return the worst price at which an order trades."""
    if order_type != _MARKET:
        return price
    return PRICE_TICKS_MAX if side == 0 else 1


@inlined
def shown_of(leaves: int, display: int) -> int:
    """Return what the book shows of an order that joins a queue."""
    return leaves if display == 0 or display > leaves else display


@inlined
def word_of(symbol: int, side: int, order_type: int, prevention: int, display: int, shown: int) -> int:
    """Return the word of a resting order."""
    word = shown | side << SIDE_SHIFT | order_type << TYPE_SHIFT | prevention << PREVENTION_SHIFT
    return word | symbol << SYMBOL_SHIFT | (HAS_EXTRA if display != 0 else 0)


@inlined
def own_of(memory: Memory) -> int:
    """Return the owner whose orders the taker may not trade with."""
    owner = memory.state[TAKER_OWNER]
    return owner if memory.state[TAKER_PREVENTION] != 0 and owner != 0 else _NOBODY


@inlined
def start_taking(memory: Memory) -> None:
    """Let the taker trade, unless it is cancelled before its first trade."""
    state = memory.state
    state[STAGE] = TRADING
    if state[TAKER_TYPE] == _POST_ONLY:
        if is_crossing(memory, state[TAKER_SYMBOL], state[TAKER_SIDE], state[TAKER_PRICE]):
            _cancel_taker(memory, _WOULD_CROSS)
            state[STAGE] = WAKING
    elif state[TAKER_TIME_IN_FORCE] == _FOK and not _can_fill(memory):
        _cancel_taker(memory, _KILLED)
        state[STAGE] = WAKING


@inlined
def go_on_taking(memory: Memory) -> None:
    """Trade, rest, wake, from where the last call stopped until nothing is left to do or the ring of events is full."""
    state = memory.state
    while state[STAGE] != IDLE:
        if state[STAGE] == TRADING:
            if not _trade(memory):
                return
            state[STAGE] = WAKING
        if not _wake_next(memory):
            return


@inlined
def _trade(memory: Memory) -> bool:
    """Trade until the taker is done and settled; return False if the ring of events is too full to go on."""
    state, books, orders = memory.state, memory.books, memory.orders
    symbol, side = state[TAKER_SYMBOL] & SYMBOL_MASK, state[TAKER_SIDE] & 1
    limit = limit_of(side, state[TAKER_TYPE], state[TAKER_PRICE])
    own = own_of(memory)
    book = symbol * BOOK_SIZE
    ladder = ladder_of(symbol)
    towards = 1 - 2 * side
    while state[TAKER_LEAVES] > 0:
        price = books[book + BEST + 1 - side] & PRICE_MASK
        if (price - limit) * towards > 0:
            break
        if not has_event_room(memory):
            return False
        order = first_order(memory, ladder, price)
        if signed(memory.links[order * LINK_SIZE + OWNER]) == own:
            _prevent(memory, order, price)
        else:
            _execute(memory, order, price, min(state[TAKER_LEAVES], orders[order * ORDER_SIZE + WORD] & LOTS_MASK))
    if state[TAKER_LEAVES] > 0:
        _settle(memory)
    return True


@inlined
def _execute(memory: Memory, order: int, price: int, lots: int) -> None:
    """Trade `lots` of what the maker shows."""
    state = memory.state
    symbol = state[TAKER_SYMBOL] & SYMBOL_MASK
    book = symbol * BOOK_SIZE
    word = memory.orders[order * ORDER_SIZE + WORD]
    shown = (word & LOTS_MASK) - lots
    hidden = hidden_lots(memory, order, word)
    state[TAKER_LEAVES] -= lots
    memory.books[book + TRADE_ID] += 1
    memory.books[book + LAST_PRICE] = price
    memory.books[book + TRADED_LOW] = min(memory.books[book + TRADED_LOW], price)
    memory.books[book + TRADED_HIGH] = max(memory.books[book + TRADED_HIGH], price)
    tell_executed(
        memory,
        symbol,
        memory.books[book + TRADE_ID],
        price,
        lots,
        state[TAKER_SIDE],
        state[TAKER_ID],
        state[TAKER_OWNER],
        state[TAKER_LEAVES],
        memory.orders[order * ORDER_SIZE + ORDER_ID],
        signed(memory.links[order * LINK_SIZE + OWNER]),
        shown + hidden,
        shown,
    )
    _take_lots(memory, order, price, lots)


@inlined
def _take_lots(memory: Memory, order: int, price: int, lots: int) -> None:
    """Take lots off what a resting order shows; one that shows nothing more leaves or, an iceberg, refills behind."""
    word = memory.orders[order * ORDER_SIZE + WORD]
    if word & LOTS_MASK != lots:
        memory.orders[order * ORDER_SIZE + WORD] = word - lots
        memory.levels[level_at(memory, ladder_of(symbol_of(word)), price) * LEVEL_SIZE + TOTAL] -= lots
    elif hidden_lots(memory, order, word) != 0:
        _refill(memory, order, price)
    else:
        place = find_id(memory, memory.orders[order * ORDER_SIZE + ORDER_ID])
        leave_book(memory, symbol_of(word), side_of(word), price, order, lots)
        give_back(memory, place, order)


@routine
def _refill(memory: Memory, order: int, price: int) -> None:
    """Let an iceberg of which all that was shown is gone show more at the back of its queue."""
    word = memory.orders[order * ORDER_SIZE + WORD]
    symbol, side = symbol_of(word), side_of(word)
    hidden = memory.extras[order * EXTRA_SIZE + HIDDEN]
    shown = shown_of(hidden, memory.extras[order * EXTRA_SIZE + DISPLAY])
    leave_book(memory, symbol, side, price, order, word & LOTS_MASK)
    memory.orders[order * ORDER_SIZE + WORD] = (word & ~LOTS_MASK) | shown
    memory.extras[order * EXTRA_SIZE + HIDDEN] = hidden - shown
    enter_book(memory, symbol, side, price, order, shown)
    order_id = memory.orders[order * ORDER_SIZE + ORDER_ID]
    owner = signed(memory.links[order * LINK_SIZE + OWNER])
    tell_rested(memory, symbol, order_id, owner, side, price, shown, hidden)


@routine
def _prevent(memory: Memory, order: int, price: int) -> None:
    """Do what the taker's mode says when it meets an order of its owner."""
    state = memory.state
    mode = state[TAKER_PREVENTION]
    word = memory.orders[order * ORDER_SIZE + WORD]
    order_id = memory.orders[order * ORDER_SIZE + ORDER_ID]
    symbol, side, owner = state[TAKER_SYMBOL], side_of(word), state[TAKER_OWNER]
    leaves = (word & LOTS_MASK) + hidden_lots(memory, order, word)
    if mode == _DECREMENT:
        lots = min(state[TAKER_LEAVES], word & LOTS_MASK)
        tell_canceled(memory, symbol, order_id, owner, side, price, lots, leaves - lots, _PREVENTED)
        _take_lots(memory, order, price, lots)
        state[TAKER_LEAVES] -= lots
        _tell_taker_canceled(memory, lots, _PREVENTED)
        return
    if mode != _EXPIRE_TAKER:
        remove_order(memory, order)
        tell_canceled(memory, symbol, order_id, owner, side, price, leaves, _NOTHING, _PREVENTED)
    if mode != _EXPIRE_MAKER:
        _cancel_taker(memory, _PREVENTED)


@inlined
def _cancel_taker(memory: Memory, reason: int) -> None:
    """Cancel all that is left of the taker."""
    leaves = memory.state[TAKER_LEAVES]
    memory.state[TAKER_LEAVES] = 0
    _tell_taker_canceled(memory, leaves, reason)


@routine
def _tell_taker_canceled(memory: Memory, lots: int, reason: int) -> None:
    state = memory.state
    tell_canceled(
        memory,
        state[TAKER_SYMBOL],
        state[TAKER_ID],
        state[TAKER_OWNER],
        state[TAKER_SIDE],
        state[TAKER_PRICE],
        lots,
        state[TAKER_LEAVES],
        reason,
    )


@inlined
def _settle(memory: Memory) -> None:
    """Let the rest of the taker join the book, or cancel it."""
    state = memory.state
    symbol, side, price, leaves = state[TAKER_SYMBOL], state[TAKER_SIDE], state[TAKER_PRICE], state[TAKER_LEAVES]
    if state[TAKER_TYPE] == _MARKET:
        _cancel_taker(memory, _NO_LIQUIDITY)
    elif state[TAKER_TIME_IN_FORCE] == _IOC:
        _cancel_taker(memory, _IMMEDIATE)
    elif not has_room(memory, ladder_of(symbol), price):
        _cancel_taker(memory, _LEVELS_FULL)
    else:
        order_id, owner = state[TAKER_ID], state[TAKER_OWNER]
        shown = rest_order(
            memory,
            find_id(memory, order_id),
            order_id,
            symbol,
            side,
            price,
            leaves,
            owner,
            state[TAKER_TYPE],
            state[TAKER_PREVENTION],
            state[TAKER_DISPLAY],
        )
        tell_rested(memory, symbol, order_id, owner, side, price, shown, leaves)


@inlined
def rest_order(
    memory: Memory,
    place: int,
    order_id: int,
    symbol: int,
    side: int,
    price: int,
    leaves: int,
    owner: int,
    order_type: int,
    prevention: int,
    display: int,
) -> int:
    """Put an order into the book, its id at `place`; return what the book shows of it."""
    order = take_order(memory)
    shown = shown_of(leaves, display)
    word = word_of(symbol, side, order_type, prevention, display, shown)
    write_order(memory, order, order_id, word, price, owner)
    if display != 0:
        memory.extras[order * EXTRA_SIZE + HIDDEN] = leaves - shown
        memory.extras[order * EXTRA_SIZE + DISPLAY] = display
    put_id(memory, place, order_id, order)
    enter_book(memory, symbol, side, price, order, shown)
    return shown


@routine
def _can_fill(memory: Memory) -> bool:
    """Return whether all of a fill-or-kill taker would trade.

    Own orders stop it, except that EXPIRE_MAKER takes them out of the way. What icebergs hide is behind everything that
    their level shows, so it counts only once the level has no own order in the way.
    """
    state = memory.state
    symbol, side, wanted = state[TAKER_SYMBOL], state[TAKER_SIDE], state[TAKER_LEAVES]
    limit = limit_of(side, state[TAKER_TYPE], state[TAKER_PRICE])
    own = own_of(memory)
    ladder = ladder_of(symbol)
    price = memory.books[symbol * BOOK_SIZE + BEST + 1 - side]
    available = 0
    while (price <= limit) if side == 0 else (price >= limit):
        hidden = 0
        order = first_order(memory, ladder, price)
        while order != 0:
            word = memory.orders[order * ORDER_SIZE + WORD]
            if signed(memory.links[order * LINK_SIZE + OWNER]) != own:
                available += word & LOTS_MASK
                hidden += hidden_lots(memory, order, word)
                if available >= wanted:
                    return True
            elif state[TAKER_PREVENTION] != _EXPIRE_MAKER:
                return False
            order = signed(memory.links[order * LINK_SIZE + NEXT])
        available += hidden
        if available >= wanted:
            return True
        price = next_above(memory, ladder, price, NO_ASK) if side == 0 else next_below(memory, ladder, price, NO_BID)
    return False


@inlined
def _wake_next(memory: Memory) -> bool:
    """Wake the next waiting order and make it the taker, or end the command.

    Return False if the ring of events is too full to go on.
    """
    state, books = memory.state, memory.books
    book = state[TAKER_SYMBOL] * BOOK_SIZE
    rises = books[book + NEXT_RISE] <= books[book + TRADED_HIGH]
    if rises or books[book + NEXT_FALL] >= books[book + TRADED_LOW]:
        if not has_event_room(memory):
            return False
        _wake(memory, rises)
    else:
        books[book + TRADED_LOW] = NO_ASK
        books[book + TRADED_HIGH] = NO_BID
        state[STAGE] = IDLE
    return True


@routine
def _wake(memory: Memory, rises: bool) -> None:
    symbol = memory.state[TAKER_SYMBOL]
    if rises:
        order = first_order(memory, symbol * LADDERS + RISING, memory.books[symbol * BOOK_SIZE + NEXT_RISE])
    else:
        order = first_order(memory, symbol * LADDERS + FALLING, memory.books[symbol * BOOK_SIZE + NEXT_FALL])
    word = memory.orders[order * ORDER_SIZE + WORD]
    leaves = word & LOTS_MASK
    make_taker(memory, order, signed(memory.links[order * LINK_SIZE + PRICE]), leaves)
    memory.state[TAKER_TIME_IN_FORCE] = (word >> TIME_IN_FORCE_SHIFT) & 3
    remove_order(memory, order)
    tell_triggered(memory, symbol, memory.state[TAKER_ID], memory.state[TAKER_OWNER])
    start_taking(memory)


@inlined
def make_taker(memory: Memory, order: int, price: int, leaves: int) -> None:
    """Let an order of ours be the taker, with a new price and quantity."""
    state = memory.state
    word = memory.orders[order * ORDER_SIZE + WORD]
    state[TAKER_ID] = memory.orders[order * ORDER_SIZE + ORDER_ID]
    state[TAKER_SYMBOL] = symbol_of(word)
    state[TAKER_SIDE] = side_of(word)
    state[TAKER_PRICE] = price
    state[TAKER_LEAVES] = leaves
    state[TAKER_OWNER] = signed(memory.links[order * LINK_SIZE + OWNER])
    state[TAKER_TYPE] = (word >> TYPE_SHIFT) & 3
    state[TAKER_TIME_IN_FORCE] = 0
    state[TAKER_PREVENTION] = (word >> PREVENTION_SHIFT) & 7
    state[TAKER_DISPLAY] = memory.extras[order * EXTRA_SIZE + DISPLAY] if word & HAS_EXTRA else 0
