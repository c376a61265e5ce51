"""The week: figures computed by hand, missing days said, every rule of the table spoken and silent."""

import inspect
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject, dumps, loads
from reports import recommendations as rules
from reports.recommendations import recommendations
from reports.weekly import Week, week_of, week_to_json
from screens.week import week_text
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, DAY_MS, ETH_IN_BTC, NOON_MS, account, after, fill, snapshot

_START = account(BTC="10", USDT="10000", BNB="5")
_BUY, _SELL = Side.BUY, Side.SELL


def _day(back: int, *trades: tuple[Side, str, str, str], is_maker: bool = True, fee_asset: str = "USDT") -> JsonObject:
    """Return the document of `back` days before the last, from (side, qty, price, fee) rows."""
    start_ms = NOON_MS - back * DAY_MS
    fills = [
        fill(100 * (7 - back) + index, *row, fee_asset, time_ms=start_ms + index, is_maker=is_maker)
        for index, row in enumerate(trades)
    ]
    return _document(back, fills)


def _document(back: int, fills: Sequence[VenueTrade]) -> JsonObject:
    time_ms = NOON_MS - back * DAY_MS
    first = performance_document(snapshot(_START, time_ms=time_ms), None)
    return performance_document(snapshot(after(_START, fills), fills, time_ms=time_ms), first)


def _week(*documents: JsonObject, damaged: Mapping[date, str] | None = None) -> Week:
    return week_of(DAY, {date.fromisoformat(document["date"]): document for document in documents}, damaged or {})


def _json(week: Week) -> Any:
    return loads(dumps(week_to_json(week, recommendations(week))))


def _rules(week: Week) -> set[str]:
    return {item["rule"] for item in recommendations(week)}


def test_adds_up_the_days() -> None:
    """Guards totals: +9 and -3 after fees of 1 each; 1 of 2 trips won; all but the last day's volume made."""
    good = _day(2, (_BUY, "1", "100", "0.5"), (_SELL, "1", "110", "0.5"))
    bad = _day(1, (_BUY, "1", "100", "0.5"), (_SELL, "1", "98", "0.5"), is_maker=False)
    week = _json(_week(good, bad))
    assert [day["state"] for day in week["days"]] == ["missing"] * 4 + ["reported", "reported", "missing"]
    assert [day["pnl"] for day in week["days"][4:6]] == [9, -3]
    assert week["total"] == {
        "days_reported": 2,
        "days_missing": 5,
        "days_damaged": 0,
        "days_without_volume": [],
        "buys": 2,
        "sells": 2,
        "trades": 4,
        "pnl": 6,
        "pnl_across_midnight": 6,
        "sharpe": {"value": None, "n": 0, "why": "it takes 5 days with a known equity"},
        "sortino": {"value": None, "n": 0, "why": "it takes 5 days with a known equity"},
        "volume": 408,
        "gross": 8,
        "fees": 2,
        "round_trips": 2,
        "wins": 1,
        "undecided": 0,
        "win_rate": Decimal("0.5000"),
        "win_rate_low": Decimal("0.0945"),
        "win_rate_high": Decimal("0.9055"),
        "maker_ratio": Decimal("0.5147"),
    }
    assert (week["best_day"], week["worst_day"]) == (
        {"date": "2025-11-28", "pnl": 9},
        {"date": "2025-11-29", "pnl": -3},
    )
    assert (week["from"], week["to"], week["quote"]) == ("2025-11-24", "2025-11-30", "USDT")


def test_says_missing_and_damaged_days_apart_from_idle_ones() -> None:
    """Guards against zeros that nobody measured."""
    week = _json(_week(_day(0), damaged={DAY - timedelta(days=1): "expected JSON"}))
    assert week["days"][-1]["pnl"] == 0
    assert week["days"][-1]["win_rate"] is None
    assert week["days"][-2] == {"date": "2025-11-29", "state": "damaged", "reason": "expected JSON"}
    assert week["days"][0] == {"date": "2025-11-24", "state": "missing"}
    assert week["total"]["days_missing"] == 5
    assert week["best_day"] is None


def test_knows_nothing_of_a_week_without_files() -> None:
    """Guards nulls: no day, no PnL."""
    total = _json(_week())["total"]
    assert (total["pnl"], total["volume"], total["win_rate"], total["trades"]) == (None, None, None, 0)


def test_carries_lots_over_midnight_beside_the_days_sum() -> None:
    """Guards the two sums: bought @ 100 one day and sold @ 107 the next, each day flat earns 0, together 7."""
    week = _week(_day(1, (_BUY, "1", "100", "0")), _day(0, (_SELL, "1", "107", "0")))
    assert week.pnl == 0
    assert week.pnl_across_midnight == 7
    gap = _week(_day(2, (_BUY, "1", "100", "0")), _day(0, (_SELL, "1", "107", "0")))
    assert gap.pnl_across_midnight is None


@pytest.mark.parametrize("is_told", [False, True])
def test_carries_no_lots_from_an_account_into_another(is_told: bool) -> None:
    """Guards the sum over midnight: what the account before a reset had bought is not what the new one sells."""
    first, second = _day(1, (_BUY, "1", "100", "0")), _day(0, (_SELL, "1", "107", "0"))
    if is_told:
        second["resets"] = [{"time": "", "time_ms": 0, "reason": "", "kept_as": ""}]
    else:
        first["account_id"], second["account_id"] = "1", "65537"
    assert _week(first, second).pnl_across_midnight is None
    first["resets"], second["resets"], second["account_id"] = [{"time_ms": 0}], [], first["account_id"]
    assert _week(first, second).pnl_across_midnight == 7


def test_says_of_a_day_whose_figures_contradict_its_trades() -> None:
    """Guards the identity on every day that is shown, not only on the last one."""
    wrong = _day(1, (_BUY, "1", "100", "0"), (_SELL, "1", "107", "0"))
    wrong["symbols"]["BTCUSDT"]["identity_gap"] = Decimal("0.00000001")
    week = _json(_week(wrong, _day(0, (_BUY, "1", "100", "0"))))
    assert [day.get("is_identical") for day in week["days"][5:]] == [False, True]
    assert "1 of 1  $0.00  $207.00\n      figures are wrong: they are not what the trades moved\n" in week_text(week)


@pytest.mark.parametrize("where", ["all", "BTCUSDT"])
def test_says_of_a_day_whose_identity_does_not_hold(where: str) -> None:
    """Guards the gate over several days: a gap of the account, or of a symbol, by which no figure of a lot is wrong."""
    wrong = _day(1, (_BUY, "1", "100", "0"), (_SELL, "1", "107", "0"))
    identity = wrong["identity"]
    assert _json(_week(wrong))["days"][5]["is_identical"] is True
    part = identity["all"] if where == "all" else identity["symbols"][where]
    part["gap"] = Decimal("-0.00000001")
    assert _json(_week(wrong))["days"][5]["is_identical"] is False


def test_adds_no_different_quote_assets() -> None:
    """Guards totals against dollars plus coins."""
    crossed = [fill(1, _BUY, "1", "0.03", symbol="ETHBTC", time_ms=NOON_MS)]
    other = performance_document(snapshot(_START, crossed, instruments=(BTC, ETH_IN_BTC)), None)
    week = _week(_day(1, (_BUY, "1", "100", "0")), other)
    assert (week.quote, week.pnl, week.activity, week.pnl_across_midnight) == (None, None, None, None)
    assert week.trades == 2


def test_takes_the_fixed_keys_of_documents_by_other_hands() -> None:
    """Guards the fixed shape as an input: PnL and counts add up, what it does not hold stays unknown."""
    keys = ("date", "time", "balances", "trades", "total_trades")
    document = _day(0, (_BUY, "1", "100", "0"), (_SELL, "1", "110", "0"))
    week = _week({name: document[name] for name in keys})
    assert week.pnl == 10
    assert week.trades == 2
    assert week.activity is None
    assert _json(week)["total"]["volume"] is None


_GAIN = ((_BUY, "1", "100", "0"), (_SELL, "1", "110", "0"))
_FULL = tuple(_day(back) for back in range(1, 7))
_CASES: list[tuple[str, Week, Week]] = [
    ("damaged_days", _week(damaged={DAY: "cut"}), _week(_day(0))),
    ("missing_days", _week(_day(0)), _week(_day(0), *_FULL)),
    ("unvalued_fees", _week(_day(0, (_BUY, "1", "100", "1"), fee_asset="BNB")), _week(_day(0, *_GAIN))),
    ("no_fills", _week(_day(0)), _week(_day(0, *_GAIN))),
    ("takes_liquidity", _week(_day(0, *_GAIN, is_maker=False)), _week(_day(0, *_GAIN))),
]


@pytest.mark.parametrize(("rule", "loud", "silent"), _CASES, ids=[case[0] for case in _CASES])
def test_speaks_a_rule_when_it_applies_and_only_then(rule: str, loud: Week, silent: Week) -> None:
    """Guards the notices, each rule on both sides of its limit."""
    assert rule in _rules(loud)
    assert rule not in _rules(silent)


def test_distrusts_a_day_whose_books_disagree() -> None:
    """Guards the rule on reconciliation, which names the day."""
    first = performance_document(snapshot(account(USDT="1")), None)
    week = _week(performance_document(snapshot(account(USDT="2")), first))
    advice = {item["rule"]: item["advice"] for item in recommendations(week)}
    assert "disagree on 2025-11-30" in advice["not_reconciled"]
    assert "not_reconciled" not in _rules(_week(_day(0, *_GAIN)))


def test_has_a_case_for_every_rule() -> None:
    """Guards the tests of the rules against a new rule without one."""
    named = set(re.findall(r'yield \(?\s*"(\w+)"', inspect.getsource(rules)))
    assert named == {case[0] for case in _CASES} | {"not_reconciled"}


def test_says_so_when_nothing_stands_out() -> None:
    """Guards the empty list."""
    week = _week(_day(0, *_GAIN * 20), *_FULL)
    assert [item["rule"] for item in recommendations(week)] == ["nothing_stands_out"]
    assert week.activity is not None
    assert week.activity.win_rate == Fraction(1)
