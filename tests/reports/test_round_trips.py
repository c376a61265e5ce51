"""Round trips one by one, and how the day's result splits into spread, inventory and fees."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from reports.day_book import DayBook
from reports.identity import identity_and_equity
from reports.metrics import metrics
from reports.pnl import arrived
from reports.round_trips import round_trips
from reports.trade_history import FillDetail, key_of
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, FILLS, NOON_MS, account, buy, sell, snapshot


def test_tells_each_lot_that_was_closed() -> None:
    """Guards the list by hand: 2 @ 100 for 0.2 closed at 103 and 104, then a short of 1 @ 105 closed at 107."""
    fills = [buy(1, "2", "100", "0.2"), sell(2, "1", "103", "0.1"), sell(3, "2", "104", "0.2"), buy(4, "1", "107")]
    document = performance_document(snapshot(account(BTC="1", USDT="1000"), fills), None)
    first, second = round_trips(document)
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
    part = document["symbols"]["BTCUSDT"]
    assert (part["round_trips"], part["pnl"]) == (2, first["net"] + second["net"])
    assert round_trips({"date": "2025-11-30"}) == []


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
