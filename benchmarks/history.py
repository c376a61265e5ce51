"""What the history database costs: `python -m benchmarks.history [--trades N] [--days N] [--json]`.

First a day of 100,000 trades at a venue in memory: how long its filling takes from nothing, and then the processor time
of a step that finds six new trades, an order of each, and as many decisions, with `share` in parts of a core at a step
every 5 s; once of a small day and once of the whole one, which must cost the same. Then a year of days, 1,000 trades
each: the size of the file, and how long questions and exports take, from the command's start. After each the history
must hold every trade.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from benchmarks.tracker import INTERVAL_S, TRADES, TRADES_PER_UPDATE, MemoryVenue
from desk.decisions_file import DecisionsFile
from desk.settings import Settings
from history import keeping
from history.database import FILE_NAME, Database
from history.schema import METADATA
from market.account import VenueOrder, VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns, iso_time, now, time_ns, utc_date
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from reports.trade_history import valued

STEPS: Final = 50
DAYS: Final = 365
TRADES_A_DAY: Final = 1_000
DAY_MS: Final = 86_400_000
QUESTIONS: Final = {
    "a day": "SELECT count(*), sum(quote_qty) FROM trades WHERE time_ms >= 1777680000000 AND time_ms < 1777766400000",
    "the year by day": "SELECT time::DATE AS day, count(*), sum(fee_in_quote) FROM trades GROUP BY day ORDER BY day",
}

Figures = dict[str, Any]


class OrdersVenue(MemoryVenue):
    """A venue in memory at which every trade has an order of its own."""

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return the orders from a number on."""
        trades = self.trades(instrument, limit, from_id or 1, since_ms)
        return [_order_of(trade) for trade in trades]


def _order_of(trade: VenueTrade) -> VenueOrder:
    name = f"tb-1-{trade.order_id}"
    amounts = (trade.price, trade.qty, trade.qty)
    return VenueOrder(
        trade.order_id, name, trade.symbol, trade.side, *amounts, "FILLED", trade.time_ms, trade.quote_qty
    )


def measure_day(total: int, path: Path) -> Figures:
    """Return what a day of `total` trades costs."""
    instrument = Settings().instruments[0]
    venue = OrdersVenue(instrument, day_bounds_ns(utc_date(time_ns()))[0] // NS_PER_MS)
    books = Bookkeeper(venue, instrument, ReportsFolder(path), now)
    historian = Historian(path / FILE_NAME, venue, "memory", path, now)
    decisions = DecisionsFile(path)

    def step() -> None:
        recorded = books.update(is_final=False)
        assert books.snapshot is not None
        started = time.process_time()
        notes = historian.take(books.snapshot, recorded, is_final=True)
        spent.append(time.process_time() - started)
        assert not notes, notes

    spent: list[float] = []
    venue.trade(total // 100)
    step()
    figures: Figures = {"trades": total, "small_ms": _step_ms(venue, decisions, step, spent)}
    historian.close()
    (path / FILE_NAME).unlink()
    venue.trade(total - total // 100 - STEPS * TRADES_PER_UPDATE)
    spent.clear()
    step()
    while _count(path, "trades") < total or _count(path, "orders") < total:
        step()
    figures |= {"fill_s": sum(spent), "whole_ms": _step_ms(venue, decisions, step, spent)}
    figures["share"] = figures["whole_ms"] / INTERVAL_S / 1_000
    assert _count(path, "trades") == total + STEPS * TRADES_PER_UPDATE, "the history holds every trade"
    historian.close()
    figures["file_mb"] = (path / FILE_NAME).stat().st_size / 1e6
    return figures


def _step_ms(venue: MemoryVenue, decisions: DecisionsFile, step: Callable[[], None], spent: list[float]) -> float:
    """Return the processor time of a step that finds new trades, orders and decisions."""
    before = len(spent)
    for turn in range(STEPS):
        venue.trade(TRADES_PER_UPDATE)
        row: JsonObject = {
            "time": iso_time(time_ns() // NS_PER_MS),
            "symbol": "BTCUSDT",
            "side": "BUY",
            "action": "place",
            "price": Decimal(91_000),
            "qty": Decimal("0.01"),
            "client_order_id": f"tb-1-{turn}",
            "rule": "WANTED",
            "why": "it is wanted",
            "numbers": {},
        }
        decisions.write([row] * TRADES_PER_UPDATE, time_ns())
        step()
    return sum(spent[before:]) / STEPS * 1_000


def _count(path: Path, table: str) -> int:
    database = Database(path / FILE_NAME, is_read_only=True)
    with database.transaction() as connection:
        count: int = connection.execute(select(func.count()).select_from(METADATA.tables[table])).scalar_one()
    database.close()
    return count


def measure_year(days: int, run_dir: Path) -> Figures:
    """Return what asking a history of `days` costs, each question a command of its own."""
    instrument = Settings().instruments[0]
    path = run_dir / "reports" / FILE_NAME
    start_ms = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000
    venue = OrdersVenue(instrument, 0)
    venue.trade(days * TRADES_A_DAY)
    trades = venue.trades(instrument, days * TRADES_A_DAY)
    database = Database(path)
    with database.transaction() as connection:
        account = keeping.begin_account(connection, "memory", "1", start_ms, None)
    for day in range(days):
        rows = [
            valued(replace(trade, time_ms=start_ms + day * DAY_MS + index * 80_000), instrument, {})
            for index, trade in enumerate(trades[day * TRADES_A_DAY : (day + 1) * TRADES_A_DAY])
        ]
        with database.transaction() as connection:
            keeping.keep_trades(connection, account, rows)
    database.close()
    figures: Figures = {"days": days, "trades": len(trades), "file_mb": path.stat().st_size / 1e6}
    for name, question in QUESTIONS.items():
        figures[name] = _timed(run_dir, "sql", question, "--json")
    for form in ("csv", "parquet"):
        figures[f"export {form}"] = _timed(run_dir, "export", "--format", form, "--out", str(run_dir / f"fills.{form}"))
    with (run_dir / "fills.csv").open() as file:
        assert sum(1 for _ in file) == len(trades) + 1, "the export has every trade"
    return figures


def _timed(run_dir: Path, *words: str) -> float:
    """Return how long a command of the history takes, s."""
    started = time.monotonic()
    command = [sys.executable, "cli.py", "history", *words, "--run-dir", str(run_dir)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=TRADES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as path:
        day = measure_day(arguments.trades, Path(path))
    with tempfile.TemporaryDirectory() as path:
        year = measure_year(arguments.days, Path(path))
    if arguments.json:
        print(json.dumps({"day": day, "year": year}))
        return
    print(f"a day of {day['trades']:,} trades: filled in {day['fill_s']:.1f} s, {day['file_mb']:.0f} MB")
    print(
        f"a step: {day['small_ms']:.1f} ms of a small day, {day['whole_ms']:.1f} ms of it, {day['share']:.2%} of a core"
    )
    print(f"{year['days']} days, {year['trades']:,} trades, {year['file_mb']:.0f} MB:")
    for name in (*QUESTIONS, "export csv", "export parquet"):
        print(f"  {name:16} {year[name]:6.1f} s")


if __name__ == "__main__":
    main()
