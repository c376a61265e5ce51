"""What a file of recorded market data holds, and what is wrong with it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from flow.recordings.book import RecordedBook
from flow.recordings.playlist import is_complete
from flow.recordings.public_data import is_public_data, read_public_data
from flow.recordings.recording import (
    CROSSED,
    GAP,
    REFUSED,
    BookTicker,
    Record,
    RecordedTrade,
    RecordingError,
    read_recording,
)
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from market.exact_json import JsonObject
from market.instrument import Instrument
from market.words import counted

_REACH_BPS: Final = 10_000  # all levels
_SILENCE_NS: Final = 10 * NS_PER_SECOND
_READ_BYTES: Final = 1 << 20
_TOLD_RECORDS: Final = 256


@dataclass(slots=True)
class Inspection:
    """What was found in one file; times are ns since 1970 UTC as it was received, prices in ticks.

    Attributes:
        counts: of the records, by kind.
        skipped: what a replay has no use for, by what it is; a recorder's marks are there, too.
        has_snapshot: whether the whole book is known.
        update_gap_count: how often an update of the depth did not begin where the one before had ended.
        first_update_gap: the first of them.
        crossed_count: records after which the best bid was not below the best ask, by the depth and best prices told.
        backward_count: records received before the one in front of them.
        silence_ns_max: the longest time without a record.
        damage: why the file could not be read to its end.
    """

    path: Path
    symbol: str
    byte_count: int
    sha256: str
    counts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    first_ns: int | None = None
    last_ns: int | None = None
    first_price_ticks: int | None = None
    last_price_ticks: int | None = None
    has_snapshot: bool = False
    update_gap_count: int = 0
    first_update_gap: str = ""
    crossed_count: int = 0
    backward_count: int = 0
    silence_ns_max: int = 0
    damage: str = ""

    @property
    def faults(self) -> list[str]:
        """Return what is wrong, a line each; nothing of a recording that is whole."""
        told = [self.damage] if self.damage else []
        if not self.counts:
            return [*told, "there is nothing in it"]
        if not self.has_snapshot:
            told.append("there is no depth snapshot: the book is only what the file tells")
        found = [
            (self.skipped[GAP], "gap that the recorder has marked", "gaps that the recorder has marked"),
            (
                self.skipped[REFUSED],
                "message that the recorder could not read",
                "messages that the recorder could not read",
            ),
            (self.update_gap_count, "gap in the depth updates", "gaps in the depth updates"),
            (self.crossed_count, "record that crosses the book", "records that cross the book"),
            (
                self.backward_count,
                "record received before the one in front",
                "records received before the one in front",
            ),
        ]
        told += [counted(count, one, many) for count, one, many in found if count]
        if self.silence_ns_max > _SILENCE_NS:
            told.append(f"{self.silence_ns_max / NS_PER_SECOND:.1f} s without a record")
        return told

    def document(self, instrument: Instrument) -> JsonObject:
        """Return it as JSON has it: ISO times, prices of the quote asset."""
        first_ns, last_ns = self.first_ns, self.last_ns
        price = instrument.ticks_to_price
        return {
            "file": str(self.path),
            "symbol": self.symbol,
            "quote": instrument.quote,
            "bytes": self.byte_count,
            "sha256": self.sha256,
            "from": None if first_ns is None else iso_time(first_ns // NS_PER_MS),
            "to": None if last_ns is None else iso_time(last_ns // NS_PER_MS),
            "seconds": 0 if first_ns is None or last_ns is None else (last_ns - first_ns) // NS_PER_SECOND,
            "counts": dict(self.counts),
            "skipped": dict(self.skipped),
            "first_price": None if self.first_price_ticks is None else price(self.first_price_ticks),
            "last_price": None if self.last_price_ticks is None else price(self.last_price_ticks),
            "update_gaps": self.update_gap_count,
            "first_update_gap": self.first_update_gap,
            "crossed": self.crossed_count,
            "longest_silence_s": Decimal(self.silence_ns_max) / NS_PER_SECOND,
            "faults": self.faults,
        }


def inspect(path: Path, instrument: Instrument, tell: Callable[[int], object] = lambda _: None) -> Inspection:
    """Read a file to its end, or to where it is damaged; `tell` is told now and then how many records were read.

    Raises:
        OSError: if it cannot be read at all.
    """
    found = Inspection(path, instrument.symbol, path.stat().st_size, sha256_of(path))
    book = RecordedBook(_REACH_BPS)
    try:
        found.has_snapshot = is_complete((path,))
        for count, record in enumerate(_records(path, instrument, found.skipped), 1):
            if count % _TOLD_RECORDS == 0:
                tell(count)
            _take(found, record)
            if not isinstance(record, RecordedTrade):
                book.apply(record)
                found.crossed_count += _is_crossed(record, book)
    except RecordingError as error:
        found.damage = str(error).removeprefix(f"{path.parent}/")  # it is kept for the file, wherever that lies
    found.crossed_count += found.skipped[CROSSED]
    found.update_gap_count, found.first_update_gap = book.gap_count, book.first_gap
    return found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        OSError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _records(path: Path, instrument: Instrument, skipped: Counter[str]) -> Iterator[Record]:
    if is_public_data(path):
        return read_public_data(path, instrument, skipped)
    return read_recording(path, instrument, skipped)


def _take(found: Inspection, record: Record) -> None:
    at_ns = record.received_ns
    found.counts[type(record).__name__] += 1
    if found.last_ns is not None:
        found.backward_count += at_ns < found.last_ns
        found.silence_ns_max = max(found.silence_ns_max, at_ns - found.last_ns)
    found.first_ns = at_ns if found.first_ns is None else found.first_ns
    found.last_ns = at_ns
    if isinstance(record, RecordedTrade):
        found.first_price_ticks = found.first_price_ticks or record.price_ticks
        found.last_price_ticks = record.price_ticks


def _is_crossed(record: Record, book: RecordedBook) -> bool:
    if isinstance(record, BookTicker):
        return record.bid.price_ticks >= record.ask.price_ticks
    best_bid, best_ask = book.best_prices()
    return best_bid is not None and best_ask is not None and best_bid >= best_ask
