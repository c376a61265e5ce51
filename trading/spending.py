"""What a trader spends of the request weight that a venue gives an address, and what it may still ask.

Binance counts weight in minutes that begin with the clock, 6,000 in each, and bans who goes on (REST API, "Limits"; the
weights stand with each call). Any 60 s are looked at here, so that the count is never below the venue's. Questions wait
for room; commands never do: those that are carried out weigh nothing, and how many orders leave has a limit of its own.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from market.clock import NS_PER_SECOND
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Move, Place
from trading.reasons import Reason, Rule
from trading.sending_rate import room_text

WINDOW_NS: Final = 60 * NS_PER_SECOND
WEIGHTS: Final[dict[type[Action], int]] = {
    Place: 1,  # these three if they are refused
    Cancel: 1,
    Move: 1,
    Amend: 4,
    FindOrder: 4,
    ListOrders: 6,
    AskBalances: 20,
    AskRules: 20,
}
START_WEIGHT: Final = 120  # the pair's rules 20, open orders of all pairs 80; connections, and a book of the market
QUOTING_MAX: Final = 3_200  # in any 60 s; with the commands beside them it stays below 60 % of the venue's 6,000,
LEAVING_MAX: Final = 3_400  # as does this, for whose sake something is left: no order is to stay because nobody may ask


class Spending:
    """What one trader and those before it have spent within the last 60 s."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._spent: deque[tuple[int, int]] = deque()  # when and how much, the oldest first
        self._sum = 0

    def step(self, now_ns: int) -> None:
        """Take the time, ns; what is longer ago than a window counts no more."""
        self._now_ns = now_ns
        while self._spent and now_ns - self._spent[0][0] >= WINDOW_NS:
            self._sum -= self._spent.popleft()[1]

    def start(self) -> None:
        """Count what a start costs before the first step."""
        self._add(START_WEIGHT)

    def may_start(self) -> bool:
        """Return whether there is room for a start now."""
        return self._sum + START_WEIGHT <= QUOTING_MAX

    def spend(self, actions: Iterable[Action]) -> None:
        """Count actions that leave."""
        if weight := weight_of(actions):
            self._add(weight)

    def may_ask(self, actions: Iterable[Action], *, is_leaving: bool = False) -> bool:
        """Return whether there is room for questions now."""
        return self._sum + weight_of(actions) <= (LEAVING_MAX if is_leaving else QUOTING_MAX)

    def room_ns(self, actions: Iterable[Action]) -> int:
        """Return when there will be room for questions of who quotes, if nothing else is spent."""
        too_much = self._sum + weight_of(actions) - QUOTING_MAX
        for spent_ns, weight in self._spent:
            if too_much <= 0:
                break
            too_much -= weight
            if too_much <= 0:
                return spent_ns + WINDOW_NS
        return self._now_ns

    def why_full(self, actions: Sequence[Action]) -> Reason:
        """Return that there is no room for questions of who quotes, with the number and when there is."""
        weight, at_ns = weight_of(actions), self.room_ns(actions)
        text = f"{self._sum} of request weight were used within 60 s, at most {QUOTING_MAX} with the {weight} of a look"
        numbers = {"weight": self._sum, "weight_max": QUOTING_MAX, "room_in_s": (at_ns - self._now_ns) / NS_PER_SECOND}
        return Reason(Rule.RATE_LIMIT, f"{text}; {room_text(at_ns)}", numbers)

    def to_leave(self) -> Sequence[tuple[int, int]]:
        """Return what a successor must count as well: when, ns since 1970 UTC, and how much."""
        return tuple(self._spent)

    def take_over(self, left: Iterable[tuple[int, int]], now_ns: int) -> None:
        """Count what earlier runs have spent: what they did in the future, before a clock was set back, as of now."""
        self._spent = deque((min(at_ns, now_ns), weight) for at_ns, weight in left)
        self._sum = sum(weight for _, weight in self._spent)
        self.step(now_ns)

    def _add(self, weight: int) -> None:
        """Count weight; what is spent within one second counts as of its last moment, so that few rows say all."""
        self._sum += weight
        if self._spent and self._spent[-1][0] // NS_PER_SECOND == self._now_ns // NS_PER_SECOND:
            weight += self._spent.pop()[1]
        self._spent.append((self._now_ns, weight))


def weight_of(actions: Iterable[Action]) -> int:
    """Return what actions weigh at most."""
    return sum(WEIGHTS[type(action)] for action in actions)
