"""How fast the paper exchange is: `python -m benchmarks.paper [--seconds S] [--json]`.

A real engine and a real exchange, each a process, on loopback. Orders are placed and cancelled through raw signed HTTP,
the WebSocket API and ccxt's async client, by one client alone and by several at once; each answer is checked. Beside
them, in the same run and through the same raw client, an empty Sanic handler: what any answer over HTTP costs here. The
processor time of exchange and engine says what an order costs on a machine that has other work, too.
Then one account trades with another while 50 subscribers of the market streams listen; the delay is from the sending of
the order to the arrival of its trade, and each subscriber must get every trade, in order.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import ccxt.async_support as ccxt
from websockets.asyncio.client import connect

from benchmarks.engine_process import ROOT, folder_of_a_desk, node_process
from benchmarks.node_processes import cpu_time, free_port
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from paper.access.accounts import KeyPair, create_keys, load_keys
from paper.access.signing import sign

SECONDS: Final = 4.0
CLIENTS: Final = 8  # at once
SUBSCRIBERS: Final = 50
STREAMS: Final = "btcusdt@trade/btcusdt@bookTicker"
TRADES: Final = 400
TRADES_PER_S: Final = 50
WARM_UP: Final = 50
WAIT_S: Final = 60.0
PRICE: Final = "80000.00"
QTY: Final = "0.00100"
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
SETTINGS: Final = {"PAPER__RATE_LIMITS": "false"}

Figures = dict[str, Any]
Document = dict[str, Any]


class Client(Protocol):
    """One way to the exchange."""

    async def place(self, number: str) -> Document:
        """Place the order of a client order id."""

    async def cancel(self, number: str) -> Document:
        """Cancel it."""


class RawClient:
    """HTTP by hand on one connection: the least that a client can do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keys: KeyPair) -> None:
        self._reader, self._writer, self._keys = reader, writer, keys

    async def place(self, number: str) -> Document:
        """Place an order, all in the query."""
        return await self._ask("POST", {**_order(number), "newOrderRespType": "RESULT"})

    async def cancel(self, number: str) -> Document:
        """Cancel an order."""
        return await self._ask("DELETE", {"symbol": "BTCUSDT", "origClientOrderId": number})

    async def _ask(self, method: str, values: dict[str, str]) -> Document:
        query = urlencode(values | {"timestamp": str(time_ns() // 1_000_000)})
        head = (
            f"{method} /api/v3/order?{query}&signature={sign(query, self._keys.secret)} HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nX-MBX-APIKEY: {self._keys.api_key}\r\nContent-Length: 0\r\n\r\n"
        )
        self._writer.write(head.encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        document: Document = json.loads(await self._reader.readexactly(length))
        return document


class SocketClient:
    """The WebSocket API on one connection, one request at a time, each signed."""

    def __init__(self, connection: Any, keys: KeyPair) -> None:
        self._connection, self._keys, self._count = connection, keys, 0

    async def place(self, number: str) -> Document:
        """Place an order."""
        return await self._ask("order.place", {**_order(number), "newOrderRespType": "RESULT"})

    async def cancel(self, number: str) -> Document:
        """Cancel an order."""
        return await self._ask("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": number})

    async def _ask(self, method: str, values: dict[str, str]) -> Document:
        self._count += 1
        values = values | {"apiKey": self._keys.api_key, "timestamp": str(time_ns() // 1_000_000)}
        payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
        values["signature"] = sign(payload, self._keys.secret)
        await self._connection.send(json.dumps({"id": self._count, "method": method, "params": values}))
        answer = json.loads(await self._connection.recv())
        assert answer["id"] == self._count, answer
        assert answer["status"] == 200, answer
        result: Document = answer["result"]
        return result


class CcxtClient:
    """ccxt's async client."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange

    async def place(self, number: str) -> Document:
        """Place an order."""
        params = {"newClientOrderId": number}
        order = await self._exchange.create_order("BTC/USDT", "limit", "buy", QTY, PRICE, params)
        document: Document = order["info"]
        return document

    async def cancel(self, number: str) -> Document:
        """Cancel an order."""
        order = await self._exchange.cancel_order("", "BTC/USDT", {"origClientOrderId": number})
        document: Document = order["info"]
        return document


def _order(number: str) -> dict[str, str]:
    return {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": QTY,
        "price": PRICE,
        "newClientOrderId": number,
    }


class Desk:
    """Where everything listens, whose keys there are, and the processes of exchange and engine."""

    def __init__(self, ports: tuple[int, int], keys: KeyPair, other: KeyPair, processes: dict[str, int]) -> None:
        self.port, self.empty_port = ports
        self.keys, self.other, self._processes = keys, other, processes

    def cpu_us(self) -> dict[str, float]:
        """Return what each process has used of a processor so far, its kernel's work among it."""
        return {name: sum(cpu_time(process)) * 1e6 for name, process in self._processes.items()}

    @asynccontextmanager
    async def raw(self, port: int = 0, keys: KeyPair | None = None) -> AsyncIterator[RawClient]:
        """Connect a raw client, to the exchange unless another port is named."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        try:
            yield RawClient(reader, writer, keys or self.keys)
        finally:
            writer.close()
            await writer.wait_closed()

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[RawClient]:
        """Connect a raw client to the empty handler."""
        async with self.raw(self.empty_port) as client:
            yield client

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[SocketClient]:
        """Connect to the WebSocket API."""
        async with connect(f"ws://127.0.0.1:{self.port}/ws-api/v3") as connection:
            yield SocketClient(connection, self.keys)

    @asynccontextmanager
    async def ccxt(self) -> AsyncIterator[CcxtClient]:
        """Make a ccxt client."""
        api = f"http://127.0.0.1:{self.port}/api"
        exchange = ccxt.binance(
            {
                "apiKey": self.keys.api_key,
                "secret": self.keys.secret,
                "enableRateLimit": False,
                "sandbox": True,
                "urls": {"test": {"public": f"{api}/v3", "private": f"{api}/v3", "v1": f"{api}/v1"}},
                "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
            }
        )
        try:
            await exchange.load_markets()
            yield CcxtClient(exchange)
        finally:
            await exchange.close()


async def measure_orders(
    make: Callable[[], Any], name: str, clients: int, seconds: float, *, is_empty: bool
) -> Figures:
    """Let clients place and cancel for a while, and return the figures; every answer must be right."""
    placed: list[int] = []
    cancelled: list[int] = []

    async def work(worker: int) -> None:
        async with make() as client:
            await _rounds(client, f"w{worker}", WARM_UP, [], [], is_empty=is_empty)
            barrier.append(worker)
            while len(barrier) < clients:
                await asyncio.sleep(0.001)
            until_ns = monotonic_ns() + int(seconds * NS_PER_SECOND)
            count = 0
            while monotonic_ns() < until_ns:
                await _rounds(client, f"{name[0]}{clients}-{worker}-{count}", 1, placed, cancelled, is_empty=is_empty)
                count += 1

    barrier: list[int] = []
    await asyncio.gather(*(work(worker) for worker in range(clients)))
    return {
        "name": name,
        "clients": clients,
        "requests": len(placed) + len(cancelled) + 2 * WARM_UP * clients,
        "requests_per_s": (len(placed) + len(cancelled)) / seconds,
        "place": spread(placed),
        "cancel": spread(cancelled),
    }


async def _rounds(
    client: Client, prefix: str, count: int, placed: list[int], cancelled: list[int], *, is_empty: bool
) -> None:
    for each in range(count):
        number = f"{prefix}-{each}"
        start_ns = monotonic_ns()
        order = await client.place(number)
        middle_ns = monotonic_ns()
        cancel = await client.cancel(number)
        cancelled.append(monotonic_ns() - middle_ns)
        placed.append(middle_ns - start_ns)
        if not is_empty:
            assert (order["clientOrderId"], order["status"]) == (number, "NEW"), order
            assert (cancel["origClientOrderId"], cancel["status"]) == (number, "CANCELED"), cancel


async def measure_streams(desk: Desk) -> Figures:
    """Trade steadily before subscribers, and return how late they hear; each must get every trade, in order."""
    url = f"ws://127.0.0.1:{desk.port}/stream?streams={STREAMS}"
    arguments = [sys.executable, "-m", "benchmarks.paper_subscribers", url, str(SUBSCRIBERS), str(TRADES)]
    process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdout=subprocess.PIPE, limit=1 << 26)
    assert process.stdout is not None
    try:
        said = await asyncio.wait_for(process.stdout.readline(), WAIT_S)
        assert said == b"ready\n", said
        started_ns = monotonic_ns()
        sent_ns = await _trade(desk)
        found = json.loads(await asyncio.wait_for(process.stdout.readline(), WAIT_S))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    ids = list(sent_ns)
    for each in found:
        assert each["ids"] == ids, f"a subscriber has {len(each['ids'])} of {len(ids)} trades, or in another order"
    delays = [at - sent_ns[trade] for each in found for trade, at in zip(each["ids"], each["at_ns"], strict=True)]
    last_ns = max(each["at_ns"][-1] for each in found)
    messages = sum(each["messages"] for each in found)
    return {
        "subscribers": SUBSCRIBERS,
        "trades": len(ids),
        "messages": messages,
        "messages_per_s": messages / (last_ns - started_ns) * NS_PER_SECOND,
        "delay": spread(delays),
    }


async def _trade(desk: Desk) -> dict[int, int]:
    """Let one account take from another's order, at a steady pace; return when each trade's order was sent, by id."""
    sent_ns: dict[int, int] = {}
    async with desk.raw(keys=desk.other) as maker, desk.raw() as taker:
        values = _order("rests") | {"side": "SELL", "quantity": "0.90000"}
        assert (await maker._ask("POST", values))["status"] == "NEW", "the maker's order rests"
        next_ns = monotonic_ns()
        for number in range(TRADES):
            next_ns += NS_PER_SECOND // TRADES_PER_S
            await asyncio.sleep(max(0, next_ns - monotonic_ns()) / NS_PER_SECOND)
            start_ns = monotonic_ns()
            values = _order(f"takes-{number}") | {"quantity": "0.00010", "newOrderRespType": "FULL"}
            answer = await taker._ask("POST", values)
            (fill,) = answer["fills"]
            sent_ns[fill["tradeId"]] = start_ns
        await maker.cancel("rests")
    return sent_ns


async def measure(desk: Desk, seconds: float) -> Figures:
    """Wait for the desk, and return all figures."""
    await wait_for_engine(desk)
    ways = (("empty handler", desk.empty), ("raw HTTP", desk.raw), ("WebSocket API", desk.socket), ("ccxt", desk.ccxt))
    rows = []
    for clients in (1, CLIENTS):
        for name, make in ways:
            before = desk.cpu_us()
            row = await measure_orders(make, name, clients, seconds, is_empty=name == "empty handler")
            used = {node: (after - before[node]) / row["requests"] for node, after in desk.cpu_us().items()}
            rows.append(row | {"cpu_us": used})
    async with desk.raw() as client:
        left = await client._ask("DELETE", {"symbol": "BTCUSDT", "origClientOrderId": "none"})
        assert left["code"] == -2011, left
    return {"orders": rows, "streams": await measure_streams(desk)}


def spread(took_ns: list[int]) -> Figures:
    """Return the quantiles in milliseconds."""
    ordered = sorted(took_ns)
    return {f"{name}_ms": ordered[int(share * (len(ordered) - 1))] / 1e6 for name, share in QUANTILES.items()}


@contextmanager
def running_desk() -> Iterator[Desk]:
    """Run an engine, an exchange and the empty handler, and end them whatever happens."""
    port, empty_port = free_port(), free_port()
    with folder_of_a_desk() as run_dir:
        other = create_keys(run_dir / "paper" / "accounts" / "2.env")
        settings = {**SETTINGS, "PAPER__PORT": str(port)}
        empty = subprocess.Popen([sys.executable, "-m", "benchmarks.empty_sanic", str(empty_port)], cwd=ROOT)
        try:
            with node_process("engine", run_dir, settings) as engine, node_process("paper", run_dir, settings) as paper:
                wait_for_orders(port, empty_port)
                keys = load_keys(run_dir / "paper" / "keys.env")
                yield Desk((port, empty_port), keys, other, {"paper": paper.pid, "engine": engine.pid})
        finally:
            empty.terminate()
            empty.wait()


def wait_for_orders(port: int, empty_port: int) -> None:
    """Wait until both answer and the exchange has its engine."""
    deadline = time.monotonic() + WAIT_S
    for each in (empty_port, port):
        while True:
            try:
                socket.create_connection(("127.0.0.1", each), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, f"nobody listens on {each}"
                time.sleep(0.05)


async def wait_for_engine(desk: Desk) -> None:
    """Place and cancel until that works: the exchange must have met its engine."""
    deadline = time.monotonic() + WAIT_S
    async with desk.raw() as client:
        while (await client.place("first")).get("status") != "NEW":
            assert time.monotonic() < deadline, "the exchange takes no orders"
            await asyncio.sleep(0.1)
        await client.cancel("first")


def show(found: Figures) -> None:
    """Print the figures as tables."""
    print("answers checked; times in ms, processor time of exchange and engine in µs a request\n")
    rest = f"{'p99':>9}{'p99.9':>9}"
    print(f"{'':<15}{'clients':>8}{'requests/s':>12}{'place: p50':>13}{'to empty':>10}{rest}", end="")
    print(f"{'cancel: p50':>13}{rest}{'exchange':>10}{'engine':>8}")
    for row in found["orders"]:
        empty = next(each for each in found["orders"] if each["clients"] == row["clients"])
        ratio = row["place"]["p50_ms"] / empty["place"]["p50_ms"]
        place, cancel = _cells(row["place"]), _cells(row["cancel"])
        print(f"{row['name']:<15}{row['clients']:>8}{row['requests_per_s']:>12,.0f}", end="")
        print(f"{place[:13]}{ratio:>9.1f}x{place[13:]}{cancel}", end="")
        print(f"{row['cpu_us']['paper']:>10.0f}{row['cpu_us']['engine']:>8.0f}")
    streams = found["streams"]
    print(
        f"\n{streams['subscribers']} subscribers of {STREAMS}: {streams['trades']} trades, all heard by each, in order"
    )
    print(f"{streams['messages']:,} messages, {streams['messages_per_s']:,.0f} a second; ", end="")
    print(
        "order sent to trade heard: " + ", ".join(f"{name} {streams['delay'][f'{name}_ms']:.2f}" for name in QUANTILES)
    )


def _cells(figures: Figures) -> str:
    first, *rest = (figures[f"{name}_ms"] for name in QUANTILES)
    return f"{first:>13.2f}" + "".join(f"{each:>9.2f}" for each in rest)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="speed of the paper exchange")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each way is measured")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with running_desk() as desk:
        found = asyncio.run(measure(desk, options.seconds))
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()
