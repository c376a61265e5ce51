"""What the order of each fill was placed for: level, model, rule and age, from the venue and the maker's decisions."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk.decisions_file import DecisionsFile, placing_of, was_cancelled
from market.account import VenueOrder, VenueTrade
from market.clock import NS_PER_MS, iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.fill_orders import BEFORE_MAX, PAGE, PAGES_MAX, TRIES_MAX, FillOrders
from nodes.tracker.historian import Historian
from reports.folder import ReportsFolder
from reports.trade_history import Placing
from tests.nodes.tracker.accounts import HOUR_MS, MIDNIGHT_MS, SetClock
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, NOON_MS, fill
from tests.reports.scripted_venue import ScriptedVenue

KEYS = ("quote_age_ms", "level", "model", "rule")
NOTHING = (None, None, None, None)


class AskedVenue(ScriptedVenue):
    """A venue that notes how its orders were asked for, as (from_id, limit)."""

    def __init__(self) -> None:
        super().__init__({"BTC": "100", "USDT": "1000000", "ETH": "100"}, (BTC, ETH))
        self.asked: list[tuple[int | None, int]] = []

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Note it, and answer."""
        self.asked.append((from_id, limit))
        return super().orders(instrument, limit, from_id, since_ms)


class Desk:
    """A maker that places orders, a venue where they fill, and a tracker."""

    def __init__(self, folder: ReportsFolder, run_dir: Path) -> None:
        self.venue, self.folder, self.run_dir, self.clock = AskedVenue(), folder, run_dir, SetClock()
        self._file = DecisionsFile(run_dir)
        self.start()

    def start(self) -> None:
        """Begin as a tracker that knows nothing."""

        def placing(order: VenueOrder) -> Placing | None:
            return placing_of(self.run_dir, order.client_order_id, order.time_ms)

        def was_cancelled_until(order: VenueOrder, time_ms: int) -> bool:
            return was_cancelled(self.run_dir, order.client_order_id, time_ms)

        orders = FillOrders(self.venue, placing, was_cancelled_until)
        args = self.venue, BTC, self.folder, self.clock
        self.books = Bookkeeper(*args, pairs=(BTC, ETH), fill_orders=orders)

    def place(self, number: int, at_ms: int, level: int = 1, rule: str = "WANTED", action: str = "place") -> VenueOrder:
        """Let the maker decide, 20 ms before the venue has the order."""
        self.decide(number, at_ms - 20, action, {"level": level, "model": "glft", "rule": rule})
        order = _order(number, at_ms)
        self.venue.orders_of_all.append(order)
        return order

    def decide(self, number: int, at_ms: int, action: str, more: JsonObject) -> None:
        """Write a decision of the maker."""
        row = {"time": iso_time(at_ms), "symbol": "BTCUSDT", "action": action, "client_order_id": f"tb-1-{number}"}
        self._file.write([row | {"rule": "WANTED", "level": None, "model": None} | more], at_ms * NS_PER_MS)

    def fill(self, number: int, at_ms: int, order: int) -> VenueTrade:
        """Let an order trade."""
        trade = fill(number, Side.BUY, "0.01", "100", time_ms=at_ms, order_id=str(order))
        self.venue.trades_of_all.append(trade)
        return trade

    def update(self, at_ms: int) -> None:
        """Let the tracker go through a step."""
        self.clock.ms = at_ms
        self.books.update()

    def told(self, back: int = 0) -> dict[int, tuple[Any, ...]]:
        """Return what the daily file says of each trade."""
        day = DAY if not back else type(DAY).fromordinal(DAY.toordinal() - back)
        document = self.folder.read(day)
        assert document is not None
        return {row["id"]: tuple(row.get(key) for key in KEYS) for row in document["trade_history"]}


def _order(number: int, at_ms: int, name: str | None = None) -> VenueOrder:
    numbers = (Decimal(100), Decimal("0.01"), Decimal("0.01"))
    return VenueOrder(str(number), name or f"tb-1-{number}", "BTCUSDT", Side.BUY, *numbers, "FILLED", at_ms)


@pytest.fixture
def desk(folder: ReportsFolder, tmp_path: Path) -> Desk:
    """Return a desk that has not begun."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    return Desk(folder, run_dir)


def test_each_row_says_what_its_order_was_placed_for_and_how_long_it_had_rested(desk: Desk) -> None:
    """A part, the rest of it, and an order that was moved: what counts is the order that has traded, by its own id."""
    desk.place(7, NOON_MS, level=3, rule="TOLERANCE")
    desk.fill(1, NOON_MS + 250, 7)
    desk.decide(7, NOON_MS + 300, "amend", {"rule": "TOO_LARGE"})
    desk.fill(2, NOON_MS + 400, 7)
    desk.decide(7, NOON_MS + 500, "cancel", {"rule": "AGE"})
    desk.place(8, NOON_MS + 500, level=1, rule="AGE")
    desk.fill(3, NOON_MS + 1_000, 8)
    desk.update(NOON_MS + 2_000)
    expected = {1: (250, 3, "glft", "TOLERANCE"), 2: (400, 3, "glft", "TOLERANCE"), 3: (500, 1, "glft", "AGE")}
    assert desk.told() == expected
    desk.start()
    desk.update(NOON_MS + 3_000)
    assert desk.told() == expected
    assert desk.venue.asked == [(7, 2)], "both orders in one question, and neither again after a restart"


def test_each_row_says_whether_its_order_was_being_cancelled(desk: Desk) -> None:
    """Two fills of one order around its cancel, one that was amended only, an order of others; and after a restart."""
    for number in (7, 8):
        desk.place(number, NOON_MS)
    desk.venue.orders_of_all.append(_order(9, NOON_MS, name="by-hand"))
    desk.decide(8, NOON_MS + 150, "amend", {})
    desk.decide(7, NOON_MS + 200, "cancel", {})
    for number, order, at_ms in ((1, 7, 199), (2, 7, 200), (3, 8, 300), (4, 9, 300)):
        desk.fill(number, NOON_MS + at_ms, order)
    desk.decide(8, NOON_MS + 900, "cancel", {})
    for step in (1_000, 2_000):
        desk.start()
        desk.update(NOON_MS + step)
        document = desk.folder.read(DAY)
        assert document is not None
        found = {row["id"]: row["is_picked_off"] for row in document["trade_history"]}
        assert found == {1: False, 2: True, 3: False, 4: None}


def test_what_a_former_version_did_not_tell_of_a_cancel_is_found_again(desk: Desk) -> None:
    """Guards the first day after an update: rows with level and rule, and no word of a cancel."""
    desk.place(7, NOON_MS)
    desk.decide(7, NOON_MS + 50, "cancel", {})
    desk.fill(1, NOON_MS + 100, 7)
    desk.update(NOON_MS + 1_000)
    document = desk.folder.read(DAY)
    assert document is not None
    row = {name: value for name, value in document["trade_history"][0].items() if name != "is_picked_off"}
    desk.folder.write(DAY, document | {"trade_history": [row]})
    assert "is_picked_off" not in desk.folder.file_of(DAY).read_text()
    desk.start()
    desk.update(NOON_MS + 2_000)
    assert '"is_picked_off": true' in desk.folder.file_of(DAY).read_text()


def test_an_order_that_was_open_is_not_asked_for(desk: Desk) -> None:
    """The tracker reads the open orders anyway."""
    desk.venue.open = [replace(desk.place(7, NOON_MS), status="NEW", filled_qty=Decimal(0))]
    desk.update(NOON_MS + 1_000)
    desk.venue.open = []
    desk.fill(1, NOON_MS + 1_500, 7)
    desk.update(NOON_MS + 2_000)
    assert desk.told() == {1: (1_500, 1, "glft", "WANTED")}
    assert desk.venue.asked == []


def test_an_order_that_the_venue_tells_late_is_asked_for_again(desk: Desk) -> None:
    """Questions are answered from a memory that lags behind what matches."""
    desk.place(7, NOON_MS)
    late = desk.venue.orders_of_all.pop()
    desk.fill(1, NOON_MS + 100, 7)
    desk.update(NOON_MS + 1_000)
    assert desk.told() == {1: NOTHING}
    desk.venue.orders_of_all.append(late)
    desk.update(NOON_MS + 2_000)
    assert desk.told() == {1: (100, 1, "glft", "WANTED")}


def test_an_order_of_others_has_an_age_and_is_given_up(desk: Desk) -> None:
    """Nobody here has placed it: there is no rule to tell, and no end of asking for one."""
    desk.venue.orders_of_all.append(_order(7, NOON_MS, name="by-hand"))
    desk.fill(1, NOON_MS + 100, 7)
    desk.fill(2, NOON_MS + 100, 6)  # of an order that the venue does not tell at all
    for step in range(3 * TRIES_MAX):
        desk.update(NOON_MS + 1_000 + step)
    assert desk.told() == {1: (100, None, None, None), 2: NOTHING}
    assert len(desk.venue.asked) == TRIES_MAX
    desk.place(8, NOON_MS + 2_000)
    desk.fill(3, NOON_MS + 2_100, 8)
    desk.update(NOON_MS + 3_000)
    assert desk.told()[3] == (100, 1, "glft", "WANTED")


def test_what_a_row_lacks_is_found_by_a_tracker_that_begins(desk: Desk) -> None:
    """As rows of a former version do, and those of a tracker that was killed before it knew."""
    desk.place(7, NOON_MS)
    for number in range(1, 301):
        desk.fill(number, NOON_MS + 100, 7)
    Bookkeeper(desk.venue, BTC, desk.folder, desk.clock, pairs=(BTC, ETH)).update()
    assert set(desk.told().values()) == {NOTHING}
    desk.update(NOON_MS + 60_000)
    assert set(desk.told().values()) == {(100, 1, "glft", "WANTED")}


@pytest.mark.parametrize(("page", "steps_expected"), [(PAGE, 3), (10, 8)])
def test_a_long_day_is_completed_step_by_step_and_nothing_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, page: int, steps_expected: int
) -> None:
    """Guards the first minute of a tracker that finds a file of a former version: so much in a step at most."""
    monkeypatch.setattr("nodes.tracker.fill_orders.PAGE", page)
    count = 3 * BEFORE_MAX
    for number in range(1, count + 1):
        desk.place(number, NOON_MS + number)
        desk.fill(number, NOON_MS + number + 50, number)
    Bookkeeper(desk.venue, BTC, desk.folder, desk.clock, pairs=(BTC, ETH)).update()
    left, steps = count, 0
    while left:
        steps, asked = steps + 1, len(desk.venue.asked)
        desk.update(NOON_MS + 60_000 + steps)
        assert len(desk.venue.asked) - asked <= PAGES_MAX
        before, left = left, sum(row == NOTHING for row in desk.told().values())
        assert left < before
    assert set(desk.told().values()) == {(50, 1, "glft", "WANTED")}
    assert steps == steps_expected


def test_a_clock_that_was_set_back_gives_no_age(desk: Desk) -> None:
    """An order is not younger than nothing."""
    desk.place(7, NOON_MS + 5_000)
    desk.fill(1, NOON_MS, 7)
    desk.update(NOON_MS + 6_000)
    assert desk.told() == {1: (None, 1, "glft", "WANTED")}


def test_an_order_of_yesterday_is_found_in_yesterdays_journal(desk: Desk) -> None:
    """An order rests over midnight: it fills today."""
    desk.place(7, MIDNIGHT_MS - DAY_MS - 5, level=2)
    desk.fill(1, MIDNIGHT_MS - DAY_MS + 5, 7)
    desk.place(8, NOON_MS - DAY_MS - HOUR_MS)
    desk.fill(2, NOON_MS, 8)
    desk.update(NOON_MS + 1_000)
    assert desk.told() == {1: (10, 2, "glft", "WANTED"), 2: (DAY_MS + HOUR_MS, 1, "glft", "WANTED")}


def test_a_fill_that_is_learnt_of_after_midnight_has_them_in_its_own_day(desk: Desk) -> None:
    """The last seconds of a day, and a day that nobody saw: their files are written once."""
    midnight_ms = MIDNIGHT_MS - 3 * DAY_MS
    desk.update(midnight_ms - HOUR_MS)
    desk.place(7, midnight_ms - 900, level=2)
    desk.fill(1, midnight_ms - 400, 7)
    desk.place(8, midnight_ms + HOUR_MS)
    desk.fill(2, midnight_ms + HOUR_MS + 100, 8)
    desk.update(NOON_MS)
    assert desk.told(back=3) == {1: (500, 2, "glft", "WANTED")}
    assert desk.told(back=2) == {2: (100, 1, "glft", "WANTED")}


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_as_the_journal_says_whatever_the_order_of_things(desk: Desk, seed: int) -> None:
    """Random orders, of which some fill, in parts and late; a tracker that is killed and comes back between."""
    rng, now_ms = random.Random(seed), NOON_MS
    births: dict[int, tuple[int, int, str]] = {}
    fills: dict[int, tuple[int, int]] = {}
    for number in range(1, 400):
        now_ms += rng.randint(1, 2_000)
        level, rule = rng.randint(1, 3), rng.choice(["WANTED", "TOLERANCE", "AGE"])
        order = desk.place(number, now_ms, level, rule)
        births[number] = now_ms, level, rule
        if rng.random() < 0.3:
            desk.venue.open = [replace(order, status="NEW", filled_qty=Decimal(0))]
        if rng.random() < 0.5:
            of = rng.randint(max(1, number - 50), number)
            fills[len(fills) + 1] = of, now_ms + rng.randint(0, 900)
            desk.fill(len(fills), fills[len(fills)][1], of)
        if rng.random() < 0.1:
            desk.update(now_ms + 1_000)
        if rng.random() < 0.05:
            desk.start()
    desk.update(now_ms + 1_000)
    assert desk.told() == {
        number: (at_ms - births[of][0], births[of][1], "glft", births[of][2]) for number, (of, at_ms) in fills.items()
    }
    assert all(limit <= PAGE for _, limit in desk.venue.asked)


def test_the_history_bears_what_is_known_of_fills_of_before(desk: Desk, tmp_path: Path) -> None:
    """Guards the mids, which are kept of the trades that were just told."""
    historian = Historian(tmp_path / "history.sqlite3", desk.venue, "paper", desk.run_dir, desk.clock)
    desk.place(7, NOON_MS)
    for number in range(1, 301):
        desk.fill(number, NOON_MS + 100, 7)
    Bookkeeper(desk.venue, BTC, desk.folder, desk.clock, pairs=(BTC, ETH)).update()
    desk.clock.ms += 60_000
    recorded = desk.books.update()
    assert desk.books.snapshot is not None
    assert historian.take(desk.books.snapshot, recorded) == ()
    historian.close()
