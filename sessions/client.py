"""A client's connection without its socket: what it has said that is no whole message yet, and what it has to read."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from market.clock import Now
from market.limits import TCP_SESSIONS_MAX
from sessions.peers import address_of
from sessions.session_table import Session


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What every client must keep to.

    Attributes:
        idle_s: who is not heard of for so long is hung up on.
        unread_bytes: who has more to read is not read.
        forget_s: after which what a client has not read keeps its session no more.
        address_sessions_max: sessions and connections of one address; what a token proves is not counted.
        logons_per_s: of one address that are news or have a wrong token, on average.
        tokens: by client id; None lets everybody in.
    """

    idle_s: float = 30.0
    unread_bytes: int = 1 << 23
    forget_s: float = 86_400.0
    address_sessions_max: int = TCP_SESSIONS_MAX
    logons_per_s: float = 10.0
    tokens: Mapping[str, str] | None = None


class Client:
    """What is received of a client and sent to it.

    Two things are sent: what the gateway says itself, and the session's reports from a place on. A report that is sent
    in part is sent to its end first; the last words follow all else.

    Attributes:
        peer: its host and port.
        address: what counts as its address.
        session: what it has logged on to, None before its first message.
        rest: the beginning of a message.
        heard_ns: when something was last received, monotonic.
        sent_ns: when something was last sent.
        is_read: whether we wait for what it says.
        is_open: whether nobody has hung up.
    """

    def __init__(self, host: str, port: int, now: Now) -> None:
        self.session: Session | None = None
        self.peer = f"{host}:{port}"
        self.address = address_of(host)
        self.rest = b""
        self.heard_ns = self.sent_ns = now.monotonic_ns
        self.is_read = False
        self.is_open = True
        self._place = self._boundary = 0  # up to the boundary reports are sent before anything else
        self._direct: deque[bytes] = deque()
        self._direct_bytes = 0
        self._last_words = b""

    @property
    def unread_bytes(self) -> int:
        """How much it has still to read, as far as we know."""
        return self._direct_bytes + (self.session.reports.end - self._place if self.session else 0)

    @property
    def has_lost_reports(self) -> bool:
        """Whether reports are forgotten that it has not read."""
        return self.session is not None and self._place < self.session.reports.start

    def attach(self, session: Session, place: int) -> None:
        """Let it have the session's reports from `place` on."""
        self.session = session
        self._place = self._boundary = place

    def has_been_sent(self, sequence: int) -> bool:
        """Return whether the session's report of this number has been sent here, or to an earlier connection."""
        assert self.session is not None, "reports without a session"
        reports = self.session.reports
        return self._place == reports.end or reports.place_after(sequence - 1) < self._place

    def say(self, data: bytes) -> None:
        """Send something beside the reports."""
        self._direct.append(data)
        self._direct_bytes += len(data)

    def close(self, last_words: bytes = b"") -> None:
        """Hang up when the socket takes no more."""
        self.is_open = False
        self._last_words = last_words

    def next_piece(self) -> bytes | memoryview:
        """Return what is to be sent next, nothing if that is all; then say with `sent` how much of it was."""
        reports = self.session.reports if self.session is not None else None
        is_turn_of_reports = self._place < self._boundary or not self._direct
        if reports is not None and is_turn_of_reports and self._place < reports.end:
            if self.has_lost_reports:
                return b""
            data = reports.read(self._place)
            if self._place < self._boundary:
                return data[: self._boundary - self._place]
            self._boundary = self._place + len(data)
            return data
        return self._direct[0] if self._direct else self._last_words

    def sent(self, size: int, now: Now) -> None:
        """Take note that so many bytes of the next piece were sent."""
        self.sent_ns = now.monotonic_ns
        if self._place < self._boundary:
            self._place += size
        elif self._direct:
            self._direct_bytes -= size
            self._direct[0] = self._direct[0][size:]
            if not self._direct[0]:
                self._direct.popleft()
        else:
            self._last_words = self._last_words[size:]
