"""A subscriber's sockets: keeps replicas of topics in step with the engine, whatever is lost on the way."""

from collections.abc import Sequence
from pathlib import Path

from bus.channel import ChannelSocket
from bus.feed import FeedError, TopicReplica, unpack_frame
from bus.topology import FEED, SNAPSHOTS
from bus.wiring import Wiring
from market.clock import NS_PER_MS, NS_PER_SECOND

SNAPSHOT_RETRY_NS = 250 * NS_PER_MS
SILENCE_NS_MAX = 3 * NS_PER_SECOND  # heartbeats come every second


class FeedSubscriber:
    """Replicas of `topics`, kept by subscribing, and by asking for a snapshot at the start and after every gap.

    Watch `sockets`, call `receive` when one is readable and `tick` several times a second.
    """

    def __init__(self, place: Path | Wiring, topics: Sequence[bytes]) -> None:
        self._feed = ChannelSocket(FEED, place)
        self._snapshots = ChannelSocket(SNAPSHOTS, place)
        self.replicas = {topic: TopicReplica(topic) for topic in topics}
        self._asked_ns = dict.fromkeys(topics, 0)
        self._heard_ns = dict.fromkeys(topics, 0)
        self.error_count = 0
        for topic in topics:
            self._feed.subscribe(topic)

    @property
    def sockets(self) -> tuple[ChannelSocket, ChannelSocket]:
        """What to wait on."""
        return self._feed, self._snapshots

    def receive(self, now_ns: int) -> None:
        """Take all that waits on both sockets; `now_ns` is monotonic."""
        for socket, is_snapshot in ((self._snapshots, True), (self._feed, False)):
            while (frames := socket.receive()) is not None:
                self._take(frames, now_ns, is_snapshot=is_snapshot)

    def tick(self, now_ns: int) -> None:
        """Ask for the snapshots that are needed; try again where we were refused."""
        if not self.is_live(now_ns):
            self._feed.check_refusals()
        for topic, replica in self.replicas.items():
            if replica.needs_snapshot and now_ns - self._asked_ns[topic] > SNAPSHOT_RETRY_NS:
                self._asked_ns[topic] = now_ns
                self._snapshots.send([topic])

    def is_live(self, now_ns: int) -> bool:
        """Return whether every replica is in step and was heard of lately; if not, its data must be called stale."""
        return all(
            replica.is_synchronised and now_ns - self._heard_ns[topic] < SILENCE_NS_MAX
            for topic, replica in self.replicas.items()
        )

    def close(self) -> None:
        """Close both sockets."""
        self._feed.close()
        self._snapshots.close()

    def _take(self, frames: list[bytes], now_ns: int, *, is_snapshot: bool) -> None:
        try:
            frame = unpack_frame(frames)
            replica = self.replicas.get(frame.topic)
            if replica is None:
                return  # a longer symbol that starts with ours
            self._heard_ns[frame.topic] = now_ns
            if is_snapshot:
                replica.on_snapshot(frame)
            else:
                replica.on_frame(frame)
        except FeedError:
            self.error_count += 1
            known = self.replicas.get(frames[0])
            for lost in (known,) if known else self.replicas.values():
                lost.lose()
