"""What a long day costs the tracker: `python -m benchmarks.tracker [--trades N] [--json]`.

A day grows to 100,000 trades at a venue in memory, so that the calls over HTTP, which cost the same all day, are not
part of it. At a thousandth, a hundredth, a tenth and all of them updates are timed, each of which finds some new
trades: those that leave the file for later, and those that write it whole. `share` is the processor time of both at an
update every 5 s, in parts of a core; `naive` is that of writing the whole file with every update. After each size the
file is read again and must hold every trade, books that agree, and figures that follow from the trades.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from desk.settings import Settings
from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns, now, utc_date
from market.codes import Side
from market.depth import Depth, Level
from market.instrument import Instrument
from nodes.tracker.bookkeeper import Bookkeeper
from reports.bookkeeping import BYTES_PER_SECOND_MAX, PAUSE_SECONDS_MAX
from reports.folder import ReportsFolder
from reports.performance import is_sound
from venues.venue import Moved

TRADES: Final = 100_000
STEPS: Final = (1_000, 100, 10, 1)
TRADES_PER_UPDATE: Final = 6  # 100,000 a day at an update every 5 s
UPDATES: Final = 50
WRITES: Final = 5
INTERVAL_S: Final = 5.0

Figures = dict[str, Any]


class MemoryVenue:
    """One account of which every call is answered at once."""

    name = "memory"

    def __init__(self, instrument: Instrument, start_ms: int) -> None:
        self._instrument = instrument
        self._start_ms = start_ms
        self._trades: list[VenueTrade] = []
        self._totals = {instrument.base: Decimal(1_000), instrument.quote: Decimal(100_000_000)}

    def trade(self, count: int) -> None:
        """Let `count` more trades happen, buys and sells around a price that moves."""
        for number in range(len(self._trades) + 1, len(self._trades) + 1 + count):
            side = Side.BUY if number % 2 else Side.SELL
            price = Decimal(91_000 + number * 7 % 400) + (1 if side is Side.SELL else 0)
            qty, sign = Decimal(1_000 + number % 97) / 100_000, 1 if side is Side.BUY else -1
            fee = price * qty / 1_000
            at_ms = self._start_ms + number
            numbers = (price, qty, price * qty, fee)
            trade = VenueTrade(
                number, str(number), self._instrument.symbol, side, *numbers, self._instrument.quote, at_ms, True
            )
            self._trades.append(trade)
            self._totals[self._instrument.base] += sign * qty
            self._totals[self._instrument.quote] -= sign * price * qty + fee

    def depth(self, instrument: Instrument, level_count: int) -> Depth:  # noqa: ARG002 - as a venue is asked
        """Return a book one tick wide."""
        return Depth((Level(9_120_000, 1),), (Level(9_120_001, 1),))

    def mid(self, symbol: str) -> Decimal:  # noqa: ARG002
        """Return its middle."""
        return Decimal("91200.005")

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:  # noqa: ARG002
        """Remember nothing."""
        return {}

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:  # noqa: ARG002
        """Return none."""
        return []

    def account(self) -> VenueAccount:
        """Return what the trades have left."""
        return VenueAccount("1", self.balances())

    def balances(self) -> Mapping[str, Balance]:
        """Return both assets."""
        return {asset: Balance(total, Decimal(0)) for asset, total in self._totals.items()}

    def trades(
        self,
        instrument: Instrument,  # noqa: ARG002
        limit: int = 100,
        from_id: int | None = None,
        since_ms: int | None = None,
    ) -> Sequence[VenueTrade]:
        """Return the latest, or the first from a number on; all are of today."""
        if from_id is None and since_ms is None:
            return self._trades[-limit:]
        first = max(0, (from_id or 1) - 1)
        return self._trades[first : first + limit]

    def place(self, *_: Any, **__: Any) -> VenueOrder:
        """Refuse: the tracker enters no order."""
        raise NotImplementedError

    def cancel(self, *_: Any) -> None:
        """Refuse: the tracker cancels no order."""
        raise NotImplementedError

    def move(self, *_: Any) -> Moved:
        """Refuse: the tracker moves no order."""
        raise NotImplementedError

    def amend(self, *_: Any) -> VenueOrder | None:
        """Refuse: the tracker amends no order."""
        raise NotImplementedError

    def find_order(self, *_: Any) -> VenueOrder | None:
        """Refuse: the tracker looks for no order."""
        raise NotImplementedError


def measure(total: int, path: Path) -> list[Figures]:
    """Return the figures of each size of the day."""
    instrument = Settings().instruments[0]
    today = utc_date(now().time_ns)
    folder = ReportsFolder(path)
    venue = MemoryVenue(instrument, day_bounds_ns(today)[0] // NS_PER_MS)
    books = Bookkeeper(venue, instrument, folder, now)
    count, rows = 0, []
    for step in STEPS:
        size = max(total // step, count + (UPDATES + WRITES + 1) * TRADES_PER_UPDATE)
        venue.trade(size - count - (UPDATES + WRITES) * TRADES_PER_UPDATE)
        books.update()
        later = _cpu_ms(lambda: books.update(is_final=False), venue, UPDATES)
        whole = _cpu_ms(books.update, venue, WRITES)
        count = size
        started = time.process_time()
        document = folder.read(today)
        read_s = time.process_time() - started
        assert document is not None
        assert [row["id"] for row in document["trade_history"]] == list(range(1, count + 1)), (
            "the file holds every trade"
        )
        assert is_sound(document), "the books agree and the figures follow from the trades"
        size_bytes = folder.file_of(today).stat().st_size
        pause_s = max(min(size_bytes / BYTES_PER_SECOND_MAX, PAUSE_SECONDS_MAX), INTERVAL_S)
        share = (later / INTERVAL_S + max(0.0, whole - later) / pause_s) / 1_000
        rows.append(
            {
                "trades": count,
                "file_mb": size_bytes / 1e6,
                "update_ms": later,
                "whole_ms": whole,
                "behind_s_max": pause_s,
                "share": share,
                "naive": whole / INTERVAL_S / 1_000,
                "read_s": read_s,
            }
        )
    return rows


def _cpu_ms(update: Callable[[], Any], venue: MemoryVenue, rounds: int) -> float:
    """Return the processor time of an update that finds new trades; that of making them is not part of it."""
    spent = 0.0
    for _ in range(rounds):
        venue.trade(TRADES_PER_UPDATE)
        started = time.process_time()
        update()
        spent += time.process_time() - started
    return spent / rounds * 1_000


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=TRADES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as path:
        rows = measure(arguments.trades, Path(path))
    if arguments.json:
        print(json.dumps(rows))
        return
    print("   trades  file MB  update ms  whole ms  behind s    share    naive  read s")
    for row in rows:
        print(
            f"{row['trades']:9,}  {row['file_mb']:7.2f}  {row['update_ms']:9.2f}  {row['whole_ms']:8.1f}  "
            f"{row['behind_s_max']:8.0f}  {row['share']:6.2%}  {row['naive']:7.2%}  {row['read_s']:6.2f}"
        )


if __name__ == "__main__":
    main()
