"""A store of sessions of version 1, whose records did not name their engine: it is written anew once."""

from pathlib import Path
from typing import Any, Final, NamedTuple

from journal.format import Schema
from journal.journal import Journal
from journal.reader import JournalReader
from sessions.report_record import REPORTS, ReportRecord

_FIRST_ENGINE: Final = "engine"


class FormerRecord(NamedTuple):
    """What a record was; `source` is the gateway's number."""

    epoch: int
    first_sequence: int
    source: int
    message_count: int
    skip_count: int
    payload: bytes


COMMANDS: Final = Schema("command", b"TICKJRNL", 1, FormerRecord, "QQHHHxx")


def renewed(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the names of version 1 as of version 2, and write the same records in new files beside the old ones.

    A record is of the engine that is in its epoch; of those before nobody asks. The old files go with their folder.

    Raises:
        JournalError: if the journal cannot be trusted or written.
        OSError: if it cannot be read.
        KeyError: if something is missing in the names.
    """
    positions = {_FIRST_ENGINE: document["position"], **document.get("more_positions", {})}
    engines = {epoch: engine.encode() for engine, (epoch, _) in reversed(positions.items())}
    for path in REPORTS.files(folder):
        path.unlink()  # of a try that was killed
    with Journal(folder, REPORTS, (), 1) as journal:
        journal.recover(lambda *_: None)
        for _, old in JournalReader(folder, COMMANDS).records():
            engine = engines.get(old.epoch, _FIRST_ENGINE.encode())
            counts = (old.message_count, old.skip_count)
            journal.append([ReportRecord(engine, old.epoch, old.first_sequence, *counts, old.payload)], 0)
    return {
        "version": 2,
        "generation": document["generation"],
        "positions": positions,
        "after": document.get("after", 0),
        "sessions": document["sessions"],
    }
