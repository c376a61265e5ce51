"""How much of Binance's rate limits a client has used, told in the headers of every answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_SECONDS_OF: Final = {"SECOND": 1, "MINUTE": 60, "DAY": 86_400}


class Counted(StrEnum):
    """What a limit counts."""

    REQUEST_WEIGHT = "REQUEST_WEIGHT"
    ORDERS = "ORDERS"


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table: at most `limit` in each `count` x `interval`, told in `header`."""

    counted: Counted
    interval: str
    count: int
    limit: int
    header: str

    def document(self) -> dict[str, Any]:
        """Return the limit as exchangeInfo prints it."""
        return {
            "rateLimitType": str(self.counted),
            "interval": self.interval,
            "intervalNum": self.count,
            "limit": self.limit,
        }

    def window(self, now_s: int) -> int:
        """Return the number of the window that `now_s` falls into."""
        return now_s // (_SECONDS_OF[self.interval] * self.count)


LIMITS: Final = (
    Limit(Counted.REQUEST_WEIGHT, "MINUTE", 1, 6_000, "X-MBX-USED-WEIGHT-1M"),
    Limit(Counted.ORDERS, "SECOND", 10, 50, "X-MBX-ORDER-COUNT-10S"),
    Limit(Counted.ORDERS, "DAY", 1, 160_000, "X-MBX-ORDER-COUNT-1D"),
)


class Usage:
    """Counts what was used in the current window of every limit."""

    def __init__(self) -> None:
        self._used: dict[Limit, tuple[int, int]] = {}

    def add(self, counted: Counted, amount: int, now_s: int) -> None:
        """Add to every limit that counts this."""
        for limit in LIMITS:
            if limit.counted is counted:
                self._used[limit] = limit.window(now_s), self._used_now(limit, now_s) + amount

    def headers(self, now_s: int, *, with_orders: bool) -> dict[str, str]:
        """Return the headers of an answer; the counts of orders belong to answers about new orders."""
        return {
            limit.header: str(self._used_now(limit, now_s))
            for limit in LIMITS
            if with_orders or limit.counted is Counted.REQUEST_WEIGHT
        }

    def _used_now(self, limit: Limit, now_s: int) -> int:
        window, used = self._used.get(limit, (0, 0))
        return used if window == limit.window(now_s) else 0
