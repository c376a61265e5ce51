"""Switches for what nobody tells a client: silence, lost events, orders gone or not yet seen, a stale market."""

import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from market.codes import Side
from paper.fault_events import StreamEvent, pass_on
from paper.faults import EVENTS, Faults
from paper.intervals import STREAMED_WINDOWS
from paper.streams import documents
from tests.paper.clients import Listener, listening
from tests.paper.desk import ALICE, BOB
from tests.paper.server import WAIT_S, Server
from tests.paper.test_admin import ask
from tests.paper.test_faults import arm, open_names
from tests.paper.test_rest import LIMIT_BUY, order, send, signed
from tests.paper.test_socket_api import PATH, call, event, subscribed

DEPTH = "/ws/btcusdt@depth@100ms"
EVENT_KINDS = ("mute", "drop_event", "duplicate_event", "reorder_events")


def test_event_is_one_that_is_told() -> None:
    """One that was misspelt was taken, and met nothing; one that is told and not among them could not be met."""
    streams = Path(documents.__file__).parent
    sources = "".join((streams / name).read_text() for name in ("documents.py", "user_documents.py"))
    named = set(re.findall(r"""(?:_head\(|"e": )"(\w+)\"""", sources)) | {
        f"{window}Ticker" for window in STREAMED_WINDOWS
    }
    assert named - {"eventStreamTerminated"} == set(EVENTS), "the end of a stream is told by no fault's leave"


def heard(listener: Listener) -> list[Any]:
    """Return the account's events that were written before the answer to a call, and forget them."""
    assert call(listener, "ping")["status"] == 200
    events = [each["event"] for each in listener._kept]
    listener._kept.clear()
    return events


def names(events: list[Any]) -> list[str]:
    """Return what events are called."""
    return [each["e"] for each in events]


def clear(server: Server) -> None:
    """Clear every fault."""
    assert ask(server, "DELETE", "faults")[0] == 200


def until_cleared(server: Server) -> None:
    """Wait until the exchange itself has cleared what is armed."""
    deadline = time.monotonic() + WAIT_S
    while server.faults.armed:
        assert time.monotonic() < deadline, "a fault outlives its time"
        time.sleep(0.01)


def test_a_muted_account_hears_nothing_on_a_connection_that_lives(server: Server) -> None:
    """Calls and pings are answered, others hear theirs, and after it events come again; those between are lost."""
    with listening(server, PATH) as listener, listening(server, PATH) as other:
        subscribed(server, listener)
        subscribed(server, other, BOB)
        arm(server, "mute", account=ALICE)
        assert order(server)[0] == 200
        assert listener.connection.ping().wait(WAIT_S)
        assert heard(listener) == []
        assert ask(server, "POST", f"accounts/{BOB}/deposit", {"asset": "USDT", "amount": "1"})[0] == 200
        assert event(other, "balanceUpdate")["d"] == "1.00000000"
        clear(server)
        order(server, newClientOrderId="heard")
        assert event(listener, "executionReport")["c"] == "heard"


def test_muted_market_streams_live_and_say_nothing(server: Server) -> None:
    """The next update of the book that comes shows a gap, as its numbers must."""
    server.flow(Side.BUY, "90000", "0.01")
    with listening(server, DEPTH) as listener:
        server.flow(Side.BUY, "90001", "0.01")
        told = listener.wait()
        number = arm(server, "mute", streams="market")["id"]
        server.flow(Side.BUY, "90002", "0.01")
        deadline = time.monotonic() + WAIT_S
        while not server.faults.armed[number].hits:
            assert time.monotonic() < deadline, "no update was due"
        assert listener.ask(id=1, method="LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@depth@100ms"]
        assert listener._kept == []
        clear(server)
        server.flow(Side.BUY, "90003", "0.01")
        assert listener.wait()["U"] > told["u"] + 1


@pytest.mark.parametrize("seed", [1, 2])
def test_events_are_told_by_seeded_dice(server: Server, seed: int) -> None:
    """Some, the same ones for the same seed, and only those of the name; money is still told of."""
    runs = []
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        for _ in range(2):
            arm(server, "drop_event", event="executionReport", percent=50, seed=seed)
            for number in range(20):
                order(server, newClientOrderId=f"n{number}", quantity="0.001")
            events = heard(listener)
            runs.append([each["c"] for each in events if each["e"] == "executionReport"])
            assert names(events).count("outboundAccountPosition") == 20
            clear(server)
            send(server, "DELETE", "openOrders", query=signed(server, symbol="BTCUSDT"))
            heard(listener)
    assert runs[0] == runs[1]
    assert 0 < len(runs[0]) < 20


def test_another_seed_loses_others() -> None:
    """A seed that nobody reads would lose the same ones."""
    assert told_by(seed=1) == told_by(seed=1) != told_by(seed=2)


def told_by(seed: int) -> list[int]:
    """Return which of twenty events are told."""
    faults, told = Faults(), list[int]()
    faults.arm(faults.read({"kind": "drop_event", "percent": 50, "seed": seed}))
    for number in range(20):
        pass_on(faults, StreamEvent(ALICE, "executionReport"), partial(told.append, number))
    return told


def test_an_event_comes_twice(server: Server) -> None:
    """The same one."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        arm(server, "duplicate_event", event="executionReport")
        order(server, newClientOrderId="mine")
        first, second, money = heard(listener)
        assert first == second
        assert (first["c"], money["e"]) == ("mine", "outboundAccountPosition")


def test_an_event_comes_after_the_next_one(server: Server) -> None:
    """And where none follows, when the switch is cleared: it is late, never lost."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        arm(server, "reorder_events", event="executionReport")
        order(server)
        order(server)
        assert names(heard(listener)) == ["outboundAccountPosition", "executionReport"] * 2
        clear(server)
        arm(server, "reorder_events", event="balanceUpdate")
        ask(server, "POST", f"accounts/{ALICE}/deposit", {"asset": "USDT", "amount": "1"})
        assert heard(listener) == []
        clear(server)
        assert names(heard(listener)) == ["balanceUpdate"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["duplicate_event", "reorder_events"], ["b", "b", "a", "a"]),
        (["reorder_events", "duplicate_event"], ["b", "b", "a"]),
        (["mute", "duplicate_event"], []),
    ],
)
def test_faults_of_one_event_act_oldest_first(kinds: list[str], expected: list[str]) -> None:
    """What one lets through, the next one meets."""
    assert told_through(*kinds) == expected


def told_through(*kinds: str) -> list[str]:
    """Return what is told of two events, a and b, that meet faults of some kinds."""
    faults, told = Faults(), list[str]()
    for kind in kinds:
        faults.arm(faults.read({"kind": kind}))
    event_of_trade = StreamEvent("btcusdt@trade", "trade")
    pass_on(faults, event_of_trade, lambda: told.append("a"))
    pass_on(faults, event_of_trade, lambda: told.append("b"))
    return told


def test_an_order_is_gone_without_a_word(server: Server) -> None:
    """The oldest of those that fit; its money is free again, the book is without it, and others are told of as ever."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        gone = order(server, newClientOrderId="gone")[1]["orderId"]
        order(server, newClientOrderId="stays", price="90001")
        heard(listener)
        assert arm(server, "silent_cancel", account=ALICE, symbol="BTCUSDT") == {"cancelled": [gone]}
        server.wait_until(lambda desk: gone not in desk.ledger.open_orders)
        assert heard(listener) == []
        assert open_names(server) == ["stays"]
        status, document, _ = send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", orderId=gone))
        assert (status, document["status"]) == (200, "CANCELED")
        assert arm(server, "silent_cancel", account=BOB) == {"cancelled": []}
        send(server, "DELETE", "order", query=signed(server, symbol="BTCUSDT", origClientOrderId="stays"))
        assert names(heard(listener)) == ["executionReport", "outboundAccountPosition"]
        assert server.faults.silenced == set()


def test_an_order_list_is_gone_without_a_word(server: Server) -> None:
    """All its legs: one cancel ends them, and no listStatus says so."""
    server.forget_trades()  # the last price of another test may not lie between the legs
    server.flow(Side.SELL, "90000", "0.01")
    values = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "belowType": "LIMIT_MAKER", "belowPrice": "80000"}
    values |= {"aboveType": "STOP_LOSS_LIMIT", "aboveStopPrice": "91000", "abovePrice": "91001"}
    values |= {"aboveTimeInForce": "GTC"}
    placed = send(server, "POST", "orderList/oco", query=signed(server, **values))
    assert placed[0] == 200, placed
    ids = {each["orderId"] for each in placed[1]["orders"]}
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        assert set(arm(server, "silent_cancel", count=5)["cancelled"]) == ids
        server.wait_until(lambda desk: not desk.ledger.open_orders)
        assert heard(listener) == []
        assert server.faults.silenced == set()


def test_an_order_that_trades_before_its_silent_cancel_is_told_of(server: Server) -> None:
    """The switch hides a cancel, not a fill."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        placed = order(server)[1]["orderId"]
        server.faults.silenced.add(placed)
        server.flow(Side.SELL, "90000", "0.01")
        assert event(listener, "executionReport")["x"] == "NEW"
        assert event(listener, "executionReport")["X"] == "FILLED"
        assert server.faults.silenced == set()


def test_the_cancel_of_a_leg_whose_silent_cancel_came_too_late_is_told(server: Server) -> None:
    """Its list's working leg was filled before; the leg's own cancel was kept a secret, much later."""
    values = {"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "90000"}
    values |= {"workingQuantity": "0.01", "workingTimeInForce": "GTC", "pendingType": "LIMIT_MAKER"}
    values |= {"pendingSide": "SELL", "pendingPrice": "95000", "pendingQuantity": "0.01"}
    placed = send(server, "POST", "orderList/oto", query=signed(server, **values))
    assert placed[0] == 200, placed
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        server.is_answering = False
        arm(server, "silent_cancel")
        server.flow(Side.SELL, "90000", "0.01")
        server.is_answering = True
        server.call(lambda desk: desk.engine.on_send())
        server.wait_until(lambda desk: desk.engine.is_idle and len(desk.ledger.open_orders) == 1)
        heard(listener)
        assert send(server, "DELETE", "openOrders", query=signed(server, symbol="BTCUSDT"))[0] == 200
        assert "executionReport" in names(heard(listener))
        assert server.faults.silenced == set()


@pytest.mark.parametrize("is_cleared", [True, False])
def test_what_is_held_back_is_lost_while_its_stream_is_mute(*, is_cleared: bool) -> None:
    """It was told though no event came, with the next one, or when its switch was cleared."""
    faults, told = Faults(), list[str]()
    held = faults.arm(faults.read({"kind": "reorder_events"}))
    pass_on(faults, StreamEvent(ALICE, "executionReport"), partial(told.append, "held"))
    mute = faults.arm(faults.read({"kind": "mute"}))
    if is_cleared:
        faults.disarm(held.number)
    else:
        pass_on(faults, StreamEvent(ALICE, "executionReport"), partial(told.append, "next"))
    faults.disarm(mute.number)
    pass_on(faults, StreamEvent(BOB, "executionReport"), partial(told.append, "after"))
    faults.disarm(held.number)
    assert told == ["after"]


def test_a_fresh_order_is_seen_late(server: Server) -> None:
    """-2013 and lists without it, though it is in the book, is told of as an event, and can be cancelled."""
    order(server, newClientOrderId="before")
    arm(server, "late_visibility", ms=60_000, account=ALICE)
    fresh = {"symbol": "BTCUSDT"}
    placed = order(server, newClientOrderId="fresh")[1]["orderId"]
    found = send(server, "GET", "order", query=signed(server, **fresh, orderId=placed))
    assert (found[0], found[1]["code"]) == (400, -2013)
    for path in ("openOrders", "allOrders"):
        assert send(server, "GET", path, query=signed(server, **fresh))[1] == []
    assert open_names(server) == ["before", "fresh"]
    assert send(server, "DELETE", "order", query=signed(server, **fresh, orderId=placed))[1]["status"] == "CANCELED"
    clear(server)
    seen = send(server, "GET", "allOrders", query=signed(server, **fresh))[1]
    assert [each["clientOrderId"] for each in seen] == ["before", "fresh"]


def test_an_order_is_seen_when_it_is_old_enough(server: Server) -> None:
    """And another account's at once."""
    arm(server, "late_visibility", ms=60_000, account=BOB)
    arm(server, "late_visibility", ms=1, account=ALICE)
    placed = order(server)[1]["orderId"]
    deadline = time.monotonic() + WAIT_S
    while send(server, "GET", "order", query=signed(server, symbol="BTCUSDT", orderId=placed))[0] != 200:
        assert time.monotonic() < deadline, "the order is never seen"


def test_a_stale_market_stands_still_while_the_engine_trades(server: Server) -> None:
    """Questions get old answers, streams nothing; then the book's updates go on without a gap."""
    server.flow(Side.BUY, "90000", "0.01")
    with listening(server, DEPTH) as listener:
        server.flow(Side.BUY, "90001", "0.01")
        told = listener.wait()
        arm(server, "stale_market")
        questions = ("depth", "ticker/bookTicker", "trades", "ticker/price")
        before = [send(server, "GET", path, query="symbol=BTCUSDT")[1] for path in questions]
        server.flow(Side.BUY, "90002", "0.01")
        assert order(server, side="SELL", price="90002", quantity="0.01")[1]["status"] == "FILLED"
        server.flow(Side.BUY, "90003", "0.01")
        assert [send(server, "GET", path, query="symbol=BTCUSDT")[1] for path in questions] == before
        ticks, deadline = server.hub._tick_number, time.monotonic() + WAIT_S
        while server.hub._tick_number < ticks + 2:
            assert time.monotonic() < deadline, "the streams do not tick"
        assert listener.connection.ping().wait(WAIT_S)
        assert listener.ask(id=1, method="LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@depth@100ms"]
        assert listener._kept == []
        clear(server)
        update = listener.wait()
        assert update["U"] == told["u"] + 1
        assert update["b"] == [["90003.00000000", "0.01000000"], ["90002.00000000", "0.00000000"]]
        after = send(server, "GET", "depth", query="symbol=BTCUSDT")[1]
        assert after["lastUpdateId"] == update["u"]
        assert after["bids"][0][0] == "90003.00000000"


def test_so_many_new_orders_in_a_hundred_are_refused(server: Server) -> None:
    """By seeded dice, with the code; tests of orders, cancels and other accounts are not met."""
    runs = []
    for _ in range(2):
        arm(server, "reject_rate", percent=50, code=-2010, seed=3, account=ALICE)
        placed = [order(server, newClientOrderId=f"n{number}", quantity="0.001") for number in range(20)]
        assert {(status, document.get("code")) for status, document, _ in placed} == {(200, None), (400, -2010)}
        runs.append([status for status, _, _ in placed])
        assert len(open_names(server)) == runs[-1].count(200)
        tests = [send(server, "POST", "order/test", query=signed(server, **LIMIT_BUY))[0] for _ in range(20)]
        assert set(tests) == {200}
        assert send(server, "DELETE", "openOrders", query=signed(server, symbol="BTCUSDT"))[0] == 200
        clear(server)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_a_switch_of_events_shows_what_it_has_met(server: Server, kind: str) -> None:
    """And is cleared by the call that clears all."""
    with listening(server, PATH) as listener:
        subscribed(server, listener)
        arm(server, kind, streams="account")
        order(server)
        armed = ask(server, "GET", "faults")[1]["armed"][0]
        assert (armed["kind"], armed["streams"]) == (kind, "account")
        assert armed["hits"] >= 1
        clear(server)
        heard(listener)
        order(server)
        assert names(heard(listener)) == ["executionReport", "outboundAccountPosition"]


def test_the_exchange_clears_a_switch_whose_time_is_up(server: Server) -> None:
    """Whatever has become of whoever set it; a halt is taken back at the engine, too."""
    arm(server, "mute", for_s=1)
    arm(server, "halt", symbol="BTCUSDT", for_s=1)
    arm(server, "delay", ms=0, count=None, for_s=1)
    assert order(server)[0] == 400
    until_cleared(server)
    assert order(server)[0] == 200
