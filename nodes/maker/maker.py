"""The maker: carries between a trader and its line to the venue, and tells what the trader does.

The trader's orders are recognised by a client order id that starts with this desk's own prefix: what it knows of them
need not outlive the process, but for what no list of open orders may show yet.
"""

import random
import select
import socket
from collections.abc import Callable
from functools import partial

from desk.halted_file import LOOK_MS
from desk.risk_file import kept_account, risk_name
from desk.run_dir import NodeError
from desk.stopping import RETRY_S
from desk.strategy import terms_of
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import format_decimal
from nodes.maker.elsewhere import Elsewhere
from nodes.maker.halt import MakerHalt
from nodes.maker.ids import SentOrders, client_order_ids, forget_out, note_out
from nodes.maker.log import MakerLog
from nodes.maker.quality import MakerQuality
from nodes.maker.risk import MakerRisk
from nodes.maker.traffic import VenueTraffic
from nodes.maker.tuning import MakerTuning
from nodes.maker.watchdog import Watchdog
from nodes.node import BEAT_MS, Node
from trading import news, notes
from trading.model_strategy import ModelStrategy
from trading.order_rules import OrderRules
from trading.outbox import Outbox
from trading.pair_rules import RULES_NS
from trading.quoting import Estimates
from trading.reasons import HALTED, STOPPING
from trading.strategy import Strategy
from trading.trader import LEAVE_PAUSE_NS_MAX, Trader
from venues.trading_line import TradingLine
from venues.venue import ARRIVAL_MS_MAX, VenueError, VenueKeysError


class Maker:
    """A trader between its line and those who watch it.

    Args:
        node: whose it is.
        line: to the venue.
        strategy: the trader's.
        rules: the venue's bounds of an order.
        clock: the trader's.
        sent: the note of our orders.
        elsewhere: our orders in other pairs.
    """

    def __init__(
        self,
        node: Node,
        line: TradingLine,
        strategy: Strategy,
        rules: OrderRules,
        clock: Callable[[], int],
        sent: SentOrders,
        elsewhere: Elsewhere,
    ) -> None:
        settings = node.settings
        self._node = node
        self._line = line
        self._clock = clock
        self._strategy = strategy
        self._log = MakerLog(node)
        self._halt = MakerHalt(node)
        self._tuning = MakerTuning(node, strategy)
        self._quality = MakerQuality(node, clock())
        self._sent = sent
        self._elsewhere = elsewhere
        self._stop_failed_ns: int | None = None  # when the venue has first failed while we stop
        of = risk_name(sent.account, sent.symbol)
        kept = kept_account(settings.run_dir, of)
        terms = terms_of(settings, sent.prefix, line.list_ns)._replace(rules_ns=RULES_NS)
        self._trader = Trader(
            strategy,
            settings.instrument,
            rules,
            terms if kept is None else terms._replace(kept_neutral_qty=kept.neutral_qty, had=kept.has),
            client_order_ids(sent.prefix),
            partial(random.uniform, 0.5, 1.0),
        )
        self._trader.take_over(sent.orders, sent.lately, clock())
        self._risk = MakerRisk(node, self._trader.guard.escalation, of, clock())
        self._traffic = VenueTraffic(node, self._trader)

    def run(self, watchdog: Watchdog) -> None:
        """Quote until stopped, then cancel what is ours.

        Raises:
            NodeError: if the watchdog fails, or orders of ours may be left at the venue.
            StayDownError: if it has withdrawn so far that it has no connection any more.
        """
        loop = self._node.poll_loop()

        def on_beat() -> None:
            if not watchdog.beat():
                loop.stop()

        def on_news() -> None:
            wake_ns = self.step().wake_ns
            if self._risk.is_disconnected:
                loop.stop()
            alarm.set(None if wake_ns is None else wake_ns - self._clock())

        def on_look() -> None:
            self._tuning.follow()
            if self.follow_halt() or self.follow_resume():
                on_news()
            self.confirm_halt()
            self.show_slow()

        loop.on_readable(self._line.ready, on_news)
        loop.every(LOOK_MS, on_look)
        loop.every(BEAT_MS, on_beat)
        alarm = loop.alarm(on_news)
        alarm.set(0)
        try:
            watchdog.await_ready()
            forget_out(self._node.settings.run_dir)
            if not self._risk.is_disconnected:
                loop.run()
        finally:
            watchdog.stopping()
            self.stop()
            watchdog.release()
        if watchdog.has_failed:
            raise NodeError("the watchdog has ended, or hangs: no quotes without it")
        self._risk.check()

    def step(self) -> Outbox:
        """Let the trader take the news, keep which orders leave and which are open, and let them leave.

        Raises:
            VenueKeysError: if the venue does not accept our keys.
            MendableError: if nothing of these settings can be quoted, or the strategy fails.
        """
        began_ns = self._clock()
        said = self._line.take()
        now_ns = self._clock()
        outbox = self._trader.step(now_ns, said)
        self._log.decided()
        self._sent.keep(self._trader.orders.to_leave(now_ns), self._trader.to_leave())
        self._risk.keep(now_ns)
        if outbox.actions:
            self._line.act(outbox.actions)
        self._traffic.take(said, outbox, self._clock() - began_ns)
        self._log.take(outbox, self._trader.orders)
        if any(isinstance(note, notes.Withdrew) for note in outbox.notes):
            self._node.beat()  # else what it says of its quotes would be older than its withdrawal
        self._quality.take(now_ns, outbox, self._trader.orders)
        for note in outbox.notes:
            if isinstance(note, notes.Looked) and self._trader.why_out != STOPPING:
                self._round_is_over(note)
        for each in said:
            if isinstance(each, news.Failed) and each.is_keys:
                raise VenueKeysError(each.why)
        return outbox

    def follow_halt(self) -> bool:
        """Do as the operator has said since this was last asked; return whether there was something."""
        if not self._halt.is_news():
            return False
        if self._halt.is_on():
            self._elsewhere.begin()
            self._trader.leave(HALTED, self._clock(), self._line.take_back())
        else:
            self._trader.come_back()
        return True

    def follow_resume(self) -> bool:
        """Quote again if a person has taken back a withdrawal; return whether that is so."""
        is_resumed = self._risk.follow()
        if is_resumed and self._trader.why_out is None:
            self._trader.come_back()
        return is_resumed

    def confirm_halt(self) -> None:
        """Say that nothing of ours is anywhere, where the last round could not say so of other pairs yet."""
        is_awaited = self._trader.why_out == HALTED and not self._halt.is_told
        if is_awaited and self._trader.is_out and self._elsewhere.is_clear():
            self._halt.tell(is_halted=True)

    def show_slow(self) -> None:
        """Say what the venue has not answered for long: until it does no round ends, and nothing else is told."""
        self._node.show(slow=self._trader.slow(self._clock()) or None)

    def stop(self) -> None:
        """Cancel what is ours at the venue, trying again while there is time, and hang up.

        Raises:
            NodeError: if orders of ours may be left there.
        """
        began_ns = self._clock()
        self._log.leave()
        self._trader.leave(STOPPING, began_ns, self._line.take_back())
        try:
            outbox = self.step()
            while not self._trader.is_out:
                self._give_up_late(outbox, began_ns)
                wait_for(self._line.ready, None if outbox.wake_ns is None else outbox.wake_ns - self._clock())
                outbox = self.step()
            self._elsewhere.clear_within(began_ns + int(RETRY_S * NS_PER_SECOND) - self._clock())
            self._note_out()
        except VenueError as error:
            raise self._left(str(error)) from None
        finally:
            self._line.close()
            self._log.close()
            self._quality.keep()

    def _note_out(self) -> None:
        try:
            note_out(self._node.settings.run_dir)
        except OSError as error:
            self._node.log.warning("that no order is left is not noted: after a kill nobody knows", why=str(error))

    def _round_is_over(self, looked: notes.Looked) -> None:
        trader = self._trader
        seen = self._strategy.seen if isinstance(self._strategy, ModelStrategy) else Estimates()
        self._log.show(looked, trader.orders, trader.position, seen)
        self._quality.see(seen)
        self._node.show(neutral=None if trader.neutral is None else format_decimal(trader.neutral))
        self._risk.show()
        self._traffic.show(self._clock())
        if trader.is_started:
            self._node.ready()
        if trader.why_out == HALTED:
            self._halt.tell(is_halted=trader.is_out and self._elsewhere.is_clear())
        if self._log.take_fill_news():
            self._node.beat()  # who looks at a screen sees a fill at once

    def _give_up_late(self, outbox: Outbox, began_ns: int) -> None:
        """End a stop for which there is no more time: the venue fails, or its answers bring it no nearer to the end.

        Its time begins with the first failure: of one call that has no answer it is told as late as that may last.
        """
        unknown, retry_ns = self._trader.orders.unknown, int(RETRY_S * NS_PER_SECOND)
        arrival_ns = max((each.until_ns for each in unknown.values()), default=0) + 3 * LEAVE_PAUSE_NS_MAX
        for note in outbox.notes:
            now_ns = self._clock()
            if isinstance(note, notes.Paused):
                self._stop_failed_ns = self._stop_failed_ns or now_ns
                if now_ns + note.wait_ns > max(self._stop_failed_ns + retry_ns, arrival_ns):
                    raise self._left(note.why)
            lag_ns = began_ns + ARRIVAL_MS_MAX * NS_PER_MS  # a list may be of some seconds ago
            if isinstance(note, notes.Looked) and now_ns > max(lag_ns, arrival_ns) and not self._trader.is_out:
                raise self._left("it has them open still")

    def _left(self, why: str) -> NodeError:
        orders = self._trader.orders
        known = ", ".join(sorted({*orders.standing, *orders.unsettled()}))
        which = f"; known to be, or to come: {known}" if known else ""
        return NodeError(f"own orders ({self._sent.prefix}...) may be left at the venue: {why}{which}")


def wait_for(source: socket.socket, wait_ns: int | None) -> None:
    """Wait until `source` can be read, for `wait_ns` at most."""
    select.select([source], [], [], None if wait_ns is None else max(0, wait_ns) / NS_PER_SECOND)
