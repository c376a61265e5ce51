"""A market from an engine's journal: everybody's commands but those of the account that trades anew.

What is kept of a run, and what is made of it again, stand here side by side. A record is what one step of a flow sent,
or one call of the exchange; a step of more than `STEP_MAX` commands takes several, each but the last one full.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bus.topology import Source, first_order_id, first_owner
from engine.matching_engine import MatchingEngine
from flow.order_flow import Figure
from market.codec import decode_commands, encode_all
from market.commands import Command, HaltSymbol, MassCancel, SetPriceRange
from market.events import Event
from market.kernels.rows import write_command
from market.limits import BATCH_MESSAGES_MAX
from nodes.engine.command_record import CommandRecord
from paper.access.accounts import FIRST_ACCOUNT
from simulation.replaying.looking import NEVER_NS

STEP_MAX: Final = BATCH_MESSAGES_MAX
OURS: Final = first_owner(Source.PAPER) + FIRST_ACCOUNT  # of the desk's account at the paper exchange
STRANGERS: Final = Source.DESK  # whose numbers other accounts' orders have here: it sends none

_OWNERS_APART: Final = first_owner(STRANGERS) - first_owner(Source.PAPER)
_IDS_APART: Final = first_order_id(STRANGERS) - first_order_id(Source.PAPER)


class Records:
    """Makes the records of a journal from what is sent, numbered as on the order links."""

    def __init__(self) -> None:
        self._sent_count: dict[int, int] = {}

    def of(self, source: int, time_ns: int, commands: Sequence[Command]) -> Iterator[CommandRecord]:
        """Yield the records of what a source sends at once; a command without a time has this one."""
        for first in range(0, len(commands), STEP_MAX):
            some = commands[first : first + STEP_MAX]
            sequence = self._sent_count.get(source, 0) + 1
            self._sent_count[source] = sequence - 1 + len(some)
            payload = encode_all(each if each.time_ns else each._replace(time_ns=time_ns) for each in some)
            yield CommandRecord(time_ns, sequence, source, len(some), 0, payload)


class JournaledFlow:
    """What all others sent, at their times, as an order flow; it reacts to nothing.

    Args:
        records: of a journal, oldest first.
    """

    def __init__(self, records: Iterable[CommandRecord]) -> None:
        self._records = iter(records)
        self._sent_count = 0
        self._next = next(self._records, None)

    @property
    def is_finished(self) -> bool:
        """Whether the journal has ended."""
        return self._next is None

    def begin_book(self, engine: MatchingEngine, until_ns: int) -> None:
        """Bring an empty engine's book to where it was, without the orders that were ours."""
        has_book = False
        while self._next is not None and self._next.time_ns < until_ns:
            has_book = True
            _match(engine, [_as_strangers(each) for each in self._take()])
        if has_book:
            _match(engine, [MassCancel(owner=OURS + _OWNERS_APART, time_ns=until_ns)])

    def start(self, now_ns: int) -> list[Command]:
        """Return what was sent first, if that is due."""
        return self.step(now_ns, (), 0) if self.wake_ns(now_ns) <= now_ns else []

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:  # noqa: ARG002
        """Return what was sent next, whatever has happened."""
        commands = [_as_strangers(each) for each in self._take() if is_others(each)]
        self._sent_count += len(commands)
        return commands

    def wake_ns(self, now_ns: int) -> int:  # noqa: ARG002 - the protocol's; what was sent does not depend on it
        """Return when something was sent next."""
        return NEVER_NS if self._next is None else self._next.time_ns

    def summary(self) -> dict[str, Figure]:
        """Return how much of it was sent so far."""
        return {"flow": "journaled", "commands": self._sent_count}

    def _take(self) -> list[Command]:
        """Return what was sent at once, and go on."""
        commands: list[Command] = []
        while (record := self._next) is not None:
            self._next = next(self._records, None)
            commands += decode_commands(record.payload)[record.skip_count :]
            if record.message_count < STEP_MAX or not _are_of_one_step(record, self._next):
                break
        return commands


def is_others(command: Command) -> bool:
    """Whether a command is none of the account that trades anew, nor of its exchange, which sends its own."""
    match command:
        case SetPriceRange():
            return False
        case HaltSymbol():
            return True
    return command.owner != OURS


def _are_of_one_step(record: CommandRecord, following: CommandRecord | None) -> bool:
    return following is not None and (following.time_ns, following.source) == (record.time_ns, record.source)


def _as_strangers(command: Command) -> Command:
    """Return a command of an account under numbers that the exchange does not take for its own."""
    if isinstance(command, HaltSymbol | SetPriceRange) or not _is_of_exchange(command.owner):
        return command
    owner = command.owner + _OWNERS_APART
    if isinstance(command, MassCancel):
        return command._replace(owner=owner)
    return command._replace(owner=owner, order_id=command.order_id + _IDS_APART)


def _is_of_exchange(owner: int) -> bool:
    return first_owner(Source.PAPER) <= owner < first_owner(Source.PAPER + 1)


def _match(engine: MatchingEngine, commands: Sequence[Command]) -> None:
    """Let an engine handle commands, and forget what it says."""
    ring, done = engine.commands, 0
    while done < len(commands):
        first = ring.claim()
        batch = commands[done : done + ring.slot_count - first]
        for slot, command in enumerate(batch, first):
            write_command(ring.rows, slot, command)
        ring.publish(len(batch))
        done += len(batch)
        while len(ring):
            engine.match()
            while len(engine.events):
                engine.events.consume(len(engine.events.readable()))
