"""The memory of a gateway's sessions: every array that a kernel works on, and what stands where in it.

A session has a number from 0 on. It stands in every order id that the session's orders have on the desk, and in the
owner of these orders: `first_order_id + number * ORDER_IDS_PER_SESSION + offset + client's id`. So both ways between a
client's ids and the desk's are arithmetic. The `offset` lies above the ids of whoever had the number before.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from engine.wire.encoding import KEYS_PER_ROW
from market.clock import NS_PER_SECOND
from market.kernels.rows import ROW_WIDTH, Int64Array
from market.limits import (
    BATCH_MESSAGES_MAX,
    COMMANDS_IN_FLIGHT_MAX,
    ID_MAX,
    ORDER_IDS_PER_SESSION,
    ORDER_IDS_PER_SOURCE,
    OWNERS_PER_SOURCE,
    SYMBOLS_MAX,
    TCP_SESSIONS_MAX,
)

assert TCP_SESSIONS_MAX * ORDER_IDS_PER_SESSION <= ORDER_IDS_PER_SOURCE, "the sessions' ids must be the gateway's own"
assert TCP_SESSIONS_MAX <= 64, "a set of sessions must be a word of bits"

# A session's numbers, STATE_SIZE for each.
IS_ACTIVE: Final = 0  # whether somebody has this number
OFFSET: Final = 1
SEQUENCE: Final = 2  # of the last report
USED_ID: Final = 3  # the highest client's id that was used
ANSWERED_ID: Final = 4  # the highest one whose order had its first report; an engine's come in the order of the ids
OPEN_COUNT: Final = 5  # orders that the engine may hold
CREDIT_NS: Final = 6  # messages that may still come, each worth MESSAGE_COST_NS
CREDIT_AT_NS: Final = 7  # when that was counted, monotonic
LATE_COUNT: Final = 8  # first reports that came after that of a higher id, which another engine had
SEEN_SEQUENCE: Final = 9  # of the last report that the client has said to have seen
STATE_SIZE: Final = 16

# The limits of every session, and where the gateway's ids and owners begin.
MESSAGE_COST_NS: Final = 0  # 0: any number of messages
OPEN_MAX: Final = 1
TOTAL_OPEN_MAX: Final = 2
FIRST_ORDER_ID: Final = 3
FIRST_OWNER: Final = 4
LIMITS_SIZE: Final = 8

# What is counted of all sessions together.
TOTAL_OPEN: Final = 0
COUNTS_SIZE: Final = 8

# The limits of a symbol, SYMBOL_SIZE for each.
QTY_MAX: Final = 0
NOTIONAL_MAX: Final = 1  # ticks x lots
BAND_PPM: Final = 2  # parts in a million around the reference price; 0: any price
SYMBOL_SIZE: Final = 4

# A symbol's reference price, REFERENCE_SIZE numbers for each.
REFERENCE_PRICE: Final = 0  # as the engine's feed tells it; 0: there is none
KNOWN_UNTIL_NS: Final = 1  # monotonic; then nothing was heard of it for too long
REFERENCE_SIZE: Final = 2

# An open order, ORDER_SIZE numbers for each place of a table with open addressing; a place is empty while its id is 0.
ORDER_ID: Final = 0
ORDER_SYMBOL: Final = 1
ORDER_SIDE: Final = 2
ORDER_PRICE: Final = 3
ORDER_LEAVES: Final = 4
ORDER_IS_ANSWERED: Final = 5  # whether its first report has come
ORDER_SIZE: Final = 8  # a cache line

BAND_UNIT: Final = 1_000_000
RESEND_SIZE: Final = 2  # of an order that is sent again: its id, its symbol
TOLD_PER_EVENT: Final = 2  # a trade is told to both sides


@dataclass(frozen=True, slots=True)
class SymbolLimits:
    """What an order of one symbol may be.

    Attributes:
        qty_lots_max: lots; ID_MAX for any.
        notional_max: ticks x lots; ID_MAX for any.
        price_band: how far above the reference price a buy, and below it a sell, may be, as a fraction. 0: any.
    """

    qty_lots_max: int = ID_MAX
    notional_max: int = ID_MAX
    price_band: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may do.

    Attributes:
        messages_per_s: on average; as many again may come at once. 0: any number.
        open_orders_max: orders that the engine may hold at a time.
        symbols: by symbol id; none for those beyond.
    """

    messages_per_s: int = 0
    open_orders_max: int = 65_536
    symbols: tuple[SymbolLimits, ...] = ()


class SessionMemory(NamedTuple):
    """The arrays, flat, taken once, in the order in which kernels take them.

    Attributes:
        messages: rows that clients have sent; what may pass is left in them as commands.
        refusals: takes a Rejected row, as the client sees it, for each message that may not pass.
        resends: takes RESEND_SIZE numbers for each order whose id was used before.
        events: rows that an engine has sent.
        told: takes the rows that sessions are told, TOLD_PER_EVENT at most for each event.
        keys: KEYS_PER_ROW for each row of `told`; the first takes the session's number.
    """

    messages: Int64Array
    refusals: Int64Array
    resends: Int64Array
    events: Int64Array
    told: Int64Array
    keys: Int64Array
    sessions: Int64Array
    limits: Int64Array
    counts: Int64Array
    symbols: Int64Array
    references: Int64Array
    orders: Int64Array

    def of(self, number: int) -> Int64Array:
        """Return the numbers of one session: a view."""
        return self.sessions[number * STATE_SIZE : (number + 1) * STATE_SIZE]

    @property
    def open_orders(self) -> Int64Array:
        """The open orders of all sessions, `[count, ORDER_SIZE]`, lowest id first: a copy."""
        table = self.orders.reshape(-1, ORDER_SIZE)
        found = table[table[:, ORDER_ID] != 0]
        lowest_first: Int64Array = found[np.argsort(found[:, ORDER_ID])]
        return lowest_first


def make_memory(
    limits: SessionLimits, orders_max: int, source: int, messages: Int64Array, events: Int64Array
) -> SessionMemory:
    """Take the memory of a gateway without a session.

    Args:
        limits: of every session.
        orders_max: what the engines hold at most.
        source: the number of the gateway among the sources of orders.
        messages: the rows `[rows, ROW_WIDTH]` into which clients' messages are read.
        events: likewise those of the engines' events.
    """
    total_max = orders_max + COMMANDS_IN_FLIGHT_MAX
    memory = SessionMemory(
        messages=messages.reshape(-1),
        refusals=np.zeros(BATCH_MESSAGES_MAX * ROW_WIDTH, np.int64),
        resends=np.zeros(BATCH_MESSAGES_MAX * RESEND_SIZE, np.int64),
        events=events.reshape(-1),
        told=np.zeros(TOLD_PER_EVENT * BATCH_MESSAGES_MAX * ROW_WIDTH, np.int64),
        keys=np.zeros(TOLD_PER_EVENT * BATCH_MESSAGES_MAX * KEYS_PER_ROW, np.int64),
        sessions=np.zeros(TCP_SESSIONS_MAX * STATE_SIZE, np.int64),
        limits=np.zeros(LIMITS_SIZE, np.int64),
        counts=np.zeros(COUNTS_SIZE, np.int64),
        symbols=np.zeros(SYMBOLS_MAX * SYMBOL_SIZE, np.int64),
        references=np.zeros(SYMBOLS_MAX * REFERENCE_SIZE, np.int64),
        orders=np.zeros((1 << (2 * total_max - 1).bit_length()) * ORDER_SIZE, np.int64),
    )
    memory.limits[MESSAGE_COST_NS] = NS_PER_SECOND // limits.messages_per_s if limits.messages_per_s else 0
    memory.limits[OPEN_MAX] = limits.open_orders_max
    memory.limits[TOTAL_OPEN_MAX] = total_max
    memory.limits[FIRST_ORDER_ID] = source * ORDER_IDS_PER_SOURCE
    memory.limits[FIRST_OWNER] = source * OWNERS_PER_SOURCE
    memory.references.reshape(-1, REFERENCE_SIZE)[:, KNOWN_UNTIL_NS] = ID_MAX
    by_symbol = memory.symbols.reshape(-1, SYMBOL_SIZE)
    by_symbol[:, QTY_MAX] = by_symbol[:, NOTIONAL_MAX] = ID_MAX
    for row, symbol in zip(by_symbol, limits.symbols, strict=False):
        row[QTY_MAX], row[NOTIONAL_MAX] = symbol.qty_lots_max, symbol.notional_max
        row[BAND_PPM] = int(symbol.price_band * BAND_UNIT)
    return memory
