"""Binance's rate limits: what a client has used of them, and what happens to one that goes over."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from paper.errors import ErrorKind, ExchangeError

_SECONDS_OF: Final = {"SECOND": 1, "MINUTE": 60, "DAY": 86_400}
_CLIENTS_KEPT_MAX: Final = 10_000

# Binance bans those who go on after a 429, for two minutes at first and for up to three days; when, it does not say.
_REFUSALS_UNTIL_BAN: Final = 100
_FIRST_BAN_S: Final = 120
_BAN_S_MAX: Final = 3 * 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table: at most `limit` of what is `counted` in each `count` x `interval`, told in `header`."""

    counted: str
    interval: str
    count: int
    limit: int
    header: str

    def document(self) -> dict[str, Any]:
        """Return the limit as exchangeInfo prints it."""
        return {
            "rateLimitType": self.counted,
            "interval": self.interval,
            "intervalNum": self.count,
            "limit": self.limit,
        }

    @property
    def window_s(self) -> int:
        """How long a window is."""
        return _SECONDS_OF[self.interval] * self.count


# The weight of an address's requests, then the orders of an account.
LIMITS: Final = (
    Limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000, "X-MBX-USED-WEIGHT-1M"),
    Limit("ORDERS", "SECOND", 10, 50, "X-MBX-ORDER-COUNT-10S"),
    Limit("ORDERS", "DAY", 1, 160_000, "X-MBX-ORDER-COUNT-1D"),
)


class _Windows:
    """Counts by client in the windows of one limit, which begin at whole multiples of their length."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._used: dict[Hashable, tuple[int, int]] = {}

    def used(self, client: Hashable, now_s: int) -> int:
        window, used = self._used.get(client, (0, 0))
        return used if window == now_s // self.limit.window_s else 0

    def add(self, client: Hashable, amount: int, now_s: int) -> None:
        window = now_s // self.limit.window_s
        self._used[client] = window, max(0, self.used(client, now_s) + amount)
        if len(self._used) > _CLIENTS_KEPT_MAX:
            self._used = {each: count for each, count in self._used.items() if count[0] == window}

    def left_s(self, now_s: int) -> int:
        return self.limit.window_s - now_s % self.limit.window_s


@dataclass(slots=True)
class _Offender:
    refusal_count: int = 0
    ban_s: int = _FIRST_BAN_S
    banned_until_s: int = 0


class Usage:
    """Counts what clients use, and refuses those who go over a limit, unless `is_limiting` is false."""

    def __init__(self, *, is_limiting: bool = True) -> None:
        self.is_limiting = is_limiting
        self._windows = [_Windows(limit) for limit in LIMITS]
        self._weight, *self._orders = self._windows
        self._offenders: dict[str, _Offender] = {}

    def charge_weight(self, address: str, weight: int, now_s: int) -> None:
        """Count a request.

        Raises:
            ExchangeError: TOO_MUCH_WEIGHT over the limit, BANNED for an address that went on all the same.
        """
        self._refuse_banned(address, now_s)
        self._weight.add(address, weight, now_s)
        limit = self._weight.limit.limit
        if self.is_limiting and self._weight.used(address, now_s) > limit:
            self._remember(address, now_s)
            raise ExchangeError(ErrorKind.TOO_MUCH_WEIGHT, retry_after_s=self._weight.left_s(now_s), limit=limit)

    def charge_order(self, account: int, now_s: int) -> None:
        """Count a new order.

        Raises:
            ExchangeError: TOO_MANY_ORDERS over the limit; the order is not counted then.
        """
        for windows in self._orders:
            limit = windows.limit
            if self.is_limiting and windows.used(account, now_s) >= limit.limit:
                raise ExchangeError(
                    ErrorKind.TOO_MANY_ORDERS,
                    retry_after_s=windows.left_s(now_s),
                    limit=limit.limit,
                    interval=f"{limit.count} {limit.interval}",
                )
        for windows in self._orders:
            windows.add(account, 1, now_s)

    def give_back_order(self, account: int, now_s: int) -> None:
        """Count an order no more, because it has traded: only unfilled orders count."""
        for windows in self._orders:
            windows.add(account, -1, now_s)

    def headers(self, address: str, account: int | None, now_s: int) -> dict[str, str]:
        """Return the headers of an answer; the counts of orders belong to answers about an account's new orders."""
        told = self._told(address, account)
        return {windows.limit.header: str(windows.used(client, now_s)) for windows, client in told}

    def documents(self, address: str | None, account: int | None, now_s: int) -> list[dict[str, Any]]:
        """Return the limits with what an address and an account have used of them, as the WebSocket API prints them."""
        return [
            {**windows.limit.document(), "count": windows.used(client, now_s)}
            for windows, client in self._told(address, account)
        ]

    def _told(self, address: str | None, account: int | None) -> list[tuple[_Windows, Hashable]]:
        told: list[tuple[_Windows, Hashable]] = [] if address is None else [(self._weight, address)]
        return told if account is None else [*told, *((each, account) for each in self._orders)]

    def _refuse_banned(self, address: str, now_s: int) -> None:
        offender = self._offenders.get(address)
        if self.is_limiting and offender is not None and now_s < offender.banned_until_s:
            until_ms = offender.banned_until_s * 1_000
            raise ExchangeError(ErrorKind.BANNED, retry_after_s=offender.banned_until_s - now_s, until_ms=until_ms)

    def _remember(self, address: str, now_s: int) -> None:
        """Count a refusal, and ban the address if it is one too many; each ban is twice as long as the last."""
        if len(self._offenders) > _CLIENTS_KEPT_MAX:
            self._offenders = {each: ban for each, ban in self._offenders.items() if now_s < ban.banned_until_s}
        offender = self._offenders.setdefault(address, _Offender())
        offender.refusal_count += 1
        if offender.refusal_count >= _REFUSALS_UNTIL_BAN:
            offender.refusal_count = 0
            offender.banned_until_s = now_s + offender.ban_s
            offender.ban_s = min(2 * offender.ban_s, _BAN_S_MAX)
