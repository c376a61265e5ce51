"""The parameters of the REST calls: how each is spelt, and how a request's query and body become values.

A value is read from the query, the body or both, whatever the method; where a name is in both, the query wins.
Everything that was sent must be known and well spelt, or the call is refused.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from market.codes import SelfTradePrevention, Side, TimeInForce
from paper.errors import ErrorKind, ExchangeError
from paper.intervals import HOUR_MS, INTERVALS, MICROSECONDS_FROM, MINUTE_MS, US_PER_MS, WINDOWS_MS
from paper.money.orders import OrderKind, OrderStatus
from paper.units import UNITS_MAX, TooPreciseError, parse_units

Values = dict[str, Any]
Parser = Callable[[str, str], Any]

_SYMBOL: Final = r"[A-Z0-9-_.]{1,20}"
_DECIMAL: Final = r"[0-9]{1,20}(\.[0-9]{1,20})?"
_PERMISSION: Final = r"[A-Z0-9_]{1,30}"
_PERMISSIONS: Final = rf'{_PERMISSION}|\["{_PERMISSION}"(,"{_PERMISSION}"){{0,49}}\]'
_SYMBOLS: Final = rf'\["{_SYMBOL}"(,"{_SYMBOL}"){{0,499}}\]'


_ZONE_MS_MIN: Final = -12 * HOUR_MS
_ZONE_MS_MAX: Final = 14 * HOUR_MS


class ResponseType(StrEnum):
    """How much a new order's answer tells."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class Kind(NamedTuple):
    """How values are spelt: `parse(name, text)` returns one or raises ExchangeError; the schema is OpenAPI's."""

    parse: Parser
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of a call."""

    name: str
    kind: Kind
    is_required: bool = False


def read_texts(query: str, body: str) -> dict[str, str]:
    """Return the parameters of a request as they are spelt.

    Raises:
        ExchangeError: for one that is repeated, or is no text.
    """
    return {**_split(body), **_split(query)}


def read_values(texts: Mapping[str, str], table: Sequence[Parameter]) -> Values:
    """Return the values of a request by name; a parameter that was not sent is absent.

    Raises:
        ExchangeError: for the first parameter that is missing, unknown, empty or badly spelt.
    """
    by_name = _by_name(tuple(table))
    unread = texts.keys() - by_name.keys()
    if unread:
        raise ExchangeError(ErrorKind.UNREAD_PARAMETERS, read=len(texts) - len(unread), sent=len(texts))
    values: Values = {}
    for name, parameter in by_name.items():
        text = texts.get(name)
        if parameter.is_required and not text:
            raise ExchangeError(ErrorKind.MANDATORY_PARAMETER, name=name)
        if text == "":
            raise ExchangeError(ErrorKind.EMPTY_PARAMETER, name=name)
        if text is not None:
            values[name] = parameter.kind.parse(name, text)
    return values


@lru_cache(maxsize=1_024)  # more than there are tables
def _by_name(table: tuple[Parameter, ...]) -> Mapping[str, Parameter]:
    return {parameter.name: parameter for parameter in table}


def without_signature(table: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters of a signed call that needs no signature."""
    return tuple(parameter for parameter in table if parameter.name != "signature")


def _split(part: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    is_plain = "%" not in part and "+" not in part
    for piece in filter(None, part.split("&")):
        name, _, text = piece.partition("=")
        if not is_plain:
            name, text = _decode(name), _decode(text)
        if name in pairs:
            raise ExchangeError(ErrorKind.TOO_MANY_PARAMETERS, name=name[:40])
        pairs[name] = text
    return pairs


def _decode(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name=text[:40], legal="UTF-8") from None


def _text(pattern: str, read: Parser = lambda _, text: text, schema: Mapping[str, Any] | None = None) -> Kind:
    """Return the kind of values that are spelt by a pattern, and what `read` makes of them."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(name: str, text: str) -> Any:
        if compiled.fullmatch(text) is None:
            raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name=name, legal=f"^{pattern}$")
        return read(name, text)

    return Kind(parse, schema or {"type": "string", "pattern": f"^{pattern}$"})


def _integer(low: int = 0, kind: ErrorKind = ErrorKind.BAD_PARAMETER) -> Kind:
    def read(name: str, text: str) -> int:
        value = int(text)
        if not low <= value <= UNITS_MAX:
            raise ExchangeError(kind, name=name)
        return value

    return _text(r"[0-9]{1,20}", read, {"type": "integer", "minimum": low, "maximum": UNITS_MAX})


def _one_of(choices: Mapping[str, Any], kind: ErrorKind = ErrorKind.BAD_PARAMETER) -> Kind:
    def parse(name: str, text: str) -> Any:
        if text not in choices:
            raise ExchangeError(kind, name=name)
        return choices[text]

    return Kind(parse, {"type": "string", "enum": list(choices)})


def _member_of(members: type[IntEnum] | type[StrEnum], kind: ErrorKind = ErrorKind.BAD_PARAMETER) -> Kind:
    return _one_of(dict(members.__members__), kind)


def _word(*words: str, kind: ErrorKind = ErrorKind.BAD_PARAMETER) -> Kind:
    return _one_of({word: word for word in words}, kind)


def _of_symbols(kind: Kind, *, is_json: bool = False) -> Kind:
    def parse(name: str, text: str) -> Any:
        if not text.isascii() or (is_json and r"\u" in text):
            raise ExchangeError(ErrorKind.BAD_SYMBOL)  # Binance has such symbols, and we have none
        return kind.parse(name, text)

    return Kind(parse, kind.schema)


def _units(name: str, text: str) -> int:
    try:
        units = parse_units(text)
    except TooPreciseError:
        raise ExchangeError(ErrorKind.TOO_PRECISE, name=name) from None
    if not 0 < units <= UNITS_MAX:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return units


def _window_us(name: str, text: str) -> int:
    # In ms with up to three decimals: the first three decimals of a unit are µs here.
    whole, _, fraction = text.partition(".")
    if len(fraction) > 3:
        raise ExchangeError(ErrorKind.TOO_PRECISE, name=name)
    return int(whole) * 1_000 + int(fraction.ljust(3, "0"))


def _start_ms(name: str, text: str) -> int:
    time: int = _INTEGER_KIND.parse(name, text)
    return -(-time // US_PER_MS) if time >= MICROSECONDS_FROM else time


def _end_ms(name: str, text: str) -> int:
    time: int = _INTEGER_KIND.parse(name, text)
    return time // US_PER_MS if time >= MICROSECONDS_FROM else time


def _symbols(_: str, text: str) -> tuple[str, ...]:
    symbols = tuple(json.loads(text))
    if len(set(symbols)) != len(symbols):
        raise ExchangeError(ErrorKind.REPEATED_SYMBOL)
    return symbols


def _permissions(_: str, text: str) -> frozenset[str]:
    return frozenset(json.loads(text) if text.startswith("[") else [text])


def _zone_ms(name: str, text: str) -> int:
    hours, _, minutes = text.strip("+-").partition(":")
    distance_ms = int(hours) * HOUR_MS + int(minutes or 0) * MINUTE_MS
    zone_ms = -distance_ms if text.startswith("-") else distance_ms
    if int(minutes or 0) >= HOUR_MS // MINUTE_MS or not _ZONE_MS_MIN <= zone_ms <= _ZONE_MS_MAX:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return zone_ms


_INTEGER_KIND: Final = _integer()
_POSITIVE_KIND: Final = _integer(1)
_AMOUNT_KIND: Final = _text(_DECIMAL, _units)
_SYMBOL_KIND: Final = _of_symbols(_text(_SYMBOL))
_CLIENT_ORDER_ID_KIND: Final = _text(r"[a-zA-Z0-9-_]{1,36}")
_BOOLEAN_KIND: Final = _one_of({"true": True, "false": False})

SYMBOL: Final = Parameter("symbol", _SYMBOL_KIND, is_required=True)
SYMBOL_OR_ALL: Final = Parameter("symbol", _SYMBOL_KIND)
SYMBOLS: Final = Parameter("symbols", _of_symbols(_text(_SYMBOLS, _symbols), is_json=True))
SIDE: Final = Parameter("side", _member_of(Side, ErrorKind.BAD_SIDE), is_required=True)
ORDER_TYPE: Final = Parameter("type", _member_of(OrderKind, ErrorKind.BAD_ORDER_TYPE), is_required=True)
TIME_IN_FORCE: Final = Parameter("timeInForce", _member_of(TimeInForce, ErrorKind.BAD_TIME_IN_FORCE))
QUANTITY: Final = Parameter("quantity", _AMOUNT_KIND)
QUOTE_ORDER_QTY: Final = Parameter("quoteOrderQty", _AMOUNT_KIND)
STOP_PRICE: Final = Parameter("stopPrice", _AMOUNT_KIND)
TRAILING_DELTA: Final = Parameter("trailingDelta", _POSITIVE_KIND)
ICEBERG_QTY: Final = Parameter("icebergQty", _AMOUNT_KIND)
PRICE: Final = Parameter("price", _AMOUNT_KIND)
NEW_CLIENT_ORDER_ID: Final = Parameter("newClientOrderId", _CLIENT_ORDER_ID_KIND)
NEW_QTY: Final = Parameter("newQty", _AMOUNT_KIND, is_required=True)
ORIG_CLIENT_ORDER_ID: Final = Parameter("origClientOrderId", _CLIENT_ORDER_ID_KIND)
NEW_ORDER_RESPONSE_TYPE: Final = Parameter("newOrderRespType", _member_of(ResponseType, ErrorKind.BAD_RESPONSE_TYPE))
SELF_TRADE_PREVENTION: Final = Parameter("selfTradePreventionMode", _member_of(SelfTradePrevention))
CANCEL_RESTRICTIONS: Final = Parameter(
    "cancelRestrictions",
    _one_of(
        {"ONLY_NEW": OrderStatus.NEW, "ONLY_PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED},
        ErrorKind.BAD_CANCEL_RESTRICTIONS,
    ),
)
CANCEL_REPLACE_MODE: Final = Parameter("cancelReplaceMode", _word("STOP_ON_FAILURE", "ALLOW_FAILURE"), is_required=True)
CANCEL_ORDER_ID: Final = Parameter("cancelOrderId", _INTEGER_KIND)
CANCEL_ORIG_CLIENT_ORDER_ID: Final = Parameter("cancelOrigClientOrderId", _CLIENT_ORDER_ID_KIND)
CANCEL_NEW_CLIENT_ORDER_ID: Final = Parameter("cancelNewClientOrderId", _CLIENT_ORDER_ID_KIND)
ORDER_RATE_LIMIT_EXCEEDED_MODE: Final = Parameter("orderRateLimitExceededMode", _word("DO_NOTHING", "CANCEL_ONLY"))
ORDER_ID: Final = Parameter("orderId", _INTEGER_KIND)
AMENDED_ORDER_ID: Final = Parameter("orderId", _INTEGER_KIND, is_required=True)
FROM_EXECUTION_ID: Final = Parameter("fromExecutionId", _INTEGER_KIND)
FROM_ID: Final = Parameter("fromId", _INTEGER_KIND)
FROM_BLOCK_TRADE_ID: Final = Parameter("fromId", _INTEGER_KIND, is_required=True)
PREVENTED_MATCH_ID: Final = Parameter("preventedMatchId", _INTEGER_KIND)
FROM_PREVENTED_MATCH_ID: Final = Parameter("fromPreventedMatchId", _INTEGER_KIND)
FROM_ALLOCATION_ID: Final = Parameter("fromAllocationId", _INTEGER_KIND)
START_TIME: Final = Parameter("startTime", Kind(_start_ms, _INTEGER_KIND.schema))
END_TIME: Final = Parameter("endTime", Kind(_end_ms, _INTEGER_KIND.schema))
LIMIT: Final = Parameter("limit", _POSITIVE_KIND)
INTERVAL: Final = Parameter("interval", _one_of(INTERVALS, ErrorKind.BAD_INTERVAL), True)
WINDOW_SIZE: Final = Parameter("windowSize", _one_of(WINDOWS_MS))
TICKER_TYPE: Final = Parameter("type", _word("FULL", "MINI", kind=ErrorKind.BAD_TICKER_TYPE))
PERMISSIONS: Final = Parameter(
    "permissions", _text(_PERMISSIONS, _permissions, {"type": "string", "pattern": f"^({_PERMISSIONS})$"})
)
SHOW_PERMISSION_SETS: Final = Parameter("showPermissionSets", _BOOLEAN_KIND)
SYMBOL_STATUS: Final = Parameter(
    "symbolStatus", _word("TRADING", "HALT", "BREAK", "CANCEL_ONLY", kind=ErrorKind.BAD_SYMBOL_STATUS)
)
TIME_ZONE: Final = Parameter("timeZone", _text(r"[+-]?[0-9]{1,2}(:[0-9]{2})?", _zone_ms))
STRATEGY_ID: Final = Parameter("strategyId", _INTEGER_KIND)
STRATEGY_TYPE: Final = Parameter(
    "strategyType", _integer(1_000_000, ErrorKind.BAD_STRATEGY_TYPE)
)  # what is below, Binance keeps for itself
COMPUTE_COMMISSION_RATES: Final = Parameter("computeCommissionRates", _BOOLEAN_KIND)
PEG_PRICE_TYPE: Final = Parameter("pegPriceType", _word("PRIMARY_PEG", "MARKET_PEG"))
PEG_OFFSET_TYPE: Final = Parameter("pegOffsetType", _word("PRICE_LEVEL"))
PEG_OFFSET_VALUE: Final = Parameter("pegOffsetValue", _INTEGER_KIND)
LIST_CLIENT_ORDER_ID: Final = Parameter("listClientOrderId", _CLIENT_ORDER_ID_KIND)
ORDER_LIST_ID: Final = Parameter("orderListId", _INTEGER_KIND)
SUBSCRIPTION_ID: Final = Parameter("subscriptionId", _INTEGER_KIND)
SPOT_BNB_BURN: Final = Parameter("spotBNBBurn", _BOOLEAN_KIND)
INTEREST_BNB_BURN: Final = Parameter("interestBNBBurn", _BOOLEAN_KIND)
OMIT_ZERO_BALANCES: Final = Parameter("omitZeroBalances", _BOOLEAN_KIND)
TIMESTAMP: Final = Parameter("timestamp", _INTEGER_KIND, is_required=True)
RECV_WINDOW: Final = Parameter("recvWindow", _text(_DECIMAL, _window_us))
SIGNATURE: Final = Parameter("signature", _text(r"[a-zA-Z0-9+/=]{1,1024}"), is_required=True)
SIGNED: Final = (TIMESTAMP, RECV_WINDOW, SIGNATURE)
