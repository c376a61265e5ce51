"""Unmodified clients keep books from snapshots and diff streams while orders come, go, trade and cross.

Each runs in an environment of its own and prints its book at every number that it reaches. The exchange's own book is
noted at every number, too, so that each of theirs can be compared. They begin anew every few seconds, with a snapshot
that is taken while updates are under way. `make nightly` lets them run for a minute.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from market.depth import Depth
from paper.exchange.public_market import Touched
from paper.streams.hub import StreamHub
from paper.units import Symbol
from tests.bus.feed_model import Flow
from tests.environments.made import python_of
from tests.paper.desk import ALICE, BOB, LEVELS_MAX, Desk
from tests.paper.server import ADMIN_TOKEN, Server

PROGRAMS: Final = Path(__file__).parent / "programs"
SECONDS: Final = float(os.environ.get("TICKBUS_TEST_BOOKS_S", "6"))
PACE_S: Final = 0.01  # between two bursts of orders: the clients need the processors, too
STARTING_S_MAX: Final = 80.0  # until a client has loaded its modules and the markets
# Each with the lock of its environment and the version of Python that it needs, if it does not run on ours.
CLIENTS: Final = {
    "ccxt": ("ccxt.lock", ""),
    "python_binance": ("requirements.lock", ""),
    "cryptofeed": ("cryptofeed.lock", ""),
    "nautilus": ("nautilus.lock", "3.12"),
}
SPEEDS: Final = ("100", "1000")
SEED: Final = 11


@dataclass(eq=False)
class Run:
    """What was kept by whom, and what the exchange had."""

    books: dict[int, Depth] = field(default_factory=dict)  # by number
    kept: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)  # by client and speed
    skipped: dict[str, str] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)  # what happened on the market
    firsts: dict[str, dict[int, int]] = field(default_factory=lambda: {speed: {} for speed in SPEEDS})  # U by u

    def take(self, stream: str, text: str) -> None:
        """Take an update of a diff stream."""
        update = json.loads(text)
        self.firsts[stream.split("@")[2].removesuffix("ms")][update["u"]] = update["U"]

    def has_gap(self, speed: str, since: int) -> bool:
        """Say whether the first update that a client read behind its snapshot cannot follow that."""
        read = [book["id"] for books in self.kept.values() for book in books[speed] if book["since"] == since]
        first = min((number for number in read if number > since), default=since)
        return first > since and self.firsts[speed].get(first, 0) > since + 1


class Noting:
    """Notes the book at every number."""

    def __init__(self, desk: Desk, run: Run) -> None:
        self._market = desk.exchange.market
        self._books = run.books

    def on_trades(self, symbol: Symbol, trades: object) -> None:
        """Hear of trades."""

    def on_book(self, symbol: Symbol, _: Touched) -> None:
        """Note the book."""
        if symbol.name == "BTCUSDT":
            self._books[self._market.update_id(symbol)] = self._market.depth(symbol, LEVELS_MAX)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: the prices of this market are no other test's."""
    server = Server(tmp_path_factory.mktemp("books of clients"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def run(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The one run of all clients."""
    print(f"seed {SEED}")
    run = Run()
    programs = {}
    for client, (lock, version) in CLIENTS.items():
        try:
            python = python_of(PROGRAMS / lock, version)
            programs[client] = [str(python), "-u", str(PROGRAMS / f"books_of_{client}.py")]
        except pytest.skip.Exception as reason:
            run.skipped[client] = str(reason)
    noting = own_server.call(lambda desk: Noting(desk, run))
    listeners = own_server.call(lambda desk: desk.exchange.market.listeners)
    own_server.call(lambda _: listeners.append(noting))
    hub, streams = own_server.hub, [f"btcusdt@depth@{speed}ms" for speed in SPEEDS]
    own_server.call(lambda _: [hub.subscribe(stream, run.take) for stream in streams])
    folder = tmp_path_factory.mktemp("books")
    outputs = {client: folder / f"{client}.out" for client in programs}
    running = {client: _start(own_server, command, outputs[client]) for client, command in programs.items()}
    try:
        _trade(own_server, running, run)
        for client, process in running.items():
            output, errors = outputs[client].read_text(), outputs[client].with_suffix(".err").read_text()
            assert process.wait(timeout=STARTING_S_MAX) == 0, f"{client}: {errors[-2_000:]}"
            run.kept[client] = defaultdict(list)
            for line in output.splitlines():
                book = json.loads(line)
                run.kept[client][book["speed"]].append(book)
        yield run
    finally:
        own_server.call(lambda _: listeners.remove(noting))
        for stream in streams:
            own_server.call(partial(_unsubscribe, hub, stream, run))
        for process in running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # nautilus has children
            process.wait()


def _unsubscribe(hub: StreamHub, stream: str, run: Run, _: Desk) -> None:
    hub.unsubscribe(stream, run.take)


def _start(server: Server, command: list[str], output: Path) -> subprocess.Popen[str]:
    keys = [(server.keys[account].api_key, server.keys[account].secret) for account in (ALICE, BOB)]
    environment = os.environ | {
        "EXCHANGE_URL": server.url,
        "EXCHANGE_KEYS": json.dumps(keys),
        "EXCHANGE_ADMIN": ADMIN_TOKEN,
        "EXCHANGE_SECONDS": str(SECONDS),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else ccxt's hundred exchanges are compiled anew at every start
    with output.open("w") as out, output.with_suffix(".err").open("w") as errors:  # a pipe would be full at some time
        return subprocess.Popen(command, env=environment, stdout=out, stderr=errors, text=True, start_new_session=True)


def _trade(server: Server, running: dict[str, subprocess.Popen[str]], run: Run) -> None:
    """Let orders come, go, trade and cross for as long as one of the clients runs."""
    flow = Flow(random.Random(SEED))

    def burst(desk: Desk) -> None:
        for _ in range(2):
            events = desk.engine._match([flow.command()])
            desk.engine.publish(desk.exchange, events)
            run.seen.update(type(event).__name__ for event in events)

    deadline, pace = time.monotonic() + SECONDS + STARTING_S_MAX, threading.Event()
    while any(process.poll() is None for process in running.values()):
        assert time.monotonic() < deadline, (
            f"still running: {[name for name, one in running.items() if not one.poll()]}"
        )
        server.call(burst)
        pace.wait(PACE_S)


@pytest.mark.slow
@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_book_of_a_real_client_is_the_exchange_s(run: Run, client: str, speed: str) -> None:
    """At every number that it reaches, and it is never crossed: no level is a ghost, none is missing."""
    if client in run.skipped:
        pytest.skip(run.skipped[client])
    books = run.kept[client][speed]
    least = SECONDS * (3 if speed == "100" else 0.25)
    assert len(books) > least, f"only {len(books)} books were kept"
    begun = {book["since"] for book in books}
    assert client != "nautilus" or len(begun) > SECONDS / 6, f"it began {len(begun)} times"
    gaps = {since for since in {book["since"] for book in books} if since and run.has_gap(speed, since)}
    comparable = [book for book in books if book["since"] not in gaps]
    assert len(comparable) > len(books) / 2, f"{len(gaps)} snapshots were too old for the first update: {gaps}"
    for book in comparable:
        bids, asks = (
            {round(float(price) * 100): round(qty * 100_000) for price, qty in book[side].items()}
            for side in ("bids", "asks")
        )
        assert not bids or not asks or max(bids) < min(asks), f"crossed: {book}"
        wanted = run.books[book["id"]]
        assert (bids, asks) == (dict(wanted.bids), dict(wanted.asks)), (client, speed, book["id"])


@pytest.mark.slow
def test_the_market_of_the_real_clients_was_a_lively_one(run: Run) -> None:
    """Orders came, went, traded and changed; else the comparison would prove nothing."""
    assert len(run.books) > 20 * SECONDS, len(run.books)
    assert all(run.seen[name] > SECONDS for name in ("Accepted", "Executed", "Canceled", "Amended")), run.seen
