"""Where the exchange is called, whether it lives or not."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from paper.errors import ErrorKind, ExchangeError
from simulation.faults.nodes import PaperProcess


class Door:
    """Takes the calls of an account for whichever life the exchange is in; a Caller."""

    def __init__(self, account: int) -> None:
        self._account = account
        self.process: PaperProcess | None = None
        self._unanswered: dict[int, Callable[[Any], None]] = {}
        self._numbers = count()

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Begin a call."""
        process = self.process
        if process is None:
            done(ExchangeError(ErrorKind.DISCONNECTED))
            return
        number = next(self._numbers)
        self._unanswered[number] = done

        def answer(said: Any) -> None:
            process.life.point("answer")
            del self._unanswered[number]
            done(said)

        process.life.run(lambda: process.calls[self._account].begin(method, path, asked, answer))

    def close(self) -> None:
        """Break: whoever waits for an answer will not know."""
        self.process = None
        unanswered, self._unanswered = self._unanswered, {}
        for done in unanswered.values():
            done(ExchangeError(ErrorKind.TIMEOUT))
