"""The flow's node: runs the market's order flows, synthetic, replays or live markets, against the engines."""

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from bus.engine_client import EngineClient, LinkEnd
from bus.topology import Source, first_order_id, first_owner
from desk.run_dir import NodeError
from flow.order_flow import OrderFlow
from flow.recordings.recording import RecordingError
from flow.side_by_side import SideBySide, summary_of
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, time_ns
from nodes.flow.market import Market, OrderIds
from nodes.flow.market_flows import make_flows
from nodes.node import Node

if TYPE_CHECKING:
    from nodes.flow.live_market import LiveMarket

STEP_NS = 5 * NS_PER_MS  # between two steps at least: what is due within it goes in one batch
LINK_TICK_MS = 100
TELL_MS = 250
OWNER = first_owner(Source.FLOW)
SUMMARY_NS = 60 * NS_PER_SECOND


class FlowNode:
    """The order flows of a desk, each in front of the engine of its symbol."""

    def __init__(self, node: Node) -> None:
        self._node = node
        if node.settings.flow.source in ("replay", "live"):  # a made-up market needs no kernels: they are not loaded
            from desk.warm import warm_mirror

            warm_mirror(node.warming)
        order_ids = OrderIds(first_order_id(Source.FLOW))
        self._flows = make_flows(node.settings, OWNER, order_ids)
        for flow in self._flows.values():
            if (told := flow.summary()).get("is_partial_book"):
                node.log.warning("no depth snapshot: the book is what the recording tells", recording=told["recording"])
        self._client = EngineClient.over(node.wiring, Source.FLOW, node.plan.symbol_ids)
        self._markets = {link.engine: self._market(link, order_ids) for link in self._client}
        node.watch(*self._client.sockets)
        self._live: list[LiveMarket] = []
        self._loop = node.poll_loop()
        self._alarm = self._loop.alarm(self._on_time)
        self._stepped_ns = 0
        self._is_finish_told = False
        self._next_summary_ns = 0

    def _market(self, link: LinkEnd, order_ids: OrderIds) -> Market:
        """Return that of an engine; those without a symbol of ours may still have orders of an earlier process."""
        here = {symbol_id: flow for symbol_id, flow in self._flows.items() if symbol_id in link.symbol_ids}
        flow: OrderFlow | None = SideBySide(here) if len(here) > 1 else next(iter(here.values()), None)
        return Market(link, flow, order_ids, time_ns)

    def _live_markets(self) -> list["LiveMarket"]:
        """Return what brings the news of the live markets, if those are the source."""
        settings = self._node.settings
        if settings.flow.source != "live":
            return []
        from flow.live import LiveFlow
        from nodes.flow.live_market import LiveMarket

        return [
            LiveMarket(flow, settings.flow.url, settings.instruments[symbol_id].symbol)
            for symbol_id, flow in self._flows.items()
            if isinstance(flow, LiveFlow)
        ]

    def run(self) -> None:
        """Run the flows until stopped."""
        self._live = self._live_markets()
        for link in self._client:
            self._loop.on_readable(link.socket, partial(self._on_engine, link))
        self._loop.every(LINK_TICK_MS, self._on_tick)
        self._loop.every(TELL_MS, self._tell)
        self._loop.run()

    def close(self) -> None:
        """Take our orders out of the books, and close."""
        for live in self._live:
            live.close()
        for market in self._markets.values():
            market.leave()
        self._client.close()

    def _on_engine(self, link: LinkEnd) -> None:
        now_ns = monotonic_ns()
        for news in link.receive():
            if self._markets[link.engine].take(news, now_ns):
                source = self._node.settings.flow.text
                self._node.log.info("market built", source=source, engine=link.engine, epoch=news.epoch)
        self._check_ready()
        self._set_alarm(now_ns)

    def _on_tick(self) -> None:
        now_ns = monotonic_ns()
        self._client.tick(now_ns)
        self._check_ready()
        self._set_alarm(now_ns)

    def _on_time(self) -> None:
        now_ns = self._stepped_ns = monotonic_ns()
        for live in self._live:
            live.pump(now_ns)
        for market in self._markets.values():
            try:
                market.step(now_ns)
            except RecordingError as error:
                raise NodeError(f"cannot go on with the replay: {error}") from None
        self._set_alarm(now_ns)

    def _check_ready(self) -> None:
        if self._is_built and all(live.flow.is_following for live in self._live):
            self._node.ready()

    def _set_alarm(self, now_ns: int) -> None:
        """Wake up for the next step that is due; what a live market says is looked for as often as can be."""
        wakes = [wake_ns for market in self._markets.values() if (wake_ns := market.wake_ns(now_ns)) is not None]
        next_ns = now_ns if self._live else min(wakes, default=None)
        self._alarm.set(None if next_ns is None else max(next_ns, self._stepped_ns + STEP_NS) - now_ns)

    @property
    def _is_built(self) -> bool:
        return all(market.is_built for market in self._markets.values())

    def _tell(self) -> None:
        now_ns = monotonic_ns()
        is_finished = self._is_built and all(flow.is_finished for flow in self._flows.values())
        figures = summary_of(self._flows)
        if now_ns >= self._next_summary_ns:
            self._next_summary_ns = now_ns + SUMMARY_NS
            self._node.log.info("so far", **figures)
        if is_finished and not self._is_finish_told:
            self._is_finish_told = True
            self._node.log.info("finished", **figures)
        self._node.show(is_finished=is_finished, **figures)


def run(node: Node) -> None:
    """Run the flow's node until it is told to stop."""
    with closing(FlowNode(node)) as flow:
        flow.run()
