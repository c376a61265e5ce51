"""The supervisor: starts the nodes of a desk in order, restarts those that die, and stops all of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from bus.channel import ChannelSocket, close_all
from bus.poll_loop import PollLoop
from bus.topology import CONTROL, ENGINE_NAMES
from market.clock import NS_PER_SECOND, monotonic_ns
from nodes.lock import LockFile
from nodes.node import SUPERVISOR_PID, NodeError, prepare_run_dir
from nodes.roster import GATEWAY_NAMES, NodeSpec, in_order
from nodes.settings import Settings, environment_of

CLI_FILE = Path(__file__).resolve().parent.parent / "cli.py"
TICK_MS = 50
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HEALTHY_NS = 30 * NS_PER_SECOND  # a node that ran so long is restarted as if it had never died
BEAT_NS_MAX = 10 * NS_PER_SECOND  # a node that is silent for longer is called so
STOP_SECONDS = (2.0, 1.6, 1.0)  # for each wave of a stop, before SIGKILL: 4.6 s in all
PORT_SETTINGS = {"gateway": "gateway.port", "api": "api.port", "paper": "paper.port"}
MORE_PORTS = "gateway.more_ports"

Tell = Callable[[str], None]


class StartError(NodeError):
    """A node did not come up at the start of the desk; the text is its own last word."""


@dataclass(slots=True)
class NodeState:
    """A node as its supervisor sees it."""

    spec: NodeSpec
    state: str = "waiting"
    endpoints: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    heard_ns: int = 0
    was_ready: bool = False


@dataclass(slots=True)
class Child:
    """A process of the desk: a node, or several as its threads, which start, die and come back together."""

    nodes: tuple[NodeState, ...]
    process: subprocess.Popen[bytes] | None = None
    started_ns: int = 0
    restart_ns: int = 0
    restart_count: int = 0
    failure_count: int = 0

    @property
    def name(self) -> str:
        """The names of its nodes: `engine`, or `engine+gateway`."""
        return "+".join(node.spec.name for node in self.nodes)

    @property
    def was_ready(self) -> bool:
        """Whether every node of it has been ready."""
        return all(node.was_ready for node in self.nodes)

    def become(self, state: str) -> None:
        """Set the state of every node of it."""
        for node in self.nodes:
            node.state = state


class Supervisor:
    """One desk.

    Args:
        settings: the desk's settings.
        processes: the nodes of each of its processes, in the order in which they start.
        overrides: settings by dotted key that the nodes must take over, those of the command line.
        tell: called with a line for a person whenever something happens.

    Raises:
        LockedError: if the run directory has a desk already.
    """

    def __init__(
        self,
        settings: Settings,
        processes: Sequence[Sequence[NodeSpec]],
        overrides: Mapping[str, Any],
        tell: Tell,
    ) -> None:
        prepare_run_dir(settings.run_dir)
        self._run_dir = settings.run_dir.resolve()
        self._lock = LockFile(self._run_dir / "desk.lock", "the desk")
        self._settings = settings
        self._tell = tell
        self._children = [Child(tuple(map(NodeState, specs))) for specs in processes]
        self._nodes = {node.spec.name: (child, node) for child in self._children for node in child.nodes}
        self._environment = {**os.environ, **environment_of(overrides)}
        self._environment |= {"TICKBUS_RUN_DIR": str(self._run_dir), SUPERVISOR_PID: str(os.getpid())}
        self._more_ports = list(map(str, settings.gateway.ports[1:]))
        self._started_ns = monotonic_ns()
        self._ready_ns = 0
        self._logs = self._run_dir / "logs"
        self._logs.mkdir(mode=0o700, exist_ok=True)
        for stale in self._run_dir.glob("*.ipc"):
            stale.unlink()  # from a desk that was killed: we hold its lock
        self._control = ChannelSocket(CONTROL, self._run_dir, is_binder=True)
        self._error: StartError | None = None

    def run(self, show: Callable[[], None] = lambda: None) -> None:
        """Start all nodes and look after them until SIGTERM or SIGINT, then stop them.

        Args:
            show: called twice a second, to redraw what a person sees.

        Raises:
            StartError: if a node does not come up at the start; all others are stopped.
        """
        loop = PollLoop()
        loop.on_readable(self._control, self._on_control)
        loop.every(TICK_MS, lambda: self._tick(loop))
        loop.every(500, show)
        try:
            loop.run()
        finally:
            self._stop()
        if self._error is not None:
            raise self._error

    @property
    def is_ready(self) -> bool:
        """Whether every node has been ready and the desk was announced."""
        return self._ready_ns > 0

    def status(self) -> dict[str, Any]:
        """Return the desk as plain values, for `status --json` and the table."""
        now_ns = monotonic_ns()
        return {
            "run_dir": str(self._run_dir),
            "pid": os.getpid(),
            "venue": self._settings.venue.name,
            "symbol": self._settings.symbol,
            "is_ready": self.is_ready,
            "start_s": round((self._ready_ns - self._started_ns) / NS_PER_SECOND, 2) if self.is_ready else None,
            "nodes": [self._row(*self._nodes[name], now_ns) for name in in_order(self._nodes)],
        }

    def _row(self, child: Child, node: NodeState, now_ns: int) -> dict[str, Any]:
        is_silent = node.state == "ready" and now_ns - node.heard_ns > BEAT_NS_MAX
        return {
            "node": node.spec.name,
            "process": child.name,
            "pid": child.process.pid if child.process else None,
            "state": "silent" if is_silent else node.state,
            "uptime_s": round((now_ns - child.started_ns) / NS_PER_SECOND, 1) if child.process else None,
            "restarts": child.restart_count,
            "endpoints": node.endpoints,
            "figures": node.figures,
        }

    # --- what the nodes say ---

    def _on_control(self) -> None:
        while (frames := self._control.receive()) is not None:
            identity, *rest = frames
            if rest[:1] == [b"beat"] and len(rest) == 2:
                self._on_beat(msgpack.unpackb(rest[1]))
            elif rest == [b"status"]:
                self._control.send([identity, msgpack.packb(self.status())])

    def _on_beat(self, report: dict[str, Any]) -> None:
        child, node = self._nodes.get(report["node"], (None, None))
        if child is None or node is None or child.process is None or child.process.pid != report["pid"]:
            return  # a node that was started by hand, or the last word of one that is gone
        node.heard_ns = monotonic_ns()
        node.endpoints, node.figures = report["endpoints"], report["figures"]
        if report["state"] == "warming" and node.state == "starting":
            node.state = "warming"
            self._tell(f"{node.spec.name} compiles its kernels, first run only")
        if report["state"] == "ready" and node.state in ("starting", "warming"):
            node.state = "ready"
            self._keep_port(node)
            if node.was_ready:
                self._tell(f"{node.spec.name} is ready again (pid {child.process.pid})")
            node.was_ready = True

    def _keep_port(self, node: NodeState) -> None:
        """Make a free port that a node was given its fixed one, for its restarts and for the nodes that need it."""
        name, key = node.spec.name, PORT_SETTINGS.get(node.spec.name)
        address = node.endpoints.get("http") or node.endpoints.get("tcp") or ""
        port = address.rpartition(":")[2]
        if key and port:
            self._environment |= environment_of({key: port})
        elif name in GATEWAY_NAMES[1:] and port:
            self._more_ports[GATEWAY_NAMES.index(name) - 1] = port
            self._environment |= environment_of({MORE_PORTS: ",".join(self._more_ports)})

    # --- processes ---

    def _tick(self, loop: PollLoop) -> None:
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._on_death(child, child.process.returncode)
        if self._error is not None:
            loop.stop()
            return
        for child in self._children:
            if child.process is None and monotonic_ns() >= child.restart_ns and self._has_needs(child):
                self._start(child)
        if not self.is_ready and all(node.state == "ready" for _, node in self._nodes.values()):
            self._ready_ns = monotonic_ns()
            self._tell(f"ready in {(self._ready_ns - self._started_ns) / NS_PER_SECOND:.1f} s")

    def _has_needs(self, child: Child) -> bool:
        needed = [self._nodes[name] for node in child.nodes for name in node.spec.needs if name in self._nodes]
        return all(other is child or node.was_ready for other, node in needed)

    def _start(self, child: Child) -> None:
        path = self._logs / f"{child.name}.log"
        if child.started_ns == 0:
            self._put_logs_aside(child)
        with path.open("ab") as log:
            child.process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, str(CLI_FILE), "node", *(node.spec.name for node in child.nodes)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop the nodes in order
            )
        child.become("starting")
        child.started_ns = monotonic_ns()
        for node in child.nodes:
            node.heard_ns = child.started_ns

    def _put_logs_aside(self, child: Child) -> None:
        """Rename the logs of the run before, also of one whose nodes shared their processes in another way."""
        names = {node.spec.name for node in child.nodes}
        for path in self._logs.glob("*.log"):
            if names & set(path.stem.split("+")):
                path.replace(path.with_suffix(".log.1"))

    def _on_death(self, child: Child, code: int) -> None:
        name, lived_ns = child.name, monotonic_ns() - child.started_ns
        child.process = None
        if not child.was_ready:
            child.become("failed")
            self._error = StartError(f"{name}: {last_error(self._logs / f'{name}.log')}")
            return
        child.failure_count = 0 if lived_ns > HEALTHY_NS else child.failure_count
        wait_s = BACK_OFF_S[min(child.failure_count, len(BACK_OFF_S) - 1)]
        child.failure_count += 1
        child.restart_count += 1
        child.become("restarting")
        child.restart_ns = monotonic_ns() + int(wait_s * NS_PER_SECOND)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._tell(f"{name} {how} after {lived_ns / NS_PER_SECOND:.1f} s; restarting in {wait_s} s")

    # --- the end ---

    def _stop(self) -> None:
        self._tell("stopping")
        for wave, seconds in zip(self._waves(), STOP_SECONDS, strict=True):
            self._stop_wave(wave, monotonic_ns() + int(seconds * NS_PER_SECOND))
        self._control.close()
        close_all()
        for name in self._nodes:
            (self._run_dir / f"{name}.lock").unlink(missing_ok=True)
        for left in self._run_dir.glob("*.ipc"):
            left.unlink()
        self._lock.release()

    def _waves(self) -> tuple[list[Child], list[Child], list[Child]]:
        """Return those that nobody needs, then those in between, then those that need nobody: the engine's."""
        waves: tuple[list[Child], list[Child], list[Child]] = ([], [], [])
        for child in self._children:
            waves[max(_wave(node.spec) for node in child.nodes)].append(child)
        return waves

    def _stop_wave(self, wave: list[Child], deadline_ns: int) -> None:
        running = [(child, child.process) for child in wave if child.process is not None]
        for _, process in running:
            process.terminate()
        for child, process in running:
            try:
                process.wait(max(0.01, (deadline_ns - monotonic_ns()) / NS_PER_SECOND))
            except subprocess.TimeoutExpired:
                self._tell(f"{child.name} did not stop in time and was killed")
                process.kill()
                process.wait()
            child.process = None
            child.become("stopped")


def _wave(spec: NodeSpec) -> int:
    needs_engine_only = all(name in ENGINE_NAMES for name in spec.needs)
    return 2 if not spec.needs else 1 if needs_engine_only else 0


def forget_paper_accounts(run_dir: Path) -> None:
    """Remove what the paper exchange of `run_dir` remembers: balances, orders and trades; its keys stay."""
    for path in (run_dir / "paper").glob("ledger.sqlite3*"):
        path.unlink()


def last_error(path: Path) -> str:
    """Return the last thing a node's log complains about, as one line."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in reversed(lines):
        if "why='" in line or 'why="' in line:
            return line.split("why=", 1)[1][1:-1]
    return f"{lines[-1][:200]} (see {path})" if lines else f"it said nothing (see {path})"
