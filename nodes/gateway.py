"""The gateway's node: TCP clients on one side, the order link to the engine on the other.

A client's order ids are its own. The gateway hands out the desk's ids, keeps the two in step for as long as an order is
open, and sends every report under the client's id. When a client hangs up, what it has open is cancelled; when the
engine comes back with an empty book, every open order is reported as cancelled (ENGINE_RESTARTED).
"""

import socket
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from bus.channel import POLL_READ, POLL_WRITE, PollLoop
from bus.codec import MalformedMessageError, StreamDecoder, encode, encode_all
from bus.feed import definition_of
from bus.messages import TAG_BY_MESSAGE, Message
from bus.order_link import Connected, Reports
from bus.order_source import OrderSource
from bus.topology import Source
from market.clock import monotonic_ns, time_ns
from market.codes import CancelReason, RejectReason
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, NewOrder
from market.events import Amended, Canceled, Event, Executed, Rejected
from market.instrument import default_instruments
from market.limits import TCP_SESSIONS_MAX
from nodes.node import Node, NodeError

TICK_MS = 100
ENDED_ORDERS_MAX = 4_096
SEND_BYTES_MAX = 8 << 20  # reports that a client may leave unread before we hang up


@dataclass(slots=True, eq=False)
class OpenOrder:
    """An order of a session that the engine may hold."""

    session: "Session"
    client_id: int
    order: NewOrder
    leaves_lots: int


@dataclass(slots=True, eq=False)
class Session:
    """One connected client: its socket, its owner number, and what it has open (by its own order ids)."""

    connection: socket.socket
    owner: int
    peer: str
    decoder: StreamDecoder = field(default_factory=StreamDecoder)
    orders: dict[int, int] = field(default_factory=dict)
    unsent: deque[bytes] = field(default_factory=deque)
    unsent_bytes: int = 0
    is_open: bool = True


class GatewayNode:
    """The sockets of the gateway and the table of open orders."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._loop: PollLoop = node.poll_loop()
        self._source = OrderSource(Source.GATEWAY, node.settings.run_dir)
        self._orders: dict[int, OpenOrder] = {}  # by the desk's order id
        self._sessions: dict[int, Session] = {}  # by owner
        self._next_order_id = Source.GATEWAY.first_order_id + 1
        self._ended: OrderedDict[int, tuple[Session, int]] = OrderedDict()  # for a cancel that crosses the last fill
        self._listener = self._listen()
        self._is_listening = False
        self._counts = {"orders": 0, "rejected": 0, "malformed": 0}

    def _listen(self) -> socket.socket:
        host, port = self._node.settings.gateway.host, self._node.settings.gateway.port
        try:
            listener = socket.create_server((host, port), backlog=64)
        except OSError as error:
            why = str(error.strerror).partition(" (while")[0]  # the library says the address again
            raise NodeError(f"cannot listen on {host}:{port}: {why}") from None
        listener.setblocking(False)
        return listener

    def run(self) -> None:
        """Serve until stopped."""
        self._loop.on_readable(self._source.socket, self._on_engine)
        self._loop.every(TICK_MS, self._on_tick)
        self._loop.run()

    def close(self) -> None:
        """Hang up on every client, cancel what they had open, and give the cancels time to leave."""
        for session in list(self._sessions.values()):
            self._hang_up(session, "the gateway stops")
        self._listener.close()
        self._source.close()

    # --- clients ---

    def _on_connection(self) -> None:
        try:
            connection, (host, port, *_) = self._listener.accept()
        except OSError:
            return  # it was gone before we looked
        owners = range(Source.GATEWAY.first_owner, Source.GATEWAY.first_owner + TCP_SESSIONS_MAX)
        owner = next((number for number in owners if number not in self._sessions), None)
        if owner is None:
            connection.close()
            self._node.log.warning("too many clients", most=TCP_SESSIONS_MAX)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(connection, owner, f"{host}:{port}")
        self._sessions[owner] = session
        self._loop.watch(connection, lambda: self._on_client(session), POLL_READ)
        self._reply(session, encode_all([definition_of(instrument) for instrument in default_instruments()]))
        self._node.log.info("client connected", peer=session.peer)

    def _on_client(self, session: Session) -> None:
        self._flush_client(session)
        try:
            piece = session.connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError as error:
            self._hang_up(session, error.strerror or "lost")
            return
        if not piece:
            self._hang_up(session, "the client hung up")
            return
        try:
            for message in session.decoder.feed(piece):
                self._on_command(session, message)
        except MalformedMessageError as error:
            self._counts["malformed"] += 1
            self._reply(session, encode(Rejected(0, time_ns(), -1, 0, 0, 0, RejectReason.MALFORMED)))
            self._hang_up(session, str(error))

    def _on_command(self, session: Session, message: Message) -> None:
        if not isinstance(message, NewOrder | CancelOrder | AmendOrder):
            raise MalformedMessageError(f"{type(message).__name__} is not for clients")
        if not self._source.is_connected:
            self._reject(session, message, RejectReason.ENGINE_UNAVAILABLE)
        elif isinstance(message, NewOrder):
            self._on_new_order(session, message)
        elif message.order_id not in session.orders:
            self._reject(session, message, RejectReason.UNKNOWN_ORDER)
        else:
            order_id = session.orders[message.order_id]
            self._send(message._replace(order_id=order_id, owner=session.owner, time_ns=time_ns()))

    def _on_new_order(self, session: Session, message: NewOrder) -> None:
        if message.order_id in session.orders:
            self._reject(session, message, RejectReason.DUPLICATE_ORDER_ID)
            return
        order_id = self._next_order_id
        self._next_order_id += 1
        session.orders[message.order_id] = order_id
        self._orders[order_id] = OpenOrder(session, message.order_id, message, message.qty_lots)
        self._counts["orders"] += 1
        self._send(message._replace(order_id=order_id, owner=session.owner, time_ns=time_ns()))

    def _reject(self, session: Session, command: NewOrder | CancelOrder | AmendOrder, reason: RejectReason) -> None:
        self._counts["rejected"] += 1
        tag = TAG_BY_MESSAGE[type(command)]
        self._reply(session, encode(Rejected(0, time_ns(), command.symbol_id, command.order_id, 0, tag, reason)))

    def _reply(self, session: Session, data: bytes) -> None:
        if not session.is_open:
            return
        session.unsent.append(data)
        session.unsent_bytes += len(data)
        self._flush_client(session)
        if session.unsent_bytes > SEND_BYTES_MAX:
            self._hang_up(session, "the client does not read its reports")

    def _flush_client(self, session: Session) -> None:
        try:
            while session.unsent:
                sent = session.connection.send(session.unsent[0])
                session.unsent_bytes -= sent
                rest = session.unsent[0][sent:]
                session.unsent.popleft()
                if rest:
                    session.unsent.appendleft(rest)
        except BlockingIOError:
            pass
        except OSError:
            session.unsent.clear()  # its reading end will say that the client is gone
        events = POLL_READ | POLL_WRITE if session.unsent else POLL_READ
        self._loop.watch(session.connection, lambda: self._on_client(session), events)

    def _hang_up(self, session: Session, why: str) -> None:
        if not session.is_open:
            return
        session.is_open = False
        self._node.log.info("client gone", peer=session.peer, why=why, open_orders=len(session.orders))
        self._loop.forget(session.connection)
        session.connection.close()
        if self._source.is_connected:
            now_ns = time_ns()
            for order_id in session.orders.values():
                order = self._orders[order_id].order
                self._send(CancelOrder(order_id, order.symbol_id, session.owner, now_ns))
        self._release(session)

    def _release(self, session: Session) -> None:
        if not session.is_open and not session.orders:
            self._sessions.pop(session.owner, None)  # its owner number is free for the next client

    # --- engine ---

    def _send(self, command: Command) -> None:
        self._source.send([command])

    def _on_engine(self) -> None:
        for news in self._source.receive():
            if isinstance(news, Connected):
                self._on_connected(news)
            else:
                self._on_reports(news)

    def _on_connected(self, news: Connected) -> None:
        self._next_order_id = max(self._next_order_id, news.last_order_id + 1)
        if news.is_new_epoch:
            for order_id, entry in list(self._orders.items()):
                self._end_lost(order_id, entry)
            # Orders of clients of an earlier gateway process, which nobody can cancel any more.
            first = Source.GATEWAY.first_owner
            now_ns = time_ns()
            self._source.send(
                [MassCancel(owner=owner, time_ns=now_ns) for owner in range(first, first + TCP_SESSIONS_MAX)]
            )
        if not self._is_listening:
            self._loop.watch(self._listener, self._on_connection, POLL_READ)
            self._is_listening = True
            host, port, *_ = self._listener.getsockname()
            self._node.ready(tcp=f"{host}:{port}")

    def _end_lost(self, order_id: int, entry: OpenOrder) -> None:
        order = entry.order
        event = Canceled(
            0,
            time_ns(),
            order.symbol_id,
            entry.client_id,
            0,
            order.side,
            order.price_ticks,
            entry.leaves_lots,
            0,
            CancelReason.ENGINE_RESTARTED,
        )
        self._reply(entry.session, encode(event))
        self._end(order_id)

    def _on_reports(self, news: Reports) -> None:
        for event in news.events:
            if isinstance(event, Executed):
                self._on_executed(event)
            else:
                self._on_event(event)

    def _on_executed(self, event: Executed) -> None:
        maker, taker = self._orders.get(event.maker_order_id), self._orders.get(event.taker_order_id)
        for entry, own in ((maker, "maker"), (taker, "taker")):
            if entry is None:
                continue
            # A client sees its own order under its own id, and nothing of who stood on the other side.
            other = "taker" if own == "maker" else "maker"
            entry.leaves_lots = getattr(event, f"{own}_leaves_lots")
            changes = {f"{own}_order_id": entry.client_id, f"{other}_order_id": 0, f"{other}_owner": 0}
            changes |= {f"{own}_owner": 0, f"{other}_leaves_lots": 0, "maker_resting_lots": 0}
            self._reply(entry.session, encode(event._replace(**changes)))
        for order_id in (event.maker_order_id, event.taker_order_id):
            if order_id in self._orders and self._orders[order_id].leaves_lots == 0:
                self._end(order_id)

    def _on_event(self, event: Event) -> None:
        order_id = getattr(event, "order_id", 0)
        entry = self._orders.get(order_id)
        if entry is None:
            if isinstance(event, Rejected) and order_id in self._ended:
                session, client_id = self._ended[order_id]
                self._reply(session, encode(event._replace(order_id=client_id, owner=0)))
            return
        self._reply(entry.session, encode(event._replace(order_id=entry.client_id, owner=0)))  # type: ignore[call-arg]
        if isinstance(event, Canceled | Amended):
            entry.leaves_lots = event.leaves_lots
        if isinstance(event, Amended):
            entry.order = entry.order._replace(price_ticks=event.price_ticks)
        is_refused = isinstance(event, Rejected) and event.command == TAG_BY_MESSAGE[NewOrder]
        if is_refused or (isinstance(event, Canceled) and not event.leaves_lots):
            self._end(order_id)

    def _end(self, order_id: int) -> None:
        entry = self._orders.pop(order_id)
        entry.session.orders.pop(entry.client_id, None)
        self._ended[order_id] = (entry.session, entry.client_id)
        if len(self._ended) > ENDED_ORDERS_MAX:
            self._ended.popitem(last=False)
        self._release(entry.session)

    def _on_tick(self) -> None:
        self._source.tick(monotonic_ns())
        self._node.show(clients=len(self._sessions), open_orders=len(self._orders), **self._counts)


def run(node: Node) -> None:
    """Run the gateway's node until it is told to stop."""
    gateway = GatewayNode(node)
    try:
        gateway.run()
    finally:
        gateway.close()
