"""The engine's end of the order links of all its sources; what a link is, and the sources' end: bus/order_link.py."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bus.order_link import (
    Frames,
    Kind,
    LinkError,
    LostTailError,
    SentFrame,
    SupersededError,
    check_step,
    header_of,
    link_frames,
    term_of,
)
from bus.topology import is_remembering
from market.limits import BATCH_MESSAGES_MAX, SOURCE_MAX, UNACKNOWLEDGED_FRAMES_MAX


class CommandBatch(NamedTuple):
    """A frame with something new in it: `payload` holds `size` commands from number `first`, `skip` of them old."""

    source: int
    payload: bytes
    first: int
    size: int
    skip: int


class PeerState(NamedTuple):
    """What the engine knows of a source and must not forget: the fields of the same names below.

    Attributes:
        unacknowledged: the reports that the source has not said to have, oldest first.
    """

    source: int
    taken: int
    handled: int
    last_order_id: int
    report_sequence: int
    unacknowledged: tuple[SentFrame, ...]


class LentPeer(NamedTuple):
    """What whoever takes commands and sends reports in our place must know of a source: as the fields below.

    Attributes:
        is_spoken_to: whether reports are sent to its identity, not only kept.
    """

    source: int
    identity: bytes
    is_spoken_to: bool
    taken: int
    handled: int
    last_order_id: int
    report_sequence: int
    unacknowledged_count: int


@dataclass(slots=True)
class _Peer:
    """What the engine knows of a source.

    Attributes:
        taken: the number of the last command that was given to the caller.
        handled: the number of the last command that the caller has said to be done.
        gap_after: what was `taken` when the source was last asked for what is missing after it.
    """

    identity: bytes
    incarnation: int
    taken: int = 0
    handled: int = 0
    gap_after: int = -1
    last_order_id: int = 0
    report_sequence: int = 0
    unacknowledged: deque[SentFrame] = field(default_factory=deque)
    is_welcome_due: bool = False
    is_resend_due: bool = False


class EngineEnd:
    """The engine's end of every order link, one peer a source.

    The caller takes what `receive` returns for as many frames as it likes, handles all of it wholly, says so with
    `report_encoded`, and only then sends what `outgoing` returns.

    Args:
        epoch: of this life of the engine, positive, another than those before.
        feed_epoch: of the feed of this process, 0 if it has none.

    Attributes:
        term: counts who has been primary in turn; the sources are told, and one that knows of a higher one ends us.
    """

    def __init__(self, epoch: int, feed_epoch: int = 0) -> None:
        assert epoch > 0, f"epoch 0 is that of a source that remembers none, was {epoch}"
        self._epoch = epoch
        self._feed_epoch = feed_epoch
        self.term = 0
        self._heard: dict[int, int] = {}  # by source, what `take_heard` has not told
        self._peers: dict[int, _Peer] = {}
        self._source_by_identity: dict[bytes, int] = {}
        self._outbox: deque[tuple[bytes, Frames]] = deque()

    def restore(self, source: int, taken: int) -> None:
        """Know a source as having sent its commands up to `taken`, before any source is heard; then report them.

        This is how a journal is replayed. What is reported is kept until the source comes and says what it has.
        """
        self._peers.setdefault(source, _Peer(b"", 0)).taken = taken

    def state(self) -> tuple[PeerState, ...]:
        """Return what is known of each source that has sent a command, by its number."""
        return tuple(
            PeerState(
                source, peer.taken, peer.handled, peer.last_order_id, peer.report_sequence, tuple(peer.unacknowledged)
            )
            for source, peer in sorted(self._peers.items())
            if peer.taken
        )

    def restore_state(self, peers: Sequence[PeerState]) -> None:
        """Know sources as `state` has told of them, before any source is heard; each has yet to come."""
        for source, taken, handled, last_order_id, report_sequence, unacknowledged in peers:
            peer = _Peer(b"", 0, taken, handled, -1, last_order_id, report_sequence, deque(unacknowledged))
            self._peers[source] = peer

    def heard(self, source: int, report_sequence: int) -> None:
        """Know that a source has its reports up to this number, though it has not told us itself."""
        if (peer := self._peers.get(source)) is not None:
            self._forget(source, peer, report_sequence)

    def take_heard(self) -> dict[int, int]:
        """Return by source the last report that it has said to have, of those that have told since the last call."""
        heard, self._heard = self._heard, {}
        return heard

    def receive(self, identity: bytes, frames: Frames) -> CommandBatch | None:
        """Take what came from the peer with this ZeroMQ identity; return the commands in it that are new.

        Raises:
            LinkError: if the frames are not of this protocol.
            SupersededError: if the source knows of another engine in our place, of a higher term.
            LostTailError: if it has had reports that we have never told.
        """
        kind, *rest = header_of(frames)
        if kind == Kind.HELLO:
            self._greet(identity, *rest)
            return None
        if kind != Kind.COMMANDS:
            raise LinkError(f"expected HELLO or COMMANDS from a source, was kind {kind}")
        source = self._source_by_identity.get(identity)
        epoch, first, count, report_sequence = rest
        if source is None or epoch != self._epoch:
            self._outbox.append((identity, link_frames(b"", Kind.STRANGER, 0, 0, 0, 0)))  # from before a restart
            return None
        if first < 1 or count > BATCH_MESSAGES_MAX:
            raise LinkError(f"expected at most {BATCH_MESSAGES_MAX} commands, was {count} from number {first}")
        self._forget(source, self._peers[source], report_sequence)
        return self._take(source, first, count, frames[1])

    def report_encoded(
        self, source: int, frames: Sequence[tuple[bytes, int]], handled: int = 0, last_order_id: int = 0
    ) -> None:
        """Tell a source what happened to its orders, and that `handled` more of its commands are completely done.

        Events for a source that has never said hello are dropped: nobody knows it. Those for a source that is away are
        kept up to a maximum; should the first be lost for good, its next WELCOME says so.

        Args:
            frames: payloads of at most BATCH_MESSAGES_MAX events, each with how many there are.
        """
        peer = self._peers.get(source)
        if peer is None:
            return
        assert peer.handled + handled <= peer.taken, f"{handled} handled after {peer.handled}, of {peer.taken} taken"
        peer.last_order_id = max(peer.last_order_id, last_order_id)
        for payload, size in frames[:-1]:
            self._send(peer, payload, size)
        peer.handled += handled  # the last frame: only with it are the commands completely reported
        self._send(peer, *(frames[-1] if frames else (b"", 0)))
        while len(peer.unacknowledged) > UNACKNOWLEDGED_FRAMES_MAX:
            peer.unacknowledged.popleft()

    def lend(self) -> list[LentPeer]:
        """Return what a lane needs to know to take commands and to send reports, each source by its number.

        Until `take_back` nothing else may happen here. All that was to be sent has been.
        """
        assert not self._outbox, f"expected nothing to be sent first, were {len(self._outbox)} frames"
        return [
            LentPeer(
                source,
                peer.identity,
                bool(peer.identity) and not peer.is_resend_due,
                peer.taken,
                peer.handled,
                peer.last_order_id,
                peer.report_sequence,
                len(peer.unacknowledged),
            )
            for source, peer in sorted(self._peers.items())
        ]

    def take_back(
        self, source: int, counts: tuple[int, int, int, int], heard: int, reports: Sequence[SentFrame]
    ) -> None:
        """Know what a lane has done with a source: as if we had taken its commands and sent its reports.

        Args:
            counts: `taken`, `handled`, `last_order_id` and `report_sequence`, as they are now.
            heard: the last report that it has said to have, -1 if it has said nothing.
            reports: that were sent, or only kept.
        """
        peer = self._peers[source]
        peer.taken, peer.handled, peer.last_order_id, peer.report_sequence = counts
        peer.unacknowledged.extend(reports)
        self._forget(source, peer, heard)
        while len(peer.unacknowledged) > UNACKNOWLEDGED_FRAMES_MAX:
            peer.unacknowledged.popleft()

    @property
    def owed(self) -> tuple[int, ...]:
        """The sources that keep their reports and have not said that they have all of them."""
        return tuple(source for source, peer in self._peers.items() if peer.unacknowledged and is_remembering(source))

    def outgoing(self) -> list[tuple[bytes, Frames]]:
        """Return and forget what must now be sent, each with the identity of its peer."""
        for peer in self._peers.values():
            if peer.is_welcome_due:
                self._welcome(peer)
        frames = list(self._outbox)
        self._outbox.clear()
        return frames

    def _greet(
        self, identity: bytes, source: int, epoch: int, report_sequence: int, incarnation: int, term: int = 0
    ) -> None:
        check_step(term, self.term)
        if term > self.term:
            raise SupersededError(term)
        if not 0 < source <= SOURCE_MAX:
            raise LinkError(f"expected HELLO from a source of 1 to {SOURCE_MAX}, was {source}")
        peer = self._peers.setdefault(source, _Peer(identity, incarnation))
        if incarnation < peer.incarnation:
            self._outbox.append((identity, link_frames(b"", Kind.STRANGER, peer.incarnation, 0, 0, 0)))
            return
        if epoch == self._epoch:
            if report_sequence > peer.report_sequence:
                raise LostTailError(source, report_sequence, peer.report_sequence)
            self._forget(source, peer, report_sequence)
        elif incarnation > peer.incarnation:
            peer.unacknowledged.clear()  # the process that they were for is gone, and this one keeps nothing
        self._source_by_identity.pop(peer.identity, None)
        self._source_by_identity[identity] = source
        peer.identity, peer.incarnation = identity, incarnation
        peer.is_welcome_due = peer.is_resend_due = True

    def _take(self, source: int, first: int, count: int, payload: bytes) -> CommandBatch | None:
        peer = self._peers[source]
        if first > peer.taken + 1:
            if count == 0 or peer.gap_after != peer.taken:
                peer.gap_after = peer.taken
                peer.is_welcome_due = True
            return None
        if count == 0:
            self._send(peer)  # its heartbeat: the answer shows the source whether it has all its reports
            return None
        skip = peer.taken + 1 - first
        if skip >= count or len(peer.unacknowledged) >= UNACKNOWLEDGED_FRAMES_MAX:
            return None  # nothing new, or the source does not take its reports: its commands wait
        peer.taken = first + count - 1
        return CommandBatch(source, payload, first, count, skip)

    def _welcome(self, peer: _Peer) -> None:
        kept = peer.unacknowledged
        report_sequence = kept[0].first - 1 if kept else peer.report_sequence
        header = (Kind.WELCOME, self._epoch, peer.taken, report_sequence, peer.last_order_id, self._feed_epoch)
        self._outbox.append((peer.identity, link_frames(b"", *header, *term_of(self.term))))
        is_resend_due, peer.is_welcome_due, peer.is_resend_due = peer.is_resend_due, False, False
        if is_resend_due:
            self._outbox.extend((peer.identity, self._reports(frame)) for frame in kept)
            self._send(peer)

    def _send(self, peer: _Peer, payload: bytes = b"", size: int = 0) -> None:
        frame = SentFrame(peer.report_sequence + 1, size, payload, peer.handled)
        peer.report_sequence += size
        if size:
            peer.unacknowledged.append(frame)
        if peer.identity and not peer.is_resend_due:  # one that a replay knows of has yet to come
            self._outbox.append((peer.identity, self._reports(frame)))

    def _reports(self, frame: SentFrame) -> Frames:
        return link_frames(frame.payload, Kind.REPORTS, self._epoch, frame.first, frame.size, frame.acknowledges)

    def _forget(self, source: int, peer: _Peer, report_sequence: int) -> None:
        if peer.unacknowledged and peer.unacknowledged[0].last <= report_sequence:
            self._heard[source] = report_sequence
        while peer.unacknowledged and peer.unacknowledged[0].last <= report_sequence:
            peer.unacknowledged.popleft()
