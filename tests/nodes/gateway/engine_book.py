"""The engine's book as a subscriber of its feed sees it, told apart by the sessions of a gateway."""

import json
from pathlib import Path

from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from bus.topology import first_order_id
from market.clock import monotonic_ns
from market.feed_messages import BookOrder
from market.limits import ORDER_IDS_PER_SESSION
from tests.one_engine import GATEWAY, one_engine


class EngineBook:
    """The visible orders of BTCUSDT; `close` it."""

    def __init__(self, run_dir: Path) -> None:
        self._feed = FeedSubscriber(one_engine(run_dir), [Topic.BOOK.of("BTCUSDT")])
        self._replica = self._feed.replicas[Topic.BOOK.of("BTCUSDT")]
        self._sessions_file = run_dir / "gateway" / "sessions.json"

    def orders_of(self, name: str) -> dict[int, BookOrder] | None:
        """Return what is shown of a session's orders by the client's own ids, None while the book is not known."""
        self._feed.tick(monotonic_ns())
        self._feed.receive(monotonic_ns())
        if not self._replica.is_synchronised:
            return None
        sessions = json.loads(self._sessions_file.read_text())["sessions"]
        (session,) = [one for one in sessions if one["name"] == name]
        begin = first_order_id(GATEWAY) + session["number"] * ORDER_IDS_PER_SESSION
        orders = [order for order in self._replica.book.state() if 0 < order.order_id - begin < ORDER_IDS_PER_SESSION]
        return {order.order_id - begin - session["offset"]: order for order in orders}

    def close(self) -> None:
        """Close the sockets."""
        self._feed.close()
