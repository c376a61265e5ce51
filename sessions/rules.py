"""What a gateway asks of its clients' connections; what an order may be is in `session_state`."""

from collections.abc import Mapping
from dataclasses import dataclass

from market.clock import NS_PER_SECOND
from market.limits import TCP_SESSIONS_MAX


@dataclass(frozen=True, slots=True)
class ClientRules:
    """The rules of all connections.

    Attributes:
        idle_s: who is not heard of for so long is hung up on.
        unread_bytes: who has more to read is not read.
        forget_s: after which what a client has not read keeps its session no more.
        address_sessions_max: sessions and connections of one address; what a token proves is not counted.
        logons_per_s: of one address that are news, on average.
        tokens: by client id; None lets everybody in.
    """

    idle_s: float = 30.0
    unread_bytes: int = 1 << 23
    forget_s: float = 86_400.0
    address_sessions_max: int = TCP_SESSIONS_MAX
    logons_per_s: float = 10.0
    tokens: Mapping[str, str] | None = None

    @property
    def idle_ns(self) -> int:
        """The same in ns."""
        return int(self.idle_s * NS_PER_SECOND)
