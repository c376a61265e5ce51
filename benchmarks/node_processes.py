"""An engine and a gateway as processes of their own, for benchmarks that go through both, and what they cost."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgpack

from bus.channel import ChannelSocket
from bus.topology import SNAPSHOTS

ROOT: Final = Path(__file__).resolve().parent.parent
START_S: Final = 60
STOP_S: Final = 20
NODES: Final = ("engine", "gateway")
_STATE_TOPIC: Final = b"state"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class CpuTime(NamedTuple):
    """Seconds of a processor that a process has used, its own code and the kernel for it."""

    user_s: float
    kernel_s: float

    def since(self, before: "CpuTime") -> "CpuTime":
        """Return what was used since then."""
        return CpuTime(self.user_s - before.user_s, self.kernel_s - before.kernel_s)


def cpu_time(pid: int | str = "self") -> CpuTime:
    """Return what a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return CpuTime(int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S)


class NodePair:
    """An engine and a gateway in a run directory of their own.

    Args:
        folder: short enough for Unix sockets; the journals are there.
        settings: by the names of the environment, without the prefix.
        is_timed: run each node under a stage clock (see stage_clock.py).
        is_colocated: run the two as threads of one process.
    """

    def __init__(
        self, folder: Path, settings: dict[str, str], *, is_timed: bool = False, is_colocated: bool = False
    ) -> None:
        self.run_dir = folder / "run"
        self.port = free_port()
        self._folder = folder
        self._is_timed = is_timed
        self._processes_of = {"both": ("engine", "gateway")} if is_colocated else {name: (name,) for name in NODES}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TICKBUS_")}
        all_settings = {"RUN_DIR": str(self.run_dir), "GATEWAY__PORT": str(self.port), **settings}
        self._environment |= {f"TICKBUS_{name}": value for name, value in all_settings.items()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Compile what is not, start both and wait until a client can log on.

        Raises:
            RuntimeError: if one of them ends instead.
        """
        subprocess.run([sys.executable, str(ROOT / "cli.py"), "warm"], check=True, stderr=subprocess.DEVNULL)
        for name, nodes in self._processes_of.items():
            command = ["-m", "benchmarks.stage_clock", name, str(self._times(name))]
            command = command if self._is_timed else [str(ROOT / "cli.py"), "node", *nodes]
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, *command], env=self._environment, cwd=ROOT, stderr=log
                )
        deadline = time.monotonic() + START_S
        while not self._answers():
            self._check()
            if time.monotonic() > deadline:
                raise RuntimeError("the gateway does not listen")
            time.sleep(0.05)

    def cpu_times(self) -> dict[str, CpuTime]:
        """Return what each process has used so far."""
        return {name: cpu_time(process.pid) for name, process in self._processes.items()}

    def state(self) -> tuple[int, int]:
        """Return the sequence of the journal's last record, and the hash of the engine's state.

        Raises:
            RuntimeError: if the engine does not answer.
        """
        snapshots = ChannelSocket(SNAPSHOTS, self.run_dir, "engine")
        try:
            deadline = time.monotonic() + STOP_S
            while not snapshots.send([_STATE_TOPIC]) or not snapshots.wait(STOP_S * 1_000):
                if time.monotonic() > deadline:
                    raise RuntimeError("the engine does not tell its state")
                time.sleep(0.01)
            answer = snapshots.receive()
            assert answer is not None
            sequence, state_hash = msgpack.unpackb(answer[1])
            return sequence, state_hash
        finally:
            snapshots.close()

    def stop(self) -> None:
        """End both, if they run.

        Raises:
            RuntimeError: if one of them had ended before.
        """
        try:
            self._check()
        finally:
            while self._processes:
                _, process = self._processes.popitem()
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def stage_times(self) -> dict[str, Any]:
        """Return what the stage clocks have counted, once the nodes are stopped."""
        return {name: json.loads(self._times(name).read_text()) for name in NODES}

    def log(self, name: str) -> str:
        """Return what a node has logged."""
        return (self._folder / f"{name}.log").read_text()

    def _times(self, name: str) -> Path:
        return self._folder / f"{name}.stages.json"

    def _answers(self) -> bool:
        """Return whether the gateway greets whoever connects; it binds its port before it is ready."""
        with socket.socket() as probe:
            probe.settimeout(0.5)
            try:
                probe.connect(("127.0.0.1", self.port))
                return bool(probe.recv(1))
            except OSError:
                return False

    def _check(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"the {name} ended with code {process.returncode}:\n{self.log(name)[-3000:]}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def node_pair(
    folder: Path | None, settings: dict[str, str], *, is_timed: bool = False, is_colocated: bool = False
) -> Iterator[NodePair]:
    """Give a running pair, in a new folder in `folder` that is taken away afterwards."""
    path = Path(tempfile.mkdtemp(prefix="tb-", dir=folder))
    pair = NodePair(path, settings, is_timed=is_timed, is_colocated=is_colocated)
    try:
        pair.start()
        yield pair
    finally:
        try:
            pair.stop()
        finally:
            shutil.rmtree(path)
