"""How soon a maker decides: `python -m benchmarks.decision [--seconds N] [--json]`.

A maker in a process of its own, and an exchange of real processes whose market moves; all that goes between the two
passes a relay in this process. Timed is from the bytes of a change of the book, as they leave for the maker, to the
bytes of the first order or cancel that it sends for it: the kernel twice, ccxt's book, the strategy, the limits, the
note on disk, and the signature. Quotes follow each change (no tolerance), so that most of them are answered.

Beside it, in the same way, runs the floor: a client of the same sockets that answers each change with a fixed text.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.desk_process import running_desk
from benchmarks.engine_process import ROOT, node_process
from desk.client import desk_status
from market.clock import monotonic_ns
from paper.access.accounts import load_keys

SECONDS: Final = 60.0
WARM_UP_S: Final = 10.0
SYMBOL: Final = "btcusdt"
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
SOCKET: Final = b"GET /ws"  # how the request begins that makes a connection one
CHANGE, REPORT = b'"depthUpdate"', b'"executionReport"'
COMMANDS: Final = (b'"order.', b'"ping"')
PIECE_BYTES: Final = 1 << 16
FRAME_BYTES_MIN: Final = 6
SIZE_IN_TWO_BYTES: Final = 126
# A market that moves with each look, and quotes that stand behind it and always move along.
DESK: Final = {"flow.preset": "busy", "flow.opening_s": "1", "paper.rate_limits": "false"}
MAKER: Final = {
    "MAKER__HALF_SPREAD": "0.003",
    "MAKER__REQUOTE_TOLERANCE": "0",
    "MAKER__INTERVAL_MS": "10",
    "MAKER__LIMITS__ORDERS_IN_10_S": "1000000",
}


class Relay:
    """Passes on what a client and an exchange say, and notes when a change was followed by a command.

    Args:
        address: host and port of the exchange.

    Attributes:
        took_ns: from each change to the first command after it, where nothing else came between.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._changed_ns: int | None = None
        self._stop = asyncio.Event()
        self._begun: Future[int] = Future()
        self.took_ns: list[int] = []

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve in a thread of its own; give the port."""
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        port = self._begun.result()
        try:
            yield port
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._pass(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self._begun.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*self._address)
        commands = Commands()
        with suppress(ConnectionError):  # whoever hangs up does so without a word
            await asyncio.gather(
                _copy(reader, their_writer, lambda piece: self._on_sent(commands, piece)),
                _copy(their_reader, writer, self._on_told),
            )

    def _on_told(self, piece: bytes) -> None:
        if CHANGE in piece:
            self._changed_ns = monotonic_ns()
        elif REPORT in piece:  # what follows may be an answer to this
            self._changed_ns = None

    def _on_sent(self, commands: "Commands", piece: bytes) -> None:
        now_ns = monotonic_ns()
        if commands.are_in(piece) and self._changed_ns is not None:
            self.took_ns.append(now_ns - self._changed_ns)
            self._changed_ns = None


class Commands:
    """Finds commands in what a client sends on a connection: HTTP until it becomes a socket (RFC 6455, 5.2 and 5.3)."""

    def __init__(self) -> None:
        self._is_socket = False
        self._rest = b""

    def are_in(self, piece: bytes) -> bool:
        """Take a piece of the stream; return whether a frame with a command ends in it."""
        if not self._is_socket:
            self._is_socket = piece.startswith(SOCKET)
            return False
        self._rest += piece
        is_one = False
        while len(self._rest) >= FRAME_BYTES_MIN:
            size, start = self._rest[1] & 0x7F, 2
            if size == SIZE_IN_TWO_BYTES:
                size, start = int.from_bytes(self._rest[2:4]), 4
            end = start + 4 + size
            if len(self._rest) < end:
                break
            mask, text = self._rest[start : start + 4], self._rest[start + 4 : end]
            is_one |= any(word in bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)) for word in COMMANDS)
            self._rest = self._rest[end:]
        return is_one


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Callable[[bytes], None]) -> None:
    try:
        while piece := await reader.read(PIECE_BYTES):
            watch(piece)
            writer.write(piece)
    finally:
        writer.close()


async def floor(port: int) -> None:
    """Answer each change of the book with a fixed text."""
    numbers = count(1)
    api, market = f"ws://127.0.0.1:{port}/ws-api/v3", f"ws://127.0.0.1:{port}/ws/{SYMBOL}@depth@100ms"
    async with connect(api) as orders, connect(market) as changes, asyncio.TaskGroup() as tasks:
        tasks.create_task(_read(orders))
        async for change in changes:
            if "depthUpdate" in str(change):
                await orders.send(f'{{"id":{next(numbers)},"method":"ping"}}')


async def _read(answers: ClientConnection) -> None:
    """Read what comes: whoever does not is taken for dead once some answers wait, for pongs are behind them."""
    async for _ in answers:
        pass


@contextmanager
def floor_process(port: int) -> Iterator[None]:
    """Run the floor's client."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.decision", "--floor", str(port)], cwd=ROOT)
    try:
        yield
        assert process.poll() is None, "the floor's client has ended"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def maker_process(port: int, run_dir: Path) -> Iterator[None]:
    """Run a maker whose exchange is behind a port."""
    keys = load_keys(run_dir / "paper" / "keys.env")
    account = {"VENUE__API_KEY": keys.api_key, "VENUE__SECRET": keys.secret}
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as name:
        own_dir = Path(name) / "run"
        own_dir.mkdir(mode=0o700)
        with node_process("maker", own_dir, {**MAKER, **account, "PAPER__PORT": str(port)}):
            yield


def measure(seconds: float) -> dict[str, list[int]]:
    """Return the ns from change to command, of the floor and of the maker."""
    found: dict[str, list[int]] = {}
    with running_desk(DESK, ["maker", "tracker", "gateway"], "--api-port", "0") as run_dir:
        paper = next(row for row in desk_status(run_dir)["nodes"] if row["node"] == "paper")
        url = urlsplit(paper["endpoints"]["http"])
        for name in ("floor", "maker"):
            relay = Relay((str(url.hostname), url.port or 0))
            with relay.serving() as port, floor_process(port) if name == "floor" else maker_process(port, run_dir):
                time.sleep(WARM_UP_S)
                relay.took_ns.clear()
                time.sleep(seconds)
                found[name] = sorted(relay.took_ns)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--floor", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.floor:
        asyncio.run(floor(arguments.floor))
        return
    found = measure(arguments.seconds)
    for name, took_ns in found.items():
        assert len(took_ns) >= arguments.seconds, f"expected a decision a second of the {name}, were {len(took_ns)}"
    rows = {
        name: {"count": len(took_ns), **{at: took_ns[int(part * (len(took_ns) - 1))] for at, part in QUANTILES.items()}}
        for name, took_ns in found.items()
    }
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'us':8} {'count':>6} " + " ".join(f"{at:>8}" for at in QUANTILES))
    for name, row in rows.items():
        print(f"{name:8} {row['count']:6} " + " ".join(f"{row[at] / 1_000:8.0f}" for at in QUANTILES))


if __name__ == "__main__":
    main()
