"""Writes recordings, as a collector of a venue's streams does."""

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from flow.exact_units import DECIMALS
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot
from market.codes import Side
from market.depth import Level
from market.instrument import Instrument


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
