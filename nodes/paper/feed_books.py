"""The public books as the feeds tell them, with every level that was touched: what the paper exchange looks at."""

from collections.abc import Callable, Mapping, Sequence

from bus.feed import BookReplica, Topic
from bus.subscriber import FeedSubscriber
from market.clock import monotonic_ns
from market.codes import Side
from market.depth import Depth
from market.feed_messages import BookOrder
from paper.exchange.public_market import Touched

_LEVELS_MAX = 1_000_000  # more than an engine has orders: the whole side


class TouchedBook(BookReplica):
    """A replica that notes the levels that were touched, until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._touched = Touched(set(), set())

    def clear(self) -> None:
        """Forget every order; each level is touched."""
        self.touch_all()
        super().clear()

    def apply_all(self, messages: Sequence[BookOrder]) -> None:
        """Apply messages in their order."""
        for _, side, price_ticks, _ in messages:  # before, for one of them may contradict the book
            self._touched[side].add(price_ticks)
        super().apply_all(messages)

    def touch_all(self) -> None:
        """Note every level that there is."""
        for side in Side:
            self._touched[side].update(self.prices(side, _LEVELS_MAX))

    def take_touched(self) -> Touched:
        """Return what was touched since the last call."""
        touched, self._touched = self._touched, Touched(set(), set())
        return touched


class FeedBooks:
    """The books of a subscriber that makes each a TouchedBook; empty, never stale, while the engine is silent.

    Whether it is silent is looked at in `take_touched` alone, so that a book empties there and nowhere else.

    Args:
        subscriber: of books and trades.
        symbols: by symbol id.
        clock: monotonic, ns.
    """

    def __init__(
        self, subscriber: FeedSubscriber, symbols: Mapping[int, str], clock: Callable[[], int] = monotonic_ns
    ) -> None:
        self._subscriber = subscriber
        self._topics = {symbol_id: (Topic.BOOK.of(name), Topic.TRADES.of(name)) for symbol_id, name in symbols.items()}
        self._live: set[int] = set()
        self._clock = clock

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        """Return the best `level_count` levels of each side."""
        return self._book(symbol_id).depth(level_count) if symbol_id in self._live else Depth((), ())

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        """Return what `depth` shows at a price; 0 where it shows nothing."""
        return self._book(symbol_id).level_lots(side, price_ticks) if symbol_id in self._live else 0

    def take_touched(self, symbol_id: int) -> Touched:
        """Return every level that was another at any time since the last call."""
        book, was_live = self._book(symbol_id), symbol_id in self._live
        is_live = self._subscriber.is_live(self._clock(), self._topics[symbol_id])
        if is_live != was_live:
            self._live ^= {symbol_id}
            book.touch_all()
        touched = book.take_touched()
        return touched if is_live or was_live else Touched(set(), set())

    def _book(self, symbol_id: int) -> TouchedBook:
        book = self._subscriber.replicas[self._topics[symbol_id][0]].book
        assert isinstance(book, TouchedBook), type(book)
        return book
