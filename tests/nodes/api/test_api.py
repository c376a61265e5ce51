"""The api over real HTTP: what it answers before the book is there, and what stands in its documents."""

import json
import logging
import re
import threading
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from bus.feed import Topic
from market.clock import monotonic_ns
from market.codes import Side
from market.feed_messages import BookOrder
from nodes.api import node as api
from nodes.api.book_views import RenderedBook
from paper.calls.endpoints import ENDPOINTS
from paper.calls.openapi import openapi_document
from tests.nodes.api.served import BTC, EPOCH, ETH, MID, TIME_NS, Answer, Api
from web.calls_page import calls_html

ROUTES = ("orderbook", "trades")
EXACT_MAX = 2**53


@pytest.fixture
def served(app: Api) -> Api:
    """The api before it knows anything."""
    for replica in app.subscriber.replicas.values():
        replica.lose()
    app.views.mark_own(frozenset())
    return app


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "btc-usdt"])
@pytest.mark.parametrize("route", ROUTES)
def test_takes_a_symbol_as_people_write_it(served: Api, route: str, symbol: str) -> None:
    """As every command does."""
    served.tell_all(BTC.symbol)
    assert served.get(f"/api/{route}?symbol={symbol}").document["symbol"] == BTC.symbol


@pytest.mark.parametrize("symbol", [BTC.symbol, ETH.symbol])
@pytest.mark.parametrize("route", ROUTES)
def test_says_in_words_that_the_book_is_not_there_yet(
    served: Api, route: str, symbol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was "internal error", and a traceback in the log for each request."""
    monkeypatch.setattr(api, "BOOK_WAIT_NS", 0)
    logging.getLogger("sanic.error").addHandler(caplog.handler)
    answer = served.get(f"/api/{route}?symbol={symbol}")
    logging.getLogger("sanic.error").removeHandler(caplog.handler)
    assert answer.status == 503
    assert answer.document == {"error": f"the book of {symbol}: its engine has not told it yet"}
    assert int(answer.headers["Retry-After"]) >= 1
    assert not caplog.records


def test_says_that_an_engine_has_fallen_silent(served: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale book would be worse than none; a symbol of another engine is served all the same."""
    monkeypatch.setattr(api, "BOOK_WAIT_NS", 0)
    served.tell_all(BTC.symbol)
    served.tell_all(ETH.symbol)
    served.subscriber._heard_ns[Topic.BOOK.of(ETH.symbol)] = 0
    answer = served.get(f"/api/orderbook?symbol={ETH.symbol}")
    assert (answer.status, answer.document) == (
        503,
        {"error": f"the book of {ETH.symbol}: its engine is silent, it would be stale"},
    )
    assert served.get("/api/orderbook").status == 200


@pytest.mark.parametrize("route", ROUTES)
def test_waits_for_a_snapshot_that_is_on_its_way(served: Api, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just after an engine has come back, ready must mean served."""
    monkeypatch.setattr(api, "BOOK_WAIT_NS", 60 * 10**9)
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(served.get(f"/api/{route}")))
    asking.start()
    served.tell_all(BTC.symbol)
    asking.join(30)
    assert [answer.status for answer in answers] == [200]


def test_marks_own_orders_alone(served: Api) -> None:
    """Who looks at the book wants to know which orders are his; the mark comes and goes with them."""
    served.tell_all(BTC.symbol)
    before = served.get("/api/orderbook")
    assert "own" not in before.body.decode()
    served.views.mark_own(frozenset({4, 99}))
    marked = _until_other(served, before)
    assert marked.document["asks"] == [{"price": 91385.01, "orders": [{"id": 4, "quantity": 6e-05, "own": True}]}]
    assert marked.document["bids"] == [{"price": 91385.0, "orders": [{"id": 3, "quantity": 5e-05}]}]
    served.views.mark_own(frozenset())
    assert _until_other(served, marked).body == before.body


def _until_other(served: Api, known: Answer) -> Answer:
    """Return the first document with another ETag: one is rendered at most every 10 ms."""
    deadline_ns = monotonic_ns() + 10 * 10**9
    while (answer := served.get("/api/orderbook")).headers["ETag"] == known.headers["ETag"]:
        assert monotonic_ns() < deadline_ns
        served.tell_all(BTC.symbol)
    return answer


def test_takes_every_order_of_an_own_source_for_own() -> None:
    """With the venue elsewhere, what came through the gateway is the desk's: its maker's mirror, its clients."""
    book = RenderedBook(frozenset({1}))
    book.apply_all([BookOrder(10**12 + 1, Side.BUY, MID, 5), BookOrder(3 * 10**12 + 1, Side.BUY, MID, 5)])
    (level,) = json.loads(book.render(BTC, Side.BUY, 9))
    assert [order.get("own") for order in level["orders"]] == [True, None]


def test_trades_have_their_time(served: Api) -> None:
    """In ms, as the book has its own."""
    served.tell_all(BTC.symbol)
    (trade,) = served.get("/api/trades").document["trades"]
    assert trade["timestamp"] == TIME_NS // 1_000_000


@pytest.mark.parametrize("path", ["/api/orderbook", "/api/trades", "/api/health"])
def test_gives_no_number_that_a_double_cannot_hold(served: Api, path: str) -> None:
    """JSON.parse rounds an integer beyond 2^53, and an epoch that is rounded names another engine."""
    served.tell_all(BTC.symbol)
    served.tell_all(ETH.symbol)
    text = served.get(path).body.decode()
    assert str(EPOCH) in text or path == "/api/trades"
    assert all(abs(number) <= EXACT_MAX for number in _integers(json.loads(text)))


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _integers(item)
    elif isinstance(value, int):
        yield value


@pytest.mark.parametrize("path", ["/api/orderbook", "/api/trades", "/api/health"])
def test_head_is_get_without_a_body(served: Api, path: str) -> None:
    """What looks whether a server is well asks with HEAD."""
    served.tell_all(BTC.symbol)
    served.tell_all(ETH.symbol)
    answer = served.get(path, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == served.get(path).headers["Content-Type"]


@pytest.mark.parametrize(("path", "linked"), [("/", {"/docs", "/"}), ("/docs", {"/", "/api/orderbook", "/api/health"})])
def test_shows_pages_whose_links_work(served: Api, path: str, linked: set[str]) -> None:
    """A browser got 404 there; everything that the page loads is this server's own, and each link of it works."""
    served.tell_all(BTC.symbol)
    served.tell_all(ETH.symbol)
    answer = served.get(path)
    text = answer.body.decode()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "a market of &lt;practice&gt;" in text
    assert "{{" not in text
    assert not re.findall(r"<style|style=|\son[a-z]+=|<script(?![^>]* src=)", text), "nothing stands inside of the page"
    links = [unescape(link) for link in re.findall(r'(?:href|src)="([^"#]+)"', text) if link != "data:,"]
    assert {link.partition("?")[0] for link in links} >= linked
    assert {served.get(link).status for link in links} == {200}
    assert all(link.startswith("/") for link in links)


def test_every_path_that_is_served_is_in_the_document(app: Api) -> None:
    """And no other: `/docs` is made of it, and nobody writes a second list."""
    document = app.get("/openapi.json").document
    pages = {"/", "/docs", "/docs/exchange", "/assets/{digest}/{name}"}
    served = {re.sub(r"<([a-z]+):str>", r"{\1}", f"/{route.path}") for route in app.routes()} - pages
    commands = {f"/api/commands/{name}" for name in ("halt", "resume", "preview", "flatten")}
    assert {*document["paths"]} == served - {"/api/commands/{name}"} | commands
    names = [each["operationId"] for of in document["paths"].values() for each in of.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", ["/docs", "/docs/exchange"])
def test_the_page_of_the_calls_has_each_of_them(served: Api, path: str) -> None:
    """With its parameters; the exchange's own are those that it serves."""
    document = served.get("/openapi.json").document if path == "/docs" else openapi_document(ENDPOINTS)
    text = served.get(path).body.decode()
    for name, operations in document["paths"].items():
        for method, operation in operations.items():
            (details,) = re.findall(
                f"<details><summary><code>{method.upper()} {re.escape(name)}</code>.*?</details>", text
            )
            for parameter in operation["parameters"]:
                assert f"<code>{parameter['name']}</code>" in details


def test_escapes_what_a_document_says() -> None:
    """A pattern has signs of markup in it."""
    schema = {"type": "string", "pattern": "<b>"}
    parameter = {"name": "<i>", "in": "query", "required": False, "schema": schema}
    call = {"summary": "`<u>` & more", "parameters": [parameter], "responses": {"200": {"description": "<s>"}}}
    text = calls_html({"paths": {"/<p>": {"get": call}}}, "BTCUSDT")
    assert not re.findall(r"<(?:b|i|u|s|p)>(?!<code>)", text.replace("<p><code>", ""))
    assert "<code>&lt;u&gt;</code> &amp; more" in text


def test_what_the_page_loads_never_changes_under_its_address(served: Api) -> None:
    """A browser keeps it for good; another digest, and a name that is none, is not there."""
    text = served.get("/").body.decode()
    (main,) = re.findall(r'src="(/assets/[0-9a-f]{16}/main.js)"', text)
    answer = served.get(main)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    imported = re.findall(r'from "\./([a-z]+\.js)"', answer.body.decode())
    assert {served.get(main.replace("main.js", name)).status for name in imported} == {200}
    digest = main.split("/")[2]
    others = [
        main.replace(digest, "0" * 16),
        main.replace("main.js", "index.html"),
        main.replace("main.js", "..%2fpage.py"),
    ]
    assert [served.get(path).status for path in others] == [404, 404, 404]


def test_page_is_of_the_symbol_that_is_asked_for(served: Api) -> None:
    """Of one that there is not it is the desk's own, whatever stands in the address."""
    assert 'data-symbol="ETHUSDT"' in served.get("/?symbol=ETHUSDT").body.decode()
    strange = served.get("/?symbol=%22%3E%3Cscript%3E").body.decode()
    assert 'data-symbol="BTCUSDT"' in strange
    assert "%22" not in strange
    assert "<script>" not in strange
