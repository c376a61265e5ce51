"""A trader's line over sockets: what happens is told as it happens, orders go out on a connection that stands.

HTTP is behind it: the open orders are asked for there, what became of an order, what we hold; and while the account's
connection is gone, orders are cancelled there. What ends a connection, or makes it say nothing, is told as Silent, and
Following once all stand again: then the trader asks what it has missed.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.depth import Depth
from market.instrument import Instrument
from trading import news
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from venues.binance_account import BinanceAccount
from venues.binance_sockets import BinanceSockets
from venues.trading_line import news_of_error
from venues.venue import VenueError, VenueUnavailableError

_PAUSE_NS: Final = 200 * NS_PER_MS  # before a connection is made anew
_PAUSE_NS_MAX: Final = 5 * NS_PER_SECOND
_LONG_LIFE_NS: Final = 10 * NS_PER_SECOND  # after which the pauses begin anew
_MARKET: Final = "market"
_ACCOUNT: Final = "account"


class SocketLine:
    """One trader's line to one account at Binance, or at what speaks like it; a `TradingLine`.

    Everything goes on in a thread with an asyncio loop of its own; HTTP calls in another.

    Args:
        account: the account over HTTP; used by this line alone.
        connect: makes its sockets, in the line's thread.
        clock: tells when something is asked, on the clock that the trader's steps have.
    """

    def __init__(
        self,
        account: BinanceAccount,
        instrument: Instrument,
        connect: Callable[[], BinanceSockets],
        clock: Callable[[], int],
    ) -> None:
        self._account = account
        self._instrument = instrument
        self._clock = clock
        self._batches: deque[deque[Action]] = deque()
        self._told: deque[news.News] = deque()
        self._bugs: deque[BaseException] = deque()
        self._depth: Depth | None = None
        self._missing = {_MARKET, _ACCOUNT}  # of the connections: those that do not stand
        self._silence = ""  # why, as last told
        self._awaited: tuple[Place | Cancel, asyncio.Future[None]] | None = None  # what the account's news may answer
        self.ready, self._bell = socket.socketpair()
        self.ready.setblocking(False)
        self._bell.setblocking(False)
        self._begun: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(connect,), name=f"line {instrument.symbol}")
        self._thread.start()
        self._loop = self._begun.result()

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out, one after the other."""
        self._batches.append(deque(actions))
        with suppress(RuntimeError):  # the line has ended, as `take` will say
            self._loop.call_soon_threadsafe(self._has_todo.set)

    def take_back(self) -> Sequence[Action]:
        """Return the actions that have not begun, which never will, nor be answered."""
        return [action for batch in tuple(self._batches) for action in _emptied(batch)]

    def take(self) -> list[news.News]:
        """Return the news since the last call, in its order.

        Raises:
            Exception: what has ended the line, a bug of ours.
        """
        with suppress(BlockingIOError):
            self.ready.recv(1 << 16)
        if self._bugs:
            raise self._bugs[0]
        return [self._told.popleft() for _ in range(len(self._told))]

    def close(self) -> None:
        """Hang up; nothing is carried out or told any more. A call over HTTP that has begun ends first."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join()
        self.ready.close()
        self._bell.close()

    # --- in the line's thread ---

    def _run(self, connect: Callable[[], BinanceSockets]) -> None:
        try:
            asyncio.run(self._live(connect))
        except BaseException as bug:  # noqa: BLE001 - raised again by `take`
            if not self._begun.done():
                self._begun.set_exception(bug)
            self._bugs.append(bug)
            self._ring()

    async def _live(self, connect: Callable[[], BinanceSockets]) -> None:
        self._has_todo = asyncio.Event()
        self._sockets = connect()
        work = [
            asyncio.create_task(self._carry_out_all()),
            asyncio.create_task(self._keep(_MARKET, self._follow_market, self._sockets.leave_market)),
            asyncio.create_task(self._keep(_ACCOUNT, self._follow_account, self._sockets.leave_account)),
        ]
        self._work = work[0]
        self._begun.set_result(asyncio.get_running_loop())
        try:
            await _first_to_end(work)
        finally:
            await self._sockets.close()

    def _tell(self, said: news.News) -> None:
        self._told.append(said)
        self._ring()

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            self._bell.send(b".")

    # --- what is heard ---

    async def _keep(self, connection: str, follow: Callable[[], Awaitable[None]], leave: Callable[[], None]) -> None:
        """Have a connection stand; after each end of it connect again, with a growing pause."""
        pause = Backoff(_PAUSE_NS, _PAUSE_NS_MAX)
        while True:
            began_ns = monotonic_ns()
            try:
                await follow()
            except VenueError as error:
                leave()
                self._lost(connection, str(error))
                now_ns = monotonic_ns()
                if now_ns - began_ns > _LONG_LIFE_NS:
                    pause.end()
                wait_ns = pause.fail(now_ns, int(error.retry_after_s * NS_PER_SECOND))
                await asyncio.sleep(wait_ns / NS_PER_SECOND)

    def _lost(self, connection: str, why: str) -> None:
        self._missing.add(connection)
        if why != self._silence:
            self._silence = why
            self._tell(news.Silent(why))

    def _found(self, connection: str) -> None:
        self._missing.discard(connection)
        if not self._missing:
            self._silence = ""
            self._tell(news.Following())
            assert self._depth is not None, "the market is followed from a book on"
            self._tell(news.BookNews(self._depth))

    async def _follow_market(self) -> None:
        """Tell what happens in the market until that fails."""
        self._depth = await self._sockets.depth()
        self._found(_MARKET)
        await _first_to_end([asyncio.create_task(self._hear_depths()), asyncio.create_task(self._hear_trades())])

    async def _hear_depths(self) -> None:
        while True:
            self._depth = await self._sockets.depth()
            if not self._missing:
                self._tell(news.BookNews(self._depth))

    async def _hear_trades(self) -> None:
        while True:
            self._tell(news.TradesNews(await self._sockets.trades()))

    async def _follow_account(self) -> None:
        """Tell what happens to the account's orders until that fails."""
        await self._sockets.subscribe()
        self._found(_ACCOUNT)
        while True:
            for order in await self._sockets.orders():
                self._tell(news.OrderNews(order))
                if self._awaited is not None and _is_answered(self._awaited[0], order):
                    self._awaited[1].set_result(None)
                    self._awaited = None

    # --- what is done ---

    async def _carry_out_all(self) -> None:
        while True:
            await self._has_todo.wait()
            self._has_todo.clear()
            while self._batches:
                await self._carry_out(self._batches[0])
                self._batches.popleft()

    async def _carry_out(self, batch: deque[Action]) -> None:
        """Carry out actions, one after the other, up to the first that fails."""
        while (action := _next_of(batch)) is not None:
            try:
                said = await self._ask(action, self._clock())
            except VenueError as error:
                said = news_of_error(action, error)
            if isinstance(said, news.Failed):
                said = said._replace(undone=(*said.undone, *_emptied(batch)))
            if said is not None:
                self._tell(said)

    async def _ask(self, action: Action, asked_ns: int) -> news.News | None:
        """Return the answer to an action, None if the account's news was the answer."""
        account, instrument = self._account, self._instrument
        match action:
            case Place():
                return await self._unless_heard(action, self._place(action))
            case Cancel():
                return await self._unless_heard(action, self._cancel(action))
            case FindOrder(name):
                return news.Found(name, await asyncio.to_thread(account.find_order, instrument, name), asked_ns)
            case ListOrders():
                return news.Listed(await asyncio.to_thread(account.open_orders, instrument), asked_ns)
            case AskBalances():
                return news.Balances(await asyncio.to_thread(account.balances))

    async def _place(self, place: Place) -> news.News:
        if _ACCOUNT in self._missing:
            raise VenueUnavailableError(self._silence or "not connected yet")
        return news.OrderNews(await self._sockets.place(place))

    async def _cancel(self, cancel: Cancel) -> news.News:
        if _ACCOUNT in self._missing:
            ended = await asyncio.to_thread(self._account.cancel, self._instrument, cancel.order_id)
        else:
            ended = await self._sockets.cancel(cancel.order_id)
        return news.Gone(cancel.client_order_id) if ended is None else news.OrderNews(ended)

    async def _unless_heard(self, action: Place | Cancel, ask: Coroutine[None, None, news.News]) -> news.News | None:
        """Return the reply, None if the account's news has told the same before it: then nobody waits for a reply."""
        heard: asyncio.Future[None] = self._loop.create_future()
        self._awaited = action, heard
        asked = asyncio.create_task(ask)
        waiting: list[asyncio.Future[Any]] = [asked, heard]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return None if heard.done() else await asked
        finally:
            self._awaited = None
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


def _next_of(batch: deque[Action]) -> Action | None:
    """Take the next action out of a batch, None if there is none; another thread may do so at the same time."""
    try:
        return batch.popleft()
    except IndexError:
        return None


def _emptied(batch: deque[Action]) -> list[Action]:
    """Take all out of a batch."""
    return list(iter(lambda: _next_of(batch), None))


def _is_answered(action: Place | Cancel, order: VenueOrder) -> bool:
    """Say whether news of an order is the answer to an action, as far as who asked is concerned."""
    return order.client_order_id == action.client_order_id and (isinstance(action, Place) or not order.is_open)


async def _first_to_end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the first of endless tasks to end, end the others, and raise what has ended it."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
