"""Every error code that Binance's documentation lists, and beside it what the paper exchange makes of it.

Codes and texts: Binance Spot, "Error codes" (errors.md), as of 2026-07. `%s` stands for what differs from case to case.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from paper.errors import ErrorKind

TESTS = Path(__file__).resolve().parents[1]
# Why a code cannot come, in the words of the table.
FIX = "no: FIX alone"
SBE = "no: SBE alone, which is not served"
OTHER = "no: {}"

_BLANK = re.compile(r"\{[a-z_]+\}")


class Documented(NamedTuple):
    """A code of the documentation.

    Attributes:
        name: what the documentation calls it.
        texts: what it may say.
        absent: why it never comes here; empty where it does.
    """

    name: str
    texts: tuple[str, ...]
    absent: str = ""


# What the matching engine, and a filter, may say: of -1013, -2010, -2011 and -2038.
ENGINE_TEXTS = (
    "Unknown order sent.",
    "Duplicate order sent.",
    "Market is closed.",
    "Account has insufficient balance for requested action.",
    "Trailing stop orders are not supported for this symbol.",
    "IcebergQty exceeds QTY.",
    "Order would trigger immediately.",
    "Order would immediately match and take.",
    "The relationship of the prices for the orders is not correct.",
    "Order was not canceled due to cancel restrictions.",
    "Order amend (quantity increase) is not supported.",
    "The requested action would change no state; rejecting",
    "Pegged orders are not supported for this symbol.",
    "OPO orders are not supported for this symbol.",
    "Filter failure: %s",
)

DOCUMENTED: dict[int, Documented] = {
    -1000: Documented("UNKNOWN", ("An unknown error occurred while processing the request.",)),
    -1001: Documented("DISCONNECTED", ("Internal error; unable to process your request. Please try again.",)),
    -1002: Documented("UNAUTHORIZED", ("You are not authorized to execute this request.",)),
    -1003: Documented(
        "TOO_MANY_REQUESTS",
        (
            "Too many requests queued.",
            "Too much request weight used; current limit is %s request weight per %s. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            "Way too much request weight used; IP banned until %s. "
            "Please use WebSocket Streams for live updates to avoid bans.",
        ),
    ),
    -1006: Documented(
        "UNEXPECTED_RESP",
        ("An unexpected response was received from the message bus. Execution status unknown.",),
        "by the fault switch `reject` alone",
    ),
    -1007: Documented(
        "TIMEOUT",
        ("Timeout waiting for response from backend server. Send status unknown; execution status unknown.",),
    ),
    -1008: Documented(
        "SERVER_BUSY",
        ("Server is currently overloaded with other requests. Please try again in a few minutes.",),
    ),
    -1010: Documented("ERROR_MSG_RECEIVED", (), OTHER.format("-2010 and -2011 say it")),
    -1013: Documented("INVALID_MESSAGE", ENGINE_TEXTS),
    -1014: Documented("UNKNOWN_ORDER_COMPOSITION", (), OTHER.format("-1102 and -1106 name the parameter")),
    -1015: Documented(
        "TOO_MANY_ORDERS", ("Too many new orders.", "Too many new orders; current limit is %s orders per %s.")
    ),
    -1016: Documented("SERVICE_SHUTTING_DOWN", (), OTHER.format("`serverShutdown` and the end of the connection")),
    -1020: Documented("UNSUPPORTED_OPERATION", ("This operation is not supported.",)),
    -1021: Documented(
        "INVALID_TIMESTAMP",
        (
            "Timestamp for this request is outside of the recvWindow.",
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ),
    ),
    -1022: Documented("INVALID_SIGNATURE", ("Signature for this request is not valid.",)),
    -1033: Documented("COMP_ID_IN_USE", (), FIX),
    -1034: Documented("TOO_MANY_CONNECTIONS", (), FIX),
    -1035: Documented("LOGGED_OUT", (), FIX),
    -1100: Documented(
        "ILLEGAL_CHARS",
        (
            "Illegal characters found in a parameter.",
            "Illegal characters found in parameter '%s'; legal range is '%s'.",
        ),
    ),
    -1101: Documented(
        "TOO_MANY_PARAMETERS",
        (
            "Too many parameters sent for this endpoint.",
            "Too many parameters; expected '%s' and received '%s'.",
            "Duplicate values for a parameter detected.",
        ),
    ),
    -1102: Documented(
        "MANDATORY_PARAM_EMPTY_OR_MALFORMED",
        (
            "A mandatory parameter was not sent, was empty/null, or malformed.",
            "Mandatory parameter '%s' was not sent, was empty/null, or malformed.",
            "Param '%s' or '%s' must be sent, but both were empty/null!",
        ),
    ),
    -1103: Documented("UNKNOWN_PARAM", (), OTHER.format("-1104 says it")),
    -1104: Documented(
        "UNREAD_PARAMETERS",
        (
            "Not all sent parameters were read.",
            "Not all sent parameters were read; read '%s' parameter(s) but was sent '%s'.",
        ),
    ),
    -1105: Documented("PARAM_EMPTY", ("A parameter was empty.", "Parameter '%s' was empty.")),
    -1106: Documented(
        "PARAM_NOT_REQUIRED", ("A parameter was sent when not required.", "Parameter '%s' sent when not required.")
    ),
    -1108: Documented("PARAM_OVERFLOW", (), OTHER.format("-1130 says it")),
    -1111: Documented("BAD_PRECISION", ("Parameter '%s' has too much precision.",)),
    -1112: Documented("NO_DEPTH", ("No orders on book for symbol.",)),
    -1114: Documented("TIF_NOT_REQUIRED", (), OTHER.format("-1106 says it")),
    -1115: Documented("INVALID_TIF", ("Invalid timeInForce.",)),
    -1116: Documented("INVALID_ORDER_TYPE", ("Invalid orderType.",)),
    -1117: Documented("INVALID_SIDE", ("Invalid side.",)),
    -1118: Documented("EMPTY_NEW_CL_ORD_ID", (), OTHER.format("-1105 says it")),
    -1119: Documented("EMPTY_ORG_CL_ORD_ID", (), OTHER.format("-1105 says it")),
    -1120: Documented("BAD_INTERVAL", ("Invalid interval.",)),
    -1121: Documented("BAD_SYMBOL", ("Invalid symbol.",)),
    -1122: Documented("INVALID_SYMBOLSTATUS", ("Invalid symbolStatus.",)),
    -1125: Documented("INVALID_LISTEN_KEY", (), OTHER.format("listenKeys have ended")),
    -1127: Documented(
        "MORE_THAN_XX_HOURS",
        ("Lookup interval is too big.", "More than %s hours between startTime and endTime."),
    ),
    -1128: Documented("OPTIONAL_PARAMS_BAD_COMBO", ("Combination of optional parameters invalid.",)),
    -1130: Documented(
        "INVALID_PARAMETER", ("Invalid data sent for a parameter.", "Data sent for parameter '%s' is not valid.")
    ),
    -1134: Documented("BAD_STRATEGY_TYPE", ("`strategyType` was less than 1000000.",)),
    -1135: Documented("INVALID_JSON", ("Invalid JSON Request", "JSON sent for parameter '%s' is not valid")),
    -1139: Documented("INVALID_TICKER_TYPE", ("Invalid ticker type.",)),
    -1145: Documented(
        "INVALID_CANCEL_RESTRICTIONS",
        ("`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`.",),
    ),
    -1151: Documented("DUPLICATE_SYMBOLS", ("Symbol is present multiple times in the list.",)),
    -1152: Documented("INVALID_SBE_HEADER", (), SBE),
    -1153: Documented("UNSUPPORTED_SCHEMA_ID", (), SBE),
    -1155: Documented("SBE_DISABLED", ("SBE is not enabled.",)),
    -1158: Documented("OCO_ORDER_TYPE_REJECTED", ("Order type not supported in OCO.",)),
    -1160: Documented(
        "OCO_ICEBERGQTY_TIMEINFORCE",
        ("Parameter '%s' is not supported if `aboveTimeInForce`/`belowTimeInForce` is not GTC.",),
    ),
    -1161: Documented("DEPRECATED_SCHEMA", (), SBE),
    -1165: Documented("BUY_OCO_LIMIT_MUST_BE_BELOW", ("A limit order in a buy OCO must be below.",)),
    -1166: Documented("SELL_OCO_LIMIT_MUST_BE_ABOVE", ("A limit order in a sell OCO must be above.",)),
    -1168: Documented("BOTH_OCO_ORDERS_CANNOT_BE_LIMIT", ("At least one OCO order must be contingent.",)),
    **{code: Documented(name, (), FIX) for code, name in (
        (-1169, "INVALID_TAG_NUMBER"), (-1170, "TAG_NOT_DEFINED_IN_MESSAGE"), (-1171, "TAG_APPEARS_MORE_THAN_ONCE"),
        (-1172, "TAG_OUT_OF_ORDER"), (-1173, "GROUP_FIELDS_OUT_OF_ORDER"), (-1174, "INVALID_COMPONENT"),
        (-1175, "RESET_SEQ_NUM_SUPPORT"), (-1176, "ALREADY_LOGGED_IN"), (-1177, "GARBLED_MESSAGE"),
        (-1178, "BAD_SENDER_COMPID"), (-1179, "BAD_SEQ_NUM"), (-1180, "EXPECTED_LOGON"),
        (-1181, "TOO_MANY_MESSAGES"), (-1182, "PARAMS_BAD_COMBO"), (-1183, "NOT_ALLOWED_IN_DROP_COPY_SESSIONS"),
        (-1184, "DROP_COPY_SESSION_NOT_ALLOWED"), (-1185, "DROP_COPY_SESSION_REQUIRED"),
        (-1186, "NOT_ALLOWED_IN_ORDER_ENTRY_SESSIONS"), (-1187, "NOT_ALLOWED_IN_MARKET_DATA_SESSIONS"),
        (-1188, "INCORRECT_NUM_IN_GROUP_COUNT"), (-1189, "DUPLICATE_ENTRIES_IN_A_GROUP"),
        (-1190, "INVALID_REQUEST_ID"), (-1191, "TOO_MANY_SUBSCRIPTIONS"),
    )},
    -1194: Documented(
        "INVALID_TIME_UNIT", ("Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",)
    ),
    -1196: Documented("BUY_OCO_STOP_LOSS_MUST_BE_ABOVE", ("A stop loss order in a buy OCO must be above.",)),
    -1197: Documented("SELL_OCO_STOP_LOSS_MUST_BE_BELOW", ("A stop loss order in a sell OCO must be below.",)),
    -1198: Documented("BUY_OCO_TAKE_PROFIT_MUST_BE_BELOW", ("A take profit order in a buy OCO must be below.",)),
    -1199: Documented("SELL_OCO_TAKE_PROFIT_MUST_BE_ABOVE", ("A take profit order in a sell OCO must be above.",)),
    -1210: Documented("INVALID_PEG_PRICE_TYPE", (), OTHER.format("pegged orders are refused with -2010")),
    -1211: Documented("INVALID_PEG_OFFSET_TYPE", (), OTHER.format("pegged orders are refused with -2010")),
    -1220: Documented(
        "SYMBOL_DOES_NOT_MATCH_STATUS", ("The symbol's status does not match the requested symbolStatus.",)
    ),
    -1221: Documented("INVALID_SBE_MESSAGE_FIELD", (), SBE),
    -1222: Documented("OPO_WORKING_MUST_BE_BUY", (), OTHER.format("OPO lists are refused with -2010")),
    -1223: Documented("OPO_PENDING_MUST_BE_SELL", (), OTHER.format("OPO lists are refused with -2010")),
    -1224: Documented("WORKING_PARAM_REQUIRED", (), FIX),
    -1225: Documented("PENDING_PARAM_NOT_REQUIRED", (), FIX),
    -2010: Documented("NEW_ORDER_REJECTED", ENGINE_TEXTS),
    -2011: Documented("CANCEL_REJECTED", ENGINE_TEXTS),
    -2013: Documented("NO_SUCH_ORDER", ("Order does not exist.",)),
    -2014: Documented("BAD_API_KEY_FMT", ("API-key format invalid.",)),
    -2015: Documented("REJECTED_MBX_KEY", ("Invalid API-key, IP, or permissions for action.",)),
    -2016: Documented("NO_TRADING_WINDOW", (), OTHER.format("every symbol has one")),
    -2021: Documented("CANCEL_REPLACE_PARTIALLY_FAILED", ("Order cancel-replace partially failed.",)),
    -2022: Documented("CANCEL_REPLACE_FAILED", ("Order cancel-replace failed.",)),
    -2026: Documented("ORDER_ARCHIVED", (), OTHER.format("nothing is archived")),
    -2035: Documented("SUBSCRIPTION_ACTIVE", ("User Data Stream subscription already active.",)),
    -2036: Documented("SUBSCRIPTION_INACTIVE", ("User Data Stream subscription not active.",)),
    -2038: Documented("ORDER_AMEND_KEEP_PRIORITY_REJECTED", ENGINE_TEXTS),
    -2039: Documented("CLIENT_ORDER_ID_INVALID", ("Client order ID is not correct for this order ID.",)),
    -2042: Documented("MAX_SUBSCRIPTION_ID", (), OTHER.format("no connection has so many accounts")),
    -2043: Documented("NO_REFERENCE_PRICE", ("This symbol doesn't have a reference price.",)),
}  # fmt: skip


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Return for each code, documented or not: its name, whether it can come, whether in these words, and the test."""
    codes = DOCUMENTED.keys() | {kind.code for kind in ErrorKind}
    for code in sorted(codes, reverse=True):
        documented = DOCUMENTED.get(code)
        kinds = [kind for kind in ErrorKind if kind.code == code]
        name = f"`{documented.name}`" if documented is not None else "not documented"
        absent = documented.absent if documented is not None else ""
        if not kinds:
            yield f"{code}", name, absent or "no: not yet", "", ""
            continue
        yield f"{code}", name, absent or "yes", _words(kinds, documented), test_of(code)


def _words(kinds: list[ErrorKind], documented: Documented | None) -> str:
    """Say which of the texts are Binance's, and quote the others."""
    known = {_plain(text) for text in documented.texts} if documented is not None else set()
    others = [kind.text for kind in kinds if _plain(kind.text) not in known]
    if not others:
        return "as documented"
    if len(others) < len(kinds):
        return "as documented, and: " + "; ".join(_shown(text) for text in dict.fromkeys(others))
    return "other: " + "; ".join(_shown(text) for text in dict.fromkeys(others))


def _plain(text: str) -> str:
    return _BLANK.sub("%s", text).replace("`", "").replace("1 MINUTE", "%s").replace("24 hours", "%s hours")


def _shown(text: str) -> str:
    return "“" + _BLANK.sub("…", text) + "”"


@cache
def test_of(code: int) -> str:
    """Return the first test that expects a code, by its number or by the name of one of its kinds; empty for none."""
    names = "|".join(kind.name for kind in ErrorKind if kind.code == code)
    expected = re.compile(rf"(?<![0-9])-{-code}(?![0-9])|ErrorKind\.(?:{names})\b" if names else rf"-{-code}(?![0-9])")
    for path in sorted((TESTS / "paper").glob("test_*.py")):
        if expected.search(path.read_text(encoding="utf-8")):
            return f"`{path.stem}`"
    return ""
