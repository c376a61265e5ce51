"""Recommendations on made days, of which it is known what is wrong: few where nothing is, the cause where something is.

The short form of `python -m tests.reports.evidence_nightly`, which makes 200 right days and 100 of each fault.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

import pytest

from market.exact_json import dumps, loads
from reports import evidence as rules
from reports.enough import MARKED, Watched, blocks_lacking, fills_lacking, watched
from reports.evidence import CAUSES, evidence
from tests.reports.made_days import (
    BEST_BPS,
    FEE_BPS,
    FULL_SKEW_BPS,
    REACH_BPS,
    RIGHT,
    Made,
    faulty,
    made_day,
    right,
)


def told(make: Callable[[random.Random], Made], count: int, seed: str) -> Counter[tuple[str, ...]]:
    """Return what is recommended on so many days, each with dice of its own."""
    found: Counter[tuple[str, ...]] = Counter()
    for number in range(count):
        dice = random.Random(f"{seed} {number}")
        rows, _ = evidence([made_day(make(dice), dice)])
        found[tuple(row["rule"] for row in rows)] += 1
    return found


def test_right_settings_are_left_alone() -> None:
    """One of 20 days at most, of which each test may have a quarter."""
    found = told(right, 20, "right")
    assert found[()] >= 19, found


@pytest.mark.parametrize("cause", CAUSES)
def test_planted_fault_is_named(cause: str) -> None:
    """Four of five days at least, and no other cause beside it."""
    found = told(lambda dice: faulty(cause, dice), 10, cause)
    assert found[(cause,)] >= 8, found


def test_what_is_held_over_midnight_is_held() -> None:
    """Guards the skew of a desk that is long or short when the day begins: it was looked at as if it began flat."""
    day = made_day(Made(skew=0), random.Random("midnight"))
    rows = day["trade_history"] = [row | {"qty": Decimal("0.5")} for row in day["trade_history"]]  # sums are exact
    signs = [1 if row["side"] == "BUY" else -1 for row in rows]
    held = list(accumulate(signs, initial=0))
    middle = held.index(max(held, key=abs))
    assert abs(held[middle]) > 2 * rules.POSITIONS_FULL
    carried = {"qty": held[middle] * Decimal("0.5")}
    second = day | {"trade_history": rows[middle:], "symbols": {"BTCUSDT": {"carried": carried}}}
    found, _ = evidence([day | {"trade_history": rows[:middle]}, second])
    assert found == evidence([day])[0] != []
    unknown = day | {"symbols": {"BTCUSDT": {"carried": {"qty": None, "why": "it cannot be read"}}}}
    assert evidence([unknown]) == evidence([day])


def test_intervals_that_are_too_narrow_are_found_by_the_right_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that cannot fail shows nothing: each day then says that its mean is not the best there is."""
    monkeypatch.setattr(rules, "LEVEL", 0.01)
    monkeypatch.setattr(rules, "RATIO_MAX", 1.0)
    assert told(right, 20, "right")[()] < 19


def test_defects_of_the_sums_are_found_by_the_faulty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takers know counted as a gain, and a fee that is paid to us."""
    monkeypatch.setattr(rules, "_adverse", lambda fill: fill.sign * fill.later)
    assert told(lambda dice: faulty("toxic_flow", dice), 10, "toxic_flow")[("toxic_flow",)] < 8
    monkeypatch.undo()
    monkeypatch.setattr(rules.Fill, "edge", property(lambda fill: fill.capture + fill.sign * fill.later + 2 * fill.fee))
    assert told(lambda dice: faulty("spread_too_narrow", dice), 10, "spread_too_narrow")[("spread_too_narrow",)] < 8


def test_says_all_that_there_is_to_say_for_a_change() -> None:
    """Setting, figure, n, interval, expected change; it goes to what is known to be best, and JSON takes it."""
    wide = Made(half_spread=BEST_BPS + 2 * REACH_BPS)
    ((row,), waiting) = evidence([made_day(wide, random.Random("wide"))])
    assert waiting == []
    assert row["setting"] == "maker.half_spread"
    assert float(row["was"]) == pytest.approx(wide.half_spread / 10_000)
    assert float(row["to"]) == pytest.approx(BEST_BPS / 10_000, rel=0.1)
    assert row["low"] < row["value"] < row["high"]
    assert row["low"] < 3 < row["high"], "the edge is known to be three times what takers' reach is"
    assert float(row["expected"]["now"]) == pytest.approx(3 * 2.71828**-2, rel=0.15)
    assert loads(dumps(row))["n"] == row["n"] > 100


def test_skew_goes_to_what_brings_three_of_four_fills_back() -> None:
    """At five orders held; as the days whose skew is right have it."""
    ((row,), _) = evidence([made_day(Made(skew=0), random.Random("skew"))])
    assert (row["rule"], row["setting"]) == ("skew_missing", "maker.skew")
    assert float(row["to"]) == pytest.approx(FULL_SKEW_BPS / 10_000, rel=0.01)
    day = made_day(Made(skew=0), random.Random("skew"))
    day["quoting"]["maker"] |= {"inventory": "10000", "notional": "1000"}
    ((row,), _) = evidence([day])
    assert float(row["to"]) == pytest.approx(2 * FULL_SKEW_BPS / 10_000, rel=0.01), "full at ten orders, so twice"


def test_too_little_says_how_much_it_takes_and_when_there_will_be_enough() -> None:
    """20 fills a day: none of the tests is asked; two days more."""
    days = [
        made_day(RIGHT, random.Random(f"few {number}"), fills=20) | {"date": f"2026-01-0{number}"} for number in (1, 2)
    ]
    rows, (waiting,) = evidence(days)
    assert rows == []
    assert (waiting["rule"], waiting["needed"]) == ("too_few", rules.FILLS_MIN)
    assert waiting["n"] < rules.FILLS_MIN
    assert waiting["days"] == pytest.approx((60 - waiting["n"]) * 2 / waiting["n"], abs=1)
    assert f"{waiting['n']} fills" in waiting["advice"]


@pytest.mark.parametrize(
    ("minutes", "fills", "told", "hours", "days"),
    [
        (2, 1, "1 fill with a known mid of the 60 that it takes; at this rate that takes some 2 hours more.", 1.967, 1),
        (120, 1, "1 fill with a known mid of the 60 that it takes; at this rate that takes some 5 days more.", 118, 5),
        (
            1_440,
            59,
            "59 fills with a known mid of the 60 that it takes; at this rate that takes some 25 minutes",
            0.41,
            1,
        ),
    ],
)
def test_until_there_is_enough_is_told_of_the_time_that_was_watched(
    minutes: int, fills: int, told: str, hours: float, days: int
) -> None:
    """A minute was taken for a day: of one fill in it `1 fills` were told, and 59 days."""
    day = made_day(RIGHT, random.Random("watched"))
    day["trade_history"] = day["trade_history"][:fills] if minutes < 1_440 else day["trade_history"][::33][:fills]
    day["quoting"] |= {"minutes": minutes}
    _, (waiting,) = evidence([day])
    assert told in waiting["advice"]
    assert float(waiting["hours"]) == pytest.approx(hours, rel=0.01)
    assert waiting["days"] == days


@cache
def many_rows() -> dict[str, Any]:
    """Return a day with rows enough."""
    return made_day(RIGHT, random.Random("steady"))


def steady_day(since_s: float, now_s: float, gap_s: float) -> dict[str, Any]:
    """Return a day that began at `since_s` of it, with a fill each `gap_s`, as it is seen at `now_s`."""
    day = many_rows()
    start_s = datetime.fromisoformat("2026-01-01T00:00:00Z").timestamp()
    count = int((now_s - since_s) / gap_s)
    rows = [
        row | {"time_ms": round((start_s + since_s + gap_s * number) * 1_000)}
        for number, row in enumerate(day["trade_history"][:count], 1)
    ]
    whole_minutes = max(0, int(now_s // 60) - ceil(since_s / 60))  # as the maker counts them
    return day | {
        "time": str(timedelta(seconds=now_s)).zfill(8),
        "opening": {"time_ms": round((start_s + since_s) * 1_000)},
        "trade_history": rows,
        "quoting": day["quoting"] | {"minutes": whole_minutes},
    }


def test_names_what_lasts_longer_fills_or_blocks() -> None:
    """6 fills in 75 s are soon 60, in 12 blocks of the clock never before these begin: the fills were told, 2 hours."""
    _, (waiting,) = evidence([steady_day(17 * 3_600, 17 * 3_600 + 75, 12.5)])
    assert (waiting["lacks"], waiting["n"], waiting["needed"]) == ("blocks", 1, rules.BLOCKS_MIN)
    assert waiting["advice"].startswith(
        "Too little is known to recommend anything: 1 time of 10 minutes with fills of the 12 that it takes; at this "
    )
    assert float(waiting["hours"]) == pytest.approx((11 * 600 - 75) / 3_600, rel=0.001), "the twelfth begins at 18:50"
    _, (waiting,) = evidence([steady_day(17 * 3_600, 18 * 3_600, 900)])
    assert (waiting["lacks"], waiting["n"], waiting["needed"]) == ("fills", 4, rules.FILLS_MIN)
    assert float(waiting["hours"]) == pytest.approx(14, rel=0.001)


def test_blocks_that_lack_are_those_of_the_clock() -> None:
    """Three of the clock at 20:08, begun at 19:47: nine more take until 21:30. It said 51 minutes."""
    _, (waiting,) = evidence([steady_day(19 * 3_600 + 47 * 60, 20 * 3_600 + 8 * 60, 12.5)])
    assert (waiting["lacks"], waiting["n"]) == ("blocks", 3)
    assert float(waiting["hours"]) == pytest.approx(82 / 60, rel=0.001)


@pytest.mark.parametrize("gap_s", [7.0, 12.5, 47.0, 150.0, 301.0, 590.0])
def test_what_is_left_only_falls_while_fills_come_at_one_rate(gap_s: float) -> None:
    """It rose from 39 to 51 minutes in five: the blocks of the clock were taken for as long as what was watched."""
    since_s, told = 10 * 3_600 + 47 * 60, list[tuple[float, float]]()
    for now_s in range(since_s + ceil(gap_s), since_s + 12 * 3_600, 37):
        _, waiting = evidence([steady_day(since_s, now_s, gap_s)])
        if not waiting or waiting[0]["rule"] != "too_few" or waiting[0]["needed"] not in (60, 12):
            break
        told.append((now_s, now_s + 3_600 * float(waiting[0]["hours"])))
    assert len(told) > 100
    rises = [(one, two) for one, two in pairwise(told) if two[1] - two[0] > one[1] - one[0] + 5]
    assert rises == []
    assert told[-1][1] == pytest.approx(told[-1][0], abs=gap_s + 60), "and it ends when it said that it would"


def test_blocks_without_fills_put_the_last_one_off() -> None:
    """Fills in every other block of the clock: 14 blocks pass until there are 8 more, as 7 have for 4."""
    times_s = [1_200.0 * block for block in range(4)]
    row = blocks_lacking(times_s, 12, Watched(1.25, 3_600 + 900))
    assert row["n"] == 4
    assert float(row["hours"]) == pytest.approx((7 + 13) * 600 / 3_600 - 1.25, abs=0.01)


def test_of_no_fill_nobody_can_say_when() -> None:
    """No rate is made up."""
    row = fills_lacking(MARKED, 0, 60, Watched(3, None))
    assert (row["n"], row["hours"], row["days"]) == (0, None, None)
    assert row["advice"].endswith("0 fills with a known mid of the 60 that it takes; nobody can say when.")


def test_time_without_a_maker_s_count_is_that_between_the_sights() -> None:
    """Files of before have no minutes: from the opening to the last sight, of a day that nobody saw the whole."""
    day = made_day(RIGHT, random.Random("sights"))
    assert watched([day]).hours == 24
    opening = {"time_ms": 1_767_225_600_000 + 3_600_000}  # 01:00
    assert watched([day | {"opening": opening, "time": "02:30:00"}]).hours == 1.5
    away = day | {"opening": opening, "time": "02:30:00", "quoting": {"minutes": 30}}
    assert watched([away]).hours == 0.5


def test_fills_of_one_hour_are_not_taken_for_a_day() -> None:
    """Many of them, but they all share what the mid did."""
    day = made_day(RIGHT, random.Random("hour"))
    day["trade_history"] = [row for row in day["trade_history"] for _ in range(9) if row["time_ms"] < 3_600_000]
    rows, (waiting,) = evidence([day])
    assert (rows, waiting["rule"]) == ([], "too_few")
    assert "times of 10 minutes" in waiting["advice"]


def test_unknown_mids_market_and_maker_are_said_and_nothing_is_made_up() -> None:
    """A mid that nobody saw is no zero; days without a maker of ours say nothing of its settings."""
    day = made_day(RIGHT, random.Random("unknown"))
    blind = day | {"trade_history": [row | {"mids": {"10": None}} for row in day["trade_history"]]}
    assert [row["n"] for row in evidence([blind])[1]] == [0]
    unseen = day | {"quoting": day["quoting"] | {"seen": {"volatility": None, "bid": None, "ask": None}}}
    assert [row["rule"] for row in evidence([unseen])[1]] == ["market_unknown"]
    assert evidence([{name: part for name, part in day.items() if name != "quoting"}]) == ([], [])
    assert evidence([]) == ([], [])


def test_spread_that_is_not_known_is_no_setting_to_change() -> None:
    """A strategy of one's own has none: the cause is told all the same."""
    day = made_day(Made(half_spread=BEST_BPS + 2 * REACH_BPS), random.Random("own"))
    day["quoting"]["maker"] = {}
    ((row,), _) = evidence([day])
    assert (row["rule"], row["was"], row["to"]) == ("spread_too_wide", None, None)
    assert "set maker" not in row["advice"]


def test_edge_of_a_fill_is_what_the_definitions_say() -> None:
    """By hand: bought at 99.99 of 100, 100.02 later, a fee of 1 bp: 1 + 2 - 1 bps; sold likewise 1 - 2 - 1."""
    for side, price, edge in (("BUY", "99.99", 2), ("SELL", "100.01", -2)):
        row = {"symbol": "BTCUSDT", "time_ms": 0, "side": side, "price": price, "qty": "1", "mid": "100"}
        day = {"trade_history": [row | {"mids": {"10": "100.02"}, "fee_in_quote": "0.01"}]}
        ((fill,), _) = rules._fills([day], "BTCUSDT")
        assert fill.edge == pytest.approx(edge, abs=0.001)
    assert FEE_BPS == 1.0
