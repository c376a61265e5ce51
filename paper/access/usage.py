"""Binance's rate limits: what a client has used of them, and what happens to one that goes over."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
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
    header: str = ""  # empty: no answer tells of it

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

    @property
    def window(self) -> str:
        """How long a window is, as refusals say it."""
        return f"{self.count} {self.interval}"


_WEIGHT: Final = Limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000, "X-MBX-USED-WEIGHT-1M")  # of an address
_ORDERS: Final = (  # of an account, as long as they have not traded
    Limit("ORDERS", "SECOND", 10, 50, "X-MBX-ORDER-COUNT-10S"),
    Limit("ORDERS", "DAY", 1, 160_000, "X-MBX-ORDER-COUNT-1D"),
)
_REQUESTS: Final = Limit("RAW_REQUESTS", "MINUTE", 5, 300_000)  # of an address, whatever they weigh
_CONNECTIONS: Final = Limit("CONNECTIONS", "MINUTE", 5, 300)  # of an address, to any of the sockets
# What exchangeInfo tells of them, over HTTP and over the WebSocket API.
LIMITS: Final = (_WEIGHT, *_ORDERS, _REQUESTS)
LIMITS_OF_SOCKET: Final = (_WEIGHT, *_ORDERS, _CONNECTIONS)


class _Windows:
    """Counts by client in the windows of one limit, which begin at whole multiples of their length."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._used: dict[Hashable, tuple[int, int]] = {}
        self._kept_max = _CLIENTS_KEPT_MAX

    def used(self, client: Hashable, now_s: int) -> int:
        window, used = self._used.get(client, (0, 0))
        return used if window == now_s // self.limit.window_s else 0

    def add(self, client: Hashable, amount: int, now_s: int) -> None:
        window = now_s // self.limit.window_s
        self._used[client] = window, max(0, self.used(client, now_s) + amount)
        if len(self._used) > self._kept_max:
            self._used = {each: count for each, count in self._used.items() if count[0] == window}
            # A look at all of them is paid for by as many new ones.
            self._kept_max = max(_CLIENTS_KEPT_MAX, 2 * len(self._used))

    def give_back(self, client: Hashable, amount: int, now_s: int) -> None:
        """Count less, unless the window that counted it is over."""
        if self.used(client, now_s):
            self.add(client, -amount, now_s)

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
        self._weight, self._requests, self._connections = map(_Windows, (_WEIGHT, _REQUESTS, _CONNECTIONS))
        self._orders = [_Windows(limit) for limit in _ORDERS]
        self._offenders: dict[str, _Offender] = {}
        self._offenders_max = _CLIENTS_KEPT_MAX

    def charge_weight(self, address: str, weight: int, now_s: int) -> None:
        """Count a request.

        Raises:
            ExchangeError: TOO_MUCH_WEIGHT or TOO_MANY_REQUESTS over a limit, BANNED for an address that went on all
                the same.
        """
        self._refuse_banned(address, now_s)
        for windows, amount, kind in (
            (self._weight, weight, ErrorKind.TOO_MUCH_WEIGHT),
            (self._requests, 1, ErrorKind.TOO_MANY_REQUESTS),
        ):
            windows.add(address, amount, now_s)
            limit = windows.limit
            if self.is_limiting and windows.used(address, now_s) > limit.limit:
                self._remember(address, now_s)
                raise ExchangeError(kind, retry_after_s=windows.left_s(now_s), limit=limit.limit, interval=limit.window)

    @contextmanager
    def charged(self, address: str, weight: int, clock_s: Callable[[], int], *, is_free: bool) -> Iterator[None]:
        """Count a request that is carried out inside; one that `is_free` has its weight only if it fails.

        Raises:
            ExchangeError: as `charge_weight` does, before it is carried out.
        """
        self.charge_weight(address, 0 if is_free else weight, clock_s())
        try:
            yield
        except Exception:
            if is_free:
                self._weight.add(address, weight, clock_s())
            raise

    def charge_connection(self, address: str, now_s: int) -> bool:
        """Count an attempt to connect to a socket; return whether it may."""
        self._connections.add(address, 1, now_s)
        return not self.is_limiting or self._connections.used(address, now_s) <= _CONNECTIONS.limit

    def charge_orders(self, account: int, count: int, now_s: int) -> None:
        """Count new orders, all of them or none.

        Raises:
            ExchangeError: TOO_MANY_ORDERS over the limit.
        """
        for windows in self._orders:
            limit = windows.limit
            if self.is_limiting and windows.used(account, now_s) + count > limit.limit:
                raise ExchangeError(
                    ErrorKind.TOO_MANY_ORDERS,
                    retry_after_s=windows.left_s(now_s),
                    limit=limit.limit,
                    interval=limit.window,
                )
        for windows in self._orders:
            windows.add(account, count, now_s)

    def restore_orders(self, unfilled_since: Callable[[int], Mapping[int, int]], now_s: int) -> None:
        """Count the orders of before this process began.

        `unfilled_since` tells by account how many count of those of a time, in ms, or later. What was counted without
        ever having been an order, the half of a `cancelReplace` that was not tried, is forgotten.
        """
        for windows in self._orders:
            window_s = windows.limit.window_s
            for account, count in unfilled_since(now_s // window_s * window_s * 1_000).items():
                windows.add(account, count, now_s)

    def give_back_orders(self, account: int, count: int, now_s: int) -> None:
        """Count orders no more, because they have traded or were refused: only unfilled orders count."""
        for windows in self._orders:
            windows.give_back(account, count, now_s)

    @contextmanager
    def counted(self, account: int, count: int, now_s: int) -> Iterator[None]:
        """Count new orders that are placed inside; refused ones count nothing.

        Raises:
            ExchangeError: TOO_MANY_ORDERS over the limit, before they are placed.
        """
        self.charge_orders(account, count, now_s)
        with self.giving_back(account, count, now_s):
            yield

    @contextmanager
    def giving_back(self, account: int, count: int, now_s: int) -> Iterator[None]:
        """Count orders no more that are refused inside; where the engine is silent, nobody knows whether they are."""
        try:
            yield
        except ExchangeError as error:
            if error.kind is not ErrorKind.TIMEOUT:
                self.give_back_orders(account, count, now_s)
            raise

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
        if len(self._offenders) > self._offenders_max:
            self._offenders = {each: ban for each, ban in self._offenders.items() if now_s < ban.banned_until_s}
            self._offenders_max = max(_CLIENTS_KEPT_MAX, 2 * len(self._offenders))
        offender = self._offenders.setdefault(address, _Offender())
        offender.refusal_count += 1
        if offender.refusal_count >= _REFUSALS_UNTIL_BAN:
            offender.refusal_count = 0
            offender.banned_until_s = now_s + offender.ban_s
            offender.ban_s = min(2 * offender.ban_s, _BAN_S_MAX)
