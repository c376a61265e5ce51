"""The mirror's memory: every array its kernels work on, and what stands where in it. All of it is taken once."""

from typing import Final, NamedTuple

from flow.mirror.prices import make_prices
from market.kernels.rows import ROW_WIDTH, Int64Array
from market.kernels.sparse import sparse_zeros
from market.limits import MIRROR_COMMANDS_MAX, MIRROR_ORDERS_MAX

# The mirror's numbers.
SYMBOL: Final = 0
OWNER: Final = 1
QUEUE_MODEL: Final = 2
DICE: Final = 3
NOW_NS: Final = 4  # stands on what is sent
FREE_ORDER: Final = 5  # first of the list of places that were given back
USED_ORDERS: Final = 6
OPEN_ORDERS: Final = 7
SENT: Final = 8  # commands since the last reset
HANDLED: Final = 9
FLIGHTS_BEGIN: Final = 10  # sequences of the rings of flights, changes and checkpoints
FLIGHTS_END: Final = 11
CHANGES_BEGIN: Final = 12
CHANGES_END: Final = 13
CHECKS_BEGIN: Final = 14
CHECKS_END: Final = 15
COMMANDS: Final = 16  # rows made and not yet taken
FRESH_BEGIN: Final = 17  # ids that no order has so far
FRESH_END: Final = 18
GIVEN: Final = 19  # prices of which others have had something
TICKERS: Final = 20  # from here on, what a summary tells
MATCHING: Final = 21
TRADES: Final = 22
TRADE_LOTS: Final = 23
TRADED_LOTS: Final = 24
FILLED_BY_OTHERS: Final = 25
STATE_SIZE: Final = 32

BEHIND, PROPORTIONAL = range(2)  # queue models

# An order; place 0 is none. One that is gone has the id 0.
ORDER_SIZE: Final = 8
ID: Final = 0
SIDE: Final = 1
PRICE: Final = 2
RESTING: Final = 3
IN_FLIGHT: Final = 4  # sum of the predicted changes
NEXT: Final = 5
PREVIOUS: Final = 6
IS_LEAVING: Final = 7  # a cancel is sent

# Tables as `market.kernels.order_table` has them; the key of a price is of both sides.
ID_SIZE: Final = 2
PLACE: Final = 1
LEVEL_SIZE: Final = 4
EXPECTED: Final = 1  # lots, the sum over the orders
HEAD: Final = 2
TAIL: Final = 3
GIVEN_SIZE: Final = 2
LOTS: Final = 1

# A command without an answer, and the changes of own orders that it is predicted to bring.
FLIGHT_SIZE: Final = 4
NUMBER: Final = 0
TAG_SENT: Final = 1
ORDER_ID: Final = 2
LAST_CHANGE: Final = 3  # the sequence behind it
CHANGE_SIZE: Final = 3
CHANGED: Final = 0  # the order's place, then its id, for a place is used again
CHANGED_ID: Final = 1
CHANGED_LOTS: Final = 2

# Once so many commands are handled the own orders' best prices should be these.
CHECK_SIZE: Final = 3
CHECKED_AT: Final = 0
CHECKED_BID: Final = 1
CHECKED_ASK: Final = 2
CHECKS_MAX: Final = 65_536  # what is older is never compared


class MirrorMemory(NamedTuple):
    """The arrays of one mirror, all flat."""

    state: Int64Array
    orders: Int64Array
    ids: Int64Array
    levels: Int64Array
    given: Int64Array
    prices: Int64Array
    flights: Int64Array
    changes: Int64Array
    checks: Int64Array
    fresh: Int64Array
    growing: Int64Array
    commands: Int64Array


def make_mirror_memory() -> MirrorMemory:
    """Take the memory of a mirror without orders; what is never touched takes none."""
    return MirrorMemory(
        state=sparse_zeros(STATE_SIZE),
        orders=sparse_zeros((MIRROR_ORDERS_MAX + 1) * ORDER_SIZE),
        ids=sparse_zeros(2 * MIRROR_ORDERS_MAX * ID_SIZE),
        levels=sparse_zeros(2 * MIRROR_ORDERS_MAX * LEVEL_SIZE),
        given=sparse_zeros(2 * MIRROR_ORDERS_MAX * GIVEN_SIZE),
        prices=make_prices(),
        flights=sparse_zeros(MIRROR_COMMANDS_MAX * FLIGHT_SIZE),
        changes=sparse_zeros(2 * MIRROR_COMMANDS_MAX * CHANGE_SIZE),
        checks=sparse_zeros(CHECKS_MAX * CHECK_SIZE),
        fresh=sparse_zeros(MIRROR_ORDERS_MAX),
        growing=sparse_zeros(MIRROR_ORDERS_MAX),  # where in what is followed the levels stand that grow
        commands=sparse_zeros(MIRROR_COMMANDS_MAX * ROW_WIDTH),
    )
