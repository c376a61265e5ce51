"""A subscriber's sockets: keeps replicas of topics in step with the engine, whatever is lost on the way."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bus.channel import ChannelSocket
from bus.feed import BookReplica, FeedError, TopicReplica, unpack_frame
from bus.topology import FEED, SNAPSHOTS, Channel
from bus.wiring import Wiring
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.mendable import MendableError

SNAPSHOT_RETRY_NS = 250 * NS_PER_MS
FRAMES_MAX = 1 << 30  # all there are
SILENCE_NS_MAX = 3 * NS_PER_SECOND  # heartbeats come every second
LOSSES_MAX = 5  # of one topic within the next; who loses so often is behind for good
LOSSES_NS = 60 * NS_PER_SECOND


class SubscriberBehindError(MendableError):
    """The feed is faster than its subscriber, which has stopped itself; the text is one line for a person."""


class FeedSubscriber:
    """Replicas of `topics`, kept by subscribing, and by asking for a snapshot at the start and after every gap.

    Watch `sockets`, call `receive` when one is readable and `tick` several times a second. A gap now and then heals by
    itself, the next snapshot a little later after each. Who has gap after gap is too slow for the feed, and each
    snapshot costs the engine more than it helps: so it stops itself.

    Args:
        wiring: where the desk's channels are.
        topics: each by its exact name.
        make_book: returns an empty replica of a book.
        gives_up: if not, it never stops itself, and asks again and again, more and more seldom.
        make_socket: makes the sockets; a simulation gives others.
    """

    def __init__(
        self,
        wiring: Wiring,
        topics: Sequence[bytes],
        make_book: Callable[[], BookReplica] = BookReplica,
        *,
        gives_up: bool = True,
        make_socket: Callable[[Channel, Wiring, str], ChannelSocket] = ChannelSocket,
    ) -> None:
        self._engines = {topic: wiring.engine_of_topic(topic) for topic in topics}
        engines = dict.fromkeys(self._engines.values())
        self._feeds = {engine: make_socket(FEED, wiring, engine) for engine in engines}
        self._snapshots = {engine: make_socket(SNAPSHOTS, wiring, engine) for engine in engines}
        self.replicas = {topic: TopicReplica(topic, make_book()) for topic in topics}
        self._asked_ns = dict.fromkeys(topics, 0)
        self._heard_ns = dict.fromkeys(topics, 0)
        self._losses = {topic: deque[int](maxlen=LOSSES_MAX) for topic in topics}
        self._loss_counts = dict.fromkeys(topics, 0)
        self._gives_up = gives_up
        self.error_count = 0
        for topic in topics:
            self._feeds[self._engines[topic]].subscribe(topic)

    @property
    def sockets(self) -> tuple[ChannelSocket, ...]:
        """What to wait on: the feed and the snapshots of the engine, or of each engine that has one of the topics."""
        return tuple(socket for engine in self._feeds for socket in (self._feeds[engine], self._snapshots[engine]))

    def receive(self, now_ns: int, frames_max: int = FRAMES_MAX) -> bool:
        """Take what waits on the sockets, at most so many messages; return whether that was all.

        Args:
            now_ns: monotonic.
            frames_max: for who has other things to do, too.
        """
        for sockets, is_snapshot in ((self._snapshots, True), (self._feeds, False)):
            for socket in sockets.values():
                while (frames := socket.receive()) is not None:
                    self._take(frames, now_ns, is_snapshot=is_snapshot)
                    frames_max -= 1
                    if frames_max <= 0:
                        return False
        return True

    def tick(self, now_ns: int) -> None:
        """Ask for the snapshots that are needed; try again where we were refused.

        Raises:
            SubscriberBehindError: if we do not keep up with the feed; the sockets are closed.
        """
        if not self.is_live(now_ns):
            for feed in self._feeds.values():
                feed.check_refusals()
        for engine in self._feeds:
            is_heard = self.is_live(now_ns, [topic for topic, one in self._engines.items() if one == engine])
            for socket in (self._feeds[engine], self._snapshots[engine]):
                socket.look_elsewhere(now_ns, is_heard=is_heard)
        for topic, replica in self.replicas.items():
            losses = self._losses[topic]
            if replica.loss_count > self._loss_counts[topic]:
                self._loss_counts[topic] = replica.loss_count
                losses.append(now_ns)
                self._check_losses(topic, losses)
            while losses and now_ns - losses[0] > LOSSES_NS:
                losses.popleft()
            pause_ns = SNAPSHOT_RETRY_NS << max(0, len(losses) - 1)
            if replica.needs_snapshot and now_ns - self._asked_ns[topic] > pause_ns:
                self._asked_ns[topic] = now_ns
                self._snapshots[self._engines[topic]].send([topic])

    def _check_losses(self, topic: bytes, losses: "deque[int]") -> None:
        if self._gives_up and len(losses) == LOSSES_MAX and losses[-1] - losses[0] <= LOSSES_NS:
            self.close()
            raise SubscriberBehindError(
                f"{topic.decode(errors='replace')} is faster than this subscriber: it has lost messages {LOSSES_MAX} "
                f"times within {(losses[-1] - losses[0]) / NS_PER_SECOND:.0f} s, and stops"
            )

    def is_live(self, now_ns: int, topics: Iterable[bytes] | None = None) -> bool:
        """Return whether the replicas of `topics`, by default all, are in step and were heard of lately.

        If not, their data must be called stale.
        """
        return all(now_ns < self.live_until_ns(topic) for topic in (self.replicas if topics is None else topics))

    def silence_ns(self, topic: bytes, now_ns: int) -> int | None:
        """Return how long ago a topic was last heard of, None if it never was.

        Args:
            now_ns: monotonic.
        """
        return now_ns - self._heard_ns[topic] if self._heard_ns[topic] else None

    def live_until_ns(self, topic: bytes) -> int:
        """Return the time, monotonic, at which a replica is stale if nothing more is heard of it; 0 if it is now."""
        return self._heard_ns[topic] + SILENCE_NS_MAX if self.replicas[topic].is_synchronised else 0

    def close(self) -> None:
        """Close the sockets."""
        for socket in self.sockets:
            socket.close()

    def _take(self, frames: list[bytes], now_ns: int, *, is_snapshot: bool) -> None:
        replica = self.replicas.get(frames[0])
        if replica is None:
            return  # a longer symbol that starts with ours
        try:
            frame = unpack_frame(frames)
            self._heard_ns[frame.topic] = now_ns
            if is_snapshot:
                replica.on_snapshot(frame)
            else:
                replica.on_frame(frame)
        except FeedError:
            self.error_count += 1
            replica.lose()
