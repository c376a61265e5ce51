"""The parameters of the REST calls: how each is spelt, and how a request's query and body become values.

A value is read from the query, the body or both, whatever the method; where a name is in both, the query wins.
Everything that was sent must be known and well spelt, or the call is refused.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from market.codes import SelfTradePrevention, Side, TimeInForce
from paper.errors import ErrorKind, ExchangeError
from paper.intervals import INTERVALS, MICROSECONDS_FROM, US_PER_MS
from paper.money.orders import OrderKind
from paper.units import UNITS_MAX, TooPreciseError, parse_units

Values = dict[str, Any]
Parser = Callable[[str, str], Any]

_SYMBOL: Final = r"[A-Z0-9-_.]{1,20}"
_CLIENT_ORDER_ID: Final = r"[a-zA-Z0-9-_]{1,36}"
_INTEGER: Final = r"[0-9]{1,20}"
_DECIMAL: Final = r"[0-9]{1,20}(\.[0-9]{1,20})?"
_PERMISSION: Final = r"[A-Z0-9_]{1,30}"
_PERMISSIONS: Final = rf'{_PERMISSION}|\["{_PERMISSION}"(,"{_PERMISSION}"){{0,49}}\]'
_ZONE: Final = r"[+-]?[0-9]{1,2}(:[0-9]{2})?"
_STRATEGY_TYPE_MIN: Final = 1_000_000  # what is below, Binance keeps for itself
_SYMBOLS: Final = rf'\["{_SYMBOL}"(,"{_SYMBOL}"){{0,499}}\]'


class ResponseType(StrEnum):
    """How much a new order's answer tells."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class CancelRestriction(StrEnum):
    """Which orders a cancel may touch."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


class TickerType(StrEnum):
    """How much a ticker tells."""

    FULL = "FULL"
    MINI = "MINI"


class CancelReplaceMode(StrEnum):
    """Whether a new order is placed although the old one could not be cancelled."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


class SymbolStatus(StrEnum):
    """Whether a symbol trades."""

    TRADING = "TRADING"
    HALT = "HALT"
    BREAK = "BREAK"


class RateLimitMode(StrEnum):
    """What a client over its limit of orders wants of a call that cancels and places."""

    DO_NOTHING = "DO_NOTHING"
    CANCEL_ONLY = "CANCEL_ONLY"


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
    by_name = {parameter.name: parameter for parameter in table}
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


def without_signature(table: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters of a signed call that needs no signature."""
    return tuple(parameter for parameter in table if parameter.name != "signature")


def _split(part: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for piece in part.split("&"):
        if not piece:
            continue
        name, _, text = (_decode(half) for half in piece.partition("="))
        if name in pairs:
            raise ExchangeError(ErrorKind.TOO_MANY_PARAMETERS, name=name[:40])
        pairs[name] = text
    return pairs


def _decode(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name=text[:40], legal="UTF-8") from None


def _matching(pattern: str) -> Parser:
    compiled = re.compile(pattern, re.ASCII)

    def parse(name: str, text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name=name, legal=f"^{pattern}$")
        return text

    return parse


def _text(pattern: str) -> Kind:
    return Kind(_matching(pattern), {"type": "string", "pattern": f"^{pattern}$"})


def _one_of(choices: Mapping[str, Any], kind: ErrorKind) -> Kind:
    def parse(name: str, text: str) -> Any:
        if text not in choices:
            raise ExchangeError(kind, name=name)
        return choices[text]

    return Kind(parse, {"type": "string", "enum": list(choices)})


def _names(members: type[IntEnum] | type[StrEnum]) -> dict[str, Any]:
    return {member.name: member for member in members}


_digits = _matching(_INTEGER)
_decimal_text = _matching(_DECIMAL)
_symbol_text = _matching(_SYMBOL)
_symbols_text = _matching(_SYMBOLS)
_permissions_text = _matching(_PERMISSIONS)
_zone_text = _matching(_ZONE)


def _integer(name: str, text: str) -> int:
    value = int(_digits(name, text))
    if value > UNITS_MAX:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return value


def _positive(name: str, text: str) -> int:
    value = _integer(name, text)
    if value == 0:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return value


def _units(name: str, text: str) -> int:
    try:
        units = parse_units(_decimal_text(name, text))
    except TooPreciseError:
        raise ExchangeError(ErrorKind.TOO_PRECISE, name=name) from None
    if not 0 < units <= UNITS_MAX:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return units


def _window_us(name: str, text: str) -> int:
    # In ms with up to three decimals: the first three decimals of a unit are µs here.
    whole, _, fraction = _decimal_text(name, text).partition(".")
    if len(fraction) > 3:
        raise ExchangeError(ErrorKind.TOO_PRECISE, name=name)
    return int(whole) * 1_000 + int(fraction.ljust(3, "0"))


def _start_ms(name: str, text: str) -> int:
    time = _integer(name, text)
    return -(-time // US_PER_MS) if time >= MICROSECONDS_FROM else time


def _end_ms(name: str, text: str) -> int:
    time = _integer(name, text)
    return time // US_PER_MS if time >= MICROSECONDS_FROM else time


def _symbol(name: str, text: str) -> Any:
    if not text.isascii():
        raise ExchangeError(ErrorKind.BAD_SYMBOL)  # Binance has such symbols, and we have none
    return _symbol_text(name, text)


def _symbols(name: str, text: str) -> tuple[str, ...]:
    if not text.isascii() or "\\u" in text:
        raise ExchangeError(ErrorKind.BAD_SYMBOL)
    symbols = tuple(json.loads(_symbols_text(name, text)))
    if len(set(symbols)) != len(symbols):
        raise ExchangeError(ErrorKind.REPEATED_SYMBOL)
    return symbols


def _permissions(name: str, text: str) -> frozenset[str]:
    _permissions_text(name, text)
    return frozenset(json.loads(text) if text.startswith("[") else [text])


def _time_zone(name: str, text: str) -> Any:
    zone = _zone_text(name, text)
    if zone.strip("+-0:"):
        raise ExchangeError(ErrorKind.UNSUPPORTED_OPERATION)  # bars begin by UTC
    return zone


def _strategy_type(name: str, text: str) -> int:
    value = _integer(name, text)
    if value < _STRATEGY_TYPE_MIN:
        raise ExchangeError(ErrorKind.BAD_PARAMETER, name=name)
    return value


_INTEGER_KIND: Final = Kind(_integer, {"type": "integer", "minimum": 0, "maximum": UNITS_MAX})
_POSITIVE_KIND: Final = Kind(_positive, {"type": "integer", "minimum": 1, "maximum": UNITS_MAX})
_AMOUNT_KIND: Final = Kind(_units, {"type": "string", "pattern": f"^{_DECIMAL}$"})
_WINDOW_KIND: Final = Kind(_window_us, {"type": "string", "pattern": f"^{_DECIMAL}$"})
_SYMBOLS_KIND: Final = Kind(_symbols, {"type": "string", "pattern": f"^{_SYMBOLS}$"})
_SYMBOL_KIND: Final = Kind(_symbol, {"type": "string", "pattern": f"^{_SYMBOL}$"})
_START_KIND: Final = Kind(_start_ms, _INTEGER_KIND.schema)
_END_KIND: Final = Kind(_end_ms, _INTEGER_KIND.schema)
_CLIENT_ORDER_ID_KIND: Final = _text(_CLIENT_ORDER_ID)
_BOOLEAN_KIND: Final = _one_of({"true": True, "false": False}, ErrorKind.BAD_PARAMETER)

SYMBOL: Final = Parameter("symbol", _SYMBOL_KIND, is_required=True)
SYMBOL_OR_ALL: Final = Parameter("symbol", _SYMBOL_KIND)
SYMBOLS: Final = Parameter("symbols", _SYMBOLS_KIND)
SIDE: Final = Parameter("side", _one_of(_names(Side), ErrorKind.BAD_SIDE), is_required=True)
ORDER_TYPE: Final = Parameter("type", _one_of(_names(OrderKind), ErrorKind.BAD_ORDER_TYPE), is_required=True)
TIME_IN_FORCE: Final = Parameter("timeInForce", _one_of(_names(TimeInForce), ErrorKind.BAD_TIME_IN_FORCE))
QUANTITY: Final = Parameter("quantity", _AMOUNT_KIND)
QUOTE_ORDER_QTY: Final = Parameter("quoteOrderQty", _AMOUNT_KIND)
STOP_PRICE: Final = Parameter("stopPrice", _AMOUNT_KIND)
TRAILING_DELTA: Final = Parameter("trailingDelta", _POSITIVE_KIND)
ICEBERG_QTY: Final = Parameter("icebergQty", _AMOUNT_KIND)
PRICE: Final = Parameter("price", _AMOUNT_KIND)
NEW_CLIENT_ORDER_ID: Final = Parameter("newClientOrderId", _CLIENT_ORDER_ID_KIND)
NEW_QTY: Final = Parameter("newQty", _AMOUNT_KIND, is_required=True)
ORIG_CLIENT_ORDER_ID: Final = Parameter("origClientOrderId", _CLIENT_ORDER_ID_KIND)
NEW_ORDER_RESPONSE_TYPE: Final = Parameter(
    "newOrderRespType", _one_of(_names(ResponseType), ErrorKind.BAD_RESPONSE_TYPE)
)
SELF_TRADE_PREVENTION: Final = Parameter(
    "selfTradePreventionMode", _one_of(_names(SelfTradePrevention), ErrorKind.BAD_PARAMETER)
)
CANCEL_RESTRICTIONS: Final = Parameter(
    "cancelRestrictions", _one_of(_names(CancelRestriction), ErrorKind.BAD_CANCEL_RESTRICTIONS)
)
CANCEL_REPLACE_MODE: Final = Parameter(
    "cancelReplaceMode", _one_of(_names(CancelReplaceMode), ErrorKind.BAD_PARAMETER), is_required=True
)
CANCEL_ORDER_ID: Final = Parameter("cancelOrderId", _INTEGER_KIND)
CANCEL_ORIG_CLIENT_ORDER_ID: Final = Parameter("cancelOrigClientOrderId", _CLIENT_ORDER_ID_KIND)
CANCEL_NEW_CLIENT_ORDER_ID: Final = Parameter("cancelNewClientOrderId", _CLIENT_ORDER_ID_KIND)
ORDER_RATE_LIMIT_EXCEEDED_MODE: Final = Parameter(
    "orderRateLimitExceededMode", _one_of(_names(RateLimitMode), ErrorKind.BAD_PARAMETER)
)
ORDER_ID: Final = Parameter("orderId", _INTEGER_KIND)
FROM_ID: Final = Parameter("fromId", _INTEGER_KIND)
START_TIME: Final = Parameter("startTime", _START_KIND)
END_TIME: Final = Parameter("endTime", _END_KIND)
LIMIT: Final = Parameter("limit", _POSITIVE_KIND)
INTERVAL: Final = Parameter("interval", _one_of({name: name for name in INTERVALS}, ErrorKind.BAD_INTERVAL), True)
TICKER_TYPE: Final = Parameter("type", _one_of(_names(TickerType), ErrorKind.BAD_PARAMETER))
PERMISSIONS: Final = Parameter("permissions", Kind(_permissions, {"type": "string", "pattern": f"^({_PERMISSIONS})$"}))
SHOW_PERMISSION_SETS: Final = Parameter("showPermissionSets", _BOOLEAN_KIND)
SYMBOL_STATUS: Final = Parameter("symbolStatus", _one_of(_names(SymbolStatus), ErrorKind.BAD_PARAMETER))
TIME_ZONE: Final = Parameter("timeZone", Kind(_time_zone, {"type": "string", "pattern": f"^{_ZONE}$"}))
STRATEGY_ID: Final = Parameter("strategyId", _INTEGER_KIND)
STRATEGY_TYPE: Final = Parameter(
    "strategyType", Kind(_strategy_type, {"type": "integer", "minimum": _STRATEGY_TYPE_MIN, "maximum": UNITS_MAX})
)
COMPUTE_COMMISSION_RATES: Final = Parameter("computeCommissionRates", _BOOLEAN_KIND)
SUBSCRIPTION_ID: Final = Parameter("subscriptionId", _INTEGER_KIND)
SPOT_BNB_BURN: Final = Parameter("spotBNBBurn", _BOOLEAN_KIND)
INTEREST_BNB_BURN: Final = Parameter("interestBNBBurn", _BOOLEAN_KIND)
OMIT_ZERO_BALANCES: Final = Parameter("omitZeroBalances", _BOOLEAN_KIND)
TIMESTAMP: Final = Parameter("timestamp", _INTEGER_KIND, is_required=True)
RECV_WINDOW: Final = Parameter("recvWindow", _WINDOW_KIND)
SIGNATURE: Final = Parameter("signature", _text(r"[a-zA-Z0-9+/=]{1,1024}"), is_required=True)
SIGNED: Final = (TIMESTAMP, RECV_WINDOW, SIGNATURE)
