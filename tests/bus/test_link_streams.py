"""Commands and reports of an order link: nothing lost, nothing twice, and no queue without an end."""

from collections import deque

import pytest

from bus import engine_link, order_link
from bus.engine_link import CommandBatch
from bus.order_link import Connected, Kind, Reports
from market.codec import encode_all
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.link_pair import EPOCH, RETRY_NS, SOURCE, Link, header, kinds, orders, packed
from tests.bus.messages import EXECUTED, ORDER, accepted


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
    engine = PlainEngineEnd(EPOCH)
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
