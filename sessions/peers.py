"""What one address may take of a gateway, so that the others have their share: connections, and Logons a second.

How many of the sessions it may have is asked where the sessions are: `sessions/kept_sessions.py`.
"""

import ipaddress
from collections import Counter
from contextlib import suppress
from typing import Final

from market.clock import NS_PER_SECOND
from market.limits import TCP_SESSIONS_MAX

IPV6_PREFIX: Final = 64  # what one holder of an address usually has


class Peers:
    """Counts by address.

    Args:
        connections_max: of one address at once.
        logons_per_s: of one address, on average; as many as there are sessions may come at once: all the clients of a
            machine come back together when a gateway has restarted.
    """

    def __init__(self, connections_max: int, logons_per_s: float) -> None:
        self._connections_max = connections_max
        self._connections: Counter[str] = Counter()
        self._logon_cost_ns = int(NS_PER_SECOND / logons_per_s)
        self._paid_until_ns: dict[str, int] = {}  # what was logged on by then is forgotten

    def connect(self, address: str) -> bool:
        """Count one more connection of this address, and return True; or return False if it has as many as it may."""
        if self._connections[address] >= self._connections_max:
            return False
        self._connections[address] += 1
        return True

    def disconnect(self, address: str) -> None:
        """Count one less."""
        self._connections[address] -= 1
        if not self._connections[address]:
            del self._connections[address]

    def log_on(self, address: str, now_ns: int) -> bool:
        """Count one more Logon of this address, and return True; or return False if there were too many of late.

        Only those count that are written to the disk and synced, because every client waits for that, and those with a
        wrong token.

        Args:
            now_ns: monotonic.
        """
        for other in [other for other, until_ns in self._paid_until_ns.items() if until_ns <= now_ns]:
            del self._paid_until_ns[other]
        paid_until_ns = self._paid_until_ns.get(address, now_ns) + self._logon_cost_ns
        if paid_until_ns - now_ns > TCP_SESSIONS_MAX * self._logon_cost_ns:
            return False
        self._paid_until_ns[address] = paid_until_ns
        return True


def address_of(host: str) -> str:
    """Return what is counted as one address: of IPv6 the whole network that its holder can choose from."""
    with suppress(ValueError):
        address = ipaddress.IPv6Address(host.partition("%")[0])
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        if not address.is_loopback:
            return str(ipaddress.IPv6Network((address, IPV6_PREFIX), strict=False))
    return host
