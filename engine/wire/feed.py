"""The kernel that turns the engine's events into what the book feed shows of them.

A cancel does not say whether the order was in the book, nor an amend at which price, so a table keeps what is shown of
each order: open addressing, linear probing, and no tombstones, because a removed entry's followers move up.
"""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from engine.kernel import inlined, kernel
from engine.rows.messages import ROW_WIDTH, TAG, Int64Array, column
from engine.wire.encoding import KEYS_PER_ROW, NO_KEY
from market.codes import Tag
from market.events import Accepted, Amended, Canceled, Executed, Rested
from market.feed_messages import BookOrder, BookTrade

# An entry of the table of shown orders.
SHOWN_SIZE: Final = 4
_ID: Final = 0  # 0 while the place is empty
_SIDE: Final = 1
_PRICE: Final = 2
_LOTS: Final = 3

_ACCEPTED: Final = int(Tag.ACCEPTED)
_RESTED: Final = int(Tag.RESTED)
_EXECUTED: Final = int(Tag.EXECUTED)
_CANCELED: Final = int(Tag.CANCELED)
_AMENDED: Final = int(Tag.AMENDED)
_BOOK_ORDER: Final = int(Tag.BOOK_ORDER)
_BOOK_TRADE: Final = int(Tag.BOOK_TRADE)

_SYMBOL_ID: Final = column(Accepted, "symbol_id")  # and of every other event that tells of an order
_ORDER_ID: Final = column(Accepted, "order_id")
_EVENT_SIDE: Final = column(Accepted, "side")
_EVENT_PRICE: Final = column(Accepted, "price_ticks")
_ACCEPTED_RESTING: Final = column(Accepted, "resting_lots")
_RESTED_RESTING: Final = column(Rested, "resting_lots")
_AMENDED_RESTING: Final = column(Amended, "resting_lots")
_CANCELED_QTY: Final = column(Canceled, "qty_lots")
_EXECUTED_TRADE_ID: Final = column(Executed, "trade_id")
_EXECUTED_PRICE: Final = column(Executed, "price_ticks")
_EXECUTED_QTY: Final = column(Executed, "qty_lots")
_EXECUTED_SIDE: Final = column(Executed, "taker_side")
_EXECUTED_TIME: Final = column(Executed, "time_ns")
_EXECUTED_MAKER: Final = column(Executed, "maker_order_id")
_EXECUTED_RESTING: Final = column(Executed, "maker_resting_lots")
for _event in (Accepted, Rested, Executed, Canceled, Amended):
    assert column(_event, "symbol_id") == _SYMBOL_ID, f"{_event.__name__} has its symbol elsewhere"
for _event in (Accepted, Rested, Canceled, Amended):
    assert column(_event, "order_id") == _ORDER_ID, f"{_event.__name__} has its order elsewhere"
for _event in (Accepted, Rested):
    assert (column(_event, "side"), column(_event, "price_ticks")) == (_EVENT_SIDE, _EVENT_PRICE), _event.__name__

_BOOK_ID: Final = column(BookOrder, "order_id")
_BOOK_SIDE: Final = column(BookOrder, "side")
_BOOK_PRICE: Final = column(BookOrder, "price_ticks")
_BOOK_LOTS: Final = column(BookOrder, "resting_lots")
_TRADE_ID: Final = column(BookTrade, "trade_id")
_TRADE_PRICE: Final = column(BookTrade, "price_ticks")
_TRADE_QTY: Final = column(BookTrade, "qty_lots")
_TRADE_SIDE: Final = column(BookTrade, "taker_side")
_TRADE_TIME: Final = column(BookTrade, "time_ns")

# 2**64 divided by the golden ratio, as in the engine's own table of ids.
_GOLDEN: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
_HALF: Final = np.uint64(32)
_BLOCK_BITS: Final = 4
_BLOCK_MASK: Final = (1 << _BLOCK_BITS) - 1


@kernel
def tell_feed(
    events: Int64Array,
    first: int,
    count: int,
    shown: Int64Array,
    shown_count: int,
    book_rows: Int64Array,
    book_keys: Int64Array,
    trade_rows: Int64Array,
    trade_keys: Int64Array,
) -> tuple[int, int, int, int, int]:
    """Write the BookOrder and BookTrade rows that tell everybody of `count` events from sequence `first` on.

    Args:
        events: flat; as many rows as a power of two.
        shown: flat, `SHOWN_SIZE` for each of a power of two of places, of which at least `count` stay empty.
        shown_count: how many orders it holds.
        book_rows, trade_rows: flat, at least `count` rows each; written from their beginning on.
        book_keys, trade_keys: flat, `KEYS_PER_ROW` for each of these rows; the first of them takes the symbol.

    Returns:
        how many orders are now shown, how many book rows and trade rows were written, and the symbols they are of as
        bits (symbol 0 is the lowest).
    """
    mask = len(events) // ROW_WIDTH - 1
    book_count = trade_count = 0
    book_symbols = trade_symbols = 0
    for index in range(count):
        base = ((first + index) & mask) * ROW_WIDTH
        symbol = events[base + _SYMBOL_ID]
        if events[base + TAG] == _EXECUTED:
            _write_trade(events, base, trade_rows, trade_count * ROW_WIDTH)
            _write_key(trade_keys, trade_count, symbol)
            trade_count += 1
            trade_symbols |= np.int64(1) << symbol
        change, is_told = _take_event(events, base, shown, book_rows, book_count * ROW_WIDTH)
        shown_count += change
        if is_told:
            _write_key(book_keys, book_count, symbol)
            book_count += 1
            book_symbols |= np.int64(1) << symbol
    return shown_count, book_count, trade_count, book_symbols, trade_symbols


@inlined
def _take_event(
    events: Int64Array, base: int, shown: Int64Array, book_rows: Int64Array, target: int
) -> tuple[int, bool]:
    """Show what the event left of its order; return by how many the shown orders changed, and whether a row tells it.

    What is shown may only shrink, but by joining the back of a queue: Accepted and Rested alone bring an order in.
    """
    tag = events[base + TAG]
    is_maker = tag == _EXECUTED
    if tag not in (_ACCEPTED, _RESTED, _EXECUTED, _CANCELED, _AMENDED):
        return 0, False
    order_id = events[base + (_EXECUTED_MAKER if is_maker else _ORDER_ID)]
    if tag == _ACCEPTED and events[base + _ACCEPTED_RESTING] == 0:
        return 0, False
    entry = _find(shown, order_id) * SHOWN_SIZE
    was_shown = shown[entry + _ID] != 0
    if tag in (_ACCEPTED, _RESTED):
        lots = events[base + (_ACCEPTED_RESTING if tag == _ACCEPTED else _RESTED_RESTING)]
        _write_shown(shown, entry, order_id, events[base + _EVENT_SIDE], events[base + _EVENT_PRICE], lots)
        _write_book_order(shown, entry, book_rows, target)
        return 0 if was_shown else 1, True
    if not was_shown:  # the rest of a taker that did not rest, or an order that waits for its trigger
        return 0, False
    if is_maker:
        lots = events[base + _EXECUTED_RESTING]
    elif tag == _AMENDED:
        lots = events[base + _AMENDED_RESTING]
    else:
        lots = max(0, shown[entry + _LOTS] - events[base + _CANCELED_QTY])
    if lots == shown[entry + _LOTS]:
        return 0, False
    shown[entry + _LOTS] = lots
    _write_book_order(shown, entry, book_rows, target)
    if lots:
        return 0, True
    _remove(shown, entry // SHOWN_SIZE)
    return -1, True


@inlined
def _write_trade(events: Int64Array, base: int, rows: Int64Array, target: int) -> None:
    _clear_row(rows, target)
    rows[target + TAG] = _BOOK_TRADE
    rows[target + _TRADE_ID] = events[base + _EXECUTED_TRADE_ID]
    rows[target + _TRADE_PRICE] = events[base + _EXECUTED_PRICE]
    rows[target + _TRADE_QTY] = events[base + _EXECUTED_QTY]
    rows[target + _TRADE_SIDE] = events[base + _EXECUTED_SIDE]
    rows[target + _TRADE_TIME] = events[base + _EXECUTED_TIME]


@inlined
def _write_book_order(shown: Int64Array, entry: int, rows: Int64Array, target: int) -> None:
    _clear_row(rows, target)
    rows[target + TAG] = _BOOK_ORDER
    rows[target + _BOOK_ID] = shown[entry + _ID]
    rows[target + _BOOK_SIDE] = shown[entry + _SIDE]
    rows[target + _BOOK_PRICE] = shown[entry + _PRICE]
    rows[target + _BOOK_LOTS] = shown[entry + _LOTS]


@inlined
def _clear_row(rows: Int64Array, target: int) -> None:
    for place in range(ROW_WIDTH):
        rows[target + place] = 0


@inlined
def _write_key(keys: Int64Array, index: int, symbol: int) -> None:
    keys[index * KEYS_PER_ROW] = symbol
    keys[index * KEYS_PER_ROW + 1] = NO_KEY


@inlined
def _write_shown(shown: Int64Array, entry: int, order_id: int, side: int, price_ticks: int, lots: int) -> None:
    shown[entry + _ID] = order_id
    shown[entry + _SIDE] = side
    shown[entry + _PRICE] = price_ticks
    shown[entry + _LOTS] = lots


@inlined
def _home_of(shown: Int64Array, order_id: int) -> int:
    """Return the place where a search for the order begins: ids side by side stand side by side, block by block.

    A source counts its ids up, so the entries that are used together are neighbours in memory.
    """
    block = np.int64((np.uint64(order_id >> _BLOCK_BITS) * _GOLDEN) >> _HALF)
    return (block << _BLOCK_BITS | order_id & _BLOCK_MASK) & (len(shown) // SHOWN_SIZE - 1)


@inlined
def _find(shown: Int64Array, order_id: int) -> int:
    """Return the order's place, or the empty one where it belongs; the table is never full."""
    mask = len(shown) // SHOWN_SIZE - 1
    place = _home_of(shown, order_id)
    while shown[place * SHOWN_SIZE + _ID] != order_id and shown[place * SHOWN_SIZE + _ID] != 0:
        place = (place + 1) & mask
    return place


@inlined
def _remove(shown: Int64Array, hole: int) -> None:
    """Empty the place; those behind it that may stand there move up (Knuth, vol. 3, 6.4, algorithm R)."""
    mask = len(shown) // SHOWN_SIZE - 1
    place = (hole + 1) & mask
    while shown[place * SHOWN_SIZE + _ID] != 0:
        home = _home_of(shown, shown[place * SHOWN_SIZE + _ID])
        if (place - home) & mask >= (place - hole) & mask:
            for offset in range(SHOWN_SIZE):
                shown[hole * SHOWN_SIZE + offset] = shown[place * SHOWN_SIZE + offset]
            hole = place
        place = (place + 1) & mask
    shown[hole * SHOWN_SIZE + _ID] = 0
