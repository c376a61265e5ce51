"""The bookkeeper on a scripted venue: pages, resets, days away, other symbols, fees, and every step of a clock."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from nodes.tracker import bookkeeper as bookkeeper_module
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import FolderBusyError, ReportsFolder
from tests.reports.documents import was_reset
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

_START = {"BTC": "100", "USDT": "1000000", "BNB": "10", "ETH": "100"}
_HOUR_MS = 3_600_000
_MIDNIGHT_MS = NOON_MS + DAY_MS // 2


class Clock:
    """The desk's time of day."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def time_ns(self) -> int:
        """Return it in ns."""
        return self.ms * 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the bookkeeper reads."""
    made = Clock()
    monkeypatch.setattr(bookkeeper_module, "time_ns", made.time_ns)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


@pytest.fixture
def venue() -> ScriptedVenue:
    """Return a venue whose account has not traded."""
    return ScriptedVenue(_START, (BTC, ETH))


def _trades(first: int, count: int, time_ms: int = NOON_MS, symbol: str = "BTCUSDT") -> list[VenueTrade]:
    """Return `count` trades that buy at 100 and sell at 101 in turns, from number `first`, one a ms."""
    return [
        fill(
            number,
            Side.BUY if number % 2 else Side.SELL,
            "1",
            "100" if number % 2 else "101",
            symbol=symbol,
            time_ms=time_ms + index,
            order_id=f"{symbol}{number}",
        )
        for index, number in enumerate(range(first, first + count))
    ]


def _ids(document: JsonObject | None) -> list[int]:
    assert document is not None
    return [entry["id"] for entry in document["trade_history"]]


def _agrees(document: JsonObject) -> bool:
    return document["reconciliation"]["is_exact"] is True


@pytest.mark.parametrize("count", [99, 100, 101, 999, 1_000, 1_001, 2_000])
def test_reads_all_trades_of_the_day_page_by_page(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, count: int
) -> None:
    """Guards paging, for a first start in the middle of a day, and for one that comes back to it."""
    venue.trades_of_all = [*_trades(1, 150, NOON_MS - DAY_MS), *_trades(151, count)]
    clock.ms += _HOUR_MS
    document = Bookkeeper(venue, BTC, folder).update().document
    assert _ids(document) == list(range(151, 151 + count))
    venue.trades_of_all += _trades(151 + count, count, NOON_MS + _HOUR_MS)
    document = Bookkeeper(venue, BTC, folder).update().document
    assert _ids(document) == list(range(151, 151 + 2 * count))
    assert _agrees(document)
    assert folder.read(DAY) == document


@pytest.mark.parametrize("lone", range(4))
def test_keeps_both_halves_of_a_trade_with_itself(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, lone: int
) -> None:
    """Guards self-trades, above all where a page or the last hundred ends between the two halves."""
    venue.trades_of_all = _trades(1, 1)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    halves = [
        fill(number, side, "2", "100", "0.1", time_ms=NOON_MS + number, order_id=f"{side.name}{number}")
        for number in range(10, 1_110)
        for side in (Side.BUY, Side.SELL)
    ]
    venue.trades_of_all += [*_trades(2, lone, NOON_MS + 2), *halves]
    for _ in range(3):
        recorded = books.update()
        document = recorded.document
        assert (document["total_trades"], document["trades"]["total_buys"]) == (
            1 + lone + 2_200,
            document["trades"]["total_sells"] + (1 + lone) % 2,
        )
        assert _agrees(document)
        assert document["resets"] == []
        assert document["symbols"]["BTCUSDT"]["identity_gap"] == 0
        assert recorded.notes == ()


@pytest.mark.parametrize(("days_away", "count"), [(1, 20), (1, 155), (2, 20), (2, 155), (2, 1_100), (9, 20)])
def test_makes_the_days_that_nobody_saw(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, days_away: int, count: int
) -> None:
    """Guards a tracker that was away over midnights: no trade is missing, on whichever day it was made."""
    venue.trades_of_all = _trades(1, 20)
    Bookkeeper(venue, BTC, folder).update()
    for back in range(days_away + 1):
        venue.trades_of_all += _trades(100_000 * (back + 1), count, NOON_MS + back * DAY_MS + _HOUR_MS)
    clock.ms += days_away * DAY_MS + 2 * _HOUR_MS
    for _ in range(2):
        document = Bookkeeper(venue, BTC, folder).update().document
        assert _ids(document) == list(range(100_000 * (days_away + 1), 100_000 * (days_away + 1) + count))
        assert _agrees(document)
        assert len(_ids(folder.read(DAY))) == 20 + count
        for back in range(1, days_away):
            found = folder.read(DAY + timedelta(days=back))
            assert found is not None
            assert len(_ids(found)) == count
            assert found["is_seen"] is False


def test_makes_no_day_before_the_desk_was_in_service(folder: ReportsFolder, venue: ScriptedVenue, clock: Clock) -> None:
    """Guards the first start on an old account, and a day whose file was deleted to forget it."""
    venue.trades_of_all = [*_trades(1, 50, NOON_MS - 2 * DAY_MS), *_trades(51, 10)]
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    assert folder.days() == [DAY]
    clock.ms += DAY_MS
    venue.trades_of_all += _trades(61, 10, NOON_MS + DAY_MS)
    books.update()
    folder.file_of(DAY).unlink()
    Bookkeeper(venue, BTC, folder).update()
    assert folder.days() == [DAY + timedelta(days=1)]


@pytest.mark.parametrize("content", [b"", b"{", None])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_writes_the_whole_day_again_when_its_file_is_gone(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, content: bytes | None, is_restarted: bool
) -> None:
    """Guards a file that is damaged or deleted under a running tracker: all trades come back, not the last hundred."""
    venue.trades_of_all = _trades(1, 300)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    if content is None:
        folder.file_of(DAY).unlink()
    else:
        folder.file_of(DAY).write_bytes(content)
    venue.trades_of_all += _trades(301, 5, NOON_MS + 1_000)
    recorded = (Bookkeeper(venue, BTC, folder) if is_restarted else books).update()
    assert _ids(folder.read(DAY)) == list(range(1, 306))
    assert recorded.document["symbols"]["BTCUSDT"]["round_trips"] == 152
    assert _agrees(recorded.document)
    assert len(recorded.notes) == (0 if content is None else 1)
    assert len(list(folder.path.iterdir())) == (1 if content is None else 2)


def test_keeps_what_is_known_when_an_older_file_is_put_back(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards a backup that is copied over the file of a running tracker."""
    venue.trades_of_all = _trades(1, 20)
    books = Bookkeeper(venue, BTC, folder)
    backup = books.update().path.read_bytes()
    venue.trades_of_all += _trades(21, 300, NOON_MS + 1_000)
    books.update()
    folder.file_of(DAY).write_bytes(backup)
    venue.trades_of_all += _trades(321, 1, NOON_MS + 2_000)
    assert _ids(books.update().document) == list(range(1, 322))


@pytest.mark.parametrize("account_id", ["", "65537"])
@pytest.mark.parametrize("count", [7, 100, 250, 1_500])
def test_begins_anew_with_an_account_of_lower_numbers(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, account_id: str, count: int
) -> None:
    """Guards a reset: the old account's highest number is forgotten, and all of the new one's trades are read."""
    venue.account_id = "1" if account_id else ""
    venue.trades_of_all = _trades(5_000, 300)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    venue.account_id = account_id
    venue.trades_of_all = _trades(1, count, NOON_MS + 60_000)
    clock.ms += 120_000
    document = books.update().document
    assert _ids(document) == list(range(1, count + 1))
    assert [reset["kept_as"] for reset in document["resets"]] == ["performance_20251130.before-reset-1.json"]
    assert _agrees(document)
    venue.trades_of_all += _trades(count + 1, 1_200, NOON_MS + 180_000)
    document = books.update().document
    assert _ids(document) == list(range(1, count + 1_201))
    assert len(document["resets"]) == 1
    assert _agrees(document)


@pytest.mark.parametrize("count", [0, 2])
def test_is_not_misled_by_a_reset_between_two_readings(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, count: int
) -> None:
    """Guards a snapshot of two accounts: trades of the one, balances of the other."""
    venue.trades_of_all = _trades(1, 6)
    books = Bookkeeper(venue, BTC, folder)
    books.update()

    def reset() -> None:
        venue.account_id, venue.trades_of_all = "65537", _trades(50, count, NOON_MS + 9)

    venue.on_account = reset
    document = books.update().document
    assert (_ids(document), document["account_id"]) == ([50, 51][:count], "65537")
    assert _agrees(document)


def test_has_a_fill_between_two_readings_in_trades_and_balances(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards the snapshot: what is traded while it is read belongs to both or to neither."""
    waiting = _trades(1, 3)

    def trade() -> None:
        if waiting:
            venue.trades_of_all.append(waiting.pop(0))

    venue.on_account = trade
    document = Bookkeeper(venue, BTC, folder).update().document
    assert _ids(document) == [1, 2, 3]
    assert _agrees(document)
    assert document["opening"]["last_trade_ids"] == {"BTCUSDT": 3}


@pytest.mark.parametrize("per_reading", [1, 2, 3])
@pytest.mark.parametrize("busy_readings", [4, 5, 6, 20])
def test_calls_no_books_wrong_because_the_account_never_rests(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, busy_readings: int, per_reading: int
) -> None:
    """Guards a busy account: fills at every reading are no missed trade, neither in the opening nor later."""
    venue.trades_of_all = _trades(1, 3)
    waiting = _trades(4, per_reading * busy_readings, NOON_MS + 10)

    def trade() -> None:
        for _ in range(min(per_reading, len(waiting))):
            venue.trades_of_all.append(waiting.pop(0))

    venue.on_account = trade
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    waiting += _trades(1_000, 500, NOON_MS + 1_000)
    for _ in range(4):
        document = books.update().document
        assert _agrees(document), document["reconciliation"]
    assert document["total_trades"] == 3 + per_reading * (busy_readings + 20)
    venue.start["BTC"] -= 1
    assert books.update().document["reconciliation"]["differences"].keys() >= {"BTC"}


def test_keeps_the_other_symbol_of_the_day(folder: ReportsFolder, venue: ScriptedVenue, clock: Clock) -> None:
    """Guards `report --symbol`, and a desk that trades another pair: one symbol's silence says nothing of another."""
    venue.trades_of_all = [*_trades(1, 150), *_trades(1, 120, symbol="ETHUSDT")]
    clock.ms += _HOUR_MS
    tracker = Bookkeeper(venue, BTC, folder)
    assert tracker.update().document["trades"]["pnl"] == 75
    venue.trades_of_all += _trades(151, 2, NOON_MS + _HOUR_MS)
    document = Bookkeeper(venue, ETH, folder).update().document
    assert (document["total_trades"], document["trades"]["pnl"], document["resets"]) == (272, 136, [])
    assert _agrees(document)
    again = tracker.update().document
    assert (again["total_trades"], again["trades"]["pnl"], again["resets"]) == (272, 136, [])
    assert _agrees(again)


def test_counts_a_fill_by_hand_in_another_pair_of_the_desk(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards `place --symbol`: its fill moves the balances, and nobody had told the tracker to look there."""
    tracker = Bookkeeper(venue, BTC, folder, pairs=(BTC, ETH))
    venue.trades_of_all = _trades(1, 2)
    assert _agrees(tracker.update().document)
    assert {symbol for symbol, *_ in venue.calls} == {"BTCUSDT"}, "a pair that nobody trades costs nothing"
    clock.ms += _HOUR_MS
    venue.trades_of_all += _trades(1, 1, clock.ms - 1_000, symbol="ETHUSDT")
    for books in (tracker, Bookkeeper(venue, BTC, folder, pairs=(BTC, ETH))):
        document = books.update().document
        assert document["total_trades"] == 3
        assert _agrees(document)


def test_leaves_alone_a_pair_of_the_desk_that_the_venue_does_not_trade(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards a testnet that knows fewer pairs than the desk: a deposit there must not end every update."""
    tracker = Bookkeeper(venue, BTC, folder, pairs=(BTC, ETH))
    tracker.update()
    del venue.mids["ETHUSDT"]
    venue.start["ETH"] = venue.start.get("ETH", Decimal(0)) + 5
    clock.ms += _HOUR_MS
    assert tracker.update().document["reconciliation"]["differences"].keys() == {"ETH"}
    assert {symbol for symbol, *_ in venue.calls} == {"BTCUSDT"}


def test_drops_what_it_read_before_another_process_wrote(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards `report` beside the tracker: the one that read first and writes last must not put the day back."""
    tracker, command = Bookkeeper(venue, BTC, folder), Bookkeeper(venue, BTC, folder)
    venue.trades_of_all = _trades(1, 2)
    tracker.update()
    runs: list[JsonObject] = []

    def meanwhile() -> None:
        venue.on_account = lambda: None
        venue.trades_of_all += _trades(3, 150, NOON_MS + 1_000)
        runs.append(command.update().document)

    stale = venue.balances()
    venue.on_account = meanwhile
    document = tracker.update().document
    assert stale != venue.balances()
    assert _ids(document) == _ids(runs[0]) == list(range(1, 153))
    assert _agrees(document)
    assert document["resets"] == []


@pytest.mark.parametrize("asset", ["BNB", "XYZ"])
def test_values_a_fee_in_a_third_asset_by_its_mid_at_that_time(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, asset: str
) -> None:
    """Guards the PnL of who pays in BNB: the venue is asked, and what it said then stays with the trade."""
    venue.start["XYZ"] = Decimal(10)
    venue.mids |= {"BNBUSDT": Decimal(600), "XYZUSDT": Decimal("2.5")}
    venue.trades_of_all = [replace(trade, fee=Decimal("0.01"), fee_asset=asset) for trade in _trades(1, 2)]
    books = Bookkeeper(venue, BTC, folder)
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
        return {ms: Decimal(500 + ms % DAY_MS // _HOUR_MS) for ms in minutes if ms % _HOUR_MS != _HOUR_MS // 2}


def test_values_a_fee_of_before_by_the_price_of_its_minute(folder: ReportsFolder, clock: Clock) -> None:
    """Guards fees that are first seen hours or days later: not by the mid of now, but where none was told of then."""
    venue = RememberingVenue(_START, (BTC, ETH))
    venue.mids["BNBUSDT"] = Decimal(600)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    times_ms = [NOON_MS + _HOUR_MS + 1, NOON_MS + 3 * _HOUR_MS // 2, NOON_MS + DAY_MS - 1, NOON_MS + DAY_MS - 119_000]
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
    clock.ms += _HOUR_MS
    prices = [row["fee_price"] for row in Bookkeeper(venue, BTC, folder).update().document["trade_history"]]
    assert sorted(prices) == [512, 600, 600]


def test_says_of_a_fee_without_a_price_that_nobody_knows(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards an asset that the venue does not trade: named, in no figure, the trip neither won nor lost, asked once."""
    venue.trades_of_all = [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in _trades(1, 2)]
    asked: list[str] = []
    mid = venue.mid

    def counted(symbol: str) -> Decimal | None:
        asked.append(symbol)
        return mid(symbol)

    venue.mid = counted  # type: ignore[method-assign]
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    part = books.update().document["symbols"]["BTCUSDT"]
    assert (part["pnl"], part["wins"], part["undecided"], part["round_trips"]) == (1, 0, 1, 1)
    assert part["unvalued_fees"] == {"BNB": Decimal("0.02")}
    assert asked.count("BNBUSDT") == 1


@pytest.mark.parametrize("code", [-1121, -1001, 0])
def test_asks_again_where_the_venue_only_stumbled(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, code: int
) -> None:
    """Guards the other symbols of a day: their trades are read on, and fees are priced, after one refusal of a book."""
    venue.mids["BNBUSDT"] = Decimal(600)
    venue.trades_of_all = _trades(1, 2, symbol="ETHUSDT")
    Bookkeeper(venue, ETH, folder).update()
    books = Bookkeeper(venue, BTC, folder)
    trades = [*_trades(1, 2, NOON_MS + 5), *_trades(3, 2, NOON_MS + 10, symbol="ETHUSDT")]
    venue.trades_of_all += [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in trades]
    venue.refusals = {"ETHUSDT": code, "BNBUSDT": code}
    books.update()
    venue.refusals = {}
    venue.trades_of_all += _trades(5, 2, NOON_MS + 20, symbol="ETHUSDT")
    document = books.update().document
    assert document["total_trades"] == (8 if code != -1121 else 6)
    if code != -1121:
        assert _agrees(document)
        assert [part["unvalued_fees"] for part in document["symbols"].values()] == [{}, {}]


_STEPS_MS = [-_HOUR_MS, -1_000, 1_000, _HOUR_MS]


@pytest.mark.parametrize("step_ms", _STEPS_MS)
@pytest.mark.parametrize("at_ms", [NOON_MS, _MIDNIGHT_MS - 500, _MIDNIGHT_MS + 500])
@pytest.mark.parametrize("whose", ["desk", "venue", "both"])
def test_loses_nothing_when_a_clock_steps(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, step_ms: int, at_ms: int, whose: str
) -> None:
    """Guards every reading of the time: no trade is lost, none doubled, no account begun anew, and the books agree."""
    clock.ms, number = at_ms, 1
    books, command = Bookkeeper(venue, BTC, folder), Bookkeeper(venue, BTC, folder)
    desk_step, venue_step = (step_ms if whose != "venue" else 0), (step_ms if whose != "desk" else 0)
    for minute in range(7):
        is_stepped = minute in (2, 3, 4)  # and then back
        now_ms = at_ms + minute * 60_000
        clock.ms = now_ms + (desk_step if is_stepped else 0)
        venue.trades_of_all += _trades(number, 60, now_ms + (venue_step if is_stepped else 0) - 200)
        number += 60
        documents = [books.update().document]
        if minute % 2:
            documents.append(command.update().document)
        for document in documents:
            assert document["resets"] == []
            assert _agrees(document), (minute, document["reconciliation"])
            assert document["symbols"]["BTCUSDT"]["identity_gap"] == 0
    on_file = [(day, _ids(folder.read(day))) for day in folder.days()]
    assert sorted(number for _, ids in on_file for number in ids) == list(range(1, number))
    assert all(date(2025, 11, 30) <= day <= date(2025, 12, 1) for day, _ in on_file)


def test_follows_a_venue_whose_clock_is_an_hour_ahead_over_midnight(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards trades of tomorrow: they are on tomorrow's file at once, and the books of both days agree."""
    clock.ms = _MIDNIGHT_MS - _HOUR_MS
    books = Bookkeeper(venue, BTC, folder)
    venue.trades_of_all = _trades(1, 10, clock.ms)
    books.update()
    venue.trades_of_all += _trades(11, 130, clock.ms + _HOUR_MS)
    today = books.update().document
    assert (len(_ids(today)), today["reconciliation"]["trades_of_other_days"]) == (10, 130)
    assert _agrees(today)
    venue.trades_of_all += _trades(141, 130, clock.ms + _HOUR_MS + 5_000)
    restarted = Bookkeeper(venue, BTC, folder)
    assert _agrees(restarted.update().document)
    clock.ms += _HOUR_MS + 10_000
    for one in (books, restarted):
        tomorrow = one.update().document
        assert _ids(tomorrow) == list(range(11, 271))
        assert _agrees(tomorrow)
    assert _ids(folder.read(DAY)) == list(range(1, 11))


@pytest.mark.parametrize("content", [b"{", None])
@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_venue", [False, True])
def test_asks_for_the_whole_day_though_a_later_one_is_on_file(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, content: bytes | None, is_restarted: bool, is_venue: bool
) -> None:
    """Guards a damaged or deleted file where a clock was set back over midnight, or the venue's is ahead of it."""
    clock.ms = _MIDNIGHT_MS - 60_000
    books = Bookkeeper(venue, BTC, folder)
    venue.trades_of_all = _trades(1, 250, clock.ms - 1_000)
    books.update()
    clock.ms += 0 if is_venue else 120_000
    venue.trades_of_all += _trades(251, 130, _MIDNIGHT_MS + 1_000)
    books.update()
    assert folder.days() == [DAY, DAY + timedelta(days=1)]
    clock.ms = _MIDNIGHT_MS - 30_000
    if content is None:
        folder.file_of(DAY).unlink()
    else:
        folder.file_of(DAY).write_bytes(content)
    document = (Bookkeeper(venue, BTC, folder) if is_restarted else books).update().document
    assert _ids(document) == list(range(1, 251))
    assert _agrees(document)
    assert _ids(folder.read(DAY + timedelta(days=1))) == list(range(251, 381))


def test_knows_what_is_on_file_between_two_days_that_it_wrote(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock
) -> None:
    """Guards a venue whose clock is ahead: a day of late trades alone is no gap, and tomorrow is on file at once."""
    clock.ms = _MIDNIGHT_MS - 60_000
    books = Bookkeeper(venue, BTC, folder)
    venue.trades_of_all = _trades(1, 150, clock.ms - 1_000)
    books.update()
    venue.trades_of_all += _trades(151, 130, _MIDNIGHT_MS)
    books.update()
    clock.ms += 2 * DAY_MS
    books.update()
    venue.trades_of_all += _trades(281, 1, _MIDNIGHT_MS + 2 * DAY_MS)
    books.update()
    assert [_ids(folder.read(DAY + timedelta(days=days))) for days in (1, 2, 3)] == [[*range(151, 281)], [], [281]]


def test_ends_the_week_with_the_day_that_was_written(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards midnight between the snapshot and the day that it belongs to: it is read again for the new day."""
    times = [_MIDNIGHT_MS - 1, _MIDNIGHT_MS + 1, _MIDNIGHT_MS + 2, _MIDNIGHT_MS + 3]
    monkeypatch.setattr(bookkeeper_module, "time_ns", lambda: times.pop(0) * 1_000_000)
    document = Bookkeeper(venue, BTC, folder).update().document
    assert document["date"] == "2025-12-01"
    assert folder.days() == [date(2025, 12, 1)]
    assert times == []


@pytest.mark.parametrize("account_id", ["", "65537"])
def test_tells_of_a_reset_once_when_it_was_noticed_just_before_midnight(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, account_id: str
) -> None:
    """Guards the day after: it goes on with the new account, of which it knows the trades and the id."""
    clock.ms = _MIDNIGHT_MS - 120_000
    venue.account_id = "1" if account_id else ""
    venue.trades_of_all = _trades(5_000, 50, clock.ms - 3_600_000)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    clock.ms = _MIDNIGHT_MS - 1_000
    venue.account_id, venue.trades_of_all = account_id, _trades(1, 5, clock.ms - 10_000)
    assert len(books.update().document["resets"]) == 1
    clock.ms = _MIDNIGHT_MS + 4_000
    venue.trades_of_all += [*_trades(6, 120, _MIDNIGHT_MS - 500), *_trades(126, 3, _MIDNIGHT_MS + 500)]
    recorded = books.update()
    assert (recorded.document["resets"], was_reset(recorded)) == ([], False)
    assert recorded.document["account_id"] == account_id
    assert _agrees(recorded.document)
    assert _ids(folder.read(DAY)) == list(range(1, 126))
    assert _ids(recorded.document) == [126, 127, 128]


def test_gives_up_when_the_folder_never_rests(folder: ReportsFolder, venue: ScriptedVenue, clock: Clock) -> None:
    """Guards against a loop without end: an error that the tracker tries again after."""
    books = Bookkeeper(venue, BTC, folder)
    path = books.update().path

    def touch() -> None:
        path.write_bytes(path.read_bytes() + b"\n")

    venue.on_account = touch
    with pytest.raises(FolderBusyError, match="again and again"):
        books.update()


@pytest.mark.parametrize("count", [7, 99, 100, 250, 1_100])
def test_begins_anew_with_an_account_of_higher_numbers(
    folder: ReportsFolder, venue: ScriptedVenue, clock: Clock, count: int
) -> None:
    """Guards a venue without ids that numbers all accounts' trades together: the day's known trades are gone."""
    venue.account_id = ""
    venue.trades_of_all = _trades(1, 50)
    books = Bookkeeper(venue, BTC, folder)
    books.update()
    venue.trades_of_all = _trades(5_001, count, NOON_MS + 60_000)
    clock.ms += 120_000
    document = books.update().document
    assert _ids(document) == list(range(5_001, 5_001 + count))
    assert len(document["resets"]) == 1
    assert _agrees(document)


def test_prices_a_fee_of_a_day_that_is_over(folder: ReportsFolder, venue: ScriptedVenue, clock: Clock) -> None:
    """Guards late trades and days that nobody saw: their fees in a third asset are valued as well."""
    venue.mids["BNBUSDT"] = Decimal(600)
    Bookkeeper(venue, BTC, folder).update()
    for day in (0, 1, 2):
        trades = _trades(1 + 2 * day, 2, NOON_MS + day * DAY_MS + _HOUR_MS)
        venue.trades_of_all += [replace(trade, fee=Decimal("0.01"), fee_asset="BNB") for trade in trades]
    clock.ms += 2 * DAY_MS + 2 * _HOUR_MS
    Bookkeeper(venue, BTC, folder).update()
    for day in (0, 1, 2):
        found = folder.read(DAY + timedelta(days=day))
        assert found is not None
        assert [row["fee_in_quote"] for row in found["trade_history"]] == [6, 6]
        assert found["trades"]["pnl"] == -11
