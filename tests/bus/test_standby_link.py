"""Whatever is lost, a standby has a beginning of the primary's journal, and in the end all of it."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import pytest

from bus import standby_link
from bus.engine_link import EngineEnd
from bus.order_link import TERM_STEP_MAX, Frames, LinkError, SourceEnd, SupersededError, link_frames
from bus.order_link import Kind as LinkKind
from bus.standby_end import RETRY_NS, Arrived, Begin, Hashed, Heard, News, StandbyEnd
from bus.standby_frames import NOWHERE, Kind, Position, check_term, header_of, standby_frames, term_frames
from bus.standby_link import (
    BEAT_NS,
    IN_FLIGHT_BYTES_MAX,
    IN_FLIGHT_FRAMES_MAX,
    SILENT_NS,
    SLICE_BYTES,
    Piece,
    PrimaryEnd,
)
from market.limits import ID_MAX

EPOCH: Final = 7
WHO: Final = 5
OTHER: Final = 8
STEP_NS: Final = BEAT_NS


class Disk:
    """A primary's journal: turns of one-byte records, whose CRC is that byte; a checkpoint is the sum of what was."""

    def __init__(self) -> None:
        self.turns: list[Piece] = []
        self.pruned = 0  # so many records are gone
        self.kept: tuple[Position, bytes] = (NOWHERE, b"none")
        self._next = 1

    def append(self, payload: bytes) -> Piece:
        """Take the records of a turn."""
        self.turns.append(Piece(self.end.sequence + 1, len(payload), payload, payload[-1]))
        return self.turns[-1]

    @property
    def end(self) -> Position:
        """Where it ends."""
        return self.turns[-1].end if self.turns else NOWHERE

    @property
    def records(self) -> bytes:
        """All of them, from the first on."""
        return b"".join(turn.payload for turn in self.turns)

    def take_checkpoint(self) -> None:
        """Take one of all that there is; what is before it goes."""
        self.kept = self.end, bytes([self.end.crc]) * (self.end.sequence % 5 or 1)
        self.pruned = self.end.sequence

    def seek(self, position: Position) -> bool:
        """Go behind a record."""
        sequence, crc = position
        is_there = self.pruned <= sequence <= self.end.sequence
        if not is_there or (sequence and self.records[sequence - 1] != crc):
            return False
        self._next = sequence + 1
        return True

    def read(self, bytes_max: int) -> Piece | None:
        """Return the turns that come next."""
        found: list[Piece] = []
        for turn in self.turns:
            if turn.first == self._next and (not found or sum(each.size for each in found) + turn.size <= bytes_max):
                found.append(turn)
                self._next = turn.end.sequence + 1
        if not found:
            return None
        payload = b"".join(turn.payload for turn in found)
        return Piece(found[0].first, len(payload), payload, payload[-1])

    def beginning(self) -> tuple[Position, bytes]:
        """Return the newest."""
        return self.kept


class Pair:
    """Both ends, and the frames between them, which a cut loses."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.now_ns = 0
        self.connection = 0
        self.to_primary: list[tuple[bytes, Frames]] = []
        self.to_standby: list[Frames] = []
        self.begun: tuple[int, bytes] = (0, b"")
        self.kept = b""  # from behind `begun` on
        self.heard: list[Heard] = []
        self.primary = PrimaryEnd(EPOCH, self.disk)
        self.standby = StandbyEnd(WHO)

    @property
    def identity(self) -> bytes:
        """Of the standby's connection."""
        return b"%d" % self.connection

    def write(self, payload: bytes) -> None:
        """Journal a turn."""
        self.primary.journaled(self.disk.append(payload).end, self.now_ns)

    def restart_primary(self) -> None:
        """Kill the primary, and start it again from its disk."""
        self.cut()
        self.primary = PrimaryEnd(EPOCH, self.disk, self.disk.end)

    def restart_standby(self) -> None:
        """Kill the standby; it has on its disk what it has kept."""
        self.cut()
        sequence = self.begun[0] + len(self.kept)
        crc = self.kept[-1] if self.kept else self.disk.records[sequence - 1] if sequence else 0
        self.standby = StandbyEnd(WHO, EPOCH if sequence else 0, Position(sequence, crc))

    def cut(self) -> None:
        """Lose what is on its way."""
        self.connection += 1
        self.to_primary.clear()
        self.to_standby.clear()

    def step(self, frames_max: int = 1 << 30) -> None:
        """Let some time pass, and so many frames arrive each way."""
        self.now_ns += STEP_NS
        self.primary.tick(self.now_ns)
        self.standby.tick(self.now_ns)
        self.to_standby += [frames for peer, frames in self.primary.outgoing() if peer == self.identity]
        self.to_primary += [(self.identity, frames) for frames in self.standby.outgoing()]
        for _ in range(min(frames_max, len(self.to_standby))):
            self.take(self.standby.receive(self.to_standby.pop(0)))
        for _ in range(min(frames_max, len(self.to_primary))):
            self.primary.receive(*self.to_primary.pop(0), self.now_ns)
        assert self.primary.has <= self.begun[0] + len(self.kept), "no more is held for kept than is"
        self.check()

    def take(self, news: News | None) -> None:
        """Keep what has come."""
        if isinstance(news, Begin):
            assert news.epoch == EPOCH
            self.begun, self.kept = (news.position.sequence, news.content), b""
            self.standby.begun(news)
        elif isinstance(news, Arrived):
            assert news.first == self.begun[0] + len(self.kept) + 1
            assert len(news.payload) == news.size
            self.kept += news.payload
            self.standby.keep(Position(self.begun[0] + len(self.kept), self.kept[-1]))
        elif isinstance(news, Heard):
            self.heard.append(news)

    def check(self) -> None:
        """What is kept is a beginning."""
        sequence, _ = self.begun
        assert self.disk.records[sequence : sequence + len(self.kept)] == self.kept

    def settle(self, steps: int = 60) -> None:
        """Let all arrive."""
        for _ in range(steps):
            self.step()


def _is_whole(pair: Pair) -> bool:
    return pair.begun[0] + len(pair.kept) == pair.disk.end.sequence


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_it_has_a_beginning_and_in_the_end_all(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts, deaths of either end, a window that is full, checkpoints that prune what the standby misses."""
    dice, pair = Random(seed), Pair()
    monkeypatch.setattr(standby_link, "IN_FLIGHT_BYTES_MAX", dice.choice((3, 20, 1 << 20)))
    monkeypatch.setattr(standby_link, "CATCH_UP_BYTES", dice.choice((1, 7, 100)))
    monkeypatch.setattr(standby_link, "SLICE_BYTES", dice.choice((1, 2, 100)))
    happens = (pair.cut, pair.restart_primary, pair.restart_standby, pair.disk.take_checkpoint)
    for _ in range(300):
        if dice.random() < 0.4:
            pair.write(bytes(dice.randrange(1, 256) for _ in range(dice.randrange(1, 6))))
        if dice.random() < 0.03:
            dice.choice(happens)()
        pair.step(dice.choice((0, 1, 3, 1 << 30)))
    pair.settle()
    assert _is_whole(pair)
    assert (pair.primary.lag, pair.standby.lag, pair.primary.has) == (0, 0, pair.disk.end.sequence)
    assert pair.standby.is_following


def test_a_turn_is_kept_one_way_after_it_was_journaled() -> None:
    """Nobody waits for a beat: `has` is what an acknowledgement waits for."""
    pair = Pair()
    pair.settle()
    pair.write(b"ab")
    ((_, frames),) = pair.primary.outgoing()
    pair.take(pair.standby.receive(frames))
    (answer,) = pair.standby.outgoing()
    assert (pair.primary.has, pair.primary.lag) == (0, 2)
    pair.primary.receive(pair.identity, answer, pair.now_ns)
    assert (pair.primary.has, pair.primary.lag) == (2, 0)


def test_one_of_another_history_begins_behind_a_checkpoint() -> None:
    """It was a primary once, and has records that nobody else has."""
    pair = Pair()
    pair.write(b"abc")
    pair.disk.take_checkpoint()
    pair.write(b"de")
    pair.standby, pair.begun = StandbyEnd(WHO, EPOCH, Position(4, ord("x"))), (4, b"of its own")
    pair.settle()
    assert (pair.begun, pair.kept) == ((3, b"ccc"), b"de")
    pair.standby = StandbyEnd(WHO, OTHER, Position(2, ord("b")))
    pair.settle()
    assert (pair.begun, pair.kept) == ((3, b"ccc"), b"de")


def test_another_one_is_let_in_once_the_first_is_silent() -> None:
    """Two would each have a part of what is acknowledged."""
    pair = Pair()
    pair.settle()
    second = StandbyEnd(WHO + 1)
    (ask,) = second.outgoing()
    pair.primary.receive(b"second", ask, pair.now_ns)
    refused = [frames for peer, frames in pair.primary.outgoing() if peer == b"second"]
    assert [second.receive(frames) for frames in refused] == [None]
    assert second.is_refused
    pair.cut()
    pair.now_ns += SILENT_NS + 1
    pair.primary.tick(pair.now_ns)
    assert not pair.primary.is_followed
    second.tick(pair.now_ns)
    second.tick(pair.now_ns + RETRY_NS + 1)
    for frames in second.outgoing():
        pair.primary.receive(b"second", frames, pair.now_ns)
    assert pair.primary.is_followed


def test_one_that_comes_back_is_let_in_at_once() -> None:
    """Its former connection may seem to be there for seconds, in which nothing would be acknowledged."""
    pair = Pair()
    pair.settle()
    pair.write(b"ab")
    pair.restart_standby()
    for _ in range(4):
        pair.step()
    assert not pair.standby.is_refused
    assert (pair.primary.has, _is_whole(pair)) == (2, True)


def test_a_primary_that_comes_back_is_followed_at_its_first_word() -> None:
    """It knows nobody, and says so."""
    pair = Pair()
    pair.settle()
    pair.disk.append(b"ab")
    pair.primary = PrimaryEnd(EPOCH, pair.disk, pair.disk.end)
    for _ in range(5):
        pair.step()
    assert (pair.primary.has, _is_whole(pair)) == (2, True)


def test_a_frame_that_is_lost_is_asked_for_once() -> None:
    """Each frame that shows the gap would else bring everything again."""
    pair = Pair()
    pair.settle()
    asked = 0
    for number in range(6):
        pair.write(b"a")
        ((_, frames),) = [each for each in pair.primary.outgoing() if each[1][1]]
        if number:
            assert pair.standby.receive(frames) is None
            asked += sum(header_of(each)[0] == Kind.FOLLOW for each in pair.standby.outgoing())
    assert asked == 1
    pair.settle()
    assert _is_whole(pair)


def test_a_question_that_is_lost_is_asked_again_though_the_primary_is_not_silent() -> None:
    """Its beats go on."""
    pair = Pair()
    pair.standby.outgoing()  # lost
    pair.write(b"ab")
    pair.settle()
    assert _is_whole(pair)


def test_no_more_is_on_its_way_than_a_socket_has_room_for() -> None:
    """What it has no room for is lost, of a checkpoint too: the standby would never get on."""
    pair = Pair()
    pair.disk.kept = NOWHERE, bytes(100) * SLICE_BYTES
    pair.to_primary += [(pair.identity, frames) for frames in pair.standby.outgoing()]
    pair.step()
    sent = sum(len(pair.primary.outgoing()) for _ in range(200))
    assert sent <= IN_FLIGHT_BYTES_MAX // SLICE_BYTES
    pair.restart_standby()
    pair.settle(300)
    assert len(pair.begun[1]) == 100 * SLICE_BYTES
    pair.step(0)
    for _ in range(200):
        pair.write(b"a")
        pair.to_standby += [frames for _, frames in pair.primary.outgoing() if frames[1]]
    assert len(pair.to_standby) <= IN_FLIGHT_FRAMES_MAX + 1
    pair.settle()
    assert _is_whole(pair)


def test_a_primary_that_hears_of_a_higher_term_is_none_any_more() -> None:
    """From a standby that knows of another one, and from that one itself."""
    pair = Pair()
    pair.settle()
    for frames in (*StandbyEnd(WHO, term=1).outgoing(), term_frames(1)):
        with pytest.raises(SupersededError, match="with term 1"):
            pair.primary.receive(pair.identity, frames, pair.now_ns)
    pair.primary.receive(pair.identity, term_frames(0), pair.now_ns)


def test_nothing_is_taken_of_a_primary_of_a_lower_term() -> None:
    """It was one before us, and does not know."""
    pair = Pair()
    pair.standby = StandbyEnd(WHO, term=3)
    pair.to_standby += [standby_frames(b"a", 2, Kind.RECORDS, EPOCH, 1, 1, 1)]
    pair.take(pair.standby.receive(pair.to_standby.pop()))
    assert (pair.kept, pair.standby.outdated_term, pair.standby.is_following) == (b"", 2, False)
    pair.primary = PrimaryEnd(EPOCH, pair.disk, term=4)
    pair.write(b"a")
    pair.settle()
    assert (pair.kept, pair.standby.term, pair.standby.outdated_term) == (b"a", 4, 0)


def test_the_state_hash_comes_behind_its_record() -> None:
    """Whoever is there may compare; and whether the primary waits for us is told with the records."""
    pair = Pair()
    pair.primary = PrimaryEnd(EPOCH, pair.disk, is_awaited=True)
    pair.settle()
    assert pair.standby.is_awaited
    pair.write(b"ab")
    frames = [frames for _, frames in pair.primary.outgoing()]
    pair.primary.hashed(2, 2**64 - 1)
    frames += [frames for _, frames in pair.primary.outgoing()]
    assert [pair.standby.receive(each) for each in frames][-1] == Hashed(2, 2**64 - 1)
    with pytest.raises(LinkError, match="expected a hash of 8 bytes, were 1"):
        pair.standby.receive(standby_frames(b"x", 0, Kind.HASH, EPOCH, 2))


def test_what_sources_have_heard_is_told() -> None:
    """Else a standby keeps reports for ever."""
    pair = Pair()
    pair.primary.heard(3, 9)
    pair.settle()
    assert not pair.heard, "nobody was there"
    pair.primary.heard(3, 10)
    pair.settle()
    assert pair.heard == [Heard(3, 10)]


BAD: Final[Sequence[Frames]] = (
    [],
    [b"", b""],
    [b"\x93\x01\x02\x03", b""],
    [b"\x97\x01\x02\x03\x04\x05\x06\xff", b""],
    standby_frames(b"", 0, 99, EPOCH),
)


@pytest.mark.parametrize("frames", BAD)
def test_what_is_no_frame_of_it_is_refused(frames: Frames) -> None:
    """At both ends."""
    pair = Pair()
    with pytest.raises(LinkError):
        pair.primary.receive(b"x", frames, 0)
    with pytest.raises(LinkError):
        pair.standby.receive(frames)


def test_a_standby_cannot_have_what_it_was_not_sent() -> None:
    """It is of another journal, or lies."""
    pair = Pair()
    pair.settle()
    with pytest.raises(LinkError, match="expected at most record 0, was 5"):
        pair.primary.receive(pair.identity, standby_frames(b"", 0, Kind.HAVE, EPOCH, 5), pair.now_ns)


@pytest.mark.parametrize("term", [TERM_STEP_MAX + 4, ID_MAX])
def test_a_number_that_can_be_no_term_ends_nobody(term: int) -> None:
    """After the highest there is none that a promotion could take; who has heard it would go with no engine."""
    pair, engine, source = Pair(), EngineEnd(EPOCH), SourceEnd(2, 1)
    pair.primary, engine.term, source.term = PrimaryEnd(EPOCH, pair.disk, term=3), 3, 3
    pair.standby = StandbyEnd(WHO, term=3)
    hello, welcome = (LinkKind.HELLO, 2, 0, 0, 1, term), (LinkKind.WELCOME, EPOCH, 0, 0, 0, 0, term)
    refusals: list[Callable[[], object]] = [
        lambda: pair.primary.receive(pair.identity, term_frames(term), 0),
        lambda: check_term(term_frames(term), 3),
        lambda: pair.standby.receive(standby_frames(b"", term, Kind.RECORDS, EPOCH, 1, 0, 0)),
        lambda: engine.receive(b"x", link_frames(b"", *hello)),
        lambda: source.receive(link_frames(b"", *welcome)),
    ]
    for refusal in refusals:
        with pytest.raises(LinkError, match=f"expected a term of at most 1,000,003, was {term:,}"):
            refusal()
    assert (pair.standby.term, source.term) == (3, 3)


def test_a_word_about_a_checkpoint_agrees_to_no_record() -> None:
    """It may be refused when it is whole; who has a record of ours has all before it."""
    pair = Pair()
    for frames in StandbyEnd(WHO).outgoing():
        pair.primary.receive(pair.identity, frames, pair.now_ns)
    pair.primary.receive(pair.identity, standby_frames(b"", 0, Kind.HAVE, EPOCH, 0, 5), pair.now_ns)
    assert not pair.primary.is_agreed
    pair.settle()
    assert not pair.primary.is_agreed
    pair.write(b"a")
    pair.settle()
    assert pair.primary.is_agreed
    pair.restart_primary()
    assert not pair.primary.is_agreed
    pair.settle()
    assert pair.primary.is_agreed
