"""Ladders of price levels over the whole range of prices, each level a queue of orders linked by index.

A ladder's page table leads from a price to a page of levels; pages come from one pool when their first order comes and
go back with their last. Four storeys of bits, 64-way, find the next level that has orders: levels, words of levels,
pages, words of pages.
"""
# mypy: disable-error-code="no-any-return"

from engine.capacity import LEVELS_PER_PAGE, PAGE_BITS
from engine.rows import memory as at
from engine.rows.memory import Memory
from market.kernels.bits import bit, bits_above, bits_below, highest_bit, lowest_bit, signed
from market.kernels.compiling import inlined, routine

_IN_PAGE = LEVELS_PER_PAGE - 1


@inlined
def page_at(memory: Memory, ladder: int, price: int) -> int:
    """Return the page that holds the level of `price`, 0 if no order is near."""
    return signed(memory.pages[ladder * at.LADDER_PAGES + (price >> PAGE_BITS)])


@inlined
def level_at(memory: Memory, ladder: int, price: int) -> int:
    """Return the level of `price`, on a page in use."""
    return (page_at(memory, ladder, price) << PAGE_BITS) + (price & _IN_PAGE)


@inlined
def has_room(memory: Memory, ladder: int, price: int) -> bool:
    """Return whether an order can join the level of `price`."""
    return page_at(memory, ladder, price) != 0 or memory.state[at.PAGES_LEFT] > 0


@inlined
def first_order(memory: Memory, ladder: int, price: int) -> int:
    """Return the order at the front of a level's queue, 0 for none."""
    return signed(memory.queues[level_at(memory, ladder, price) * at.QUEUE_SIZE + at.HEAD])


@inlined
def join_back(memory: Memory, ladder: int, price: int, order: int, lots: int) -> None:
    """Put an order that shows `lots` at the back of a level's queue; there is room."""
    page = page_at(memory, ladder, price)
    if page == 0:
        page = _open_page(memory, ladder, price)
    level = (page << PAGE_BITS) + (price & _IN_PAGE)
    queues, links = memory.queues, memory.links
    last = signed(queues[level * at.QUEUE_SIZE + at.TAIL])
    links[order * at.LINK_SIZE + at.NEXT] = 0
    links[order * at.LINK_SIZE + at.PREVIOUS] = last
    queues[level * at.QUEUE_SIZE + at.TAIL] = order
    if last == 0:
        queues[level * at.QUEUE_SIZE + at.HEAD] = order
        _mark(memory, page, price)
    else:
        links[last * at.LINK_SIZE + at.NEXT] = order
    memory.levels[level * at.LEVEL_SIZE + at.TOTAL] += lots


@inlined
def leave_queue(memory: Memory, ladder: int, price: int, order: int, lots: int) -> bool:
    """Take an order that shows `lots` out of its level's queue; return whether it was the last one there."""
    page = page_at(memory, ladder, price)
    level = (page << PAGE_BITS) + (price & _IN_PAGE)
    queues, links = memory.queues, memory.links
    behind = signed(links[order * at.LINK_SIZE + at.NEXT])
    ahead = signed(links[order * at.LINK_SIZE + at.PREVIOUS])
    memory.levels[level * at.LEVEL_SIZE + at.TOTAL] -= lots
    if ahead == 0:
        queues[level * at.QUEUE_SIZE + at.HEAD] = behind
    else:
        links[ahead * at.LINK_SIZE + at.NEXT] = behind
    if behind == 0:
        queues[level * at.QUEUE_SIZE + at.TAIL] = ahead
        if ahead == 0:
            _unmark(memory, ladder, page, price)
            return True
    else:
        links[behind * at.LINK_SIZE + at.PREVIOUS] = ahead
    return False


@inlined
def _mark(memory: Memory, page: int, price: int) -> None:
    word = (price & _IN_PAGE) >> 6
    memory.page_bits[page * at.PAGE_WORDS + at.LEVEL_WORDS + word] |= bit(price & 63)
    memory.page_bits[page * at.PAGE_WORDS] |= bit(word)


@inlined
def _unmark(memory: Memory, ladder: int, page: int, price: int) -> None:
    word = (price & _IN_PAGE) >> 6
    left = memory.page_bits[page * at.PAGE_WORDS + at.LEVEL_WORDS + word] & ~bit(price & 63)
    memory.page_bits[page * at.PAGE_WORDS + at.LEVEL_WORDS + word] = left
    if left == 0:
        words_left = memory.page_bits[page * at.PAGE_WORDS] & ~bit(word)
        memory.page_bits[page * at.PAGE_WORDS] = words_left
        if words_left == 0:
            _close_page(memory, ladder, page, price)


@routine
def _open_page(memory: Memory, ladder: int, price: int) -> int:
    """Take a page from the pool for the prices around `price`; a page in the pool is all zeros but for its link."""
    state = memory.state
    page = state[at.FREE_PAGE]
    if page != 0:
        # Links of free pages stand where the tail of the page's first level will be.
        link = (page << PAGE_BITS) * at.QUEUE_SIZE + at.TAIL
        state[at.FREE_PAGE] = signed(memory.queues[link])
        memory.queues[link] = 0
    else:
        state[at.USED_PAGES] += 1
        page = state[at.USED_PAGES]
    state[at.PAGES_LEFT] -= 1
    number = price >> PAGE_BITS
    memory.pages[ladder * at.LADDER_PAGES + number] = page
    memory.ladder_bits[ladder * at.LADDER_WORDS + at.LADDER_PAGE_WORDS + (number >> 6)] |= bit(number & 63)
    memory.ladder_bits[ladder * at.LADDER_WORDS + (number >> 12)] |= bit((number >> 6) & 63)
    return page


@routine
def _close_page(memory: Memory, ladder: int, page: int, price: int) -> None:
    state = memory.state
    memory.queues[(page << PAGE_BITS) * at.QUEUE_SIZE + at.TAIL] = state[at.FREE_PAGE]
    state[at.FREE_PAGE] = page
    state[at.PAGES_LEFT] += 1
    number = price >> PAGE_BITS
    memory.pages[ladder * at.LADDER_PAGES + number] = 0
    word = ladder * at.LADDER_WORDS + at.LADDER_PAGE_WORDS + (number >> 6)
    left = memory.ladder_bits[word] & ~bit(number & 63)
    memory.ladder_bits[word] = left
    if left == 0:
        memory.ladder_bits[ladder * at.LADDER_WORDS + (number >> 12)] &= ~bit((number >> 6) & 63)


@inlined
def next_price(memory: Memory, ladder: int, price: int, upwards: bool) -> int:
    """Return the next price above or below `price` whose level has orders; at the end NO_ASK or NO_BID."""
    page = page_at(memory, ladder, price)
    if page != 0:
        word = (price & _IN_PAGE) >> 6
        found = memory.page_bits[page * at.PAGE_WORDS + at.LEVEL_WORDS + word] & _bits_beyond(price & 63, upwards)
        if found != 0:
            return (price & ~63) + _next_bit(found, upwards)
        found = memory.page_bits[page * at.PAGE_WORDS] & _bits_beyond(word, upwards)
        if found != 0:
            return _next_in_word(memory, page, price, _next_bit(found, upwards), upwards)
    return _next_page(memory, ladder, price, upwards)


@inlined
def _bits_beyond(number: int, upwards: bool) -> int:
    return bits_above(number) if upwards else bits_below(number)


@inlined
def _next_bit(word: int, upwards: bool) -> int:
    return lowest_bit(word) if upwards else highest_bit(word)


@inlined
def _next_in_word(memory: Memory, page: int, price: int, word: int, upwards: bool) -> int:
    found = memory.page_bits[page * at.PAGE_WORDS + at.LEVEL_WORDS + word]
    return (price & ~_IN_PAGE) + (word << 6) + _next_bit(found, upwards)


@routine
def _next_page(memory: Memory, ladder: int, price: int, upwards: bool) -> int:
    """Go on from the page of `price`, which has nothing more that way."""
    base = ladder * at.LADDER_WORDS
    number = price >> PAGE_BITS
    top, word = number >> 12, number >> 6
    found = memory.ladder_bits[base + at.LADDER_PAGE_WORDS + word] & _bits_beyond(number & 63, upwards)
    if found == 0:
        found_words = memory.ladder_bits[base + top] & _bits_beyond(word & 63, upwards)
        while found_words == 0:
            top += 1 if upwards else -1
            if top < 0 or top == at.LADDER_TOP_WORDS:
                return at.NO_ASK if upwards else at.NO_BID
            found_words = memory.ladder_bits[base + top]
        word = (top << 6) + _next_bit(found_words, upwards)
        found = memory.ladder_bits[base + at.LADDER_PAGE_WORDS + word]
    start = ((word << 6) + _next_bit(found, upwards)) << PAGE_BITS
    page = page_at(memory, ladder, start)
    return _next_in_word(memory, page, start, _next_bit(memory.page_bits[page * at.PAGE_WORDS], upwards), upwards)
