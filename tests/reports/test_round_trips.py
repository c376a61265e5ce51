"""Round trips one by one, and how the day's result splits into spread, inventory and fees."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from reports.checking import checked_book
from reports.day_book import DayBook
from reports.exact import figure
from reports.identity import identity_and_equity
from reports.lots import arrived
from reports.metrics import metrics
from reports.performance import book_of, day_of
from reports.round_trips import round_trips
from reports.trade_history import FillDetail, key_of
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, ETH, FILLS, NOON_MS, account, buy, fill, sell, snapshot


def _trips(document: JsonObject, symbol: str | None = None) -> list[JsonObject]:
    return list(round_trips(book_of(day_of(document), document, trips_kept=None), symbol))


def test_tells_each_lot_that_was_closed() -> None:
    """Guards the list by hand: 2 @ 100 for 0.2 closed at 103 and 104, then a short of 1 @ 105 closed at 107."""
    fills = [buy(1, "2", "100", "0.2"), sell(2, "1", "103", "0.1"), sell(3, "2", "104", "0.2"), buy(4, "1", "107")]
    document = performance_document(snapshot(account(BTC="1", USDT="1000"), fills), None)
    first, second = _trips(document)
    assert first == {
        "opened_ms": NOON_MS + 1_000,
        "closed_ms": NOON_MS + 3_000,
        "symbol": "BTCUSDT",
        "side": "BUY",
        "qty": 2,
        "gross": 7,
        "fees": Decimal("0.4"),  # 0.2 + 0.1 + half of 0.2
        "net": Decimal("6.6"),
    }
    assert (second["side"], second["qty"], second["gross"], second["net"]) == ("SELL", 1, -3, Decimal("-3.1"))
    assert document["round_trips"] == {"n": 2, "rows": [first, second]}
    part = document["symbols"]["BTCUSDT"]
    assert (part["round_trips"], part["pnl"]) == (2, first["net"] + second["net"])


def test_file_holds_the_last_ones_and_says_how_many_there_were() -> None:
    """Guards the size of the file, which is written again and again: of 130 in two symbols the last 100."""
    fills = []
    for number in range(1, 131):
        symbol = "BTCUSDT" if number % 3 else "ETHUSDT"
        for side, price in ((Side.BUY, "100"), (Side.SELL, str(100 + number))):
            at = NOON_MS + 10 * number + (side is Side.SELL)
            fills.append(fill(2 * number + (side is Side.SELL), side, "1", price, symbol=symbol, time_ms=at))
    pairs = (BTC, ETH)
    document = performance_document(snapshot(account(BTC="1", ETH="1", USDT="1"), fills, instruments=pairs), None)
    found = document["round_trips"]
    assert (found["n"], [int(row["gross"]) for row in found["rows"]]) == (130, list(range(31, 131)))
    assert found["rows"] == _trips(document)[-100:]
    assert _trips(document, "ETHUSDT") == [row for row in _trips(document) if row["symbol"] == "ETHUSDT"] != []
    assert len(_trips(document)) == 130
    assert [row["symbol"] for row in found["rows"][:3]] == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("name", ["opened_ms", "closed_ms", "side", "qty", "gross", "fees", "net"])
def test_round_trip_that_does_not_follow_makes_a_file_damaged(name: str) -> None:
    """Guards every figure of the rows; and a file of before, without them, is read."""
    document = performance_document(
        snapshot(account(BTC="1", USDT="1000"), [buy(1, "1", "99"), sell(2, "1", "103")]), None
    )
    assert checked_book(document) is not None
    assert checked_book({key: part for key, part in document.items() if key != "round_trips"}) is not None
    (row,) = document["round_trips"]["rows"]
    row[name] = "SELL" if name == "side" else row[name] + 1
    with pytest.raises(ValueError, match=rf"round_trips\.rows\[0\]\.{name} must be"):
        checked_book(document)
    document["round_trips"]["rows"].clear()
    with pytest.raises(ValueError, match=r"round_trips\.rows must have 1 entries by the trades, has 0"):
        checked_book(document)


@settings(deadline=None)
@given(FILLS)
def test_figures_of_a_round_trip_are_the_fractions_rounded_once(fills: list[VenueTrade]) -> None:
    """Guards the integers that they are made of, with fees that have no decimal."""
    book = DayBook(DAY, {"BTCUSDT": BTC}, trips_kept=None)
    book.add(fills, {"BNBUSDT": Decimal(600)})
    lots = [ended.lot for ended in book.symbols["BTCUSDT"].fifo.ended]
    told = [(row["qty"], row["gross"], row["fees"], row["net"]) for row in round_trips(book)]
    assert told == [tuple(map(figure, (lot.opened, lot.gross, lot.fees, lot.gross - lot.fees))) for lot in lots]


@settings(deadline=None)
@given(FILLS.filter(bool), st.data())
def test_splits_the_result_into_spread_inventory_and_fees(fills: list[VenueTrade], data: st.DataObject) -> None:
    """Guards the split: the inventory's part, summed from mark to mid to mark, is what the document says it is."""
    mids = data.draw(st.lists(st.none() | st.integers(1, 20_000_000), min_size=len(fills), max_size=len(fills)))
    details = {key_of(trade): FillDetail(mid=Decimal(mid) / 100) for trade, mid in zip(fills, mids, strict=True) if mid}
    book = DayBook(DAY, {"BTCUSDT": BTC})
    book.add(fills, {"BNBUSDT": Decimal(600)})
    book.describe(details)
    marks = {"BTCUSDT": Decimal(50_000)}
    found = metrics(book, marks, identity_and_equity(book, marks, None)["equity"], None)
    capture, inventory, position, mark = Fraction(0), Fraction(0), Fraction(0), Fraction(0)
    for trade in fills:
        price = Fraction(trade.quote_qty) / Fraction(trade.qty)
        known = details.get(key_of(trade))
        mid = price if known is None or known.mid is None else Fraction(known.mid)
        inventory += position * (mid - mark)
        capture += arrived(trade, "BTC") * (mid - price)
        position, mark = position + arrived(trade, "BTC"), mid
    inventory += position * (50_000 - mark)
    if not details:
        assert found["spread_capture"]["value"] is found["inventory_pnl"]["value"] is None
        return
    assert abs(Fraction(found["spread_capture"]["value"]) - capture) <= Fraction(1, 10**12)
    assert abs(Fraction(found["inventory_pnl"]["value"]) - inventory) <= Fraction(1, 10**12)
    assert (found["spread_capture"]["n"], found["spread_capture"]["missing"]) == (
        len(details),
        len(fills) - len(details),
    )
    result = book.symbols["BTCUSDT"].changes(marks["BTCUSDT"])["equity_change"]
    assert capture + inventory - book.symbols["BTCUSDT"].fifo.paid_fees == result
