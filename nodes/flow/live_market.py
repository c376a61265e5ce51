"""A live flow and the streams that feed it, kept moving together."""

from desk.run_dir import NodeError
from flow.live import LiveFlow
from venues.binance_streams import MarketStreams, StreamsError

# In a flow, which takes no step while its engine is away; the rest waits in the streams, which give up a connection
# that nobody takes from.
NEWS_WAITING_MAX = 10_000


class LiveMarket:
    """Connects a flow with the streams that its settings name.

    Args:
        flow: the flow.
        url: of the streams.
        symbol: which symbol is followed.

    Raises:
        NodeError: if nobody answers there.
    """

    def __init__(self, flow: LiveFlow, url: str, symbol: str) -> None:
        self.flow = flow
        self._streams = MarketStreams(url, symbol)
        try:
            self._streams.check()
        except StreamsError as error:
            raise NodeError(f"cannot follow the market: {error}") from None
        self._streams.start()

    def pump(self, now_ns: int) -> None:
        """Hand on what has come, and ask for what is missing."""
        if self.flow.waiting_count < NEWS_WAITING_MAX:
            for news in self._streams.take():
                self.flow.hear(news)
        for reason in self._streams.take_failures():
            self.flow.fail_snapshot(now_ns, reason)
        if self.flow.take_snapshot_request(now_ns):
            self._streams.ask_snapshot()

    def close(self) -> None:
        """Hang up."""
        self._streams.stop()
