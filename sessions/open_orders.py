"""The table of open orders, as the kernels of this room use it."""
# mypy: disable-error-code="no-any-return, return-value"

from typing import Final

from market.kernels import order_table
from market.kernels.compiling import argument, inlined, kernel
from market.kernels.order_table import unsigned
from market.kernels.rows import Int64Array
from sessions import memory as at

_SIZE: Final = argument(at.ORDER_SIZE)


@inlined
def find_order(orders: Int64Array, order_id: int) -> int:
    """Return where the order's entry begins, or the empty one where it belongs; the table is never full."""
    return order_table.find_order(orders, _SIZE, order_id)


@kernel
def holds_order(orders: Int64Array, order_id: int) -> bool:
    """Return whether the table has the order."""
    return orders[find_order(orders, order_id) + at.ORDER_ID] != 0


@kernel
def put_orders(orders: Int64Array, rows: Int64Array) -> None:
    """Enter orders that the table does not hold; `rows` is flat, laid out as the table is."""
    for base in range(0, len(rows), at.ORDER_SIZE):
        entry = find_order(orders, rows[base + at.ORDER_ID])
        for offset in range(at.ORDER_SIZE):
            orders[entry + offset] = rows[base + offset]


@inlined
def write_order(
    orders: Int64Array, entry: int, order_id: int, what: tuple[int, int, int, int], is_answered: int
) -> None:
    """Fill the entry; `what`: symbol id, side, price in ticks, what is open in lots."""
    orders[unsigned(entry + at.ORDER_ID)] = order_id
    orders[unsigned(entry + at.ORDER_SYMBOL)] = what[0]
    orders[unsigned(entry + at.ORDER_SIDE)] = what[1]
    orders[unsigned(entry + at.ORDER_PRICE)] = what[2]
    orders[unsigned(entry + at.ORDER_LEAVES)] = what[3]
    orders[unsigned(entry + at.ORDER_IS_ANSWERED)] = is_answered


@inlined
def remove_order(orders: Int64Array, entry: int) -> None:
    """Empty the entry."""
    order_table.remove_order(orders, _SIZE, entry)
