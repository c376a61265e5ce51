"""Whoever knows docs/reports.md alone makes the same figures of two days of fills, and no changed digit passes."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from reports.daily_file import encode
from reports.folder import ReportsFolder
from reports.performance import unseen_document
from reports.trade_history import FillDetail, key_of
from tests.independent.daily_file_check import checksum, day_of, faults, faults_of
from tests.reports.documents import performance_document, record
from tests.reports.fills import BTC, DAY, DAY_MS, ETH, ETH_IN_BTC, NOON_MS, account, after, buy, fill, sell, snapshot

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
_INPUTS = {"tick_size", "lot_size"}
_ROOT = Path(__file__).parents[2]

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


class Number(Fraction):
    """A number, and how the file spells it."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read it."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def _read(path: Path) -> Any:
    return json.loads(path.read_text(), parse_float=Number, parse_int=Number)


def _faults(document: Any, before: Any = None) -> list[str]:
    """Return what does not follow, whatever the checksum is."""
    return list(faults(document, day_of(document, before), "file"))


def _told_of(*paths: Path) -> list[str]:
    return faults_of(*(path.read_text() for path in paths))


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
        for late_ms, usdt, mark in (
            (0, 0, "101.25"),
            (1, 500 * day, "101.5"),
            (2, 500 * day, "101"),
            (62, 500 * day, "102"),  # what came of both assets of a pair waits for a minute
        ):
            held = after(_START | account(USDT=str(100_000 + usdt), BTC=str(10 + Decimal(usdt) / 1_000)), done)
            marks = {"BTCUSDT": mark, "BNBUSDT": "600"}
            seen = snapshot(held, list(fills), marks=marks, time_ms=end_ms + 1_000 * late_ms)
            details = {key_of(trade): detail for trade, detail in fills.items()}
            record(writer, replace(seen, details=details, quoting=_QUOTING if day else None))
    return sorted(folder.glob("performance_????????.json"))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the files of two days."""
    return make_days(tmp_path_factory.mktemp("days") / "reports", 250)


def test_agrees_about_every_figure(days: list[Path]) -> None:
    """Guards docs/reports.md and reports/ against each other: lots over midnight, every kind of fee, a deposit."""
    document = _read(days[1])
    assert document["symbols"]["BTCUSDT"]["carried"]["lots"]
    assert document["metrics"]["max_drawdown"]["value"]
    assert sorted(flow["amount"] for flow in document["flows"]) == [Fraction("0.5"), 500]
    for paths in (days[:1], days[1:], [days[1], days[0]]):
        assert _told_of(*paths) == []


def test_tells_by_its_exit_code(days: list[Path]) -> None:
    """Guards the command that docs/reports.md names: who checks a file by a script reads that code."""
    changed = days[0].with_name("changed.json")
    text = days[0].read_text()
    changed.write_text(text.replace('"volume": 1', '"volume": 2', 1))
    assert changed.read_text() != text
    command = [sys.executable, "-m", "tests.independent.daily_file_check"]
    found = [
        subprocess.run([*command, path], cwd=_ROOT, capture_output=True, text=True, check=False)
        for path in (days[0], changed)
    ]
    assert [each.returncode for each in found] == [0, 1], found
    assert "file.trades.volume is 2" in found[1].stdout


@pytest.mark.parametrize("seed", _SEEDS)
def test_agrees_about_fees_without_a_price_and_fills_after_the_last_sight(tmp_path: Path, seed: int) -> None:
    """Guards what is rare: lots carried with a fee in BNB, round trips undecided, a sight that came after midnight."""
    for name, spread_ms in (("seen", 60_000), ("late", 43_200_000 // 40)):
        days = make_days(tmp_path / name, 60, spread_ms, seed)
        for paths in (days[:1], days[1:2], [days[1], days[0]]):
            assert _told_of(*paths) == []


@pytest.mark.parametrize("seed", _SEEDS)
def test_agrees_about_two_symbols_in_one_quote(tmp_path: Path, seed: int) -> None:
    """Guards sums over symbols: fees in the other's coin, fills without a mid, lots of a symbol that is not traded.

    Of odd seeds the opening of the second day does not hold the first day's trades yet.
    """
    dice, writer = random.Random(seed), ReportsFolder(tmp_path / "reports")
    pairs, marks = (BTC, ETH), {"BTCUSDT": "101", "ETHUSDT": "11", "BNBUSDT": "600"}
    held, done = account(BTC="10", ETH="10", USDT="100000", BNB="5"), list[VenueTrade]()
    for day in (0, 1):
        begun_ms, fills = NOON_MS + day * DAY_MS, dict[VenueTrade, FillDetail]()
        record(writer, snapshot(held, [] if seed % 2 else done, instruments=pairs, marks=marks, time_ms=begun_ms))
        for number in range(40):
            symbol, price = dice.choice([("BTCUSDT", 100), ("ETHUSDT", 10)][: 2 - day])
            side, asset = dice.choice([Side.BUY, Side.SELL]), dice.choice(["USDT", "BTC", "ETH", "BNB"])
            qty, at_ms = str(Decimal(dice.randint(1, 999)) / 1_000), begun_ms + 1_000 * (number + 1)
            told = str(price + Decimal(dice.randint(-99, 99)) / 100)
            trade = fill(day * 40 + number + 1, side, qty, told, "0.0001", asset, symbol=symbol, time_ms=at_ms)
            fills[trade] = FillDetail(mid=dice.choice([None, Decimal(price)]), mids={})
        done += fills
        later = marks | {"BTCUSDT": "102.5", "ETHUSDT": "12"}
        details = {key_of(trade): detail for trade, detail in fills.items()}
        for late_ms, mids in ((50_000, marks), (60_000, later)):
            seen = snapshot(held, list(fills), instruments=pairs, marks=mids, time_ms=begun_ms + late_ms)
            record(writer, replace(seen, details=details))
    days = sorted((tmp_path / "reports").glob("performance_????????.json"))
    assert _read(days[1])["reconciliation"].get("trades_of_other_days", 0) == (40 if seed % 2 else 0)
    for paths in (days[:1], [days[1], days[0]], [] if seed % 2 else days[1:]):
        assert not paths or _told_of(*paths) == []


def _told(document: JsonObject, folder: Path) -> list[str]:
    """Return what does not follow in a document of ours."""
    folder.mkdir(exist_ok=True)
    path = folder / "performance_20251130.json"
    path.write_bytes(encode(document))
    return _told_of(path)


def test_agrees_about_days_without_what_others_have(tmp_path: Path) -> None:
    """Guards what is null: a day that nobody saw, several quote assets, a mid that is not known, files of before."""
    fills = [buy(1, "1", "100", "0.1"), sell(2, "0.5", "103", "0.1"), sell(3, "1", "101", "0.2", "XYZ")]
    fills.append(buy(4, "0.2", "99", "0.0001", "BTC"))
    assert _told(unseen_document(DAY, fills, [BTC], {}), tmp_path) == []
    tie = [buy(1, "1", "100", "0.1"), sell(2, "1", "100.2", "0.1")]
    assert _told(unseen_document(DAY, tie, [BTC], {}), tmp_path) == []
    crossed = [buy(1, "1", "100", "0.1"), fill(2, Side.BUY, "1", "0.03", symbol="ETHBTC")]
    pairs, marks = (BTC, ETH_IN_BTC), {"BTCUSDT": "100", "ETHBTC": "0.03"}
    first = performance_document(snapshot(_START, instruments=pairs, marks=marks), None)
    seen = snapshot(account(BTC="10.97", ETH="1", USDT="99899.9"), crossed, instruments=pairs, marks=marks)
    assert _told(performance_document(replace(seen, now_ns=seen.now_ns + 9_000_000_000), first), tmp_path) == []
    assert _told(performance_document(snapshot(_START), None), tmp_path) == []
    assert _told(performance_document(snapshot(_START, fills), None), tmp_path) == []
    for name in ("version_1", "schema_2"):
        path = Path(__file__).parents[1] / "kept" / "reports" / f"{name}.json"
        assert _told_of(path) == []
        document = _read(path)
        document["symbols"]["BTCUSDT"]["pnl"] += 1
        assert _faults(document) != []


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where numbers stand."""
    if isinstance(value, Number):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inner if key not in _INPUTS for place in _places(each, (*path, key))]


def _changed(text: str, dice: random.Random) -> Iterator[str]:
    """Yield a number with one digit that is another: each of its digits at night, else any one."""
    places = [index for index, digit in enumerate(text) if digit.isdigit()]
    for at in places if _IS_LONG else dice.sample(places, 1):
        yield text[:at] + dice.choice([each for each in "0123456789" if each != text[at]]) + text[at + 1 :]


def _missed(path: Path, before: Any, places: list[tuple[Any, ...]], dice: random.Random) -> list[Any]:
    """Return where a digit may be changed and all seems to follow, whatever the checksum is."""
    missed = list[Any]()
    for place in places:
        document = _read(path)
        part: Any = document
        for key in place[:-1]:
            part = part[key]
        digits = part[place[-1]].text
        for changed in _changed(digits, dice):
            part[place[-1]] = Number(changed)
            missed += [] if _faults(document, before) else [(place, digits, changed)]
    return missed


@pytest.mark.parametrize("name", _FIGURES)
def test_finds_any_digit_of_a_figure_without_the_checksum(days: list[Path], name: str) -> None:
    """Guards the check itself: it must compute each figure, or a wrong one would pass as well as a right one."""
    dice = random.Random(name)
    places = [(name, *place) for place in _places(_read(days[1])[name])]
    chosen = places if len(places) < _PLACES else dice.sample(places, _PLACES)
    assert _missed(days[1], day_of(_read(days[0])), chosen, dice) == []


def test_finds_any_figure_of_a_small_file_without_the_checksum(tmp_path: Path) -> None:
    """Guards against a figure that is taken as it is told: of two short days no number is left out."""
    days = make_days(tmp_path / "reports", 9, 9_000, seed=3)
    document, dice = _read(days[1]), random.Random(3)
    assert document["symbols"]["BTCUSDT"]["carried"]["lots"]
    assert document["round_trips"]["rows"]
    places = [(name, *place) for name in _FIGURES for place in _places(document[name])]
    assert len(places) > 200
    assert _missed(days[1], day_of(_read(days[0])), places, dice) == []


def _passed(path: Path, places: list[int], dice: random.Random) -> list[str]:
    """Return what stands around each of these digits of a file that may be another under the same checksum."""
    text, passed = path.read_text(), list[str]()
    for at in places:
        digit = dice.choice([each for each in "0123456789" if each != text[at]])
        changed = text[:at] + digit + text[at + 1 :]
        try:
            made = checksum(changed)
        except ValueError:
            continue  # a number that begins with 0 is none
        passed += [text[at - 40 : at + 1]] if f'"checksum": "{made}"' in changed else []
    return passed


def test_finds_any_digit_of_the_file(days: list[Path], tmp_path: Path) -> None:
    """Guards the checksum as the page tells it: each changed digit is found, wherever it stands."""
    dice, small = random.Random(2), make_days(tmp_path / "reports", 9, 9_000, seed=3)[1]
    digits = {
        path: [at for at, each in enumerate(path.read_text()) if each in "0123456789"] for path in (days[1], small)
    }
    assert _passed(days[1], dice.sample(digits[days[1]], _DIGITS), dice) == []
    assert _passed(small, digits[small], dice) == []
