"""The bookkeeper and fees in a third asset: by which price they count."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from market.codes import Side
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import HOUR_MS, START, SetClock, agrees, made_trades
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue


@pytest.mark.parametrize("asset", ["BNB", "XYZ"])
def test_values_a_fee_in_a_third_asset_by_its_mid_at_that_time(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, asset: str
) -> None:
    """Guards the PnL of who pays in BNB: the venue is asked, and what it said then stays with the trade."""
    venue.start["XYZ"] = Decimal(10)
    venue.mids |= {"BNBUSDT": Decimal(600), "XYZUSDT": Decimal("2.5")}
    venue.trades_of_all = [replace(trade, fee=Decimal("0.01"), fee_asset=asset) for trade in made_trades(1, 2)]
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    venue.mids |= {"BNBUSDT": Decimal(900), "XYZUSDT": Decimal(9)}
    document = books.update().document
    price = Decimal(600) if asset == "BNB" else Decimal("2.5")
    part = document["symbols"]["BTCUSDT"]
    assert (part["pnl"], part["wins"], part["undecided"]) == (1 - price / 50, int(asset == "XYZ"), 0)
    assert (part["unvalued_fees"], part["identity_gap"]) == ({}, 0)
    assert [(row["fee_in_quote"], row["fee_price"]) for row in document["trade_history"]] == [(price / 100, price)] * 2


class RememberingVenue(ScriptedVenue):
    """A venue that tells what BNB cost: 500 and the number of the hour of the day, but not in every minute."""

    def minute_prices(self, symbol: str, since_ms: int) -> dict[int, Decimal]:
        """Return 1,000 minutes without those of a half hour."""
        assert symbol == "BNBUSDT"
        minutes = range(since_ms, since_ms + 60_000_000, 60_000)
        return {ms: Decimal(500 + ms % DAY_MS // HOUR_MS) for ms in minutes if ms % HOUR_MS != HOUR_MS // 2}


def test_values_a_fee_of_before_by_the_price_of_its_minute(folder: ReportsFolder, clock: SetClock) -> None:
    """Guards fees that are first seen hours or days later: not by the mid of now, but where none was told of then."""
    venue = RememberingVenue(START, (BTC, ETH))
    venue.mids["BNBUSDT"] = Decimal(600)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    times_ms = [NOON_MS + HOUR_MS + 1, NOON_MS + 3 * HOUR_MS // 2, NOON_MS + DAY_MS - 1, NOON_MS + DAY_MS - 119_000]
    venue.trades_of_all = [
        fill(number, Side.BUY, "1", "100", "0.01", "BNB", time_ms=time_ms)
        for number, time_ms in enumerate(times_ms, start=1)
    ]
    clock.ms += DAY_MS
    today = books.update().document
    yesterday = folder.read(DAY)
    assert yesterday is not None
    assert [row["fee_price"] for row in yesterday["trade_history"]] == [513, 600]
    assert [row["fee_price"] for row in today["trade_history"]] == [600, 600]
    venue.trades_of_all.append(fill(5, Side.BUY, "1", "100", "0.01", "BNB", time_ms=NOON_MS + DAY_MS + 1))
    clock.ms += HOUR_MS
    prices = [row["fee_price"] for row in Bookkeeper(venue, BTC, folder, clock).update().document["trade_history"]]
    assert sorted(prices) == [512, 600, 600]


def test_says_of_a_fee_without_a_price_that_nobody_knows(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards an asset that the venue does not trade: named, in no figure, the trip neither won nor lost, asked once."""
    venue.trades_of_all = [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in made_trades(1, 2)]
    asked: list[str] = []
    mid = venue.mid

    def counted(symbol: str) -> Decimal | None:
        asked.append(symbol)
        return mid(symbol)

    venue.mid = counted  # type: ignore[method-assign]
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    part = books.update().document["symbols"]["BTCUSDT"]
    assert (part["pnl"], part["wins"], part["undecided"], part["round_trips"]) == (1, 0, 1, 1)
    assert part["unvalued_fees"] == {"BNB": Decimal("0.02")}
    assert asked.count("BNBUSDT") == 1


@pytest.mark.parametrize("code", [-1121, -1001, 0])
def test_asks_again_where_the_venue_only_stumbled(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, code: int
) -> None:
    """Guards the other symbols of a day: their trades are read on, and fees are priced, after one refusal of a book."""
    venue.mids["BNBUSDT"] = Decimal(600)
    venue.trades_of_all = made_trades(1, 2, symbol="ETHUSDT")
    Bookkeeper(venue, ETH, folder, clock).update()
    books = Bookkeeper(venue, BTC, folder, clock)
    trades = [*made_trades(1, 2, NOON_MS + 5), *made_trades(3, 2, NOON_MS + 10, symbol="ETHUSDT")]
    venue.trades_of_all += [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in trades]
    venue.refusals = {"ETHUSDT": code, "BNBUSDT": code}
    books.update()
    venue.refusals = {}
    venue.trades_of_all += made_trades(5, 2, NOON_MS + 20, symbol="ETHUSDT")
    document = books.update().document
    assert document["total_trades"] == (8 if code != -1121 else 6)
    if code != -1121:
        assert agrees(document)
        assert [part["unvalued_fees"] for part in document["symbols"].values()] == [{}, {}]


def test_prices_a_fee_of_a_day_that_is_over(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
    """Guards late trades and days that nobody saw: their fees in a third asset are valued as well."""
    venue.mids["BNBUSDT"] = Decimal(600)
    Bookkeeper(venue, BTC, folder, clock).update()
    for day in (0, 1, 2):
        trades = made_trades(1 + 2 * day, 2, NOON_MS + day * DAY_MS + HOUR_MS)
        venue.trades_of_all += [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in trades]
    clock.ms += 2 * DAY_MS + 2 * HOUR_MS
    Bookkeeper(venue, BTC, folder, clock).update()
    for day in (0, 1, 2):
        found = folder.read(DAY + timedelta(days=day))
        assert found is not None
        assert [row["fee_in_quote"] for row in found["trade_history"]] == [6, 6]
        assert found["trades"]["pnl"] == -11
