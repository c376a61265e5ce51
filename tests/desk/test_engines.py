"""Several engines, each with its symbols: BTCUSDT on one, ETHUSDT on the other."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.order_link import Connected
from bus.topology import ORDERS, first_order_id, first_owner
from commands.actions.journal import asked_engines, replay_journal
from desk.client import DeskError
from desk.operator import set_halted
from desk.settings import load_settings
from desk.wiring import desk_wiring
from market.clock import monotonic_ns
from market.codes import RejectReason, Side
from market.commands import CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Rejected
from tests.desk.desk_process import BTCUSDT, TWO_ENGINES, TWO_GATEWAYS, Desk, short_directory, until
from tests.desk.gateway_client import accepted, cancel
from venues.gateway import GatewayError, GatewaySession

STRAY = 7  # a number that no gateway of the desk has
NODES = ("engine", "engine2", "gateway", "paper", "api")


@pytest.fixture(scope="module")
def engines() -> Iterator[Desk]:
    """A desk with two engines, a gateway, a paper exchange and an api."""
    with short_directory() as path:
        nodes = [word for name in NODES for word in ("--only", name)]
        desk = Desk(path / "run", *nodes, TICKBUS_ENGINES=TWO_ENGINES)
        try:
            yield desk.start()
        finally:
            desk.end()


def _port(desk: Desk, name: str) -> int:
    return int(desk.node(name)["endpoints"]["tcp"].rpartition(":")[2])


def _orders(desk: Desk, symbol: str) -> dict[int, float] | None:
    """Return the orders of a book as the api shows it, None if it would be stale."""
    book = desk.get(f"/api/orderbook?symbol={symbol}")
    if "bids" not in book:
        return None
    return {order["id"]: order["quantity"] for level in book["bids"] for order in level["orders"]}


def test_each_engine_has_its_symbols_and_one_lives_on_without_the_other(engines: Desk) -> None:
    """Orders go to the engine of their symbol, whoever brings them; the api has the books of both."""
    desk = engines
    with GatewaySession("ann", "127.0.0.1", _port(desk, "gateway")) as session:
        accepted(session, "BTCUSDT", "90000.00", "0.00111")
        eth = accepted(session, "ETHUSDT", "3000.00", "0.0222")
        venue = desk.venue()
        venue.place(BTCUSDT, Side.BUY, 8_900_000, 1_000, "paper-1")
        until("the api has both books", lambda: (_count(desk, "BTCUSDT"), _count(desk, "ETHUSDT")) == (2, 1))
        btc_book, eth_book = _orders(desk, "BTCUSDT"), _orders(desk, "ETHUSDT")
        assert btc_book is not None
        assert eth_book is not None
        assert not btc_book.keys() & eth_book.keys(), "an order id is used twice"

        os.kill(desk.node("engine2")["pid"], signal.SIGSTOP)  # as long as it takes to look at what remains
        until("the book of the one that is silent is called stale", lambda: _orders(desk, "ETHUSDT") is None)
        assert "its engine is silent" in desk.get("/api/orderbook?symbol=ETHUSDT")["error"]
        until("status says so", lambda: (desk.node("api")["state"], desk.node("paper")["state"]) == ("waiting",) * 2)
        assert _orders(desk, "BTCUSDT") == btc_book
        accepted(session, "BTCUSDT", "89000.00", "0.00333")  # it trades on
        venue.place(BTCUSDT, Side.BUY, 8_800_000, 1_000, "paper-2")
        until("its book goes on", lambda: _count(desk, "BTCUSDT") == 4)
        pid = desk.node("engine")["pid"]
        desk.kill("engine2")
        until("all nodes are ready", lambda: {row["state"] for row in desk.status()["nodes"]} == {"ready"})
        assert _orders(desk, "ETHUSDT") == eth_book, "ready means served"
        assert desk.node("engine")["pid"] == pid
        cancel(session, eth, 1)


def _count(desk: Desk, symbol: str) -> int:
    return len(_orders(desk, symbol) or ())


def test_an_engine_refuses_the_symbols_of_the_other(engines: Desk) -> None:
    """A second book of a symbol would be worse than a refusal."""
    settings = load_settings({"run_dir": engines.run_dir, "engines": json.loads(TWO_ENGINES)}).settings
    stray = LinkEnd(STRAY, "engine2", ChannelSocket(ORDERS, desk_wiring(settings), "engine2"))
    ids, told = iter(range(first_order_id(STRAY) + 1, 2**62)), list[Event]()

    def turn() -> list[Event]:
        stray.tick(monotonic_ns())
        for news in stray.receive():
            if isinstance(news, Connected):
                owner = first_owner(STRAY)
                stray.send([NewOrder(next(ids), symbol, Side.BUY, 3_000, 10, owner=owner) for symbol in (0, 1)])
            else:
                told.extend(news.events)
        return told[1:]

    try:
        until("both orders are answered", turn)
        refused, accepted = told[:2]
        assert isinstance(refused, Rejected)
        assert refused.reason == RejectReason.UNKNOWN_SYMBOL
        assert isinstance(accepted, Accepted)
        stray.send([MassCancel(owner=first_owner(STRAY))])
        until("the other is canceled", lambda: turn() and any(isinstance(event, Canceled) for event in told))
    finally:
        stray.close()


def test_a_gateway_survives_with_the_orders_of_all_engines(engines: Desk) -> None:
    """Messages of both symbols in one piece go to both engines in their order; a killed gateway knows what is open."""
    desk = engines
    with GatewaySession("bob", "127.0.0.1", _port(desk, "gateway")) as session:
        eth_before = _orders(desk, "ETHUSDT")
        assert eth_before is not None
        first = session.state.last_order_id + 1
        count = 40
        prices = {0: 5_000_000, 1: 200_000}
        session.send([NewOrder(first + n, n // 3 % 2, Side.BUY, prices[n // 3 % 2] + n, 10 + n) for n in range(count)])
        answered: list[int] = []

        def all_answered() -> bool:
            answered.extend(event.order_id for event in session.receive(0.05) if isinstance(event, Accepted))
            return len(answered) >= count

        until("every order is accepted", all_answered)
        assert sorted(answered) == list(range(first, first + count))
        desk.kill("gateway")
        second_kill = desk.node("engine2")["pid"]
        desk.kill("engine2")
        assert desk.node("engine2")["pid"] != second_kill
        canceled: set[int] = set()
        wanted = {first + n: n // 3 % 2 for n in range(count - 1)}

        def all_canceled() -> bool:
            """Ask again for what was lost with the connection, or refused while a link came back."""
            events = session.receive(0.5)
            canceled.update(event.order_id for event in events if isinstance(event, Canceled))
            if not events:
                with contextlib.suppress(GatewayError):
                    session.send([CancelOrder(each, symbol) for each, symbol in wanted.items() if each not in canceled])
            return canceled >= wanted.keys()

        until("every order but one is canceled", all_canceled)
        assert canceled == wanted.keys()
        assert session.state.lost_count == 0
        session.logout(is_final=True)
    until("the last one ends with the session", lambda: _orders(desk, "ETHUSDT") == eth_before)


def test_commands_ask_the_engine_that_they_are_about(engines: Desk) -> None:
    """The kill switch and the journal go by symbol and by engine; each engine has a folder of its own."""
    settings = load_settings({"run_dir": engines.run_dir, "engines": json.loads(TWO_ENGINES)}).settings
    halted = set_halted(settings, "ETHUSDT", is_halted=True, is_cancelling=False)
    assert [line.partition(":")[0] for line in halted.confirmed] == ["ETHUSDT halted"]
    until("status says so", lambda: engines.node("engine2")["figures"].get("halted") == ["ETHUSDT"])
    assert engines.node("engine")["figures"]["halted"] == []
    resumed = set_halted(settings, None, is_halted=False, is_cancelling=False)
    assert resumed.confirmed == ["ETHUSDT resumed"]
    for engine, folder in (("engine", "journal"), ("engine2", "journal.engine2")):
        assert list((engines.run_dir / folder).glob("*.journal"))
        _, text = replay_journal(settings, settings.plan.engines[engine], is_verified=True)
        assert "the live engine says the same" in text
    inspected = engines.cli("journal", "inspect", "--engine", "engine2")
    assert "commands" in inspected.stdout, inspected.stderr
    with pytest.raises(DeskError, match="there is no engine engine3; the engines are engine, engine2"):
        asked_engines(settings, "engine3")
    lines = engines.cli("replay").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["engine", "engine2"]
    assert list(engines.cli_json("journal", "verify")) == ["engine", "engine2"]


def test_a_desk_runs_the_engines_that_have_a_symbol() -> None:
    """Who needs an engine waits for all of them."""
    plan = load_settings({"engines": json.loads(TWO_ENGINES), "gateways": json.loads(TWO_GATEWAYS)}).settings.plan
    needs = {node.name: node.needs for node in plan.chosen()}
    assert [name for name in needs if name.startswith("engine")] == ["engine", "engine2"]
    assert needs["gateway"] == needs["gateway2"] == needs["api"] == needs["paper"] == ("engine", "engine2")
