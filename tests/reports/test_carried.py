"""Lots over midnight: what a day begins with, and what is said where nobody knows."""

import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from pages.day import day_page
from reports.carried import Carried, carried_from_json, carried_to_json
from reports.checking import checked_book
from reports.day_book import DayBook
from reports.exact import figure
from reports.folder import ReportsFolder
from reports.pnl import FifoBook
from reports.recommendations import weekly_document
from reports.totals import paid_fees
from screens.money import money_text
from screens.report import day_text
from tests.reports.documents import record
from tests.reports.fills import BTC, DAY, DAY_MS, NOON_MS, account, after, buy, fill, sell, snapshot
from tests.reports.json_schema import faults_written

_START = account(BTC="1", USDT="10000", BNB="5")
_MARKS = {"BTCUSDT": "100"}
_NEXT = DAY + timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


def _on(days: int, trade_id: int, side: Side, qty: str, price: str, fee: str = "0") -> VenueTrade:
    return fill(trade_id, side, qty, price, fee, time_ms=NOON_MS + days * DAY_MS + trade_id)


def _day(folder: ReportsFolder, days: int, trades: list[VenueTrade], mark: str = "100") -> JsonObject:
    """Record a sight before the day's trades, and one after them."""
    before = [trade for trade in trades if trade.time_ms < NOON_MS + days * DAY_MS]
    for told, late_ms in ((before, -1_000), (trades, 60_000)):
        at_ms = NOON_MS + days * DAY_MS + late_ms
        found = record(folder, snapshot(after(_START, told), told, marks={"BTCUSDT": mark}, time_ms=at_ms))
    document = folder.read(found.book.day)
    assert document is not None
    assert faults_written(document) == []
    return document


def test_closes_the_lots_of_the_day_before(folder: ReportsFolder) -> None:
    """Guards inventory over midnight: 2 @ 100 for 0.2 of fees, 1 sold at 110 the next day: 10 - 0.1 - 0.3."""
    fills = [_on(0, 1, Side.BUY, "2", "100", "0.2"), _on(1, 2, Side.SELL, "1", "110", "0.3")]
    _day(folder, 0, fills[:1])
    document = _day(folder, 1, fills, "120")
    part = document["symbols"]["BTCUSDT"]
    assert part["carried"] | {"lots": 1} == {
        "from": "2025-11-30",
        "qty": 2,
        "cost": 200,
        "fees": Decimal("0.2"),
        "lots": 1,
    }
    assert document["trades"]["pnl"] == Decimal("9.6")
    assert (part["position"], part["unrealized"], part["open_fees"]) == (1, 20, Decimal("0.1"))
    assert part["average_cost"]["total"] == part["marked_pnl"] == Decimal("29.5")
    assert document["identity"]["all"]["gap"] == 0
    assert document["flows"] == []


def test_a_fee_is_paid_on_one_day(folder: ReportsFolder) -> None:
    """Guards the fees of days, page and week: those of an open lot were told on each day that it was open, and again
    on the one that closed it. A third of a fee, a day without a fill, a fee in a third asset, a lot that is turned.
    """
    fills = [
        _on(0, 1, Side.BUY, "3", "100", "1"),
        _on(1, 2, Side.SELL, "1", "110", "0.3"),
        _on(3, 3, Side.SELL, "4", "90", "0.7"),
        _on(4, 4, Side.BUY, "1", "80", "-0.2"),
    ]
    days = [_day(folder, day, [one for one in fills if one.time_ms < NOON_MS + (day + 1) * DAY_MS]) for day in range(5)]
    due = [Decimal(fee) for fee in ("1", "0.3", "0", "0.7", "-0.2")]
    assert [day["metrics"]["fees"]["value"] for day in days] == due
    assert [figure(paid_fees(day["symbols"]["BTCUSDT"])) for day in days] == due
    week = weekly_document(folder, DAY + timedelta(days=4), 5)
    assert [day["fees"] for day in week["days"]] == due
    assert week["total"]["fees"] == sum(due)
    for day, fee in zip(days, due, strict=True):
        told = re.sub(r"<[^>]*>", " ", day_page(day, "x"))
        paid = re.escape(money_text(fee, "USDT"))
        assert re.search(rf"Fees\s+{paid}\s", told), day["date"]
        assert re.search(rf"Unrealized\s+Fees\s+BTCUSDT(?:\s+\S+){{4}}\s+{paid}\s", told), day["date"]


def test_a_day_without_a_fill_tells_what_is_open(folder: ReportsFolder) -> None:
    """Guards a short position over a day on which nothing was traded: the text of that day did not tell it."""
    fills = [_on(0, 1, Side.SELL, "2", "100", "0.2")]
    _day(folder, 0, fills)
    document = _day(folder, 1, fills, "120")
    assert document["total_trades"] == 0
    line = "      Open: -2.00 BTC, unrealized -$40.00 at $120.00, before $0.20 of fees paid for it"
    assert f"   BTCUSDT:\n{line}\n" in day_text(document)


def test_says_so_where_the_day_before_cannot_be_read(folder: ReportsFolder) -> None:
    """Guards a cost that nobody knows: the day begins flat, and says why."""
    _day(folder, 0, [_on(0, 1, Side.BUY, "2", "100")])
    folder.file_of(DAY).write_text("{")
    sale = [_on(0, 1, Side.BUY, "2", "100"), _on(1, 2, Side.SELL, "1", "110")]
    document = _day(folder, 1, sale)
    carried = document["symbols"]["BTCUSDT"]["carried"]
    assert carried == {
        "from": None,
        "qty": None,
        "cost": None,
        "fees": None,
        "why": "the report of 2025-11-30 cannot be read",
        "lots": [],
    }
    assert (document["trades"]["pnl"], document["symbols"]["BTCUSDT"]["position"]) == (0, -1)
    assert document["identity"]["all"]["gap"] == 0


def test_carries_over_days_without_a_file(folder: ReportsFolder) -> None:
    """Guards days away: a day without a file had no trade, or the tracker would have made one of them."""
    fills = [_on(0, 1, Side.BUY, "2", "100"), _on(3, 2, Side.SELL, "2", "101")]
    _day(folder, 0, fills[:1])
    document = _day(folder, 3, fills)
    assert document["symbols"]["BTCUSDT"]["carried"]["from"] == "2025-11-30"
    assert (document["trades"]["pnl"], document["symbols"]["BTCUSDT"]["position"]) == (2, 0)


def test_carries_a_late_trade_into_the_day_after(folder: ReportsFolder) -> None:
    """Guards midnight: a trade of yesterday that is told today changes what today begins with."""
    first, late = _on(0, 1, Side.BUY, "2", "100"), _on(0, 2, Side.SELL, "1", "105")
    _day(folder, 0, [first])
    record(folder, snapshot(after(_START, [first]), [first], marks=_MARKS, time_ms=NOON_MS + DAY_MS))
    told = [first, late, _on(1, 3, Side.SELL, "1", "106")]
    at_ms = NOON_MS + DAY_MS + 60_000
    document = record(folder, snapshot(after(_START, told), told, marks=_MARKS, time_ms=at_ms)).document
    assert document["symbols"]["BTCUSDT"]["carried"]["qty"] == 1
    assert (document["trades"]["pnl"], document["symbols"]["BTCUSDT"]["position"]) == (6, 0)
    assert document["reconciliation"]["is_exact"]
    assert document["identity"]["all"]["gap"] == 0


def test_tells_what_came_while_nobody_watched(folder: ReportsFolder) -> None:
    """Guards the night: a deposit between two days is a flow of before the opening, and nobody's gain."""
    bought = [_on(0, 1, Side.BUY, "2", "100")]
    _day(folder, 0, bought)
    richer = after(account(BTC="1", USDT="10500", BNB="5"), bought)
    document = record(folder, snapshot(richer, bought, marks=_MARKS, time_ms=NOON_MS + DAY_MS)).document
    (flow,) = document["flows"]
    assert (flow["asset"], flow["amount"], flow["kind"]) == ("USDT", 500, "deposit")
    assert (document["equity"]["start"], document["equity"]["flows"]) == (10_600, 0)
    assert document["identity"]["all"]["gap"] == 0


def test_tells_a_trade_that_nobody_knows_from_a_deposit(folder: ReportsFolder) -> None:
    """Guards the night: one asset more and another less is no deposit."""
    _day(folder, 0, [])
    other = account(BTC="2", USDT="9900", BNB="5")
    document = record(folder, snapshot(other, [], marks=_MARKS, time_ms=NOON_MS + DAY_MS)).document
    assert {flow["asset"]: (flow["amount"], flow["kind"]) for flow in document["flows"]} == {
        "BTC": (1, "unexplained"),
        "USDT": (-100, "unexplained"),
    }


def test_begins_flat_after_a_wipe(folder: ReportsFolder) -> None:
    """Guards a reset: what the account before held is gone, which is a flow, and its lots are nobody's."""
    bought = [buy(1, "2", "100")]
    record(folder, snapshot(after(_START, bought), bought, marks=_MARKS, account_id="1"))
    fresh = snapshot(_START, [], marks=_MARKS, account_id="2", time_ms=NOON_MS + 60_000)
    document = record(folder, fresh).document
    assert {flow["asset"]: (flow["amount"], flow["kind"]) for flow in document["flows"]} == {
        "BTC": (-2, "wipe"),
        "USDT": (200, "wipe"),
    }
    assert document["symbols"]["BTCUSDT"]["carried"]["qty"] == 0
    assert (document["equity"]["flows"], document["identity"]["all"]["gap"]) == (0, 0)


def test_reads_back_a_lot_that_is_half_closed(folder: ReportsFolder) -> None:
    """Guards the win rate over midnight: what a lot has earned before counts when it is closed at last."""
    fills = [_on(0, 1, Side.BUY, "3", "100", "0.1"), _on(0, 2, Side.SELL, "1", "90"), _on(1, 3, Side.SELL, "2", "104")]
    _day(folder, 0, fills[:2])
    document = _day(folder, 1, fills)
    part = document["symbols"]["BTCUSDT"]
    (lot,) = part["carried"]["lots"]
    assert (lot["qty"], lot["left"], lot["closed_gross"]) == (3, 2, -10)
    assert (part["round_trips"], part["wins"]) == (1, 0)  # -10 + 8 - 0.1
    book = checked_book(document)
    assert book is not None
    assert book.figures({})["symbols"]["BTCUSDT"]["carried"] == part["carried"]


def test_does_not_share_its_lots(folder: ReportsFolder) -> None:
    """Guards a book that is made anew: the lots that it begins with are as they were."""
    fills = [_on(0, 1, Side.BUY, "2", "100"), _on(1, 2, Side.SELL, "2", "101")]
    _day(folder, 0, fills[:1])
    _day(folder, 1, fills)
    lots = tuple(_book(fills[0]).symbols["BTCUSDT"].fifo.open_lots)
    book = DayBook(_NEXT, {"BTCUSDT": BTC})
    book.carry(Carried({"BTCUSDT": lots}, {"BTCUSDT": BTC}, DAY))
    book.add(fills[1:], {})
    book.watch([BTC])
    book.carry(book.carried)
    assert lots[0].left == Fraction(2)
    assert book.figures({})["trades"]["pnl"] == 2


def _book(*trades: VenueTrade) -> DayBook:
    """Return the book of the first day with `trades`."""
    book = DayBook(DAY, {"BTCUSDT": BTC})
    book.add(trades, {})
    return book


def test_turns_a_carried_long_into_a_short(folder: ReportsFolder) -> None:
    """Guards a flip through zero on the next day: 1 @ 100 carried, 3 sold @ 110: 10 realized, 2 short @ 110."""
    fills = [_on(0, 1, Side.BUY, "1", "100"), _on(1, 2, Side.SELL, "3", "110")]
    _day(folder, 0, fills[:1])
    document = _day(folder, 1, fills, "115")
    part = document["symbols"]["BTCUSDT"]
    assert (part["pnl"], part["position"], part["unrealized"]) == (10, -2, -10)
    assert part["average_cost"]["avg_price"] == 110
    assert document["identity"]["all"] | {"first_trade": None} == {
        "realized_net": 10,
        "unrealized_change": -25,  # -10 now; it was 1 x (115 - 100)
        "open_fees_change": 0,
        "held_change": 0,
        "fees_elsewhere": 0,
        "equity_change": -15,
        "flows": 0,
        "gap": 0,
        "first_trade": None,
    }


def test_sells_nothing_that_was_held_before_the_desk(folder: ReportsFolder) -> None:
    """Guards the account's own coins: they are no lot, and a sale of them opens a short one."""
    document = _day(folder, 0, [sell(1, "1", "100")])
    assert document["symbols"]["BTCUSDT"]["position"] == -1


def test_goes_on_with_the_lots_as_the_file_tells_them() -> None:
    """Guards a day after a night with a third of a fee open: 1 of 365 files was called damaged by its own reader."""
    book = FifoBook("BTC")
    book.apply(buy(1, "3", "100", "0.1"), Fraction("0.1"))
    book.apply(sell(2, "1", "101"), Fraction(0))
    carried = Carried({"BTCUSDT": tuple(book.open_lots)}, {"BTCUSDT": BTC}, DAY)
    told = {"BTCUSDT": {"carried": carried_to_json(carried, "BTCUSDT", BTC)}}
    (live,), (read,) = carried.of("BTCUSDT"), carried_from_json(told, {"BTCUSDT": BTC}).of("BTCUSDT")
    assert (live.gross, live.fees) == (read.gross, read.fees)
    assert live.fees != book.open_lots[0].fees, "it has no decimal, so the file has rounded it"
