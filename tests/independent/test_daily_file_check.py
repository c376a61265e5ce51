"""Whoever knows docs/reports.md alone makes the same figures of two days of fills, and no changed digit passes."""

import os
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from reports.daily_file import encode
from reports.folder import ReportsFolder
from reports.performance import unseen_document
from reports.trade_history import FillDetail, key_of
from tests.independent.daily_file_check import Number, checksum, faults_of, main, reading
from tests.reports.documents import performance_document, record
from tests.reports.fills import BTC, DAY, DAY_MS, ETH_IN_BTC, NOON_MS, account, after, buy, fill, sell, snapshot

_START = account(BTC="10", USDT="100000", BNB="5", XYZ="7")
_FIGURES = (
    "trades",
    "total_trades",
    "symbols",
    "fees",
    "equity",
    "identity",
    "metrics",
    "markouts",
    "reconciliation",
    "round_trips",
)
_IS_LONG = os.environ.get("BITS") == "all"
_PLACES = 20 if _IS_LONG else 8  # of a figure
_DIGITS = 300 if _IS_LONG else 100  # of a file
_SEEDS = range(2, 8) if _IS_LONG else range(2, 5)
_INPUTS = {"why", "tick_size", "lot_size", "base", "quote"}

_SUMS = {"count": 3, "notional": Decimal(300), "markout": Decimal("-0.12"), "markout_bps": Decimal(-4)}
_QUOTING = {
    "presence": Decimal("0.8125"),
    "within": Decimal("0.005"),
    "target": Decimal("0.75"),
    "minutes": 96,
    "minutes_on_target": 80,
    "fills": _SUMS,
    "picked_off": _SUMS,
    "orders": 700,
    "orders_filled": 231,
    "symbol": "BTCUSDT",
}


def _fills(dice: random.Random, day: int, count: int, spread_ms: int) -> dict[VenueTrade, FillDetail]:
    """Return fills after noon with what was seen of the market around them."""
    found, mid, at_ms = {}, 100_00, NOON_MS + day * DAY_MS
    for number in range(1, count + 1):
        at_ms += dice.randrange(spread_ms)
        mid += dice.randint(-9, 9)
        side, qty = dice.choice([Side.BUY, Side.SELL]), Decimal(dice.randint(1, 99_999)) / 100_000
        asset = dice.choices(["USDT", "BTC", "BNB", "XYZ"], [8, 2, 1, 0.05])[0]
        fee = str(Decimal(dice.randint(-100, 900)) / 1_000_000)
        price = str(Decimal(mid + (-1 if side is Side.BUY else 1) * dice.randint(-1, 9)) / 100)
        trade = fill(
            day * count + number, side, str(qty), price, fee, asset, time_ms=at_ms, is_maker=dice.random() < 0.9
        )
        later = {seconds: Decimal(mid + dice.randint(-9, 9)) / 100 for seconds in (1, 10, 60) if dice.random() < 0.9}
        found[trade] = FillDetail(mid=Decimal(mid) / 100 if dice.random() < 0.9 else None, mids=later)
    return found


def make_days(folder: Path, count: int, spread_ms: int = 60_000, seed: int = 1) -> list[Path]:
    """Write two days of `count` fills each; the second begins with the lots of the first, and has a deposit."""
    dice, writer, done = random.Random(seed), ReportsFolder(folder), list[VenueTrade]()
    for day in (0, 1):
        begun_ms, fills = NOON_MS + day * DAY_MS, _fills(dice, day, count, spread_ms)
        record(writer, snapshot(after(_START, done), done[-1:], marks={"BTCUSDT": "100.5"}, time_ms=begun_ms))
        done += fills
        end_ms = begun_ms + count * spread_ms
        for late_ms, usdt in ((0, 0), (1_000, 500 * day), (2_000, 500 * day)):
            held = after(_START | account(USDT=str(100_000 + usdt)), done)
            seen = snapshot(held, list(fills), marks={"BTCUSDT": "101.25", "BNBUSDT": "600"}, time_ms=end_ms + late_ms)
            details = {key_of(trade): detail for trade, detail in fills.items()}
            record(writer, replace(seen, details=details, quoting=_QUOTING if day else None))
    return sorted(folder.glob("performance_????????.json"))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the files of two days."""
    return make_days(tmp_path_factory.mktemp("days") / "reports", 250)


def test_agrees_about_every_figure(days: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Guards docs/reports.md and reports/ against each other: lots over midnight, every kind of fee, a deposit."""
    document = reading(days[1])
    assert document["symbols"]["BTCUSDT"]["carried"]["lots"]
    assert document["metrics"]["max_drawdown"]["value"]
    assert [flow["amount"] for flow in document["flows"]] == [500]
    for paths in (days[:1], days[1:], [days[1], days[0]]):
        assert main([str(path) for path in paths]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("seed", _SEEDS)
def test_agrees_about_fees_without_a_price_and_fills_after_the_last_sight(tmp_path: Path, seed: int) -> None:
    """Guards what is rare: lots carried with a fee in BNB, round trips undecided, a sight that came after midnight."""
    for name, spread_ms in (("seen", 60_000), ("late", 43_200_000 // 40)):
        days = make_days(tmp_path / name, 60, spread_ms, seed)
        for paths in (days[:1], days[1:2], [days[1], days[0]]):
            assert main([str(path) for path in paths]) == 0


def _told(document: JsonObject, folder: Path) -> list[str]:
    """Return what does not follow in a document of ours."""
    folder.mkdir(exist_ok=True)
    path = folder / "performance_20251130.json"
    path.write_bytes(encode(document))
    return faults_of(reading(path))


def test_agrees_about_days_without_what_others_have(tmp_path: Path) -> None:
    """Guards what is null: a day that nobody saw, several quote assets, a mid that is not known, files of before."""
    fills = [buy(1, "1", "100", "0.1"), sell(2, "0.5", "103", "0.1"), sell(3, "1", "101", "0.2", "XYZ")]
    fills.append(buy(4, "0.2", "99", "0.0001", "BTC"))
    assert _told(unseen_document(DAY, fills, [BTC], {}), tmp_path) == []
    crossed = [buy(1, "1", "100", "0.1"), fill(2, Side.BUY, "1", "0.03", symbol="ETHBTC")]
    pairs, marks = (BTC, ETH_IN_BTC), {"BTCUSDT": "100", "ETHBTC": "0.03"}
    first = performance_document(snapshot(_START, instruments=pairs, marks=marks), None)
    seen = snapshot(account(BTC="10.97", ETH="1", USDT="99899.9"), crossed, instruments=pairs, marks=marks)
    assert _told(performance_document(replace(seen, now_ns=seen.now_ns + 9_000_000_000), first), tmp_path) == []
    assert _told(performance_document(snapshot(_START), None), tmp_path) == []
    assert _told(performance_document(snapshot(_START, fills), None), tmp_path) == []
    for name in ("version_1", "schema_2"):
        document = reading(Path(__file__).parents[1] / "kept" / "reports" / f"{name}.json")
        assert faults_of(document) == []
        document["symbols"]["BTCUSDT"]["pnl"] += 1
        assert faults_of(document) != []


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where numbers stand."""
    if isinstance(value, Number):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inner if key not in _INPUTS for place in _places(each, (*path, key))]


@pytest.mark.parametrize("name", _FIGURES)
def test_finds_any_digit_of_a_figure_without_the_checksum(days: list[Path], name: str) -> None:
    """Guards the check itself: it must compute each figure, or a wrong one would pass as well as a right one."""
    before, dice = reading(days[0]), random.Random(name)
    places = [(name, *place) for place in _places(reading(days[1])[name])]
    for place in places if len(places) < _PLACES else dice.sample(places, _PLACES):
        changed = reading(days[1])
        part: Any = changed
        for key in place[:-1]:
            part = part[key]
        digits = part[place[-1]].text
        at = dice.choice([index for index, digit in enumerate(digits) if digit.isdigit()])
        digit = dice.choice([each for each in "0123456789" if each != digits[at]])
        part[place[-1]] = Number(digits[:at] + digit + digits[at + 1 :])
        assert faults_of(changed, before), (place, digits, part[place[-1]])


def test_finds_any_digit_of_the_file(days: list[Path]) -> None:
    """Guards the checksum as the page tells it: each changed digit is found, wherever it stands."""
    text, dice = days[1].read_text(), random.Random(2)
    head = text.rindex('"checksum"')
    places = [index for index, letter in enumerate(text[:head]) if letter in "0123456789"]
    other = days[1].with_name("changed.json")
    for at in dice.sample(places, _DIGITS):
        digit = dice.choice([each for each in "0123456789" if each != text[at]])
        other.write_text(text[:at] + digit + text[at + 1 :])
        try:
            changed = reading(other)
        except ValueError:
            continue  # a number that begins with 0 is none
        assert checksum(changed) != changed["checksum"], text[at - 40 : at + 1]
