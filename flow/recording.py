"""Recordings of Binance Spot market data: one raw message a line, read into typed records in ticks and lots.

A line is `<local receive time, ns> <message JSON>`. Messages are those of the raw or combined streams `<symbol>@depth`,
`<symbol>@trade` and `<symbol>@bookTicker`, and one answer of REST `/api/v3/depth`, the snapshot that the depth
updates build on (Binance Spot API docs, "Web Socket Streams", "How to manage a local order book correctly").
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from flow.exact_units import DECIMALS, InstrumentUnits
from market.codes import Side
from market.depth import Level
from market.instrument import Instrument

_LINE_CHARACTERS_MAX = 4 << 20
_TAKER_SIDE = {True: Side.SELL, False: Side.BUY}  # m: the buyer is the maker
_GZIP_MAGIC = b"\x1f\x8b"


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


def read_recording(path: Path, instrument: Instrument) -> Iterator[Record]:
    """Read the records of a plain or gzip file, in the file's order.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: at the first line that is malformed, of another symbol, or between ticks or lots.
    """
    parser = MessageParser(instrument)
    for number, line in _lines(path):
        try:
            record = parser.record(line)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise RecordingError(f"{path.name} line {number}: {_reason(error)}, was {line[:120]!r}") from error
        if record is not None:
            yield record


def recorded_symbol(path: Path) -> str:
    """Return the symbol of a recording, `BTCUSDT`, as its first message with one says.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: if a line before it is malformed or no message has a symbol.
    """
    for number, line in _lines(path):
        try:
            message = _message(line.partition(" ")[2])
        except ValueError as error:
            raise RecordingError(f"{path.name} line {number}: {_reason(error)}, was {line[:120]!r}") from error
        symbol = message.get("s")
        if isinstance(symbol, str):
            return symbol
    raise RecordingError(f"{path.name}: expected a message with a symbol (s), found none")


def write_recording(path: Path, instrument: Instrument, records: Iterable[Record]) -> int:
    """Write records as a recording, gzip if the name ends in `.gz`; return how many."""
    count = 0
    opener: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="ascii") as file:
        for record in records:
            document = json.dumps(_document(record, instrument), separators=(",", ":"))
            file.write(f"{record.received_ns} {document}\n")
            count += 1
    return count


class MessageParser:
    """Reads lines of a recording, or messages of a stream, of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self._symbol = instrument.symbol
        self._units = InstrumentUnits(instrument)

    def record(self, line: str) -> Record | None:
        """Return the record of a line, None for an empty one.

        Raises:
            ValueError, KeyError, TypeError, IndexError, AttributeError: if the line is malformed.
        """
        if not line.strip():
            return None
        stamp, _, text = line.partition(" ")
        if not (stamp.isdigit() and stamp.isascii()):
            raise ValueError("expected `<receive time, ns> <message JSON>`")
        return self.message(int(stamp), text)

    def message(self, received_ns: int, text: str) -> Record:
        """Return the record of a message.

        Raises:
            ValueError, KeyError, TypeError, IndexError, AttributeError: if it is malformed.
        """
        message = _message(text)
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
                level = self._units.exact_level(message["p"], message["q"])
                return RecordedTrade(received_ns, _whole(message["t"]), *level, side)
            case None if "u" in message:  # a bookTicker names no event
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
    with opener(path, "rt", encoding="ascii", errors="replace") as file:
        try:
            while line := file.readline(_LINE_CHARACTERS_MAX):
                number += 1
                yield number, line
        except (EOFError, gzip.BadGzipFile) as error:
            raise RecordingError(f"{path.name} after line {number}: expected a whole gzip file: {error}") from error


def _message(text: str) -> dict[str, Any]:
    message = json.loads(text)
    if isinstance(message, dict) and "stream" in message:
        message = message["data"]
    if not isinstance(message, dict):
        raise TypeError("expected a JSON object")
    return message


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


def _document(record: Record, instrument: Instrument) -> dict[str, Any]:
    def row(level: Level) -> list[str]:
        price, qty = instrument.ticks_to_price(level.price_ticks), instrument.lots_to_qty(level.qty_lots)
        return [f"{price:.{DECIMALS}f}", f"{qty:.{DECIMALS}f}"]

    stream = f"{instrument.symbol.lower()}@"
    match record:
        case Snapshot():
            return {
                "lastUpdateId": record.update_id,
                "bids": [row(level) for level in record.bids],
                "asks": [row(level) for level in record.asks],
            }
        case DepthUpdate():
            data: dict[str, Any] = {"e": "depthUpdate", "E": record.received_ns // 1_000_000, "s": instrument.symbol}
            data |= {"U": record.first_update_id, "u": record.update_id}
            data |= {"b": [row(level) for level in record.bids], "a": [row(level) for level in record.asks]}
            return {"stream": stream + "depth@100ms", "data": data}
        case RecordedTrade():
            price, qty = row(Level(record.price_ticks, record.qty_lots))
            time_ms = record.received_ns // 1_000_000
            data = {"e": "trade", "E": time_ms, "s": instrument.symbol, "t": record.trade_id, "p": price, "q": qty}
            data |= {"T": time_ms, "m": record.taker_side == Side.SELL, "M": True}
            return {"stream": stream + "trade", "data": data}
        case BookTicker():
            (bid, bid_qty), (ask, ask_qty) = row(record.bid), row(record.ask)
            data = {"u": record.update_id, "s": instrument.symbol, "b": bid, "B": bid_qty, "a": ask, "A": ask_qty}
            return {"stream": stream + "bookTicker", "data": data}
