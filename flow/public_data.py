"""Binance's public data files (data.binance.vision): CSV of trades, aggregate trades and best prices, zipped or plain.

Columns, after the repository binance/binance-public-data: trades `id, price, qty, quoteQty, time, isBuyerMaker` and,
on Spot, `isBestMatch`; aggTrades `id, price, qty, firstId, lastId, time, isBuyerMaker` and, on Spot, `isBestMatch`;
bookTicker `updateId, bidPrice, bidQty, askPrice, askQty, transactionTime, eventTime`. Files of Spot have no header,
those of futures mostly have one. Times are ms, on Spot from 2025 on µs. The kind and the symbol stand in the file's
name only: `BTCUSDT-trades-2025-01-01.zip`.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flow.exact_units import InstrumentUnits
from flow.recording import BookTicker, Record, RecordedTrade, RecordingError
from market.codes import Side
from market.instrument import Instrument

_NAME: Final = re.compile(
    r"(?P<symbol>[A-Z0-9]{2,20})-(?P<kind>trades|aggTrades|bookTicker)-[^/]*\.(?:csv|zip)", re.ASCII
)
_LINE_CHARACTERS_MAX: Final = 4_096
_BOOLS: Final = {"true": Side.SELL, "false": Side.BUY}  # whether the buyer is the maker
_NS_PER_MS, _NS_PER_US = 1_000_000, 1_000
_MICROSECONDS_FROM: Final = 10**15  # as ms that would be the year 33658


def is_public_data(path: Path) -> bool:
    """Return whether a file is one of Binance's public data, by its name."""
    return _NAME.fullmatch(path.name) is not None


def public_data_symbol(path: Path) -> str:
    """Return the symbol in the name of a file that `is_public_data`."""
    match = _NAME.fullmatch(path.name)
    assert match is not None, f"no name of public data: {path.name}"
    return match["symbol"]


def read_public_data(path: Path, instrument: Instrument) -> Iterator[Record]:
    """Read the trades or best prices of a file, in the file's order; times of the exchange stand for those of receipt.

    Raises:
        OSError: if the file cannot be read.
        RecordingError: at the first line that is malformed, between ticks or lots, or earlier than the one before.
    """
    match = _NAME.fullmatch(path.name)
    if match is None or match["symbol"] != instrument.symbol:
        raise RecordingError(f"{path.name}: expected public data of {instrument.symbol} by its name")
    row_of = _ROWS[match["kind"]]
    units = InstrumentUnits(instrument)
    last_ns = 0
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.strip().split(",")
            if not line.strip() or (number == 1 and not cells[0].isdigit()):
                continue  # a header
            try:
                record = _not_before(last_ns, row_of(cells, units))
            except (ValueError, KeyError, IndexError) as error:
                reason = str(error) if str(error).startswith("expected") else f"expected a row of {match['kind']}"
                raise RecordingError(f"{path.name} line {number}: {reason}, was {line[:120]!r}") from error
            last_ns = record.received_ns
            yield record


def _trade(cells: Sequence[str], units: InstrumentUnits) -> RecordedTrade:
    price_ticks, qty_lots = units.exact_level(cells[1], cells[2])
    return RecordedTrade(_time_ns(cells[4]), _whole(cells[0]), price_ticks, qty_lots, _BOOLS[cells[5].lower()])


def _aggregate_trade(cells: Sequence[str], units: InstrumentUnits) -> RecordedTrade:
    price_ticks, qty_lots = units.exact_level(cells[1], cells[2])
    return RecordedTrade(_time_ns(cells[5]), _whole(cells[0]), price_ticks, qty_lots, _BOOLS[cells[6].lower()])


def _best_prices(cells: Sequence[str], units: InstrumentUnits) -> BookTicker:
    bid, ask = units.level(cells[1], cells[2]), units.level(cells[3], cells[4])
    if bid.price_ticks >= ask.price_ticks:
        raise ValueError("expected a bid below the ask")
    return BookTicker(_time_ns(cells[5]), _whole(cells[0]), bid, ask)


_ROWS: Final[dict[str, Callable[[Sequence[str], InstrumentUnits], RecordedTrade | BookTicker]]] = {
    "trades": _trade,
    "aggTrades": _aggregate_trade,
    "bookTicker": _best_prices,
}


def _not_before(last_ns: int, record: RecordedTrade | BookTicker) -> RecordedTrade | BookTicker:
    if record.received_ns < last_ns:
        raise ValueError("expected times that rise")
    return record


def _whole(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= 19):
        raise ValueError(f"expected a whole number, found {text[:40]!r}")
    return int(text)


def _time_ns(text: str) -> int:
    time = _whole(text)
    return time * (_NS_PER_US if time >= _MICROSECONDS_FROM else _NS_PER_MS)


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[str]]:
    if path.suffix != ".zip":
        with path.open("rt", encoding="ascii", errors="replace") as file:
            yield _limited(file)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise RecordingError(f"{path.name}: expected one CSV file in it, found {len(names)}")
            with archive.open(names[0]) as member:
                yield _limited(io.TextIOWrapper(member, encoding="ascii", errors="replace"))
    except (zipfile.BadZipFile, EOFError) as error:
        raise RecordingError(f"{path.name}: expected a whole zip file: {error}") from error


def _limited(file: io.TextIOBase | io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(_LINE_CHARACTERS_MAX):
        yield line
