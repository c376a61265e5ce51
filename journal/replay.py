"""Feeds the records of a journal to whoever rebuilds from them, and says how far it has come."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from journal.format import R
from journal.reader import JournalReader, Place, TornTail
from market.clock import NS_PER_SECOND, monotonic_ns
from market.words import counted

PROGRESS_RECORDS: Final = 65_536  # between two looks at the clock


@dataclass(frozen=True, slots=True)
class Replay:
    """How far a replay has come, or what it was.

    Attributes:
        message_count: without those that a frame repeated.
        last_sequence: of the last record, 0 if there is none.
        torn_tail: bytes at the end that are no record; known at the end.
        message: what a message is called.
        after_sequence: of the checkpoint that it began behind, 0 if it began at the beginning.
        passed_over: why checkpoints before that one were not used.
    """

    record_count: int
    message_count: int
    last_sequence: int
    elapsed_ns: int
    torn_tail: TornTail | None = None
    message: str = "message"
    after_sequence: int = 0
    passed_over: tuple[str, ...] = ()

    @property
    def messages_per_second(self) -> float:
        """The speed of the replay so far."""
        return self.message_count * NS_PER_SECOND / max(self.elapsed_ns, 1)

    def __str__(self) -> str:
        seconds = self.elapsed_ns / NS_PER_SECOND
        counts = f"{counted(self.message_count, self.message)} in {counted(self.record_count, 'record')}"
        after = f" after record {self.after_sequence:,}" if self.after_sequence else ""
        return f"{counts}{after}, {seconds:.2f} s, {self.messages_per_second:,.0f} {self.message}s/s"


def replay(
    reader: JournalReader[R],
    take: Callable[[int, R], None],
    tell: Callable[[Replay], None] | None = None,
    clock: Callable[[], int] = monotonic_ns,
    after: Place | None = None,
) -> Replay:
    """Give every record to `take` with its sequence, in order; `tell` gets the progress now and then.

    Args:
        reader: of the journal, not yet read.
        take: is given the records.
        tell: is told how far it has come.
        clock: monotonic, ns.
        after: where to begin, None for the beginning.

    Raises:
        CorruptJournalError: as JournalReader.records does; what came before was given to `take`.
        JournalMismatchError: likewise.
        OSError: likewise.
    """
    start_ns, message, record_count, message_count = clock(), reader.schema.message, 0, 0
    after_sequence = after.sequence if after else 0
    for sequence, record in reader.records(after):
        take(sequence, record)
        record_count += 1
        message_count += record.message_count - record.skip_count
        if tell is not None and record_count % PROGRESS_RECORDS == 0:
            tell(Replay(record_count, message_count, sequence, clock() - start_ns, None, message, after_sequence))
    return Replay(
        record_count, message_count, reader.last_sequence, clock() - start_ns, reader.torn_tail, message, after_sequence
    )
