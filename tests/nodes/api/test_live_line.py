"""The live line over a real WebSocket: who may open it, what comes first, and that no slow reader has a queue."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import websockets

from bus.feed import Topic
from market.codes import Side
from market.feed_messages import BookOrder
from nodes.api import live_line
from tests.nodes.api.served import BTC, ETH, MID, Api

WAIT_S = 60


@pytest.fixture(scope="module")
def served() -> Iterator[Api]:
    """One app for all tests."""
    with TemporaryDirectory(prefix="tb-") as name:
        one = Api(Path(name))
        one.tell_all(BTC.symbol)
        one.tell_all(ETH.symbol)
        yield one
        one.close()


@contextlib.asynccontextmanager
async def _line(served: Api, query: str = "", **options: Any) -> AsyncIterator[Any]:
    url = f"{served.url.replace('http', 'ws')}/api/live{query}"
    async with websockets.connect(url, proxy=None, **options) as socket:
        yield socket


async def _read(socket: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), WAIT_S))
    return message


def test_tells_all_at_first_and_then_what_changes(served: Api) -> None:
    """A message says which one it follows, so that none can be missed unseen."""

    async def read() -> None:
        async with _line(served, "?symbol=eth/usdt") as socket:
            assert (await _read(socket))["hello"]["symbol"] == ETH.symbol
            first = await _read(socket)
            assert (first["after"], first["whole"]) == (0, True)
            assert {tuple(row[:3]) for row in first["book"]} == {(0, MID, 5), (1, MID + 1, 6)}
            seen, message = first["v"], first
            served.tell(Topic.BOOK.of(ETH.symbol), BookOrder(3, Side.BUY, MID, 4), BookOrder(4, Side.SELL, MID + 1, 6))
            while message is first or "book" not in message:
                message = await _read(socket)
                assert message["after"] == seen
                seen = message["v"]
            assert message["book"] == [[0, MID, 4, 1, 0]]

    asyncio.run(read())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_no_other_site_s_page_opens_it(served: Api, headers: dict[str, str], status: int) -> None:
    """A browser lets every page open a WebSocket to everybody: the server alone can refuse."""

    async def open_it() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
        plain = {
            "Host": served.url.partition("//")[2],
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        lines = [f"{name}: {value}" for name, value in {**plain, **headers}.items()]
        writer.write("\r\n".join(["GET /api/live HTTP/1.1", *lines, "", ""]).encode())
        answer = (await asyncio.wait_for(reader.readline(), WAIT_S)).split()
        writer.close()
        return int(answer[1])

    assert asyncio.run(open_it()) == status


def test_an_own_page_opens_it(served: Api) -> None:
    """Its Origin is our own address."""

    async def read() -> str:
        async with _line(served, origin=served.url) as socket:
            symbol: str = (await _read(socket))["hello"]["symbol"]
            return symbol

    assert asyncio.run(read()) == BTC.symbol


def test_who_confirms_nothing_gets_no_more(served: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a browser has not read must not pile up in the system's buffers; once it says so, it gets the newest."""
    monkeypatch.setattr(live_line, "UNSEEN_MAX", 3)

    async def read() -> None:
        async with _line(served) as socket:
            await _read(socket)
            versions = [(await _read(socket))["v"] for _ in range(3)]
            for lots in range(10, 20):
                served.tell(Topic.BOOK.of(BTC.symbol), BookOrder(3, Side.BUY, MID, lots))
                await asyncio.sleep(live_line.TICK_S)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(socket.recv(), 5 * live_line.TICK_S)
            await socket.send(str(versions[-1]))
            message = await _read(socket)
            assert message["after"] == versions[-1]
            assert [0, MID, 19, 1, 0] in message["book"]

    asyncio.run(read())


@pytest.mark.parametrize("word", ["", "v", "-1", "١", "9" * 30, b"1"])
def test_hangs_up_on_any_other_word(served: Api, word: str | bytes) -> None:
    """Nothing but the number of a message is understood."""

    async def say() -> int:
        async with _line(served) as socket:
            await socket.send(word)
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    await _read(socket)
            return int(socket.close_code)

    assert asyncio.run(say()) == 1008


def test_refuses_an_unknown_symbol_and_one_browser_too_many(served: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in words; the count goes down again when one leaves."""

    async def closed(query: str = "") -> tuple[int, str]:
        async with _line(served, query) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await _read(socket)
            return int(socket.close_code), str(socket.close_reason)

    async def read() -> None:
        assert await closed("?symbol=NONE") == (1008, "there is no symbol 'NONE'")
        monkeypatch.setattr(live_line, "BROWSERS_MAX", 1)
        async with _line(served) as socket:
            await _read(socket)
            assert await closed() == (1013, "1 browsers look already")
        while served.line.browser_count:
            await asyncio.sleep(0.01)
        async with _line(served) as socket:
            assert "hello" in await _read(socket)

    asyncio.run(read())
