"""The maker's node: quotes both sides at the venue, and mirrors its orders to the gateway when the venue is not ours.

Each cycle asks the venue what is true (our open orders, the book), decides, and acts; nothing is remembered that the
venue knows better. Orders are recognised by a client order id that starts with this desk's own prefix.
"""

import contextlib
import itertools
import random
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, time_ns
from market.codes import Side
from nodes.desk_venue import desk_venue
from nodes.node import Node, NodeError
from nodes.stop_budget import RETRY_S
from trading.quoting import Quote, symmetric_quotes
from trading.reconcile import LiveOrder, reconcile
from venues.binance import RECV_WINDOW_MS
from venues.gateway import GatewayError
from venues.mirror import GatewayMirror
from venues.venue import (
    Venue,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnknownError,
)

DEPTH_LEVELS = 20
BACK_OFF_NS_MAX = 10 * NS_PER_SECOND
REFUSED_PAUSE_NS = 2 * NS_PER_SECOND
STOP_RETRY_S = 0.05


class MakerNode:
    """The quoting cycle against one venue."""

    def __init__(self, node: Node, venue: Venue, prefix: str) -> None:
        self._node = node
        self._venue = venue
        self._settings = node.settings.maker
        self._instrument = node.settings.instrument
        self._prefix = prefix
        self._client_order_ids = _client_order_ids(prefix)
        self._pause_until_ns = 0
        self._failure_count = 0
        self._is_blind = False
        self._side_pause_ns = {Side.BUY: 0, Side.SELL: 0}
        self._unknown: dict[str, tuple[Side, int]] = {}  # client order id -> side, until when it may still arrive
        self._counts = {"placed": 0, "cancelled": 0, "refused": 0, "unknown": 0}
        gateway = node.settings.gateway
        is_elsewhere = node.settings.venue.name != "paper"
        self._mirror = GatewayMirror(self._instrument, gateway.host, gateway.port) if is_elsewhere else None

    def run(self) -> None:
        """Quote until stopped, then cancel what is ours."""
        loop = self._node.poll_loop()
        loop.every(self._settings.interval_ms, self._on_time)
        try:
            loop.run()
        finally:
            self.stop()

    def _on_time(self) -> None:
        if monotonic_ns() < self._pause_until_ns:
            return
        try:
            self.cycle()
        except VenueKeysError:
            raise
        except VenueError as error:
            self._back_off(error)
        else:
            self._failure_count = 0
            self._node.ready()

    def cycle(self) -> None:
        """Ask the venue what is true, decide, and act, once.

        Raises:
            VenueError: if the venue fails in a way that concerns more than one quote.
        """
        live = self._own_orders()
        self._settle_unknown(live)
        depth = self._venue.depth(self._instrument, DEPTH_LEVELS)
        own: dict[tuple[int, int], int] = {}
        for order in map(self._live, live):
            place = (int(order.side), order.price_ticks)
            own[place] = own.get(place, 0) + order.leaves_lots
        mid_ticks_x2 = depth.without(own).mid_ticks_x2
        wanted: Sequence[Quote] = ()
        tolerance_ticks = 0
        if (mid_ticks_x2 is None) != self._is_blind:
            self._is_blind = mid_ticks_x2 is None
            self._node.log.warning(
                "a side of the book is empty: no quotes" if self._is_blind else "both sides are back"
            )
        if mid_ticks_x2 is not None:
            wanted = (
                symmetric_quotes(self._instrument, mid_ticks_x2, self._settings.half_spread, self._settings.notional)
                or ()
            )
            tolerance_ticks = int(self._settings.requote_tolerance * mid_ticks_x2 / 2)
        plan = reconcile(wanted, [self._live(order) for order in live], tolerance_ticks)
        now_live = {order.order_id: order for order in live}
        for order in plan.cancels:
            self._venue.cancel(self._instrument, order.order_id)
            now_live.pop(order.order_id)
            self._counts["cancelled"] += 1
        for quote in plan.places:
            placed = self._place(quote)
            if placed is not None:
                now_live[placed.order_id] = placed
        self._show(now_live.values(), mid_ticks_x2)
        self._sync_mirror(list(now_live.values()))

    def _place(self, quote: Quote) -> VenueOrder | None:
        is_blocked = any(side == quote.side for side, _ in self._unknown.values())
        if is_blocked or monotonic_ns() < self._side_pause_ns[quote.side]:
            return None
        client_order_id = next(self._client_order_ids)
        try:
            order = self._venue.place(self._instrument, quote.side, quote.price_ticks, quote.qty_lots, client_order_id)
        except VenueUnknownError as error:
            # It may have arrived, or arrive until its window closes: until then nothing more on this side.
            until_ns = monotonic_ns() + RECV_WINDOW_MS * NS_PER_MS
            self._unknown[client_order_id] = (quote.side, until_ns)
            self._counts["unknown"] += 1
            self._node.log.warning("an order's fate is unknown", client_order_id=client_order_id, why=str(error))
            return None
        except VenueKeysError:
            raise
        except VenueRefusedError as error:
            self._side_pause_ns[quote.side] = monotonic_ns() + REFUSED_PAUSE_NS
            self._counts["refused"] += 1
            self._node.log.warning("a quote was refused", side=quote.side.name, why=str(error))
            return None
        self._counts["placed"] += 1
        self._node.log.info(
            "quoted", side=quote.side.name, price=str(order.price), qty=str(order.qty), order_id=order.order_id
        )
        return order

    def _settle_unknown(self, live: Sequence[VenueOrder]) -> None:
        arrived = {order.client_order_id for order in live}
        for client_order_id, (_, until_ns) in list(self._unknown.items()):
            is_known = client_order_id in arrived or self._venue.find_order(self._instrument, client_order_id)
            if is_known or monotonic_ns() > until_ns:
                del self._unknown[client_order_id]
                self._node.log.info("fate settled", client_order_id=client_order_id, arrived=bool(is_known))

    def _own_orders(self) -> list[VenueOrder]:
        orders = self._venue.open_orders(self._instrument)
        return [order for order in orders if order.client_order_id.startswith(self._prefix)]

    def _live(self, order: VenueOrder) -> LiveOrder:
        leaves_lots = self._instrument.qty_to_lots(order.qty - order.filled_qty)
        return LiveOrder(order.order_id, order.side, self._instrument.price_to_ticks(order.price), leaves_lots)

    def _sync_mirror(self, live: list[VenueOrder]) -> None:
        if self._mirror is None:
            return
        try:
            self._mirror.sync(live)
        except GatewayError as error:
            self._node.log.warning("orders are not mirrored", why=str(error))

    def _back_off(self, error: VenueError) -> None:
        self._failure_count += 1
        wait_ns = min(BACK_OFF_NS_MAX, self._settings.interval_ms * NS_PER_MS * 2 ** min(self._failure_count, 10))
        wait_ns = int(wait_ns * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        if isinstance(error, VenueBusyError):
            wait_ns = int(error.retry_after_s * NS_PER_SECOND)
        self._pause_until_ns = monotonic_ns() + wait_ns
        self._node.log.warning("the venue failed", why=str(error), wait_s=round(wait_ns / NS_PER_SECOND, 2))

    def _show(self, live: Iterable[VenueOrder], mid_ticks_x2: int | None) -> None:
        quotes = {order.side.name.lower(): str(order.price) for order in live}
        mid = None if mid_ticks_x2 is None else str(mid_ticks_x2 * self._instrument.tick_size / 2)
        self._node.show(mid=mid, bid=quotes.get("buy"), ask=quotes.get("sell"), **self._counts)

    def stop(self) -> None:
        """Cancel what is ours at the venue, trying again while there is time, and hang up on the gateway."""
        deadline_ns = monotonic_ns() + int(RETRY_S * NS_PER_SECOND)
        try:
            while (error := self._cancel_own()) is not None:
                if isinstance(error, VenueKeysError) or monotonic_ns() > deadline_ns:
                    raise NodeError(f"own orders ({self._prefix}...) may be left at the venue: {error}")
                time.sleep(STOP_RETRY_S)
        finally:
            if self._mirror is not None:
                self._mirror.close()

    def _cancel_own(self) -> VenueError | None:
        """Cancel our open orders; return what the venue failed with, if it did."""
        try:
            for order in self._own_orders():
                self._venue.cancel(self._instrument, order.order_id)
                self._node.log.info("cancelled on stop", side=order.side.name, order_id=order.order_id)
        except VenueError as error:
            return error
        return None


def _client_order_ids(prefix: str) -> Iterator[str]:
    start_ms = time_ns() // NS_PER_MS
    return (f"{prefix}{start_ms}-{n}" for n in itertools.count(1))


def own_prefix(run_dir: Path) -> str:
    """Return how this desk's client order ids start; made up once and kept in the run directory.

    Two desks on one account must not touch each other's orders.
    """
    path = run_dir / "maker_id"
    try:
        name = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        name = secrets.token_hex(3)
        path.write_text(f"{name}\n", encoding="ascii")
    return f"tb-{name}-"


def run(node: Node) -> None:
    """Run the maker's node until it is told to stop."""
    with _maker(node) as maker:
        maker.run()


def clean_up(node: Node) -> None:
    """Cancel what a maker of this desk that was killed has left at the venue."""
    with _maker(node) as maker:
        maker.stop()


@contextlib.contextmanager
def _maker(node: Node) -> Iterator[MakerNode]:
    try:
        venue = desk_venue(node.settings)
        venue.load(node.settings.instrument)
        yield MakerNode(node, venue, own_prefix(node.settings.run_dir))
    except VenueError as error:
        raise NodeError(str(error)) from None
