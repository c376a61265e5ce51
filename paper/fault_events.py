"""What armed faults do to an event on its way to those who listen: a document of a market stream or of an account."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from paper.faults import Fault, FaultKind, Faults, Streams

_KINDS: Final = frozenset({FaultKind.MUTE, FaultKind.DROP_EVENT, FaultKind.DUPLICATE_EVENT, FaultKind.REORDER_EVENTS})


class StreamEvent(NamedTuple):
    """An event, as far as faults look at it.

    Attributes:
        stream: the name of its market stream, or the number of the account that it tells of.
        name: what Binance calls it, its `e`; empty for a document without.
    """

    stream: str | int
    name: str

    @property
    def account(self) -> int | None:
        """The account that it tells of, if any."""
        return self.stream if isinstance(self.stream, int) else None

    @property
    def streams(self) -> Streams:
        """Whether it tells of the market or of an account."""
        return Streams.MARKET if self.account is None else Streams.ACCOUNT


def pass_on(faults: Faults, event: StreamEvent, tell: Callable[[], None]) -> None:
    """Tell an event: once, or as the faults have it that meet it, oldest first.

    One that is to come late is told after the next of its stream; if none comes, when its fault is cleared.
    """
    copies, late = 1, list[Callable[[], None]]()
    for fault in faults.armed.values():
        if fault.kind not in _KINDS or not _is_of_stream(fault, event):
            continue
        if event.stream in fault.kept:
            late.append(fault.kept.pop(event.stream))
        elif copies and _meets(fault, event):
            fault.hits += 1
            if fault.kind is FaultKind.REORDER_EVENTS:
                fault.kept[event.stream] = partial(_tell_late, faults, event, _repeated(tell, copies))
            copies = copies + 1 if fault.kind is FaultKind.DUPLICATE_EVENT else 0
    _repeated(tell, copies)()
    for each in late:
        each()


def _tell_late(faults: Faults, event: StreamEvent, tell: Callable[[], None]) -> None:
    """Tell what was held back, unless its stream is mute by now."""
    if not any(_is_of_stream(mute, event) for mute in faults.of_kind(FaultKind.MUTE)):
        tell()


def _is_of_stream(fault: Fault, event: StreamEvent) -> bool:
    return fault.options["streams"] in {"all", event.streams} and fault.is_of(event.account)


def _meets(fault: Fault, event: StreamEvent) -> bool:
    if fault.kind is FaultKind.MUTE:
        return True
    return fault.options["event"] in {None, event.name} and fault.falls()


def _repeated(tell: Callable[[], None], count: int) -> Callable[[], None]:
    def tell_all() -> None:
        for _ in range(count):
            tell()

    return tell_all
