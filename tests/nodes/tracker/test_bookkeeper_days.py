"""The bookkeeper over several days: those that nobody saw, midnight, and every step of a clock."""

from datetime import date, timedelta
from itertools import count

import pytest

from market.clock import Now
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.reading import LATEST_TRADES
from reports.folder import ReportsFolder
from tests.cases import IS_NIGHT
from tests.nodes.tracker.accounts import HOUR_MS, MIDNIGHT_MS, STEPS_MS, SetClock, agrees, ids, made_trades
from tests.reports.documents import was_reset
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS
from tests.reports.scripted_venue import ScriptedVenue


@pytest.mark.parametrize(("days_away", "count"), [(1, 20), (1, 155), (2, 20), (2, 155), (2, 1_100), (9, 20)])
def test_makes_the_days_that_nobody_saw(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, days_away: int, count: int
) -> None:
    """Guards a tracker that was away over midnights: no trade is missing, on whichever day it was made."""
    venue.trades_of_all = made_trades(1, 20)
    Bookkeeper(venue, BTC, folder, clock).update()
    for back in range(days_away + 1):
        venue.trades_of_all += made_trades(100_000 * (back + 1), count, NOON_MS + back * DAY_MS + HOUR_MS)
    clock.ms += days_away * DAY_MS + 2 * HOUR_MS
    for _ in range(2):
        document = Bookkeeper(venue, BTC, folder, clock).update().document
        assert ids(document) == list(range(100_000 * (days_away + 1), 100_000 * (days_away + 1) + count))
        assert agrees(document)
        assert len(ids(folder.read(DAY))) == 20 + count
        for back in range(1, days_away):
            found = folder.read(DAY + timedelta(days=back))
            assert found is not None
            assert len(ids(found)) == count
            assert found["is_seen"] is False


@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("days_away", [1, 3])
def test_finds_what_another_pair_traded_before_midnight(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, days_away: int, *, is_new: bool
) -> None:
    """Guards `place --symbol` just before midnight, and while no tracker ran: the fill was in no file and no history,
    and what it had moved was told as a flow that nobody explains.
    """
    books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH))
    venue.trades_of_all = made_trades(1, 2)
    books.update()
    venue.trades_of_all += made_trades(1, 3, MIDNIGHT_MS - HOUR_MS, symbol="ETHUSDT")
    clock.ms += days_away * DAY_MS
    for step in range(2):
        books = Bookkeeper(venue, BTC, folder, clock, pairs=(BTC, ETH)) if is_new or step else books
        recorded = books.update()
        assert agrees(recorded.document)
        assert recorded.document["flows"] == []
        assert recorded.document["symbols"]["ETHUSDT"]["carried"]["qty"] == 1
        before = folder.read(DAY)
        assert before is not None
        assert [(row["symbol"], row["id"]) for row in before["trade_history"]] == [
            *(("BTCUSDT", number) for number in (1, 2)),
            *(("ETHUSDT", number) for number in (1, 2, 3)),
        ]


def test_makes_no_day_before_the_desk_was_in_service(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards the first start on an old account, and a day whose file was deleted to forget it."""
    venue.trades_of_all = [*made_trades(1, 50, NOON_MS - 2 * DAY_MS), *made_trades(51, 10)]
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    assert folder.days() == [DAY]
    clock.ms += DAY_MS
    venue.trades_of_all += made_trades(61, 10, NOON_MS + DAY_MS)
    books.update()
    folder.file_of(DAY).unlink()
    Bookkeeper(venue, BTC, folder, clock).update()
    assert folder.days() == [DAY + timedelta(days=1)]


# By day any two of the three are met together: a step at each moment, a clock with each of both.
_STEPS = [
    (step_ms, at_ms, whose)
    for row, step_ms in enumerate(STEPS_MS)
    for column, at_ms in enumerate([NOON_MS, MIDNIGHT_MS - 500, MIDNIGHT_MS + 500])
    for number, whose in enumerate(["desk", "venue", "both"])
    if IS_NIGHT or number == (row + column) % 3
]


@pytest.mark.parametrize(("step_ms", "at_ms", "whose"), _STEPS)
def test_loses_nothing_when_a_clock_steps(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, step_ms: int, at_ms: int, whose: str
) -> None:
    """Guards every reading of the time: no trade is lost, none doubled, no account begun anew, and the books agree."""
    clock.ms, number = at_ms, 1
    books, command = Bookkeeper(venue, BTC, folder, clock), Bookkeeper(venue, BTC, folder, clock)
    desk_step, venue_step = (step_ms if whose != "venue" else 0), (step_ms if whose != "desk" else 0)
    for minute in range(7):
        is_stepped = minute in (2, 3, 4)  # and then back
        now_ms = at_ms + minute * 60_000
        clock.ms = now_ms + (desk_step if is_stepped else 0)
        made = LATEST_TRADES + 1 if minute == 0 else 20  # so that a look at the latest never tells all
        venue.trades_of_all += made_trades(number, made, now_ms + (venue_step if is_stepped else 0) - 200)
        number += made
        documents = [books.update().document]
        if minute % 2:
            documents.append(command.update().document)
        for document in documents:
            assert document["resets"] == []
            assert agrees(document), (minute, document["reconciliation"])
            assert document["symbols"]["BTCUSDT"]["identity_gap"] == 0
    on_file = [(day, ids(folder.read(day))) for day in folder.days()]
    assert sorted(number for _, ids in on_file for number in ids) == list(range(1, number))
    assert all(date(2025, 11, 30) <= day <= date(2025, 12, 1) for day, _ in on_file)


def test_follows_a_venue_whose_clock_is_an_hour_ahead_over_midnight(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards trades of tomorrow: they are on tomorrow's file at once, and the books of both days agree."""
    clock.ms = MIDNIGHT_MS - HOUR_MS
    books = Bookkeeper(venue, BTC, folder, clock)
    venue.trades_of_all = made_trades(1, 10, clock.ms)
    books.update()
    venue.trades_of_all += made_trades(11, 130, clock.ms + HOUR_MS)
    today = books.update().document
    assert (len(ids(today)), today["reconciliation"]["trades_of_other_days"]) == (10, 130)
    assert agrees(today)
    venue.trades_of_all += made_trades(141, 130, clock.ms + HOUR_MS + 5_000)
    restarted = Bookkeeper(venue, BTC, folder, clock)
    assert agrees(restarted.update().document)
    clock.ms += HOUR_MS + 10_000
    for one in (books, restarted):
        tomorrow = one.update().document
        assert ids(tomorrow) == list(range(11, 271))
        assert agrees(tomorrow)
    assert ids(folder.read(DAY)) == list(range(1, 11))


@pytest.mark.parametrize("content", [b"{", None])
@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("is_venue", [False, True])
def test_asks_for_the_whole_day_though_a_later_one_is_on_file(
    folder: ReportsFolder,
    venue: ScriptedVenue,
    clock: SetClock,
    content: bytes | None,
    is_restarted: bool,
    is_venue: bool,
) -> None:
    """Guards a damaged or deleted file where a clock was set back over midnight, or the venue's is ahead of it."""
    clock.ms = MIDNIGHT_MS - 60_000
    books = Bookkeeper(venue, BTC, folder, clock)
    venue.trades_of_all = made_trades(1, 250, clock.ms - 1_000)
    books.update()
    clock.ms += 0 if is_venue else 120_000
    venue.trades_of_all += made_trades(251, 130, MIDNIGHT_MS + 1_000)
    books.update()
    assert folder.days() == [DAY, DAY + timedelta(days=1)]
    clock.ms = MIDNIGHT_MS - 30_000
    if content is None:
        folder.file_of(DAY).unlink()
    else:
        folder.file_of(DAY).write_bytes(content)
    document = (Bookkeeper(venue, BTC, folder, clock) if is_restarted else books).update().document
    assert ids(document) == list(range(1, 251))
    assert agrees(document)
    assert ids(folder.read(DAY + timedelta(days=1))) == list(range(251, 381))


def test_knows_what_is_on_file_between_two_days_that_it_wrote(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards a venue whose clock is ahead: a day of late trades alone is no gap, and tomorrow is on file at once."""
    clock.ms = MIDNIGHT_MS - 60_000
    books = Bookkeeper(venue, BTC, folder, clock)
    venue.trades_of_all = made_trades(1, 150, clock.ms - 1_000)
    books.update()
    venue.trades_of_all += made_trades(151, 130, MIDNIGHT_MS)
    books.update()
    clock.ms += 2 * DAY_MS
    books.update()
    venue.trades_of_all += made_trades(281, 1, MIDNIGHT_MS + 2 * DAY_MS)
    books.update()
    assert [ids(folder.read(DAY + timedelta(days=days))) for days in (1, 2, 3)] == [[*range(151, 281)], [], [281]]


def test_ends_the_week_with_the_day_that_was_written(folder: ReportsFolder, venue: ScriptedVenue) -> None:
    """Guards midnight between the snapshot and the day that it belongs to: it is read again for the new day."""
    times_ms = count(MIDNIGHT_MS - 1, 2)
    document = Bookkeeper(venue, BTC, folder, lambda: Now(next(times_ms) * 1_000_000, 0)).update().document
    assert document["date"] == "2025-12-01"
    assert folder.days() == [date(2025, 12, 1)]


@pytest.mark.parametrize("account_id", ["", "65537"])
def test_tells_of_a_reset_once_when_it_was_noticed_just_before_midnight(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, account_id: str
) -> None:
    """Guards the day after: it goes on with the new account, of which it knows the trades and the id."""
    clock.ms = MIDNIGHT_MS - 120_000
    venue.account_id = "1" if account_id else ""
    venue.trades_of_all = made_trades(5_000, 50, clock.ms - 3_600_000)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    clock.ms = MIDNIGHT_MS - 1_000
    venue.account_id, venue.trades_of_all = account_id, made_trades(1, 5, clock.ms - 10_000)
    assert len(books.update().document["resets"]) == 1
    clock.ms = MIDNIGHT_MS + 4_000
    venue.trades_of_all += [*made_trades(6, 120, MIDNIGHT_MS - 500), *made_trades(126, 3, MIDNIGHT_MS + 500)]
    recorded = books.update()
    assert (recorded.document["resets"], was_reset(recorded)) == ([], False)
    assert recorded.document["account_id"] == account_id
    assert agrees(recorded.document)
    assert ids(folder.read(DAY)) == list(range(1, 126))
    assert ids(recorded.document) == [126, 127, 128]


_NIGHT = "it knows none of the last trades of the day before"
_OTHER = "trade 51 of BTCUSDT is not the one that was recorded"


@pytest.mark.parametrize(("fresh", "reason"), [(0, _NIGHT), (5, _NIGHT), (150, _OTHER)])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_tells_of_a_wipe_over_midnight_that_leaves_the_id_as_it_was(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock, fresh: int, reason: str, is_restarted: bool
) -> None:
    """Guards the new day against lots of an account that is gone: nothing of it is carried, and the gap is a wipe."""
    clock.ms = MIDNIGHT_MS - 120_000
    venue.trades_of_all = [*made_trades(1, 50, clock.ms - 3_600_000), *made_trades(51, 1, clock.ms - 1_000)]
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    clock.ms = MIDNIGHT_MS + 4_000
    venue.trades_of_all = made_trades(1, fresh, MIDNIGHT_MS + 500)
    if is_restarted:
        books = Bookkeeper(venue, BTC, folder, clock)
    for _ in range(3):
        clock.ms += 5_000
        document = books.update().document
        assert [reset["reason"] for reset in document["resets"]] == [reason]
        assert ids(document) == list(range(1, fresh + 1))
        assert document["symbols"]["BTCUSDT"]["carried"]["qty"] == 0
        assert document["symbols"]["BTCUSDT"]["position"] == fresh % 2
        assert {flow["kind"] for flow in document["flows"]} == {"wipe"}
        assert agrees(document)
        assert document["identity"]["all"]["gap"] == 0
        books = Bookkeeper(venue, BTC, folder, clock) if is_restarted else books
    assert len(ids(folder.read(DAY))) == 51
    clock.ms += DAY_MS
    assert books.update().document["resets"] == []


def test_account_that_goes_on_over_midnight_is_no_other_one(
    folder: ReportsFolder, venue: ScriptedVenue, clock: SetClock
) -> None:
    """Guards against a wipe that was none: a venue that does not yet tell what it told a moment ago."""
    clock.ms = MIDNIGHT_MS - 4_000
    venue.trades_of_all = made_trades(1, 51, clock.ms - 100)
    books = Bookkeeper(venue, BTC, folder, clock)
    books.update()
    told, venue.trades_of_all = venue.trades_of_all, []
    clock.ms = MIDNIGHT_MS + 1_000
    assert books.update().document["resets"] == []
    venue.trades_of_all = told
    clock.ms += 5_000
    document = books.update().document
    assert document["resets"] == []
    assert document["symbols"]["BTCUSDT"]["carried"]["qty"] == 1
