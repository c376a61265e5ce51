"""How a node serves HTTP: one Sanic app inside the node's own asyncio loop, on a socket that it has bound itself."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sanic import Sanic
from sanic.exceptions import SanicException
from sanic.request import Request
from sanic.response import HTTPResponse, json

from market.http_names import OwnNames, connectable, in_url
from market.limits import HTTP_BODY_BYTES_MAX
from paper.http_bounds import BoundedProtocol, local_address

REQUEST_TIMEOUT_S = 5
HttpApp = Any  # a Sanic app; its own types are not strict


def url_of(listener: socket.socket) -> str:
    """Return the URL that `listener` answers at, seen from this machine."""
    host, port, *_ = listener.getsockname()
    return f"http://{in_url(connectable(host))}:{port}"


def new_app(name: str) -> HttpApp:
    """Return an app with the house's limits, which answers every error as JSON."""
    app: HttpApp = Sanic(name, configure_logging=False)
    app.config.update(
        REQUEST_MAX_SIZE=HTTP_BODY_BYTES_MAX,
        REQUEST_TIMEOUT=REQUEST_TIMEOUT_S,
        RESPONSE_TIMEOUT=REQUEST_TIMEOUT_S,
        MOTD=False,
        ACCESS_LOG=False,
        FALLBACK_ERROR_FORMAT="json",
    )

    async def answer_error(_: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException):  # it was raised for the client, with the reason in words
            return json({"error": str(error)}, status=error.status_code, headers=error.headers)
        logging.getLogger("sanic.error").error("request failed", exc_info=error)
        return json({"error": "internal error"}, status=500)

    app.error_handler.add(Exception, answer_error)
    return app


def allow_own_names_only(app: HttpApp, host: str) -> None:
    """Refuse requests under a name that is not ours, and those of other sites' pages: `market.http_names` says why.

    Args:
        app: the app to guard.
        host: what it listens on.
    """
    names = OwnNames(host, lambda why: logging.getLogger(__name__).warning("requests are refused: %s", why))

    async def check_names(request: Request) -> HTTPResponse | None:
        refusal = names.refusal(request.headers, local_address(request))
        return None if refusal is None else json({"error": refusal.why}, status=refusal.status)

    app.register_middleware(check_names, "request")


@asynccontextmanager
async def serving(app: HttpApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on `listener`; at the end accept nobody more, and close what is open."""
    server: Any = await app.create_server(sock=listener, protocol=BoundedProtocol, return_asyncio_server=True)
    assert server is not None, "Sanic returned no server"
    await server.startup()
    await server.start_serving()
    try:
        yield
    finally:
        server.close()
        for connection in list(server.connections):
            connection.abort()
        await server.wait_closed()
