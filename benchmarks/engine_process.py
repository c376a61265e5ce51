"""An engine's node as a process of its own, and a source that gives it orders as bytes, for benchmarks of the feed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.topology import ORDERS, first_order_id, first_owner
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codec import encode_all
from market.codes import OrderType, TimeInForce
from market.commands import CancelOrder, Command, NewOrder

GATEWAY = 1  # the number that a desk gives its first gateway

ROOT: Final = Path(__file__).resolve().parent.parent
WAIT_S: Final = 60.0
MID_TICKS: Final = 9_138_500
OWNER: Final = first_owner(GATEWAY)
COMMANDS_AHEAD: Final = 16_384  # on their way to the engine, before the source waits


def settings_of(run_dir: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return an environment with these settings alone, by their names without the prefix."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKBUS_")}
    return clean | {f"TICKBUS_{name}": value for name, value in {"RUN_DIR": str(run_dir), **settings}.items()}


@contextmanager
def node_process(
    name: str, run_dir: Path, settings: dict[str, str], *, may_end: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node beside its run directory, and end it; unless it may end by itself it must be there until then."""
    with (run_dir.parent / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), "node", name],
            env=settings_of(run_dir, settings),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
        assert may_end or process.poll() is None, (
            f"the {name} ended:\n{(run_dir.parent / f'{name}.log').read_text()[-3000:]}"
        )
    finally:
        process.terminate()
        process.wait()


@contextmanager
def folder_of_a_desk() -> Iterator[Path]:
    """Give an empty run directory, short enough for Unix sockets, and take it away."""
    folder = Path(tempfile.mkdtemp(prefix="tb-"))
    try:
        (folder / "run").mkdir(mode=0o700)
        yield folder / "run"
    finally:
        shutil.rmtree(folder)


class OrderGiver:
    """A source that gives frames of commands, and checks that the engine handles them all."""

    def __init__(self, run_dir: Path) -> None:
        self._source = LinkEnd(GATEWAY, "engine", ChannelSocket(ORDERS, run_dir, "engine"))
        self._wait_until("the engine answers", lambda: self._source.is_connected)

    @property
    def acknowledged(self) -> int:
        """The number of the last command that was handled."""
        return self._source.acknowledged

    def give(self, frames: Sequence[tuple[bytes, int]]) -> int:
        """Give all, as fast as the engine takes them, and return the ns until the last was handled."""
        start_ns = monotonic_ns()
        for payload, count in frames:
            self.give_one(payload, count)
        self.finish()
        return monotonic_ns() - start_ns

    def give_one(self, payload: bytes, count: int) -> None:
        """Give one frame; wait first if too much is on its way."""
        while self._source.in_flight > COMMANDS_AHEAD:
            self._turn(1)
        self._source.send_encoded(payload, count)

    def round_trip(self, payload: bytes, count: int) -> None:
        """Give one frame and wait until it was handled."""
        self._source.send_encoded(payload, count)
        while self._source.in_flight:
            self._turn(10)

    def give_steadily(self, frames: Sequence[tuple[bytes, int]], frames_per_s: float) -> list[int]:
        """Give frames at a fixed rate; return each one's ns from the intended send until it was handled."""
        interval_ns = int(NS_PER_SECOND / frames_per_s)
        start_ns, took_ns = monotonic_ns(), []
        for number, (payload, count) in enumerate(frames):
            due_ns = start_ns + number * interval_ns
            while (ahead_ns := due_ns - monotonic_ns()) > 0:
                time.sleep(ahead_ns / NS_PER_SECOND)
            self.round_trip(payload, count)
            took_ns.append(monotonic_ns() - due_ns)
        return took_ns

    def finish(self) -> None:
        """Wait until all is handled."""
        self._wait_until("the engine has handled all", lambda: not self._source.in_flight)

    def turn(self) -> None:
        """Take what waits; to be called in a long pause."""
        self._turn(0)

    def close(self) -> None:
        """Close the socket."""
        self._source.close()

    def _turn(self, wait_ms: int) -> None:
        if wait_ms:
            self._source.socket.wait(wait_ms)
        for _ in self._source.receive_raw():
            pass
        self._source.tick(monotonic_ns())

    def _wait_until(self, what: str, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
            self._turn(5)


class Market:
    """Commands that build a book of a wanted size and then keep changing it; the same seed, the same commands."""

    def __init__(self, seed: int = 7, width_ticks: int = 2_000) -> None:
        self._dice = Random(seed)
        self._width_ticks = width_ticks
        self._last_id = first_order_id(GATEWAY)
        self._resting: list[int] = []

    def build(self, order_count: int) -> list[tuple[bytes, int]]:
        """Return the frames that enter so many resting orders."""
        return _framed([self._order() for _ in range(order_count)], 1_024)

    def change(self, command_count: int, frame_size: int) -> list[tuple[bytes, int]]:
        """Return frames of changes: new orders and cancels in turn, and every 32nd an order that trades."""
        commands: list[Command] = []
        while len(commands) < command_count:
            commands.append(self._order())
            if len(commands) % 32 == 1:
                commands.append(self._taker())
            place = self._dice.randrange(len(self._resting))
            self._resting[place], self._resting[-1] = self._resting[-1], self._resting[place]
            commands.append(CancelOrder(self._resting.pop(), 0, OWNER))
        return _framed(commands, frame_size)

    def _order(self) -> NewOrder:
        self._last_id += 1
        self._resting.append(self._last_id)
        side, distance = self._dice.randrange(2), self._dice.randint(1, self._width_ticks)
        price = MID_TICKS + (distance if side else -distance)
        return NewOrder(self._last_id, 0, side, price, self._dice.randint(1, 5_000), OrderType.POST_ONLY, owner=OWNER)

    def _taker(self) -> NewOrder:
        self._last_id += 1
        side = self._dice.randrange(2)
        price = MID_TICKS + (-1 if side else 1) * self._width_ticks
        return NewOrder(self._last_id, 0, side, price, 1, time_in_force=TimeInForce.IOC, owner=OWNER)


def _framed(commands: list[Command], size: int) -> list[tuple[bytes, int]]:
    pieces = [commands[start : start + size] for start in range(0, len(commands), size)]
    return [(encode_all(piece), len(piece)) for piece in pieces]


def quantiles(values_ns: Sequence[int]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the maximum in microseconds."""
    ordered = sorted(values_ns)
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {name: ordered[int(share * (len(ordered) - 1))] / 1_000 for name, share in shares.items()}
