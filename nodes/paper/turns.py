"""What the paper exchange's node does with what the engines say: reports to the ledger, trades and books to the market.

The clock and the sockets are given: in a simulation they are others.
"""

from collections.abc import Callable
from typing import Final

from bus.engine_client import EngineClient, LinkEnd
from bus.order_link import Connected
from bus.subscriber import FeedSubscriber
from market.clock import NS_PER_MS, Now
from nodes.paper.feed_trades import FeedTrades
from paper.exchange.exchange import Exchange

LOOK_NS: Final = 10 * NS_PER_MS  # between two looks at feeds and links


class ExchangeTurns:
    """An exchange behind its sockets.

    Args:
        exchange: has its orders at the engines.
        client: of the engines.
        subscriber: of the books and trades of all symbols.
        now: this moment.
        on_connected: is told which engine has answered, and what.
    """

    def __init__(
        self,
        exchange: Exchange,
        client: EngineClient,
        subscriber: FeedSubscriber,
        now: Callable[[], Now],
        on_connected: Callable[[LinkEnd, Connected], None],
    ) -> None:
        self._exchange = exchange
        self._client = client
        self._subscriber = subscriber
        self._now = now
        self._on_connected = on_connected
        self._trades = FeedTrades(subscriber, exchange.market)
        self._looked_ns = -LOOK_NS

    def take(self) -> None:
        """Take reports and market data, and say what the engines are to hear of it: when something came, and in turns.

        Raises:
            SubscriberBehindError: if the feed is faster than we.
        """
        self.take_reports()
        self.take_market()

    def take_market(self) -> None:
        """Take market data; now and then, see after the feeds and the links.

        That they have our reports, the engines hear with the next command, or with the next look: an answer to each
        word of theirs would cost both sides as much as an order.

        Raises:
            SubscriberBehindError: if the feed is faster than we.
        """
        now = self._now()
        has_news = self._trades.receive(now.monotonic_ns, now.time_ns)
        is_due = not 0 <= now.monotonic_ns - self._looked_ns < LOOK_NS
        if is_due:
            self._looked_ns = now.monotonic_ns
            self._subscriber.tick(now.monotonic_ns)
            self._client.tick(now.monotonic_ns)
        if has_news or is_due:
            self._trades.take(now.time_ns)
            self._exchange.market.on_book()
            self._exchange.each_second(now.time_ns)

    def take_reports(self) -> None:
        """Take what the engines report of our orders, and save it with all else that waits for that."""
        for link, news in self._client.receive():
            orders = self._exchange.engines[link.engine]
            if isinstance(news, Connected):
                self._trades.on_connected(link.engine, news.epoch, news.feed_epoch)
                orders.on_connected(
                    news.epoch,
                    news.command_sequence,
                    self._now().time_ns,
                    report_sequence=news.report_sequence,
                    last_order_id=news.last_order_id,
                )
                self._on_connected(link, news)
            else:
                orders.on_reports(news.epoch, news.events, news.report_sequence, news.command_sequence)
        self._exchange.saves.save()  # before the link acknowledges: it may with anything that it sends
