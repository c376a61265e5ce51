"""Waiting on the bus's sockets inside an asyncio loop; apart, for commands that ask a desk need no asyncio."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import zmq
from zmq.backend import Socket as PlainSocket

from bus.channel import ChannelSocket

# As plain numbers: the enums' arithmetic takes longer than what it is for.
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)


class AsyncWaiter:
    """Waits, inside an asyncio loop, until a message can be received from one of several sockets.

    A socket's descriptor tells only that something has happened, and whoever uses the socket takes that away: a send
    from another task can swallow the news of a message that has just come. So `look` is to be called after each such
    send. zmq.asyncio's poller does not know of it, and slept on: half of the orders waited for the next tick.
    """

    def __init__(self, sockets: Sequence[ChannelSocket]) -> None:
        """Watch the sockets from now on, in the running loop."""
        self._sockets = [each.raw for each in sockets]
        self._loop = asyncio.get_running_loop()
        self._is_awake = asyncio.Event()
        self._is_over = False
        self._gets: list[Callable[[int], Any]] = [partial(PlainSocket.get, each) for each in self._sockets]
        for each in self._sockets:
            self._loop.add_reader(each.getsockopt(zmq.FD), self._is_awake.set)

    def look(self) -> None:
        """Let `wait` look at the sockets again."""
        self._is_awake.set()

    async def wait(self, timeout_ms: int) -> None:
        """Wait until a message can be received, but not longer than that; other tasks run in any case."""
        self._is_awake.clear()
        await asyncio.sleep(0)
        if self._has_message():
            return
        self._is_over = False
        timer = self._loop.call_later(timeout_ms / 1_000, self._end)  # a third of what asyncio.timeout takes
        try:
            while not self._is_over and not self._has_message():
                await self._is_awake.wait()
                self._is_awake.clear()
        finally:
            timer.cancel()

    def _has_message(self) -> bool:
        return any(get(_EVENTS) & _POLLIN for get in self._gets)

    def _end(self) -> None:
        self._is_over = True
        self._is_awake.set()

    def close(self) -> None:
        """Stop watching; to be called before the sockets are closed."""
        for each in self._sockets:
            self._loop.remove_reader(each.getsockopt(zmq.FD))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
