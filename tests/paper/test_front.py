"""Every HTTP and socket surface, of the exchange and of the api, against strangers, wrong methods, sizes and floods."""

import asyncio
import itertools
import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from sanic.response import json as json_response

from market.http_names import FirstTimes, OwnNames, connectable, in_url
from market.limits import HTTP_BODY_BYTES_MAX
from nodes.http import allow_own_names_only, new_app, serving, url_of
from nodes.listener import bind
from paper import http_bounds
from paper.calls.endpoints import ENDPOINTS
from tests.nodes.api.served import Api
from tests.paper.clients import listening
from tests.paper.server import Server

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
PAPER_GETS = ("/api/v3/ping", "/openapi.json", "/api/v3/exchangeInfo")
API_GETS = ("/api/health", "/")
FOREIGN_HOSTS = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1@evil", "[::1", "")
OWN_HOSTS = ("LOCALHOST", "localhost.", "LocalHost.:8084", "127.0.0.1", "[::1]", "[::1]:1", "[0:0:0:0:0:0:0:1]:8082")
SOCKETS = ("/ws", "/ws/btcusdt@trade", "/stream?streams=btcusdt@trade", "/ws-api/v3")

Sent = dict[str, str | None]

_numbers = itertools.count()


class Reply(NamedTuple):
    """A response as its bytes say."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(url: str, path: str, headers: Sent | None = None, *, method: str = "GET", body: bytes = b"") -> Reply:
    """Send one request on a connection of its own; a header that is None is left out."""
    address = urlsplit(url)
    assert address.port is not None
    sent = {"Host": address.netloc, "Connection": "close", **(headers or {})}
    if body:
        sent["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
    return send_raw(url, "\r\n".join([*lines, "", ""]).encode() + body)


def send_raw(url: str, request: bytes) -> Reply:
    """Send bytes, and return what comes until the connection ends; of a socket that was opened, its head."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
            if received.startswith(b"HTTP/1.1 101"):
                break
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Reply(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, rest)


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """The URL of an api without a feed."""
    with TemporaryDirectory(prefix="tb-") as folder:
        server = Api(Path(folder))
        yield server.url
        server.close()


@pytest.fixture
def surfaces(server: Server, api: str) -> list[tuple[str, str, Sent]]:
    """URL, path and headers of one request to everything that answers."""
    found: list[tuple[str, str, Sent]] = [(server.url, path, {}) for path in PAPER_GETS]
    found += [(server.url, path, dict(UPGRADE)) for path in SOCKETS]
    found += [(api, path, {}) for path in API_GETS]
    return [*found, (server.url, "/admin/v1/accounts", {}), (server.url, "/nothing", {}), (api, "/nothing", {})]


@contextmanager
def small_server(host: str = "127.0.0.1", **config: float) -> Iterator[str]:
    """Serve one path, `/`, with the house's limits, some of them changed; the listener takes a free port of `host`."""
    app = new_app(f"front_{next(_numbers)}")
    app.config.update({name.upper(): value for name, value in config.items()})
    app.config.TOUCHUP = False  # it rewrites Sanic's classes, and can do so for one app of a process only
    allow_own_names_only(app, host)

    async def answer(request: Any) -> Any:
        return json_response({"size": len(request.body)})

    app.add_route(answer, "/", ["GET", "HEAD", "POST"])
    listener, loop, started = bind(host, 0), asyncio.new_event_loop(), threading.Event()
    stopping = asyncio.Event()

    async def run() -> None:
        async with serving(app, listener):
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert started.wait(10)
        yield url_of(listener)
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


def test_a_name_that_is_not_ours_reaches_nothing(surfaces: Any, server: Server) -> None:
    """A web page that rebinds its name to this machine sends that name as Host."""
    for url, path, headers in surfaces:
        for host in (
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "127.0.0.1@evil",
            "[::1",
            "",
        ):
            assert ask(url, path, {**headers, "Host": host}).status in {403, 421}, (path, host)
        twice = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert send_raw(url, twice.encode()).status in {403, 421}, path
    assert server.call(lambda _: len(server.hub._listened)) == 0


def test_our_names_reach_us_however_they_are_spelt(server: Server, api: str) -> None:
    """LOCALHOST, an IPv6 address, any port, and the trailing dot of a full name."""
    for url, path in ((server.url, "/api/v3/ping"), (api, "/api/health")):
        known = ask(url, path).status
        assert known not in {403, 421}
        for host in (
            "LOCALHOST",
            "localhost.",
            "LocalHost.:8084",
            "127.0.0.1",
            "[::1]",
            "[::1]:1",
            "[0:0:0:0:0:0:0:1]:8082",
        ):
            assert ask(url, path, {"Host": host}).status == known, host


def test_a_page_of_another_site_reaches_nothing_and_costs_nothing(surfaces: Any, server: Server) -> None:
    """Any web page could use up the weight of 127.0.0.1, so that the maker was banned."""
    foreign: list[Sent] = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ]
    before = server.usage.headers("127.0.0.1", None, server.now_s())
    for url, path, headers in surfaces:
        for more in foreign:
            assert ask(url, path, {**headers, **more}).status == 403, (path, more)
    used = server.usage.headers("127.0.0.1", None, server.now_s())
    assert used in (before, {"X-MBX-USED-WEIGHT-1M": "0"})


def test_a_page_of_our_own_and_a_link_reach_us(server: Server, api: str) -> None:
    """Some programs name the server itself as Origin; a person may follow a link."""
    for url, path in ((server.url, "/api/v3/ping"), (api, "/api/health")):
        known, address = ask(url, path).status, urlsplit(url).netloc
        for headers in (
            {"Origin": f"http://{address}"},
            {"Origin": f"https://{address.upper()}"},
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
            {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        ):
            assert ask(url, path, dict(headers)).status == known, headers
    with listening(server, "/ws-api/v3", origin=server.url) as listener:
        assert listener.ask(method="ping", id=2)["status"] == 200


def test_a_refused_name_is_logged_once(server: Server, api: str, caplog: pytest.LogCaptureFixture) -> None:
    """Else whoever may send requests may fill the disk."""
    with caplog.at_level(logging.WARNING):
        for url, path in ((server.url, "/api/v3/ping"), (api, "/api/health")):
            for _ in range(5):
                ask(url, path, {"Host": "again.example"})
                ask(url, path, {"Origin": "http://again.example"})
    assert len([record for record in caplog.records if "again.example" in record.getMessage()]) == 4


def test_names_beyond_a_bound_are_not_logged() -> None:
    """A stranger may send another name each time: memory and log stay small."""
    said: list[str] = []
    names = OwnNames("127.0.0.1", said.append)
    for number in range(3_000):
        refusal = names.refusal(Headers(host=f"n{number}.example"), "127.0.0.1")
        assert refusal is not None
    assert len(said) == 1_000
    once = FirstTimes(2)
    assert [once.is_first(name) for name in "aabbcc"] == [True, False, True, False, False, False]


def test_unknown_streams_are_logged_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """81 kB of them made 10,240 lines."""
    with caplog.at_level(logging.WARNING), listening(server, "/ws") as listener:
        for _ in range(3):
            names = [f"nothing{number}@here" for number in range(50)]
            listener.ask(method="SUBSCRIBE", params=names, id=1)
            listener.ask(method="UNSUBSCRIBE", params=names, id=2)
    assert len([record for record in caplog.records if "nothing7@here" in record.getMessage()]) == 1


class Headers(dict[str, str]):
    """Headers with one value each."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)

    def getall(self, key: str, default: Any) -> Any:
        """Return all values of a header."""
        return [self[key]] if key in self else default


@pytest.mark.parametrize(
    ("host", "local", "right", "wrong"),
    [
        ("127.0.0.1", "127.0.0.1", ["127.0.0.1:8084", "localhost"], ["192.168.1.5:8084"]),
        ("0.0.0.0", "192.168.1.5", ["192.168.1.5:8084", "0.0.0.0:8084", "localhost"], ["192.168.1.6", "evil.example"]),
        ("192.168.1.5", "192.168.1.5", ["192.168.1.5", "127.0.0.1:8084"], ["192.168.1.55", "5.1.168.192"]),
        ("::", "fe80::1", ["[fe80::1]:8084", "[FE80:0::1]"], ["[fe80::2]"]),
        ("::", "::ffff:192.168.1.5", ["192.168.1.5:8084", "[::ffff:192.168.1.5]"], ["192.168.1.6"]),
        ("Desk.Example", "10.0.0.1", ["desk.example", "DESK.example.:8084", "10.0.0.1"], ["desk.example.evil"]),
    ],
)  # fmt: skip
def test_what_is_listened_on_may_be_named(host: str, local: str, right: list[str], wrong: list[str]) -> None:
    """On 0.0.0.0 the address that the connection has reached is ours; no other one is."""
    names = OwnNames(host)
    for name in right:
        assert names.refusal(Headers(host=name), local) is None, name
    for name in wrong:
        assert names.refusal(Headers(host=name), local) is not None, name


def test_the_machines_name_is_ours_beyond_loopback_only() -> None:
    """Others on the network may call the machine by it."""
    headers = Headers(host=f"{socket.gethostname()}:8084")
    assert OwnNames("0.0.0.0").refusal(headers, "192.168.1.5") is None


def test_a_server_on_all_addresses_answers_on_each() -> None:
    """The desk's own maker got 403 when `paper.host` was 0.0.0.0; its URL is one that can be connected to."""
    with small_server("0.0.0.0") as url:
        assert url.startswith("http://127.0.0.1:")
        port = urlsplit(url).port
        for host in ("0.0.0.0", "127.0.0.1", "localhost", "127.0.0.2"):
            assert ask(f"http://{host}:{port}", "/").status == 200, host
    assert [connectable(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == ["127.0.0.1", "::1", "10.0.0.1"]
    assert [in_url(host) for host in ("::1", "10.0.0.1")] == ["[::1]", "10.0.0.1"]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_server_listens_on_ipv6_too() -> None:
    """`::` takes both families, `::1` its own."""
    for host, reached in (("::", ("127.0.0.1", "[::1]")), ("::1", ("[::1]",))):
        with small_server(host) as url:
            for name in reached:
                assert ask(f"http://{name}:{urlsplit(url).port}", "/").status == 200, (host, name)


def test_head_is_get_without_a_body(server: Server, api: str) -> None:
    """Monitors ask with HEAD."""
    for url, paths in ((server.url, PAPER_GETS), (api, API_GETS)):
        for path in paths:
            got, head = ask(url, path), ask(url, path, method="HEAD")
            assert (head.status, head.body) == (got.status, b""), path
            assert head.headers["content-type"] == got.headers["content-type"]
            assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "PUT", "DELETE", "BREW"])
def test_another_method_is_not_allowed(server: Server, api: str, method: str) -> None:
    """A document that says so, never a 500 or a silence."""
    for url, path in ((server.url, "/api/v3/ping"), (api, "/api/health")):
        reply = ask(url, path, method=method)
        assert reply.status == 405, path
        assert json.loads(reply.body).keys() & {"code", "error"}


def test_every_call_refuses_every_other_method(server: Server) -> None:
    """By the table of endpoints: what a path does not know is 405 with -1020."""
    by_path: dict[str, set[str]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, set()).add(endpoint.method)
    for path, known in by_path.items():
        for method in {"GET", "POST", "PUT", "DELETE"} - known:
            reply = ask(server.url, path, method=method)
            assert (reply.status, json.loads(reply.body)["code"]) == (405, -1020), (method, path)


def test_a_socket_path_without_an_upgrade_is_refused_in_words(server: Server) -> None:
    """A browser's address line on `/ws`."""
    for path in SOCKETS:
        reply = ask(server.url, path)
        assert (reply.status, json.loads(reply.body)["code"]) == (400, -1100), path


def test_what_is_too_large_is_refused(server: Server, api: str) -> None:
    """Bodies beyond 64 KB, heads beyond 8 KB; at once, whatever the length says."""
    for url, path in ((server.url, "/api/v3/order"), (api, "/api/health")):
        too_much = b"a" * (HTTP_BODY_BYTES_MAX + 1)
        assert ask(url, path, method="POST", body=too_much).status in {405, 413}, path
        assert ask(url, f"{path}?{'a' * 20_000}").status == 413, path
        claimed = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999999\r\nConnection: close\r\n\r\n"
        assert send_raw(url, claimed.encode()).status in {405, 413}, path


def test_requests_that_are_refused_leave_no_line_each_in_the_log(
    server: Server, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a stranger sends, a hundred of the same are not a hundred lines."""
    requests: list[Callable[[str], object]] = [
        lambda url: ask(url, "/nothing"),
        lambda url: ask(url, "/api/health", method="BREW"),
        lambda url: ask(url, "/api/v3/ping", method="GET", body=b"unread"),
        lambda url: ask(url, "/api/health", method="GET", body=b"unread"),
        lambda url: ask(url, "/ws-api/v3", {**UPGRADE, "Sec-WebSocket-Key": "short"}),
        lambda url: ask(url, "/ws", {**UPGRADE, "Sec-WebSocket-Version": "7"}),
        lambda url: ask(url, "/ws"),
        lambda url: send_raw(url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n"),
        lambda url: send_raw(url, b"nonsense\r\n\r\n"),
    ]
    with caplog.at_level(logging.INFO):
        for url in (server.url, api):
            for request in requests:
                caplog.clear()
                for _ in range(20):
                    request(url)
                assert len(caplog.records) <= 1, (url, caplog.records[:2])


def test_a_request_that_arrives_byte_by_byte_is_ended() -> None:
    """Each byte used to begin the wait anew, so that few clients held all connections."""
    with small_server(request_timeout=0.3, response_timeout=5) as url:
        address = urlsplit(url)
        for beginning in (
            b"GET / HTTP/1.1\r\nHost: ",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n",
        ):
            with socket.create_connection((address.hostname or "", address.port or 0), timeout=0.05) as connection:
                connection.sendall(beginning)
                received = drip(connection)
            assert re.match(rb"HTTP/1.1 408 ", received), received
        assert ask(url, "/").status == 200


@pytest.mark.parametrize("has_piece", [True, False], ids=["drips", "silent"])
@pytest.mark.parametrize(
    "head", ["POST / HTTP/1.1", "POST /nothing HTTP/1.1", "GET / HTTP/1.1"], ids=["read", "unknown", "get"]
)
def test_a_body_that_does_not_come_holds_no_connection(head: str, *, has_piece: bool) -> None:
    """The answer went out, and then the server waited for the rest of the body: 512 of them locked everybody out."""
    with small_server(request_timeout=0.3, response_timeout=5) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=0.05) as connection:
            connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n".encode())
            assert is_hung_up_on(connection, b"a" if has_piece else b"")


def is_hung_up_on(connection: socket.socket, piece: bytes) -> bool:
    """Say whether the other end hangs up in the end, whatever it answers before, on who sends a piece now and then."""
    for _ in range(200):
        try:
            if not connection.recv(4_096):
                return True
        except TimeoutError:
            try:
                connection.sendall(piece)
            except ConnectionError:
                return True
        except ConnectionError:
            return True
    return False


def drip(connection: socket.socket) -> bytes:
    """Send a byte now and then until the other end answers; return the answer."""
    for _ in range(200):
        try:
            if received := connection.recv(4_096):
                return received
        except TimeoutError:
            connection.sendall(b"a")
    raise AssertionError("the server waits for ever")


def test_a_request_that_comes_with_its_connection_is_answered(server: Server) -> None:
    """Many at once: some are read before the connection's own task has run."""
    request = b"GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with ThreadPoolExecutor(8) as pool:
        statuses = [reply.status for reply in pool.map(lambda _: send_raw(server.url, request), range(200))]
    assert statuses == [200] * 200


def test_more_connections_than_a_server_takes_are_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A flood of them must not use up the process's descriptors; it is logged once, and ends with the flood."""
    monkeypatch.setattr(http_bounds, "HTTP_CONNECTIONS_MAX", 4)
    with small_server() as url, caplog.at_level(logging.WARNING), ExitStack() as opened:
        address = urlsplit(url)
        target = address.hostname or "", address.port or 0
        held = [opened.enter_context(socket.create_connection(target, timeout=10)) for _ in range(4)]
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
        for _ in range(3):
            with socket.create_connection(target, timeout=10) as refused:
                assert ended(refused)
        assert len([record for record in caplog.records if "new ones are refused" in record.getMessage()]) == 1
        opened.close()
        for _ in range(200):
            with socket.create_connection(target, timeout=10) as again:
                if not ended(again, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"):
                    break
        else:
            raise AssertionError("the server takes no connection any more")


def ended(connection: socket.socket, request: bytes = b"") -> bool:
    """Say whether the other end hangs up without a word."""
    try:
        if request:
            connection.sendall(request)
        return connection.recv(4_096) == b""
    except ConnectionError:
        return True
