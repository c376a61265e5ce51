"""The daily document: its fixed shape, figures computed by hand, merging, reconciliation."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import Balance, VenueOrder, VenueTrade
from market.codes import Side
from reports.day_book import DayBook
from reports.performance import history_of, with_late_trades
from reports.pnl import FifoBook
from reports.trade_history import reset_reason, row_from_json, row_to_json
from tests.reports.documents import performance_document
from tests.reports.fifo import fifo_pnl
from tests.reports.fills import (
    BTC,
    DAY,
    DAY_MS,
    ETH,
    ETH_IN_BTC,
    FILLS,
    NOON_MS,
    account,
    after,
    buy,
    fill,
    sell,
    snapshot,
)

_START = account(BTC="1", USDT="10000", BNB="5", XYZ="7")


def test_has_the_fixed_shape() -> None:
    """Guards the document's readers: the five keys, their order, and exact numbers."""
    fills = [buy(1, "0.01094", "91202.23", "0.9"), sell(2, "0.01094", "91567.77", "0.9")]
    balances = {
        "BTC": Balance(Decimal("1.00000000"), Decimal("0.00011000")),
        "USDT": Balance(Decimal(9980), Decimal(0)),
    }
    document = performance_document(snapshot(balances, fills), None)
    assert list(document)[:5] == ["date", "time", "balances", "trades", "total_trades"]
    assert (document["date"], document["time"], document["total_trades"]) == ("2025-11-30", "12:00:00", 2)
    assert document["balances"]["BTC"] == {"free": Decimal("1.0"), "locked": Decimal("0.00011")}
    assert document["trades"] == {
        "total_buys": 1,
        "total_sells": 1,
        "pnl": Decimal("0.01094") * (Decimal("91567.77") - Decimal("91202.23")) - Decimal("1.8"),
        "avg_buy_price": Decimal("91202.23"),
        "avg_sell_price": Decimal("91567.77"),
        "volume": Decimal("0.01094") * (Decimal("91202.23") + Decimal("91567.77")),
        "fees": {"USDT": Decimal("1.8")},
        "rebates": {},
    }


def test_weighs_average_prices_by_quantity() -> None:
    """Guards averages: (1 x 100 + 2 x 100.01) / 3 = 100.00666... is 100.01 at the tick; no sale, no average."""
    trades = performance_document(snapshot(_START, [buy(1, "1", "100"), buy(2, "2", "100.01")]), None)["trades"]
    assert str(trades["avg_buy_price"]) == "100.01"
    assert trades["avg_sell_price"] is None


def test_leaves_out_trades_of_other_days() -> None:
    """Guards the UTC day, to the millisecond at both ends."""
    start_ms = NOON_MS - DAY_MS // 2
    times = [start_ms - 1, start_ms, start_ms + DAY_MS - 1, start_ms + DAY_MS]
    fills = [fill(index, Side.BUY, "1", "100", time_ms=time_ms) for index, time_ms in enumerate(times, 1)]
    document = performance_document(snapshot(_START, fills), None)
    assert [entry["id"] for entry in document["trade_history"]] == [2, 3]
    assert document["trade_history"][1]["time"] == "2025-11-30T23:59:59.999Z"


@settings(deadline=None)
@given(FILLS, st.data())
def test_never_loses_or_doubles_a_trade(fills: list[VenueTrade], data: st.DataObject) -> None:
    """Guards merging: windows that overlap, in any order and as often as one likes, make the same history."""
    document: Any = None
    for _ in range(3):
        start = data.draw(st.integers(0, len(fills)))
        stop = data.draw(st.integers(start, len(fills)))
        document = performance_document(snapshot(_START, fills[start:stop]), document)
    document = performance_document(snapshot(_START, list(reversed(fills))), document)
    again = performance_document(snapshot(_START, fills), document)
    assert [row.trade for row in history_of(document)] == fills
    assert again == document
    assert again["total_trades"] == len(fills)


@settings(deadline=None)
@given(FILLS)
def test_says_the_pnl_that_its_own_history_gives(fills: list[VenueTrade]) -> None:
    """Guards checking by hand: FIFO over `trade_history` in its order is `pnl`."""
    marks = {"BTCUSDT": "50000", "BNBUSDT": "600"}
    document = performance_document(snapshot(_START, fills, marks=marks), None)
    pnl = fifo_pnl((row.trade for row in history_of(document)), "BTC", "USDT", {"BNB": Decimal(600)})
    assert abs(Fraction(document["trades"]["pnl"]) - pnl.realized_net) <= Fraction(1, 2 * 10**12)
    part = document["symbols"]["BTCUSDT"]
    marked = part["pnl"] + part["unrealized"] - part["open_fees"]
    assert abs(Fraction(marked) - Fraction(part["marked_pnl"])) <= Fraction(2, 10**12)


@settings(deadline=None)
@given(FILLS, st.integers(0, 30))
def test_reconciles_to_the_last_unit(fills: list[VenueTrade], split: int) -> None:
    """Guards the books: first seen after `split` trades, the rest explains the balances exactly."""
    at_opening = after(_START, fills[:split])
    first = performance_document(snapshot(at_opening, fills[:split]), None)
    document = performance_document(snapshot(after(_START, fills), fills), first)
    assert document["reconciliation"] == {
        "is_exact": True,
        "trades_since_opening": len(fills[split:]),
        "differences": {},
    }


def test_lists_what_the_trades_do_not_explain() -> None:
    """Guards against hidden deposits: half a dollar too many, and an asset that is gone."""
    first = performance_document(snapshot(account(BTC="1", USDT="100", BNB="2")), None)
    document = performance_document(snapshot(account(BTC="1.5", USDT="50.5"), [buy(1, "0.5", "100")]), first)
    differences = document["reconciliation"]["differences"]
    assert not document["reconciliation"]["is_exact"]
    assert {asset: row["difference"] for asset, row in differences.items()} == {
        "BNB": Decimal(-2),
        "USDT": Decimal("0.5"),
    }


def test_keeps_the_first_sight_of_the_day() -> None:
    """Guards `opening` through later polls."""
    first = performance_document(snapshot(account(USDT="100"), [buy(7, "1", "1")]), None)
    later = performance_document(snapshot(account(USDT="50"), time_ms=NOON_MS + 5_000), first)
    assert later["opening"] == first["opening"]
    assert later["opening"]["last_trade_ids"] == {"BTCUSDT": 7}


def test_keeps_the_fee_value_of_the_first_sight() -> None:
    """Guards third-asset fees: valued at the mid then, and only later if it was unknown then."""
    fills = [buy(1, "1", "100", "0.01", "BNB"), buy(2, "1", "100", "0.01", "XYZ")]
    first = performance_document(snapshot(_START, fills, marks={"BNBUSDT": "600"}), None)
    marks = {"BNBUSDT": "900", "XYZUSDT": "5"}
    later = performance_document(snapshot(_START, fills, marks=marks), first)
    assert [entry["fee_in_quote"] for entry in first["trade_history"]] == [Decimal(6), None]
    assert [entry["fee_in_quote"] for entry in later["trade_history"]] == [Decimal(6), Decimal("0.05")]
    assert first["symbols"]["BTCUSDT"]["unvalued_fees"] == {"XYZ": Decimal("0.01")}


def test_adds_symbols_of_one_quote_and_not_of_several() -> None:
    """Guards totals: dollars add up, dollars and coins do not, an average over coins is none."""
    eth = [
        fill(1, Side.BUY, "1", "3000", symbol="ETHUSDT"),
        fill(2, Side.SELL, "1", "3010", symbol="ETHUSDT"),
    ]
    btc = [buy(1, "1", "100"), sell(2, "1", "105")]
    both = performance_document(snapshot(_START, btc + eth, instruments=(BTC, ETH)), None)
    assert both["trades"] | {"pnl": 0} == {
        "total_buys": 2,
        "total_sells": 2,
        "pnl": 0,
        "avg_buy_price": None,
        "avg_sell_price": None,
        "volume": 6_215,
        "fees": {},
        "rebates": {},
    }
    assert both["trades"]["pnl"] == 15
    assert both["symbols"]["ETHUSDT"]["avg_sell_price"] == 3010
    crossed = [*btc, fill(1, Side.BUY, "1", "0.03", symbol="ETHBTC")]
    mixed = performance_document(snapshot(_START, crossed, instruments=(BTC, ETH_IN_BTC)), None)
    assert mixed["trades"]["pnl"] is None
    assert mixed["symbols"]["BTCUSDT"]["pnl"] == 5


def test_goes_on_when_the_desk_trades_another_symbol() -> None:
    """Guards a restart with another symbol: the morning's trades and their PnL stay."""
    morning = performance_document(snapshot(_START, [buy(1, "1", "100"), sell(2, "1", "105")]), None)
    noon = performance_document(snapshot(_START, instruments=(ETH,)), morning)
    assert noon["trades"]["pnl"] == 5
    assert list(noon["symbols"]) == ["ETHUSDT", "BTCUSDT"]


def test_refuses_a_trade_in_an_unknown_symbol() -> None:
    """Guards against a PnL in the wrong asset."""
    with pytest.raises(ValueError, match="is in 'DOGEUSDT', expected one of BTCUSDT"):
        performance_document(snapshot(_START, [fill(1, Side.BUY, "1", "1", symbol="DOGEUSDT")]), None)


def test_lists_open_orders() -> None:
    """Guards what stands beside the fixed keys."""
    order = VenueOrder(
        "7", "c7", "BTCUSDT", Side.SELL, Decimal("91567.77"), Decimal("0.01094"), Decimal(0), "NEW", NOON_MS
    )
    (listed,) = performance_document(snapshot(_START, open_orders=[order]), None)["open_orders"]
    assert (listed["side"], listed["price"], listed["time"]) == (
        "SELL",
        Decimal("91567.77"),
        "2025-11-30T12:00:00.000Z",
    )


def test_adds_late_trades_to_a_day_gone_by() -> None:
    """Guards midnight: a trade after the day's last poll still comes into that day's file, with its PnL."""
    document = performance_document(snapshot(_START, [buy(1, "1", "100")], marks={"BTCUSDT": "101"}), None)
    late = [buy(1, "1", "100"), sell(2, "1", "105"), fill(3, Side.BUY, "1", "1", time_ms=NOON_MS + DAY_MS)]
    completed = with_late_trades(document, late, [BTC], {})
    assert (completed["total_trades"], completed["trades"]["pnl"]) == (2, Decimal(5))
    assert completed["reconciliation"] == document["reconciliation"]
    assert with_late_trades(completed, late, [BTC], {}) is completed


@settings(deadline=None)
@given(FILLS)
def test_reads_back_the_trades_it_wrote(fills: list[VenueTrade]) -> None:
    """Guards the history's own format."""
    rows = history_of(performance_document(snapshot(_START, fills), None))
    assert [row_from_json(row_to_json(row)) for row in rows] == rows


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": True}, "id must be an integer"),
        ({"id": -1}, "id must be an integer"),
        ({"side": "HOLD"}, "side must be BUY or SELL, was 'HOLD'"),
        ({"price": "1"}, "price must be a number, was '1'"),
        ({"qty": Decimal(0)}, "qty must be positive"),
        ({"is_maker": 1}, "is_maker must be true or false"),
        ({"time": "2025-11-30T12:00:01.001Z"}, "time must be 2025-11-30T12:00:01.000Z"),
        ({"time_ms": 10**18}, "time_ms must be an integer from 0 to"),
        ({"fee_asset": None}, "fee_asset must be a text, was 'None'"),
    ],
)
def test_says_what_is_wrong_with_a_recorded_trade(change: dict[str, Any], complaint: str) -> None:
    """Guards reading: the entry and the field are named."""
    document = performance_document(snapshot(_START, [buy(1, "1", "100")]), None)
    document["trade_history"][0] |= change
    with pytest.raises(ValueError, match=r"trade_history\[0\]: " + complaint):
        history_of(document)


def test_notices_a_venue_that_forgot_the_account() -> None:
    """Guards resets: numbers that start again are another account's; the same and newer trades are not."""
    known = history_of(performance_document(snapshot(_START, [buy(5, "1", "100"), sell(6, "1", "105")]), None))
    assert reset_reason(known, [buy(4, "1", "99"), buy(5, "1", "100"), sell(6, "1", "105"), buy(7, "1", "1")]) is None
    assert reset_reason(known, []) is None
    assert reset_reason(known, [buy(5, "2", "100")]) == "trade 5 of BTCUSDT is not the one that was recorded"


def test_takes_no_order_of_times_for_another_account() -> None:
    """Guards a clock that was set back: numbers and times may rise in different orders."""
    known = history_of(performance_document(snapshot(_START, [buy(5, "1", "100"), sell(6, "1", "105")]), None))
    later = fill(1, Side.BUY, "1", "100", time_ms=NOON_MS + 60_000)
    earlier = fill(7, Side.BUY, "1", "100", time_ms=NOON_MS - 3_600_000)
    assert reset_reason(known, [later, earlier]) is None


def test_trusts_one_trade_that_is_as_it_was_recorded() -> None:
    """Guards the account against a single trade that the venue tells otherwise: the known one proves it the same."""
    known = history_of(performance_document(snapshot(_START, [buy(5, "1", "100"), sell(6, "1", "105")]), None))
    assert reset_reason(known, [buy(5, "2", "100"), sell(6, "1", "105")]) is None
    assert reset_reason(known, [buy(5, "2", "100")]) is not None


def test_takes_the_other_half_of_a_trade_with_itself() -> None:
    """Guards files that hold one half: the other is no stranger, but a trade of another price is."""
    known = history_of(performance_document(snapshot(_START, [fill(5, Side.BUY, "1", "100", order_id="a")]), None))
    assert reset_reason(known, [fill(5, Side.SELL, "1", "100", order_id="b")]) is None
    assert reset_reason(known, [fill(5, Side.SELL, "1", "101", order_id="b")]) is not None
    assert reset_reason(known, [fill(5, Side.BUY, "1", "100", order_id="b")]) is not None


def test_tells_by_time_what_the_opening_holds_of_a_symbol_that_was_not_watched_then() -> None:
    """Guards `report --symbol` in the middle of a day: to the ms, what is not later than the opening is in it."""
    start = account(BTC="1", USDT="10000", ETH="5")
    first = performance_document(snapshot(start), None)
    trades = [
        fill(1, Side.BUY, "1", "3000", symbol="ETHUSDT", time_ms=NOON_MS),
        fill(2, Side.SELL, "2", "3100", symbol="ETHUSDT", time_ms=NOON_MS + 1),
    ]
    now = account(BTC="1", USDT="16200", ETH="3")
    document = performance_document(snapshot(now, trades, instruments=(ETH, BTC), time_ms=NOON_MS + 2), first)
    assert document["reconciliation"] == {"is_exact": True, "trades_since_opening": 1, "differences": {}}


def test_keeps_its_figures_in_order_however_trades_come() -> None:
    """Guards the day in memory: a trade that is told late takes its place, and the newest number is the newest."""
    fills = [buy(1, "1", "100"), sell(2, "1", "105"), buy(3, "1", "90"), sell(4, "2", "99")]
    expected = performance_document(snapshot(_START, fills), None)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)):
        book = DayBook(DAY, {"BTCUSDT": BTC})
        for index in order:
            book.add([fills[index]], {})
            assert book.newest["BTCUSDT"].trade.trade_id == 1 + max(order[: order.index(index) + 1])
        assert [row.trade for row in book.rows] == fills
        assert book.figures({})["symbols"] == expected["symbols"]
        assert len(book.lines.texts) == 4


def test_holds_the_identity_where_the_venue_rounds_the_money() -> None:
    """Guards `identity_gap` itself: what moved is `quote_qty`, and a wrong figure does not pass for a right one."""
    for book, gap in ((FifoBook("BTC"), 0), (_WrongBook("BTC"), 1)):
        for trade in (buy(1, "0.5", "0.00000003"), sell(2, "0.25", "7")):
            book.apply(replace(trade, quote_qty=trade.quote_qty.quantize(Decimal("0.00000001"))), Fraction(0))
            assert book.identity_gap(Decimal(5)) == gap


class _WrongBook(FifoBook):
    @property
    def realized_gross(self) -> Fraction:
        return super().realized_gross + 1
