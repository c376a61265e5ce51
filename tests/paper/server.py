"""The exchange behind a real HTTP server on loopback, in a thread of its own."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from market.clock import NS_PER_SECOND, time_ns
from market.codes import Side
from nodes.http import serving, url_of
from nodes.listener import bind
from paper.access.account_folder import AccountFolder
from paper.access.accounts import Accounts, KeyPair, PublicKey
from paper.access.usage import Usage
from paper.admin import Admin
from paper.calls.endpoints import Endpoint
from paper.delay import NO_DELAY, Delay
from paper.exchange.price_range import TradeMean
from paper.exchange.tape import Tape
from paper.fault_calls import FaultCalls
from paper.faults import Faults
from paper.front_desk import FrontDesk, Inquiry
from paper.latency import Latency
from paper.rest import HttpSettings, create_app
from paper.streams.hub import StreamHub, Subscriber
from paper.streams.sockets import Connections
from paper.streams.user_hub import UserHub
from tests.paper.desk import ALICE, BOB, Desk

T = TypeVar("T")

ADMIN_TOKEN = "the token of these tests"
PING_INTERVAL_S = 1.0
WAIT_S = 10.0

_numbers = itertools.count()


class Server:
    """A running exchange.

    Attributes:
        url: where it answers.
        keys: the pair of keys of each account.
        ed25519_api_key: another API key of ALICE, whose holder signs with `ed25519_key`.
        bugs: what went wrong in handlers.
        hub: its market streams.
        connections: its open sockets.
        users: its accounts' own streams.
        latency: how long messages travel, no time unless a test changes it.
        usage: its rate limits, off unless a test switches them on.
        calls: what was carried out since the test module began, as `GET order`.
        streams: the market streams that were listened to since then.
        is_answering: whether the engine handles what it is sent; False leaves every command on its way.
    """

    def __init__(self, folder: Path) -> None:
        self.keys = {account: KeyPair.generate() for account in (ALICE, BOB)}
        self.ed25519_api_key = KeyPair.generate().api_key
        self.ed25519_key = Ed25519PrivateKey.generate()
        self.bugs: list[Exception] = []
        self.calls: set[str] = set()
        self.streams: set[str] = set()
        self.clock_offset_ns = 0
        self.is_answering = True
        self._folder = folder
        self._started: Future[str] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="paper exchange")
        self._thread.start()
        self.url = self._started.result(timeout=20)

    def call(self, action: Callable[[Desk], T]) -> T:
        """Run `action` in the exchange's thread and return what it returns."""

        async def run() -> T:
            return action(self._desk)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=20)

    def now_s(self) -> int:
        """Return the exchange's time, whole seconds."""
        return (time_ns() + self.clock_offset_ns) // NS_PER_SECOND

    def wait_until(self, condition: Callable[[Desk], bool]) -> None:
        """Wait until `condition`, asked in the exchange's thread, is true."""
        deadline = time.monotonic() + WAIT_S
        while not self.call(condition):
            assert time.monotonic() < deadline, "it did not come true in time"

    def flow(self, side: Side, price: str, qty: str, *, symbol_id: int = 0) -> None:
        """Let a stranger give a limit order."""

        def trade(desk: Desk) -> None:
            desk.engine.time_ns = time_ns()
            desk.engine.flow(desk.exchange, side, price, qty, symbol_id=symbol_id)
            desk.exchange.market.on_book()

        self.call(trade)

    def delay(self, orders: Delay = NO_DELAY, market_data: Delay = NO_DELAY) -> None:
        """Let calls, and connections that are made from now on, have other delays."""
        vars(self.latency).update(vars(Latency(orders, market_data)))

    def forget_usage(self) -> None:
        """Let nobody have used anything, and nobody be banned."""
        vars(self.usage).update(vars(Usage(is_limiting=self.usage.is_limiting)))

    def forget_trades(self) -> None:
        """Let nothing ever have traded."""

        def forget(desk: Desk) -> None:
            market = vars(desk.exchange.market)
            market["tapes"] = {symbol_id: Tape() for symbol_id in market["tapes"]}
            market["_means"] = {symbol_id: TradeMean() for symbol_id in market["_means"]}

        self.call(forget)

    def day_timers(self) -> int:
        """Return, in the exchange's thread, how many connections are to be ended a day after they began."""
        timers = getattr(self._loop, "_scheduled")  # noqa: B009 - asyncio shows its timers to nobody
        return sum(not timer.cancelled() and "end_connection" in repr(timer) for timer in timers)

    def reset(self) -> None:
        """Empty the book and make all accounts new."""

        def start_anew(desk: Desk) -> None:
            desk.engine.restart()
            desk.exchange.halted.clear()
            for account in sorted(desk.ledger.wallets.accounts()):
                desk.exchange.reset_account(account, time_ns())
                desk.exchange.set_bnb_payer(account, False)  # a choice of its holder, which a reset leaves
            desk.connect()
            desk.exchange.market.on_book()

        self.is_answering = True
        self.clock_offset_ns = 0
        self.faults.armed.clear()
        self.faults.silenced.clear()
        self.delay()
        self.usage.is_limiting = False
        self.forget_usage()
        self.call(start_anew)

    def stop(self) -> None:
        """Stop serving and end the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the server does not stop"

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._desk = Desk(self._folder).connect()
        self._desk.engine.on_send = self._pump_soon
        accounts = Accounts(self.keys)
        accounts.add(ALICE, PublicKey(self.ed25519_api_key, self.ed25519_key.public_key()))
        app = create_app(
            self._desk.exchange,
            accounts,
            HttpSettings(
                engine_timeout_s=0.5,
                ping_interval_s=PING_INTERVAL_S,
                is_limiting=False,
                name=f"paper{next(_numbers)}",
            ),
            latency=Latency(),
            clock=lambda: time_ns() + self.clock_offset_ns,
            on_bug=self.bugs.append,
        )
        app.config.TOUCHUP = False  # it rewrites Sanic's classes, and can do so for one app of a process only
        self.usage: Usage = app.ctx.usage
        self.latency: Latency = app.ctx.latency
        self.users: UserHub = app.ctx.users
        self.hub: StreamHub = app.ctx.hub
        self.connections: Connections = app.ctx.connections
        self._listen_in(app.ctx.desk)
        folder = AccountFolder(self._folder / "keys.env", self._folder / "accounts")
        admin = Admin(self._desk.exchange, accounts, folder, ADMIN_TOKEN, time_ns)
        admin.add_to(app)
        self.faults: Faults = app.ctx.faults
        calls = FaultCalls(self.faults, self._desk.exchange, app.ctx.connections, self._desk.halt, time_ns)
        calls.add_to(app, admin)
        listener = bind("127.0.0.1", 0)
        async with serving(app, listener):
            self._started.set_result(url_of(listener))
            await self._stopping.wait()
        self._desk.ledger.check()
        self._desk.ledger.close()

    def _listen_in(self, desk: FrontDesk) -> None:
        """Note which calls are carried out and which streams are opened, whoever the client is."""
        answer, subscribe = desk.answer, self.hub.subscribe

        async def noting_answer(endpoint: Endpoint, inquiry: Inquiry, now_ns: int) -> Any:
            document = await answer(endpoint, inquiry, now_ns)
            self.calls.add(f"{endpoint.method} {endpoint.name}")
            return document

        def noting_subscribe(name: str, subscriber: Subscriber) -> bool:
            is_there = subscribe(name, subscriber)
            if is_there:
                self.streams.add(name)
            return is_there

        setattr(desk, "answer", noting_answer)  # noqa: B010 - not an assignment of the class's
        setattr(self.hub, "subscribe", noting_subscribe)  # noqa: B010

    def _pump_soon(self) -> None:
        self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        if self.is_answering:
            events = self._desk.engine.pump(self._desk.exchange)
            self._desk.engine.publish(self._desk.exchange, events)
            self._desk.exchange.market.on_book()
