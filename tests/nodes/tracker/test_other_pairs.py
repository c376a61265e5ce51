"""Pairs that the desk does not quote: what is traded in them by hand is on file, whatever fails meanwhile."""

from collections.abc import Sequence

import pytest

from market.account import VenueTrade
from market.instrument import Instrument
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from tests.independent.daily_file_check import faults_of
from tests.nodes.tracker.accounts import HOUR_MS, MIDNIGHT_MS, START, SetClock, agrees, ids, made_trades
from tests.reports.fills import BTC, DAY, DAY_MS, ETH
from tests.reports.scripted_venue import ScriptedVenue
from venues.venue import VenueNoSuchPairError, VenueUnavailableError


def _fail() -> None:
    raise VenueUnavailableError("the line is dead")


def _books(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> Bookkeeper:
    return Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))


def _ids_of_eth(folder: ReportsFolder) -> list[int]:
    document = folder.read(DAY)
    assert document is not None
    return [row["id"] for row in document["trade_history"] if row["symbol"] == "ETHUSDT"]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("days_away", [0, 3])
def test_last_fills_before_midnight_are_on_file_though_the_venue_failed_over_it(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, days_away: int, *, is_restarted: bool
) -> None:
    """Guards fills that leave as many coins as there were: nothing was open, no balance of the coin had moved, and so
    nobody asked for them again until that pair was traded once more. What they had earned was told as a flow.
    """
    clock.ms = MIDNIGHT_MS - HOUR_MS
    books = _books(folder, venue, clock)
    books.update()
    for number in (1, 2):
        venue.trades_of_all += made_trades(number, 1, clock.ms + 1, symbol="ETHUSDT")
        clock.ms += 5_000
        books.update()
    venue.trades_of_all += made_trades(3, 2, MIDNIGHT_MS - 2_000, symbol="ETHUSDT")
    venue.on_account = _fail
    for at_ms in (MIDNIGHT_MS - 1_000, MIDNIGHT_MS + 5_000):
        clock.ms = at_ms
        with pytest.raises(VenueUnavailableError):
            books.update()
    venue.on_account = lambda: None
    clock.ms += days_away * DAY_MS
    for _ in range(3):
        clock.ms += 60_000
        books = _books(folder, venue, clock) if is_restarted else books
        recorded = books.update()
        assert agrees(recorded.document)
        assert recorded.document["flows"] == []
        assert ids(recorded.document) == []
        assert recorded.document["equity"]["end"] is not None
        assert recorded.document["identity"]["all"]["gap"] == 0
    assert _ids_of_eth(folder) == [1, 2, 3, 4]
    texts = (recorded.path.read_text(), folder.file_of(DAY).read_text())
    assert faults_of(*texts) == []


def test_pair_of_the_day_before_of_which_all_is_on_file_is_none_of_this_one(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """It is asked for at the first sight of the day and a minute later, and costs nothing from then on."""
    books = _books(folder, venue, clock)
    books.update()
    for number in (1, 2):
        venue.trades_of_all += made_trades(number, 1, clock.ms + 1, symbol="ETHUSDT")
        clock.ms += 5_000
        books.update()
    clock.ms += DAY_MS
    venue.calls.clear()
    assert list(books.update().document["symbols"]) == ["BTCUSDT"]
    asked = []
    for _ in range(3):
        asked.append({symbol for symbol, *_ in venue.calls})
        venue.calls.clear()
        clock.ms += 60_000
        assert list(books.update().document["symbols"]) == ["BTCUSDT"]
    assert asked == [{"BTCUSDT", "ETHUSDT"}, {"BTCUSDT", "ETHUSDT"}, {"BTCUSDT"}]


def test_fill_that_the_venue_tells_late_is_found_a_minute_later(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards a venue whose balances are ahead of its trades: the pair comes to the day, and has nothing to value."""
    books = _books(folder, venue, clock)
    books.update()
    clock.ms = MIDNIGHT_MS + 3_000
    venue.start["USDT"] += 1  # what the trades have earned
    books.update()
    venue.start["USDT"] -= 1
    venue.trades_of_all = made_trades(1, 2, MIDNIGHT_MS - 2_000, symbol="ETHUSDT")
    for _ in range(3):
        clock.ms += 30_000
        document = books.update().document
        assert agrees(document)
        assert document["equity"]["end"] is not None
        assert document["identity"]["all"]["gap"] == 0
    assert _ids_of_eth(folder) == [1, 2]
    assert list(document["symbols"]) == ["BTCUSDT", "ETHUSDT"]
    assert ids(document) == []


@pytest.mark.parametrize("fails", [0, 2])
def test_round_trip_that_nobody_watched_is_found_before_it_is_a_flow(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, fails: int
) -> None:
    """Guards a purchase and a sale of as much between two sights: balances alone cannot tell them from a deposit."""
    books = _books(folder, venue, clock)
    books.update()
    venue.trades_of_all = made_trades(1, 2, clock.ms + 1, symbol="ETHUSDT")
    clock.ms += 5_000
    assert books.update().document["reconciliation"]["differences"].keys() == {"USDT"}
    venue.on_account = _fail
    for _ in range(fails):
        clock.ms += 5_000
        with pytest.raises(VenueUnavailableError):
            books.update()
    venue.on_account = lambda: None
    clock.ms += 5_000
    document = books.update().document
    assert agrees(document)
    assert (ids(document), document["flows"]) == ([1, 2], [])
    venue.start["USDT"] += 7
    for _ in range(3):
        clock.ms += 5_000
        document = books.update().document
    assert [(flow["asset"], flow["amount"]) for flow in document["flows"]] == [("USDT", 7)]


def test_fill_between_the_question_and_the_balances_of_the_first_sight_is_no_flow(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards the first balances of a day: they held what a pair had traded since it was asked."""
    books = _books(folder, venue, clock)
    books.update()
    clock.ms += DAY_MS

    def trade() -> None:
        venue.on_account = lambda: None
        venue.trades_of_all += made_trades(1, 1, clock.ms, symbol="ETHUSDT")

    venue.on_account = trade
    document = books.update().document
    assert (ids(document), document["flows"]) == ([1], [])
    assert agrees(document)


class _WithoutEth(ScriptedVenue):
    """A venue that has no ETHUSDT."""

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Refuse."""
        if instrument == ETH:
            self.calls.append((instrument.symbol, limit, from_id, since_ms))
            raise VenueNoSuchPairError("Invalid symbol.", -1121)
        return []


def test_pair_that_the_venue_does_not_trade_keeps_no_day_from_beginning(folder: ReportsFolder, clock: SetClock) -> None:
    """Guards a testnet that knows fewer pairs than the desk; it is asked once."""
    venue = _WithoutEth(START, (BTC, ETH))
    books = _books(folder, venue, clock)
    for _ in range(3):
        assert agrees(books.update().document)
        clock.ms += DAY_MS
    assert len(folder.days()) == 3
    assert [symbol for symbol, *_ in venue.calls] == ["ETHUSDT"]
