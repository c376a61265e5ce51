"""A mirror of the maker's orders at a venue in our own engine, through the gateway."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codes import CancelReason, OrderType, RejectReason, Tag
from market.commands import AmendOrder, CancelOrder, NewOrder
from market.events import Accepted, Amended, Canceled, Executed, Rejected, Rested
from market.instrument import Instrument
from market.messages import Message
from trading.own_orders import in_steps
from venues.gateway import GatewayClient, GatewayError

RETRY_NS = NS_PER_SECOND  # after a copy was refused or ended; twice as long after each time more
RETRY_NS_MAX = 30 * NS_PER_SECOND
ANSWER_NS_MAX = 10 * NS_PER_SECOND  # without one the connection is made anew

_Command = NewOrder | CancelOrder | AmendOrder


@dataclass(slots=True)
class _Copy:
    """One order of the venue in the local book.

    Attributes:
        order_id: ours at the gateway, another one each time it is entered.
        shown_lots: what is open of it there, as the engine has told; 0 before it was accepted and after it ended.
        asked_ns: when a command was sent that has had no answer, 0 if there is none.
        backoff: after each refusal and each end.
    """

    order_id: int = 0
    shown_lots: int = 0
    asked_ns: int = 0
    backoff: Backoff = field(default_factory=lambda: Backoff(RETRY_NS, RETRY_NS_MAX))


class GatewayMirror:
    """Keeps the local book's copy of our orders at the venue.

    It connects when it is first needed, and again after the gateway was gone; the gateway cancels the orders of a lost
    connection, so a new one starts from nothing. What the engine refuses, or ends, is entered again after a pause.
    """

    def __init__(self, instrument: Instrument, host: str, port: int, clock: Callable[[], int] = monotonic_ns) -> None:
        self._instrument = instrument
        self._address = (host, port)
        self._clock = clock
        self._client: GatewayClient | None = None
        self._copies: dict[str, _Copy] = {}  # by the venue's order id; also of orders that are no longer open there
        self._leaves: dict[str, int] = {}  # of those that are
        self._next_order_id = 1
        self._refused_count = 0
        self._why = ""

    def sync(self, live: Sequence[VenueOrder]) -> None:
        """Make the local book hold `live`, our open orders at the venue, and nothing else of ours.

        Raises:
            GatewayError: if the gateway cannot be reached; call again later.
        """
        # One between our steps is about to be cancelled; our own engine could not hold it.
        live = [order for order in live if in_steps(order.price, order.leaves_qty, self._instrument)]
        self._leaves = {order.order_id: self._instrument.qty_to_lots(order.leaves_qty) for order in live}
        now_ns = self._clock()
        try:
            client = self._connected()
            self._take(client.receive(), now_ns)
            self._check_answers(now_ns)
            if commands := [*self._cancels(now_ns), *self._changes(live, now_ns)]:
                client.send(commands)
        except GatewayError:
            self.close()
            raise

    def figures(self) -> dict[str, int | str | None]:
        """Return how many orders the local book shows otherwise than the venue, what was refused, and why last."""
        missing = len(self._leaves.keys() - self._copies.keys())
        drift = missing + sum(copy.shown_lots != self._leaves.get(order, 0) for order, copy in self._copies.items())
        return {
            "mirror_drift": drift,
            "mirror_refused": self._refused_count,
            "mirror_why": (self._why or None) if drift else None,
        }

    def close(self) -> None:
        """Hang up; the gateway cancels the mirrored orders."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._copies.clear()

    # --- what the engine says ---

    def _take(self, messages: Iterable[Message], now_ns: int) -> None:
        copies = {copy.order_id: copy for copy in self._copies.values()}
        for message in messages:
            match message:
                case Executed():
                    why = "it was traded here"
                    self._show(copies.get(message.maker_order_id), message.maker_leaves_lots, now_ns, why)
                    self._show(copies.get(message.taker_order_id), message.taker_leaves_lots, now_ns, why)
                case Accepted():
                    self._show(copies.get(message.order_id), message.qty_lots, now_ns)
                case Rested() | Amended():
                    self._show(copies.get(message.order_id), message.leaves_lots, now_ns)
                case Canceled():
                    why = f"it was cancelled here: {CancelReason(message.reason).name}"
                    self._show(copies.get(message.order_id), message.leaves_lots, now_ns, why)
                case Rejected():
                    self._refuse(copies.get(message.order_id), message, now_ns)
                case _:
                    pass  # instruments

    def _show(self, copy: _Copy | None, lots: int, now_ns: int, why: str = "") -> None:
        if copy is None:
            return
        copy.shown_lots, copy.asked_ns = lots, 0
        if lots == 0:
            self._why = why
            copy.backoff.fail(now_ns)

    def _refuse(self, copy: _Copy | None, rejected: Rejected, now_ns: int) -> None:
        if copy is None:
            return
        self._refused_count += 1
        self._why = RejectReason(rejected.reason).name
        copy.asked_ns = 0
        if rejected.command == Tag.NEW_ORDER or rejected.reason == RejectReason.UNKNOWN_ORDER:
            copy.shown_lots = 0
        copy.backoff.fail(now_ns)

    def _check_answers(self, now_ns: int) -> None:
        if any(copy.asked_ns and now_ns - copy.asked_ns > ANSWER_NS_MAX for copy in self._copies.values()):
            raise GatewayError("the gateway does not answer")

    # --- what it is asked ---

    def _cancels(self, now_ns: int) -> list[_Command]:
        commands: list[_Command] = []
        for venue_id in self._copies.keys() - self._leaves.keys():
            copy = self._copies[venue_id]
            if copy.asked_ns:
                continue
            if copy.shown_lots == 0:
                del self._copies[venue_id]
            elif not copy.backoff.is_on(now_ns):
                copy.asked_ns = now_ns
                commands.append(CancelOrder(copy.order_id, self._instrument.symbol_id))
        return commands

    def _changes(self, live: Sequence[VenueOrder], now_ns: int) -> list[_Command]:
        commands: list[_Command] = []
        for order in live:
            copy = self._copies.setdefault(order.order_id, _Copy())
            lots = self._leaves[order.order_id]
            if copy.asked_ns or copy.shown_lots == lots or copy.backoff.is_on(now_ns):
                continue
            copy.asked_ns = now_ns
            price_ticks = self._instrument.price_to_ticks(order.price)
            if copy.shown_lots:
                commands.append(AmendOrder(copy.order_id, self._instrument.symbol_id, price_ticks, lots))
            else:
                copy.order_id = self._next_order_id
                self._next_order_id += 1
                # A copy that would trade with the local book at once is not what the venue has.
                terms = (order.side, price_ticks, lots, OrderType.POST_ONLY)
                commands.append(NewOrder(copy.order_id, self._instrument.symbol_id, *terms))
        return commands

    def _connected(self) -> GatewayClient:
        if self._client is None:
            self._copies.clear()
            self._client = GatewayClient(*self._address)
        return self._client
