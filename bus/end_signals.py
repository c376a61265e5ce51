"""The signals that end a process, and how they are made to end it in order."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

_FAULTS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS")
_HARMLESS = ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGPIPE", "SIGXFSZ")
_FOR_THE_KERNEL = ("SIGKILL", "SIGSTOP")

# Every signal whose default is to end the process, and that somebody may send: a terminal that is closed (SIGHUP),
# Ctrl-C, Ctrl-\, a service manager, the power supply's (SIGPWR), and the real-time ones.
END_SIGNALS: tuple[int, ...] = tuple(
    sorted(
        {int(number) for number in signal.valid_signals()}
        - {int(getattr(signal, name)) for name in (*_FAULTS, *_HARMLESS, *_FOR_THE_KERNEL)}
    )
)
_ALWAYS = (signal.SIGTERM, signal.SIGINT)


class _Handler:
    """A handler of ours, told from others by its type."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self._action()


def end_signals() -> tuple[int, ...]:
    """Return those of END_SIGNALS that are ours to handle here: not what is ignored, as `nohup` does, or another's."""
    return tuple(number for number in END_SIGNALS if number in _ALWAYS or _is_free(number))


def _is_free(number: int) -> bool:
    handler = signal.getsignal(number)
    return handler is signal.SIG_DFL or isinstance(handler, _Handler)


@contextlib.contextmanager
def on_end_signals(action: Callable[[], None]) -> Iterator[None]:
    """Have `action` called, in the main thread, at every signal that would end this process."""
    previous = {number: signal.signal(number, _Handler(action)) for number in end_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
