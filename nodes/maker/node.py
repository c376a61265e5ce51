"""The maker's node: quotes both sides at the venue, and mirrors its orders to the gateway when the venue is not ours.

Each cycle asks the venue what is true (our open orders, the book), decides, and acts; nothing is remembered that the
venue knows better. Orders are recognised by a client order id that starts with this desk's own prefix.
"""

import random
import time
from decimal import Decimal
from typing import NamedTuple

from desk.halted_file import LOOK_MS
from desk.run_dir import NodeError
from desk.stopping import RETRY_S
from desk.venue import desk_venue
from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from market.codes import Side
from nodes.maker.halt import MakerHalt
from nodes.maker.ids import SENT_FILE, client_order_ids, own_prefix, read_sent, write_sent
from nodes.maker.log import MakerLog
from nodes.node import Node
from trading.decision import Decision, View, decide
from trading.models import MODELS
from trading.order_rules import OrderRules
from trading.order_watch import OrderWatch
from trading.quoting import Quote
from venues.gateway import GatewayError
from venues.mirror import GatewayMirror
from venues.venue import (
    ARRIVAL_MS_MAX,
    Venue,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnknownError,
)

DEPTH_LEVELS = 20
BACKOFF_NS_MAX = 10 * NS_PER_SECOND
REFUSED_PAUSE_NS = 2 * NS_PER_SECOND  # of a side, after the venue has refused a quote
REFUSED_PAUSE_NS_MAX = 60 * NS_PER_SECOND
STOP_RETRY_NS = NS_PER_SECOND // 20
STOP_RETRY_NS_MAX = NS_PER_SECOND // 2
_FATE_UNKNOWN = "the fate of its last order is unknown"


class _Unknown(NamedTuple):
    """An order of unknown fate, and until when it may still arrive."""

    quote: Quote
    until_ns: int


class MakerNode:
    """The quoting cycle against one venue.

    Args:
        node: whose it is.
        venue: where to quote.
        prefix: of our client order ids.
        rules: the venue's bounds of an order.
    """

    def __init__(self, node: Node, venue: Venue, prefix: str, rules: OrderRules) -> None:
        settings = node.settings
        maker = settings.maker
        self._node = node
        self._venue = venue
        self._instrument = settings.instrument
        self._maker = maker
        self._rules = rules
        self._model = MODELS[maker.model](maker.half_spread, maker.notional)
        self._position: Decimal | None = None
        self._is_position_old = True
        self._prefix = prefix
        self._client_order_ids = client_order_ids(prefix)
        self._log = MakerLog(node)
        self._watch = OrderWatch()
        first_ns = 2 * maker.interval_ms * NS_PER_MS
        self._backoff = Backoff(first_ns, BACKOFF_NS_MAX, lambda: random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._halt = MakerHalt(node)
        self._refusals = {side: Backoff(REFUSED_PAUSE_NS, REFUSED_PAUSE_NS_MAX) for side in Side}
        self._is_started = False
        self._is_stopping = False
        self._sent_path = settings.run_dir / SENT_FILE
        self._unknown = self._left_by_the_run_before()
        is_elsewhere = settings.venue.name != "paper"
        gateway = next(iter(node.plan.gateways.values())).settings  # any will do
        self._mirror = GatewayMirror(self._instrument, gateway.host, gateway.port) if is_elsewhere else None

    def run(self) -> None:
        """Quote until stopped, then cancel what is ours."""
        loop = self._node.poll_loop()
        self._node.on_stop(self._hurry)
        loop.every(self._maker.interval_ms, self._on_time)
        loop.every(LOOK_MS, self._on_look)
        try:
            loop.run()
        finally:
            self.stop()

    def _hurry(self) -> None:
        """Enter no further order, also not in a cycle that has begun."""
        self._is_stopping = True

    def _on_look(self) -> None:
        """Act on a halt or a resume at once, whatever we wait for."""
        if self._halt.is_news():
            self._backoff.until_ns = 0
            self._on_time()

    def _on_time(self) -> None:
        if self._backoff.is_on(monotonic_ns()):
            return
        try:
            self.cycle()
        except VenueKeysError:
            raise
        except VenueError as error:
            self._log.failed(error, self._backoff.fail(monotonic_ns(), int(error.retry_after_s * NS_PER_SECOND)))
        else:
            self._backoff.end()
            self._is_started = True
            self._node.ready()

    def cycle(self) -> None:
        """Ask the venue what is true, decide, and act, once.

        Raises:
            VenueError: if the venue fails in a way that concerns more than one quote.
            NodeError: before the first quote, if no quote of these settings can be an order there.
        """
        is_halted = self._halt.is_on()
        self._settle_unknown()
        live = self._own_orders()
        if is_halted:
            self._pull(live)
            return
        decision = self._decide(live)
        if decision.obstacle and not self._is_started:
            raise NodeError(decision.obstacle)
        for order_id, reason in decision.cancels.items():
            self._cancel(live, order_id, reason)
        idle = dict(decision.idle)
        for quote in decision.places:
            if (why := self._place(live, quote)) is not None:
                idle[quote.side] = why
        self._log.idle(idle)
        self._show(live, decision.mid)

    def _pull(self, live: dict[str, VenueOrder]) -> None:
        """Have no order of ours anywhere; say `halted` once that is sure."""
        for order_id in list(live):
            self._cancel(live, order_id, "halted")
        self._log.idle(dict.fromkeys(Side, "halted"))
        self._show({}, None)
        self._halt.tell(is_halted=not self._unknown)

    def _show(self, live: dict[str, VenueOrder], mid: Decimal | None) -> None:
        """Tell what is open now, in `status` and to the gateway; what we hold is asked for after each fill."""
        if self._is_position_old:
            base = self._venue.balances().get(self._instrument.base)
            self._position = None if base is None else base.total
            self._is_position_old = False
        self._log.show(live.values(), mid, self._position)
        self._sync_mirror(live)

    def _decide(self, live: dict[str, VenueOrder]) -> Decision:
        depth = self._venue.depth(self._instrument, DEPTH_LEVELS)
        now_ns = monotonic_ns()
        held = {side: pause.why for side, pause in self._refusals.items() if pause.is_on(now_ns)}
        held |= {each.quote.side: _FATE_UNKNOWN for each in self._unknown.values()}
        view = View(
            {order_id: self._left_of(order) for order_id, order in live.items()},
            [each.quote for each in self._unknown.values()],
            depth,
            self._position,
            held,
        )
        maker = self._maker
        return decide(self._instrument, self._rules, self._model, maker.requote_tolerance, maker.replace_below, view)

    def _left_of(self, order: VenueOrder) -> Quote:
        price_ticks = self._instrument.price_to_ticks(order.price)
        return Quote(order.side, price_ticks, self._instrument.qty_to_lots(order.leaves_qty))

    # --- what is true ---

    def _own_orders(self) -> dict[str, VenueOrder]:
        """Return our open orders by the venue's id, and tell what was filled or ended since the last look."""
        listed = [
            order
            for order in self._venue.open_orders(self._instrument)
            if order.client_order_id.startswith(self._prefix)
        ]
        for order in self._watch.missing(listed):
            found = self._venue.find_order(self._instrument, order.client_order_id)
            if found is None:
                self._watch.forget(order)
                self._log.gone(order)
            elif found.is_open:
                listed.append(found)  # the venue's list lags behind
            else:
                self._note(found)
        for order in listed:
            self._note(order)
        return {order.order_id: order for order in listed if order.is_open}

    def _note(self, order: VenueOrder, why_ended: str = "") -> None:
        filled_qty = self._watch.note(order)
        if filled_qty:
            for pause in self._refusals.values():
                pause.end()  # what was missing on the other side may be there now
            self._is_position_old = True
            self._log.filled(order, filled_qty)
        if not order.is_open and order.leaves_qty:
            self._log.ended(order, why_ended or f"{order.status} at the venue, not by this desk")

    def _settle_unknown(self) -> None:
        """Ask what became of orders without an answer, before the open ones are read, which then hold what arrived."""
        for client_order_id, unknown in list(self._unknown.items()):
            asked_ns = monotonic_ns()
            found = self._venue.find_order(self._instrument, client_order_id)
            if found is None and asked_ns <= unknown.until_ns:
                continue
            del self._unknown[client_order_id]
            self._keep_sent()
            self._log.settled(client_order_id, found)
            if found is not None:
                self._watch.begin(found)
                self._note(found)

    def _left_by_the_run_before(self) -> dict[str, _Unknown]:
        until_ns = monotonic_ns() + ARRIVAL_MS_MAX * NS_PER_MS
        try:
            sent = read_sent(self._sent_path, self._instrument.symbol)
        except (OSError, ValueError) as error:
            self._log.note_failed(error)
            return {}
        return {name: _Unknown(quote, until_ns) for name, quote in sent.items()}

    # --- what is done ---

    def _cancel(self, live: dict[str, VenueOrder], order_id: str, why: str) -> None:
        ended = self._venue.cancel(self._instrument, order_id)
        del live[order_id]
        if ended is not None:  # else it was filled on the way, as the next look will show
            self._log.counts["cancelled"] += 1
            self._note(ended, why)

    def _place(self, live: dict[str, VenueOrder], quote: Quote) -> str | None:
        """Enter an order; return why it does not stand, if it does not."""
        if self._is_stopping:
            return "the maker stops"
        client_order_id = next(self._client_order_ids)
        self._keep_sent({client_order_id: quote})  # until the venue has said what became of it
        try:
            order = self._venue.place(self._instrument, quote.side, quote.price_ticks, quote.qty_lots, client_order_id)
        except VenueError as error:
            why = self._not_placed(client_order_id, quote, error)
            self._keep_sent()
            if why is None:
                raise
            return why
        self._keep_sent()
        self._refusals[quote.side].end()
        self._watch.begin(order)
        self._log.quoted(order)
        self._note(order)
        if order.is_open:
            live[order.order_id] = order
        return None

    def _not_placed(self, client_order_id: str, quote: Quote, error: VenueError) -> str | None:
        """Take note that an order does not stand; return why, None if that concerns more than this quote."""
        if isinstance(error, VenueUnknownError):
            # It may have arrived, or arrive until its window closes: until then nothing more on this side.
            self._unknown[client_order_id] = _Unknown(quote, monotonic_ns() + ARRIVAL_MS_MAX * NS_PER_MS)
            self._log.unknown(client_order_id, error)
            return _FATE_UNKNOWN
        if isinstance(error, VenueKeysError) or not isinstance(error, VenueRefusedError):
            return None
        why = f"refused: {error}"
        self._log.refused(quote, error, self._refusals[quote.side].fail(monotonic_ns(), why=why))
        return why

    def _keep_sent(self, more: dict[str, Quote] | None = None) -> None:
        sent = {name: each.quote for name, each in self._unknown.items()}
        try:
            write_sent(self._sent_path, self._instrument.symbol, sent | (more or {}))
        except OSError as error:
            self._log.note_failed(error)

    def _sync_mirror(self, live: dict[str, VenueOrder]) -> None:
        if self._mirror is None:
            return
        try:
            self._mirror.sync(list(live.values()))
        except GatewayError as error:
            self._log.not_mirrored(error)
        self._node.show(**self._mirror.figures())

    # --- the end ---

    def stop(self) -> None:
        """Cancel what is ours at the venue, trying again while there is time, and hang up on the gateway.

        Raises:
            NodeError: if orders of ours may be left there.
        """
        self._is_stopping = True
        began_ns, pause = monotonic_ns(), Backoff(STOP_RETRY_NS, STOP_RETRY_NS_MAX)
        try:
            while True:
                try:
                    return self._leave()
                except VenueError as error:
                    now_ns = monotonic_ns()
                    wait_ns = pause.fail(now_ns, int(error.retry_after_s * NS_PER_SECOND))
                    last_ns = max((each.until_ns for each in self._unknown.values()), default=0)
                    deadline_ns = max(began_ns + int(RETRY_S * NS_PER_SECOND), last_ns + 2 * STOP_RETRY_NS_MAX)
                    if isinstance(error, VenueKeysError) or now_ns + wait_ns > deadline_ns:
                        raise NodeError(f"own orders ({self._prefix}...) may be left at the venue: {error}") from None
                time.sleep(wait_ns / NS_PER_SECOND)
        finally:
            if self._mirror is not None:
                self._mirror.close()

    def _leave(self) -> None:
        """Cancel our open orders and those that arrive late.

        Raises:
            VenueError: what keeps it from being all.
        """
        self._settle_unknown()
        live = self._own_orders()
        for order_id in list(live):
            self._cancel(live, order_id, "the maker stops")
        if self._unknown:
            raise VenueUnknownError(f"the fate of {', '.join(self._unknown)} is unknown")


def run(node: Node) -> None:
    """Run the maker's node until it is told to stop."""
    _maker(node).run()


def clean_up(node: Node) -> None:
    """Cancel what a maker of this desk that was killed has left at the venue."""
    _maker(node).stop()


def _maker(node: Node) -> MakerNode:
    venue = desk_venue(node.settings)
    rules = venue.load(node.settings.instrument)
    return MakerNode(node, venue, own_prefix(node.settings.run_dir), rules)
