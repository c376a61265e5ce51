"""The maker's own orders in other pairs than the one that it quotes: of a run of other settings that was killed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.instrument import format_decimal
from nodes.maker.ids import SentOrder, SentOrders
from venues.everywhere import Account, cancel_everywhere
from venues.venue import ARRIVAL_MS_MAX, VenueError, VenueKeysError, VenueNoSuchPairError

LOOK_S: Final = 0.5
PAUSE_NS: Final = NS_PER_SECOND // 2
PAUSE_NS_MAX: Final = 10 * NS_PER_SECOND


class Elsewhere:
    """Takes them away: before the first quote, before a halt is confirmed, and at the end.

    It asks for the open orders of all pairs, which weighs as much as forty quotes: once for each of these.

    Args:
        sent: the note of our orders.
        log: told of each order that is found.
        clock: ns, of any beginning.
        wait: waits so many seconds.
        tell: told of each of which something was left, in whatever thread.
    """

    def __init__(
        self,
        account: Account,
        sent: SentOrders,
        log: Any,
        clock: Callable[[], int] = monotonic_ns,
        wait: Callable[[float], None] = time.sleep,
        tell: Callable[[VenueOrder], None] = lambda _: None,
    ) -> None:
        self._account = account
        self._tell_decision = tell
        self._sent = sent
        self._log = log
        self._clock = clock
        self._wait = wait
        self._arrived_ns = clock() + ARRIVAL_MS_MAX * NS_PER_MS  # what the run before has sent is there by then
        self._cleared = Future[None]()

    def clear(self) -> None:
        """Cancel what is open there, and wait until what may still arrive has, or no longer can: some 6 s.

        Raises:
            VenueError: if the venue does not answer, or refuses.
        """
        for order in cancel_everywhere(self._account, self._sent.prefix, but=self._sent.symbol):
            self._tell(order)
        while self._sent.elsewhere:
            for sent in list(self._sent.elsewhere):
                self._look_for(sent)
            if self._sent.elsewhere:
                self._wait(LOOK_S)

    def clear_within(self, retry_ns: int) -> None:
        """Do so, and try again after failures for so long at most; a venue that names a time is not asked before.

        Raises:
            VenueError: if it still fails.
        """
        until_ns, failures = self._clock() + retry_ns, Backoff(PAUSE_NS, PAUSE_NS)
        while True:
            try:
                return self.clear()
            except VenueError as error:
                now_ns = self._clock()
                wait_ns = failures.fail(now_ns, int(error.retry_after_s * NS_PER_SECOND))
                if isinstance(error, VenueKeysError) or now_ns + wait_ns > until_ns:
                    raise
            self._wait(wait_ns / NS_PER_SECOND)

    def begin(self) -> None:
        """Clear in a thread of its own, trying again after failures; `is_clear` tells whether that is done."""
        self._cleared = cleared = Future[None]()

        def work() -> None:
            failures = Backoff(PAUSE_NS, PAUSE_NS_MAX)
            while not cleared.done():
                try:
                    self.clear()
                    cleared.set_result(None)
                except VenueError as error:
                    wait_s = failures.fail(0, int(error.retry_after_s * NS_PER_SECOND)) / NS_PER_SECOND
                    self._log.warning("orders in other pairs are not known", why=str(error), wait_s=wait_s)
                    self._wait(wait_s)
                except BaseException as bug:  # noqa: BLE001 - raised again by `is_clear`
                    cleared.set_exception(bug)

        # A daemon: nobody waits for a call that hangs.
        threading.Thread(target=work, name="orders elsewhere", daemon=True).start()

    def is_clear(self) -> bool:
        """Say whether all is gone since `begin`."""
        return self._cleared.done() and self._cleared.result() is None

    def _look_for(self, sent: SentOrder) -> None:
        is_late = self._clock() > self._arrived_ns
        try:
            if isinstance(sent.order, VenueOrder):  # what is asked may lag behind the answer that it had; a cancel not
                order, is_late = self._account.cancel_in(sent.symbol, sent.order.order_id), True
            else:
                order = self._account.find_in(sent.symbol, sent.name)
        except VenueNoSuchPairError:
            order, is_late = None, True  # the venue has no such pair any more, and no order in it
        if order is not None and order.is_open:
            order = self._account.cancel_in(order.symbol, order.order_id) or order
        if order is not None:
            self._tell(order)
        if order is not None or is_late:
            self._sent.settle(sent)

    def _tell(self, order: VenueOrder) -> None:
        if order.leaves_qty:
            self._tell_decision(order)
        self._log.warning(
            "cancelled what an earlier run has left in another pair",
            symbol=order.symbol,
            side=order.side.name,
            price=format_decimal(order.price),
            filled=format_decimal(order.filled_qty),
            left=format_decimal(order.leaves_qty),
            order_id=order.order_id,
        )
