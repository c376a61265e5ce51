"""Several gateways on one engine: each has its own port, its own order ids and owners, and its own sessions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from market.codes import CancelReason, RejectReason, Side
from market.commands import CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected
from tests.desk.desk_process import TWO_GATEWAYS, Desk, short_directory, until
from venues.gateway import GatewayClient, GatewaySession

BTC, ETH, BNB, PRICE = 0, 1, 2, 5_000_000
THREE_GATEWAYS = '[{"name": "gateway"}, {"name": "gateway2", "port": 0}, {"name": "gateway3", "port": 0}]'
NAMES = ("gateway", "gateway2", "gateway3")


@pytest.fixture(scope="module")
def gateways() -> Iterator[Desk]:
    """An engine and three gateways on free ports."""
    with short_directory() as path:
        without = ("paper", "flow", "api", "maker", "tracker")
        arguments = [word for name in without for word in ("--without", name)]
        desk = Desk(path / "run", *arguments, TICKBUS_GATEWAYS=THREE_GATEWAYS).start()
        yield desk
        desk.end()


def port_of(desk: Desk, name: str) -> int:
    """Return the port of a gateway."""
    return int(desk.node(name)["endpoints"]["tcp"].rpartition(":")[2])


def heard(session: GatewaySession, count: int) -> list[Event]:
    """Return the next `count` reports."""
    events: list[Event] = []

    def is_enough() -> bool:
        events.extend(session.receive(0.05))
        return len(events) >= count

    until(f"{count} reports", is_enough)
    assert len(events) == count, events
    return events


def order(order_id: int, side: Side = Side.BUY, price_ticks: int = PRICE) -> NewOrder:
    """Return an order of 10 lots."""
    return NewOrder(order_id, BTC, side, price_ticks, 10)


def answer(session: GatewaySession, side: Side, price_ticks: int) -> Event:
    """Enter an order with the next id and return its first report; again while the gateway has no engine."""

    def has_engine() -> Event | None:
        session.send([order(session.state.last_order_id + 1, side, price_ticks)])
        (event,) = heard(session, 1)
        is_away = isinstance(event, Rejected) and event.reason == RejectReason.ENGINE_UNAVAILABLE
        return None if is_away else event

    event: Event = until("the gateway has its engine", has_engine)
    return event


def test_desk_runs_as_many_gateways_as_have_ports(gateways: Desk) -> None:
    """They are nodes of the desk like others, and a person is told where each one is."""
    assert [row["node"] for row in gateways.status()["nodes"]] == ["engine", *NAMES]
    ports = [port_of(gateways, name) for name in NAMES]
    assert len(set(ports)) == len(NAMES)
    text = gateways.cli("status").stdout
    assert f"order gateway    {', '.join(f'tcp 127.0.0.1:{port}' for port in ports)}" in text


def test_same_name_and_ids_at_two_gateways_are_two_clients(gateways: Desk) -> None:
    """They trade with each other in one book; each cancels its own alone."""
    one, two = (GatewaySession("same", port=port_of(gateways, name)) for name in NAMES[:2])
    with one, two:
        one.send([order(1), order(2, price_ticks=PRICE - 1)])
        assert [type(event) for event in heard(one, 2)] == [Accepted, Accepted]
        two.send([order(1, Side.SELL), order(2, price_ticks=PRICE - 2)])
        accepted, taker, other = heard(two, 3)
        (maker,) = heard(one, 1)
        assert isinstance(accepted, Accepted)
        assert isinstance(taker, Executed)
        assert isinstance(maker, Executed)
        assert isinstance(other, Accepted)
        assert (taker.taker_order_id, taker.maker_order_id, taker.trade_id) == (1, 0, maker.trade_id)
        assert (maker.maker_order_id, maker.taker_order_id) == (1, 0)
        two.send([MassCancel()])
        assert [event.order_id for event in heard(two, 1) if isinstance(event, Canceled)] == [2]
        one.send([CancelOrder(2, BTC)])
        (canceled,) = heard(one, 1)
        assert isinstance(canceled, Canceled)
        assert canceled.reason == CancelReason.REQUESTED
        for session in (one, two):
            session.logout(is_final=True)


def test_a_killed_gateway_takes_nothing_of_the_others_along(gateways: Desk) -> None:
    """It comes back on its port with its sessions; what its anonymous clients had open is cancelled, and no more."""
    ports = [port_of(gateways, name) for name in NAMES]
    sessions = [GatewaySession("bot", port=port) for port in ports]
    with GatewayClient(port=ports[1]) as nobody:
        for session in sessions:
            session.send([order(1)])
            heard(session, 1)
        nobody.send([order(1, price_ticks=PRICE + 1)])
        until("it is accepted", lambda: [one for one in nobody.receive(0.05) if isinstance(one, Accepted)])
        gateways.kill("gateway2")
    assert [port_of(gateways, name) for name in NAMES] == ports
    gateways.kill("engine")
    for session in sessions:
        accepted = answer(session, Side.SELL, PRICE + 1)  # at the price of the anonymous order
        assert isinstance(accepted, Accepted)
        assert (accepted.sequence, accepted.resting_lots) == (2, 10)
        session.send([MassCancel()])
        canceled = {event.order_id for event in heard(session, 2) if isinstance(event, Canceled)}
        assert canceled == {1, accepted.order_id}
        session.logout(is_final=True)


def test_kill_switch_holds_at_every_gateway_and_through_every_restart(gateways: Desk) -> None:
    """One symbol or all; what is open can be cancelled, by its client or by the switch itself."""
    sessions = [GatewaySession("halted", port=port_of(gateways, name)) for name in NAMES[:2]]
    for session in sessions:
        session.send([order(1), order(2)])
        heard(session, 2)
    assert gateways.cli("halt", "--symbol", "BTCUSDT").returncode == 0
    gateways.kill("engine")
    gateways.kill("gateway2")
    for session in sessions:
        refused = answer(session, Side.BUY, PRICE)
        assert isinstance(refused, Rejected)
        assert refused.reason == RejectReason.SYMBOL_HALTED
        session.send([CancelOrder(1, BTC), NewOrder(1_000, ETH, Side.BUY, 100_000, 10)])
        canceled, accepted = heard(session, 2)
        assert isinstance(canceled, Canceled)
        assert isinstance(accepted, Accepted), "another symbol goes on"
    assert gateways.cli("halt", "--cancel-all").returncode == 0
    for session in sessions:
        ended = [event for event in heard(session, 2) if isinstance(event, Canceled)]
        assert {(event.order_id, event.reason) for event in ended} == {
            (2, CancelReason.MASS_CANCEL),
            (1_000, CancelReason.MASS_CANCEL),
        }
    assert gateways.cli("resume").returncode == 0
    for session in sessions:
        assert isinstance(answer(session, Side.BUY, PRICE), Accepted)
        session.logout(is_final=True)


def test_a_gateway_that_the_desk_does_not_have_is_refused(tmp_path: Path) -> None:
    """One line and exit code 1, as for everything that a person can mend; and bad tables are named."""
    desk = Desk(tmp_path / "run", TICKBUS_GATEWAYS=TWO_GATEWAYS)
    result = desk.cli("node", "gateway3")
    assert result.returncode == 1
    assert "there is no node gateway3; the nodes are engine, gateway, gateway2, paper" in result.stderr
    desk = Desk(tmp_path / "run", TICKBUS_GATEWAYS='[{"name": "gateway2", "port": 65536}]')
    result = desk.cli("node", "gateway2")
    assert result.returncode != 0
    assert "gateways.0.port: " in result.stderr


def test_gateways_have_one_reference_price(gateways: Desk) -> None:
    """What the clients of one trade moves the price band of the others, and of those that come later."""
    sessions = [GatewaySession("banded", port=port_of(gateways, name)) for name in NAMES]

    def is_taken(session: GatewaySession, price_ticks: int) -> bool:
        session.send([NewOrder(session.state.last_order_id + 1, BNB, Side.BUY, price_ticks, 1)])
        (event,) = heard(session, 1)
        if isinstance(event, Accepted):
            session.send([MassCancel()])
            heard(session, 1)
            return True
        assert isinstance(event, Rejected)
        assert event.reason in (RejectReason.PRICE_BAND, RejectReason.ENGINE_UNAVAILABLE)
        return False

    def all_have_band(high: int) -> bool:
        return all(is_taken(session, high) and not is_taken(session, high + 1) for session in sessions)

    def trade(price_ticks: int) -> None:
        one, two, _ = sessions
        for session, side, report_count in ((one, Side.SELL, 1), (two, Side.BUY, 2)):
            session.send([NewOrder(session.state.last_order_id + 1, BNB, side, price_ticks, 1)])
            heard(session, report_count)
        heard(one, 1)

    trade(60_000)
    until("the band is that of the trade", lambda: all_have_band(90_000))
    trade(80_000)
    until("the band has moved", lambda: all_have_band(120_000))
    gateways.kill("gateway3")
    until("the new one has it too", lambda: all_have_band(120_000))
    for session in sessions:
        session.logout(is_final=True)
