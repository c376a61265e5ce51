"""Binance's public data files (data.binance.vision): CSV of trades, aggregate trades and best prices, zipped or plain.

Columns, after the repository binance/binance-public-data: trades `id, price, qty, quoteQty, time, isBuyerMaker` and,
on Spot, `isBestMatch`; aggTrades `id, price, qty, firstId, lastId, time, isBuyerMaker` and, on Spot, `isBestMatch`;
bookTicker `updateId, bidPrice, bidQty, askPrice, askQty, transactionTime, eventTime`. Files of Spot have no header,
those of futures mostly have one. Times are ms, on Spot from 2025 on µs. The kind and the symbol stand in the file's
name only: `BTCUSDT-trades-2025-01-01.zip`. Some published files have rows out of order, or twice
(binance/binance-public-data issues 305 and 339): the whole file is looked through before its first row is used, and
sorted if need be.
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from flow.exact_units import InstrumentUnits, decimal_units
from flow.recordings.recording import CROSSED, ONE_SIDED, BookTicker, Record, RecordedTrade, RecordingError
from market.clock import NS_PER_MS, NS_PER_US
from market.codes import Side
from market.instrument import Instrument
from market.limits import TIME_NS_MAX

_NAME: Final = re.compile(
    r"(?P<symbol>[A-Z0-9]{2,20})-(?P<kind>trades|aggTrades|bookTicker)-[^/]*\.(?:csv|zip)", re.ASCII
)
SORTED_ROWS_MAX: Final = 5_000_000  # some 300 bytes each while they are sorted

_LINE_CHARACTERS_MAX: Final = 4_096
_ENCRYPTED: Final = 1
# Of an archive with a flipped bit: also a place before its beginning, another method, a name that is no text.
ARCHIVE_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    UnicodeDecodeError, OverflowError,
)  # fmt: skip
_BOOLS: Final = {"true": Side.SELL, "false": Side.BUY}  # whether the buyer is the maker
_TIME_CELLS: Final = {"trades": 4, "aggTrades": 5, "bookTicker": 5}
_MICROSECONDS_FROM: Final = 10**15  # as ms that would be the year 33658


def is_public_data(path: Path) -> bool:
    """Return whether a file is one of Binance's public data, by its name."""
    return _NAME.fullmatch(path.name) is not None


def public_data_symbol(path: Path) -> str:
    """Return the symbol in the name of a file that `is_public_data`."""
    match = _NAME.fullmatch(path.name)
    assert match is not None, f"no name of public data: {path.name}"
    return match["symbol"]


def read_public_data(path: Path, instrument: Instrument, skipped: Counter[str] | None = None) -> Iterator[Record]:
    """Read the trades or best prices of a file by time and id; times of the exchange stand for those of receipt.

    Args:
        skipped: counts, by what they were, the rows that a replay has no use for.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: before the first record if the file is damaged, a row has no time or id, or it has more than
            SORTED_ROWS_MAX and they are out of order; at the first row that is malformed otherwise.
    """
    match = _NAME.fullmatch(path.name)
    if match is None or match["symbol"] != instrument.symbol:
        raise RecordingError(f"{path}: expected public data of {instrument.symbol} by its name")
    kind, units = match["kind"], InstrumentUnits(instrument)
    read = _best_prices if kind == "bookTicker" else _trade
    for row in _in_order(path, kind):
        try:
            found = read(row.cells, units, _TIME_CELLS[kind])
        except (ValueError, KeyError, IndexError) as error:
            raise _row_error(path, kind, row, error) from error
        if not isinstance(found, str):
            yield found
        elif skipped is not None:
            skipped[found] += 1


class _Row(NamedTuple):
    """A line of a file that is no header."""

    number: int
    cells: list[str]


def _rows(path: Path) -> Iterator[_Row]:
    for number, line in enumerate(_lines(path), start=1):
        cells = line.strip().split(",")
        if line.strip() and not (number == 1 and not cells[0].isdigit()):  # a header
            yield _Row(number, cells)


def _in_order(path: Path, kind: str) -> Iterator[_Row]:
    """Return the rows of a file by time and id, each once; as they stand there if they stand so."""
    last, count, is_sorted = (-1, -1), 0, True
    for row in _rows(path):
        key = _key(path, kind, row)
        is_sorted = is_sorted and key > last
        last, count = key, count + 1
    if is_sorted:
        return _rows(path)
    if count > SORTED_ROWS_MAX:
        raise RecordingError(f"{path}: expected rows that rise in time and id, or at most {SORTED_ROWS_MAX}")
    by_key = {_key(path, kind, row): row for row in _rows(path)}
    return (by_key[key] for key in sorted(by_key))


def _key(path: Path, kind: str, row: _Row) -> tuple[int, int]:
    try:
        return _time_ns(row.cells[_TIME_CELLS[kind]]), _whole(row.cells[0])
    except (ValueError, IndexError) as error:
        raise _row_error(path, kind, row, error) from error


def _row_error(path: Path, kind: str, row: _Row, error: Exception) -> RecordingError:
    reason = str(error) if str(error).startswith("expected") else f"expected a row of {kind}"
    return RecordingError(f"{path} line {row.number}: {reason}, was {','.join(row.cells)[:120]!r}")


def _trade(cells: Sequence[str], units: InstrumentUnits, time_cell: int) -> RecordedTrade:
    """Return a trade, of one order or of several: whose side it was stands behind its time."""
    level, side = units.level(cells[1], cells[2], is_traded=True), _BOOLS[cells[time_cell + 1].lower()]
    return RecordedTrade(_time_ns(cells[time_cell]), _whole(cells[0]), *level, side)


def _best_prices(cells: Sequence[str], units: InstrumentUnits, time_cell: int) -> BookTicker | str:
    """Return best prices, or why a replay has no use for them: a side is empty, told as price 0, or all is crossed."""
    at_ns, update_id = _time_ns(cells[time_cell]), _whole(cells[0])
    if not (decimal_units(cells[1]) and decimal_units(cells[3])):
        return ONE_SIDED
    bid, ask = units.level(cells[1], cells[2]), units.level(cells[3], cells[4])
    if bid.price_ticks >= ask.price_ticks:
        return CROSSED
    return BookTicker(at_ns, update_id, bid, ask)


def _whole(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= 19):
        raise ValueError(f"expected a whole number, found {text[:40]!r}")
    return int(text)


def _time_ns(text: str) -> int:
    time = _whole(text)
    time_ns = time * (NS_PER_US if time >= _MICROSECONDS_FROM else NS_PER_MS)
    if time_ns > TIME_NS_MAX:
        raise ValueError(f"expected a time before the year 2263, found {text}")
    return time_ns


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines; what the library says of a damaged archive, in whatever way, is raised as a RecordingError."""
    if path.suffix != ".zip":
        with path.open("rt", encoding="utf-8-sig", errors="replace") as file:
            yield from iter(partial(file.readline, _LINE_CHARACTERS_MAX), "")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(".csv")]
            if len(infos) != 1:
                raise RecordingError(f"{path}: expected one CSV file in it, found {len(infos)}")
            if infos[0].flag_bits & _ENCRYPTED:
                raise RecordingError(f"{path}: expected a file without a password")
            with io.TextIOWrapper(archive.open(infos[0]), encoding="utf-8-sig", errors="replace") as file:
                yield from iter(partial(file.readline, _LINE_CHARACTERS_MAX), "")
    except FileNotFoundError:
        raise
    except ARCHIVE_DAMAGE as error:
        raise RecordingError(f"{path}: expected a whole zip file: {error}") from error
