"""How many orders were sent and have not traded: what a venue counts, and what binds who quotes.

Binance counts the orders of an account that have not traded, in windows of 10 s and of a day that begin with the clock
(REST API, "Unfilled Order Count"): an order that trades is given back. One that is refused may have counted.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from trading.reasons import Reason, Rule

SHORT_NS: Final = 10 * NS_PER_SECOND
DAY_NS: Final = 86_400 * NS_PER_SECOND


class SendingLimits(NamedTuple):
    """The most orders that have not traded, of any 10 s and of a UTC day; None: as many as one likes."""

    in_10_s: int | None = None
    in_a_day: int | None = None


ANY_NUMBER: Final = SendingLimits()


class SentLately(NamedTuple):
    """What a trader leaves its successor: the venue goes on counting.

    Attributes:
        sent_ns: by client order id, when the orders of the last 10 s left that have not traded; ns since 1970 UTC.
        day: UTC, days since 1970.
        day_count: of the orders of that day that have not traded.
        spent: of the request weight of the last 60 s, when and how much; see `trading.spending`.
    """

    sent_ns: Mapping[str, int]
    day: int
    day_count: int
    spent: Sequence[tuple[int, int]] = ()


NOTHING_SENT: Final = SentLately({}, 0, 0)


class SendingRate:
    """What one trader has sent.

    Any 10 s are looked at, not only those that begin with the clock: so its own count is never below the venue's.

    Attributes:
        limits: what it may.
    """

    def __init__(self, limits: SendingLimits) -> None:
        self.limits = limits
        self._sent_ns: dict[str, int] = {}  # of the last 10 s, by client order id, the oldest first
        self._day = 0
        self._of_day: set[str] = set()  # the orders of the UTC day that have not traded
        self._earlier_count = 0  # of that day, those that an earlier run has sent, and that are not known by name

    @property
    def day_count(self) -> int:
        """How many orders of the UTC day have not traded."""
        return self._earlier_count + len(self._of_day)

    def short_count(self, now_ns: int) -> int:
        """Return how many orders of the last 10 s have not traded."""
        self._roll(now_ns)
        return len(self._sent_ns)

    def to_leave(self) -> SentLately:
        """Return what a successor must count as well."""
        return SentLately(dict(self._sent_ns), self._day, self.day_count)

    def take_over(self, left: SentLately, now_ns: int) -> None:
        """Count what an earlier run has sent: what it did in the future, before a clock was set back, as of now."""
        self._sent_ns = {name: min(sent_ns, now_ns) for name, sent_ns in left.sent_ns.items()}
        self._day = min(left.day, now_ns // DAY_NS)
        self._of_day = {name for name, sent_ns in left.sent_ns.items() if sent_ns // DAY_NS == left.day}
        self._earlier_count = left.day_count - len(self._of_day)

    def sent(self, name: str, now_ns: int) -> None:
        """Count an order that leaves."""
        self._roll(now_ns)
        self._sent_ns[name] = now_ns
        self._of_day.add(name)

    def give_back(self, name: str, now_ns: int) -> None:
        """Count an order no more, if it is counted: it did not leave, or has traded."""
        self._roll(now_ns)
        self._sent_ns.pop(name, None)
        self._of_day.discard(name)

    def room(self, now_ns: int) -> int | None:
        """Return how many more may be sent now; None: as many as one likes."""
        self._roll(now_ns)
        short, long = self.limits
        rooms = [] if short is None else [short - len(self._sent_ns)]
        rooms += [] if long is None else [long - self.day_count]
        return max(0, min(rooms)) if rooms else None

    def room_ns(self, now_ns: int) -> int:
        """Return when there is room again, if there is none now."""
        self._roll(now_ns)
        _, long = self.limits
        if long is not None and self.day_count >= long:
            return (self._day + 1) * DAY_NS
        return next(iter(self._sent_ns.values()), now_ns) + SHORT_NS

    def why_full(self, now_ns: int) -> Reason | None:
        """Return which limit leaves no room now, with its number and when there is room again; None: there is room."""
        if self.room(now_ns) != 0:
            return None
        short, long = self.limits
        is_day = long is not None and self.day_count >= long
        count, most = (self.day_count, long) if is_day else (len(self._sent_ns), short)
        assert most is not None, "what has no limit has room"
        name, within = ("orders_in_a_day", "since 00:00 UTC") if is_day else ("orders_in_10_s", "within 10 s")
        at_ns = self.room_ns(now_ns)
        text = f"{count} orders sent {within} have not traded, at most {most} (maker.limits.{name}); {room_text(at_ns)}"
        numbers = {name: count, f"{name}_max": most, "room_in_s": (at_ns - now_ns) / NS_PER_SECOND}
        return Reason(Rule.RATE_LIMIT, text, numbers)

    def _roll(self, now_ns: int) -> None:
        while self._sent_ns and now_ns - next(iter(self._sent_ns.values())) >= SHORT_NS:
            del self._sent_ns[next(iter(self._sent_ns))]
        if now_ns // DAY_NS > self._day:
            self._day, self._earlier_count = now_ns // DAY_NS, 0
            self._of_day.clear()


def room_text(at_ns: int) -> str:
    """Return when there is room again, ns since 1970 UTC, for a person."""
    return f"room again at {iso_time(at_ns // NS_PER_MS)[:19].replace('T', ' ')} UTC"
