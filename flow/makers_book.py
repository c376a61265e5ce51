"""The makers' orders: a touch that follows their price, and ladders of levels behind it."""

import random
from collections.abc import Iterable
from itertools import pairwise
from math import expm1, floor
from typing import Final

import numpy as np

from flow.market_settings import FAR_BANDS_MIN, DepthProfile, SyntheticSettings
from flow.own_levels import FlowOrder
from flow.own_orders import FlowOrders
from market.codes import OrderType, Side
from market.instrument import Instrument

_SIDES: Final = tuple(Side)
_BAND_LEVELS_MAX: Final = 2
_NEAR_CURVATURE: Final = 3.0  # the widest near band is about e^3 times the narrowest
_TOUCH_SHARES: Final = (0.6, 0.4)  # the two fastest makers quote the touch
_REFILL_SHARE: Final = 0.4  # of its first quantity, below which the touch is filled up


class MakersBook:
    """The makers' part of the flow's own orders.

    Args:
        settings: of the market.
        instrument: what is traded.
        own: all own orders; those of others than makers are set apart.
        rng: dice for sizes and places.
    """

    def __init__(
        self, settings: SyntheticSettings, instrument: Instrument, own: FlowOrders, rng: random.Random
    ) -> None:
        self._settings = settings
        self._own = own
        self._rng = rng
        self._mid_ticks = instrument.price_to_ticks(settings.mid)
        self._bp_ticks = self._mid_ticks / 10_000
        self._lots_per_amount = float(1 / (settings.mid * instrument.lot_size))
        self._edges = self._band_edges()
        self._edge_offsets = np.array(self._edges)
        self._amounts = self._band_amounts()
        self._touch_ticks = [self._mid_ticks - 1, self._mid_ticks + 1]  # by side
        self._touch_orders: tuple[list[FlowOrder], list[FlowOrder]] = ([], [])
        self._touch_lots = [0, 0]  # as drawn
        self._quoted_ticks = float(self._mid_ticks)
        self._is_calm = True  # the opening: the touch does not vary

    # What others need to know

    def touch_ticks(self, side: Side) -> int:
        """Return the makers' best price."""
        return self._touch_ticks[side]

    def price(self, side: Side, offset_ticks: int) -> int:
        """Return the price so far behind the touch."""
        return max(1, self._touch_ticks[side] + (-offset_ticks if side == Side.BUY else offset_ticks))

    def offset_ticks(self, side: Side, price_ticks: int) -> int:
        """Return how far behind the touch a price is; negative for a better one."""
        touch_ticks = self._touch_ticks[side]
        return touch_ticks - price_ticks if side == Side.BUY else price_ticks - touch_ticks

    def ticks_of_bps(self, bps: float) -> int:
        """Return a distance in ticks."""
        return round(bps * self._bp_ticks)

    def lots(self, amount: float) -> int:
        """Return the lots that an amount of the quote asset buys, at least one."""
        return max(1, round(amount * self._lots_per_amount))

    # What the makers do

    def build(self, price_ticks: float, *, is_opening: bool) -> None:
        """Quote anew around a price, from nothing; in an opening the touch stands a tick each side of it."""
        center = round(price_ticks)
        self._is_calm = is_opening
        self._touch_ticks = [center - 1, center + 1]
        self._quoted_ticks = float(center)
        for side in Side:
            self._touch_orders[side].clear()
            self._quote_touch(side)
            self._fill(side, range(1, len(self._edges)))

    def follow(self, price_ticks: float, moved_bps: float, *, is_forced: bool = False) -> None:
        """Move the touch if the price has moved away from it; wider if it has moved a lot."""
        if not is_forced and abs(price_ticks - self._quoted_ticks) < self._settings.requote_bps * self._bp_ticks:
            return
        self._is_calm = False
        self._quoted_ticks = price_ticks
        nervous_bps = max(0.0, moved_bps - self._settings.calm_bps) * self._settings.nervousness
        spread_ticks = 1 + floor(nervous_bps * self._bp_ticks)
        bid_ticks = max(1, floor(price_ticks - (spread_ticks - 1) / 2))
        moved = [side for side in Side if (bid_ticks, bid_ticks + spread_ticks)[side] != self._touch_ticks[side]]
        self._touch_ticks = [bid_ticks, bid_ticks + spread_ticks]
        for side in moved:  # all that would stand in the way leaves before anything is added
            self._leave_touch(side)
        for side in moved:
            self._quote_touch(side)

    def tend(self) -> None:
        """Fill up the touch and the ladders, and take away what is out of place."""
        empty = [self._survey(side) for side in _SIDES]  # both cancel before any adds
        for side in _SIDES:
            self.refill_touch(side)
            self._fill(side, empty[side])

    def refill_touch(self, side: Side) -> None:
        """Quote the touch anew if little is left of it."""
        left = sum(order.expected_lots for order in self._touch_orders[side])
        if left < _REFILL_SHARE * self._touch_lots[side]:
            self._quote_touch(side)

    # The touch

    def _leave_touch(self, side: Side) -> None:
        for order in self._touch_orders[side]:
            if not order.is_gone:
                self._own.cancel(order)
        self._touch_orders[side].clear()
        self._own.cancel_better(side, self._touch_ticks[side])

    def _quote_touch(self, side: Side) -> None:
        """Add to the touch up to a quantity drawn anew; it takes what stands in its way, if others are too slow."""
        settings = self._settings
        shape = settings.touch_shape
        amount = settings.touch_amount
        if not self._is_calm:
            amount = self._rng.gammavariate(shape, amount / shape)
        orders = self._touch_orders[side]
        orders[:] = [order for order in orders if not order.is_gone]
        wanted = self.lots(amount)
        self._touch_lots[side] = wanted
        missing = wanted - sum(order.expected_lots for order in orders)
        for share in _TOUCH_SHARES:
            lots = round(missing * share)
            if lots > 0:
                orders.append(self._own.rest(side, self._touch_ticks[side], lots))

    # The ladders

    def _survey(self, side: Side) -> list[int]:
        """Cancel what is too near, too far, or one too many in its band; return the empty bands, nearest first."""
        own, touch_ticks = self._own, self._touch_ticks[side]
        own.cancel_better(side, touch_ticks)
        own.cancel_behind(side, self.price(side, self._edges[-1]))
        offsets = own.offsets(side, touch_ticks)
        ends = offsets.searchsorted(self._edge_offsets, "right")  # how many levels there are up to a band's edge
        counts = ends[1:] - ends[:-1]
        for index in (counts > _BAND_LEVELS_MAX).nonzero()[0].tolist():
            offset = self._rng.choice(offsets[ends[index] : ends[index + 1]].tolist())
            own.cancel_level(side, self.price(side, offset))
        empty: list[int] = (counts == 0).nonzero()[0][: self._settings.refill_orders_max].tolist()
        return [1 + index for index in empty]

    def _fill(self, side: Side, bands: Iterable[int]) -> None:
        """Put a level into each of these bands."""
        for band in bands:
            offset = self._rng.randint(self._edges[band - 1] + 1, self._edges[band])
            amount = self._amounts[band]
            amount *= self._settings.depth_factor * self._rng.lognormvariate(-0.4, 0.6)  # most bands get a second level
            self._own.rest(side, self.price(side, offset), self.lots(amount), OrderType.POST_ONLY)

    def _band_amounts(self) -> list[float]:
        """Return the amount in each band, by the depth profile; none at the touch itself."""
        within = [amount_within(self._settings.depth, edge / self._bp_ticks) for edge in self._edges]
        return [0.0, *(outer - inner for inner, outer in pairwise(within))]

    def _band_edges(self) -> list[int]:
        """Return rising offsets from the touch in ticks: the touch itself, then the outer edge of each band.

        A band narrower than a tick is one with the next, so that coarse ticks make fewer levels.

        Raises:
            ValueError: if so few far bands were left that a side could be swept empty.
        """
        settings = self._settings
        near_shares = (
            expm1(_NEAR_CURVATURE * band / settings.near_bands) / expm1(_NEAR_CURVATURE)
            for band in range(1, settings.near_bands + 1)
        )
        near = (settings.near_reach_bps * share for share in near_shares)
        far_width = settings.depth[-1][0] - settings.near_reach_bps
        far = (
            settings.near_reach_bps + far_width * band / settings.far_bands for band in range(1, settings.far_bands + 1)
        )
        near_edges, far_edges = ({self.ticks_of_bps(reach) for reach in reaches} for reaches in (near, far))
        if len(far_edges - near_edges) < FAR_BANDS_MIN:
            raise ValueError(
                f"expected {FAR_BANDS_MIN} far bands of a tick or more, but a bp of {settings.mid} is {self._bp_ticks} "
                "ticks"
            )
        return sorted({0} | near_edges | far_edges)


def amount_within(profile: DepthProfile, bps: float) -> float:
    """Return the amount within a distance of the touch: linear between the points of a depth profile."""
    inner_bps, inner_amount = 0.0, 0.0
    for outer_bps, outer_amount in profile:
        if bps <= outer_bps:
            share = (bps - inner_bps) / (outer_bps - inner_bps)
            return inner_amount + share * (outer_amount - inner_amount)
        inner_bps, inner_amount = outer_bps, outer_amount
    return inner_amount
