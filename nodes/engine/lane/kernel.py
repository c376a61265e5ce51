"""The engine's lane, step by step: 1 receive, 2 decode into the ring, 3 journal, 4 match, 5 report; for all that waits.

What is ordinary: a frame of new commands, the next ones of a source that is here, every one of which may enter. All
else is left to Python as it came, behind what came before it. Nothing is acknowledged that is not journaled.
"""
# mypy: disable-error-code="no-any-return, return-value"

from errno import EHOSTUNREACH
from typing import Final

import numpy as np

from bus.kernels.headers import read_header, write_header
from bus.kernels.parts import (
    MONOTONIC,
    NOTHING_WAITS,
    REAL_TIME,
    SEND_MORE,
    clock_ns,
    give_way,
    has_more,
    receive_part,
    send_part,
    write_file,
)
from bus.order_link import Kind
from bus.topology import Source
from engine.fast.matching import match_batch
from engine.rows.memory import Memory
from engine.rows.ring import CONSUMED, PUBLISHED
from engine.wire.encoding import encode_selected
from engine.wire.routing import admit_frame, route_rows
from journal.kernels.record import ENVELOPE_AT, seal_record
from market.clock import NS_PER_US
from market.kernels.compiling import argument, inlined, kernel
from market.kernels.integers import ENDINGS, put_little_endian
from market.kernels.rows import ROW_WIDTH, Int64Array
from market.limits import BATCH_MESSAGES_MAX, FRAME_BYTES_MAX, UNACKNOWLEDGED_FRAMES_MAX
from nodes.engine.lane import memory as at
from nodes.engine.lane.memory import LaneMemory

YIELDED_NS: Final = 200 * NS_PER_US  # a look that takes longer: somebody else needs the processor
_COMMANDS: Final = int(Kind.COMMANDS)
_REPORTS: Final = argument(int(Kind.REPORTS))
_NOT_KNOWN: Final = argument(-1)
_OPERATOR: Final = int(Source.OPERATOR)
_DESK: Final = int(Source.DESK)
_NOBODY: Final = -1


@kernel
def run_lane(lane: LaneMemory, memory: Memory) -> int:
    """Do turns while something waits; return how it ended, as nodes/engine/lane/memory.py says.

    Args:
        lane: with the numbers that were lent, and nothing counted of a call before.
        memory: of the engine, between two commands.
    """
    numbers = lane.numbers
    while True:
        if numbers[at.IS_JOURNALED]:
            numbers[at.IS_JOURNALED] = 0
        else:
            _begin_turn(lane)
            numbers[at.AFTER] = _receive(lane, memory)
            if numbers[at.RECORD_COUNT] == 0:
                break
            ending = _journal(lane)
            if ending != at.TOOK:
                return ending
        ending = _match(lane, memory)
        if ending != at.TOOK:
            return ending
        _end_turn(lane)
        is_odd = numbers[at.AFTER] == at.ODD or numbers[at.AFTER] == at.SOCKET_FAILED
        if is_odd or numbers[at.TURN_COUNT] == at.TURNS_MAX or not _has_event_room(memory):
            break
    if numbers[at.AFTER] == at.ODD or numbers[at.AFTER] == at.SOCKET_FAILED:
        return numbers[at.AFTER]
    if numbers[at.ERROR]:
        return at.SOCKET_FAILED
    return at.TOOK if numbers[at.TURN_COUNT] else at.IDLE


@inlined
def _begin_turn(lane: LaneMemory) -> None:
    numbers, peers = lane.numbers, lane.peers
    numbers[at.RECORD_COUNT] = numbers[at.RECORDS_END] = numbers[at.COMMAND_COUNT] = 0
    for place in range(numbers[at.PEER_COUNT]):
        peers[place * at.PEER_SIZE + at.FRESH_COUNT] = 0
        peers[place * at.PEER_SIZE + at.IS_CONCERNED] = 0


@inlined
def _end_turn(lane: LaneMemory) -> None:
    numbers = lane.numbers
    turn = numbers[at.TURN_COUNT] * at.TURN_SIZE
    lane.turns[turn + at.TURN_TOOK_NS] = clock_ns(lane.calls, MONOTONIC, lane.scratch) - numbers[at.BEGAN_NS]
    lane.turns[turn + at.TURN_COMMANDS] = numbers[at.COMMAND_COUNT]
    numbers[at.TURN_COUNT] += 1


@inlined
def _has_event_room(memory: Memory) -> bool:
    """Return whether another turn may begin before the feed is told of those before: half the ring is free."""
    positions = memory.event_positions
    return (positions[PUBLISHED] - positions[CONSUMED]) * 2 <= len(memory.events) // ROW_WIDTH


# --- 1 receive


@inlined
def _receive(lane: LaneMemory, memory: Memory) -> int:
    """Take the frames that wait, as many as surely fit into the ring; return what ended that."""
    numbers, positions = lane.numbers, memory.command_positions
    until_ns = _NOT_KNOWN
    while True:
        room = len(memory.commands) // ROW_WIDTH - (positions[PUBLISHED] - positions[CONSUMED])
        if room < BATCH_MESSAGES_MAX or len(lane.records) - numbers[at.RECORDS_END] < at.RECORD_ROOM:
            return at.NO_ROOM
        size = receive_part(lane.calls, numbers[at.SOCKET], lane.heads, at.IDENTITY_AT, at.IDENTITY_ROOM)
        if size >= 0:
            ending = _receive_rest(lane, size)
            if ending != at.TOOK:
                return ending
            if not _take(lane, memory):
                return at.ODD
            continue
        if size != NOTHING_WAITS:
            numbers[at.ERROR] = -size
            return at.SOCKET_FAILED
        if numbers[at.RECORD_COUNT] or numbers[at.TURN_COUNT] or numbers[at.LOOK_NS] == 0:
            return at.NOTHING
        until_ns = _look_again(lane, until_ns)
        if until_ns == 0:
            return at.NOTHING


@inlined
def _look_again(lane: LaneMemory, until_ns: int) -> int:
    """Give way; return until when to look, -1 before that is known; 0 if it is over, or another needs the processor."""
    before_ns = clock_ns(lane.calls, MONOTONIC, lane.scratch)
    if until_ns < 0:
        until_ns = before_ns + lane.numbers[at.LOOK_NS]
    give_way(lane.calls)
    now_ns = clock_ns(lane.calls, MONOTONIC, lane.scratch)
    return 0 if now_ns >= until_ns or now_ns - before_ns > YIELDED_NS else until_ns


@inlined
def _receive_rest(lane: LaneMemory, identity_size: int) -> int:
    """Take the parts behind the identity; return TOOK, or SOCKET_FAILED."""
    numbers, calls, socket = lane.numbers, lane.calls, lane.numbers[at.SOCKET]
    numbers[at.IDENTITY_BYTES] = identity_size
    numbers[at.HEADER_BYTES] = numbers[at.PAYLOAD_BYTES] = 0
    numbers[at.PART_COUNT] = 1
    while True:
        more = has_more(calls, socket, lane.scratch)
        if more == 0 or numbers[at.PART_COUNT] == 3:
            break
        if numbers[at.PART_COUNT] == 1:
            size = receive_part(calls, socket, lane.heads, at.HEADER_AT, at.HEADER_ROOM)
            numbers[at.HEADER_BYTES] = size
        else:
            place = numbers[at.RECORDS_END] + at.RECORD_HEAD
            size = receive_part(calls, socket, lane.records, place, FRAME_BYTES_MAX)
            numbers[at.PAYLOAD_BYTES] = size
        if size < 0:
            numbers[at.ERROR] = -size
            return at.SOCKET_FAILED
        numbers[at.PART_COUNT] += 1
    if more < 0:
        numbers[at.ERROR] = -more
        return at.SOCKET_FAILED
    numbers[at.HAS_MORE] = more
    return at.TOOK


# --- 2 decode into the ring


@inlined
def _take(lane: LaneMemory, memory: Memory) -> bool:
    """Decode the frame that was received and make a record of it; return False, with nothing done, if it is odd."""
    numbers, peers, header = lane.numbers, lane.peers, lane.header
    is_whole = numbers[at.PART_COUNT] == 3 and numbers[at.HAS_MORE] == 0
    if not is_whole or numbers[at.PAYLOAD_BYTES] > FRAME_BYTES_MAX:
        return False
    if not read_header(lane.heads, at.HEADER_AT, numbers[at.HEADER_BYTES], header):
        return False
    peer = _peer_of(lane)
    if peer == _NOBODY or not _is_next(lane, peer):
        return False
    source, first, count, heard = peers[peer + at.SOURCE], header[2], header[3], header[4]
    published = memory.command_positions[PUBLISHED]
    begin = numbers[at.RECORDS_END]
    end = begin + at.RECORD_HEAD + numbers[at.PAYLOAD_BYTES]
    ending, found, _, _, _, kept, last_order_id = admit_frame(
        lane.table,
        lane.records,
        begin + at.RECORD_HEAD,
        end,
        memory.commands,
        memory.command_positions,
        0,
        source,
        0,
        lane.refusals,
        lane.has_symbol,
    )
    if ending != ENDINGS.ALL_READ or found != count or kept != count:
        memory.command_positions[PUBLISHED] = published
        return False
    peers[peer + at.TAKEN] = first + count - 1
    peers[peer + at.FRESH_COUNT] += count
    peers[peer + at.IS_CONCERNED] = 1
    peers[peer + at.LAST_ORDER_ID] = max(peers[peer + at.LAST_ORDER_ID], last_order_id)
    peers[peer + at.HEARD] = max(peers[peer + at.HEARD], heard)
    _write_record(lane, begin, end, (first, source, count))
    numbers[at.COMMAND_COUNT] += count
    return True


@inlined
def _peer_of(lane: LaneMemory) -> int:
    """Return where the numbers of the source begin that has sent the frame, _NOBODY if it is not spoken to."""
    numbers, peers, size = lane.numbers, lane.peers, lane.numbers[at.IDENTITY_BYTES]
    if size == 0 or size > at.IDENTITY_BYTES_MAX:
        return _NOBODY
    identity = np.int64(0)
    for place in range(size):
        identity |= np.int64(lane.heads[at.IDENTITY_AT + place]) << (8 * place)
    for index in range(numbers[at.PEER_COUNT]):
        peer = index * at.PEER_SIZE
        if peers[peer + at.IDENTITY_SIZE] == size and peers[peer + at.IDENTITY] == identity:
            return peer
    return _NOBODY


@inlined
def _is_next(lane: LaneMemory, peer: int) -> bool:
    """Return whether the frame has the next commands of its source, which takes its reports."""
    peers, header = lane.peers, lane.header
    source = peers[peer + at.SOURCE]
    return (
        header[0] == _COMMANDS
        and header[1] == lane.numbers[at.EPOCH]
        and header[2] == peers[peer + at.TAKEN] + 1
        and 0 < header[3] <= BATCH_MESSAGES_MAX
        and peers[peer + at.KEPT_COUNT] < UNACKNOWLEDGED_FRAMES_MAX
        and source != _OPERATOR
        and source != _DESK
    )


@inlined
def _write_record(lane: LaneMemory, begin: int, end: int, what: tuple[int, int, int]) -> None:
    """Make a record of what was received into its place; `what`: its first command, its source, how many commands."""
    numbers, records = lane.numbers, lane.records
    if numbers[at.RECORD_COUNT] == 0:
        time_ns = clock_ns(lane.calls, REAL_TIME, lane.scratch)
        # A replay takes frames of one time for handled together.
        numbers[at.TIME_NS] = time_ns + (1 if time_ns == numbers[at.HANDLED_NS] else 0)
        numbers[at.BEGAN_NS] = clock_ns(lane.calls, MONOTONIC, lane.scratch)
    numbers[at.RECORD_COUNT] += 1
    first, source, count = what
    place = put_little_endian(records, begin + ENVELOPE_AT, numbers[at.TIME_NS], 8)
    place = put_little_endian(records, place, first, 8)
    place = put_little_endian(records, place, source, 2)
    place = put_little_endian(records, place, count, 2)
    put_little_endian(records, place, 0, 4)  # none of them is old, and what fills the envelope up
    sequence = numbers[at.SEQUENCE] + numbers[at.RECORD_COUNT]
    numbers[at.RECORD_CRC] = seal_record(lane.crcs, records, begin, end, sequence)
    numbers[at.RECORD_SIZE] = end - begin
    numbers[at.RECORDS_END] = end


# --- 3 journal


@inlined
def _journal(lane: LaneMemory) -> int:
    """Write the turn's records with one call of the system, before anything is done with them."""
    numbers, size = lane.numbers, lane.numbers[at.RECORDS_END]
    if numbers[at.FILE] >= 0:
        if numbers[at.FILE_SIZE] + size > numbers[at.FILE_SIZE_MAX]:
            return at.JOURNAL_FULL
        written = write_file(lane.calls, numbers[at.FILE], lane.records, 0, size)
        if written != size:
            numbers[at.ERROR] = written
            return at.JOURNAL_FAILED
        numbers[at.FILE_SIZE] += size
    numbers[at.SEQUENCE] += numbers[at.RECORD_COUNT]
    return at.TOOK


# --- 4 match


@inlined
def _match(lane: LaneMemory, memory: Memory) -> int:
    """Match all that is in the ring, and report it."""
    numbers, positions = lane.numbers, memory.event_positions
    numbers[at.HANDLED_NS] = numbers[at.TIME_NS]
    first = numbers[at.FIRST_EVENT] = positions[PUBLISHED]
    match_batch(*memory)
    if memory.command_positions[CONSUMED] != memory.command_positions[PUBLISHED]:
        return at.PARTLY
    count = positions[PUBLISHED] - first
    found = route_rows(lane.event_table, memory.events, first, count, lane.keys, lane.sources)
    if found < 0:
        return at.BROKEN
    for index in range(found):
        _concern(lane, lane.sources[index])
    for index in range(numbers[at.PEER_COUNT]):
        if lane.peers[index * at.PEER_SIZE + at.IS_CONCERNED] and not _report(lane, memory, index, first, count):
            return at.BROKEN
    return at.TOOK


@inlined
def _concern(lane: LaneMemory, source: int) -> None:
    """Note that a source hears of the turn, if it is known."""
    for index in range(lane.numbers[at.PEER_COUNT]):
        if lane.peers[index * at.PEER_SIZE + at.SOURCE] == source:
            lane.peers[index * at.PEER_SIZE + at.IS_CONCERNED] = 1


# --- 5 report


@inlined
def _report(lane: LaneMemory, memory: Memory, index: int, first: int, count: int) -> bool:
    """Send a source its events, and with the last frame that its commands are done; return whether all are messages."""
    numbers, peer = lane.numbers, index * at.PEER_SIZE
    source = lane.peers[peer + at.SOURCE]
    while True:
        seen, done, size = encode_selected(
            lane.event_table,
            memory.events,
            lane.keys,
            source,
            first,
            count,
            BATCH_MESSAGES_MAX,
            lane.reports,
            numbers[at.REPORTS_END],
        )
        first, count = first + seen, count - seen
        if count and done < BATCH_MESSAGES_MAX:
            return False
        if count == 0:
            lane.peers[peer + at.HANDLED] += lane.peers[peer + at.FRESH_COUNT]
        _note_frame(lane, index, done, size)
        _send(lane, peer, lane.frames, (numbers[at.FRAME_COUNT] - 1) * at.FRAME_SIZE)
        if count == 0:
            return True


@inlined
def _note_frame(lane: LaneMemory, index: int, report_count: int, size: int) -> None:
    """Note a frame of reports: it is kept, also if it is not sent, until its source says that it has it."""
    numbers, peers, frames = lane.numbers, lane.peers, lane.frames
    peer, frame = index * at.PEER_SIZE, numbers[at.FRAME_COUNT] * at.FRAME_SIZE
    frames[frame + at.FRAME_PEER] = index
    frames[frame + at.FRAME_FIRST] = peers[peer + at.REPORT_SEQUENCE] + 1
    frames[frame + at.FRAME_COUNTS] = report_count
    frames[frame + at.FRAME_ACKNOWLEDGES] = peers[peer + at.HANDLED]
    frames[frame + at.FRAME_AT] = numbers[at.REPORTS_END]
    frames[frame + at.FRAME_BYTES] = size
    peers[peer + at.REPORT_SEQUENCE] += report_count
    peers[peer + at.KEPT_COUNT] += 1 if report_count else 0
    numbers[at.FRAME_COUNT] += 1
    numbers[at.REPORTS_END] += size


@inlined
def _send(lane: LaneMemory, peer: int, frames: Int64Array, frame: int) -> None:
    """Send a frame that was noted, unless its source is away or has no room: then it will ask for what is missing."""
    numbers, heads, calls, socket = lane.numbers, lane.heads, lane.calls, lane.numbers[at.SOCKET]
    identity_size = lane.peers[peer + at.IDENTITY_SIZE]
    if identity_size == 0:
        return
    put_little_endian(heads, at.SENT_IDENTITY_AT, lane.peers[peer + at.IDENTITY], identity_size)
    counts, acknowledges = frames[frame + at.FRAME_COUNTS], frames[frame + at.FRAME_ACKNOWLEDGES]
    header = (_REPORTS, numbers[at.EPOCH], frames[frame + at.FRAME_FIRST], counts, acknowledges)
    header_size = write_header(heads, at.SENT_HEADER_AT, header) - at.SENT_HEADER_AT
    sent = send_part(calls, socket, heads, at.SENT_IDENTITY_AT, identity_size, SEND_MORE)
    if sent >= 0:
        sent = send_part(calls, socket, heads, at.SENT_HEADER_AT, header_size, SEND_MORE)
    if sent >= 0:
        sent = send_part(calls, socket, lane.reports, frames[frame + at.FRAME_AT], frames[frame + at.FRAME_BYTES], 0)
    if sent < 0 and sent != NOTHING_WAITS and sent != -EHOSTUNREACH:
        numbers[at.ERROR] = -sent
