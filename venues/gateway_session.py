"""The client's end of a gateway session, without its socket: bytes go in, events and bytes to send come out."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from market.codec import MalformedMessageError, StreamDecoder, encode, encode_all
from market.codes import RejectReason, Side, Tag
from market.commands import AmendOrder, CancelOrder, MassCancel, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Halted, Rejected
from market.feed_messages import InstrumentDefinition
from market.limits import ID_MAX
from market.messages import Message
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout

ClientCommand = NewOrder | CancelOrder | AmendOrder | MassCancel


class GatewayError(Exception):
    """The gateway cannot be reached, hung up, or speaks something else."""


class SessionRefusedError(GatewayError):
    """The gateway does not let us in, or has ended the session; to connect again would not help.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(f"the gateway ended the session: {reason.name}")
        self.reason = reason


class Answer(NamedTuple):
    """What some bytes from the gateway mean: new events, what must be sent back, and whether that was the last of it.

    `end` is what ends the connection behind the events.
    """

    events: list[Event]
    to_send: bytes
    end: GatewayError | None = None


# What ends a connection and would end the next one as well.
_FINAL = {
    RejectReason.BAD_CLIENT_ID,
    RejectReason.BAD_TOKEN,
    RejectReason.NO_SESSION_LEFT,
    RejectReason.REPLACED,
    RejectReason.MALFORMED,
}


class SessionEnd:
    """What a client must remember of its session, from one connection to the next.

    Give it what each connection brings; every report comes out once, in order, however often the connection is lost.

    Args:
        client_id, token, is_cancel_on_disconnect, last_sequence: as SessionClient has them.

    Attributes:
        last_sequence: of the last report that came out.
        last_order_id: the highest that was used.
        lost_count: reports that the gateway no longer had when we came back.
        unknown_order_ids: orders of which nobody can say what became of them: without an answer when the gateway had
            forgotten the session, or when it no longer had the reports among which the answer was. They may have been
            done, and are not sent again.
        instruments: by symbol.
    """

    def __init__(
        self, client_id: str, token: str = "", *, is_cancel_on_disconnect: bool = False, last_sequence: int = 0
    ) -> None:
        self.client_id = client_id
        self.last_sequence = last_sequence
        self.last_order_id = 0
        self.lost_count = 0
        self.unknown_order_ids: set[int] = set()
        self.instruments: dict[str, InstrumentDefinition] = {}
        self.is_logged_on = False
        self.idle_ms = 1_000
        self._token = token
        self._is_cancel_on_disconnect = is_cancel_on_disconnect
        self._decoder = StreamDecoder()
        self._end: GatewayError | None = None  # of this connection
        self._unanswered: dict[int, NewOrder] = {}
        self._symbol_ids: dict[int, int] = {}  # of orders that may be open
        self._maybe_answered: set[int] = set()  # by a report that is lost

    @property
    def unanswered_count(self) -> int:
        """How many orders have not had their first report."""
        return len(self._unanswered)

    @property
    def open_order_ids(self) -> frozenset[int]:
        """Our orders that may be open, as far as the reports that came out say."""
        return frozenset(self._symbol_ids)

    def logon(self) -> bytes:
        """Begin a connection; return what must be sent first."""
        self._decoder = StreamDecoder()
        self._end = None
        self.is_logged_on = False
        return encode(Logon(self.client_id, self._token, self.last_sequence, int(self._is_cancel_on_disconnect)))

    def logout(self, *, is_final: bool) -> bytes:
        """Return what ends the connection; with `is_final` also the session and its orders."""
        return encode(Logout(0, int(is_final)))

    def heartbeat(self) -> bytes:
        """Return what is sent when there is nothing to send."""
        return encode(Heartbeat(self.last_sequence))

    def new_order(self, symbol: str, side: Side, price: Decimal, qty: Decimal, **options: int) -> NewOrder:
        """Return an order with the next id; until its first report it is sent again by every new connection.

        Args:
            symbol: one that the gateway has told of.
            price: in quote per base; 0 for a market order.
            options: the other fields of NewOrder by name.

        Raises:
            KeyError: if the symbol is unknown.
            ValueError: if price or quantity lie between two ticks or lots.
        """
        instrument = self.instruments[symbol]
        price_ticks = _multiple("price", price, Decimal(instrument.tick_size))
        qty_lots = _multiple("qty", qty, Decimal(instrument.lot_size))
        order = NewOrder(self.last_order_id + 1, instrument.symbol_id, side, price_ticks, qty_lots, **options)
        self.remember(order)
        return order

    def remember(self, order: NewOrder) -> None:
        """Take note of an order that is about to be sent; its id must be above all before it."""
        assert order.order_id > self.last_order_id, f"ids must rise, was {order.order_id} after {self.last_order_id}"
        self.last_order_id = order.order_id
        self._unanswered[order.order_id] = order
        self._symbol_ids[order.order_id] = order.symbol_id

    def cancel(self, order_id: int) -> CancelOrder:
        """Return the command that cancels an order of ours.

        Raises:
            KeyError: if it is not open.
        """
        return CancelOrder(order_id, self._symbol_ids[order_id])

    def amend(self, order_id: int, price: Decimal, qty: Decimal) -> AmendOrder:
        """Return the command that gives an order of ours a new price and a new open quantity.

        Raises:
            KeyError: if it is not open.
            ValueError: if price or quantity lie between two ticks or lots.
        """
        symbol_id = self._symbol_ids[order_id]
        instrument = next(one for one in self.instruments.values() if one.symbol_id == symbol_id)
        price_ticks = _multiple("price", price, Decimal(instrument.tick_size))
        return AmendOrder(order_id, symbol_id, price_ticks, _multiple("qty", qty, Decimal(instrument.lot_size)))

    def cancel_all(self, symbol: str | None = None, side: Side | None = None) -> MassCancel:
        """Return the command that cancels all our open orders, of one symbol or side if wanted; KeyError as above."""
        symbol_id = -1 if symbol is None else self.instruments[symbol].symbol_id
        return MassCancel(symbol_id, -1 if side is None else side)

    def receive(self, piece: bytes) -> Answer:
        """Take bytes from the gateway. Events in front of what ends the connection come out first, and never again.

        Raises:
            SessionRefusedError: if it says that it is of no use to connect again.
            GatewayError: if what it sends is not of the protocol, or it hangs up for now.
        """
        if self._end is not None:
            raise self._end
        events: list[Event] = []
        to_send: list[bytes] = []
        try:
            for message in self._decoder.feed(piece):
                events.extend(self._take(message, to_send))
        except MalformedMessageError as error:
            self._end = GatewayError(f"the gateway sent something else: {error}")
        except GatewayError as error:
            self._end = error
        if self._end is not None and not events:
            raise self._end
        return Answer(events, b"".join(to_send), self._end)

    def _take(self, message: Message, to_send: list[bytes]) -> Iterator[Event]:
        if isinstance(message, InstrumentDefinition):
            self.instruments[message.symbol] = message
        elif isinstance(message, LoggedOn):
            self._on_logged_on(message)
            # Those that it has had, too: one that it refused, and whose refusal was lost, must not be waited for.
            to_send.append(encode_all(self._unanswered.values()))
        elif isinstance(message, Heartbeat):
            if self.is_logged_on and message.last_sequence > self.last_sequence:
                raise GatewayError(f"expected report {self.last_sequence + 1}, was a heartbeat after more")
        elif isinstance(message, Logout) or (isinstance(message, Rejected) and message.command in (0, Tag.LOGON)):
            reason = RejectReason(message.reason or RejectReason.GATEWAY_STOPS)
            raise SessionRefusedError(reason) if reason in _FINAL else GatewayError(f"the gateway: {reason.name}")
        elif isinstance(message, Event) and not isinstance(message, Halted):
            yield from self._on_event(message)

    def _on_logged_on(self, message: LoggedOn) -> None:
        self.is_logged_on = True
        self.idle_ms = message.idle_ms
        self.last_order_id = max(self.last_order_id, message.last_order_id)
        if message.next_sequence <= self.last_sequence:  # the gateway has forgotten us: another life of the session
            self.last_sequence = 0
            self.unknown_order_ids.update(self._unanswered)
            self._unanswered.clear()
            self._maybe_answered.clear()
            self._symbol_ids.clear()
        missing = message.first_sequence - self.last_sequence - 1
        if missing > 0:
            self.lost_count += missing
            self._maybe_answered.update(self._unanswered)
            self.last_sequence += missing

    def _on_event(self, event: Event) -> Iterator[Event]:
        order_id = _order_of(event)
        if not isinstance(event, Rejected) or event.command == Tag.NEW_ORDER:
            self._unanswered.pop(order_id, None)
        if not event.sequence and order_id in self._maybe_answered and _says(event, RejectReason.DUPLICATE_ORDER_ID):
            self.unknown_order_ids.add(order_id)
            return  # it was never entered, or it was and the answer is lost: no reason to hold it for ended
        if event.sequence and event.sequence <= self.last_sequence:
            return  # the stored reply to an order that was sent again
        if event.sequence:
            if event.sequence != self.last_sequence + 1:
                raise GatewayError(f"expected report {self.last_sequence + 1}, was {event.sequence}")
            self.last_sequence = event.sequence
        if isinstance(event, Accepted):
            self._symbol_ids[order_id] = event.symbol_id
        is_unknown = order_id in self.unknown_order_ids and _says(event, RejectReason.UNKNOWN_ORDER)
        if _is_end(event) or is_unknown:
            self._symbol_ids.pop(order_id, None)
        yield event


def _order_of(event: Event) -> int:
    """Return which of our orders a report is of, 0 for none."""
    if isinstance(event, Executed):
        return event.taker_order_id or event.maker_order_id
    order_id: int = getattr(event, "order_id", 0)
    return order_id


def _says(event: Event, reason: RejectReason) -> bool:
    return isinstance(event, Rejected) and event.reason == reason


def _is_end(event: Event) -> bool:
    """Return whether the order is at its end with this report."""
    if isinstance(event, Executed):
        return not (event.taker_leaves_lots if event.taker_order_id else event.maker_leaves_lots)
    if isinstance(event, Canceled):
        return not event.leaves_lots
    return isinstance(event, Rejected) and event.command == Tag.NEW_ORDER


def _multiple(name: str, value: Decimal, step: Decimal) -> int:
    if not value.is_finite() or not 0 <= value <= ID_MAX * step or value % step:
        raise ValueError(f"{name} must be a multiple of {step:f}, was {value}")
    return int(value // step)
