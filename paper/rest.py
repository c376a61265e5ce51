"""The exchange over HTTP: a Sanic app made from the table of endpoints."""

import logging
import math
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from sanic import Sanic
from sanic.exceptions import SanicException
from sanic.request import Request
from sanic.response import HTTPResponse, html, json

from market.clock import NS_PER_SECOND, time_ns
from market.http_names import OwnNames
from market.limits import HTTP_BODY_BYTES_MAX
from paper.access.accounts import Accounts
from paper.access.signing import signed_payload
from paper.access.usage import Usage
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.calls.openapi import OPENAPI_PATH, openapi_document
from paper.calls.parameters import read_texts
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.faults import Faults, PageError, ReplyLostError
from paper.front_desk import ENGINE_TIMEOUT_S, FrontDesk, Inquiry
from paper.http_bounds import ERROR_FORMAT, local_address
from paper.latency import Latency
from paper.money.ledger_file import LedgerError
from paper.socket_api import add_socket_api
from paper.streams.hub import StreamHub
from paper.streams.sockets import Connections, MarketSockets
from paper.streams.user_hub import UserHub
from paper.time_units import TIME_UNIT_HEADER, in_microseconds, wants_microseconds

App = Sanic[Any, Any]

_SBE_HEADER: Final = "X-MBX-SBE"  # asks for answers in SBE
_REQUEST_TIMEOUT_S: Final = 5
_PING_INTERVAL_S: Final = 20.0
_PONG_TIMEOUT_S: Final = 60.0
_KIND_OF_STATUS: Final[Mapping[int, ErrorKind]] = {
    HTTPStatus.NOT_FOUND: ErrorKind.UNSUPPORTED_OPERATION,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorKind.WRONG_METHOD,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorKind.REQUEST_TOO_LARGE,
}

_log = logging.getLogger(__name__)


class HttpSettings(NamedTuple):
    """How the app serves.

    Attributes:
        host: what the app will listen on; requests under another name are refused.
        engine_timeout_s: how long an order may wait for the engine before the client is told that its fate is unknown.
        ping_interval_s: how often every WebSocket client is pinged.
        is_limiting: whether clients that go over a rate limit are refused.
        name: Sanic's name for the app, one of a kind in the process.
    """

    host: str = "127.0.0.1"
    engine_timeout_s: float = ENGINE_TIMEOUT_S
    ping_interval_s: float = _PING_INTERVAL_S
    is_limiting: bool = True
    name: str = "paper"


def create_app(
    exchange: Exchange,
    accounts: Accounts,
    http: HttpSettings,
    *,
    latency: Latency,
    clock: Callable[[], int] = time_ns,
    on_bug: Callable[[Exception], None] | None = None,
) -> App:
    """Return the app that serves `exchange` to the holders of the keys in `accounts`.

    Args:
        exchange: lives in the thread of the app's event loop.
        accounts: who may act for which account.
        http: how it serves.
        latency: how long messages travel each way.
        clock: the exchange's time, ns since 1970 UTC.
        on_bug: called when a handler fails in a way that it should not, after the client was told.
    """
    app: App = Sanic(http.name, configure_logging=False)
    app.ctx.latency = latency
    app.config.update(
        REQUEST_MAX_SIZE=HTTP_BODY_BYTES_MAX,
        REQUEST_TIMEOUT=_REQUEST_TIMEOUT_S,
        RESPONSE_TIMEOUT=max(_REQUEST_TIMEOUT_S, http.engine_timeout_s + 1) + math.ceil(latency.longest_s),
        WEBSOCKET_MAX_SIZE=HTTP_BODY_BYTES_MAX,
        WEBSOCKET_PING_INTERVAL=http.ping_interval_s,
        WEBSOCKET_PING_TIMEOUT=_PONG_TIMEOUT_S,
        ACCESS_LOG=False,
        MOTD=False,
    )
    usage = app.ctx.usage = Usage(is_limiting=http.is_limiting)
    faults = app.ctx.faults = Faults()
    connections = app.ctx.connections = Connections()

    def now_ns() -> int:
        return clock() + faults.clock_offset_ns

    usage.restore_orders(exchange.ledger.history.unfilled_orders, now_ns() // NS_PER_SECOND)
    desk = app.ctx.desk = FrontDesk(
        exchange,
        accounts,
        clock=now_ns,
        engine_timeout_s=http.engine_timeout_s,
        usage=usage,
        faults=faults,
        latency=latency,
    )
    for number, endpoint in enumerate(ENDPOINTS):
        methods, name = _methods(endpoint.method), f"endpoint_{number}"
        app.add_route(_handler(desk, endpoint), endpoint.path, methods, name=name, error_format=ERROR_FORMAT)

    document = openapi_document(ENDPOINTS)

    async def show_openapi(_: Request) -> HTTPResponse:
        return json(document)

    app.add_route(show_openapi, OPENAPI_PATH, _methods("GET"), name="openapi", error_format=ERROR_FORMAT)

    def report_bug(error: Exception) -> None:
        if isinstance(error, LedgerError):  # the disk's fault: the next save meets it as well, and ends the exchange
            _log.error("a request failed: %s", error)
            return
        _log.error("a request failed", exc_info=error)
        if on_bug is not None and not isinstance(error, SanicException):
            on_bug(error)

    app.ctx.hub = StreamHub(exchange.market, faults)
    MarketSockets(app.ctx.hub, connections, now_ns, report_bug, latency, usage).add_to(app)
    app.ctx.users = UserHub(exchange, faults)
    add_socket_api(app, desk, app.ctx.users, connections, report_bug)

    _add_refusals(app, OwnNames(http.host, lambda why: _log.warning("requests are refused: %s", why)), report_bug)
    return app


def _methods(method: str) -> list[str]:
    return ["GET", "HEAD"] if method == "GET" else [method]


def _add_refusals(app: App, names: OwnNames, report_bug: Callable[[Exception], None]) -> None:
    """Let the app answer other hosts, unknown paths and bugs of ours as Binance answers what is wrong."""

    @app.on_request
    async def refuse_strangers(request: Request) -> HTTPResponse | None:
        # What is no HTTP has no Host at all, and is refused for what it is.
        if names.refusal(request.headers, local_address(request)) is None:
            return None
        return _error(ExchangeError(ErrorKind.FORBIDDEN_HOST))

    @app.exception(Exception)
    async def refuse(_: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = _KIND_OF_STATUS.get(error.status_code, ErrorKind.BAD_REQUEST)
            return _error(ExchangeError(kind, size=HTTP_BODY_BYTES_MAX))
        report_bug(error)
        return _error(ExchangeError(ErrorKind.UNKNOWN))


def _handler(desk: FrontDesk, endpoint: Endpoint) -> Callable[[Request], Coroutine[Any, Any, HTTPResponse]]:
    """Return what Sanic calls for an endpoint: it puts HTTP requests before the front desk."""

    async def handle(request: Request) -> HTTPResponse:
        now_ns = desk.clock()
        inquiry = Inquiry({}, request.ip)
        try:
            is_in_us = _wants_microseconds(request)
            query, body = request.query_string, _text(request.body)
            inquiry.texts = read_texts(query, body)
            inquiry.api_key = request.headers.get("X-MBX-APIKEY", "")
            inquiry.payload = signed_payload(query, body) if endpoint.is_signed else ""
            document = await desk.answer(endpoint, inquiry, now_ns)
            answer: HTTPResponse = json(in_microseconds(document) if is_in_us else document)
        except ExchangeError as error:
            answer = _error(error)
        except PageError as error:
            answer = html(error.page, status=error.status)
        except ReplyLostError:
            transport: Any = request.transport
            transport.abort()
            return HTTPResponse(status=HTTPStatus.NO_CONTENT)  # it goes nowhere
        await desk.latency.leave(desk.sender(inquiry), is_signed=endpoint.is_signed)
        account = inquiry.account if endpoint.is_order else None
        headers = desk.usage.headers(inquiry.address, account, now_ns // NS_PER_SECOND)
        answer.headers.update(headers)
        return answer

    return handle


def _wants_microseconds(request: Request) -> bool:
    if _SBE_HEADER in request.headers:
        raise ExchangeError(ErrorKind.SBE_DISABLED)
    return wants_microseconds(request.headers.get(TIME_UNIT_HEADER, ""))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name="body", legal="UTF-8") from None


def _error(error: ExchangeError) -> HTTPResponse:
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return json(error.document, status=error.status, headers=headers)
