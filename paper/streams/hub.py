"""Who listens to which market stream: opens a stream for its first subscriber, and writes each document once."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from paper.exchange.public_market import PublicMarket, Touched
from paper.exchange.tape import PublicTrade
from paper.fault_events import StreamEvent, pass_on
from paper.faults import Faults
from paper.streams.channels import FAST_MS, Stream, open_stream
from paper.units import Symbol

Subscriber = Callable[[str, str], None]  # takes the name of a stream, and a document of it as JSON


class _Listened:
    """A stream with its subscribers, in the order in which they came."""

    def __init__(self, name: str, stream: Stream, faults: Faults) -> None:
        self.stream = stream
        self.subscribers: dict[Subscriber, None] = {}
        self._name = name
        self._faults = faults

    def publish(self, documents: Iterable[Any]) -> None:
        for document in documents:
            name = document.get("e", "") if isinstance(document, dict) else ""
            pass_on(self._faults, StreamEvent(self._name, name), partial(self._tell, write_json(document)))

    def _tell(self, text: str) -> None:
        for subscriber in self.subscribers:
            subscriber(self._name, text)


class StreamHub:
    """All market streams that somebody listens to. Call `tick` every FAST_MS; it listens to the market itself.

    While the market is stale by a fault, no stream hears of it: what trades meanwhile is lost to them, and which levels
    were touched they hear at once when it is over, so that updates of the book go on without a gap.
    """

    def __init__(self, market: PublicMarket, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        self._unseen: dict[str, Touched] = {}  # by symbol
        self._listened: Final[dict[str, _Listened]] = {}
        self._tick_number = 0
        market.listeners.append(self)

    def subscribe(self, name: str, subscriber: Subscriber) -> bool:
        """Let a subscriber listen to a stream; return whether there is such a stream."""
        listened = self._listened.get(name)
        if listened is None:
            stream = open_stream(name, self._market)
            if stream is None:
                return False
            listened = self._listened[name] = _Listened(name, stream, self._faults)
        listened.subscribers[subscriber] = None
        listened.stream.on_subscriber()
        return True

    def unsubscribe(self, name: str, subscriber: Subscriber) -> None:
        """Let a subscriber no longer listen to a stream; nothing happens if it does not."""
        listened = self._listened.get(name)
        if listened is not None:
            listened.subscribers.pop(subscriber, None)
            if not listened.subscribers:
                del self._listened[name]

    def on_trades(self, symbol: Symbol, trades: Sequence[PublicTrade]) -> None:
        """Publish trades."""
        if self._is_stale():
            return
        for listened in self._listened.values():
            if listened.stream.symbol is symbol:
                listened.publish(listened.stream.on_trades(trades))

    def on_book(self, symbol: Symbol, touched: Touched) -> None:
        """Publish what changed in a book."""
        if self._is_stale():
            unseen = self._unseen.setdefault(symbol.name, Touched(set(), set()))
            unseen.bids.update(touched.bids)
            unseen.asks.update(touched.asks)
            return
        for listened in self._listened.values():
            if listened.stream.symbol is symbol:
                listened.publish(listened.stream.on_book(touched))

    def tick(self, now_ms: int) -> None:
        """Publish what is due."""
        self._tick_number += 1
        if self._is_stale():
            return
        for listened in self._listened.values():
            period_ms = listened.stream.period_ms
            if period_ms and self._tick_number * FAST_MS % period_ms == 0:
                listened.publish(listened.stream.tick(now_ms))

    def _is_stale(self) -> bool:
        if self._faults.stale_market is not None:
            return True
        self._catch_up()
        return False

    def _catch_up(self) -> None:
        unseen, self._unseen = self._unseen, {}
        for name, touched in unseen.items():
            self.on_book(self._market.symbols[name], touched)


def write_json(document: Any) -> str:
    """Return a document as JSON, without spaces."""
    return json.dumps(document, separators=(",", ":"))
