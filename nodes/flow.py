"""The flow's node: runs an order flow, synthetic, a replay or a live market, against the engine."""

import itertools

from bus.order_link import Connected
from bus.order_source import OrderSource
from bus.topology import Source
from flow.live import LiveFlow
from flow.order_flow import OrderFlow
from flow.recording import RecordingError
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns
from market.commands import Command, MassCancel
from market.events import Event
from nodes.live_market import LiveMarket
from nodes.market_flows import make_flow
from nodes.node import Node, NodeError

STEP_MS = 5
LINK_TICK_MS = 100
OWNER = Source.FLOW.first_owner
SUMMARY_NS = 60 * NS_PER_SECOND


class FlowNode:
    """One order flow and its link to the engine."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._source = OrderSource(Source.FLOW, node.wiring, engine=node.settings.market_engine)
        node.watch(self._source.socket)
        self._flow: OrderFlow | None = None
        self._live: LiveMarket | None = None  # of a flow that follows one
        self._events: list[Event] = []
        self._base_sequence = 0  # the link's number of the last command before the flow's first
        self._start_sequence = 0  # of the last command that builds the book
        self._acknowledged = 0
        self._is_finish_told = False
        self._next_summary_ns = 0

    def run(self) -> None:
        """Run the flow until stopped."""
        loop = self._node.poll_loop()
        loop.on_readable(self._source.socket, self._on_engine)
        loop.every(STEP_MS, self._on_time)
        loop.every(LINK_TICK_MS, lambda: self._source.tick(monotonic_ns()))
        loop.run()

    def close(self) -> None:
        """Take our orders out of the book, and close."""
        if self._live is not None:
            self._live.close()
        if self._source.is_connected:
            self._source.send([MassCancel(owner=OWNER, time_ns=time_ns())])
        self._source.close()

    def _on_engine(self) -> None:
        for news in self._source.receive():
            if isinstance(news, Connected):
                if news.is_new_epoch:
                    self._start(news)
            elif self._flow is not None and news.command_sequence >= self._base_sequence:
                self._events.extend(news.events)
                self._acknowledged = news.command_sequence

    def _start(self, news: Connected) -> None:
        """Build the market in an engine that holds none of it, or only what an earlier process of ours left."""
        if self._flow is None:
            order_ids = itertools.count(max(Source.FLOW.first_order_id, news.last_order_id) + 1)
            settings = self._node.settings
            self._flow = make_flow(settings, OWNER, order_ids)
            if isinstance(self._flow, LiveFlow):
                self._live = LiveMarket(self._flow, settings.flow.source, settings.symbol)
        self._events.clear()
        self._acknowledged = self._base_sequence = news.command_sequence
        self._start_sequence = self._send(self._flow.start(monotonic_ns()))
        self._node.log.info("market built", source=self._node.settings.flow.source, epoch=news.epoch)

    def _on_time(self) -> None:
        if self._flow is None or not self._source.is_connected:
            return
        now_ns = monotonic_ns()
        if self._live is not None:
            self._live.pump(now_ns)
        if self._acknowledged >= self._start_sequence and (self._live is None or self._live.is_following):
            self._node.ready()
        if self._events or self._flow.wake_ns(now_ns) <= now_ns:
            events, self._events = self._events, []
            try:
                commands = self._flow.step(now_ns, events, max(0, self._acknowledged - self._base_sequence))
            except RecordingError as error:
                raise NodeError(f"cannot go on with the replay: {error}") from None
            self._send(commands)
        self._tell(now_ns)

    def _send(self, commands: list[Command]) -> int:
        if not commands:
            return self._acknowledged
        sent_ns = time_ns()
        stamped = [command._replace(time_ns=sent_ns) for command in commands]
        return self._source.send(stamped)

    def _tell(self, now_ns: int) -> None:
        assert self._flow is not None
        if now_ns >= self._next_summary_ns:
            self._next_summary_ns = now_ns + SUMMARY_NS
            self._node.log.info("so far", **self._flow.summary())
        if self._flow.is_finished and not self._is_finish_told:
            self._is_finish_told = True
            self._node.log.info("finished", **self._flow.summary())
        self._node.show(is_finished=self._flow.is_finished, **self._flow.summary())


def run(node: Node) -> None:
    """Run the flow's node until it is told to stop."""
    flow = FlowNode(node)
    try:
        flow.run()
    finally:
        flow.close()
