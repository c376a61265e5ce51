"""The order link, one promise at a time; test_order_link_model.py mixes everything that can go wrong."""

from collections import deque
from typing import cast

import msgpack
import pytest

from bus import engine_link, order_link
from bus.engine_link import CommandBatch, EngineEnd
from bus.order_link import SILENT_RETRIES, Connected, Frames, Kind, LinkError, RawReports, Reports, SourceEnd
from market.clock import NS_PER_SECOND
from market.codec import decode_commands, encode_all
from market.commands import Command, NewOrder
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX
from tests.bus.messages import EXECUTED, ORDER, accepted, order

RETRY_NS = 100
EPOCH = 77
SOURCE = 2


class Link:
    """One source and one engine; nothing moves until it is asked for."""

    def __init__(self, resume: tuple[int, int] = (0, 0), incarnation: int = 1, engine: EngineEnd | None = None) -> None:
        self.source = SourceEnd(SOURCE, incarnation, resume, RETRY_NS)
        self.engine = engine or EngineEnd(EPOCH)
        self.identity = f"connection {incarnation}".encode()
        self.now_ns = 1_000
        self.news: list[Connected | Reports] = []
        self.sent_count = 0

    def take(self, frames_up: list[Frames]) -> list[CommandBatch]:
        """Give the engine these frames; return what it has to handle."""
        batches = [self.engine.receive(self.identity, frames) for frames in frames_up]
        return [batch for batch in batches if batch is not None]

    def up(self) -> list[CommandBatch]:
        """Carry all from the source to the engine."""
        frames = self.source.outgoing()
        self.sent_count += len(frames)
        return self.take(frames)

    def down(self) -> list[Connected | Reports]:
        """Carry all from the engine to the source; return the news in it."""
        news: list[Connected | Reports] = []
        for identity, frames in self.engine.outgoing():
            self.sent_count += 1
            if identity == self.identity:
                news.extend(self.source.receive(frames))
        self.news += news
        return news

    def handle(self, batches: list[CommandBatch]) -> list[int]:
        """Handle commands as an engine does that accepts every order; return their ids."""
        ids = []
        for batch in batches:
            new = [cast("NewOrder", command).order_id for command in decode_commands(batch.payload)[batch.skip :]]
            self.engine.report(SOURCE, [accepted(order_id) for order_id in new], len(new), max(new))
            ids += new
        return ids

    def settle(self, turns: int = 8) -> list[int]:
        """Tick and carry until all has drained; return the ids of the orders that were handled."""
        ids: list[int] = []
        for _ in range(turns):
            self.now_ns += RETRY_NS // 2 + 1
            self.source.tick(self.now_ns)
            ids += self.handle(self.up())
            self.down()
        return ids

    def connected(self) -> "Link":
        """Say hello and be welcomed."""
        self.up()
        self.down()
        assert self.source.is_connected
        return self


def orders(first: int, last: int) -> list[Command]:
    """Return orders with these ids, both included."""
    return [order(order_id) for order_id in range(first, last + 1)]


def header(frames: Frames) -> list[int]:
    """Return the header's integers."""
    return list(msgpack.unpackb(frames[0]))


def packed(*numbers: object, payload: bytes = b"") -> Frames:
    """Return a frame with this header."""
    return [msgpack.packb(numbers), payload]


def kinds(frames: list[Frames]) -> list[int]:
    """Return the kind of each frame."""
    return [header(each)[0] for each in frames]


# --- who is there


def test_takes_no_commands_before_the_engine_has_answered() -> None:
    """Orders for nobody would wait without anybody knowing."""
    link = Link()
    with pytest.raises(ConnectionError, match="the engine does not answer"):
        link.source.send(orders(1, 1))
    assert kinds(link.source.outgoing()) == [Kind.HELLO]


def test_welcomes_a_first_source_to_an_empty_engine() -> None:
    """Both streams start at 1, no id was seen, and the epoch is new to the source."""
    link = Link()
    assert link.up() == []
    assert link.down() == [Connected(EPOCH, 0, 0, 0, is_new_epoch=True)]
    assert link.source.is_connected


def test_numbers_commands_and_reports() -> None:
    """send() returns the last command's number; Reports says which commands it completes."""
    link = Link().connected()
    assert link.source.send(orders(11, 13)) == 3
    assert link.source.send(orders(14, 14)) == 4
    assert link.handle(link.up()) == [11, 12, 13, 14]
    first, second = link.down()
    assert first == Reports(EPOCH, [accepted(11), accepted(12), accepted(13)], 3, 3)
    assert second == Reports(EPOCH, [accepted(14)], 4, 4)
    assert link.source.acknowledged == 4


def test_resumes_after_the_report_that_it_kept() -> None:
    """A source that restarts gets what it has not kept, knows its place among the commands, and no id twice."""
    link = Link().connected()
    link.source.send(orders(11, 13))
    link.settle()
    link.source.send(orders(14, 15))
    link.handle(link.up())
    again = Link((EPOCH, 3), 2, link.engine)
    again.up()
    assert again.down() == [Connected(EPOCH, 5, 3, 15, False), Reports(EPOCH, [accepted(14), accepted(15)], 5, 5)]
    assert again.source.send(orders(16, 16)) == 6
    assert again.settle() == [16]


def test_starts_afresh_with_an_engine_that_knows_it() -> None:
    """Without memory it gets no old reports, is told where they go on, and must look at what rests."""
    link = Link().connected()
    link.source.send(orders(11, 13))
    link.settle()
    link.engine.report(SOURCE, [EXECUTED])  # for a process that is gone
    link.engine.outgoing()
    fresh = Link((0, 0), 2, link.engine)
    fresh.up()
    assert fresh.down() == [Connected(EPOCH, 3, 4, 13, is_new_epoch=True), Reports(EPOCH, [], 4, 3)]
    fresh.engine.report(SOURCE, [EXECUTED])
    assert fresh.down() == [Reports(EPOCH, [EXECUTED], 5, 3)]


def test_tells_a_fresh_source_of_commands_that_waited_before_its_hello() -> None:
    """One pass of the engine takes the last commands of a process and the hello of the next: it answers with both."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    batches = link.up()
    fresh = Link((0, 0), 2, link.engine)
    assert fresh.up() == []
    link.handle(batches)
    assert fresh.down() == [
        Connected(EPOCH, 2, 0, 12, is_new_epoch=True),
        Reports(EPOCH, [accepted(11), accepted(12)], 2, 2),
    ]
    assert fresh.source.send(orders(13, 13)) == 3
    assert fresh.settle() == [13]


def test_notices_a_new_engine_without_having_anything_to_say() -> None:
    """The heartbeat of an idle source finds a stranger, and both streams start anew."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.settle()
    link.engine, link.news = EngineEnd(EPOCH + 1), []
    link.settle()
    assert link.news[0] == Connected(EPOCH + 1, 0, 0, 0, is_new_epoch=True)
    assert link.source.send(orders(21, 21)) == 1
    assert link.settle() == [21]


def test_forgets_commands_that_another_engine_took() -> None:
    """In a new epoch the caller enters again what should rest; old commands must not come back by themselves."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.source.outgoing()
    link.engine = EngineEnd(EPOCH + 1)
    assert link.settle() == []
    assert link.source.is_connected


def test_says_that_a_silent_engine_is_gone_and_when_it_is_back() -> None:
    """Only Connected ends the silence, so that whoever waits for it is told."""
    link = Link().connected()
    link.source.tick(link.now_ns)
    link.source.tick(link.now_ns + SILENT_RETRIES * RETRY_NS)
    assert link.source.is_connected
    link.source.tick(link.now_ns + SILENT_RETRIES * RETRY_NS + 1)
    assert not link.source.is_connected
    with pytest.raises(ConnectionError, match="does not answer"):
        link.source.send(orders(1, 1))
    link.now_ns += 10 * RETRY_NS
    link.source.outgoing()
    link.news.clear()
    link.engine.report(SOURCE, [EXECUTED])  # it speaks, but has not answered
    assert [type(each) for each in link.down()] == [Reports]
    assert not link.source.is_connected
    link.settle()
    assert link.source.is_connected
    assert [each for each in link.news if isinstance(each, Connected)] == [Connected(EPOCH, 0, 1, 0, False)]


def test_stays_connected_while_it_only_listens() -> None:
    """Heartbeats are answered, so a desk at rest does not look dead."""
    link = Link().connected()
    for _ in range(50):
        link.settle(1)
        assert link.source.is_connected
    assert [each for each in link.news if isinstance(each, Connected)] == link.news == [link.news[0]]


# --- frames of connections that are gone


STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("engine", ["lives", "was killed", "has begun anew"])
def test_goes_on_however_the_clock_was_set_around_a_restart(step_ns: int, engine: str) -> None:
    """Incarnations and epochs are times of starts: the engine says which one to surpass, and no epoch is old."""
    start_ns = 10**18
    first = Link(incarnation=start_ns, engine=EngineEnd(start_ns)).connected()
    first.source.send(orders(11, 12))
    first.handle(first.up())
    first.down()  # it is killed before it acknowledges
    late = Link((start_ns, 1), start_ns + step_ns, first.engine)
    if engine == "was killed":
        late.engine = EngineEnd(start_ns)
        late.engine.restore(SOURCE, 2)
        late.engine.report(SOURCE, [accepted(11), accepted(12)], 2, 12)
    if engine == "has begun anew":
        late.engine = EngineEnd(start_ns + step_ns)
    assert late.settle() == []
    assert late.source.is_connected
    is_new = engine == "has begun anew"
    (connected,) = (news for news in late.news if isinstance(news, Connected))
    epoch = start_ns + step_ns if is_new else start_ns
    assert connected == (Connected(epoch, 0, 0, 0, True) if is_new else Connected(epoch, 2, 1, 12, False))
    late.source.send(orders(13, 13))
    assert late.settle() == [13]
    told = [event for news in late.news if isinstance(news, Reports) for event in news.events]
    assert told == [accepted(order_id) for order_id in ((13,) if is_new else (12, 13))]


def test_takes_no_reports_before_it_was_welcomed() -> None:
    """They may be of a connection that is gone; what they tell comes again behind the welcome."""
    source = SourceEnd(SOURCE, 5, (EPOCH, 1), RETRY_NS)
    source.outgoing()
    report = packed(Kind.REPORTS, EPOCH, 2, 1, 3, payload=encode_all([accepted(11)]))
    assert source.receive(report) == []
    assert (source.acknowledged, source.is_connected) == (0, False)
    assert source.receive(packed(Kind.WELCOME, EPOCH, 3, 1, 11)) == [Connected(EPOCH, 3, 1, 11, False)]
    assert source.receive(report) == [Reports(EPOCH, [accepted(11)], 2, 3)]


def test_surpasses_the_incarnation_that_it_is_told() -> None:
    """One that is the same would be let in, and so would what a dead process of it has sent."""
    source = SourceEnd(SOURCE, 5, (0, 0), RETRY_NS)
    assert header(source.outgoing()[0]) == [Kind.HELLO, SOURCE, 0, 0, 5]
    source.receive(packed(Kind.STRANGER, 1_000, 0, 0, 0))
    assert header(source.outgoing()[0]) == [Kind.HELLO, SOURCE, 0, 0, 1_001]
    source.receive(packed(Kind.WELCOME, EPOCH, 0, 0, 0))
    source.receive(packed(Kind.STRANGER, 1_000, 0, 0, 0))  # late
    assert header(source.outgoing()[0]) == [Kind.HELLO, SOURCE, EPOCH, 0, 1_001]


def test_keeps_a_dead_process_out() -> None:
    """What a dead process sent may be read after its successor's hello: it must not take over, nor be handled."""
    dead, living = Link(incarnation=1).connected(), Link((EPOCH, 0), 2)
    living.engine = dead.engine
    dead.source.send(orders(11, 11))
    late_frames = [*SourceEnd(SOURCE, 1, (0, 0), RETRY_NS).outgoing(), *dead.source.outgoing()]
    living.connected()
    living.source.send(orders(21, 21))
    assert dead.take(late_frames) == []
    assert living.settle() == [21]
    assert Reports(EPOCH, [accepted(21)], 1, 1) in living.news
    assert living.source.acknowledged == 1


def test_keeps_reports_when_the_first_hello_comes_late() -> None:
    """The hello of a process that knew nothing may be read again after it was welcomed: its reports must stay."""
    link = Link()
    hello = link.source.outgoing()
    link.take(hello)
    link.down()
    link.engine.report(SOURCE, [EXECUTED])
    link.engine.outgoing()  # lost
    link.identity = b"the next connection"
    link.take(hello)
    link.settle()
    assert Reports(EPOCH, [EXECUTED], 1, 0) in link.news


def test_asks_a_source_on_a_new_connection_who_it_is() -> None:
    """ZeroMQ gives a new identity to a connection that was made anew; nothing is lost, nothing doubled."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.handle(link.up())
    link.identity = b"the next connection"
    link.engine.outgoing()  # went to the old one
    link.source.send(orders(13, 13))
    assert link.settle() == [13]
    assert [each.events for each in link.news if isinstance(each, Reports)] == [
        [accepted(11), accepted(12)],
        [accepted(13)],
    ]


# --- loss, repetition, and what they cost


def test_handles_once_what_arrives_twice_before_it_was_handled() -> None:
    """The engine takes many frames as one batch: what it has taken but not yet handled must count as taken."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.source.send(orders(13, 13))
    frames = link.source.outgoing()
    assert link.handle(link.take(frames + frames)) == [11, 12, 13]


def test_skips_the_part_of_a_frame_that_it_had() -> None:
    """A source may pack what it sends again in another way."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    assert link.handle(link.up()) == [11, 12]
    overlap = packed(Kind.COMMANDS, EPOCH, 2, 3, 0, payload=encode_all(orders(12, 14)))
    assert link.take([overlap]) == [CommandBatch(SOURCE, overlap[1], 2, 3, 1)]


def test_sends_a_lost_command_again_without_a_storm() -> None:
    """Each of the 500 frames behind the lost one shows the gap; only the first may ask."""
    link = Link().connected()
    for order_id in range(1, 502):
        link.source.send(orders(order_id, order_id))
    _, *rest = link.source.outgoing()
    assert link.take(rest) == []
    assert link.settle() == list(range(1, 502))
    assert link.sent_count < 4 * 501


def test_sends_a_lost_report_again_without_a_storm() -> None:
    """Likewise in the other direction, where a hello brings every report that is not acknowledged."""
    link = Link().connected()
    for _ in range(501):
        link.engine.report(SOURCE, [EXECUTED])
    _, *rest = link.engine.outgoing()
    assert [link.source.receive(frames) for _, frames in rest] == [[]] * 500
    link.settle()
    assert sum(len(each.events) for each in link.news if isinstance(each, Reports)) == 501
    assert link.sent_count < 4 * 501


def test_asks_once_for_what_is_missing_however_much_comes_behind_it() -> None:
    """Each WELCOME brings everything again: one for each gap, and one more for each heartbeat that shows it."""
    link = Link().connected()
    for order_id in range(11, 17):
        link.source.send(orders(order_id, order_id))
    _, *behind = link.source.outgoing()
    asked = []
    for frames in behind:
        assert link.take([frames]) == []
        asked += kinds([answer for _, answer in link.engine.outgoing()])
    assert asked == [Kind.WELCOME]
    link.take([packed(Kind.COMMANDS, EPOCH, 7, 0, 0)])
    assert kinds([answer for _, answer in link.engine.outgoing()]) == [Kind.WELCOME]


def test_asks_for_lost_commands_again_while_reports_keep_coming() -> None:
    """The question may be lost too; then the source is not silent, so its heartbeat must show the gap again."""
    link = Link().connected()
    link.source.send(orders(11, 11))
    link.source.outgoing()  # lost
    handled, lost_count = [], 0
    for _ in range(12):
        link.now_ns += RETRY_NS // 2 + 1
        link.source.tick(link.now_ns)
        handled += link.handle(link.up())
        link.engine.report(SOURCE, [EXECUTED])  # others trade with what rests
        for _, frames in link.engine.outgoing():
            if header(frames)[0] == Kind.WELCOME and lost_count < 2:
                lost_count += 1
            else:
                link.source.receive(frames)
    assert lost_count == 2
    assert handled == [11]


# --- what must have an end


def test_cuts_many_commands_into_frames_that_the_engine_can_take() -> None:
    """A frame never holds more than the engine's ring, nor more bytes than a socket lets through."""
    link = Link().connected()
    commands = [ORDER._replace(order_id=order_id) for order_id in range(1, 2 * BATCH_MESSAGES_MAX + 8)]
    assert link.source.send(commands) == len(commands)
    frames = link.source.outgoing()
    assert [header(each)[3] for each in frames] == [BATCH_MESSAGES_MAX, BATCH_MESSAGES_MAX, 7]
    assert max(len(payload) for _, payload in frames) < FRAME_BYTES_MAX
    assert len(link.handle(link.take(frames))) == len(commands)


def test_cuts_many_reports_into_frames_and_acknowledges_with_the_last() -> None:
    """One mass cancel may report every order of the book; it is handled when the last of them is told."""
    link = Link().connected()
    link.source.send(orders(11, 11))
    link.up()
    events = [accepted(order_id, sequence=2**62) for order_id in range(1, 2 * BATCH_MESSAGES_MAX + 8)]
    link.engine.report(SOURCE, events, 1, 11)
    outgoing = link.engine.outgoing()
    assert max(len(frames[1]) for _, frames in outgoing) < FRAME_BYTES_MAX
    news = [each for _, frames in outgoing for each in link.source.receive(frames)]
    assert [event for each in news if isinstance(each, Reports) for event in each.events] == events
    assert [each.command_sequence for each in news] == [0, 0, 1]


def test_refuses_commands_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller must wait as soon as the engine is far behind, and may go on when it has caught up."""
    monkeypatch.setattr(order_link, "UNACKNOWLEDGED_FRAMES_MAX", 3)
    link = Link().connected()
    for order_id in (11, 12, 13):
        assert not link.source.is_full
        link.source.send(orders(order_id, order_id))
    assert link.source.is_full
    with pytest.raises(ConnectionError, match="far behind"):
        link.source.send(orders(14, 14))
    assert link.settle() == [11, 12, 13]
    assert not link.source.is_full
    assert link.source.send(orders(14, 14)) == 4


def test_takes_no_commands_from_a_source_that_takes_no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands wait with it until it has made room, and none is lost."""
    monkeypatch.setattr(engine_link, "UNACKNOWLEDGED_FRAMES_MAX", 3)
    link = Link().connected()
    for order_id in (11, 12, 13):
        link.source.send(orders(order_id, order_id))
    assert link.handle(link.up()) == [11, 12, 13]
    reports = deque(link.engine.outgoing())
    assert link.source.acknowledged == 0
    link.engine.receive(link.identity, packed(Kind.COMMANDS, EPOCH, 4, 1, 0, payload=encode_all(orders(14, 14))))
    assert link.engine.outgoing() == []
    while reports:
        link.source.receive(reports.popleft()[1])
    link.source.send(orders(14, 14))
    assert link.settle() == [14]


def test_says_that_reports_are_lost_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that was away for too long must not believe that nothing happened."""
    monkeypatch.setattr(engine_link, "UNACKNOWLEDGED_FRAMES_MAX", 3)
    link = Link().connected()
    for _ in range(5):
        link.engine.report(SOURCE, [EXECUTED])
    link.engine.outgoing()  # nobody is there
    again = Link((EPOCH, 0), 2, link.engine)
    again.up()
    first, *rest = again.down()
    assert first == Connected(EPOCH, 0, 2, 0, is_new_epoch=True)
    assert [each.report_sequence for each in rest] == [3, 4, 5]


def test_keeps_nothing_for_a_source_that_never_came() -> None:
    """The first hello starts its reports at 1."""
    engine = EngineEnd(EPOCH)
    engine.report(SOURCE, [EXECUTED])
    assert engine.outgoing() == []
    assert Link(engine=engine).connected().news == [Connected(EPOCH, 0, 0, 0, is_new_epoch=True)]


def test_stops_when_more_is_handled_than_was_taken() -> None:
    """Our own bug, and never a source's: its next commands would be dropped as old."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.up()
    with pytest.raises(AssertionError, match="3 handled after 0, of 2 taken"):
        link.engine.report(SOURCE, [], 3)


# --- what no end of a link sends

BAD_FRAMES: dict[str, Frames] = {
    "no frames": [],
    "a header alone": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1))],
    "three frames": [*packed(Kind.HELLO, SOURCE, 0, 0, 1), b""],
    "an empty header": [b"", b""],
    "half a header": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1))[:-1], b""],
    "a header and more": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1)) + b"\x01", b""],
    "a header that is a map": [b"\x80", b""],
    "a header that is an integer": [b"\x01", b""],
    "four integers": packed(Kind.HELLO, SOURCE, 0, 0),
    "six integers": packed(Kind.HELLO, SOURCE, 0, 0, 1, 0),
    "a float": packed(Kind.HELLO, SOURCE, 0, 0, 1.0),
    "a bool": packed(Kind.HELLO, SOURCE, 0, 0, True),
    "nil": packed(Kind.HELLO, SOURCE, 0, 0, None),
    "text": packed(Kind.HELLO, SOURCE, 0, 0, "1"),
    "a negative integer": packed(Kind.HELLO, SOURCE, 0, -1, 1),
    "an integer of 64 bits": packed(Kind.HELLO, SOURCE, 0, 0, 2**64 - 1),
    "an unknown kind": packed(9, 0, 0, 0, 0),
    "arrays in one another": [b"\x91" * 1_000_000, b""],
    "a text of 4 GB": [b"\xdb\xff\xff\xff\xff", b""],
}
BAD_UP: dict[str, Frames] = BAD_FRAMES | {
    "an unknown source": packed(Kind.HELLO, 99, 0, 0, 1),
    "source 0": packed(Kind.HELLO, 0, 0, 0, 1),
    "a welcome": packed(Kind.WELCOME, EPOCH, 0, 0, 0),
    "reports": packed(Kind.REPORTS, EPOCH, 1, 0, 0),
    "commands from number 0": packed(Kind.COMMANDS, EPOCH, 0, 1, 0, payload=encode_all(orders(1, 1))),
    "more commands than the ring takes": packed(Kind.COMMANDS, EPOCH, 1, BATCH_MESSAGES_MAX + 1, 0),
}
BAD_DOWN: dict[str, Frames] = BAD_FRAMES | {
    "a hello": packed(Kind.HELLO, SOURCE, 0, 0, 1),
    "commands": packed(Kind.COMMANDS, EPOCH, 1, 1, 0, payload=encode_all(orders(1, 1))),
    "fewer reports than it says": packed(Kind.REPORTS, EPOCH, 1, 2, 0, payload=encode_all([EXECUTED])),
    "more reports than it says": packed(Kind.REPORTS, EPOCH, 1, 1, 0, payload=encode_all([EXECUTED, EXECUTED])),
}


@pytest.mark.parametrize("frames", BAD_UP.values(), ids=BAD_UP.keys())
def test_refuses_what_no_source_sends(frames: Frames) -> None:
    """A bad frame is an error that the node catches; the link goes on as if it had never come."""
    link = Link().connected()
    with pytest.raises(LinkError, match="expected") as caught:
        link.engine.receive(link.identity, frames)
    assert len(str(caught.value)) < 200
    link.source.send(orders(11, 12))
    assert link.settle() == [11, 12]


@pytest.mark.parametrize("frames", BAD_DOWN.values(), ids=BAD_DOWN.keys())
def test_refuses_what_no_engine_sends(frames: Frames) -> None:
    """Likewise at the other end."""
    link = Link().connected()
    with pytest.raises(LinkError, match="expected") as caught:
        link.source.receive(frames)
    assert len(str(caught.value)) < 200
    link.source.send(orders(11, 12))
    assert link.settle() == [11, 12]


def test_raw_frames_and_messages_mean_the_same() -> None:
    """A source that works on bytes has the same promises: numbers, what is old, what is done."""
    link = Link().connected()
    assert link.source.send_encoded(encode_all(orders(1, 3)), 3) == 3
    assert link.handle(link.up()) == [1, 2, 3]
    frames = [frames for _, frames in link.engine.outgoing()]
    payload = encode_all([accepted(order_id) for order_id in (1, 2, 3)])
    assert link.source.receive_raw(frames[-1]) == [RawReports(EPOCH, payload, 1, 3, 0, 3, 3)]
    assert link.source.receive_raw(frames[-1]) == [], "it was there before"
    longer = payload + encode_all([accepted(4)])
    news = link.source.receive_raw(packed(Kind.REPORTS, EPOCH, 1, 4, 3, payload=longer))
    assert news == [RawReports(EPOCH, longer, 1, 4, 3, 4, 3)], "three of the four are old"
    assert (link.source.sent, link.source.acknowledged) == (3, 3)
