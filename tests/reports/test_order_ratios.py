"""The ratios of the orders that the maker has placed on a day."""

from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, ETH, account, buy, fill, snapshot
from tests.reports.json_schema import faults_written


@pytest.mark.parametrize(
    ("count", "orders", "filled", "fill_ratio", "order_to_trade"),
    [
        (3, 8, 2, {"value": Decimal("0.25"), "n": 8}, {"value": Decimal("2.666667"), "n": 3}),
        (3, 1, 1, {"value": 1, "n": 1}, {"value": Decimal("0.333333"), "n": 3}),
        (0, 8, 0, {"value": 0, "n": 8}, {"value": None, "n": 0, "why": "there are no trades"}),
        (3, 0, 0, *[{"value": None, "n": 0, "why": "no order is known to have been placed"}] * 2),
        (3, None, None, *[{"value": None, "n": 0, "why": "how many orders were placed is not known"}] * 2),
        (0, None, None, *[{"value": None, "n": 0, "why": "there are no trades"}] * 2),
    ],
)
def test_says_what_became_of_the_orders_that_were_placed(
    count: int, orders: int | None, filled: int | None, fill_ratio: JsonObject, order_to_trade: JsonObject
) -> None:
    """By hand, of 8 orders two that traded in three parts; what the account trades elsewhere is none of them."""
    fills = [*[buy(number, "1", "100") for number in range(1, count + 1)], *[_ether(9)] * bool(count)]
    sums = {"count": 0, "notional": 0, "markout": 0, "markout_bps": None}
    quoting = {"presence": 0, "within": 0, "target": 0, "minutes": 0, "minutes_on_target": 0, "symbol": "BTCUSDT"}
    quoting |= {"fills": sums, "picked_off": sums}
    quoting |= {} if orders is None else {"orders": orders, "orders_filled": filled}
    seen = replace(snapshot(account(BTC="1", USDT="1000"), fills, instruments=(BTC, ETH)), quoting=quoting)
    document = performance_document(seen, None)
    found = document["metrics"]
    assert (found["fill_ratio"], found["order_to_trade"]) == (fill_ratio, order_to_trade)
    assert faults_written(document) == []


def _ether(number: int) -> VenueTrade:
    return fill(number, Side.BUY, "1", "3000", symbol="ETHUSDT")
