"""Rate limits: what is counted, who is refused for how long, and what they are told."""

from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from paper.access.accounts import Accounts
from paper.access.usage import Usage
from paper.errors import ErrorKind, ExchangeError
from paper.latency import Latency
from paper.rest import HttpSettings, create_app
from tests.paper.clients import listening
from tests.paper.desk import Desk
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, order, send, signed

ALICE, BOB = 1, 2
HERE, THERE = "127.0.0.1", "127.0.0.2"
MINUTE_S = 60 * 29_500_000  # a minute begins


def refusal(usage: Usage, address: str, weight: int, now_s: int) -> ExchangeError | None:
    """Charge a request and return why it is refused, or None."""
    try:
        usage.charge_weight(address, weight, now_s)
    except ExchangeError as error:
        return error
    return None


def test_an_address_has_its_weight_for_each_minute() -> None:
    """6,000; the next minute begins anew, and another address has its own."""
    usage = Usage()
    assert refusal(usage, HERE, 6_000, MINUTE_S) is None
    over = refusal(usage, HERE, 1, MINUTE_S + 50)
    assert over is not None
    assert (over.kind, over.status, over.retry_after_s) == (ErrorKind.TOO_MUCH_WEIGHT, 429, 10)
    assert refusal(usage, THERE, 6_000, MINUTE_S + 50) is None
    assert refusal(usage, HERE, 6_000, MINUTE_S + 60) is None


def test_an_address_that_goes_on_is_banned_each_time_for_longer() -> None:
    """418: for two minutes, then four, at most for three days."""
    usage, now_s, bans_s = Usage(), MINUTE_S, []
    for _ in range(14):
        usage.charge_weight(HERE, 6_000, now_s)
        refused = [refusal(usage, HERE, 1, now_s) for _ in range(101)]
        assert [error.status for error in refused if error] == [429] * 100 + [418]
        last = refused[-1]
        assert last is not None
        assert last.retry_after_s is not None
        bans_s.append(last.retry_after_s)
        now_s += last.retry_after_s + 60
    assert bans_s[:3] == [120, 240, 480]
    assert bans_s[-1] == 3 * 86_400
    assert refusal(usage, HERE, 1, now_s) is None


def test_orders_of_an_earlier_process_count_on(desk: Desk) -> None:
    """Those of today and of these ten seconds that have not traded; kill -9 is no way to more orders."""
    desk.engine.time_ns = MINUTE_S * NS_PER_SECOND - 1
    desk.place(ALICE, desk.request(Side.BUY, "80000", "0.01"))
    desk.engine.time_ns += 1
    for price in ("90000", "89000", "88000"):
        desk.place(ALICE, desk.request(Side.BUY, price, "0.01"))
    desk.cancel(desk.place(BOB, desk.request(Side.BUY, "80000", "0.01")))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.001")
    desk.kill()
    now_ns = (MINUTE_S + 9) * NS_PER_SECOND
    http = HttpSettings(name="begun_again")
    app = create_app(desk.exchange, Accounts({}), http, latency=Latency(), clock=lambda: now_ns)
    usage: Usage = app.ctx.usage
    for account, counts in ((ALICE, [2, 3]), (BOB, [1, 1])):
        assert [each["count"] for each in usage.documents(None, account, MINUTE_S + 9)] == counts
    assert [each["count"] for each in usage.documents(None, ALICE, MINUTE_S + 10)] == [0, 3]


def test_an_account_has_its_orders() -> None:
    """50 in ten seconds; a refused order is not counted, one that trades is given back."""
    usage = Usage()
    for _ in range(50):
        usage.charge_orders(ALICE, 1, MINUTE_S)
    with pytest.raises(ExchangeError, match="50 orders per 10 SECOND") as caught:
        usage.charge_orders(ALICE, 1, MINUTE_S + 3)
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, -1015, 7)
    usage.charge_orders(BOB, 1, MINUTE_S)
    usage.give_back_orders(ALICE, 1, MINUTE_S + 3)
    usage.charge_orders(ALICE, 1, MINUTE_S + 3)
    assert usage.headers(HERE, ALICE, MINUTE_S + 3)["X-MBX-ORDER-COUNT-10S"] == "50"
    usage.charge_orders(ALICE, 1, MINUTE_S + 10)


def test_a_list_that_fails_after_a_leg_has_traded_leaves_no_credit() -> None:
    """The leg was given back by its fill, and the list gives all its legs back: no more than were counted."""
    usage = Usage()
    usage.charge_orders(ALICE, 3, MINUTE_S)
    usage.give_back_orders(ALICE, 1, MINUTE_S)
    usage.give_back_orders(ALICE, 3, MINUTE_S)
    assert [each["count"] for each in usage.documents(None, ALICE, MINUTE_S)] == [0, 0]


def test_limits_that_are_off_still_count() -> None:
    """Clients go by the headers."""
    usage = Usage(is_limiting=False)
    for _ in range(200):
        usage.charge_weight(HERE, 100, MINUTE_S)
        usage.charge_orders(ALICE, 1, MINUTE_S)
    headers = usage.headers(HERE, ALICE, MINUTE_S)
    assert (headers["X-MBX-USED-WEIGHT-1M"], headers["X-MBX-ORDER-COUNT-10S"]) == ("20000", "200")


class Looked(dict[Hashable, tuple[int, int]]):
    """Counts how often all are looked at."""

    look_count = 0

    def items(self) -> Any:
        """See dict."""
        type(self).look_count += 1
        return super().items()


def test_many_addresses_are_not_remembered_for_ever() -> None:
    """Those of minutes that are over are forgotten when there are too many."""
    usage = Usage()
    for number in range(60_000):
        usage.charge_weight(str(number), 1, MINUTE_S + 60 * (number // 5_000))
    assert len(usage._weight._used) <= 15_000


def test_many_addresses_of_one_minute_cost_no_look_at_all_of_them_each() -> None:
    """Guards against a flood that nothing can be forgotten of: each request would cost more than the last."""
    usage = Usage()
    Looked.look_count = 0
    for number in range(50_000):
        if not isinstance(usage._weight._used, Looked):
            usage._weight._used = Looked(usage._weight._used)
        usage.charge_weight(str(number), 1, MINUTE_S)
    assert len(usage._weight._used) == 50_000, "one was forgotten within its minute"
    assert 0 < Looked.look_count < 5


def test_a_client_over_the_limit_is_told_when_to_come_back(server: Server) -> None:
    """429 and Retry-After over HTTP, retryAfter over the socket, 418 for who goes on."""
    server.usage.is_limiting = True
    server.clock_offset_ns = (60 - server.now_s() % 60) * NS_PER_SECOND  # a minute has just begun
    with listening(server, "/ws-api/v3") as listener:
        server.usage.charge_weight(HERE, 5_900, server.now_s())
        statuses = [send(server, "GET", "exchangeInfo") for _ in range(8)]
        status, document, headers = statuses[-1]
        assert (status, document["code"]) == (429, -1003)
        assert 0 < int(headers["RETRY-AFTER"]) <= 60
        reply = listener.ask(id=1, method="time")
        assert (reply["status"], reply["error"]["code"]) == (429, -1003)
        assert reply["error"]["data"]["retryAfter"] > reply["error"]["data"]["serverTime"]
        for _ in range(100):
            status, document, headers = send(server, "GET", "ping")
        assert (status, document["code"]) == (418, -1003)
        assert int(headers["RETRY-AFTER"]) > 60
    server.forget_usage()
    assert send(server, "GET", "ping")[0] == 200


def test_only_unfilled_orders_count(server: Server) -> None:
    """An order that trades is given back; too many that do not are refused with -1015."""
    server.usage.is_limiting = True
    server.flow(Side.SELL, "91000", "0.5")
    for _ in range(20):
        filled = order(server, price="91000", quantity="0.001")
        assert filled[1]["status"] == "FILLED"
    assert int(order(server, quantity="0.001")[2]["X-MBX-ORDER-COUNT-10S"]) <= 2
    replies = [order(server, quantity="0.001") for _ in range(110)]  # two windows at most
    refused = next(reply for reply in replies if reply[0] != 200)
    assert (refused[0], refused[1]["code"]) == (429, -1015)
    assert 0 < int(refused[2]["RETRY-AFTER"]) <= 10


def test_an_order_is_given_back_by_its_first_fill_alone(server: Server) -> None:
    """The next parts give nothing back, which would be another order's."""
    begin_minute(server)
    timestamp = server.now_s() * 1_000
    for price in ("90000", "89000", "88000"):
        assert order(server, price=price, quantity="0.01", timestamp=timestamp)[0] == 200
    for _ in range(3):
        server.flow(Side.SELL, "90000", "0.003")
    counts = send(server, "GET", "rateLimit/order", query=signed(server, timestamp=timestamp))[1]
    assert [each["count"] for each in counts] == [2, 2]


def weight_of(server: Server, method: str, path: str, **values: object) -> tuple[int, int]:
    """Return the status of a signed call and what it weighed."""
    before = int(send(server, "GET", "ping")[2]["X-MBX-USED-WEIGHT-1M"])
    status, _, headers = send(server, method, path, query=signed(server, **values))
    return status, int(headers["X-MBX-USED-WEIGHT-1M"]) - before


def begin_minute(server: Server) -> None:
    """Let a minute, and so ten seconds, have just begun."""
    server.clock_offset_ns = (60 - server.now_s() % 60) * NS_PER_SECOND


def test_orders_and_cancels_weigh_nothing_if_they_are_done(server: Server) -> None:
    """And their documented weight if they fail; a test of an order, a query and an amend weigh what they did."""
    begin_minute(server)
    timestamp = server.now_s() * 1_000
    bid = LIMIT_BUY | {"timestamp": timestamp}
    id_of = {"symbol": "BTCUSDT", "origClientOrderId": "a", "timestamp": timestamp}
    smaller = id_of | {"newQty": "0.009", "newClientOrderId": "a"}
    pair = {"aboveType": "LIMIT_MAKER", "abovePrice": "99000", "belowType": "STOP_LOSS", "belowStopPrice": "80000"}
    assert weight_of(server, "POST", "order", **bid, newClientOrderId="a") == (200, 0)
    assert weight_of(server, "POST", "order", **bid, newClientOrderId="a") == (400, 1)
    assert weight_of(server, "POST", "order/test", **bid) == (200, 1)
    assert weight_of(server, "PUT", "order/amend/keepPriority", **smaller) == (200, 4)
    assert weight_of(server, "DELETE", "order", **id_of) == (200, 0)
    assert weight_of(server, "DELETE", "order", **id_of) == (400, 1)
    assert weight_of(server, "DELETE", "openOrders", symbol="BTCUSDT", timestamp=timestamp) == (400, 1)
    replace = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 1}
    assert weight_of(server, "POST", "order/cancelReplace", **bid, **replace) == (400, 1)
    oco = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.001", "timestamp": timestamp}
    assert weight_of(server, "POST", "orderList/oco", **oco, **pair) == (200, 0)
    assert weight_of(server, "DELETE", "openOrders", symbol="BTCUSDT", timestamp=timestamp) == (200, 0)
    assert weight_of(server, "POST", "orderList/oco", **oco | {"quantity": "9"}, **pair) == (400, 1)


def test_a_request_that_fails_in_the_next_minute_is_charged_there() -> None:
    """A late failure must not bring an old minute back, in which the address had used nothing."""
    usage, now_s = Usage(), [MINUTE_S + 59]
    with suppress(ExchangeError), usage.charged(HERE, 1, lambda: now_s[0], is_free=True):
        now_s[0] += 1
        usage.charge_weight(HERE, 5_999, now_s[0])
        raise ExchangeError(ErrorKind.TIMEOUT)
    assert usage.headers(HERE, None, now_s[0])["X-MBX-USED-WEIGHT-1M"] == "6000"


def test_an_address_has_its_requests_whatever_they_weigh() -> None:
    """300,000 in five minutes; connections of sockets are counted on their own."""
    usage = Usage()
    for number in range(300_000):
        usage.charge_weight(HERE, 0, MINUTE_S + number // 1_000)
    over = refusal(usage, HERE, 0, MINUTE_S + 299)
    assert over is not None
    assert (over.kind, over.status, over.retry_after_s) == (ErrorKind.TOO_MANY_REQUESTS, 429, 1)
    assert refusal(usage, HERE, 0, MINUTE_S + 300) is None
    assert [usage.charge_connection(HERE, MINUTE_S) for _ in range(301)] == [True] * 300 + [False]
    assert usage.charge_connection(THERE, MINUTE_S)
    assert usage.charge_connection(HERE, MINUTE_S + 300)


def test_orders_of_a_list_count_together_or_not_at_all() -> None:
    """49 are there: a pair is refused, and one order still fits."""
    usage = Usage()
    usage.charge_orders(ALICE, 49, MINUTE_S)
    with pytest.raises(ExchangeError, match="50 orders per 10 SECOND"):
        usage.charge_orders(ALICE, 2, MINUTE_S)
    usage.charge_orders(ALICE, 1, MINUTE_S)


def test_an_order_that_is_refused_is_given_back_to_the_window_that_counted_it() -> None:
    """Later it would be taken from orders that were placed since; where the engine is silent it counts."""
    usage = Usage()
    with suppress(ExchangeError), usage.counted(ALICE, 2, MINUTE_S):
        raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE)
    assert usage.headers(HERE, ALICE, MINUTE_S)["X-MBX-ORDER-COUNT-10S"] == "0"
    with suppress(ExchangeError), usage.counted(ALICE, 1, MINUTE_S):
        raise ExchangeError(ErrorKind.TIMEOUT)
    assert usage.headers(HERE, ALICE, MINUTE_S)["X-MBX-ORDER-COUNT-10S"] == "1"
    with suppress(ExchangeError), usage.counted(ALICE, 1, MINUTE_S):
        usage.charge_orders(ALICE, 5, MINUTE_S + 10)
        raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE)
    told = usage.headers(HERE, ALICE, MINUTE_S + 10)
    assert (told["X-MBX-ORDER-COUNT-10S"], told["X-MBX-ORDER-COUNT-1D"]) == ("5", "6")


def test_refused_orders_count_nothing_and_a_replacement_that_was_not_tried_counts(server: Server) -> None:
    """Funds, filters, parameters, a post-only order that would take, each leg of a refused list."""
    begin_minute(server)
    timestamp = server.now_s() * 1_000

    def count() -> int:
        limits = send(server, "GET", "rateLimit/order", query=signed(server, timestamp=timestamp))[1]
        assert limits[0]["count"] == limits[1]["count"]
        return int(limits[0]["count"])

    assert order(server, timestamp=timestamp)[0] == 200
    assert count() == 1
    server.flow(Side.SELL, "91000", "0.5")
    for changes in (
        {"quantity": "9"},
        {"price": "1"},
        {"side": "UP"},
        {"type": "LIMIT_MAKER", "timeInForce": None, "price": "92000"},
    ):
        assert order(server, timestamp=timestamp, **changes)[0] == 400
    oco = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "9", "timestamp": timestamp, "belowType": "STOP_LOSS"}
    oco |= {"aboveType": "LIMIT_MAKER", "abovePrice": "99000", "belowStopPrice": "80000"}
    assert send(server, "POST", "orderList/oco", query=signed(server, **oco))[0] == 400
    assert count() == 1
    replace = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 1, "timestamp": timestamp}
    values = LIMIT_BUY | replace
    status, told, _ = send(server, "POST", "order/cancelReplace", query=signed(server, **values))
    assert (status, told["data"]["newOrderResult"]) == (400, "NOT_ATTEMPTED")
    assert count() == 2
    values |= {"cancelReplaceMode": "ALLOW_FAILURE", "quantity": "9"}
    status, told, _ = send(server, "POST", "order/cancelReplace", query=signed(server, **values))
    assert (status, told["data"]["newOrderResult"]) == (400, "FAILURE")
    assert count() == 2


def test_exchange_info_tells_the_limits_of_its_channel(server: Server) -> None:
    """Over HTTP the raw requests, over the WebSocket API the connections."""
    over_http = send(server, "GET", "exchangeInfo", query="symbol=BTCUSDT")[1]["rateLimits"]
    with listening(server, "/ws-api/v3") as listener:
        over_socket = listener.ask(id=1, method="exchangeInfo", params={"symbol": "BTCUSDT"})["result"]["rateLimits"]
    assert over_http[:3] == over_socket[:3]
    assert [each["rateLimitType"] for each in over_http[:3]] == ["REQUEST_WEIGHT", "ORDERS", "ORDERS"]
    five_minutes = {"interval": "MINUTE", "intervalNum": 5}
    assert over_http[3:] == [{"rateLimitType": "RAW_REQUESTS", **five_minutes, "limit": 300_000}]
    assert over_socket[3:] == [{"rateLimitType": "CONNECTIONS", **five_minutes, "limit": 300}]
