"""Every refusal of the exchange: one table of Binance's codes, their HTTP status and their text.

The texts are Binance's own, because clients (ccxt among them) match on them.
"""

from enum import Enum
from typing import Any, Final

from market.codes import RejectReason


class ErrorKind(Enum):
    """One row per refusal: code, HTTP status, text with its blanks in braces."""

    UNKNOWN = -1000, 500, "An unknown error occurred while processing the request."
    DISCONNECTED = -1001, 503, "Internal error; unable to process your request. Please try again."
    TOO_MUCH_WEIGHT = (
        -1003,
        429,
        "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
    )
    TOO_MANY_REQUESTS = -1003, 429, "Too many requests; current limit is {limit} requests per {interval}."
    BANNED = (
        -1003,
        418,
        "Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
    )
    TOO_MANY_ORDERS = -1015, 429, "Too many new orders; current limit is {limit} orders per {interval}."
    UNEXPECTED_RESPONSE = (
        -1006,
        500,
        "An unexpected response was received from the message bus. Execution status unknown.",
    )
    TIMEOUT = (
        -1007,
        504,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    )
    OVERLOADED = -1008, 503, "Server is currently overloaded with other requests. Please try again in a few minutes."
    FILTER_FAILURE = -1013, 400, "Filter failure: {name}"
    MARKET_CLOSED = -1013, 400, "Market is closed."
    UNSUPPORTED_OPERATION = -1020, 404, "This operation is not supported."
    WRONG_METHOD = -1020, 405, "This operation is not supported."
    TIMESTAMP_TOO_OLD = -1021, 400, "Timestamp for this request is outside of the recvWindow."
    TIMESTAMP_AHEAD = -1021, 400, "Timestamp for this request was 1000ms ahead of the server's time."
    BAD_SIGNATURE = -1022, 400, "Signature for this request is not valid."
    FORBIDDEN_HOST = -1002, 403, "You are not authorized to execute this request."
    BAD_REQUEST = -1100, 400, "The request is not well-formed."
    ILLEGAL_CHARACTERS = -1100, 400, "Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    TOO_MANY_PARAMETERS = -1101, 400, "Duplicate values for parameter '{name}' detected."
    REQUEST_TOO_LARGE = -1101, 413, "Too many parameters; the request is larger than {size} bytes."
    MANDATORY_PARAMETER = -1102, 400, "Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    EITHER_PARAMETER = -1102, 400, "Param '{first}' or '{second}' must be sent, but both were empty/null!"
    UNREAD_PARAMETERS = (
        -1104,
        400,
        "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    )
    EMPTY_PARAMETER = -1105, 400, "Parameter '{name}' was empty."
    NOT_REQUIRED = -1106, 400, "Parameter '{name}' sent when not required."
    TOO_PRECISE = -1111, 400, "Parameter '{name}' has too much precision."
    NO_DEPTH = -1112, 400, "No orders on book for symbol."
    BAD_TIME_IN_FORCE = -1115, 400, "Invalid timeInForce."
    BAD_ORDER_TYPE = -1116, 400, "Invalid orderType."
    BAD_SIDE = -1117, 400, "Invalid side."
    BAD_INTERVAL = -1120, 400, "Invalid interval."
    BAD_SYMBOL = -1121, 400, "Invalid symbol."
    BAD_SYMBOL_STATUS = -1122, 400, "Invalid symbolStatus."
    INTERVAL_TOO_LONG = -1127, 400, "More than 24 hours between startTime and endTime."
    BAD_COMBINATION = -1128, 400, "Combination of optional parameters invalid."
    BAD_PARAMETER = -1130, 400, "Data sent for parameter '{name}' is not valid."
    BAD_STRATEGY_TYPE = -1134, 400, "strategyType was less than 1000000."
    BAD_TICKER_TYPE = -1139, 400, "Invalid ticker type."
    BAD_RECV_WINDOW = -1131, 400, "recvWindow must be less than 60000."
    SBE_DISABLED = -1155, 406, "SBE is not enabled."
    BAD_TIME_UNIT = -1194, 400, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
    BAD_RESPONSE_TYPE = -1136, 400, "Invalid newOrderRespType."
    BAD_CANCEL_RESTRICTIONS = -1145, 400, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED."
    NO_TYPE_OF_PAIR = -1158, 400, "Order type not supported in OCO."
    ICEBERG_NOT_GTC = -1160, 400, "Parameter '{name}' is not supported if '{time_in_force}' is not GTC."
    BUY_LIMIT_NOT_BELOW = -1165, 400, "A limit order in a buy OCO must be below."
    SELL_LIMIT_NOT_ABOVE = -1166, 400, "A limit order in a sell OCO must be above."
    NO_CONTINGENT_LEG = -1168, 400, "At least one OCO order must be contingent."
    BUY_STOP_NOT_ABOVE = -1196, 400, "A stop loss order in a buy OCO must be above."
    SELL_STOP_NOT_BELOW = -1197, 400, "A stop loss order in a sell OCO must be below."
    BUY_PROFIT_NOT_BELOW = -1198, 400, "A take profit order in a buy OCO must be below."
    SELL_PROFIT_NOT_ABOVE = -1199, 400, "A take profit order in a sell OCO must be above."
    REPEATED_SYMBOL = -1151, 400, "Symbol is present multiple times in the list."
    OTHER_SYMBOL_STATUS = -1220, 400, "The symbol's status does not match the requested symbolStatus."
    INSUFFICIENT_BALANCE = -2010, 400, "Account has insufficient balance for requested action."
    DUPLICATE_ORDER = -2010, 400, "Duplicate order sent."
    WOULD_TAKE = -2010, 400, "Order would immediately match and take."
    WOULD_TRIGGER = -2010, 400, "Stop price would trigger immediately."
    BAD_LIST_PRICES = -2010, 400, "The relationship of the prices for the orders is not correct."
    NO_PEGGED_ORDERS = -2010, 400, "Pegged orders are not supported for this symbol."
    NO_PAYING_ORDERS = -2010, 400, "OPO orders are not supported for this symbol."
    ICEBERG_TOO_LARGE = -2010, 400, "IcebergQty exceeds QTY."
    BOOK_FULL = -2010, 400, "New order rejected: the order book is full."
    UNKNOWN_ORDER = -2011, 400, "Unknown order sent."
    UNKNOWN_LIST = -2011, 400, "Unknown order list sent."
    CANCEL_RESTRICTED = -2011, 400, "Order was not canceled due to cancel restrictions."
    REPLACE_HALF_DONE = -2021, 409, "Order cancel-replace partially failed."
    REPLACE_FAILED = -2022, 400, "Order cancel-replace failed."
    NO_REFERENCE_PRICE = -2043, 400, "This symbol doesn't have a reference price."
    AMEND_TOO_LARGE = -2038, 400, "Order amend (quantity increase) is not supported."
    AMEND_CHANGES_NOTHING = -2038, 400, "The requested action would change no state; rejecting"
    AMEND_FILTER_FAILURE = -2038, 400, "Filter failure: {name}"
    AMEND_TOO_SMALL = -2038, 400, "Order amend rejected: newQty must be more than what is executed."
    AMEND_UNDER_WAY = -2038, 400, "Order amend rejected: another amend of the order is on its way."
    NO_SUCH_LIST = -2018, 400, "Order list does not exist."
    NO_SUCH_ORDER = -2013, 400, "Order does not exist."
    OTHER_CLIENT_ORDER_ID = -2039, 400, "Client order ID is not correct for this order ID."
    BAD_API_KEY_FORMAT = -2014, 401, "API-key format invalid."
    STREAM_ACTIVE = -2035, 400, "User Data Stream subscription already active."
    STREAM_INACTIVE = -2036, 400, "User Data Stream subscription not active."
    NO_SESSION_FOR_HMAC = -4056, 400, "HMAC_SHA256 API key is not supported."
    NO_SESSION_FOR_RSA = -4056, 400, "RSA API key is not supported."
    NOT_LOGGED_ON = -2015, 401, "Session is not authenticated; session.logon comes first."
    BAD_MESSAGE = -1135, 400, "Invalid JSON Request: {why}"
    REJECTED_API_KEY = -2015, 401, "Invalid API-key, IP, or permissions for action."

    def __init__(self, code: int, status: int, text: str) -> None:
        self.code = code
        self.status = status
        self.text = text


class ExchangeError(Exception):
    """A refusal on its way to the client.

    Attributes:
        kind: the row of the table.
        code: Binance's number.
        status: the HTTP status that it travels with.
        message: its text with the blanks filled in.
        retry_after_s: how long the client must wait, if it is told.
        data: more to tell, if there is.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        retry_after_s: int | None = None,
        data: dict[str, Any] | None = None,
        **blanks: object,
    ) -> None:
        self.kind = kind
        self.code, self.status = kind.code, kind.status
        self.retry_after_s = retry_after_s
        self.data = data
        self.message = kind.text.format(**blanks)
        super().__init__(self.message)

    @property
    def document(self) -> dict[str, Any]:
        """What the client is told."""
        document: dict[str, Any] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            document["data"] = self.data
        return document


# Every reason, also those that would be a bug of the exchange, which checks them before the engine can.
_ERROR_OF_REJECT_REASON: Final = dict.fromkeys(RejectReason, ErrorKind.UNKNOWN) | {
    RejectReason.POST_ONLY_WOULD_CROSS: ErrorKind.WOULD_TAKE,
    RejectReason.BOOK_FULL: ErrorKind.BOOK_FULL,
    RejectReason.LEVELS_FULL: ErrorKind.BOOK_FULL,
    RejectReason.SYMBOL_HALTED: ErrorKind.MARKET_CLOSED,
    RejectReason.UNKNOWN_ORDER: ErrorKind.UNKNOWN_ORDER,
    RejectReason.ENGINE_UNAVAILABLE: ErrorKind.DISCONNECTED,
    RejectReason.UNKNOWN_SYMBOL: ErrorKind.BAD_SYMBOL,
}
NO_REJECT_NAME: Final = "NONE"
# What Binance's user data stream calls a refusal; for all others it has no name.
REJECT_NAMES: Final = {
    ErrorKind.WOULD_TAKE: "WOULD_MATCH_IMMEDIATELY",
    ErrorKind.INSUFFICIENT_BALANCE: "INSUFFICIENT_BALANCES",
    ErrorKind.WOULD_TRIGGER: "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
    ErrorKind.BAD_LIST_PRICES: "OCO_BAD_PRICES",
}


def error_of_reject(reason: int) -> ExchangeError:
    """Return what a client is told about an engine's rejection."""
    return ExchangeError(_ERROR_OF_REJECT_REASON[RejectReason(reason)])


def reject_name(reason: int) -> str:
    """Return what an account's own stream calls an engine's rejection, 0 for none."""
    return REJECT_NAMES.get(error_of_reject(reason).kind, NO_REJECT_NAME) if reason else NO_REJECT_NAME
