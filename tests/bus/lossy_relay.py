"""A relay between an engine and its subscribers that loses feed messages, and remembers all that passed."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bus.channel import ChannelSocket
from bus.feed import BookReplica, FeedFrame, unpack_frame
from bus.topology import FEED, SNAPSHOTS
from market.feed_messages import BookOrder
from tests.bus.shown_state import shown_line

NOISE = b"\xc1" * 3_000  # of a longer symbol that begins with ours; it fills the buffers of whoever does not read
SHORT_QUEUE = 200  # messages for one subscriber: one that is stopped soon has a gap of its own


class LossyRelay:
    """Passes one topic on from `engine_dir` to whoever connects in `relay_dir`; requests for snapshots too."""

    def __init__(self, engine_dir: Path, relay_dir: Path, topic: bytes, dice: random.Random) -> None:
        self._dice = dice
        self._feed_in, self._snapshots_in = (
            ChannelSocket(channel, engine_dir, "engine") for channel in (FEED, SNAPSHOTS)
        )
        self._feed_in.subscribe(topic)
        feed_out = replace(FEED, high_water_mark=SHORT_QUEUE)
        self._feed_out = ChannelSocket(feed_out, relay_dir, "engine", is_binder=True)
        self._snapshots_out = ChannelSocket(SNAPSHOTS, relay_dir, "engine", is_binder=True)
        self._to_lose = 0
        self.is_lossy = True
        self.lost_count = 0
        self.frames: list[FeedFrame] = []
        self.snapshots: list[FeedFrame] = []

    def turn(self) -> None:
        """Pass on all that waits, or lose it."""
        while self._feed_out.receive() is not None:  # subscriptions
            pass
        while (request := self._snapshots_out.receive()) is not None:
            self._snapshots_in.send(request)  # the engine gives the asker's identity back with its answer
        while (answer := self._snapshots_in.receive()) is not None:
            self.snapshots.append(unpack_frame(answer[-3:]))
            self._snapshots_out.send(answer)
        while (message := self._feed_in.receive()) is not None:
            self.frames.append(unpack_frame(message))
            self._feed_out.send([message[0] + b"X", message[1], NOISE])
            if self._is_lost():
                self.lost_count += 1
            else:
                self._feed_out.send(message)

    def wait(self) -> None:
        """Wait for a message of the engine, a little."""
        self._feed_in.wait(5)

    def _is_lost(self) -> bool:
        """Lose one message in fifty, or twenty at once."""
        if self._to_lose:
            self._to_lose -= 1
        elif self._dice.random() < 0.02:
            self._to_lose = self._dice.choice((0, 0, 20))
        else:
            return False
        return self.is_lossy

    def close(self) -> None:
        """Close all sockets."""
        for socket in (self._feed_in, self._snapshots_in, self._feed_out, self._snapshots_out):
            socket.close()

    def truth(self, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """Return what must be shown at the epochs and sequences that are wanted, from all that the engine has sent.

        Fails if the engine's own snapshots are not what its messages make of the book.
        """
        frames: dict[int, list[FeedFrame]] = defaultdict(list)
        for frame in self.frames:
            frames[frame.epoch].append(frame)
        truth: dict[tuple[int, int], str] = {}
        for epoch in {snapshot.epoch for snapshot in self.snapshots}:
            snapshots = {each.sequence: each for each in self.snapshots if each.epoch == epoch}
            told = {at: line for each in snapshots.values() for at, line in _states(each, [], {each.sequence})}
            sequences = {sequence for wanted_epoch, sequence in wanted if wanted_epoch == epoch} | told.keys()
            made = dict(_states(snapshots[min(snapshots)], frames[epoch], sequences))
            assert {**told, **made} == {**made, **told}, "the engine's snapshots are not what its messages make"
            truth |= {(epoch, sequence): line for sequence, line in {**told, **made}.items()}
        return truth


def _states(snapshot: FeedFrame, frames: list[FeedFrame], wanted: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the sequences that are wanted, from the snapshot's on, and the line that shows the book then."""
    book, last = BookReplica(), snapshot.sequence
    for message in snapshot.messages:
        assert isinstance(message, BookOrder), message
        book.apply_all((message,))
    if last in wanted:
        yield last, shown_line(snapshot.epoch, last, book)
    for frame in frames:
        if frame.next_sequence <= last + 1:
            continue
        if frame.sequence > last + 1:  # a new engine's first messages may come before the relay's subscription
            return
        for message in frame.messages[last + 1 - frame.sequence :]:
            last += 1
            if isinstance(message, BookOrder):
                book.apply_all((message,))
            if last in wanted:
                yield last, shown_line(frame.epoch, last, book)
