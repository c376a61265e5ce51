"""Who is there at the ends of an order link, through restarts, silence and clocks that are set."""

import pytest

from bus.order_link import SILENT_RETRIES, Connected, Kind, LostTailError, Reports, SourceEnd
from market.clock import NS_PER_SECOND
from market.codec import encode_all
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.link_pair import EPOCH, RETRY_NS, SOURCE, Link, header, kinds, orders, packed
from tests.bus.messages import EXECUTED, accepted


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
    link.engine, link.news = PlainEngineEnd(EPOCH + 1), []
    link.settle()
    assert link.news[0] == Connected(EPOCH + 1, 0, 0, 0, is_new_epoch=True)
    assert link.source.send(orders(21, 21)) == 1
    assert link.settle() == [21]


def test_forgets_commands_that_another_engine_took() -> None:
    """In a new epoch the caller enters again what should rest; old commands must not come back by themselves."""
    link = Link().connected()
    link.source.send(orders(11, 12))
    link.source.outgoing()
    link.engine = PlainEngineEnd(EPOCH + 1)
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


STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("engine", ["lives", "was killed", "has begun anew"])
def test_goes_on_however_the_clock_was_set_around_a_restart(step_ns: int, engine: str) -> None:
    """Incarnations and epochs are times of starts: the engine says which one to surpass, and no epoch is old."""
    start_ns = 10**18
    first = Link(incarnation=start_ns, engine=PlainEngineEnd(start_ns)).connected()
    first.source.send(orders(11, 12))
    first.handle(first.up())
    first.down()  # it is killed before it acknowledges
    late = Link((start_ns, 1), start_ns + step_ns, first.engine)
    if engine == "was killed":
        late.engine = PlainEngineEnd(start_ns)
        late.engine.restore(SOURCE, 2)
        late.engine.report(SOURCE, [accepted(11), accepted(12)], 2, 12)
    if engine == "has begun anew":
        late.engine = PlainEngineEnd(start_ns + step_ns)
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


def test_an_engine_that_has_forgotten_what_it_has_told_goes_no_further() -> None:
    """Its disk has lost the end: its next reports would be taken for those that the source has had, and dropped."""
    link = Link().connected()
    link.source.send(orders(11, 13))
    link.settle()
    again = PlainEngineEnd(EPOCH)
    again.restore(SOURCE, 2)  # as its journal says
    again.report(SOURCE, [accepted(11), accepted(12)], 2, 12)
    for resume in ((EPOCH, 0), (EPOCH, 2), (EPOCH + 1, 3)):
        assert Link(resume, 2, again).settle() == []
    with pytest.raises(LostTailError, match=f"source {SOURCE} has had 3 reports, and 2 were told") as error:
        Link((EPOCH, 3), 2, again).up()
    assert (error.value.source, error.value.theirs, error.value.ours) == (SOURCE, 3, 2)
