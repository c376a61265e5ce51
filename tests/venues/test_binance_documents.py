"""Binance's documents, field by field: what each becomes, and that nothing else passes for one."""

from decimal import Decimal
from typing import Any

import pytest

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth, Level
from tests.pairs import default_instruments
from venues.binance_documents import UNREADABLE, account_of, depth_of, order_of, orders_of, trade_of, trades_of

BTCUSDT = default_instruments()[0]
TRADE = {
    "symbol": "BTCUSDT", "id": 28, "orderId": 100, "orderListId": -1, "price": "91000.10000000", "qty": "0.01000000",
    "quoteQty": "910.00100000", "commission": "0.00001000", "commissionAsset": "BTC", "time": 1_499_865_549_590,
    "isBuyer": True, "isMaker": False, "isBestMatch": True,
}  # fmt: skip
ORDER = {
    "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "mine", "price": "91000.00000000", "origQty": "0.01000000",
    "executedQty": "0.00400000", "status": "PARTIALLY_FILLED", "side": "SELL", "time": 5, "updateTime": 9,
}  # fmt: skip


def test_reads_a_trade_of_either_side() -> None:
    """A side or a role that is swapped turns every profit into a loss."""
    bought = VenueTrade(
        28, "100", "BTCUSDT", Side.BUY, Decimal("91000.1"), Decimal("0.01"), Decimal("910.001"), Decimal("0.00001"),
        "BTC", 1_499_865_549_590, is_maker=False,
    )  # fmt: skip
    assert trade_of(TRADE, "BTCUSDT") == bought
    sold = trade_of({**TRADE, "isBuyer": False, "isMaker": True}, "BTCUSDT")
    assert (sold.side, sold.is_maker) == (Side.SELL, True)


def test_reads_an_order_by_its_own_id() -> None:
    """A cancel has an id of its own; the order's is the original one."""
    order = VenueOrder(
        "7", "mine", "BTCUSDT", Side.SELL, Decimal(91_000), Decimal("0.01"), Decimal("0.004"), "PARTIALLY_FILLED", 5
    )
    assert order_of(ORDER) == order
    assert order_of({**ORDER, "clientOrderId": "the cancel", "origClientOrderId": "mine"}) == order
    answered = {name: value for name, value in ORDER.items() if name != "time"} | {"transactTime": 5}
    assert order_of(answered) == order


def test_lists_are_oldest_first() -> None:
    """Whatever the order of the answer."""
    assert [order.order_id for order in orders_of([{**ORDER, "orderId": 10}, ORDER])] == ["7", "10"]
    assert [trade.trade_id for trade in trades_of([{**TRADE, "id": 100}, TRADE], "BTCUSDT")] == [28, 100]


def test_reads_balances_and_the_book() -> None:
    """Free and locked, bids and asks."""
    document = {"uid": 1, "balances": [{"asset": "BTC", "free": "0.90000000", "locked": "0.10000000"}]}
    assert account_of(document) == VenueAccount("1", {"BTC": Balance(Decimal("0.9"), Decimal("0.1"))})
    book = {"lastUpdateId": 1, "bids": [["91000.00", "1.00000000"]], "asks": [["91000.01", "0.00001000", []]]}
    assert depth_of(book, BTCUSDT) == Depth((Level(9_100_000, 100_000),), (Level(9_100_001, 1),))


@pytest.mark.parametrize("read", [orders_of, lambda each: trades_of(each, "BTCUSDT"), account_of, order_of])
@pytest.mark.parametrize("page", [{}, "<html>", None, 1, {"balances": {}}, [1], [[]], {"code": -1000, "msg": "x"}])
def test_takes_no_page_for_a_document(read: Any, page: object) -> None:
    """An empty page is not an account without orders."""
    with pytest.raises(UNREADABLE):
        read(page)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "1E+300000", "1E-300000", "", None])
def test_what_is_no_number_or_takes_for_ever_is_unreadable(number: Any) -> None:
    """NaN cannot be compared; to count a price of 300,000 digits in ticks takes seconds."""
    for read in (
        lambda: order_of({**ORDER, "executedQty": number}),
        lambda: trade_of({**TRADE, "commission": number}, "BTCUSDT"),
        lambda: account_of({"balances": [{"asset": "BTC", "free": number, "locked": "0"}]}),
    ):
        with pytest.raises(UNREADABLE):
            read()
