"""Rate limits: what is counted, who is refused for how long, and what they are told."""

import pytest

from market.clock import NS_PER_SECOND
from market.codes import Side
from paper.access.usage import Usage
from paper.errors import ErrorKind, ExchangeError
from tests.paper.clients import listening
from tests.paper.server import Server
from tests.paper.test_rest import order, send

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


def test_an_account_has_its_orders() -> None:
    """50 in ten seconds; a refused order is not counted, one that trades is given back."""
    usage = Usage()
    for _ in range(50):
        usage.charge_order(ALICE, MINUTE_S)
    with pytest.raises(ExchangeError, match="50 orders per 10 SECOND") as caught:
        usage.charge_order(ALICE, MINUTE_S + 3)
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, -1015, 7)
    usage.charge_order(BOB, MINUTE_S)
    usage.give_back_order(ALICE, MINUTE_S + 3)
    usage.charge_order(ALICE, MINUTE_S + 3)
    assert usage.headers(HERE, ALICE, MINUTE_S + 3)["X-MBX-ORDER-COUNT-10S"] == "50"
    usage.charge_order(ALICE, MINUTE_S + 10)


def test_limits_that_are_off_still_count() -> None:
    """Clients go by the headers."""
    usage = Usage(is_limiting=False)
    for _ in range(200):
        usage.charge_weight(HERE, 100, MINUTE_S)
        usage.charge_order(ALICE, MINUTE_S)
    headers = usage.headers(HERE, ALICE, MINUTE_S)
    assert (headers["X-MBX-USED-WEIGHT-1M"], headers["X-MBX-ORDER-COUNT-10S"]) == ("20000", "200")


def test_many_addresses_are_not_remembered_for_ever() -> None:
    """A bounded number."""
    usage = Usage()
    for number in range(30_000):
        usage.charge_weight(str(number), 1, MINUTE_S + 60 * (number // 5_000))
    assert sum(len(windows._used) for windows in usage._windows) <= 15_000


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
