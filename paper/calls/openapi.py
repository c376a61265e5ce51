"""The OpenAPI document of the REST calls, made from the table of endpoints."""

import inspect
from collections.abc import Iterable
from typing import Any, Final

from paper.calls.endpoints import Endpoint
from paper.calls.parameters import Parameter
from paper.errors import ErrorKind

OPENAPI_PATH: Final = "/openapi.json"

_ERROR: Final = {
    "type": "object",
    "required": ["code", "msg"],
    "properties": {
        "code": {"type": "integer", "maximum": -1},
        "msg": {"type": "string"},
        "data": {"type": "object"},
    },
    "additionalProperties": False,
}
_REFUSED: Final = {
    "description": "Refused, or not carried out.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def openapi_document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document, after OpenAPI 3.1; weights and security types are in fields that begin with `x-`."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tickbus paper exchange",
            "version": "3",
            "description": "A look-alike of Binance Spot. Parameters may stand in the query, in the body as a form, or "
            "in both; where a name is in both, the query wins.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "X-MBX-APIKEY"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    statuses = sorted({kind.status for kind in ErrorKind})
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": (inspect.getdoc(endpoint.handler) or "").splitlines()[0],
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": {
            "200": {"description": "Carried out.", "content": {"application/json": {"schema": {}}}},
            **{str(status): _REFUSED for status in statuses},
        },
        "x-weight": endpoint.weight if isinstance(endpoint.weight, int) else "depends on the parameters",
        "x-security": endpoint.security,
    }
    if endpoint.is_signed:
        operation["security"] = [{"apiKey": []}]
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "schema": dict(parameter.kind.schema),
    }
