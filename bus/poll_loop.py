"""The loop of a node that lives in one thread: it waits on channels, plain sockets and timers."""

import contextlib
import os
import select
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zmq

from bus.channel import ChannelSocket
from bus.end_signals import on_end_signals
from market.clock import NS_PER_MS, NS_PER_US, monotonic_ns

POLL_READ, POLL_WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
assert (POLL_READ, POLL_WRITE) == (zmq.POLLIN, zmq.POLLOUT), "zmq and selectors name the poll events differently"

YIELDED_NS = 200 * NS_PER_US  # a look that takes longer: somebody else needs the processor


NEVER_NS = 2**63 - 1


@dataclass(slots=True)
class Timer:
    """Something to be called at a time, and at an interval after that if there is one."""

    action: Callable[[], None]
    interval_ns: int | None
    due_ns: int  # monotonic

    def set(self, wait_ns: int | None) -> None:
        """Be due that long from now, None: not before it is set again."""
        self.due_ns = NEVER_NS if wait_ns is None else monotonic_ns() + wait_ns


class PollLoop:
    """Waits on channels, plain sockets and timers in one thread until told to stop.

    By `stop`, from any thread; in the main thread of a process by every signal that would end it, too.

    Args:
        spin_us: how long after a message to look for the next one before the kernel may put us to sleep; only while
            they come so quickly that it is worth it: if the last one was there within that time.
    """

    def __init__(self, spin_us: int = 0) -> None:
        self._poller = zmq.Poller()
        self._news = select.poll()  # tells only that a source may be worth a look, at a fifth of the price of one
        self._actions: dict[Any, Callable[[], None]] = {}
        self._timers: list[Timer] = []
        self._soon: list[Callable[[], None]] = []
        self._is_stopping = False
        self._spin_ns = spin_us * NS_PER_US
        self._is_spinning = False
        self._is_busy = False  # the last message was there within spin_us
        self._waker: socket.socket | None = None

    def on_readable(self, source: ChannelSocket | socket.socket, action: Callable[[], None]) -> None:
        """Call `action` whenever `source` can be read; it must read all that waits on a channel."""
        self.watch(source, action, POLL_READ)

    def watch(self, source: ChannelSocket | socket.socket, action: Callable[[], None], events: int) -> None:
        """Call `action` whenever one of the poll `events` (1 read, 2 write) is true of `source`."""
        key = source.raw if isinstance(source, ChannelSocket) else source.fileno()
        self._poller.register(key, events)
        self._news.register(_descriptor_of(key), events if isinstance(key, int) else POLL_READ)
        self._actions[key] = action

    def forget(self, source: ChannelSocket | socket.socket) -> None:
        """Stop watching `source`; to be called before it is closed."""
        key = source.raw if isinstance(source, ChannelSocket) else source.fileno()
        self._poller.unregister(key)
        self._news.unregister(_descriptor_of(key))
        del self._actions[key]

    def every(self, interval_ms: float, action: Callable[[], None]) -> None:
        """Call `action` now and then every `interval_ms`; a late call is not made up for."""
        self._timers.append(Timer(action, int(interval_ms * NS_PER_MS), 0))

    def alarm(self, action: Callable[[], None]) -> Timer:
        """Return a timer that calls `action` once, each time that it has been set and its time has come."""
        alarm = Timer(action, None, NEVER_NS)
        self._timers.append(alarm)
        return alarm

    def soon(self, action: Callable[[], None]) -> None:
        """Call `action` once, after what can be read next; to cut long work into slices."""
        self._soon.append(action)

    def stop(self) -> None:
        """End `run` after the action that is running; a thread of another loop may say so."""
        self._is_stopping = True
        if self._waker is not None:
            with contextlib.suppress(OSError):  # it is full, or just closed: the loop is awake
                self._waker.send(b"\0")

    def run(self) -> None:
        """Wait and call until stopped."""
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        self._waker = writer

        def drain() -> None:
            reader.recv(4_096)

        self.on_readable(reader, drain)
        is_main = threading.current_thread() is threading.main_thread()
        try:
            with _stop_signals(self.stop, writer) if is_main else contextlib.nullcontext():
                while not self._is_stopping:
                    self._turn()
        finally:
            self._waker = None
            self.forget(reader)
            reader.close()
            writer.close()

    def _turn(self) -> None:
        ready = self._wait(self._run_timers())
        self._is_spinning = bool(ready)
        for key, _ in ready:
            action = self._actions.get(key)
            if action is not None and not self._is_stopping:
                action()
        due, self._soon = self._soon, []
        for action in due:
            action()

    def _wait(self, timeout_ms: int) -> list[tuple[Any, int]]:
        """Return what can be read: after a message look again and again for a while, then sleep.

        To be woken up takes tens of microseconds, and by then the processor's caches hold somebody else's work. But a
        processor that others need is theirs. And where messages come by the hundred a second, looking for each finds
        next to nothing and took the engine of an ordinary desk 5 % of a core.
        """
        if not (self._is_spinning and self._spin_ns and timeout_ms > 0):
            return self._poller.poll(timeout_ms)
        began_ns = monotonic_ns()
        ready = self._look(timeout_ms, began_ns) if self._is_busy else []
        if not ready:
            ready = self._poller.poll(timeout_ms)
        self._is_busy = monotonic_ns() - began_ns <= self._spin_ns
        return ready

    def _look(self, timeout_ms: int, now_ns: int) -> list[tuple[Any, int]]:
        """Return what can be read as soon as there is something, or nothing after a while."""
        if ready := self._poller.poll(0):
            return ready
        until_ns = now_ns + min(self._spin_ns, timeout_ms * NS_PER_MS)
        while now_ns < until_ns:
            if self._news.poll(0) and (ready := self._poller.poll(0)):
                return ready
            os.sched_yield()
            before_ns, now_ns = now_ns, monotonic_ns()
            if now_ns - before_ns > YIELDED_NS:
                break
        return []

    def _run_timers(self) -> int:
        timeout_ns = 1_000 * NS_PER_MS
        for timer in self._timers:
            now_ns = monotonic_ns()
            if now_ns >= timer.due_ns and not self._is_stopping:
                timer.set(None)
                timer.action()
                if timer.interval_ns is not None:
                    timer.set(timer.interval_ns)
            timeout_ns = min(timeout_ns, timer.due_ns - now_ns)
        return 0 if self._is_stopping or self._soon else max(0, -(-timeout_ns // NS_PER_MS))


def _descriptor_of(key: Any) -> int:
    descriptor: int = key if isinstance(key, int) else key.FD
    return descriptor


@contextlib.contextmanager
def _stop_signals(stop: Callable[[], None], writer: socket.socket) -> Iterator[None]:
    """Call `stop` at every signal that would end the process, and wake up who waits on the other end of `writer`."""
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        with on_end_signals(stop):
            yield
    finally:
        signal.set_wakeup_fd(-1)
