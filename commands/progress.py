"""How far a long work is, told on standard error if that is a terminal: one line, which is gone at its end."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Self, TypeVar

from commands.output import is_screen
from market.clock import NS_PER_SECOND, monotonic_ns
from screens.progress import count_line

_TOLD_NS: Final = NS_PER_SECOND // 4
_TICK_S: Final = 0.3
_Row = TypeVar("_Row")


class Progress:
    """Tells four times a second; of a work that is done before, nothing."""

    def __init__(self) -> None:
        self._is_watched = is_screen(sys.stderr)
        self._began_ns = self._told_ns = monotonic_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        print(self._wiped, end="", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line that stays, whoever watches."""
        print(f"{self._wiped}{line}", file=sys.stderr, flush=True)

    @property
    def _wiped(self) -> str:
        return "" if self._told_ns == self._began_ns else "\r\033[K"

    def tell(self, line: Callable[[int], str]) -> None:
        """Tell, if it is time, the line of a work that has taken so many ns."""
        now_ns = monotonic_ns()
        if self._is_watched and now_ns - self._told_ns > _TOLD_NS:
            self._told_ns = now_ns
            print(f"\r{line(now_ns - self._began_ns)}\033[K", end="", file=sys.stderr, flush=True)


@contextmanager
def ticking(line: Callable[[int], str]) -> Iterator[Progress]:
    """Tell the line of a work that does not tell how far it is, as `Progress` does, for as long as it takes."""
    is_over = threading.Event()
    with Progress() as progress:

        def tick() -> None:
            progress.tell(line)
            while not is_over.wait(_TICK_S):
                progress.tell(line)

        teller = threading.Thread(target=tick, name="progress", daemon=True)
        teller.start()
        try:
            yield progress
        finally:
            is_over.set()
            teller.join()


def counted_on(rows: Iterable[_Row], noun: str) -> Iterator[_Row]:
    """Yield the rows, telling how many there were; nobody knows how many there will be."""
    with Progress() as progress:
        for count, row in enumerate(rows, 1):
            yield row
            progress.tell(partial(count_line, count, None, noun=noun))
