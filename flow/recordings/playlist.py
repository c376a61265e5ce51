"""What is replayed: recordings one after the other, each a file, or files of one time that belong together.

The latter are, for instance, the trades and the best prices of a day.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from heapq import merge
from pathlib import Path
from typing import Final

from flow.recordings import recording
from flow.recordings.public_data import is_public_data, public_data_symbol, read_public_data
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, RecordingError, Snapshot
from market.codes import Side
from market.depth import Level
from market.instrument import Instrument

Part = tuple[Path, ...]  # files of one time
PARTS_MAX: Final = 1_000


def symbol_of(part: Part) -> str:
    """Return the symbol of a part.

    Raises:
        OSError: if a file cannot be read.
        RecordingError: if a file has no symbol, or its files have different ones.
    """
    symbols = {public_data_symbol(path) if is_public_data(path) else recording.recorded_symbol(path) for path in part}
    if len(symbols) != 1:
        raise RecordingError(f"expected files of one time to be of one symbol, were of {', '.join(sorted(symbols))}")
    (symbol,) = symbols
    return symbol


def check_part(part: Part, instrument: Instrument) -> None:
    """Read a part up to its first book, so that what is wrong with it is known before anything starts.

    Raises:
        OSError, RecordingError: as `read_part`; also if there is no book in it.
    """
    for record in read_part(part, instrument):
        if isinstance(record, Snapshot):
            return
    raise no_book_error(part)


def no_book_error(part: Part) -> RecordingError:
    """Return what there is to say of a part without a book."""
    names = "+".join(path.name for path in part)
    return RecordingError(f"{names}: expected a depth snapshot (lastUpdateId) or best prices, found none")


def read_part(part: Part, instrument: Instrument, skipped: Counter[str] | None = None) -> Iterator[Record]:
    """Read a part's records by time, beginning with a snapshot or what precedes it.

    A recording of streams without a snapshot, and public data, are given one; see `with_snapshot` and `with_depth`.
    Where public data has no best prices either, they are inferred from the trades, see `infer_best_prices`.

    Args:
        skipped: counts, by what they are, the messages or rows that are of no use.

    Raises:
        OSError, RecordingError: as the readers of files.
    """
    if not any(map(is_public_data, part)):
        streams = [recording.read_recording(path, instrument, skipped) for path in part]
        records = merge(*streams, key=lambda record: record.received_ns)
        return records if is_complete(part) else with_snapshot(records)
    if not all(map(is_public_data, part)):
        raise RecordingError("expected files of one time to be recordings of streams or public data, not both")
    # A trade and the best prices after it often have the same time; the trade comes first.
    streams = [read_public_data(path, instrument, skipped) for path in part]
    records = merge(*streams, key=lambda record: (record.received_ns, isinstance(record, BookTicker)))
    has_tickers = any("-bookTicker-" in path.name for path in part)
    return with_depth(records if has_tickers else infer_best_prices(records))


def is_complete(part: Part) -> bool:
    """Return whether a part's book is known from its beginning; public data has no depth, some recordings no snapshot.

    Raises:
        OSError, RecordingError: if a file cannot be read, or is damaged.
    """
    return not any(map(is_public_data, part)) and any(map(recording.has_snapshot, part))


def with_snapshot(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records of streams that nobody took a snapshot of, with a book of what they tell from their beginning.

    The first best prices are the whole book at first. From then on a level counts once an update or best prices have
    named it: best prices as of an update, which does not name them, still stand after it.
    """
    ahead: deque[BookTicker] = deque()  # best prices that no update has caught up with
    book_id: int | None = None  # of the update that the book begins with
    is_joined = False  # to the updates
    for record in records:
        if book_id is None:
            if isinstance(record, BookTicker):
                book_id = record.update_id
                yield Snapshot(record.received_ns, book_id, (record.bid,), (record.ask,))
            continue
        if isinstance(record, BookTicker):
            ahead.append(record)
        elif isinstance(record, DepthUpdate) and record.update_id > book_id:
            told: BookTicker | None = None
            while ahead and ahead[0].update_id <= record.update_id:
                told = ahead.popleft()
            if told is not None:
                record = record._replace(bids=_named(record.bids, told.bid), asks=_named(record.asks, told.ask))
            if not is_joined:  # nobody knows what there was between
                record = record._replace(first_update_id=min(record.first_update_id, book_id + 1))
                is_joined = True
        yield record


def _named(levels: tuple[Level, ...], best: Level) -> tuple[Level, ...]:
    is_named = any(level.price_ticks == best.price_ticks for level in levels)
    return levels if is_named else (*levels, best)


def infer_best_prices(trades: Iterable[Record]) -> Iterator[Record]:
    """Yield before each trade the best prices that it shows.

    A buyer took the best ask, so that is where and for how much the ask was, and the bid was below it: where it was
    last, else a tick below. The spread of a market without book is not known; this one is as narrow as its trades.
    """
    bid: Level | None = None
    ask: Level | None = None
    for number, trade in enumerate(trades, start=1):
        assert isinstance(trade, RecordedTrade), f"expected trades alone, was {trade}"
        level = Level(trade.price_ticks, trade.qty_lots)
        if trade.taker_side == Side.BUY:
            ask = level
            if bid is None or bid.price_ticks >= ask.price_ticks:
                bid = Level(max(1, ask.price_ticks - 1), trade.qty_lots)
        else:
            bid = level
            if ask is None or ask.price_ticks <= bid.price_ticks:
                ask = Level(bid.price_ticks + 1, trade.qty_lots)
        yield BookTicker(trade.received_ns, number, bid, ask)
        yield trade


def with_depth(records: Iterable[Record]) -> Iterator[Record]:
    """Yield records of which best prices are the whole book, with the snapshot and updates that say so."""
    told: BookTicker | None = None
    number = 0
    for record in records:
        if not isinstance(record, BookTicker):
            if told is not None:  # a trade before the first best prices has no book
                yield record
            continue
        number += 1
        at_ns = record.received_ns
        if told is None:
            yield Snapshot(at_ns, number, (record.bid,), (record.ask,))
        else:
            yield record._replace(update_id=number)
            bids, asks = (_replaced(*sides) for sides in ((told.bid, record.bid), (told.ask, record.ask)))
            yield DepthUpdate(at_ns, number, number, bids, asks)
        told = record


def _replaced(before: Level, now: Level) -> tuple[Level, ...]:
    return (now,) if before.price_ticks == now.price_ticks else (now, Level(before.price_ticks, 0))
