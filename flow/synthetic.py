"""A market made up from a seed: a deep book around a slowly drifting mid, small takers, and now and then a sweep.

The mid's path, the takers' and the sweeps' times and sizes come from random streams of their own, so that they are the
same for a seed however often the flow is called; only where background orders stand also depends on what was filled.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import exp, expm1, sqrt

from flow.order_flow import Figure
from flow.own_orders import OwnOrders
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import OrderType, Side
from market.commands import Command
from market.events import Event, Executed, Rejected
from market.instrument import Instrument

_BEAT_NS = 50 * NS_PER_MS  # the mid moves and the book is tended once a beat
_LATE_NS_MAX = NS_PER_SECOND  # what was due longer ago, while nobody called, is left out
_BAND_LEVELS_MAX = 2
_IN_FLIGHT_MAX = 2_000  # commands without an answer, beyond which the market stands still
_NEAR_CURVATURE = 3.0  # the widest near band is about e^3 times the narrowest


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """What the made-up market is like. Distances are bps of `mid`, amounts are in the quote asset.

    Attributes:
        opening_s: for so long both best prices stand still around `mid` and nobody takes more than a part of the touch.
        near_bands, near_reach_bps: price bands from the touch outward, widening; each always gets at least one level.
        far_bands, far_reach_bps: equal bands behind; no sweep reaches them, so they alone are depth enough.
        refill_orders_max: orders added to a side in one beat of 50 ms, from the touch outward.
        drift_bps: standard deviation of the mid's change over a minute.
        sweep_depth_bps: a sweep trades through everything up to a depth drawn between these.
        sweep_interval_s: the time between two sweeps is drawn between these. Of two in a row one buys and one sells.
    """

    seed: int = 1
    mid: Decimal = Decimal("91385.00")
    opening_s: float = 8.0
    half_spread_bps: float = 0.055
    near_bands: int = 60
    near_reach_bps: float = 42.0
    far_bands: int = 64
    far_reach_bps: float = 130.0
    touch_amount: float = 180_000.0
    level_amount: float = 12_000.0
    refill_orders_max: int = 12
    drift_bps: float = 3.0
    replacements_per_s: float = 6.0
    takers_per_s: float = 5.0
    taker_amount: float = 900.0
    sweep_depth_bps: tuple[float, float] = (20.0, 40.0)
    sweep_interval_s: tuple[float, float] = (7.0, 15.0)

    def __post_init__(self) -> None:
        if self.near_bands < 1 or self.far_bands < 50:
            raise ValueError(f"expected a near band and 50 far ones, were {self.near_bands} and {self.far_bands}")
        low, high = self.sweep_depth_bps
        if not 0 < low <= high < self.near_reach_bps < self.far_reach_bps:
            raise ValueError(f"expected 0 < sweep depth {low}-{high} < near < far reach, in bps")
        if not 0 < self.sweep_interval_s[0] <= self.sweep_interval_s[1]:
            raise ValueError(f"expected positive, rising bounds of the sweep interval, were {self.sweep_interval_s}")


class SyntheticFlow:
    """An endless market of one instrument that depends on its settings and on when it is called.

    Attributes:
        own: its own orders in the engine's book.
    """

    def __init__(
        self, instrument: Instrument, settings: SyntheticSettings, owner: int, order_ids: Iterator[int]
    ) -> None:
        """Set the market up.

        Raises:
            ValueError: if the start mid lies between ticks, or is so low that the bands are narrower than ticks.
        """
        self._settings = settings
        self.own = OwnOrders(instrument.symbol_id, owner, order_ids)
        self._anchor_ticks = instrument.price_to_ticks(settings.mid)  # the mid around which the book stands
        self._fair_ticks = float(self._anchor_ticks)  # where it drifts
        self._bps_ticks = self._anchor_ticks / 10_000
        self._lots_per_amount = float(1 / (settings.mid * instrument.lot_size))
        self._half_spread_ticks = max(1, round(settings.half_spread_bps * self._bps_ticks))
        self._edges = self._band_edges()
        self._touch_lots = self._lots(settings.touch_amount)
        self._path, self._takers, self._sweeps, self._background = (
            random.Random(f"{settings.seed} {stream}")  # noqa: S311 (a market, not a secret)
            for stream in ("path", "takers", "sweeps", "background")
        )
        self._sweep_sides: list[Side] = []
        self._counts = {"trades": 0, "lots_traded": 0, "sweeps": 0, "rejects": 0, "filled_by_others": 0}

    @property
    def is_finished(self) -> bool:
        """Never: the market is endless."""
        return False

    def start(self, now_ns: int) -> list[Command]:
        """Build the book, at first around the start mid and later around the mid as it was, and begin the opening."""
        self.own.reset()
        self.own.cancel_former()
        self._opening_end_ns = now_ns + round(self._settings.opening_s * NS_PER_SECOND)
        self._next_beat_ns = now_ns + _BEAT_NS
        self._next_taker_ns = now_ns + self._taker_pause_ns()
        self._next_sweep_ns = self._opening_end_ns + round(self._sweeps.uniform(0.5, 2.0) * NS_PER_SECOND)
        for side in Side:
            self._fill(side, {}, len(self._edges))
        return self.own.take_commands()

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Do what is due: tend the book, take, sweep."""
        self._count(events)
        self.own.apply(events, acknowledged)
        if self.own.in_flight_count > _IN_FLIGHT_MAX:
            self._postpone(now_ns + _BEAT_NS)
        if self._next_beat_ns <= now_ns:
            self._beat(now_ns)
        while self._next_taker_ns <= now_ns:
            self._take(self._next_taker_ns, is_late=self._next_taker_ns < now_ns - _LATE_NS_MAX)
            self._next_taker_ns += self._taker_pause_ns()
        if self._next_sweep_ns <= now_ns:
            self._sweep()
            self._next_sweep_ns = now_ns + round(self._sweeps.uniform(*self._settings.sweep_interval_s) * NS_PER_SECOND)
        return self.own.take_commands()

    def wake_ns(self, now_ns: int) -> int:
        """Return when the next beat, taker or sweep is due."""
        return max(now_ns, min(self._next_beat_ns, self._next_taker_ns, self._next_sweep_ns))

    def summary(self) -> dict[str, Figure]:
        """Return counts since the flow was made: trades, lots, sweeps, refused commands, lots filled by others."""
        return {"flow": "synthetic", "seed": self._settings.seed, **self._counts, "commands": self.own.sent_count}

    def _postpone(self, until_ns: int) -> None:
        self._next_beat_ns = max(self._next_beat_ns, until_ns)
        self._next_taker_ns = max(self._next_taker_ns, until_ns)
        self._next_sweep_ns = max(self._next_sweep_ns, until_ns)

    # The book

    def _beat(self, now_ns: int) -> None:
        beats = (now_ns - self._next_beat_ns) // _BEAT_NS + 1
        self._next_beat_ns += beats * _BEAT_NS
        if now_ns >= self._opening_end_ns:
            self._drift(min(beats, _LATE_NS_MAX // _BEAT_NS))
        bands_of_side = [(side, self._survey(side)) for side in Side]  # both cancel before any adds
        for side, bands in bands_of_side:
            self._fill(side, bands, self._settings.refill_orders_max)
        if self._background.random() < self._settings.replacements_per_s * _BEAT_NS / NS_PER_SECOND:
            self._replace_one()

    def _drift(self, beats: int) -> None:
        beat_sd = self._settings.drift_bps / 10_000 * sqrt(_BEAT_NS / (60 * NS_PER_SECOND))
        for _ in range(beats):
            self._fair_ticks *= exp(self._path.gauss(0.0, beat_sd))
        if abs(self._fair_ticks - self._anchor_ticks) >= self._half_spread_ticks:
            self._anchor_ticks = round(self._fair_ticks)

    def _survey(self, side: Side) -> dict[int, list[int]]:
        """Return the prices in each band; cancel what is too near, too far, or one too many in its band."""
        bands: dict[int, list[int]] = {}
        for price_ticks, level in list(self.own.levels(side)):
            offset = self._offset(side, price_ticks)
            if not self._half_spread_ticks <= offset <= self._edges[-1]:
                self.own.cancel_level(side, price_ticks)
            elif level.expected_lots:
                bands.setdefault(bisect_left(self._edges, offset), []).append(price_ticks)
        for prices in bands.values():
            if len(prices) > _BAND_LEVELS_MAX:
                self.own.cancel_level(side, self._background.choice(prices))
        return bands

    def _fill(self, side: Side, bands: dict[int, list[int]], orders_max: int) -> None:
        """Fill up the touch, then put a level into each band that has none, nearest first."""
        touch_ticks = self._price(side, self._half_spread_ticks)
        touch_lots = self.own.expected_lots(side, touch_ticks)
        if touch_lots < self._touch_lots * 2 // 3:
            self.own.rest(side, touch_ticks, self._touch_lots - touch_lots, OrderType.POST_ONLY)
        empty = [band for band in range(1, len(self._edges)) if band not in bands]
        for band in empty[:orders_max]:
            self._fill_band(side, band)

    def _fill_band(self, side: Side, band: int) -> None:
        offset = self._background.randint(self._edges[band - 1] + 1, self._edges[band])
        amount = (
            self._settings.level_amount * self._background.lognormvariate(-0.3, 0.8) * (0.4 + offset / self._edges[-1])
        )
        self.own.rest(side, self._price(side, offset), self._lots(amount), OrderType.POST_ONLY)

    def _replace_one(self) -> None:
        """Cancel a random level behind the touch: its band gets another one in the next beat."""
        side = Side(self._background.randrange(2))
        prices = list(self.own.prices(side))[1:]
        if prices:
            self.own.cancel_level(side, self._background.choice(prices))

    # The takers

    def _taker_pause_ns(self) -> int:
        return max(1, round(self._takers.expovariate(self._settings.takers_per_s) * NS_PER_SECOND))

    def _take(self, due_ns: int, *, is_late: bool) -> None:
        """Trade a small amount at the touch; in the opening never so much that the touch could run out."""
        side = Side(self._takers.randrange(2))
        qty_lots = self._lots(self._settings.taker_amount * self._takers.lognormvariate(0.0, 1.3))
        touch_ticks = self.own.best_price(side.opposite)
        if is_late or touch_ticks is None:
            return
        if due_ns < self._opening_end_ns:
            qty_lots = min(qty_lots, self.own.expected_lots(side.opposite, touch_ticks) // 5)
        if qty_lots > 0:
            self.own.take(side, touch_ticks, qty_lots)

    def _sweep(self) -> None:
        """Trade through everybody up to a depth, and let the touch be quoted again right behind it."""
        if not self._sweep_sides:
            self._sweep_sides = self._sweeps.sample(list(Side), 2)
        side = self._sweep_sides.pop()
        depth_ticks = round(self._sweeps.uniform(*self._settings.sweep_depth_bps) * self._bps_ticks)
        resting_side = side.opposite
        own_lots = sum(
            level.expected_lots
            for price_ticks, level in self.own.levels(resting_side)
            if self._offset(resting_side, price_ticks) <= depth_ticks
        )
        # A quarter more for the orders of others on the way; what finds nobody is cancelled.
        self.own.take(side, self._price(resting_side, depth_ticks), own_lots + own_lots // 4 + self._touch_lots)
        # In the same batch, so that no other client reads a mid that is displaced by half of the sweep.
        self.own.rest(
            resting_side, self._price(resting_side, self._half_spread_ticks), self._touch_lots, OrderType.POST_ONLY
        )
        self._counts["sweeps"] += 1

    # Numbers

    def _band_edges(self) -> list[int]:
        """Return rising offsets from the mid in ticks: the touch, then the outer edge of each band."""
        settings = self._settings
        near_width = settings.near_reach_bps - settings.half_spread_bps
        far_width = settings.far_reach_bps - settings.near_reach_bps
        near_shares = (
            expm1(_NEAR_CURVATURE * band / settings.near_bands) / expm1(_NEAR_CURVATURE)
            for band in range(1, settings.near_bands + 1)
        )
        near = (settings.half_spread_bps + near_width * share for share in near_shares)
        far_shares = (band / settings.far_bands for band in range(1, settings.far_bands + 1))
        far = (settings.near_reach_bps + far_width * share for share in far_shares)
        edges = [self._half_spread_ticks, *(round(reach * self._bps_ticks) for reach in (*near, *far))]
        if any(outer <= inner for inner, outer in pairwise(edges)):
            raise ValueError(f"expected bands of a tick or more, but a bp of {settings.mid} is {self._bps_ticks} ticks")
        return edges

    def _offset(self, side: Side, price_ticks: int) -> int:
        return self._anchor_ticks - price_ticks if side == Side.BUY else price_ticks - self._anchor_ticks

    def _price(self, side: Side, offset: int) -> int:
        return self._anchor_ticks - offset if side == Side.BUY else self._anchor_ticks + offset

    def _lots(self, amount: float) -> int:
        return max(1, round(amount * self._lots_per_amount))

    def _count(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Executed):
                self._counts["trades"] += 1
                self._counts["lots_traded"] += event.qty_lots
                if event.taker_owner != event.maker_owner:
                    self._counts["filled_by_others"] += event.qty_lots
            elif isinstance(event, Rejected):
                self._counts["rejects"] += 1
