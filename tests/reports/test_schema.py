"""docs/performance.schema.json: every document that is written keeps it, and it says no where something is wrong."""

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from market.account import VenueTrade
from market.exact_json import JsonObject, loads
from reports.checking import checked_book
from reports.daily_file import decode
from reports.performance import unseen_document
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, ETH, FILLS, account, after, buy, fill, sell, snapshot
from tests.reports.json_schema import faults, faults_written

KEPT = Path(__file__).parents[1] / "kept" / "reports"
_START = account(BTC="1", USDT="10000", BNB="5", XYZ="7")


def _read(name: str) -> JsonObject:
    return decode((KEPT / name).read_bytes(), DAY)


@given(FILLS)
@settings(deadline=None)
def test_is_kept_by_every_document(fills: list[VenueTrade]) -> None:
    """Guards the readers of other hands: what stands in the file is what the schema says."""
    marks = {"BTCUSDT": "50000", "BNBUSDT": "600"}
    first = performance_document(snapshot(_START, marks=marks), None)
    document = performance_document(snapshot(after(_START, fills), fills, marks=marks), first)
    assert faults_written(document) == []
    if fills:
        assert faults_written(unseen_document(DAY, fills, [BTC], {})) == []


def test_is_kept_where_the_books_disagree() -> None:
    """Guards the rarer keys: differences, flows, a second symbol, rebates."""
    fills = [buy(1, "1", "100", "-0.1"), fill(1, sell(1, "1", "1").side, "1", "3000", symbol="ETHUSDT")]
    first = performance_document(snapshot(_START, instruments=(BTC, ETH)), None)
    second = performance_document(snapshot(_START, fills, instruments=(BTC, ETH)), first)
    assert not second["reconciliation"]["is_exact"]
    assert second["trades"]["rebates"]
    assert faults_written(second) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 3}, ".schema: expected 2, was 3"),
        ({"metrics": {}}, ".metrics.spread_capture is missing"),
        ({"strange": 1}, ".strange is not known"),
        ({"total_trades": "5"}, ".total_trades: expected integer, was '5'"),
        ({"date": "30.11."}, ".date: expected ^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$, was '30.11.'"),
        ({"time": "25:00:00"}, ".time: expected ^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$, was '25:00:00'"),
        ({"balances": {"BTC": {"free": 1, "locked": -1}}}, ".balances.BTC.locked: expected at least 0, was -1"),
    ],
)
def test_says_what_is_wrong(change: JsonObject, complaint: str) -> None:
    """Guards the check itself: it finds what is missing, new, or of another kind."""
    document = deepcopy(_read("schema_2.json")) | change
    assert complaint in list(faults(document))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"price": -1}, "price: expected more than 0, was -1"),
        ({"qty": 0}, "qty: expected more than 0, was 0"),
        ({"mid": Decimal("-0.1")}, "mid: expected at least 0, was -0.1"),
        ({"level": 0}, "level: expected at least 1, was 0"),
    ],
)
def test_says_what_is_wrong_with_a_trade(change: JsonObject, complaint: str) -> None:
    """A price of -1 was none of its concern."""
    document = deepcopy(_read("schema_2.json"))
    document["trade_history"][0] |= change
    assert f".trade_history[0].{complaint}" in list(faults(document))


def test_misses_the_checksum() -> None:
    """Of a file that was written by a tracker it is always there."""
    document = loads((KEPT / "schema_2.json").read_bytes())
    assert list(faults(document)) == []
    del document["checksum"]
    assert list(faults(document)) == [".checksum is missing"]


def test_keeps_a_document_of_each_schema() -> None:
    """Guards older files: version 1 is read with the figures that it had, and schema 2 keeps the schema of today."""
    old, new = _read("version_1.json"), _read("schema_2.json")
    assert ("schema" in old, old["version"], new["schema"]) == (False, 1, 2)
    for document in (old, new):
        book = checked_book(document)
        assert book is not None
        assert len(book.rows) == 5
        assert document["trades"]["pnl"] == book.figures({})["trades"]["pnl"]
    assert faults_written(new) == []


def test_goes_on_with_a_document_of_version_1() -> None:
    """Guards the day of the update: its trades stay, and the next sight writes schema 2."""
    old = _read("version_1.json")
    document: Any = performance_document(snapshot(account(BTC="0.98498906", USDT="11385.4317056", BNB="4.98835")), old)
    assert (document["schema"], document["total_trades"]) == (2, 5)
    assert document["trades"]["pnl"] == old["trades"]["pnl"]
    assert document["reconciliation"]["is_exact"]
