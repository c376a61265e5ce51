"""A process that may die at any point, and what it does until then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from market.clock import Now
from simulation.heap import EventHeap, Happening

Watch = Callable[["Life", str], bool]


class Killed(BaseException):
    """The process is gone: nothing that it was about to do is done."""


@contextmanager
def left_by_the_dead(leave: Callable[[], None]) -> Iterator[None]:
    """Let go of what a process holds that dies before anybody knows of it: while it starts."""
    try:
        yield
    except Killed:
        leave()
        raise


class Life:
    """One life of one process, from its start to its death.

    Args:
        heap: the clock.
        name: of the process.
        is_last: told at every point where a process may die, and what it is about to do; says whether it dies there.
        on_death: called when it has died.
    """

    def __init__(self, heap: EventHeap, name: str, is_last: Watch, on_death: Callable[["Life"], None]) -> None:
        self.heap = heap
        self.name = name
        self.is_alive = True
        self._is_last = is_last
        self._on_death = on_death
        self._is_running = False

    def now(self) -> Now:
        """Return this moment; both clocks are the simulated one."""
        return Now(self.heap.now_ns, self.heap.now_ns)

    @property
    def now_ns(self) -> int:
        """This moment, as the heap has it."""
        return self.heap.now_ns

    def time_ns(self) -> int:
        """Return this moment, ns since 1970 UTC."""
        return self.heap.now_ns

    def point(self, what: str) -> None:
        """Be about to do something that others will see.

        Raises:
            Killed: instead of doing it.
        """
        assert self._is_running, f"{self.name} is to {what} while another process runs"
        if self._is_last(self, what):
            raise Killed(what)

    def run(self, happening: Happening) -> None:
        """Let something happen in this process, unless it is dead; it may die of it."""
        if self._is_running:
            happening()
        elif self.is_alive:
            with self._mortal():
                self.point("wake")
                happening()

    def at(self, time_ns: int, happening: Happening) -> None:
        """Let something happen at a time."""
        self.heap.at(time_ns, lambda: self.run(happening))

    def after(self, delay_ns: int, happening: Happening) -> None:
        """Let something happen in a while."""
        self.heap.after(delay_ns, lambda: self.run(happening))

    def every(self, interval_ns: int, happening: Happening) -> None:
        """Let something happen again and again."""
        begun_ns = self.heap.now_ns
        turns = count(1)

        def turn() -> None:
            self.at(begun_ns + next(turns) * interval_ns, turn)
            happening()

        self.after(interval_ns, turn)

    def die(self) -> None:
        """End as kill -9 does."""
        if self.is_alive:
            self.is_alive = False
            self._on_death(self)

    @contextmanager
    def _mortal(self) -> Iterator[None]:
        self._is_running = True
        try:
            yield
        except Killed:
            self.die()
        finally:
            self._is_running = False
