"""An engine and a gateway as processes of ours, without a supervisor: killed and started again as a test likes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from desk.run_dir import holder_pid
from market.codes import Side, TimeInForce
from market.commands import NewOrder
from market.events import Accepted, Event
from tests.bus.test_tcp import free_ports
from tests.desk.copies import NodeProcess, begin
from tests.desk.desk_process import CLI, PATIENCE_S, environment, until
from venues.gateway import GatewayClient


def free_port() -> int:
    """Return a port that nobody listens on, and none that the system gives to whoever asks for any.

    A gateway that is killed comes back to its port, which another test's process would have been given meanwhile.
    """
    return free_ports(1)


class Pair:
    """The two processes in one run directory; the gateway keeps its port.

    Args:
        folder: short enough for Unix sockets.
        settings: by the names of the environment.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.run_dir = folder / "run"
        self.port = free_port()
        own = {"TICKBUS_RUN_DIR": str(self.run_dir), "TICKBUS_GATEWAY__PORT": str(self.port)}
        self._settings = own | settings
        self._folder = folder
        self._processes: dict[str, NodeProcess] = {}

    def start(self, *names: str, **settings: str) -> None:
        """Start nodes, by default both, with more settings of their own if wanted; they come up when they can."""
        for name in names or ("engine", "gateway"):
            self._processes[name] = begin(name, {**self._settings, **settings}, self._folder / f"{name}.log")

    def kill(self, name: str) -> None:
        """Kill a node with SIGKILL."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self, name: str) -> None:
        """Stop a node with SIGTERM, and wait until it has ended."""
        process = self._processes.pop(name)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, self.log(name)

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
            process.wait(PATIENCE_S)
        assert not any(code is not None for code in ended.values()), f"{ended}\n{self.log('gateway')[-3000:]}"

    def log(self, name: str) -> str:
        """Return all that a node has logged."""
        return (self._folder / f"{name}.log").read_text()

    def is_up(self, name: str) -> bool:
        """Return whether the node's process holds its lock."""
        process = self._processes.get(name)
        return process is not None and holder_pid(self.run_dir / f"{name}.lock") == process.pid

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the command line with the same settings."""
        return subprocess.run(
            [sys.executable, str(CLI), *arguments],
            env=environment(**self._settings),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def until_listening(self) -> None:
        """Wait until a client can connect."""

        def answers() -> bool:
            for name, process in self._processes.items():
                assert process.poll() is None, self.log(name)
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until("the gateway listens", answers, 120)  # it may have to compile

    def until_working(self) -> None:
        """Wait until an order goes all the way: the first one of a machine may wait for a kernel to be compiled."""
        self.until_listening()
        number = 0
        with GatewayClient(port=self.port, timeout_s=60) as client:

            def is_accepted() -> bool:
                nonlocal number
                number += 1
                client.send([NewOrder(number, 0, Side.BUY, 1, 1, time_in_force=TimeInForce.IOC)])
                news = until("an answer", lambda: [m for m in client.receive(0.1) if isinstance(m, Event)])
                return isinstance(news[0], Accepted)

            until("the engine works", is_accepted)

    @contextlib.contextmanager
    def working(self) -> Iterator["Pair"]:
        """Let both work, and leave none behind, whatever happens."""
        self.start()
        try:
            self.until_working()
            yield self
        except BaseException:
            for name in list(self._processes):
                self.kill(name)
            raise
        self.stop()


assert os.name == "posix", "signals are those of POSIX"
