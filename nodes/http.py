"""How a node serves HTTP: one Sanic app inside the node's own asyncio loop, on a socket that it has bound itself."""

import logging
import socket
from typing import Any

from sanic import Sanic
from sanic.exceptions import SanicException
from sanic.request import Request
from sanic.response import HTTPResponse, json

from market.limits import HTTP_BODY_BYTES_MAX
from nodes.node import NodeError

REQUEST_TIMEOUT_S = 5
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
HttpApp = Any  # a Sanic app; its own types are not strict


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        NodeError: if the address is taken or not ours.
    """
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # the library says the address again
        raise NodeError(f"cannot listen on {host}:{port}: {why}") from None


def url_of(listener: socket.socket) -> str:
    """Return the URL that `listener` answers at."""
    host, port, *_ = listener.getsockname()
    return f"http://{host}:{port}"


def new_app(name: str) -> HttpApp:
    """Return an app with the house's limits, which answers every error as JSON."""
    app: HttpApp = Sanic(name, configure_logging=False)
    configure(app)

    async def answer_error(_: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException):  # it was raised for the client, with the reason in words
            return json({"error": str(error)}, status=error.status_code, headers=error.headers)
        logging.getLogger("sanic.error").error("request failed", exc_info=error)
        return json({"error": "internal error"}, status=500)

    app.error_handler.add(Exception, answer_error)
    return app


def configure(app: HttpApp) -> None:
    """Set the house's limits: small bodies, short waits, no start-up banner."""
    app.config.REQUEST_MAX_SIZE = HTTP_BODY_BYTES_MAX
    app.config.REQUEST_TIMEOUT = REQUEST_TIMEOUT_S
    app.config.RESPONSE_TIMEOUT = REQUEST_TIMEOUT_S
    app.config.MOTD = False
    app.config.ACCESS_LOG = False
    app.config.FALLBACK_ERROR_FORMAT = "json"


def allow_loopback_names_only(app: HttpApp, host: str) -> None:
    """Refuse requests whose Host is not this machine's, so that no web page can reach us by rebinding a name.

    Args:
        app: the app to guard.
        host: the address it listens on; one beyond loopback is allowed by its own name too.
    """
    allowed = LOOPBACK_HOSTS | {host}

    async def check_host(request: Request) -> HTTPResponse | None:
        name = request.headers.get("host", "").rsplit(":", 1)[0]
        return None if name in allowed else json({"error": f"unknown host {name[:80]!r}"}, status=421)

    app.register_middleware(check_host, "request")


async def serve(app: HttpApp, listener: socket.socket) -> Any:
    """Start to serve `app` on `listener` and return the server; close it with `stop`."""
    server: Any = await app.create_server(sock=listener, return_asyncio_server=True)
    assert server is not None, "Sanic returned no server"
    await server.startup()
    await server.start_serving()
    return server


async def stop(server: Any) -> None:
    """Stop accepting, and close what is open."""
    server.close()
    for connection in list(server.connections):
        connection.abort()
    await server.wait_closed()
