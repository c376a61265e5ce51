"""Where the lane ends and Python begins: what fails, what does not fit, and what a signal cuts short."""

import ctypes
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
import zmq

from bus.order_link import Kind, link_frames
from bus.topology import first_order_id, first_owner
from engine.wire.table import ENTRY_SIZE, ITEMS_MOST
from journal.format import JournalError, JournalMode
from market.clock import NS_PER_MS, NS_PER_US
from market.codes import Tag
from market.commands import NewOrder
from market.events import Accepted
from market.limits import FRAME_BYTES_MAX
from nodes.engine.lane.lane import EngineLane, NoLaneError
from tests.nodes.engine.lane.rig import EPOCH, Calls, Rig
from tests.one_engine import GATEWAY

LOOK_NS: Final = 100 * NS_PER_US


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder."""
    with TemporaryDirectory(prefix="tb-") as name:
        yield Path(name)


def _order(number: int, side: int = 0, source: int = GATEWAY) -> NewOrder:
    return NewOrder(first_order_id(source) + number, 0, side, 1_000, 5, owner=first_owner(source))


def _lane(rig: Rig) -> EngineLane:
    assert rig.lane is not None
    return rig.lane


def _accepted(rig: Rig, source: int = GATEWAY) -> list[int]:
    own = first_order_id(source)
    return [event.order_id - own for event in rig.events[source] if isinstance(event, Accepted)]


def test_a_turn_ends_before_what_is_odd_and_the_next_begins_behind_it(folder: Path) -> None:
    """The order of frames is that in which they came, though some go through Python and some do not."""
    rig = Rig(folder, Calls())
    rig.connect()
    rig.send(GATEWAY, [_order(1)], [_order(2)])
    rig.send_raw(GATEWAY, b"junk")
    rig.send(GATEWAY, [_order(3)])
    rig.send_raw(GATEWAY, *link_frames(b"", Kind.COMMANDS, EPOCH, 4, 0, 0))
    rig.send(GATEWAY, [_order(4)])
    rig.turn()
    assert _accepted(rig) == [1, 2, 3, 4]
    assert len(rig.bad) == 1
    assert rig.ends[GATEWAY].acknowledged == 4
    rig.check_replay()
    rig.close()


def test_a_call_does_turn_after_turn_while_something_comes(folder: Path) -> None:
    """What comes while a turn is done is the next turn of the same call; the feed is told once of all of them."""
    calls, rest = Calls(), iter([_order(2), _order(3)])

    def write(*arguments: int) -> int:
        for order in rest:
            rig.send(GATEWAY, [order])
            break
        return calls.call("write", *arguments)

    calls.replace("write", 3, write)
    rig = Rig(folder, calls)
    rig.connect()
    rig.send(GATEWAY, [_order(1)])
    rig.now_ns += NS_PER_MS
    done = _lane(rig).take(is_told=True)
    assert [count for _, count in done.took] == [1, 1, 1]
    assert (done.frames, done.bad, done.is_idle) == (None, "", True)
    rig.turns.publish(rig.core.tell(done.time_ns))
    rig.turn()
    assert _accepted(rig) == [1, 2, 3]
    rig.check_replay()
    rig.close()


def test_the_next_file_begins_in_any_turn_of_a_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel has written before in the same call counts."""
    monkeypatch.setattr("nodes.engine.making.JOURNAL_FILE_BYTES", (1 << 20) + 200)
    calls, waiting = Calls(), 0

    def write(*arguments: int) -> int:
        nonlocal waiting
        if waiting:
            waiting -= 1
            send()
        return calls.call("write", *arguments)

    def send() -> None:
        first = rig.ends[GATEWAY].sent + 1
        rig.send(GATEWAY, [_order(first + number) for number in range(900)])

    calls.replace("write", 3, write)
    rig = Rig(folder, calls)
    rig.connect()
    for _ in range(16):
        waiting = 3
        send()
        rig.turn()
    assert len(rig.journal_bytes()) == 2
    assert rig.ends[GATEWAY].sent > 50_000
    assert _accepted(rig) == list(range(1, rig.ends[GATEWAY].sent + 1))
    rig.check_replay()
    rig.close()


def test_a_part_that_is_too_large_is_refused(folder: Path) -> None:
    """Inside a process ZeroMQ has no such limit; the next message is read as it came."""
    rig = Rig(folder, Calls())
    rig.connect()
    rig.send_raw(GATEWAY, *link_frames(b"\0" * (FRAME_BYTES_MAX + 1), Kind.COMMANDS, EPOCH, 1, 1, 0), b"more")
    rig.send(GATEWAY, [_order(1)])
    rig.turn()
    assert rig.bad == [f"expected at most {FRAME_BYTES_MAX} bytes of commands, was {FRAME_BYTES_MAX + 1}"]
    assert _accepted(rig) == [1]
    rig.close()


@pytest.mark.parametrize(("written", "error", "why"), [(7, 0, "were 7"), (-1, errno.ENOSPC, "No space left on device")])
def test_the_engine_stops_before_what_was_not_written_is_acknowledged(
    folder: Path, written: int, error: int, why: str
) -> None:
    """Nothing of the turn is matched or told; what was told before stays."""
    calls, fails = Calls(), False

    def write(file: int, place: int, size: int) -> int:
        if not fails:
            return calls.call("write", file, place, size)
        ctypes.c_int.from_address(calls.call_long("__errno_location")).value = error
        return written

    calls.replace("write", 3, write)
    rig = Rig(folder, calls)
    rig.connect()
    rig.send(GATEWAY, [_order(1)])
    rig.turn()
    fails = True
    rig.send(GATEWAY, [_order(2)])
    with pytest.raises(JournalError, match=why):
        rig.turn()
    assert rig.core.engine.live_order_count == 1
    assert rig.sockets[GATEWAY].receive() is None
    with pytest.raises(JournalError, match=why):
        rig.turn()
    rig.close()


def test_what_a_signal_cuts_short_is_done_again(folder: Path) -> None:
    """Of each call that can be."""
    calls, cut = Calls(), dict.fromkeys(("zmq_recv", "zmq_send", "write"), 0)

    def each_second(name: str, *arguments: int) -> int:
        cut[name] += 1
        if cut[name] % 2:
            calls.errno = errno.EINTR
            ctypes.c_int.from_address(calls.call_long("__errno_location")).value = errno.EINTR
            return -1
        return calls.call(name, *arguments)

    calls.replace_of_bus("zmq_recv", lambda *given: each_second("zmq_recv", *given))
    calls.replace_of_bus("zmq_send", lambda *given: each_second("zmq_send", *given))
    calls.replace("write", 3, lambda *given: each_second("write", *given))
    rig = Rig(folder, calls)
    rig.connect()
    for number in range(1, 5):
        rig.send(GATEWAY, [_order(number)])
        rig.turn()
    assert _accepted(rig) == [1, 2, 3, 4]
    assert min(cut.values()) >= 8
    rig.check_replay()
    rig.close()


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.EHOSTUNREACH])
def test_reports_for_which_there_is_no_room_are_asked_for(folder: Path, error: int) -> None:
    """They are kept; the next ones show their source the gap."""
    calls, fails = Calls(), False

    def send(*arguments: int) -> int:
        if not fails:
            return calls.call("zmq_send", *arguments)
        calls.errno = error
        return -1

    calls.replace_of_bus("zmq_send", send)
    rig = Rig(folder, calls)
    rig.connect()
    fails = True
    rig.send(GATEWAY, [_order(1)])
    rig.turn()
    assert _accepted(rig) == []
    fails = False
    rig.send(GATEWAY, [_order(2)])
    rig.turn()
    assert _accepted(rig) == [1, 2]
    assert rig.ends[GATEWAY].acknowledged == 2
    rig.check_replay()
    rig.close()


@pytest.mark.parametrize("name", ["zmq_recv", "zmq_send", "zmq_getsockopt"])
def test_a_socket_that_is_of_no_use_is_said(folder: Path, name: str) -> None:
    """What was journaled is known to have been."""
    calls, fails = Calls(), False

    def call(*arguments: int) -> int:
        if not fails:
            return calls.call(name, *arguments)
        calls.errno = zmq.ETERM
        return -1

    calls.replace_of_bus(name, call)
    rig = Rig(folder, calls)
    rig.connect()
    rig.send(GATEWAY, [_order(1)])
    fails = True
    with pytest.raises(zmq.ZMQError) as raised:
        rig.turn()
    assert raised.value.errno == zmq.ETERM
    fails = False
    rig.turn()
    rig.tick()
    rig.turn()
    assert rig.core.command_count == 1
    rig.check_replay()
    rig.close()


def test_an_event_that_is_no_message_is_a_bug(folder: Path) -> None:
    """Nobody may be told less than there is."""
    rig = Rig(folder, Calls())
    rig.connect()
    _lane(rig).memory.event_table[int(Tag.ACCEPTED) * ENTRY_SIZE + ITEMS_MOST] = 0
    rig.send(GATEWAY, [_order(1)])
    with pytest.raises(AssertionError, match="expected events that are messages"):
        rig.turn()
    rig.close()


def test_a_source_that_does_not_take_its_reports_is_left_to_python(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands wait; so many frames of reports are kept and no more."""
    rig = Rig(folder, Calls())
    rig.connect()
    lend = rig.core.links.lend
    monkeypatch.setattr(rig.core.links, "lend", lambda: [one._replace(unacknowledged_count=65_536) for one in lend()])
    rig.send(GATEWAY, [_order(1)])
    rig.now_ns += NS_PER_MS
    done = _lane(rig).take(is_told=True)
    assert done.took == []
    assert done.frames is not None
    assert len(done.frames) == 3
    rig.close()


class Watch:
    """A clock that a look moves on, and what gives way."""

    def __init__(self, step_ns: int) -> None:
        self.calls = Calls()
        self.step_ns = step_ns
        self.yielded = 0
        self.on_yield: Callable[[], object] = lambda: None
        self.rig: Rig

    def give_way(self) -> int:
        self.yielded += 1
        self.rig.now_ns += self.step_ns
        self.on_yield()
        return 0


def _watched(folder: Path, step_ns: int, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return an engine in whose lane messages have just come one after the other."""
    watch = Watch(step_ns)
    watch.calls.replace("sched_yield", 0, watch.give_way)
    rig = watch.rig = Rig(folder, watch.calls, look_ns=LOOK_NS)
    monkeypatch.setattr("nodes.engine.lane.lane.monotonic_ns", lambda: rig.now_ns)
    rig.connect()
    rig.now_ns -= NS_PER_MS
    rig.send(GATEWAY, [_order(1)])
    assert _lane(rig).take(is_told=True).took
    rig.core.tell(rig.now_ns)
    return watch


def test_it_looks_for_the_next_message_as_long_as_it_was_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it lets Python see to all else."""
    watch = _watched(folder, 10 * NS_PER_US, monkeypatch)
    done = _lane(watch.rig).take(is_told=False)
    assert (done.took, done.is_idle) == ([], True)
    assert watch.yielded == 10
    watch.rig.close()


def test_it_takes_what_comes_while_it_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word of Python in between."""
    watch = _watched(folder, 10 * NS_PER_US, monkeypatch)
    watch.on_yield = lambda: watch.rig.send(GATEWAY, [_order(2)]) if watch.yielded == 3 else None
    done = _lane(watch.rig).take(is_told=False)
    assert [count for _, count in done.took] == [1]
    assert watch.yielded == 3
    watch.rig.close()


def test_a_processor_that_others_need_is_theirs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who had to wait for it when it gave way looks no longer."""
    watch = _watched(folder, 0, monkeypatch)
    watch.on_yield = lambda: setattr(watch.rig, "now_ns", watch.rig.now_ns + 201 * NS_PER_US)
    watch.rig.lane._look_ns = NS_PER_MS  # type: ignore[union-attr]
    assert _lane(watch.rig).take(is_told=False).is_idle
    assert watch.yielded == 1
    watch.rig.close()


def test_it_does_not_look_where_messages_come_seldom(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for each would find next to nothing."""
    watch = _watched(folder, 10 * NS_PER_US, monkeypatch)
    watch.rig.now_ns += NS_PER_MS
    watch.rig.send(GATEWAY, [_order(2)])
    done = _lane(watch.rig).take(is_told=True)
    assert done.took
    assert done.is_idle
    watch.rig.core.tell(watch.rig.now_ns)
    assert _lane(watch.rig).take(is_told=False).is_idle
    assert watch.yielded == 0
    watch.rig.close()


@pytest.mark.parametrize("mode", [JournalMode.GROUP, JournalMode.SYNC])
def test_there_is_no_lane_where_answers_wait_for_the_disk(folder: Path, mode: JournalMode) -> None:
    """It sends what it has journaled at once."""
    with pytest.raises(NoLaneError, match=f"engine.journal is {mode}"):
        Rig(folder, Calls(), mode)
