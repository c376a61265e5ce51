"""A quoting model as a strategy: whatever the market is now, and was of late, so are its quotes."""

from typing import Final

from market.codes import Side
from trading.estimation import Estimation
from trading.quoting import Market, QuotingModel
from trading.strategy import Inbox, Wanted

NO_MID: Final = "a side of the book is empty: there is no mid"
NO_QUOTE: Final = "no quantity and price of the model's is an order that the venue takes"


class ModelStrategy:
    """Wants what a model quotes, and remembers for it what the market is like.

    Args:
        half_life_s: of what is remembered.
    """

    def __init__(self, model: QuotingModel, half_life_s: float) -> None:
        self._model = model
        self._estimation = Estimation(half_life_s)

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return the model's quotes; none while there is no mid, or while they could be no orders."""
        self._estimation.hear(now_ns, inbox.depth.mid_ticks_x2, inbox.trades)
        market = Market(inbox.instrument, inbox.rules, inbox.depth, inbox.position, self._estimation.estimates())
        if market.depth.mid_ticks_x2 is None:
            return Wanted((), idle=dict.fromkeys(Side, NO_MID))
        if obstacle := self._model.obstacle(market):
            return Wanted((), obstacle=obstacle)
        quotes = self._model.quotes(market)
        quoted = {quote.side for quote in quotes}
        return Wanted(quotes, idle={side: NO_QUOTE for side in Side if side not in quoted})
