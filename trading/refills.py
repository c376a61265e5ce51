"""When a side that was just filled gets no new order: the market may be going that way, and take the next one, too."""

from collections import deque
from typing import NamedTuple

from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.reasons import Reason, Rule


class Refilling(NamedTuple):
    """How long to wait; 0: not at all.

    Attributes:
        pause_ns: after every fill, on its side.
        run_over_orders: so many orders of one side filled in a row, each within `run_over_ns` of the one before it, and
            none of the other side between them, are a run; 0: none is.
        run_over_ns: after the last fill of a run, on its side.
    """

    pause_ns: int = 0
    run_over_orders: int = 0
    run_over_ns: int = 0


class Refills:
    """What was filled of late."""

    def __init__(self, refilling: Refilling) -> None:
        self._refilling = refilling
        self._filled_ns: dict[Side, int] = {}
        self._run: deque[tuple[Side, str]] = deque(maxlen=max(1, refilling.run_over_orders))  # orders, each once

    def fill(self, side: Side, client_order_id: str, now_ns: int) -> None:
        """Take a fill of an order of ours."""
        last_ns = self._filled_ns.get(side)
        is_broken = self._run and self._run[-1][0] != side
        if is_broken or last_ns is None or now_ns - last_ns >= self._refilling.run_over_ns:
            self._run.clear()
        if (side, client_order_id) not in self._run:
            self._run.append((side, client_order_id))
        self._filled_ns[side] = now_ns

    def reasons(self, now_ns: int) -> dict[Side, Reason]:
        """Return by side why nothing is placed there now."""
        return {side: why for side, (why, until_ns) in self._waits().items() if now_ns < until_ns}

    def ends_ns(self, now_ns: int) -> list[int]:
        """Return when the waits end that are on."""
        return [until_ns for _, until_ns in self._waits().values() if now_ns < until_ns]

    def _waits(self) -> dict[Side, tuple[Reason, int]]:
        """Return by side why it waits, or has waited, and until when."""
        pause_ns, most, run_ns = self._refilling
        waits: dict[Side, tuple[Reason, int]] = {}
        for side, filled_ns in self._filled_ns.items():
            numbers = {"wait_s": pause_ns // NS_PER_SECOND}
            text = f"it was just filled: nothing new for {pause_ns / NS_PER_SECOND:g} s"
            waits[side] = Reason(Rule.JUST_FILLED, text, numbers), filled_ns + pause_ns
        if most and len(self._run) == most and run_ns >= pause_ns:
            side = self._run[-1][0]
            text = f"{most} orders in a row were filled: nothing new for {run_ns / NS_PER_SECOND:g} s"
            numbers = {"orders": most, "wait_s": run_ns // NS_PER_SECOND}
            waits[side] = Reason(Rule.RUN_OVER, text, numbers), self._filled_ns[side] + run_ns
        return waits
