"""The table of open orders, as the kernels of this room use it."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from engine.kernel import argument, inlined, kernel
from engine.rows import order_table
from engine.rows.messages import Int64Array
from engine.rows.order_table import unsigned
from sessions.session_state import (
    ORDER_ID,
    ORDER_IS_ANSWERED,
    ORDER_LEAVES,
    ORDER_PRICE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_SYMBOL,
)

_SIZE: Final = argument(ORDER_SIZE)


@inlined
def find_order(orders: Int64Array, order_id: int) -> int:
    """Return where the order's entry begins, or the empty one where it belongs; the table is never full."""
    return order_table.find_order(orders, _SIZE, order_id)


@kernel
def holds_order(orders: Int64Array, order_id: int) -> bool:
    """Return whether the table has the order."""
    return orders[find_order(orders, order_id) + ORDER_ID] != 0


@kernel
def put_orders(orders: Int64Array, rows: Int64Array) -> None:
    """Enter orders that the table does not hold; `rows` is flat, laid out as the table is."""
    for base in range(0, len(rows), ORDER_SIZE):
        entry = find_order(orders, rows[base + ORDER_ID])
        for offset in range(ORDER_SIZE):
            orders[entry + offset] = rows[base + offset]


@inlined
def write_order(
    orders: Int64Array,
    entry: int,
    order_id: int,
    symbol_id: int,
    side: int,
    price_ticks: int,
    leaves_lots: int,
    is_answered: int,
) -> None:
    """Fill the entry."""
    orders[unsigned(entry + ORDER_ID)] = order_id
    orders[unsigned(entry + ORDER_SYMBOL)] = symbol_id
    orders[unsigned(entry + ORDER_SIDE)] = side
    orders[unsigned(entry + ORDER_PRICE)] = price_ticks
    orders[unsigned(entry + ORDER_LEAVES)] = leaves_lots
    orders[unsigned(entry + ORDER_IS_ANSWERED)] = is_answered


@inlined
def remove_order(orders: Int64Array, entry: int) -> None:
    """Empty the entry."""
    order_table.remove_order(orders, _SIZE, entry)
