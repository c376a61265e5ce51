"""The OpenAPI document, and requests made from it: whatever they say, the exchange answers, and never with a 500."""

import functools
import json
import re
from http import client
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import time_ns
from market.codes import Side
from paper.access.signing import sign
from paper.calls.endpoints import ENDPOINTS
from paper.calls.openapi import OPENAPI_PATH, openapi_document
from tests.paper.desk import ALICE
from tests.paper.server import Server

DOCUMENT = openapi_document(ENDPOINTS)
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
MADE_BY_THE_TEST = {"timestamp", "recvWindow", "signature"}
# What gets past the spelling, so that some requests reach the exchange's rules and even trade.
PLAUSIBLE = {
    "symbol": ["BTCUSDT", "ETHUSDT", "BNBUSDT"],
    "symbols": ['["BTCUSDT"]', '["BTCUSDT","ETHUSDT"]'],
    "quantity": ["0.01", "0.001", "1"],
    "quoteOrderQty": ["100", "5000"],
    "price": ["90000", "90001.5", "3000"],
    "stopPrice": ["89000", "95000"],
    "icebergQty": ["0.001"],
    "newQty": ["0.005"],
    "limit": ["1", "5", "500", "5000"],
    "interval": ["1m", "1h", "1M"],
    "newClientOrderId": ["a", "b"],
    "origClientOrderId": ["a", "b"],
    "cancelOrigClientOrderId": ["a"],
    "listClientOrderId": ["a", "b"],
    "aboveType": ["LIMIT_MAKER"],
    "belowType": ["STOP_LOSS", "STOP_LOSS_LIMIT"],
    "abovePrice": ["91000"],
    "belowPrice": ["88000"],
    "belowStopPrice": ["89000"],
    "workingType": ["LIMIT"],
    "workingPrice": ["90000"],
    "workingQuantity": ["0.01"],
    "pendingQuantity": ["0.01"],
    "pendingType": ["LIMIT_MAKER", "MARKET"],
    "pendingPrice": ["91000"],
    "pendingAboveType": ["LIMIT_MAKER"],
    "pendingAbovePrice": ["91000"],
    "pendingBelowType": ["STOP_LOSS"],
    "pendingBelowStopPrice": ["88000"],
}


def ask(server: Server, method: str, path: str, query: str = "", body: str = "") -> tuple[int, Any]:
    """Send a request with ALICE's API key and return status and document."""
    address = urlsplit(server.url)
    connection = client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    headers = {"X-MBX-APIKEY": server.keys[ALICE].api_key, "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request(method, path + (f"?{query}" if query else ""), body or None, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@functools.cache
def value_of(name: str, schema: str) -> st.SearchStrategy[str]:
    """Return values of a parameter: mostly plausible ones, else all that its schema allows, and what it does not."""
    rules = json.loads(schema)
    if "enum" in rules:
        allowed = st.sampled_from([str(each) for each in rules["enum"]])
    elif rules["type"] == "integer":
        allowed = st.integers(rules["minimum"], rules["maximum"]).map(str)
    else:
        allowed = st.from_regex(re.compile(rules["pattern"], re.ASCII), fullmatch=True).map(lambda text: text.strip())
    plausible = st.sampled_from(PLAUSIBLE[name]) if name in PLAUSIBLE else allowed
    wrong = st.one_of(st.text(max_size=20), st.integers(-(2**70), 2**70).map(str), st.just("1e5"), st.just("-0.0"))
    return st.one_of(plausible, plausible, plausible, allowed, wrong)


@st.composite
def values_of(draw: st.DrawFn, method: str, path: str) -> dict[str, str]:
    """Return parameters of an operation: the mandatory ones nearly always, others sometimes, now and then unknown."""
    values = {}
    for parameter in DOCUMENT["paths"][path][method]["parameters"]:
        name = parameter["name"]
        if name in MADE_BY_THE_TEST:
            continue
        chance = 97 if parameter["required"] else 35
        if draw(st.integers(0, 99)) < chance:
            values[name] = draw(value_of(name, json.dumps(parameter["schema"])))
    if draw(st.integers(0, 29)) == 0:
        values["unheardOf"] = "1"
    return values


def signed_parts(server: Server, values: dict[str, str], names_in_body: set[str]) -> tuple[str, str]:
    """Return query and body with a timestamp and, over both, the signature."""
    values = values | {"timestamp": str(time_ns() // 1_000_000)}
    query = urlencode([pair for pair in values.items() if pair[0] not in names_in_body], quote_via=quote)
    body = urlencode([pair for pair in values.items() if pair[0] in names_in_body], quote_via=quote)
    signature = sign(query + body, server.keys[ALICE].secret)
    return f"{query}&signature={signature}", body


def test_it_is_served_and_names_every_call(server: Server) -> None:
    """Method, path, parameters with their spelling, weight and security, from the one table."""
    status, document = ask(server, "GET", OPENAPI_PATH)
    assert status == 200
    assert document == json.loads(json.dumps(DOCUMENT))
    assert document["openapi"] == "3.1.0"
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        names = {each["name"]: each["required"] for each in operation["parameters"]}
        assert names == {each.name: each.is_required for each in endpoint.parameters}
        assert operation["summary"].endswith("."), operation
        assert (endpoint.security != "NONE") is endpoint.is_signed is ("security" in operation)
        assert ("signature" in names) is ("security" in operation)


def test_its_operations_have_names_of_their_own() -> None:
    """Generators of clients name functions by them."""
    names = [DOCUMENT["paths"][path][method]["operationId"] for method, path in OPERATIONS]
    assert len(set(names)) == len(names), sorted(names)


@settings(
    max_examples=350,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(data=st.data(), operation=st.sampled_from(OPERATIONS))
def test_no_request_made_from_it_ends_in_a_500(server: Server, data: st.DataObject, operation: tuple[str, str]) -> None:
    """Each is a document or a refusal that the document announces, wherever the parameters stand."""
    method, path = operation
    values = data.draw(values_of(method, path))
    in_body = set(data.draw(st.lists(st.sampled_from(sorted(values)), unique=True))) if values else set()
    if data.draw(st.integers(0, 19)) == 0:
        server.flow(data.draw(st.sampled_from(Side)), "90000", "0.01")
    if "security" in DOCUMENT["paths"][path][method]:
        query, body = signed_parts(server, values, in_body)
    else:
        query = urlencode([pair for pair in values.items() if pair[0] not in in_body], quote_via=quote)
        body = urlencode([pair for pair in values.items() if pair[0] in in_body], quote_via=quote)
    status, document = ask(server, method.upper(), path, query, body)
    assert status in {200, 400, 404, 409}, (status, document)  # 404: bars of a time zone that the exchange has not
    assert str(status) in DOCUMENT["paths"][path][method]["responses"]
    if status != 200:
        assert document["code"] < 0
        assert document.keys() <= {"code", "msg", "data"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_mandatory_parameter_is_asked_for(server: Server, method: str, path: str) -> None:
    """-1102, and not some other refusal, for the first that is missing."""
    names = [
        each["name"]
        for each in DOCUMENT["paths"][path][method]["parameters"]
        if each["required"] and each["name"] not in MADE_BY_THE_TEST
    ]
    if not names:
        return
    if "security" in DOCUMENT["paths"][path][method]:
        query, _ = signed_parts(server, {}, set())
    else:
        query = ""
    status, document = ask(server, method.upper(), path, query)
    assert (status, document["code"]) == (400, -1102)
    assert names[0] in document["msg"]
