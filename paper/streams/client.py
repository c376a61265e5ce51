"""One client of the market streams: what it asks for, in Binance's words, and what it is answered."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from paper.streams.hub import StreamHub, write_json
from paper.streams.outbox import Outbox

STREAMS_PER_CLIENT_MAX: Final = 1_024

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_INVALID_REQUEST: Final = 2
_INVALID_JSON: Final = 3


class _RequestError(Exception):
    """A request that cannot be served, with Binance's code."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


class StreamClient:
    """A client's subscriptions; documents and answers go to its outbox.

    Args:
        hub: where the streams are.
        outbox: what is written to the client.
        is_combined: whether each document is wrapped with the name of its stream.
        on_unknown: called with the name of a stream that does not exist; Binance accepts it and sends nothing.
    """

    def __init__(self, hub: StreamHub, outbox: Outbox, *, is_combined: bool, on_unknown: Callable[[str], None]) -> None:
        self._hub = hub
        self._outbox = outbox
        self._is_combined = is_combined
        self._on_unknown = on_unknown
        self._names: dict[str, None] = {}

    def _take(self, stream: str, text: str) -> None:
        """Take a document of a stream."""
        self._outbox.put(f'{{"stream":{write_json(stream)},"data":{text}}}' if self._is_combined else text)

    def subscribe(self, names: Sequence[str]) -> bool:
        """Subscribe to streams, all or none; return False for more than a client may have."""
        wanted = dict.fromkeys(names)
        if len(self._names | wanted) > STREAMS_PER_CLIENT_MAX:
            return False
        self._names |= wanted
        for name in wanted:
            if not self._hub.subscribe(name, self._take):
                self._on_unknown(name)
        return True

    def tell_shutdown(self, event: str) -> None:
        """Tell that the exchange is about to go."""
        self._take("!serverShutdown", event)

    def leave(self) -> None:
        """Unsubscribe from everything."""
        for name in self._names:
            self._hub.unsubscribe(name, self._take)
        self._names.clear()

    def on_text(self, text: str | bytes) -> None:
        """Answer a request."""
        request_id: Any = None
        try:
            request = _read(text)
            request_id = _request_id(request)
            result = self._answer(request)
        except _RequestError as error:
            answer = {"error": {"code": error.code, "msg": str(error)}, "id": request_id}
        else:
            answer = {"result": result, "id": request_id}
        self._outbox.put(write_json(answer))

    def _answer(self, request: dict[str, Any]) -> Any:
        method, params = request.get("method"), request.get("params", [])
        if method not in _METHODS:
            expected = ", ".join(f"`{name}`" for name in _METHODS)
            raise _RequestError(_INVALID_REQUEST, f"Invalid request: unknown variant {method}, expected {expected}")
        if not isinstance(params, list):
            raise _RequestError(_INVALID_REQUEST, "Invalid request: params must be an array")
        match method:
            case "SUBSCRIBE":
                if not self.subscribe(_names(params)):
                    raise _RequestError(_INVALID_REQUEST, "Invalid request: too many streams")
            case "UNSUBSCRIBE":
                for name in _names(params):
                    self._names.pop(name, None)
                    self._hub.unsubscribe(name, self._take)
            case "LIST_SUBSCRIPTIONS":
                return list(self._names)
            case "GET_PROPERTY":
                _check_property(params[:1])
                return self._is_combined
            case "SET_PROPERTY":
                _check_property(params[:1])
                if len(params) != 2 or not isinstance(params[1], bool):
                    raise _RequestError(1, "Invalid value type: expected Boolean")
                self._is_combined = params[1]
        return None


def _read(text: str | bytes) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _RequestError(_INVALID_JSON, "Invalid JSON: expected value") from error
    if not isinstance(request, dict):
        raise _RequestError(_INVALID_REQUEST, "Invalid request: expected an object")
    return request


def _request_id(request: dict[str, Any]) -> Any:
    request_id = request.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        raise _RequestError(_INVALID_REQUEST, "Invalid request: request ID must be an integer or a string")
    return request_id


def _names(params: list[Any]) -> list[str]:
    if not params or not all(isinstance(name, str) for name in params):
        raise _RequestError(_INVALID_REQUEST, "Invalid request: params must be stream names")
    return params


def _check_property(params: list[Any]) -> None:
    if params != ["combined"]:
        raise _RequestError(0, "Unknown property")
