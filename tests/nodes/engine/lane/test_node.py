"""Engines as processes with their lanes: that they run them, why they do without, and how they end."""

import threading

import pytest

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.topology import ORDERS, first_order_id, first_owner
from market.clock import monotonic_ns
from market.commands import CancelOrder, NewOrder
from tests.desk.desk_process import short_directory, until
from tests.lanes import LANES
from tests.nodes.gateway.gateway_process import Pair
from tests.one_engine import GATEWAY

WITH = LANES["with lanes"]
WITHOUT = "does without its lane"
OWNER = first_owner(GATEWAY)
IN_FLIGHT_MAX = 4_096


def test_an_engine_runs_its_lane() -> None:
    """An order goes all the way; it does not say that it does without."""
    with short_directory() as path, Pair(path, **WITH).working() as pair:
        assert WITHOUT not in pair.log("engine")


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (("TICKBUS_ENGINE__BOOK", "reference"), "engine.book is reference"),
        (("TICKBUS_ENGINE__JOURNAL", "sync"), "engine.journal is sync: what is sent waits for the disk"),
        (("TICKBUS_ENGINE__STANDBY", "may"), "engine.standby: what is sent may have to wait for it"),
    ],
)
def test_an_engine_that_cannot_have_a_lane_says_why_and_does_without(setting: tuple[str, str], why: str) -> None:
    """It is the same engine."""
    with short_directory() as path, Pair(path, **dict([setting]), **WITH).working() as pair:
        assert WITHOUT in pair.log("engine")
        assert why in pair.log("engine")


def test_an_engine_ends_while_orders_come() -> None:
    """A call of the kernel is short, whatever waits: a signal is seen to after it."""
    with short_directory() as path:
        pair = Pair(path, **WITH)
        pair.start("engine")
        source = LinkEnd(GATEWAY, "engine", ChannelSocket(ORDERS, pair.run_dir, "engine"))
        number, is_over = first_order_id(GATEWAY), threading.Event()

        def turn() -> bool:
            for _ in source.receive_raw():
                pass
            source.tick(monotonic_ns())
            return source.is_connected

        def flood() -> None:
            nonlocal number
            while not is_over.is_set():
                if turn() and source.in_flight < IN_FLIGHT_MAX:
                    number += 1
                    source.send([NewOrder(number, 0, 0, 1_000, 5, owner=OWNER), CancelOrder(number, 0, OWNER)])

        until("the engine answers", turn, 120)
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            until("it handles orders", lambda: source.acknowledged > 1_000)
            pair.end("engine")
        finally:
            is_over.set()
            thread.join()
            source.close()
