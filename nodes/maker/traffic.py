"""What goes between the maker and its venue, counted: requests, how long their answers take, what they say no to.

And when each way was heard last: the market's stream, the account's, and answers to what is asked.
"""

from collections import Counter, deque
from typing import Any, Final

from market.clock import NS_PER_MS, NS_PER_SECOND, time_ns
from nodes.latencies import Latencies
from nodes.node import Node
from trading import news
from trading.outbox import Outbox
from trading.trader import Trader

CODES_MAX: Final = 32  # of errors that are told apart
LAG_NS: Final = 60 * NS_PER_SECOND  # the least lag of the trades of so long tells how far the venue's clock is off
_OTHER: Final = "other"


class Heard:
    """When the maker has heard its venue last, way by way; all times by the time of day, as the api has it."""

    def __init__(self) -> None:
        self._last_ns: dict[str, int] = {}
        self._lags: deque[tuple[int, int]] = deque()  # when a trade came, and how long after its time: rising
        self._silent: str | None = None

    def take(self, said: list[news.News], now_ns: int) -> None:
        """Take what was told at a time, ns since 1970 UTC."""
        for each in said:
            match each:
                case news.BookNews():
                    self._last_ns["market"] = now_ns
                case news.TradesNews(trades) if trades:
                    self._last_ns["market"] = now_ns
                    self._add_lag(now_ns, now_ns - trades[-1].time_ns)
                case news.OrderNews():
                    self._last_ns["account"] = now_ns
                case news.Listed() | news.Balances() | news.Found():
                    self._last_ns["rest"] = now_ns
                case news.Silent(why):
                    self._silent = why
                case news.Following():
                    self._silent = None

    def figure(self, now_ns: int) -> dict[str, Any]:
        """Return it: times in ms since 1970 UTC, and `lag_ms`, by how much our clock is ahead at most, None: unknown.

        `silent` is why the streams tell nothing, None while they do.
        """
        while self._lags and self._lags[0][0] < now_ns - LAG_NS:
            self._lags.popleft()
        times = {f"{way}_ms": self._last_ns.get(way, 0) // NS_PER_MS or None for way in ("market", "account", "rest")}
        lag_ms = self._lags[0][1] // NS_PER_MS if self._lags else None
        return {**times, "lag_ms": lag_ms, "silent": self._silent}

    def _add_lag(self, now_ns: int, lag_ns: int) -> None:
        while self._lags and self._lags[-1][1] >= lag_ns:
            self._lags.pop()
        self._lags.append((now_ns, lag_ns))


class VenueTraffic:
    """That of one maker; since it started."""

    def __init__(self, node: Node, trader: Trader) -> None:
        self._node = node
        self._trader = trader
        self._requests: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._deciding, self._answers = Latencies(), Latencies()
        self._heard = Heard()

    def take(self, said: list[news.News], outbox: Outbox, took_ns: int) -> None:
        """Take a step of the maker.

        Args:
            said: the news that it was told.
            outbox: what it does.
            took_ns: from where it took the news to where its actions had left.
        """
        heard_ns = time_ns()
        self._heard.take(said, heard_ns)
        self._node.show(heard=self._heard.figure(heard_ns))  # with each step: of a silent venue there is no round
        self._requests.update(type(action).__name__ for action in outbox.actions)
        for answered_ns in self._trader.take_answer_times():
            self._answers.add(answered_ns)
        for each in said:
            match each:
                case news.Refused(code=code):
                    self._count_error(str(code))
                case news.Unknown():
                    self._count_error("unknown")
                case news.Kept():
                    self._count_error("failed")
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
