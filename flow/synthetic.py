"""A market made up from a seed: makers, noise traders, and informed traders, who know where the price will go.

docs/market.md describes it. The hidden value, the takers and what the makers believe depend on the seed alone, however
often the flow is called; only where background orders stand also depends on what was filled. Time is the market's own:
it stands still while nobody calls or the engine does not answer.
"""

import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from flow.limit_traders import NEVER_NS, LimitTraders
from flow.makers_book import MakersBook
from flow.market_settings import SyntheticSettings
from flow.order_flow import Figure
from flow.own_orders import FlowOrders
from flow.price_formation import HiddenValue, MakersPrice
from flow.takers import Takers
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.commands import Command
from market.events import Event, Executed, Rejected
from market.instrument import Instrument

_BEAT_NS: Final = 50 * NS_PER_MS  # the value moves and the book is tended once a beat
_LATE_NS_MAX: Final = NS_PER_SECOND  # the market does not catch up with more than this
_IN_FLIGHT_MAX: Final = 2_000  # commands without an answer, beyond which the market stands still
_TAKER_REACH_BPS: Final = 5.0  # how deep a taker goes at most
_TAKERS_KEPT_MAX: Final = 1_000  # of which the kind is remembered; the engine answers far fewer later
_OPENING_SHARE: Final = 5  # in the opening a taker takes at most the fifth part of the touch


class SyntheticFlow:
    """An endless market of one instrument.

    Attributes:
        own: its own orders in the engine's book.
        value: what the instrument is worth; its path is the seed's.
        makers_price: what the makers believe, the seed's likewise.
    """

    def __init__(
        self, instrument: Instrument, settings: SyntheticSettings, owner: int, order_ids: Iterator[int]
    ) -> None:
        """Set the market up.

        Raises:
            ValueError: if the start mid lies between ticks, or is so few ticks that too few bands are wider than one.
        """
        self._settings = settings
        self._symbol = instrument.symbol
        self.own = FlowOrders(instrument.symbol_id, owner, order_ids)
        start, beat_s = float(instrument.price_to_ticks(settings.mid)), _BEAT_NS / NS_PER_SECOND
        self.value = HiddenValue(settings, self._dice("value"), beat_s, start)
        self.makers_price = MakersPrice(settings, beat_s, start)
        self._takers = Takers(settings, self._dice("takers"), self._dice("noise"))
        self._book = MakersBook(settings, instrument, self.own, self._dice("makers"))
        self._limits = LimitTraders(settings, self.own, self._book, self._dice("limits"))
        self._sweeps = self._dice("sweeps")
        self._sweep_sides: list[Side] = []
        self._kinds: OrderedDict[int, str] = OrderedDict()  # by the order ids of the last takers
        self._counts = {"trades": 0, "lots_traded": 0, "sweeps": 0, "rejects": 0, "filled_by_others": 0}
        self._origin_ns: int | None = None  # the clock's time at the market's time 0
        self._now_ns = 0  # the market's
        self._opening_end_ns = 0
        self._next_beat_ns = self._next_taker_ns = self._next_limit_ns = self._next_sweep_ns = 0
        self._next_ns = 0  # the first of these, and of the ends of limit orders
        self._has_opened = False
        self._behind_ns_max = 0

    @property
    def is_finished(self) -> bool:
        """Never: the market is endless."""
        return False

    def start(self, now_ns: int) -> list[Command]:
        """Build the book around the price as it is, and begin an opening."""
        self._origin_ns = now_ns - self._now_ns
        self.own.reset()
        self.own.cancel_former()
        self._limits.reset()
        self._has_opened = False
        self._opening_end_ns = self._now_ns + round(self._settings.opening_s * NS_PER_SECOND)
        self._next_beat_ns = self._now_ns + _BEAT_NS
        self._next_taker_ns = self._after(self._now_ns, self._takers.wait_s())
        self._next_limit_ns = self._after(self._now_ns, self._limits.wait_s())
        self._next_sweep_ns = NEVER_NS
        if self._settings.sweep_interval_s is not None:
            self._next_sweep_ns = self._after(self._opening_end_ns, self._sweeps.uniform(0.5, 2.0))
        self._book.build(self.makers_price.ticks, is_opening=True)
        self._look_ahead()
        return self.own.take_commands()

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Do what is due, in its order."""
        assert self._origin_ns is not None, "step was called before start"
        self._count(events)
        self.own.apply(events, acknowledged)
        next_ns = self._next_ns
        if self.own.in_flight_count > _IN_FLIGHT_MAX:
            self._origin_ns = max(self._origin_ns, now_ns + _BEAT_NS - next_ns)
            return self.own.take_commands()
        self._behind_ns_max = max(self._behind_ns_max, now_ns - self._origin_ns - next_ns)
        if now_ns - self._origin_ns - next_ns > _LATE_NS_MAX:
            self._origin_ns = now_ns - next_ns
        until_ns = now_ns - self._origin_ns
        while (due_ns := self._next_ns) <= until_ns:
            self._now_ns = due_ns
            self._do_next(due_ns)
            self._look_ahead()
        return self.own.take_commands()

    def wake_ns(self, now_ns: int) -> int:
        """Return when something is due next."""
        assert self._origin_ns is not None, "wake_ns was called before start"
        return max(now_ns, self._origin_ns + self._next_ns)

    def summary(self) -> dict[str, Figure]:
        """Return counts since the flow was made: trades, lots, sweeps, refused commands, lots filled by others, takers.

        `toxicity` is the part of the takers that was informed, `mispricing_bps` by how much the makers are wrong now,
        `behind_ms_max` how late something was done at most.
        """
        informed, noise = self._takers.counts["informed"], self._takers.counts["noise"]
        return {
            "flow": "synthetic",
            "symbol": self._symbol,
            "seed": self._settings.seed,
            **self._counts,
            "commands": self.own.sent_count,
            "informed_takers": informed,
            "noise_takers": noise,
            "toxicity": round(informed / max(1, informed + noise), 3),
            "mispricing_bps": round(self.makers_price.mispricing_bps(self.value.price), 2),
            "crashes": self.value.crashes,
            "behind_ms_max": self._behind_ns_max // NS_PER_MS,
        }

    def kind_of(self, order_id: int) -> str:
        """Return whose an order was that has just traded: an `informed` or `noise` taker, a `sweep`, or a `maker`."""
        return self._kinds.get(order_id, "maker")

    def _dice(self, stream: str) -> random.Random:
        return random.Random(f"{self._settings.seed} {stream}")  # noqa: S311 (a market, not a secret)

    @staticmethod
    def _after(now_ns: int, wait_s: float) -> int:
        return now_ns + max(1, round(wait_s * NS_PER_SECOND))

    def _look_ahead(self) -> None:
        self._next_ns = min(
            self._next_beat_ns, self._next_taker_ns, self._next_limit_ns, self._next_sweep_ns, self._limits.next_end_ns
        )

    def _do_next(self, due_ns: int) -> None:
        """Do one thing that is due now, of several the first in this order."""
        if due_ns == self._next_beat_ns:
            self._beat()
        elif due_ns == self._next_taker_ns:
            self._take()
        elif due_ns == self._next_limit_ns:
            self._limit()
        elif due_ns == self._next_sweep_ns:
            self._sweep()
        else:
            self._limits.end_next()

    # What happens

    def _beat(self) -> None:
        self._next_beat_ns += _BEAT_NS
        if self._now_ns >= self._opening_end_ns:
            self.value.advance()
            self.makers_price.on_beat(self.value.price)
            self._follow()
        self._book.tend()

    def _follow(self) -> None:
        price = self.makers_price
        self._book.follow(price.ticks, price.moved_bps, is_forced=not self._has_opened)
        self._has_opened = True

    def _take(self) -> None:
        """Let a taker trade up to a few bps deep, after which the makers think again."""
        self._next_taker_ns = self._after(self._now_ns, self._takers.wait_s())
        taker = self._takers.arrive(self.makers_price.mispricing_bps(self.value.price))
        resting_side, qty_lots = taker.side.opposite, self._book.lots(taker.amount)
        if self._now_ns < self._opening_end_ns:
            touch_ticks = self._book.touch_ticks(resting_side)
            qty_lots = min(qty_lots, self.own.expected_lots(resting_side, touch_ticks) // _OPENING_SHARE)
            if qty_lots > 0:
                self._send_taker(taker.kind, taker.side, touch_ticks, qty_lots)
            return
        reach_ticks = self._book.ticks_of_bps(_TAKER_REACH_BPS)
        self._send_taker(taker.kind, taker.side, self._book.price(resting_side, reach_ticks), qty_lots)
        self.makers_price.on_taker(taker.surprise, taker.amount)
        self._follow()

    def _limit(self) -> None:
        self._next_limit_ns = self._after(self._now_ns, self._limits.wait_s())
        self._limits.arrive(self._now_ns)

    def _sweep(self) -> None:
        """Trade through everybody up to a depth, and let the touch be quoted again right behind it."""
        settings = self._settings
        assert settings.sweep_interval_s is not None, "a sweep without an interval"
        self._next_sweep_ns = self._after(self._now_ns, self._sweeps.uniform(*settings.sweep_interval_s))
        if not self._sweep_sides:
            self._sweep_sides = self._sweeps.sample(list(Side), 2)
        side = self._sweep_sides.pop()
        resting_side = side.opposite
        depth_bps = self._sweeps.uniform(*settings.sweep_depth_bps)
        depth_ticks = self._book.ticks_of_bps(depth_bps)
        move_bps = depth_bps * self._sweeps.uniform(*settings.sweep_impact) * (1 if side == Side.BUY else -1)
        own_lots = sum(
            level.expected_lots
            for level in self.own.levels(resting_side)
            if self._book.offset_ticks(resting_side, level.price_ticks) <= depth_ticks
        )
        # A quarter more for the orders of others on the way; what finds nobody is cancelled. The touch is back in the
        # same batch, where the new value is: no other client reads a mid that is displaced by half of the sweep.
        limit_ticks = self._book.price(resting_side, depth_ticks)
        self._send_taker("sweep", side, limit_ticks, own_lots + own_lots // 4 + 1)
        self.value.jump(move_bps)
        self.makers_price.on_sweep(move_bps)
        self._follow()
        self._book.refill_touch(resting_side)
        self._counts["sweeps"] += 1

    def _send_taker(self, kind: str, side: Side, limit_ticks: int, qty_lots: int) -> None:
        self._kinds[self.own.take(side, limit_ticks, qty_lots)] = kind
        if len(self._kinds) > _TAKERS_KEPT_MAX:
            self._kinds.popitem(last=False)

    def _count(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Executed):
                self._counts["trades"] += 1
                self._counts["lots_traded"] += event.qty_lots
                if event.taker_owner != event.maker_owner:
                    self._counts["filled_by_others"] += event.qty_lots
            elif isinstance(event, Rejected):
                self._counts["rejects"] += 1
