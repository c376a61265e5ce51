"""Recordings of Binance Spot market data: one raw message a line, read into typed records in ticks and lots.

A line is `<local receive time> <message JSON>`, the time in ns, or in µs or ms, which the messages' own times tell.
Messages are those of the raw or combined streams `<symbol>@depth`, `<symbol>@trade` and `<symbol>@bookTicker`, and one
answer of REST `/api/v3/depth`, the snapshot that the depth updates build on (Binance Spot API docs, "Web Socket
Streams", "How to manage a local order book correctly"). Messages of other streams, and answers to subscriptions, are
counted and passed over. So are the marks that a recorder of ours writes: `{"e": "begin", ...}` at the beginning of a
file, so that its first line names its symbol, as a snapshot does not; `{"e": "gap", ...}` where something is missing;
`{"e": "refused", ...}` in the place of a message that could not be read.
"""

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from flow.exact_units import InstrumentUnits, decimal_units
from market.clock import NS_PER_MS, NS_PER_SECOND, NS_PER_US
from market.codes import Side
from market.depth import Level
from market.instrument import Instrument
from market.limits import TIME_NS_MAX

# What reading a line that somebody else wrote may raise; nesting without end is a RecursionError.
MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)

# The events of a recorder's marks.
BEGIN = "begin"
GAP = "gap"
REFUSED = "refused"

ONE_SIDED = "bookTicker of an empty side"
CROSSED = "bookTicker whose bid is not below its ask"

_LINE_CHARACTERS_MAX = 4 << 20
_STAMP_DIGITS_MAX = 19
_TAKER_SIDE = {True: Side.SELL, False: Side.BUY}  # m: the buyer is the maker
_GZIP_MAGIC = b"\x1f\x8b"
_UNITS_NS = (1, NS_PER_US, NS_PER_MS, NS_PER_SECOND)  # of a receive time
_CLOCKS_APART_NS_MAX = 24 * 3_600 * NS_PER_SECOND  # receiver and exchange; two units are much farther apart
_OWN_TIME_US_FROM = 10**14  # a message's own time is in ms, or in µs
_DATES_NS = (10**18, 5 * 10**18)  # 2001 to 2128
_LINES_WITHOUT_TIME_MAX = 100_000
_USED_STREAM = re.compile(r"[a-z0-9]+@(depth(@[0-9]+ms)?|trade|bookTicker)", re.ASCII)
_USED_EVENTS = ("depthUpdate", "trade")


class RecordingError(ValueError):
    """A line is not what a recording holds; the message names the line, what was expected, and what was there."""


class Snapshot(NamedTuple):
    """The whole book as of an update, best first."""

    received_ns: int
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class DepthUpdate(NamedTuple):
    """The levels that changed in updates `first_update_id` to `update_id`, with what rests there now; 0 for nothing."""

    received_ns: int
    first_update_id: int
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookTicker(NamedTuple):
    """The best level of each side as of an update."""

    received_ns: int
    update_id: int
    bid: Level
    ask: Level


class RecordedTrade(NamedTuple):
    """One trade; `taker_side` is the aggressor's."""

    received_ns: int
    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: Side


Record = Snapshot | DepthUpdate | BookTicker | RecordedTrade


def read_recording(path: Path, instrument: Instrument, skipped: Counter[str] | None = None) -> Iterator[Record]:
    """Read the records of a plain or gzip file, in the file's order.

    Args:
        skipped: counts, by what they were, the messages that a replay has no use for.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: at the first line that is malformed, of another symbol, or between ticks or lots; or whose time
            is far from the message's own.
    """
    parser = MessageParser(instrument, _stamp_unit_ns(path), skipped)
    for number, line in _lines(path):
        try:
            record = parser.record(line)
        except MALFORMED as error:
            raise _line_error(path, number, line, error) from error
        if record is not None:
            yield record


def recorded_lags(path: Path) -> list[int]:
    """Return how much longer than the quickest each message with a time of its own travelled to whoever recorded it.

    How long the quickest took, nobody knows: the clocks at the two ends may be seconds apart. A message's own time is
    exact to the ms.

    Returns:
        ns, in the file's order.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: if a line is malformed, or no message has a time of its own.
    """
    unit_ns = _stamp_unit_ns(path)
    delays_ns = []
    for number, line in _lines(path):
        if '"E"' not in line:
            continue
        try:
            stamp, text = _split(line)
            own_ns = _own_time_ns(_unwrapped(text).document)
        except MALFORMED as error:
            raise _line_error(path, number, line, error) from error
        if own_ns is not None:
            delays_ns.append(stamp * unit_ns - own_ns)
    if not delays_ns:
        raise RecordingError(f"{path}: expected messages with a time of their own (E), found none")
    quickest_ns = min(delays_ns)
    return [delay_ns - quickest_ns for delay_ns in delays_ns]


def recorded_symbol(path: Path) -> str:
    """Return the symbol of a recording, `BTCUSDT`, as its first message with one says.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: if a line before it is malformed or no message has a symbol.
    """
    for number, line in _lines(path):
        try:
            message = _unwrapped(_split(line)[1]).document if line.strip() else {}
        except MALFORMED as error:
            raise _line_error(path, number, line, error) from error
        symbol = message.get("s")
        if isinstance(symbol, str):
            return symbol
    raise RecordingError(f"{path}: expected a message with a symbol (s), found none")


def has_snapshot(path: Path) -> bool:
    """Return whether a recording may hold a snapshot; of one that holds none the whole is read.

    Raises:
        OSError, RecordingError: if the file cannot be read, or is damaged.
    """
    return any('"lastUpdateId"' in line for _, line in _lines(path))


class MessageParser:
    """Reads lines of a recording, or messages of a stream, of one instrument.

    Args:
        unit_ns: of the receive times of lines.
        skipped: counts the messages that are passed over, by what they are.
    """

    def __init__(self, instrument: Instrument, unit_ns: int = 1, skipped: Counter[str] | None = None) -> None:
        self._symbol = instrument.symbol
        self._units = InstrumentUnits(instrument)
        self._unit_ns = unit_ns
        self._skipped: Counter[str] = Counter() if skipped is None else skipped

    def record(self, line: str) -> Record | None:
        """Return the record of a line, None for one that is empty or of no use.

        Raises:
            any of MALFORMED: if the line is malformed.
        """
        if not line.strip():
            return None
        received_ns, text = _split(line)
        received_ns *= self._unit_ns
        if received_ns > TIME_NS_MAX:
            raise ValueError("expected a receive time before the year 2263")
        message = _unwrapped(text)
        own_ns = _own_time_ns(message.document)
        if own_ns is not None and abs(received_ns - own_ns) > _CLOCKS_APART_NS_MAX:
            raise ValueError(f"expected a receive time within a day of the message's own, {message.document['E']}")
        return self._record(received_ns, message)

    def message(self, received_ns: int, text: str) -> Record | None:
        """Return the record of a message, None for one that is of no use.

        Raises:
            any of MALFORMED: if it is malformed.
        """
        return self._record(received_ns, _unwrapped(text))

    def _record(self, received_ns: int, wrapped: "_Message") -> Record | None:
        if (unused := _unused(wrapped, self._symbol)) is not None:
            self._skipped[unused] += 1
            return None
        message = wrapped.document
        if "lastUpdateId" in message:
            bids, asks = self._levels(message["bids"]), self._levels(message["asks"])
            return Snapshot(received_ns, _whole(message["lastUpdateId"]), bids, asks)
        if message.get("s") != self._symbol:
            raise ValueError(f"expected a message of {self._symbol}, found symbol {message.get('s')!r}")
        match message.get("e"):
            case "depthUpdate":
                bids, asks = self._levels(message["b"]), self._levels(message["a"])
                return DepthUpdate(received_ns, _whole(message["U"]), _whole(message["u"]), bids, asks)
            case "trade":
                side = _TAKER_SIDE[message["m"]]
                level = self._units.level(message["p"], message["q"], is_traded=True)
                return RecordedTrade(received_ns, _whole(message["t"]), *level, side)
            case None if "u" in message:  # a bookTicker names no event
                if not (decimal_units(message["b"]) and decimal_units(message["a"])):
                    self._skipped[ONE_SIDED] += 1  # the next depth update tells as much of the book
                    return None
                bid = self._units.level(message["b"], message["B"])
                ask = self._units.level(message["a"], message["A"])
                return BookTicker(received_ns, _whole(message["u"]), bid, ask)
            case other:
                raise ValueError(f"expected a depthUpdate, trade, bookTicker or snapshot, found event {other!r}")

    def _levels(self, rows: list[list[str]]) -> tuple[Level, ...]:
        return tuple(self._units.level(price, qty) for price, qty in rows)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP_MAGIC
    opener: Callable[..., IO[str]] = gzip.open if is_gzip else open
    number = 0
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        try:
            while line := file.readline(_LINE_CHARACTERS_MAX):
                number += 1
                yield number, line
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RecordingError(f"{path} after line {number}: expected a whole gzip file: {error}") from error


def _line_error(path: Path, number: int, line: str, error: Exception) -> RecordingError:
    return RecordingError(f"{path} line {number}: {_reason(error)}, was {line[:120]!r}")


def _split(line: str) -> tuple[int, str]:
    """Return a line's receive time, in whatever unit, and its message."""
    stamp, *rest = line.split(None, 1)
    if not (stamp.isdigit() and stamp.isascii() and len(stamp) <= _STAMP_DIGITS_MAX):
        raise ValueError("expected `<receive time, ns> <message JSON>`")
    return int(stamp), rest[0] if rest else ""


def _stamp_unit_ns(path: Path) -> int:
    """Return the unit of a recording's receive times: the one in which the first is near its message's own time.

    Where no message has a time (best prices alone), a number that is a date in one of the units is taken for that.
    """
    stamp = None
    for number, line in _lines(path):
        if number > _LINES_WITHOUT_TIME_MAX:
            break
        if not line.strip():
            continue
        try:
            stamp, text = _split(line)
            own_ns = _own_time_ns(_unwrapped(text).document) if '"E"' in text else None
        except MALFORMED:
            continue  # to be told when its turn comes
        if own_ns is not None:
            for unit_ns in _UNITS_NS:
                if abs(stamp * unit_ns - own_ns) <= _CLOCKS_APART_NS_MAX:
                    return unit_ns
            reason = ValueError("expected a receive time in ns, µs, ms or s within a day of the message's own (E)")
            raise _line_error(path, number, line, reason)
    first_ns, last_ns = _DATES_NS
    return next((unit_ns for unit_ns in _UNITS_NS[:3] if first_ns <= (stamp or 0) * unit_ns <= last_ns), 1)


class _Message(NamedTuple):
    """A message without what it was wrapped in; a list of several (as `!ticker@arr` has) is an empty one."""

    stream: str
    document: dict[str, Any]
    is_list: bool = False


def _unwrapped(text: str) -> _Message:
    message, stream = json.loads(text), ""
    if isinstance(message, dict) and "stream" in message:
        stream, message = str(message["stream"]), message["data"]
    if isinstance(message, list) and message and all(isinstance(each, dict) and "e" in each for each in message):
        return _Message(stream, {}, is_list=True)
    if not isinstance(message, dict):
        raise TypeError("expected a JSON object")
    return _Message(stream, message)


def _own_time_ns(message: dict[str, Any]) -> int | None:
    time = message.get("E")
    if not isinstance(time, int) or isinstance(time, bool):
        return None
    return time * (NS_PER_US if time >= _OWN_TIME_US_FROM else NS_PER_MS)


def _unused(wrapped: _Message, symbol: str) -> str | None:
    """Return what a message is that says nothing of book and trades: an answer, or of a stream that is not used."""
    stream, message, is_list = wrapped
    if is_list or (stream and _USED_STREAM.fullmatch(stream) is None):
        return stream or "list"
    if "id" in message and ("result" in message or "error" in message):
        return "answer"
    event = message.get("e")
    if isinstance(event, str) and event not in _USED_EVENTS and message.get("s", symbol) == symbol:
        return event
    return None


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"expected a non-negative integer, found {value!r}")
    return value


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"expected JSON ({error.msg})"
        case KeyError():
            return f"expected the key {error}"
        case ValueError() | TypeError() if str(error).startswith("expected"):
            return str(error)
        case _:
            return f"expected a recorded message ({error})"
