"""Records that are due, the mirror's commands, matching, what became of them: all in one call."""
# mypy: disable-error-code="no-any-return"

from typing import Final, NamedTuple

from engine.fast.matching import match_batch
from engine.rows.memory import Memory
from engine.rows.ring import CONSUMED, PUBLISHED
from flow.mirror import memory as at
from flow.mirror.changes import BEST, TRADE, Changes
from flow.mirror.following import follow_levels, has_room, restore_best, take_recorded
from flow.mirror.hearing import acknowledge, compare, hear_row
from flow.mirror.memory import MirrorMemory
from market.kernels.bits import row_at
from market.kernels.compiling import inlined, is_compiled, kernel, routine
from market.kernels.row_codes import ACCEPTED, AMENDED, CANCELED, EXECUTED, REJECTED, RESTED, TAGS, TRAILED, TRIGGERED
from market.kernels.rows import ROW_WIDTH, TAG, Int64Array
from simulation.replaying.looking import View, look_until

# A run's numbers.
CURSOR: Final = 0  # the next record of the piece
COMMAND: Final = 1  # how many of the mirror's rows the engine has
TOLD: Final = 2  # rows told and not yet taken
LOGGED: Final = 3  # likewise, for a digest
IS_OTHERS: Final = 4  # whether an order of somebody else was concerned
NEEDED: Final = 5  # fresh ids at most, by the records that are due at the next time
RUN_SIZE: Final = 8

# How a run ends: at its time; at the piece's end; since an order of somebody else was concerned; for want of room.
AT_TIME, AT_END, AT_OTHERS, WITHOUT_ROOM = range(4)

TOLD_MAX: Final = 32_768  # rows; twice what the engine's rings hold
LOGGED_MAX: Final = 65_536

_OWNER: Final = ACCEPTED.owner
assert {each.owner for each in (RESTED, CANCELED, AMENDED, TRIGGERED, TRAILED, REJECTED)} == {_OWNER}, (
    "where they all have it"
)


class Out(NamedTuple):
    """What a run brings.

    Attributes:
        told: flat rows, takes trades and events of other owners' orders.
        logged: flat rows, takes all commands and events; empty if nobody asks for them.
        seen: takes looks at a book.
    """

    told: Int64Array
    logged: Int64Array
    seen: View


def is_warm() -> bool:
    """Return whether the kernel needs no compiling."""
    return is_compiled("running.run_due")


@kernel
def run_due(
    mirror: MirrorMemory,
    memory: Memory,
    changes: Changes,
    run: Int64Array,
    out: Out,
    until_ns: int,
) -> int:
    """Handle the records of a piece that are due until a time; return how that ended.

    Args:
        changes: with simulated times.
    """
    while True:
        while run[COMMAND] < mirror.state[at.COMMANDS] or _waiting_count(memory) != 0:
            if not _has_room_to_tell(memory, run):
                return WITHOUT_ROOM
            if _waiting_count(memory) == 0:
                _hand_over(mirror, memory, run, out.logged)
            match_batch(*memory)
            _tell(mirror, memory, run, out.told, out.logged)
        mirror.state[at.COMMANDS] = 0
        run[COMMAND] = 0
        if run[IS_OTHERS] != 0:
            return AT_OTHERS
        if run[CURSOR] == len(changes.times_ns):
            return AT_END
        now_ns = changes.times_ns[run[CURSOR]]
        if now_ns > until_ns:
            return AT_TIME
        if not look_until(memory, out.seen, now_ns - 1):
            return WITHOUT_ROOM
        last = _last_due(changes, run)
        run[NEEDED] = changes.ends[last] - _begin_of(changes, run[CURSOR]) + 3 * (last - run[CURSOR] + 1)
        acknowledge(mirror, mirror.state[at.SENT])
        if not has_room(mirror, run[NEEDED]):
            return WITHOUT_ROOM
        mirror.state[at.NOW_NS] = now_ns
        while run[CURSOR] <= last:
            _apply(mirror, changes, run[CURSOR])
            run[CURSOR] += 1
        compare(mirror)


@inlined
def _begin_of(changes: Changes, record: int) -> int:
    return changes.ends[record - 1] if record > 0 else 0


@inlined
def _last_due(changes: Changes, run: Int64Array) -> int:
    """Return the last of the records that are due at the same time as the next one."""
    last = run[CURSOR]
    while last + 1 < len(changes.times_ns) and changes.times_ns[last + 1] <= changes.times_ns[run[CURSOR]]:
        last += 1
    return last


@inlined
def _apply(mirror: MirrorMemory, changes: Changes, record: int) -> None:
    values = changes.values
    if changes.kinds[record] == TRADE:
        take_recorded(mirror, values[record, 0], values[record, 1], values[record, 2])
        return
    follow_levels(mirror, changes.keys, changes.lots, _begin_of(changes, record), changes.ends[record])
    if changes.kinds[record] == BEST:
        restore_best(mirror, values[record, 0], values[record, 1], values[record, 2], values[record, 3])


@inlined
def _waiting_count(memory: Memory) -> int:
    return memory.command_positions[PUBLISHED] - memory.command_positions[CONSUMED]


@inlined
def _has_room_to_tell(memory: Memory, run: Int64Array) -> bool:
    """Return whether what a match is handed and what it may tell fits."""
    row_count = (len(memory.commands) + len(memory.events)) // ROW_WIDTH
    return run[TOLD] + row_count <= TOLD_MAX and run[LOGGED] + row_count <= LOGGED_MAX


@routine
def _hand_over(mirror: MirrorMemory, memory: Memory, run: Int64Array, logged: Int64Array) -> None:
    """Give the engine as many of the mirror's rows as its ring takes."""
    count = min(len(memory.commands) // ROW_WIDTH, mirror.state[at.COMMANDS] - run[COMMAND])
    for index in range(count):
        base = row_at(memory.commands, memory.command_positions[PUBLISHED] + index)
        _copy(mirror.commands, (run[COMMAND] + index) * ROW_WIDTH, memory.commands, base)
        _log(memory.commands, base, run, logged)
    memory.command_positions[PUBLISHED] += count
    run[COMMAND] += count


@routine
def _tell(mirror: MirrorMemory, memory: Memory, run: Int64Array, told: Int64Array, logged: Int64Array) -> None:
    """Take in what the engine has told."""
    owner, positions = mirror.state[at.OWNER], memory.event_positions
    while positions[CONSUMED] < positions[PUBLISHED]:
        base = row_at(memory.events, positions[CONSUMED])
        _log(memory.events, base, run, logged)
        tag = memory.events[base + TAG]
        is_trade = tag == TAGS.EXECUTED
        is_of_one = tag != TAGS.HALTED and not is_trade
        if is_trade:
            is_own = owner in (memory.events[base + EXECUTED.taker_owner], memory.events[base + EXECUTED.maker_owner])
            is_others = memory.events[base + EXECUTED.taker_owner] != memory.events[base + EXECUTED.maker_owner]
            is_others = is_others or not is_own
        else:
            is_own = is_of_one and memory.events[base + _OWNER] == owner
            is_others = not is_own
        if is_own:
            hear_row(mirror, memory.events, base)
        if is_trade or is_others:
            _copy(memory.events, base, told, run[TOLD] * ROW_WIDTH)
            run[TOLD] += 1
        if is_others:
            run[IS_OTHERS] = 1
        positions[CONSUMED] += 1


@inlined
def _log(rows: Int64Array, base: int, run: Int64Array, logged: Int64Array) -> None:
    if len(logged) != 0:
        _copy(rows, base, logged, run[LOGGED] * ROW_WIDTH)
        run[LOGGED] += 1


@inlined
def _copy(rows: Int64Array, base: int, rows_out: Int64Array, base_out: int) -> None:
    for column in range(ROW_WIDTH):
        rows_out[base_out + column] = rows[base + column]
