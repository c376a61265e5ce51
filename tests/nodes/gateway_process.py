"""An engine and a gateway as processes of ours, without a supervisor: killed and started again as a test likes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from nodes.lock import holder_pid
from tests.desk.desk_process import CLI, environment, until


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Pair:
    """The two processes in one run directory; the gateway keeps its port.

    Args:
        folder: short enough for Unix sockets.
        settings: by the names of the environment.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.run_dir = folder / "run"
        self.port = free_port()
        self._environment = environment(
            TICKBUS_RUN_DIR=str(self.run_dir), TICKBUS_GATEWAY__PORT=str(self.port), **settings
        )
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        """Start nodes, by default both; they come up when they can."""
        for name in names or ("engine", "gateway"):
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, str(CLI), "node", name], env=self._environment, cwd=self._folder, stderr=log
                )

    def kill(self, name: str) -> None:
        """Kill a node with SIGKILL."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def pause(self, name: str) -> None:
        """Stop a node in its tracks."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Let a paused node go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End what runs, and make sure that nothing ended by itself before."""
        ended = {name: process.poll() for name, process in self._processes.items()}
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            process.wait(10)
        assert not any(code is not None for code in ended.values()), f"{ended}\n{self.log('gateway')[-3000:]}"

    def log(self, name: str) -> str:
        """Return all that a node has logged."""
        return (self._folder / f"{name}.log").read_text()

    def is_up(self, name: str) -> bool:
        """Return whether the node's process holds its lock."""
        process = self._processes.get(name)
        return process is not None and holder_pid(self.run_dir / f"{name}.lock") == process.pid

    def until_listening(self) -> None:
        """Wait until a client can connect."""

        def answers() -> bool:
            for name, process in self._processes.items():
                assert process.poll() is None, self.log(name)
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until("the gateway listens", answers, 60)


assert os.name == "posix", "signals are those of POSIX"
