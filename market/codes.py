"""The small integers of the wire and of the engine, with their names.

Values are part of the protocol: they are never reused and never renumbered.
"""

from enum import IntEnum


class Side(IntEnum):
    """The side of an order."""

    BUY = 0
    SELL = 1

    @property
    def opposite(self) -> "Side":
        """The side that this one trades against."""
        return Side(1 - self)


class OrderType(IntEnum):
    """What an order does when it arrives (or when its trigger fires)."""

    LIMIT = 0
    MARKET = 1
    POST_ONLY = 2  # Binance's LIMIT_MAKER: refused if it would trade at once


class TimeInForce(IntEnum):
    """What happens to the part that does not trade at once."""

    GTC = 0  # good till cancelled: it rests
    IOC = 1  # immediate or cancel: it is cancelled
    FOK = 2  # fill or kill: all trades at once or nothing does


class Trigger(IntEnum):
    """The condition on the last trade price that wakes a waiting order, or lets a trailing one track the price."""

    NONE = 0
    STOP = 1  # a buy wakes at or above the trigger price, a sell at or below
    TAKE_PROFIT = 2  # a buy wakes at or below the trigger price, a sell at or above
    TRAIL = 3  # it tracks the price: a buy wakes so far above the lowest price since, a sell below the highest


class SelfTradePrevention(IntEnum):
    """What happens when both orders of a match have one owner; the taker's mode decides."""

    NONE = 0
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4


class RejectReason(IntEnum):
    """Why a command changed nothing."""

    UNKNOWN_ORDER = 1
    DUPLICATE_ORDER_ID = 2
    UNKNOWN_SYMBOL = 3
    BAD_SIDE = 4
    BAD_TYPE = 5
    BAD_TIME_IN_FORCE = 6
    BAD_PRICE = 7
    BAD_QTY = 8
    BAD_DISPLAY_QTY = 9
    BAD_TRIGGER = 10
    BAD_SELF_TRADE_PREVENTION = 11
    POST_ONLY_WOULD_CROSS = 12
    BOOK_FULL = 13  # no order slot is left
    LEVELS_FULL = 14  # no page of price levels is left
    SYMBOL_HALTED = 15
    BAD_ORDER_ID = 16
    BAD_OWNER = 17
    WRONG_OWNER = 18  # the order belongs to somebody else
    MALFORMED = 19  # not a message of the protocol
    ENGINE_UNAVAILABLE = 20  # said by a gateway: the engine did not take the order
    RATE_LIMIT = 21  # said by a gateway, as all that follow: too many messages a second
    OPEN_ORDERS_LIMIT = 22  # too many open orders
    QTY_LIMIT = 23  # more than the symbol's maximum quantity
    NOTIONAL_LIMIT = 24  # price times quantity is more than the maximum
    PRICE_BAND = 25  # a buy too far above, or a sell too far below the reference price
    BAD_CLIENT_ID = 26  # letters, digits and ._- alone
    BAD_TOKEN = 27  # not that of the client id
    NO_SESSION_LEFT = 28  # as many sessions as the gateway takes
    ALREADY_LOGGED_ON = 29  # a second Logon on one connection
    REPLACED = 30  # the session goes on with another connection
    IDLE = 31  # nothing was heard for too long
    GATEWAY_STOPS = 33  # connect again later
    LEAVES_CHANGED = 34  # another quantity is open than the amend expects


class CancelReason(IntEnum):
    """Why an open quantity left without trading."""

    REQUESTED = 1
    MASS_CANCEL = 2
    IMMEDIATE_OR_CANCEL = 3
    FILL_OR_KILL = 4
    NO_LIQUIDITY = 5  # the rest of a market order
    SELF_TRADE_PREVENTION = 6
    POST_ONLY_WOULD_CROSS = 7  # a triggered post-only order that would trade
    LEVELS_FULL = 8  # the rest of an order found no page for its level
    ENGINE_RESTARTED = 9  # said by a gateway: the engine came back without the order
    PRICE_RANGE = 10  # the taker would have traded outside the symbol's price range


class Tag(IntEnum):
    """The first integer of a message, which says what it is."""

    NEW_ORDER = 1
    CANCEL_ORDER = 2
    AMEND_ORDER = 3
    MASS_CANCEL = 4
    HALT_SYMBOL = 5
    SET_PRICE_RANGE = 6
    ACCEPTED = 16
    RESTED = 17
    EXECUTED = 18
    CANCELED = 19
    AMENDED = 20
    TRIGGERED = 21
    REJECTED = 22
    HALTED = 23
    TRAILED = 24
    BOOK_ORDER = 32
    BOOK_TRADE = 33
    BEST_PRICES = 34
    INSTRUMENT_DEFINITION = 35
    DEPTH_LEVEL = 36
    BOOK_CHECKSUM = 37
    ENGINE_HEALTH = 38
    REFERENCE_PRICE = 39
    LOGON = 48
    LOGGED_ON = 49
    HEARTBEAT = 50
    LOGOUT = 51
