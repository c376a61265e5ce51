"""A quoting model as a strategy: whatever the market is now, so are its quotes."""

from typing import Final

from market.codes import Side
from trading.quoting import Market, QuotingModel
from trading.strategy import Inbox, Wanted

NO_MID: Final = "a side of the book is empty: there is no mid"


class ModelStrategy:
    """Wants what a model quotes."""

    def __init__(self, model: QuotingModel) -> None:
        self._model = model

    def step(self, _: int, inbox: Inbox, /) -> Wanted:
        """Return the model's quotes; none while there is no mid, or while they could be no orders."""
        market = Market(inbox.instrument, inbox.rules, inbox.depth, inbox.position)
        if market.depth.mid_ticks_x2 is None:
            return Wanted((), idle=dict.fromkeys(Side, NO_MID))
        obstacle = self._model.obstacle(market)
        return Wanted(() if obstacle else self._model.quotes(market), obstacle=obstacle)
