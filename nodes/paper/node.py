"""The paper exchange's node: its REST app in front, an order link to every engine and replicas of the feeds behind."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import uvloop

from bus.async_waiter import AsyncWaiter
from bus.engine_client import EngineClient, LinkEnd
from bus.feed import Topic
from bus.order_link import Connected
from bus.subscriber import FeedSubscriber
from bus.topology import Source, first_order_id, first_owner
from desk.client import DeskError
from desk.fees import commission_of
from desk.halted_file import LOOK_MS, HaltedFile
from desk.operator import set_halted
from desk.run_dir import StayDownError
from desk.settings import Settings
from market.clock import NS_PER_MS, NS_PER_US, monotonic_ns, now, time_ns
from market.whole_file import make_folder
from nodes.http import serving, url_of
from nodes.listener import bind
from nodes.node import Node, run_async
from nodes.paper.feed_books import FeedBooks, TouchedBook
from nodes.paper.turns import ExchangeTurns
from paper.access.account_folder import AccountFolder
from paper.access.accounts import FIRST_ACCOUNT, TOKEN_FILE, load_or_create_token
from paper.admin import Admin
from paper.exchange.exchange import Exchange
from paper.exchange.saves import Action
from paper.fault_calls import FaultCalls, Halt
from paper.latency import Latency
from paper.money.ledger import BooksError, Ledger
from paper.money.ledger_file import LedgerError
from paper.rest import HttpSettings, create_app
from paper.streams.sockets import Connections

TICK_MS = 50
OWN_ORDERS_S = 0.25
LEAVE_S = 0.25  # between the word that we go and the end of all connections, and again for that
CLOSING_S = 0.01
OWN_ORDERS_MAX = 1_000  # the newest, of the desk's account: the api marks them in the book
SWEPT_ROWS = 50  # of each table: about a millisecond
SWEEP_PAUSE_S = 0.005
SWEEP_LOOK_S = 1.0
LEDGER_FILE = "ledger.sqlite3"
ACCOUNTS_FOLDER = "accounts"


class PaperNode:
    """Keeps an exchange in touch with the engines, the halts and whoever looks at the node.

    Args:
        node: whose it is.
        exchange: has its orders at the engines.
        client: of the engines.
        subscriber: of the books and trades of all symbols.
    """

    def __init__(self, node: Node, exchange: Exchange, client: EngineClient, subscriber: FeedSubscriber) -> None:
        self._node = node
        self._exchange = exchange
        self._client = client
        self._connected: set[str] = set()
        self._subscriber = subscriber
        self._turns = ExchangeTurns(exchange, client, subscriber, now, self._on_connected)
        self._halted = HaltedFile(node.settings.run_dir, list(exchange.symbols))
        exchange.halted = set(self._halted.read())

    async def run(self, url: str, connections: Connections) -> None:
        """Serve until the node is told to stop; the exchange is at `url`, and its sockets' clients hear of the end."""
        try:
            await run_async(
                self._node,
                self._follow_engines,
                lambda: self._announce(url),
                self._follow_halts,
                self._tell_own_orders,
                self._sweep,
            )
            await self._take_leave(connections)
            self._turns.take_reports()
            self._exchange.market.save_bars()
            self._client.tick(monotonic_ns())  # an engine that is owed no word of what is booked forgets it
        finally:
            self._node.show(own_orders=self._own_orders())

    async def _take_leave(self, connections: Connections) -> None:
        """Tell whoever listens that we go, serve for a moment longer, and close the connections."""
        connections.announce_shutdown(time_ns() // NS_PER_MS)
        if connections.clients:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._follow_engines()
            connections.end("all", "the exchange stops")
            with suppress(TimeoutError):  # who does not answer is cut off
                async with asyncio.timeout(LEAVE_S):
                    while connections.clients:
                        await asyncio.sleep(CLOSING_S)

    async def _follow_engines(self) -> None:
        """Take reports and market data, for as long as the node lives."""
        with AsyncWaiter((*self._client.sockets, *self._subscriber.sockets)) as waiter:
            self._client.on_send(waiter.look)
            while True:
                self._turns.take_reports()
                await asyncio.sleep(0)  # whoever has waited for them is answered,
                await asyncio.sleep(0)  # and the answer sent: uvloop does that at the end of a turn
                self._turns.take_market()
                self._note_silent()
                await waiter.wait(TICK_MS)

    def _on_connected(self, link: LinkEnd, news: Connected) -> None:
        self._connected.add(link.engine)
        self._node.log.info("engine connected", engine=link.engine, epoch=news.epoch, is_new=news.is_new_epoch)

    def _note_silent(self) -> None:
        for engine in [engine for engine in self._connected if not self._client[engine].is_connected]:
            self._connected.discard(engine)
            self._node.log.warning(
                "the engine does not answer: orders of its symbols are refused until it does", engine=engine
            )

    async def _announce(self, url: str) -> None:
        exchange, is_told = self._exchange, False
        while True:
            if exchange.is_connected and self._subscriber.is_live(monotonic_ns()):
                is_told = True
                self._node.ready(http=url)
            else:
                self._node.waiting()
            exchange.ledger.check()
            exchange.market.save_bars()
            self._node.show(
                open_orders=len(exchange.ledger.open_orders),
                is_connected=exchange.is_connected,
                silent_engines=[link.engine for link in self._client if not link.is_connected],
                lost_reports=sum(engine.lost_report_count for engine in exchange.engines.values()),
            )
            await asyncio.sleep(1 if is_told else TICK_MS / 1_000)

    async def _follow_halts(self) -> None:
        while True:
            self._exchange.halted = set(self._halted.read())
            await asyncio.sleep(LOOK_MS / 1_000)

    async def _tell_own_orders(self) -> None:
        told: list[int] | None = None
        while True:
            if (own := self._own_orders()) != told:
                told = own
                self._node.show(own_orders=own)
                self._node.beat()
            await asyncio.sleep(OWN_ORDERS_S)

    async def _sweep(self) -> None:
        """Delete what was before resets, so little at once that nobody notices."""
        while True:
            is_more = self._exchange.ledger.sweep(SWEPT_ROWS)
            await asyncio.sleep(SWEEP_PAUSE_S if is_more else SWEEP_LOOK_S)

    def _own_orders(self) -> list[int]:
        own = self._exchange.ledger.open_orders_of(FIRST_ACCOUNT)
        return [order.order_id for order in own][-OWN_ORDERS_MAX:]


async def _serve(node: Node) -> None:
    settings = node.settings
    folder = settings.run_dir / "paper"
    make_folder(folder)
    account_folder = AccountFolder(settings.keys_file, folder / ACCOUNTS_FOLDER)
    accounts = account_folder.load()
    token = load_or_create_token(folder / TOKEN_FILE)
    plan = node.plan
    ledger = Ledger(folder / LEDGER_FILE, settings.instruments, plan.engine_of, is_synced=plan.is_synced)
    listener = bind(settings.paper.host, settings.paper.port)
    symbols = {each.symbol_id: each.symbol for each in settings.instruments}
    topics = [topic.of(symbol) for symbol in symbols.values() for topic in (Topic.BOOK, Topic.TRADES)]
    subscriber = FeedSubscriber(node.wiring, topics, TouchedBook)
    last_reports = {engine: ledger.last_report(engine) for engine in node.plan.engines}
    client = EngineClient.over(node.wiring, Source.PAPER, node.plan.symbol_ids, last_reports)
    node.watch(*client.sockets, *subscriber.sockets)
    exchange = Exchange(
        ledger,
        {link.engine: link for link in client},
        FeedBooks(subscriber, symbols),
        first_order_id=first_order_id(Source.PAPER),
        first_owner=first_owner(Source.PAPER),
        first_update_id=time_ns() // NS_PER_US,  # more than were ever told before: no book changes so often
        commission=commission_of(settings),
        soon=partial(_save_soon, node.log),
    )
    for number in accounts.numbers:
        exchange.open_account(number)
    paper = PaperNode(node, exchange, client, subscriber)
    app = create_app(
        exchange,
        accounts,
        HttpSettings(settings.paper.host, is_limiting=settings.paper.rate_limits),
        latency=Latency(settings.paper.order_delay, settings.paper.market_data_delay, settings.paper.delay_seed),
        on_bug=lambda error: node.log.error("a request failed by a bug of ours", why=repr(error)),
    )
    admin = Admin(exchange, accounts, account_folder, token, time_ns)
    admin.add_to(app)
    FaultCalls(app.ctx.faults, exchange, app.ctx.connections, _halting(settings), time_ns).add_to(app, admin)
    try:
        async with serving(app, listener):
            await paper.run(url_of(listener), app.ctx.connections)
    except BooksError as error:
        raise StayDownError(f"the books of {folder / LEDGER_FILE} do not add up: {error}") from error
    finally:
        client.close()
        subscriber.close()
        ledger.close()


def _save_soon(log: Any, save: Action) -> None:
    """Save with all that comes until the loop's next turn; what the disk does not take waits for the node's next one.

    That one tries once more, and if it fails, too, ends the node with what is wrong.
    """

    def attempt() -> None:
        try:
            save()
        except LedgerError as error:
            log.warning("not saved, and nobody is told: once more", why=str(error))

    asyncio.get_running_loop().call_soon(attempt)


def _halting(settings: Settings) -> Halt:
    """Return what halts or resumes a symbol for everybody: what the operator does, who waits for the maker besides."""

    async def halt(symbol: str, is_halted: bool) -> None:
        change = partial(set_halted, settings, symbol, awaits_maker=False)
        try:
            outcome = await asyncio.to_thread(change, is_halted=is_halted)
            if outcome.missing and is_halted:
                await asyncio.to_thread(change, is_halted=False)  # a halt that is not armed has no end
        except DeskError as error:
            raise ConnectionError(str(error)) from None
        if outcome.missing:
            raise ConnectionError("; ".join(outcome.missing))

    return halt


def run(node: Node) -> None:
    """Run the paper exchange's node until it is told to stop."""
    uvloop.run(_serve(node))
