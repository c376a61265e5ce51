"""Fault switches: what is armed meets the calls that fit, and whoever trades through them learns the truth later."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import ccxt
import pytest
from websockets.exceptions import ConnectionClosed

from market.codes import Side
from market.commands import Command
from market.events import Event
from paper.fault_play import play
from paper.faults import Channel, FaultKind, Faults
from tests.pairs import default_instruments
from tests.paper.clients import ccxt_settings, listening
from tests.paper.desk import ALICE, BOB, Desk
from tests.paper.server import Server
from tests.paper.test_admin import ask
from tests.paper.test_rest import LIMIT_BUY, order, send, signed
from tests.paper.test_socket_api import PATH, by_secret, by_secret_of, call, event, subscribed
from venues.binance import BinanceVenue
from venues.venue import (
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnknownError,
)

BTC = default_instruments()[0]
INSUFFICIENT = "Account has insufficient balance for requested action."


def arm(server: Server, kind: str, **options: Any) -> Any:
    """Set a switch, and return what it says."""
    status, document = ask(server, "POST", "faults", {"kind": kind, **options})
    assert status == 200, document
    return document


def open_names(server: Server) -> list[str]:
    """Return the client ids of ALICE's open orders, as the exchange keeps them."""

    def names(desk: Desk) -> list[str]:
        return [each.client_order_id for each in desk.ledger.open_orders_of(ALICE)]

    return server.call(names)


def venue_of(server: Server) -> BinanceVenue:
    """Return the exchange as the maker trades at it."""
    keys = server.keys[ALICE]
    venue = BinanceVenue("paper", server.url, keys.api_key, keys.secret, timeout_ms=5_000)
    venue.load(BTC)
    return venue


def test_switches_are_shown_armed_and_cleared(server: Server) -> None:
    """One table; how often each will still act, and how often it has."""
    shown = ask(server, "GET", "faults")[1]
    assert [each["kind"] for each in shown["switches"]] == [str(kind) for kind in FaultKind]
    assert shown["armed"] == []
    first = arm(server, "rate_limit", count=2, method="GET", path="/api/v3/time")
    second = arm(server, "delay", ms=0, count=None)
    assert send(server, "GET", "time")[0] == 429
    armed = ask(server, "GET", "faults")[1]["armed"]
    assert armed == [first | {"left": 1, "hits": 1, "path": "time"}, second | {"hits": 1}]
    assert ask(server, "DELETE", f"faults/{first['id']}")[0] == 200
    assert ask(server, "DELETE", f"faults/{first['id']}")[0] == 404
    assert ask(server, "DELETE", "faults")[1]["cleared"] == [second | {"hits": 1}]
    assert send(server, "GET", "time")[0] == 200


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "expected a JSON object"),
        ([], "expected {"),
        ({"kind": "fire"}, "expected {"),
        ({"kind": ["delay"]}, "expected {"),
        ({"kind": "delay", "ms": -1}, "delay: expected ms to be an integer from 0 to 60000"),
        ({"kind": "delay", "ms": True}, "delay: expected ms to be"),
        ({"kind": "delay", "where": "elsewhere"}, "delay: expected where to be before or after"),
        ({"kind": "delay", "colour": "red"}, "delay has no colour; expected ms, where, count, method"),
        ({"kind": "wipe", "count": 2}, "wipe has no count; expected nothing more"),
        ({"kind": "reject"}, "reject: expected code to be an integer from -9999 to -1"),
        ({"kind": "server_error", "status": 200}, "server_error: expected status to be an integer from 500 to 599"),
        ({"kind": "rate_limit", "status": 420}, "rate_limit: expected status to be 429 or 418"),
        ({"kind": "halt", "symbol": "DOGEUSDT"}, "expected one of BTCUSDT"),
        ({"kind": "drop_reply", "count": 0}, "drop_reply: expected count to be an integer from 1 to 1000000, or null"),
    ],
)
def test_a_switch_that_is_set_wrongly_says_what_was_expected(server: Server, document: object, why: str) -> None:
    """And arms nothing."""
    status, told = ask(server, "POST", "faults", document)
    assert status == 400
    assert told["error"].startswith(why), told
    assert server.faults.armed == {}


def test_switches_are_the_admin_s(server: Server) -> None:
    """A client without the token must not break the exchange for others."""
    for method in ("GET", "POST", "DELETE"):
        assert ask(server, method, "faults", token="guessed")[0] == 401


def test_there_is_an_end_to_what_can_be_armed() -> None:
    """No queue without a maximum."""
    faults = Faults()
    for _ in range(100):
        faults.arm(faults.read({"kind": "delay"}))
    with pytest.raises(Exception, match="at most 100 armed faults"):
        faults.arm(faults.read({"kind": "delay"}))


def test_a_fault_meets_only_the_calls_that_fit(server: Server) -> None:
    """By method, path, channel and account; the others do not use it up."""
    arm(server, "reject", code=-1008, method="POST", path="order", channel="rest", account=ALICE)
    assert send(server, "GET", "time")[0] == 200
    assert send(server, "GET", "openOrders", query=signed(server))[0] == 200
    with listening(server, PATH) as listener:
        assert call(listener, "order.place", **by_secret(server, **LIMIT_BUY))["status"] == 200
        reply = call(listener, "order.place", **by_secret_of(server, BOB, **LIMIT_BUY))
        assert reply["status"] == 200
    status, document, _ = order(server)
    assert (status, document["code"]) == (503, -1008)
    assert order(server)[0] == 200


@pytest.mark.parametrize(
    ("where", "expected"), [("before", ["slept 0.5", "carried out"]), ("after", ["carried out", "slept 0.5"])]
)
def test_a_delay_is_on_the_way_there_or_back(where: str, expected: list[str]) -> None:
    """An order that comes late, or a reply that does."""
    told: list[str] = []

    async def sleep(delay_s: float) -> None:
        told.append(f"slept {delay_s}")

    async def carry_out() -> str:
        told.append("carried out")
        return "done"

    faults = Faults()
    faults.arm(faults.read({"kind": "delay", "ms": 500, "where": where}))
    met = faults.take("GET", "time", Channel.REST, None)
    assert asyncio.run(play(met, 0, carry_out, sleep)) == "done"
    assert told == expected


def test_a_delayed_call_is_answered(server: Server) -> None:
    """And judged by the time at which it arrives: its timestamp has grown old on the way."""
    arm(server, "delay", ms=30, where="before")
    status, document, _ = send(server, "GET", "account", query=signed(server, recvWindow="1"))
    assert (status, document["code"]) == (400, -1021)
    arm(server, "delay", ms=30, where="after")
    assert send(server, "GET", "account", query=signed(server))[0] == 200


UNKNOWN_FATES = [
    ("drop_reply", {}, 1),
    ("server_error", {"is_executed": True}, 1),
    ("server_error", {"status": 500, "is_executed": False}, 0),
    ("server_error", {"status": 502, "is_html": True, "is_executed": True}, 1),
    ("server_error", {"status": 504, "is_html": True}, 0),
    ("reject", {"code": -1000}, 0),
    ("reject", {"code": -1001}, 0),
    ("reject", {"code": -1006}, 0),
    ("reject", {"code": -1007}, 0),
]


@pytest.mark.usefixtures("loopback_only")
@pytest.mark.parametrize(("kind", "options", "order_count"), UNKNOWN_FATES)
def test_the_maker_s_venue_knows_that_it_does_not_know(
    server: Server, kind: str, options: dict[str, Any], order_count: int
) -> None:
    """5xx, -1006, -1007 and a lost reply: the order is unknown, is not sent again, and is found by its client id."""
    venue = venue_of(server)
    arm(server, kind, method="POST", **options)
    with pytest.raises(VenueUnknownError):
        venue.place(BTC, Side.BUY, 9_000_000, 1_000, "mine")
    assert open_names(server) == ["mine"] * order_count
    found = venue.find_order(BTC, "mine")
    assert (found is not None) == bool(order_count)
    assert server.faults.armed == {}, "one call has met it, and no other has followed"


REFUSALS: list[tuple[str, dict[str, Any], type[VenueError]]] = [
    ("rate_limit", {"retry_after_s": 7}, VenueBusyError),
    ("rate_limit", {"status": 418, "retry_after_s": 120}, VenueBusyError),
    ("reject", {"code": -2010, "msg": INSUFFICIENT}, VenueRefusedError),
    ("reject", {"code": -2015}, VenueKeysError),
    ("reject", {"code": -1013, "msg": "Filter failure: LOT_SIZE"}, VenueRefusedError),
    ("halt", {"symbol": "BTCUSDT"}, VenueRefusedError),
]


@pytest.mark.usefixtures("loopback_only")
@pytest.mark.parametrize(("kind", "options", "expected"), REFUSALS)
def test_the_maker_s_venue_knows_what_was_not_done(
    server: Server, kind: str, options: dict[str, Any], expected: type[VenueError]
) -> None:
    """A refusal is no unknown fate: nothing has to be looked for."""
    venue = venue_of(server)
    is_standing = kind == "halt"
    arm(server, kind, **options if is_standing else options | {"method": "POST"})
    with pytest.raises(expected) as caught:
        venue.place(BTC, Side.BUY, 9_000_000, 1_000, "mine")
    if isinstance(caught.value, VenueBusyError):
        assert caught.value.retry_after_s == options["retry_after_s"]
    assert open_names(server) == []
    ask(server, "DELETE", "faults")
    assert venue.place(BTC, Side.BUY, 9_000_000, 1_000, "mine").client_order_id == "mine"


@pytest.mark.usefixtures("loopback_only")
@pytest.mark.parametrize("offset_ms", [-30_000, 30_000])
def test_the_maker_s_venue_follows_a_wrong_clock(server: Server, offset_ms: int) -> None:
    """-1021 was not carried out: the venue asks for the time and gives the order again, once."""
    venue = venue_of(server)
    arm(server, "wrong_clock", offset_ms=offset_ms)
    venue.place(BTC, Side.BUY, 9_000_000, 1_000, "mine")
    assert open_names(server) == ["mine"]


CCXT_ERRORS: list[tuple[str, dict[str, Any], type[Exception], int]] = [
    ("drop_reply", {}, ccxt.NetworkError, 1),
    ("server_error", {"status": 502, "is_html": True, "is_executed": True}, ccxt.ExchangeNotAvailable, 1),
    ("server_error", {"status": 503}, ccxt.OperationFailed, 0),
    ("rate_limit", {}, ccxt.DDoSProtection, 0),
    ("rate_limit", {"status": 418}, ccxt.DDoSProtection, 0),
    ("reject", {"code": -1007}, ccxt.RequestTimeout, 0),
    ("reject", {"code": -1021}, ccxt.InvalidNonce, 0),
    ("reject", {"code": -2010, "msg": INSUFFICIENT}, ccxt.InsufficientFunds, 0),
]


@pytest.mark.usefixtures("loopback_only")
@pytest.mark.parametrize(("kind", "options", "expected", "order_count"), CCXT_ERRORS)
def test_ccxt_raises_what_it_raises_at_binance(
    server: Server, kind: str, options: dict[str, Any], expected: type[Exception], order_count: int
) -> None:
    """Real ccxt, its own classes of errors, and no second order."""
    client = ccxt.binance(ccxt_settings(server))
    client.load_markets()
    arm(server, kind, path="order", **options)
    with pytest.raises(expected):
        client.create_order("BTC/USDT", "limit", "buy", 0.01, 90_000, {"newClientOrderId": "mine"})
    assert open_names(server) == ["mine"] * order_count
    assert server.faults.armed == {}


def test_over_the_socket_they_come_as_replies(server: Server) -> None:
    """The same switches; a lost reply is silence, and the order is there."""
    with listening(server, PATH) as listener:
        arm(server, "rate_limit", retry_after_s=9, channel="socket")
        reply = call(listener, "order.place", **by_secret(server, **LIMIT_BUY))
        assert (reply["status"], reply["error"]["code"]) == (429, -1003)
        assert reply["error"]["data"]["retryAfter"] - reply["error"]["data"]["serverTime"] == 9_000
        assert reply["rateLimits"]
        arm(server, "server_error", is_html=True, status=502)
        assert call(listener, "order.place", **by_secret(server, **LIMIT_BUY))["status"] == 502
        arm(server, "reject", code=-2015, path="userDataStream.subscribe.signature")
        reply = call(listener, "userDataStream.subscribe.signature", **by_secret(server))
        assert (reply["status"], reply["error"]["code"]) == (401, -2015)
        assert open_names(server) == []
        arm(server, "drop_reply", path="order")
        subscribed(server, listener)
        lost = by_secret(server, **LIMIT_BUY, newClientOrderId="mine")
        listener.connection.send(f'{{"id": "lost", "method": "order.place", "params": {json.dumps(lost)}}}')
        assert event(listener, "executionReport")["c"] == "mine"
        assert call(listener, "ping")["status"] == 200
        assert not [each for each in listener._kept if each.get("id") == "lost"]
        assert open_names(server) == ["mine"]


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize(("streams", "count"), [("market", 1), ("account", 1), ("all", 2)])
def test_streams_are_cut(server: Server, streams: str, count: int, is_clean: bool) -> None:
    """Those that are meant, with or without a close frame; a new connection is served."""
    with (
        listening(server, "/ws/btcusdt@trade") as market,
        listening(server, PATH) as account,
    ):
        assert arm(server, "disconnect", streams=streams, is_clean=is_clean) == {"disconnected": count}
        for name, listener in (("market", market), ("account", account)):
            if streams in {name, "all"}:
                with pytest.raises(ConnectionClosed) as caught:
                    listener.read_to_the_end()
                assert (caught.value.rcvd is not None) is is_clean
    with listening(server, PATH) as again:
        assert call(again, "ping")["status"] == 200


def test_a_halted_symbol_takes_no_orders_and_gives_them_back(server: Server) -> None:
    """-1013 "Market is closed."; exchangeInfo says HALT; other symbols trade; cleared, it trades again."""
    placed = order(server)[1]["orderId"]
    first, second = arm(server, "halt", symbol="BTCUSDT"), arm(server, "halt", symbol="BTCUSDT")
    assert order(server)[1] == {"code": -1013, "msg": "Market is closed."}
    assert order(server, symbol="ETHUSDT", price="3000", quantity="0.1")[0] == 200
    states = {each["symbol"]: each["status"] for each in send(server, "GET", "exchangeInfo")[1]["symbols"]}
    assert states == {"BTCUSDT": "CANCEL_ONLY", "ETHUSDT": "TRADING", "BNBUSDT": "TRADING"}
    gone = send(server, "DELETE", "order", query=signed(server, symbol="BTCUSDT", orderId=placed))[1]
    assert gone["status"] == "CANCELED"
    ask(server, "DELETE", f"faults/{first['id']}")
    assert order(server)[0] == 400, "the second switch still holds it"
    ask(server, "DELETE", f"faults/{second['id']}")
    assert order(server)[0] == 200


def test_what_is_cleared_does_not_wait_for_an_engine_that_is_silent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the halts are; those are cleared with the next word of the engine, or by the next who asks."""
    halt = arm(server, "halt", symbol="BTCUSDT")
    arm(server, "mute")

    def silent(_: object) -> None:
        raise ConnectionError("the engine is away")

    engine = server.call(lambda desk: desk.engine)
    monkeypatch.setattr(engine, "_match", silent)
    assert ask(server, "DELETE", "faults")[0] == 503
    assert [each["id"] for each in ask(server, "GET", "faults")[1]["armed"]] == [halt["id"]]
    monkeypatch.undo()
    assert [each["id"] for each in ask(server, "DELETE", "faults")[1]["cleared"]] == [halt["id"]]
    assert order(server)[0] == 200


def test_what_ends_while_all_is_cleared_is_passed_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own time is up while the engine is asked to end a halt before it."""
    first, second = arm(server, "halt", symbol="BTCUSDT"), arm(server, "halt", symbol="ETHUSDT")
    engine = server.call(lambda desk: desk.engine)
    match = engine._match

    def end_the_second(commands: Sequence[Command]) -> list[Event]:
        server.faults.disarm(second["id"])
        return match(commands)

    monkeypatch.setattr(engine, "_match", end_the_second)
    status, document = ask(server, "DELETE", "faults")
    assert (status, [each["id"] for each in document["cleared"]]) == (200, [first["id"]])
    assert ask(server, "GET", "faults")[1]["armed"] == []


def test_a_wrong_clock_is_told_and_judged_by(server: Server) -> None:
    """serverTime, -1021 both ways; the latest switch decides."""
    arm(server, "wrong_clock", offset_ms=-10_000)
    assert order(server)[1]["code"] == -1021
    last = arm(server, "wrong_clock", offset_ms=60_000)
    assert order(server)[1]["code"] == -1021
    told_ms = send(server, "GET", "time")[1]["serverTime"]
    assert abs(told_ms - server.now_s() * 1_000 - 60_000) < 30_000
    ask(server, "DELETE", f"faults/{last['id']}")
    ask(server, "DELETE", "faults")
    assert order(server)[0] == 200


def test_a_wipe_is_the_testnet_s(server: Server) -> None:
    """Orders, trades and balances are gone, keys stay, and whoever listens hears what changed."""
    order(server, newClientOrderId="mine")
    server.flow(Side.SELL, "90000", "0.004")
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        assert {ALICE, BOB} <= set(arm(server, "wipe")["wiped"])
        assert event(listener, "balanceUpdate")["d"] == "-0.00400000"
    assert send(server, "GET", "myTrades", query=signed(server, symbol="BTCUSDT"))[1] == []
    assert send(server, "GET", "allOrders", query=signed(server, symbol="BTCUSDT"))[1] == []
    balances = {each["asset"]: each for each in send(server, "GET", "account", query=signed(server))[1]["balances"]}
    assert balances["USDT"] == {"asset": "USDT", "free": "10000.00000000", "locked": "0.00000000"}
    assert server.call(lambda desk: desk.engine.own_resting_lots()) == {}
