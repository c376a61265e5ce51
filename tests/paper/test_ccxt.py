"""Real ccxt against the exchange on a real socket, unmodified but for the URL."""

from typing import Any

import ccxt
import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from tests.paper.clients import BTC, ccxt_settings
from tests.paper.desk import ALICE, BOB
from tests.paper.server import Server

pytestmark = pytest.mark.usefixtures("loopback_only")


def client(server: Server, account: int = ALICE, **changes: Any) -> Any:
    """Return a ccxt client of an account; its calls all go to the server."""
    return ccxt.binance(ccxt_settings(server, account, **changes))


@pytest.fixture
def alice(server: Server) -> Any:
    """The first account's client."""
    return client(server)


def test_load_markets_reads_ticks_lots_and_limits(alice: Any) -> None:
    """exchangeInfo, filters and all."""
    market = alice.load_markets()[BTC]
    assert market["active"]
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 0.00001
    assert market["limits"]["cost"]["min"] == 5
    assert "ETH/USDT" in alice.markets


def test_fetch_time_is_the_exchanges_clock(server: Server, alice: Any) -> None:
    """/time, which clients resynchronise by."""
    server.clock_offset_ns = 3_600 * NS_PER_SECOND
    assert alice.fetch_time() - alice.milliseconds() == pytest.approx(3_600_000, abs=5_000)


def test_fetch_balance_shows_free_and_locked(alice: Any) -> None:
    """account."""
    balance = alice.fetch_balance()
    assert balance["BTC"] == {"free": 1, "used": 0, "total": 1}
    assert balance["USDT"]["total"] == 10_000
    assert len(balance["total"]) > 102
    alice.create_order(BTC, "limit", "buy", 0.01094, 91202.23)
    assert alice.fetch_balance()["USDT"]["used"] == pytest.approx(997.7523962)


def test_an_order_is_placed_found_and_cancelled(alice: Any) -> None:
    """order POST, GET, DELETE; openOrders, allOrders."""
    placed = alice.create_order(BTC, "limit", "buy", 0.01094, 91202.23, {"newClientOrderId": "mine"})
    assert (placed["status"], placed["price"], placed["amount"], placed["filled"]) == ("open", 91202.23, 0.01094, 0)
    assert placed["clientOrderId"] == "mine"
    assert alice.fetch_order(placed["id"], BTC)["status"] == "open"
    assert alice.fetch_order(None, BTC, {"origClientOrderId": "mine"})["id"] == placed["id"]
    assert [order["id"] for order in alice.fetch_open_orders(BTC)] == [placed["id"]]
    assert alice.cancel_order(placed["id"], BTC)["status"] == "canceled"
    assert alice.fetch_open_orders(BTC) == []
    assert [order["status"] for order in alice.fetch_orders(BTC)] == ["canceled"]


def test_a_post_only_order_rests_or_is_refused(server: Server, alice: Any) -> None:
    """LIMIT_MAKER."""
    server.flow(Side.SELL, "91000", "1")
    assert alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"postOnly": True})["status"] == "open"
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        alice.create_order(BTC, "limit", "buy", 0.01, 91000, {"postOnly": True})


def test_a_market_order_fills_with_fees_and_trades(server: Server, alice: Any) -> None:
    """newOrderRespType FULL, myTrades."""
    server.flow(Side.SELL, "91000", "0.02")
    order = alice.create_order(BTC, "market", "buy", 0.01)
    assert (order["status"], order["filled"], order["average"], order["cost"]) == ("closed", 0.01, 91000, 910)
    (fill,) = order["trades"]
    (trade,) = alice.fetch_my_trades(BTC)
    assert trade["id"] == fill["id"]
    assert (trade["side"], trade["price"], trade["amount"], trade["takerOrMaker"]) == ("buy", 91000, 0.01, "taker")
    assert trade["fee"] == {"cost": 0, "currency": "BTC"}
    bought = alice.create_order(BTC, "market", "buy", 100, None, {"quoteOrderQty": 100})
    assert 99 < bought["cost"] <= 100


def test_the_latest_hundred_trades_come_oldest_first(server: Server, alice: Any) -> None:
    """myTrades?limit=100, what the tracker asks."""
    alice.create_order(BTC, "limit", "buy", 0.1, 90000)
    for _ in range(120):
        server.flow(Side.SELL, "90000", "0.0001")
    trades = alice.fetch_my_trades(BTC, None, 100)
    ids = [int(trade["id"]) for trade in trades]
    assert len(ids) == 100
    assert ids == sorted(ids)
    assert ids[-1] % 10**10 == 120
    since = alice.fetch_my_trades(BTC, None, 10, {"fromId": ids[50]})
    assert [int(trade["id"]) for trade in since] == ids[50:60]


def test_cancel_all_orders_cancels_them_all(alice: Any) -> None:
    """DELETE openOrders; with none open Binance says -2011."""
    for price in (90000, 90001, 90002):
        alice.create_order(BTC, "limit", "buy", 0.01, price)
    cancelled = alice.cancel_all_orders(BTC)
    assert [order["status"] for order in cancelled] == ["canceled"] * 3
    with pytest.raises(ccxt.OrderNotFound):
        alice.cancel_all_orders(BTC)


def test_the_public_market_is_told(server: Server, alice: Any) -> None:
    """ticker, depth, aggTrades, trades, klines, avgPrice's neighbours."""
    server.flow(Side.SELL, "91000", "0.5")
    server.flow(Side.BUY, "91000", "0.2")
    server.flow(Side.BUY, "90900", "0.4")
    ticker = alice.fetch_ticker(BTC)
    assert (ticker["last"], ticker["bid"], ticker["ask"]) == (91000, 90900, 91000)
    assert ticker["baseVolume"] >= 0.2
    assert alice.fetch_order_book(BTC)["asks"] == [[91000, 0.3]]
    assert alice.fetch_order_book(BTC, 5)["bids"] == [[90900, 0.4]]
    trade = alice.fetch_trades(BTC)[-1]
    assert (trade["price"], trade["amount"], trade["side"]) == (91000, 0.2, "buy")
    recent = alice.fetch_trades(BTC, None, 1, {"fetchTradesMethod": "publicGetTrades"})
    assert recent[-1]["amount"] == 0.2
    assert alice.fetch_ohlcv(BTC, "1m")[-1][4] == 91000
    assert alice.fetch_bids_asks([BTC])[BTC]["bid"] == 90900
    assert BTC in alice.fetch_tickers()
    assert alice.fetch_last_prices([BTC])[BTC]["price"] == 91000


def test_refusals_come_as_the_exceptions_that_bots_catch(server: Server, alice: Any) -> None:
    """Codes and texts are Binance's, so ccxt's mapping works."""
    with pytest.raises(ccxt.InsufficientFunds):
        alice.create_order(BTC, "limit", "buy", 1, 91000)
    with pytest.raises(ccxt.OrderNotFound):
        alice.cancel_order("1", BTC)
    with pytest.raises(ccxt.OrderNotFound):
        alice.fetch_order("1", BTC)
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        alice.create_order(BTC, "limit", "buy", 0.00001, 91000)
    with pytest.raises(ccxt.InvalidOrder, match="LOT_SIZE"):
        alice.create_order(BTC, "limit", "buy", 10_000, 91000)
    alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"newClientOrderId": "mine"})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"newClientOrderId": "mine"})


def test_bad_keys_are_refused(server: Server) -> None:
    """A key that nobody has, one that is no key, a wrong secret."""
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        client(server, apiKey="A" * 64).fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-2014"):
        client(server, apiKey="short").fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        client(server, secret="B" * 64).fetch_balance()


def test_a_clock_that_is_off_is_told(server: Server, alice: Any) -> None:
    """-1021, which ccxt resynchronises on."""
    for offset_s in (-3_600, 3_600):
        server.clock_offset_ns = offset_s * NS_PER_SECOND
        with pytest.raises(ccxt.InvalidNonce):
            alice.fetch_balance()
    alice.load_time_difference()
    alice.options["adjustForTimeDifference"] = True
    assert alice.fetch_balance()["BTC"]["total"] == 1


def test_an_engine_that_does_not_answer_leaves_the_order_unknown(server: Server, alice: Any) -> None:
    """-1007: the order may still be executed, and here it is."""
    server.is_answering = False
    with pytest.raises(ccxt.RequestTimeout):
        alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"newClientOrderId": "mine"})
    assert alice.fetch_order(None, BTC, {"origClientOrderId": "mine"})["info"]["status"] == "PENDING_NEW"
    server.is_answering = True
    server.call(lambda desk: desk.engine.pump(desk.exchange))
    assert alice.fetch_order(None, BTC, {"origClientOrderId": "mine"})["status"] == "open"


def test_an_absent_engine_refuses_orders_and_answers_questions(server: Server, alice: Any) -> None:
    """-1001 with a JSON body."""
    server.call(lambda desk: setattr(desk.engine, "is_connected", False))
    with pytest.raises(ccxt.OperationFailed, match="-1001"):
        alice.create_order(BTC, "limit", "buy", 0.01, 90000)
    assert alice.fetch_balance()["USDT"]["used"] == 0


def test_two_accounts_trade_with_each_other(server: Server, alice: Any) -> None:
    """Each sees its own side."""
    bob = client(server, BOB)
    maker = alice.create_order(BTC, "limit", "sell", 0.01, 91000)
    taker = bob.create_order(BTC, "limit", "buy", 0.01, 92000)
    assert (taker["status"], taker["average"]) == ("closed", 91000)
    assert alice.fetch_order(maker["id"], BTC)["status"] == "closed"
    assert alice.fetch_balance()["USDT"]["free"] == 10_910
    assert bob.fetch_balance()["BTC"]["free"] == 1.01
    with pytest.raises(ccxt.OrderNotFound):
        bob.fetch_order(maker["id"], BTC)


def test_an_order_is_edited(server: Server, alice: Any) -> None:
    """cancelReplace, which is what ccxt edits a spot order with."""
    placed = alice.create_order(BTC, "limit", "buy", 0.01, 90000)
    edited = alice.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 89000)
    assert edited["id"] != placed["id"]
    assert [(order["price"], order["amount"]) for order in alice.fetch_open_orders(BTC)] == [(89000, 0.02)]
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        alice.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 88000)


def test_an_order_is_amended_in_its_place(server: Server, alice: Any) -> None:
    """order/amend/keepPriority, which ccxt signs though it has no method for it."""
    placed = alice.create_order(BTC, "limit", "buy", 0.03, 90000)
    request = {"symbol": "BTCUSDT", "orderId": placed["id"], "newQty": 0.02}
    amended = alice.request("order/amend/keepPriority", ["private"], "PUT", request)
    assert amended["amendedOrder"]["qty"] == "0.02000000"
    server.flow(Side.SELL, "90000", "0.01")
    found = alice.fetch_order(placed["id"], BTC)
    assert (found["amount"], found["filled"], found["remaining"]) == (0.02, 0.01, 0.01)


def test_an_order_may_be_tried_without_being_placed(alice: Any) -> None:
    """order/test, ping, avgPrice: what a bot asks before it begins."""
    alice.create_order(BTC, "limit", "buy", 0.01, 90000, {"test": True})
    assert alice.fetch_open_orders(BTC) == []
    assert alice.public_get_ping() == {}
    assert alice.public_get_avgprice({"symbol": "BTCUSDT"})["mins"] == 5


def test_orders_that_wait_and_icebergs_are_placed(server: Server, alice: Any) -> None:
    """STOP_LOSS, STOP_LOSS_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, icebergQty."""
    server.flow(Side.SELL, "90000", "0.01")
    server.flow(Side.BUY, "90000", "0.01")
    stop = alice.create_order(BTC, "limit", "sell", 0.01, 84000, {"stopLossPrice": 85000})
    profit = alice.create_order(BTC, "market", "sell", 0.01, None, {"takeProfitPrice": 95000})
    iceberg = alice.create_order(BTC, "limit", "sell", 0.05, 99000, {"icebergQty": 0.01, "timeInForce": "GTC"})
    assert [alice.fetch_order(order["id"], BTC)["info"]["type"] for order in (stop, profit, iceberg)] == [
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT",
        "LIMIT",
    ]
    assert alice.fetch_order(stop["id"], BTC)["stopPrice"] == 85000
    assert alice.fetch_order_book(BTC)["asks"] == [[99000, 0.01]]
    with pytest.raises(ccxt.OrderImmediatelyFillable, match="trigger immediately"):
        alice.create_order(BTC, "limit", "sell", 0.01, 84000, {"stopLossPrice": 95000})
    server.flow(Side.BUY, "94000", "0.01")
    server.flow(Side.BUY, "95000", "0.01")
    server.flow(Side.SELL, "95000", "0.01")
    assert alice.fetch_order(profit["id"], BTC)["average"] == 94000


def test_a_stop_trails_the_price(server: Server, alice: Any) -> None:
    """trailingDelta in basis points, as ccxt's own example for Binance's spot market gives it."""
    server.flow(Side.SELL, "90000", "0.01")
    server.flow(Side.BUY, "90000", "0.01")
    stop = alice.create_order(BTC, "STOP_LOSS_LIMIT", "sell", 0.01, 89000, {"trailingDelta": 100})
    for price in ("92000", "91100"):
        server.flow(Side.SELL, price, "0.01")
        server.flow(Side.BUY, price, "0.01")
    info = alice.fetch_order(stop["id"], BTC)["info"]
    assert (info["trailingDelta"], info["isWorking"]) == (100, False)
    server.flow(Side.BUY, "91080", "0.02")
    server.flow(Side.SELL, "91080", "0.01")
    found = alice.fetch_order(stop["id"], BTC)
    assert (found["status"], found["average"]) == ("closed", 91080)


def test_order_lists_are_placed_asked_for_and_cancelled(server: Server, alice: Any) -> None:
    """orderList/oco, oto, otoco and the old order/oco, as ccxt sends them; a leg is cancelled as any order."""
    for side in (Side.SELL, Side.BUY):
        server.flow(side, "90000", "0.01")
    pair = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01"}
    above, below = {"aboveType": "LIMIT_MAKER", "abovePrice": "95000"}, {"belowType": "STOP_LOSS"}
    placed = alice.private_post_orderlist_oco(pair | above | below | {"belowStopPrice": "85000"})
    assert [order["type"] for order in alice.fetch_open_orders(BTC)] == ["market", "limit"]
    assert alice.private_get_orderlist({"orderListId": placed["orderListId"]})["contingencyType"] == "OCO"
    alice.cancel_order(placed["orders"][0]["orderId"], BTC)
    assert alice.fetch_open_orders(BTC) == []
    old = {"price": "95000", "stopPrice": "85000", "stopLimitPrice": "84000", "stopLimitTimeInForce": "GTC"}
    alice.private_post_order_oco(pair | old)
    assert len(alice.private_get_openorderlist()) == 1
    alice.cancel_all_orders(BTC)
    assert alice.private_get_openorderlist() == []
    working = {"workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "89000", "workingQuantity": "0.01"}
    working |= {"symbol": "BTCUSDT", "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.01"}
    alice.private_post_orderlist_oto(working | {"pendingType": "LIMIT_MAKER", "pendingPrice": "95000"})
    legs = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "95000", "pendingBelowType": "STOP_LOSS"}
    placed = alice.private_post_orderlist_otoco(working | legs | {"pendingBelowStopPrice": "85000"})
    gone = alice.private_delete_orderlist({"symbol": "BTCUSDT", "orderListId": placed["orderListId"]})
    assert [each["status"] for each in gone["orderReports"]] == ["CANCELED"] * 3
    server.flow(Side.SELL, "89000", "0.01")
    server.wait_until(lambda desk: desk.engine.is_idle)
    (pending,) = alice.fetch_open_orders(BTC)
    assert (pending["side"], pending["price"], pending["status"]) == ("sell", 95000, "open")
    assert len(alice.private_get_allorderlist()) == 4
    with pytest.raises(ccxt.ExchangeError, match="relationship of the prices"):
        alice.private_post_orderlist_oco(pair | above | below | {"belowStopPrice": "96000"})


def test_fees_and_limits_are_told(alice: Any) -> None:
    """account/commission, rateLimit/order."""
    assert alice.private_get_account_commission({"symbol": "BTCUSDT"})["standardCommission"]["maker"] == "0.00000000"
    alice.create_order(BTC, "limit", "buy", 0.01, 90000)
    ten_seconds, day = alice.private_get_ratelimit_order()
    assert (ten_seconds["limit"], day["limit"]) == (50, 160_000)
    assert int(day["count"]) >= 1
