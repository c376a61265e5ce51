"""An end for what does not return: code of others, asked once before a desk starts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class TooLongError(Exception):
    """What was asked does not return."""


@contextmanager
def at_most(seconds: float, whose: str) -> Iterator[None]:
    """Have a TooLongError raised, where the main thread is then, in what does not return in that time."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TooLongError(f"it has not returned within {seconds:g} s, as long as {whose}")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
