"""Flows of an account whose desk has a clock that steps: each is booked once, whatever time it is then."""

import sqlite3
from decimal import Decimal

from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import HOUR_MS, SetClock, agrees
from tests.reports.fills import BTC
from tests.reports.scripted_venue import ScriptedVenue


def test_books_a_deposit_once_after_a_clock_was_set_back(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards the books against a flow that is older than they are: it was booked again at every second sight.

    Two of one asset at the same time are two, in the history, too.
    """
    books = Bookkeeper(venue, BTC, folder, clock)
    historian = Historian(folder.path / "history.sqlite3", venue, "paper", folder.path, clock)
    books.update()
    clock.ms -= HOUR_MS
    for paid_in in (50, 70):
        venue.start["USDT"] += paid_in
        for _ in range(8):
            clock.ms += 1_000
            recorded = books.update()
            assert books.snapshot is not None
            assert historian.take(books.snapshot, recorded, is_final=True) == ()
    for document in (recorded.document, Bookkeeper(venue, BTC, folder, clock).update().document):
        assert [(flow["asset"], flow["amount"]) for flow in document["flows"]] == [("USDT", 50), ("USDT", 70)]
        assert agrees(document)
    historian.close()
    with sqlite3.connect(folder.path / "history.sqlite3") as connection:
        kept = connection.execute("SELECT asset, kind, amount FROM flows ORDER BY time_ms").fetchall()
    assert [(*one[:2], Decimal(one[2])) for one in kept] == [("USDT", "deposit", 50), ("USDT", "deposit", 70)]
