"""How much the synthetic market is like a recorded one: `python -m benchmarks.market --recording FILE... [--json]`.

Measures the recordings (Binance Spot streams, see flow/recordings/recording.py) and, the same way, as many seconds of
the synthetic market of the same symbol and start price, matched by the engine on a simulated clock. Without any it
measures the presets alone. `--plot FILE.svg` draws both (needs the extra `plots`).
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.market_measures import SECONDS_MIN, measure
from desk.settings import Settings
from engine.matching_engine import MatchingEngine, make_engine
from flow.market_settings import DEFAULT_PRESET, PRESETS, settings_of
from flow.recordings.recording import (
    BookTicker,
    DepthUpdate,
    Record,
    RecordedTrade,
    Snapshot,
    read_recording,
    recorded_symbol,
)
from flow.synthetic import SyntheticFlow
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.commands import Command
from market.depth import Depth, Level
from market.events import Event, Executed
from market.instrument import Instrument
from market.kernels.rows import read_event, write_command

_OWNER: Final = 1
_STEP_NS: Final = 5 * NS_PER_MS  # as often as the flow's node calls it
_UPDATE_NS: Final = 100 * NS_PER_MS  # of depth
_DEPTH_LEVELS: Final = 400


class _Venue:
    """An engine that answers at once, and what its public streams would tell."""

    def __init__(self, symbol_id: int) -> None:
        self._engine: MatchingEngine = make_engine("fast", symbol_count=symbol_id + 1)
        self._symbol_id = symbol_id
        self._trade_id = 0
        self._update_id = 1
        self._told = Depth((), ())
        self._told_id = 0
        self._told_best: tuple[Level, Level] | None = None

    def handle(self, now_ns: int, commands: Sequence[Command]) -> tuple[list[Event], list[Record]]:
        """Match commands one by one; return their events, and the trades and best prices to tell."""
        events: list[Event] = []
        records: list[Record] = []
        for command in commands:
            ring, told = self._engine.commands, self._engine.events
            write_command(ring.rows, ring.claim(), command)
            ring.publish()
            while len(ring):
                self._engine.match()
                while len(told):
                    rows = told.readable()
                    events += (read_event(row) for row in rows)
                    told.consume(len(rows))
        for event in events:
            if isinstance(event, Executed):
                self._trade_id += 1
                side = Side(event.taker_side)
                records.append(RecordedTrade(now_ns, self._trade_id, event.price_ticks, event.qty_lots, side))
        depth = self._engine.depth(self._symbol_id, 1)
        if depth.bids and depth.asks and (best := (depth.bids[0], depth.asks[0])) != self._told_best:
            self._told_best = best
            self._update_id += 1
            records.append(BookTicker(now_ns, self._update_id, *best))
        return events, records

    def update(self, now_ns: int) -> Record:
        """Return what changed in the book, at first all of it."""
        depth, before = self._engine.depth(self._symbol_id, _DEPTH_LEVELS), self._told
        self._told = depth
        self._update_id += 1
        first_id, self._told_id = self._told_id + 1, self._update_id
        if not before.bids:
            return Snapshot(now_ns, self._update_id, depth.bids, depth.asks)
        changes = [_changes(*sides) for sides in ((before.bids, depth.bids), (before.asks, depth.asks))]
        return DepthUpdate(now_ns, first_id, self._update_id, *changes)


def _changes(before: Sequence[Level], now: Sequence[Level]) -> tuple[Level, ...]:
    gone = dict(before)
    changed = [level for level in now if gone.pop(level.price_ticks, None) != level.qty_lots]
    return (*changed, *(Level(price_ticks, 0) for price_ticks in gone))


def synthetic_records(flow: SyntheticFlow, symbol_id: int, seconds: float, skipped_s: float) -> Iterator[Record]:
    """Yield what the streams of a venue with this flow would tell, from `skipped_s` on for `seconds`."""
    venue = _Venue(symbol_id)
    events, _ = venue.handle(0, commands := flow.start(0))
    acknowledged, update_ns = len(commands), round(skipped_s * NS_PER_SECOND)
    for now_ns in range(_STEP_NS, round((skipped_s + seconds) * NS_PER_SECOND), _STEP_NS):
        commands = flow.step(now_ns, events, acknowledged)
        events, records = venue.handle(now_ns, commands) if commands else ([], [])
        acknowledged += len(commands)
        if now_ns >= update_ns:
            update_ns += _UPDATE_NS
            yield venue.update(now_ns)
        if now_ns > skipped_s * NS_PER_SECOND:
            yield from records


def synthetic_market(
    preset: str, symbol: str, mid: Decimal | None, seconds: float, seed: int, **changes: Any
) -> tuple[list[Record], float, int, Instrument]:
    """Run a preset; return its records, the CPU seconds of all per market second, its commands, its instrument."""
    instrument = next(each for each in Settings().instruments if each.symbol == symbol)
    settings = settings_of(preset, symbol, seed=seed, opening_s=1.0, **changes)
    if mid is not None:
        settings = replace(settings, mid=mid)
    flow = SyntheticFlow(instrument, settings, _OWNER, itertools.count(1))
    start_ns = time.process_time_ns()
    records = list(synthetic_records(flow, instrument.symbol_id, seconds + 1.0, 5.0))
    cpu = (time.process_time_ns() - start_ns) / NS_PER_SECOND / (seconds + 6.0)
    return records, cpu, int(flow.summary()["commands"]), instrument


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.market", description=__doc__)
    parser.add_argument("--recording", type=Path, nargs="*", default=[], help="compare with these")
    parser.add_argument("--preset", nargs="*", choices=PRESETS, help="the presets to measure")
    parser.add_argument("--seconds", type=float, default=300.0, help="of market, without a recording")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--plot", type=Path, help="write a picture of recorded and synthetic")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not options.recording and options.seconds < SECONDS_MIN:
        parser.error(f"expected --seconds of {SECONDS_MIN:.0f} or more, was {options.seconds:g}")
    presets = options.preset or (["normal"] if options.recording else list(PRESETS))
    columns: dict[str, dict[str, float]] = {}
    drawn: list[tuple[str, list[Record], list[Record], Instrument]] = []
    markets: list[tuple[str, Decimal | None, float]] = [("BTCUSDT", None, options.seconds)]
    recorded: dict[str, list[Record]] = {}
    if options.recording:
        markets = []
        for path in options.recording:
            symbol = recorded_symbol(path)
            instrument = next(each for each in Settings().instruments if each.symbol == symbol)
            records = recorded[symbol] = list(read_recording(path, instrument))
            columns[f"{symbol} recorded"] = measures = measure(records, instrument)
            first = next(record for record in records if isinstance(record, BookTicker))
            markets.append((symbol, instrument.ticks_to_price(first.bid.price_ticks), measures["seconds"]))
    for symbol, mid, seconds in markets:
        for preset in presets:
            records, cpu, commands, instrument = synthetic_market(preset, symbol, mid, seconds, options.seed)
            columns[f"{symbol} {preset}"] = measure(records, instrument) | {
                "commands/s": commands / (seconds + 6.0),
                "CPU of flow and engine, % of a core": 100 * cpu,
            }
            if symbol in recorded:
                drawn.append((f"{symbol}, {preset}", recorded[symbol], records, instrument))
    print(json.dumps(columns, indent=1) if options.json else _table(columns))
    if options.plot:
        from benchmarks.market_plot import plot

        plot(drawn, options.plot)
    return 0


def _table(columns: dict[str, dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = ["| measure | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for name in names:
        cells = (_cell(column.get(name)) for column in columns.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["DEFAULT_PRESET", "main", "synthetic_market", "synthetic_records"]
