"""What the engine's node does with what waits at its sockets: receive, handle, answer, and hold back until it is kept.

The clock and the sockets are given: in a simulation they are others.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgpack

from bus.channel import ChannelSocket
from bus.engine_link import CommandBatch
from bus.feed import Frames
from bus.order_link import LinkError
from bus.standby_frames import TOPIC as STANDBY
from bus.standby_frames import check_term
from journal.journal import Journal
from market.clock import Now
from market.limits import BATCH_MESSAGES_MAX
from nodes.engine.command_record import CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.followed import Followed
from nodes.latencies import Latencies

TURNS_MAX = 8  # batches of orders in a row; then timers and requests for snapshots get their turn
ASKED_TOPICS_MAX = 256  # at once; whoever asks for more waits in the socket
ANSWERS_PER_TURN = 16
STATE_TOPIC = b"state"
STANDBY_FRAMES = 4  # identity, its topic, header, payload


class LaneTurns(NamedTuple):
    """What a lane has done in one call: it is all reported, and the feed is still to be told.

    Attributes:
        took: how long each turn took, ns, and how many commands it had.
        time_ns: of the last turn, 0 if there was none.
        frames: a message behind these turns that is not ordinary, as it came; None if there is none.
        bad: why a message was none at all, "" if there was none such.
        is_idle: whether nothing more waits.
    """

    took: list[tuple[int, int]]
    time_ns: int
    frames: Frames | None
    bad: str
    is_idle: bool


class Lane(Protocol):
    """Takes commands that wait, and all that is ordinary all the way, without Python; see nodes/engine/lane/."""

    def take(self, *, is_told: bool) -> LaneTurns:
        """Do some turns; `is_told`: a poll has just said that something waits, so that we need not look for it."""


class EngineTurns:
    """The engine's core between its sockets.

    Args:
        orders: the engine's end of the order links.
        feed: where it publishes.
        snapshots: where it is asked for the state of a topic.
        now: this moment.
        on_bad_frame: is told why a frame of an order link is none.
        followed: tells a standby what is journaled, if one may follow.
        lane: does what is ordinary, if there is one.

    Attributes:
        handling: how long commands take from where they are received to where their reports are sent, or held back.
    """

    def __init__(
        self,
        core: EngineCore,
        journal: Journal[CommandRecord],
        orders: ChannelSocket,
        feed: ChannelSocket,
        snapshots: ChannelSocket,
        now: Callable[[], Now],
        on_bad_frame: Callable[[str], None],
        followed: Followed | None = None,
        lane: Lane | None = None,
    ) -> None:
        assert lane is None or followed is None, "expected that nothing waits for a standby where a lane answers"
        self._lane = lane
        self._core = core
        self._followed = followed
        self._journal = journal
        self._orders = orders
        self._feed = feed
        self._snapshots = snapshots
        self._now = now
        self._on_bad_frame = on_bad_frame
        self._held: deque[tuple[int, ChannelSocket, Frames]] = deque()  # until its record is kept
        self.handling = Latencies()
        self._askers: dict[bytes, dict[tuple[bytes, ...], list[bytes]]] = {}  # by topic: the envelopes of the answers

    @property
    def is_full(self) -> bool:
        """Whether no more orders are taken before the standby gets on."""
        return self._followed is not None and self._followed.is_full

    @property
    def is_held(self) -> bool:
        """Whether something is held back."""
        return bool(self._held)

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for a snapshot: give `answer` its turns."""
        return bool(self._askers)

    def take_orders(self) -> None:
        """Handle the commands that wait, batch by batch."""
        if self._lane is not None:
            self._take_by_lane(self._lane)
            return
        for turn in range(TURNS_MAX):
            if self.is_full:
                break  # the standby has to get on first
            room = self._core.engine.commands.free_count
            batches = list(self._receive(room, is_told=turn == 0))
            if not batches:
                break
            self._handle(batches)
            if room - sum(batch.size for batch in batches) >= BATCH_MESSAGES_MAX:
                break  # all that waited is done
        self._send_reports()

    def _handle(self, batches: Sequence[CommandBatch]) -> None:
        now = self._now()
        self._core.handle(batches, now.time_ns, now.monotonic_ns)
        self._tell_standby(now.monotonic_ns)
        self._send_reports()
        self.handling.add(self._now().monotonic_ns - now.monotonic_ns, sum(batch.size for batch in batches))
        self.publish(self._core.tell(now.time_ns))

    def _take_by_lane(self, lane: Lane) -> None:
        """Let the lane take what waits, and do here what it leaves, in the order in which all came."""
        for turn in range(TURNS_MAX):
            done = lane.take(is_told=turn == 0)
            self._send_reports()  # of a turn that was finished here
            for took_ns, count in done.took:
                self.handling.add(took_ns, count)
            if done.time_ns:
                self.publish(self._core.tell(done.time_ns))
            if done.bad:
                self._on_bad_frame(done.bad)
            if done.frames is not None:
                if (batch := self._batch_of(done.frames)) is not None:
                    self._handle([batch])
                self._send_reports()
            if done.is_idle:
                break

    def halt(self, symbol_ids: Iterable[int]) -> bool:
        """Halt symbols though nobody has sent a command; return whether one was not halted."""
        now = self._now()
        is_new = self._core.halt(symbol_ids, now.time_ns, now.monotonic_ns)
        if is_new:
            self._tell_standby(now.monotonic_ns)
            self._send_reports()
            self.publish(self._core.tell(now.time_ns))
        return is_new

    def sync(self) -> None:
        """Bring to the disk what has waited for it long enough, and send what was held back for it."""
        if self._journal.sync_due(now_ns := self._now().monotonic_ns):
            self._journal.sync()
            self._tell_standby(now_ns)
        self.release()

    def release(self) -> None:
        """Send what was held back and may go out now."""
        while self._held and self._held[0][0] <= self._acknowledged_sequence:
            _, socket, frames = self._held.popleft()
            socket.send(frames)

    def take_questions(self) -> None:
        """Note who asks for what; whoever asks again before the answer gets one. What a standby says is done at once.

        Raises:
            SupersededError: if another engine is primary.
        """
        while len(self._askers) < ASKED_TOPICS_MAX and (frames := self._snapshots.receive()) is not None:
            if len(frames) == STANDBY_FRAMES and frames[1] == STANDBY:
                self._hear_standby(frames[0], frames[2:])
                continue
            *envelope, topic = frames  # a REQ socket puts an empty frame into the envelope; it goes back as it came
            self._askers.setdefault(topic, {})[tuple(envelope)] = envelope

    def _hear_standby(self, identity: bytes, frames: Frames) -> None:
        if self._followed is not None:
            self._followed.receive(identity, frames, self._now().monotonic_ns)
            self.release()
            return
        with suppress(LinkError):  # of one that would follow, which nobody may
            check_term(frames, self._core.links.term)

    def answer(self) -> None:
        """Answer what is asked for, up to the first slice of a large book; then let orders in again."""
        for topic in [*self._askers][:ANSWERS_PER_TURN]:
            is_state = topic == STATE_TOPIC
            answer = self._state() if is_state else self._core.feed.snapshot_slice(topic, self._now().time_ns)
            if answer is None:
                break
            self._snapshots.send_to_each(self._askers.pop(topic).values(), answer)

    def take_subscriptions(self) -> None:
        """Tell those who come to the feed its last values."""
        while (frames := self._feed.receive()) is not None:
            self.publish(self._core.feed.last_value(frames[0], self._now().time_ns))

    def publish(self, feed_frames: Iterable[Frames]) -> None:
        """Send frames of the feed."""
        for frames in feed_frames:
            self._send(self._feed, frames)

    def _receive(self, room: int, *, is_told: bool) -> Iterator[CommandBatch]:
        """Yield the waiting frames of new commands, as many as surely fit into so much of the ring.

        Args:
            is_told: whether a poll has just said that one waits.
        """
        while room >= BATCH_MESSAGES_MAX and (frames := self._orders.receive(is_told=is_told)) is not None:
            is_told = False
            if (batch := self._batch_of(frames)) is not None:
                room -= batch.size
                yield batch

    def _batch_of(self, frames: Frames) -> CommandBatch | None:
        """Return the new commands of a message from a source, None if it has none."""
        identity, *rest = frames
        try:
            return self._core.links.receive(identity, rest)
        except LinkError as error:
            self._on_bad_frame(str(error))
            return None

    def _send_reports(self) -> None:
        for identity, frames in self._core.links.outgoing():
            self._send(self._orders, [identity, *frames])

    def _tell_standby(self, now_ns: int) -> None:
        if self._followed is not None:
            self._followed.journaled(now_ns)

    @property
    def _acknowledged_sequence(self) -> int:
        ours = self._journal.acknowledged_sequence
        return ours if self._followed is None else min(ours, self._followed.acknowledged_sequence)

    def _send(self, socket: ChannelSocket, frames: Frames) -> None:
        """Send, or hold back until the journal's last record may be acknowledged; what is held keeps its order."""
        if self._acknowledged_sequence < self._journal.sequence or self._held:
            self._held.append((self._journal.sequence, socket, frames))
        else:
            socket.send(frames)

    def _state(self) -> Frames:
        return [STATE_TOPIC, msgpack.packb((self._journal.sequence, self._core.engine.state_hash())), b""]
