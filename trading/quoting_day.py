"""How well a maker quotes on one UTC day: how long on both sides and near enough, and what its fills came to.

A fill is *picked off* if its order's cancel had been sent before it: whoever took it was quicker than we. Its markout
says what that was worth.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from market.clock import NS_PER_SECOND, day_bounds_ns, utc_date
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from market.limits import TRADES_KEPT_MAX
from trading.quoting import Estimates

MINUTE_NS: Final = 60 * NS_PER_SECOND
MARKOUT_NS: Final = 10 * NS_PER_SECOND
ENDED_MAX: Final = 100  # orders that have ended unfilled, of which late news may still tell a fill


@dataclass(slots=True)
class FillSums:
    """Fills of one kind.

    Attributes:
        notional: quote.
        marked_notional: of those whose markout is known.
        markout: what those were worth at the mid `MARKOUT_NS` later more than they were traded for, quote.
    """

    count: int = 0
    notional: Decimal = Decimal(0)
    marked_notional: Decimal = Decimal(0)
    markout: Decimal = Decimal(0)

    def document(self) -> JsonObject:
        """Return them as documents tell them, `markout_bps` of what was traded, None while nothing is known."""
        bps = plain(round(self.markout / self.marked_notional * 10_000, 4)) if self.marked_notional else None
        money = {"notional": plain(self.notional), "markout": plain(self.markout)}
        return {"count": self.count, **money, "markout_bps": bps}


@dataclass(slots=True)
class QuotingDay:
    """What is kept of a day.

    Attributes:
        since_ns, until_ns: ns since 1970 UTC: of what it tells. A maker that was away meanwhile was not present.
        present_ns: by minute of the day; no entry is 0.
        fills: all of them.
        picked_off: those of them whose order was being cancelled.
        seen: what the market was like, when it was last looked at.
        orders: how many orders were placed on the day, and taken by the venue.
        orders_filled: how many of these have traded on the day, in part or whole.
        unfilled: the client order ids of those that have not, and still may.
        ended: likewise of those that have ended since; the oldest are forgotten.
    """

    day: date
    since_ns: int
    until_ns: int
    present_ns: dict[int, int] = field(default_factory=dict)
    fills: FillSums = field(default_factory=FillSums)
    picked_off: FillSums = field(default_factory=FillSums)
    seen: Estimates = field(default_factory=Estimates)
    orders: int = 0
    orders_filled: int = 0
    unfilled: set[str] = field(default_factory=set)
    ended: deque[str] = field(default_factory=lambda: deque(maxlen=ENDED_MAX))

    @property
    def presence(self) -> Decimal:
        """The part of the time with quotes on both sides, from 0 to 1."""
        return _part(sum(self.present_ns.values()), self.until_ns - self.since_ns)

    def minutes(self) -> Iterator[tuple[int, Decimal]]:
        """Yield each minute of the day that is over and known as a whole, with the part of it that we were present."""
        start_ns = day_bounds_ns(self.day)[0]
        first, end = -(-(self.since_ns - start_ns) // MINUTE_NS), (self.until_ns - start_ns) // MINUTE_NS
        return ((minute, _part(self.present_ns.get(minute, 0), MINUTE_NS)) for minute in range(first, end))

    def document(self, target: Decimal, within: Decimal) -> JsonObject:
        """Return it as the daily document tells it.

        Args:
            target: the part of each minute that there ought to be quotes.
            within: as QuotingRecord has it.
        """
        parts = [part for _, part in self.minutes()]
        return {
            "presence": plain(self.presence),
            "within": within,
            "target": target,
            "minutes": len(parts),
            "minutes_on_target": sum(part >= target for part in parts),
            "fills": self.fills.document(),
            "picked_off": self.picked_off.document(),
            "orders": self.orders,
            "orders_filled": self.orders_filled,
        }


class _Fill(NamedTuple):
    due_ns: int
    side: Side
    price: Decimal
    qty: Decimal
    is_picked_off: bool


class QuotingRecord:
    """Keeps a day while it goes on, and begins the next one.

    Args:
        within: how far a quote may be from the mid, as a fraction of it, to be one.
        day: what an earlier run has kept of today, if it has.
    """

    def __init__(self, within: Decimal, now_ns: int, day: QuotingDay | None = None) -> None:
        today = utc_date(now_ns)
        self._within = within
        self.day = day if day is not None and day.day == today else QuotingDay(today, now_ns, now_ns)
        self._at_ns = max(now_ns, self.day.until_ns)  # a clock that was set back since counts no time twice
        self._is_present = False
        self._unmarked: deque[_Fill] = deque(maxlen=TRADES_KEPT_MAX)

    def look(self, now_ns: int, mid: Decimal | None, bid: Decimal | None, ask: Decimal | None) -> None:
        """Take how things are from now on: the others' mid, and our best prices; None where there is none."""
        self.pass_to(now_ns)
        reach = (mid or 0) * self._within
        is_near = mid is not None and bid is not None and ask is not None and mid - bid <= reach and ask - mid <= reach
        self._is_present = is_near
        while mid is not None and self._unmarked and self._unmarked[0].due_ns <= now_ns:
            self._mark(self._unmarked.popleft(), mid)

    def placed(self, now_ns: int, name: str) -> None:
        """Take that the venue has taken an order of ours."""
        self.pass_to(now_ns)
        self.day.orders += 1
        self.day.unfilled.add(name)

    def ended(self, name: str) -> None:
        """Take that what was left of an order is gone."""
        if name in self.day.unfilled:
            self.day.unfilled.remove(name)
            self.day.ended.append(name)

    def fill(self, now_ns: int, name: str, side: Side, price: Decimal, qty: Decimal, *, is_picked_off: bool) -> None:
        """Take a fill of an order of ours; of the day's orders the first one counts, of those of before none."""
        self.pass_to(now_ns)
        day = self.day
        for those in (day.unfilled, day.ended):
            if name in those:
                those.remove(name)
                day.orders_filled += 1
        for sums in self._kinds(is_picked_off):
            sums.count += 1
            sums.notional += price * qty
        self._unmarked.append(_Fill(now_ns + MARKOUT_NS, side, price, qty, is_picked_off))

    def _mark(self, fill: _Fill, mid: Decimal) -> None:
        gain = (mid - fill.price if fill.side == Side.BUY else fill.price - mid) * fill.qty
        for sums in self._kinds(fill.is_picked_off):
            sums.marked_notional += fill.price * fill.qty
            sums.markout += gain

    def _kinds(self, is_picked_off: bool) -> list[FillSums]:
        return [self.day.fills, *([self.day.picked_off] if is_picked_off else [])]

    def pass_to(self, now_ns: int) -> None:
        """Let time pass, with the quotes as they were."""
        while self._at_ns < now_ns:
            start_ns, end_ns = day_bounds_ns(self.day.day)
            if self._at_ns >= end_ns:
                self.day = QuotingDay(utc_date(self._at_ns), self._at_ns, self._at_ns)
                continue
            minute = (self._at_ns - start_ns) // MINUTE_NS
            until_ns = min(now_ns, start_ns + (minute + 1) * MINUTE_NS)
            if self._is_present:
                self.day.present_ns[minute] = self.day.present_ns.get(minute, 0) + until_ns - self._at_ns
            self._at_ns = self.day.until_ns = until_ns


def _part(some_ns: int, all_ns: int) -> Decimal:
    return round(Decimal(some_ns) / all_ns, 6) if all_ns > 0 else Decimal(0)
