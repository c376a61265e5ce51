"""The bookkeeper on a scripted venue: pages, resets, other symbols, and folders that others write."""

from decimal import Decimal

import pytest

from market.codes import Side
from market.exact_json import JsonObject
from nodes.tracker.bookkeeper import Bookkeeper
from reports.folder import FolderBusyError, ReportsFolder
from tests.independent.daily_file_check import faults_of
from tests.nodes.tracker.accounts import HOUR_MS, SetClock, agrees, ids, made_trades
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue


@pytest.mark.parametrize("count", [99, 100, 101, 999, 1_000, 1_001, 2_000])
def test_reads_all_trades_of_the_day_page_by_page(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, count: int
) -> None:
    """Guards paging, for a first start in the middle of a day, and for one that comes back to it."""
    venue.trades_of_all = [*made_trades(1, 150, NOON_MS - DAY_MS), *made_trades(151, count)]
    clock.ms += HOUR_MS
    document = Bookkeeper(venue, BTC, folder, clock).update().document
    assert ids(document) == list(range(151, 151 + count))
    venue.trades_of_all += made_trades(151 + count, count, NOON_MS + HOUR_MS)
    document = Bookkeeper(venue, BTC, folder, clock).update().document
    assert ids(document) == list(range(151, 151 + 2 * count))
    assert agrees(document)
    assert folder.read(DAY) == document


@pytest.mark.parametrize("lone", range(4))
def test_keeps_both_halves_of_a_trade_with_itself(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, lone: int
) -> None:
    """Guards self-trades, above all where a page or the last hundred ends between the two halves."""
    venue.trades_of_all = made_trades(1, 1)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    halves = [
        fill(number, side, "2", "100", "0.1", time_ms=NOON_MS + number, order_id=f"{side.name}{number}")
        for number in range(10, 1_110)
        for side in (Side.BUY, Side.SELL)
    ]
    venue.trades_of_all += [*made_trades(2, lone, NOON_MS + 2), *halves]
    for _ in range(3):
        recorded = books.update()
        document = recorded.document
        assert (document["total_trades"], document["trades"]["total_buys"]) == (
            1 + lone + 2_200,
            document["trades"]["total_sells"] + (1 + lone) % 2,
        )
        assert agrees(document)
        assert document["resets"] == []
        assert document["symbols"]["BTCUSDT"]["identity_gap"] == 0
        assert recorded.notes == ()


@pytest.mark.parametrize("content", [b"", b"{", None])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_writes_the_whole_day_again_when_its_file_is_gone(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, content: bytes | None, is_restarted: bool
) -> None:
    """Guards a file that is damaged or deleted under a running tracker: all trades come back, not the last hundred."""
    venue.trades_of_all = made_trades(1, 300)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    if content is None:
        folder.file_of(DAY).unlink()
    else:
        folder.file_of(DAY).write_bytes(content)
    venue.trades_of_all += made_trades(301, 5, NOON_MS + 1_000)
    recorded = (Bookkeeper(venue, BTC, folder, clock) if is_restarted else books).update()
    assert ids(folder.read(DAY)) == list(range(1, 306))
    assert recorded.document["symbols"]["BTCUSDT"]["round_trips"] == 152
    assert agrees(recorded.document)
    assert len(recorded.notes) == (0 if content is None else 1)
    assert len(list(folder.path.iterdir())) == (1 if content is None else 2)


def test_keeps_what_is_known_when_an_older_file_is_put_back(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards a backup that is copied over the file of a running tracker."""
    venue.trades_of_all = made_trades(1, 20)
    books = Bookkeeper(venue, BTC, folder, clock)
    backup = books.update().path.read_bytes()
    venue.trades_of_all += made_trades(21, 300, NOON_MS + 1_000)
    books.update()
    folder.file_of(DAY).write_bytes(backup)
    venue.trades_of_all += made_trades(321, 1, NOON_MS + 2_000)
    assert ids(books.update().document) == list(range(1, 322))


@pytest.mark.parametrize("account_id", ["", "65537"])
@pytest.mark.parametrize("count", [7, 100, 250, 1_500])
def test_begins_anew_with_an_account_of_lower_numbers(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, account_id: str, count: int
) -> None:
    """Guards a reset: the old account's highest number is forgotten, and all of the new one's trades are read."""
    venue.account_id = "1" if account_id else ""
    venue.trades_of_all = made_trades(5_000, 300)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    venue.account_id = account_id
    venue.trades_of_all = made_trades(1, count, NOON_MS + 60_000)
    clock.ms += 120_000
    document = books.update().document
    assert ids(document) == list(range(1, count + 1))
    assert [reset["kept_as"] for reset in document["resets"]] == ["performance_20251130.before-reset-1.json"]
    assert agrees(document)
    venue.trades_of_all += made_trades(count + 1, 1_200, NOON_MS + 180_000)
    document = books.update().document
    assert ids(document) == list(range(1, count + 1_201))
    assert len(document["resets"]) == 1
    assert agrees(document)


@pytest.mark.parametrize("count", [0, 2])
def test_is_not_misled_by_a_reset_between_two_readings(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, count: int
) -> None:
    """Guards a snapshot of two accounts: trades of the one, balances of the other."""
    venue.trades_of_all = made_trades(1, 6)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()

    def reset() -> None:
        venue.account_id, venue.trades_of_all = "65537", made_trades(50, count, NOON_MS + 9)

    venue.on_account = reset
    document = books.update().document
    assert (ids(document), document["account_id"]) == ([50, 51][:count], "65537")
    assert agrees(document)


def test_has_a_fill_between_two_readings_in_trades_and_balances(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards the snapshot: what is traded while it is read belongs to both or to neither."""
    waiting = made_trades(1, 3)

    def trade() -> None:
        if waiting:
            venue.trades_of_all.append(waiting.pop(0))

    venue.on_account = trade
    document = Bookkeeper(venue, BTC, folder, clock).update().document
    assert ids(document) == [1, 2, 3]
    assert agrees(document)
    assert document["opening"]["last_trade_ids"] == {"BTCUSDT": 3}


@pytest.mark.parametrize("per_reading", [1, 2, 3])
@pytest.mark.parametrize("busy_readings", [4, 5, 6, 20])
def test_calls_no_books_wrong_because_the_account_never_rests(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, busy_readings: int, per_reading: int
) -> None:
    """Guards a busy account: fills at every reading are no missed trade, neither in the opening nor later."""
    venue.trades_of_all = made_trades(1, 3)
    waiting = made_trades(4, per_reading * busy_readings, NOON_MS + 10)

    def trade() -> None:
        for _ in range(min(per_reading, len(waiting))):
            venue.trades_of_all.append(waiting.pop(0))

    venue.on_account = trade
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    waiting += made_trades(1_000, 500, NOON_MS + 1_000)
    for _ in range(4):
        document = books.update().document
        assert agrees(document), document["reconciliation"]
    assert document["total_trades"] == 3 + per_reading * (busy_readings + 20)
    venue.start["BTC"] -= 1
    assert books.update().document["reconciliation"]["differences"].keys() >= {"BTC"}


def test_keeps_the_other_symbol_of_the_day(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
    """Guards `report --symbol`, and a desk that trades another pair: one symbol's silence says nothing of another."""
    venue.trades_of_all = [*made_trades(1, 150), *made_trades(1, 120, symbol="ETHUSDT")]
    clock.ms += HOUR_MS
    tracker = Bookkeeper(venue, BTC, folder, clock)
    assert tracker.update().document["trades"]["pnl"] == 75
    venue.trades_of_all += made_trades(151, 2, NOON_MS + HOUR_MS)
    document = Bookkeeper(venue, ETH, folder, clock).update().document
    assert (document["total_trades"], document["trades"]["pnl"], document["resets"]) == (272, 136, [])
    assert agrees(document)
    again = tracker.update().document
    assert (again["total_trades"], again["trades"]["pnl"], again["resets"]) == (272, 136, [])
    assert agrees(again)


def test_counts_a_fill_by_hand_in_another_pair_of_the_desk(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards `place --symbol`: its fill moves the balances, and nobody had told the tracker to look there."""
    tracker = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    venue.trades_of_all = made_trades(1, 2)
    assert agrees(tracker.update().document)
    assert {symbol for symbol, *_ in venue.calls} == {"BTCUSDT"}, "a pair that nobody trades costs nothing"
    clock.ms += HOUR_MS
    venue.trades_of_all += made_trades(1, 1, clock.ms - 1_000, symbol="ETHUSDT")
    for books in (tracker, Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))):
        document = books.update().document
        assert document["total_trades"] == 3
        assert agrees(document)


def test_leaves_alone_a_pair_of_the_desk_that_the_venue_does_not_trade(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards a testnet that knows fewer pairs than the desk: a deposit there must not end every update."""
    tracker = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    tracker.update()
    del venue.mids["ETHUSDT"]
    venue.start["ETH"] = venue.start.get("ETH", Decimal(0)) + 5
    clock.ms += HOUR_MS
    assert tracker.update().document["reconciliation"]["differences"].keys() == {"ETH"}
    assert {symbol for symbol, *_ in venue.calls} == {"BTCUSDT"}


def test_drops_what_it_read_before_another_process_wrote(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards `report` beside the tracker: the one that read first and writes last must not put the day back."""
    tracker, command = Bookkeeper(venue, BTC, folder, clock), Bookkeeper(venue, BTC, folder, clock)
    venue.trades_of_all = made_trades(1, 2)
    tracker.update()
    runs: list[JsonObject] = []

    def meanwhile() -> None:
        venue.on_account = lambda: None
        venue.trades_of_all += made_trades(3, 150, NOON_MS + 1_000)
        runs.append(command.update().document)

    stale = venue.balances()
    venue.on_account = meanwhile
    document = tracker.update().document
    assert stale != venue.balances()
    assert ids(document) == ids(runs[0]) == list(range(1, 153))
    assert agrees(document)
    assert document["resets"] == []


def test_gives_up_when_the_folder_never_rests(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
    """Guards against a loop without end: an error that the tracker tries again after."""
    books = Bookkeeper(venue, BTC, folder, clock)
    path = books.update().path

    def touch() -> None:
        path.write_bytes(path.read_bytes() + b"\n")

    venue.on_account = touch
    with pytest.raises(FolderBusyError, match="again and again"):
        books.update()


@pytest.mark.parametrize("count", [7, 99, 100, 250, 1_100])
def test_begins_anew_with_an_account_of_higher_numbers(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, count: int
) -> None:
    """Guards a venue without ids that numbers all accounts' trades together: the day's known trades are gone."""
    venue.account_id = ""
    venue.trades_of_all = made_trades(1, 50)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    venue.trades_of_all = made_trades(5_001, count, NOON_MS + 60_000)
    clock.ms += 120_000
    document = books.update().document
    assert ids(document) == list(range(5_001, 5_001 + count))
    assert len(document["resets"]) == 1
    assert agrees(document)


@pytest.mark.parametrize("is_traded_before", [False, True])
def test_pair_that_is_only_asked_for_changes_nothing_of_the_day(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, *, is_traded_before: bool
) -> None:
    """Guards a read of `report --symbol`: it made a pair one of the day's, and equity and identity ended for the day.

    A pair that was traded on another day alone is none of this one's, either; one that was traded on it is.
    """
    venue.mids["ETHUSDT"] = Decimal(10)
    if is_traded_before:
        venue.trades_of_all = made_trades(1, 2, NOON_MS - DAY_MS, symbol="ETHUSDT")
    tracker = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    venue.trades_of_all += made_trades(1, 2)
    before = tracker.update().document
    asking = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH), asked=ETH)
    for books in (asking, tracker, Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))):
        document = books.update().document
        assert {name: document[name] for name in before} == before
    venue.trades_of_all += made_trades(101, 2, clock.ms + 1, symbol="ETHUSDT")
    assert list(asking.update().document["symbols"]) == ["BTCUSDT", "ETHUSDT"], "it came back to what it was"


def test_asset_that_comes_without_a_trade_leaves_equity_and_identity(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards the equity against a deposit of another pair's coin: that pair was looked at, and had no mid of before."""
    tracker = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    venue.mids["ETHUSDT"] = Decimal(10)
    venue.trades_of_all = [*made_trades(1, 2), *made_trades(1, 2, NOON_MS - DAY_MS, symbol="ETHUSDT")]
    tracker.update()
    venue.start["ETH"] += 3
    for _ in range(3):
        clock.ms += 1_000
        document = tracker.update().document
    assert [(flow["asset"], flow["amount"]) for flow in document["flows"]] == [("ETH", 3)]
    assert document["equity"]["end"] is not None
    assert document["identity"]["all"]["gap"] == 0
    assert faults_of(folder.file_of(DAY).read_text()) == []


def test_pair_that_is_open_since_before_is_valued(folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock) -> None:
    """Guards the equity of a day on which a lot of another pair only lay: nobody asked what that is worth."""
    venue.mids["ETHUSDT"] = Decimal(10)
    books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    books.update()
    venue.trades_of_all = made_trades(1, 1, symbol="ETHUSDT")
    books.update()
    clock.ms += DAY_MS
    document = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH)).update().document
    assert document["symbols"]["ETHUSDT"]["position"] == 1
    assert document["identity"]["all"]["gap"] == 0
