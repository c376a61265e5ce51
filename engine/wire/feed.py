"""The kernel that turns the engine's events into what the book feed shows of them.

A cancel does not say whether the order was in the book, nor an amend at which price, so a table (engine/rows/
order_table.py) keeps what is shown of each order.
"""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

import numpy as np

from engine.wire.encoding import KEYS_PER_ROW, NO_KEY
from market.codes import RejectReason, Tag
from market.kernels.compiling import argument, inlined, kernel
from market.kernels.order_table import find_order, remove_order
from market.kernels.row_codes import ACCEPTED, AMENDED, CANCELED, EXECUTED, REJECTED, RESTED, TAGS
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array, write_row

# An entry of the table of shown orders.
SHOWN_SIZE: Final = 4
_SIZE: Final = argument(SHOWN_SIZE)
_ID: Final = 0  # 0 while the place is empty
_SIDE: Final = 1
_PRICE: Final = 2
_LOTS: Final = 3

# The counts of events.
REASONS_AT: Final = max(Tag) + 1
COUNTS_SIZE: Final = REASONS_AT + max(RejectReason) + 1
_REASONS_AT: Final = argument(REASONS_AT)


assert RESTED.symbol_id == EXECUTED.symbol_id == CANCELED.symbol_id == AMENDED.symbol_id == ACCEPTED.symbol_id
assert RESTED.order_id == CANCELED.order_id == AMENDED.order_id == ACCEPTED.order_id
assert (RESTED.side, RESTED.price_ticks) == (ACCEPTED.side, ACCEPTED.price_ticks)


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
    counts: Int64Array,
) -> tuple[int, int, int, int, int]:
    """Write the BookOrder and BookTrade rows that tell everybody of `count` events from sequence `first` on.

    Args:
        events: flat; as many rows as a power of two.
        shown: flat, `SHOWN_SIZE` for each of a power of two of places, of which at least `count` stay empty.
        shown_count: how many orders it holds.
        book_rows, trade_rows: flat, at least `count` rows each; written from their beginning on.
        book_keys, trade_keys: flat, `KEYS_PER_ROW` for each of these rows; the first of them takes the symbol.
        counts: `[COUNTS_SIZE]`: how many events of each tag there were, from `REASONS_AT` on of each reason to refuse.

    Returns:
        how many orders are now shown, how many book rows and trade rows were written, and the symbols they are of as
        bits (symbol 0 is the lowest).
    """
    mask = len(events) // ROW_WIDTH - 1
    book_count = trade_count = 0
    book_symbols = trade_symbols = 0
    for index in range(count):
        base = ((first + index) & mask) * ROW_WIDTH
        symbol = events[base + ACCEPTED.symbol_id]
        counts[events[base + TAG]] += 1
        if events[base + TAG] == TAGS.REJECTED:
            counts[_REASONS_AT + events[base + REJECTED.reason]] += 1
        if events[base + TAG] == TAGS.EXECUTED:
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
    is_maker = tag == TAGS.EXECUTED
    if tag not in (TAGS.ACCEPTED, TAGS.RESTED, TAGS.EXECUTED, TAGS.CANCELED, TAGS.AMENDED):
        return 0, False
    order_id = events[base + (EXECUTED.maker_order_id if is_maker else ACCEPTED.order_id)]
    if tag == TAGS.ACCEPTED and events[base + ACCEPTED.resting_lots] == 0:
        return 0, False
    entry = find_order(shown, _SIZE, order_id)
    was_shown = shown[entry + _ID] != 0
    if tag in (TAGS.ACCEPTED, TAGS.RESTED):
        lots = events[base + (ACCEPTED.resting_lots if tag == TAGS.ACCEPTED else RESTED.resting_lots)]
        _write_shown(shown, entry, order_id, events[base + ACCEPTED.side], events[base + ACCEPTED.price_ticks], lots)
        _write_book_order(shown, entry, book_rows, target)
        return 0 if was_shown else 1, True
    if not was_shown:  # the rest of a taker that did not rest, or an order that waits for its trigger
        return 0, False
    if is_maker:
        lots = events[base + EXECUTED.maker_resting_lots]
    elif tag == TAGS.AMENDED:
        lots = events[base + AMENDED.resting_lots]
    else:
        lots = max(0, shown[entry + _LOTS] - events[base + CANCELED.qty_lots])
    if lots == shown[entry + _LOTS]:
        return 0, False
    shown[entry + _LOTS] = lots
    _write_book_order(shown, entry, book_rows, target)
    if lots:
        return 0, True
    remove_order(shown, _SIZE, entry)
    return -1, True


@inlined
def _write_trade(events: Int64Array, base: int, rows: Int64Array, target: int) -> None:
    trade_id, price_ticks = events[base + EXECUTED.trade_id], events[base + EXECUTED.price_ticks]
    qty_lots, taker_side = events[base + EXECUTED.qty_lots], events[base + EXECUTED.taker_side]
    time_ns = events[base + EXECUTED.time_ns]
    write_row(rows, target, (TAGS.BOOK_TRADE, trade_id, price_ticks, qty_lots, taker_side, time_ns))


@inlined
def _write_book_order(shown: Int64Array, entry: int, rows: Int64Array, target: int) -> None:
    fields = (shown[entry + _ID], shown[entry + _SIDE], shown[entry + _PRICE], shown[entry + _LOTS])
    write_row(rows, target, (TAGS.BOOK_ORDER, *fields))


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
