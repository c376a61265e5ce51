"""What the market is like, from what was seen of it: bounded memory, a bounded cost an event, no clock of its own."""

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from typing import Final

from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.arrivals import ArrivalCount
from trading.news import MarketTrade
from trading.quoting import Estimates

RETURNS_MIN: Final = 30  # fewer say nothing of a volatility: with 30 its standard error is 13 %
UNSEEN_S_MAX: Final = 60  # after longer without a mid nothing is said of the time between


class Estimation:
    """The volatility, and the arrivals of takers on both sides; what is older by a half-life weighs half.

    The volatility is the root of the weighted mean of squared returns from one whole second to the next. A second
    without news of the book has the mid of the one before it.

    Args:
        half_life_s: of the weights.
    """

    def __init__(self, half_life_s: float) -> None:
        self._keep = 0.5 ** (1 / half_life_s)
        self._second: int | None = None  # in which we are
        self._mid_ticks_x2 = 0  # the last one
        self._first_mid_ticks_x2 = 0  # that with which the second began
        self._squares = self._weight = 0.0
        self._count = 0
        self._takers = {side: ArrivalCount(self._keep) for side in Side}  # by their own side

    def hear(self, now_ns: int, mid_ticks_x2: int | None, trades: Sequence[MarketTrade] = ()) -> None:
        """Take the mid as it is now, and the trades since the last call.

        Without a mid it is as if nothing had been said.
        """
        if mid_ticks_x2 is None:
            return
        second = now_ns // NS_PER_SECOND
        if self._second is None or second - self._second > UNSEEN_S_MAX:
            self._second, self._first_mid_ticks_x2 = second, mid_ticks_x2
        else:
            self._hear_trades(trades)
            self._pass_seconds(second - self._second)
        self._mid_ticks_x2 = mid_ticks_x2

    def estimates(self) -> Estimates:
        """Return what is known."""
        is_known = self._count >= RETURNS_MIN and self._squares > 0
        volatility = sqrt(self._squares / self._weight) if is_known else None
        return Estimates(volatility, self._takers[Side.SELL].estimate(), self._takers[Side.BUY].estimate())

    def _hear_trades(self, trades: Sequence[MarketTrade]) -> None:
        """Count takers; what trades at one moment on one side is one of them, that has swept the book."""
        for (side, _), of_taker in groupby(trades, lambda trade: (trade.taker_side, trade.time_ns)):
            prices = [trade.price_ticks for trade in of_taker]
            away = max(prices) if side == Side.BUY else min(prices)
            distance = 2 * away / self._mid_ticks_x2 - 1
            self._takers[side].hear(distance if side == Side.BUY else -distance)

    def _pass_seconds(self, passed: int) -> None:
        if passed <= 0 or self._second is None:
            return
        change = self._mid_ticks_x2 / self._first_mid_ticks_x2 - 1
        kept = self._keep**passed
        # The first second that has passed has the change, the others had none; all their weights add up.
        self._squares = kept * self._squares + self._keep ** (passed - 1) * (1 - self._keep) * change * change
        self._weight = kept * self._weight + 1 - kept
        self._count += passed
        self._second, self._first_mid_ticks_x2 = self._second + passed, self._mid_ticks_x2
        for takers in self._takers.values():
            takers.pass_seconds(passed)
