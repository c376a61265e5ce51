"""What `benchmarks.strategies` measures of a maker: where its money came from, what it held, whether it was there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple

from market.clock import NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from paper.exchange.news import AccountNews, OrderNews
from paper.units import UNITS_PER_ONE
from simulation.desk import SimulatedDesk
from trading.actions import Action, Cancel, apart

LOOK_NS: Final = NS_PER_SECOND // 10
HORIZONS_S: Final = (1, 10, 60)
WITHIN: Final = 0.005  # of the mid: a quote farther away is none, for the presence
_BPS: Final = 1e4


class Fill(NamedTuple):
    """One of ours: when, in looks since the start; `sign` is 1 for a buy, -1 for a sell; the fee in quote units.

    Attributes:
        is_picked_off: whether we had sent its cancel before it.
    """

    look: int
    sign: int
    price_ticks: int
    qty_lots: int
    fee: float
    is_picked_off: bool


@dataclass
class Measures:
    """Follows a simulated desk. All looks are `LOOK_NS` apart; a mid is in half ticks, None while a side is empty."""

    desk: SimulatedDesk
    instrument: Instrument
    start_ns: int
    mids_x2: list[int | None] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    order_count: int = 0
    _open: dict[str, tuple[Side, int]] = field(default_factory=dict)
    _leaving: set[str] = field(default_factory=set)

    def follow(self, end_ns: int) -> None:
        """Run the desk until then, looking, and listening to its account and its cancels."""
        self.desk.exchange.exchange.account_listeners.append(self._hear)
        act = self.desk.line.act

        def noting(actions: Sequence[Action]) -> None:
            self._leaving.update(each.client_order_id for each in apart(actions) if isinstance(each, Cancel))
            act(actions)

        self.desk.line.act = noting  # type: ignore[method-assign]
        for at_ns in range(self.start_ns, end_ns + 1, LOOK_NS):
            self.desk.heap.at(at_ns, self._look)
        self.desk.run(end_ns)

    def figures(self) -> dict[str, float]:
        """Return what is told, by name: money in the quote asset, markouts in bps, shares from 0 to 1.

        PnL before fees is the sum over fills of s (last mid - p) q: what was held at the start is no position. Spread
        capture is the sum of s (mid - p) q with the mid of the last look before the fill; the rest is the inventory's.
        A markout is s (mid[t + h] - p) in bps of the mid before the fill, weighted with the notional; fills whose mid
        there is none of are left out. See docs/glossary.md.
        """
        unit = float(self.instrument.tick_size * self.instrument.lot_size) / 2
        last_x2 = next(mid for mid in reversed(self.mids_x2) if mid is not None)
        before_x2 = [self._mid_before(fill) for fill in self.fills]
        gross = sum(fill.sign * (last_x2 - 2 * fill.price_ticks) * fill.qty_lots for fill in self.fills) * unit
        captures = zip(self.fills, before_x2, strict=True)
        capture = sum(fill.sign * (mid - 2 * fill.price_ticks) * fill.qty_lots for fill, mid in captures) * unit
        fees = sum(fill.fee for fill in self.fills)
        volume = sum(2 * fill.price_ticks * fill.qty_lots for fill in self.fills) * unit
        held = self._held(unit)
        picked_off = [fill for fill in self.fills if fill.is_picked_off]
        return {
            "fills": len(self.fills),
            "orders": self.order_count,
            "volume": volume,
            "pnl": gross - fees,
            "per_volume_bps": _BPS * (gross - fees) / volume if volume else float("nan"),
            "capture": capture,
            "inventory": gross - capture,
            "fees": fees,
            **{f"markout_{horizon_s}s": self._markout(self.fills, before_x2, horizon_s) for horizon_s in HORIZONS_S},
            "picked_off": len(picked_off) / max(1, len(self.fills)),
            "picked_off_markout": self._markout(picked_off, [self._mid_before(fill) for fill in picked_off], 1),
            "held_mean": sum(map(abs, held)) / len(held),
            "held_most": max(map(abs, held)),
            "presence": sum(self.present) / len(self.present),
        }

    def _markout(self, fills: Sequence[Fill], before_x2: Sequence[int], horizon_s: int) -> float:
        earned = weight = 0.0
        for fill, mid_x2 in zip(fills, before_x2, strict=True):
            later = fill.look + horizon_s * NS_PER_SECOND // LOOK_NS
            later_x2 = self.mids_x2[later] if later < len(self.mids_x2) else None
            if later_x2 is not None:
                notional = fill.price_ticks * fill.qty_lots
                earned += notional * fill.sign * (later_x2 - 2 * fill.price_ticks) / mid_x2
                weight += notional
        return _BPS * earned / weight if weight else float("nan")

    def _mid_before(self, fill: Fill) -> int:
        return next(mid for mid in reversed(self.mids_x2[: fill.look + 1]) if mid is not None)

    def _held(self, unit: float) -> list[float]:
        """Return the position at each look, in money."""
        lots = [0] * (len(self.mids_x2) + 1)
        for fill in self.fills:
            lots[fill.look + 1] += fill.sign * fill.qty_lots
        pairs = zip(accumulate(lots), self.mids_x2, strict=False)
        return [position * mid * unit for position, mid in pairs if mid is not None]

    def _look(self) -> None:
        depth: Depth = self.desk.market.engine.depth(self.instrument.symbol_id, 1)
        if not depth.bids or not depth.asks:
            self.mids_x2.append(None)
            self.present.append(False)
            return
        mid_x2 = depth.bids[0].price_ticks + depth.asks[0].price_ticks
        self.mids_x2.append(mid_x2)
        far = WITHIN * mid_x2
        sides = {side for side, price_ticks in self._open.values() if abs(2 * price_ticks - mid_x2) <= far}
        self.present.append(len(sides) == len(Side))

    def _hear(self, said: AccountNews) -> None:
        if not isinstance(said, OrderNews):
            return
        order = said.order
        if order.status.is_open:
            self.order_count += order.client_order_id not in self._open
            self._open[order.client_order_id] = order.side, order.price_ticks
        else:
            self._open.pop(order.client_order_id, None)
        trade = said.trade
        if trade is not None and trade.symbol.name == self.instrument.symbol:
            fee = trade.fee_units / UNITS_PER_ONE
            if trade.fee_asset == self.instrument.base:
                fee *= trade.price_ticks * float(self.instrument.tick_size)
            look = len(self.mids_x2) - 1
            sign = 1 if trade.side is Side.BUY else -1
            is_picked_off = order.client_order_id in self._leaving
            self.fills.append(Fill(look, sign, trade.price_ticks, trade.qty_lots, fee, is_picked_off))
