"""The engine's memory: every array a kernel works on, and what stands where in it.

All of it is taken once. Indices are kept as 32-bit unsigned integers: half the space, and the compiler sees that they
are never negative, so that it drops numpy's wrap-around. Order 0 and page 0 are never used: index 0 means none, and
memory that is all zeros is an empty engine.
"""

from typing import Final, NamedTuple

import numpy as np

from engine.capacity import LEVELS_PER_PAGE, PAGE_BITS, Capacity
from engine.rows.ring import Ring
from market.kernels.rows import Int64Array, Uint32Array
from market.limits import PRICE_TICKS_MAX, SYMBOLS_MAX

# Engine-wide numbers.
FREE_ORDER: Final = 0  # first of the list of places that were given back
USED_ORDERS: Final = 1  # places ever used, so that the first use of a place needs no list
LIVE_ORDERS: Final = 2
ORDERS_MAX: Final = 3
FREE_PAGE: Final = 4
USED_PAGES: Final = 5
PAGES_LEFT: Final = 6
SYMBOLS: Final = 7
TIME_NS: Final = 8  # of the command at hand
STAGE: Final = 9  # how far the command at hand has come; see matching.py
CURSOR: Final = 10  # the symbol that a mass cancel or a halt has come to
TAKER_ID: Final = 16  # from here on, in their order, the taker's Terms
TAKER_SYMBOL: Final = 17
TAKER_SIDE: Final = 18
TAKER_PRICE: Final = 19
TAKER_LEAVES: Final = 20
TAKER_OWNER: Final = 21
TAKER_TYPE: Final = 22
TAKER_TIME_IN_FORCE: Final = 23
TAKER_PREVENTION: Final = 24
TAKER_DISPLAY: Final = 25
STATE_SIZE: Final = 32

# A symbol's numbers, BOOK_SIZE for each symbol.
BEST: Final = 0  # + side; an empty side's best price is one that nobody crosses: NO_BID or NO_ASK
NEXT_RISE: Final = 2  # the nearest trigger price of the orders that wait for a rise; NO_ASK for none
NEXT_FALL: Final = 3  # of those that wait for a fall; NO_BID for none
LAST_PRICE: Final = 4
TRADE_ID: Final = 5
IS_HALTED: Final = 6
TRADED_LOW: Final = 7  # prices traded since the waiting orders were last looked at
TRADED_HIGH: Final = 8
RANGE_LOW: Final = 9  # between which takers may trade, both included
RANGE_HIGH: Final = 10
FIRST_TRAIL: Final = 11  # of the orders that trail the price, or will; 0 for none
LAST_TRAIL: Final = 12
IS_STIRRED: Final = 13  # one of them has moved or is due
CALM_LOW: Final = 14  # a trade between these prices, both included, concerns none of them
CALM_HIGH: Final = 15
BOOK_SIZE: Final = 16
NO_BID: Final = 0
NO_ASK: Final = PRICE_TICKS_MAX + 1
PRICE_MASK: Final = (1 << 27) - 1
assert NO_ASK <= PRICE_MASK, "a price has all its bits under the mask"

# An order: 32 bytes. `orders` sees it as ORDER_SIZE 64-bit numbers, `links` as twice as many 32-bit ones.
ORDER_SIZE: Final = 4
ORDER_ID: Final = 0
WORD: Final = 1  # the lots that it shows (all that it has, while it waits), and above them what it is
LINK_SIZE: Final = 8
PRICE: Final = 4
OWNER: Final = 5
NEXT: Final = 6
PREVIOUS: Final = 7

# What stands in an order's WORD above its lots.
LOTS_BITS: Final = 40
LOTS_MASK: Final = (1 << LOTS_BITS) - 1
SIDE_SHIFT: Final = 40
TYPE_SHIFT: Final = 41  # 2 bits
PREVENTION_SHIFT: Final = 43  # 3 bits
TIME_IN_FORCE_SHIFT: Final = 46  # 2 bits, of a waiting order; what rests is good till cancelled
TRIGGER_SHIFT: Final = 48  # 2 bits, not 0 while it waits
SYMBOL_SHIFT: Final = 50  # 6 bits
SYMBOL_MASK: Final = SYMBOLS_MAX - 1
HAS_EXTRA_SHIFT: Final = 56  # an iceberg, or it waits: its extra fields count
HAS_EXTRA: Final = 1 << HAS_EXTRA_SHIFT
IS_TRAILING: Final = 1 << 57  # it waits in the list of those that trail
HAS_MOVED: Final = 1 << 58  # while a command is handled: its best price is still to be told
IS_DUE: Final = 1 << 59  # likewise: its price has turned, it is to wake
TRIGGER_MASK: Final = 3 << TRIGGER_SHIFT

# What only icebergs and waiting orders need, 16 bytes beside each order.
EXTRA_SIZE: Final = 2
HIDDEN: Final = 0  # lots behind what an iceberg shows
TRIGGER_PRICE: Final = (
    0  # of a waiting order, which hides nothing; of one that trails, see trailing.py, its distance too
)
TRAIL_BPS_SHIFT: Final = 32
DISPLAY: Final = 1

# A price level: 16 bytes. `levels` sees it as LEVEL_SIZE 64-bit numbers, `queues` as twice as many 32-bit ones.
LEVEL_SIZE: Final = 2
TOTAL: Final = 0  # lots shown by its orders
QUEUE_SIZE: Final = 4
HEAD: Final = 2
TAIL: Final = 3

# The table of ids: an order in the lower bits, and above it a mark made of the id's hash.
ID_ORDER_BITS: Final = 23
ID_ORDER_MASK: Final = (1 << ID_ORDER_BITS) - 1
ID_MARK_MASK: Final = (1 << 32) - 1 - ID_ORDER_MASK
ID_PLACES: Final = 3  # for each order: a search meets another id one time in six on average, if all orders are in use

# The bits of a page: one word that tells which of the 64 words behind it are not 0.
PAGE_WORDS: Final = 72
LEVEL_WORDS: Final = 8

# Each symbol has three ladders of levels.
LADDERS: Final = 3
BOOK: Final = 0  # both sides: they never meet
RISING: Final = 1  # orders that wait for a rise, by trigger price
FALLING: Final = 2
LADDER_PAGES: Final = (PRICE_TICKS_MAX >> PAGE_BITS) + 1
LADDER_TOP_WORDS: Final = (LADDER_PAGES >> 12) + 1
LADDER_PAGE_WORDS: Final = 8  # where the words that tell which pages are in use begin
LADDER_WORDS: Final = LADDER_PAGE_WORDS + (LADDER_PAGES >> 6) + 1


class Terms(NamedTuple):
    """What an order that acts asks for; `lots` is all that it has."""

    order_id: int
    symbol: int
    side: int
    price: int
    lots: int
    owner: int
    order_type: int
    time_in_force: int
    prevention: int
    display: int


class Memory(NamedTuple):
    """The arrays, in the order in which kernels take them."""

    commands: Int64Array
    command_positions: Int64Array
    events: Int64Array
    event_positions: Int64Array
    state: Int64Array
    books: Int64Array
    orders: Int64Array
    links: Uint32Array
    extras: Int64Array
    ids: Uint32Array
    levels: Int64Array
    queues: Uint32Array
    page_bits: Int64Array
    ladder_bits: Int64Array
    pages: Uint32Array


def make_memory(capacity: Capacity, commands: Ring, events: Ring) -> Memory:
    """Take the memory of an empty engine."""
    orders = np.zeros((capacity.orders_max + 1) * ORDER_SIZE, np.int64)
    levels = np.zeros((capacity.pages_max + 1) * LEVELS_PER_PAGE * LEVEL_SIZE, np.int64)
    state = np.zeros(STATE_SIZE, np.int64)
    state[ORDERS_MAX] = capacity.orders_max
    state[PAGES_LEFT] = capacity.pages_max
    state[SYMBOLS] = capacity.symbol_count
    books = np.zeros((capacity.symbol_count, BOOK_SIZE), np.int64)
    books[:, BEST + 1] = NO_ASK
    books[:, NEXT_RISE] = NO_ASK
    books[:, TRADED_LOW] = NO_ASK
    books[:, RANGE_HIGH] = PRICE_TICKS_MAX
    books[:, CALM_HIGH] = NO_ASK
    ladder_count = capacity.symbol_count * LADDERS
    return Memory(
        commands=commands.rows.reshape(-1),
        command_positions=commands.positions,
        events=events.rows.reshape(-1),
        event_positions=events.positions,
        state=state,
        books=books.reshape(-1),
        orders=orders,
        links=orders.view(np.uint32),
        extras=np.zeros((capacity.orders_max + 1) * EXTRA_SIZE, np.int64),
        ids=np.zeros((capacity.orders_max + 1) * ID_PLACES, np.uint32),
        levels=levels,
        queues=levels.view(np.uint32),
        page_bits=np.zeros((capacity.pages_max + 1) * PAGE_WORDS, np.int64),
        ladder_bits=np.zeros(ladder_count * LADDER_WORDS, np.int64),
        pages=np.zeros(ladder_count * LADDER_PAGES, np.uint32),
    )
