"""A pair that comes to the day after its opening: its price then is that of the minute, and the equity goes on."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from market.exact_json import JsonObject
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from tests.independent.daily_file_check import faults_of
from tests.nodes.tracker.accounts import HOUR_MS, START, SetClock, made_trades
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS
from tests.reports.scripted_venue import ScriptedVenue

_MINUTE_MS = 60_000


class _WithBars(ScriptedVenue):
    """A venue that remembers what was paid in a minute.

    Attributes:
        prices: by symbol and by the minute's first ms.
        asked: the symbols that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(START, (BTC, ETH))
        self.mids |= {"ETHUSDT": Decimal(120)}
        self.prices: dict[str, dict[int, Decimal]] = {}
        self.asked: list[str] = []

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Return those from a time on."""
        self.asked.append(symbol)
        return {ms: price for ms, price in self.prices.get(symbol, {}).items() if ms >= since_ms}


def _traded_by_hand(folder: ReportsFolder, venue: _WithBars, clock: SetClock, *, is_restarted: bool) -> JsonObject:
    """Return the day on which ETH was bought an hour after its opening, of 100 that had lain there, and sold again."""
    clock.ms = NOON_MS + 30_000
    books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    venue.trades_of_all = made_trades(1, 2)
    books.update()
    clock.ms += HOUR_MS
    for number in (1, 2, 3):
        venue.trades_of_all += made_trades(number, 1, clock.ms, symbol="ETHUSDT")
        clock.ms += 5_000
        books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH)) if is_restarted else books
        document = books.update().document
    return document


@pytest.mark.parametrize("is_restarted", [False, True])
def test_its_price_at_the_opening_is_that_of_the_minute(
    folder: ReportsFolder, clock: SetClock, *, is_restarted: bool
) -> None:
    """Guards the equity and the identity of a day on which somebody has traded another pair by hand."""
    venue = _WithBars()
    venue.prices["ETHUSDT"] = {NOON_MS: Decimal(95), NOON_MS + _MINUTE_MS: Decimal(96)}
    document = _traded_by_hand(folder, venue, clock, is_restarted=is_restarted)
    assert document["opening"]["marks"] == {"BTCUSDT": 100, "ETHUSDT": 95}
    equity, whole = document["equity"], document["identity"]["all"]
    assert equity["balances"]["ETH"] == {"start": 100, "end": 101, "start_price": 95, "end_price": 120}
    assert equity["start"] == 1_000_000 + 100 * 100 + 100 * 95
    assert equity["end"] == 1_000_000 + 1 - 100 + 101 - 100 + 100 * 100 + 101 * 120
    assert whole["held_change"] == 100 * (120 - 95)
    assert whole["gap"] == 0
    assert faults_of(folder.file_of(DAY).read_text()) == []


def test_what_nobody_tells_is_asked_once_and_ends_the_equity(folder: ReportsFolder, clock: SetClock) -> None:
    """Guards against a made-up price, and a question every five seconds for the rest of the day."""
    venue = _WithBars()
    venue.prices["ETHUSDT"] = {NOON_MS + _MINUTE_MS: Decimal(96)}
    document = _traded_by_hand(folder, venue, clock, is_restarted=False)
    assert document["equity"]["end"] is None
    assert document["equity"]["why"] == "the mid of ETHUSDT at the opening is not known"
    assert venue.asked == ["ETHUSDT"]


def test_a_mid_that_was_known_stays(folder: ReportsFolder, clock: SetClock) -> None:
    """The mid at the very time is nearer than the price of its minute; and of a day that is over nothing is asked."""
    venue = _WithBars()
    venue.prices["BTCUSDT"] = {NOON_MS: Decimal(77)}
    books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    for _ in range(3):
        assert books.update().document["opening"]["marks"] == {"BTCUSDT": 100}
        clock.ms += DAY_MS // 2
    assert venue.asked == []
