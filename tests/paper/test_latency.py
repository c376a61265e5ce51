"""Messages travel: no sooner than their delay says, and in the order in which they were sent."""

import asyncio
import json
import random
import time
from itertools import pairwise
from typing import Any

from market.clock import time_ns
from market.codes import Side
from paper.delay import Delay
from paper.latency import Latency, Line
from paper.streams.outbox import Outbox
from tests.paper.clients import listening
from tests.paper.server import Server
from tests.paper.test_rest import LIMIT_BUY, order, send
from tests.paper.test_socket_api import PATH, by_secret, call, subscribed

WAY_MS = 60


def now_ms() -> float:
    return time_ns() / 1_000_000


def test_line_keeps_the_order_and_draws_the_same_for_a_seed() -> None:
    """Guards the order against luck: what is sent first arrives first, and between the two bounds."""

    def arrivals(seed: int) -> list[float]:
        now = iter(range(1_000))
        line = Line(Delay(2, 80), random.Random(seed), clock=lambda: next(now) / 1_000)
        return [line.arrival_s() for _ in range(1_000)]

    first = arrivals(1)
    assert all(earlier <= later for earlier, later in pairwise(first))
    assert all(0.002 <= at_s - sent / 1_000 <= 0.0801 for sent, at_s in enumerate(first))
    assert first == arrivals(1) != arrivals(2)


def test_calls_of_one_client_arrive_in_their_order_and_do_not_hold_up_others() -> None:
    """Guards the ways of two clients through one event loop."""

    async def run() -> list[tuple[str, int]]:
        latency = Latency(Delay(0, 30), seed=4)
        arrived: list[tuple[str, int]] = []

        async def send_one(who: str, number: int) -> None:
            assert await latency.arrive(who, is_signed=True)
            arrived.append((who, number))

        await asyncio.gather(*(send_one(who, number) for number in range(40) for who in ("a", "b")))
        return arrived

    arrived = asyncio.run(run())
    for who in ("a", "b"):
        assert [number for each, number in arrived if each == who] == list(range(40))
    assert [who for who, _ in arrived] != ["a", "b"] * 40, "drawn for each by itself"


def test_outbox_gives_a_text_no_sooner_than_it_arrives() -> None:
    """Guards streams: order kept, time kept, and without a line nothing waits."""

    async def run() -> tuple[list[str], float]:
        outbox = Outbox(lambda: None, Line(Delay(20, 20), random.Random(1)))
        sent_s = time.monotonic()
        for text in ("one", "two"):
            outbox.put(text)
        return [await outbox.take(), await outbox.take()], time.monotonic() - sent_s

    texts, passed_s = asyncio.run(run())
    assert texts == ["one", "two"]
    assert passed_s >= 0.02


def test_signed_calls_travel_both_ways_and_public_ones_do_not_by_their_delay(server: Server) -> None:
    """Guards `order_delay_ms` over HTTP: the exchange's own time of the order tells the two ways apart."""
    server.delay(Delay(WAY_MS, WAY_MS), Delay())
    sent_ms = now_ms()
    status, document, _ = order(server)
    received_ms = now_ms()
    assert status == 200
    assert document["transactTime"] - sent_ms >= WAY_MS - 1, "the way there"
    assert received_ms - document["transactTime"] >= WAY_MS - 1, "the way back"
    sent_ms = now_ms()
    status, document, _ = order(server, quantity="5")
    assert (status, document["code"]) == (400, -2010)
    assert now_ms() - sent_ms >= 2 * WAY_MS - 1, "a refusal travels, too"


def test_public_calls_travel_by_the_delay_of_market_data(server: Server) -> None:
    """Guards `market_data_delay_ms` over HTTP."""
    server.delay(Delay(), Delay(WAY_MS, WAY_MS))
    sent_ms = now_ms()
    server_ms = send(server, "GET", "time")[1]["serverTime"]
    assert server_ms - sent_ms >= WAY_MS - 1
    assert now_ms() - server_ms >= WAY_MS - 1


def test_late_request_is_outside_its_window(server: Server) -> None:
    """Guards what a slow line does on Binance: the timestamp is checked on arrival."""
    server.delay(Delay(WAY_MS, WAY_MS), Delay())
    status, document, _ = order(server, recvWindow=WAY_MS // 2)
    assert (status, document["code"]) == (400, -1021)


def test_socket_calls_keep_their_order_under_random_delays(server: Server) -> None:
    """Guards twenty orders sent at once: placed, answered and told of in the order sent."""
    server.delay(Delay(0, 25), Delay())
    names = [f"n{number}" for number in range(20)]
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        for name in names:
            params = by_secret(server, **LIMIT_BUY | {"quantity": "0.001"}, newClientOrderId=name)
            listener.connection.send(json.dumps({"id": name, "method": "order.place", "params": params}))
        replies: list[Any] = []
        reports: list[str] = []
        while len(replies) < len(names) or len(reports) < len(names):
            document = listener.wait(lambda each: each.get("id") in names or "event" in each)
            if "event" not in document:
                replies.append(document)
            elif document["event"]["e"] == "executionReport":
                reports.append(document["event"]["c"])
    assert [reply["id"] for reply in replies] == names
    order_ids = [reply["result"]["orderId"] for reply in replies]
    assert order_ids == sorted(order_ids)
    assert reports == names


def test_streams_travel_by_the_delay_of_market_data(server: Server) -> None:
    """Guards the market streams: late, complete, in order, while an account's own stream is not late."""
    server.delay(Delay(), Delay(WAY_MS, WAY_MS))
    with listening(server, "/ws/btcusdt@trade") as listener:
        server.flow(Side.SELL, "91000", "0.5")
        for qty in ("0.1", "0.2"):
            server.flow(Side.BUY, "91000", qty)
        trades = [listener.wait() for _ in range(2)]
        received_ms = now_ms()
    assert [trade["q"] for trade in trades] == ["0.10000000", "0.20000000"]
    assert received_ms - trades[1]["T"] >= WAY_MS - 1
    with listening(server, PATH) as listener:
        assert call(listener, "order.place", **by_secret(server, **LIMIT_BUY))["status"] == 200
