"""One account's sockets at Binance Spot, its testnet, or at what speaks like it, through ccxt.pro; in asyncio.

Two connections: one of the market's streams (depth differences and trades), one of the WebSocket API, on which orders
go out, their replies come back, and what happens to the account is told. ccxt.pro connects, subscribes, joins the
differences to a snapshot and notices where one is missing; here its documents are read, and what it raises is judged.

What a watch waits for and what ended the connection is raised to whoever watches. Watching again connects again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from market.account import VenueOrder
from market.clock import monotonic_ns
from market.depth import Depth, Level
from market.instrument import Instrument
from trading.actions import Amend, Move, Place
from trading.news import MarketTrade
from venues import binance_documents as documents
from venues.binance_account import BinanceAccount
from venues.binance_errors import NotMovedError
from venues.binance_requests import amending, kind_of_order, moving
from venues.ccxt_binance import ccxt
from venues.ccxt_errors import judged
from venues.ccxt_exchange import exchange_of
from venues.venue import Moved, VenueError, VenueNoSuchOrderError, VenueRefusedError, VenueUnknownError

DEPTH_LEVELS: Final = 20

_QUIET_S: Final = 3.0  # without a change of the book we ask whether there was one
_GRACE_S: Final = 1.0  # for a change that is on its way
# A stream that was dead is believed again when it tells of a change; in a market without any, after a while that grows.
_DOUBT_S: Final = 10.0
_DOUBT_S_MAX: Final = 60.0
_GOODBYE_S: Final = 0.5
_NUMBERS_KEPT_MAX: Final = 4_096
_END: Final = "end"  # what is awaited of a connection that nothing else need be awaited of


class BinanceSockets:
    """The sockets of one account, in one instrument.

    Args:
        settings: as `venues.ccxt_binance.settings_of` has them.
        account: the same account over HTTP, whose clock and judgement are used here.
        instrument: the one that is traded.

    Attributes:
        answer_s_max: how long an answer over HTTP may take, which may be the third that is asked for: our clock was
            wrong. A venue that sends a byte now and then would take for ever.
    """

    def __init__(self, settings: dict[str, Any], account: BinanceAccount, instrument: Instrument) -> None:
        self._account = account
        self._errors = account.errors
        self._instrument = instrument
        self._symbol = ""  # the pair as ccxt calls it, once that knows it
        self._timeout_s = settings["timeout"] / 1_000
        self.answer_s_max = 4 * self._timeout_s
        to_ticks, to_lots = instrument.price_to_ticks, instrument.qty_to_lots
        self._ticks_of = lru_cache(_NUMBERS_KEPT_MAX)(
            lambda price: to_ticks(Decimal(repr(price)))
        )  # most are as before
        self._lots_of = lru_cache(_NUMBERS_KEPT_MAX)(lambda qty: to_lots(Decimal(repr(qty))))
        self._tell: Callable[[Depth], object] | None = None  # is told each change of the book as it is read
        self._heard_id = 0  # the newest update of the book that was heard on this connection
        self._shown: int | None = None  # the update id of the book that was told last
        self._changed_ns = 0  # when that was
        self._acted_ns = 0  # when the order or cancel left that was the last to change the book
        self._doubt_s = 0.0  # for how long a book that does not change is not believed
        self._exchange: Any = exchange_of(settings)
        self._read_message = self._exchange.handle_message
        self._exchange.handle_message = self._heard
        self._read_reply = self._exchange.handle_order_ws
        self._exchange.handle_order_ws = self._replied

    async def close(self) -> None:
        """Hang up; of a venue that is frozen we do not take leave for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._exchange.close_ws_clients()
        self._exchange.clients = {}
        await self._exchange.close()

    # --- the market ---

    async def depth(self) -> Depth:
        """Wait until the book has changed since the last call, and return its best levels, our own orders among them.

        After a stream that said nothing while the book changed, the first book of the next one is returned when it has
        changed, too: a venue whose market data stand still answers with an old one, and says so of the old one.

        Raises:
            VenueError: if the connection has ended, an update is missing, or the venue's book goes on without us.
        """
        async with judged(self._errors, "GET"):
            await self._load_market()
            book = await self._next_book()
            if self._shown is None and self._doubt_s:
                self._shown = book["nonce"]
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._doubt_s):
                        book = await self._next_book()
            return self._show(book)

    async def follow_depth(self, tell: Callable[[Depth], object]) -> None:
        """Tell each change of the book until that fails, as `depth` would return it; only after that.

        It is told where its message is read: to be woken for each costs as much again.

        Raises:
            VenueError: as `depth`.
        """
        async with judged(self._errors, "GET"):
            await self._next_book()  # since the last call, or the first that comes: then the connection stands
            (client,) = (client for url, client in self._exchange.clients.items() if url != self._api_url)
            ended = client.future(_END)
            self._tell = tell
            try:
                self._tell_change(client)
                while True:
                    shown = self._shown
                    await asyncio.wait([ended], timeout=_QUIET_S)
                    if ended.done():
                        await ended
                    elif self._shown == shown:
                        await self._ask_for_changes()
            finally:
                self._tell = None
                ended.cancel()

    async def trades(self) -> list[MarketTrade]:
        """Wait for trades of the market, and return those since the last call, oldest first. Only after `depth`."""
        async with judged(self._errors, "GET"):
            trades = await self._exchange.watch_trades(self._symbol)
            return [documents.market_trade_of(trade["info"], self._instrument) for trade in trades]

    def leave_market(self) -> None:
        """Forget the book and drop the connection of the market's streams, if there is one."""
        self._exchange.orderbooks.pop(self._symbol, None)
        self._shown, self._heard_id = None, 0
        self._drop(lambda url: url != self._api_url)

    async def _next_book(self) -> Any:
        """Wait until the book is another one than was told last."""
        book = self._exchange.orderbooks.get(self._symbol)
        while book is None or book["nonce"] is None or book["nonce"] == self._shown:
            book = await self._changed_book()
        if book["nonce"] < self._heard_id:  # ccxt passes over updates between the two, and waits for the next
            raise self._errors.without_book("its snapshot is older than its depth stream")
        return book

    async def _changed_book(self) -> Any:
        """Wait for the next change of the book; while none comes, ask the venue whether there was one.

        What it says of its book may be old, too: our own orders tell. One that was taken has changed the book.
        """
        is_known = self._shown is not None
        try:
            async with asyncio.timeout(_QUIET_S if is_known else 2 * self._timeout_s):  # to connect; a snapshot
                return await self._exchange.watch_order_book(self._symbol)
        except TimeoutError:
            if not is_known:
                raise self._errors.without_book("none came in time") from None
        return await self._ask_for_changes()

    async def _ask_for_changes(self) -> Any:
        """Return the book, of which nothing was told for a while, if the venue says that it is still that one."""
        is_own_missing = self._acted_ns > self._changed_ns
        asked = {"symbol": self._instrument.symbol, "limit": 1}
        now_id = int((await self._exchange.public_get_depth(asked))["lastUpdateId"])
        await asyncio.sleep(_GRACE_S)
        book = self._exchange.orderbooks.get(self._symbol)
        if book is not None and ((book["nonce"] or 0) < now_id or (is_own_missing and book["nonce"] == self._shown)):
            self._doubt_s = min(max(_DOUBT_S, 2 * self._doubt_s), _DOUBT_S_MAX)
            raise self._errors.without_book("its depth stream says nothing while the book changes")
        return book

    def _show(self, book: Any) -> Depth:
        """Return the best levels of a book that is told now."""
        if self._shown not in {None, book["nonce"]}:
            self._doubt_s = 0.0
        self._shown, self._changed_ns = book["nonce"], monotonic_ns()
        return Depth(self._levels(book["bids"]), self._levels(book["asks"]))

    def _tell_change(self, client: Any) -> None:
        """Tell the book if it has changed; end what follows it where ccxt has dropped it for a missing update."""
        book = self._exchange.orderbooks.get(self._symbol)
        if book is None:
            client.reject(ccxt.ChecksumError(), _END)
            self._tell = None  # once: what is rejected while nobody waits meets the next who does
        elif self._tell is not None and book["nonce"] not in {None, self._shown}:
            self._tell(self._show(book))

    def _levels(self, levels: Any) -> tuple[Level, ...]:
        """Return the best levels; the shortest decimal that reads as ccxt's number is the one that it has read."""
        return tuple(Level(self._ticks_of(price), self._lots_of(qty)) for price, qty in levels[:DEPTH_LEVELS])

    async def _load_market(self) -> None:
        """Let ccxt know our pair; by itself it would load the thousand others, too."""
        if not self._exchange.markets:
            told = await self._exchange.public_get_exchangeinfo({"symbol": self._instrument.symbol})
            (market,) = (self._exchange.parse_market(each) for each in told["symbols"])
            self._symbol = market["symbol"]
            self._exchange.set_markets([market])

    # --- the account ---

    async def subscribe(self) -> None:
        """Connect, and have what happens to the account's orders told from now on."""
        async with judged(self._errors, "GET"):
            await self._load_market()
        try:
            await self._ask("GET", self._authenticate)
        except VenueError:
            self.leave_account()  # ccxt may take itself for subscribed
            raise

    async def _authenticate(self) -> None:
        """Subscribe through ccxt, which tells a refusal to other callers too: there are none, and asyncio logs it."""
        asked = asyncio.ensure_future(self._exchange.authenticate({"type": "spot"}))
        await asyncio.sleep(0)
        for name, waiting in self._exchange.client(self._api_url).futures.items():
            if name.startswith("authenticate"):
                waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asked

    async def orders(self) -> list[VenueOrder]:
        """Wait until something happens to orders, and return each as it is now. Only after `subscribe`."""
        async with judged(self._errors, "GET"):
            watched = await self._exchange.watch_orders(self._symbol)
            orders = [documents.order_of_report(order["info"]) for order in watched]
        return [order for order in orders if order.status != "REJECTED"]  # which the reply says, with the reason

    def leave_account(self) -> None:
        """Drop the connection of the WebSocket API, if there is one."""
        self._drop(lambda url: url == self._api_url)

    async def place(self, place: Place) -> VenueOrder:
        """Enter a limit order.

        Raises:
            VenueUnknownError: if the reply was lost.
        """
        price = f"{self._instrument.ticks_to_price(place.price_ticks):f}"
        qty = f"{self._instrument.lots_to_qty(place.qty_lots):f}"
        more = {"newClientOrderId": place.client_order_id, "newOrderRespType": "RESULT"} | kind_of_order(
            is_taking=place.is_taking
        )
        terms = (self._symbol, more.pop("type"), place.side.name, qty, price, more)

        async def ask() -> VenueOrder:
            return documents.order_of((await self._exchange.create_order_ws(*terms))["info"])

        placed: VenueOrder = await self._act("POST", ask)
        return placed

    async def cancel(self, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone."""

        async def ask() -> VenueOrder:
            return documents.order_of((await self._exchange.cancel_order_ws(order_id, self._symbol))["info"])

        return await self._unless_gone("DELETE", ask)

    async def amend(self, amend: Amend) -> VenueOrder | None:
        """Make an order smaller in its place; see `venues.venue.Venue`."""

        async def ask() -> VenueOrder:
            asked = amending(self._instrument, amend)
            return documents.amended_of(await self._call("order.amend.keepPriority", asked))

        return await self._unless_gone("PUT", ask)

    async def _unless_gone(self, method: str, ask: Callable[[], Awaitable[VenueOrder]]) -> VenueOrder | None:
        try:
            order: VenueOrder = await self._act(method, ask)
        except VenueNoSuchOrderError:
            return None
        return order

    async def move(self, move: Move) -> Moved:
        """Cancel an order and enter another one for it; see `venues.venue.Venue`."""

        async def ask() -> Moved:
            return self._errors.moved(await self._call("order.cancelReplace", moving(self._instrument, move)))

        try:
            moved: Moved = await self._act("POST", ask)
        except NotMovedError as error:
            return error.moved
        return moved

    async def _call(self, method: str, asked: Mapping[str, str]) -> Any:
        """Make a call of the WebSocket API of which ccxt would not return the whole answer."""
        url, name = self._api_url, str(self._exchange.request_id(self._api_url))
        message = {"id": name, "method": method, "params": self._exchange.sign_params(dict(asked))}
        return await self._exchange.watch(url, name, message, name, {"method": self._answered})

    async def _act(self, method: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask for what changes the book once it is done; see `_ask`."""
        left_ns = monotonic_ns()  # not when it is answered: the change may be told before
        try:
            answer = await self._ask(method, ask)
        except asyncio.CancelledError:  # the account's news was quicker than the reply
            self._acted_ns = left_ns
            raise
        self._acted_ns = left_ns
        return answer

    async def _ask(self, method: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask on the WebSocket API, with a timeout; once more if our clock was wrong.

        Raises:
            VenueError: as `venues.binance_errors` has them.
        """
        try:
            return await self._ask_once(method, ask)
        except VenueRefusedError as error:
            if error.code != documents.BAD_TIME_CODE:
                raise
        await asyncio.to_thread(self._account.look_at_the_clock)
        return await self._ask_once(method, ask)

    async def _ask_once(self, method: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        self._exchange.options["timeDifference"] = -self._account.ahead_ms
        left_ns = monotonic_ns()
        try:
            async with judged(self._errors, method), asyncio.timeout(self._timeout_s):
                return await ask()
        except VenueUnknownError as error:
            error.age_ns = monotonic_ns() - left_ns
            raise

    # --- what ccxt hears ---

    def _drop(self, is_meant: Callable[[str], bool]) -> None:
        """Have the next watch connect anew, at once: how long to pause is for whoever watches to say."""
        for url, client in list(self._exchange.clients.items()):
            if is_meant(url):
                client.on_error(ccxt.NetworkError("dropped"))
        self._exchange.ws_dial_backoff = {}

    @property
    def _api_url(self) -> str:
        url: str = self._exchange.urls["api"]["ws"]["ws-api"]["spot"]
        return url

    def _heard(self, client: Any, message: Any) -> None:
        """Take a message; a server that is about to go says so, and whoever watches connects to another one."""
        if documents.is_shutdown(message):
            client.on_error(ccxt.NetworkError("the venue's server is about to go"))
            return
        if isinstance(message, dict) and message.get("e") == "depthUpdate":
            self._heard_id = max(self._heard_id, message["u"])
        self._read_message(client, message)
        if self._tell is not None and client.url != self._api_url:
            self._tell_change(client)

    def _replied(self, client: Any, message: Any) -> None:
        """Take the reply to an order or a cancel; ccxt never forgets that it waited for one."""
        self._read_reply(client, message)
        client.subscriptions.pop(str(message["id"]), None)

    def _answered(self, client: Any, message: Any) -> None:
        """Take the reply to a call of `_call`."""
        client.resolve(message["result"], str(message["id"]))
        client.subscriptions.pop(str(message["id"]), None)
