"""Markouts of several days: what their rows tell together is what all their fills would."""

from pathlib import Path

import pytest

from market.exact_json import JsonObject
from pages.week import week_page
from reports.folder import ReportsFolder
from reports.marked_fills import MarkedFill
from reports.markouts import markouts
from reports.performance import history_of
from reports.recommendations import weekly_document
from reports.week_markouts import week_markouts
from reports.weekly import week_of, week_to_json
from tests.pages.days import day_of, days_of
from tests.reports.fills import DAY


def _of_all(documents: list[JsonObject]) -> list[JsonObject]:
    """Return the markouts of the days' fills, as if they were of one day."""
    rows = [(row.trade, row.detail) for document in documents for row in history_of(document)]
    return markouts(
        MarkedFill(trade.time_ms, trade.side, trade.price, trade.qty, detail.mid, detail.mids)
        for trade, detail in rows
        if detail is not None
    )


def test_mean_and_interval_are_those_of_all_fills() -> None:
    """Guards the weights and the errors: days of unlike length, each fill with its mids."""
    documents = [*days_of([900, 300, 600]).values()]
    found = week_markouts(documents)
    assert [day["date"] for day in found["days"]] == [document["date"] for document in documents]
    whole = [row for row in _of_all(documents) if row["side"] == "both"]
    for row, expected in zip(found["total"], whole, strict=True):
        assert (row["horizon_s"], row["n"]) == (expected["horizon_s"], 1_800)
        assert float(row["mean_bps"]) == pytest.approx(float(expected["mean_bps"]), abs=0.0002)
        reach, expected_reach = (float(one["high_bps"] - one["low_bps"]) for one in (row, expected))
        assert reach == pytest.approx(expected_reach, rel=0.15)


def test_day_that_weighs_more_moves_the_mean_more() -> None:
    """A defect that this would find: every day counted alike."""
    made = days_of([30, 900])
    small, large = (made[day] for day in sorted(made))
    for row, bps in ((row, bps) for document, bps in ((small, 100), (large, 0)) for row in document["markouts"]):
        row |= dict.fromkeys(("mean_bps", "low_bps", "high_bps"), row["mean_bps"] * 0 + bps)
    (first, *_) = week_markouts([small, large])["total"]
    assert 0 < first["mean_bps"] < 10


def test_day_without_an_interval_or_without_markouts_makes_none_up() -> None:
    """Guards null: a day of few fills has no interval, and no part of the others'; old files have none, either."""
    some, few = day_of(400, has_mids=True), day_of(2, seed=5, has_mids=True)
    alone = week_markouts([some])["total"]
    assert [row["n"] for row in alone] == [400] * 3
    assert week_markouts([some, few])["total"] == alone, "two fills say too little to widen it, or to take it away"
    assert all(row["low_bps"] is None and row["mean_bps"] is not None for row in week_markouts([few])["total"])
    old = {name: part for name, part in some.items() if name != "markouts"}
    assert week_markouts([old])["days"] == []
    assert [row["mean_bps"] for row in week_markouts([old])["total"]] == [None] * 3
    other = day_of(50, has_mids=True)
    other["symbols"]["BTCUSDT"] |= {"quote": "EUR"}
    assert week_markouts([some, other])["total"] == []


def test_week_of_a_folder_has_them(tmp_path: Path) -> None:
    """Guards `report --days --json`."""
    folder = ReportsFolder(tmp_path)
    for day, document in days_of([60, 90]).items():
        folder.write(day, document)
    found = weekly_document(folder, DAY, 2)["markouts"]
    assert [len(day["rows"]) for day in found["days"]] == [3, 3]
    assert [row["n"] for row in found["total"]] == [150] * 3


def test_the_page_tells_how_many_fills_each_horizon_has() -> None:
    """Guards the n beside a mean: of all horizons it was that of the first, which most fills have."""
    days = days_of([200, 300])
    week = week_of(DAY, days, {}, 2)
    told = week_markouts([days[day] for day in sorted(days)])
    for row, count in zip(told["days"][0]["rows"], (201, 191, 51), strict=True):
        row["n"] = count
    page = week_page(week_to_json(week, []) | {"markouts": told}, "reports")
    assert [page.count(f">{count}</td>") for count in (201, 191, 51)] == [1, 1, 1]
