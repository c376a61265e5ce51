"""The maker's fills in `quoting`: one truth with the markouts, whatever the maker itself has heard."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from reports.folder import ReportsFolder
from reports.performance import with_late_trades
from reports.trade_history import FillDetail, key_of
from tests.independent.daily_file_check import faults_of
from tests.reports.documents import record
from tests.reports.fills import BTC, DAY, NOON_MS, account, after, fill, snapshot

_SUMS = {"count": 9, "notional": Decimal(900), "markout": Decimal("-7.5"), "markout_bps": Decimal("-83.3333")}
_QUOTING: JsonObject = {
    "presence": Decimal(1),
    "minutes": 3,
    "minutes_on_target": 3,
    "within": Decimal("0.005"),
    "target": Decimal("0.95"),
    "fills": _SUMS,
    "picked_off": _SUMS,
    "orders": 9,
    "orders_filled": 3,
    "symbol": "BTCUSDT",
}
_FILLS = [fill(1, Side.BUY, "1", "100"), fill(2, Side.SELL, "1", "101"), fill(3, Side.BUY, "1", "100")]


def _recorded(folder: ReportsFolder, fills: list[VenueTrade], later: list[str | None], step: int) -> Any:
    """Record the fills, the last one picked off, with these mids 10 s after them."""
    details = {
        key_of(one): FillDetail(
            Decimal(100), {10: None if mid is None else Decimal(mid)}, 5, 1, "glft", "WANTED", one is fills[-1]
        )
        for one, mid in zip(fills, later, strict=True)
    }
    start = account(BTC="1", USDT="10000")
    seen = snapshot(after(start, fills), fills, marks={"BTCUSDT": "100"}, time_ms=NOON_MS + 10_000 * step)
    return record(folder, replace(seen, quoting=_QUOTING, details=details)).document


def test_quoting_and_markouts_have_the_same_fills_and_mids(tmp_path: Path) -> None:
    """Guards two markouts of one name: the maker marked a fill when it heard of it, late where it stood still.

    The cost of being picked off is of the fills that the trades call so. What is known later counts then.
    """
    folder = ReportsFolder(tmp_path / "reports")
    record(folder, snapshot(account(BTC="1", USDT="10000"), marks={"BTCUSDT": "100"}))
    document = _recorded(folder, _FILLS, ["102", "100.5", None], 1)
    quoting = document["quoting"]
    assert (quoting["fills"]["count"], quoting["fills"]["markout"], quoting["picked_off"]["count"]) == (3, 2.5, 1)
    assert document["metrics"]["picked_off_cost"]["value"] is None
    document = _recorded(folder, _FILLS, ["102", "100.5", "99"], 2)
    quoting = document["quoting"]
    assert (quoting["fills"]["markout"], quoting["picked_off"]["markout"]) == (1.5, -1)
    assert quoting["picked_off"]["count"] == sum(row["is_picked_off"] for row in document["trade_history"])
    cost = document["metrics"]["picked_off_cost"]
    assert (cost["value"], cost["n"]) == (1, 1)
    (both,) = (row for row in document["markouts"] if (row["side"], row["horizon_s"]) == ("both", 10))
    assert both["n"] == quoting["fills"]["count"]
    assert abs(both["mean_bps"] - quoting["fills"]["markout_bps"]) < Decimal("0.5"), "of the mid, and of the price"
    assert quoting["presence"] == 1, "what the maker alone knows stays its own"
    assert faults_of(folder.file_of(DAY).read_text()) == []


def test_fill_that_is_told_on_the_next_day_counts_in_both(tmp_path: Path) -> None:
    """Guards the file of a day gone by: its markouts knew of a late fill, its quoting did not."""
    folder = ReportsFolder(tmp_path / "reports")
    record(folder, snapshot(account(BTC="1", USDT="10000"), marks={"BTCUSDT": "100"}))
    document = _recorded(folder, _FILLS, ["102", "100.5", "99"], 1)
    late = fill(4, Side.SELL, "1", "101")
    detail = FillDetail(Decimal(100), {10: Decimal(103)}, 5, 1, "glft", "WANTED", is_picked_off=True)
    found = with_late_trades(document, [late], [BTC], {}, {key_of(late): detail})
    assert (found["quoting"]["fills"]["count"], found["quoting"]["fills"]["markout"]) == (4, Decimal("-0.5"))
    assert (found["quoting"]["picked_off"]["count"], found["metrics"]["picked_off_cost"]["value"]) == (2, 3)
    assert with_late_trades(document, [], [BTC], {}) is document
