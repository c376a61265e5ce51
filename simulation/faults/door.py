"""Where the exchange is called, whether it lives or not."""

from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import Any, Final

from market.clock import NS_PER_MS, NS_PER_SECOND
from paper.errors import ErrorKind, ExchangeError
from simulation.faults.nodes import PaperProcess
from simulation.heap import EventHeap

_LATE_NS: Final = 1 * NS_PER_MS, 1 * NS_PER_SECOND  # within which a call arrives that nobody waits for any more


class Door:
    """Takes the calls of an account for whichever life the exchange is in; a Caller."""

    def __init__(self, account: int, heap: EventHeap, dice: Random) -> None:
        self._account = account
        self._heap = heap
        self._dice = dice
        self._deaf_until_ns = 0
        self.process: PaperProcess | None = None
        self._unanswered: dict[int, Callable[[Any], None]] = {}
        self._numbers = count()

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call."""
        process = self.process
        if process is None:
            done(ExchangeError(ErrorKind.DISCONNECTED))
            return
        if self._heap.now_ns < self._deaf_until_ns:
            done(ExchangeError(ErrorKind.TIMEOUT))
            late_ns = self._dice.randint(*_LATE_NS)
            self._heap.after(late_ns, lambda: self._carry_out(method, path, asked, lambda _: None))
            return
        self._carry_out(method, path, asked, done)

    def close(self) -> None:
        """Break, as the exchange is gone."""
        self.process = None
        self.lose_answers()

    def lose_answers(self, for_ns: int = 0) -> None:
        """Break: whoever waits for an answer, or asks within a while, will not know; what is asked arrives, if late."""
        self._deaf_until_ns = self._heap.now_ns + for_ns
        unanswered, self._unanswered = self._unanswered, {}
        for done in unanswered.values():
            done(ExchangeError(ErrorKind.TIMEOUT))

    def _carry_out(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        process = self.process
        if process is None:
            return
        number = next(self._numbers)
        self._unanswered[number] = done

        def answer(said: Any) -> None:
            process.life.point("answer")
            if self._unanswered.pop(number, None) is not None:
                done(said)

        process.life.run(lambda: process.calls[self._account].begin(method, path, asked, answer))
