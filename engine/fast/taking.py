"""An order acts: it trades with what rests; its rest joins the book or is cancelled; its trades wake those who wait.

The taker's numbers stand in `state`, so that a full ring of events can pause it between any two of its trades.
"""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.fast.book import (
    enter_book,
    find_id,
    give_back,
    hidden_lots,
    ladder_of,
    leave_book,
    nearest_trigger,
    remove_order,
    side_of,
    symbol_of,
    take_order,
    waiting_ladder,
    write_order,
)
from engine.fast.ladder import first_order, has_room, level_at, next_price
from engine.fast.prices import is_crossing, limit_of, worst_price
from engine.fast.telling import NOBODY, NOTHING, has_event_room, tell
from engine.fast.trailing import follow_trade, next_due, tell_trails
from engine.rows import memory as at
from engine.rows.memory import Memory, Terms
from market.kernels.bits import signed
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import ENDS, PREVENTIONS, TAGS, TIMES, TYPES

# How far the command at hand has come.
IDLE, TRADING, WAKING, CANCELING, HALTING = range(5)

_PREVENTED: Final = ENDS.SELF_TRADE_PREVENTION


@inlined
def shown_of(leaves: int, display: int) -> int:
    """Return what the book shows of an order that joins a queue."""
    return leaves if display == 0 or display > leaves else display


@inlined
def word_of(terms: Terms, shown: int) -> int:
    """Return the word of a resting order."""
    word = shown | terms.side << at.SIDE_SHIFT | terms.order_type << at.TYPE_SHIFT
    word |= terms.prevention << at.PREVENTION_SHIFT | terms.symbol << at.SYMBOL_SHIFT
    return word | (at.HAS_EXTRA if terms.display != 0 else 0)


@inlined
def own_of(memory: Memory) -> int:
    """Return the owner whose orders the taker may not trade with."""
    owner = memory.state[at.TAKER_OWNER]
    return owner if memory.state[at.TAKER_PREVENTION] != 0 and owner != 0 else NOBODY


@inlined
def start_taking(memory: Memory) -> None:
    """Let the taker trade, unless it is cancelled before its first trade."""
    state = memory.state
    state[at.STAGE] = TRADING
    if state[at.TAKER_TYPE] == TYPES.POST_ONLY:
        if is_crossing(memory, state[at.TAKER_SYMBOL], state[at.TAKER_SIDE], state[at.TAKER_PRICE]):
            _cancel_taker(memory, ENDS.POST_ONLY_WOULD_CROSS)
            state[at.STAGE] = WAKING
    elif state[at.TAKER_TIME_IN_FORCE] == TIMES.FOK and not _can_fill(memory):
        _cancel_taker(memory, ENDS.FILL_OR_KILL)
        state[at.STAGE] = WAKING


@inlined
def go_on_taking(memory: Memory) -> None:
    """Trade, rest, wake, from where the last call stopped until nothing is left to do or the ring of events is full."""
    state = memory.state
    while state[at.STAGE] != IDLE:
        if state[at.STAGE] == TRADING:
            if not _trade(memory):
                return
            state[at.STAGE] = WAKING
        if not _wake_next(memory):
            return


@inlined
def _trade(memory: Memory) -> bool:
    """Trade until the taker is done and settled; return False if the ring of events is too full to go on."""
    state, books, orders = memory.state, memory.books, memory.orders
    symbol, side = state[at.TAKER_SYMBOL] & at.SYMBOL_MASK, state[at.TAKER_SIDE] & 1
    asked = limit_of(side, state[at.TAKER_TYPE], state[at.TAKER_PRICE])
    limit = worst_price(memory, symbol, side, asked)
    own = own_of(memory)
    book = symbol * at.BOOK_SIZE
    ladder = ladder_of(symbol)
    towards = 1 - 2 * side
    while state[at.TAKER_LEAVES] > 0:
        price = books[book + at.BEST + 1 - side] & at.PRICE_MASK
        if (price - limit) * towards > 0:
            break
        if not has_event_room(memory):
            return False
        order = first_order(memory, ladder, price)
        if signed(memory.links[order * at.LINK_SIZE + at.OWNER]) == own:
            _prevent(memory, order, price)
        else:
            shown = orders[order * at.ORDER_SIZE + at.WORD] & at.LOTS_MASK
            _execute(memory, order, price, min(state[at.TAKER_LEAVES], shown))
    if state[at.TAKER_LEAVES] > 0:
        if is_crossing(memory, symbol, side, asked):
            _cancel_taker(memory, ENDS.PRICE_RANGE)
        else:
            _settle(memory)
    return True


@inlined
def _execute(memory: Memory, order: int, price: int, lots: int) -> None:
    """Trade `lots` of what the maker shows."""
    state = memory.state
    symbol = state[at.TAKER_SYMBOL] & at.SYMBOL_MASK
    book = symbol * at.BOOK_SIZE
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    shown = (word & at.LOTS_MASK) - lots
    hidden = hidden_lots(memory, order, word)
    state[at.TAKER_LEAVES] -= lots
    memory.books[book + at.TRADE_ID] += 1
    memory.books[book + at.LAST_PRICE] = price
    memory.books[book + at.TRADED_LOW] = min(memory.books[book + at.TRADED_LOW], price)
    memory.books[book + at.TRADED_HIGH] = max(memory.books[book + at.TRADED_HIGH], price)
    if price > memory.books[book + at.CALM_HIGH] or price < memory.books[book + at.CALM_LOW]:
        follow_trade(memory, symbol, price)
    tell(
        memory,
        TAGS.EXECUTED,
        (
            symbol,
            memory.books[book + at.TRADE_ID],
            price,
            lots,
            state[at.TAKER_SIDE],
            state[at.TAKER_ID],
            state[at.TAKER_OWNER],
            state[at.TAKER_LEAVES],
            memory.orders[order * at.ORDER_SIZE + at.ORDER_ID],
            signed(memory.links[order * at.LINK_SIZE + at.OWNER]),
            shown + hidden,
            shown,
        ),
    )
    _take_lots(memory, order, price, lots)


@inlined
def _take_lots(memory: Memory, order: int, price: int, lots: int) -> None:
    """Take lots off what a resting order shows; one that shows nothing more leaves or, an iceberg, refills behind."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    if word & at.LOTS_MASK != lots:
        memory.orders[order * at.ORDER_SIZE + at.WORD] = word - lots
        memory.levels[level_at(memory, ladder_of(symbol_of(word)), price) * at.LEVEL_SIZE + at.TOTAL] -= lots
    elif hidden_lots(memory, order, word) != 0:
        _refill(memory, order, price)
    else:
        place = find_id(memory, memory.orders[order * at.ORDER_SIZE + at.ORDER_ID])
        leave_book(memory, symbol_of(word), side_of(word), price, order, lots)
        give_back(memory, place, order)


@routine
def _refill(memory: Memory, order: int, price: int) -> None:
    """Let an iceberg of which all that was shown is gone show more at the back of its queue."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    symbol, side = symbol_of(word), side_of(word)
    hidden = memory.extras[order * at.EXTRA_SIZE + at.HIDDEN]
    shown = shown_of(hidden, memory.extras[order * at.EXTRA_SIZE + at.DISPLAY])
    leave_book(memory, symbol, side, price, order, word & at.LOTS_MASK)
    memory.orders[order * at.ORDER_SIZE + at.WORD] = (word & ~at.LOTS_MASK) | shown
    memory.extras[order * at.EXTRA_SIZE + at.HIDDEN] = hidden - shown
    enter_book(memory, symbol, side, price, order, shown)
    order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
    owner = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
    tell(memory, TAGS.RESTED, (symbol, order_id, owner, side, price, shown, hidden))


@routine
def _prevent(memory: Memory, order: int, price: int) -> None:
    """Do what the taker's mode says when it meets an order of its owner."""
    state = memory.state
    mode = state[at.TAKER_PREVENTION]
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    if mode == PREVENTIONS.DECREMENT:
        lots = min(state[at.TAKER_LEAVES], word & at.LOTS_MASK)
        tell_canceled(memory, order, lots, _PREVENTED)
        _take_lots(memory, order, price, lots)
        state[at.TAKER_LEAVES] -= lots
        _tell_taker_canceled(memory, lots, _PREVENTED)
        return
    if mode != PREVENTIONS.EXPIRE_TAKER:
        tell_canceled(memory, order, open_lots(memory, order), _PREVENTED)
        remove_order(memory, order)
    if mode != PREVENTIONS.EXPIRE_MAKER:
        _cancel_taker(memory, _PREVENTED)


@inlined
def _cancel_taker(memory: Memory, reason: int) -> None:
    """Cancel all that is left of the taker."""
    leaves = memory.state[at.TAKER_LEAVES]
    memory.state[at.TAKER_LEAVES] = 0
    _tell_taker_canceled(memory, leaves, reason)


@routine
def _tell_taker_canceled(memory: Memory, lots: int, reason: int) -> None:
    taker = _taker(memory)
    fields = (taker.symbol, taker.order_id, taker.owner, taker.side, taker.price, lots, taker.lots, reason)
    tell(memory, TAGS.CANCELED, fields)


@inlined
def open_lots(memory: Memory, order: int) -> int:
    """Return all that is open of an order."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    return (word & at.LOTS_MASK) + hidden_lots(memory, order, word)


@inlined
def tell_canceled(memory: Memory, order: int, lots: int, reason: int) -> None:
    """Tell that so many lots of an order of ours, which still has its place, leave."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
    owner = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
    price = signed(memory.links[order * at.LINK_SIZE + at.PRICE])
    leaves = open_lots(memory, order) - lots
    tell(memory, TAGS.CANCELED, (symbol_of(word), order_id, owner, side_of(word), price, lots, leaves, reason))


@inlined
def _settle(memory: Memory) -> None:
    """Let the rest of the taker join the book, or cancel it."""
    taker = _taker(memory)
    if taker.order_type == TYPES.MARKET:
        _cancel_taker(memory, ENDS.NO_LIQUIDITY)
    elif taker.time_in_force == TIMES.IOC:
        _cancel_taker(memory, ENDS.IMMEDIATE_OR_CANCEL)
    elif not has_room(memory, ladder_of(taker.symbol), taker.price):
        _cancel_taker(memory, ENDS.LEVELS_FULL)
    else:
        shown = rest_order(memory, find_id(memory, taker.order_id), taker)
        fields = (taker.symbol, taker.order_id, taker.owner, taker.side, taker.price, shown, taker.lots)
        tell(memory, TAGS.RESTED, fields)


@inlined
def rest_order(memory: Memory, place: int, terms: Terms) -> int:
    """Put an order into the book, its id at `place`; return what the book shows of it."""
    order = take_order(memory)
    shown = shown_of(terms.lots, terms.display)
    write_order(memory, place, order, terms, word_of(terms, shown))
    if terms.display != 0:
        memory.extras[order * at.EXTRA_SIZE + at.HIDDEN] = terms.lots - shown
        memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] = terms.display
    enter_book(memory, terms.symbol, terms.side, terms.price, order, shown)
    return shown


@routine
def _can_fill(memory: Memory) -> bool:
    """Return whether all of a fill-or-kill taker would trade.

    Own orders stop it, except that EXPIRE_MAKER takes them out of the way. What icebergs hide is behind everything that
    their level shows, so it counts only once the level has no own order in the way.
    """
    state = memory.state
    symbol, side, wanted = state[at.TAKER_SYMBOL], state[at.TAKER_SIDE], state[at.TAKER_LEAVES]
    limit = worst_price(memory, symbol, side, limit_of(side, state[at.TAKER_TYPE], state[at.TAKER_PRICE]))
    own = own_of(memory)
    ladder = ladder_of(symbol)
    price = memory.books[symbol * at.BOOK_SIZE + at.BEST + 1 - side]
    available = 0
    while (price <= limit) if side == 0 else (price >= limit):
        hidden = 0
        order = first_order(memory, ladder, price)
        while order != 0:
            word = memory.orders[order * at.ORDER_SIZE + at.WORD]
            if signed(memory.links[order * at.LINK_SIZE + at.OWNER]) != own:
                available += word & at.LOTS_MASK
                hidden += hidden_lots(memory, order, word)
                if available >= wanted:
                    return True
            elif state[at.TAKER_PREVENTION] != PREVENTIONS.EXPIRE_MAKER:
                return False
            order = signed(memory.links[order * at.LINK_SIZE + at.NEXT])
        available += hidden
        if available >= wanted:
            return True
        price = next_price(memory, ladder, price, side == 0)
    return False


@inlined
def _wake_next(memory: Memory) -> bool:
    """Wake the next waiting order and make it the taker, or end the command.

    Return False if the ring of events is too full to go on.
    """
    state, books = memory.state, memory.books
    symbol = state[at.TAKER_SYMBOL]
    book = symbol * at.BOOK_SIZE
    is_stirred = books[book + at.IS_STIRRED] != 0
    if is_stirred and not tell_trails(memory, symbol):
        return False
    rises = books[book + at.NEXT_RISE] <= books[book + at.TRADED_HIGH]
    woken = NOTHING
    if rises or books[book + at.NEXT_FALL] >= books[book + at.TRADED_LOW]:
        woken = first_order(memory, waiting_ladder(symbol, rises), books[nearest_trigger(symbol, rises)])
    elif is_stirred:
        woken = next_due(memory, symbol)
    if woken == 0:
        books[book + at.TRADED_LOW] = at.NO_ASK
        books[book + at.TRADED_HIGH] = at.NO_BID
        books[book + at.IS_STIRRED] = 0
        state[at.STAGE] = IDLE
    elif has_event_room(memory):
        _wake(memory, woken)
    else:
        return False
    return True


@routine
def _wake(memory: Memory, order: int) -> None:
    leaves = memory.orders[order * at.ORDER_SIZE + at.WORD] & at.LOTS_MASK
    make_taker(memory, order, signed(memory.links[order * at.LINK_SIZE + at.PRICE]), leaves)
    remove_order(memory, order)
    tell(
        memory, TAGS.TRIGGERED, (memory.state[at.TAKER_SYMBOL], memory.state[at.TAKER_ID], memory.state[at.TAKER_OWNER])
    )
    start_taking(memory)


@inlined
def make_taker(memory: Memory, order: int, price: int, leaves: int) -> None:
    """Let an order of ours be the taker, with a new price and quantity."""
    word = memory.orders[order * at.ORDER_SIZE + at.WORD]
    order_id = memory.orders[order * at.ORDER_SIZE + at.ORDER_ID]
    owner = signed(memory.links[order * at.LINK_SIZE + at.OWNER])
    order_type, time_in_force = (word >> at.TYPE_SHIFT) & 3, (word >> at.TIME_IN_FORCE_SHIFT) & 3
    prevention = (word >> at.PREVENTION_SHIFT) & 7
    display = memory.extras[order * at.EXTRA_SIZE + at.DISPLAY] if word & at.HAS_EXTRA else NOTHING
    symbol, side = symbol_of(word), side_of(word)
    terms = Terms(order_id, symbol, side, price, leaves, owner, order_type, time_in_force, prevention, display)
    set_taker(memory, terms)


@inlined
def set_taker(memory: Memory, terms: Terms) -> None:
    """Let an order with these terms be the taker."""
    for index in range(len(terms)):
        memory.state[at.TAKER_ID + index] = terms[index]


@inlined
def _taker(memory: Memory) -> Terms:
    """Return the taker's terms, with what is left of its lots."""
    state = memory.state
    return Terms(
        state[at.TAKER_ID],
        state[at.TAKER_SYMBOL],
        state[at.TAKER_SIDE],
        state[at.TAKER_PRICE],
        state[at.TAKER_LEAVES],
        state[at.TAKER_OWNER],
        state[at.TAKER_TYPE],
        state[at.TAKER_TIME_IN_FORCE],
        state[at.TAKER_PREVENTION],
        state[at.TAKER_DISPLAY],
    )
