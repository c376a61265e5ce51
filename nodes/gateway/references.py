"""The reference prices that a gateway compares its clients' prices with: as the engines' feeds tell them."""

from collections.abc import Sequence

from bus.channel import ChannelSocket
from bus.feed import Topic
from bus.subscriber import SILENCE_NS_MAX, FeedSubscriber
from market.clock import NS_PER_SECOND, monotonic_ns
from nodes.node import Node
from sessions.session_table import SessionTable

STANDSTILL_NS = NS_PER_SECOND


class GatewayReferences:
    """Keeps the table's reference prices in step with the feed of each symbol's engine: call `follow` in every tick.

    Nothing of it is on the way of an order: the feed tells a price at most every 100 ms, and it is read in the tick,
    not when it comes. A price that was heard, or confirmed by a heartbeat, SILENCE_NS_MAX ago is used no more, whether
    the feed is silent or a snapshot is on its way. It ends by itself: when a gateway stood still, orders come before
    its tick. Nor is then what had waited in the socket taken for news.

    Attributes:
        are_known: whether the reference price of every symbol is known, be it that there is none.
    """

    def __init__(self, node: Node, table: SessionTable) -> None:
        self._node = node
        self._table = table
        self._topics = {each.symbol: Topic.REFERENCE.of(each.symbol) for each in node.settings.instruments}
        # A gateway must not end because of market data: its clients' orders are more than that.
        self._subscriber = FeedSubscriber(node.wiring, list(self._topics.values()), gives_up=False)
        self._silent: set[str] = set()
        self._followed_ns = 0
        self.are_known = False
        self._patient_until_ns = monotonic_ns() + SILENCE_NS_MAX
        for symbol_id in range(len(self._topics)):
            table.set_reference(symbol_id, 0, 0)

    @property
    def sockets(self) -> Sequence[ChannelSocket]:
        """The sockets of the feed."""
        return self._subscriber.sockets

    def follow(self, now_ns: int) -> None:
        """Take what the feed has told; `now_ns` is monotonic."""
        if now_ns - self._followed_ns > STANDSTILL_NS:
            for replica in self._subscriber.replicas.values():
                replica.lose()  # what has waited meanwhile may be old; the answer to a question is not
        self._followed_ns = now_ns
        self._subscriber.receive(now_ns)
        self._subscriber.tick(now_ns)
        symbols = list(self._topics)
        for symbol_id, topic in enumerate(self._topics.values()):
            if until_ns := self._subscriber.live_until_ns(topic):
                self._table.set_reference(symbol_id, self._subscriber.replicas[topic].reference.price_ticks, until_ns)
        unknown = {symbols[symbol_id] for symbol_id in self._table.stale_references(now_ns)}
        self.are_known = not unknown
        self._node.show(no_reference=sorted(unknown))
        silent = unknown if now_ns >= self._patient_until_ns else set()
        if fresh := silent - self._silent:
            self._node.log.warning("the feed is silent: without a reference price orders are refused", of=sorted(fresh))
        self._silent = silent

    def close(self) -> None:
        """Close the sockets."""
        self._subscriber.close()
