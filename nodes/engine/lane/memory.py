"""What the engine's lane works on: arrays that are taken once, and what stands where in them.

Who owns what. Between two calls the links, the journal and the core own all that counts, as without a lane. Before a
call the numbers that it needs are lent: written into `peers` and `numbers`. After it they are taken back, with the
frames of reports that it has sent, of which the bytes are in `reports`: nothing else happens in between. `records`
holds the frames of one turn as the journal's records, each decoded where it was received; what came behind them and is
not ordinary lies there, too, until the next call.
"""

from typing import Final, NamedTuple

import numpy as np

from bus.kernels.headers import HEADER_BYTES_MAX, HEADER_SIZE
from bus.kernels.parts import SCRATCH_SIZE
from engine.wire.encoding import KEYS_PER_ROW
from engine.wire.routing import SOURCES_MAX
from engine.wire.table import ROW_BYTES_MAX, wire_table
from journal.kernels.record import ENVELOPE_AT, crc_table
from market.kernels.integers import ByteArray
from market.kernels.rows import Int64Array, Uint32Array
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, SOURCE_MAX

# How a call ends.
IDLE: Final = 0  # nothing waits, and nothing was done
TOOK: Final = 1  # turns were done; the feed has not been told of them yet
ODD: Final = 2  # behind what was done a message lies in memory that is not ordinary
JOURNAL_FULL: Final = 3  # the turn's records do not fit into the file; it goes on once they are journaled
JOURNAL_FAILED: Final = 4  # not all of them were written: ERROR is how much was, or the error below 0
PARTLY: Final = 5  # the ring of events is full in the middle of a turn that is journaled
SOCKET_FAILED: Final = 6  # ERROR says why
BROKEN: Final = 7  # an event holds no message, or concerns too many sources: our own bug
NOTHING: Final = 8  # inside a call: no more waits
NO_ROOM: Final = 9  # likewise: more may wait than one turn takes

# The numbers. Lent:
SOCKET: Final = 0
EPOCH: Final = 1
FILE: Final = 2  # the journal's descriptor, below 0 if it keeps none
FILE_SIZE: Final = 3
FILE_SIZE_MAX: Final = 4
SEQUENCE: Final = 5  # of the journal's last record
HANDLED_NS: Final = 6  # the time of the last commands
PEER_COUNT: Final = 7
LOOK_NS: Final = 8  # how long to look for a first message
IS_JOURNALED: Final = 9  # 1: it goes on behind the journal, with a turn that Python has journaled
# Of the turn:
TIME_NS: Final = 16  # since 1970
BEGAN_NS: Final = 17  # monotonic
RECORD_COUNT: Final = 18
RECORDS_END: Final = 19
COMMAND_COUNT: Final = 20
FIRST_EVENT: Final = 21
AFTER: Final = 22  # ODD, SOCKET_FAILED, NOTHING or NO_ROOM: what ended it
# Of the call:
TURN_COUNT: Final = 24
FRAME_COUNT: Final = 25
REPORTS_END: Final = 26
RECORD_CRC: Final = 27  # of the last record
RECORD_SIZE: Final = 28
ERROR: Final = 29
# Of a message that is not ordinary:
PART_COUNT: Final = 32  # so many parts of it are in memory
HAS_MORE: Final = 33  # and more of them in the socket
IDENTITY_BYTES: Final = 34  # the parts' sizes, as they were sent
HEADER_BYTES: Final = 35
PAYLOAD_BYTES: Final = 36
NUMBERS_SIZE: Final = 40

# A source, PEER_SIZE numbers for each, by their numbers.
SOURCE: Final = 0
IDENTITY: Final = 1  # up to 8 bytes, the first lowest
IDENTITY_SIZE: Final = 2  # 0: it is not spoken to now, and what it says is not ordinary
TAKEN: Final = 3
HANDLED: Final = 4
LAST_ORDER_ID: Final = 5
REPORT_SEQUENCE: Final = 6
KEPT_COUNT: Final = 7  # frames of reports that it has not acknowledged
HEARD: Final = 8  # the highest report that it has said to have in this call, -1 for none
FRESH_COUNT: Final = 9  # its commands in this turn
IS_CONCERNED: Final = 10  # by this turn
PEER_SIZE: Final = 16
PEERS_MAX: Final = SOURCE_MAX + 1
IDENTITY_BYTES_MAX: Final = 8

# A frame of reports, FRAME_SIZE numbers for each.
FRAME_PEER: Final = 0  # its place among the peers
FRAME_FIRST: Final = 1
FRAME_COUNTS: Final = 2  # how many reports it has
FRAME_ACKNOWLEDGES: Final = 3
FRAME_AT: Final = 4  # in `reports`
FRAME_BYTES: Final = 5
FRAME_SIZE: Final = 8

# A turn that is done, TURN_SIZE numbers for each.
TURN_TOOK_NS: Final = 0
TURN_COMMANDS: Final = 1
TURN_SIZE: Final = 2
TURNS_MAX: Final = 8

# Where in `heads` the parts of a message are, and those of what is sent.
IDENTITY_AT: Final = 0
IDENTITY_ROOM: Final = 256
HEADER_AT: Final = 256
HEADER_ROOM: Final = HEADER_BYTES_MAX + 1  # of a longer one as much as it takes to see that it is
SENT_IDENTITY_AT: Final = 384
SENT_HEADER_AT: Final = 392
_HEADS_SIZE: Final = 512

ENVELOPE_SIZE: Final = 24  # of a record of commands: nodes/engine/command_record.py
RECORD_HEAD: Final = ENVELOPE_AT + ENVELOPE_SIZE
RECORD_ROOM: Final = RECORD_HEAD + FRAME_BYTES_MAX
_RECORDS_BYTES: Final = 1 << 22
_REPORTS_PER_EVENT: Final = 2  # a trade is told to both sides


class LaneMemory(NamedTuple):
    """The arrays of the lane, beside those of the engine: `Memory`.

    Attributes:
        calls: the addresses of the system's functions, see bus/native.py.
        table, has_symbol, refusals: of the decoder of commands.
        event_table: what events are written by.
        keys, sources: who hears of which event.
    """

    calls: Int64Array
    numbers: Int64Array
    peers: Int64Array
    frames: Int64Array
    turns: Int64Array
    header: Int64Array
    scratch: Int64Array
    heads: ByteArray
    records: ByteArray
    reports: ByteArray
    crcs: Uint32Array
    table: Int64Array
    has_symbol: Int64Array
    refusals: Int64Array
    event_table: Int64Array
    keys: Int64Array
    sources: Int64Array


def make_lane_memory(
    calls: Int64Array, decoder: tuple[Int64Array, Int64Array, Int64Array], event_slots: int
) -> LaneMemory:
    """Take the memory of a lane.

    Args:
        calls: as bus/native.py finds them.
        decoder: the arrays of the engine's decoder: its table, which symbols it has, its refusals.
        event_slots: of the engine's ring of events.
    """
    table, has_symbol, refusals = decoder
    reports_max = _REPORTS_PER_EVENT * event_slots  # a call tells of no more events than their ring holds
    return LaneMemory(
        calls=calls,
        numbers=np.zeros(NUMBERS_SIZE, np.int64),
        peers=np.zeros(PEERS_MAX * PEER_SIZE, np.int64),
        frames=np.zeros((TURNS_MAX * PEERS_MAX + reports_max // BATCH_MESSAGES_MAX + 1) * FRAME_SIZE, np.int64),
        turns=np.zeros(TURNS_MAX * TURN_SIZE, np.int64),
        header=np.zeros(HEADER_SIZE, np.int64),
        scratch=np.zeros(SCRATCH_SIZE, np.int64),
        heads=np.zeros(_HEADS_SIZE, np.uint8),
        records=np.zeros(_RECORDS_BYTES, np.uint8),
        reports=np.zeros((reports_max + 1) * ROW_BYTES_MAX, np.uint8),
        crcs=crc_table(),
        table=table,
        has_symbol=has_symbol,
        refusals=refusals,
        event_table=wire_table(),
        keys=np.zeros(event_slots * KEYS_PER_ROW, np.int64),
        sources=np.zeros(SOURCES_MAX, np.int64),
    )
