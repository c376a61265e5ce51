"""Recommendations on made days, of which it is known what is wrong: few where nothing is, the cause where something is.

The short form of `python -m tests.reports.evidence_nightly`, which makes 200 right days and 100 of each fault.
"""

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate

import pytest

from market.exact_json import dumps, loads
from reports import evidence as rules
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
        (
            1,
            50,
            "50 fills with a known mid of the 60 that it takes; at this rate that takes some 2 hours more.",
            1.333,
            1,
        ),
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
    """A minute was taken for a day: of one fill in it `1 fills` were told, and 59 days. Blocks take their time, too."""
    day = made_day(RIGHT, random.Random("watched"))
    day["trade_history"] = day["trade_history"][:fills] if minutes < 1_440 else day["trade_history"][::33][:fills]
    day["quoting"] |= {"minutes": minutes}
    _, (waiting,) = evidence([day])
    assert told in waiting["advice"]
    assert float(waiting["hours"]) == pytest.approx(hours, rel=0.01)
    assert waiting["days"] == days


def test_time_without_a_maker_s_count_is_that_between_the_sights() -> None:
    """Files of before have no minutes: from the opening to the last sight, of a day that nobody saw the whole."""
    day = made_day(RIGHT, random.Random("sights"))
    assert rules._hours_watched(day) == 24
    opening = {"time_ms": 1_767_225_600_000 + 3_600_000}  # 01:00
    assert rules._hours_watched(day | {"opening": opening, "time": "02:30:00"}) == 1.5


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
