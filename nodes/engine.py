"""The engine's node: 1 receive, 2 decode into the ring, 3 journal, 4 match, 5 encode, 6 publish.

It takes every frame that waits as one batch: alone at low load, amortised at high load. (Step 3 has no journal yet: the
book is memory, and every source enters its orders again when the engine's epoch changes.)
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from bus.channel import ChannelSocket
from bus.codec import MalformedMessageError, decode_commands
from bus.messages import TAG_BY_MESSAGE
from bus.order_link import CommandBatch, EngineEnd, LinkError
from bus.publisher import FeedPublisher
from bus.topology import FEED, ORDERS, SNAPSHOTS, source_of_order, source_of_owner
from engine.matching_engine import MatchingEngine, make_engine
from engine.rows import read_event, write_command
from market.clock import time_ns
from market.codes import RejectReason
from market.commands import Command, HaltSymbol, MassCancel, NewOrder
from market.events import Event, Executed, Rejected
from market.instrument import default_instruments
from market.limits import BATCH_MESSAGES_MAX
from nodes.node import Node

HEARTBEAT_MS = 1_000


class EngineNode:
    """The sockets of the engine around a matching engine."""

    def __init__(self, node: Node) -> None:
        settings = node.settings
        instruments = default_instruments()
        self._node = node
        self._engine: MatchingEngine = make_engine(
            settings.engine.book, symbol_count=len(instruments), orders_max=settings.engine.orders_max
        )
        self.epoch = time_ns()
        self._links = EngineEnd(self.epoch)
        self._publisher = FeedPublisher(instruments, self.epoch)
        self._orders = ChannelSocket(ORDERS, settings.run_dir, is_binder=True)
        self._feed = ChannelSocket(FEED, settings.run_dir, is_binder=True)
        self._snapshots = ChannelSocket(SNAPSHOTS, settings.run_dir, is_binder=True)
        self._command_count = 0
        self._bad_frame_count = 0

    def run(self) -> None:
        """Serve until stopped."""
        loop = self._node.poll_loop()
        loop.on_readable(self._orders, self._on_orders)
        loop.on_readable(self._snapshots, self._on_snapshots)
        loop.on_readable(self._feed, self._on_subscriptions)
        loop.every(HEARTBEAT_MS, self._on_heartbeat)
        self._node.ready(orders=self._orders.endpoint, feed=self._feed.endpoint, snapshots=self._snapshots.endpoint)
        loop.run()

    def close(self) -> None:
        """Close the sockets."""
        for socket in (self._orders, self._feed, self._snapshots):
            socket.close()

    def _on_orders(self) -> None:
        while batches := list(self._receive()):
            handled: dict[int, int] = defaultdict(int)
            reports: dict[int, list[Event]] = defaultdict(list)
            last_order_ids: dict[int, int] = defaultdict(int)
            for batch in batches:
                handled[batch.source] += batch.size - batch.skip
                reports[batch.source].extend(self._decode(batch, last_order_ids))
            events = self._match()
            for event in events:
                for source in _sources_of(event):
                    reports[source].append(event)
            for source in reports.keys() | handled.keys():
                self._links.report(source, reports[source], handled[source], last_order_ids[source])
            self._send_reports()
            for frames in self._publisher.take(events, time_ns()):
                self._feed.send(frames)
        self._send_reports()

    def _receive(self) -> Iterator[CommandBatch]:
        """Step 1: yield the waiting frames of new commands, as many as surely fit into the ring."""
        room = self._engine.commands.free_count
        while room >= BATCH_MESSAGES_MAX and (frames := self._orders.receive()) is not None:
            identity, *rest = frames
            try:
                batch = self._links.receive(identity, rest)
            except LinkError as error:
                self._bad_frame_count += 1
                self._node.log.warning("bad frame on the order link", why=str(error))
                continue
            if batch is not None:
                room -= batch.size
                yield batch

    def _decode(self, batch: CommandBatch, last_order_ids: dict[int, int]) -> Iterator[Rejected]:
        """Step 2: write the new commands of a frame into the ring; yield a rejection for each that may not enter."""
        try:
            commands = decode_commands(batch.payload)[batch.skip :]
        except MalformedMessageError as error:
            self._bad_frame_count += 1
            self._node.log.warning("malformed commands", source=batch.source, why=str(error))
            yield Rejected(0, time_ns(), -1, 0, 0, 0, RejectReason.MALFORMED)
            return
        ring = self._engine.commands
        for command in commands:
            reason = _refusal(command, batch.source)
            if reason is None:
                write_command(ring.rows, ring.claim(), command)
                ring.publish()
                if isinstance(command, NewOrder):
                    last_order_ids[batch.source] = max(last_order_ids[batch.source], command.order_id)
            else:
                tag = TAG_BY_MESSAGE[type(command)]
                yield Rejected(0, time_ns(), -1, getattr(command, "order_id", 0), 0, tag, reason)
        self._command_count += len(commands)

    def _match(self) -> list[Event]:
        """Steps 4 and 5: match all that is in the ring and return what happened."""
        events: list[Event] = []
        while len(self._engine.commands):
            self._engine.match()
            while len(rows := self._engine.events.readable()):
                events.extend(map(read_event, rows))
                self._engine.events.consume(len(rows))
        return events

    def _send_reports(self) -> None:
        for identity, frames in self._links.outgoing():
            self._orders.send([identity, *frames])

    def _on_snapshots(self) -> None:
        while (frames := self._snapshots.receive()) is not None:
            *envelope, topic = frames  # a REQ socket puts an empty frame into the envelope; it goes back as it came
            snapshot = self._publisher.snapshot(topic, time_ns())
            self._snapshots.send([*envelope, *(snapshot or [topic, b"", b""])])

    def _on_subscriptions(self) -> None:
        while self._feed.receive() is not None:
            pass

    def _on_heartbeat(self) -> None:
        for frames in self._publisher.heartbeat(time_ns()):
            self._feed.send(frames)
        self._node.show(
            epoch=self.epoch,
            sequence=self._engine.sequence,
            commands=self._command_count,
            live_orders=self._engine.live_order_count,
            bad_frames=self._bad_frame_count,
        )


def _refusal(command: Command, source: int) -> RejectReason | None:
    """Return why `source` may not send `command`: ids and owners must be its own."""
    if isinstance(command, HaltSymbol):
        return None
    if not isinstance(command, MassCancel) and source_of_order(command.order_id) != source:
        return RejectReason.BAD_ORDER_ID
    if source_of_owner(command.owner) != source:
        return RejectReason.BAD_OWNER
    return None


def _sources_of(event: Event) -> set[int]:
    if isinstance(event, Executed):
        return {source_of_order(event.taker_order_id), source_of_order(event.maker_order_id)}
    if isinstance(event, Rejected) and event.order_id == 0:
        return {source_of_owner(event.owner)}
    order_id = getattr(event, "order_id", 0)
    return {source_of_order(order_id)} if order_id else set()


def run(node: Node) -> None:
    """Run the engine's node until it is told to stop."""
    engine = EngineNode(node)
    try:
        engine.run()
    finally:
        engine.close()


def warm_kernels(tell: Callable[[str], None]) -> None:
    """Compile the kernels into the cache that the next start uses; `tell` gets a progress line."""
    tell("warming up the kernels, first run only")
    make_engine("reference", symbol_count=1)
