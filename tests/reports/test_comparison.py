"""Two accounts side by side: the right figures, and differences that chance alone does not make."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from reports.comparison import Estimate, comparison, difference
from reports.statistics import Interval, mean_interval
from screens.comparison import comparison_text
from screens.fold import folded
from tests.pages.days import day_of, days_of
from tests.reports.fills import DAY


def test_a_difference_reaches_as_far_as_both_do_together() -> None:
    """Guards the arithmetic by hand: 3 and 4 make 5, and each end has its own."""
    ours, theirs = Estimate(10.0, Interval(7.0, 16.0), 9), Estimate(2.0, Interval(-6.0, 6.0), 9)
    assert difference(ours, theirs) == Interval(8 - 5, 8 + 10)
    assert difference(ours, Estimate(2.0, None, 1)) is None


def test_one_difference_in_twenty_is_set_apart_by_chance() -> None:
    """Guards the coverage: of two accounts that are drawn from one, the interval holds 0 in 95 of 100."""
    dice = random.Random(11)
    held = 0
    for _ in range(1_000):
        draws = [[dice.gauss(0, scale) for _ in range(count)] for scale, count in ((1, 12), (3, 40))]
        ours, theirs = (Estimate(sum(each) / len(each), mean_interval(each), len(each)) for each in draws)
        interval = difference(ours, theirs)
        assert interval is not None
        held += interval.low <= 0 <= interval.high
    assert 930 <= held <= 970, held


def test_sets_the_figures_of_both_side_by_side() -> None:
    """Guards each figure against the documents' own."""
    ours, theirs = days_of([900, 700]), days_of([300])
    found = comparison(ours, theirs)
    rows = {row["figure"]: row for row in found["figures"]}
    (theirs_day,) = theirs.values()
    part = theirs_day["symbols"]["BTCUSDT"]
    assert rows["win_rate"]["b"]["n"] == part["round_trips"]
    assert float(rows["win_rate"]["b"]["value"]) == pytest.approx(float(theirs_day["metrics"]["win_rate"]["value"]))
    (markout,) = [row for row in theirs_day["markouts"] if (row["horizon_s"], row["side"]) == (10, "both")]
    assert rows["markout_10_s_bps"]["b"]["value"] == markout["mean_bps"]
    assert float(rows["pnl_bps"]["b"]["value"]) == pytest.approx(float(part["pnl"] / part["volume"] * 10_000), abs=1e-5)
    gains = [document["trades"]["pnl"] for document in ours.values()]
    assert float(rows["pnl_a_day"]["a"]["value"]) == pytest.approx(float(sum(gains) / 2), abs=1e-5)
    assert rows["pnl_a_day"]["is_apart"] is None  # of one day there is no interval
    assert (found["a"]["days"], found["b"]["days"], found["quote"]) == (2, 1, "USDT")
    assert found["left_out"] == [{"figure": "fill_ratio", "why": "no maker has counted its orders"}]


def test_sees_that_one_of_two_accounts_is_picked_off() -> None:
    """Guards the verdict: the same fills, with mids that went 10 bps against each of them afterwards."""
    day = day_of(2_000, seed=3, has_mids=True)
    worse = day | {"trade_history": [dict(row) for row in day["trade_history"]]}
    for row in worse["trade_history"]:
        sign = 1 if row["side"] == "BUY" else -1
        row["mids"] = {name: mid - sign * row["price"] / 1_000 for name, mid in row["mids"].items()}
    same, found = comparison({DAY: day}, {DAY: day}), comparison({DAY: day}, {DAY: worse})
    assert [row["figure"] for row in same["figures"] if row.get("is_apart")] == []
    assert [row["figure"] for row in found["figures"] if row.get("is_apart")] == [
        f"markout_{horizon_s}_s_bps" for horizon_s in (1, 10, 60)
    ]
    assert "No difference is seen in 6 figures" in comparison_text(same, "x", "y")
    assert "A and B differ in markout 1 s, bps, markout 10 s, bps, markout 60 s, bps (of 6 figures, each at 95 %" in (
        comparison_text(found, "x", "y")
    )


def test_counts_whole_hours_alone() -> None:
    """The first hour of a day and its last have fewer fills because they are shorter: no reason to be apart."""
    hour_ms = 3_600_000
    times = [hour_ms * hour + minute * 60_000 for hour in (10, 11, 12) for minute in (5, 35)] + [hour_ms * 13]
    history = [
        {"time_ms": time_ms, "symbol": "X", "side": "BUY", "price": Decimal(1), "qty": Decimal(1)} for time_ms in times
    ]
    found = comparison({DAY: {"trade_history": history, "trades": {}}}, {})
    assert found["figures"][0] == {
        "figure": "fills_an_hour",
        "a": {"value": 2, "low": 2, "high": 2, "n": 2},
        "b": None,
        "difference": None,
    }


def test_adds_no_different_quote_assets() -> None:
    """Dollars are not compared with coins, unless one pair is named."""
    day = day_of(30)
    other = day_of(30, day=DAY - timedelta(days=1))
    other["symbols"] = {"ETHBTC": other["symbols"]["BTCUSDT"] | {"quote": "BTC"}}
    with pytest.raises(ValueError, match="expected one quote asset, were BTC, USDT"):
        comparison({DAY: day}, {DAY: other})
    assert comparison({DAY: day}, {DAY: other}, "BTCUSDT")["quote"] == "USDT"


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_is_read_on_any_screen(columns: int) -> None:
    """Guards a terminal that is too narrow for the table."""
    found = comparison(days_of([900, 700]), days_of([300]))
    text = folded(comparison_text(found, "run", "other", columns), columns)
    assert max(map(len, text.splitlines())) <= columns
    assert ("A - B: " in text) is (columns <= 80)
    assert Decimal(0) < found["figures"][0]["a"]["value"]


def test_says_what_two_empty_accounts_tell() -> None:
    """Guards days without a fill."""
    found = comparison({DAY: day_of(0)}, {DAY: day_of(0)})
    text = comparison_text(found, "x", "y")
    assert "Nothing can be said yet" in text
    why = "no whole hour lies between the first fill of a day and its last"
    assert found["left_out"][0] == {"figure": "fills_an_hour", "why": why}, "a figure was not there, without a word"
    assert f"Without fills an hour: {why}, in A and B." in text
