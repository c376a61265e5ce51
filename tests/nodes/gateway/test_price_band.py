"""The price band follows the market, whoever makes it: another source of orders, through kill -9 of the engine."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.topology import ORDERS, Source, first_order_id, first_owner
from market.clock import monotonic_ns
from market.codes import OrderType, RejectReason, Side
from market.commands import CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Event, Rejected
from tests.bus.test_tcp import free_ports
from tests.desk.desk_process import short_directory, until
from tests.nodes.gateway.cable import Cable
from tests.nodes.gateway.gateway_process import Pair
from venues.gateway import GatewayClient

BTC = 0
SILENT = "the feed is silent: without a reference price orders are refused"


@pytest.fixture(scope="module")
def banded() -> Iterator[Pair]:
    """An engine and a gateway with a band of a tenth."""
    with short_directory() as path, Pair(path, TICKBUS_GATEWAY__PRICE_BAND="0.1").working() as pair:
        yield pair


class Market:
    """Another source of orders, without a gateway."""

    def __init__(self, pair: Pair) -> None:
        self._source = LinkEnd(Source.FLOW, "engine", ChannelSocket(ORDERS, pair.run_dir, "engine"))
        self._next_id = first_order_id(Source.FLOW)

    def _turn(self) -> bool:
        self._source.tick(monotonic_ns())
        for _ in self._source.receive():
            pass
        return self._source.is_connected and not self._source.in_flight

    def quote(self, *prices: tuple[Side, int]) -> None:
        """Leave these orders alone in the book, each of another owner; those that meet trade."""
        until("the engine takes orders", self._turn)
        owners = [first_owner(Source.FLOW) + n for n in range(10)]
        orders = []
        for owner, (side, price_ticks) in zip(owners, prices, strict=False):
            self._next_id += 1
            orders.append(NewOrder(self._next_id, BTC, side, price_ticks, 1, owner=owner))
        self._source.send([*(MassCancel(owner=owner) for owner in owners), *orders])
        until("all is done", self._turn)

    def trade(self, price_ticks: int) -> None:
        """Make this the price of the last trade, with nothing left in the book."""
        self.quote((Side.SELL, price_ticks), (Side.BUY, price_ticks))

    def close(self) -> None:
        """Close the socket."""
        self._source.close()


class Trader:
    """A client of the gateway that tries one price after the other, and leaves nothing in the book."""

    def __init__(self, pair: Pair) -> None:
        self._client = GatewayClient(port=pair.port, timeout_s=60)
        self._last_id = 0

    def answer(self, side: Side, price_ticks: int) -> Accepted | Rejected:
        """Return what becomes of an order; it never trades, and is cancelled at once."""
        self._last_id += 1
        order = NewOrder(self._last_id, BTC, side, price_ticks, 1, OrderType.POST_ONLY)
        self._client.send([order, MassCancel()])

        def first() -> list[Accepted | Rejected]:
            events = [one for one in self._client.receive(0.1) if isinstance(one, Accepted | Rejected)]
            return [one for one in events if one.order_id == self._last_id]

        event: Accepted | Rejected = until("an answer", first, 60)[0]
        return event

    def is_refused_without_reference(self) -> bool:
        """Return whether no order is taken."""
        event = self.answer(Side.BUY, 1)
        return isinstance(event, Rejected) and event.reason == RejectReason.ENGINE_UNAVAILABLE

    def is_cancel_taken(self) -> bool:
        """Return whether a cancel gets to the engine, which does not know the order."""
        self._client.send([CancelOrder(1, BTC)])
        (event,) = until("an answer", lambda: [m for m in self._client.receive(0.1) if isinstance(m, Event)])
        return isinstance(event, Rejected) and event.reason == RejectReason.UNKNOWN_ORDER and event.sequence > 0

    def is_in_band(self, side: Side, price_ticks: int) -> bool:
        """Return whether an order goes to the engine; ask again while it is away."""

        def answered() -> Accepted | Rejected | None:
            event = self.answer(side, price_ticks)
            is_away = isinstance(event, Rejected) and event.reason == RejectReason.ENGINE_UNAVAILABLE
            return None if is_away else event

        event = until("the gateway has its engine", answered)
        if isinstance(event, Accepted) or event.reason == RejectReason.POST_ONLY_WOULD_CROSS:
            return True
        assert (event.reason, event.sequence) == (RejectReason.PRICE_BAND, 0), event
        return False

    def until_band(self, low: int, high: int) -> None:
        """Wait until `low` is the lowest price of a sell, and `high` the highest of a buy."""
        edges = (
            (Side.SELL, low, True),
            (Side.SELL, low - 1, False),
            (Side.BUY, high, True),
            (Side.BUY, high + 1, False),
        )
        until(
            f"the band is from {low} to {high}",
            lambda: all(self.is_in_band(side, price_ticks) == is_in for side, price_ticks, is_in in edges),
            60,
        )

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def test_follows_the_market_that_another_source_makes(banded: Pair) -> None:
    """A trade, a book that leaves it, a killed engine: the gateway's own clients have traded nothing."""
    market, trader = Market(banded), Trader(banded)
    try:
        assert trader.is_in_band(Side.BUY, 90_000_000), "nobody has said what it is worth"
        market.quote((Side.BUY, 3_000_000), (Side.SELL, 5_000_000))  # the mid
        trader.until_band(3_600_000, 4_400_000)
        market.trade(1_000_000)
        trader.until_band(900_000, 1_100_000)
        market.trade(2_000_000)
        trader.until_band(1_800_000, 2_200_000)
        market.quote((Side.BUY, 4_000_000), (Side.SELL, 8_000_000))  # without a trade
        trader.until_band(3_600_000, 4_400_000)
        banded.kill("engine")
        banded.start("engine")
        trader.until_band(3_600_000, 4_400_000)
        market.quote()
        trader.until_band(1_800_000, 2_200_000)  # the trade that the journal brought back
    finally:
        market.close()
        trader.close()


def test_a_silent_feed_is_no_reference() -> None:
    """The feed comes over tcp, and is cut while orders go on over ipc: none is checked against an old price."""
    first, own = free_ports(), free_ports()
    over_tcp = {
        "TICKBUS_BUS__CHANNELS__FEED": "tcp",
        "TICKBUS_BUS__CHANNELS__SNAPSHOTS": "tcp",
        "TICKBUS_BUS__PORT": str(own),
        "TICKBUS_BUS__CURVE": "false",
        "TICKBUS_GATEWAY__PRICE_BAND": "0.1",
    }
    with short_directory() as path, ExitStack() as stack:
        pair = Pair(path)
        stack.callback(pair.stop)
        pair.start("engine", **(over_tcp | {"TICKBUS_BUS__PORT": str(first)}))
        cables = [Cable(first + offset, own + offset) for offset in (1, 2)]
        for cable in cables:
            stack.callback(cable.close)
        pair.start("gateway", **over_tcp)
        pair.until_working()
        market, trader = Market(pair), Trader(pair)
        stack.callback(market.close)
        stack.callback(trader.close)
        market.trade(1_000_000)
        trader.until_band(900_000, 1_100_000)
        for cable in cables:
            cable.cut()
        market.trade(2_000_000)
        until("no order is taken", trader.is_refused_without_reference)
        assert trader.is_cancel_taken()
        until("the gateway says why", lambda: SILENT in pair.log("gateway"))
        for cable in cables:
            cable.mend()
        trader.until_band(1_800_000, 2_200_000)
