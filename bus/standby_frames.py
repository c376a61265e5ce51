"""The frames of the standby link (bus/standby_link.py): what they are called, and how they are read and written."""

from enum import IntEnum
from typing import Final, NamedTuple

from bus.order_link import Frames, LinkError, SupersededError, check_step, integers_of, link_frames

TOPIC: Final = b"standby"  # in front of its frames on the channel `snapshots`
HASH_BYTES: Final = 8  # of the payload of a HASH
_HEADER_INTEGERS: Final = 7


class Kind(IntEnum):
    """The first integer of a header; the last is the sender's term, those between that are not named are 0."""

    FOLLOW = 1  # standby: [kind, epoch, sequence, crc, who]; the last record that it has, epoch 0: none
    CHECKPOINT = 2  # primary: [kind, epoch, sequence, crc, offset, size]; a slice of what to begin with behind it
    RECORDS = 3  # primary: [kind, epoch, first, count, last, awaited]; the journal ends with `last`; count 0: a beat
    HAVE = 4  # standby: [kind, epoch, sequence, offset]; it has kept all up to it, and has so much of a checkpoint
    HEARD = 5  # primary: [kind, epoch, source, report_sequence]; a source has said to have its reports up to that
    REFUSED = 6  # primary: [kind, epoch]; another standby follows
    STRANGER = 7  # primary: [kind, epoch]; say FOLLOW
    HASH = 8  # primary: [kind, epoch, sequence]; the state hash behind that record is the payload
    TERM = 9  # new primary: [kind]; to the one before it, which is none any more


class Awaited(IntEnum):
    """What a primary acknowledges before a standby has kept it."""

    NO = 0  # all that it has itself
    YES = 1  # nothing: neither now nor, as far as it knows, of what the standby still lacks
    DOUBTFUL = 2  # nothing now; of what the standby lacks it may have acknowledged some before it followed


class Position(NamedTuple):
    """Behind a record: its sequence and its CRC; 0 and 0 before the first."""

    sequence: int
    crc: int


NOWHERE: Final = Position(0, 0)


def header_of(frames: Frames) -> list[int]:
    """Return the seven integers of a frame's header.

    Raises:
        LinkError: if it has another form.
    """
    header = integers_of(frames, "seven")
    if len(header) != _HEADER_INTEGERS:
        raise LinkError(f"expected a header of seven integers, was {str(header)[:60]}")
    return header


def standby_frames(payload: bytes, term: int, *header: int) -> Frames:
    """Return a frame as it is sent."""
    return link_frames(payload, *header, *(0,) * (_HEADER_INTEGERS - 1 - len(header)), term)


def check_term(frames: Frames, term: int) -> None:
    """Take what a new primary says to the one before it.

    Raises:
        LinkError: if it is anything else.
        SupersededError: if it has a higher term than ours.
    """
    kind, *_, theirs = header_of(frames)
    if kind != Kind.TERM:
        raise LinkError(f"expected TERM, for nobody may follow, was kind {kind}")
    check_step(theirs, term)
    if theirs > term:
        raise SupersededError(theirs)


def term_frames(term: int) -> Frames:
    """Return the frame by which a new primary tells the one before that it is none any more."""
    return standby_frames(b"", term, Kind.TERM)
