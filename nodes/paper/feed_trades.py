"""The public trades as the feeds tell them, brought to the paper exchange once each, whatever life an engine is in."""

from collections import defaultdict
from itertools import islice

from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from paper.exchange.public_market import PublicMarket

_FEEDS_KEPT = 2  # of an engine: the one that we hear, and the next one, of which its order link may tell first


class FeedTrades:
    """Brings the trades of a subscriber's replicas to the market.

    An engine numbers its trades anew when its memory is empty, which is when the epoch of its order links changes; that
    of its feed changes with every process. Only the engine knows which feed goes with which numbers, and tells it on
    the order link: until then the trades of a new feed wait in their replica.

    Args:
        subscriber: of the trades of every symbol.
        market: where they go.
    """

    def __init__(self, subscriber: FeedSubscriber, market: PublicMarket) -> None:
        self._subscriber = subscriber
        self._market = market
        symbols = market.symbols.values()
        self._replicas = [(each, subscriber.replicas[Topic.TRADES.of(each.name)]) for each in symbols]
        self._epochs: defaultdict[str, dict[int, int]] = defaultdict(dict)  # by engine and epoch of its feed
        self._taken: dict[int, tuple[int, int]] = {}  # by symbol id: the epoch and number of the last trade

    def on_connected(self, engine: str, epoch: int, feed_epoch: int) -> None:
        """Hear from an engine in which epoch the trades on its feed are numbered."""
        epochs = self._epochs[engine]
        epochs.pop(feed_epoch, None)
        epochs[feed_epoch] = epoch
        for old in [*islice(epochs, max(0, len(epochs) - _FEEDS_KEPT))]:
            del epochs[old]

    def receive(self, monotonic_ns: int, now_ns: int) -> bool:
        """Let the subscriber take what waits, message by message: a replica keeps no more than its last trades.

        Args:
            monotonic_ns: for the subscriber.
            now_ns: since 1970 UTC.

        Returns:
            Whether anything had come.
        """
        has_come = False
        while not self._subscriber.receive(monotonic_ns, 1):
            has_come = True
            self.take(now_ns)
        return has_come

    def take(self, now_ns: int) -> None:
        """Bring what is new; `now_ns` is since 1970 UTC."""
        for symbol, replica in self._replicas:
            epoch = self._epochs[symbol.engine].get(replica.epoch)
            last_epoch, last_id = self._taken.get(symbol.symbol_id, (0, 0))
            if epoch is None or not replica.trades or (epoch, replica.trades[-1].trade_id) == (last_epoch, last_id):
                continue
            fresh = []
            for trade in reversed(replica.trades):
                if epoch == last_epoch and trade.trade_id <= last_id:
                    break
                fresh.append(trade)
            if fresh:
                self._taken[symbol.symbol_id] = epoch, fresh[0].trade_id
                self._market.on_trades(epoch, symbol.symbol_id, fresh[::-1], now_ns)
