"""Times in µs for the clients that ask for it: `X-MBX-TIME-UNIT` of a call, `timeUnit` of a socket's URL.

The exchange counts ms. What it tells in µs ends with three zeros; a bar, which ends 1 ms before the next, then
ends 1 µs before.
"""

import json
from typing import Any, Final

from paper.errors import ErrorKind, ExchangeError
from paper.intervals import MICROSECONDS_FROM, US_PER_MS

TIME_UNIT_HEADER: Final = "X-MBX-TIME-UNIT"
TIME_UNIT_PARAMETER: Final = "timeUnit"

_IS_MICROSECONDS: Final = {"": False, "MILLISECOND": False, "MICROSECOND": True}
_MS_FROM: Final = 10**12  # a time from here on counts ms: in µs it would be in January of 1970
_NAMES: Final = frozenset(
    {
        "time",
        "updateTime",
        "workingTime",
        "transactTime",
        "transactionTime",
        "serverTime",
        "openTime",
        "closeTime",
        "resetTime",
        "timestamp",
        "trailingTime",
        "authorizedSince",
        "connectedSince",
        *"EOCTWuD",  # of events, where no other number that is so high has one of these letters
    }
)
_BAR_CELLS: Final = 12
_BAR_OPEN, _BAR_CLOSE = 0, 6


def wants_microseconds(unit: str) -> bool:
    """Say whether a client that names a unit wants µs.

    Raises:
        ExchangeError: BAD_TIME_UNIT.
    """
    try:
        return _IS_MICROSECONDS[unit.upper()]
    except KeyError:
        raise ExchangeError(ErrorKind.BAD_TIME_UNIT) from None


def text_in_microseconds(text: str) -> str:
    """Return a JSON document with its times in µs."""
    return json.dumps(in_microseconds(json.loads(text)), separators=(",", ":"))


def in_microseconds(document: Any) -> Any:
    """Return a document of a call, of a stream or of an account with its times in µs."""
    match document:
        case {"e": "referencePrice", "t": at_ms}:
            return document | {"t": _time(at_ms)}
        case dict():
            # An order's report has all letters of a bar; but of a bar, x says whether it is closed.
            is_bar = document.keys() >= {"t", "T", "i"} and isinstance(document.get("x"), bool)
            told = {
                name: _time(value) if name in _NAMES else in_microseconds(value) for name, value in document.items()
            }
            return told | {"t": _time(document["t"]), "T": _end(document["T"])} if is_bar else told
        case list() if len(document) == _BAR_CELLS and _is_ms(document[_BAR_OPEN]) and _is_ms(document[_BAR_CLOSE]):
            cells = list(document)
            cells[_BAR_OPEN], cells[_BAR_CLOSE] = _time(document[_BAR_OPEN]), _end(document[_BAR_CLOSE])
            return cells
        case list():
            return [in_microseconds(each) for each in document]
    return document


def _is_ms(value: Any) -> bool:
    return type(value) is int and _MS_FROM <= value < MICROSECONDS_FROM


def _time(value: Any) -> Any:
    return value * US_PER_MS if _is_ms(value) else in_microseconds(value)


def _end(value: int) -> int:
    return (value + 1) * US_PER_MS - 1
