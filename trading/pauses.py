"""Why a side may get no new order for a while, though it is wanted; an order that stands there stays.

A venue counts what it refuses, and bans who goes on: a bot that enters the order which it has no money for once a
second is refused 86,400 times a day. So there is a breaker for each reason of refusal, beside the short pause that
every refusal costs.
"""

from collections import deque
from decimal import Decimal
from typing import Final

from market.backoff import Backoff
from market.clock import NS_PER_SECOND
from market.codes import Side
from trading.reasons import Reason, Rule, together

REFUSED_PAUSE_NS: Final = 2 * NS_PER_SECOND  # after the venue has refused a quote; twice as long the next time
REFUSED_PAUSE_NS_MAX: Final = 8 * NS_PER_SECOND
REFUSALS: Final = 5  # of one reason on one side within WINDOW_NS: then its breaker opens
WINDOW_NS: Final = 60 * NS_PER_SECOND
BROKEN_NS: Final = 15 * NS_PER_SECOND  # for which it is open; twice as long the next time
BROKEN_NS_MAX: Final = 900 * NS_PER_SECOND
REASONS_MAX: Final = 64  # remembered; a venue's texts may hold numbers


class Pauses:
    """Of both sides."""

    def __init__(self) -> None:
        self._refusals = {side: Backoff(REFUSED_PAUSE_NS, REFUSED_PAUSE_NS_MAX) for side in Side}
        self._at_ns: dict[tuple[Side, str], deque[int]] = {}  # the latest of each reason; the newest reason last
        self._breakers: dict[tuple[Side, str], Backoff] = {}
        self._has = dict.fromkeys(Side, Decimal(0))  # what a side has to pay with, as last told
        self._had: dict[tuple[Side, str], Decimal] = {}  # the most of it that was not enough, once that is told

    def refuse(self, side: Side, now_ns: int, why: str) -> tuple[int, int]:
        """Take note of a quote that the venue has refused.

        Its breaker opens at the fifth refusal for one reason within a minute, and again at the first within a minute
        after it was open; after a minute without one it is as new.

        Returns:
            How long its side pauses, ns, and how often its breaker has opened; 0 if it has not.
        """
        wait_ns = self._refusals[side].fail(now_ns, why=_refused(why))
        at = side, why
        at_ns = self._at_ns.pop(at) if at in self._at_ns else deque[int](maxlen=REFUSALS)
        self._at_ns[at] = at_ns
        at_ns.append(now_ns)
        breaker = self._breakers.get(at)
        if breaker is None or now_ns >= breaker.until_ns + WINDOW_NS:
            self._close(at)
            self._forget()
            if len(at_ns) < REFUSALS or now_ns - at_ns[0] >= WINDOW_NS:
                return wait_ns, 0
            breaker = self._breakers[at] = Backoff(BROKEN_NS, BROKEN_NS_MAX)
        broken_ns = breaker.fail(now_ns, why=f"refused again and again: {why}")
        return max(wait_ns, broken_ns), breaker.failure_count

    def take(self, side: Side) -> None:
        """Take note of a quote that the venue has taken; breakers stay open."""
        self._refusals[side].end()

    def fill(self, side: Side) -> None:
        """Take note of a fill: what was missing on the other side may be there now."""
        self._refusals[side.opposite].end()

    def have(self, side: Side, amount: Decimal, asked_ns: int, now_ns: int) -> None:
        """Take what a side has to pay with, as it was told to a question of `asked_ns`.

        If that is more than it was refused with, a breaker lets the side try once. Any other amount would not do: on an
        account that trades all the time there is another one every few seconds, and the side would be refused as often.
        """
        before, self._has[side] = self._has[side], amount
        for at, breaker in self._breakers.items():
            if at[0] == side and asked_ns > self._at_ns[at][-1]:  # else it may be what it was refused with
                if amount > self._had.get(at, before):
                    breaker.until_ns = min(breaker.until_ns, now_ns)
                self._had[at] = max(self._had.get(at, amount), amount)

    def is_broken(self, now_ns: int) -> bool:
        """Whether a breaker is open."""
        return bool(self._open(now_ns))

    def left_ns(self, side: Side, now_ns: int) -> int:
        """Return for how long a side still pauses; 0 if it does not."""
        broken = [each.until_ns for (of_side, _), each in self._breakers.items() if of_side == side]
        return max(0, max([self._refusals[side].until_ns, *broken]) - now_ns)

    def reasons(self, now_ns: int) -> dict[Side, Reason]:
        """Return by side why it pauses; a refusal that has opened a breaker is told as that alone."""
        broken = self._open(now_ns)
        refused = {
            side: Reason(Rule.REFUSED, pause.why)
            for side, pause in self._refusals.items()
            if pause.is_on(now_ns) and not any(pause.why == _refused(at[1]) for at in broken if at[0] == side)
        }
        return together(*({at[0]: Reason(Rule.BREAKER, each.why)} for at, each in broken.items()), refused)

    def ends_ns(self, now_ns: int) -> list[int]:
        """Return when the pauses end that are on."""
        return [
            pause.until_ns for pause in (*self._refusals.values(), *self._open(now_ns).values()) if pause.is_on(now_ns)
        ]

    def _open(self, now_ns: int) -> dict[tuple[Side, str], Backoff]:
        return {at: breaker for at, breaker in self._breakers.items() if breaker.is_on(now_ns)}

    def _forget(self) -> None:
        while len(self._at_ns) > REASONS_MAX:
            oldest = next(iter(self._at_ns))
            del self._at_ns[oldest]
            self._close(oldest)

    def _close(self, at: tuple[Side, str]) -> None:
        self._breakers.pop(at, None)
        self._had.pop(at, None)


def _refused(why: str) -> str:
    return f"refused: {why}"
