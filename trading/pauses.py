"""Why a side may get no new order for a while, though it is wanted; an order that stands there stays."""

from typing import Final

from market.backoff import Backoff
from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.reasons import Reason, Rule

REFUSED_PAUSE_NS: Final = 2 * NS_PER_SECOND  # after the venue has refused a quote; twice as long the next time
REFUSED_PAUSE_NS_MAX: Final = 8 * NS_PER_SECOND


class Pauses:
    """Of both sides."""

    def __init__(self) -> None:
        self._refusals = {side: Backoff(REFUSED_PAUSE_NS, REFUSED_PAUSE_NS_MAX) for side in Side}

    def refuse(self, side: Side, now_ns: int, why: str) -> int:
        """Take note of a quote that the venue has refused; return how long its side pauses, ns."""
        return self._refusals[side].fail(now_ns, why=f"refused: {why}")

    def take(self, side: Side) -> None:
        """Take note of a quote that the venue has taken."""
        self._refusals[side].end()

    def fill(self) -> None:
        """Take note of a fill: what was missing on either side may be there now."""
        for pause in self._refusals.values():
            pause.end()

    def reasons(self, now_ns: int) -> dict[Side, Reason]:
        """Return by side why it pauses."""
        return {side: Reason(Rule.REFUSED, pause.why) for side, pause in self._refusals.items() if pause.is_on(now_ns)}

    def ends_ns(self, now_ns: int) -> list[int]:
        """Return when the pauses end that are on."""
        return [pause.until_ns for pause in self._refusals.values() if pause.is_on(now_ns)]
