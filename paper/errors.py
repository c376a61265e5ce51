"""Every refusal of the exchange: one table of Binance's codes, their HTTP status and their text.

The texts are Binance's own, because clients (ccxt among them) match on them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from market.codes import RejectReason


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: int
    status: int
    text: str


class ErrorKind(Enum):
    """One row per refusal: code, HTTP status, text with its blanks in braces."""

    UNKNOWN = _Refusal(-1000, 500, "An unknown error occurred while processing the request.")
    DISCONNECTED = _Refusal(-1001, 503, "Internal error; unable to process your request. Please try again.")
    TOO_MUCH_WEIGHT = _Refusal(
        -1003,
        429,
        "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
    )
    BANNED = _Refusal(
        -1003,
        418,
        "Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
    )
    TOO_MANY_ORDERS = _Refusal(-1015, 429, "Too many new orders; current limit is {limit} orders per {interval}.")
    UNEXPECTED_RESPONSE = _Refusal(
        -1006, 500, "An unexpected response was received from the message bus. Execution status unknown."
    )
    TIMEOUT = _Refusal(
        -1007,
        504,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    )
    OVERLOADED = _Refusal(-1008, 503, "Request throttled by system-level protection. Please try again.")
    FILTER_FAILURE = _Refusal(-1013, 400, "Filter failure: {name}")
    MARKET_CLOSED = _Refusal(-1013, 400, "Market is closed.")
    UNSUPPORTED_OPERATION = _Refusal(-1020, 404, "This operation is not supported.")
    WRONG_METHOD = _Refusal(-1020, 405, "This operation is not supported.")
    TIMESTAMP_TOO_OLD = _Refusal(-1021, 400, "Timestamp for this request is outside of the recvWindow.")
    TIMESTAMP_AHEAD = _Refusal(-1021, 400, "Timestamp for this request was 1000ms ahead of the server's time.")
    BAD_SIGNATURE = _Refusal(-1022, 400, "Signature for this request is not valid.")
    FORBIDDEN_HOST = _Refusal(-1002, 403, "You are not authorized to execute this request.")
    BAD_REQUEST = _Refusal(-1100, 400, "The request is not well-formed.")
    ILLEGAL_CHARACTERS = _Refusal(
        -1100, 400, "Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )
    TOO_MANY_PARAMETERS = _Refusal(-1101, 400, "Duplicate values for parameter '{name}' detected.")
    REQUEST_TOO_LARGE = _Refusal(-1101, 413, "Too many parameters; the request is larger than {size} bytes.")
    MANDATORY_PARAMETER = _Refusal(
        -1102, 400, "Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )
    EITHER_PARAMETER = _Refusal(-1102, 400, "Param '{first}' or '{second}' must be sent, but both were empty/null!")
    UNREAD_PARAMETERS = _Refusal(
        -1104, 400, "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    )
    EMPTY_PARAMETER = _Refusal(-1105, 400, "Parameter '{name}' was empty.")
    NOT_REQUIRED = _Refusal(-1106, 400, "Parameter '{name}' sent when not required.")
    TOO_PRECISE = _Refusal(-1111, 400, "Parameter '{name}' has too much precision.")
    NO_DEPTH = _Refusal(-1112, 400, "No orders on book for symbol.")
    BAD_TIME_IN_FORCE = _Refusal(-1115, 400, "Invalid timeInForce.")
    BAD_ORDER_TYPE = _Refusal(-1116, 400, "Invalid orderType.")
    BAD_SIDE = _Refusal(-1117, 400, "Invalid side.")
    BAD_INTERVAL = _Refusal(-1120, 400, "Invalid interval.")
    BAD_SYMBOL = _Refusal(-1121, 400, "Invalid symbol.")
    INTERVAL_TOO_LONG = _Refusal(-1127, 400, "More than 24 hours between startTime and endTime.")
    BAD_COMBINATION = _Refusal(-1128, 400, "Combination of optional parameters invalid.")
    BAD_PARAMETER = _Refusal(-1130, 400, "Data sent for parameter '{name}' is not valid.")
    BAD_RECV_WINDOW = _Refusal(-1131, 400, "recvWindow must be less than 60000.")
    BAD_TIME_UNIT = _Refusal(-1194, 400, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    BAD_RESPONSE_TYPE = _Refusal(-1136, 400, "Invalid newOrderRespType.")
    BAD_CANCEL_RESTRICTIONS = _Refusal(
        -1145, 400, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED."
    )
    REPEATED_SYMBOL = _Refusal(-1151, 400, "Symbol is present multiple times in the list.")
    OTHER_SYMBOL_STATUS = _Refusal(-1220, 400, "The symbol's status does not match the requested symbolStatus.")
    INSUFFICIENT_BALANCE = _Refusal(-2010, 400, "Account has insufficient balance for requested action.")
    DUPLICATE_ORDER = _Refusal(-2010, 400, "Duplicate order sent.")
    WOULD_TAKE = _Refusal(-2010, 400, "Order would immediately match and take.")
    WOULD_TRIGGER = _Refusal(-2010, 400, "Stop price would trigger immediately.")
    NO_TRAILING_STOPS = _Refusal(-2010, 400, "Trailing stop orders are not supported for this symbol.")
    ICEBERG_TOO_LARGE = _Refusal(-2010, 400, "IcebergQty exceeds QTY.")
    BOOK_FULL = _Refusal(-2010, 400, "New order rejected: the order book is full.")
    UNKNOWN_ORDER = _Refusal(-2011, 400, "Unknown order sent.")
    CANCEL_RESTRICTED = _Refusal(-2011, 400, "Order was not canceled due to cancel restrictions.")
    REPLACE_HALF_DONE = _Refusal(-2021, 409, "Order cancel-replace partially failed.")
    REPLACE_FAILED = _Refusal(-2022, 400, "Order cancel-replace failed.")
    AMEND_TOO_LARGE = _Refusal(-2038, 400, "Order amend (quantity increase) is not supported.")
    AMEND_CHANGES_NOTHING = _Refusal(-2038, 400, "The requested action would change no state; rejecting")
    AMEND_TOO_SMALL = _Refusal(-2038, 400, "Order amend rejected: newQty must be more than what is executed.")
    AMEND_UNDER_WAY = _Refusal(-2038, 400, "Order amend rejected: another amend of the order is on its way.")
    NO_SUCH_ORDER = _Refusal(-2013, 400, "Order does not exist.")
    BAD_API_KEY_FORMAT = _Refusal(-2014, 401, "API-key format invalid.")
    STREAM_ACTIVE = _Refusal(-2035, 400, "User Data Stream subscription already active.")
    STREAM_INACTIVE = _Refusal(-2036, 400, "User Data Stream subscription not active.")
    NO_SESSION_FOR_HMAC = _Refusal(-4056, 400, "HMAC_SHA256 API key is not supported.")
    NO_SESSION_FOR_RSA = _Refusal(-4056, 400, "RSA API key is not supported.")
    NOT_LOGGED_ON = _Refusal(-2015, 401, "Session is not authenticated; session.logon comes first.")
    BAD_MESSAGE = _Refusal(-1135, 400, "Invalid JSON Request: {why}")
    REJECTED_API_KEY = _Refusal(-2015, 401, "Invalid API-key, IP, or permissions for action.")


class ExchangeError(Exception):
    """A refusal on its way to the client.

    Attributes:
        kind: the row of the table.
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
        self.retry_after_s = retry_after_s
        self.data = data
        self.message = kind.value.text.format(**blanks)
        super().__init__(self.message)

    @property
    def code(self) -> int:
        """Binance's number."""
        return self.kind.value.code

    @property
    def document(self) -> dict[str, Any]:
        """What the client is told."""
        document: dict[str, Any] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            document["data"] = self.data
        return document

    @property
    def status(self) -> int:
        """The HTTP status that it travels with."""
        return self.kind.value.status


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
}


def error_of_reject(reason: int) -> ExchangeError:
    """Return what a client is told about an engine's rejection."""
    return ExchangeError(_ERROR_OF_REJECT_REASON[RejectReason(reason)])


def reject_name(reason: int) -> str:
    """Return what an account's own stream calls an engine's rejection, 0 for none."""
    return REJECT_NAMES.get(error_of_reject(reason).kind, NO_REJECT_NAME) if reason else NO_REJECT_NAME
