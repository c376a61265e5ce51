"""What can be asked of the api over HTTP, as an OpenAPI 3.1 document: the one list, of which `/docs` is made."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from market.limits import TRADES_KEPT_MAX

OPENAPI_PATH: Final = "/openapi.json"
DEPTH_MAX: Final = 5_000
_JSON, _HTML, _TEXT = "application/json", "text/html", "text/plain"


class _Parameter(NamedTuple):
    name: str
    text: str
    schema: Mapping[str, Any]
    place: str = "query"
    is_required: bool = False


class _Call(NamedTuple):
    """A call: its method and path, in a sentence what it is for, and by status what is answered and of which type."""

    path: str
    text: str
    answers: Mapping[int, tuple[str, str]]
    parameters: Sequence[_Parameter] = ()
    method: str = "get"
    body: Mapping[str, Any] | None = None
    example: str = ""


_SYMBOL: Final = _Parameter(
    "symbol",
    "the pair, as people spell it; without it the desk's",
    {"type": "string", "examples": ["BTCUSDT", "btc/usdt"]},
)
_STALE: Final = {
    404: ("there is no such symbol", _JSON),
    503: ("the book is not there, for the reason in `error`; ask again after `Retry-After`", _JSON),
}
_NO_REPORT: Final = {202: ("it is being made: ask again", _HTML), 404: ("there is none", _JSON)}
_COMMAND: Final = {
    202: ("it is carried out; its lines and its exit code come on the live line, by `number`", _JSON),
    400: ("what is not understood", _JSON),
    403: ("the token is missing or wrong", _JSON),
    409: ("another command is not done yet; a halt waits for another halt alone", _JSON),
}
_TOKEN: Final = _Parameter(
    "X-Desk-Token", "what `python cli.py token` tells", {"type": "string"}, place="header", is_required=True
)


def _number(most: int, default: int) -> Mapping[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def _command(name: str, text: str, **more: Mapping[str, Any]) -> _Call:
    properties = {"symbol": {"type": "string"}, **more}
    required = [each for each in properties if each != "cancel_all"]
    body = {"type": "object", "required": required, "properties": properties}
    return _Call(f"/api/commands/{name}", text, _COMMAND, (_TOKEN,), "post", body)


CALLS: Final = (
    _Call(
        "/api/orderbook",
        'Tell the best levels of each side, order by order, best price first; `"own": true` stands in each order of '
        "this desk's account.",
        {
            200: ("`bids`, `asks`, `symbol`, `epoch`, `sequence`, `timestamp`; prices and quantities are exact", _JSON),
            304: ("it is still the one of `If-None-Match`", ""),
            400: ("what is not understood", _JSON),
            **_STALE,
        },
        (
            _SYMBOL,
            _Parameter(
                "depth", "levels a side", {"type": "integer", "minimum": 1, "maximum": DEPTH_MAX, "default": DEPTH_MAX}
            ),
        ),
        example="depth=10",
    ),
    _Call(
        "/api/trades",
        "Tell the last trades, oldest first.",
        {
            200: ("`trades`: `id`, `price`, `quantity`, `taker_side`, `timestamp` in ms since 1970 UTC", _JSON),
            400: ("what is not understood", _JSON),
            **_STALE,
        },
        (
            _SYMBOL,
            _Parameter(
                "limit", "how many", {"type": "integer", "minimum": 1, "maximum": TRADES_KEPT_MAX, "default": 100}
            ),
        ),
        example="limit=100",
    ),
    _Call(
        "/api/health",
        "Tell of each topic of the feed whether the api's copy is in step.",
        {200: ("all are", _JSON), 503: ("one is not, or its engine is silent", _JSON)},
    ),
    _Call(
        "/api/at",
        "Tell what was at a moment: the book, our orders and what was ahead of them, position, the last decisions; and "
        "of the 300 s before it trades, mid and our quotes by the second, our fills, and what is not kept (`window`).",
        {
            200: ("what `python cli.py at --window 300 --json` tells", _JSON),
            202: ("the journal is replayed: ask again", _JSON),
            400: ("it is no time", _JSON),
            404: ("nothing is known of that moment, or there is no such symbol", _JSON),
            503: ("too much is asked for at once", _JSON),
        },
        (
            _SYMBOL,
            _Parameter(
                "time",
                "UTC; of a time alone that of today",
                {"type": "string", "examples": ["14:03", "2026-11-30T14:03:07.250"]},
                is_required=True,
            ),
        ),
    ),
    _Call(
        "/api/logs",
        "Tell the last 500 lines of a node's log.",
        {
            200: ("`lines`, and which `logs` there are", _JSON),
            404: ("there is no such log", _JSON),
            503: ("it cannot be read", _JSON),
        },
        (_Parameter("node", "whose; without it only which there are", {"type": "string"}),),
    ),
    _Call(
        "/api/live",
        "Tell a screen what changes, ten times a second: a WebSocket, read as docs/protocol.md says under Live line.",
        {101: ("the WebSocket", "")},
        (_SYMBOL,),
    ),
    _Call("/metrics", "Tell the figures of all nodes to Prometheus.", {200: ("its text format, 0.0.4", _TEXT)}),
    _Call("/reports", "Show which days have a report.", {200: ("a page", _HTML)}),
    _Call(
        "/reports/week",
        "Show the last 7 days side by side.",
        {
            200: ("the page that `report --days 7 --html` writes", _HTML),
            **_NO_REPORT,
        },
    ),
    _Call(
        "/reports/{day}",
        "Show the report of a day.",
        {200: ("the page that `report --html` writes", _HTML), **_NO_REPORT},
        (_Parameter("day", "as 2026-11-30", {"type": "string", "format": "date"}, place="path", is_required=True),),
    ),
    _command(
        "halt",
        "Take no new orders from anybody; the maker cancels its quotes.",
        cancel_all={"type": "boolean", "description": "cancel everybody's open orders, too"},
    ),
    _command("resume", "Take new orders again; a maker that has withdrawn quotes again."),
    _command("preview", "Tell what a flatten would do now."),
    _command(
        "flatten",
        "Stop the maker, cancel its orders, and trade the position away in slices.",
        typed={"type": "string", "description": "must be the symbol"},
    ),
    _Call(OPENAPI_PATH, "Tell this list.", {200: ("an OpenAPI 3.1 document", _JSON)}),
)


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tickbus api",
            "version": "1",
            "description": "Prices and quantities are exact decimal numbers, times are ms since 1970 UTC. An answer "
            "that is no 2xx has its reason in `error`. Pages of other sites are refused.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
    }


def _operation(call: _Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{call.method}{call.path.replace('/', '_').replace('.', '_')}".replace("{", "").replace(
            "}", ""
        ),
        "summary": call.text,
        "parameters": [
            {
                "name": each.name,
                "in": each.place,
                "required": each.is_required,
                "description": each.text,
                "schema": dict(each.schema),
            }
            for each in call.parameters
        ],
        "responses": {
            str(status): {"description": text, **({"content": {kind: {"schema": {}}}} if kind else {})}
            for status, (text, kind) in call.answers.items()
        },
    }
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": dict(call.body)}}}
    if call.example:
        operation["x-example"] = call.example
    return operation
