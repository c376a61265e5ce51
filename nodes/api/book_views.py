"""The JSON documents of the api, rendered from its replicas of the feed as bytes that many requests share."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import NamedTuple

from sanic.exceptions import NotFound, ServiceUnavailable

from bus.feed import BookReplica, Topic
from bus.subscriber import FeedSubscriber
from bus.topology import source_of_order
from market.clock import NS_PER_MS, monotonic_ns
from market.codes import Side
from market.exact_json import dumps
from market.feed_messages import BookOrder
from market.instrument import Instrument, text_of_steps

RENDER_NS = 10 * NS_PER_MS  # a document is rendered once per sequence, but no more often than that
RENDERED_MAX = 64  # documents kept: a book has one for each depth that is asked for
CHANGED_MAX = 100_000  # levels; beyond it the whole book is rendered again
TEXTS_KEPT_MAX = 1 << 16
OWN_ORDERS_MAX = 1_000
RETRY_S = 1  # what a client that was refused is told to wait
_Levels = tuple[set[int], set[int]]  # of bids and asks


class RenderedBook(BookReplica):
    """A replica that keeps each level as JSON text, and renders only those again that have changed.

    Args:
        own_sources: whose orders are all our own; see also `mark`.
    """

    def __init__(self, own_sources: frozenset[int] = frozenset()) -> None:
        super().__init__()
        self._texts: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self._changed: _Levels = (set(), set())
        self._own_sources = own_sources
        self._own: frozenset[int] = frozenset()
        self.clear_count = 0  # a snapshot after a damage may have the sequence of what it replaces

    def clear(self) -> None:
        """Forget every order."""
        super().clear()
        self.clear_count += 1
        self._forget_texts()

    def apply_all(self, messages: Sequence[BookOrder]) -> None:
        """Apply messages in their order."""
        super().apply_all(messages)
        for _, side, price_ticks, _ in messages:
            self._changed[side].add(price_ticks)

    def mark(self, own: frozenset[int]) -> None:
        """Take these order ids for our own, and no others of ours; they may come into the book later."""
        for order_id in own ^ self._own:
            if place := self.place(order_id):
                self._changed[place[0]].add(place[1])
        self._own = own

    def own_orders(self) -> list[int]:
        """Return the ids of our own orders in the book, `OWN_ORDERS_MAX` at most."""
        if self._own_sources:
            ids = (order_id for order_id in self._places if source_of_order(order_id) in self._own_sources)
        else:
            ids = (order_id for order_id in self._own if order_id in self._places)
        return list(islice(ids, OWN_ORDERS_MAX))

    def render(self, instrument: Instrument, side: int, depth: int) -> str:
        """Return the best `depth` levels of a side as JSON."""
        texts, changed = self._texts[side], self._changed[side]
        if len(changed) > CHANGED_MAX:
            self._forget_texts()
        for price_ticks in changed:
            texts.pop(price_ticks, None)
        changed.clear()
        prices = self.prices(side, depth)
        price_text, qty_text = _texts_of(instrument)
        for price_ticks in [price for price in prices if price not in texts]:
            queue = self.queue(side, price_ticks).items()
            orders = ", ".join(
                [
                    f'{{"id": {order_id}, "quantity": {qty_text(lots)}{self._mark_of(order_id)}}}'
                    for order_id, lots in queue
                ]
            )
            texts[price_ticks] = f'{{"price": {price_text(price_ticks)}, "orders": [{orders}]}}'
        return f"[{', '.join(map(texts.__getitem__, prices))}]"

    def _mark_of(self, order_id: int) -> str:
        is_own = order_id in self._own or (self._own_sources and source_of_order(order_id) in self._own_sources)
        return ', "own": true' if is_own else ""

    def _forget_texts(self) -> None:
        for side in Side:
            self._texts[side].clear()
            self._changed[side].clear()


@cache
def _texts_of(instrument: Instrument) -> tuple[Callable[[int], str], Callable[[int], str]]:
    """Return what makes text of ticks and of lots; most of them come again and again."""
    price_text, qty_text = (text_of_steps(step) for step in (instrument.tick_size, instrument.lot_size))
    return lru_cache(TEXTS_KEPT_MAX)(price_text), lru_cache(TEXTS_KEPT_MAX)(qty_text)


class Rendered(NamedTuple):
    """A document as bytes, and what it is of: epoch, sequence, how often the replica was made anew, version of our own
    orders, and monotonic time.
    """

    epoch: int
    sequence: int
    clear_count: int
    own_version: int
    time_ns: int
    etag: str
    document: bytes


class BookViews:
    """The documents; a book's bytes are rendered once per sequence and depth, and at most every `RENDER_NS`.

    Args:
        subscriber: follows the books (made by `RenderedBook`) and the trades of the instruments.
        instruments: that are served.
        clock: monotonic, ns.
    """

    def __init__(
        self,
        subscriber: FeedSubscriber,
        instruments: Sequence[Instrument],
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._subscriber = subscriber
        self._clock = clock
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._rendered: dict[tuple[str, int], Rendered] = {}
        self._own: frozenset[int] = frozenset()
        self._own_version = 0

    @property
    def is_live(self) -> bool:
        """Whether every replica is in step with the engine."""
        return self._subscriber.is_live(self._clock())

    def is_served(self, symbol: str) -> bool:
        """Return whether the documents of `symbol` can be had now; also of one that there is not."""
        return symbol not in self._instruments or self._subscriber.is_live(self._clock(), self._topics(symbol))

    def mark_own(self, order_ids: frozenset[int]) -> None:
        """Mark these orders as our own from now on, and no others."""
        if order_ids == self._own:
            return
        self._own = order_ids
        self._own_version += 1
        for symbol in self._instruments:
            self._book(symbol).mark(order_ids)

    def orderbook(self, symbol: str, depth: int) -> Rendered:
        """Return the best `depth` levels of each side of a book, order by order, best price first.

        Raises:
            NotFound: if there is no such symbol.
            ServiceUnavailable: if the book may be stale.
        """
        instrument = self._instrument(symbol)
        replica, book = self._subscriber.replicas[Topic.BOOK.of(symbol)], self._book(symbol)
        found = self._rendered.get((symbol, depth))
        now_ns = self._clock()
        state = replica.epoch, replica.sequence, book.clear_count, self._own_version
        if found is None or (found[: len(state)] != state and now_ns - found.time_ns >= RENDER_NS):
            bids, asks = (book.render(instrument, side, depth) for side in (Side.BUY, Side.SELL))
            head = (
                f'"symbol": "{symbol}", "epoch": "{replica.epoch}", "sequence": {replica.sequence}, '
                f'"timestamp": {replica.time_ns // NS_PER_MS}'
            )
            etag = f'"{"-".join(f"{number:x}" for number in (*state, depth))}"'
            document = f'{{"bids": {bids}, "asks": {asks}, {head}}}'.encode()
            if len(self._rendered) > RENDERED_MAX:
                self._rendered.clear()
            found = self._rendered[symbol, depth] = Rendered(*state, now_ns, etag, document)
        return found

    def trades(self, symbol: str, limit: int) -> str:
        """Return the last `limit` trades of `symbol`, oldest first."""
        instrument = self._instrument(symbol)
        replica = self._subscriber.replicas[Topic.TRADES.of(symbol)]
        trades = [
            {
                "id": trade.trade_id,
                "price": instrument.ticks_to_price(trade.price_ticks),
                "quantity": instrument.lots_to_qty(trade.qty_lots),
                "taker_side": Side(trade.taker_side).name,
                "timestamp": trade.time_ns // NS_PER_MS,
            }
            for trade in list(replica.trades)[-limit:]
        ]
        return dumps({"symbol": symbol, "sequence": replica.sequence, "trades": trades})

    def health(self) -> str:
        """Return, topic by topic, whether the replica is in step, and what it has seen."""
        replicas = self._subscriber.replicas.values()
        topics = {
            replica.topic.decode(): {
                "synchronised": replica.is_synchronised,
                "epoch": str(replica.epoch),
                "sequence": replica.sequence,
                "gaps": replica.gap_count,
            }
            for replica in replicas
        }
        return dumps({"status": "ok" if self.is_live else "stale", "topics": topics})

    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            raise NotFound(f"there is no symbol {symbol[:20]!r}; the symbols are {', '.join(self._instruments)}")
        if not self.is_served(symbol):
            replicas = self._subscriber.replicas
            is_known = all(replicas[topic].is_synchronised for topic in self._topics(symbol))
            why = "its engine is silent, it would be stale" if is_known else "its engine has not told it yet"
            raise ServiceUnavailable(f"the book of {symbol}: {why}", headers={"Retry-After": str(RETRY_S)})
        return self._instruments[symbol]

    def _topics(self, symbol: str) -> list[bytes]:
        topics = [topic.of(symbol) for topic in (Topic.BOOK, Topic.TRADES, Topic.BEST)]
        return [topic for topic in topics if topic in self._subscriber.replicas]

    def _book(self, symbol: str) -> RenderedBook:
        book = self._subscriber.replicas[Topic.BOOK.of(symbol)].book
        assert isinstance(book, RenderedBook), type(book)
        return book
