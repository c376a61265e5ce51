"""A whole desk at a venue that fails on demand: the maker learns what became of its orders, and sends none twice."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from market.codes import Side
from paper.access.accounts import TOKEN_HEADER
from tests.desk.desk_process import ANSWER_S, BTCUSDT, LEAN, Desk, short_directory, until
from venues.venue import VenueError

STANDS_S = 2
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk whose maker quotes."""
    with short_directory() as path:
        one = Desk(path / "run", *LEAN, TICKBUS_MAKER__SILENCE_S="60", TICKBUS_FLOW__PRESET="calm").start()
        until("the maker quotes both sides", lambda: sides(one) == [Side.BUY, Side.SELL])
        yield one
        one.end()


def sides(desk: Desk) -> list[Side]:
    """Return the sides of the account's open orders."""
    return sorted(order.side for order in desk.venue().open_orders(BTCUSDT))


def ask_admin(desk: Desk, document: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """Ask the exchange for its switches, let it set one, or clear all."""
    token = (desk.run_dir / "paper" / "admin.token").read_text().strip()
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"{desk.url('paper')}/admin/v1/faults", body, {TOKEN_HEADER: token}, method=method)
    with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
        return json.load(response)


def arm(desk: Desk, kind: str, **options: Any) -> None:
    """Set a switch that meets the next new orders of the maker's account."""
    ask_admin(desk, {"kind": kind, "method": "POST", "path": "order", "account": 1, **options})


def clear(desk: Desk) -> None:
    """Let the exchange clear all switches."""
    ask_admin(desk, method="DELETE")


def armed(desk: Desk) -> list[Any]:
    """Return what is still armed."""
    return list(ask_admin(desk)["armed"])


def status_of(desk: Desk) -> str:
    """Return what exchangeInfo says of BTCUSDT."""
    url = f"{desk.url('paper')}/api/v3/exchangeInfo?symbol=BTCUSDT"
    with urllib.request.urlopen(url, timeout=ANSWER_S) as response:
        return str(json.load(response)["symbols"][0]["status"])


@pytest.mark.parametrize(
    ("kind", "options"),
    [("drop_reply", {}), ("server_error", {"status": 502, "is_html": True, "is_executed": True})],
    ids=["lost reply", "a proxy's page"],
)
def test_an_order_whose_fate_is_unknown_is_found_and_not_sent_again(
    desk: Desk, kind: str, options: dict[str, Any]
) -> None:
    """Executed, and the reply says nothing of it: the account's news does, or the maker looks; one quote a side."""
    arm(desk, kind, count=2, **options)
    venue = desk.venue()
    for order in venue.open_orders(BTCUSDT):  # so that it must quote again
        venue.cancel(BTCUSDT, order.order_id)
    until("both replies are lost", lambda: not armed(desk))
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])
    names = [order.client_order_id for order in venue.open_orders(BTCUSDT)]
    assert len(set(names)) == len(names)
    until("no fate is open", lambda: desk.log("maker").count("settled") >= desk.node("maker")["figures"]["unknown"])


def test_it_waits_as_long_as_it_is_told(desk: Desk) -> None:
    """429 with Retry-After: the maker says for how long it waits, and goes on."""
    arm(desk, "rate_limit", retry_after_s=1)
    venue = desk.venue()
    for order in venue.open_orders(BTCUSDT):
        venue.cancel(BTCUSDT, order.order_id)
    until("it was told to wait", lambda: not armed(desk) and "wait_s=1.0" in desk.log("maker"))
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])


def test_a_halt_waits_for_no_maker_that_cannot_answer(desk: Desk) -> None:
    """Guards a halt that was never armed, and so had no end: the maker was frozen, and its word was waited for."""
    pid = desk.node("maker")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        ask_admin(desk, {"kind": "halt", "symbol": "BTCUSDT", "for_s": 1})
        assert status_of(desk) == "CANCEL_ONLY"
        until("it is over", lambda: not armed(desk) and status_of(desk) == "TRADING")
    finally:
        os.kill(pid, signal.SIGCONT)
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])


STANDING = [
    ("delay", {"ms": 300, "path": "order", "account": 1, "count": None}),
    ("reject", {"code": -1008, "path": "order", "method": "POST", "account": 1, "count": None}),
    ("reject_rate", {"percent": 50, "account": 1}),
    ("late_visibility", {"ms": 1_000, "account": 1}),
    ("mute", {"account": 1}),
    ("mute", {"streams": "market"}),
    ("drop_event", {"percent": 50}),
    ("duplicate_event", {}),
    ("reorder_events", {}),
    ("stale_market", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), STANDING, ids=[f"{kind} {options}" for kind, options in STANDING])
def test_the_desk_lives_through_a_switch_that_stands(desk: Desk, kind: str, options: dict[str, Any]) -> None:
    """It meets the maker's calls or events; when it is over there is one quote a side, and nobody has died."""
    before = whole(desk)
    fault = ask_admin(desk, {"kind": kind, **options})

    def has_met_something() -> bool:
        cancel_all(desk)  # so that it must quote again
        return hits(desk, fault["id"]) > 0

    # One that counts nothing lets questions be answered without what is new.
    until("the switch has met something", lambda: has_met_something() or kind == "late_visibility")
    time.sleep(STANDS_S)
    clear(desk)
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])
    assert whole(desk) == before


@pytest.mark.slow
def test_the_desk_lives_with_a_venue_whose_clock_is_wrong(desk: Desk) -> None:
    """An hour ahead: signed calls are refused meanwhile, and work again after it."""
    before = whole(desk)
    ask_admin(desk, {"kind": "wrong_clock", "offset_ms": HOUR_MS, "for_s": 4})
    with urllib.request.urlopen(f"{desk.url('paper')}/api/v3/time", timeout=ANSWER_S) as response:
        assert json.load(response)["serverTime"] > time.time() * 1_000 + HOUR_MS / 2
    until("it is over", lambda: not armed(desk))
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])
    assert whole(desk) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options", "answer"),
    [
        ("disconnect", {}, "disconnected"),
        ("disconnect", {"is_clean": True}, "disconnected"),
        ("silent_cancel", {"count": 2, "account": 1}, "cancelled"),
        ("wipe", {}, "wiped"),
    ],
)
def test_the_desk_lives_through_a_switch_that_acts_at_once(
    desk: Desk, kind: str, options: dict[str, Any], answer: str
) -> None:
    """What it has done is told; then there is one quote a side again, and nobody has died."""
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])
    before, quotes = whole(desk), open_ids(desk)
    # A maker that was disconnected a moment ago, or that moves its quotes, has nothing to lose yet.
    until("it has done something", lambda: ask_admin(desk, {"kind": kind, **options})[answer])
    if kind != "disconnect":
        until("the quotes are others", lambda: not quotes & open_ids(desk))
    until("it quotes both sides", lambda: sides(desk) == [Side.BUY, Side.SELL])
    assert whole(desk) == before


def whole(desk: Desk) -> dict[str, int]:
    """Return how often each node has begun again; all must be there."""
    rows = desk.status()["nodes"]
    assert all(row["state"] == "ready" for row in rows), rows
    return {row["node"]: row["restarts"] for row in rows}


def open_ids(desk: Desk) -> set[str]:
    """Return the ids of the account's open orders."""
    return {order.order_id for order in desk.venue().open_orders(BTCUSDT)}


def cancel_all(desk: Desk) -> None:
    """Cancel the account's orders; those that are gone by themselves meanwhile are none of ours."""
    venue = desk.venue()
    for order in venue.open_orders(BTCUSDT):
        with suppress(VenueError):
            venue.cancel(BTCUSDT, order.order_id)


def hits(desk: Desk, number: int) -> int:
    """Return how much a switch has met; it must still stand."""
    (found,) = (each for each in armed(desk) if each["id"] == number)
    return int(found["hits"])
