"""The TCP gateway in front of a real engine: what a client sends, and what it gets back."""

import socket
import time
from collections.abc import Iterator

import pytest

from market.codec import encode, encode_all
from market.codes import CancelReason, OrderType, RejectReason, Side, Tag, TimeInForce
from market.commands import AmendOrder, CancelOrder, HaltSymbol, NewOrder, SetPriceRange
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested
from market.feed_messages import InstrumentDefinition
from market.messages import Message
from tests.desk.desk_process import Desk, short_directory, until
from tests.pairs import default_instruments
from venues.gateway import GatewayClient, GatewayError

BTC = 0
INSTRUMENT_COUNT = len(default_instruments())


@pytest.fixture(scope="module")
def engine_and_gateway() -> Iterator[Desk]:
    """The two nodes that a TCP client needs, and the api to look at the book."""
    with short_directory() as path:
        desk = Desk(path / "run", "--only", "engine", "--only", "gateway", "--only", "api").start()
        yield desk
        desk.end()


@pytest.fixture
def address(engine_and_gateway: Desk) -> tuple[str, int]:
    """Host and port of the gateway."""
    host, port = engine_and_gateway.node("gateway")["endpoints"]["tcp"].split(":")
    return host, int(port)


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[GatewayClient]:
    """A connected client that has read its instruments."""
    with GatewayClient(*address) as one:
        until("instruments", lambda: one.receive(0.1) and one.instruments)
        yield one


def _receive(client: GatewayClient, count: int) -> list[Message]:
    """Return the next `count` messages without what differs from run to run."""
    messages: list[Message] = []
    deadline = time.monotonic() + 10
    while len(messages) < count and time.monotonic() < deadline:
        messages.extend(client.receive(0.1))
    assert len(messages) == count, messages
    return messages


def _events(client: GatewayClient, count: int) -> list[Event]:
    return [message for message in _receive(client, count) if isinstance(message, Event)]


def test_instruments_are_told_on_connection(address: tuple[str, int]) -> None:
    """A stranger learns what a symbol id, a tick and a lot are."""
    with GatewayClient(*address) as client:
        assert _receive(client, INSTRUMENT_COUNT)[0] == InstrumentDefinition(
            0, "BTCUSDT", "BTC", "USDT", "0.01", "0.00001"
        )


def test_new_order_rests_and_is_cancelled_under_the_client_s_own_id(client: GatewayClient) -> None:
    """The desk's id and owner never reach a client."""
    client.send([NewOrder(77, BTC, Side.BUY, 9_000_000, 1_000)])
    (accepted,) = _events(client, 1)
    assert isinstance(accepted, Accepted)
    assert (accepted.order_id, accepted.owner, accepted.resting_lots) == (77, 0, 1_000)
    client.send([CancelOrder(77, BTC)])
    (canceled,) = _events(client, 1)
    assert isinstance(canceled, Canceled)
    assert (canceled.order_id, canceled.qty_lots, canceled.reason) == (77, 1_000, CancelReason.REQUESTED)


def test_two_clients_trade_and_each_sees_its_own_side_alone(address: tuple[str, int], client: GatewayClient) -> None:
    """Maker's price, both leaves, and nothing about who stood on the other side."""
    with GatewayClient(*address) as other:
        _receive(other, INSTRUMENT_COUNT)
        client.send([NewOrder(1, BTC, Side.BUY, 9_000_000, 1_000)])
        _receive(client, 1)
        other.send([NewOrder(5, BTC, Side.SELL, 8_999_000, 400, time_in_force=TimeInForce.IOC)])
        accepted, taker = _events(other, 2)
        (maker,) = _events(client, 1)
        assert isinstance(accepted, Accepted)
        assert isinstance(taker, Executed)
        assert isinstance(maker, Executed)
        assert (taker.taker_order_id, taker.maker_order_id, taker.maker_owner, taker.price_ticks) == (
            5,
            0,
            0,
            9_000_000,
        )
        assert (maker.maker_order_id, maker.taker_order_id, maker.taker_owner) == (1, 0, 0)
        assert (maker.qty_lots, maker.maker_leaves_lots, taker.taker_leaves_lots) == (400, 600, 0)
        client.send([CancelOrder(1, BTC)])
        _receive(client, 1)


def test_amend_keeps_or_leaves_the_queue(client: GatewayClient) -> None:
    """A smaller quantity keeps its place; another price is a new place."""
    client.send([NewOrder(1, BTC, Side.BUY, 8_000_000, 1_000), AmendOrder(1, BTC, 8_000_000, 400)])
    _, smaller = _events(client, 2)
    assert isinstance(smaller, Amended)
    assert (smaller.leaves_lots, smaller.resting_lots) == (400, 400)
    client.send([AmendOrder(1, BTC, 8_000_100, 400)])
    moved, rested = _events(client, 2)
    assert isinstance(moved, Amended)
    assert isinstance(rested, Rested)
    assert (moved.resting_lots, rested.price_ticks, rested.order_id) == (0, 8_000_100, 1)
    client.send([CancelOrder(1, BTC)])
    _receive(client, 1)


def test_refusals_have_names_and_change_nothing(client: GatewayClient) -> None:
    """Unknown id, no quantity, no price, post-only that would trade, unknown symbol."""
    client.send([NewOrder(1, BTC, Side.BUY, 7_000_000, 10)])
    _receive(client, 1)
    refused: list[tuple[NewOrder | CancelOrder | AmendOrder, RejectReason]] = [
        (CancelOrder(9, BTC), RejectReason.UNKNOWN_ORDER),
        (AmendOrder(9, BTC, 1, 1), RejectReason.UNKNOWN_ORDER),
        (NewOrder(2, BTC, Side.BUY, 7_000_000, 0), RejectReason.BAD_QTY),
        (NewOrder(3, BTC, Side.BUY, 0, 10), RejectReason.BAD_PRICE),
        (NewOrder(4, 9, Side.BUY, 1, 10), RejectReason.UNKNOWN_SYMBOL),
        (NewOrder(5, BTC, Side.SELL, 6_999_999, 5, OrderType.POST_ONLY), RejectReason.POST_ONLY_WOULD_CROSS),
        (NewOrder(6, BTC, Side.BUY, 1, 10, order_type=77), RejectReason.BAD_TYPE),
    ]
    for command, reason in refused:
        client.send([command])
        (rejected,) = _events(client, 1)
        assert isinstance(rejected, Rejected), rejected
        tag = {NewOrder: Tag.NEW_ORDER, CancelOrder: Tag.CANCEL_ORDER, AmendOrder: Tag.AMEND_ORDER}[type(command)]
        assert (rejected.order_id, rejected.command, rejected.reason) == (command.order_id, tag, reason)
    client.send([CancelOrder(1, BTC)])
    (canceled,) = _events(client, 1)
    assert isinstance(canceled, Canceled)
    assert canceled.qty_lots == 10


def test_stream_may_be_cut_at_every_byte(address: tuple[str, int]) -> None:
    """TCP knows no messages."""
    data = encode_all([NewOrder(1, BTC, Side.BUY, 6_000_000, 10), CancelOrder(1, BTC)])
    for cut in range(1, len(data)):
        with GatewayClient(*address) as client:
            _receive(client, INSTRUMENT_COUNT)
            client._socket.sendall(data[:cut])
            client._socket.sendall(data[cut:])
            assert [type(event) for event in _events(client, 2)] == [Accepted, Canceled], cut


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xc1",
        b"\x00",
        b"\x92\x01\xc0",
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 3_000,
        encode(HaltSymbol(-1, 1)),
        encode(SetPriceRange(0, 1, 2)),
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_malformed_bytes_close_that_session_alone(
    address: tuple[str, int], client: GatewayClient, garbage: bytes
) -> None:
    """The client is told MALFORMED and hung up on; its open order is cancelled; the others go on."""
    with GatewayClient(*address) as bad:
        _receive(bad, INSTRUMENT_COUNT)
        bad._socket.sendall(garbage)
        (rejected,) = _events(bad, 1)
        assert isinstance(rejected, Rejected)
        assert rejected.reason == RejectReason.MALFORMED
        with pytest.raises(GatewayError, match="hung up"):
            until("the end", lambda: bad.receive(0.1) and False)
    client.send([NewOrder(1, BTC, Side.BUY, 5_000_000, 10), CancelOrder(1, BTC)])
    assert [type(event) for event in _events(client, 2)] == [Accepted, Canceled]


def test_hanging_up_cancels_what_is_open(engine_and_gateway: Desk, address: tuple[str, int]) -> None:
    """No order is orphaned."""
    with GatewayClient(*address) as client:
        _receive(client, INSTRUMENT_COUNT)
        client.send([NewOrder(n, BTC, Side.BUY, 4_000_000 + n, 10) for n in range(1, 51)])
        _receive(client, 50)
        until("the api shows them", lambda: len(engine_and_gateway.get("/api/orderbook")["bids"]) == 50)
    until("the book is empty", lambda: not engine_and_gateway.get("/api/orderbook")["bids"])


def test_no_client_connects_beyond_the_host_s_own_address(address: tuple[str, int]) -> None:
    """Everything binds to 127.0.0.1 unless told otherwise."""
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.2", address[1]), 2):
        pass


def test_open_orders_outlive_the_engine(engine_and_gateway: Desk, address: tuple[str, int]) -> None:
    """kill -9 of the engine: the journal brings the order back, and the client need not know."""
    with GatewayClient(*address) as client:
        _receive(client, INSTRUMENT_COUNT)
        client.send([NewOrder(1, BTC, Side.BUY, 3_000_000, 10)])
        _receive(client, 1)
        engine_and_gateway.kill("engine")

        def is_taken() -> bool:
            client.send([NewOrder(2, BTC, Side.BUY, 2_900_000, 10)])
            return isinstance(_events(client, 1)[0], Accepted)

        until("the gateway has the engine back", is_taken)
        client.send([CancelOrder(1, BTC)])
        (canceled,) = _events(client, 1)
        assert isinstance(canceled, Canceled)
        assert (canceled.order_id, canceled.qty_lots, canceled.reason) == (1, 10, CancelReason.REQUESTED)


def test_kill_switch_stops_new_orders_lets_cancels_through_and_outlives_the_engine(
    engine_and_gateway: Desk, client: GatewayClient
) -> None:
    """`halt`, kill -9 of the engine, `resume`: what is open can be cancelled all the time, nothing new gets in."""
    client.send([NewOrder(n, BTC, Side.BUY, 1_000_000, 10) for n in (1, 2)])
    _receive(client, 2)
    halted = engine_and_gateway.cli("halt", "--symbol", "BTCUSDT")
    assert halted.stdout == "BTCUSDT halted: no new orders, cancels go through\n", halted.stderr
    client.send([NewOrder(3, BTC, Side.BUY, 1_000_000, 10), CancelOrder(1, BTC)])
    rejected, canceled = _events(client, 2)
    assert isinstance(rejected, Rejected)
    assert (rejected.order_id, rejected.reason) == (3, RejectReason.SYMBOL_HALTED)
    assert isinstance(canceled, Canceled)
    engine_and_gateway.kill("engine")
    until("status says so", lambda: engine_and_gateway.node("engine")["figures"].get("halted") == ["BTCUSDT"])
    assert engine_and_gateway.cli("halt", "--cancel-all").returncode == 0
    (canceled,) = _events(client, 1)
    assert isinstance(canceled, Canceled)
    assert (canceled.order_id, canceled.reason) == (2, CancelReason.MASS_CANCEL)
    assert engine_and_gateway.cli("resume").stdout == "BTCUSDT resumed\nETHUSDT resumed\nBNBUSDT resumed\n"
    client.send([NewOrder(4, BTC, Side.BUY, 1_000_000, 10), CancelOrder(4, BTC)])
    assert [type(event) for event in _events(client, 2)] == [Accepted, Canceled]


def test_lost_orders_are_told_when_the_engine_keeps_no_journal() -> None:
    """An order that the new engine does not hold is reported as cancelled, never left in doubt."""
    with short_directory() as path:
        desk = Desk(path / "run", "--only", "engine", "--only", "gateway", TICKBUS_ENGINE__JOURNAL="none").start()
        try:
            host, port = desk.node("gateway")["endpoints"]["tcp"].split(":")
            with GatewayClient(host, int(port)) as client:
                _receive(client, INSTRUMENT_COUNT)
                client.send([NewOrder(1, BTC, Side.BUY, 3_000_000, 10)])
                _receive(client, 1)
                desk.kill("engine")
                (canceled,) = _events(client, 1)
                assert isinstance(canceled, Canceled)
                assert (canceled.order_id, canceled.reason) == (1, CancelReason.ENGINE_RESTARTED)

                def is_taken() -> bool:
                    client.send([NewOrder(2, BTC, Side.BUY, 3_000_000, 10)])
                    return isinstance(_events(client, 1)[0], Accepted)

                until("new orders are taken", is_taken)
        finally:
            desk.end()


def test_gateway_death_leaves_no_orphan_in_the_book(engine_and_gateway: Desk, address: tuple[str, int]) -> None:
    """The next gateway cancels what the clients of the last one had open."""
    with GatewayClient(*address) as client:
        _receive(client, INSTRUMENT_COUNT)
        client.send([NewOrder(1, BTC, Side.BUY, 2_000_000, 10)])
        _receive(client, 1)
        until("the api shows it", lambda: engine_and_gateway.get("/api/orderbook")["bids"])
        engine_and_gateway.kill("gateway")
        until("the book is empty", lambda: not engine_and_gateway.get("/api/orderbook")["bids"])
