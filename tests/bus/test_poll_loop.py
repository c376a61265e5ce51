"""The loop that a node waits in, on real sockets in a real directory."""

import os
import signal
import socket
import threading
from contextlib import closing
from itertools import groupby, pairwise
from pathlib import Path
from time import process_time_ns, sleep
from typing import Any

import pytest

from bus.channel import ChannelSocket
from bus.poll_loop import POLL_WRITE, PollLoop
from bus.topology import ORDERS
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns
from tests.bus.test_channel import sent_in_time


def test_calls_timers_again_and_again_and_sleeps_in_between() -> None:
    """A timer is called at once and then every so often; waiting takes no processor time."""
    loop, called_ns = PollLoop(), []
    loop.every(20, lambda: called_ns.append(monotonic_ns()))
    loop.every(1, lambda: loop.stop() if len(called_ns) == 11 else None)
    started_ns, cpu_ns = monotonic_ns(), process_time_ns()
    loop.run()
    passed_ns, cpu_ns = monotonic_ns() - started_ns, process_time_ns() - cpu_ns
    assert passed_ns >= 10 * 20 * NS_PER_MS
    gaps = [later - earlier for earlier, later in pairwise(called_ns)]
    assert min(gaps) >= 20 * NS_PER_MS
    assert cpu_ns < passed_ns / 2


def test_wakes_up_only_when_there_is_something_to_do() -> None:
    """A timer that is due in a fraction of a millisecond must not turn the loop into a busy one."""
    loop, turns = PollLoop(), []
    run_timers = loop._run_timers
    loop._run_timers = lambda: turns.append(0) or run_timers()  # type: ignore[func-returns-value, method-assign]
    called: list[int] = []
    loop.every(2.5, lambda: called.append(0) if len(called) < 40 else loop.stop())
    loop.run()
    assert len(turns) <= 2 * len(called) + 5


def test_stops_at_once_when_a_timer_says_so() -> None:
    """It must not wait for the next event first."""
    loop = PollLoop()
    loop.every(60_000, loop.stop)
    started_ns = monotonic_ns()
    loop.run()
    assert monotonic_ns() - started_ns < NS_PER_SECOND // 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_by_signal_and_puts_the_handlers_back(number: signal.Signals) -> None:
    """A signal that comes while it sleeps ends the sleep, and afterwards the signal means what it meant before."""
    before = signal.getsignal(number)
    loop, started_ns = PollLoop(), monotonic_ns()
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    loop.run()
    assert monotonic_ns() - started_ns < NS_PER_SECOND // 2
    assert signal.getsignal(number) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_serves_plain_sockets_until_it_is_told_to_forget_them() -> None:
    """Readable, writable, and what is forgotten in the same turn is not called any more."""
    loop, (first, peer), (second, other_peer) = PollLoop(), socket.socketpair(), socket.socketpair()
    called = []

    def on_first() -> None:
        called.append(first.recv(10))
        loop.forget(second)
        loop.watch(first, loop.stop, POLL_WRITE)

    def on_second() -> None:
        called.append(second.recv(10))
        loop.forget(first)
        loop.watch(second, loop.stop, POLL_WRITE)

    with first, peer, second, other_peer:
        loop.on_readable(first, on_first)
        loop.on_readable(second, on_second)
        peer.send(b"first")
        other_peer.send(b"second")
        loop.run()
    assert called in ([b"first"], [b"second"])


def test_serves_channels(short_dir: Path) -> None:
    """An action reads all that waits; one that leaves something is called again."""
    loop, taken = PollLoop(), []
    engine, source = (
        ChannelSocket(ORDERS, short_dir, "engine", is_binder=True),
        ChannelSocket(ORDERS, short_dir, "engine"),
    )
    with closing(engine), closing(source):

        def take() -> None:
            while (frames := engine.receive()) is not None:
                taken.append(frames[1])
            if len(taken) == 3:
                loop.stop()

        loop.on_readable(engine, take)
        for number in (b"1", b"2", b"3"):
            assert sent_in_time(source, [number])
        loop.run()
    assert taken == [b"1", b"2", b"3"]


def looked(loop: PollLoop) -> list[int]:
    """Return a list that takes how long each look of the loop at its sockets may take, in ms."""
    timeouts: list[int] = []
    poll = loop._poller.poll

    def noted(timeout: int | None = None) -> list[tuple[Any, int]]:
        assert timeout is not None
        timeouts.append(timeout)
        return poll(timeout)

    loop._poller.poll = noted  # type: ignore[method-assign]
    return timeouts


def run_after_messages(loop: PollLoop, timeouts: list[int], count: int = 2) -> list[bool]:
    """Run for a moment, each message at once behind the one before; return how the looks after the last came back.

    Alike ones in a row are told once: whether they came back at once.
    """
    end, peer = socket.socketpair()

    def on_message() -> None:
        timeouts.append(-int(end.recv(10)))
        if -timeouts[-1] < count:
            peer.send(b"%d" % (1 - timeouts[-1]))

    with end, peer:
        loop.on_readable(end, on_message)
        peer.send(b"1")
        loop.every(10_000, lambda: None)
        threading.Timer(0.2, loop.stop).start()
        loop.run()
    after = timeouts[timeouts.index(-count) + 1 :]
    return [is_at_once for is_at_once, _ in groupby(after, lambda timeout: timeout == 0)]


class Offers:
    """Counts how often the processor is offered, and takes it for `taken_s` each time."""

    def __init__(self) -> None:
        self.count = 0
        self.taken_s = 0.0

    def __call__(self) -> None:
        self.count += 1
        sleep(self.taken_s)


@pytest.fixture
def offers(monkeypatch: pytest.MonkeyPatch) -> Offers:
    """Offers that nobody takes, unless a test says so."""
    offers = Offers()
    monkeypatch.setattr("os.sched_yield", offers)
    return offers


def test_looks_again_for_a_while_after_a_message_and_then_sleeps(offers: Offers) -> None:
    """Between orders a node must not go to sleep at once, and without orders it must not keep a processor busy."""
    loop = PollLoop(spin_us=60_000)
    assert run_after_messages(loop, looked(loop)) == [True, False]
    assert offers.count >= 1


def test_sleeps_after_a_message_that_came_alone(offers: Offers) -> None:
    """Where messages come by the hundred a second, a look after each finds nothing and keeps a processor busy."""
    loop = PollLoop(spin_us=20_000)
    assert run_after_messages(loop, looked(loop), count=1) == [False]
    assert offers.count == 0


def test_sleeps_after_a_message_unless_it_is_told_to_look_again(offers: Offers) -> None:
    """A node that no order waits for leaves the processor alone."""
    loop = PollLoop()
    assert run_after_messages(loop, looked(loop)) == [False]
    assert offers.count == 0


def test_leaves_the_processor_to_those_that_need_it(offers: Offers) -> None:
    """A look that took long says that somebody else ran meanwhile: then it sleeps, however long it might look."""
    offers.taken_s = 0.001
    loop = PollLoop(spin_us=60_000_000)
    assert run_after_messages(loop, looked(loop)) == [True, False]
    assert offers.count == 1


def test_calls_timers_and_stops_while_it_looks_again() -> None:
    """A message a moment ago is no reason to be late."""
    loop, (end, peer) = PollLoop(spin_us=60_000_000), socket.socketpair()
    called: list[int] = []

    def on_timer() -> None:
        called.append(peer.send(b"1"))
        if len(called) == 10:
            loop.stop()

    with end, peer:
        loop.on_readable(end, lambda: called.extend(end.recv(10)[1:]))
        loop.every(5, on_timer)
        loop.run()
    assert len(called) == 10
