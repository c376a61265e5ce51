"""What a long day, and a year of days, cost a reader: `python -m benchmarks.long_reports [--trades N] [--days N]`.

A day of 100,000 trades (most fees in the quote asset, some in base and some in a third one, half of the fills with
their mids) and a year of ordinary days of 200, each of which begins with the lots of the one before, are written as the
tracker writes them. Then each is read as `report` reads a day, checked against its trades, and all are made into the
lines of `report --days`, each way in a process of its own: processor seconds, and the most memory that it ever had.
Beside them stands the floor, `json.loads` of the same bytes with its numbers as text, which finds no figure and checks
none. All ways must tell the same PnL. `command` is the whole of `python cli.py report --date` of the long day, and of
`report --days` of the year, with the start of Python; `to floor` how many times the floor each way takes, which says
more of a machine that has other work than seconds do.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from market.account import Balance, VenueTrade
from market.clock import NS_PER_MS
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.carried import Carried
from reports.day_book import DayBook
from reports.exact import figure
from reports.folder import ReportsFolder
from reports.performance import AccountSnapshot, document_head, is_sound, take, with_history
from reports.recommendations import weekly_document
from reports.trade_history import FillDetail, key_of
from reports.weekly import week_of

TRADES: Final = 100_000
DAYS: Final = 365
TRADES_A_DAY: Final = 200
FIRST_DAY: Final = date(2025, 1, 1)
BTC: Final = Instrument(0, "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
_MARKS: Final = {"BTCUSDT": Decimal("91200.005"), "BNBUSDT": Decimal("612.34")}
_DAY_MS: Final = 86_400_000

Figures = dict[str, Any]


class Account:
    """What the trades leave of an account, and the trades of its days."""

    def __init__(self) -> None:
        self._totals = {"BTC": Decimal(1_000), "USDT": Decimal(100_000_000), "BNB": Decimal(1_000)}
        self._count = 0
        self._carried = Carried()

    def day(self, day: date, count: int) -> JsonObject:
        """Return the document of a day of `count` trades."""
        start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000
        book = DayBook(day, {BTC.symbol: BTC})
        book.carry(self._carried)
        take(book, self._snapshot(start_ms, [], {}))
        trades = [self._trade(start_ms + 1 + index * (_DAY_MS - 1_000) // count) for index in range(count)]
        details = {
            key_of(trade): FillDetail(trade.price, {1: trade.price, 10: trade.price}, 1_500, 1, "ladder", "WANTED")
            for trade in trades
            if trade.trade_id % 2
        }
        last = self._snapshot(start_ms + _DAY_MS - 1, trades, details)
        take(book, last)
        document = with_history(document_head(book, last, [], {}), book)
        lots = {symbol: tuple(one.fifo.open_lots) for symbol, one in book.symbols.items()}
        self._carried = Carried(lots, book.instruments, day, ends=book.ends)
        return document

    def _snapshot(self, time_ms: int, trades: list[VenueTrade], details: dict[Any, FillDetail]) -> AccountSnapshot:
        balances = {asset: Balance(total, Decimal(0)) for asset, total in self._totals.items()}
        return AccountSnapshot(
            time_ms * NS_PER_MS,
            [BTC],
            balances,
            trades,
            [],
            _MARKS,
            "1",
            is_gapless=True,
            quoting=_quoting(len(trades)),
            details=details,
        )

    def _trade(self, time_ms: int) -> VenueTrade:
        """Let a trade happen: buys and sells in turn, around a price that moves."""
        self._count += 1
        number = self._count
        is_buy = number // 3 % 2 == 0
        price = Decimal(9_100_000 + number * 7 % 40_000) / 100
        qty = Decimal(1_000 + number * 31 % 997) / 100_000
        asset = "BTC" if number % 50 == 0 else "BNB" if number % 50 == 25 else "USDT"
        fee = {"BTC": qty / 1_000, "BNB": Decimal(number % 7 + 1) / 10_000_000, "USDT": price * qty / 1_000}[asset]
        self._totals["BTC"] += qty if is_buy else -qty
        self._totals["USDT"] -= price * qty if is_buy else -price * qty
        self._totals[asset] -= fee
        side = Side.BUY if is_buy else Side.SELL
        return VenueTrade(
            number, str(number // 2), BTC.symbol, side, price, qty, price * qty, fee, asset, time_ms, number % 5 > 0
        )


def _quoting(fills: int) -> JsonObject:
    """Return what a maker would have kept of a whole day."""
    side = {"rate": "0.1", "decay": "3000", "takers": "400", "r2": "0.98"}
    none = {"count": 0, "notional": Decimal(0), "markout": Decimal(0), "markout_bps": None}
    return {
        "presence": Decimal("0.95"),
        "within": Decimal("0.005"),
        "target": Decimal("0.75"),
        "minutes": 1_440,
        "minutes_on_target": 1_400,
        "fills": none | {"count": fills},
        "picked_off": none,
        "orders": 3 * fills,
        "orders_filled": fills,
        "symbol": BTC.symbol,
        "seen": {"volatility": "0.0001", "bid": side, "ask": side},
        "maker": {"model": "grid", "half_spread": "0.0003", "skew": "0.0001", "inventory": "5000", "notional": "1000"},
    }


def make(path: Path, days: int, trades: int) -> None:
    """Write `days` days of `trades` trades."""
    folder, account = ReportsFolder(path), Account()
    with folder.locked():
        for index in range(days):
            day = FIRST_DAY + timedelta(days=index)
            folder.write(day, account.day(day, trades))


def _read(path: Path, days: int) -> str:
    """Read the days as `report` does, and return what they have brought."""
    last = FIRST_DAY + timedelta(days=days - 1)
    documents, damaged = ReportsFolder(path).read_days(last, days)
    assert not damaged, damaged
    assert all(map(is_sound, documents.values())), "the books agree"
    pnl = week_of(last, documents, damaged, days).pnl
    assert pnl is not None
    return str(figure(pnl))


def _lines(path: Path, days: int) -> str:
    """Make the lines of the days and their totals, as `report --days` does."""
    last = FIRST_DAY + timedelta(days=days - 1)
    week = weekly_document(ReportsFolder(path), last, days)
    assert week["total"]["days_reported"] == days
    return str(week["total"]["pnl"])


def _floor(path: Path, days: int) -> str:
    """Read the same bytes and do nothing with them."""
    found = Decimal(0)
    for index in range(days):
        content = ReportsFolder(path).file_of(FIRST_DAY + timedelta(days=index)).read_bytes()
        document = json.loads(content, parse_float=str)
        found += Decimal(document["trades"]["pnl"])
    return str(figure(Fraction(found)))


WAYS: Final[dict[str, Callable[[Path, int], str]]] = {"read": _read, "lines": _lines, "floor": _floor}


def measure(path: Path, days: int) -> Figures:
    """Return of each way the processor seconds and the peak memory of a process of its own."""
    found: Figures = {"days": days, "mb": sum(one.stat().st_size for one in path.iterdir()) / 1e6}
    for way in WAYS:
        words = [
            sys.executable,
            "-m",
            "benchmarks.long_reports",
            "--way",
            way,
            "--path",
            str(path),
            "--days",
            str(days),
        ]
        found[way] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert len({found[way]["pnl"] for way in WAYS}) == 1, "all ways tell the same"
    return found | {"command": {"cpu_s": _command_s(path, days)}}


def _command_s(path: Path, days: int) -> float:
    """Return the processor seconds of the whole command, which exits with 0: the books agree, and no file is damaged.

    Text is what a person sees, so neither `--json` nor a page is made.
    """
    period = ["--from", str(FIRST_DAY), "--to", str(FIRST_DAY + timedelta(days=days - 1))]
    words = [sys.executable, "cli.py", "report", *period, "--run-dir", str(path.parent)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(way: str, path: Path, days: int) -> Figures:
    before = time.process_time()
    brought = WAYS[way](path, days)
    spent = time.process_time() - before
    return {"cpu_s": spent, "peak_mb": _peak_mb(), "pnl": brought}


def _peak_mb() -> float:
    """Return the most memory that this program ever had; what `getrusage` tells begins with that of who started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1_024


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=TRADES)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way is not None:
        print(json.dumps(_run(arguments.way, arguments.path, arguments.days)))
        return
    found = {}
    for name, days, trades in (("a day", 1, arguments.trades), ("a year", arguments.days, TRADES_A_DAY)):
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path) / "reports"
            make(folder, days, trades)
            found[name] = measure(folder, days) | {"trades": days * trades}
    if arguments.json:
        print(json.dumps(found))
        return
    print("                        trades      MB     CPU s  to floor   peak MB")
    for name, row in found.items():
        for way in (*WAYS, "command"):
            spent_s, peak_mb = row[way]["cpu_s"], row[way].get("peak_mb")
            peak = "" if peak_mb is None else f"{peak_mb:8.0f}"
            ratio = spent_s / row["floor"]["cpu_s"]
            print(f"{name:8}  {way:8}  {row['trades']:10,}  {row['mb']:6.1f}  {spent_s:8.2f}  {ratio:8.1f}  {peak}")


if __name__ == "__main__":
    main()
