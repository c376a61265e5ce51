"""What one HTTP server takes of its clients: so many connections, and so long for a request to arrive."""

import logging
import time
from typing import Any

from sanic.exceptions import RequestTimeout
from sanic.http.constants import Stage
from sanic.request import Request
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from market.limits import HTTP_CONNECTIONS_MAX

ERROR_FORMAT = "json"  # of every route: else Sanic guesses it from the source text of each handler, at the start

_LAST_WORD_S = 0.1  # for the answer to leave before we hang up

_log = logging.getLogger(__name__)
_Protocol: Any = WebSocketProtocol  # its own types are not strict


class BoundedProtocol(_Protocol):  # type: ignore[misc]
    """A connection that is refused if there are too many, and whose request must arrive as a whole in time.

    Sanic counts the time from the last piece that came, so that a client that sends a byte now and then stays for ever.
    """

    _time: float
    is_full = False  # of all connections of the process: the log says once that it is so

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or hang up."""
        if len(self.connections) < HTTP_CONNECTIONS_MAX:
            BoundedProtocol.is_full = False
            super().connection_made(transport)
            return
        if not BoundedProtocol.is_full:
            BoundedProtocol.is_full = True
            _log.warning("more than %d connections are open: new ones are refused", HTTP_CONNECTIONS_MAX)
        transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that was taken."""
        if self in self.connections:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request; only its first piece starts the clock."""
        http = getattr(self, "_http", None)  # it comes with the connection's task, which may not have run yet
        is_first = http is None or (http.stage is Stage.IDLE and not _has_body_to_come(http))
        began_s = self._time
        super().data_received(data)
        if self.websocket is None and not is_first:
            self._time = began_s

    def check_timeouts(self) -> None:
        """End what takes too long; a body that does not come is the client's fault, not that of the handler.

        When Sanic has answered, it reads the rest of the body, for as long as that takes. So a client that has no
        answer is told, and one that has is hung up on.
        """
        http = self._http
        is_waiting = self._task and _has_body_to_come(http) and not http.upgrade_websocket
        if not is_waiting or time.monotonic() - self._time <= self.request_timeout:
            super().check_timeouts()
        elif http.stage is Stage.HANDLER:
            http.exception = RequestTimeout("Request Timeout")
            self._task.cancel("the body did not come")
            self._callback_check_timeouts = self.loop.call_later(_LAST_WORD_S, self.check_timeouts)
        else:
            self.abort()


def _has_body_to_come(http: Any) -> bool:
    return bool(getattr(http, "request_body", None))  # Sanic makes it with the first request


def local_address(request: Request) -> str:
    """Return the address that a request's connection has reached us at; empty if it is gone."""
    transport: Any = request.transport
    name = transport.get_extra_info("sockname") if transport is not None else None
    return str(name[0]) if name else ""
