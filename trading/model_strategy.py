"""A quoting model as a strategy: whatever the market is now, and was of late, so are its quotes."""

from market.codes import Side
from trading.estimation import Estimation
from trading.quoting import Market, QuotingModel
from trading.reasons import NO_MID, NO_QUOTE
from trading.strategy import Inbox, Wanted


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
