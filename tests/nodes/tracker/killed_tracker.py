"""A tracker to be killed: `python -m tests.nodes.tracker.killed_tracker FOLDER SEED`.

Its venue's account trades with every step, and outlives it: how many trades there were stands in the file `venue`.
"""

import random
import sys
from decimal import Decimal
from itertools import count
from pathlib import Path

from desk.decisions_file import DecisionsFile
from market.account import VenueOrder
from market.clock import Now
from market.whole_file import write_whole
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import START, made_trades
from tests.reports.fills import BTC, NOON_MS
from tests.reports.scripted_venue import ScriptedVenue

TRADES_PER_STEP = 40


def venue_of(trade_count: int) -> ScriptedVenue:
    """Return a venue whose account has so many trades, each of an order of its own; the last five orders are open."""
    venue = ScriptedVenue(START)
    venue.trades_of_all = made_trades(1, trade_count)
    venue.orders_of_all = [
        VenueOrder(
            str(number),
            f"c{number}",
            trade.symbol,
            trade.side,
            trade.price,
            trade.qty,
            trade.qty if number <= trade_count - 5 else Decimal(0),
            "FILLED" if number <= trade_count - 5 else "NEW",
            trade.time_ms,
        )
        for number, trade in enumerate(venue.trades_of_all, 1)
    ]
    venue.open = venue.orders_of_all[-5:]
    return venue


def step(folder: Path, books: Bookkeeper, historian: Historian) -> tuple[str, ...]:
    """Do what the tracker does, and return what it would tell."""
    recorded = books.update()
    assert books.snapshot is not None
    return historian.take(books.snapshot, recorded, is_final=True)


def tracker(folder: Path, venue: ScriptedVenue) -> tuple[Bookkeeper, Historian]:
    """Return a tracker of the folder."""
    now = lambda: Now((NOON_MS + 3_600_000) * 1_000_000, 0)  # noqa: E731 - the venue's account outlives the clock
    books = Bookkeeper(venue, BTC, ReportsFolder(folder / "reports"), now)
    return books, Historian(folder / "reports" / "history.sqlite3", venue, "paper", folder, now)


def main() -> None:
    """Trade, and keep the books, until killed."""
    folder, dice = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    file = folder / "venue"
    done = int(file.read_text()) if file.exists() else 0
    venue = venue_of(done)
    books, historian = tracker(folder, venue)
    decisions = DecisionsFile(folder)
    for turn in count():
        done += dice.randrange(TRADES_PER_STEP)
        write_whole(file, str(done).encode(), is_synced=False)
        made = venue_of(done)
        venue.trades_of_all, venue.orders_of_all, venue.open = made.trades_of_all, made.orders_of_all, made.open
        row = {"time": "2025-11-30T12:00:00.000Z", "symbol": "BTCUSDT", "client_order_id": f"{done} {turn}"}
        decisions.write([row], NOON_MS * 1_000_000)
        for note in step(folder, books, historian):
            print(note, flush=True)
        print("stepped", flush=True)


if __name__ == "__main__":
    main()
