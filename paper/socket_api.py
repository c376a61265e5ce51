"""The WebSocket API: the calls of the table of endpoints, and an account's own stream, on one connection."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sanic import Sanic
from sanic.request import Request

from market.clock import NS_PER_MS, NS_PER_SECOND
from paper.access.accounts import KeyPair
from paper.calls import parameters as p
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.calls.parameters import Values, read_values
from paper.errors import ErrorKind, ExchangeError
from paper.faults import Channel, MadeUpError, PageError, ReplyLostError
from paper.front_desk import FrontDesk, Inquiry
from paper.http_bounds import ERROR_FORMAT
from paper.streams.hub import write_json
from paper.streams.outbox import Outbox
from paper.streams.sockets import TOO_MANY_CONNECTIONS, Connections, Socket, close_for_policy, connection
from paper.streams.user_hub import UserHub, UserStreams

REQUESTS_PENDING_MAX: Final = 100  # of one connection; beyond it the exchange stops reading from it

_WEIGHT: Final = 2  # of a connection, and of each call that has no REST twin
ENDPOINT_OF_METHOD: Final[Mapping[str, Endpoint]] = {
    each.socket_method: each for each in ENDPOINTS if each.socket_method
}


def add_socket_api(
    app: Sanic[Any, Any],
    desk: FrontDesk,
    hub: UserHub,
    connections: Connections,
    on_bug: Callable[[Exception], None],
) -> None:
    """Serve the WebSocket API on `app`; `on_bug` is called when a request fails in a way that it should not."""

    async def serve(request: Request, socket: Socket) -> None:
        if not desk.usage.charge_connection(request.ip, desk.clock() // NS_PER_SECOND):
            await close_for_policy(socket, TOO_MANY_CONNECTIONS)
            return
        async with connection(request, socket, connections.of_accounts, desk.latency.line(is_signed=True)) as outbox:
            client = SocketClient(desk, hub, outbox, request.ip, on_bug)
            connections.clients.add(client)
            pending: set[asyncio.Task[None]] = set()
            try:
                desk.usage.charge_weight(request.ip, _WEIGHT, desk.clock() // NS_PER_SECOND)
                while True:
                    task = asyncio.create_task(client.handle(await socket.recv()))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
                    if len(pending) >= REQUESTS_PENDING_MAX:
                        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            except ExchangeError as error:
                await close_for_policy(socket, error.message)
            finally:
                for task in pending:
                    task.cancel()
                connections.clients.discard(client)
                client.leave()

    app.add_websocket_route(serve, "/ws-api/v3", name="socket_api", error_format=ERROR_FORMAT)


class SocketClient:
    """One connection: its session, its subscriptions, its requests."""

    def __init__(
        self, desk: FrontDesk, hub: UserHub, outbox: Outbox, address: str, on_bug: Callable[[Exception], None]
    ) -> None:
        self._desk = desk
        self._outbox = outbox
        self._address = address
        self._on_bug = on_bug
        self._streams = UserStreams(hub, outbox, lambda: desk.clock() // NS_PER_MS)
        self._connected_ms = desk.clock() // NS_PER_MS
        self._account: int | None = None
        self._api_key: str | None = None
        self._authorized_ms: int | None = None
        self._calls: Mapping[str, tuple[tuple[p.Parameter, ...], Callable[[Inquiry, Values, int], Any]]] = {
            "session.logon": (p.SIGNED, self._log_on),
            "session.status": ((), self._status),
            "session.logout": ((), self._log_out),
            "session.subscriptions": ((), self._list),
            "userDataStream.subscribe": ((), self._subscribe),
            "userDataStream.subscribe.signature": (p.SIGNED, self._subscribe_signed),
            "userDataStream.unsubscribe": ((p.SUBSCRIPTION_ID,), self._unsubscribe),
        }

    async def handle(self, text: str | bytes) -> None:
        """Answer a request."""
        now_ns = self._desk.clock()
        inquiry = Inquiry({}, self._address, session_account=self._account, channel=Channel.SOCKET)
        reply: dict[str, Any] = {"id": None, "status": 200}
        method = ""
        try:
            request = _read(text)
            reply["id"] = request.get("id")
            method = request["method"]
            _fill(inquiry, request.get("params") or {})
            reply["result"] = await self._answer(method, inquiry, now_ns)
        except ExchangeError as error:
            reply |= _failure(error, now_ns)
        except PageError as error:
            unknown = ErrorKind.UNKNOWN
            reply |= _failure(MadeUpError(unknown.code, error.status, unknown.text), now_ns)
        except ReplyLostError:
            return
        except Exception as error:  # noqa: BLE001 - a bug of ours must not close the connection without a word
            self._on_bug(error)
            reply |= _failure(ExchangeError(ErrorKind.UNKNOWN), now_ns)
        endpoint = ENDPOINT_OF_METHOD.get(method)
        account = inquiry.account if endpoint is not None and endpoint.is_order else None
        reply["rateLimits"] = self._desk.usage.documents(self._address, account, now_ns // NS_PER_SECOND)
        self._outbox.put(write_json(reply))

    def tell_shutdown(self, event: str) -> None:
        """Tell that the exchange is about to go."""
        self._outbox.put(f'{{"event":{event}}}')

    def leave(self) -> None:
        """End the subscriptions of a client that is gone."""
        self._streams.leave()

    async def _answer(self, method: str, inquiry: Inquiry, now_ns: int) -> Any:
        endpoint = ENDPOINT_OF_METHOD.get(method)
        if endpoint is not None:
            return await self._desk.answer(endpoint, inquiry, now_ns)
        if method not in self._calls:
            raise ExchangeError(ErrorKind.UNSUPPORTED_OPERATION)
        self._desk.usage.charge_weight(self._address, _WEIGHT, now_ns // NS_PER_SECOND)
        table, call = self._calls[method]

        if await self._desk.latency.arrive(self._desk.sender(inquiry), is_signed=True):
            now_ns = self._desk.clock()

        async def carry_out(at_ns: int) -> Any:
            return call(inquiry, read_values(inquiry.texts, table), at_ns)

        return await self._desk.through_faults("", method, inquiry, now_ns, carry_out)

    def _log_on(self, inquiry: Inquiry, values: Values, now_ns: int) -> Any:
        account = self._desk.identify(inquiry, values, now_ns)
        found = self._desk.accounts.find(inquiry.api_key)
        if found is None or isinstance(found[1], KeyPair):
            raise ExchangeError(ErrorKind.NO_SESSION_FOR_HMAC)
        if not isinstance(found[1].public_key, Ed25519PublicKey):
            raise ExchangeError(ErrorKind.NO_SESSION_FOR_RSA)
        self._account, self._api_key, self._authorized_ms = account, inquiry.api_key, now_ns // NS_PER_MS
        return self._status(inquiry, values, now_ns)

    def _status(self, _: Inquiry, __: Values, now_ns: int) -> Any:
        return {
            "apiKey": self._api_key,
            "authorizedSince": self._authorized_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": True,
            "serverTime": now_ns // NS_PER_MS,
            "userDataStream": bool(self._streams.numbers),
        }

    def _log_out(self, inquiry: Inquiry, values: Values, now_ns: int) -> Any:
        self._account = self._api_key = self._authorized_ms = None
        self._streams.unsubscribe()
        return self._status(inquiry, values, now_ns)

    def _list(self, _: Inquiry, __: Values, ___: int) -> Any:
        return [{"subscriptionId": number} for number in self._streams.numbers]

    def _subscribe(self, _: Inquiry, __: Values, ___: int) -> Any:
        if self._account is None:
            raise ExchangeError(ErrorKind.NOT_LOGGED_ON)
        return {"subscriptionId": self._streams.subscribe(self._account)}

    def _subscribe_signed(self, inquiry: Inquiry, values: Values, now_ns: int) -> Any:
        return {"subscriptionId": self._streams.subscribe(self._desk.identify(inquiry, values, now_ns))}

    def _unsubscribe(self, _: Inquiry, values: Values, ___: int) -> Any:
        self._streams.unsubscribe(values.get("subscriptionId"))
        return {}


def _read(text: str | bytes) -> dict[str, Any]:
    """Return a request; numbers with a point stay the text that the client has signed."""
    try:
        request = json.loads(text, parse_float=str)
    except (ValueError, RecursionError):
        raise ExchangeError(ErrorKind.BAD_MESSAGE, why="it is no JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise ExchangeError(ErrorKind.BAD_MESSAGE, why="expected an object with a method")
    if isinstance(request.get("id"), bool) or not isinstance(request.get("id"), int | str | None):
        del request["id"]
    if not isinstance(request.get("params", {}), dict | None):
        raise ExchangeError(ErrorKind.BAD_MESSAGE, why="params must be an object")
    return request


def _fill(inquiry: Inquiry, params: dict[str, Any]) -> None:
    """Put the parameters into an inquiry; what was signed is all but the signature, sorted by name."""
    texts = {name: _spelt(value) for name, value in params.items()}
    if not all(_is_text(text) for pair in texts.items() for text in pair):
        raise ExchangeError(ErrorKind.ILLEGAL_CHARACTERS, name="params", legal="UTF-8")
    inquiry.payload = "&".join(f"{name}={text}" for name, text in sorted(texts.items()) if name != "signature")
    inquiry.api_key = texts.pop("apiKey", "")
    texts.pop("returnRateLimits", None)  # every reply carries them
    inquiry.texts = texts


def _is_text(text: str) -> bool:
    """Say whether a text can be written; JSON can spell halves of characters that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _spelt(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else write_json(value)  # true, 1, ["BTCUSDT"]: as a query spells them


def _failure(error: ExchangeError, now_ns: int) -> dict[str, Any]:
    document = error.document
    if error.retry_after_s is not None:
        now_ms = now_ns // NS_PER_MS
        document["data"] = {"serverTime": now_ms, "retryAfter": now_ms + error.retry_after_s * 1_000}
    return {"status": error.status, "error": document}
