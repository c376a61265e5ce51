"""A trader's line over sockets: what happens is told as it happens, orders go out on a connection that stands.

HTTP is behind it: the open orders are asked for there, what became of an order, what we hold; and while the account's
connection is gone, orders are cancelled there. What ends a connection, or makes it say nothing, is told as Silent, and
Following once all stand again: then the trader asks what it has missed. A stream of the account that says nothing while
answers tell of changes is dead, and connected anew.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.depth import Depth
from trading import news
from trading.actions import Action, Amend, Cancel, Move, Place, apart
from venues.binance_sockets import BinanceSockets
from venues.line_end import LineEnd
from venues.polling_line import VenueCalls
from venues.told_orders import LOOK_NS, ToldOrders, orders_of
from venues.trading_line import is_answered, news_of_amend, news_of_cancel, news_of_error, news_of_move
from venues.venue import VenueError, VenueUnavailableError

_PAUSE_NS: Final = 200 * NS_PER_MS  # before a connection is made anew
_PAUSE_NS_MAX: Final = 5 * NS_PER_SECOND
_LONG_LIFE_NS: Final = 10 * NS_PER_SECOND  # after which the pauses begin anew
_MARKET: Final = "market"
_ACCOUNT: Final = "account"


class SocketLine(LineEnd):
    """A line over sockets; see `TradingLine`. It lives in a thread, in an asyncio loop of its own.

    Args:
        calls: the account over HTTP; each call in another thread.
        connect: makes the account's sockets, in the line's thread.
    """

    list_ns = 5 * NS_PER_SECOND  # news of our orders that does not come is found then at the latest
    follows_trades = True  # the market's, without which a line costs half as much

    def __init__(self, calls: VenueCalls, connect: Callable[[], BinanceSockets]) -> None:
        super().__init__()
        self._calls = calls
        self._depth: Depth | None = None
        self._missing = {_MARKET, _ACCOUNT}  # of the connections: those that do not stand
        self._silence = ""  # why, as last told
        self._told_orders = ToldOrders()
        self._account_count = 0  # of the account's connections
        # What the account's news may answer: the halves of a move one by one.
        self._awaited: tuple[list[Action], asyncio.Future[None]] | None = None
        self._begun: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(connect,), name="venue sockets")
        self._thread.start()
        self._loop = self._begun.result()

    def close(self) -> None:
        """Hang up; see `TradingLine`."""
        super().close()
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._has_closed.set)
        self._thread.join()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the line has ended, as `take` will say
            self._loop.call_soon_threadsafe(self._has_changed.set)

    # --- in the line's thread ---

    def _run(self, connect: Callable[[], BinanceSockets]) -> None:
        try:
            asyncio.run(self._live(connect))
        except BaseException as bug:  # noqa: BLE001 - raised again by `take`
            if not self._begun.done():
                self._begun.set_exception(bug)
            self._fail(bug)

    async def _live(self, connect: Callable[[], BinanceSockets]) -> None:
        self._has_changed, self._has_closed = asyncio.Event(), asyncio.Event()
        self._sockets = connect()
        self._begun.set_result(asyncio.get_running_loop())
        try:
            await _first_to_end(
                self._has_closed.wait(),
                self._carry_out_all(),
                self._keep(_MARKET, self._follow_market, self._sockets.leave_market),
                self._keep(_ACCOUNT, self._follow_account, self._sockets.leave_account),
            )
            if not self._has_closed.is_set():
                raise RuntimeError("a part of the line has ended by itself")  # as one that somebody else has cancelled
        finally:
            await self._sockets.close()

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
            self._say([news.Silent(why)])

    def _found(self, connection: str) -> None:
        self._missing.discard(connection)
        if not self._missing:
            self._silence = ""
            assert self._depth is not None, "the market is followed from a book on"
            self._say([news.Following(), news.BookNews(self._depth)])

    async def _follow_market(self) -> None:
        """Tell what happens in the market until that fails."""
        self._depth = await self._sockets.depth()
        self._found(_MARKET)
        await _first_to_end(self._hear_depths(), *([self._hear_trades()] if self.follows_trades else []))

    async def _hear_depths(self) -> None:
        def tell(depth: Depth) -> None:
            self._depth = depth
            if not self._missing:
                self._say([news.BookNews(depth)])

        await self._sockets.follow_depth(tell)

    async def _hear_trades(self) -> None:
        while True:
            self._say([news.TradesNews(await self._sockets.trades())])

    async def _follow_account(self) -> None:
        """Tell what happens to the account's orders until that fails."""
        await self._sockets.subscribe()
        self._told_orders.begin()
        self._account_count += 1
        self._found(_ACCOUNT)
        await _first_to_end(self._hear_orders(), self._look_whether_it_lives())

    async def _hear_orders(self) -> None:
        while True:
            for order in await self._sockets.orders():
                self._told_orders.hear(order)
                self._say([news.OrderNews(order)])
                self._note_answered(order)

    async def _look_whether_it_lives(self) -> None:
        """Wait until the account's stream is dead: the connection stands, and calls on it are answered all the same."""
        while not self._told_orders.is_dead():
            await asyncio.sleep(LOOK_NS / NS_PER_SECOND)
        raise VenueUnavailableError("the account's stream says nothing while its orders change")

    def _note_answered(self, order: VenueOrder) -> None:
        """Take news of an order: whoever waits for a reply need not if it tells as much."""
        if self._awaited is None:
            return
        actions, heard = self._awaited
        actions = [action for action in actions if not is_answered(action, order)]
        self._awaited = actions, heard
        if not actions:
            heard.set_result(None)
            self._awaited = None

    # --- what is done ---

    async def _carry_out_all(self) -> None:
        """Carry out actions, one after the other."""
        while True:
            if (next_one := self._next()) is None:
                await self._has_changed.wait()
                self._has_changed.clear()
                continue
            batch, action = next_one
            connection = self._account_count
            try:
                said = await self._answer(action)
            except VenueError as error:
                said = news_of_error(action, error)
            if connection == self._account_count:  # of what was asked before it the stream need not tell
                for order in orders_of(said):
                    self._told_orders.compare(order)
            self._say(said, batch)

    async def _answer(self, action: Action) -> list[news.News]:
        """Return the answer to an action, nothing if the account's news was the answer."""
        match action:
            case Place():
                return await self._unless_heard(action, self._place(action))
            case Move():
                return await self._unless_heard(action, self._move(action))
            case Amend():
                return await self._amend(action)
            case Cancel() if _ACCOUNT not in self._missing:
                return await self._unless_heard(action, self._cancel(action))
            case _:
                return await self._ask(action)

    async def _place(self, place: Place) -> list[news.News]:
        self._check_stands()
        self._told_orders.send(place.client_order_id)
        return [news.OrderNews(await self._sockets.place(place))]

    async def _move(self, move: Move) -> list[news.News]:
        self._check_stands()
        self._told_orders.send(move.place.client_order_id)
        return news_of_move(move, await self._sockets.move(move))

    async def _amend(self, amend: Amend) -> list[news.News]:
        self._check_stands()
        return [news_of_amend(amend, await self._sockets.amend(amend))]

    async def _cancel(self, cancel: Cancel) -> list[news.News]:
        return [news_of_cancel(cancel, await self._sockets.cancel(cancel.order_id))]

    async def _ask(self, action: Action) -> list[news.News]:
        """Make a call over HTTP; behind one without end wait the cancels of what must leave."""
        try:
            async with asyncio.timeout(self._sockets.answer_s_max):
                return await _in_thread(lambda: self._calls.answer(action))
        except TimeoutError:
            raise VenueUnavailableError("the venue sends an answer without end") from None

    def _check_stands(self) -> None:
        if self._missing:  # of the market, too: a quote is not for a book that nobody knows
            raise VenueUnavailableError(self._silence or "not connected yet")

    async def _unless_heard(self, action: Action, ask: Coroutine[None, None, list[news.News]]) -> list[news.News]:
        """Return the reply, nothing if the account's news has told as much before it: then nobody waits for a reply."""
        heard: asyncio.Future[None] = self._loop.create_future()
        self._awaited = [*apart([action])], heard
        asked = asyncio.create_task(ask)
        waiting: list[asyncio.Future[Any]] = [asked, heard]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return [] if heard.done() else await asked
        finally:
            self._awaited = None
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


def _in_thread(call: Callable[[], list[news.News]]) -> Awaitable[list[news.News]]:
    """Make a call in a thread; nobody waits for one that hangs once the line is closed."""
    answer: Future[list[news.News]] = Future()
    answer.set_running_or_notify_cancel()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as bug:  # noqa: BLE001 - raised to who waits
            answer.set_exception(bug)

    threading.Thread(target=work, name="venue call", daemon=True).start()
    return asyncio.wrap_future(answer)


async def _first_to_end(*works: Coroutine[Any, Any, Any]) -> None:
    """Run until the first ends, end the others, and raise what has ended it."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
