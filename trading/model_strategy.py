"""A quoting model as a strategy: whatever the market is now, and was of late, so are its quotes."""

from collections.abc import Sequence
from dataclasses import replace

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth, Level
from trading.estimation import Estimation
from trading.quoting import Estimates, Market, Quote, QuotingModel
from trading.reasons import NO_MID, NO_QUOTE, Reason, Rule
from trading.strategy import Inbox, Wanted


class ModelStrategy:
    """Wants what a model quotes, and remembers for it what the market is like.

    While a side of the book is empty, the last best price of that side stands for it, for a while.

    Args:
        half_life_s: of what is remembered.
        reference_ns: how old the last best prices may be that stand for an empty side; 0: none does.

    Attributes:
        seen: what the market is like, as the last quotes had it.
    """

    def __init__(self, model: QuotingModel, half_life_s: float, reference_ns: int = 0) -> None:
        self._model = model
        self._estimation = Estimation(half_life_s)
        self._reference_ns = reference_ns
        self._last: tuple[Level, Level] | None = None  # the best bid and ask when there were both
        self._last_ns = 0
        self.seen = Estimates()

    def retune(self, model: QuotingModel) -> None:
        """Quote by another model from the next step on; what is known of the market stays known."""
        self._model = model

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return the model's quotes; none while there is no mid, or while they could be no orders."""
        self._estimation.hear(now_ns, inbox.depth.mid_ticks_x2, inbox.trades)
        self.seen = self._estimation.estimates()
        if (depth := self._whole(now_ns, inbox.depth)) is None:
            return Wanted((), idle=dict.fromkeys(Side, self._no_mid()))
        market = Market(inbox.instrument, inbox.rules, depth, inbox.position, self.seen)
        if obstacle := self._model.obstacle(market):
            return Wanted((), obstacle=obstacle)
        quotes = self._model.quotes(market)
        quoted = {quote.side for quote in quotes}
        idle = {side: NO_QUOTE for side in Side if side not in quoted}
        if depth is inbox.depth:
            return Wanted(quotes, idle=idle)
        return Wanted(self._by_reference(quotes, now_ns), self._last_ns + self._reference_ns, idle)

    def _whole(self, now_ns: int, depth: Depth) -> Depth | None:
        """Return a book with two sides, as far as one is known that is new enough."""
        if depth.bids and depth.asks:
            self._last, self._last_ns = (depth.bids[0], depth.asks[0]), now_ns
            return depth
        if self._last is None or now_ns - self._last_ns >= self._reference_ns:
            return None
        bid, ask = self._last
        if depth.asks:  # which may have come to where the last bids were
            bid = Level(min(bid.price_ticks, depth.asks[0].price_ticks - 1), bid.qty_lots)
        if depth.bids:
            ask = Level(max(ask.price_ticks, depth.bids[0].price_ticks + 1), ask.qty_lots)
        return Depth(depth.bids or (bid,), depth.asks or (ask,))

    def _by_reference(self, quotes: Sequence[Quote], now_ns: int) -> list[Quote]:
        age_ms = (now_ns - self._last_ns) // NS_PER_MS
        text = f"a side of the book is empty: its last best price, {age_ms} ms old, stands for it"
        return [replace(quote, why=Reason(Rule.REFERENCE, text, {"age_ms": age_ms})) for quote in quotes]

    def _no_mid(self) -> Reason:
        if self._last is None or not self._reference_ns:
            return NO_MID
        text = f"{NO_MID.text} for longer than {self._reference_ns / NS_PER_SECOND:g} s"
        return Reason(Rule.NO_MID, text, {"age_ms_max": self._reference_ns // NS_PER_MS})
