"""The Python around the lane: lends it what it needs, takes back what it has done, and does what it leaves to us."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numba import typeof

from bus.channel import ChannelSocket
from bus.engine_link import LentPeer
from bus.kernels.parts import CALLS
from bus.native import NoCallsError, address_of_socket, find_calls, socket_error
from bus.order_link import Frames, SentFrame
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from engine.rows.memory import Memory
from engine.wire.codec import CommandDecoder
from journal.format import PREFIX_SIZE, read_prefix
from journal.journal import Journal
from market.clock import NS_PER_MS, monotonic_ns
from market.kernels.compiling import is_compiled
from market.kernels.rows import Int64Array
from market.limits import FRAME_BYTES_MAX
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.lane import memory as at
from nodes.engine.lane.kernel import run_lane
from nodes.engine.lane.memory import LaneMemory, make_lane_memory
from nodes.engine.turns import LaneTurns

LOOK_NS_MAX: Final = NS_PER_MS  # in one call: signals, timers and those who ask wait meanwhile
_LENT: Final = at.HEARD + 1  # the columns of a peer that are lent
_NOTHING_HEARD: Final = -1


class NoLaneError(Exception):
    """There can be no lane; the text says why."""


class EngineLane:
    """A lane between the engine's order links and its journal.

    Args:
        core: recovered.
        journal: its own.
        orders: the engine's end of the order links.
        calls: as bus/native.py finds them.
        look_ns: for how long after one message to look for the next, while they come so quickly.

    Attributes:
        memory: what the kernel works on.

    Raises:
        NoLaneError: if this engine is none for a lane.
    """

    def __init__(
        self,
        core: EngineCore,
        journal: Journal[CommandRecord],
        orders: ChannelSocket,
        calls: Int64Array,
        look_ns: int,
    ) -> None:
        if not isinstance(core.engine, FastEngine):
            raise NoLaneError("engine.book is reference")
        if journal.mode.is_synced:
            raise NoLaneError(f"engine.journal is {journal.mode}: what is sent waits for the disk")
        self._core = core
        self._journal = journal
        self._orders = orders
        self._socket = address_of_socket(orders.raw)
        self._engine: Memory = core.engine.memory
        self.memory: LaneMemory = make_lane_memory(calls, core.decoder_arrays, core.engine.events.slot_count)
        self._numbers = self.memory.numbers
        self._peers = self.memory.peers.reshape(-1, at.PEER_SIZE)
        self._frames = self.memory.frames.reshape(-1, at.FRAME_SIZE)
        self._turns = self.memory.turns.reshape(-1, at.TURN_SIZE)
        self._look_ns = min(look_ns, LOOK_NS_MAX)
        self._done_ns = 0  # when it last had nothing more to do; monotonic
        self._is_busy = False  # messages come so quickly that it is worth to look for the next

    def take(self, *, is_told: bool) -> LaneTurns:
        """Do some turns.

        Raises:
            JournalError: if their commands cannot be kept; nothing was done with those.
            zmq.ZMQError: if the socket is of no use.
        """
        if is_told:
            self._is_busy = monotonic_ns() - self._done_ns <= self._look_ns
        self._lend(0 if is_told or not self._is_busy else self._look_ns)
        ending = run_lane(self.memory, self._engine)
        while ending == at.JOURNAL_FULL:
            self._journal_turn()
            ending = run_lane(self.memory, self._engine)
        done = self._take_back(ending)
        self._done_ns = monotonic_ns()
        return done

    def _lend(self, look_ns: int) -> None:
        """Write into memory what the kernel needs, and count nothing yet."""
        peers = [
            (peer.source, *_packed(peer), peer.taken, peer.handled, peer.last_order_id, peer.report_sequence,
             peer.unacknowledged_count, _NOTHING_HEARD)
            for peer in self._core.links.lend()
        ]  # fmt: skip
        if peers:
            self._peers[: len(peers), :_LENT] = peers
        numbers = self._numbers
        numbers[:] = 0
        numbers[at.SOCKET], numbers[at.EPOCH] = self._socket, self._core.epoch
        numbers[at.HANDLED_NS] = self._core.handled_ns
        numbers[at.PEER_COUNT], numbers[at.LOOK_NS] = len(peers), look_ns
        self._lend_file()

    def _lend_file(self) -> None:
        file = self._journal.lend()
        numbers = self._numbers
        numbers[at.FILE], numbers[at.FILE_SIZE], numbers[at.FILE_SIZE_MAX] = file
        numbers[at.SEQUENCE] = self._journal.sequence

    def _journal_turn(self) -> None:
        """Journal the records of a turn that begin the next file; the kernel then goes on behind that."""
        data = self.memory.records[: int(self._numbers[at.RECORDS_END])].tobytes()
        records: list[CommandRecord] = []
        place = 0
        while place < len(data):
            head = data[place : place + at.RECORD_HEAD]
            _, length, _ = read_prefix(head)
            end = place + PREFIX_SIZE + length
            records.append(COMMANDS.decode(head, data[place + at.RECORD_HEAD : end]))
            place = end
        self._take_back_file(self._numbers.tolist())
        self._journal.append(records, monotonic_ns())
        self._lend_file()
        self._numbers[at.IS_JOURNALED] = 1

    def _take_back(self, ending: int) -> LaneTurns:
        """Let links, journal and core know what was done, and do the rest of a turn that is not finished."""
        numbers: list[int] = self._numbers.tolist()
        if ending == at.JOURNAL_FAILED:
            self._journal.fail_write(numbers[at.RECORDS_END], numbers[at.ERROR])
        assert ending != at.BROKEN, f"expected events that are messages, from {numbers[at.FIRST_EVENT]} on"
        self._take_back_file(numbers)
        handled = self._take_back_links(numbers)
        took: list[tuple[int, int]] = [(ns, count) for ns, count in self._turns[: numbers[at.TURN_COUNT]].tolist()]
        if ending == at.PARTLY:
            took.append((0, numbers[at.COMMAND_COUNT]))
        if took:
            self._core.take_back(sum(count for _, count in took), numbers[at.HANDLED_NS])
        if ending == at.PARTLY:
            self._core.finish(handled, numbers[at.FIRST_EVENT], numbers[at.HANDLED_NS])
            took[-1] = monotonic_ns() - numbers[at.BEGAN_NS], numbers[at.COMMAND_COUNT]
        if ending == at.SOCKET_FAILED or numbers[at.AFTER] == at.SOCKET_FAILED or numbers[at.ERROR]:
            raise socket_error(numbers[at.ERROR])
        frames, bad = self._odd_message(numbers) if numbers[at.AFTER] == at.ODD else (None, "")
        is_idle = ending == at.IDLE or (numbers[at.AFTER] == at.NOTHING and not self._is_busy)
        return LaneTurns(took, numbers[at.HANDLED_NS] if took else 0, frames, bad, is_idle)

    def _take_back_file(self, numbers: list[int]) -> None:
        if numbers[at.SEQUENCE] != self._journal.sequence:
            written = numbers[at.FILE_SIZE], numbers[at.RECORD_SIZE], numbers[at.RECORD_CRC]
            self._journal.take_back(numbers[at.SEQUENCE], *written)

    def _take_back_links(self, numbers: list[int]) -> dict[int, int]:
        """Let the links know what was taken and sent; return how many commands of each source the last turn has."""
        count = numbers[at.PEER_COUNT]
        reports: list[list[SentFrame]] = [[] for _ in range(count)]
        for index, first, size, acknowledges, begin, length, *_ in self._frames[: numbers[at.FRAME_COUNT]].tolist():
            if size:
                payload = self.memory.reports[begin : begin + length].tobytes()
                reports[index].append(SentFrame(first, size, payload, acknowledges))
        handled: dict[int, int] = {}
        for peer, sent in zip(self._peers[:count].tolist(), reports, strict=True):
            source = peer[at.SOURCE]
            counts = peer[at.TAKEN], peer[at.HANDLED], peer[at.LAST_ORDER_ID], peer[at.REPORT_SEQUENCE]
            self._core.links.take_back(source, counts, peer[at.HEARD], sent)
            if peer[at.FRESH_COUNT]:
                handled[source] = peer[at.FRESH_COUNT]
        return handled

    def _odd_message(self, numbers: list[int]) -> tuple[Frames | None, str]:
        """Return the message that is not ordinary, or why it is none: a part of it is larger than any that we take."""
        heads, records = self.memory.heads, self.memory.records
        payload_at, payload_size = numbers[at.RECORDS_END] + at.RECORD_HEAD, numbers[at.PAYLOAD_BYTES]
        header_size = min(numbers[at.HEADER_BYTES], at.HEADER_ROOM)
        parts = [
            heads[at.IDENTITY_AT : at.IDENTITY_AT + numbers[at.IDENTITY_BYTES]].tobytes(),
            heads[at.HEADER_AT : at.HEADER_AT + header_size].tobytes(),
            records[payload_at : payload_at + min(payload_size, FRAME_BYTES_MAX)].tobytes(),
        ]
        rest = self._orders.receive_rest()
        if payload_size > FRAME_BYTES_MAX:
            return None, f"expected at most {FRAME_BYTES_MAX} bytes of commands, was {payload_size}"
        return [*parts[: numbers[at.PART_COUNT]], *rest], ""


def _packed(peer: LentPeer) -> tuple[int, int]:
    """Return a peer's identity as a number, and its size; 0 if it is not spoken to.

    ZeroMQ gives identities of five bytes. What is kept for one of more than eight it asks for itself.
    """
    size = len(peer.identity)
    if not peer.is_spoken_to or size > at.IDENTITY_BYTES_MAX:
        return 0, 0
    return int.from_bytes(peer.identity.ljust(at.IDENTITY_BYTES_MAX, b"\0"), "little", signed=True), size


def make_lane(core: EngineCore, journal: Journal[CommandRecord], orders: ChannelSocket, look_ns: int) -> EngineLane:
    """Return a lane for the engine with this core.

    Raises:
        NoLaneError: if there can be none here.
    """
    try:
        return EngineLane(core, journal, orders, find_calls(), look_ns)
    except NoCallsError as error:
        raise NoLaneError(f"kernels cannot call ZeroMQ: {error}") from None


def warm_lane(tell: Callable[[str], None]) -> None:
    """Compile the lane, or load it; `tell` gets a line before compiling begins."""
    compile_kernel = getattr(run_lane, "compile", None)
    if compile_kernel is None:  # the interpreter runs it as it is
        return
    if not is_compiled("kernel.run_lane"):
        tell("compiles its lane, first run only: some 20 s")
    engine = FastEngine(Capacity(symbol_count=1, orders_max=1, pages_max=1, command_slots=1, event_slots=8))
    decoder = CommandDecoder(engine.commands).arrays
    lane = make_lane_memory(np.zeros(len(CALLS), np.int64), decoder, engine.events.slot_count)
    compile_kernel((typeof(lane), typeof(engine.memory)))  # type: ignore[no-untyped-call]
