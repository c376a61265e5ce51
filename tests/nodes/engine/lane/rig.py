"""The engine's turns between real sockets, with a lane or without, on a clock that stands still until it is moved."""

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from bus.channel import ChannelSocket
from bus.kernels.parts import CALLS
from bus.native import find_calls, replaced
from bus.order_link import Connected, Frames, Reports, SourceEnd
from bus.topology import ORDERS
from bus.wiring import Wiring
from desk.settings import Settings
from journal.format import JournalMode
from market.clock import NS_PER_MS, NS_PER_SECOND, Now
from market.commands import Command
from market.events import Event
from nodes.engine.lane.lane import EngineLane, NoLaneError
from nodes.engine.making import make_core
from nodes.engine.turns import EngineTurns
from tests.nodes.engine.linked_core import SOURCES

EPOCH: Final = 77
_BUS_CALLS: Final = ("zmq_recv", "zmq_send", "zmq_getsockopt")
_BUS_ARGUMENTS: Final = 4


class Calls:
    """The system's functions, of which some are others, which may call the real ones.

    Attributes:
        errno: of the bus, after a call that was replaced.
    """

    def __init__(self) -> None:
        self.real = find_calls()
        self.errno = 0
        self._others: dict[str, int] = {}
        self._kept: list[Any] = []  # what is called back must not be collected

    def replace(self, name: str, argument_count: int, function: Callable[..., int]) -> None:
        """Let the kernel call `function` in place of `name`."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * argument_count)
        self._kept.append(kind(function))
        self._others[name] = int(ctypes.cast(self._kept[-1], ctypes.c_void_p).value or 0)

    def replace_of_bus(self, name: str, function: Callable[..., int]) -> None:
        """Likewise, of a call of ZeroMQ, after which the kernel asks for the error number: it is `errno`."""
        for each in _BUS_CALLS:
            if each not in self._others:
                self.replace(each, _BUS_ARGUMENTS, partial(self.call, each))
        self.replace(name, _BUS_ARGUMENTS, function)
        self.replace("zmq_errno", 0, lambda: self.errno)

    def call(self, name: str, *arguments: int) -> int:
        """Call the real function, and keep its error number."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * len(arguments), use_errno=True)
        ctypes.set_errno(0)
        done = int(kind(int(self.real[CALLS.index(name)]))(*arguments))
        self.errno = ctypes.get_errno()
        return done

    def call_long(self, name: str, *arguments: int) -> int:
        """Call the real function, which returns 64 bits."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))
        return int(kind(int(self.real[CALLS.index(name)]))(*arguments))

    def addresses(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Return what a lane calls."""
        return replaced(self.real, self._others)


class Wire:
    """A socket that keeps what it is sent, and at which nobody says anything."""

    def __init__(self) -> None:
        self.sent: list[Frames] = []

    def send(self, frames: Frames) -> bool:
        """Keep the frames."""
        self.sent.append(list(frames))
        return True

    def receive(self, *, is_told: bool = False) -> None:
        """Return nothing."""


class Rig:
    """An engine, and its sources.

    Args:
        folder: short enough for Unix sockets.
        calls: of the lane; None: there is none.
        look_ns: for how long the lane looks for the next message.

    Attributes:
        now_ns: by both clocks.
        heard: by source: the messages of the engine, header and payload.
        events: by source: what they say.
        bad: why messages were none.
    """

    def __init__(
        self, folder: Path, calls: Calls | None, mode: JournalMode = JournalMode.WRITE, look_ns: int = 0
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        wiring = Wiring(folder, frozenset({"engine"}))
        self.now_ns = NS_PER_SECOND
        self.folder = folder / "journal"
        self.core, self.journal = make_core(Settings(), "engine", self.folder, mode, EPOCH)
        self.core.recover(lambda _: None)
        self.orders = ChannelSocket(ORDERS, wiring, "engine", is_binder=True)
        self.feed = Wire()
        self.bad: list[str] = []
        self.lane = None
        self._calls = calls  # what the kernel calls back must not be collected
        if calls is not None:
            calls.replace("clock_gettime", 2, self._tell_time)
            try:
                self.lane = EngineLane(self.core, self.journal, self.orders, calls.addresses(), look_ns)
            except NoLaneError:
                self.orders.close()
                self.journal.close()
                raise
        feed, nobody = cast("Any", self.feed), cast("Any", Wire())
        self.turns = EngineTurns(
            self.core, self.journal, self.orders, feed, nobody,
            lambda: Now(self.now_ns, self.now_ns), self.bad.append, None, self.lane,
        )  # fmt: skip
        self._wiring = wiring
        self.ends: dict[int, SourceEnd] = {}
        self.sockets: dict[int, ChannelSocket] = {}
        self.heard: dict[int, list[Frames]] = {}
        self.events: dict[int, list[Event]] = {}
        for source in SOURCES:
            self._add(source)

    def close(self) -> None:
        """Close sockets and journal."""
        for socket in (*self.sockets.values(), self.orders):
            socket.close()
        self.journal.close()

    def join(self, source: int) -> int:
        """Let one more source come, and return its number."""
        self._add(source)
        self.connect()
        return source

    def _add(self, source: int) -> None:
        self.ends[source] = SourceEnd(source, incarnation=1)
        self.sockets[source] = ChannelSocket(ORDERS, self._wiring, "engine")
        self.heard[source], self.events[source] = [], []

    def send(self, source: int, *batches: Sequence[Command]) -> None:
        """Let a source send frames, one for each batch; the engine has not been called."""
        for batch in batches:
            self.ends[source].send(batch)
            self._flush(source)

    def send_raw(self, source: int, *frames: bytes) -> None:
        """Let a source send a message that its end knows nothing of."""
        assert self.sockets[source].send(list(frames))

    def turn(self) -> None:
        """Let the engine take what waits, and the sources what it says, until nobody says anything."""
        self.now_ns += NS_PER_MS
        for _ in range(10):
            self.turns.take_orders()
            is_quiet = True
            for source in self.ends:
                while (frames := self.sockets[source].receive()) is not None:
                    is_quiet = False
                    self._hear(source, frames)
            for source in self.ends:
                is_quiet &= not self._flush(source)
            if is_quiet:
                return

    def tick(self) -> None:
        """Let the sources acknowledge, and ask again."""
        self.now_ns += 600 * NS_PER_MS
        for source in self.ends:
            self.ends[source].tick(self.now_ns)
            self._flush(source)

    def connect(self) -> None:
        """Let the sources come."""
        self.tick()
        self.turn()
        assert all(end.is_connected for end in self.ends.values())

    def journal_bytes(self) -> dict[str, bytes]:
        """Return the files of the journal."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*.journal"))}

    def check_replay(self) -> None:
        """Replay the journal, and compare what it brings back with what is here."""
        with self._replayed() as core:
            assert core.engine.state_hash() == self.core.engine.state_hash()
            assert core.command_count == self.core.command_count
            mine, theirs = self.core.links.state(), core.links.state()
            assert [one[:5] for one in mine] == [one[:5] for one in theirs]
            for one, other in zip(mine, theirs, strict=True):
                owed, all_owed = (b"".join(each.payload for each in peer.unacknowledged) for peer in (one, other))
                assert all_owed.endswith(owed), "a replay may cut the same reports into other frames"

    @contextmanager
    def _replayed(self) -> Iterator[Any]:
        before = self.journal_bytes()
        copy = self.folder.with_name("copy")
        copy.mkdir()
        for name, data in before.items():
            (copy / name).write_bytes(data)
        core, journal = make_core(Settings(), "engine", copy, JournalMode.WRITE)
        try:
            core.recover(lambda _: None)
            yield core
        finally:
            journal.close()
            for path in copy.iterdir():
                path.unlink()
            copy.rmdir()

    def _hear(self, source: int, frames: Frames) -> None:
        self.heard[source].append(frames)
        for news in self.ends[source].receive(frames):
            if isinstance(news, Reports):
                self.events[source].extend(news.events)
            else:
                assert isinstance(news, Connected)

    def _flush(self, source: int) -> bool:
        frames = self.ends[source].outgoing()
        for each in frames:
            assert self.sockets[source].send(each)
        return bool(frames)

    def _tell_time(self, _: int, at: int) -> int:
        spec = (ctypes.c_int64 * 2).from_address(at)
        spec[0], spec[1] = divmod(self.now_ns, NS_PER_SECOND)
        return 0


def told(rig: Rig) -> Mapping[str, Any]:
    """Return all that can be told of an engine."""
    return {
        "journal": rig.journal_bytes(),
        "state": rig.core.engine.state_hash(),
        "links": rig.core.links.state(),
        "counts": (rig.core.command_count, rig.core.malformed_count, rig.core.counts.figures(), rig.core.handled_ns),
        "last": rig.journal.last,
        "reports": rig.heard,
        "events": rig.events,
        "feed": rig.feed.sent,
        "bad": rig.bad,
    }
