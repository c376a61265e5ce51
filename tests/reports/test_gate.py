"""The identity is a gate: a trade that is lost, doubled or changed is found, and from which one on."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from market.exact_json import JsonObject
from reports.checking import checked_book
from reports.folder import DamagedReportError, ReportsFolder
from reports.performance import is_sound
from tests.reports.documents import performance_document, record
from tests.reports.fills import DAY, FILLS, NOON_MS, account, after, buy, sell, snapshot

_START = account(BTC="1", USDT="10000", BNB="5", XYZ="7")
_MARKS = {"BTCUSDT": "100", "BNBUSDT": "600"}
_FILLS = [
    buy(1, "1", "100", "0.1"),
    sell(2, "1", "105", "0.1"),
    buy(3, "2", "99", "0.2"),
    sell(4, "1", "101", "0.1"),
    buy(5, "1", "98", "0.1"),
    sell(6, "0.5", "102", "0.05"),
]


def _document(told: list[VenueTrade], happened: list[VenueTrade]) -> JsonObject:
    """Return the document of a day of which the venue tells these trades, and balances after those."""
    first = performance_document(snapshot(_START, marks=_MARKS), None)
    return performance_document(snapshot(after(_START, happened), told, marks=_MARKS), first)


def _lost(rows: list[JsonObject]) -> None:
    del rows[2]


def _doubled(rows: list[JsonObject]) -> None:
    rows.insert(3, rows[2] | {"id": 30, "order_id": "o30"})


def _changed(rows: list[JsonObject]) -> None:
    rows[2] |= {"price": Decimal(98), "quote_qty": Decimal(196)}


def _fee(rows: list[JsonObject]) -> None:
    rows[2]["fee"] = rows[2]["fee_in_quote"] = Decimal("0.1")


@pytest.mark.parametrize(
    ("plant", "trade", "by"),
    [(_lost, 4, "-1.80"), (_doubled, 30, "0"), (_changed, 4, "+1.00"), (_fee, 4, "+0.05")],
)
def test_finds_a_trade_that_was_planted_in_a_file(
    tmp_path: Path, plant: Callable[[list[JsonObject]], None], trade: int, by: str
) -> None:
    """Guards a file that was edited with its checksum: the first trade whose result is another one is named."""
    document = deepcopy(_document(_FILLS, _FILLS))
    plant(document["trade_history"])
    document["total_trades"] = len(document["trade_history"])
    folder = ReportsFolder(tmp_path / "reports")
    with folder.locked():
        folder.write(DAY, document)
    with pytest.raises(DamagedReportError) as caught:
        folder.read(DAY)
    if by == "0":  # its copy realizes as little as itself: found by the balances, and by all sums
        assert "must be" in str(caught.value)
    else:
        assert f"trade {trade} of BTCUSDT realizes" in str(caught.value)
        assert f"by {by}" in str(caught.value)


def test_finds_balances_that_no_trade_explains(tmp_path: Path) -> None:
    """Guards the account's side of the identity: half a dollar more in the file, sealed as if it were right."""
    document = deepcopy(_document(_FILLS, _FILLS))
    document["balances"]["USDT"]["free"] += Decimal("0.5")
    with pytest.raises(ValueError, match=r"differences of the balances must be \+0\.50 USDT by opening and trades"):
        checked_book(document)


@pytest.mark.parametrize("name", ["equity", "identity", "metrics"])
def test_finds_a_figure_that_does_not_follow(name: str) -> None:
    """Guards every figure of the file, not only those of version 1."""
    document = deepcopy(_document(_FILLS, _FILLS))
    inner = {"equity": ("end",), "identity": ("all", "held_change"), "metrics": ("fees", "value")}[name]
    part = document[name]
    for key in inner[:-1]:
        part = part[key]
    part[inner[-1]] += Decimal("0.01")
    with pytest.raises(ValueError, match=rf"{name}\.{'.'.join(inner)} must be .* by \+0\.01"):
        checked_book(document)


def test_names_a_trade_that_the_venue_does_not_tell(tmp_path: Path) -> None:
    """Guards the live books: by how much, and from which trade on; a second look does not make a deposit of it."""
    folder = ReportsFolder(tmp_path / "reports")
    record(folder, snapshot(_START, marks=_MARKS))
    told = [*_FILLS[:2], *_FILLS[3:]]
    for later_ms in (10_000, 20_000, 30_000):
        at_ms = NOON_MS + later_ms
        document = record(folder, snapshot(after(_START, _FILLS), told, marks=_MARKS, time_ms=at_ms)).document
        whole = document["identity"]["all"]
        assert whole["gap"] == -(2 * 100 - 198 - Decimal("0.2"))  # what the lost trade has brought at the mark
        assert whole["first_trade"]["id"] == 1
        assert document["flows"] == []
        assert not is_sound(document)


def test_books_a_deposit_at_its_second_sight(tmp_path: Path) -> None:
    """Guards flows: what came without a trade is a flow and no gain, once it was seen twice."""
    folder = ReportsFolder(tmp_path / "reports")
    record(folder, snapshot(_START, marks=_MARKS))
    record(folder, snapshot(after(_START, _FILLS), _FILLS, marks=_MARKS, time_ms=NOON_MS + 10_000))
    richer = after(account(BTC="1", USDT="10500", BNB="6", XYZ="7"), _FILLS)
    sound = []
    for later_ms in (20_000, 30_000, 40_000):
        document = record(folder, snapshot(richer, _FILLS, marks=_MARKS, time_ms=NOON_MS + later_ms)).document
        sound.append(is_sound(document))
    assert sound == [False, True, True]
    assert {flow["asset"]: (flow["amount"], flow["kind"], flow["time_ms"]) for flow in document["flows"]} == {
        "BNB": (1, "deposit", NOON_MS + 20_000),
        "USDT": (500, "deposit", NOON_MS + 20_000),
    }
    assert document["equity"]["flows"] == 500  # BNB is no asset of the symbol
    assert document["equity"]["change"] - 500 == document["equity"]["change_less_flows"]
    assert document["reconciliation"]["is_exact"]


def test_books_no_flow_that_came_with_trades(tmp_path: Path) -> None:
    """Guards against a price that was told wrong: it looks like a deposit, but there were trades with it."""
    folder = ReportsFolder(tmp_path / "reports")
    record(folder, snapshot(_START, marks=_MARKS))
    wrong = [*_FILLS[:4], buy(5, "1", "97", "0.1"), _FILLS[5]]
    for later_ms in (10_000, 20_000):
        at_ms = NOON_MS + later_ms
        document = record(folder, snapshot(after(_START, _FILLS), wrong, marks=_MARKS, time_ms=at_ms)).document
    assert (document["identity"]["all"]["gap"], document["flows"]) == (1, [])
    assert not is_sound(document)


@settings(deadline=None)
@given(FILLS, st.integers(0, 30))
def test_holds_for_any_sequence(fills: list[VenueTrade], split: int) -> None:
    """Guards the identity, and that average cost comes to the same total as FIFO, to the last unit."""
    first = performance_document(snapshot(after(_START, fills[:split]), fills[:split], marks={"BTCUSDT": "90"}), None)
    document = performance_document(snapshot(after(_START, fills), fills, marks=_MARKS), first)
    part = document["symbols"]["BTCUSDT"]
    assert document["identity"]["all"]["gap"] == document["identity"]["symbols"]["BTCUSDT"]["gap"] == 0
    assert part["average_cost"]["total"] == part["marked_pnl"]
    assert part["average_cost"]["position"] == part["position"]
    assert checked_book(document) is not None
    assert is_sound(document)
