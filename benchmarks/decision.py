"""How soon a maker decides: `python -m benchmarks.decision [--seconds N] [--json]`.

A maker in a process of its own, and an exchange of real processes whose market moves; all that goes between the two
passes a relay in this process. Timed is from the bytes of a change of the book, as they leave for the maker, to the
bytes of the first order or cancel that it sends for it: the kernel twice, ccxt's book, the strategy, limits, the note on
disk, and the signature. Quotes follow each change (no tolerance), so that most of them are answered.

Beside it, in the same way, runs the floor: a client of the same sockets that answers each change with a fixed text.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from benchmarks.desk_process import running_desk
from benchmarks.engine_process import ROOT, node_process
from desk.client import desk_status
from market.clock import monotonic_ns
from paper.access.accounts import load_keys

SECONDS: Final = 60.0
WARM_UP_S: Final = 10.0
CLOSE_S: Final = 0.2
SYMBOL: Final = "btcusdt"
QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
MARKET, API, OTHER = "/ws", "/ws-api/", ""
COMMANDS: Final = (b'"order.', b'"ping"')
REPORT: Final = b'"executionReport"'
# A market that moves with each look, and quotes that stand behind it and always move along.
DESK: Final = {"flow.preset": "busy", "flow.opening_s": "1", "paper.rate_limits": "false"}
MAKER: Final = {
    "MAKER__HALF_SPREAD": "0.003",
    "MAKER__REQUOTE_TOLERANCE": "0",
    "MAKER__INTERVAL_MS": "10",
    "PAPER__RATE_LIMITS": "false",
}


class Relay:
    """Passes on what a client and an exchange say, and notes when a change was followed by a command.

    Attributes:
        port: where the client connects.
        took_ns: from each change to the first command after it, where nothing else came between.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._changed_ns: int | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.took_ns: list[int] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Relay"]:
        """Listen, on a free port."""
        async with await asyncio.start_server(self._pass, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            for writer in self._writers:
                writer.close()
            await asyncio.sleep(CLOSE_S)  # so that all who read see the end

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection(*self._address)
            first = await reader.read(1 << 16)
            path = first.split(b" ", 2)[1].decode() if first.count(b" ") > 1 else OTHER
            is_api, is_market = path.startswith(API), path.startswith(MARKET) and not path.startswith(API)
            their_writer.write(first)
            self._writers += writer, their_writer
            ways = (
                self._copy(reader, their_writer, self._on_sent if is_api else None),
                self._copy(their_reader, writer, self._on_told if is_market or is_api else None),
            )
            await asyncio.gather(*ways, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Any) -> None:
        try:
            while piece := await reader.read(1 << 16):
                if watch is not None:
                    watch(piece)
                writer.write(piece)
        finally:
            writer.close()

    def _on_told(self, piece: bytes) -> None:
        if b'"depthUpdate"' in piece:
            self._changed_ns = monotonic_ns()
        elif REPORT in piece:  # what follows may be an answer to this
            self._changed_ns = None

    def _on_sent(self, piece: bytes) -> None:
        now_ns = monotonic_ns()
        if self._changed_ns is not None and any(word in text for text in unmasked(piece) for word in COMMANDS):
            self.took_ns.append(now_ns - self._changed_ns)
            self._changed_ns = None


def unmasked(piece: bytes) -> Iterator[bytes]:
    """Yield the texts of whole frames that a client has sent (RFC 6455, 5.2 and 5.3); longer ones are left out."""
    while len(piece) > 6:
        size, start = piece[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(piece[2:4]), 4
        elif size == 127:
            return
        mask, body = piece[start : start + 4], piece[start + 4 : start + 4 + size]
        yield bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))
        piece = piece[start + 4 + size :]


async def floor(port: int) -> None:
    """Answer each change of the book with a fixed text."""
    numbers = count(1)
    api, market = f"ws://127.0.0.1:{port}/ws-api/v3", f"ws://127.0.0.1:{port}/ws/{SYMBOL}@depth@100ms"
    async with connect(api) as orders, connect(market) as changes:
        async for change in changes:
            if "depthUpdate" in str(change):
                await orders.send(f'{{"id":{next(numbers)},"method":"ping"}}')


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


async def measure(seconds: float) -> dict[str, list[int]]:
    """Return the ns from change to command, of the floor and of the maker."""
    found: dict[str, list[int]] = {}
    with running_desk(DESK, ["maker", "tracker", "gateway"], "--api-port", "0") as run_dir:
        paper = next(row for row in desk_status(run_dir)["nodes"] if row["node"] == "paper")
        url = urlsplit(paper["endpoints"]["http"])
        assert url.hostname is not None
        for name in ("floor", "maker"):
            async with Relay(url.hostname, url.port or 0).serving() as relay:
                process = floor_process(relay.port) if name == "floor" else maker_process(relay.port, run_dir)
                with process:
                    await asyncio.sleep(WARM_UP_S)
                    relay.took_ns.clear()
                    await asyncio.sleep(seconds)
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
    found = asyncio.run(measure(arguments.seconds))
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
