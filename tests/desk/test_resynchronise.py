"""kill -9 of the engine: session, paper exchange, api and replicas are in step with its successor, without a person."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from bus.feed import FeedFrame, Topic, unpack_frame
from bus.subscriber import FeedSubscriber
from bus.topology import FEED
from market.clock import monotonic_ns
from market.codes import Side
from market.feed_messages import BestPrices
from tests.bus.shown_state import best_of
from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until
from tests.desk.gateway_client import accepted, cancel
from tests.one_engine import one_engine
from venues.gateway import GatewaySession

BOOK, TRADES, BEST = (topic.of("BTCUSDT") for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST))


@pytest.fixture(scope="module")
def market_desk() -> Iterator[Desk]:
    """A desk with a market, and without a maker."""
    with short_directory() as path:
        desk = Desk(path / "run", "--without", "maker", "--without", "tracker")
        try:
            yield desk.start()
        finally:
            desk.end()


@pytest.fixture
def replica(market_desk: Desk) -> Iterator[FeedSubscriber]:
    one = FeedSubscriber(one_engine(market_desk.run_dir), [BOOK, TRADES, BEST])
    yield one
    one.close()


def _step(subscriber: FeedSubscriber) -> bool:
    """Let the subscriber work; return whether it is in step."""
    subscriber.receive(monotonic_ns())
    subscriber.tick(monotonic_ns())
    return subscriber.is_live(monotonic_ns())


def _fresh(desk: Desk) -> tuple[int, list[Any]]:
    """Return the engine's own state of the book, as a newcomer gets it, with its sequence."""
    newcomer = FeedSubscriber(one_engine(desk.run_dir), [BOOK])
    try:
        until("a newcomer is in step", lambda: _step(newcomer))
        return newcomer.replicas[BOOK].epoch, newcomer.replicas[BOOK].book.state()
    finally:
        newcomer.close()


def test_all_are_in_step_with_the_engine_after_its_kill(market_desk: Desk, replica: FeedSubscriber) -> None:
    """A new feed epoch begins with a snapshot; no report, no order and no price is lost; nobody has to do anything."""
    desk = market_desk
    host, port = desk.node("gateway")["endpoints"]["tcp"].split(":")
    venue = desk.venue()
    with GatewaySession("ann", host, int(port)) as session:
        mine = accepted(session, "BTCUSDT", "90000.00", "0.00111")
        venue.place(BTCUSDT, Side.BUY, 8_900_000, 1_000, "resync-1")
        open_before = venue.open_orders(BTCUSDT)
        until("the replica is in step", lambda: _step(replica))
        epochs = {one.epoch for one in replica.replicas.values()}
        others = {row["node"]: row["pid"] for row in desk.status()["nodes"] if row["node"] != "engine"}
        desk.kill("engine")
        until(
            "every replica is in the new epoch",
            lambda: _step(replica) and not epochs & {one.epoch for one in replica.replicas.values()},
        )
        cancel(session, mine)
        accepted(session, "BTCUSDT", "90000.00", "0.00222")
        assert session.state.lost_count == 0
        until("the paper exchange takes orders", lambda: desk.node("paper")["figures"].get("is_connected"))
        assert venue.open_orders(BTCUSDT) == open_before
        until("the api is live", lambda: desk.get("/api/health").get("status") == "ok")
        assert {desk.get("/api/orderbook")["epoch"]} == {str(replica.replicas[BOOK].epoch)}
        assert {name: desk.node(name)["pid"] for name in others} == others, "nobody but the engine was restarted"
        os.kill(others["flow"], signal.SIGSTOP)  # so that the book stands still
        try:
            until("the replica is the engine's book", lambda: _step(replica) and _is_equal(replica, *_fresh(desk)))
            verified = desk.cli("replay", "--verify")
            assert verified.returncode == 0, verified.stderr
            _check_last_value(desk, replica)
        finally:
            os.kill(others["flow"], signal.SIGCONT)
    assert replica.error_count == 0, "a checksum of the engine's was not the replica's"


def _is_equal(replica: FeedSubscriber, epoch: int, state: list[Any]) -> bool:
    one = replica.replicas[BOOK]
    return one.epoch == epoch and bool(state) and one.book.state() == state


def _check_last_value(desk: Desk, replica: FeedSubscriber) -> None:
    """A late subscriber, and not the first, hears the best prices though nothing changes."""
    late = FeedSubscriber(one_engine(desk.run_dir), [BEST])
    socket, _ = late.sockets

    def told() -> FeedFrame | None:
        _step(replica)
        frames = socket.receive()
        frame = unpack_frame(frames) if frames else None
        return frame if frame and frame.messages else None

    try:
        frame = until("the best prices come without a snapshot", told)
        (best,) = frame.messages
        assert isinstance(best, BestPrices)
        assert best == replica.replicas[BEST].best == best_of(replica.replicas[BOOK].book)
        assert socket.endpoint.endswith(f"{FEED.name}.ipc")
    finally:
        late.close()
