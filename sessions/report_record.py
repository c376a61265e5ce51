"""What the journal of a gateway's sessions holds: reports, as they came."""

from typing import Final, NamedTuple

from journal.format import Schema


class ReportRecord(NamedTuple):
    """What came in one frame of an engine, or was said in its place: the reports as their msgpack bytes.

    Attributes:
        engine: its name, in ASCII.
        first_sequence: the number of its first report in the engine's link; 0 for what the gateway says itself.
        message_count: how many reports are in the frame.
        skip_count: how many of them, at the front, we had before.
    """

    engine: bytes
    epoch: int
    first_sequence: int
    message_count: int
    skip_count: int
    payload: bytes


REPORTS: Final = Schema("report", b"TICKRPRT", 1, ReportRecord, "24pQQHH")
