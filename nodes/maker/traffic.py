"""What goes between the maker and its venue, counted: requests, how long their answers take, what they say no to."""

from collections import Counter
from typing import Any, Final

from nodes.latencies import Latencies
from nodes.node import Node
from trading import news
from trading.outbox import Outbox
from trading.trader import Trader

CODES_MAX: Final = 32  # of errors that are told apart
_OTHER: Final = "other"


class VenueTraffic:
    """That of one maker; since it started."""

    def __init__(self, node: Node, trader: Trader) -> None:
        self._node = node
        self._trader = trader
        self._requests: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._deciding, self._answers = Latencies(), Latencies()

    def take(self, said: list[news.News], outbox: Outbox, took_ns: int) -> None:
        """Take a step of the maker.

        Args:
            said: the news that it was told.
            outbox: what it does.
            took_ns: from where it took the news to where its actions had left.
        """
        self._requests.update(type(action).__name__ for action in outbox.actions)
        for answered_ns in self._trader.take_answer_times():
            self._answers.add(answered_ns)
        for each in said:
            match each:
                case news.Refused(code=code):
                    self._count_error(str(code))
                case news.Unknown():
                    self._count_error("unknown")
                case news.Failed():
                    self._count_error("keys" if each.is_keys else "failed")
        if outbox.actions:
            self._deciding.add(took_ns, len(outbox.actions))

    def show(self, now_ns: int) -> None:
        """Set the figures of `status`."""
        figures: dict[str, Any] = {"requests": dict(self._requests), "errors": dict(self._errors)}
        rate = self._trader.guard.rate
        unfilled = {"10s": rate.short_count(now_ns), "day": rate.day_count}
        limits = {"10s": rate.limits.in_10_s, "day": rate.limits.in_a_day}
        self._node.show(
            venue={**figures, "unfilled": unfilled, "unfilled_max": limits},
            latencies={"decision": self._deciding.figure(), "venue": self._answers.figure()},
        )

    def _count_error(self, code: str) -> None:
        self._errors[code if code in self._errors or len(self._errors) < CODES_MAX else _OTHER] += 1
